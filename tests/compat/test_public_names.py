"""Rows of COMPAT.md, "Public names": what an app imports, and when it may call it."""

from __future__ import annotations

import flask
import pytest
from flask import Flask
from flask_assets import Bundle, Environment
from serving import BUCKET, IN_BUCKET, STORE, all_get, asked, asked_by_all

import flask_s3
from flask_s3 import DEFAULT_SETTINGS, FlaskS3, get_setting

CSS = {"a.css": "a{}"}

# Every way to switch it off, as (config, debug).
OFF = {
    "FLASKS3_ACTIVE": {"FLASKS3_ACTIVE": False},
    "debug": {"DEBUG": True},
    "TESTING": {"TESTING": True, "FLASKS3_OVERRIDE_TESTING": False},
}


def test_the_names_that_apps_import_are_these():
    assert sorted(flask_s3.__all__) == sorted(
        [
            *["FlaskS3", "create_all", "url_for", "get_setting", "DEFAULT_SETTINGS"],  # 0.3's
            *["FlaskS3Error", "SettingsError", "CredentialsError", "StoreError", "PublishError"],
            *["publishing", "published"],
        ]
    )
    assert all(hasattr(flask_s3, name) for name in flask_s3.__all__)


# -- preparing an app


def test_flask_s3_with_an_app_prepares_it(make_app):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(f"{STORE}/static/a.css")


def test_init_app_before_the_config_is_loaded(make_app):
    app = make_app(CSS)
    FlaskS3().init_app(app)
    app.config.from_mapping({**IN_BUCKET, "FLASKS3_PREFIX": "v1", "FLASKS3_USE_HTTPS": False})
    assert asked_by_all(app, filename="a.css") == all_get(
        f"http://{BUCKET}.s3.amazonaws.com/v1/static/a.css"
    )


def test_init_app_after_the_config_is_loaded(make_app):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_PREFIX": "v1", "FLASKS3_USE_HTTPS": False})
    FlaskS3().init_app(app)
    assert asked_by_all(app, filename="a.css") == all_get(
        f"http://{BUCKET}.s3.amazonaws.com/v1/static/a.css"
    )


def test_init_app_keeps_what_the_config_holds_and_fills_in_the_defaults(make_app):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_URL_STYLE": "path"})
    FlaskS3(app)
    expected = {**DEFAULT_SETTINGS, **IN_BUCKET, "FLASKS3_URL_STYLE": "path"}
    assert {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in app.config.items()
        if key.startswith("FLASKS3_")
    } == expected


def test_init_app_twice_on_one_app_neither_recurses_nor_changes_a_url(make_app):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_LOCAL": ["sw.js"]})
    app.add_url_rule("/cart", "cart", lambda: "")
    extension = FlaskS3(app)
    extension.init_app(app)
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(f"{STORE}/static/a.css")
    assert asked_by_all(app, filename="sw.js") == all_get("/static/sw.js")
    assert asked_by_all(app, "cart") == all_get("/cart")


def test_one_flask_s3_for_several_apps_mixes_nothing_up(make_app):
    extension = FlaskS3()
    shop = make_app(CSS, {"FLASKS3_BUCKET_NAME": "shop"}, static_url_path="/s")
    blog = make_app(CSS, {"FLASKS3_BUCKET_NAME": "blog", "FLASKS3_PREFIX": "p"}, name="blog")
    extension.init_app(shop)
    extension.init_app(blog)
    assert asked_by_all(shop, filename="a.css") == all_get("https://shop.s3.amazonaws.com/s/a.css")
    assert asked_by_all(blog, filename="a.css") == all_get(
        "https://blog.s3.amazonaws.com/p/static/a.css"
    )
    with shop.test_request_context("/"):  # one app asks another
        assert blog.url_for("static", filename="a.css").startswith("https://blog.")


def test_settings_of_urls_are_read_at_first_use(make_app):
    app = make_app(CSS)
    FlaskS3(app)
    app.config.update(IN_BUCKET, FLASKS3_PREFIX="v1")
    assert asked(app, filename="a.css") == f"{STORE}/v1/static/a.css"
    app.config["FLASKS3_PREFIX"] = "v2"
    assert asked(app, filename="a.css") == f"{STORE}/v1/static/a.css"


@pytest.mark.parametrize(
    ("changed", "url"),
    [
        ({"FLASKS3_PREFIX": "v2"}, f"{STORE}/v2/static/a.css"),
        ({"FLASKS3_BUCKET_NAME": "other"}, "https://other.s3.amazonaws.com/static/a.css"),
        ({"FLASKS3_CDN_DOMAIN": "cdn.example.com"}, "https://cdn.example.com/static/a.css"),
        ({"FLASKS3_LOCAL": ["*.css"]}, "/static/a.css"),
        ({"FLASKS3_IGNORE": ["*.css"]}, "/static/a.css"),
    ],
)
def test_init_app_again_reads_the_settings_anew(make_app, changed, url):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    asked_by_all(app, filename="a.css")
    app.config.update(changed)
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(url)


