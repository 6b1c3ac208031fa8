"""What networks, stores, files and accounts do wrong, and what a deploy makes of it.

Real servers, through a proxy that makes the fault where the server itself does not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from commands import Shop, end
from conftest import Bucket
from looking import records
from proxy import Answer, Delay, Gate, LoseAnswer, Proxy, Reset
from servers import Server

from flask_s3 import (
    CredentialsError,
    FlaskS3,
    FlaskS3Error,
    PublishError,
    SettingsError,
    StoreError,
    create_all,
    published,
    publishing,
)
from flask_s3.building import collect
from flask_s3.cli.commands import s3
from flask_s3.release import publish
from flask_s3.store import flow
from flask_s3.store import s3 as client

LARGE = 8 * 1024 * 1024 + 5


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (flow, client):
        monkeypatch.setattr(module, "delay", lambda _attempt: 0.0)


class Between:
    """A bucket, and the proxy on the way to it."""

    def __init__(self, bucket: Bucket, proxy: Proxy) -> None:
        self.bucket = bucket
        self.proxy = proxy
        self.rule = proxy.rule

    def config(self, **more: Any) -> dict[str, Any]:
        config = {**self.bucket.config, "FLASKS3_ENDPOINT_URL": self.proxy.endpoint, **more}
        return {key: value for key, value in config.items() if value is not None}


@pytest.fixture
def between(bucket: Bucket) -> Iterator[Between]:
    """On each server in turn."""
    with Proxy(bucket.server.endpoint) as proxy:
        yield Between(bucket, proxy)


@pytest.fixture
def mini(mini_bucket: Bucket) -> Iterator[Between]:
    with Proxy(mini_bucket.server.endpoint) as proxy:
        yield Between(mini_bucket, proxy)


def three() -> dict[str, str]:
    return {"a.css": "a{}", "b.js": "b()", "c.txt": "c"}


KEYS = ("static/a.css", "static/b.js", "static/c.txt")


def changing(app: Any, change: Callable[[], object]) -> Any:
    """Does something between the plan and the upload, as a build that goes on would."""

    def receive(_app: Any, **_: Any) -> None:
        change()

    return publishing.connected_to(receive, sender=app)


def failed(app: Any) -> PublishError:
    with pytest.raises(PublishError) as caught:
        create_all(app)
    return caught.value


def only_failure(error: PublishError) -> tuple[str, str]:
    (failure,) = error.result.failures
    return failure.key, failure.reason


# -- answers that pass


TRANSIENT = {
    "SlowDown": Answer(503, "SlowDown"),
    "throttled as Google does": Answer(429, "TooManyRequests"),
    "InternalError": Answer(500, "InternalError"),
    "bad gateway": Answer(502),
    "gateway time-out": Answer(504),
    "OperationAborted": Answer(409, "OperationAborted"),
    "too slow": Answer(400, "RequestTimeout"),
    "reset": Reset(),
    "answer lost": LoseAnswer(),
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
def test_a_fault_that_passes_costs_nothing_but_time(fault, between, make_app):
    app = make_app(three(), between.config())
    between.rule("PUT", "/static/", fault, turns=range(1, 3), each=True)

    result = create_all(app)

    assert result.uploaded == KEYS
    assert between.bucket.get("static/a.css")["Body"] == b"a{}"
    assert between.proxy.count("PUT", "a.css") >= 3


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
def test_a_look_at_the_store_survives_a_fault_that_passes(fault, mini, make_app):
    app = make_app(three(), mini.config())
    create_all(app)
    mini.rule("GET|HEAD", "", fault, turns=range(1, 3), each=True)

    assert create_all(app).uploaded == KEYS


def test_a_store_that_asks_for_fewer_requests_gets_fewer_and_everything_arrives(mini, make_app):
    storm = {f"a{number:02}.txt": "a" for number in range(33)}
    after = {f"z{number:02}.txt": "z" for number in range(40)}
    app = make_app({**storm, **after}, mini.config(FLASKS3_CONCURRENCY=32))
    mini.rule("PUT", "/static/", Delay(0.05))
    # The first goes alone, and opens the window.
    mini.rule("PUT", r"/static/a(?!00)", Answer(503, "SlowDown"), turns=range(1, 3), each=True)

    result = create_all(app)

    assert len(result.uploaded) == 73
    at_last = [seen.in_flight for seen in mini.proxy.seen("PUT", "/static/")[-20:]]
    assert max(at_last) <= 16 + 73 / 8


def test_a_slow_down_that_never_ends_is_said_to_be_one(mini, make_app):
    app = make_app({"a.css": "a"}, mini.config())
    mini.rule("PUT", "/static/", Answer(503, "SlowDown"))

    key, reason = only_failure(failed(app))

    assert key == "static/a.css"
    assert reason == (
        f"The store refused PutObject in bucket {mini.bucket.name!r} (SlowDown): it asked for "
        "fewer requests and went on asking: lower FLASKS3_CONCURRENCY."
    )


# -- answers that stay


def test_one_file_that_the_store_never_takes_stops_no_other(between, make_app):
    app = make_app(three(), between.config(FLASKS3_ONLY_MODIFIED=True))
    between.rule("PUT", r"/b\.js$", Answer(500, "InternalError"))

    error = failed(app)

    assert error.exit_code == 1
    assert error.result.uploaded == ("static/a.css", "static/c.txt")
    assert error.result.failed == ("static/b.js",)
    assert "1 of 3 files could not be published" in str(error)
    assert isinstance(error.__cause__, StoreError)
    assert between.bucket.keys() == ["static/a.css", "static/c.txt"]


def deploy(app: Any) -> tuple[int, Any]:
    """`flask s3 deploy --json`, without a process of its own: its exit code and its object."""
    ended = app.test_cli_runner().invoke(s3, ["deploy", "--json"])
    return ended.exit_code, json.loads(ended.stdout)


def test_the_next_deploy_publishes_just_what_is_missing(between, make_app):
    app = make_app(three(), between.config())
    between.rule("PUT", r"/b\.js$", Answer(403, "AccessDenied"))
    code, first = deploy(app)
    assert (code, first["failed"]) == (1, ["static/b.js"])
    between.proxy.clear()

    code, second = deploy(app)

    assert (code, second["uploaded"]) == (0, ["static/b.js"])
    assert second["kept"] == ["static/a.css", "static/c.txt"]
    assert {seen.path for seen in between.proxy.seen("PUT", "/static/")} == {
        f"/{between.bucket.name}/static/b.js"
    }


def test_a_replacement_that_failed_is_sent_again_though_the_old_one_is_recorded(between, make_app):
    """What stands under the key after a failure is not known: an answer may have been lost."""
    app = make_app(three(), between.config())
    file = Path(app.static_folder, "b.js")
    assert deploy(app)[0] == 0
    file.write_text("new()")
    refusal = Answer(400, "AccessControlListNotSupported")
    between.rule("PUT", r"/b\.js$", refusal, header="x-amz-acl")
    between.rule("PUT", r"/b\.js$", LoseAnswer())
    assert deploy(app)[0] == 1
    assert between.bucket.get("static/b.js")["Body"] == b"new()"
    between.proxy.clear()
    file.write_text("b()")  # what the first record says

    assert deploy(app)[1]["uploaded"] == ["static/b.js"]
    assert between.bucket.get("static/b.js")["Body"] == b"b()"


def test_a_store_that_takes_nothing_fails_every_file_by_name(between, make_app):
    app = make_app(three(), between.config())
    between.rule("PUT", "/static/", Answer(500, "InternalError"))

    error = failed(app)

    assert error.result.uploaded == ()
    assert sorted(error.result.failed) == list(KEYS)
    sentence = (
        f"The store refused PutObject in bucket {between.bucket.name!r} (InternalError): it "
        "failed, and failed again: publish again later."
    )
    assert {failure.reason for failure in error.result.failures} == {sentence}
    assert between.bucket.keys() == []


def test_a_full_store_says_so(mini, make_app):
    app = make_app({"a.css": "a"}, mini.config())
    mini.rule("PUT", "/static/", Answer(507, "InsufficientStorage"))

    assert only_failure(failed(app))[1] == (
        f"The store refused PutObject in bucket {mini.bucket.name!r} (InsufficientStorage): the "
        "store is full: add space or remove objects."
    )
    assert mini.proxy.count("PUT", "/static/") <= 2  # again without the ACL, which may be why


def test_an_unknown_error_shows_the_stores_own_words(mini, make_app):
    app = make_app({"a.css": "a"}, mini.config())
    mini.rule("PUT", "/static/", Answer(418, "Teapot", "short and stout"))

    assert "(Teapot): it said 'short and stout'" in only_failure(failed(app))[1]


# -- checksums


def test_a_small_file_carries_its_sha256_so_that_the_store_can_check_it(between, make_app):
    app = make_app({"a.css": "a{}"}, between.config())

    create_all(app)

    digest = base64.b64encode(hashlib.sha256(b"a{}").digest()).decode()
    sent = between.proxy.seen("PUT", "a.css")
    assert {seen.headers["x-amz-checksum-sha256"] for seen in sent} == {digest}


REFUSALS = {
    "501": Answer(501, "NotImplemented", "A header you provided implies functionality"),
    "400 InvalidArgument": Answer(400, "InvalidArgument"),
    "400 InvalidRequest": Answer(400, "InvalidRequest"),
}


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
def test_a_store_that_refuses_checksums_still_works(answer, between, make_app):
    app = make_app(three(), between.config())
    between.rule("PUT", "", answer, header="x-amz-checksum-sha256")

    result = create_all(app)

    assert result.uploaded == KEYS
    assert between.bucket.keys() == list(KEYS)
    assert between.bucket.get("static/a.css")["Body"] == b"a{}"
    asked = between.proxy.seen("PUT", "static")
    assert sum("x-amz-checksum-sha256" in seen.headers for seen in asked) <= 2


# -- files that change


def test_a_file_that_changed_after_it_was_hashed_is_refused_and_the_others_published(
    between, make_app
):
    """Size and time are the same, so that only the checksum can tell."""
    app = make_app(three(), between.config())
    file = Path(app.static_folder, "b.js")
    before = file.stat()

    def change() -> None:
        file.write_text("x()")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    with changing(app, change):
        error = failed(app)

    key, reason = only_failure(error)
    assert key == "static/b.js"
    assert "changed while it was sent: publish again." in reason
    assert error.result.uploaded == ("static/a.css", "static/c.txt")
    assert between.bucket.keys() == ["static/a.css", "static/c.txt"]


def test_a_change_that_the_store_did_not_see_is_seen_by_size_and_time(between, make_app):
    app = make_app(three(), between.config())
    file = Path(app.static_folder, "b.js")
    between.rule("PUT", "", Answer(501, "NotImplemented"), header="x-amz-checksum-sha256")

    with changing(app, lambda: file.write_text("x()")):
        error = failed(app)

    key, reason = only_failure(error)
    assert key == "static/b.js"
    assert "changed while it was published: publish again." in reason


CHANGES = {
    "touched": lambda path: os.utime(path, ns=(1, 1)),
    "shorter": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "empty": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("change", list(CHANGES)[1:])
def test_a_small_file_of_another_size_fails_and_the_others_are_published(change, between, make_app):
    app = make_app(three(), between.config())
    file = Path(app.static_folder, "b.js")

    with changing(app, lambda: CHANGES[change](file)):
        error = failed(app)

    key, reason = only_failure(error)
    assert key == "static/b.js"
    assert "changed while it was" in reason
    assert error.result.uploaded == ("static/a.css", "static/c.txt")
    assert error.result.failed == ("static/b.js",)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_in_parts_that_changed_fails_and_the_others_are_published(change, between, make_app):
    app = make_app({**three(), "film.mp4": b"x" * LARGE}, between.config())
    film = Path(app.static_folder, "film.mp4")

    with changing(app, lambda: change(film)):
        error = failed(app)

    key, reason = only_failure(error)
    assert key == "static/film.mp4"
    assert "changed while it was" in reason
    assert "publish again" in reason
    assert error.result.uploaded == KEYS


def test_a_file_in_parts_arrives_whole(between, make_app):
    body = os.urandom(LARGE)
    app = make_app({"film.mp4": body}, between.config())

    create_all(app)

    assert between.bucket.get("static/film.mp4")["Body"] == body


def test_a_part_that_is_lost_is_sent_again(between, make_app):
    body = os.urandom(LARGE)
    app = make_app({"film.mp4": body}, between.config())
    between.rule("PUT", "film.mp4", Reset(), turns=[1])

    create_all(app)

    assert between.bucket.get("static/film.mp4")["Body"] == body


def test_a_file_that_vanishes_fails_alone(between, make_app):
    app = make_app({**three(), "film.mp4": b"x" * LARGE}, between.config())
    folder = Path(app.static_folder)

    def vanish() -> None:
        (folder / "b.js").unlink()
        (folder / "film.mp4").unlink()

    with changing(app, vanish):
        error = failed(app)

    reasons = {failure.key: failure.reason for failure in error.result.failures}
    sentence = "The file could not be read: it vanished, or is unreadable."
    assert reasons == {"static/b.js": sentence, "static/film.mp4": sentence}
    assert error.result.uploaded == ("static/a.css", "static/c.txt")


def test_a_file_that_becomes_a_folder_fails_alone(mini, make_app):
    app = make_app(three(), mini.config())
    file = Path(app.static_folder, "b.js")

    def change() -> None:
        file.unlink()
        file.mkdir()

    with changing(app, change):
        error = failed(app)

    assert error.result.failed == ("static/b.js",)
    assert error.result.uploaded == ("static/a.css", "static/c.txt")


# Every capability given up (capset(2), version 3), for otherwise root may read anything.
UNPRIVILEGED = """
import ctypes, os, struct
if os.getuid() == 0:
    none = struct.pack("6I", *[0] * 6)
    assert ctypes.CDLL(None).capset(struct.pack("Ii", 0x20080522, 0), none) == 0
