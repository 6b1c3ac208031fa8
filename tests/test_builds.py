"""Names that change with the content, and what is rewritten so that they are found."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from pathlib import Path

import brotli
import pytest
from building import bodies, body, built, content, headers, messages, names_of, published, told
from conftest import write_files
from flask import Blueprint

from flask_s3 import FlaskS3Error, SettingsError
from flask_s3.building.objects import IMMUTABLE, SHORT

DIGEST = re.compile(r"\.[0-9a-f]{16}\.")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- names


def test_a_file_gets_the_first_16_digits_of_its_sha256_before_its_extension(make_app):
    build = built(make_app({"css/app.css": "a{}"}))

    name = f"app.{sha256(b'a{}')[:16]}.css"
    assert names_of(build) == {"static/css/app.css": name}
    assert bodies(build) == {f"static/css/{name}": b"a{}", "static/css/app.css": b"a{}"}


@pytest.mark.parametrize(
    ("filename", "pattern"),
    [
        ("LICENSE", r"LICENSE\.[0-9a-f]{16}"),
        ("a.tar.gz", r"a\.tar\.[0-9a-f]{16}\.gz"),
        ("a b+ä.png", r"a b\+ä\.[0-9a-f]{16}\.png"),
        ("app.js.map", r"app\.js\.[0-9a-f]{16}\.map"),
        ("jquery-3.6.0.min.js", r"jquery-3\.6\.0\.min\.[0-9a-f]{16}\.js"),
    ],
)
def test_any_name_keeps_its_extension_last(make_app, filename, pattern):
    build = built(make_app({filename: "x"}))

    assert re.fullmatch(pattern, published(build, f"static/{filename}"))


@pytest.mark.parametrize(
    "filename",
    [
        "favicon.ico",
        "img/favicon.ico",
        "robots.txt",
        "sw.js",
        "js/service-worker.js",
        "firebase-messaging-sw.js",
        "index.html",
        "docs/page.htm",
        ".well-known/security.txt",
    ],
)
def test_what_is_asked_for_by_its_own_name_keeps_it(make_app, filename):
    build = built(make_app({filename: "x"}))

    assert list(bodies(build)) == [f"static/{filename}"]
    assert headers(build, "cache-control") == {f"static/{filename}": SHORT}


def test_what_the_setting_excludes_keeps_its_plain_name(make_app):
    app = make_app({"mail/logo.png": "x", "a.css": "a{}"})

    build = built(app, FLASKS3_FINGERPRINT_EXCLUDE=["/mail/"])

    assert published(build, "static/mail/logo.png") == "logo.png"
    assert DIGEST.search(published(build, "static/a.css"))


@pytest.mark.parametrize(
    "filename",
    ["index-B3xZ9k_a.js", "main.3f9c01de.css", "main.3f9c01de.chunk.js", "a-4889e940.woff2"],
)
def test_a_bundlers_fingerprint_is_kept_and_cached_for_ever(make_app, filename):
    build = built(make_app({filename: "x"}))

    assert headers(build, "cache-control") == {f"static/{filename}": IMMUTABLE}


@pytest.mark.parametrize(
    "filename",
    [
        "chart-20240101.js",
        "editor-Settings.js",
        "report-decade10.js",
        "bootstrap-icons.css",
        f"x-{'a' * 50}10.js",
    ],
)
def test_a_word_or_a_number_is_not_taken_for_a_fingerprint(make_app, filename):
    build = built(make_app({filename: "x"}))

    assert DIGEST.search(published(build, f"static/{filename}"))


def test_a_name_that_could_be_read_in_a_million_ways_takes_no_time(make_app):
    """`aaa…1b` is hexadecimal, and no word."""
    filename = f"x-{'a' * 60}1b.js"

    assert published(built(make_app({filename: "1"})), f"static/{filename}") == filename


def test_a_bundlers_file_keeps_its_bytes_and_the_plain_names_in_them(make_app):
    chunks = json.dumps({"src/main.js": {"file": "index-B3xZ9k_a.js"}})
    files = {"index-B3xZ9k_a.js": 'import "./b.js"', "b.js": "1", ".vite/manifest.json": chunks}

    build = built(make_app(files), FLASKS3_PLAIN_NAMES=False)

    assert bodies(build)["static/index-B3xZ9k_a.js"] == b'import "./b.js"'
    assert "static/b.js" in bodies(build), "what it refers to would be gone"


def test_a_module_is_not_run_twice_where_only_some_names_look_like_a_bundlers(make_app):
    """In a quarter of Vite's digests there is no number, by which they are told from words."""
    files = {
        "index-CLuInTTy.js": 'import "./vendor-B3xZ9k_a.js"',
        "vendor-B3xZ9k_a.js": 'import "./index-CLuInTTy.js"',
        "logo-B3xZ9k_a.png": "x",
    }

    build = built(make_app(files))

    assert content(build, "static/vendor-B3xZ9k_a.js") == 'import "./<index-CLuInTTy.js>"'
    assert content(build, "static/index-CLuInTTy.js") == 'import "./<vendor-B3xZ9k_a.js>"'
    assert published(build, "static/logo-B3xZ9k_a.png") == "logo-B3xZ9k_a.png"


