"""Rows of COMPAT.md, "Defects of 0.3.3": those that show in URLs and keys."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import flask
import pytest
from flask import Blueprint, Flask, g
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
from flask_s3.building.collect import Selection, collect
from flask_s3.serve.serving import state_of

CSS = {"a.css": "a{}"}


def _notes(app: Flask) -> tuple[str, ...]:
    return collect(app, state_of(app).settings(), Selection()).warnings


def _assert_keys_are_url_paths(app: Flask, *asked_for: tuple[str, str]) -> None:
    """What is collected is what is asked for, at the path where Flask itself serves it."""
    keys = [key_in(asked(app, endpoint, filename=name)) for endpoint, name in asked_for]
    assert collected(app) == sorted(set(keys))
    for key in keys:
        with app.test_client().get(f"/{quote(key)}") as answer:
            assert answer.status_code == 200, key


# -- URLs ignore FLASKS3_REGION and FLASKS3_ENDPOINT_URL; dotted bucket names break TLS


@pytest.mark.parametrize(
    ("region", "host"),
    [
        (None, "shop-assets.s3.amazonaws.com"),
        ("us-east-1", "shop-assets.s3.amazonaws.com"),
        ("eu-west-1", "shop-assets.s3.amazonaws.com"),
        ("eu-north-1", "shop-assets.s3.amazonaws.com"),  # December 2018
        ("ap-east-1", "shop-assets.s3.ap-east-1.amazonaws.com"),  # April 2019
        ("me-south-1", "shop-assets.s3.me-south-1.amazonaws.com"),
        ("eu-south-2", "shop-assets.s3.eu-south-2.amazonaws.com"),
        ("us-gov-west-1", "shop-assets.s3.us-gov-west-1.amazonaws.com"),  # a partition of its own
        ("cn-north-1", "shop-assets.s3.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "shop-assets.s3.eusc-de-east-1.amazonaws.eu"),
        ("DEFAULT", "shop-assets.s3.amazonaws.com"),
        ("EU", "shop-assets.s3.amazonaws.com"),
        ("USWest", "shop-assets.s3.amazonaws.com"),
        ("APSoutheast", "shop-assets.s3.amazonaws.com"),
    ],
)
def test_the_host_is_the_global_one_where_it_works_else_the_regions(make_app, region, host):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_REGION": region})
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(f"https://{host}/static/a.css")


@pytest.mark.parametrize(
    ("config", "base"),
    [
        ({}, "https://s3.amazonaws.com/my.shop"),
        ({"FLASKS3_REGION": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/my.shop"),
        ({"FLASKS3_REGION": "cn-north-1"}, "https://s3.cn-north-1.amazonaws.com.cn/my.shop"),
        ({"FLASKS3_USE_HTTPS": False}, "http://my.shop.s3.amazonaws.com"),
        ({"FLASKS3_URL_STYLE": "host"}, "https://my.shop.s3.amazonaws.com"),
        ({"FLASKS3_BUCKET_DOMAIN": "s3.amazonaws.com"}, "https://my.shop.s3.amazonaws.com"),
        ({"FLASKS3_CDN_DOMAIN": "cdn.example.com"}, "https://cdn.example.com"),
    ],
)
def test_a_dotted_bucket_name_with_https_is_in_the_path_unless_settings_say_otherwise(
    make_app, config, base
):
    app = make_app(CSS, {"FLASKS3_BUCKET_NAME": "my.shop", **config})
    FlaskS3(app)
    assert asked(app, filename="a.css") == f"{base}/static/a.css"


@pytest.mark.parametrize(
    ("config", "base"),
    [
        # path style on AWS: the regional host, for the global one redirects (301) elsewhere
        ({"FLASKS3_URL_STYLE": "path"}, f"https://s3.amazonaws.com/{BUCKET}"),
        (
            {"FLASKS3_URL_STYLE": "path", "FLASKS3_REGION": "eu-west-1"},
            f"https://s3.eu-west-1.amazonaws.com/{BUCKET}",
        ),
        # a store of somebody else's
        ({"FLASKS3_ENDPOINT_URL": "https://s3.example.com"}, f"https://s3.example.com/{BUCKET}"),
        ({"FLASKS3_ENDPOINT_URL": "http://localhost:9000"}, f"http://localhost:9000/{BUCKET}"),
        ({"FLASKS3_ENDPOINT_URL": "http://[::1]:9000/"}, f"http://[::1]:9000/{BUCKET}"),
        (
            {"FLASKS3_ENDPOINT_URL": "https://s3.example.com", "FLASKS3_REGION": "eu-south-1"},
            f"https://s3.example.com/{BUCKET}",
        ),
        (
            {"FLASKS3_ENDPOINT_URL": "https://s3.example.com", "FLASKS3_URL_STYLE": "host"},
            f"https://{BUCKET}.s3.example.com",
        ),
        (
            {"FLASKS3_ENDPOINT_URL": "https://s3.example.com", "FLASKS3_URL_STYLE": "path"},
            f"https://s3.example.com/{BUCKET}",
        ),
        (
            {"FLASKS3_ENDPOINT_URL": "http://127.0.0.1:9000", "FLASKS3_URL_STYLE": "host"},
            f"http://127.0.0.1:9000/{BUCKET}",
        ),
        (
            {"FLASKS3_ENDPOINT_URL": "http://[::1]:9000", "FLASKS3_URL_STYLE": "host"},
            f"http://[::1]:9000/{BUCKET}",
        ),
        (
            {"FLASKS3_ENDPOINT_URL": "http://s3.example.com", "FLASKS3_USE_HTTPS": True},
            f"https://s3.example.com/{BUCKET}",
        ),
        (
            {"FLASKS3_ENDPOINT_URL": "https://notamazonaws.com"},
            f"https://notamazonaws.com/{BUCKET}",
        ),
        # AWS's own endpoints, private ones too, are no public host
        (
            {
                "FLASKS3_ENDPOINT_URL": "https://s3.dualstack.eu-south-1.amazonaws.com",
                "FLASKS3_REGION": "eu-south-1",
            },
            f"https://{BUCKET}.s3.eu-south-1.amazonaws.com",
        ),
        # explicit settings win
        (
            {
                "FLASKS3_ENDPOINT_URL": "https://s3.example.com",
                "FLASKS3_BUCKET_DOMAIN": "pub.example.com",
            },
            f"https://{BUCKET}.pub.example.com",
        ),
        (
            {
                "FLASKS3_ENDPOINT_URL": "https://s3.example.com",
                "FLASKS3_BUCKET_DOMAIN": "pub.example.com",
                "FLASKS3_URL_STYLE": "path",
            },
            f"https://pub.example.com/{BUCKET}",
        ),
        (
            {
                "FLASKS3_ENDPOINT_URL": "https://s3.example.com",
                "FLASKS3_BUCKET_DOMAIN": "pub.example.com",
                "FLASKS3_CDN_DOMAIN": "cdn.example.com",
            },
            "https://cdn.example.com",
        ),
        (
            {"FLASKS3_REGION": "eu-south-1", "FLASKS3_BUCKET_DOMAIN": "s3.amazonaws.com"},
            STORE,
        ),
        # an empty domain is none
        ({"FLASKS3_BUCKET_DOMAIN": "", "FLASKS3_CDN_DOMAIN": ""}, STORE),
        ({"FLASKS3_BUCKET_DOMAIN": None, "FLASKS3_CDN_DOMAIN": None}, STORE),
        ({"FLASKS3_CDN_DOMAIN": "/"}, STORE),
    ],
    ids=str,
)
@pytest.mark.parametrize("prepared", [True, False], ids=["FlaskS3(app)", "without FlaskS3"])
def test_the_host_in_urls_is_the_one_that_the_settings_name(make_app, prepared, config, base):
    app = make_app(CSS, {**IN_BUCKET, **config})
    if prepared:
        FlaskS3(app)
    assert asked(app, filename="a.css") == f"{base}/static/a.css"


# -- flask.url_for / app.url_for are not rewritten; a Jinja environment made anew loses it


@pytest.mark.parametrize("caller", CALLERS)
def test_every_caller_gets_the_stores_url(make_app, caller):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    with app.test_request_context("/"):
        url = CALLERS[caller](app, "static", {"filename": "a.css"})
    assert url == f"{STORE}/static/a.css"


def test_flasks3_python_urls_off_rewrites_templates_and_flask_s3_alone_as_in_0_3(make_app):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_PYTHON_URLS": False})
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == {
        "flask_s3.url_for": f"{STORE}/static/a.css",
        "template": f"{STORE}/static/a.css",
        "flask.url_for": "/static/a.css",
        "app.url_for": "/static/a.css",
        "new Jinja environment": "/static/a.css",
    }


# -- .static in a blueprint: BuildError


def test_a_relative_endpoint_is_the_blueprints_own(make_app, tmp_path):
    app = make_app(CSS, IN_BUCKET)
    bp = blueprint(tmp_path, "shop", "a.css", url_prefix="/shop")
    seen = {}
    bp.add_url_rule("/", "index", lambda: seen.update(_from_all_callers(".static")) or "")
    app.register_blueprint(bp)
    FlaskS3(app)
    app.test_client().get("/shop/")
    assert seen == all_get(f"{STORE}/shop/static/a.css")


def test_a_relative_endpoint_in_a_nested_blueprint_is_the_innermost_ones(make_app, tmp_path):
    app = make_app(CSS, IN_BUCKET)
    outer = blueprint(tmp_path, "outer", "a.css", url_prefix="/outer")
    inner = blueprint(tmp_path, "inner", "a.css", url_prefix="/inner")
    seen = {}
    inner.add_url_rule("/", "index", lambda: seen.update(_from_all_callers(".static")) or "")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    FlaskS3(app)
    app.test_client().get("/outer/inner/")
    assert seen == all_get(f"{STORE}/outer/inner/static/a.css")


def test_a_relative_endpoint_outside_a_blueprint_is_the_apps(make_app):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    assert asked_by_all(app, ".static", filename="a.css") == all_get(f"{STORE}/static/a.css")


def test_a_relative_endpoint_without_a_request_is_flasks_build_error(make_app):
    app = make_app(CSS, {**IN_BUCKET, "SERVER_NAME": "example.com"})
    FlaskS3(app)
    with app.app_context(), pytest.raises(BuildError):
        flask.url_for(".static", filename="a.css")


def test_a_relative_endpoint_in_a_blueprint_without_files_is_flasks_build_error(make_app):
    app = make_app(CSS, IN_BUCKET)
    bare = Blueprint("bare", __name__, url_prefix="/bare")
    bare.add_url_rule("/", "index", lambda: flask.url_for(".static", filename="a.css"))
    app.register_blueprint(bare)
    FlaskS3(app)
    app.testing = True
    with pytest.raises(BuildError):
        app.test_client().get("/bare/")


def _from_all_callers(endpoint: str) -> dict[str, str]:
    app = flask.current_app
    return {name: ask(app, endpoint, {"filename": "a.css"}) for name, ask in CALLERS.items()}


# -- url_defaults / url_value_preprocessor ignored


def test_url_defaults_of_the_app_are_honoured(make_app):
    app = make_app(CSS, IN_BUCKET)
    app.url_defaults(lambda _endpoint, values: values.setdefault("v", f"{values['filename']}1"))
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(f"{STORE}/static/a.css?v=a.css1")
    assert asked_by_all(app, filename="a.css", v=2) == all_get(f"{STORE}/static/a.css?v=2")
    assert asked_by_all(app, filename="a.css", v=2, _scheme="http") == all_get(
        f"http://{BUCKET}.s3.amazonaws.com/static/a.css?v=2"
    )


def test_url_defaults_of_a_blueprint_are_honoured_for_its_files_alone(make_app, tmp_path):
    app = make_app(CSS, IN_BUCKET)
    outer = blueprint(tmp_path, "outer", "a.css", url_prefix="/o")
    inner = blueprint(tmp_path, "inner", "a.css", url_prefix="/i")
    outer.url_defaults(lambda _endpoint, values: values.setdefault("outer", 1))
    inner.url_defaults(lambda _endpoint, values: values.setdefault("inner", 2))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    FlaskS3(app)
    assert asked(app, filename="a.css") == f"{STORE}/static/a.css"
    assert asked(app, "outer.static", filename="a.css") == f"{STORE}/o/static/a.css?outer=1"
    nested = asked(app, "outer.inner.static", filename="a.css")
    app.config["FLASKS3_ACTIVE"] = False
    assert nested == STORE + asked(app, "outer.inner.static", filename="a.css")


def test_url_defaults_see_what_flask_would_show_them_and_run_once(make_app):
    app = make_app({**CSS, "sw.js": ""}, {**IN_BUCKET, "FLASKS3_LOCAL": ["sw.js"]})
    seen = []
    app.url_defaults(lambda endpoint, values: seen.append((endpoint, dict(values))))
    FlaskS3(app)
    with app.test_request_context("/"):
        for caller in CALLERS.values():
            caller(app, ".static", {"filename": "a.css", "v": 1, "_external": True})
    assert seen == [("static", {"filename": "a.css", "v": 1})] * len(CALLERS)


def test_url_defaults_may_name_the_file(make_app):
    app = make_app(CSS, IN_BUCKET)
    app.url_defaults(lambda _endpoint, values: values.update(filename=f"v1/{values['filename']}"))
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(f"{STORE}/static/v1/a.css")


def test_url_defaults_leave_the_callers_values_alone(make_app):
    app = make_app(CSS, IN_BUCKET)
    app.url_defaults(lambda _endpoint, values: values.update(v=1))
    values = {"filename": "a.css"}
    asked(app, **values)
    assert values == {"filename": "a.css"}


def test_url_value_preprocessor_and_url_defaults_carry_a_language(make_app):
    app = make_app(CSS, IN_BUCKET, static_url_path="/<any(en,de):lang>/static")
    app.url_value_preprocessor(lambda _endpoint, values: setattr(g, "lang", values.pop("lang")))
    app.url_defaults(lambda _endpoint, values: values.setdefault("lang", g.lang))
    app.add_url_rule(
        "/<any(en,de):lang>/", "home", lambda: flask.url_for("static", filename="a.css")
    )
    FlaskS3(app)
    client = app.test_client()
    assert [client.get(path).text for path in ("/en/", "/de/")] == [
        f"{STORE}/en/static/a.css",
        f"{STORE}/de/static/a.css",
    ]


# -- keys come from app.url_map


def test_keys_are_url_paths_for_the_app_and_a_blueprint(make_app, tmp_path):
    app = make_app({**CSS, "img/b.png": ""}, IN_BUCKET)
    app.register_blueprint(blueprint(tmp_path, "shop", "a.css", url_prefix="/shop"))
    FlaskS3(app)
    _assert_keys_are_url_paths(
        app, ("static", "a.css"), ("static", "img/b.png"), ("shop.static", "a.css")
    )


@pytest.mark.parametrize("path", ["/", "/assets", "/a/b", "/ä b", "/100%25"])
def test_keys_are_url_paths_for_any_static_url_path(make_app, path):
    app = make_app(CSS, IN_BUCKET, static_url_path=path)
    FlaskS3(app)
    _assert_keys_are_url_paths(app, ("static", "a.css"))


def test_keys_are_url_paths_for_nested_blueprints(make_app, tmp_path):
    app = make_app(CSS, IN_BUCKET)
    outer = blueprint(tmp_path, "outer", "a.css", url_prefix="/outer")
    inner = blueprint(tmp_path, "inner", "b.css", url_prefix="/inner")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    FlaskS3(app)
    _assert_keys_are_url_paths(
        app, ("static", "a.css"), ("outer.static", "a.css"), ("outer.inner.static", "b.css")
    )
    assert collected(app)[0] == "outer/inner/static/b.css"


def test_keys_are_url_paths_for_a_prefix_given_at_registration(make_app, tmp_path):
    app = make_app({}, IN_BUCKET)
    app.register_blueprint(
        blueprint(tmp_path, "shop", "a.css", url_prefix="/written"), url_prefix="/real"
    )
    FlaskS3(app)
    _assert_keys_are_url_paths(app, ("shop.static", "a.css"))
    assert collected(app) == ["real/static/a.css"]


def test_keys_are_url_paths_for_a_blueprint_registered_twice(make_app, tmp_path):
    app = make_app({}, IN_BUCKET)
    bp = blueprint(tmp_path, "shop", "a.css")
    app.register_blueprint(bp, url_prefix="/one")
    app.register_blueprint(bp, url_prefix="/two", name="second")
    FlaskS3(app)
    _assert_keys_are_url_paths(app, ("shop.static", "a.css"), ("second.static", "a.css"))
    assert collected(app) == ["one/static/a.css", "two/static/a.css"]


def test_keys_are_url_paths_for_a_subdomain(make_app, tmp_path):
    app = make_app(CSS, {**IN_BUCKET, "SERVER_NAME": "example.com"}, subdomain_matching=True)
    app.register_blueprint(blueprint(tmp_path, "api", "b.css", subdomain="api", url_prefix="/v2"))
    FlaskS3(app)
    key = key_in(asked(app, "api.static", filename="b.css"))
    assert key in collected(app)
    with app.test_client().get(f"/{key}", base_url="http://api.example.com") as answer:
        assert answer.text == "api:b.css"


def test_keys_and_urls_carry_the_prefix_and_flask_does_not(make_app, tmp_path):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_PREFIX": "/v1/"})
    app.register_blueprint(blueprint(tmp_path, "shop", "b.css", url_prefix="/shop"))
    FlaskS3(app)
    assert asked(app, "shop.static", filename="b.css") == f"{STORE}/v1/shop/static/b.css"
    assert collected(app) == ["v1/shop/static/b.css", "v1/static/a.css"]


# -- app and blueprint both own static/a.css


def test_where_app_and_blueprint_own_one_url_the_apps_file_wins_as_in_flask(make_app, tmp_path):
    app = make_app({"a.css": "the app's"}, IN_BUCKET)
    app.register_blueprint(blueprint(tmp_path, "other", "a.css"))
    FlaskS3(app)
    found = collect(app, state_of(app).settings(), Selection())
    mine, theirs = Path(app.static_folder, "a.css"), tmp_path / "blueprints/other/static/a.css"
    assert [(asset.key, asset.path) for asset in found.assets] == [("static/a.css", str(mine))]
    with app.test_client().get("/static/a.css") as answer:
        assert answer.text == "the app's"
    (warning,) = found.warnings
    assert str(mine) in warning
    assert str(theirs) in warning


# -- static_folder=None crashes; missing folder


def test_static_folder_none_is_fine(make_app, tmp_path):
    app = make_app({}, IN_BUCKET, static_folder=None)
    app.register_blueprint(blueprint(tmp_path, "shop", "a.css", url_prefix="/shop"))
    FlaskS3(app)
    assert asked(app, "shop.static", filename="a.css") == f"{STORE}/shop/static/a.css"
    assert (collected(app), _notes(app)) == (["shop/static/a.css"], ())
    with pytest.raises(BuildError):
        asked(app, filename="a.css")


def test_a_missing_static_folder_is_one_warning(make_app):
    app = make_app({}, IN_BUCKET, static_folder="gone")
    FlaskS3(app)
    assert collected(app) == []
    (warning,) = _notes(app)
    assert str(Path(app.root_path, "gone")) in warning
    assert warning.endswith("create it, or set static_folder=None.")


# -- a non-static view with endpoint '….static'


def test_a_view_that_is_called_static_keeps_its_own_url(make_app):
    app = make_app(CSS, IN_BUCKET)
    bp = Blueprint("docs", __name__, url_prefix="/docs")
    bp.add_url_rule("/<path:filename>", "static", lambda filename: filename)
    app.register_blueprint(bp)
    FlaskS3(app)
    assert asked_by_all(app, "docs.static", filename="a.css") == all_get("/docs/a.css")
    assert collected(app) == ["static/a.css"]


def test_a_view_that_is_called_static_beside_a_static_folder_elsewhere(make_app, tmp_path):
    """The folder is the outer blueprint's, the view is the inner one's."""
    app = make_app({}, IN_BUCKET)
    outer = blueprint(tmp_path, "outer", "a.css", url_prefix="/outer")
    inner = Blueprint("inner", __name__, url_prefix="/inner")
    inner.add_url_rule("/", "static", lambda: "")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    FlaskS3(app)
    assert asked(app, "outer.inner.static") == "/outer/inner/"
    assert asked(app, "outer.static", filename="a.css") == f"{STORE}/outer/static/a.css"


def test_another_view_of_a_blueprint_that_serves_files_keeps_its_own_url(make_app, tmp_path):
    app = make_app({}, IN_BUCKET)
    bp = blueprint(tmp_path, "shop", "a.css", url_prefix="/shop")
    bp.add_url_rule("/<path:filename>", "upload", lambda filename: filename)
    app.register_blueprint(bp)
    FlaskS3(app)
    assert asked_by_all(app, "shop.upload", filename="a.css") == all_get("/shop/a.css")
    assert collected(app) == ["shop/static/a.css"]


def test_a_static_folder_without_a_route_is_flasks_build_error(make_app):
    app = make_app(CSS, IN_BUCKET, static_folder=None)
    app.static_folder = "static"  # too late: Flask makes the route when it makes the app
    FlaskS3(app)
    with pytest.raises(BuildError):
        asked(app, filename="a.css")
    assert collected(app) == []


def test_an_apps_own_view_called_static_keeps_its_url(make_app):
    app = make_app({}, IN_BUCKET, static_folder=None)
    app.add_url_rule("/files/<path:filename>", "static", lambda filename: filename)
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get("/files/a.css")
    assert collected(app) == []


def test_a_second_rule_of_the_static_endpoint_changes_no_key(make_app):
    """`/favicon.ico` by the static view: 0.3 asked the bucket for a key that it never uploaded."""
    app = make_app({"favicon.ico": "", **CSS}, IN_BUCKET)
    app.add_url_rule("/favicon.ico", "static", defaults={"filename": "favicon.ico"})
    FlaskS3(app)
    with app.test_client().get("/favicon.ico") as answer:  # now the URL map is sorted
        assert answer.status_code == 200
    urls = [asked(app, filename=name) for name in ("a.css", "favicon.ico")]
    assert urls == [f"{STORE}/static/a.css", f"{STORE}/static/favicon.ico"]
    assert collected(app) == ["static/a.css", "static/favicon.ico"]


# -- CDN domain with scheme, //, trailing slash or path; prefix with spaces or non-ASCII


@pytest.mark.parametrize(
    ("domain", "base"),
    [
        ("cdn.example.com", "https://cdn.example.com"),
        ("cdn.example.com/", "https://cdn.example.com"),
        ("cdn.example.com:8443", "https://cdn.example.com:8443"),
        ("cdn.example.com/assets", "https://cdn.example.com/assets"),
        ("cdn.example.com/a/b//", "https://cdn.example.com/a/b"),
        ("//cdn.example.com", "https://cdn.example.com"),
        ("//cdn.example.com/assets/", "https://cdn.example.com/assets"),
        ("https://cdn.example.com", "https://cdn.example.com"),
        ("https://cdn.example.com/assets/", "https://cdn.example.com/assets"),
        ("HTTP://cdn.example.com", "http://cdn.example.com"),
        (" cdn.example.com ", "https://cdn.example.com"),
        ("cdn.example.com/ä b", "https://cdn.example.com/%C3%A4%20b"),
        ("cdn.example.com/%C3%A4", "https://cdn.example.com/%C3%A4"),  # quoted already
        ("bücher.example", "https://xn--bcher-kva.example"),
        ("bücher.example:8443", "https://xn--bcher-kva.example:8443"),
        ("localhost:9000", "https://localhost:9000"),
        ("[::1]:9000", "https://[::1]:9000"),
    ],
)
def test_a_cdn_domain_in_any_form_gives_a_working_url(make_app, domain, base):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_CDN_DOMAIN": domain})
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(f"{base}/static/a.css")


@pytest.mark.parametrize(
    ("domain", "scheme"),
    [
        ("cdn.example.com", "http"),
        ("//cdn.example.com", "http"),
        ("https://cdn.example.com", "https"),
    ],
)
def test_a_cdn_domains_own_scheme_stands_above_flasks3_use_https(make_app, domain, scheme):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_CDN_DOMAIN": domain, "FLASKS3_USE_HTTPS": False})
    assert asked(app, filename="a.css") == f"{scheme}://cdn.example.com/static/a.css"


@pytest.mark.parametrize(
    ("prefix", "quoted", "key"),
    [
        ("v1", "v1", "v1"),
        ("/v1/", "v1", "v1"),
        ("a/b", "a/b", "a/b"),
        ("my shop", "my%20shop", "my shop"),
        ("größe", "gr%C3%B6%C3%9Fe", "größe"),
        ("100%", "100%25", "100%"),
        ("a?b#c", "a%3Fb%23c", "a?b#c"),
        ("a+b", "a%2Bb", "a+b"),
        ("a@b:c", "a@b:c", "a@b:c"),
    ],
)
def test_a_prefix_with_any_letters_is_quoted_in_the_url_and_plain_in_the_key(
    make_app, prefix, quoted, key
):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_PREFIX": prefix})
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(f"{STORE}/{quoted}/static/a.css")
    assert collected(app) == [f"{key}/static/a.css"]


# -- an empty file name, and folders


@pytest.mark.parametrize(
    ("filename", "path"),
    [
        ("", ""),
        ("/", ""),
        (".", ""),
        ("img", "img"),
        ("img/", "img/"),
        ("img/./", "img/"),
        ("no/such/folder/", "no/such/folder/"),
    ],
)
@pytest.mark.parametrize("local", [[], ["sw.js"]], ids=["", "with FLASKS3_LOCAL"])
def test_an_empty_file_name_and_a_folder_give_the_base_url_without_a_warning(
    make_app, caplog, filename, path, local
):
    app = make_app({"img/b.png": ""}, {**IN_BUCKET, "FLASKS3_LOCAL": local})
    FlaskS3(app)
    assert asked_by_all(app, filename=filename) == all_get(f"{STORE}/static/{path}")
    assert caplog.messages == []


# -- a static route with a variable besides the file name


def test_a_static_route_with_finite_values_is_published_for_each(make_app):
    app = make_app(CSS, IN_BUCKET, static_url_path="/<any(en,de):lang>/<any(x,y):skin>/static")
    FlaskS3(app)
    urls = {
        asked(app, filename="a.css", lang=lang, skin=skin)
        for lang in ("en", "de")
        for skin in ("x", "y")
    }
    assert len(urls) == 4
    assert sorted(map(key_in, urls)) == collected(app)
    assert asked_by_all(app, filename="a.css", lang="de", skin="x", v=1) == all_get(
        f"{STORE}/de/x/static/a.css?v=1"
    )


def test_a_static_route_with_finite_values_and_none_given_is_flasks_build_error(make_app):
    app = make_app(CSS, IN_BUCKET, static_url_path="/<any(en,de):lang>/static")
    FlaskS3(app)
    for values in ({}, {"lang": "fr"}, {"lang": None}):
        with pytest.raises((BuildError, ValueError)):
            asked(app, filename="a.css", **values)


@pytest.mark.parametrize(
    ("variable", "values", "path"),
    [
        ("<lang>", {"lang": "en"}, "en"),
        ("<int:version>", {"version": 3}, "3"),
        ("<any(en,de):lang>/<user>", {"lang": "en", "user": "u"}, "en/u"),
    ],
)
def test_a_static_route_with_endless_values_stays_flasks_own_with_one_warning(
    make_app, variable, values, path
):
    app = make_app(CSS, IN_BUCKET, static_url_path=f"/{variable}/static")
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css", **values) == all_get(f"/{path}/static/a.css")
    assert collected(app) == []
    (warning,) = _notes(app)
    assert warning == (
        f"The static route '/{variable}/static/<path:filename>' has a variable without a fixed set "
        "of values, so its files are not published and their URLs stay Flask's own: write the "
        "variable as any(…)."
    )


def test_a_static_route_with_a_default_from_the_blueprint(make_app, tmp_path):
    """`Blueprint(url_defaults=…)` becomes the rule's defaults, which no URL has to name."""
    app = make_app({}, IN_BUCKET)
    bp = blueprint(tmp_path, "shop", "a.css", url_prefix="/shop", url_defaults={"page": 1})
    app.register_blueprint(bp)
    FlaskS3(app)
    expected = f"{STORE}/shop/static/a.css"
    assert asked_by_all(app, "shop.static", filename="a.css") == all_get(expected)
    assert asked_by_all(app, "shop.static", filename="a.css", page=1) == all_get(expected)
    assert collected(app) == ["shop/static/a.css"]


