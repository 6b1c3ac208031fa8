"""Rows of COMPAT.md, "`url_for`", and Flask's own edges."""

from __future__ import annotations

import subprocess
import sys

import flask
import pytest
from flask import Blueprint, Flask
from serving import (
    BUCKET,
    CALLERS,
    IN_BUCKET,
    STORE,
    all_get,
    asked,
    asked_by_all,
    blueprint,
    collected,
    key_in,
)
from werkzeug.routing import BuildError

from flask_s3 import FlaskS3

CSS = {"a.css": "a{}"}


@pytest.fixture
def app(make_app) -> Flask:
    app = make_app(CSS, IN_BUCKET)
    app.add_url_rule("/cart", "cart", lambda: "")
    app.add_url_rule("/item/<int:number>", "item", lambda **_: "")
    FlaskS3(app)
    return app


# -- which endpoints


@pytest.mark.parametrize(
    ("endpoint", "values", "url"),
    [
        ("cart", {}, "/cart"),
        ("item", {"number": 7, "colour": "red"}, "/item/7?colour=red"),
        ("cart", {"_external": True}, "http://localhost/cart"),
        ("cart", {"_external": True, "_scheme": "https"}, "https://localhost/cart"),
        ("cart", {"_anchor": "top"}, "/cart#top"),
        ("cart", {"filename": "a.css"}, "/cart?filename=a.css"),
    ],
)
def test_a_dynamic_url_is_flasks_own(app, endpoint, values, url):
    assert asked_by_all(app, endpoint, **values) == all_get(url)


@pytest.mark.parametrize("endpoint", ["nowhere", "nowhere.static", "a.b.static", "", ".", ".x"])
@pytest.mark.parametrize("caller", CALLERS)
def test_an_unknown_endpoint_is_flasks_build_error(app, caller, endpoint):
    with app.test_request_context("/"), pytest.raises(BuildError):
        CALLERS[caller](app, endpoint, {"filename": "a.css"})


def test_an_unknown_endpoint_reaches_the_apps_own_handler(app):
    app.url_build_error_handlers.append(lambda _error, endpoint, _values: f"/sorry/{endpoint}")
    assert asked_by_all(app, "no.static", filename="x") == all_get("/sorry/no.static")


@pytest.mark.parametrize("values", [{}, {"filename": None}])
def test_a_static_url_without_a_file_name_is_flasks_build_error(app, values):
    with pytest.raises(BuildError):
        asked(app, **values)


def test_a_static_route_registered_after_a_first_url_is_found(app, tmp_path):
    with pytest.raises(BuildError):
        asked(app, "late.static", filename="x.css")
    app.register_blueprint(blueprint(tmp_path, "late", "x.css", url_prefix="/late"))
    assert asked(app, "late.static", filename="x.css") == f"{STORE}/late/static/x.css"


# -- _scheme, and what means nothing


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("use_https", [True, False])
def test__scheme_overrides_the_scheme_of_one_url(make_app, use_https, scheme):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_USE_HTTPS": use_https})
    FlaskS3(app)
    usual = f"{'https' if use_https else 'http'}://{BUCKET}.s3.amazonaws.com/static/a.css"
    special = f"{scheme}://{BUCKET}.s3.amazonaws.com/static/a.css"
    seen = [asked_by_all(app, filename="a.css", **values) for values in ({}, {"_scheme": scheme})]
    assert seen == [all_get(usual), all_get(special)]
    assert asked(app, filename="a.css") == usual


def test_an_empty__scheme_leaves_the_scheme_to_the_page(app):
    assert asked(app, filename="a.css", _scheme="") == f"//{BUCKET}.s3.amazonaws.com/static/a.css"


def test__scheme_overrides_the_scheme_of_a_cdn_domain(make_app):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_CDN_DOMAIN": "https://cdn.example.com"})
    assert asked(app, filename="a.css", _scheme="http") == "http://cdn.example.com/static/a.css"


@pytest.mark.parametrize(
    "values",
    [
        {"_external": True},
        {"_external": False},
        {"_method": "GET"},
        {"_anchor": "top"},
        {"_external": True, "_method": "POST", "_anchor": "x", "_scheme": None},
    ],
)
def test__external__method_and__anchor_never_show_up_in_a_static_url(app, values):
    assert asked_by_all(app, filename="a.css", **values) == all_get(f"{STORE}/static/a.css")


# -- extra values


@pytest.mark.parametrize(
    ("values", "query"),
    [
        ({"v": 1}, "?v=1"),
        ({"v": "1", "w": "2"}, "?v=1&w=2"),
        ({"v": ["1", 2]}, "?v=1&v=2"),
        ({"v": ("1", "2")}, "?v=1&v=2"),
        ({"v": []}, ""),
        ({"v": None}, ""),
        ({"v": ["1", None]}, "?v=1"),
        ({"v": ""}, "?v="),
        ({"v": True}, "?v=True"),
        ({"v": "a b&c=dä/?:@"}, "?v=a+b%26c%3Dd%C3%A4/?:@"),
        ({"ä b": "x"}, "?%C3%A4+b=x"),
    ],
    ids=str,
)
def test_any_other_value_is_a_query_argument_as_in_flask(app, values, query):
    app.config["FLASKS3_ACTIVE"] = False
    assert asked(app, filename="a.css", **values) == f"/static/a.css{query}"
    app.config["FLASKS3_ACTIVE"] = True
    assert asked_by_all(app, filename="a.css", **values) == all_get(f"{STORE}/static/a.css{query}")


