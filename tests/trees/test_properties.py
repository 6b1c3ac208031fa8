"""Whatever files refer to whatever others, in circles too: what a build's names and bytes obey."""

from __future__ import annotations

import gzip
import posixpath
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import brotli
import hypothesis
import pytest
from built import app_of, beside
from conftest import write_files
from hypothesis import strategies as st

from flask_s3.assets import Body, FileBody
from flask_s3.building.assembly import assemble
from flask_s3.building.collect import Selection
from flask_s3.serve.serving import state_of

_KEPT = "-B3xZ9k_a"
"""What a bundler writes into a name."""


def _but_maps(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if not path.endswith(".map")]


def _map(paths: Sequence[str], comment: str) -> str:
    return "".join(comment.format(path) for path in paths if path.endswith(".map"))


def _css(paths: Sequence[str]) -> str:
    imports = "".join(f'@import "{path}" screen;\n' for path in paths if path.endswith(".css"))
    images = "".join(f".a{{background:url({path}?v#x)}}\n" for path in _but_maps(paths))
    return imports + images + _map(paths, "/*# sourceMappingURL={} */")


def _js(paths: Sequence[str]) -> str:
    imports = "".join(f'import "{path}";\n' for path in paths if path.endswith(".js"))
    urls = "".join(f'new URL("{path}", import.meta.url);\n' for path in _but_maps(paths))
    return imports + urls + _map(paths, "//# sourceMappingURL={}")


def _svg(paths: Sequence[str]) -> str:
    images = "".join(f'<image href="{path}"/>' for path in paths)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{images}</svg>\n'


def _html(paths: Sequence[str]) -> str:
    return "<!doctype html>\n" + "".join(f'<img src="{path}">\n' for path in paths)


def _png(_: Sequence[str]) -> str:
    return "an image\n"


def _source_map(_: Sequence[str]) -> str:
    """Segments at columns 0, 2, and 66 of three lines: before and behind references."""
    return '{"version":3,"sources":[],"names":[],"mappings":"A,E,gE;A,E,gE;A,E,gE"}\n'


_WRITERS: Mapping[str, Callable[[Sequence[str]], str]] = {
    ".css": _css,
    ".js": _js,
    ".svg": _svg,
    ".html": _html,
    ".png": _png,
    ".map": _source_map,
}


@dataclass(frozen=True)
class Graph:
    """Files, and what each refers to."""

    edges: Mapping[str, tuple[str, ...]]
    padded: frozenset[str]
    changed: str

    @property
    def files(self) -> dict[str, str]:
        """The content of each file; those that are padded have variants, unless they are images."""
        return {name: self._content(name) for name in self.edges}

    def after(self) -> dict[str, str]:
        """The same with one file changed, in a way that its language does not mind."""
        files = self.files
        return {**files, self.changed: files[self.changed] + "\n"}

    def _content(self, name: str) -> str:
        folder = posixpath.dirname(name) or "."
        paths = [_dotted(posixpath.relpath(other, folder)) for other in self.edges[name]]
        return _WRITERS[_extension(name)](paths) + f"\n{' ' * 400 * (name in self.padded)}\n"

    def ancestors(self) -> set[str]:
        """Returns the changed file and all that lead to it, where names tell of the content."""
        found: set[str] = set()
        pending = [self.changed] if _is_named(self.changed) else []
        while pending:
            one = pending.pop()
            found.add(one)
            pending += [
                name
                for name, others in self.edges.items()
                if one in others and name not in found and _is_named(name)
            ]
        return found


def _dotted(path: str) -> str:
    return path if path.startswith("../") else f"./{path}"


def _extension(name: str) -> str:
    return posixpath.splitext(name)[1]


def _is_named(name: str) -> bool:
    return _extension(name) != ".html"


@st.composite
def graphs(draw: st.DrawFn, marks: Sequence[str] = ("",)) -> Graph:
    """Up to eight files in three folders, each referring to any, itself included."""
    kind = st.tuples(
        st.sampled_from(("", "a/", "b/c/")), st.sampled_from(marks), st.sampled_from([*_WRITERS])
    )
    kinds = draw(st.lists(kind, min_size=1, max_size=8))
    names = [
        f"{folder}f{number}{mark}{extension}"
        for number, (folder, mark, extension) in enumerate(kinds)
    ]
    others = st.lists(st.sampled_from(names), unique=True, max_size=4)
    edges = {name: tuple(_possible(name, draw(others))) for name in names}
    padded = draw(st.frozensets(st.sampled_from(names)))
    return Graph(edges, padded, draw(st.sampled_from(names)))


