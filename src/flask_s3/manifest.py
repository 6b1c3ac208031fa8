"""The manifest: which published name each static file has, as a value and as versioned JSON.

    {"version": 1,
     "entries": {"static/css/app.css": ["app.<digest>.css", "sha256-…",
                                        {"br": ["app.<digest>.br.css", "sha256-…"]}]},
     "aliases": {"static/src/main.js": "static/assets/main-B3xZ9k_a.js"},
     "modules": {"static/js/a.js": ["static/js/b.js"]},
     "imports": {"static/css/app.css": ["static/css/base.css"]}}

Paths are those of URLs, percent-decoded, without `/` before them and without the prefix. What is
published stands in the folder of its path, whatever a manifest says: a name is never more than one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from . import garbage
from .errors import BuildError

VERSION = 1
# One path segment, however odd: URLs quote it.
_NAME = re.compile(r"(?!\.{1,2}\Z)[^/\x00\ud800-\udfff]+")
_INTEGRITY = re.compile(r"sha256-[A-Za-z0-9+/]{43}=")


def is_style_sheet(path: str) -> bool:
    """Returns whether a path is that of a style sheet, by its extension."""
    return path.lower().endswith(".css")


@dataclass(frozen=True, slots=True)
class Published:
    """One published file.

    Attributes:
        name: in the folder of the static file that it publishes.
        integrity: of its bytes when decoded, as Subresource Integrity § 3.1 writes it.
    """

    name: str
    integrity: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What a static file is published as.

    Attributes:
        identity: the file without any encoding.
        variants: its encoded forms, by content coding.
    """

    identity: Published
    variants: Mapping[str, Published] = field(default_factory=dict)

    def best(self, codecs: Iterable[str]) -> Published:
        """Returns the first variant that there is among the codings, else the identity."""
        return next((self.variants[c] for c in codecs if c in self.variants), self.identity)


@dataclass(frozen=True)
class Manifest:
    """The published names of an app's static files.

    Attributes:
        entries: by path.
        aliases: paths that a bundler's manifest knows a file by, and the file's own.
        modules: the ES modules, and the modules that each one imports or may import.
        imports: the same of what is not known to be one: style sheets that import others, and
            scripts that import but while they run.
    """

    entries: Mapping[str, Entry]
    aliases: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, Sequence[str]] = field(default_factory=dict)
    imports: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def find(self, path: str) -> tuple[str, Entry] | None:
        """Returns the entry of a file, and its own path; None when it has none.

        Args:
            path: the file's, or what a bundler knows it by.
        """
        own = path if path in self.entries else self.aliases.get(path, "")
        entry = None if ".." in own.split("/") else self.entries.get(own)
        return None if entry is None else (own, entry)

    def is_folder(self, path: str) -> bool:
        """Returns whether files stand under a path, which may end with a slash."""
        return not path or path.rstrip("/") in self._folders

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(
            path[:end] for path in self.entries for end in range(len(path)) if path[end] == "/"
        )

    @cached_property
    def imported_style_sheets(self) -> frozenset[str]:
        """The style sheets that others import."""
        return frozenset(
            other
            for others in self.imports.values()
            for other in others
            if isinstance(other, str) and is_style_sheet(other)
        )

    def reachable(self, path: str) -> tuple[str, ...]:
        """Returns a script and all modules that it imports, directly or not, each once."""
        found = {path: None}
        pending = [path]
        while pending:
            importer = pending.pop()
            for other in self.modules.get(importer) or self.imports.get(importer, ()):
                if isinstance(other, str) and other not in found:
                    found[other] = None
                    pending.append(other)
        return tuple(found)


