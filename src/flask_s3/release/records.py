"""A release as a value, and as the gzipped JSON that the bucket keeps of it."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import Any

from .. import garbage
from ..assets import METADATA_PREFIX, MadeBody, Object
from ..errors import StoreError
from ..store.protocol import Known

VERSION = 1
# zlib's manual, "deflateInit2": with the header and trailer of gzip, whose time stays 0.
_GZIP = 16 + zlib.MAX_WBITS
# Most of a record is digests, which no effort makes smaller: level 6 saves 8 % more in twice the
# time.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Record:
    """A release: what stood in the bucket when it came into force.

    Attributes:
        id: of this release alone.
        time: when it was made, in UTC, ISO 8601.
        app: whose (`FLASKS3_APP`).
        prefix: `FLASKS3_PREFIX`.
        objects: what the store holds, by key.
        manifest: the published names, as JSON values; None of a release without fingerprints.
        copies: of a name that does not tell its content, the key of the object whose bytes it has
            and which outlives it.
        after: the id of the release that was in force before.
        restores: the id of the release that a rollback brought back with this one.
        commit: the git commit of the files, in hexadecimal.
    """

    id: str
    time: str
    app: str
    prefix: str
    objects: Mapping[str, Known]
    manifest: Mapping[str, Any] | None = None
    copies: Mapping[str, str] = field(default_factory=dict)
    after: str | None = None
    restores: str | None = None
    commit: str | None = None

    @property
    def origin(self) -> str:
        """The id of the release whose files these are."""
        return self.restores or self.id

    @property
    def bytes(self) -> int:
        """The size of all objects."""
        return sum(known.size for known in self.objects.values())

    @property
    def assets(self) -> int:
        """How many files of the app it publishes."""
        if self.manifest is None:
            return len(self.objects)
        return len(self.manifest.get("entries", ()))

    def settled(self, modified: float) -> Record:
        """Fills in when the plain names were written, which was not known when the record was."""
        objects = {
            key: known if known.modified else replace(known, modified=modified)
            for key, known in self.objects.items()
        }
        return replace(self, objects=objects)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a prune takes away.

    Attributes:
        id: of this sweep alone.
        releases: whose records go, by their ids.
        keys: of the objects to which no kept release refers.
    """

    id: str
    releases: tuple[str, ...]
    keys: tuple[str, ...]


def objects_of(record: Record, fetch: Callable[[str], bytes]) -> list[Object]:
    """Returns what is to stand in the bucket while a release is in force.

    Args:
        record: the release.
        fetch: reads an object of the bucket, where its bytes are asked for; raises StoreError.
    """
    objects = []
    for key, known in record.objects.items():
        source = record.copies.get(key)
        make = partial(_verified, fetch, source or key, known.sha256)
        body = MadeBody(known.size, str(known.sha256), make)
        objects.append(
            Object(
                key, body, known.headers or {}, known.decoded, source, follows=source is not None
            )
        )
    return objects


def _verified(fetch: Callable[[str], bytes], key: str, digest: str | None) -> bytes:
    data = fetch(key)
    if sha256(data).hexdigest() != digest:
        text = f"{key} has other bytes than the release: publish again with --verify-remote."
        raise StoreError(text, code="OtherBytes", status=None, operation="GetObject")
    return data


def folder_of(app: str, prefix: str) -> str:
    """Returns where the records of an app and prefix lie, with a slash at its end."""
    return f"{METADATA_PREFIX}{owner(app, prefix)}/"


def owner(app: str, prefix: str) -> str:
    """Returns the folder's name for an app and prefix: readable, and different for each pair."""
    digest = sha256(f"{app}\0{prefix}".encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{app}-{prefix}" if prefix else app)
    return f"{readable.strip('.-')[:80]}-{digest}"


def loads(data: bytes) -> dict[str, Any]:
    """Returns a JSON object, an empty one for anything that is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def is_id(value: object) -> bool:
    """Returns whether something may be the id of a release: a part of a key."""
    return isinstance(value, str) and re.fullmatch(r"[\w.-]+", value) is not None


def record_to_bytes(record: Record) -> bytes:
    """Returns the record as gzipped JSON; objects share the headers, of which there are few kinds.

    Without gzip it is more than three times as large, and each deploy waits for it.
    """
    kinds: dict[tuple[tuple[str, str], ...], int] = {}
    objects: dict[str, list[Any]] = {}
    for key, known in record.objects.items():
        headers = tuple(sorted((known.headers or {}).items()))
        number = kinds.setdefault(headers, len(kinds))
        objects[key] = [known.sha256, known.size, number, known.etag, int(known.modified)]
        if known.decoded is not None:
            objects[key].append(known.decoded)
    value = {
        "version": VERSION,
        "id": record.id,
        "time": record.time,
        "app": record.app,
        "prefix": record.prefix,
        "after": record.after,
        "restores": record.restores,
        "commit": record.commit,
        "headers": [dict(kind) for kind in kinds],
        "objects": objects,
        "copies": dict(record.copies),
        "manifest": record.manifest,
    }
    text = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
    codec = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return codec.compress(text) + codec.flush()


def record_from_bytes(data: bytes) -> Record | None:
    """Returns the record, None when the bytes are none that this version can read."""
    with garbage.left_alone():
        return _record(loads(_unzipped(data)))


def _unzipped(data: bytes) -> bytes:
    """Returns the JSON; a store or proxy may have decoded it on the way."""
    with suppress(zlib.error):
        return zlib.decompress(data, _GZIP)
    return data


def _record(value: dict[str, Any]) -> Record | None:
    if value.get("version") != VERSION:
        return None
    try:
        kinds = [{str(n): str(v) for n, v in kind.items()} for kind in value["headers"]]
        lines, objects = value["objects"], {}
        for key in [*lines]:  # each line is let go once it is read
            digest, size, number, etag, modified, *decoded = lines.pop(key)
            objects[str(key)] = Known(
                int(size), str(etag), float(modified), str(digest), kinds[number], *decoded
            )
        return Record(
            value["id"],
            value["time"],
            value["app"],
            value["prefix"],
            objects,
            value.get("manifest"),
            value.get("copies") or {},
            value.get("after"),
            value.get("restores"),
            value.get("commit"),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
        return None


def sweep_to_json(sweep: Sweep) -> bytes:
    """Returns the sweep as JSON."""
    value = {
        "version": VERSION,
        "id": sweep.id,
        "releases": list(sweep.releases),
        "keys": list(sweep.keys),
    }
    return json.dumps(value, separators=(",", ":")).encode()


def sweep_from_json(data: bytes) -> Sweep | None:
    """Returns the sweep, None when the JSON is none that this version can read."""
    value = loads(data)
    try:
        return Sweep(str(value["id"]), tuple(value["releases"]), tuple(value["keys"]))
    except (KeyError, TypeError):
        return None
