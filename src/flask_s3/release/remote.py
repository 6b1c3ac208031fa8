"""What the store holds before a deploy: the release in force, and where that is not enough, a look.

Everything that does not depend on the app's files is asked for while those are still being read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import md5
from types import MappingProxyType
from typing import TypeVar

from ..assets import FileBody, Object
from ..errors import BucketMissing, StoreError
from ..headers import kept
from ..settings import Settings
from ..store.flow import Flow, Job
from ..store.protocol import BYTES_IN_FLIGHT, Known, Listed, Store
from ..store.s3 import S3Store, in_its_region
from .records import Record, objects_of
from .releases import Current, Releases

# A listing's times and an answer's `Date` come from the same store, but not from the same clock.
_CLOCKS_APART = 5.0
_HEADS_IN_FLIGHT = 64

T = TypeVar("T")
_NOTHING: Mapping[str, Known] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Remote:
    """The store as a command finds it.

    Attributes:
        store: the bucket, in the region where it is.
        releases: the app's; None where the credentials may not read them.
        prefixes: of all keys of the app.
        current: the release in force.
        listed: the objects under the prefixes, by key; None when the record is trusted.
        others: the releases in force of other apps in the bucket, on their way when they are sure
            to be needed.
        bucket_missing: whether there is no bucket yet.
    """

    store: S3Store
    releases: Releases | None
    prefixes: tuple[str, ...]
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

    def again(self) -> Remote:
        """Returns the store as it is by now, looked at closely, once nobody deletes any more.

        Raises:
            StoreError: the store does not let us look.
        """
        current = None
        if self.releases is not None:
            current = self.releases.settled()
            self.releases.watch_others()
        return replace(self, current=current, listed=self.listing(), bucket_missing=False)

    def listing(self) -> dict[str, Listed]:
        """Returns the objects under the prefixes, by key."""
        return {line.key: line for part in self.prefixes for line in self.store.list(part)}


def look(
    settings: Settings, app_name: str, key_prefixes: Sequence[str], *, closely: bool, trusting: bool
) -> Remote:
    """Returns the state of the store.

    Args:
        settings: which bucket, how to reach it, and whose releases.
        app_name: the app's own name.
        key_prefixes: where the app's objects live.
        closely: list them even when there is a record of them.
        trusting: never list them.

    Raises:
        SettingsError: the bucket lives in another region than the settings say.
        StoreError: the store does not let us look.
    """
    return in_its_region(
        settings,
        partial(
            _look_into,
            settings=settings,
            app_name=settings.app_name or app_name,
            key_prefixes=key_prefixes,
            closely=closely,
            trusting=trusting,
        ),
    )


def releases_of(settings: Settings, app_name: str) -> tuple[Releases, S3Store]:
    """Returns an app's releases, and the store where they are.

    Args:
        settings: which bucket, how to reach it, and whose releases.
        app_name: the app's own name.

    Raises:
        SettingsError: the bucket lives in another region than the settings say.
        StoreError: there is no such bucket, or the store does not let us look.
    """
    settings.require_bucket()

    def found(store: S3Store) -> tuple[Releases, S3Store]:
        releases = Releases(store, settings.app_name or app_name, settings.key_prefix)
        releases.stand()  # tells where the bucket lives, and whether it does
        return releases, store

    return in_its_region(settings, found)


def _look_into(
    store: S3Store,
    *,
    settings: Settings,
    app_name: str,
    key_prefixes: Sequence[str],
    closely: bool,
    trusting: bool,
) -> Remote:
    releases = Releases(store, app_name, settings.key_prefix)
    prefixes = (*key_prefixes, releases.bodies) if settings.fingerprint else tuple(key_prefixes)
    remote = Remote(store, releases, prefixes, None, None, None, bucket_missing=False)
    try:
        current = releases.current()
        remote = replace(remote, current=current)
        if current is None:
            beside = ThreadPoolExecutor(2)
            exists = beside.submit(store.bucket_exists)
            beside.submit(releases.has_older)
        if current is not None and not current.stand.state.acls and not (closely or trusting):
            store.dialect.disable_acls()
        is_unknown = current is None or current.record is None
        in_doubt = is_unknown or (current is not None and current.unfinished)
        if closely or in_doubt:
            releases.watch_others()
        if is_unknown:
            others = ThreadPoolExecutor(1).submit(lambda: list(releases.others()))
            remote = replace(remote, others=others)
        if (closely or in_doubt) and not trusting:
            remote = replace(remote, listed=remote.listing())
        missing = current is None and not remote.listed and not exists.result()
    except BucketMissing:
        return replace(remote, current=None, listed={}, others=None, bucket_missing=True)
    except StoreError as error:
        # 0.3 read nothing, so a policy from its days may allow nothing but writing.
        if error.code != "AccessDenied" or not trusting or not store.bucket_exists():
            raise
        return replace(remote, releases=None, others=None)
    return replace(remote, bucket_missing=missing)


def held_by(
    remote: Remote, objects: Iterable[Object], also: Mapping[str, Known] = _NOTHING
) -> Mapping[str, Known]:
    """Returns what the store holds under the objects' keys, as far as can be found out.

    Without a listing, that is the record. With one, an object is asked for by itself only where
    ETag, size or time differ from what is remembered, or where nothing is.

    Args:
        remote: the store as it was found.
        objects: what is wanted.
        also: what else is remembered, of writes since the record was made.

    Raises:
        StoreError: the store does not let us look.
    """
    remembered = {} if remote.record is None else remote.record.objects
    if remote.listed is None:
        return {**remembered, **also}
    found: dict[str, Known] = {}
    doubtful: dict[str, Object] = {}
    for object_ in objects:
        line = remote.listed.get(object_.key)
        if line is None:
            continue
        candidates = (also.get(object_.key), remembered.get(object_.key))
        same = [k for k in candidates if k is not None and _is_as_remembered(k, line)]
        if same and kept(same[0].headers or {}) == kept(same[-1].headers or {}):
            found[object_.key] = same[0]
        elif line.size == object_.body.size:
            doubtful[object_.key] = object_
        else:
            found[object_.key] = Known(line.size, line.etag, line.modified, None, None)
    return found | _looked_at(remote.store, doubtful)


def drift(remote: Remote) -> list[str]:
    """Returns the keys whose objects somebody changed or deleted since the release came into force.

    Raises:
        StoreError: the store does not let us look.
    """
    if remote.record is None or remote.releases is None or remote.listed is None:
        return []
    held = held_by(remote, objects_of(remote.record, remote.releases.fetch))
    return [key for key, known in remote.record.objects.items() if _differs(held.get(key), known)]


def _differs(found: Known | None, known: Known) -> bool:
    if found is None or found.headers is None or found.sha256 is None:
        return True
    return found.sha256 != known.sha256 or kept(found.headers) != kept(known.headers or {})


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
    except (OSError, StoreError):  # the upload will meet it again, and say so
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
