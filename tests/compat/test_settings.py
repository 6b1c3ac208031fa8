"""Rows of COMPAT.md, "Settings": defaults, wrong values, the environment; nothing leaks."""

from __future__ import annotations

import dataclasses

import pytest
from serving import BUCKET, IN_BUCKET, STORE, all_get, asked, asked_by_all, collected

from flask_s3 import DEFAULT_SETTINGS, FlaskS3, SettingsError, create_all
from flask_s3.settings import FIELDS, Settings, StaticKeys, flag

CSS = {"a.css": "a{}"}


def _read(config: dict[str, object], **environ: str) -> Settings:
    return Settings.read(config, environ=environ)


# -- defaults


def test_the_defaults_are_those_of_the_contract():
    defaults = {field.metadata["key"]: field.metadata["default"] for field in FIELDS}
    contract = {
        "AWS_ACCESS_KEY_ID": None,
        "AWS_SECRET_ACCESS_KEY": None,
        "AWS_SESSION_TOKEN": None,
        "FLASKS3_BUCKET_NAME": None,
        "FLASKS3_REGION": None,
        "FLASKS3_BUCKET_DOMAIN": "s3.amazonaws.com",
        "FLASKS3_CDN_DOMAIN": "",
        "FLASKS3_ENDPOINT_URL": None,
        "FLASKS3_URL_STYLE": "host",
        "FLASKS3_USE_HTTPS": True,
        "FLASKS3_PREFIX": "",
        "FLASKS3_ACTIVE": True,
        "FLASKS3_DEBUG": False,
        "FLASKS3_OVERRIDE_TESTING": True,
        "FLASKS3_HEADERS": {},
        "FLASKS3_FILEPATH_HEADERS": {},
        "FLASKS3_USE_CACHE_CONTROL": False,
        "FLASKS3_ONLY_MODIFIED": False,
        "FLASKS3_GZIP": False,
        "FLASKS3_GZIP_ONLY_EXTS": (),
        "FLASKS3_FORCE_MIMETYPE": False,
        "FLASKS3_PYTHON_URLS": True,
        "FLASKS3_LOCAL": (),
        "FLASKS3_IGNORE": (),
        "FLASKS3_ALLOW": (),
        "FLASKS3_STRICT": False,
    }
    assert {key: defaults[key] for key in contract} == contract
    assert {k: v for k, v in defaults.items() if v is not None} == DEFAULT_SETTINGS


def test_a_bucket_is_the_only_setting_that_urls_need(make_app):
    app = make_app(CSS, IN_BUCKET)
    assert asked(app, filename="a.css") == f"https://{BUCKET}.s3.amazonaws.com/static/a.css"


# -- every setting that shows in URLs


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"FLASKS3_BUCKET_NAME": "other"}, "https://other.s3.amazonaws.com/static/a.css"),
        (
            {"FLASKS3_REGION": "eu-south-1"},
            f"https://{BUCKET}.s3.eu-south-1.amazonaws.com/static/a.css",
        ),
        (
            {"FLASKS3_BUCKET_DOMAIN": "s3.example.com"},
            f"https://{BUCKET}.s3.example.com/static/a.css",
        ),
        ({"FLASKS3_CDN_DOMAIN": "cdn.example.com"}, "https://cdn.example.com/static/a.css"),
        ({"FLASKS3_ENDPOINT_URL": "http://s3.test"}, f"http://s3.test/{BUCKET}/static/a.css"),
        ({"FLASKS3_URL_STYLE": "path"}, f"https://s3.amazonaws.com/{BUCKET}/static/a.css"),
        ({"FLASKS3_USE_HTTPS": False}, f"http://{BUCKET}.s3.amazonaws.com/static/a.css"),
        ({"FLASKS3_PREFIX": "v1"}, f"{STORE}/v1/static/a.css"),
        ({"FLASKS3_ACTIVE": False}, "/static/a.css"),
        ({"DEBUG": True}, "/static/a.css"),
        ({"DEBUG": True, "FLASKS3_DEBUG": True}, f"{STORE}/static/a.css"),
        ({"TESTING": True, "FLASKS3_OVERRIDE_TESTING": False}, "/static/a.css"),
        ({"FLASKS3_LOCAL": ["a.css"]}, "/static/a.css"),
        ({"FLASKS3_IGNORE": ["a.css"]}, "/static/a.css"),
    ],
    ids=str,
)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_setting_shows_in_the_url_set_before_or_after_init_app(make_app, moment, config, url):
    app = make_app(CSS, IN_BUCKET)
    if moment == "before":
        app.config.update(config)
    FlaskS3(app)
    app.config.update(config)
    assert asked_by_all(app, filename="a.css") == all_get(url)


