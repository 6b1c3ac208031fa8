"""What the report tells: a build, and what is known beside it, as one value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..assets import Asset, Object, Problem, Refuse
from ..building import names
from ..building.objects import Build
from ..manifest import Entry, to_json
from ..release.history import Change, differences
from ..release.records import Record
from ..store.protocol import Known

_KINDS = {
    "Style sheets": ("css",),
    "Scripts": ("js", "mjs", "cjs", "wasm"),
    "Images": ("png", "jpg", "jpeg", "gif", "svg", "svgz", "webp", "avif", "ico", "bmp", "cur"),
    "Fonts": ("woff2", "woff", "ttf", "otf", "eot"),
    "Sound and film": ("mp4", "webm", "ogv", "mov", "mp3", "ogg", "wav", "m4a", "flac", "vtt"),
    "Documents": ("html", "htm", "xhtml", "txt", "md", "pdf", "json", "xml", "webmanifest", "csv"),
    "Source maps": ("map",),
}
_OTHERS = "Others"
KINDS = (*_KINDS, _OTHERS)
"""The kinds of files, in the order in which they are shown."""
_KIND_OF = {extension: kind for kind, group in _KINDS.items() for extension in group}

_UNITS = (("year", 31_536_000), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,12})(?:$|[\s,])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a file is named.

    Attributes:
        file: the path of another file as the report names it, or of a template.
        line: from 1; 0 where a script computes what it imports, and may mean this file.
    """

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class File:
    """A file that is published.

    Attributes:
        path: of its URL, without `/` before it and without the prefix.
        published: its published name, without the folder.
        kind: one of `KINDS`.
        size: in bytes, without any encoding.
        encoded: the size of each encoded form that there is, by coding.
        cache: the `Cache-Control` of what `url_for` names; empty where it has none.
        referrers: where other files and templates name it.
        by_name: whether browsers or people ask for it by its own name, as they do `robots.txt`.
        twins: the paths of the other files with the same bytes.
    """

    path: str
    published: str
    kind: str
    size: int
    encoded: Mapping[str, int]
    cache: str
    referrers: tuple[Place, ...]
    by_name: bool
    twins: tuple[str, ...]

    @property
    def is_orphan(self) -> bool:
        """Whether nobody who was asked refers to it."""
        return not (self.referrers or self.by_name)

    def sent(self, codec: str) -> int:
        """Returns how many bytes a browser gets that takes this coding."""
        return self.encoded.get(codec, self.size)