def test_a_bundlers_file_finds_what_is_beside_it_under_a_prefix_too(make_app):
    """Vite writes its base, `/static/`, before what CSS names."""
    files = {
        "assets/index-B3xZ9k_a.css": "a{background:url(/static/assets/a-C4yA0l_b.png)}",
        "assets/a-C4yA0l_b.png": "x",
    }

    build = built(make_app(files), FLASKS3_PREFIX="v1")

    stored = bodies(build)["v1/static/assets/index-B3xZ9k_a.css"]
    assert stored == b"a{background:url(./a-C4yA0l_b.png)}"


def test_a_variant_of_a_bundlers_file_leads_to_variants(make_app):
    """Else a chunk that imports the entry would run it again, as its identity."""
    padding = " " * 400
    entry, chunk = "/assets/index-B3xZ9k_a.js", "/assets/chunk-C4yA0l_b.js"
    files = {
        f"static{entry}": f'import "./chunk-C4yA0l_b.js"{padding}',
        f"static{chunk}": f'import "./index-B3xZ9k_a.js"{padding}',
    }
    build = built(
        make_app({path.removeprefix("static/"): text for path, text in files.items()}),
        FLASKS3_ENCODINGS=["br"],
    )

    stored = bodies(build)
    assert {path: stored[path].decode() for path in files} == files
    variants = {
        path: brotli.decompress(stored[path.replace(".js", ".br.js")]).decode() for path in files
    }
    assert variants == {
        f"static{entry}": f'import "./chunk-C4yA0l_b.br.js"{padding}',
        f"static{chunk}": f'import "./index-B3xZ9k_a.br.js"{padding}',
    }


# -- headers and plain names


def test_plain_names_are_copies_that_follow_with_a_short_cache(make_app):
    build = built(make_app({"a.css": "b{background:url(i.png)}", "i.png": "x"}))
    css, png = published(build, "static/a.css"), published(build, "static/i.png")

    assert {made.key: (made.copy_of, made.follows) for made in build.objects} == {
        "static/a.css": (f"static/{css}", True),
        f"static/{css}": (None, False),
        "static/i.png": (f"static/{png}", True),
        f"static/{png}": (None, False),
    }
    assert headers(build, "cache-control") == {
        "static/a.css": SHORT,
        f"static/{css}": IMMUTABLE,
        "static/i.png": SHORT,
        f"static/{png}": IMMUTABLE,
    }
    assert bodies(build)["static/a.css"] == bodies(build)[f"static/{css}"]


def test_plain_names_can_be_left_out(make_app):
    build = built(make_app({"a.css": "a{}", "robots.txt": ""}), FLASKS3_PLAIN_NAMES=False)

    assert list(bodies(build)) == [
        f"static/{published(build, 'static/a.css')}",
        "static/robots.txt",
    ]