@pytest.mark.parametrize(
    ("style", "bucket", "domain", "base"),
    [
        ("host", "b-1", "s3.example.com", "https://b-1.s3.example.com"),
        ("path", "b-1", "s3.example.com", "https://s3.example.com/b-1"),
        ("host", "b-1", "https://s3.example.com/", "https://b-1.s3.example.com"),
        ("path", "b-1", "//s3.example.com/files", "https://s3.example.com/files/b-1"),
        ("path", "my.shop", "s3.example.com", "https://s3.example.com/my.shop"),
    ],
)
def test_url_style_says_where_the_buckets_name_stands(make_app, style, bucket, domain, base):
    config = {
        "FLASKS3_BUCKET_NAME": bucket,
        "FLASKS3_BUCKET_DOMAIN": domain,
        "FLASKS3_URL_STYLE": style,
    }
    assert asked(make_app(CSS, config), filename="a.css") == f"{base}/static/a.css"


# -- switches


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        *[(value, True) for value in (True, 1, "1", "true", "True", "YES", "on")],
        *[(value, False) for value in (False, 0, None, "", "0", "false", "False", "no", "off")],
    ],
)
def test_a_switch_understands_the_words_of_an_environment(make_app, value, meaning):
    assert flag("FLASKS3_ACTIVE", value) is meaning
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_ACTIVE": value})
    FlaskS3(app)
    assert asked(app, filename="a.css") == (STORE if meaning else "") + "/static/a.css"


# -- wrong types and values

_SWITCHES = [
    field.metadata["key"] for field in FIELDS if field.metadata["default"] in (True, False)
]

WRONG = [
    *[(key, value) for key in _SWITCHES for value in ("maybe", 2, ["x"])],
    *[("FLASKS3_BUCKET_NAME", v) for v in (5, b"b", "s3://shop", "shop/a", "my shop", "x", "a\nb")],
    *[("FLASKS3_REGION", v) for v in (5, "eu west 1", "eu-west-1/", "APNortheast", "EUCentral1")],
    *[("FLASKS3_PREFIX", v) for v in (5, ["v1"], "a\nb", "../v1", "a/./b", "v1/..")],
    *[
        ("FLASKS3_ENDPOINT_URL", v)
        for v in (5, "s3.example.com", "ftp://s3.example.com", "http://")
    ],
    *[("FLASKS3_ENDPOINT_URL", v) for v in ("https://h/?q", "https://h/#f", "https://[::1", "h:1")],
    *[("FLASKS3_ENDPOINT_URL", v) for v in ("https://h:port", "https://h h", "https://h:99999")],
    *[("FLASKS3_URL_STYLE", v) for v in (None, "", "virtual", "HOST", 5, ["host"])],
    *[
        (key, value)
        for key in ("FLASKS3_BUCKET_DOMAIN", "FLASKS3_CDN_DOMAIN")
        for value in [
            *[5, ["h"], "h?q", "h#f", "ftp://h", "https//h", "https:h", "https://", "h/a//b"],
            *["https://[::1", "my host", "h:port", "h:99999", "ü..example", "a\nb"],
        ]
    ],
    *[
        (key, value)
        for key in ("FLASKS3_LOCAL", "FLASKS3_IGNORE", "FLASKS3_ALLOW", "FLASKS3_GZIP_ONLY_EXTS")
        for value in ("sw.js", 5, [5], [None])
    ],
    *[("FLASKS3_HEADERS", v) for v in (5, "x", ["x"], {"a b": "c"}, {"": "c"}, {5: "c"})],
    *[("FLASKS3_FILEPATH_HEADERS", v) for v in (5, "x", [("x", {})])],
    ("FLASKS3_CACHE_CONTROL", "a\nb"),
    ("FLASKS3_CACHE_CONTROL", 5.0),
    *[("FLASKS3_CONCURRENCY", v) for v in (0, -1, 4097, True, "16", 1.5, None)],
    ("FLASKS3_APP", 5),
    ("AWS_ACCESS_KEY_ID", "a\nb"),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=repr)
