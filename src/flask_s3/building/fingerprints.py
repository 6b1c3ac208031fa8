"""Which name each file is published under, by its content and the content of all it refers to.

A file without circular references is named by its bytes with its references rewritten already;
files that refer to each other in a circle are one node, named by all of them together. So a name
changes when, and only when, something that it stands for does.

Each content coding has names of its own, since a reference inside a variant leads to the variant of
the same coding.
"""

from __future__ import annotations

import enum
import posixpath
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from typing import Protocol
from urllib.parse import unquote

from ..assets import Asset, Level, Problem
from ..manifest import is_style_sheet
from . import names
from .graph import circles
from .references import Found, Reference, rewrite, sourcemap, written

Edits = tuple[tuple[Reference, bytes], ...]
_ANY_DIGEST = "0" * names.DIGITS
_SCRIPTS = (".js", ".mjs")


class Style(enum.Enum):
    """How a file's published name comes about."""

    NAMED = "gets a digest"
    KEPT = "has a bundler's digest already, so no other digest gets into its bytes"
    LIKELY = "looks as if it had one: kept, unless it refers to a file that gets a digest"
    PLAIN = "keeps its plain name"


@dataclass(frozen=True, slots=True)
class Made:
    """Bytes that can be made again: their SHA-256 in hexadecimal, and how many there are."""

    sha256: str
    size: int


class Maker(Protocol):
    """Reads files, and remembers what was made of them."""

    def read(self, asset: Asset) -> bytes:
        """Returns a file's content. Raises OSError when it is not what it was."""
        ...

    def made(self, recipe: str, make: Callable[[], bytes]) -> Made:
        """Returns what `make` gives, in short; asked once for each recipe."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the site: its URL path without the `/` before it, and what it refers to."""

    path: str
    asset: Asset
    style: Style
    found: Found

    @property
    def folder(self) -> str:
        """The path up to its last `/`, which is left out."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Link:
    """A reference that leads to a file of the site.

    Attributes:
        reference: where it stands.
        target: the path of the file.
        head: what is written before the published name.
        moved: whether it is written anew even when the name stays: one from the root, which leads
            elsewhere under a prefix, or a CDN's path, is made relative.
    """

    reference: Reference
    target: str
    head: bytes
    moved: bool


@dataclass(frozen=True)
class Site:
    """All files and what leads from each to the others.

    Attributes:
        sources: by path.
        links: of each file that has any.
        problems: references that lead nowhere, and others that browsers will not follow.
        order: the files that are rewritten, each after those that it refers to; circles together.
        involved: the same files.
        selfish: those that refer to themselves.
        maps: of each source map, the path of the file that it is for.
    """

    sources: Mapping[str, Source]
    links: Mapping[str, Sequence[Link]]
    problems: tuple[Problem, ...]
    order: Sequence[tuple[str, ...]]
    involved: Set[str]
    selfish: frozenset[str]
    maps: Mapping[str, str]

    @cached_property
    def scripts(self) -> Mapping[str, tuple[str, ...]]:
        """What each script imports or, by what it computes, may."""
        paths = sorted(path for path in self.sources if path.lower().endswith(_SCRIPTS))
        return {path: _distinct(_imported(self, self.sources[path], paths)) for path in paths}


def site(
    sources: Iterable[Source], prefix: str, is_local: Callable[[str], bool], refused: Set[str]
) -> Site:
    """Returns the files with the references between them resolved.

    Args:
        sources: with distinct paths.
        prefix: `FLASKS3_PREFIX`, which a root-relative reference may begin with.
        is_local: tells the files, by their path in the static folder, that pages ask their own
            origin for.
        refused: the paths of files that are not published.
    """
    by_path = {source.path: source for source in sources}
    links: dict[str, list[Link]] = {}
    problems: list[Problem] = []
    for source in by_path.values():
        found = source.found
        if found.broken is not None:
            problems.append(_broken(source, found.broken))
        for reference in found.references:
            link = _link(source, reference, by_path, prefix)
            if link is None:
                if _target(source, reference, refused, prefix) is not None:
                    problems += _refused(source, reference)
                elif not _is_folder(source, reference, by_path):
                    problems.append(_dead(source, reference))
                continue
            links.setdefault(source.path, []).append(link)
            if reference.own_origin and not is_local(by_path[link.target].asset.filename):
                problems.append(_own_origin(source, link))
    by_path = _settled(by_path, links)
    maps = _maps(by_path, links)
    # All others are named by their own bytes, whatever stands around them.
    involved = dict.fromkeys((*links, *maps))
    edges = {path: _edges(path, links.get(path, ()), by_path) for path in involved}
    return Site(
        by_path,
        links,
        tuple(sorted(problems)),
        order=tuple(circles(edges)),
        involved=edges.keys(),
        selfish=frozenset(path for path, targets in edges.items() if path in targets),
        maps=maps,
    )


def _link(
    source: Source, reference: Reference, by_path: Mapping[str, Source], prefix: str
) -> Link | None:
    target = _target(source, reference, by_path, prefix)
    if target is None:
        return None
    path = _decoded(reference)
    if path[0] == "/" or _climbs(f"{source.folder}/{path}"):
        return Link(reference, target, _way(source, target), moved=True)
    folder, slash, _ = path.rpartition("/")
    return Link(reference, target, written(folder + slash), moved=False)


def _target(source: Source, reference: Reference, paths: Container[str], prefix: str) -> str | None:
    """Returns which of the paths a reference leads to, if any."""
    path = _decoded(reference)
    if path.endswith("/"):  # a folder, whatever file has the name before it
        return None
    if path[0] == "/":
        return _known(path, paths, prefix)
    target = _normal(f"{source.folder}/{path}")
    return target if target in paths else None


def _decoded(reference: Reference) -> str:
    path = reference.path
    return unquote(path, errors="replace") if "%" in path else path


def _way(source: Source, target: str) -> bytes:
    """Returns what leads from a file to another's folder; it begins with a dot, as modules want."""
    way = posixpath.relpath(posixpath.dirname(target) or ".", source.folder or ".")
    if way == ".":
        return b"./"
    return written(f"{way}/" if way.startswith("..") else f"./{way}/")