def test_init_app_again_after_python_urls_were_switched_off(make_app):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    asked_by_all(app, filename="a.css")
    app.config["FLASKS3_PYTHON_URLS"] = False
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css")["flask.url_for"] == "/static/a.css"


def test_init_app_in_debug_mode_switches_off(make_app):
    app = make_app(CSS, {**IN_BUCKET, "DEBUG": True})
    FlaskS3(app)
    assert app.config["FLASKS3_ACTIVE"] is False
    assert asked_by_all(app, filename="a.css") == all_get("/static/a.css")


def test_init_app_in_debug_mode_with_flasks3_debug_stays_on(make_app):
    app = make_app(CSS, {**IN_BUCKET, "DEBUG": True, "FLASKS3_DEBUG": True})
    FlaskS3(app)
    assert app.config["FLASKS3_ACTIVE"] is True
    assert asked_by_all(app, filename="a.css") == all_get(f"{STORE}/static/a.css")


# -- read on each call


@pytest.mark.parametrize(
    ("start", "off"),
    [
        ({}, {"FLASKS3_ACTIVE": False}),
        ({}, {"DEBUG": True}),
        ({"FLASKS3_DEBUG": True, "DEBUG": True}, {"FLASKS3_DEBUG": False}),
        ({"FLASKS3_OVERRIDE_TESTING": False}, {"TESTING": True}),
        ({"TESTING": True}, {"FLASKS3_OVERRIDE_TESTING": False}),
    ],
    ids=["ACTIVE", "debug", "FLASKS3_DEBUG", "TESTING", "OVERRIDE_TESTING"],
)
def test_the_switches_are_read_on_each_call(make_app, start, off):
    app = make_app(CSS, {**IN_BUCKET, **start})
    FlaskS3(app)
    before = {key: app.config[key] for key in off}
    seen = []
    for change in (before, off, before):
        app.config.update(change)
        seen.append(asked_by_all(app, filename="a.css"))
    on = all_get(f"{STORE}/static/a.css")
    assert seen == [on, all_get("/static/a.css"), on]


# -- off is off everywhere


@pytest.mark.parametrize("off", OFF.values(), ids=OFF)
@pytest.mark.parametrize("moment", ["before init_app", "after init_app", "after a first URL"])
def test_off_is_off_for_every_caller(make_app, off, moment):
    app = make_app(CSS, IN_BUCKET)
    if moment == "before init_app":
        app.config.update(off)
    FlaskS3(app)
    if moment == "after a first URL":
        asked_by_all(app, filename="a.css")
    app.config.update(off)
    assert asked_by_all(app, filename="a.css") == all_get("/static/a.css")


@pytest.mark.parametrize("off", OFF.values(), ids=OFF)
def test_off_is_off_without_flask_s3_too(make_app, off):
    app = make_app(CSS, {**IN_BUCKET, **off})
    assert asked(app, filename="a.css") == "/static/a.css"


@pytest.mark.parametrize("wrong", [{}, {"FLASKS3_BUCKET_NAME": 5}, {"FLASKS3_URL_STYLE": "?"}])
def test_off_needs_no_bucket_and_no_correct_settings(make_app, wrong):
    app = make_app(CSS, {**wrong, "FLASKS3_ACTIVE": False})
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get("/static/a.css")


# -- Flask-Assets, which imports flask_s3.url_for


def _assets(app: Flask) -> list[str]:
    app.config["FLASK_ASSETS_USE_S3"] = True
    assets = Environment(app)
    assets.url_expire = False
    assets.debug = False
    bundle = Bundle("a.css", output="gen/all.css")
    assets.register("all", bundle)
    with app.app_context():
        return bundle.urls()


def test_flask_assets_gets_the_stores_urls(make_app):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    assert _assets(app) == [f"{STORE}/static/gen/all.css"]


@pytest.mark.parametrize("off", OFF.values(), ids=OFF)
def test_off_is_off_for_flask_assets(make_app, off):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    app.config.update(off)
    assert _assets(app) == ["/static/gen/all.css"]


# -- url_for


def test_url_for_works_without_flask_s3(make_app):
    app = make_app(CSS, IN_BUCKET)
    app.add_url_rule("/cart", "cart", lambda: "")
    assert asked(app, filename="a.css") == f"{STORE}/static/a.css"
    assert asked(app, "cart") == "/cart"


def test_flask_s3_after_a_first_url_reads_the_settings_anew(make_app):
    app = make_app(CSS, IN_BUCKET)
    asked(app, filename="a.css")
    app.config["FLASKS3_PREFIX"] = "v1"
    FlaskS3(app)
    assert asked_by_all(app, filename="a.css") == all_get(f"{STORE}/v1/static/a.css")


@pytest.mark.parametrize("config", [{}, {"FLASKS3_ACTIVE": False}, {"FLASKS3_PYTHON_URLS": False}])
def test_the_jinja_global_is_flask_s3_url_for(make_app, config):
    app = make_app(CSS, {**IN_BUCKET, **config})
    FlaskS3(app)
    assert app.jinja_env.globals["url_for"] is flask_s3.url_for


