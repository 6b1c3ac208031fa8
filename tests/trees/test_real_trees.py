"""What people really publish survives a build: real npm packages, looked at with others' parsers.

The finders of references, the resolving of URLs and the HTTP server are none of our code. What ours
and they find is the same to the byte, so no rule is needed here that would explain a difference;
what the finders themselves leave out is said in `finding.py`.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import brotli
import finding
import npm
import pytest
from built import LEFT_OUT, Tree, beside, tree_of
from commands import Shop
from conftest import write_files
from finding import Ref
from locks import locked, used
from mapped import columns
from served import answers, served

from flask_s3.assets import Level

pytestmark = pytest.mark.npm


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of all processes of the run; half a gigabyte, so nothing is left of it."""
    base = tmp_path_factory.getbasetemp()
    with used((base.parent if base.name.startswith("popen-") else base) / "trees") as folder:
        yield folder


@pytest.fixture(params=LEFT_OUT)
def package(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def tree(package: str, shared: Path) -> Tree:
    return tree_of(package, shared)


def test_without_npm_the_tests_fail_and_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A test that is skipped proves nothing."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(npm.NpmMissing, match=r"npm is not on the PATH.*install Node\.js"):
        npm.packages()


# -- what is found


def test_no_reference_is_missed_and_none_invented(tree: Tree) -> None:
    theirs = {name: [ref[:3] for ref in refs] for name, refs in tree.before.items()}
    assert tree.ours == theirs


def test_every_dead_reference_is_named_by_file_and_line(tree: Tree) -> None:
    dead = [
        (name, tree.line(name, ref), Level.REMARK if ref.kind == "map" else Level.ERROR, ref.path)
        for name, ref in tree.dead()
    ]
    reported = [
        (name, line, level, _path_in(text))
        for name, line, level, text in tree.problems
        if level is not Level.WARNING
    ]
    assert sorted(reported) == sorted(dead)


def _path_in(text: str) -> str:
    return text.removeprefix("its source map ").partition(" is not ")[0]


def test_a_worker_that_browsers_refuse_from_a_bucket_is_named_by_file_and_line(
    tree: Tree, package: str
) -> None:
    warned = [(name, line) for name, line, level, _ in tree.problems if level is Level.WARNING]
    started = [
        (name, number)
        for name in tree.before
        for number, line in enumerate(tree.old(name).split(b"\n"), 1)
        if b"new Worker(new URL(" in line
    ]
    assert warned == started
    assert bool(warned) == (package == "monaco-editor")


# -- what is published


def test_everything_that_is_referred_to_answers_with_the_bytes_of_its_name(tree: Tree) -> None:
    dead = {(name, ref.path) for name, ref in tree.dead()}
    # The plain names hold the same bytes in the same folders, so the same is behind them.
    wanted = {
        "static/" + tree.target(name, ref)
        for name, refs in tree.after.items()
        for ref in refs
        if (name, ref.path) not in dead
    }
    with served(tree.published) as port:
        got = answers(port, wanted)
    assert {key: answer.status for key, answer in got.items() if answer.status != 200} == {}
    digests = {key: tree.objects[key]["sha256"] for key in got}
    assert {key: answer.sha256 for key, answer in got.items()} == digests


def test_a_file_differs_only_where_it_names_another(tree: Tree) -> None:
    maps = set(_maps(tree))
    wrong = [name for name in tree.entries if tree.new(name) != _expected(tree, name)]
    assert [name for name in wrong if name not in maps] == []
    for name in wrong:  # where things stand in its file, which got longer
        before, after = json.loads(tree.old(name)), json.loads(tree.new(name))
        assert {**before, "mappings": None} == {**after, "mappings": None}


def _expected(tree: Tree, name: str) -> bytes:
    """Returns a file's original with published names put in where the independent finder says."""
    data, pieces, position = tree.old(name), [], 0
    for ref, new in _edits(tree, name):
        pieces += [data[position : ref.start], new]
        position = ref.stop
    return b"".join([*pieces, data[position:]])


def _edits(tree: Tree, name: str) -> Iterator[tuple[Ref, bytes]]:
    for ref in tree.before.get(name, ()):
        target = tree.target(name, ref)
        if target in tree.entries:
            yield ref, beside(ref.path, tree.entries[target][0]).encode()


def _maps(tree: Tree) -> dict[str, str]:
    """Returns of each source map the file that names it."""
    return {
        tree.target(name, ref): name
        for name, refs in tree.before.items()
        for ref in refs
        if ref.kind == "map" and tree.target(name, ref) in tree.entries
    }


def test_a_source_map_leads_to_where_it_led(tree: Tree) -> None:
    for name, owner in _maps(tree).items():
        edits = list(_edits(tree, owner))
        if len(edits) == 1:  # the comment that names the map; nothing stands behind it
            assert tree.new(name) == tree.old(name)
            continue
        before, after = (columns(json.loads(data)) for data in (tree.old(name), tree.new(name)))
        moves = _moves(tree.old(owner), edits)
        assert after == [
            [_moved(column, moves.get(line, ())) for column in row]
            for line, row in enumerate(before)
        ], name


_Move = tuple[int, int]


def _moves(data: bytes, edits: Iterable[tuple[Ref, bytes]]) -> dict[int, list[_Move]]:
    """Returns by line where, in UTF-16 units, edits begin and how much longer the line gets."""
    moves: dict[int, list[_Move]] = {}
    for ref, new in edits:
        start = data.rfind(b"\n", 0, ref.start) + 1
        units = len(data[start : ref.start].decode().encode("utf-16-le")) // 2
        longer = len(new) - len(ref.path.encode("latin1"))
        moves.setdefault(data.count(b"\n", 0, start), []).append((units, longer))
    return moves


def _moved(column: int, moves: Iterable[_Move]) -> int:
    """No package has a segment that begins inside of a reference."""
    return column + sum(longer for begin, longer in moves if begin < column)


def test_names_are_new_but_for_documents_and_what_a_bundler_named(tree: Tree, package: str) -> None:
    kept = {name for name, (new, *_) in tree.entries.items() if name.rpartition("/")[2] == new}
    others = {name for name in kept if not name.endswith(".html")}
    assert all(name.startswith("min/vs/") for name in others)
    assert bool(others) == (package == "monaco-editor")


def test_no_file_is_loaded_under_two_names(tree: Tree) -> None:
    """A module that runs twice has its state twice."""
    named = {tree.key(name) for name in tree.entries}
    plain = {
        (name, ref.path)
        for name, refs in tree.after.items()
        for ref in refs
        if "static/" + tree.target(name, ref) not in named
    }
    assert plain == {(name, ref.path) for name, ref in tree.dead()}


def test_plain_names_have_the_bytes_of_the_published_ones(tree: Tree) -> None:
    for name in tree.entries:
        plain, new = tree.objects[f"static/{name}"], tree.objects[tree.key(name)]
        assert plain["sha256"] == new["sha256"], name
        assert (tree.published / "static" / name).read_bytes() == tree.new(name), name


def test_integrity_is_that_of_the_bytes(tree: Tree) -> None:
    """Else browsers refuse the file."""
    told = {name: integrity for name, (_, integrity, _) in tree.entries.items()}
    assert told == {name: _integrity(tree.new(name)) for name in tree.entries}


def _integrity(data: bytes) -> str:
    return "sha256-" + base64.b64encode(sha256(data).digest()).decode()


# -- as a user builds, and with encodings


def _shop(folder: Path, package: str, ignored: Sequence[str], **config: Any) -> Shop:
    static = npm.packages() / package
    settings = {
        "FLASKS3_BUCKET_NAME": "shop-assets",
        "FLASKS3_FINGERPRINT": True,
        "FLASKS3_IGNORE": ignored,
        **config,
    }
    return Shop(folder, {}, settings, code=f"app.static_folder = {str(static)!r}\n")


def test_the_command_writes_the_same_tree(shared: Path, tmp_path: Path) -> None:
    package = "swagger-ui-dist"
    ended = _shop(tmp_path, package, LEFT_OUT[package]).run("build", "-o", "dist")
    assert (ended.code, ended.stderr) == (0, "")
    tree = tree_of(package, shared)
    assert _files(tmp_path / "dist") == _files(tree.published)
    manifest = json.loads((tmp_path / "flask-s3-manifest.json").read_text())
    assert manifest["entries"].keys() == {f"static/{name}" for name in tree.entries}


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


_DECODERS = {"br": brotli.decompress, "gzip": gzip.decompress}
_ENCODED = {
    # modules that import each other, and bundles with source maps
    "bootstrap": ("/dist/", "/scss/"),
    # style sheets that name fonts, which are compressed already
    "@fortawesome/fontawesome-free": ("/js/", "/metadata/", "/s*/"),
}


@dataclass(frozen=True)
class Encoded:
    """A tree with variants: what each is, and what browsers have of it in the end."""

    package: str
    published: Path
    decoded: Path
    index: Mapping[str, Any]

    @property
    def entries(self) -> Mapping[str, tuple[str, str, Mapping[str, tuple[str, str]]]]:
        return self.index["manifest"]["entries"]

    @property
    def variants(self) -> Iterator[tuple[str, str, str, str]]:
        """Yields coding, key, integrity and the identity's key."""
        for path, (name, _, others) in self.entries.items():
            for codec, (other, integrity) in others.items():
                yield codec, beside(path, other), integrity, beside(path, name)


@pytest.fixture(params=_ENCODED)
def encoded(request: pytest.FixtureRequest, shared: Path) -> Encoded:
    package, here = request.param, shared / "encoded" / request.param
    with locked(here / ".lock"):
        if not (here / "dist").is_dir():
            shop = _shop(here, package, _ENCODED[package], FLASKS3_ENCODINGS=["br", "gzip"])
            ended = shop.run("build", "-o", "dist")
            assert (ended.code, ended.stderr) == (0, "")
        index = json.loads((here / "dist" / ".flask-s3" / "build.json").read_text())
        tree = Encoded(package, here / "dist", here / "decoded", index)
        if not tree.decoded.is_dir():
            for codec, key, *_ in tree.variants:
                data = _DECODERS[codec]((tree.published / key).read_bytes())
                write_files(tree.decoded, {key: data})
    return tree


def test_a_variant_decodes_to_the_bytes_of_its_integrity(encoded: Encoded) -> None:
    wrong = [
        key
        for codec, key, integrity, _ in encoded.variants
        if _integrity((encoded.decoded / key).read_bytes()) != integrity
        or encoded.index["objects"][key]["headers"]["content-encoding"] != codec
    ]
    assert wrong == []


def test_a_variant_is_worth_its_place(encoded: Encoded) -> None:
    sizes = {
        key: ((encoded.published / key).stat().st_size, (encoded.decoded / key).stat().st_size)
        for _, key, *_ in encoded.variants
    }
    assert {key for key, (sent, meant) in sizes.items() if sent > 0.95 * meant} == set()


def test_text_has_a_variant_of_each_coding_and_fonts_have_none(encoded: Encoded) -> None:
    for path, (*_, variants) in encoded.entries.items():
        assert sorted(variants) == ([] if path.endswith(".woff2") else ["br", "gzip"]), path


def test_a_reference_in_a_variant_leads_to_the_variant_of_its_coding(encoded: Encoded) -> None:
    """Else what is inside comes in a coding that the browser was not asked about, or twice."""
    coding = {key: codec for codec, key, *_ in encoded.variants}
    identity = {other for *_, other in encoded.variants}
    refs = finding.find(encoded.decoded, coding)
    assert refs
    targets = {(key, finding.target(f"/{key}", ref)[1:]) for key in refs for ref in refs[key]}
    assert {(key, to) for key, to in targets if not (encoded.published / to).is_file()} == set()
    assert {(key, to) for key, to in targets if coding.get(to, coding[key]) != coding[key]} == set()
    assert {(key, to) for key, to in targets if to in identity} == set()


def test_identity_names_are_the_same_with_encodings_and_without(
    encoded: Encoded, shared: Path
) -> None:
    """Else nobody could turn encodings on without all caches being emptied."""
    plain = tree_of(encoded.package, shared).entries
    for path, (name, integrity, _) in encoded.entries.items():
        assert plain[path.removeprefix("static/")][:2] == (name, integrity)