def test_query_arguments_are_sorted_where_the_app_sorts_them(app):
    app.url_map.sort_parameters = True
    assert asked(app, filename="a.css", b=2, a=1) == f"{STORE}/static/a.css?a=1&b=2"


# -- no bucket


@pytest.mark.parametrize("bucket", [{}, {"FLASKS3_BUCKET_NAME": None}, {"FLASKS3_BUCKET_NAME": ""}])
@pytest.mark.parametrize("caller", CALLERS)
def test_no_bucket_is_a_value_error_that_names_the_setting(make_app, caller, bucket):
    app = make_app(CSS, bucket)
    FlaskS3(app)
    with app.test_request_context("/"), pytest.raises(ValueError) as caught:
        CALLERS[caller](app, "static", {"filename": "a.css"})
    assert str(caught.value) == (
        "FLASKS3_BUCKET_NAME is not set, so there is no bucket to publish to or to serve from: "
        'set app.config["FLASKS3_BUCKET_NAME"] to the bucket\'s name.'
    )


@pytest.mark.parametrize("wrong", [{}, {"FLASKS3_BUCKET_NAME": 5}, {"FLASKS3_URL_STYLE": "?"}])
def test_a_dynamic_url_needs_no_bucket_and_no_correct_settings(make_app, wrong):
    app = make_app(CSS, wrong)
    app.add_url_rule("/cart", "cart", lambda: "")
    FlaskS3(app)
    assert asked_by_all(app, "cart") == all_get("/cart")


def test_a_mistake_in_what_only_a_deploy_needs_leaves_the_pages_up(make_app):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_GZIP_ONLY_EXTS": 5, "AWS_ACCESS_KEY_ID": 5})
    FlaskS3(app)
    assert asked(app, filename="a.css") == f"{STORE}/static/a.css"


# -- TESTING


@pytest.mark.parametrize(
    ("testing", "override", "url"),
    [
        (True, True, f"{STORE}/static/a.css"),
        (True, False, "/static/a.css"),
        (False, True, f"{STORE}/static/a.css"),
        (False, False, f"{STORE}/static/a.css"),
    ],
)
def test_while_testing_without_flasks3_override_testing_urls_are_flasks(
    make_app, testing, override, url
):
    app = make_app(CSS, {**IN_BUCKET, "TESTING": testing, "FLASKS3_OVERRIDE_TESTING": override})
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(url)


def test_while_testing_urls_are_the_stores_unless_told_otherwise(make_app):
    app = make_app(CSS, {**IN_BUCKET, "TESTING": True})
    assert asked(app, filename="a.css") == f"{STORE}/static/a.css"


# -- file names


@pytest.mark.parametrize(
    ("filename", "path"),
    [
        ("css/a.css", "css/a.css"),
        ("Äpfel.png", "%C3%84pfel.png"),
        ("a b.png", "a%20b.png"),
        ("a+b.png", "a%2Bb.png"),  # S3 reads a plain + as a space
        ("100%.png", "100%25.png"),
        ("%2e%2e/x", "%252e%252e/x"),
        ("a?b#c.png", "a%3Fb%23c.png"),
        ("a\\b", "a%5Cb"),
        ("a;b=c,d@e:f!$&'()*~.png", "a;b=c,d@e:f!$&'()*~.png"),
        ("😀.svg", "%F0%9F%98%80.svg"),
        ("e\u0301.png", "e%CC%81.png"),  # as the file system has it: no normalisation
        (".well-known/x", ".well-known/x"),
        ("/a.css", "a.css"),
        ("css//a.css", "css/a.css"),
        ("./css/./a.css", "css/a.css"),
        (42, "42"),
    ],
)
def test_a_file_name_is_quoted_so_that_the_store_reads_the_key(app, filename, path):
    assert asked_by_all(app, filename=filename) == all_get(f"{STORE}/static/{path}")


@pytest.mark.parametrize("filename", ["../x", "..", "a/../../x", "/../x", "a/..", "./../x"])
@pytest.mark.parametrize("prefix", ["", "v1", "a/b"])
def test_dots_in_a_file_name_never_lead_out_of_the_prefix(make_app, prefix, filename):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_PREFIX": prefix})
    FlaskS3(app)
    assert asked_by_all(app, filename=filename) == all_get(f"/static/{filename}")


@pytest.mark.parametrize("filename", ["%2e%2e/x", "%2E%2E%2fx", "..%2fx", ".%2e/x"])
def test_quoted_dots_in_a_file_name_never_lead_out_of_the_prefix(app, filename):
    url = asked(app, filename=filename)
    assert key_in(url) == f"static/{filename}"
    path = url.removeprefix(STORE).lower()
    assert "/../" not in path.replace("%2e", ".")


# -- Flask's edges


