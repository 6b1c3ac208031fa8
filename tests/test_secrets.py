"""No credential shows in a log, an error, a plan, a report or a traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from commands import Shop
from conftest import AppMaker, Bucket
from forks import Done, Forks
from proxy import Answer, Proxy

from flask_s3 import PublishError, create_all
from flask_s3.cli.commands import s3
from flask_s3.errors import FlaskS3Error
from flask_s3.redaction import without_passwords, without_secrets
from flask_s3.serve.serving import state_of
from flask_s3.settings import FIELDS, Settings, SettingsError
from flask_s3.store import boto
from flask_s3.store.s3 import S3Store

SECRET = "hunter2/SecretAccessKey+000000000000000001"
TOKEN = "FwoG" + "hunter2SessionToken00" * 8
CLOUDFLARE = "hunter2-cloudflare-token-000000000000001"
PASSWORD = "hunter2-p/ss:w@rd"
SIGNATURE = "5bd3f0c2a1" * 6 + "c0de"
HIDDEN = {SECRET, TOKEN, CLOUDFLARE, "hunter2", SIGNATURE}

FILES = {"css/app.css": "body{background:url(../a.svg)}", "a.svg": "<svg/>"}
CONFIG = {
    "CLOUDFLARE_API_TOKEN": CLOUDFLARE,
    "FLASKS3_CLOUDFRONT_DISTRIBUTION": "E2EXAMPLE1ABCD",
    "FLASKS3_FINGERPRINT": True,
}
# Our own loggers say all that they have to say.
LOGGED = """
import logging
logging.basicConfig()
logging.getLogger("flask_s3").setLevel(logging.DEBUG)
"""

CASES: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("setup",): ("--yes",),
    ("build",): ("-o", "tree"),
    ("plan",): ("-o", "plan.json"),
    ("report",): ("-o", "report.html"),
    ("deploy",): ("--yes", "--json"),
    ("status",): (),
    ("releases",): ("--json",),
    ("releases", "diff"): ("20200101T000000Z-00000000",),
    ("rollback",): (),
    ("policy",): (),
    ("doctor",): ("--json",),
    ("verify",): ("--json",),
    ("purge",): ("--all",),
    ("prune",): (),
    ("destroy",): ("--yes", "--confirm", "shop"),
    # It ends at once, since this address is nobody's (RFC 5737).
    ("preview",): ("--host", "203.0.113.1"),
}
"""How each command is run, in this order."""


def commands(group: click.Group = s3, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if not isinstance(command, click.Group):
            yield (*path, name)
            continue
        if command.invoke_without_command:
            yield (*path, name)
        yield from commands(command, (*path, name))


def test_every_command_is_run_here():
    assert set(commands()) == set(CASES)


def all_run(forking: Forks, shop: Shop) -> dict[tuple[str, ...], Done]:
    return {
        name: forking.start(shop.root, *name, *arguments).end() for name, arguments in CASES.items()
    }


def all_at_once(forking: Forks, shop: Shop) -> dict[tuple[str, ...], Done]:
    """The same where none gets far enough to be in another's way."""
    started = {
        name: forking.start(shop.root, *name, *arguments) for name, arguments in CASES.items()
    }
    return {name: command.end() for name, command in started.items()}


def shown(text: str, hidden: set[str] = HIDDEN) -> list[str]:
    return [secret for secret in hidden if secret in text]


def leaks(shop: Shop, done: Mapping[tuple[str, ...], Done], hidden: set[str] = HIDDEN) -> list[Any]:
    """Each secret that was printed or written anywhere, beside the settings."""
    ours = {"settings.json", "wsgi.py"}
    files = [path for path in shop.root.rglob("*") if path.is_file() and path.name not in ours]
    return [
        *[(name, one.text) for name, one in done.items() if shown(one.text, hidden)],
        *[path for path in files if shown(path.read_bytes().decode("latin-1"), hidden)],
    ]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop", FILES, {}, code=LOGGED)


def test_what_goes_well_shows_none(forking: Forks, shop: Shop, mini_bucket: Bucket):
    shop.configure({**mini_bucket.config, **CONFIG})
    hidden = {mini_bucket.server.secret_key, CLOUDFLARE}

    done = all_run(forking, shop)

    assert done[("deploy",)].code == 0, done[("deploy",)].text
    assert leaks(shop, done, hidden) == []
    bodies = [mini_bucket.get(key)["Body"] for key in mini_bucket.keys(metadata=True)]
    assert [body for body in bodies if shown(body.decode("latin-1"), hidden)] == []


