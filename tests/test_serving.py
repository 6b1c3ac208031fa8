"""URLs by the manifest: what pages, streams, mails and a careless template get."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest
from building import FINGERPRINTS, built
from flask import Flask, render_template_string, stream_template_string, url_for
from serving import IN_BUCKET, STORE, asked, asked_by_all

import flask_s3
from flask_s3 import FlaskS3, FlaskS3Error
from flask_s3.errors import BuildError, MissingFile
from flask_s3.manifest_file import write
from flask_s3.serve.serving import state_of

TEXT = "body { color: red } /* long enough */\n" * 40
FILES = {
    "css/app.css": TEXT,
    "js/entry.js": f'import "./a.js"; import(`./lang/${{x}}.js`);{TEXT}',
    "js/a.js": f"export {{}};/*{TEXT}*/",
    "js/lang/de.js": f"export {{}};/*{TEXT}*/",
    "img/a.png": "x",
    "font/a.woff2": "x",
    "data.json": "{}",
    "favicon.ico": "x",
    "my file+ä.css": "a{}",
    "sw.js": "1",
}
ACCEPTED = "gzip, deflate, br, zstd"


@pytest.fixture
def ready(make_app) -> Callable[..., Flask]:
    """Makes an app that was built, and serves by its manifest."""

    def make(files: dict[str, str] | None = None, **config: Any) -> Flask:
        app = make_app(FILES if files is None else files, {**IN_BUCKET, **FINGERPRINTS})
        app.config.update(config)
        build = built(app)
        write(app, state_of(app).settings(), build.manifest)
        FlaskS3(app)
        app.config["NAMES"] = {
            path.removeprefix("static/"): entry for path, entry in build.manifest.entries.items()
        }
        return app

    return make


def url(app: Flask, filename: str, codec: str | None = None) -> str:
    """The published URL of a file."""
    entry = app.config["NAMES"][filename]
    published = entry.variants[codec] if codec else entry.identity
    return f"{STORE}/static/{filename[: filename.rfind('/') + 1]}{published.name}"


def rendered(app: Flask, template: str, headers: dict[str, str] | None = None) -> flask.Response:
    app.add_url_rule("/page", "page", lambda: render_template_string(template))
    return app.test_client().get("/page", headers=headers)


def page(app: Flask, template: str, accepted: str | None = None) -> str:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    return rendered(app, template, headers).text


CSS = "{{ url_for('static', filename='css/app.css') }}"


# -- names


def test_every_caller_gets_the_published_name(ready):
    app = ready()

    assert set(asked_by_all(app, filename="css/app.css").values()) == {url(app, "css/app.css")}


def test_a_name_with_odd_characters_is_quoted(ready):
    app = ready()
    name = app.config["NAMES"]["my file+ä.css"].identity.name

    assert asked(app, filename="my file+ä.css") == f"{STORE}/static/" + name.replace(
        " ", "%20"
    ).replace("+", "%2B").replace("ä", "%C3%A4")


def test_queries_schemes_and_prefixes_stay_what_they_were(ready):
    app = ready(FLASKS3_PREFIX="v1", FLASKS3_CDN_DOMAIN="cdn.example.com/x")
    name = app.config["NAMES"]["v1/static/css/app.css".removeprefix("v1/static/")].identity.name

    assert asked(app, filename="css/app.css", v=3, _scheme="http") == (
        f"http://cdn.example.com/x/v1/static/css/{name}?v=3"
    )


def test_without_fingerprints_no_manifest_is_asked_for(make_app, caplog):
    app = make_app(FILES, IN_BUCKET)
    FlaskS3(app)

    assert asked(app, filename="css/app.css") == f"{STORE}/static/css/app.css"
    assert caplog.records == []


def test_the_manifest_is_read_once_and_late(ready, monkeypatch):
    app = ready()
    expected = url(app, "css/app.css")
    path = Path(app.root_path, "flask-s3-manifest.json")
    assert asked(app, filename="css/app.css") == expected
    path.unlink()

    assert asked(app, filename="css/app.css") == expected
    assert asked(app, filename="js/a.js") == url(app, "js/a.js")


def test_an_alias_of_vites_leads_to_the_file(ready):
    chunks = {"src/main.ts": {"file": "assets/main-AbCdEfGh.js"}}
    app = ready({".vite/manifest.json": json.dumps(chunks), "assets/main-AbCdEfGh.js": "1"})

    expected = f"{STORE}/static/assets/main-AbCdEfGh.js"
    assert asked(app, filename="src/main.ts") == expected
    assert asked(app, filename="assets/main-AbCdEfGh.js") == expected


# -- what the manifest does not know


def test_an_unknown_name_is_its_plain_url_with_one_warning(ready, caplog):
    app = ready()

    for _ in range(3):
        assert asked(app, filename="css/none.css") == f"{STORE}/static/css/none.css"

    (record,) = caplog.records
    assert record.name == "flask_s3"
    assert record.getMessage() == (
        "static/css/none.css is not in the manifest, so its plain URL is used: build again, or "
        "correct the name."
    )


def test_strict_raises_for_an_unknown_name(ready):
    app = ready(FLASKS3_STRICT=True)

    with pytest.raises(MissingFile, match=r"static/css/none\.css is not in the manifest, which"):
        asked(app, filename="css/none.css")
    assert issubclass(MissingFile, FlaskS3Error)


@pytest.mark.parametrize("filename", ["", "css/", "css", "js/lang/", "js/lang", "."])
def test_empty_names_and_folders_are_the_plain_base_without_a_warning(ready, caplog, filename):
    app = ready(FLASKS3_STRICT=True)

    expected = "" if filename == "." else filename
    assert asked(app, filename=filename) == f"{STORE}/static/{expected}"
    assert caplog.records == []


@pytest.mark.parametrize("filename", [".env", "css/.hidden/a.css", ".git/config"])
def test_hidden_files_are_flasks_own(ready, caplog, filename):
    assert asked(ready(FLASKS3_STRICT=True), filename=filename) == f"/static/{filename}"


def test_ignored_and_local_files_are_flasks_own(ready):
    app = ready(FLASKS3_IGNORE=["data.json"], FLASKS3_LOCAL=["sw.js"], FLASKS3_STRICT=True)

    assert asked(app, filename="data.json") == "/static/data.json"
    assert asked(app, filename="sw.js") == "/static/sw.js"


def test_a_plain_name_in_the_manifest_is_the_plain_url(ready):
    assert asked(ready(), filename="favicon.ico") == f"{STORE}/static/favicon.ico"


# -- without a manifest that can be used


def gone(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def newer(path: Path) -> None:
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))


def something_else(path: Path) -> None:
    path.write_text('{"name": "shop"}')


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


UNUSABLE = pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (gone, "cannot be read .*make it with `flask s3 build`"),
        (cut_off, "it is no whole JSON .*make it again with `flask s3 build`"),
        (newer, "is of version 2, which a newer Flask-S3 wrote, and this one reads 1: update"),
        (something_else, "it is no manifest of Flask-S3: make it again"),
        (no_text, "it is no whole JSON"),
    ],
)


@UNUSABLE
def test_without_a_usable_manifest_urls_are_plain_with_one_warning(ready, caplog, spoil, why):
    app = ready()
    spoil(Path(app.root_path, "flask-s3-manifest.json"))
    caplog.clear()

    assert asked(app, filename="css/app.css") == f"{STORE}/static/css/app.css"
    assert asked(app, filename="js/a.js") == f"{STORE}/static/js/a.js"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert re.search(why, record.getMessage())


@UNUSABLE
def test_strict_refuses_to_start_without_a_usable_manifest(ready, spoil, why):
    app = ready()
    spoil(Path(app.root_path, "flask-s3-manifest.json"))
    app.config["FLASKS3_STRICT"] = True

    with pytest.raises(BuildError, match=why):
        FlaskS3(app)


def test_strict_starts_in_debug_mode_where_files_are_flasks_own(make_app):
    app = make_app(FILES, {**IN_BUCKET, **FINGERPRINTS, "FLASKS3_STRICT": True, "DEBUG": True})
    FlaskS3(app)

    assert asked(app, filename="css/app.css") == "/static/css/app.css"


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.js",
        "a/b.js",
        "..",
        "https://evil.example/x.js",
        "//evil.example",
        "a\ud800.js",
        7,
    ],
)
def test_a_manifest_that_was_tampered_with_never_leads_elsewhere(ready, name):
    app = ready()
    path = Path(app.root_path, "flask-s3-manifest.json")
    value = json.loads(path.read_text())
    value["entries"]["static/css/app.css"][0] = name
    path.write_text(json.dumps(value))

    made = asked(app, filename="css/app.css")

    assert made == f"{STORE}/static/css/app.css"


def test_markup_in_a_tampered_name_is_escaped(ready):
    app = ready()
    path = Path(app.root_path, "flask-s3-manifest.json")
    value = json.loads(path.read_text())
    value["entries"]["static/css/app.css"][0] = '"><script>alert(1)<'
    value["aliases"]["static/x"] = "../../evil"
    value["modules"]["static/js/entry.js"] = [["x"], 7, "../../../evil.js"]
    value["entries"]["../../../evil.js"] = value["entries"]["static/js/a.js"]
    path.write_text(json.dumps(value))

    text = page(app, "{{ s3_stylesheet('css/app.css') }}{{ s3_importmap('js/entry.js') }}")

    assert "<script>alert" not in text
    assert "evil" not in text
    assert asked(app, filename="x") == f"{STORE}/static/x"


# -- encodings


ENCODED = {"FLASKS3_ENCODINGS": ("br", "gzip")}


@pytest.mark.parametrize(
    ("accepted", "codec"),
    [
        (None, None),
        ("", None),
        ("br", "br"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP, BR", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0, br;q=0", None),
        ("*", "br"),
        ("*;q=0", None),
        ("br;q=0, *", "gzip"),
        ("gzip, *;q=0", "gzip"),
        ("identity", None),
        ("identity;q=0", None),
        ("identity;q=0, gzip", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.9", "gzip"),
        ("deflate, compress", None),
        ("br;q=nonsense", None),
        ("br ; q=0.9 , gzip ;q=1.0", "gzip"),
        (",,;q=1,br", "br"),
    ],
)
def test_a_template_gets_the_variant_that_the_browser_prefers(ready, accepted, codec):
    app = ready(**ENCODED)

    assert page(app, CSS, accepted) == url(app, "css/app.css", codec)


def test_a_file_without_a_variant_is_served_as_it_is(ready):
    app = ready(**ENCODED)

    assert page(app, "{{ url_for('static', filename='img/a.png') }}", "br") == url(app, "img/a.png")


def test_whoever_may_not_be_the_browser_gets_the_file_without_encoding(ready):
    app = ready(**ENCODED)
    external = "{{ url_for('static', filename='css/app.css', _external=True) }}"

    with app.test_request_context("/", headers={"Accept-Encoding": ACCEPTED}):
        assert flask_s3.url_for("static", filename="css/app.css") == url(app, "css/app.css")
        assert url_for("static", filename="css/app.css") == url(app, "css/app.css")
        assert render_template_string(external) == url(app, "css/app.css")
    with app.app_context():
        assert render_template_string(CSS) == url(app, "css/app.css")


def test_macros_and_included_templates_negotiate_too(ready):
    app = ready(**ENCODED)
    macro = "{% macro css(name) %}{{ url_for('static', filename=name) }}{% endmacro %}"

    assert page(app, macro + "{{ css('css/app.css') }}", "br") == url(app, "css/app.css", "br")


def test_the_endpoint_can_be_given_by_name(ready):
    app = ready()

    assert asked_by_name(app) == url(app, "css/app.css")
    with app.test_request_context("/"), pytest.raises(TypeError):
        flask_s3.url_for("static", "css/app.css")
    with app.test_request_context("/"), pytest.raises(TypeError):
        flask_s3.url_for("static", endpoint="static", filename="css/app.css")


def asked_by_name(app: Flask) -> str:
    with app.test_request_context("/"):
        return flask_s3.url_for(endpoint="static", filename="css/app.css")


def test_a_page_whose_urls_were_chosen_varies(ready):
    app = ready(**ENCODED)
    app.add_url_rule("/plain", "plain", lambda: url_for("static", filename="css/app.css"))

    for accepted in ("br", "identity", None):
        headers = {} if accepted is None else {"Accept-Encoding": accepted}
        assert rendered_vary(app, headers) == ["Accept-Encoding"]
    assert app.test_client().get("/plain").vary.as_set() == set()


def rendered_vary(app: Flask, headers: dict[str, str]) -> list[str]:
    if "page" not in app.view_functions:
        app.add_url_rule("/page", "page", lambda: render_template_string(CSS))
    return list(app.test_client().get("/page", headers=headers).vary)


def test_vary_is_added_to_what_the_app_says_itself(ready):
    app = ready(**ENCODED)

    @app.get("/cookie")
    def cookie() -> flask.Response:
        response = flask.make_response(render_template_string(CSS))
        response.vary.add("Cookie")
        return response

    assert app.test_client().get("/cookie").headers["Vary"] == "Cookie, Accept-Encoding"


def test_without_encodings_nothing_varies(ready):
    assert rendered_vary(ready(), {"Accept-Encoding": "br"}) == []


def test_a_stream_that_starts_after_the_headers_gets_the_file_without_encoding(ready):
    app = ready(**ENCODED)
    app.add_url_rule("/stream", "stream", lambda: stream_template_string(CSS))

    response = app.test_client().get("/stream", headers={"Accept-Encoding": "br"})

    assert response.text == url(app, "css/app.css")
    assert list(response.vary) == []


def test_a_stream_whose_choice_was_made_in_time_goes_on_choosing(ready):
    app = ready(**ENCODED)

    @app.get("/stream")
    def stream() -> Any:
        render_template_string(CSS)
        return stream_template_string(CSS)

    response = app.test_client().get("/stream", headers={"Accept-Encoding": "br"})

    assert response.text == url(app, "css/app.css", "br")
    assert list(response.vary) == ["Accept-Encoding"]


def test_an_error_page_varies_as_well(ready):
    app = ready(**ENCODED)
    app.register_error_handler(404, lambda _error: (render_template_string(CSS), 404))

    response = app.test_client().get("/none", headers={"Accept-Encoding": "gzip"})

    assert (response.text, list(response.vary)) == (
        url(app, "css/app.css", "gzip"),
        ["Accept-Encoding"],
    )


def test_one_request_knows_nothing_of_another(ready):
    app = ready(**ENCODED)

    assert page(app, CSS, "br") == url(app, "css/app.css", "br")
    assert app.test_client().get("/page", headers={"Accept-Encoding": "gzip"}).text == url(
        app, "css/app.css", "gzip"
    )


# -- helpers


def test_a_script_and_a_stylesheet_by_name(ready):
    app = ready()

    assert page(app, "{{ s3_script('js/a.js') }}") == (
        f'<script src="{url(app, "js/a.js")}"></script>'
    )
    app = ready()
    assert page(app, "{{ s3_stylesheet('css/app.css') }}") == (
        f'<link rel="stylesheet" href="{url(app, "css/app.css")}">'
    )


@pytest.mark.parametrize(
    ("call", "attributes"),
    [
        ("s3_script('js/a.js', type='module', nonce='n')", ' type="module" nonce="n"'),
        ("s3_script('js/a.js', defer=True, async=False, id=none)", " defer"),
        ("s3_script('js/a.js', class='x', class_='y')", ' class="x" class="y"'),
        ("s3_script('js/a.js', data_turbo_track='reload')", ' data-turbo-track="reload"'),
        ("s3_script('js/a.js', nonce='\"><b>')", ' nonce="&#34;&gt;&lt;b&gt;"'),
    ],
)
def test_any_attribute_is_written_and_escaped(ready, call, attributes):
    app = ready()

    assert page(app, f"{{{{ {call} }}}}") == (
        f'<script src="{url(app, "js/a.js")}"{attributes}></script>'
    )


@pytest.mark.parametrize(
    ("filename", "rest"),
    [
        ("css/app.css", ' rel="preload" as="style"'),
        ("img/a.png", ' rel="preload" as="image"'),
        ("font/a.woff2", ' rel="preload" as="font" type="font/woff2" crossorigin="anonymous"'),
        ("data.json", ' rel="preload" as="fetch" crossorigin="anonymous"'),
        ("js/a.js", ' rel="modulepreload"'),
        ("sw.js", ' rel="preload" as="script"'),
    ],
)
def test_a_preload_says_what_the_browser_will_want_the_file_for(ready, filename, rest):
    app = ready()

    assert page(app, f"{{{{ s3_preload('{filename}') }}}}") == (
        f'<link href="{url(app, filename)}"{rest}>'
    )


def test_a_module_is_preloaded_as_one_whether_or_not_its_type_is_said(ready):
    app = ready()

    assert page(app, "{{ s3_preload('js/entry.js', type='module') }}") == (
        f'<link href="{url(app, "js/entry.js")}" rel="modulepreload">'
    )


def test_integrity_and_crossorigin_come_together_and_only_by_the_setting(ready):
    app = ready(FLASKS3_INTEGRITY=True)
    css, js = (app.config["NAMES"][n].identity.integrity for n in ("css/app.css", "js/a.js"))

    text = page(
        app,
        "{{ s3_stylesheet('css/app.css') }}{{ s3_preload('css/app.css') }}"
        "{{ s3_script('js/a.js') }}{{ s3_preload('js/a.js') }}{{ s3_preload('img/a.png') }}"
        "{{ s3_integrity('js/a.js') }}",
    )

    def trust(integrity: str) -> str:
        return f' integrity="{integrity}" crossorigin="anonymous"'

    assert text == (
        f'<link rel="stylesheet" href="{url(app, "css/app.css")}"{trust(css)}>'
        f'<link href="{url(app, "css/app.css")}" rel="preload" as="style"{trust(css)}>'
        f'<script src="{url(app, "js/a.js")}"{trust(js)}></script>'
        f'<link href="{url(app, "js/a.js")}" rel="modulepreload"{trust(js)}>'
        f'<link href="{url(app, "img/a.png")}" rel="preload" as="image">'
        f"{js}"
    ).replace("+", "&#43;" if "&#43;" in text else "+")


def test_a_style_sheet_that_another_imports_is_asked_for_without_cors_by_both(ready):
    files = {
        "all.css": '@import "one.css";',
        "one.css": "@import url(two.css) print;",
        "two.css": "",
    }
    app = ready(files, FLASKS3_INTEGRITY=True)

    text = page(app, "{{ s3_stylesheet('one.css') }}{{ s3_preload('two.css') }}")

    assert text == (
        f'<link rel="stylesheet" href="{url(app, "one.css")}">'
        f'<link href="{url(app, "two.css")}" rel="preload" as="style">'
    )


def test_the_integrity_is_that_of_the_variant(ready):
    app = ready(FLASKS3_INTEGRITY=True, **ENCODED)
    variant = app.config["NAMES"]["js/entry.js"].variants["br"]

    text = page(app, "{{ s3_script('js/entry.js') }}", "br")

    assert f'src="{url(app, "js/entry.js", "br")}" integrity="{variant.integrity}"' in text
    assert variant.integrity != app.config["NAMES"]["js/entry.js"].identity.integrity


@pytest.mark.parametrize("attribute", ["integrity='x'", "crossorigin='anonymous'", "src='x'"])
def test_integrity_and_crossorigin_by_hand_would_disagree_with_other_uses(ready, attribute):
    app = ready()

    with app.test_request_context("/"), pytest.raises(ValueError, match="by FLASKS3_INTEGRITY"):
        render_template_string(f"{{{{ s3_script('js/a.js', {attribute}) }}}}")


def test_a_preload_can_go_out_as_a_header(ready):
    app = ready(FLASKS3_INTEGRITY=True)
    integrity = app.config["NAMES"]["css/app.css"].identity.integrity

    response = rendered(
        app,
        "{{ s3_preload('css/app.css', header=True, media='(min-width: 9px)') }}"
        "{{ s3_preload('css/app.css', header=True, media='(min-width: 9px)') }}"
        "{{ s3_preload('font/a.woff2', header=True) }}",
    )

    assert response.text == ""
    assert response.headers.getlist("Link") == [
        (
            f'<{url(app, "css/app.css")}>; rel="preload"; as="style"; integrity="{integrity}"; '
            'crossorigin="anonymous"; media="(min-width: 9px)"'
        ),
        (
            f'<{url(app, "font/a.woff2")}>; rel="preload"; as="font"; type="font/woff2"; '
            'crossorigin="anonymous"'
        ),
    ]


def test_a_preload_that_comes_too_late_for_a_header_is_an_element(ready):
    app = ready()
    template = "{{ s3_preload('css/app.css', header=True) }}"
    app.add_url_rule("/stream", "stream", lambda: stream_template_string(template))

    assert app.test_client().get("/stream").text == (
        f'<link href="{url(app, "css/app.css")}" rel="preload" as="style">'
    )


def test_an_import_map_leads_from_plain_to_published_modules(ready):
    app = ready(FLASKS3_INTEGRITY=True)
    modules = ("js/entry.js", "js/a.js", "js/lang/de.js")

    text = page(app, "{{ s3_importmap('js/entry.js', nonce='n') }}")

    start, end = '<script type="importmap" nonce="n">', "</script>"
    assert text.startswith(start)
    assert text.endswith(end)
    assert json.loads(text.removeprefix(start).removesuffix(end)) == {
        "imports": {f"{STORE}/static/{name}": url(app, name) for name in modules},
        "integrity": {
            url(app, name): app.config["NAMES"][name].identity.integrity for name in modules
        },
    }


def test_an_import_map_leads_on_from_a_script_that_only_imports_what_it_computes(ready):
    files = {"main.js": "import(`./lang/${x}.js`)", "lang/de.js": "export {}", "lang/a+b.js": "1"}
    app = ready(files)

    text = page(app, "{{ s3_importmap('main.js') }}{{ s3_preload('main.js') }}")

    imports = json.loads(re.sub("<[^>]*>", "", text))["imports"]
    assert imports[f"{STORE}/static/lang/de.js"] == url(app, "lang/de.js")
    # Browsers write the name in a specifier otherwise than S3 wants it in a URL.
    assert imports[f"{STORE}/static/lang/a+b.js"] == url(app, "lang/a+b.js").replace("+", "%2B")
    assert 'rel="preload" as="script"' in text  # nothing says that it is a module


def test_an_import_map_leads_to_the_variants_that_the_browser_prefers(ready):
    app = ready(**ENCODED)

    text = page(app, "{{ s3_importmap('js/entry.js') }}", "br")

    imports = json.loads(re.sub("<[^>]*>", "", text))["imports"]
    assert imports[f"{STORE}/static/js/lang/de.js"] == url(app, "js/lang/de.js", "br")


def test_the_origin_can_stand_in_a_policy(ready):
    app = ready()

    assert page(app, "script-src 'self' {{ s3_origin }}; {{ 'x' if s3_origin }}") == (
        f"script-src 'self' {STORE}; x"
    )


def test_helpers_take_endpoints_as_url_for_does(ready, tmp_path):
    from serving import blueprint

    app = ready()
    admin = blueprint(tmp_path, "admin", "x.css", url_prefix="/admin")
    admin.add_url_rule(
        "/",
        "index",
        lambda: render_template_string("{{ s3_stylesheet('x.css', endpoint='.static') }}"),
    )
    app.register_blueprint(admin)

    assert f'href="{STORE}/admin/static/x.css"' in app.test_client().get("/admin/").text


def test_helpers_are_flasks_own_urls_without_integrity_when_inactive(ready):
    app = ready(FLASKS3_INTEGRITY=True, **ENCODED)
    app.config["FLASKS3_ACTIVE"] = False

    response = rendered(
        app,
        "{{ s3_stylesheet('css/app.css') }}{{ s3_script('js/a.js', nonce='n') }}"
        "{{ s3_integrity('js/a.js') }}{{ s3_importmap('js/entry.js') }}[{{ s3_origin }}]"
        "{{ s3_preload('css/app.css') }}",
        {"Accept-Encoding": "br"},
    )

    assert response.text == (
        '<link rel="stylesheet" href="/static/css/app.css">'
        '<script src="/static/js/a.js" nonce="n"></script>[]'
        '<link href="/static/css/app.css" rel="preload" as="style">'
    )
    assert list(response.vary) == []


@pytest.mark.parametrize("key", ["FLASKS3_FINGERPRINT", "FLASKS3_STRICT"])
def test_a_switch_that_is_none_is_named_by_the_first_url_and_not_when_the_app_loads(make_app, key):
    """So that the command, which loads the app too, can name it in one sentence."""
    app = make_app(FILES, {**IN_BUCKET, key: "perhaps"})
    FlaskS3(app)

    with pytest.raises(ValueError, match=f"{key} is 'perhaps'"):
        asked(app, filename="css/app.css")
