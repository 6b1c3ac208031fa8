"""The build's workshop: reads, parses and encodes files, and remembers it beside the app.

    .flask-s3-cache/index.json    what files hash to, refer to and become, by their content
    .flask-s3-cache/br11/…        encoded bodies, by the SHA-256 of what they encode

Safe to delete at any time, and for two builds at once: what is written appears whole, by a rename,
and what cannot be used is made again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from errno import ESTALE
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from ..assets import Asset, Body, BytesBody, FileBody
from ..atomic import write_first, write_whole
from ..encodings import Codec, is_likely_worth_it
from . import guard, references
from .fingerprints import Made
from .references import Found, Reference

T = TypeVar("T")

FOLDER = ".flask-s3-cache"
_INDEX = "index.json"
_VERSION = 1
# A file that was written in the tick of the clock in which it was read can be written again without
# another time, so one that is that young is read again (Git calls it "racily clean").
_SETTLED_NS = 2 * 10**9
# What this build did not need is kept for other branches' sake, up to so many times what it needed.
_KEPT = 4
_ORPHANED_SECONDS = 24 * 3600
_DAMAGED = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)


class Workshop:
    """See `build.Workshop`. What it remembers is written when its `with` block ends.

    Args:
        folder: where it remembers.

    Attributes:
        notes: what was noticed, a sentence each.
    """

    def __init__(self, folder: Path) -> None:
        self.notes: list[str] = []
        self._folder = folder
        self._pool = ThreadPoolExecutor(_cores())
        self._index = _Index(_loaded(folder / _INDEX))
        self._encoding: dict[str, Future[Body]] = {}

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        if self._index.changed:
            self._tried(self._save)

    # -- reading

    def read(self, asset: Asset) -> bytes:
        """See `fingerprints.Maker.read`."""
        with open(asset.path, "rb", buffering=0) as file:  # noqa: PTH123
            now = os.fstat(file.fileno())
            if (now.st_size, now.st_mtime_ns) != (asset.size, asset.mtime_ns):
                raise OSError(ESTALE, "it changed meanwhile", asset.path)
            return file.readall()

    def digest(self, path: str, status: os.stat_result) -> str | None:
        """Returns the SHA-256 of a file that was read before and is the same still, else None."""
        known = self._index.files.get(path)
        with contextlib.suppress(*_DAMAGED):
            if known is not None and known[:4] == _stamp(status):
                return str(known[4])
        return None

    def remember(self, path: str, status: os.stat_result, digest: str) -> None:
        """Remembers the SHA-256 of a file that may be published, whatever the settings."""
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS:
            self._index.files.put(path, [*_stamp(status), digest])

    # -- remembering

    def found(self, asset: Asset, language: str) -> Found:
        """See `build.Workshop.found`."""
        key = f"{language}:{asset.sha256}"
        known = self._index.found.get(key)
        if known == 0:
            return _NOTHING
        if known is not None:
            with contextlib.suppress(*_DAMAGED):
                return _found_of(known)
        found = references.find(language, self.read(asset))
        self._index.found.put(key, 0 if found == _NOTHING else _json_of(found))
        return found

    def made(self, recipe: str, make: Callable[[], bytes]) -> Made:
        """See `fingerprints.Maker.made`."""
        known = self._index.made.get(recipe)
        if known is not None:
            with contextlib.suppress(*_DAMAGED):
                return Made(*known)
        data = make()
        digest = sha256(data).hexdigest()
        self._index.made.put(recipe, [digest, len(data)])
        return Made(digest, len(data))

    def is_likely_worth_it(self, asset: Asset) -> bool:
        """See `build.Workshop.is_likely_worth_it`."""
        known = self._index.worth.get(asset.sha256)
        if known is None:
            known = int(is_likely_worth_it(self.read(asset)))
            self._index.worth.put(asset.sha256, known)
        return bool(known)

    # -- encoding

    def encode(self, codec: Codec, content: Made, make: Callable[[], bytes]) -> Callable[[], Body]:
        """See `build.Workshop.encode`."""
        key = f"{codec.name}{codec.level}/{content.sha256}"
        if key in self._encoding:
            return self._encoding[key].result
        known = self._remembered(key)
        if known is not None:
            return lambda: known
        future = self._pool.submit(self._encoded, key, codec, make)
        self._encoding[key] = future
        return future.result

    def _remembered(self, key: str) -> FileBody | None:
        """Returns a body that was encoded before, unless its file is not what was written."""
        known = self._index.encoded.get(key)
        if known is None:
            return None
        path = f"{self._folder}/{key}"
        try:
            size, modified, changed, inode, digest = known
            status = os.stat(path)  # noqa: PTH116
            if _stamp(status) != [size, modified, changed, inode]:
                if _digest_of(path) != digest:
                    return None
                self._index.encoded.put(key, [*_stamp(status), digest])
            return FileBody(path, status.st_size, status.st_mtime_ns, digest)
        except (OSError, *_DAMAGED):
            return None

    def _encoded(self, key: str, codec: Codec, make: Callable[[], bytes]) -> Body:
        data = codec.encode(make())
        digest = sha256(data).hexdigest()
        status = self._tried(lambda: self._kept(key, data, digest))
        if status is None:
            return BytesBody(data, digest)
        self._index.encoded.put(key, [*_stamp(status), digest])
        return FileBody(f"{self._folder}/{key}", status.st_size, status.st_mtime_ns, digest)

    # -- writing

    def _tried(self, write: Callable[[], T]) -> T | None:
        """Goes on without remembering where nothing can be written, and says so once."""
        try:
            return write()
        except OSError as error:
            text = (
                f"The build cache {self._folder} cannot be written ({error.strerror}), so the next "
                "build starts anew: make room, or make the folder writable."
            )
            if text not in self.notes:
                self.notes.append(text)
            return None

    def _kept(self, key: str, data: bytes, digest: str) -> os.stat_result:
        """Keeps an encoded body.

        Where another build wrote the same it stays, times and all: that build may be publishing it.
        """
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        if not write_first(path, data) and _digest_of(str(path)) != digest:
            write_whole(path, data)
        return path.stat()

    def _write(self, name: str, data: bytes) -> os.stat_result:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        return path.stat()

    def _save(self) -> None:
        self._write(".gitignore", b"*\n")
        value, is_tidy = self._index.whole()
        self._write(_INDEX, json.dumps(value, separators=(",", ":")).encode())
        if not is_tidy:
            self._remove_orphans(value["encoded"])

    def _remove_orphans(self, encoded: dict[str, Any]) -> None:
        """Removes bodies that the index does not know, unless another build just wrote them."""
        long_ago = time.time() - _ORPHANED_SECONDS
        for path in self._folder.glob("*/*"):
            key = f"{path.parent.name}/{path.name}"
            with contextlib.suppress(FileNotFoundError):  # another build removed it first
                if key not in encoded and path.stat().st_mtime < long_ago:
                    path.unlink()


def _cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _stamp(status: os.stat_result) -> list[int]:
    """Returns what no write leaves all the same: size, times in nanoseconds, inode."""
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _digest_of(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123
        return sha256(file.read()).hexdigest()


# -- the index


class _Part:
    """One kind of facts, by key: what was known before, and what this build used or learned."""

    def __init__(self, known: object) -> None:
        self._before: dict[str, Any] = known if isinstance(known, dict) else {}
        self._used: dict[str, Any] = {}
        self.changed = False

    def get(self, key: str) -> Any:  # noqa: ANN401
        value = self._used.get(key)
        if value is None:
            value = self._before.pop(key, None)
            if value is not None:
                self._used[key] = value
        return value

    def put(self, key: str, value: object) -> None:
        self._used[key] = value
        self.changed = True

    def whole(self) -> tuple[dict[str, Any], bool]:
        """Returns what is to be kept, and whether that is all."""
        if self._used and len(self._before) > _KEPT * len(self._used):
            return self._used, False
        return {**self._before, **self._used}, True


class _Index:
    """What the workshop remembers, a part for each kind of facts."""

    def __init__(self, known: dict[str, Any]) -> None:
        self._code = _code()
        same = known.get("code") == self._code
        # Encoded bodies depend on nothing but what their keys say.
        self.encoded = _Part(known.get("encoded"))
        self.files, self.found, self.made, self.worth = (
            _Part(known.get(name) if same else None) for name in ("files", "found", "made", "worth")
        )
        self._is_new = not known

    @property
    def _parts(self) -> dict[str, _Part]:
        return {name: part for name, part in vars(self).items() if isinstance(part, _Part)}

    @property
    def changed(self) -> bool:
        return any(part.changed for part in self._parts.values())

    def whole(self) -> tuple[dict[str, Any], bool]:
        """Returns the index as JSON values, and whether nothing was dropped from it."""
        parts = {name: part.whole() for name, part in self._parts.items()}
        values: dict[str, Any] = {name: facts for name, (facts, _) in parts.items()}
        tidy = all(is_all for _, is_all in parts.values()) and not self._is_new
        return {"version": _VERSION, "code": self._code, **values}, tidy


def _code() -> str:
    """Returns a digest of the code that finds references and secrets: another may find others."""
    digest = sha256()
    for path in (Path(guard.__file__), *sorted(Path(references.__file__).parent.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _loaded(path: Path) -> dict[str, Any]:
    """Returns the index; an empty one where there is none that can be used."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, RecursionError, ValueError):
        return {}
    return value if isinstance(value, dict) and value.get("version") == _VERSION else {}


_NOTHING = Found()


def _json_of(found: Found) -> list[Any]:
    lines = [[r.start, r.stop, r.path, r.line, r.suffix, r.own_origin] for r in found.references]
    place = -1 if found.source_map is None else found.references.index(found.source_map)
    return [lines, place, found.computed, found.broken, found.module]


def _found_of(value: list[Any]) -> Found:
    lines, place, computed, broken, module = value
    found = tuple(Reference(*line) for line in lines)
    source_map = None if place < 0 else found[place]
    return Found(found, source_map, tuple(computed), broken, module)