def _known(path: str, paths: Container[str], prefix: str) -> str | None:
    target = _normal(path)
    candidates = (target, target.removeprefix(f"{prefix}/") if prefix else target)
    return next((candidate for candidate in candidates if candidate in paths), None)


def _normal(path: str) -> str:
    """Resolves `.` and `..` as browsers do: what leads above the root stays at the root."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    return "/".join(segments)


def _climbs(path: str) -> bool:
    """Returns whether a path leads above the root, where a prefix may be in the way."""
    depth = 0
    for segment in path.split("/"):
        depth += -1 if segment == ".." else segment not in {"", "."}
        if depth < 0:
            return True
    return False


def _is_folder(source: Source, reference: Reference, by_path: Mapping[str, Source]) -> bool:
    """Returns whether a reference leads to a folder: `new URL("./", import.meta.url)`."""
    path = _decoded(reference)
    target = _normal(path if path[0] == "/" else f"{source.folder}/{path}")
    return any(other.startswith(f"{target}/" if target else "") for other in by_path)


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _settled(
    by_path: Mapping[str, Source], links: Mapping[str, Sequence[Link]]
) -> dict[str, Source]:
    """Returns the files, each that is likely to be kept either kept or named.

    A file whose bytes are kept leads to plain names. What has another name too would be loaded
    under both, and a module that is loaded twice runs twice, and has its state twice.
    """
    likely = {path for path, source in by_path.items() if source.style is Style.LIKELY}
    referring: dict[str, list[str]] = {}
    for path in likely:
        for link in links.get(path, ()):
            referring.setdefault(link.target, []).append(path)
    pending = [path for path in referring if by_path[path].style is Style.NAMED]
    named: set[str] = set()
    while pending:
        unkept = set(referring.get(pending.pop(), ())) - named
        named |= unkept
        pending += unkept
    settled = dict(by_path)
    for path in likely:
        style = Style.NAMED if path in named else Style.KEPT
        settled[path] = replace(by_path[path], style=style)
    return settled


def _edges(path: str, links: Iterable[Link], by_path: Mapping[str, Source]) -> list[str]:
    """Returns what a file's name depends on. A kept file's bytes stay, whatever it refers to."""
    if by_path[path].style is Style.KEPT:
        return []
    named = dict.fromkeys(
        link.target for link in links if by_path[link.target].style is Style.NAMED
    )
    return list(named)


def _maps(by_path: Mapping[str, Source], links: Mapping[str, Sequence[Link]]) -> dict[str, str]:
    """Returns whose map each source map is; claimed by several, that of the one named like it."""
    maps: dict[str, str] = {}
    kept = {path for path, source in by_path.items() if source.style is Style.KEPT}
    for path, group in links.items():
        for link in group:
            if link.reference == by_path[path].found.source_map:
                named_alike = link.target == f"{path}.map"
                if (path in kept) == (link.target in kept) and (
                    named_alike or link.target not in maps
                ):
                    maps[link.target] = path
    return maps


def _broken(source: Source, line: int) -> Problem:
    text = "a syntax error; references in the part that it spoils are left as they are: mend it."
    return Problem(source.asset.path, line, text, Level.WARNING)


def _dead(source: Source, reference: Reference) -> Problem:
    # Only developer tools ask for a source map, and packages ship many a comment without its map.
    if reference == source.found.source_map:
        text = (
            f"its source map {reference.path} is not there, which only developer tools will miss."
        )
        return Problem(source.asset.path, reference.line, text, Level.REMARK)
    text = (
        f"{reference.path} is not among the static files: correct the reference, or add the file."
    )
    return Problem(source.asset.path, reference.line, text)


def _refused(source: Source, reference: Reference) -> Iterator[Problem]:
    # Whoever keeps source maps back needs not hear that their scripts have none.
    if reference != source.found.source_map:
        text = f"{reference.path} is refused, so it is not published: mend that first."
        yield Problem(source.asset.path, reference.line, text)


def _own_origin(source: Source, link: Link) -> Problem:
    text = (
        f"browsers want {link.reference.path} from the page's own origin, not from the bucket: "
        "name it in FLASKS3_LOCAL, and hand its url_for to whoever asks for it."
    )
    return Problem(source.asset.path, link.reference.line, text, Level.WARNING)


# -- naming


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a file's published bytes come about.

    Attributes:
        digest: tells it from every other recipe, in hexadecimal.
        make: makes the bytes; raises OSError when a file cannot be read.
    """

    digest: str
    make: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Names:
    """The published name of each file, for one content coding or for none.

    Attributes:
        names: by path, each without its folder.
        recipes: of the files whose references are rewritten to these names.
    """

    names: Mapping[str, str]
    recipes: Mapping[str, Recipe]


