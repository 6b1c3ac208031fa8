"""What nobody should type, configure or publish: understood, or refused in one sentence."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from commands import Shop
from conftest import AppMaker, Bucket
from flask import Flask
from forks import Forks
from serving import CALLERS, IN_BUCKET, STORE, asked_by_all

import flask_s3
from flask_s3 import FlaskS3, SettingsError, create_all
from flask_s3.building.assembly import assemble
from flask_s3.building.collect import Selection
from flask_s3.errors import BuildError, FlaskS3Error
from flask_s3.serve.serving import state_of
from flask_s3.settings import FIELDS

FILES = {"css/app.css": "a{background:url(../a.svg)}", "a.svg": "<svg/>"}
DEEP = "[" * 100_000


class Odd:
    """What nobody expects in a setting."""

    def __repr__(self) -> str:
        return "<odd>"


VALUES: list[Any] = [
    *[5, -1, 0, 3.5, float("nan"), 10**30, True, False, None, Odd(), Odd, object()],
    *["", " ", "x", "ä", "'", '"', "a'b\"c", "a\nb", "a\r\nSet-Cookie: x", "\0", "\x7f", "\u2028"],
    *["\ud800", "x" * 5000, "../x", "%2e%2e", "a\\b", "<script>", "{{ 7*7 }}", "%s{0}", "http://["],
    *[b"", b"x", b"\xff", [], (), {}, set(), frozenset({"x"}), [5], [None], ["x"], ["x\n"], [b"x"]],
    *[["\ud800"], [""], ["["], ["!"], [["x"]], {"x": "y"}, {"x": 5}, {5: "x"}, {b"x": {}}],
    *[{"x": {}}, {"x": {"A": "b"}}, {"(": {}}, {"x": {"A": "b\n"}}, {"A": "b\r\nC: d"}],
    *[{"A": "\ud800"}, {"A": b"b"}, {"A": None}, {("a",): "b"}, [("A", "b")], [("A", "b", "c")]],
]


def used(app: Flask) -> None:
    """All that can be done with settings that were accepted, without a network."""
    settings = state_of(app).settings()
    assemble(app, settings, Selection())
    with app.test_request_context("/"):
        flask_s3.url_for("static", filename="css/app.css")
        app.jinja_env.from_string("{{ s3_stylesheet('css/app.css') }}").render()


@pytest.mark.parametrize("key", [field.metadata["key"] for field in FIELDS])
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore:FLASKS3_FILEPATH_HEADERS")
def test_a_setting_works_or_is_named_whatever_its_value(key, make_app: AppMaker, caplog):
    app = make_app(FILES)
    FlaskS3(app)
    refusals = {}
    for number, value in enumerate(VALUES):
        app.config.update({**IN_BUCKET, "FLASKS3_MANIFEST": "m.json", key: value})
        with suppress(SettingsError):
            used(app)
            continue
        with pytest.raises(SettingsError) as caught:
            used(app)
        refusals[number] = str(caught.value)

    assert [text for text in refusals.values() if key not in text or "\n" in text] == []
    # A purger of one's own may be anything, and is first asked for by a purge.
    assert bool(refusals) is (key != "FLASKS3_PURGER")


# -- names in url_for

NAMES = [
    *["../../x", "..", "a/../../x", "../", "./../x", "a/..", "/../x", "//..//x"],
    *["%2e%2e/x", "%2E%2E/%2e%2e/x", ".%2e/x", "..%2fx", "..%2f..%2fx", "%252e%252e/x"],
    *["..\\x", "..\\..\\x", "a\\..\\..\\x", "..\\/x", "%5c..%5cx"],
    *["/etc/passwd", "//evil.example/x", "https://evil.example/x", "\\\\evil.example\\x"],
    *["a\0b", "..\0/x", "a\nb", "a\r\nSet-Cookie: x", "\t../x", "..\t/x", ".\n./x"],
    *["?x", "#x", "a?b#c", "a;b", "a@b:c", "'\"><script>", "a b", "\u202e", "x" * 5000],
    *["/".join([".."] * 500), "a/" * 2000 + "x", "\uff0e\uff0e/x", "\u2025/x"],
]


def as_browsers_see_it(url: str) -> str:
    """The path of a URL after what browsers do to it (URL Standard, "basic URL parser")."""
    url = re.sub(r"[\t\n\r]", "", url).split("#")[0].split("?")[0].replace("\\", "/")
    kept: list[str] = []
    for segment in urlsplit(url).path.split("/")[1:]:
        plain = re.sub("%2e", ".", segment, flags=re.IGNORECASE)
        if plain == "..":
            kept = kept[:-1]
        elif plain != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


@pytest.mark.parametrize("fingerprint", [False, True], ids=["plain", "fingerprints"])
def test_no_file_name_leaves_the_prefix(fingerprint, make_app: AppMaker):
    config = {**IN_BUCKET, "FLASKS3_PREFIX": "v1", "FLASKS3_FINGERPRINT": fingerprint}
    app = make_app(FILES, config)
    if fingerprint:
        written(app)
    FlaskS3(app)
    for name in NAMES:
        (url,) = set(asked_by_all(app, filename=name).values())
        if url.startswith("/"):  # Flask's own, which Flask answers for
            assert ".." in name.split("/") or as_browsers_see_it(url).startswith("/static/"), name
            continue
        assert url.startswith(f"{STORE}/v1/static/"), name
        assert as_browsers_see_it(url).startswith("/v1/static/"), name
        assert urlsplit(url).netloc == urlsplit(STORE).netloc, name
        assert re.fullmatch(r"[!-~]+", url), name


def written(app: Flask) -> None:
    """Writes an app's manifest, as `flask s3 build` does."""
    from flask_s3 import manifest_file

    settings = state_of(app).settings()
    manifest_file.write(app, settings, assemble(app, settings, Selection()).manifest)