def test_a_wrong_value_is_an_error_that_names_the_key_shows_the_value_and_says_the_fix(key, value):
    with pytest.raises(SettingsError) as caught:
        _read({**IN_BUCKET, key: value})
    message = str(caught.value)
    shown = "a secret value" if key.startswith("AWS") else repr(value)
    assert message.startswith(f"{key} is {shown}, but it has to be ")
    assert message.endswith(": change the setting.")
    assert len(message) > len(f"{key} is {shown}, but it has to be : change the setting.") + 5


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("FLASKS3_HEADERS", {"A": "b\r\nc"}, r"'b\\r\\nc', .* gives the header 'A'"),
        ("FLASKS3_HEADERS", {"A": "ä"}, "'ä', .* gives the header 'A'"),
        ("FLASKS3_HEADERS", {"A": None}, "None, .* gives the header 'A'"),
        ("FLASKS3_HEADERS", {"A": True}, "True, .* gives the header 'A'"),
        ("FLASKS3_FILEPATH_HEADERS", {"x": 5}, "5, .* a dict of header names"),
        ("FLASKS3_FILEPATH_HEADERS", {"x": {"A": "\n"}}, r"'\\n', .* gives the header 'A'"),
    ],
)
def test_a_wrong_value_inside_a_setting_is_shown_with_the_name_it_has_there(key, value, shown):
    with pytest.raises(SettingsError, match=f"^{key} is {shown}.*: change the setting.$"):
        _read({key: value})


@pytest.mark.parametrize("pattern", ["(", 5])
def test_a_pattern_that_is_no_regular_expression_is_shown_as_one_of_the_setting(pattern):
    with pytest.raises(SettingsError) as caught:
        _read({"FLASKS3_FILEPATH_HEADERS": {pattern: {}}})
    message = str(caught.value)
    assert message.startswith(f"A pattern in FLASKS3_FILEPATH_HEADERS is {pattern!r}, but it has ")
    assert " a regular expression (" in message
    assert message.endswith(": change the setting.")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("FLASKS3_URL_STYLE", "virtual"),
        ("FLASKS3_CDN_DOMAIN", "ftp://cdn.example.com"),
        ("FLASKS3_PREFIX", 5),
        ("FLASKS3_LOCAL", "sw.js"),
        ("FLASKS3_REGION", "APNortheast"),
    ],
)
def test_a_wrong_setting_of_urls_is_a_value_error_where_a_url_is_asked_for(make_app, key, value):
    app = make_app(CSS, {**IN_BUCKET, key: value})
    FlaskS3(app)
    with pytest.raises(ValueError, match=key):
        asked(app, filename="a.css")


@pytest.mark.parametrize("key", ["FLASKS3_ACTIVE", "FLASKS3_DEBUG", "FLASKS3_OVERRIDE_TESTING"])
def test_a_wrong_switch_is_a_value_error_where_it_is_read(make_app, key):
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    app.config.update({"DEBUG": key == "FLASKS3_DEBUG", "TESTING": "TESTING" in key, key: "maybe"})
    with pytest.raises(ValueError, match=f"^{key} is 'maybe', but it has to be True or False"):
        asked(app, filename="a.css")


@pytest.mark.parametrize("value", [5, "x", ["x"]])
def test_wrong_headers_leave_the_pages_up_and_are_named_by_a_deploy(make_app, value):
    config = {
        "FLASKS3_HEADERS": value,
        "FLASKS3_USE_CACHE_CONTROL": True,
        "FLASKS3_CACHE_CONTROL": "max-age=1",
    }
    app = make_app(CSS, {**IN_BUCKET, **config})
    FlaskS3(app)
    assert asked(app, filename="a.css") == f"{STORE}/static/a.css"
    with pytest.raises(SettingsError, match=r"^FLASKS3_HEADERS is "):
        create_all(app)


@pytest.mark.parametrize("key", ["FLASKS3_LOCAL", "FLASKS3_IGNORE"])
def test_a_line_that_is_no_pattern_is_an_error_that_names_the_key_and_the_line(make_app, key):
    app = make_app(CSS, {**IN_BUCKET, key: ["ok.css", "!"]})
    FlaskS3(app)
    with pytest.raises(SettingsError, match=rf"^{key} holds .*'!'.*: correct it"):
        asked(app, filename="a.css")


# -- secrets


@pytest.mark.parametrize("key", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("value", [b"hunter2", "hunter2\n", ["hunter2"]])
def test_a_secret_is_never_shown_in_a_message(key, value):
    with pytest.raises(SettingsError) as caught:
        _read({key: value})
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).startswith(f"{key} is a secret value, but it has to be a string")


@pytest.mark.parametrize(
    "key", ["FLASKS3_ENDPOINT_URL", "FLASKS3_BUCKET_DOMAIN", "FLASKS3_CDN_DOMAIN"]
)
def test_a_password_in_an_address_is_refused_and_never_shown(key):
    with pytest.raises(SettingsError) as caught:
        _read({key: "https://me:hunter2@s3.example.com"})
    assert "hunter2" not in str(caught.value)
    assert key in str(caught.value)