@pytest.mark.parametrize("base_url", ["http://localhost/", "http://localhost/shop"])
def test_script_name_and_application_root_are_no_part_of_a_key(make_app, base_url):
    app = make_app({**CSS, "sw.js": ""}, {**IN_BUCKET, "FLASKS3_LOCAL": ["sw.js"]})
    app.config["APPLICATION_ROOT"] = "/shop"
    FlaskS3(app)
    with app.test_request_context("/", base_url=base_url):
        assert flask.url_for("static", filename="a.css") == f"{STORE}/static/a.css"
        local = "/shop/static/sw.js" if base_url.endswith("shop") else "/static/sw.js"
        assert flask.url_for("static", filename="sw.js") == local
    with app.app_context():
        assert flask.url_for("static", filename="a.css") == f"{STORE}/static/a.css"
    assert collected(app) == ["static/a.css", "static/sw.js"]


def test_server_name_is_no_part_of_a_static_url(make_app):
    app = make_app({**CSS, "sw.js": ""}, {**IN_BUCKET, "FLASKS3_LOCAL": ["sw.js"]})
    app.config.update(SERVER_NAME="shop.example.com", PREFERRED_URL_SCHEME="https")
    FlaskS3(app)
    with app.app_context():
        assert flask.url_for("static", filename="a.css") == f"{STORE}/static/a.css"
        assert flask.url_for("static", filename="sw.js") == "https://shop.example.com/static/sw.js"


def test_host_matching_with_a_static_host(make_app):
    app = make_app(
        {**CSS, "sw.js": ""},
        {**IN_BUCKET, "FLASKS3_LOCAL": ["sw.js"]},
        host_matching=True,
        static_host="static.example.com",
    )
    app.add_url_rule("/cart", "cart", lambda: "", host="shop.example.com")
    FlaskS3(app)
    with app.test_request_context("/cart", base_url="http://shop.example.com"):
        assert flask.url_for("static", filename="a.css") == f"{STORE}/static/a.css"
        assert flask.url_for("static", filename="sw.js") == "http://static.example.com/static/sw.js"
        assert flask.url_for("cart") == "/cart"
    assert collected(app) == ["static/a.css", "static/sw.js"]


def test_host_matching_with_any_host_stays_flasks_own(make_app):
    """The host is a variable, so which files there are is the app's affair."""
    app = make_app(CSS, IN_BUCKET, host_matching=True, static_host="<tenant>.example.com")
    FlaskS3(app)
    with app.test_request_context("/", base_url="http://shop.example.com"):
        url = flask.url_for("static", filename="a.css", tenant="blog")
    assert url == "http://blog.example.com/static/a.css"
    assert collected(app) == []


def test_subdomain_matching(make_app, tmp_path):
    app = make_app(CSS, {**IN_BUCKET, "SERVER_NAME": "example.com"}, subdomain_matching=True)
    app.register_blueprint(blueprint(tmp_path, "api", "b.css", subdomain="api", url_prefix="/v2"))
    FlaskS3(app)
    with app.test_request_context("/", base_url="http://api.example.com"):
        assert flask.url_for("static", filename="a.css") == f"{STORE}/static/a.css"
        assert flask.url_for("api.static", filename="b.css") == f"{STORE}/v2/static/b.css"
    assert collected(app) == ["static/a.css", "v2/static/b.css"]


def test_url_for_in_a_request_of_another_blueprint(make_app, tmp_path):
    app = make_app(CSS, IN_BUCKET)
    app.register_blueprint(blueprint(tmp_path, "shop", "a.css", url_prefix="/shop"))
    other = Blueprint("other", __name__, url_prefix="/other")
    other.add_url_rule("/", "index", lambda: flask.url_for("shop.static", filename="a.css"))
    app.register_blueprint(other)
    FlaskS3(app)
    assert app.test_client().get("/other/").text == f"{STORE}/shop/static/a.css"


# -- what serving costs


def test_serving_imports_neither_boto3_nor_awscrt_nor_pathspec(tmp_path):
    """Measured in a process of its own, after a page was rendered."""
    page = f"""
import sys
from flask import Flask, render_template_string
from flask_s3 import FlaskS3
app = Flask("shop", root_path={str(tmp_path)!r})
app.config.update(FLASKS3_BUCKET_NAME="b-1", FLASKS3_PREFIX="ä b", FLASKS3_REGION="eu-west-1")
FlaskS3(app)
app.add_url_rule("/", "page", lambda: render_template_string(
    "{{{{ url_for('static', filename='a b.css', v=1) }}}} {{{{ url_for('page') }}}}"))
print(app.test_client().get("/").text)
heavy = ["boto3", "botocore", "awscrt", "pathspec", "rich", "asyncio", "flask_s3.release.deploy"]
print([name for name in heavy if name in sys.modules])
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", page], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == [
        "https://b-1.s3.amazonaws.com/%C3%A4%20b/static/a%20b.css?v=1 /",
        "[]",
    ]


def test_serving_reads_no_disk(make_app):
    app = make_app(None, IN_BUCKET, static_folder="never-made")
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(f"{STORE}/never-made/a.css")