class _Lazy(Mapping[str, Entry]):
    """The entries of a manifest that was read, each checked when it is asked for.

    A process asks for a fraction of them, and starts the sooner.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    def __getitem__(self, path: str) -> Entry:
        entry = _entry(self._raw[path])
        if entry is None:
            raise KeyError(path)
        return entry

    def __contains__(self, path: object) -> bool:
        return path in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def _entry(raw: object) -> Entry | None:
    """Returns an entry; None for anything that is none, such as a name that leads elsewhere."""
    if not (isinstance(raw, list) and len(raw) == 3 and isinstance(raw[2], dict)):
        return None
    identity = _published(raw[:2])
    variants = {str(codec): _published(pair) for codec, pair in raw[2].items()}
    known = {codec: variant for codec, variant in variants.items() if variant is not None}
    return None if identity is None or len(known) < len(variants) else Entry(identity, known)


def _published(pair: object) -> Published | None:
    if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(p, str) for p in pair)):
        return None
    name, integrity = pair
    if _NAME.fullmatch(name) is None or _INTEGRITY.fullmatch(integrity) is None:
        return None
    return Published(name, integrity)


def to_json(manifest: Manifest) -> dict[str, Any]:
    """Returns the manifest as JSON values, the same for the same manifest."""
    return {
        "version": VERSION,
        "entries": {
            path: [*_pair(entry.identity), {c: _pair(v) for c, v in sorted(entry.variants.items())}]
            for path, entry in sorted(manifest.entries.items())
        },
        "aliases": dict(sorted(manifest.aliases.items())),
        "modules": {path: list(others) for path, others in sorted(manifest.modules.items())},
        "imports": {path: list(others) for path, others in sorted(manifest.imports.items())},
    }


def _pair(published: Published) -> list[str]:
    return [published.name, published.integrity]


def dumps(manifest: Manifest) -> bytes:
    """Returns the manifest as a file: JSON, one entry a line, so that a diff shows what changed."""
    value = to_json(manifest)
    parts = [f'"version": {VERSION}']
    for part in ("entries", "aliases", "modules", "imports"):
        lines = ",\n".join(f"  {_text(path)}: {_text(what)}" for path, what in value[part].items())
        parts.append(f'"{part}": {{\n{lines}\n }}' if lines else f'"{part}": {{}}')
    return ("{" + ",\n ".join(parts) + "}\n").encode()


_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def loads(data: bytes, source: str) -> Manifest:
    """Returns the manifest that a file holds.

    Args:
        data: the file.
        source: its name, for messages.

    Raises:
        BuildError: it is cut off, no manifest, or of a newer version.
    """
    try:
        with garbage.left_alone():
            value = json.loads(data.decode())  # quicker than of bytes
    except (ValueError, RecursionError) as error:
        raise _unusable(source, f"it is no whole JSON ({error})") from None
    return from_json(value, source)


def from_json(value: object, source: str) -> Manifest:
    """Returns the manifest that JSON values describe; see `loads`."""
    version = value.get("version") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(version, int):
        raise _unusable(source, "it is no manifest of Flask-S3")
    if version > VERSION:
        raise BuildError(
            f"The manifest {source} is of version {version}, which a newer Flask-S3 wrote, and "
            f"this one reads {VERSION}: update Flask-S3 here, or build again with this one."
        )
    entries, aliases, modules = (value.get(p) for p in ("entries", "aliases", "modules"))
    if not (isinstance(entries, dict) and isinstance(aliases, dict) and isinstance(modules, dict)):
        raise _unusable(source, "a part of it is missing")
    imports = value.get("imports")
    return Manifest(
        _Lazy(entries),
        _only(str, aliases),
        _only(list, modules),
        _only(list, imports if isinstance(imports, dict) else {}),
    )


def _only(kind: type, part: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType({k: v for k, v in part.items() if isinstance(v, kind)})


def _unusable(source: str, why: str) -> BuildError:
    return BuildError(
        f"The manifest {source} cannot be used, since {why}: make it again with `flask s3 build`."
    )


def differences(hand: Manifest, built: Manifest) -> tuple[str, ...]:
    """Returns what of a manifest at hand another build would not publish, a line a file.

    Names and bytes have to be the same. Of encoded variants, those at hand have to be there,
    decoded to the same bytes; another version of a codec may find a further one worth its while.
    """
    lines = []
    for path in sorted({*hand.entries, *built.entries}):
        mine, theirs = hand.entries.get(path), built.entries.get(path)
        if theirs is None:
            lines.append(f"{path}: only in the manifest")
        elif mine is None:
            lines.append(f"{path}: not in the manifest")
        elif mine.identity.name == theirs.identity.name and mine.identity != theirs.identity:
            lines.append(f"{path}: other bytes")
        elif mine.identity != theirs.identity:
            lines.append(
                f"{path}: {mine.identity.name} in the manifest, {theirs.identity.name} here"
            )
        else:
            lines += [
                f"{path}: its {codec} variant is another, or not here"
                for codec, variant in mine.variants.items()
                if theirs.variants.get(codec) != variant
            ]
    if dict(hand.aliases) != dict(built.aliases):
        lines.append("what bundlers know files by differs")
    return tuple(lines)