# -- patterns: FLASKS3_LOCAL and FLASKS3_IGNORE


LOCAL = [
    # pattern, file, whether the URL is Flask's
    ("sw.js", "sw.js", True),
    ("sw.js", "js/sw.js", True),
    ("/sw.js", "js/sw.js", False),
    ("*.svg", "img/a.svg", True),
    ("workers/", "workers/a/b.js", True),
    ("workers/", "a/workers", False),
    ("workers/**", "workers/a b.js", True),
    ("icon?.svg", "icon1.svg", True),
    ("[ab].js", "c.js", False),
    ("# a remark", "# a remark", False),
    ("ä.js", "ä.js", True),
]


@pytest.mark.parametrize(("pattern", "filename", "local"), LOCAL)
@pytest.mark.parametrize("setting", ["FLASKS3_LOCAL", "FLASKS3_IGNORE"])
def test_a_pattern_keeps_flasks_own_url(make_app, setting, pattern, filename, local):
    app = make_app({}, {**IN_BUCKET, setting: [pattern]})
    FlaskS3(app)
    path = f"/static/{quote(filename)}"
    assert asked_by_all(app, filename=filename) == all_get(path if local else f"{STORE}{path}")


@pytest.mark.parametrize("filename", ["a/../sw.js", "./sw.js", "/sw.js", "js//sw.js"])
def test_a_pattern_is_not_outwitted_by_another_spelling(make_app, filename):
    app = make_app({"sw.js": ""}, {**IN_BUCKET, "FLASKS3_LOCAL": ["sw.js"]})
    FlaskS3(app)
    assert asked_by_all(app, filename=filename) == all_get(f"/static/{filename}")