def test_the_settings_say_how_plain_names_are_cached_and_nothing_of_the_others(make_app):
    app = make_app({"a.css": "a{}", "b.js": "1"})

    build = built(
        app,
        FLASKS3_HEADERS={"Cache-Control": "no-cache", "x-amz-meta-team": "web"},
        FLASKS3_FILEPATH_HEADERS={r"\.js$": {"Cache-Control": "max-age=5"}},
    )

    css, js = published(build, "static/a.css"), published(build, "static/b.js")
    assert headers(build, "cache-control") == {
        "static/a.css": "no-cache",
        f"static/{css}": IMMUTABLE,
        "static/b.js": "max-age=5",
        f"static/{js}": IMMUTABLE,
    }
    assert set(headers(build, "x-amz-meta-team").values()) == {"web"}


def test_03s_gzip_goes_on_meaning_what_it_meant(make_app):
    build = built(make_app({"a.css": "a{}" * 99}), FLASKS3_GZIP=True)
    name = f"a.{sha256(b'a{}' * 99)[:16]}.css"

    assert headers(build, "content-encoding") == {
        "static/a.css": "gzip",
        f"static/{name}": "gzip",
    }
    assert [made.decoded for made in build.objects] == [sha256(b"a{}" * 99)] * 2


# -- references


def test_references_lead_to_the_published_names_and_nothing_else_changes(make_app):
    files = {
        "css/app.css": (
            "\ufeff@import 'base.css' screen;\r\n/* url(../img/a.png) */ a{background:URL( ../img/"
            "a.png )}\r\nb{src:url('../f.eot?#iefix'), url(data:,x), url(https://e.org/a.png),"
            "url(//e.org/x), url(#f)} c{content:'url(../img/a.png)'}"
        ),
        "css/base.css": "a{}",
        "img/a.png": "x",
        "f.eot": "x",
    }

    build = built(make_app(files))

    assert content(build, "static/css/app.css") == files["css/app.css"].replace(
        "'base.css'", "'<base.css>'"
    ).replace("URL( ../img/a.png )", "URL( ../img/<a.png> )").replace("f.eot", "<f.eot>")
    assert build.problems == ()


@pytest.mark.parametrize(
    ("prefix", "reference", "expected"),
    [
        ("", "/static/img/a.png", "../img/<a.png>"),
        ("v1", "/static/img/a.png", "../img/<a.png>"),
        ("v1", "/v1/static/img/a.png", "../img/<a.png>"),
        ("", "../img/a.png", "../img/<a.png>"),
        ("", "./../img/./a.png", "./../img/./<a.png>"),
        ("", "../img/%61.png", "../img/<a.png>"),
        ("", "../../../../static/img/a.png", "../img/<a.png>"),
        ("v1", "../../../../static/img/a.png", "../img/<a.png>"),
        ("", "/static/css/b.css", "./<b.css>"),
    ],
)
def test_a_reference_resolves_as_browsers_do_it(make_app, prefix, reference, expected):
    files = {"css/a.css": f"a{{background:url({reference})}}", "img/a.png": "x", "css/b.css": "b{}"}
    app = make_app(files)

    build = built(app, FLASKS3_PREFIX=prefix)

    key = f"{prefix}/static/css/" if prefix else "static/css/"
    rewritten = bodies(build)[key + published(build, "static/css/a.css")].decode()
    for path, name in names_of(build).items():
        rewritten = rewritten.replace(name, f"<{path.rpartition('/')[2]}>")
    assert rewritten == f"a{{background:url({expected})}}"


def test_a_root_relative_import_becomes_a_relative_one_that_is_no_bare_name(make_app):
    build = built(make_app({"js/a.js": 'import "/static/js/b.js"', "js/b.js": "1"}))

    assert content(build, "static/js/a.js") == 'import "./<b.js>"'


def test_a_blueprints_file_is_found_from_the_apps_and_the_other_way_round(make_app, tmp_path):
    app = make_app({"a.css": "@import '../admin/static/b.css'"})
    write_files(tmp_path / "bp" / "static", {"b.css": "a{background:url(/static/i.png)}"})
    write_files(Path(app.static_folder), {"i.png": "x"})
    app.register_blueprint(
        Blueprint(
            "admin",
            "x",
            root_path=str(tmp_path / "bp"),
            static_folder="static",
            url_prefix="/admin",
        )
    )

    build = built(app)

    assert content(build, "static/a.css") == "@import '../admin/static/<b.css>'"
    assert content(build, "admin/static/b.css") == "a{background:url(../../static/<i.png>)}"


