"""CloudFront: invalidations.

Sources: Amazon CloudFront Developer Guide, "What you need to know when invalidating paths" and
"Concurrent invalidation request maximum"; Amazon CloudFront API Reference, "InvalidationBatch".
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..errors import PurgeError
from ..settings import Settings
from ..store.boto import client, code_of
from .purger import path_of

_BUSY = "TooManyInvalidationsInProgress"
# CloudFront takes 3,000 paths at a time; a third of that is never BatchTooLarge.
_PATHS_A_BATCH = 1000
# As many as may be in progress on a distribution.
_WILDCARDS_A_BATCH = 15
# Seconds: an invalidation takes a minute or two, and another is to be let in then: ten minutes.
_PAUSES = (5.0, 10.0, 20.0, 40.0, *[60.0] * 9)
_POLL_SECONDS = 5.0
_MOST_POLLS = 180
# CloudFront refuses "~" and takes "%7E" without dropping anything (aws/aws-sdk issue 525); "*" is
# allowed at the end only. A wildcard that stops before them drops the file, and little else.
_UNSPEAKABLE = re.compile(r"[~*]")


class CloudFront:
    """The distribution in front of the bucket.

    Args:
        settings: its id, and the credentials.
        sleep: waits for that many seconds.
    """

    def __init__(self, settings: Settings, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._id = settings.cloudfront_distribution
        self._sleep = sleep

    def purge(self, urls: Sequence[str], prefixes: Sequence[str]) -> tuple[str, ...]:
        """Starts invalidations, and returns their ids.

        Raises:
            PurgeError: CloudFront does not take them.
        """
        # A request that is repeated since its answer was lost must not make a second invalidation.
        reference = f"flask-s3-{int(time.time())}-{secrets.token_hex(8)}"
        batches = enumerate(_batches(urls, prefixes), 1)
        return tuple(self._created(batch, f"{reference}-{number}") for number, batch in batches)

    def wait(self, receipt: Sequence[str]) -> None:
        """Returns once the invalidations are completed.

        Raises:
            PurgeError: CloudFront does not tell, or not within a quarter of an hour.
        """
        polls = iter(range(_MOST_POLLS))
        for id_ in receipt:
            while self._status(id_) != "Completed":
                if next(polls, None) is None:
                    raise PurgeError(
                        f"Invalidation {id_} of CloudFront distribution {self._id} is still under "
                        f"way after {_MOST_POLLS * _POLL_SECONDS / 60:.0f} minutes: look at it in "
                        "the AWS console."
                    )
                self._sleep(_POLL_SECONDS)

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401  (boto3 has no types)
        # CloudFront is AWS's, wherever the store is; AWS_ENDPOINT_URL_CLOUDFRONT is boto3's own.
        settings = replace(self._settings, endpoint_url=None)
        region = settings.region or ""
        return client(settings, region if region.startswith("cn-") else "us-east-1", "cloudfront")

    def _created(self, paths: Sequence[str], reference: str) -> str:
        """Starts one invalidation, once there is room for it."""
        for pause in (*_PAUSES, None):
            try:
                return self._sent(paths, reference)
            except PurgeError as error:
                if pause is None or not isinstance(error, _Busy):
                    raise
                self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _sent(self, paths: Sequence[str], reference: str) -> str:
        batch = {
            "Paths": {"Quantity": len(paths), "Items": list(paths)},
            "CallerReference": reference,
        }
        answer = self._asked("create_invalidation", InvalidationBatch=batch)
        return str(answer["Invalidation"]["Id"])

    def _status(self, id_: str) -> str:
        return str(self._asked("get_invalidation", Id=id_)["Invalidation"]["Status"])

    def _asked(self, operation: str, **values: object) -> Any:  # noqa: ANN401  (nor its answers)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (takes 0.3 s)

        try:
            return getattr(self._client, operation)(DistributionId=self._id, **values)
        except ClientError as error:
            raise self._refused(operation, code_of(error)) from error
        except BotoCoreError as error:
            raise PurgeError(
                f"CloudFront could not be asked about distribution {self._id} ({code_of(error)}): "
                "check the network, and the AWS credentials, which it takes from where S3 does; "
                "then purge again."
            ) from error

    def _refused(self, operation: str, code: str) -> PurgeError:
        """Returns the error in our words: those of AWS may repeat what was sent."""
        action = "".join(part.capitalize() for part in operation.split("_"))
        why = {
            "AccessDenied": f"grant cloudfront:{action} on the distribution",
            "NoSuchDistribution": "this account has none of that id: check "
            "FLASKS3_CLOUDFRONT_DISTRIBUTION",
            _BUSY: "see in the AWS console what else is being invalidated, and purge again then",
        }.get(code, "see AWS's page on it, then purge again")
        kind = _Busy if code == _BUSY else PurgeError
        return kind(f"CloudFront distribution {self._id} refused {action} ({code}): {why}.")


class _Busy(PurgeError):
    """As many invalidations are in progress as CloudFront allows."""


def _batches(urls: Sequence[str], prefixes: Sequence[str]) -> Iterator[list[str]]:
    """Yields the paths of the invalidations: each named once, those under a wildcard not at all."""
    stems = {_UNSPEAKABLE.split(path_of(url))[0]: None for url in prefixes}
    exact: dict[str, None] = {}
    for path in map(path_of, urls):
        stem = _UNSPEAKABLE.split(path)[0]
        (exact if stem == path else stems)[stem] = None
    wide = [s for s in stems if not any(s != o and s.startswith(o) for o in stems)]
    yield from _pieces([f"{stem}*" for stem in wide], _WILDCARDS_A_BATCH)
    covered = tuple(wide)
    yield from _pieces([p for p in exact if not p.startswith(covered)], _PATHS_A_BATCH)


def _pieces(paths: list[str], size: int) -> Iterator[list[str]]:
    return (paths[start : start + size] for start in range(0, len(paths), size))