"""


def test_an_unreadable_file_is_named_and_the_others_published(mini, tmp_path):
    shop = Shop(tmp_path, three(), mini.config(), code=UNPRIVILEGED)
    (shop.static / "b.js").chmod(0)

    ended = shop.run("deploy", "--json")

    assert ended.code == 1
    assert ended.json["failed"] == ["static/b.js"]
    assert ended.json["uploaded"] == ["static/a.css", "static/c.txt"]
    assert (
        "failed  static/b.js: it could not be read (Permission denied): make it readable, or leave "
        "it out with FLASKS3_IGNORE.\n" in ended.stderr
    )


def test_a_file_name_that_is_no_utf8_is_shown_and_the_others_published(mini, tmp_path):
    shop = Shop(tmp_path, three(), mini.config())
    Path(os.fsdecode(os.fsencode(shop.static) + b"/caf\xe9.css")).write_text("x")

    ended = shop.run("deploy", "--json")

    assert ended.code == 1
    assert ended.json["uploaded"] == list(KEYS)
    why = "its name is not UTF-8, so no URL can name it: rename it."
    assert rf"static/caf\udce9.css': {why}" in ended.stderr


def test_a_file_that_s3_cannot_hold_is_refused_before_it_is_read(mini, make_app, monkeypatch):
    """Not every file system takes a sparse file of 5 TiB, so the limit comes down."""
    monkeypatch.setattr(collect, "LARGEST_OBJECT", 2)
    app = make_app(three(), mini.config())

    error = failed(app)

    reasons = {failure.key: failure.reason for failure in error.result.failures}
    assert reasons.keys() == {"static/a.css", "static/b.js"}
    assert reasons["static/a.css"] == (
        "it is larger than S3's 5 TiB an object: leave it out with FLASKS3_IGNORE."
    )
    assert error.result.uploaded == ("static/c.txt",)


def test_the_largest_object_is_the_five_tebibytes_of_s3():
    assert collect.LARGEST_OBJECT == 5 * 2**40


# -- where the bucket is


ELSEWHERE = {
    "301": Answer(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
    "307": Answer(307, "TemporaryRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
    "400": Answer(400, "AuthorizationHeaderMalformed", extra="<Region>eu-west-1</Region>"),
    "400 with header": Answer(400, "", headers={"x-amz-bucket-region": "eu-west-1"}),
}


@pytest.fixture
def irish(ministack: Server, new_bucket: Callable[[Server], Bucket]) -> Iterator[Between]:
    """A bucket in eu-west-1, on a server that insists on signatures for the right region."""
    place = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    with Proxy(ministack.endpoint) as proxy:
        yield Between(new_bucket(ministack).create(**place), proxy)


def test_the_servers_own_redirect_to_another_region_is_followed(irish, make_app):
    app = make_app(three(), irish.config(FLASKS3_REGION=None))

    assert create_all(app).uploaded == KEYS
    assert irish.proxy.statuses[0][2] == 301


@pytest.mark.parametrize("answer", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_bucket_elsewhere_is_followed_when_no_region_is_set(answer, irish, make_app):
    app = make_app(three(), irish.config(FLASKS3_REGION=None))
    irish.rule(".*", "", answer, turns=[1])

    assert create_all(app).uploaded == KEYS
    first, *later = irish.proxy.seen(".*")
    assert "/us-east-1/s3/" in first.headers["authorization"]
    signed = [seen.headers["authorization"] for seen in later if "authorization" in seen.headers]
    assert all("/eu-west-1/s3/" in authorization for authorization in signed)


@pytest.mark.parametrize("answer", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_wrong_region_is_one_sentence_that_names_the_right_one(answer, mini, make_app):
    app = make_app(three(), mini.config(FLASKS3_REGION="us-west-2"))
    mini.rule(".*", "", answer)

    with pytest.raises(SettingsError) as caught:
        create_all(app)

    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        f"Bucket {mini.bucket.name!r} lives in eu-west-1, but FLASKS3_REGION (or AWS_REGION) says "
        "us-west-2: set FLASKS3_REGION = 'eu-west-1'."
    )
    assert mini.proxy.count("PUT") == 0


def test_a_bucket_of_somebody_else_is_one_sentence(server, new_bucket, make_app):
    theirs = new_bucket(server.other_user())
    theirs = Bucket(theirs.server, f"other-{theirs.name}", theirs.client).create()
    config = {**theirs.config, "AWS_ACCESS_KEY_ID": server.access_key}
    config["AWS_SECRET_ACCESS_KEY"] = server.secret_key
    if server.name == "seaweedfs":  # whose first identity is an administrator of everything
        ours = server.other_user()
        theirs = new_bucket(server).create()
        config = {**Bucket(ours, theirs.name, theirs.client).config}
    app = make_app(three(), config)

    with pytest.raises(StoreError) as caught:
        create_all(app)

    assert caught.value.exit_code == 1
    assert "the credentials lack the permission, or the bucket belongs to somebody else" in str(
        caught.value
    )
    assert theirs.keys(metadata=True) == []


def test_a_missing_bucket_is_not_created_where_nobody_can_be_asked(
    mini, new_bucket, ministack, tmp_path
):
    missing = new_bucket(ministack)
    shop = Shop(tmp_path, three(), missing.config)

    ended = shop.run("deploy")

    assert ended.code == 2
    assert (
        f"Error: Bucket {missing.name!r} does not exist, and there is no terminal to ask on "
        "whether it may be created: pass --yes, or run flask s3 setup." in ended.stderr
    )
    assert missing.name not in [item["Name"] for item in missing.client.list_buckets()["Buckets"]]


# -- who we are


@pytest.mark.parametrize(
    ("missing", "present"),
    [
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_half_a_pair_of_keys_is_one_sentence_and_nothing_is_asked(missing, present, mini, make_app):
    app = make_app(three(), mini.config(**{missing: None}))

    with pytest.raises(CredentialsError) as caught:
        create_all(app)

    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        f"{present} is set but {missing} is not, and one is of no use without the other: set "
        "both, or neither to use the AWS credential chain."
    )
    assert mini.proxy.requests == []


def keyless(between: Between, **more: Any) -> dict[str, Any]:
    return between.config(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, **more)


def test_no_credentials_at_all_is_one_sentence_and_exit_code_2(mini, tmp_path):
    ended = Shop(tmp_path, three(), keyless(mini)).run("deploy")

    assert ended.code == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "Error: No credentials were found in the settings, the environment, a profile or a role: "
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.\n"
    )
    assert mini.proxy.requests == []


def test_credentials_come_from_a_profile(between, make_app, tmp_path, monkeypatch):
    server = between.bucket.server
    credentials = tmp_path / "credentials"
    credentials.write_text(
        "[default]\naws_access_key_id = WRONG\naws_secret_access_key = WRONG\n"
        f"[deployer]\naws_access_key_id = {server.access_key}\n"
        f"aws_secret_access_key = {server.secret_key}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_PROFILE", "deployer")

    assert create_all(make_app(three(), keyless(between))).uploaded == KEYS


def test_a_profile_that_does_not_exist_is_one_sentence(mini, make_app, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(CredentialsError) as caught:
        create_all(make_app(three(), keyless(mini)))

    assert str(caught.value) == (
        "The config profile (nobody) could not be found: correct AWS_PROFILE."
    )


def test_credentials_that_run_out_are_renewed_during_the_run(mini, make_app, tmp_path, monkeypatch):
    """Each set is good for a minute only, which is less than botocore keeps one for."""
    server = mini.bucket.server
    calls = tmp_path / "calls"
    script = tmp_path / "credentials.py"
    expires = (datetime.now(timezone.utc) + timedelta(seconds=60)).isoformat()
    answer = {
        "Version": 1,
        "AccessKeyId": server.access_key,
        "SecretAccessKey": server.secret_key,
        "Expiration": expires,
    }
    script.write_text(f"open({str(calls)!r}, 'a').write('x')\nprint({json.dumps(answer)!r})\n")
    (tmp_path / "config").write_text(
        f"[default]\ncredential_process = {sys.executable} -S -E {script}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    app = make_app({f"{number}.txt": "x" for number in range(4)}, keyless(mini))
    looked = []

    with changing(app, lambda: looked.append(len(calls.read_text()))):
        result = create_all(app)

    assert len(result.uploaded) == 4
    assert len(calls.read_text()) > looked[0]


def test_a_session_token_goes_along_with_every_request(mini, make_app):
    app = make_app(three(), mini.config(AWS_SESSION_TOKEN="a/token=="))

    with pytest.raises((FlaskS3Error, StoreError)):
        create_all(app)

    assert {seen.headers["x-amz-security-token"] for seen in mini.proxy.requests} == {"a/token=="}


@pytest.mark.parametrize("key", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_wrong_keys_are_one_sentence_and_asked_once(key, between, make_app):
    app = make_app(three(), between.config(**{key: "WRONGWRONGWRONG"}))

    with pytest.raises(StoreError) as caught:
        create_all(app)

    assert "WRONG" not in str(caught.value)
    assert f"check {key}." in str(caught.value)
    assert between.proxy.count("GET") == 1


STOPPERS = {
    "clock": (
        Answer(403, "RequestTimeTooSkewed"),
        "this machine's clock is more than 15 minutes off: set it.",
    ),
    "token": (
        Answer(400, "ExpiredToken"),
        "the session token has expired: get new temporary credentials.",
    ),
}


@pytest.mark.parametrize(("answer", "why"), STOPPERS.values(), ids=STOPPERS)
def test_what_every_file_would_meet_is_met_once(answer, why, mini, make_app):
    app = make_app({f"{n}.txt": "x" for n in range(20)}, mini.config())
    mini.rule("PUT", "/static/", answer)

    error = failed(app)

    assert {failure.reason.endswith(why) for failure in error.result.failures} == {True}
    assert len(error.result.failed) == 20
    assert len({seen.path for seen in mini.proxy.seen("PUT", "/static/")}) == 1


# -- no way there


def test_a_port_where_nobody_listens_is_one_sentence(mini, make_app):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"

        with pytest.raises(StoreError) as caught:
            create_all(make_app(three(), mini.config(FLASKS3_ENDPOINT_URL=endpoint)))

    assert caught.value.exit_code == 1
    assert str(caught.value) == (
        f"The store at {endpoint} could not be reached (AWS_IO_SOCKET_CONNECTION_REFUSED): check "
        "the address (FLASKS3_ENDPOINT_URL or AWS_ENDPOINT_URL, FLASKS3_REGION) and the network."
    )


def test_a_store_that_cuts_every_connection_is_tried_a_bounded_number_of_times(mini, make_app):
    app = make_app(three(), mini.config())
    mini.rule(".*", "", Reset())

    with pytest.raises(StoreError, match="could not be reached"):
        create_all(app)

    assert mini.proxy.count() <= 2 * flow.ATTEMPTS


# -- settings that cannot work


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"FLASKS3_HEADERS": {"Cache-Control": "a\nb"}}, "FLASKS3_HEADERS is 'a\\nb'"),
        ({"FLASKS3_HEADERS": {"X-A": "a\r\nx-amz-acl: public-read-write"}}, "FLASKS3_HEADERS is"),
        (
            {"FLASKS3_FILEPATH_HEADERS": {"css": {"Expires": "a\nb"}}},
            "FLASKS3_FILEPATH_HEADERS is 'a\\nb'",
        ),
        ({"FLASKS3_PREFIX": "a\nb"}, "FLASKS3_PREFIX is 'a\\nb'"),
    ],
)
def test_line_breaks_in_headers_are_refused_before_anything_is_asked(
    settings, named, mini, make_app
):
    app = make_app(three(), mini.config(**settings))
    FlaskS3(app)

    ended = app.test_cli_runner().invoke(s3, ["deploy"])

    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"Error: {named}")
    assert ended.stderr.count("\n") == 1
    assert mini.proxy.requests == []


# -- the record


def released(bucket: Bucket) -> dict[str, Any]:
    """The record that the pointer names."""
    pointer = next(
        key for key in bucket.keys(".flask-s3/", metadata=True) if key.endswith("/current")
    )
    release = json.loads(bucket.get(pointer)["Body"])["release"]
    return bucket.document(f"{pointer[: -len('current')]}releases/{release}.json")


@pytest.mark.parametrize(
    ("key", "writes"),
    [
        # The lost one, which begins, and the one that found it there; two that probe what
        # conditions are worth; and the one that brings the release into force.
        pytest.param("/current$", 5, id="pointer"),
        # The lost one, and the one that found it there.
        pytest.param(r"/releases/.*\.json$", 2, id="record"),
    ],
)
def test_an_answer_that_is_lost_after_the_record_was_written_is_a_success(
    key, writes, between, make_app
):
    app = make_app(three(), between.config())
    between.rule("PUT", key, LoseAnswer(), turns=[1])

    result = create_all(app)

    assert not [text for text in result.warnings if "conditional" in text]
    assert released(between.bucket)["id"] == result.release
    assert len(between.bucket.keys(".flask-s3/", metadata=True)) == 2
    assert between.proxy.count("PUT", key) == writes


def test_a_deploy_that_was_overtaken_moves_the_pointer_after_the_other(between, make_app):
    app = make_app(three(), between.config())
    create_all(app)
    overtaking = make_app({"b.txt": "b"}, {**between.bucket.config, "FLASKS3_APP": "shop"}, "two")

    def overtake(_app: Any, **_: Any) -> None:
        publishing.disconnect(overtake, app)
        create_all(overtaking)

    publishing.connect(overtake, app)

    result = create_all(make_and_change(app))

    assert released(between.bucket)["id"] == result.release
    assert not [text for text in result.warnings if "conditional" in text]


def make_and_change(app: Any) -> Any:
    Path(app.static_folder, "a.css").write_text("changed{}")
    return app


WITHOUT_CONDITIONS = {
    "412": Answer(412, "PreconditionFailed"),
    "501": Answer(501, "NotImplemented"),
}


@pytest.mark.parametrize("answer", WITHOUT_CONDITIONS.values(), ids=WITHOUT_CONDITIONS)
def test_a_store_without_conditional_writes_works_with_a_warning(answer, between, make_app):
    app = make_app(three(), between.config(FLASKS3_ONLY_MODIFIED=True))
    between.rule("PUT", "", answer, header="if-none-match")
    between.rule("PUT", "", answer, header="if-match")

    first = create_all(app)
    assert released(between.bucket)["id"] == first.release
    second = create_all(make_and_change(app))

    for result in (first, second):
        told = [text for text in result.warnings if "does not obey conditional writes" in text]
        assert len(told) == 1
    assert released(between.bucket)["id"] == second.release
    assert second.uploaded == ("static/a.css",)


# -- ends in the middle


def middle(between: Between, tmp_path: Path, count: int = 12) -> tuple[Shop, Gate]:
    """An app whose deploy stops at its second file, with three more in flight."""
    files = {f"{number:02}.txt": f"{number}" for number in range(count)}
    gate = Gate()
    between.rule("PUT", r"/static/(?!00)", gate)
    return Shop(tmp_path, files, between.config(FLASKS3_CONCURRENCY=4)), gate


def test_ctrl_c_finishes_what_is_in_flight_and_the_next_deploy_completes_it(between, tmp_path):
    shop, gate = middle(between, tmp_path)
    process = shop.start("deploy", "--json")
    between.proxy.wait_for(4, "PUT", r"/static/(?!00)")

    process.send_signal(signal.SIGINT)
    between.proxy.open(gate)
    ended = end(process)

    assert ended.code == 130
    sent = ended.json["uploaded"]
    assert 5 <= len(sent) < 12
    assert between.bucket.keys() == sent
    assert sorted(released(between.bucket)["objects"]) == sent
    assert len(sent) + len(ended.json["failed"]) == 12
    assert ended.stderr.count("Not sent: interrupted") == 1, "a reason is said once"
    again = shop.run("deploy", "--json")
    assert again.code == 0
    assert again.json["kept"] == sent
    assert again.json["uploaded"] == ended.json["failed"]


def test_a_second_ctrl_c_gives_up_what_is_in_flight_and_notes_it(mini, tmp_path):
    one, others = Gate(), Gate()
    mini.rule("PUT", r"/static/01", one)
    mini.rule("PUT", r"/static/(?!0[01])", others)
    files = {f"{number:02}.txt": f"{number}" for number in range(12)}
    shop = Shop(tmp_path, files, mini.config(FLASKS3_CONCURRENCY=4))
    process = shop.start("deploy")
    mini.proxy.wait_for(4, "PUT", r"/static/(?!00)")
    process.send_signal(signal.SIGINT)
    mini.proxy.open(one)
    assert "objects are on their way; Ctrl-C again gives them up" in next(
        line for line in process.stderr if "Stopping" in line
    )

    process.send_signal(signal.SIGINT)
    ended = end(process)
    noted = mini.bucket.document(next(k for k in records(mini.bucket) if k.endswith("/current")))

    assert ended.code == 130
    assert noted["release"] is None
    assert [note for note in noted["unfinished"] if note.startswith("0-")]
    mini.proxy.open(others)


def test_ctrl_c_before_anything_is_sent_ends_at_once_without_a_traceback(mini, tmp_path):
    shop = Shop(tmp_path, three(), mini.config())
    gate = Gate()
    mini.rule("GET", "/current$", gate)
    process = shop.start("deploy")
    mini.proxy.wait_for(1, "GET", "/current$")

    process.send_signal(signal.SIGINT)
    mini.proxy.open(gate)
    ended = end(process)

    assert ended.code == 130
    assert mini.bucket.keys(metadata=True) == []


def test_a_deploy_that_was_killed_is_completed_by_the_next(between, tmp_path):
    shop, gate = middle(between, tmp_path)
    process = shop.start("deploy", "--json")
    between.proxy.wait_for(4, "PUT", r"/static/(?!00)")

    process.kill()
    process.communicate()
    between.proxy.clear()
    between.proxy.open(gate)
    ended = shop.run("deploy", "--json")

    assert ended.code == 0
    assert len(ended.json["uploaded"]) + len(ended.json["kept"]) == 12
    assert len(between.bucket.keys()) == 12
    assert between.bucket.get("static/07.txt")["Body"] == b"7"
    third = shop.run("deploy", "--json")
    assert (third.json["uploaded"], len(third.json["kept"])) == ([], 12)


def test_a_store_that_stays_down_ends_the_run_long_before_every_file_was_tried(mini, make_app):
    app = make_app({f"{n:03}.css": "a{}" for n in range(200)}, mini.config())
    app.config["FLASKS3_CONCURRENCY"] = 4
    mini.rule("PUT", "/static/", Answer(500, "InternalError"))

    error = failed(app)

    reasons = Counter(failure.reason.partition(":")[0] for failure in error.result.failures)
    assert sum(reasons.values()) == 200
    assert reasons["Not sent"] > 150


def test_ctrl_c_in_create_all_is_a_keyboard_interrupt_after_the_record_was_written(
    mini, make_app, monkeypatch
):
    app = make_app({f"{n:03}.css": "a{}" for n in range(100)}, mini.config())
    app.config["FLASKS3_CONCURRENCY"] = 2
    presses = iter([lambda: signal.raise_signal(signal.SIGINT)])
    monkeypatch.setattr(publish.Silent, "done", lambda _: next(presses, lambda: None)())
    results = []

    def receive(_app: Any, result: Any) -> None:
        results.append(result)

    with published.connected_to(receive, app), pytest.raises(KeyboardInterrupt):
        create_all(app)

    (result,) = results
    assert result.interrupted
    assert result.release is not None
    assert sorted(result.uploaded) == mini.bucket.keys()
    assert 0 < len(result.uploaded) < 100
