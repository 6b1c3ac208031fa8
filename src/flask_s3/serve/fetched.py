"""The manifest of the release in force, fetched from the bucket when an app starts.

Through boto3, not the CRT: a server may fork its workers after this, and the CRT's threads would
not come along.
"""

from __future__ import annotations

from typing import Any

from ..errors import BuildError, StoreError
from ..manifest import Manifest, from_json
from ..release.records import Record
from ..release.releases import Released
from ..settings import Settings
from ..store import boto
from ..store.protocol import Fetched
from ..store.s3 import explain


def manifest_in_force(app_name: str, settings: Settings) -> Manifest:
    """Returns the manifest of the release in force, or of the one that `FLASKS3_RELEASE` names.

    Args:
        app_name: the app's own name.
        settings: which bucket, how to reach it, and whose releases.

    Raises:
        BuildError: there is no such release, or it has no manifest.
        StoreError: the store does not let us look.
    """
    releases = Released(_Reader(settings), settings.app_name or app_name, settings.key_prefix)
    record = _record(releases, settings.release)
    if record is None:
        which = "release in force" if settings.release is None else f"release {settings.release!r}"
        raise BuildError(
            f"Bucket {settings.bucket_name!r} has no {which} of this app: publish with `flask s3 "
            "deploy`, or correct FLASKS3_RELEASE."
        )
    if record.manifest is None:
        raise BuildError(
            f"The release {record.id} has no manifest, since it was published without "
            "FLASKS3_FINGERPRINT: publish again."
        )
    return from_json(record.manifest, f"of the release {record.id}")


def _record(releases: Released, wanted: str | None) -> Record | None:
    if wanted is not None:
        return releases.release(wanted)
    current = releases.current()
    return None if current is None else current.record


class _Reader:
    """Reads objects of the bucket, and nothing else."""

    def __init__(self, settings: Settings) -> None:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        self._bucket = settings.require_bucket()
        try:
            self._client: Any = boto.client(settings, settings.region or "us-east-1")
        except (BotoCoreError, ValueError) as error:  # AWS_PROFILE names none, say
            raise self._failed(error) from error

    def get(self, key: str) -> Fetched | None:
        """Returns an object, None when there is none.

        Raises:
            StoreError: the store does not let us look.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            return Fetched(answer["Body"].read(), answer["ETag"].strip('"'))
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise self._refused(error, error.response["Error"]["Code"]) from error
        except BotoCoreError as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StoreError:
        text = (
            f"The manifest in bucket {self._bucket!r} could not be fetched ({error}): check "
            "FLASKS3_ENDPOINT_URL, FLASKS3_REGION, the credentials and the network."
        )
        code = type(error).__name__
        return StoreError(text, code=code, status=None, operation="GetObject")

    def _refused(self, error: Exception, code: str) -> StoreError:
        text = explain("GetObject", code, self._bucket, str(error))
        return StoreError(text, code=code, status=None, operation="GetObject")
