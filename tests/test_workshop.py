"""The build cache: what a second build is spared, and that nothing wrong ever comes out of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from building import bodies, built, index_of, names_of
from commands import Shop
from flask import Flask

from flask_s3.assets import FileBody
from flask_s3.building import references, workshop
from flask_s3.building.fingerprints import Made
from flask_s3.building.objects import Build
from flask_s3.encodings import CODECS, Codec

TEXT = "body { color: red }\n" * 99
FILES = {"a.css": f"@import 'b.css';{TEXT}", "b.css": TEXT, "c.js": 'import "./d.js"', "d.js": TEXT}
ENCODED = {"FLASKS3_ENCODINGS": ["br", "gzip"]}


@pytest.fixture
def app(make_app) -> Flask:
    """An app whose files are old enough for their times to be trusted."""
    app = make_app(FILES)
    for path in Path(app.static_folder).rglob("*"):
        os.utime(path, ns=(10**18, 10**18))
    return app


@pytest.fixture
def settled(monkeypatch) -> None:
    """Files that were made a moment ago count as old."""
    monkeypatch.setattr(workshop, "_SETTLED_NS", -(10**18))


@pytest.fixture
def work(monkeypatch) -> list[str]:
    """What was parsed, compressed and read."""
    done: list[str] = []
    find = references.find

    def counted(language: str, data: bytes) -> references.Found:
        done.append(f"parsed {language}")
        return find(language, data)

    def counting(codec: Codec) -> Callable[[bytes], bytes]:
        def encode(data: bytes) -> bytes:
            if data:
                done.append(f"compressed {codec.name}")
            return codec.encode(data)

        return encode

    monkeypatch.setattr(references, "find", counted)
    codecs = {name: Codec(name, c.level, counting(c)) for name, c in CODECS.items()}
    monkeypatch.setattr("flask_s3.encodings.CODECS", codecs)
    read = workshop.Workshop.read
    monkeypatch.setattr(
        workshop.Workshop,
        "read",
        lambda self, asset: (done.append(f"read {asset.filename}"), read(self, asset))[1],
    )
    return done


def cache(app: Flask) -> Path:
    return Path(app.root_path, ".flask-s3-cache")


def test_a_second_build_parses_compresses_and_reads_nothing(app, work, settled):
    first = built(app, **ENCODED)
    assert work
    work.clear()

    second = built(app, **ENCODED)

    assert work == []
    assert second == first


def test_after_one_change_only_what_refers_to_it_is_made_again(app, work, settled):
    built(app, **ENCODED)
    work.clear()
    Path(app.static_folder, "d.js").write_text(TEXT + "1")

    built(app, **ENCODED)

    assert {line for line in work if line.startswith("parsed")} == {"parsed javascript"}
    assert {line for line in work if line.startswith("read")} == {"read c.js", "read d.js"}


def test_a_file_that_was_written_a_moment_ago_is_read_again(make_app):
    app = make_app(FILES)
    built(app)

    assert index_of(app)["files"] == {}


@pytest.mark.usefixtures("settled")
def test_a_change_that_keeps_size_and_time_is_seen(app):
    before = names_of(built(app))
    path = Path(app.static_folder, "b.css")
    status = path.stat()
    path.write_text(TEXT.replace("red", "tan"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert names_of(built(app))["static/b.css"] != before["static/b.css"]


def test_the_cache_is_left_out_of_version_control(app):
    built(app)

    assert (cache(app) / ".gitignore").read_text() == "*\n"


def test_the_cache_may_be_deleted(app):
    first = built(app, **ENCODED)
    shutil.rmtree(cache(app))

    assert bodies(built(app, **ENCODED)) == bodies(first)


def spoiled_index(folder: Path) -> None:
    path = folder / "index.json"
    path.write_bytes(path.read_bytes()[:-99])


def other_index(folder: Path) -> None:
    (folder / "index.json").write_text("[]")


def wrong_facts(folder: Path) -> None:
    path = folder / "index.json"
    index = json.loads(path.read_bytes())
    for part in ("found", "made", "encoded"):
        index[part] = {key: ["nonsense"] for key in index[part]}
    path.write_text(json.dumps(index))


def no_facts(folder: Path) -> None:
    path = folder / "index.json"
    index = json.loads(path.read_bytes())
    for part in ("files", "found", "made", "encoded"):
        index[part] = dict.fromkeys(index[part], 7)
    path.write_text(json.dumps(index))


def cut_body(folder: Path) -> None:
    for path in folder.glob("br11/*"):
        path.write_bytes(path.read_bytes()[:-1])


def changed_body(folder: Path) -> None:
    for path in folder.glob("*/*"):
        path.write_bytes(bytes(len(path.read_bytes())))


def lost_bodies(folder: Path) -> None:
    shutil.rmtree(folder / "gzip9")


@pytest.mark.parametrize(
    "spoil",
    [spoiled_index, other_index, wrong_facts, no_facts, cut_body, changed_body, lost_bodies],
)
def test_a_damaged_cache_is_made_again(app, spoil):
    first = built(app, **ENCODED)
    expected = bodies(first)
    spoil(cache(app))

    again = built(app, **ENCODED)

    assert bodies(again) == expected
    assert again.notes == ()


def test_what_other_code_found_is_not_trusted(app, work, settled):
    built(app)
    path = cache(app) / "index.json"
    path.write_text(json.dumps({**index_of(app), "code": "another"}))
    work.clear()

    built(app)

    assert "parsed css" in work


def full(monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(workshop, "write_whole", fail)
    monkeypatch.setattr(workshop, "write_first", fail)


def test_a_full_disk_costs_the_cache_and_not_the_build(app, monkeypatch):
    expected = bodies(built(app, **ENCODED))
    shutil.rmtree(cache(app))
    full(monkeypatch)

    build = built(app, **ENCODED)

    assert bodies(build) == expected
    (note,) = build.notes
    assert note == (
        f"The build cache {cache(app)} cannot be written (No space left on device), so the next "
        "build starts anew: make room, or make the folder writable."
    )


def test_two_builds_at_once_do_not_hurt_each_other(tmp_path):
    config = {"FLASKS3_FINGERPRINT": True, **ENCODED}
    files = {f"f{n}.css": f"@import 'f{n + 1}.css';{TEXT}{n}" for n in range(40)}
    shop = Shop(tmp_path, files, config)
    processes = [shop.start("build", "-o", f"out{n}") for n in range(2)]
    for process in processes:
        stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr.count("cannot be written")) == (0, 0), stdout + stderr

    first, second = (
        {
            path.relative_to(folder): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        for folder in (tmp_path / "out0", tmp_path / "out1")
    )
    assert first == second
    assert shop.run("build").code == 0


def changed(build: Build) -> list[str]:
    """The keys whose files are not those any more that were built, so that publishing fails."""
    found = [(made.key, made.body) for made in build.objects if isinstance(made.body, FileBody)]
    return [
        key
        for key, body in found
        for now in [Path(body.path).stat()]
        if (now.st_size, now.st_mtime_ns) != (body.size, body.mtime_ns)
    ]


def test_a_build_leaves_the_files_alone_that_another_one_is_publishing(app):
    first = built(app, **ENCODED)
    (cache(app) / "index.json").unlink()  # so the second knows what it did when both began

    second = built(app, **ENCODED)

    assert changed(first) == changed(second) == []


def test_of_two_builds_that_encode_a_file_at_once_one_writes_it(tmp_path):
    content = Made(sha256(TEXT.encode()).hexdigest(), len(TEXT))
    with workshop.Workshop(tmp_path) as one, workshop.Workshop(tmp_path) as other:
        theirs = []

        def read() -> bytes:
            theirs.append(other.encode(CODECS["br"], content, TEXT.encode)())
            return TEXT.encode()

        ours = one.encode(CODECS["br"], content, read)()

    assert [ours] == theirs
    assert ours.mtime_ns == Path(ours.path).stat().st_mtime_ns


@pytest.mark.usefixtures("settled")
def test_what_is_not_used_any_more_is_kept_for_a_while_and_then_removed(make_app):
    many = {f"f{n}.css": f"{TEXT}{n}" for n in range(30)}
    app = make_app(many)
    built(app, **ENCODED)
    shutil.rmtree(app.static_folder)
    Path(app.static_folder).mkdir()
    Path(app.static_folder, "one.css").write_text(TEXT)
    for path in cache(app).glob("*/*"):
        os.utime(path, (0, 0))

    built(app, **ENCODED)

    assert len(list(cache(app).glob("br11/*"))) == 1


@pytest.mark.usefixtures("settled")
def test_a_build_without_encodings_leaves_what_was_compressed_before(app, work):
    built(app, **ENCODED)
    Path(app.static_folder, "d.js").write_text(TEXT + "1")
    built(app, FLASKS3_ENCODINGS=[])
    work.clear()

    built(app, **ENCODED)

    assert [line for line in work if line == "compressed gzip"] == ["compressed gzip"] * 2


def test_importing_the_extension_does_not_import_what_only_a_build_needs():
    code = (
        "import sys, flask_s3; print([m for m in ('tree_sitter', 'brotli', 'boto3', 'awscrt', "
        "'flask_s3.building.workshop', 'flask_s3.building.objects') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