def _possible(name: str, others: Sequence[str]) -> Iterator[str]:
    """Yields what a file can refer to: no image to any, and only scripts and styles to a map."""
    may_have_map = name.endswith((".js", ".css"))
    for other in others if not name.endswith((".png", ".map")) else ():
        if not other.endswith(".map") or may_have_map:
            yield other
            may_have_map = may_have_map and not other.endswith(".map")


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[Path, Path]]:
    """Two folders that are empty for each example."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        yield Path(one, "shop"), Path(two, "srv", "other shop")


@dataclass(frozen=True)
class Outcome:
    """What a build gave.

    Attributes:
        names: the published names of each file, by coding.
        integrity: of each published file.
        objects: bytes and headers by key.
    """

    names: Mapping[str, Mapping[str, str]]
    integrity: Mapping[str, str]
    objects: Mapping[str, tuple[bytes, Mapping[str, str]]]


def _built(root: Path) -> Outcome:
    """Builds what is there; with what the cache holds of the builds before."""
    app = app_of(root, root / "static", FLASKS3_ENCODINGS=["br", "gzip"])
    build = assemble(app, state_of(app).settings(), Selection())
    assert build.problems == ()
    assert build.refusals == ()
    published = {
        path.removeprefix("static/"): {"identity": entry.identity, **entry.variants}
        for path, entry in build.manifest.entries.items()
    }
    return Outcome(
        names={n: {c: one.name for c, one in by.items()} for n, by in published.items()},
        integrity={
            beside(name, one.name): one.integrity
            for name, by_coding in published.items()
            for one in by_coding.values()
        },
        objects={
            made.key.removeprefix("static/"): (_data(made.body), made.headers)
            for made in build.objects
        },
    )


def _data(body: Body) -> bytes:
    return Path(body.path).read_bytes() if isinstance(body, FileBody) else body.data


def _emptied(*places: Path) -> None:
    for root in places:
        shutil.rmtree(root, ignore_errors=True)


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(graph=graphs(("", _KEPT)))
def test_a_build_depends_on_nothing_but_the_files(places: tuple[Path, Path], graph: Graph) -> None:
    """Else two machines that serve one app give two names for a file."""
    _emptied(*places)
    here, elsewhere = places
    write_files(here / "static", graph.files)
    write_files(elsewhere / "static", dict(reversed(graph.files.items())))
    cold, warm, moved = _built(here), _built(here), _built(elsewhere)
    assert cold == warm
    assert cold == moved


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(graph=graphs())
def test_a_change_renames_what_leads_to_it_and_nothing_else(
    places: tuple[Path, Path], graph: Graph
) -> None:
    """Else browsers keep what is old, or fetch anew what is the same."""
    _emptied(*places)
    before = _after_writing(places[0], graph.files)
    after = _after_writing(places[0], graph.after())
    assert after.names.keys() == before.names.keys()
    for coding in ("identity", "br", "gzip"):
        there = {name for name, by_coding in before.names.items() if coding in by_coding}
        renamed = {n for n in there if before.names[n][coding] != after.names[n].get(coding)}
        assert renamed == graph.ancestors() & there
    # And what keeps its name keeps its bytes, but for documents, which have but one name.
    same = {
        key
        for key, (_, headers) in before.objects.items()
        if "immutable" in headers["cache-control"] and key in after.objects
    }
    assert {key for key in same if before.objects[key] != after.objects[key]} == set()


def _after_writing(root: Path, files: Mapping[str, str]) -> Outcome:
    write_files(root / "static", files)
    return _built(root)


_WRITTEN = re.compile(rb"""(?:url\(|URL\("|@import "|import "|href="|src="|URL=)(\.[^"?)\s]+)""")


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(graph=graphs(("", _KEPT)))
def test_every_file_is_loaded_under_one_name(places: tuple[Path, Path], graph: Graph) -> None:
    """A module that is loaded under two names runs twice, and has its state twice."""
    _emptied(*places)
    built = _after_writing(places[0], graph.files)
    for name, others in graph.edges.items():
        folder = posixpath.dirname(name)
        for coding, own in built.names[name].items():
            data, headers = built.objects[beside(name, own)]
            led_to = {
                posixpath.normpath(posixpath.join(folder, found.decode()))
                for found in _WRITTEN.findall(_decoded(data, headers))
            }
            assert led_to == {beside(other, _best(built, other, coding)) for other in others}


def _decoded(data: bytes, headers: Mapping[str, str]) -> bytes:
    return {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[
        headers.get("content-encoding", "")
    ](data)


def _best(built: Outcome, name: str, coding: str) -> str:
    return built.names[name].get(coding, built.names[name]["identity"])