def test_secrets_are_not_in_the_repr_of_the_settings():
    settings = _read(
        {
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": "hunter2",
            "AWS_SESSION_TOKEN": "hunter3",
        }
    )
    assert settings.static_keys() == StaticKeys("AKID", "hunter2", "hunter3")
    assert "hunter" not in repr(settings) + repr(settings.static_keys())


# -- what worked with 0.3


@pytest.mark.parametrize(
    ("key", "value", "meaning"),
    [
        ("FLASKS3_HEADERS", (("Cache-Control", "max-age=1"),), {"Cache-Control": "max-age=1"}),
        ("FLASKS3_HEADERS", None, {}),
        ("FLASKS3_HEADERS", {"X-Count": 5}, {"X-Count": "5"}),
        ("FLASKS3_FILEPATH_HEADERS", None, ()),
        ("FLASKS3_FILEPATH_HEADERS", [], ()),
        ("FLASKS3_GZIP_ONLY_EXTS", None, ()),
        ("FLASKS3_GZIP_ONLY_EXTS", (".css",), (".css",)),
        ("FLASKS3_CDN_DOMAIN", None, ""),
        ("FLASKS3_REGION", "", None),
        ("FLASKS3_REGION", "DEFAULT", None),
        ("FLASKS3_REGION", "EU", "eu-west-1"),
        ("FLASKS3_REGION", "USWest", "us-west-1"),
        ("FLASKS3_REGION", "APSoutheast", "ap-southeast-1"),
        ("FLASKS3_REGION", "RegionOne", "RegionOne"),  # not AWS's
        ("FLASKS3_CACHE_CONTROL", None, None),
        ("FLASKS3_BUCKET_NAME", "Old_Bucket", "Old_Bucket"),  # before 2018, in us-east-1
    ],
    ids=repr,
)
def test_what_worked_with_0_3_still_works(key, value, meaning):
    (name,) = (field.name for field in FIELDS if field.metadata["key"] == key)
    assert getattr(_read({key: value}), name) == meaning


# -- immutability


def test_settings_cannot_be_changed_once_read():
    settings = _read({"FLASKS3_HEADERS": {"A": "b"}})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.prefix = "x"
    with pytest.raises(TypeError):
        settings.headers["C"] = "d"


def test_settings_do_not_follow_the_containers_that_they_were_read_from():
    config = {"FLASKS3_HEADERS": {"A": "b"}, "FLASKS3_LOCAL": ["sw.js"]}
    settings = _read(config)
    config["FLASKS3_HEADERS"]["C"] = "d"
    config["FLASKS3_LOCAL"].append("x")
    assert (settings.headers, settings.local) == ({"A": "b"}, ("sw.js",))


def test_reading_settings_changes_no_config(make_app):
    app = make_app(CSS, {**IN_BUCKET, "FLASKS3_HEADERS": (("A", "b"),)})
    before = dict(app.config)
    asked(app, filename="a.css")
    collected(app)
    assert dict(app.config) == before


# -- Cache-Control


def test_use_cache_control_sets_the_header_in_that_apps_config_alone(make_app):
    shop = make_app(
        CSS,
        {
            **IN_BUCKET,
            "FLASKS3_USE_CACHE_CONTROL": True,
            "FLASKS3_CACHE_CONTROL": "max-age=1",
            "FLASKS3_HEADERS": {"X-Shop": "1"},
        },
    )
    blog = make_app(CSS, IN_BUCKET, name="blog")
    FlaskS3(shop)
    FlaskS3(blog)
    assert shop.config["FLASKS3_HEADERS"] == {"X-Shop": "1", "Cache-Control": "max-age=1"}
    assert blog.config["FLASKS3_HEADERS"] == {}
    assert DEFAULT_SETTINGS["FLASKS3_HEADERS"] == {}


def test_one_headers_dict_for_two_apps_is_left_alone(make_app):
    """As in a `Config` class that both load, where only one switches the cache control on."""
    headers = {"X-Shop": "1"}
    cached = {"FLASKS3_USE_CACHE_CONTROL": True, "FLASKS3_CACHE_CONTROL": "max-age=1"}
    shop = make_app(CSS, {**IN_BUCKET, "FLASKS3_HEADERS": headers, **cached})
    blog = make_app(CSS, {**IN_BUCKET, "FLASKS3_HEADERS": headers}, name="blog")
    FlaskS3(shop)
    FlaskS3(blog)
    assert (blog.config["FLASKS3_HEADERS"], headers) == ({"X-Shop": "1"}, {"X-Shop": "1"})


