"""The manifest as a file: what is written is what is read, and its lines can be compared."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_s3.errors import BuildError
from flask_s3.manifest import Entry, Manifest, Published, differences, dumps, loads, to_json

INTEGRITY = "sha256-" + "A" * 43 + "="
NAMES = st.text(min_size=1, max_size=9).filter(
    lambda name: (
        name not in {".", ".."} and not any(c in "/\0" or "\ud800" <= c <= "\udfff" for c in name)
    )
)
PUBLISHED = st.builds(Published, NAMES, st.just(INTEGRITY))
ENTRIES = st.builds(Entry, PUBLISHED, st.dictionaries(st.sampled_from(["br", "gzip"]), PUBLISHED))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(PATHS, ENTRIES, max_size=4), st.dictionaries(PATHS, PATHS, max_size=2))
def test_what_is_written_is_read(entries, aliases):
    manifest = Manifest(entries, aliases, {"a.js": ("b.js",)})

    read = loads(dumps(manifest), "x")

    assert dict(read.entries) == entries
    assert to_json(read) == to_json(manifest) == json.loads(dumps(manifest))
    assert differences(read, manifest) == ()


def test_each_file_has_a_line_of_its_own_so_that_a_diff_shows_what_changed():
    entry = Entry(Published("a.1.css", INTEGRITY), {"br": Published("a.1.br.css", INTEGRITY)})

    text = dumps(Manifest({"s/a.css": entry, "s/b.css": entry}, {"s/c": "s/a.css"})).decode()

    line = f'["a.1.css","{INTEGRITY}",{{"br":["a.1.br.css","{INTEGRITY}"]}}]'
    assert text.splitlines() == [
        '{"version": 1,',
        ' "entries": {',
        f'  "s/a.css": {line},',
        f'  "s/b.css": {line}',
        " },",
        ' "aliases": {',
        '  "s/c": "s/a.css"',
        " },",
        ' "modules": {},',
        ' "imports": {}}',
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"version": "1"}',
        b'{"version": 1}',
        b'{"version": 1, "entries": [], "aliases": {}, "modules": {}}',
        b"\xff",
    ],
)
def test_what_is_no_manifest_is_one_sentence_that_says_how_to_make_one(text):
    with pytest.raises(BuildError, match=r"The manifest x cannot be used, since .*: make it again"):
        loads(text, "x")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        7,
        [],
        ["a"],
        ["a", INTEGRITY],
        ["a", "sha256-x", {}],
        ["a", INTEGRITY, []],
        ["a/b", INTEGRITY, {}],
        ["..", INTEGRITY, {}],
        ["a\0b", INTEGRITY, {}],
        ["a\ud800", INTEGRITY, {}],
        ["a", INTEGRITY, {"br": ["../b", INTEGRITY]}],
        ["a", INTEGRITY, {"br": None}],
    ],
)
def test_an_entry_that_is_none_is_as_good_as_missing(raw):
    value = {"version": 1, "entries": {"a": raw}, "aliases": {"b": "a"}, "modules": {}}

    manifest = loads(json.dumps(value).encode(), "x")

    assert manifest.find("a") is None
    assert manifest.find("b") is None


def published(name: str) -> Published:
    return Published(name, INTEGRITY)


def test_differences_name_each_file_and_what_is_wrong_with_it():
    hand = Manifest(
        {
            "same": Entry(published("same.1"), {"br": published("same.1.br")}),
            "other": Entry(published("other.1")),
            "bytes": Entry(Published("index.html", INTEGRITY)),
            "gone": Entry(published("gone.1")),
            "variant": Entry(published("v.1"), {"br": published("v.1.br")}),
        }
    )
    built = Manifest(
        {
            "same": Entry(published("same.1"), {c: published(f"same.1.{c}") for c in ("br", "gz")}),
            "other": Entry(published("other.2")),
            "bytes": Entry(Published("index.html", INTEGRITY.replace("A", "B"))),
            "new": Entry(published("new.1")),
            "variant": Entry(published("v.1")),
        },
        {"src": "same"},
    )

    assert differences(hand, built) == (
        "bytes: other bytes",
        "gone: only in the manifest",
        "new: not in the manifest",
        "other: other.1 in the manifest, other.2 here",
        "variant: its br variant is another, or not here",
        "what bundlers know files by differs",
    )