def test_a_dynamic_url_comes_from_the_apps_own_url_for(make_app, monkeypatch):
    """Also when a subclass overrides it: what was bound before `init_app` is what is called."""

    class Shop(Flask):
        def url_for(self, endpoint, **values):
            return f"shop:{super().url_for(endpoint, **values)}"

    app = Shop("shop", root_path=str(make_app(CSS).root_path))
    app.config.update(IN_BUCKET)
    app.add_url_rule("/cart", "cart", lambda: "")
    FlaskS3(app)
    assert asked_by_all(app, "cart") == all_get("shop:/cart")
    assert asked_by_all(app, filename="a.css") == all_get(f"{STORE}/static/a.css")


def test_url_for_without_an_app_context_says_so():
    with pytest.raises(RuntimeError, match="application context"):
        flask_s3.url_for("static", filename="a.css")


def test_app_url_for_needs_no_context_for_a_static_file(make_app):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    assert app.url_for("static", filename="a.css") == f"{STORE}/static/a.css"


def test_url_for_with_only_an_app_context(make_app):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    with app.app_context():
        assert flask_s3.url_for("static", filename="a.css") == f"{STORE}/static/a.css"
        assert flask.url_for("static", filename="a.css") == f"{STORE}/static/a.css"


# -- get_setting, DEFAULT_SETTINGS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLASKS3_PREFIX", "v1"),  # the app's
        ("FLASKS3_URL_STYLE", "host"),  # a default
        ("SECRET_WORD", "x"),  # any key of the config, as in 0.3
        ("FLASKS3_NO_SUCH", None),
    ],
)
def test_get_setting_returns_the_apps_value_else_the_default_else_none(make_app, name, value):
    app = make_app({}, {"FLASKS3_PREFIX": "v1", "SECRET_WORD": "x"})
    assert get_setting(name, app) == value


def test_get_setting_without_an_app_returns_the_default():
    assert get_setting("FLASKS3_BUCKET_DOMAIN") == "s3.amazonaws.com"
    assert get_setting("FLASKS3_BUCKET_NAME") is None


def test_get_setting_sees_a_change_at_once(make_app):
    app = make_app({}, IN_BUCKET)
    FlaskS3(app)
    app.config["FLASKS3_PREFIX"] = "later"
    assert get_setting("FLASKS3_PREFIX", app) == "later"


def test_default_settings_holds_what_0_3_had():
    old = {
        "FLASKS3_USE_HTTPS": True,
        "FLASKS3_ACTIVE": True,
        "FLASKS3_DEBUG": False,
        "FLASKS3_BUCKET_DOMAIN": "s3.amazonaws.com",
        "FLASKS3_CDN_DOMAIN": "",
        "FLASKS3_USE_CACHE_CONTROL": False,
        "FLASKS3_HEADERS": {},
        "FLASKS3_FILEPATH_HEADERS": {},
        "FLASKS3_ONLY_MODIFIED": False,
        "FLASKS3_URL_STYLE": "host",
        "FLASKS3_GZIP": False,
        "FLASKS3_GZIP_ONLY_EXTS": (),  # a list in 0.3; read-only now
        "FLASKS3_FORCE_MIMETYPE": False,
        "FLASKS3_PREFIX": "",
        "FLASKS3_OVERRIDE_TESTING": True,
    }
    assert {key: DEFAULT_SETTINGS[key] for key in old} == old


def test_default_settings_is_read_only():
    with pytest.raises(TypeError):
        DEFAULT_SETTINGS["FLASKS3_PREFIX"] = "x"
    with pytest.raises(TypeError):
        del DEFAULT_SETTINGS["FLASKS3_PREFIX"]


@pytest.mark.parametrize("key", ["FLASKS3_HEADERS", "FLASKS3_FILEPATH_HEADERS"])
def test_the_containers_in_default_settings_are_read_only(key):
    with pytest.raises(TypeError):
        DEFAULT_SETTINGS[key]["Cache-Control"] = "max-age=1"


def test_what_an_app_puts_into_a_default_stays_in_that_app(make_app):
    shop, blog = make_app(CSS, IN_BUCKET), make_app(CSS, IN_BUCKET, name="blog")
    FlaskS3(shop)
    FlaskS3(blog)
    shop.config["FLASKS3_HEADERS"]["X-Shop"] = "1"
    shop.config["FLASKS3_FILEPATH_HEADERS"]["x"] = {}
    shop.config["FLASKS3_GZIP_ONLY_EXTS"].append(".css")
    names = ["FLASKS3_HEADERS", "FLASKS3_FILEPATH_HEADERS", "FLASKS3_GZIP_ONLY_EXTS"]
    assert [blog.config[name] for name in names] == [{}, {}, []]
    assert [get_setting(name) for name in names] == [{}, {}, ()]
