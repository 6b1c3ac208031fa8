"""What the guides say of pages, streams, mails, feeds and cached fragments, through real apps."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from building import FINGERPRINTS, built
from flask import (
    Flask,
    Response,
    current_app,
    render_template,
    render_template_string,
    request,
    stream_template_string,
    url_for,
)
from serving import IN_BUCKET, STORE

from flask_s3 import FlaskS3
from flask_s3.manifest_file import write
from flask_s3.serve.serving import state_of

TEXT = "/* long enough to be worth it */" * 40
FILES = {
    "css/tea.css": f"h1 {{ color: green }}{TEXT}",
    "img/shapes.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "js/tea.js": f"export {{}};{TEXT}",
    "js/worker.js": TEXT,
    "mail/logo.png": "x",
    "sw.js": "1",
    "tea.webmanifest": "{}",
}
ENCODED = {"FLASKS3_ENCODINGS": ("br", "gzip")}
BROTLI = {"Accept-Encoding": "br"}
CSS = "{{ url_for('static', filename='css/tea.css') }}"
FOR_ANYBODY = "{{ url_for('static', filename='css/tea.css', _external=True) }}"
DIGEST = r"\.[0-9a-f]{16}"


@pytest.fixture
def ready(make_app) -> Callable[..., Flask]:
    """Makes an app that was built, and serves by its manifest."""

    def make(files: dict[str, str] | None = None, **config: Any) -> Flask:
        settings = {**IN_BUCKET, **FINGERPRINTS, **config}
        app = make_app({**FILES, **(files or {})}, settings)
        write(app, state_of(app).settings(), built(app).manifest)
        FlaskS3(app)
        return app

    return make


def page(app: Flask, template: str) -> Callable[..., Response]:
    """Makes a template a page of the app; returns how it is asked for."""
    app.add_url_rule("/page", "page", lambda: render_template_string(template))
    return lambda **headers: app.test_client().get("/page", headers=headers)


def is_published(url: str, path: str, coding: str = "") -> bool:
    """Whether a URL is that of a file under fingerprints, with a coding or without."""
    folder, _, name = path.rpartition("/")
    stem, _, extension = name.rpartition(".")
    place = f"{STORE}/static/{folder}/{stem}"
    coding = rf"\.{coding}" if coding else ""
    return bool(re.fullmatch(rf"{re.escape(place)}{DIGEST}{coding}\.{extension}", url))


# -- what comes from the page's own origin


def test_local_files_keep_flasks_url_and_are_answered_by_the_app(ready):
    local = ["js/worker.js", "img/shapes.svg", "tea.webmanifest"]
    app = ready(FLASKS3_LOCAL=local)

    with app.test_request_context("/"):
        urls = [url_for("static", filename=name) for name in local]
    assert urls == [f"/static/{name}" for name in local]
    for url in urls:
        with app.test_client().get(url) as answer:
            assert answer.status_code == 200


def test_a_service_worker_from_a_template_names_what_is_published(ready):
    app = ready(**ENCODED)
    (app_templates(app) / "sw.js").write_text(FOR_ANYBODY)

    @app.get("/sw.js")
    def service_worker() -> Response:
        return Response(render_template("sw.js"), mimetype="text/javascript")

    answer = app.test_client().get("/sw.js", headers=BROTLI)

    assert is_published(answer.text, "css/tea.css")
    assert "Vary" not in answer.headers


def app_templates(app: Flask) -> Path:
    folder = Path(app.root_path, "templates")
    folder.mkdir()
    return folder


# -- a content security policy


def with_policy(app: Flask) -> Flask:
    """Makes an app send a policy, as docs/howto/csp-and-integrity.md does."""

    @app.after_request
    def policy(response: Response) -> Response:
        origin = current_app.jinja_env.globals["s3_origin"]
        response.headers["Content-Security-Policy"] = f"default-src 'self' {origin}".rstrip()
        return response

    return app


@pytest.mark.parametrize(
    ("config", "policy"),
    [
        ({}, f"default-src 'self' {STORE}"),
        (
            {"FLASKS3_CDN_DOMAIN": "cdn.example.com/shop"},
            "default-src 'self' https://cdn.example.com",
        ),
        ({"FLASKS3_ACTIVE": False}, "default-src 'self'"),
    ],
)
def test_a_policy_made_in_python_names_where_the_files_come_from(ready, config, policy):
    app = with_policy(ready(**config))

    answer = page(app, CSS)()

    assert answer.headers["Content-Security-Policy"] == policy


def test_every_tag_of_the_helpers_takes_a_nonce_and_its_integrity(ready):
    app = ready({"js/tea.js": 'import "./lazy.js"', "js/lazy.js": ""}, FLASKS3_INTEGRITY=True)
    template = (
        "{{ s3_importmap('js/tea.js', nonce='n') }}{{ s3_stylesheet('css/tea.css', nonce='n') }}"
        "{{ s3_script('js/tea.js', type='module', nonce='n') }}"
    )

    text = page(app, template)().text

    assert text.count('nonce="n"') == 3
    assert text.count('integrity="sha256-') == 2
    assert text.count('crossorigin="anonymous"') == 2


# -- streams


def streaming(app: Flask, template: str, *, choose: bool = False) -> Response:
    @app.get("/stream")
    def stream() -> Any:
        if choose:
            render_template_string(CSS)
        return stream_template_string(template)

    return app.test_client().get("/stream", headers=BROTLI)


def test_a_stream_names_the_uncompressed_files_since_vary_comes_too_late(ready):
    answer = streaming(ready(**ENCODED), CSS)

    assert is_published(answer.text, "css/tea.css")
    assert "Vary" not in answer.headers


def test_a_stream_names_variants_where_a_url_was_made_before_it_began(ready):
    answer = streaming(ready(**ENCODED), CSS, choose=True)

    assert is_published(answer.text, "css/tea.css", "br")
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("in_view", [False, True])
def test_a_preload_header_of_a_stream_is_an_element_unless_it_is_made_in_the_view(ready, in_view):
    app = ready()
    preload = "{{ s3_preload('css/tea.css', header=True) }}"

    @app.get("/stream")
    def stream() -> Any:
        if in_view:
            render_template_string(preload)
        return stream_template_string("" if in_view else preload)

    answer = app.test_client().get("/stream")

    assert ("<link" in answer.text, "Link" in answer.headers) == (not in_view, in_view)


# -- mails


def test_a_mail_made_outside_of_a_request_has_whole_urls(ready):
    app = ready(**ENCODED)

    with app.app_context():
        message = EmailMessage()
        message.set_content(render_template_string(CSS))

    assert is_published(message.get_content().strip(), "css/tea.css")


def test_a_mail_made_in_a_request_is_for_its_reader_and_not_for_who_asked(ready):
    app = ready(**ENCODED)

    @app.get("/send")
    def send() -> list[str]:
        return [render_template_string(CSS), render_template_string(FOR_ANYBODY)]

    wrong, right = app.test_client().get("/send", headers=BROTLI).json

    assert is_published(wrong, "css/tea.css", "br")
    assert is_published(right, "css/tea.css")


def test_what_is_excluded_has_a_url_that_outlives_every_release(ready):
    app = ready(FLASKS3_FINGERPRINT_EXCLUDE=["/mail/"])

    with app.app_context():
        assert url_for("static", filename="mail/logo.png") == f"{STORE}/static/mail/logo.png"


def test_external_is_whole_in_debug_mode_too(ready):
    app = ready(FLASKS3_ACTIVE=False, SERVER_NAME="shop.example")

    with app.app_context():
        url = url_for("static", filename="css/tea.css", _external=True)

    assert url == "http://shop.example/static/css/tea.css"


# -- feeds


FEED = """<feed xmlns="http://www.w3.org/2005/Atom">
<entry><content type="html">&lt;img src="{{
  url_for('static', filename='img/shapes.svg', _external=True) }}"&gt;</content></entry></feed>"""


