"""Assets to objects and a manifest: what is to stand in the bucket, decided without any network."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import Protocol

from .. import encodings, headers
from ..assets import Asset, Body, BytesBody, FileBody, MadeBody, Notes, Object, Problem, Refuse
from ..encodings import Codec
from ..errors import BuildError
from ..manifest import Entry, Manifest, Published
from ..settings import Settings
from . import names
from .fingerprints import (
    Made,
    Maker,
    Namer,
    Names,
    Recipe,
    Site,
    Source,
    Style,
    imported,
    importers,
    imports,
    modules,
    site,
)
from .references import Found, language

IMMUTABLE = "public, max-age=31536000, immutable"
"""For a name that changes with the content: a year, the longest that RFC 2616 § 14.21 allowed and
caches reckon with, and no question on reload (RFC 8246)."""
SHORT = "public, max-age=60"
"""For a plain name: what is cached is asked for again within a minute of a deploy."""


class Workshop(Maker, Protocol):
    """What costs time: done once, and remembered. Its methods raise OSError as `read` does."""

    def found(self, asset: Asset, language: str) -> Found:
        """Returns what a file refers to."""
        ...

    def is_likely_worth_it(self, asset: Asset) -> bool:
        """Returns whether codecs will make a file smaller by 5 % or more."""
        ...

    def encode(self, codec: Codec, content: Made, make: Callable[[], bytes]) -> Callable[[], Body]:
        """Returns what waits for the bytes in a coding, and returns them.

        Args:
            codec: the coding.
            content: the bytes, in short.
            make: makes the bytes.
        """
        ...


@dataclass(frozen=True, slots=True)
class Bundled:
    """What bundlers' own manifests say.

    Attributes:
        keys: of the files whose names tell their content already.
        aliases: keys that they know files by, and the files' own.
    """

    keys: frozenset[str]
    aliases: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Naming:
    """How names are chosen.

    Attributes:
        is_excluded: tells, by the path in the static folder, what keeps its plain name.
        is_local: tells what pages ask their own origin for.
        bundled: what bundlers named already.
        refused: the keys of files that get no name, though others may refer to them.
    """

    is_excluded: Callable[[str], bool]
    is_local: Callable[[str], bool]
    bundled: Bundled
    refused: Set[str]

    def style(self, asset: Asset) -> Style:
        """Returns how a file's published name comes about."""
        if self.is_excluded(asset.filename) or names.is_fixed(asset.filename):
            return Style.PLAIN
        is_bundled = asset.key.removesuffix(".map") in self.bundled.keys
        if is_bundled and names.may_be_fingerprinted(asset.filename):
            return Style.KEPT  # bundlers can be told to write names without a digest
        return Style.LIKELY if names.is_fingerprinted(asset.filename) else Style.NAMED


@dataclass(frozen=True, slots=True)
class Build:
    """What is to be published.

    Attributes:
        objects: in the order of their keys.
        refusals: files that have been ruled out.
        notes: what was noticed, a sentence each.
        problems: what is wrong at a place in a file.
        manifest: the published name of each file.
        prefix: what all keys begin with, `FLASKS3_PREFIX`.
        is_fingerprinted: whether names change with the content.
        whole: whether every file of the app is here (False: a filter left some out).
    """

    objects: tuple[Object, ...]
    refusals: tuple[Refuse, ...]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]
    manifest: Manifest
    prefix: str
    is_fingerprinted: bool
    whole: bool = True


# -- under plain names, as in 0.3


def plain(
    assets: Sequence[Asset], settings: Settings, read: Callable[[Asset], Iterable[bytes]]
) -> Build:
    """Returns the objects that publish the assets under their own names.

    Args:
        assets: with distinct keys.
        settings: what headers and encoding they get.
        read: gives an asset's content in pieces; called only for what has to be compressed.
    """
    notes = Notes()
    wanted = _Headers(settings, notes)
    objects, refusals = [], []
    for asset in sorted(assets, key=lambda asset: asset.key):
        try:
            objects.append(_plain_object(asset, settings, read, wanted.of(asset)))
        except OSError as error:
            reason = f"it could not be read any more ({error.strerror}): publish again."
            refusals.append(Refuse(asset.key, reason))
    entries = _PlainEntries({path_of(asset, settings): asset.sha256 for asset in assets})
    return Build(
        tuple(objects),
        tuple(refusals),
        notes.all(),
        (),
        Manifest(entries),
        settings.key_prefix,
        is_fingerprinted=False,
    )


