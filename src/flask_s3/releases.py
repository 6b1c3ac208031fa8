"""What was published, remembered in the bucket itself.

    .flask-s3/<owner>/releases/<id>.json   one immutable record a release
    .flask-s3/<owner>/current              the pointer: which release is in force

`<owner>` is made of the app's name and the prefix, so that apps which share a bucket keep apart.
Records are written with `If-None-Match: *`, the pointer with `If-Match` (Amazon S3 User Guide, "How
to prevent object overwrites with conditional writes"): a deploy that was overtaken finds out.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any

from .errors import StoreError
from .plan import Known
from .store import METADATA_PREFIX, Condition, Reads, Store

_VERSION = 1
_ATTEMPTS = 5
_JSON = {"content-type": "application/json", "cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class Record:
    """A release: what stood in the bucket when it was published.

    Attributes:
        id: sorts by time.
        time: when, in UTC, ISO 8601.
        app: whose (`FLASKS3_APP`).
        prefix: `FLASKS3_PREFIX`.
        objects: what the store holds, by key.
        manifest: the published names, as JSON values; None of a release without fingerprints.
    """

    id: str
    time: str
    app: str
    prefix: str
    objects: Mapping[str, Known]
    manifest: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """The pointer as it stands.

    Attributes:
        etag: its own, for the next conditional write.
        release: the id of the release in force; None when the pointer cannot be read.
        record: of that release; None when it is lost or cannot be read.
        unfinished: whether a deploy began to overwrite the release's objects, or to let its plain
            names follow, and has not said that it came to its end.
    """

    etag: str
    release: str | None
    record: Record | None
    unfinished: bool


class Overtaken(Exception):
    """Another deploy moved the pointer since we read it.

    Attributes:
        current: the pointer as it left it; None when it is gone.
    """

    def __init__(self, current: Current | None) -> None:
        super().__init__("another deploy moved the pointer")
        self.current = current


class Released:
    """The releases of one app under one prefix, to be read.

    Args:
        store: where they are.
        app: whose (`FLASKS3_APP`).
        prefix: `FLASKS3_PREFIX`, without slashes around it.
    """

    def __init__(self, store: Reads, app: str, prefix: str) -> None:
        self._reads = store
        self._app = app
        self._prefix = prefix
        self._owner = owner(app, prefix)
        self._folder = f"{METADATA_PREFIX}{self._owner}/"

    def current(self) -> Current | None:
        """Returns the release in force, None before the first.

        Raises:
            StoreError: the store does not let us look.
        """
        return self._current(self._folder)

    def release(self, id_: str) -> Record | None:
        """Returns a release, None when there is none of that id, or it cannot be read.

        Raises:
            StoreError: the store does not let us look.
        """
        return self._record(self._folder, id_)

    def _current(self, folder: str) -> Current | None:
        pointer = self._reads.get(f"{folder}current")
        if pointer is None:
            return None
        value = _loads(pointer.body)
        named = value.get("release")
        if not isinstance(named, str) or not re.fullmatch(r"[\w.-]+", named):
            return Current(pointer.etag, None, None, unfinished=False)
        record = self._record(folder, named)
        modified = value.get("modified")
        if record is not None and isinstance(modified, int | float):
            record = _settled(record, modified)
        return Current(pointer.etag, named, record, value.get("unfinished") is True)

    def _record(self, folder: str, id_: str) -> Record | None:
        fetched = self._reads.get(f"{folder}releases/{id_}.json")
        return None if fetched is None else _from_json(_loads(fetched.body))


class Releases(Released):
    """The releases of one app under one prefix, to be read and written."""

    def __init__(self, store: Store, app: str, prefix: str) -> None:
        super().__init__(store, app, prefix)
        self._store = store

    def new_record(
        self, objects: Mapping[str, Known], manifest: Mapping[str, Any] | None
    ) -> Record:
        """Returns a record of this moment, with an id that no other has."""
        now = datetime.now(timezone.utc)
        id_ = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        time = now.isoformat(timespec="seconds")
        return Record(id_, time, self._app, self._prefix, objects, manifest)

    def begin(self, current: Current) -> Current:
        """Notes at the pointer that the release's objects are being overwritten.

        Should the deploy die half way, the next one sees it and looks at what is really there.

        Returns:
            The pointer as it stands now; unchanged when another deploy has just moved it, which
            `publish` will find out.

        Raises:
            StoreError: the note could not be written.
        """
        if current.unfinished or current.release is None:
            return current
        try:
            etag, _ = self._move(current.release, current.etag, unfinished=True)
        except Overtaken:
            return current
        return replace(current, etag=etag, unfinished=True)

    def publish(
        self, record: Record, after: Current | None, *, unfinished: bool
    ) -> tuple[Current, list[str]]:
        """Writes the record, then moves the pointer to it; returns that, and warnings.

        Args:
            record: the release.
            after: the pointer as it was read.
            unfinished: whether plain names have yet to follow; `finish` says that they did.

        Raises:
            Overtaken: another deploy moved the pointer since `after` was read.
            StoreError: one of the two could not be written.
        """
        key = f"{self._folder}releases/{record.id}.json"
        data = json.dumps(_to_json(record), separators=(",", ":"), sort_keys=True).encode()
        warnings = []
        try:
            self._store.write(key, data, _JSON, Condition(None))
        except StoreError as error:
            if error.status not in {412, 501}:
                raise
            # The id is random: what is there is ours, and the first answer was lost on its way.
            if self._store.get(key) is None:
                warnings.append(_NO_CONDITIONS)
                self._store.write(key, data, _JSON, None)
        etag, moved = self._move(
            record.id, None if after is None else after.etag, unfinished=unfinished
        )
        current = Current(etag, record.id, record, unfinished)
        return current, list(dict.fromkeys(warnings + moved))

    def finish(self, current: Current, modified: float) -> None:
        """Notes at the pointer that the release's plain names stand as its record says.

        Args:
            current: the pointer as `publish` left it.
            modified: when the last of them was written, by the store's clock.

        Raises:
            StoreError: the note could not be written.
        """
        if current.release is None:
            return
        try:
            self._move(current.release, current.etag, unfinished=False, modified=modified)
        except Overtaken as overtaken:
            # Both wrote plain names, and nobody knows whose came last: the next deploy looks.
            if overtaken.current is not None:
                self.begin(overtaken.current)

    def others(self) -> Iterator[Record]:
        """Yields the releases in force of the other apps in the bucket."""
        for folder in self._store.folders(METADATA_PREFIX):
            if folder != f"{self._owner}/":
                current = self._current(METADATA_PREFIX + folder)
                if current is not None and current.record is not None:
                    yield current.record

    def _move(
        self, release: str, etag: str | None, *, unfinished: bool, modified: float = 0.0
    ) -> tuple[str, list[str]]:
        """Writes the pointer where it still has the ETag; returns its new one, and warnings.

        Raises:
            Overtaken: it has another one.
        """
        key = f"{self._folder}current"
        value = {"version": _VERSION, "release": release, "unfinished": unfinished}
        if modified:
            value["modified"] = modified
        data = json.dumps(value).encode()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._store.write(key, data, _JSON, Condition(etag)).etag, []
            except StoreError as error:
                if error.status not in {404, 409, 412, 501}:
                    raise
                there = self._current(self._folder)
                if there is not None and (there.release, there.unfinished) == (release, unfinished):
                    return there.etag, []  # ours: the first answer was lost on its way
                if (None if there is None else there.etag) != etag:
                    raise Overtaken(there) from error
                if error.status in {412, 501}:
                    return self._store.write(key, data, _JSON, None).etag, [_NO_CONDITIONS]
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError


_NO_CONDITIONS = (
    "The store refuses conditional writes (If-Match, If-None-Match), so two deploys at the same "
    "time can overwrite each other's record: let only one run at a time."
)


def owner(app: str, prefix: str) -> str:
    """Returns the folder's name for an app and prefix: readable, and different for each pair."""
    digest = sha256(f"{app}\0{prefix}".encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{app}-{prefix}" if prefix else app)
    return f"{readable.strip('.-')[:80]}-{digest}"


def _loads(data: bytes) -> dict[str, Any]:
    """Returns a JSON object, an empty one for anything that is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _to_json(record: Record) -> dict[str, Any]:
    """Returns the record as JSON; objects share the headers, of which there are few kinds."""
    kinds: dict[tuple[tuple[str, str], ...], int] = {}
    objects: dict[str, list[Any]] = {}
    for key, known in record.objects.items():
        headers = tuple(sorted((known.headers or {}).items()))
        number = kinds.setdefault(headers, len(kinds))
        objects[key] = [known.sha256, known.size, number, known.etag, int(known.modified)]
        if known.decoded is not None:
            objects[key].append(known.decoded)
    return {
        "version": _VERSION,
        "id": record.id,
        "time": record.time,
        "app": record.app,
        "prefix": record.prefix,
        "headers": [dict(kind) for kind in kinds],
        "objects": objects,
        "manifest": record.manifest,
    }


def _from_json(value: dict[str, Any]) -> Record | None:
    """Returns the record, None when the JSON is none that this version can read."""
    if value.get("version") != _VERSION:
        return None
    try:
        kinds = [{str(n): str(v) for n, v in kind.items()} for kind in value["headers"]]
        objects = {
            str(key): Known(
                int(size), str(etag), float(modified), str(digest), kinds[number], *decoded
            )
            for key, (digest, size, number, etag, modified, *decoded) in value["objects"].items()
        }
        return Record(
            value["id"],
            value["time"],
            value["app"],
            value["prefix"],
            objects,
            value.get("manifest"),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None


def _settled(record: Record, modified: float) -> Record:
    """Fills in when the plain names were written, which was not known when the record was."""
    objects = {
        key: known if known.modified else replace(known, modified=modified)
        for key, known in record.objects.items()
    }
    return replace(record, objects=objects)


def merged(
    ours: Mapping[str, Known],
    base: Mapping[str, Known],
    theirs: Mapping[str, Known],
    written: Collection[str],
) -> dict[str, Known]:
    """Returns what the store holds after two deploys that both started from `base`.

    A key that both wrote is left out, since nobody knows whose bytes came last: the next deploy
    sends it again.

    Args:
        ours: what we would record.
        base: what both found recorded.
        theirs: what the other one recorded.
        written: the keys that we wrote.
    """
    touched = {key for key in {*base, *theirs} if base.get(key) != theirs.get(key)}
    objects = {key: held for key, held in ours.items() if key not in touched}
    objects.update({key: theirs[key] for key in touched & theirs.keys() if key not in written})
    return dict(sorted(objects.items()))