@pytest.mark.parametrize(("answer", "code"), [("wrong secret", 2), ("unreachable", 1)])
def test_what_a_store_refuses_shows_none(
    answer, code, forking: Forks, shop: Shop, mini_bucket: Bucket
):
    config = {**mini_bucket.config, **CONFIG, "AWS_SECRET_ACCESS_KEY": SECRET}
    if answer == "unreachable":
        config |= {"AWS_SESSION_TOKEN": TOKEN, "FLASKS3_ENDPOINT_URL": "http://127.0.0.1:9"}
    shop.configure(config)

    done = all_at_once(forking, shop)

    assert done[("deploy",)].code == code, done[("deploy",)].text
    assert leaks(shop, done) == []


ECHO = (
    f"bad headers: authorization: AWS4-HMAC-SHA256 Credential=AKIDX/20260101/us-east-1/s3/"
    f"aws4_request, SignedHeaders=host, Signature={SIGNATURE}\nx-amz-security-token:{TOKEN}\n"
    f"secret {SECRET}; Bearer {CLOUDFLARE}"
)


def test_a_store_that_repeats_what_it_was_sent_gives_none_away(
    forking: Forks, shop: Shop, mini_bucket: Bucket
):
    keys = {"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule(".*", "", Answer(400, "Echo", ECHO))
        shop.configure(
            {**mini_bucket.config, **CONFIG, **keys, "FLASKS3_ENDPOINT_URL": proxy.endpoint}
        )
        done = all_at_once(forking, shop)

    assert "bad headers: authorization: …" in done[("status",)].text
    assert leaks(shop, done) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("FLASKS3_ENDPOINT_URL", f"https://shop:{PASSWORD}@s3.example.com"),
        ("FLASKS3_ENDPOINT_URL", "https://hunter2@s3.example.com"),
        ("FLASKS3_CDN_DOMAIN", f"https://shop:{PASSWORD}@cdn.example.com"),
        ("FLASKS3_CDN_DOMAIN", f"shop:{PASSWORD}@cdn.example.com/static"),
        ("FLASKS3_BUCKET_DOMAIN", f"//shop:{PASSWORD}@cdn.example.com"),
        ("FLASKS3_BUCKET_NAME", f"s3://AKIDX:{PASSWORD}@shop"),
        ("FLASKS3_CORS_ORIGINS", [f"https://shop:{PASSWORD}@shop.example.com"]),
        ("FLASKS3_CLOUDFRONT_DISTRIBUTION", f"https://shop:{PASSWORD}@E2EXAMPLE1ABCD"),
        ("CLOUDFLARE_API_TOKEN", "hunter2\n"),
        ("AWS_SESSION_TOKEN", ["hunter2"]),
    ],
)
def test_a_setting_that_cannot_work_is_named_without_its_password(key, value):
    with pytest.raises(SettingsError) as caught:
        Settings.read({"FLASKS3_BUCKET_NAME": "shop", key: value}, environ={})

    message = str(caught.value)
    assert (key in message, shown(message), "ss:w" in message) == (True, [], False)
    assert shown("".join(traceback.format_exception(caught.value))) == []


def test_every_command_names_a_setting_without_its_password(forking: Forks, shop: Shop):
    endpoint = f"https://shop:{PASSWORD}@s3.example.com"
    shop.configure({**CONFIG, "FLASKS3_BUCKET_NAME": "shop", "FLASKS3_ENDPOINT_URL": endpoint})

    done = all_at_once(forking, shop)

    assert done[("deploy",)].code == 2
    assert "FLASKS3_ENDPOINT_URL is 'https://…@s3.example.com'" in done[("deploy",)].text
    assert leaks(shop, done) == []


# -- from Python

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "AKIDX",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": TOKEN,
    "CLOUDFLARE_API_TOKEN": CLOUDFLARE,
    "FLASKS3_BUCKET_NAME": "shop",
    "FLASKS3_ENDPOINT_URL": "http://127.0.0.1:9",
}


def settings() -> Settings:
    return Settings.read(SETTINGS, environ={})


@pytest.mark.parametrize(
    "make",
    [
        settings,
        lambda: settings().static_keys(),
        lambda: S3Store(settings()),
        lambda: boto.client(settings(), "us-east-1"),
    ],
)
def test_no_value_shows_one_when_it_is_printed(make: Callable[[], object]):
    value = make()

    assert shown(f"{value!r} {value}") == []


def test_every_setting_that_holds_a_secret_is_one_that_no_text_may_show():
    keys = {f.metadata["key"] for f in FIELDS if not f.repr}

    assert keys == {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "CLOUDFLARE_API_TOKEN"}
    assert {SETTINGS[key] for key in keys} == set(settings().secrets)