def test_a_document_keeps_its_name_and_asks_for_published_ones(make_app):
    html = '<link rel=stylesheet href="a.css"><a href="a.css">x</a><img src=i.png>'

    build = built(make_app({"index.html": html, "a.css": "a{}", "i.png": "x"}))

    assert content(build, "static/index.html") == html.replace(
        'href="a.css"><a', 'href="<a.css>"><a'
    ).replace("src=i.png", "src=<i.png>")


def test_a_dead_reference_is_left_as_it_is_and_named_with_file_and_line(make_app):
    build = built(make_app({"a.css": "a{}\nb{background:url(none.png)}"}))

    assert told(build) == [("a.css", 2, "ERROR")]
    assert messages(build) == [
        "none.png is not among the static files: correct the reference, or add the file."
    ]
    assert content(build, "static/a.css") == "a{}\nb{background:url(none.png)}"


def test_a_missing_source_map_is_a_remark_since_no_page_misses_it(make_app):
    build = built(make_app({"a.js": "1\n//# sourceMappingURL=a.js.map"}))

    assert told(build) == [("a.js", 2, "REMARK")]


def test_a_file_with_a_slash_behind_it_is_no_file(make_app):
    build = built(make_app({"a.css": "a{background:url(b.png/)}", "b.png": "x"}))

    assert content(build, "static/a.css") == "a{background:url(b.png/)}"
    assert told(build) == [("a.css", 1, "ERROR")]


def test_a_module_that_asks_for_a_folder_asks_for_nothing_that_could_be_missing(make_app):
    build = built(make_app({"a.js": 'export const base = new URL("./", import.meta.url)'}))

    assert build.problems == ()


def test_a_worker_from_the_bucket_is_warned_of_unless_the_setting_names_it(make_app):
    files = {"a.js": '\nnew Worker(new URL("./w.js", import.meta.url))', "w.js": "1"}

    assert told(built(make_app(files))) == [("a.js", 2, "WARNING")]
    assert told(built(make_app(files), FLASKS3_LOCAL=["w.js"])) == []


@pytest.mark.parametrize(
    ("filename", "broken"),
    [("a.js", 'import "./b.js"; const = ;;{ "'), ("a.css", "a{background:url(b .js)}")],
)
def test_a_broken_file_is_published_and_warned_of(make_app, filename, broken):
    build = built(make_app({filename: broken, "b.js": "1"}))

    assert ("WARNING") in [level for _, _, level in told(build)]
    assert any(data.startswith(broken[:1].encode()) for data in bodies(build).values())


# -- the graph


def test_a_change_renames_the_file_and_all_that_refer_to_it_and_nothing_else(make_app):
    files = {
        "a.css": "@import 'b.css'",
        "b.css": "a{background:url(i.png)}",
        "c.css": "c{}",
        "i.png": "1",
    }
    before = names_of(built(make_app(files)))

    after = names_of(built(make_app({**files, "i.png": "2"})))

    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"static/a.css", "static/b.css", "static/i.png"}


def test_modules_in_a_circle_have_one_digest_and_find_each_other(make_app):
    files = {
        "a.js": 'import "./b.js"; export const a = 1',
        "b.js": 'import "./a.js"; import "./c.js"',
        "c.js": "export {}",
    }
    build = built(make_app(files))

    digest = {
        DIGEST.search(published(build, f"static/{name}")).group() for name in ("a.js", "b.js")
    }
    assert len(digest) == 1
    assert content(build, "static/a.js") == 'import "./<b.js>"; export const a = 1'
    assert content(build, "static/b.js") == 'import "./<a.js>"; import "./<c.js>"'
    assert (
        names_of(built(make_app({**files, "c.js": "export {};"}))).keys() == names_of(build).keys()
    )


@pytest.mark.parametrize("changed", ["a.js", "b.js", "c.js"])
def test_a_change_anywhere_below_a_circle_renames_all_of_it(make_app, changed):
    files = {"a.js": 'import "./b.js"', "b.js": 'import "./a.js"; import "./c.js"', "c.js": "1"}
    before = names_of(built(make_app(files)))

    after = names_of(built(make_app({**files, changed: files[changed] + "\n"})))

    assert before["static/a.js"] != after["static/a.js"]
    assert before["static/b.js"] != after["static/b.js"]


