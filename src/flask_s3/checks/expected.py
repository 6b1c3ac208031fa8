"""What a release says of each URL: the values that answers are held against."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from ..assets import METADATA_PREFIX
from ..headers import media_type
from ..manifest import Manifest, from_json
from ..release.records import Record
from ..settings import Settings
from ..store.protocol import Known
from ..urls import Base, quoted

DATA = "data that scripts fetch"
"""What is asked for with CORS when a script of a page asks for it, if any does."""
_TEXT = re.compile(r"^text/|javascript|json|xml|wasm")
_SCRIPT, _STYLE = "text/javascript", "text/css"
_CORS = {
    "application/vnd.ms-fontobject": "fonts",
    "application/manifest+json": "web manifests",
    "application/geo+json": DATA,
    "application/json": DATA,
    "application/wasm": DATA,
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What browsers are to get from one URL.

    Attributes:
        key: the object's.
        url: where browsers ask for it.
        size: in bytes, as stored.
        sha256: of the bytes as stored, in hexadecimal.
        visible: of what a browser has when it decoded them; None where we do not know it.
        content_type: as published; empty when there was none.
        encoding: the content coding, empty for none.
        cache_control: as published; empty when there was none.
        modified: when it was written, in seconds since the epoch; 0 when that is unknown.
        cors: as what browsers ask for it with CORS (`fonts`); empty where they need none.
    """

    key: str
    url: str
    size: int
    sha256: str
    visible: str | None
    content_type: str
    encoding: str
    cache_control: str
    modified: float
    cors: str

    @property
    def kind(self) -> str:
        """The content type without its parameters."""
        return media_type(self.content_type)

    @property
    def is_immutable(self) -> bool:
        """Whether its name tells its content, so that caches may keep it."""
        return "immutable" in self.cache_control


@dataclass(frozen=True, slots=True)
class _Named:
    """What the manifest says of a key: the file's path, and its integrity in hexadecimal."""

    path: str
    visible: str | None


def expected(record: Record, settings: Settings, base: Base) -> tuple[Expected, ...]:
    """Returns what browsers are to get from each URL of a release, in the order of the keys.

    Args:
        record: the release.
        settings: whether pages carry integrity.
        base: where browsers ask for it.

    Raises:
        BuildError: the release's manifest cannot be read.
    """
    manifest = Manifest({})
    if record.manifest is not None:
        manifest = from_json(record.manifest, f"of the release {record.id}")
    start = f"{record.prefix}/" if record.prefix else ""
    named = dict(_named(manifest, start))
    return tuple(
        _expected(
            key,
            known,
            base.url(quoted(f"/{key.removeprefix(start)}")),
            named.get(key) or _Named(key.removeprefix(start), None),
            _Wanted(manifest, settings.integrity and key in named),
        )
        for key, known in sorted(record.objects.items())
        if not key.startswith(METADATA_PREFIX)
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What decides whether browsers ask with CORS: modules, and tags with integrity."""

    manifest: Manifest
    with_integrity: bool

    def cors(self, path: str, kind: str) -> str:
        """Returns as what a file is asked for with CORS, empty where it is not."""
        if kind.startswith("font/"):
            return "fonts"
        if path in self.manifest.modules or path.endswith(".mjs"):
            return "modules"
        if self.with_integrity and kind in {_SCRIPT, _STYLE}:
            return "files with integrity"
        return "" if path.endswith(".map") else _CORS.get(kind, "")


def _expected(key: str, known: Known, url: str, named: _Named, wanted: _Wanted) -> Expected:
    headers = known.headers or {}
    encoding = headers.get("content-encoding", "").strip().lower()
    content_type = headers.get("content-type", "")
    stored = str(known.sha256)
    return Expected(
        key=key,
        url=url,
        size=known.size,
        sha256=stored,
        visible=named.visible or known.decoded or (None if encoding else stored),
        content_type=content_type,
        encoding=encoding,
        cache_control=headers.get("cache-control", ""),
        modified=known.modified,
        cors=wanted.cors(named.path, media_type(content_type)),
    )


def _named(manifest: Manifest, start: str) -> Iterator[tuple[str, _Named]]:
    for path in manifest.entries:
        entry = manifest.entries.get(path)
        if entry is None:
            continue
        folder = start + path[: path.rfind("/") + 1]
        for one in (entry.identity, *entry.variants.values()):
            yield folder + one.name, _Named(path, _hexadecimal(one.integrity))


def _hexadecimal(integrity: str) -> str:
    return b64decode(integrity.removeprefix("sha256-")).hex()


def sample(everything: Sequence[Expected], most: int, seed: str) -> tuple[Expected, ...]:
    """Returns some of the URLs, of each type in turn; the same ones for the same seed."""
    dice = Random(seed)  # noqa: S311  (no secret)
    groups: dict[str, list[Expected]] = {}
    for one in everything:
        groups.setdefault(one.kind, []).append(one)
    for group in groups.values():
        dice.shuffle(group)
    chosen: list[Expected] = []
    while len(chosen) < min(most, len(everything)):
        for group in groups.values():
            if group and len(chosen) < most:
                chosen.append(group.pop())
    return tuple(sorted(chosen, key=lambda one: one.key))


def to_be_ranged(some: Iterable[Expected]) -> frozenset[str]:
    """Returns the keys of the largest file of each type that is fetched in parts.

    Text is not: a CDN that compresses it on the way rightly answers with all of it.
    """
    largest: dict[str, Expected] = {}
    for one in some:
        if one.size > 0 and not one.encoding and not _TEXT.search(one.kind):
            largest[one.kind] = max(largest.get(one.kind, one), one, key=lambda each: each.size)
    return frozenset(one.key for one in largest.values())
