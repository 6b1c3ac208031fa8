"""What was published, remembered in the bucket itself.

    .flask-s3/<owner>/releases/<id>.json   one immutable record a release
    .flask-s3/<owner>/current              the pointer: which release is in force

`<owner>` is made of the app's name and the prefix, so that apps which share a bucket keep apart.
Records are written with `If-None-Match: *`, the pointer with `If-Match` (Amazon S3 User Guide, "How
to prevent object overwrites with conditional writes"), so no deploy overwrites another's unseen.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any

from .errors import StoreError
from .plan import Known
from .store import METADATA_PREFIX, Condition, Store

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
    """

    id: str
    time: str
    app: str
    prefix: str
    objects: Mapping[str, Known]


@dataclass(frozen=True, slots=True)
class Current:
    """The release in force.

    Attributes:
        etag: the pointer's, for the next conditional write.
        record: None when it is lost or cannot be read.
    """

    etag: str
    record: Record | None


class Releases:
    """The releases of one app under one prefix."""

    def __init__(self, store: Store, app: str, prefix: str) -> None:
        self._store = store
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

    def new_record(self, objects: Mapping[str, Known]) -> Record:
        """Returns a record of this moment, with an id that no other has."""
        now = datetime.now(timezone.utc)
        id_ = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        return Record(id_, now.isoformat(timespec="seconds"), self._app, self._prefix, objects)

    def publish(self, record: Record, after: Current | None) -> list[str]:
        """Writes the record, then moves the pointer to it; returns warnings.

        When another deploy moved the pointer in between, ours moves it after; its objects stay in
        the record of its own release.

        Raises:
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
        warnings += self._point(record, None if after is None else after.etag)
        return list(dict.fromkeys(warnings))

    def others(self) -> Iterator[Record]:
        """Yields the releases in force of the other apps in the bucket."""
        for folder in self._store.folders(METADATA_PREFIX):
            if folder != f"{self._owner}/":
                current = self._current(METADATA_PREFIX + folder)
                if current is not None and current.record is not None:
                    yield current.record

    def _current(self, folder: str) -> Current | None:
        pointer = self._store.get(f"{folder}current")
        if pointer is None:
            return None
        named = _loads(pointer.body).get("release")
        if not isinstance(named, str) or not re.fullmatch(r"[\w.-]+", named):
            return Current(pointer.etag, None)
        fetched = self._store.get(f"{folder}releases/{named}.json")
        return Current(pointer.etag, None if fetched is None else _from_json(_loads(fetched.body)))

    def _point(self, record: Record, etag: str | None) -> list[str]:
        """Moves the pointer; a lost race is run again from what the winner left."""
        key = f"{self._folder}current"
        data = json.dumps({"version": _VERSION, "release": record.id}).encode()
        for _ in range(_ATTEMPTS):
            try:
                self._store.write(key, data, _JSON, Condition(etag))
            except StoreError as error:
                if error.status not in {404, 409, 412, 501}:
                    raise
                there = self._store.get(key)
                if there is not None and _loads(there.body).get("release") == record.id:
                    return []
                unmoved = (None if there is None else there.etag) == etag
                if unmoved and error.status in {412, 501}:
                    break
                etag = None if there is None else there.etag
            else:
                return []
        self._store.write(key, data, _JSON, None)
        return [_NO_CONDITIONS]


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
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _to_json(record: Record) -> dict[str, Any]:
    """Returns the record as JSON; objects share the headers, of which there are few kinds."""
    kinds: dict[tuple[tuple[str, str], ...], int] = {}
    objects = {}
    for key, known in record.objects.items():
        headers = tuple(sorted((known.headers or {}).items()))
        number = kinds.setdefault(headers, len(kinds))
        objects[key] = [known.sha256, known.size, number, known.etag, int(known.modified)]
    return {
        "version": _VERSION,
        "id": record.id,
        "time": record.time,
        "app": record.app,
        "prefix": record.prefix,
        "headers": [dict(kind) for kind in kinds],
        "objects": objects,
    }


def _from_json(value: dict[str, Any]) -> Record | None:
    """Returns the record, None when the JSON is none that this version can read."""
    if value.get("version") != _VERSION:
        return None
    try:
        kinds = [{str(n): str(v) for n, v in kind.items()} for kind in value["headers"]]
        objects = {
            str(key): Known(int(size), str(etag), float(modified), str(digest), kinds[number])
            for key, (digest, size, number, etag, modified) in value["objects"].items()
        }
        return Record(value["id"], value["time"], value["app"], value["prefix"], objects)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