class Namer:
    """Names the files of a site, for no coding and then for each.

    Args:
        site: the files.
        maker: reads them.
    """

    def __init__(self, site: Site, maker: Maker) -> None:
        self._site = site
        self._maker = maker

    def identity(self) -> Names:
        """Returns the names of the files without any encoding."""
        sources = self._site.sources
        fixed = {
            path: _base(path) for path, source in sources.items() if source.style is not Style.NAMED
        }
        return self._named(fixed, lambda _: True, str)

    def encoded(self, identity: Names, codec: str, has_variant: Callable[[str], bool]) -> Names:
        """Returns the names of the variants in a coding, and where there is none the identity's.

        Args:
            identity: what `identity` returned.
            codec: the coding.
            has_variant: tells the files that are published in it.
        """
        finish = partial(names.with_codec, codec=codec)
        fixed: dict[str, str] = {}
        for path, name in identity.names.items():
            if not has_variant(path):
                fixed[path] = name
            elif self._is_kept(path):
                fixed[path] = finish(name)
        return self._named(fixed, has_variant, finish)

    def content(self, path: str, recipe: Recipe | None) -> Made:
        """Returns a file's published bytes, in short; without a recipe they are its own."""
        asset = self._site.sources[path].asset
        if recipe is None:
            return Made(asset.sha256, asset.size)
        return self._maker.made(recipe.digest, recipe.make)

    def _named(
        self,
        fixed: Mapping[str, str],
        is_rewritten: Callable[[str], bool],
        finish: Callable[[str], str],
    ) -> Names:
        """Names all others in one pass over the graph: what is referred to comes first."""
        found = dict(fixed)
        for path, source in self._site.sources.items():
            if path not in found and path not in self._site.involved:
                found[path] = finish(names.with_digest(_base(path), source.asset.sha256))
        recipes: dict[str, Recipe] = {}
        shape = _Shape(self._site, fixed, finish)
        for circle in self._site.order:
            members = [path for path in circle if is_rewritten(path)]
            before = {path: self._recipe(path, found, shape) for path in members}
            unnamed = [path for path in members if path not in found]
            if unnamed:
                digest = self._digest({path: before[path] for path in unnamed})
            for path in unnamed:
                found[path] = finish(names.with_digest(_base(path), digest))
            for path in members:
                # Only in a circle are there names that were not known a moment ago.
                alone = len(circle) == 1 and path not in self._site.selfish
                recipe = before[path] if alone else self._recipe(path, found, shape)
                if recipe is not None:
                    recipes[path] = recipe
        return Names(found, recipes)

    def _digest(self, members: Mapping[str, Recipe | None]) -> str:
        """Returns the digest of one file, or of a circle of them, in the order of their paths."""
        parts = {path: self.content(path, recipe).sha256 for path, recipe in members.items()}
        if len(parts) == 1:
            return next(iter(parts.values()))
        return sha256("".join(f"{p}\0{part}\n" for p, part in parts.items()).encode()).hexdigest()

    def _recipe(self, path: str, found: Mapping[str, str], shape: _Shape) -> Recipe | None:
        """Returns how references are rewritten to the names found; one to no name of them stays."""
        asset = self._site.sources[path].asset
        owner = self._site.maps.get(path)
        edits = self._edits(path, found) if owner is None else self._edits(owner, shape)
        if not edits:
            return None
        if owner is None:
            make = partial(_rewritten, self._maker, asset, edits)
            return Recipe(_recipe_digest((asset.sha256,), edits), make)
        generated = self._site.sources[owner].asset
        digest = _recipe_digest((asset.sha256, generated.sha256), edits)
        return Recipe(digest, partial(_shifted, self._maker, asset, generated, edits))

    def _edits(self, path: str, found: Mapping[str, str]) -> Edits:
        links = self._site.links.get(path)
        if links is None:
            return ()
        is_kept = self._is_kept(path)
        return tuple(
            (link.reference, link.head + written(name))
            for link in links
            if (name := self._name(link.target, found, is_kept=is_kept)) is not None
            and (link.moved or name != _base(link.target))
        )

    def _name(self, path: str, found: Mapping[str, str], *, is_kept: bool) -> str | None:
        """Returns the name by which a file refers to another.

        A kept file's own name tells nothing of new ones, so they must not be part of its bytes.
        """
        if is_kept and not self._is_kept(path):
            return _base(path)
        return found.get(path)

    def _is_kept(self, path: str) -> bool:
        return self._site.sources[path].style is Style.KEPT