def test_a_file_that_refers_to_itself_finds_itself(make_app):
    build = built(make_app({"a.svg": '<svg><use href="a.svg#x"/></svg>'}))

    assert content(build, "static/a.svg") == '<svg><use href="<a.svg>#x"/></svg>'


def test_a_chain_of_thousands_of_modules_is_no_recursion_error(make_app):
    count = 3000
    files = {f"m{n}.js": f'import "./m{n + 1}.js"' for n in range(count)} | {f"m{count}.js": ""}

    build = built(make_app(files))

    assert content(build, "static/m0.js") == 'import "./<m1.js>"'


def test_integrity_is_of_the_published_bytes_and_not_the_names_digest(make_app):
    build = built(make_app({"a.js": 'import "./b.js"', "b.js": 'import "./a.js"'}))

    for path, entry in build.manifest.entries.items():
        data = bodies(build)[f"static/{entry.identity.name}"]
        digest = hashlib.sha256(data).digest()
        assert entry.identity.integrity == f"sha256-{b64encode(digest).decode()}"
        assert digest.hex()[:16] not in entry.identity.name, path


# -- source maps


def test_a_source_map_is_shifted_with_the_names_that_got_longer(make_app):
    # ';' ends a line; AAAA: column 0; kBAAA: 18 columns on, behind `import"./b.js";` and a bit.
    source_map = '{"version":3,"sources":["a.ts"],"names":[],"mappings":"AAAA,kBAAkB"}'
    files = {
        "a.js": 'import"./b.js";go(1)\n//# sourceMappingURL=a.js.map',
        "a.js.map": source_map,
        "b.js": "1",
    }

    build = built(make_app(files))

    mapped = json.loads(bodies(build)[f"static/{published(build, 'static/a.js.map')}"])
    # 18 + the 17 characters of a digest and its dot
    assert mapped["mappings"] == "AAAA,mCAAkB"
    assert (
        content(build, "static/a.js") == 'import"./<b.js>";go(1)\n//# sourceMappingURL=<a.js.map>'
    )


# -- encodings


TEXT = "body { color: red } /* long enough to be worth it */\n" * 40


def test_variants_decode_to_the_same_and_keep_the_extension(make_app):
    build = built(make_app({"a.css": TEXT}), FLASKS3_ENCODINGS=["br", "gzip", "zstd"])

    entry = build.manifest.entries["static/a.css"]
    digest = sha256(TEXT.encode())[:16]
    assert {c: v.name for c, v in entry.variants.items()} == {
        "br": f"a.{digest}.br.css",
        "gzip": f"a.{digest}.gzip.css",
        "zstd": f"a.{digest}.zstd.css",
    }
    variant = next(o for o in build.objects if o.key == f"static/a.{digest}.br.css")
    assert brotli.decompress(body(variant)) == TEXT.encode()
    assert dict(variant.headers) == {
        "cache-control": IMMUTABLE,
        "content-encoding": "br",
        "content-type": "text/css; charset=utf-8",
    }
    assert variant.decoded == sha256(TEXT.encode())


@pytest.mark.parametrize(
    ("filename", "data"),
    [
        ("tiny.css", "a{}"),
        ("noise.txt", bytes(hashlib.sha256(bytes([n])).digest()[0] for n in range(256))),
        ("photo.png", TEXT),
        ("font.woff2", TEXT),
        ("empty.css", ""),
        ("robots.txt", TEXT),
        ("page.html", TEXT),
    ],
)
def test_what_is_not_worth_it_or_compressed_already_or_plain_has_no_variant(
    make_app, filename, data
):
    build = built(make_app({filename: data}), FLASKS3_ENCODINGS=["br", "gzip"])

    assert build.manifest.entries[f"static/{filename}"].variants == {}