def test_a_feed_is_the_same_for_every_reader(ready):
    ask = page(ready(**ENCODED), FEED)

    compressed, plain = ask(**BROTLI), ask()

    assert compressed.text == plain.text
    assert "Vary" not in compressed.headers
    content = ET.fromstring(plain.text)[0][0].text or ""
    assert is_published(content.split('"')[1], "img/shapes.svg")


# -- cached fragments


def caching(app: Flask, fragment: str, *, by_encoding: bool = False) -> Callable[..., Response]:
    """Makes an app that renders a fragment once, for all who come, or for each encoding."""
    kept: dict[str, str] = {}

    @app.get("/cached")
    def cached() -> str:
        key = request.headers.get("Accept-Encoding", "") if by_encoding else ""
        if key not in kept:
            kept[key] = render_template_string(fragment)
        return kept[key]

    return lambda **headers: app.test_client().get("/cached", headers=headers)


def test_a_fragment_kept_from_a_browser_with_brotli_is_no_good_for_another(ready):
    ask = caching(ready(**ENCODED), CSS)
    ask(**BROTLI)

    answer = ask()

    assert is_published(answer.text, "css/tea.css", "br")
    assert "Vary" not in answer.headers


def test_a_fragment_of_external_urls_is_good_for_anybody(ready):
    ask = caching(ready(**ENCODED), FOR_ANYBODY)
    ask(**BROTLI)

    assert is_published(ask().text, "css/tea.css")


def test_fragments_kept_by_encoding_are_each_good_for_theirs(ready):
    ask = caching(ready(**ENCODED), CSS, by_encoding=True)

    for _ in range(2):
        assert is_published(ask(**BROTLI).text, "css/tea.css", "br")
        assert is_published(ask().text, "css/tea.css")


def test_a_fragment_goes_on_naming_the_release_that_it_was_made_in(ready):
    app = ready()
    ask = caching(app, CSS)
    before = ask().text

    Path(app.root_path, "static/css/tea.css").write_text("h2 { color: red }")
    write(app, state_of(app).settings(), built(app).manifest)
    state_of(app).forget()
    with app.test_request_context("/"):
        now = render_template_string(CSS)

    assert ask().text == before != now
    assert urlsplit(before).netloc == urlsplit(now).netloc