@pytest.mark.parametrize(
    "config",
    [
        {"FLASKS3_USE_CACHE_CONTROL": False, "FLASKS3_CACHE_CONTROL": "max-age=1"},
        {"FLASKS3_CACHE_CONTROL": "max-age=1"},
        {"FLASKS3_USE_CACHE_CONTROL": True},
        {"FLASKS3_USE_CACHE_CONTROL": True, "FLASKS3_CACHE_CONTROL": ""},
    ],
    ids=str,
)
def test_without_both_settings_there_is_no_cache_control(make_app, config):
    app = make_app(CSS, {**IN_BUCKET, **config})
    FlaskS3(app)
    assert app.config["FLASKS3_HEADERS"] == {}
    assert _read(config).headers == {}


@pytest.mark.parametrize("name", ["Cache-Control", "cache-control"])
def test_the_cache_control_setting_stands_above_the_header_of_that_name(name):
    config = {
        "FLASKS3_USE_CACHE_CONTROL": True,
        "FLASKS3_CACHE_CONTROL": "max-age=1",
        "FLASKS3_HEADERS": {name: "no-store", "A": "b"},
    }
    assert _read(config).headers == {"A": "b", "Cache-Control": "max-age=1"}


# -- the environment


@pytest.mark.parametrize(
    ("environ", "base"),
    [
        ({"AWS_REGION": "eu-south-1"}, f"https://{BUCKET}.s3.eu-south-1.amazonaws.com"),
        ({"AWS_DEFAULT_REGION": "eu-south-1"}, f"https://{BUCKET}.s3.eu-south-1.amazonaws.com"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-south-1"}, STORE),
        ({"AWS_ENDPOINT_URL": "http://s3.test"}, f"http://s3.test/{BUCKET}"),
        ({"AWS_ENDPOINT_URL_S3": "http://s3.test"}, f"http://s3.test/{BUCKET}"),
        (
            {"AWS_ENDPOINT_URL_S3": "http://s3.test", "AWS_ENDPOINT_URL": "http://all.test"},
            f"http://s3.test/{BUCKET}",
        ),
        ({"FLASKS3_PREFIX": "v1"}, STORE),  # read with app.config.from_prefixed_env(), if at all
        ({"AWS_ACCESS_KEY_ID": "half"}, STORE),  # serving needs no keys
    ],
    ids=str,
)
def test_the_environment_completes_the_config(make_app, monkeypatch, environ, base):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    app = make_app(CSS, IN_BUCKET)
    FlaskS3(app)
    assert asked(app, filename="a.css") == f"{base}/static/a.css"


@pytest.mark.parametrize(
    ("config", "environ", "base"),
    [
        ({"FLASKS3_REGION": "eu-west-1"}, {"AWS_REGION": "eu-south-1"}, STORE),
        (
            {"FLASKS3_ENDPOINT_URL": "http://mine.test"},
            {"AWS_ENDPOINT_URL_S3": "http://s3.test"},
            f"http://mine.test/{BUCKET}",
        ),
    ],
)
def test_the_config_stands_above_the_environment(make_app, monkeypatch, config, environ, base):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    app = make_app(CSS, {**IN_BUCKET, **config})
    assert asked(app, filename="a.css") == f"{base}/static/a.css"


@pytest.mark.parametrize(
    ("config", "environ", "keys"),
    [
        (
            {},
            {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T"},
            StaticKeys("E", "S", "T"),
        ),
        (
            {"AWS_ACCESS_KEY_ID": "C", "AWS_SECRET_ACCESS_KEY": "S"},
            {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "X", "AWS_SESSION_TOKEN": "T"},
            StaticKeys("C", "S", None),  # a token belongs to its own pair
        ),
        ({}, {}, None),
    ],
)
def test_keys_come_as_a_whole_from_the_config_or_the_environment(config, environ, keys):
    assert _read(config, **environ).static_keys() == keys


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "eu west"),
        ("AWS_DEFAULT_REGION", "eu west"),
        ("AWS_ENDPOINT_URL_S3", "s3.test"),
        ("AWS_ENDPOINT_URL", "s3.test"),
    ],
)
def test_a_wrong_variable_is_named_as_it_was_set(name, value):
    with pytest.raises(SettingsError, match=f"^{name} is {value!r}, but it has to be "):
        _read({}, **{name: value})


# -- what create_all's own arguments say


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"bucket_name": "s3://shop"}, "FLASKS3_BUCKET_NAME"),
        ({"location": "APNortheast"}, "FLASKS3_REGION"),
        ({"user": "half"}, "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_wrong_argument_of_create_all_is_a_value_error_before_anything_is_sent(
    make_app, arguments, key
):
    with pytest.raises(ValueError, match=key):
        create_all(make_app(CSS, IN_BUCKET), **arguments)