def test_a_variant_refers_to_variants_of_its_own_coding_where_there_are_any(make_app):
    css = "@import 'b.css'; a{background:url(i.png)}" + TEXT
    files = {"a.css": css, "b.css": TEXT, "i.png": TEXT}

    build = built(make_app(files), FLASKS3_ENCODINGS=["br", "gzip"])

    entries = build.manifest.entries
    a, b, i = (entries[f"static/{name}"] for name in files)
    stored = {made.key: made for made in build.objects}
    decoded = brotli.decompress(body(stored[f"static/{a.variants['br'].name}"])).decode()
    assert decoded == css.replace("b.css", b.variants["br"].name).replace("i.png", i.identity.name)
    digest = b64encode(hashlib.sha256(decoded.encode()).digest()).decode()
    assert a.variants["br"].integrity == f"sha256-{digest}"


def test_a_script_that_imports_a_variant_has_one_however_small_it_is(make_app):
    """Else `tiny.js` would import the identity of a module that the page has as a variant."""
    big = "export const state = {};" + "/* long enough */" * 99
    files = {
        "main.js": f'import "./tiny.js"; import "./store.js";{big}',
        "tiny.js": 'export {state} from "./store.js"',
        "store.js": big,
        "other.js": 'import "./store.js"',
        "alone.js": "1",
    }

    build = built(make_app(files), FLASKS3_ENCODINGS=["br", "gzip"])

    variants = {path: sorted(e.variants) for path, e in build.manifest.entries.items()}
    assert variants == {
        "static/alone.js": [],
        **{f"static/{name}.js": ["br", "gzip"] for name in ("main", "other", "store", "tiny")},
    }
    stored = bodies(build)
    tiny, store = (
        build.manifest.entries[f"static/{name}.js"].variants["br"] for name in ("tiny", "store")
    )
    decoded = brotli.decompress(stored[f"static/{tiny.name}"]).decode()
    assert decoded == f'export {{state}} from "./{store.name}"'


def test_what_a_script_under_a_plain_name_imports_has_no_variant(make_app):
    big = "export const state = {};" + "/* long enough */" * 99
    files = {"plain.js": 'import "./a.js"', "a.js": big, "sw.js": 'import "./b.js"', "b.js": big}

    build = built(
        make_app(files), FLASKS3_ENCODINGS=["br"], FLASKS3_FINGERPRINT_EXCLUDE=["plain.js"]
    )

    assert sorted(build.manifest.entries["static/a.js"].variants) == []
    assert sorted(build.manifest.entries["static/b.js"].variants) == ["br"]


def test_variants_are_the_same_bytes_on_each_build(make_app):
    files = {"a.css": TEXT, "b.js": 'import "./c.js"' + "/* x */" * 99, "c.js": "1 + 1;" * 99}
    codings = ["br", "gzip", "zstd"]

    first = bodies(built(make_app(files, name="one"), FLASKS3_ENCODINGS=codings))
    second = bodies(built(make_app(files, name="two"), FLASKS3_ENCODINGS=codings))

    assert first == second