@dataclass(frozen=True, slots=True)
class Release:
    """The release in force, and how the build differs from it."""

    id: str
    time: str
    commit: str | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows.

    Attributes:
        app: whose files.
        made: when, as it is shown.
        commit: the git commit of the files.
        files: in the order of their paths.
        codecs: the codings that any file is published in.
        problems: what is wrong in files and templates; their paths as they are shown.
        refusals: files that are not published.
        objects: how many objects the build puts into the bucket.
        stored: their size in bytes.
        release: the release in force; None where there is none, or it could not be read.
        no_release: a sentence that says why; empty where there is one.
    """

    app: str
    made: str
    commit: str | None
    files: tuple[File, ...]
    codecs: tuple[str, ...]
    problems: tuple[Problem, ...]
    refusals: tuple[Refuse, ...]
    objects: int
    stored: int
    release: Release | None
    no_release: str

    def sent(self, codec: str) -> int:
        """Returns how many bytes all files are for a browser that takes this coding."""
        return sum(file.sent(codec) for file in self.files)

    @property
    def size(self) -> int:
        """The size of all files, without any encoding."""
        return sum(file.size for file in self.files)

    @property
    def orphans(self) -> int:
        """How many files nobody refers to."""
        return sum(file.is_orphan for file in self.files)

    @property
    def duplicates(self) -> tuple[int, int]:
        """How many files have the bytes of one before them, and how many bytes those are."""
        again = [file for file in self.files if file.twins and file.twins[0] < file.path]
        return len(again), sum(file.size for file in again)


def files_of(
    build: Build, assets: Sequence[Asset], referrers: Mapping[str, Iterable[Place]]
) -> tuple[File, ...]:
    """Returns the files of a build.

    Args:
        build: the build.
        assets: the files that it was made of.
        referrers: where each file is named, by its path.
    """
    objects = {made.key: made for made in build.objects}
    start = len(f"{build.prefix}/") if build.prefix else 0
    twins = _twins(assets)
    files = []
    for asset in sorted(assets, key=lambda asset: asset.key):
        path = asset.key[start:]
        entry = build.manifest.entries.get(path)
        made = None if entry is None else objects.get(_beside(asset.key, entry.identity.name))
        if entry is None or made is None:
            continue  # refused
        files.append(
            File(
                path=path,
                published=entry.identity.name,
                kind=kind_of(path),
                size=asset.size if "content-encoding" in made.headers else made.body.size,
                encoded=_encoded(asset, entry, made, objects),
                cache=made.headers.get("cache-control", ""),
                referrers=tuple(sorted(set(referrers.get(path, ())))),
                by_name=names.is_fixed(asset.filename),
                twins=tuple(key[start:] for key in twins.get(asset.sha256, ()) if key != asset.key),
            )
        )
    return tuple(files)


def _beside(key: str, name: str) -> str:
    return key[: key.rfind("/") + 1] + name


def _encoded(
    asset: Asset, entry: Entry, made: Object, objects: Mapping[str, Object]
) -> dict[str, int]:
    sizes = {
        codec: objects[key].body.size
        for codec, variant in entry.variants.items()
        if (key := _beside(asset.key, variant.name)) in objects
    }
    if made.decoded is not None:  # the only form that there is, as `FLASKS3_GZIP` wants it
        sizes[made.headers["content-encoding"]] = made.body.size
    return sizes


def _twins(assets: Iterable[Asset]) -> dict[str, list[str]]:
    """Returns the keys of the files with the same bytes, by digest; empty ones are left out."""
    alike: dict[str, list[str]] = {}
    for asset in assets:
        if asset.size:
            alike.setdefault(asset.sha256, []).append(asset.key)
    return {digest: sorted(keys) for digest, keys in alike.items() if len(keys) > 1}


def codecs_of(files: Iterable[File]) -> tuple[str, ...]:
    """Returns the codings that any file is published in; gzip, the least of them, last."""
    found = {codec for file in files for codec in file.encoded}
    return tuple(sorted(found, key=lambda codec: (codec == "gzip", codec)))


def kind_of(path: str) -> str:
    """Returns which kind of file a path is of, by its extension."""
    base = path.rpartition("/")[2].lower()
    return _KIND_OF.get(base.rpartition(".")[2] if "." in base else "", _OTHERS)


def release_of(record: Record, build: Build) -> Release:
    """Returns a release with the differences that a deploy of the build would make to its files."""
    objects = {
        made.key: Known(made.body.size, "", 0.0, made.body.sha256, made.headers, made.decoded)
        for made in build.objects
    }
    manifest = to_json(build.manifest) if build.is_fingerprinted else None
    wanted = Record("", "", record.app, build.prefix, objects, manifest)
    start = f"{build.prefix}/" if build.prefix else ""
    changes = tuple(
        Change(change.name.removeprefix(start), change.kind, change.before, change.after)
        for change in differences(record, wanted)
    )
    return Release(record.id, record.time, record.commit, changes)


def policy(cache: str) -> str:
    """Returns a `Cache-Control` in a word or two: `1 year, immutable`."""
    directives = {part.strip().lower() for part in cache.split(",") if part.strip()}
    if not directives:
        return "not set"
    for word in ("no-store", "no-cache"):
        if word in directives:
            return word
    age = _MAX_AGE.search(cache)
    if age is None:
        return cache
    private = "private, " if "private" in directives else ""
    immutable = ", immutable" if "immutable" in directives else ""
    return f"{private}{_time(int(age[1]))}{immutable}"


def _time(seconds: int) -> str:
    for unit, length in _UNITS:
        if seconds and seconds % length == 0:
            count = seconds // length
            return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"
    return "0 seconds"