class _PlainEntries(Mapping[str, Entry]):
    """The manifest's entries of files under their own names, each made when it is asked for.

    A deploy asks for none, and of a million they would be half a GB.
    """

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._digests = digests

    def __getitem__(self, path: str) -> Entry:
        digest = self._digests[path]
        return Entry(Published(path.rpartition("/")[2], _integrity(digest)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests)

    def __len__(self) -> int:
        return len(self._digests)


def _plain_object(
    asset: Asset,
    settings: Settings,
    read: Callable[[Asset], Iterable[bytes]],
    wanted: Mapping[str, str],
) -> Object:
    if _is_to_be_gzipped(asset, settings, wanted):
        zipped = _gzipped(read(asset), asset.size)
        if zipped is not None:
            return Object(asset.key, zipped, _encoded_headers(wanted, "gzip"), asset.sha256)
    body = FileBody(asset.path, asset.size, asset.mtime_ns, asset.sha256)
    return Object(asset.key, body, wanted)


def _gzipped(chunks: Iterable[bytes], size: int) -> BytesBody | None:
    encoded = encodings.gzip(chunks, size)
    return None if encoded is None else BytesBody(encoded, sha256(encoded).hexdigest())


def _is_to_be_gzipped(asset: Asset, settings: Settings, wanted: Mapping[str, str]) -> bool:
    """Returns whether 0.3's `FLASKS3_GZIP` asks for a file to be compressed."""
    if not settings.gzip:
        return False
    only = {word.lower().lstrip(".") for word in settings.gzip_only_exts}
    if only and _extension(asset) not in only:
        return False
    return _is_encodable(asset, wanted)


def _is_encodable(asset: Asset, wanted: Mapping[str, str]) -> bool:
    return "content-encoding" not in wanted and not encodings.is_compressed(_extension(asset))


def _extension(asset: Asset) -> str:
    name, dot, extension = asset.filename.rpartition(".")
    return extension.lower() if dot and "/" not in extension and name else ""


def path_of(asset: Asset, settings: Settings) -> str:
    """Returns an asset's path in the manifest: its key without the prefix."""
    return asset.key[len(settings.key_start) :]


def _integrity(digest: str) -> str:
    return "sha256-" + base64.b64encode(bytes.fromhex(digest)).decode()


class _Headers:
    """The headers of objects, by what the settings say of their files."""

    def __init__(self, settings: Settings, notes: Notes) -> None:
        self._settings = settings
        self._notes = notes
        self._weakest = {"cache-control": SHORT} if settings.fingerprint else {}
        self._known: dict[tuple[str, bool], Mapping[str, str]] = {}
        rules = (name for _, layer in settings.filepath_headers for name in layer)
        for name in headers.cannot_be_stored([*settings.headers, *rules]):
            notes.add(
                f"S3 cannot send the header {name} with an object, so browsers will not see it: it "
                "is kept as metadata, as before. Set it in the CDN, or in the bucket's CORS rules."
            )

    def of(self, asset: Asset, *, immutable: bool = False) -> Mapping[str, str]:
        """Returns a file's headers; under a name that changes with its content, for ever."""
        if self._settings.filepath_headers:
            return self._merged(asset, immutable=immutable)
        # All that counts then is the extension, or the whole name of a file without one.
        name = asset.filename.rpartition("/")[2]
        kind = (name[name.rfind(".") :] if "." in name else name, immutable)
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = self._merged(asset, immutable=immutable)
        return known

    def _merged(self, asset: Asset, *, immutable: bool) -> Mapping[str, str]:
        last = {"cache-control": IMMUTABLE} if immutable else {}
        return headers.merge(
            self._weakest, _type(asset), self._settings.headers, *self._rules(asset), last
        )

    def _rules(self, asset: Asset) -> Iterator[Mapping[str, str]]:
        for pattern, layer in self._settings.filepath_headers:
            if pattern.search(asset.filename):
                yield layer
            elif pattern.search(asset.path):
                yield layer
                text = (
                    f"FLASKS3_FILEPATH_HEADERS {pattern.pattern!r} matches only the whole path "
                    f"{asset.path!r}, which is deprecated since the project's directory can match "
                    "too: write it for the path relative to the static folder."
                )
                self._notes.add(text)
                warnings.warn(text, DeprecationWarning, stacklevel=2)


def _type(asset: Asset) -> Mapping[str, str]:
    if _extension(asset) == "svgz":
        return {"content-type": "image/svg+xml; charset=utf-8", "content-encoding": "gzip"}
    return {"content-type": headers.content_type(asset.filename)}


def _encoded_headers(wanted: Mapping[str, str], codec: str) -> Mapping[str, str]:
    return MappingProxyType({**wanted, "content-encoding": codec})


# -- under names that change with the content


def site_of(
    assets: Iterable[Asset], settings: Settings, workshop: Workshop, naming: Naming
) -> Site:
    """Returns the files with the references between them.

    Raises:
        BuildError: a file vanished or changed meanwhile.
    """
    try:
        sources = [
            Source(path_of(asset, settings), asset, naming.style(asset), _found(asset, workshop))
            for asset in assets
        ]
    except OSError as error:
        raise _vanished(error) from error
    refused = {key.removeprefix(settings.key_start) for key in naming.refused}
    return site(sources, settings.key_prefix, naming.is_local, refused)


def _found(asset: Asset, workshop: Workshop) -> Found:
    spoken = language(asset.filename)
    return _NOTHING if spoken is None else workshop.found(asset, spoken)


_NOTHING = Found()


def fingerprinted(
    assets: Sequence[Asset], settings: Settings, workshop: Workshop, naming: Naming
) -> Build:
    """Returns the objects that publish the assets under names that change with their content.

    Args:
        assets: with distinct keys.
        settings: headers, encodings, whether plain names follow.
        workshop: reads, parses and encodes.
        naming: how names are chosen.

    Raises:
        BuildError: a file vanished or changed meanwhile, or two would have one published name.
        SettingsError: an encoding's package is not installed.
    """
    try:
        return _Builder(assets, settings, workshop, naming).build()
    except OSError as error:
        raise _vanished(error) from error


def _vanished(error: OSError) -> BuildError:
    return BuildError(
        f"{error.filename} cannot be read any more ({error.strerror}), so nothing was published: "
        "build again."
    )


@dataclass(frozen=True, slots=True)
class _Variant:
    """An encoded form of a file, on its way."""

    path: str
    codec: str
    name: str
    content: Made
    body: Callable[[], Body]


class _Builder:
    """One build: styles → references → names → variants → objects."""

    def __init__(
        self, assets: Sequence[Asset], settings: Settings, workshop: Workshop, naming: Naming
    ) -> None:
        self._assets = assets
        self._settings = settings
        self._workshop = workshop
        self._naming = naming
        self._notes = Notes()
        self._headers = _Headers(settings, self._notes)
        self._codecs = encodings.usable(settings.encodings)

    def build(self) -> Build:
        """Does all of it."""
        self._encode_ahead()
        whole = site_of(self._assets, self._settings, self._workshop, self._naming)
        namer = Namer(whole, self._workshop)
        identity = namer.identity()
        variants = self._variants(whole, namer, identity)
        needed = self._needed_plain(whole)
        objects: list[Object] = []
        entries: dict[str, Entry] = {}
        for path, source in whole.sources.items():
            recipe = identity.recipes.get(path)
            content = namer.content(path, recipe)
            name, others = identity.names[path], variants.get(path, ())
            objects += self._objects(source, name, content, recipe, plain_too=path in needed)
            objects += [self._variant_object(source.asset, variant) for variant in others]
            entries[path] = Entry(
                Published(name, _integrity(content.sha256)),
                {v.codec: Published(v.name, _integrity(v.content.sha256)) for v in others},
            )
        manifest = Manifest(entries, self._aliases(), modules(whole), imports(whole))
        return Build(
            _distinct(objects),
            (),
            self._notes.all(),
            whole.problems,
            manifest,
            self._settings.key_prefix,
            is_fingerprinted=True,
        )

    def _aliases(self) -> dict[str, str]:
        start = len(self._settings.key_start)
        return {k[start:]: v[start:] for k, v in self._naming.bundled.aliases.items()}

    # -- variants

    def _encode_ahead(self) -> None:
        """Starts with the files that refer to nothing, while the others are being parsed."""
        if not self._codecs:
            return
        ahead = [
            asset
            for asset in self._assets
            if language(asset.filename) is None
            and _extension(asset) != "map"
            and self._may_have_variants(asset, self._naming.style(asset))
        ]
        for asset in sorted(ahead, key=lambda asset: -asset.size):
            content, read = Made(asset.sha256, asset.size), partial(self._workshop.read, asset)
            for codec in self._codecs:
                self._workshop.encode(codec, content, read)

    def _may_have_variants(self, asset: Asset, style: Style) -> bool:
        if style is Style.PLAIN or not asset.size:
            return False
        return _is_encodable(asset, self._headers.of(asset))

    def _variants(
        self, whole: Site, namer: Namer, identity: Names
    ) -> Mapping[str, Sequence[_Variant]]:
        """Returns the variants worth publishing, in the order of the settings.

        Where another file refers to one, whether there is a variant is part of that file's bytes:
        it is decided by a quick look, so that no name has to wait for a codec. A script that
        imports one gets one too, however small: else both forms of a module would run in a page.
        """
        if not self._codecs:
            return {}
        sources = whole.sources
        able = {p for p, s in sources.items() if self._may_have_variants(s.asset, s.style)}
        able -= self._imported_as_they_are(whole, able)
        referred = {link.target for links in whole.links.values() for link in links} & able
        sure = {p for p in referred if self._workshop.is_likely_worth_it(sources[p].asset)}
        sure |= importers(whole, sure) & able
        chosen = (able - referred) | sure
        kept: dict[str, list[_Variant]] = {}
        for variant in self._encoded(whole, namer, identity, chosen):
            size = variant.body().size
            if variant.path in sure or encodings.is_worth_it(variant.content.size, size):
                kept.setdefault(variant.path, []).append(variant)
        return kept

    def _imported_as_they_are(self, whole: Site, able: Set[str]) -> set[str]:
        """Returns what scripts without variants import; service workers run apart from the page."""
        apart = {p for p, s in whole.sources.items() if names.is_fixed(s.asset.filename)}
        return imported(whole, whole.scripts.keys() - able - apart)

    def _encoded(
        self, whole: Site, namer: Namer, identity: Names, chosen: Set[str]
    ) -> list[_Variant]:
        """Starts each variant of the chosen files; the largest first, so none is left alone."""
        planned = []
        for rank, codec in enumerate(self._codecs):
            named = namer.encoded(identity, codec.name, chosen.__contains__)
            for path in chosen:
                recipe = named.recipes.get(path)
                content = namer.content(path, recipe)
                planned.append((-content.size, rank, path, named.names[path], content, recipe))
        variants = []
        for _, rank, path, name, content, recipe in sorted(planned, key=lambda plan: plan[:3]):
            codec, asset = self._codecs[rank], whole.sources[path].asset
            make = partial(self._workshop.read, asset) if recipe is None else recipe.make
            body = self._workshop.encode(codec, content, make)
            variants.append((rank, _Variant(path, codec.name, name, content, body)))
        return [variant for _, variant in sorted(variants, key=lambda pair: pair[0])]

    def _variant_object(self, asset: Asset, variant: _Variant) -> Object:
        wanted = _encoded_headers(self._headers.of(asset, immutable=True), variant.codec)
        key = _beside(asset.key, variant.name)
        return Object(key, variant.body(), wanted, variant.content.sha256)

    # -- objects

    def _needed_plain(self, whole: Site) -> Set[str]:
        """Returns the files that are published under their plain names too."""
        if self._settings.plain_names:
            return whole.sources.keys()
        # A bundler's file keeps its bytes, and so the plain names that it refers to.
        return {
            link.target
            for path, links in whole.links.items()
            if whole.sources[path].style is Style.KEPT
            for link in links
        }

    def _objects(
        self, source: Source, name: str, content: Made, recipe: Recipe | None, *, plain_too: bool
    ) -> Iterator[Object]:
        """Yields a file's object, and the copy of it under the plain name."""
        asset, follows = source.asset, source.style is Style.PLAIN
        key, body = _beside(asset.key, name), _body(asset, content, recipe)
        wanted, plain = self._headers.of(asset, immutable=not follows), self._headers.of(asset)
        decoded = None
        zipped = self._zipped(asset, content, recipe, plain)
        if zipped is not None:
            body, decoded = zipped, content.sha256
            wanted, plain = _encoded_headers(wanted, "gzip"), _encoded_headers(plain, "gzip")
        yield Object(key, body, wanted, decoded, None, follows)
        if plain_too and source.style is Style.NAMED:
            yield Object(asset.key, body, plain, decoded, key, follows=True)

    def _zipped(
        self, asset: Asset, content: Made, recipe: Recipe | None, wanted: Mapping[str, str]
    ) -> BytesBody | None:
        """Returns the body that 0.3's `FLASKS3_GZIP` asks for, None where it asks for none."""
        if not _is_to_be_gzipped(asset, self._settings, wanted):
            return None
        data = self._workshop.read(asset) if recipe is None else recipe.make()
        return _gzipped([data], content.size)


def _body(asset: Asset, content: Made, recipe: Recipe | None) -> Body:
    if recipe is None:
        return FileBody(asset.path, asset.size, asset.mtime_ns, asset.sha256)
    return MadeBody(content.size, content.sha256, recipe.make)


def _beside(key: str, name: str) -> str:
    return key[: key.rfind("/") + 1] + name


def _distinct(objects: Iterable[Object]) -> tuple[Object, ...]:
    """Returns the objects in the order of their keys, each key once."""
    by_key: dict[str, Object] = {}
    for made in objects:
        other = by_key.setdefault(made.key, made)
        if other is not made and other.body.sha256 != made.body.sha256:
            raise BuildError(
                f"Two files would be published as {made.key}, with different bytes: one of them "
                "has a digest in its own name; rename it, or leave it out with FLASKS3_IGNORE."
            )
        if other.copy_of is not None or other.follows:
            by_key[made.key] = made
    return tuple(by_key[key] for key in sorted(by_key))
