"""What the store holds before a deploy: the release in force, and where that is not enough, a look.

Everything that does not depend on the app's files is asked for while those are still being read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import md5

from .assets import FileBody, Object
from .errors import BucketMissing, SettingsError, StoreError, WrongRegion
from .flow import Flow, Job
from .plan import Known
from .releases import Current, Record, Releases
from .s3 import S3Store
from .settings import Settings
from .store import BYTES_IN_FLIGHT, Listed, Store

# A listing's times and an answer's `Date` come from the same store, but not from the same clock.
_CLOCKS_APART = 5.0
_HEADS_IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Remote:
    """The store as a deploy finds it.

    Attributes:
        store: the bucket, in the region where it is.
        releases: the app's; None where the credentials may not read them.
        current: the release in force.
        listed: the objects under the app's prefixes, by key; None when the record is trusted.
        others: the releases in force of other apps in the bucket, on their way when they are sure
            to be needed.
        bucket_missing: whether there is no bucket yet.
    """

    store: S3Store
    releases: Releases | None
    current: Current | None
    listed: Mapping[str, Listed] | None
    others: Future[list[Record]] | None
    bucket_missing: bool

    @property
    def record(self) -> Record | None:
        """What is remembered of the release in force."""
        return None if self.current is None else self.current.record

    def other_records(self) -> list[Record]:
        """Returns the releases in force of the other apps in the bucket."""
        if self.bucket_missing or self.releases is None:
            return []
        return list(self.releases.others()) if self.others is None else self.others.result()


def look(
    settings: Settings, app_name: str, key_prefixes: Sequence[str], *, closely: bool, trusting: bool
) -> Remote:
    """Returns the state of the store.

    Args:
        settings: which bucket, and how to reach it.
        app_name: whose releases.
        key_prefixes: where the app's objects live.
        closely: list them even when there is a record of them.
        trusting: never list them.

    Raises:
        SettingsError: the bucket lives in another region than the settings say.
        StoreError: the store does not let us look.
    """
    store = S3Store(settings)
    glance = partial(
        _look_into,
        app_name=app_name,
        prefix=settings.key_prefix,
        key_prefixes=key_prefixes,
        closely=closely,
        trusting=trusting,
    )
    try:
        return glance(store)
    except WrongRegion as error:
        if settings.region is not None:
            raise SettingsError(
                f"Bucket {store.bucket!r} lives in {error.region}, but FLASKS3_REGION (or "
                f"AWS_REGION) says {settings.region}: set FLASKS3_REGION = {error.region!r}."
            ) from error
        return glance(S3Store(settings, error.region))


def _look_into(
    store: S3Store,
    *,
    app_name: str,
    prefix: str,
    key_prefixes: Sequence[str],
    closely: bool,
    trusting: bool,
) -> Remote:
    releases = Releases(store, app_name, prefix)
    others = listed = None
    try:
        current = releases.current()
        if current is None or current.record is None:
            others = ThreadPoolExecutor(1).submit(lambda: list(releases.others()))
        in_doubt = current is None or current.record is None or current.unfinished
        if (closely or in_doubt) and not trusting:
            listed = {line.key: line for part in key_prefixes for line in store.list(part)}
        missing = current is None and not listed and not store.bucket_exists()
    except BucketMissing:
        return Remote(store, releases, None, {}, None, bucket_missing=True)
    except StoreError as error:
        # 0.3 read nothing, so a policy from its days may allow nothing but writing.
        if error.code != "AccessDenied" or not trusting or not store.bucket_exists():
            raise
        return Remote(store, None, None, None, None, bucket_missing=False)
    return Remote(store, releases, current, listed, others, missing)


def held_by(remote: Remote, objects: Iterable[Object]) -> Mapping[str, Known]:
    """Returns what the store holds under the objects' keys, as far as can be found out.

    Without a listing, that is the record. With one, an object is asked for by itself only where
    ETag, size or time differ from what is remembered, or where nothing is.

    Raises:
        StoreError: the store does not let us look.
    """
    remembered = {} if remote.record is None else remote.record.objects
    if remote.listed is None:
        return remembered
    found: dict[str, Known] = {}
    doubtful: dict[str, Object] = {}
    for object_ in objects:
        line, before = remote.listed.get(object_.key), remembered.get(object_.key)
        if line is None:
            continue
        if before is not None and _is_as_remembered(before, line):
            found[object_.key] = before
        elif line.size == object_.body.size:
            doubtful[object_.key] = object_
        else:
            found[object_.key] = Known(line.size, line.etag, line.modified, None, None)
    return found | _looked_at(remote.store, doubtful)


def _is_as_remembered(before: Known, line: Listed) -> bool:
    same = (before.size, before.etag) == (line.size, line.etag)
    return same and line.modified <= before.modified + _CLOCKS_APART


def _looked_at(store: Store, doubtful: Mapping[str, Object]) -> dict[str, Known]:
    jobs = (Job(key, partial(store.head, key)) for key in doubtful)
    found = {}
    for outcome in Flow(jobs, most=_HEADS_IN_FLIGHT, most_bytes=BYTES_IN_FLIGHT):
        if outcome.error is not None:
            raise outcome.error
        if outcome.value is not None:
            found[outcome.key] = _identified(outcome.value, doubtful[outcome.key])
    return found


def _identified(held: Known, wanted: Object) -> Known:
    """Fills the digest in where the ETag is the MD5 of the bytes that are wanted.

    An ETag is the MD5 of an object that went up in one part and is not encrypted with KMS (Amazon
    S3 API Reference, "Object"); where it is something else it equals no MD5.
    """
    try:
        same = held.sha256 is None and held.etag == _md5(wanted)
    except OSError:  # the upload will meet it again, and say so
        same = False
    return replace(held, sha256=wanted.body.sha256) if same else held


def _md5(wanted: Object) -> str:
    digest = md5(usedforsecurity=False)
    if not isinstance(wanted.body, FileBody):
        digest.update(wanted.body.data)
        return digest.hexdigest()
    with open(wanted.body.path, "rb") as file:  # noqa: PTH123
        while piece := file.read(1024 * 1024):
            digest.update(piece)
    return digest.hexdigest()