@pytest.mark.parametrize(
    "config",
    [
        {"FLASKS3_ENCODINGS": ["br"], "FLASKS3_FINGERPRINT": False},
        {"FLASKS3_INTEGRITY": True, "FLASKS3_FINGERPRINT": False},
        {"FLASKS3_ENCODINGS": ["br"], "FLASKS3_GZIP": True},
        {"FLASKS3_ENCODINGS": ["deflate"]},
        {"FLASKS3_ENCODINGS": "br"},
        {"FLASKS3_MANIFEST": ""},
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(make_app, config):
    with pytest.raises(SettingsError, match=next(iter(config))):
        built(make_app({}), **config)


# -- modules


def test_the_manifest_tells_what_each_module_may_import(make_app):
    files = {
        "entry.js": 'import "./a.js"; import(`./lang/${x}.js`); new URL("i.png", import.meta.url)',
        "a.js": "export {}",
        "lang/de.js": "export default 1",
        "lang/en.js": "export default 1",
        "old.js": "var x = 1",
        "i.png": "x",
    }

    build = built(make_app(files))

    assert dict(build.manifest.modules) == {
        "static/a.js": (),
        "static/entry.js": ("static/a.js", "static/lang/de.js", "static/lang/en.js"),
        "static/lang/de.js": (),
        "static/lang/en.js": (),
    }


# -- bundlers


def test_vites_manifest_tells_which_names_to_keep_and_how_to_look_an_entry_up(make_app):
    chunks = {
        "src/main.ts": {
            "file": "assets/main-AbCdEfGh.js",
            "css": ["assets/main-XyZwVuTs.css"],
            "assets": ["assets/logo-QqWwEeRr.svg"],
        }
    }
    app = make_app(
        {
            "dist/.vite/manifest.json": json.dumps(chunks),
            "dist/assets/main-AbCdEfGh.js": "1",
            "dist/assets/main-XyZwVuTs.css": "a{}",
            "dist/assets/logo-QqWwEeRr.svg": "<svg/>",
            "dist/other-AbCdEfGh.js": "1",
        }
    )

    build = built(app)

    kept = {path for path, name in names_of(build).items() if path.endswith(name)}
    assert kept == {
        "static/dist/assets/main-AbCdEfGh.js",
        "static/dist/assets/main-XyZwVuTs.css",
        "static/dist/assets/logo-QqWwEeRr.svg",
    }
    assert dict(build.manifest.aliases) == {
        "static/dist/src/main.ts": "static/dist/assets/main-AbCdEfGh.js"
    }


def test_what_vite_was_told_to_name_without_a_digest_is_not_cached_for_ever_under_that_name(
    make_app,
):
    chunks = {"src/main.ts": {"file": "assets/app.js", "css": ["assets/app.css"]}}
    app = make_app(
        {
            ".vite/manifest.json": json.dumps(chunks),
            "assets/app.js": "1",
            "assets/app.css": "a{}",
        }
    )

    build = built(app)

    cached = headers(build, "cache-control")
    assert cached["static/assets/app.js"] == cached["static/assets/app.css"] == SHORT
    assert DIGEST.search(names_of(build)["static/assets/app.js"])
    assert dict(build.manifest.aliases) == {"static/src/main.ts": "static/assets/app.js"}


def test_a_file_called_like_vites_folder_is_no_manifest_of_vites(make_app):
    assert built(make_app({".vite": "", "a.js": "1"})).notes == ()


@pytest.mark.parametrize("text", ["{", "[" * 200_000, "[]", '{"a": 1}', '{"a": {}}'])
def test_a_vite_manifest_that_cannot_be_read_is_named_and_the_rest_is_built(make_app, text):
    build = built(make_app({".vite/manifest.json": text, "a.js": "1"}))

    assert [note for note in build.notes if "is no manifest of Vite's" in note]
    assert "static/a.js" in bodies(build)


# -- bad input


def test_a_file_that_changes_while_it_is_built_stops_the_build(make_app, monkeypatch):
    from flask_s3.building import assembly

    app = make_app({"a.css": "a{}"})
    collect = assembly.collect

    def then_change(*arguments):
        collection = collect(*arguments)
        Path(app.static_folder, "a.css").write_text("a{color:red}")
        return collection

    monkeypatch.setattr(assembly, "collect", then_change)

    with pytest.raises(FlaskS3Error, match=r"a\.css cannot be read any more \(it changed"):
        built(app)


def test_a_key_with_a_digest_that_s3_would_not_take_is_refused_beforehand(make_app):
    folders = "/".join(["d" * 200] * 5)
    app = make_app({f"{folders}/{'x' * 10}.css": "a{}"})

    build = built(app)

    assert (
        "its key, with a digest in it, is longer than S3's 1024 bytes" in build.refusals[0].reason
    )


def test_a_name_that_a_digest_would_make_twice_is_told_rather_than_overwritten(make_app):
    name = f"a.{sha256(b'a{}')[:16]}.css"
    app = make_app({"a.css": "a{}", name: "b{}"})

    with pytest.raises(FlaskS3Error, match=f"Two files would be published as static/{name}"):
        built(app)


def test_a_part_of_the_files_cannot_be_published_under_fingerprints(make_app, mini_bucket):
    from flask_s3 import create_all

    app = make_app({"a.css": "a{}"}, {**mini_bucket.config, "FLASKS3_FINGERPRINT": True})

    with pytest.raises(SettingsError, match="a part of the files cannot be published by itself"):
        create_all(app, filepath_filter_regex="css")