def test_a_local_file_is_published_all_the_same(make_app):
    app = make_app({"sw.js": ""}, {**IN_BUCKET, "FLASKS3_LOCAL": ["sw.js"]})
    assert collected(app) == ["static/sw.js"]


def test_a_local_url_has_flasks_meaning_of_every_value(make_app):
    app = make_app({}, {**IN_BUCKET, "FLASKS3_LOCAL": ["sw.js"]})
    FlaskS3(app)
    values = {"filename": "sw.js", "_external": True, "_scheme": "https", "_anchor": "x", "v": 1}
    assert asked_by_all(app, **values) == all_get("https://localhost/static/sw.js?v=1#x")


def test_an_ignored_file_is_not_published(make_app):
    app = make_app({**CSS, "drafts/b.css": ""}, {**IN_BUCKET, "FLASKS3_IGNORE": ["drafts/"]})
    assert collected(app) == ["static/a.css"]


@pytest.mark.parametrize(
    "patterns",
    [
        ["drafts/"],
        ["drafts/", "!drafts/b.css"],  # gitignore(5): not possible when the folder is left out
        ["drafts/*", "!drafts/b.css"],
        ["*.css", "!b.css"],
        ["*", "!*/", "!*.css"],
        ["/*", "!/drafts"],
        ["drafts"],
        ["!drafts/"],
        ["**/deep/"],
    ],
    ids=str,
)
def test_what_is_not_published_is_exactly_what_keeps_flasks_url(make_app, patterns):
    files = ["a.css", "b.css", "drafts/a.css", "drafts/b.css", "drafts/deep/b.css", "x/drafts"]
    app = make_app(dict.fromkeys(files, ""), {**IN_BUCKET, "FLASKS3_IGNORE": patterns})
    FlaskS3(app)
    urls = [asked(app, filename=name) for name in files]
    assert collected(app) == sorted(key_in(url) for url in urls if url.startswith(STORE))