class _Shape(Mapping[str, str]):
    """Names with some digest, of the length that they will have.

    A source map hangs on where things stand in its file, the file's name on the map's, and where
    things stand only on how long names are.
    """

    def __init__(self, site: Site, known: Mapping[str, str], finish: Callable[[str], str]) -> None:
        self._site = site
        self._known = known
        self._finish = finish

    def __getitem__(self, path: str) -> str:
        if path in self._known:
            return self._known[path]
        if path not in self._site.sources:
            raise KeyError(path)
        return self._finish(names.with_digest(_base(path), _ANY_DIGEST))

    def __iter__(self) -> Iterator[str]:
        return iter(self._site.sources)

    def __len__(self) -> int:
        return len(self._site.sources)


def _recipe_digest(inputs: Iterable[str], edits: Edits) -> str:
    parts = [text.encode() for text in inputs]
    parts += [
        b"%d %d %b %b" % (reference.start, reference.stop, path, reference.suffix.encode())
        for reference, path in edits
    ]
    return sha256(b"\n".join(parts)).hexdigest()


def _rewritten(maker: Maker, asset: Asset, edits: Edits) -> bytes:
    return rewrite(maker.read(asset), edits)


def _shifted(maker: Maker, asset: Asset, generated: Asset, edits: Edits) -> bytes:
    moved = sourcemap.edits_of(maker.read(generated), edits)
    return sourcemap.shift(maker.read(asset), moved)


# -- what imports what


def modules(site: Site) -> dict[str, tuple[str, ...]]:
    """Returns the ES modules, and the scripts that each imports or, by what it computes, may."""
    scripts = site.scripts
    return {path: others for path, others in scripts.items() if site.sources[path].found.module}


def imports(site: Site) -> dict[str, tuple[str, ...]]:
    """Returns the same of what is not known to be a module, where it imports anything.

    Style sheets, and scripts that have nothing of a module but `import()`, which any may have.
    """
    scripts = site.scripts
    found = {path: scripts[path] for path in scripts if not site.sources[path].found.module}
    for path, links in site.links.items():
        if is_style_sheet(path):
            found[path] = _distinct(link.target for link in links if is_style_sheet(link.target))
    return {path: others for path, others in found.items() if others}


def imported(site: Site, paths: Iterable[str]) -> set[str]:
    """Returns the scripts that some import, directly or not."""
    return _followed(site.scripts, paths)


def importers(site: Site, paths: Iterable[str]) -> set[str]:
    """Returns the scripts that import some, directly or not."""
    backwards: dict[str, list[str]] = {}
    for path, others in site.scripts.items():
        for other in others:
            backwards.setdefault(other, []).append(path)
    return _followed(backwards, paths)


def _followed(edges: Mapping[str, Sequence[str]], paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    pending = list(paths)
    while pending:
        new = set(edges.get(pending.pop(), ())) - found
        found |= new
        pending += new
    return found


def _distinct(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))


def _imported(site: Site, source: Source, scripts: Sequence[str]) -> Iterator[str]:
    for link in site.links.get(source.path, ()):
        if link.target.lower().endswith(_SCRIPTS):
            yield link.target
    for beginning in source.found.computed:
        start = _start(source, beginning)
        yield from (path for path in scripts if path.startswith(start) and path != source.path)


def _start(source: Source, beginning: str) -> str:
    """Returns what the paths begin with that a computed specifier may name.

    Where nothing is known of it: all below the module's own folder.
    """
    folder, _, rest = beginning.rpartition("/")
    base = folder if beginning.startswith("/") else f"{source.folder}/{folder}"
    whole = _normal(base)
    return f"{whole}/{rest}" if whole else rest