@pytest.mark.parametrize("value", [5, 3.5, b"x", ["a.css"], Odd(), "", object()])
def test_a_file_name_of_another_type_is_no_error_of_ours(value, make_app: AppMaker):
    app = make_app(FILES, IN_BUCKET)
    FlaskS3(app)

    (url,) = set(asked_by_all(app, filename=value).values())
    assert url.startswith(f"{STORE}/static/")


# -- prefixes and names, published and fetched

ODD_NAMES = [
    *["a b.css", " a.css", "a .css", "a+b.css", "a%20b.css", "a%.css", "%2e%2e.css", "a#b.css"],
    *["a?b.css", "a&b=c.css", "a;b.css", "a@b.css", "a'b.css", 'a"b.css', "a<b>.css", "{a}.css"],
    *["a\\b.css", "a|b^c`d.css", "[a].css", "ä.css", "漢字.css", "😀.css", "a\u0301.css"],
    *["a\u202eb.css", "a...css", "a..css", "~a.css", "a:b.css", "-a.css", "$a.css", "(a)!*.css"],
    *["a\tb.css", "a\nb.css", "a\x01b.css", "a\x7fb.css", "a/b c/ä/d.css"],
]


def fetched(url: str) -> bytes | int:
    """What anybody gets, or the status where there is nothing to get."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.code


def all_fetched(app: Flask, names: list[str]) -> dict[str, bytes | int]:
    """What browsers get for each name, by the URL that pages have."""
    with app.test_request_context("/"):
        urls = {name: flask_s3.url_for("static", filename=name) for name in names}
    return {name: fetched(url) for name, url in urls.items()}


@pytest.mark.parametrize("fingerprint", [False, True], ids=["plain", "fingerprints"])
def test_files_with_odd_names_are_published_and_reach_browsers(
    fingerprint, mini_bucket: Bucket, make_app: AppMaker
):
    files = {name: name.encode() for name in ODD_NAMES}
    config = {**mini_bucket.open_to_anybody().config, "FLASKS3_FINGERPRINT": fingerprint}
    app = make_app(files, config)
    FlaskS3(app)

    first, second = create_all(app), create_all(app)

    assert (len(first.uploaded) >= len(files), first.failed, second.failed) == (True, (), ())
    # Of this one both servers say 403 to anybody: their policies' `*` stops at a line break.
    del files["a\nb.css"]
    assert all_fetched(app, list(files)) == files
    keys = mini_bucket.keys()
    assert any(key.startswith("static/a\nb") for key in keys)


@pytest.mark.parametrize(
    "prefix", ["a b", "ä/漢", "a'b\"c", "%2e%2e", "a\\b", "+", "a?b#c", "/v1/", "&<>", "..a", "~"]
)
def test_an_odd_prefix_is_that_of_keys_and_urls_alike(
    prefix, mini_bucket: Bucket, make_app: AppMaker
):
    config = {**mini_bucket.open_to_anybody().config, "FLASKS3_PREFIX": prefix}
    app = make_app({"a.css": "a"}, config)
    FlaskS3(app)

    create_all(app)

    key = f"{prefix.strip('/')}/static/a.css"
    assert mini_bucket.keys() == [key]
    with app.test_request_context("/"):
        url = flask_s3.url_for("static", filename="a.css")
    assert unquote(urlsplit(url).path) == f"/{mini_bucket.name}/{key}"
    assert fetched(url) == b"a"


@pytest.mark.parametrize("prefix", ["..", "../x", "a/../b", ".", "a/./b", "a\nb", "\0", "\ud800"])
def test_a_prefix_that_no_url_can_have_is_refused(prefix, make_app: AppMaker):
    app = make_app(FILES, {**IN_BUCKET, "FLASKS3_PREFIX": prefix})
    FlaskS3(app)

    with pytest.raises(SettingsError, match=r"^FLASKS3_PREFIX is '.*', but it has to be "):
        state_of(app).settings()


# -- broken files

BROKEN: Mapping[str, bytes] = {
    "empty": b"",
    "cut off": b'{"version": 1, "entr',
    "a list": b"[]",
    "null": b"null",
    "a word": b'"x"',
    "a number": b"1e999",
    "no version": b"{}",
    "a newer version": b'{"version": 99}',
    "another type": b'{"version": "1", "entries": [], "aliases": 5, "modules": null}',
    "no UTF-8": b"\xff\xfe\x00",
    "very deep": DEEP.encode(),
    "HTML": b"<!doctype html><title>404</title>",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_manifest_leaves_the_pages_up_and_is_named(broken, make_app: AppMaker, caplog):
    app = make_app(FILES, {**IN_BUCKET, "FLASKS3_FINGERPRINT": True})
    Path(app.root_path, "flask-s3-manifest.json").write_bytes(BROKEN[broken])
    FlaskS3(app)

    urls = asked_by_all(app, filename="a.svg")

    assert urls == dict.fromkeys(CALLERS, f"{STORE}/static/a.svg")
    assert "flask-s3-manifest.json" in caplog.text
    app.config["FLASKS3_STRICT"] = True
    state_of(app).forget()
    with pytest.raises(BuildError, match=r"flask-s3-manifest\.json"):
        asked_by_all(app, filename="a.svg")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop", FILES, {})


def one_sentence(text: str) -> bool:
    return text.startswith("Error: ") and text.count("\n") == 1


def test_broken_plans_trees_and_manifests_are_named_by_the_commands(
    forking: Forks, shop: Shop, mini_bucket: Bucket
):
    shop.configure({**mini_bucket.config, "FLASKS3_FINGERPRINT": True})
    assert forking.start(shop.root, "build", "-o", "tree").end().code == 0
    (index,) = (shop.root / "tree" / ".flask-s3").iterdir()
    plan, manifest = shop.root / "plan.json", shop.root / "flask-s3-manifest.json"
    for name, data in BROKEN.items():
        for path in (plan, manifest, index):
            path.write_bytes(data)
        options = (["--plan", plan.name], ["--build", "tree"], ["--frozen"])
        for command in [forking.start(shop.root, "deploy", *one) for one in options]:
            ended = command.end()
            assert ended.code in {1, 2}, (name, ended.text)
            assert one_sentence(ended.text), (name, ended.text)
    assert mini_bucket.keys(metadata=True) == []


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_build_cache_is_made_again(broken, make_app: AppMaker):
    app = make_app(FILES, {**IN_BUCKET, "FLASKS3_FINGERPRINT": True})
    cache = Path(app.root_path, ".flask-s3-cache", "index.json")
    cache.parent.mkdir()
    cache.write_bytes(BROKEN[broken])

    build = assemble(app, state_of(app).settings(), Selection())

    assert (len(build.objects), build.notes, build.problems) == (4, (), ())


@pytest.mark.parametrize(
    "name", ["app.js.map", "site.webmanifest", "app.css", "app.mjs", "app.svg", "a.html"]
)
def test_a_file_that_is_no_such_thing_is_published_as_it_is(name, make_app: AppMaker):
    for data in (*BROKEN.values(), b"{" * 50_000, b"<a " * 50_000, b"@import url(" * 10_000):
        app = make_app({name: data, ".vite/manifest.json": data}, IN_BUCKET)
        app.config["FLASKS3_FINGERPRINT"] = True

        build = assemble(app, state_of(app).settings(), Selection())

        assert build.refusals == ()
        assert f"static/{name}" in build.manifest.entries


# -- the command line

MISUSE = [
    ["nope"],
    ["deploy", "nope"],
    ["deploy", "--nope"],
    ["deploy", "--only"],
    ["deploy", "--only", "("],
    ["deploy", "--only", "a" * 10 + "{99999999999}"],
    ["deploy", "--plan", "missing.json"],
    ["deploy", "--plan", "."],
    ["deploy", "--build", "tree", "--only", "x"],
    ["deploy", "--dry-run", "--prune"],
    ["plan", "-o", "missing/plan.json"],
    ["plan", "-o", "."],
    ["build", "-o", "wsgi.py"],
    ["rollback", "one", "two"],
    ["releases", "diff"],
    ["releases", "nope"],
    ["prune", "--keep", "0"],
    ["prune", "--keep", "many"],
    ["prune", "--older-than", "soon"],
    ["prune", "--older-than", "-1d"],
    ["prune", "--max-delete", "-1"],
    ["destroy", "--confirm"],
    ["preview", "--port", "99999"],
    ["setup", "--access", "everybody"],
    ["policy", "--for", "everything"],
    ["verify", "--sample", "0"],
    ["doctor", "--format"],
    ["purge"],
]


def test_what_is_typed_wrong_is_explained_with_exit_code_2(
    forking: Forks, shop: Shop, mini_bucket: Bucket
):
    shop.configure(mini_bucket.config)
    started = {tuple(one): forking.start(shop.root, *one) for one in MISUSE}
    ended = {one: command.end() for one, command in started.items()}

    assert {one: done for one, done in ended.items() if done.code != 2} == {}
    assert {one: done.text for one, done in ended.items() if "Error: " not in done.text} == {}
    assert mini_bucket.keys(metadata=True) == []


ODD_RELEASES = ["../../x", "..", "", "a\nb", "ä", "%2e%2e", "x" * 5000, "-", "current", "*"]


def test_a_release_of_an_odd_name_is_not_found_and_nothing_else(
    forking: Forks, shop: Shop, mini_bucket: Bucket
):
    shop.configure({**mini_bucket.config, "FLASKS3_FINGERPRINT": True})
    assert forking.start(shop.root, "deploy").end().code == 0
    before = mini_bucket.keys(metadata=True)

    for name in ODD_RELEASES:
        for command in (["rollback", "--", name], ["releases", "diff", "--", name]):
            ended = forking.start(shop.root, *command).end()
            assert ended.code in {1, 2}, (command, ended.text)
            assert "Error: " in ended.text, (command, ended.text)
    assert mini_bucket.keys(metadata=True) == before


def test_arguments_that_are_no_text_are_explained(forking: Forks, shop: Shop, mini_bucket: Bucket):
    shop.configure(mini_bucket.config)
    name = os.fsdecode(b"\xff.json")

    ended = forking.start(shop.root, "deploy", "--plan", name).end()
    only = forking.start(shop.root, "deploy", "--only", name).end()

    assert (ended.code, "Error: " in ended.text) == (2, True)
    assert (only.code, mini_bucket.keys()) == (0, [])


def test_a_setting_of_json_or_the_environment_that_cannot_work_is_one_sentence(
    forking: Forks, shop: Shop
):
    wrong = {
        "FLASKS3_HEADERS": {"Cache-Control": "max-age=1\r\nX: y"},
        "FLASKS3_PREFIX": "a\nb",
        "FLASKS3_IGNORE": "*.map",
        "FLASKS3_STRICT": "perhaps",
        "FLASKS3_ENCODINGS": ["lzma"],
    }
    for key, value in wrong.items():
        shop.configure({"FLASKS3_BUCKET_NAME": "shop", key: value})
        ended = forking.start(shop.root, "build").end()
        assert (ended.code, one_sentence(ended.text), key in ended.text) == (2, True, True), key


def test_every_error_says_what_to_do(make_app: AppMaker):
    app = make_app(FILES, {**IN_BUCKET, "FLASKS3_CONCURRENCY": "many"})

    with pytest.raises(FlaskS3Error, match=r": change the setting\.$"):
        create_all(app)