def with_locals(error: BaseException) -> str:
    """A traceback as error trackers write it: with what every name stands for in our functions."""
    told: traceback.TracebackException | None
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    lines: list[str] = []
    while told is not None:
        lines += [
            f"{name} = {value}"
            for frame in told.stack
            if "flask_s3" in frame.filename
            for name, value in (frame.locals or {}).items()
        ]
        told = told.__cause__ or told.__context__
    return "\n".join(lines)


@pytest.mark.parametrize("answer", ["refuses", "echo"])
def test_a_traceback_with_its_variables_shows_none(answer, make_app: AppMaker, mini_bucket: Bucket):
    with Proxy(mini_bucket.server.endpoint) as proxy:
        if answer == "echo":
            proxy.rule(".*", "", Answer(400, "Echo", ECHO))
        config = {**mini_bucket.config, **SETTINGS, "FLASKS3_ENDPOINT_URL": proxy.endpoint}
        app = make_app(FILES, {**config, "FLASKS3_BUCKET_NAME": mini_bucket.name})

        with pytest.raises((FlaskS3Error, PublishError)) as caught:
            create_all(app)

    text = with_locals(caught.value)
    assert "settings = Settings(" in text
    assert shown(f"{text} {caught.value} {caught.value!r}") == []


def test_what_boto3_raises_repeats_none(mini_bucket: Bucket):
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule(
            ".*",
            "",
            Answer(400, "Echo", ECHO, extra=f"<CanonicalRequest>{TOKEN}</CanonicalRequest>"),
        )
        config = {**SETTINGS, "FLASKS3_ENDPOINT_URL": proxy.endpoint}
        asked = boto.client(Settings.read(config, environ={}), "us-east-1")
        with pytest.raises(Exception, match="bad headers") as caught:
            asked.list_objects_v2(Bucket="shop")

    assert shown(f"{caught.value} {caught.value.response}") == []


def test_the_credentials_of_a_profile_are_hidden_too(
    make_app: AppMaker, mini_bucket: Bucket, tmp_path: Path, monkeypatch
):
    profile = tmp_path / "credentials"
    profile.write_text(
        f"[default]\naws_access_key_id = AKIDX\naws_secret_access_key = {SECRET}\n"
        "aws_session_token = hunter2-short\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profile))
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule(".*", "", Answer(400, "Echo", f"{SECRET} and hunter2-short"))
        config = {**mini_bucket.config, "FLASKS3_ENDPOINT_URL": proxy.endpoint}
        app = make_app(FILES, {**config, "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})

        with pytest.raises(FlaskS3Error, match="it said '… and …'") as caught:
            create_all(app)

    assert shown(str(caught.value)) == []


# -- texts


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://a:b@h/x", "https://…@h/x"),
        ("https://token@h", "https://…@h"),
        ("//a:b@h", "//…@h"),
        ("https://a:p/s?s@w@h:80", "https://…@h:80"),
        ("a:b@h", "a:…@h"),
        ("['https://a:b@h']", "['https://…@h']"),
        ("{'X': 'a:b@h'}", "{'X': 'a:…@h'}"),
        # What is no password stays.
        ("me@example.com", "me@example.com"),
        ("write to: me@example.com", "write to: me@example.com"),
        ("{'Link': 'me@example.com'}", "{'Link': 'me@example.com'}"),
        ("https://h/npm/@scope/a@1.2", "https://h/npm/@scope/a@1.2"),
        ("https://h:8080/a", "https://h:8080/a"),
        ("a:b", "a:b"),
    ],
)
def test_an_address_loses_its_password_and_nothing_else(text, told):
    assert without_passwords(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "The request signature we calculated does not match the signature you provided.",
        "Credential should be scoped to a valid region: eu-west-1.",
        "The store refused PutObject in bucket 'shop' (AccessDenied): grant s3:PutObject on it.",
        "Bearer authentication is required; basic authentication is off.",
        "It said: authorization: … and 'authorization': '…': try again.",
        "/home/somebody/projects/" + "shop/static/" * 12 + "app.css: it is unreadable.",
    ],
)
def test_a_message_without_a_secret_stays_as_it_is(text):
    assert without_secrets(text, ["hunter2hunter2", None, "", "s3"]) == text


def test_the_state_of_an_app_shows_none_when_it_is_printed(make_app: AppMaker):
    app = make_app(FILES, SETTINGS)

    assert shown(repr(state_of(app))) == []
