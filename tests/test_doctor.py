"""`flask s3 doctor`: each thing is broken for real, and the finding read."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import servers
from commands import PATIENCE, Shop
from conftest import Bucket
from flask import Flask
from proxy import Answer, Gate, Headers, Proxy

from flask_s3 import FlaskS3, create_all
from flask_s3.access.facts import Facts
from flask_s3.checks import configured, contact, identity, probes
from flask_s3.checks.diagnosis import CHECKS
from flask_s3.checks.doctor import examine, examine_without_app
from flask_s3.checks.grants import anybody_may
from flask_s3.cli.commands import s3
from flask_s3.findings import Finding
from flask_s3.release import pointer
from flask_s3.release.remote import releases_of
from flask_s3.serve.serving import state_of
from flask_s3.settings import Settings

FILES = {"css/a.css": "a{}", "f/a.woff2": "a font", "j/a.js": "import './b.js'", "j/b.js": "1"}
FINGERPRINT = {"FLASKS3_FINGERPRINT": True}
DOCS = Path(__file__).parent.parent / "docs"
SETUP = "flask s3 setup"


class Told(dict[str, list[Finding]]):
    """The findings of a doctor by their check, and why others were not run."""

    def __init__(self, app: Flask) -> None:
        found = examine(app)
        self.skipped = {one.check: one.why for one in found.skipped}
        for finding in found.findings:
            self.setdefault(finding.check, []).append(finding)
        assert sorted([*self, *self.skipped], key=CHECKS.index) == list(CHECKS)
        shown = repr(found)
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
            assert not app.config.get(name) or app.config[name] not in shown

    def wrong(self) -> dict[str, str]:
        """What is not ok: the worst verdict of each check."""
        worst = {check: max(f.verdict for f in found) for check, found in self.items()}
        return {check: verdict.word for check, verdict in worst.items() if verdict}

    def text(self, check: str) -> str:
        return " ".join(f"{f.what} {f.why} -> {f.fix}" for f in self[check])


@pytest.fixture
def shop(make_app) -> Callable[..., Flask]:
    """Makes an app of a bucket, with settings of its own beside those that reach it."""

    def make(bucket: Bucket, files: Any = FILES, **config: Any) -> Flask:
        app = make_app(files, {**bucket.config, **config})
        FlaskS3(app)
        return app

    return make


def allow_cors(bucket: Bucket, *origins: str) -> None:
    rule = {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": list(origins)}
    bucket.client.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": [rule]})


def allow_anybody(bucket: Bucket, *actions: str) -> None:
    """Lets anybody do this, beside reading the static files."""
    arn = f"arn:aws:s3:::{bucket.name}"
    statements = [
        {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}
        for action, resource in [
            ("s3:GetObject", f"{arn}/static/*"),
            *((action, [arn, f"{arn}/static/*"]) for action in actions),
        ]
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    bucket.client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))


@pytest.fixture
def right(mini_bucket) -> Bucket:
    """A bucket as `setup` leaves it."""
    mini_bucket.open_to_anybody("static/*")
    allow_cors(mini_bucket, "*")
    return mini_bucket


@pytest.fixture
def way(right) -> Iterator[Proxy]:
    """A way to that bucket on which things happen."""
    with Proxy(right.server.endpoint) as between:
        yield between


@pytest.fixture
def cdn(right) -> Iterator[Proxy]:
    """What stands in front of it, for browsers."""
    with Proxy(right.server.endpoint) as between:
        yield between


def behind(cdn: Proxy, bucket: Bucket) -> dict[str, str]:
    return {"FLASKS3_CDN_DOMAIN": f"{cdn.endpoint}/{bucket.name}"}


def user(bucket: Bucket, *actions: str, policy: str = "") -> dict[str, str]:
    """The credentials of somebody who may do just this, or what a policy says."""
    iam = servers._client("iam", **bucket.server._arguments())
    name = f"user-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = policy or json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="these", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


# -- all well


@pytest.mark.parametrize("names", [{}, FINGERPRINT], ids=["plain", "fingerprints"])
def test_what_setup_and_deploy_leave_is_all_ok_with_exit_code_0(bucket, shop, names):
    app = shop(bucket, **names)
    runner = app.test_cli_runner()
    for line in (["setup", "--yes"], ["deploy"]):
        assert runner.invoke(s3, line).exit_code == 0

    ended = runner.invoke(s3, ["doctor", "--json"])

    said = json.loads(ended.stdout)
    assert ended.exit_code == 0
    assert {f["verdict"] for f in said["findings"]} == {said["verdict"]} == {"ok"}
    assert [f["check"] for f in said["findings"]] == [c for c in CHECKS if c != "CDN"]
    assert said["skipped"] == [{"check": "CDN", "why": "FLASKS3_CDN_DOMAIN is not set"}]
    assert list(said["findings"][0]) == ["check", "verdict", "what", "why", "fix"]
    assert [f for f in said["findings"] if f["why"] or f["fix"]] == []


def test_a_bucket_behind_a_cdn_is_all_ok(right, cdn, shop):
    app = shop(right, **behind(cdn, right), **FINGERPRINT)
    create_all(app)

    told = Told(app)

    assert told.wrong() == told.skipped == {}


def test_who_the_credentials_are_is_told_without_giving_them_away(right, shop):
    app = shop(right)
    key = app.config["AWS_ACCESS_KEY_ID"]

    text = Told(app).text("credentials")

    assert f"arn:aws:iam::000000000000:user/tester, by static keys {key[:4]}…{key[-4:]}." in text


def test_a_key_id_that_is_too_short_to_be_shown_in_part_is_not_shown_at_all():
    config = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret"}
    settings = Settings.read({**config, "FLASKS3_REGION": "us-east-1"}, environ={})

    keys, _ = contact.keys(settings)

    assert identity.who(identity.Caller(keys, None)).what == "The store is asked with static keys."


def test_the_least_policy_for_deploys_is_enough_to_ask(right, shop):
    app = shop(right, **FINGERPRINT)
    create_all(app)
    printed = app.test_cli_runner().invoke(s3, ["policy", "--for", "deploy"])
    app.config.update(user(right, policy=printed.stdout))

    told = Told(app)

    assert told.wrong() == {}
    assert {"writing", "conditional writes", "checksums"} <= told.skipped.keys()


def test_nothing_is_written_but_a_probe_that_is_gone_in_the_end(right, way, shop):
    app = shop(right)
    create_all(app)
    before = right.keys(metadata=True)
    app.config["FLASKS3_ENDPOINT_URL"] = way.endpoint

    examine(app)

    written = way.seen("PUT|DELETE")
    assert written
    assert [request for request in written if "/probe-" not in request.path] == []
    assert {request.query for request in way.seen("POST", right.name)} == {"delete"}
    assert right.keys(metadata=True) == before


def test_an_interrupted_doctor_takes_its_probe_away(right, way, tmp_path, forking):
    config = {**right.config, "FLASKS3_ENDPOINT_URL": way.endpoint}
    shop, gate = Shop(tmp_path / "shop", FILES, config), Gate()
    way.rule("PUT", "/probe-", gate, turns={2})
    doctor = forking.start(shop.root, "doctor")
    way.wait_for(2, "PUT", "/probe-")
    assert len(right.keys(".flask-s3/", metadata=True)) == 1

    os.kill(doctor.pid, signal.SIGINT)
    way.open(gate)
    done = doctor.end()

    assert (done.code, done.text) == (130, "Interrupted: nothing was changed.\n")
    assert right.keys(metadata=True) == []


def test_the_probe_of_a_doctor_who_was_killed_is_taken_away_later(right, shop, monkeypatch):
    app = shop(right)
    found, _ = releases_of(state_of(app).settings(), app.name)
    for name in ("probe-0", "current-backup"):
        right.client.put_object(Bucket=right.name, Key=found.folder + name)
    examine(app)
    assert len(right.keys(metadata=True)) == 2, "it may be that of somebody at work"

    monkeypatch.setattr(probes, "_ABANDONED", -60.0)
    examine(app)

    assert right.keys(metadata=True) == [f"{found.folder}current-backup"]


# -- the app and its settings


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"FLASKS3_BUCKET_NAME": "s3://shop/"}, "FLASKS3_BUCKET_NAME is 's3://shop/', but"),
        ({"FLASKS3_BUCKET_NAME": None}, "FLASKS3_BUCKET_NAME is not set"),
        ({"FLASKS3_INTEGRITY": True}, "FLASKS3_INTEGRITY is set but FLASKS3_FINGERPRINT is not"),
        ({"FLASKS3_IGNORE": ["!"]}, "FLASKS3_IGNORE"),
        ({"FLASKS3_PURGER": "no_such_module:Purger"}, "which cannot be imported"),
        ({"FLASKS3_PURGER": "nope"}, "it has to be an object or an import path"),
        ({"FLASKS3_FILEPATH_HEADERS": {"(": {}}}, "A pattern in FLASKS3_FILEPATH_HEADERS is '('"),
    ],
)
def test_a_setting_that_cannot_work_is_named_and_nothing_else_is_tried(
    mini_bucket, shop, config, said
):
    told = Told(shop(mini_bucket, **config))

    assert told.wrong() == {"settings": "error"}
    assert said in told.text("settings")
    assert told.skipped["bucket"] == "'settings' has to be right first"


def test_all_settings_that_cannot_work_are_named_at_once(mini_bucket, shop):
    wrong = {"FLASKS3_URL_STYLE": "hosts", "FLASKS3_CONCURRENCY": "many", "FLASKS3_GZIPPED": True}
    told = Told(shop(mini_bucket, **wrong))

    assert [finding.what.split()[0] for finding in told["settings"]] == [
        "FLASKS3_URL_STYLE",
        "FLASKS3_CONCURRENCY",
        "FLASKS3_GZIPPED",
    ]


def test_an_encoding_whose_package_is_missing_is_an_error(mini_bucket, shop, monkeypatch):
    for package in ("compression", "zstandard"):
        monkeypatch.setitem(sys.modules, package, None)

    told = Told(shop(mini_bucket, **FINGERPRINT, FLASKS3_ENCODINGS=["zstd"]))

    assert told.wrong() == {"settings": "error"}
    assert "pip install 'flask-s3[zstd]'" in told.text("settings")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"FLASKS3_RELEASE": "20200101T000000Z-00000000"}, "Set FLASKS3_MANIFEST to 'bucket'"),
        ({"FLASKS3_IGNORE": ["*"]}, "FLASKS3_IGNORE leaves every file out"),
        ({"FLASK_S3_REGION": "eu-west-1"}, "Write FLASKS3_REGION."),
        ({"FLASKS3_cors_origins": ["*"]}, "Write FLASKS3_CORS_ORIGINS."),
    ],
)
def test_a_setting_that_does_not_do_what_it_is_for_is_a_warning(right, shop, config, said):
    told = Told(shop(right, **config))

    assert told.wrong()["settings"] == "warning"
    assert said in told.text("settings")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("my-bucket.example", "ok"),
        ("My_Bucket", "warning"),
        ("my..bucket", "warning"),
        ("-bucket", "error"),
        ("b" * 64, "warning"),
    ],
)
def test_a_name_that_no_new_bucket_can_have_is_a_warning(name, verdict):
    config = {"FLASKS3_BUCKET_NAME": name}
    wrong = configured.wrong_settings(config)
    found = wrong or configured.settings(config, Settings.read(config, environ={}))

    assert [one.verdict.word for one in found] == [verdict]
    assert verdict != "warning" or "3 to 63 lower-case letters, digits" in found[0].why


def test_a_misspelt_setting_is_told_with_its_right_name(right, shop):
    wrong = {"FLASKS3_CDN_DOMAINS": "cdn.example.com", "FLASKS3_CACHE_CONTROL": "no"}
    told = Told(shop(right, **wrong, FLASKS3_CLOUDFRONT_DISTRIBUTION="E2EXAMPLE1ABCD"))

    assert told.wrong()["settings"] == "warning"
    assert "FLASKS3_CDN_DOMAINS is none of our settings. It has no effect." in told.text("settings")
    assert "Write FLASKS3_CDN_DOMAIN." in told.text("settings")
    assert "FLASKS3_CACHE_CONTROL is set, but FLASKS3_USE_CACHE_CONTROL" in told.text("settings")
    assert "Then pages ask the bucket itself. -> Set FLASKS3_CDN_DOMAIN" in told.text("settings")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"FLASKS3_GZIP": "false"}, "FLASKS3_GZIP is the text 'false', which is off"),
        ({"FLASKS3_FORCE_MIMETYPE": True}, "FLASKS3_FORCE_MIMETYPE has no effect"),
        ({"FLASKS3_FILEPATH_HEADERS": {"shop/": {}}}, "'shop/' is found in the static folder's"),
    ],
)
def test_a_setting_that_meant_something_else_to_0_3_is_a_warning(right, shop, config, said):
    told = Told(shop(right, **config))

    assert told.wrong()["0.3 settings"] == "warning"
    assert said in told.text("0.3 settings")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"DEBUG": True}, "debug mode"),
        ({"FLASKS3_ACTIVE": False}, "FLASKS3_ACTIVE is False"),
        ({"TESTING": True, "FLASKS3_OVERRIDE_TESTING": False}, "FLASKS3_OVERRIDE_TESTING is off"),
    ],
)
def test_what_switches_the_buckets_urls_off_is_a_warning(right, shop, config, said):
    told = Told(shop(right, **config))

    assert told.wrong()["switched on"] == "warning"
    assert said in told.text("switched on")


def test_an_app_without_flask_s3_is_a_warning(right, make_app):
    told = Told(make_app(FILES, right.config))

    assert told.wrong()["extension"] == "warning"
    assert "FlaskS3(app)" in told.text("extension")


@pytest.mark.parametrize(
    ("config", "verdict"),
    [
        ({}, "ok"),
        ({"FLASKS3_URL_STYLE": "host"}, "error"),
        ({"FLASKS3_URL_STYLE": "host", "FLASKS3_USE_HTTPS": False}, "ok"),
        ({"FLASKS3_URL_STYLE": "host", "FLASKS3_CDN_DOMAIN": "cdn.example.com"}, "ok"),
        ({"FLASKS3_BUCKET_DOMAIN": "s3.example.com"}, "error"),
    ],
)
def test_a_dotted_name_in_a_host_that_no_certificate_covers_is_an_error(config, verdict):
    config = {"FLASKS3_BUCKET_NAME": "www.example.com", **config}

    found = configured.dotted_name(Settings.read(config, environ={}))

    assert found.verdict.word == verdict
    assert verdict == "ok" or found.fix == 'app.config["FLASKS3_URL_STYLE"] = "path"'


# -- the store and the bucket


def test_a_store_that_is_not_there_is_one_error(mini_bucket, shop):
    with socket.create_server(("127.0.0.1", 0)) as held:
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
    told = Told(shop(mini_bucket, FLASKS3_ENDPOINT_URL=address))

    assert told.wrong() == {"store": "error"}
    assert f"The store at {address} cannot be reached" in told.text("store")
    assert told.skipped["conditional writes"] == "'store' has to be right first"


@pytest.mark.parametrize("status", [200, 404])
def test_a_web_site_in_the_stores_place_is_one_error(mini_bucket, proxy_of, shop, status):
    way = proxy_of(mini_bucket)
    way.rule(".*", "", Answer(status, whole="<html>", headers={"Content-Type": "text/html"}))

    told = Told(shop(mini_bucket, FLASKS3_ENDPOINT_URL=way.endpoint))

    assert told.wrong() == {"store": "error"}
    assert "does not speak S3" in told.text("store")


@pytest.fixture
def proxy_of() -> Iterator[Callable[[Bucket], Proxy]]:
    started: list[Proxy] = []

    def start(bucket: Bucket) -> Proxy:
        started.append(Proxy(bucket.server.endpoint).__enter__())
        return started[-1]

    yield start
    for proxy in started:
        proxy.__exit__()


@pytest.mark.parametrize(("minutes", "verdict"), [(5, "warning"), (-20, "error")])
def test_a_clock_that_is_off_is_told(right, way, shop, minutes, verdict):
    way.rule("GET", "", Headers({"date": formatdate(time.time() - 60 * minutes, usegmt=True)}))

    told = Told(shop(right, FLASKS3_ENDPOINT_URL=way.endpoint))

    assert told.wrong()["clock"] == verdict
    assert ("ahead of" if minutes > 0 else "behind") in told.text("clock")
    assert ("bucket" in told) == (verdict == "warning")


def test_a_signature_refused_for_its_time_is_an_error_of_the_clock(right, way, shop):
    way.rule("GET", "", Answer(403, "RequestTimeTooSkewed"))

    told = Told(shop(right, FLASKS3_ENDPOINT_URL=way.endpoint))

    assert told.wrong() == {"clock": "error"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the secret does not belong to the access key"),
        ({"AWS_ACCESS_KEY_ID": "AKIANOBODYNOBODY0000"}, "(static keys AKIA…0000)"),
        ({"AWS_ACCESS_KEY_ID": None}, "AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "No credentials were found"),
    ],
)
def test_credentials_that_are_wrong_are_one_error(weed_bucket, shop, config, said):
    told = Told(shop(weed_bucket, **config))

    assert told.wrong() == {"credentials": "error"}
    assert said in told.text("credentials")
    assert told.skipped["bucket"] == "'credentials' has to be right first"


def test_a_missing_bucket_is_one_error(ministack, new_bucket, shop):
    bucket = new_bucket(ministack)

    told = Told(shop(bucket))

    assert told.wrong() == {"bucket": "error"}
    assert told["bucket"][0].what == f"There is no bucket {bucket.name!r}."
    assert told["bucket"][0].fix == SETUP
    assert told.skipped["public access"] == "'bucket' has to be right first"


def test_a_missing_bucket_that_cannot_be_made_gets_another_name(right, shop):
    told = Told(shop(right, FLASKS3_BUCKET_NAME="My_Bucket"))

    assert told.wrong() == {"settings": "warning", "bucket": "error"}
    assert told["bucket"][0].fix == "Choose another FLASKS3_BUCKET_NAME."


def test_an_endpoint_that_ends_with_the_buckets_name_is_one_error(right, shop):
    told = Told(shop(right, FLASKS3_ENDPOINT_URL=f"{right.server.endpoint}/{right.name}"))

    assert list(told.wrong().values()) == ["error"]
    (check,) = told.wrong()
    assert "FLASKS3_ENDPOINT_URL ends with the bucket's name" in told.text(check)
    assert told[check][0].fix == f'app.config["FLASKS3_ENDPOINT_URL"] = "{right.server.endpoint}"'


def test_a_bucket_of_somebody_else_is_one_error(right, shop):
    other = right.server.other_user()
    keys = {"AWS_ACCESS_KEY_ID": other.access_key, "AWS_SECRET_ACCESS_KEY": other.secret_key}

    told = Told(shop(right, **keys))

    assert told.wrong() == {"bucket": "error"}
    assert "It belongs to somebody else, or they lack s3:ListBucket" in told.text("bucket")


def test_another_region_than_the_settings_say_is_told_with_the_right_one(right, shop):
    told = Told(shop(right, FLASKS3_REGION="eu-west-1"))

    assert told.wrong() == {"region": "error", "release": "warning"}
    assert told["region"][0].fix == 'app.config["FLASKS3_REGION"] = "us-east-1"'
    assert "public access" in told, "the rest is looked at in the bucket's own region"


@pytest.mark.parametrize(
    ("config", "verdict"),
    [
        ({}, "error"),
        ({"FLASKS3_REGION": "eu-south-2"}, "ok"),
        ({"FLASKS3_CDN_DOMAIN": "cdn.example.com"}, "ok"),
        ({"FLASKS3_ENDPOINT_URL": "https://s3.example.com"}, "ok"),
    ],
)
def test_a_region_that_the_global_host_does_not_reach_has_to_be_set(config, verdict):
    given = Settings.read({"FLASKS3_BUCKET_NAME": "shop", **config}, environ={})

    assert identity.region(given, "eu-south-2").verdict.word == verdict


# -- what is published


def test_an_app_that_was_never_published_gets_a_warning(right, shop):
    told = Told(shop(right))

    assert told.wrong() == {"release": "warning"}
    assert told["release"][0].fix == "flask s3 deploy"
    assert told.skipped == {
        "manifest": "nothing is published yet",
        "CDN": "FLASKS3_CDN_DOMAIN is not set",
    }


def test_a_lost_record_is_an_error(right, shop):
    app = shop(right)
    create_all(app)
    (record,) = [key for key in right.keys(metadata=True) if "/releases/" in key]
    right.client.delete_object(Bucket=right.name, Key=record)

    told = Told(app)

    assert told.wrong() == {"release": "error"}
    assert told.skipped["manifest"] == "'release' has to be right first"


def test_a_lost_object_is_an_error(right, shop):
    app = shop(right, {"a.css": "a{}"})
    create_all(app)
    right.client.delete_object(Bucket=right.name, Key="static/a.css")

    told = Told(app)

    assert told.wrong() == {"release": "error"}
    assert told["release"][0].fix == "flask s3 deploy --verify-remote"


def test_a_deploy_that_died_is_a_warning(right, shop):
    app = shop(right, **FINGERPRINT)
    create_all(app)
    found, store = releases_of(state_of(app).settings(), app.name)
    stand = found.stand()
    pointer.move(store, found.folder, stand.state.changed(unfinished=("0-dead",)), stand)

    told = Told(app)

    assert told.wrong() == {"release": "warning"}
    assert "died before its end, or its purge of the CDN failed." in told.text("release")


def test_records_that_may_not_be_read_are_one_error(right, shop):
    app = shop(right)
    create_all(app)
    app.config.update(user(right, "s3:ListBucket"))

    told = Told(app)

    assert told.wrong() == {"release": "error"}
    assert "s3:GetObject" in told.text("release")
    assert told.skipped["CORS"] == "'release' has to be right first"
    assert told["release"][0].fix == "flask s3 policy"


def test_records_that_the_store_fails_to_hand_out_are_no_matter_of_policies(right, way, shop):
    app = shop(right)
    create_all(app)
    way.rule("GET", "/current$", Answer(400, "InvalidRequest"))
    app.config["FLASKS3_ENDPOINT_URL"] = way.endpoint

    told = Told(app)

    assert told.wrong() == {"release": "error"}
    assert told["release"][0].fix == "Mend that, then: flask s3 doctor"


def change(app: Flask, text: str) -> None:
    Path(app.static_folder, "j/b.js").write_text(text)


def test_a_manifest_that_was_built_but_not_published_is_an_error(right, shop):
    app = shop(right, **FINGERPRINT)
    create_all(app)
    change(app, "2")
    app.test_cli_runner().invoke(s3, ["build"])

    told = Told(app)

    assert told.wrong() == {"manifest": "error"}
    assert "names 2 files that no release has" in told.text("manifest")
    assert told["manifest"][0].fix == "flask s3 deploy"


def test_one_file_that_was_not_published_is_counted_as_one(right, shop):
    app = shop(right, {"a.css": "a{}"}, **FINGERPRINT)
    create_all(app)
    Path(app.static_folder, "a.css").write_text("b{}")
    app.test_cli_runner().invoke(s3, ["build"])

    assert "names 1 file that no release has" in Told(app).text("manifest")


def test_the_manifest_of_a_release_that_was_replaced_is_a_warning(right, shop):
    app = shop(right, **FINGERPRINT)
    create_all(app)
    file = Path(app.root_path, "flask-s3-manifest.json")
    old = file.read_bytes()
    change(app, "2")
    create_all(app)
    file.write_bytes(old)

    told = Told(app)

    assert told.wrong() == {"manifest": "warning"}
    assert "of another that is kept" in told.text("manifest")


def test_a_missing_manifest_is_an_error(right, shop):
    app = shop(right, **FINGERPRINT)
    create_all(app)
    Path(app.root_path, "flask-s3-manifest.json").unlink()

    told = Told(app)

    assert told.wrong() == {"manifest": "error"}
    assert told["manifest"][0].fix == "flask s3 build"


def test_a_release_that_is_to_be_served_and_is_not_there_is_an_error(right, shop):
    app = shop(right, **FINGERPRINT)
    create_all(app)
    app.config.update(FLASKS3_MANIFEST="bucket", FLASKS3_RELEASE="20200101T000000Z-00000000")

    assert Told(app).wrong() == {"manifest": "error"}


def test_fingerprints_that_were_switched_on_but_not_published_are_an_error(right, shop):
    app = shop(right)
    create_all(app)
    app.config.update(FINGERPRINT)

    told = Told(app)

    assert told.wrong() == {"manifest": "error"}
    assert "published without fingerprints" in told.text("manifest")


# -- who may read


def test_a_bucket_that_nobody_can_read_is_an_error_before_and_after_a_deploy(mini_bucket, shop):
    app = shop(mini_bucket, {"a.css": "a{}"})
    before = Told(app)
    create_all(app)
    after = Told(app)

    for told in (before, after):
        assert told["public access"][0].verdict.word == "error"
        assert "No statement of the bucket policy lets anybody read" in told.text("public access")
        assert told["public access"][0].fix == SETUP
    assert "static/a.css answers HTTP 403" in after.text("public access")


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("by", ["setup", "settings"])
def test_a_bucket_that_is_private_on_purpose_is_not_told_to_be_opened(
    ministack, new_bucket, shop, by, published
):
    app = shop(new_bucket(ministack))
    app.test_cli_runner().invoke(s3, ["setup", "--access", "none", "--yes"])
    if by == "settings":
        app.test_cli_runner().invoke(s3, ["setup", "--undo", "--yes"])
        app.config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = "E2EXAMPLE1ABCD"
        state_of(app).forget()
    if published:
        create_all(app)

    told = Told(app)

    assert told.wrong()["public access"] == "error"
    assert "FLASKS3_CDN_DOMAIN" in told["public access"][0].fix
    assert "docs/bucket.md" in told["public access"][0].fix
    assert told["public access"][0].fix.endswith("or open it: flask s3 setup --access policy")


def block_policies(bucket: Bucket) -> None:
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    bucket.client.put_public_access_block(
        Bucket=bucket.name, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True)
    )


def test_a_block_over_a_right_policy_is_named(right, shop):
    app = shop(right)
    create_all(app)
    block_policies(right)

    told = Told(app)

    assert told.wrong() == {"public access": "error"}
    assert "Block Public Access keeps" in told.text("public access")
    assert told["public access"][0].fix == SETUP


def test_a_bucket_where_new_files_cannot_be_decrypted_by_anybody_is_an_error(right, shop):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    right.client.put_bucket_encryption(
        Bucket=right.name, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    told = Told(shop(right))

    assert told.wrong() == {"release": "warning", "encryption": "error"}
    assert "flask s3 setup --sse-s3" in told.text("encryption")
    assert told.skipped["public access"] == "'encryption' has to be right first"


def test_acls_that_are_sent_to_a_bucket_without_are_an_error(right, shop):
    told = Told(shop(right, FLASKS3_HEADERS={"X-Amz-Acl": "public-read"}))

    assert told.wrong()["ownership"] == "error"
    assert "take x-amz-acl out" in told.text("ownership").lower()


def test_a_policy_under_which_anybody_can_write_is_an_error(right, shop):
    allow_anybody(right, "s3:Put*")

    told = Told(shop(right))

    assert told.wrong()["policy"] == "error"
    assert "s3:PutObject, s3:PutObjectAcl" in told.text("policy")
    assert f"aws s3api get-bucket-policy --bucket {right.name}" in told.text("policy")


def test_a_policy_under_which_anybody_can_write_our_records_is_an_error(right, shop):
    arn = f"arn:aws:s3:::{right.name}/.flask-s3/*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": arn}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    right.client.put_bucket_policy(Bucket=right.name, Policy=json.dumps(policy))

    assert Told(shop(right)).wrong()["policy"] == "error"


def test_a_bucket_that_anybody_can_write_is_told_though_the_app_does_not_load(right):
    allow_anybody(right, "s3:PutObject")
    environ = {name: str(value) for name, value in right.config.items()}

    found = examine_without_app(ImportError("no"), environ)

    assert {f.check: f.verdict.word for f in found.findings}["policy"] == "error"


def test_a_statement_for_all_but_somebody_is_one_for_anybody(right, shop):
    allow_anybody(right, "s3:PutObject")
    policy = json.loads(right.client.get_bucket_policy(Bucket=right.name)["Policy"])
    facts = Facts(right.name, "us-east-1", exists=True, policy=policy)
    assert anybody_may(facts, "s3:PutObject", "static/x")

    who = {"AWS": "arn:aws:iam::111122223333:root"}
    policy["Statement"].append(
        {"Effect": "Deny", "NotPrincipal": who, "Action": "s3:Put*", "Resource": "*"}
    )

    assert not anybody_may(facts, "s3:PutObject", "static/x")


def test_a_bucket_that_anybody_can_list_is_an_error(right, shop):
    allow_anybody(right, "s3:ListBucket")

    told = Told(shop(right))

    assert told.wrong()["listing"] == "error"
    assert "s3:ListBucket for everybody" in told.text("listing")


def test_a_policy_that_lets_anybody_list_is_told_where_no_address_answers(right, shop):
    allow_anybody(right, "s3:ListBucket")

    told = Told(shop(right, FLASKS3_BUCKET_DOMAIN="http://127.0.0.1:9"))

    assert told["listing"][0].what == "Anybody can list the bucket."


@pytest.mark.parametrize("published", [False, True])
def test_a_policy_that_opens_our_records_is_an_error(right, shop, published):
    right.open_to_anybody("*")
    app = shop(right)
    if published:
        create_all(app)

    told = Told(app)

    assert told.wrong()["our records"] == "error"
    assert ("/current" in told.text("our records")) == published


def test_rules_that_may_not_be_read_are_left_out_and_said(right, shop):
    app = shop(right)
    create_all(app)
    actions = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject")
    app.config.update(user(right, *actions))

    told = Told(app)

    assert told.wrong() == {}, "what anybody gets can be seen without them"
    unread = {"ownership", "encryption", "policy"}
    assert unread <= told.skipped.keys()
    assert told.skipped["policy"] == "the credentials may not read the bucket policy (AccessDenied)"


@pytest.mark.parametrize("published", [False, True])
def test_fonts_without_cors_are_an_error(right, shop, published):
    right.client.delete_bucket_cors(Bucket=right.name)
    app = shop(right)
    if published:
        create_all(app)

    told = Told(app)

    assert told.wrong()["CORS"] == "error"
    assert "Pages of any origin are not let in by CORS. Browsers then block fonts" in told.text(
        "CORS"
    )
    assert told["CORS"][0].fix == SETUP


def test_no_cors_is_fine_where_nothing_needs_it(right, shop):
    right.client.delete_bucket_cors(Bucket=right.name)

    assert "CORS" not in Told(shop(right, {"a.css": "a{}"})).wrong()


def test_what_needs_cors_is_told_in_a_sentence(right, shop):
    right.client.delete_bucket_cors(Bucket=right.name)
    app = shop(right, {"f/a.woff2": "a font", "j/a.mjs": "1"})

    assert "Browsers then block fonts and modules that such pages" in Told(app).text("CORS")


@pytest.mark.parametrize("published", [False, True])
def test_cors_for_other_pages_than_ours_is_an_error(right, shop, published):
    allow_cors(right, "https://*.example.com")
    pages = ["https://shop.example.com", "https://shop.example.org"]
    app = shop(right, FLASKS3_CORS_ORIGINS=pages)
    if published:
        create_all(app)

    told = Told(app)

    assert told["CORS"][0].what == "Pages of https://shop.example.org are not let in by CORS."


@pytest.mark.parametrize(
    ("answer", "fix"),
    [
        (Answer(404, "NoSuchBucket"), "Correct FLASKS3_BUCKET_DOMAIN, FLASKS3_ENDPOINT_URL or"),
        (Answer(400, "InvalidArgument"), "flask s3 setup --sse-s3 && flask s3 deploy --force"),
    ],
    ids=["another bucket", "KMS"],
)
def test_what_setup_cannot_mend_is_not_left_to_it(right, cdn, shop, answer, fix):
    cdn.rule("GET", "/static/", answer)
    address = {"FLASKS3_BUCKET_DOMAIN": cdn.endpoint, "FLASKS3_URL_STYLE": "path"}
    app = shop(right, **address)
    create_all(app)

    told = Told(app)

    assert told.wrong() == {"public access": "error"}
    assert told["public access"][0].fix.startswith(fix)


# -- the CDN


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(403, "AccessDenied"), "The CDN may not read the bucket. -> flask s3 setup"),
        (Answer(404, "NoSuchKey"), "does not reach the object"),
        (Answer(502), "does not reach the object"),
        (Answer(200, whole="<p>", headers={"Content-Type": "text/html"}), "A web page stands"),
        (Answer(200, whole="b", headers={"Content-Type": "text/css"}), "reads another bucket"),
    ],
    ids=["403", "404", "502", "web page", "other bytes"],
)
def test_a_cdn_that_does_not_lead_to_the_bucket_is_an_error(right, cdn, shop, answer, said):
    cdn.rule("GET", "/static/", answer)
    app = shop(right, **behind(cdn, right), **FINGERPRINT)
    create_all(app)

    told = Told(app)

    assert told.wrong() == {"CDN": "error"}
    assert said in told.text("CDN")


@pytest.mark.parametrize("has_domain", [False, True])
def test_a_distribution_that_is_not_there_is_an_error(right, cdn, shop, has_domain):
    domain = behind(cdn, right) if has_domain else {}
    told = Told(shop(right, **domain, FLASKS3_CLOUDFRONT_DISTRIBUTION="ENOSUCH12345"))

    assert told.wrong()["CDN"] == "error"
    assert "no CloudFront distribution 'ENOSUCH12345'" in told.text("CDN")
    assert "Correct FLASKS3_CLOUDFRONT_DISTRIBUTION" in told["CDN"][0].fix


def test_a_distribution_that_may_not_be_looked_at_is_no_matter(right, way, cdn, shop):
    app = shop(right, **behind(cdn, right), FLASKS3_CLOUDFRONT_DISTRIBUTION="E2EXAMPLE1ABCD")
    way.rule("GET", "/distribution/", Answer(403, "AccessDenied"))
    app.config["FLASKS3_ENDPOINT_URL"] = way.endpoint

    told = Told(app)

    assert way.seen("GET", "/distribution/")
    assert told.wrong() == {"release": "warning"}


def test_a_cdn_with_a_stale_copy_of_a_plain_name_is_a_warning(right, cdn, shop):
    app = shop(right, {"a.css": "a{}"}, **behind(cdn, right))
    create_all(app)
    stale = Answer(200, whole="b{}", headers={"Content-Type": "text/css"})
    cdn.rule("GET", "/static/a.css", stale)

    told = Told(app)

    path = f"/{right.name}/static/a.css"
    assert told.wrong() == {"CDN": "warning"}
    assert told["CDN"][0].fix == f"Purge {path} by the cache's own means."
    app.config["FLASKS3_PURGER"] = Dropped()
    state_of(app).forget()
    (fix,) = (finding.fix for finding in Told(app)["CDN"])
    assert fix == f"flask s3 purge {path}"
    assert app.test_cli_runner().invoke(s3, fix.split()[2:]).exit_code == 0
    assert app.config["FLASKS3_PURGER"].urls == [f"{cdn.endpoint}{path}"]


class Dropped:
    """A purger that only notes."""

    def purge(self, urls, _prefixes):
        self.urls = list(urls)


def test_what_only_stands_behind_plain_names_is_not_what_browsers_ask_for(mini_bucket, make_app):
    config = {**mini_bucket.config, **FINGERPRINT, "FLASKS3_FINGERPRINT_EXCLUDE": ["*"]}
    app = make_app({"a.css": "a{}"}, config, static_url_path="")
    FlaskS3(app)
    for line in (["setup", "--yes"], ["deploy"]):
        assert app.test_cli_runner().invoke(s3, line).exit_code == 0

    assert Told(app).wrong() == {}


def test_what_is_gzipped_under_its_plain_name_is_read_behind_a_cdn(right, cdn, shop):
    files = {"a.css": "a{color:red}" * 100}
    app = shop(right, files, **behind(cdn, right), FLASKS3_GZIP=True)
    create_all(app)
    assert right.head("static/a.css")["ContentEncoding"] == "gzip"

    assert Told(app).wrong() == {}


def test_a_cdn_that_is_not_there_is_an_error(right, shop):
    with socket.create_server(("127.0.0.1", 0)) as held:
        domain = f"http://127.0.0.1:{held.getsockname()[1]}"
    app = shop(right, FLASKS3_CDN_DOMAIN=domain)
    create_all(app)

    told = Told(app)

    assert told.wrong() == {"CDN": "error"}
    assert "Correct FLASKS3_CDN_DOMAIN" in told.text("CDN")
    assert " gives no answer (127.0.0.1:" in told.text("CDN")


def test_a_cdn_that_loses_the_cors_header_is_told_from_a_bucket_without_rules(right, cdn, shop):
    cdn.rule("GET", "", Headers({"access-control-allow-origin": None}))
    app = shop(right, **behind(cdn, right))
    create_all(app)

    told = Told(app)

    assert told.wrong() == {"CORS": "error"}
    assert "the CDN loses the header" in told.text("CORS")


def test_a_private_bucket_is_fine_behind_a_cdn_that_reads_it(mini_bucket, shop, proxy_of):
    allow_cors(mini_bucket, "*")
    front = proxy_of(mini_bucket)
    app = shop(mini_bucket, {"a.css": "a{}"}, **behind(front, mini_bucket))
    create_all(app)
    front.rule("GET", "/static/a.css", Answer(200, whole="a{}"))  # as signed by the CDN

    told = Told(app)

    assert told.wrong() == {}
    assert "the bucket itself is private" in told.text("public access")


# -- what the store can do


def test_credentials_that_may_not_write_are_an_error(right, shop):
    app = shop(right)
    create_all(app)
    actions = ("s3:ListBucket", "s3:Get*", "s3:DeleteObject")
    app.config.update(user(right, *actions))

    told = Told(app)

    assert told.wrong() == {"writing": "error"}
    assert told["writing"][0].fix == "flask s3 policy --for deploy"
    assert told.skipped["checksums"] == "'writing' has to be right first"


def test_no_probe_is_written_that_could_not_be_taken_away(right, shop):
    app = shop(right)
    create_all(app)
    before = right.keys(metadata=True)
    app.config.update(user(right, "s3:ListBucket", "s3:Get*", "s3:PutObject"))

    told = Told(app)

    assert told.wrong() == {}
    assert "s3:DeleteObject" in told.skipped["conditional writes"]
    assert right.keys(metadata=True) == before


@pytest.mark.parametrize(
    ("header", "answer", "said"),
    [
        ("if-none-match", Answer(200, headers={"ETag": '"1"'}), "does not obey If-None-Match"),
        ("if-match", Answer(501, "NotImplemented"), "refuses every write with If-Match"),
    ],
    ids=["ignored", "not implemented"],
)
def test_a_store_without_conditional_writes_is_a_warning(right, way, shop, header, answer, said):
    app = shop(right)
    create_all(app)
    way.rule("PUT", "/probe-", answer, header=header)
    app.config["FLASKS3_ENDPOINT_URL"] = way.endpoint

    told = Told(app)

    assert told.wrong() == {"conditional writes": "warning"}
    assert said in told.text("conditional writes")


@pytest.mark.ceph
def test_what_ceph_cannot_do_is_a_warning(ceph, new_bucket, shop):
    bucket = new_bucket(ceph).create()
    allow_cors(bucket, "*")
    app = shop(bucket)
    create_all(app)

    told = Told(app)

    assert told.wrong() == {"conditional writes": "warning", "checksums": "warning"}
    assert "refuses every write with If-Match" in told.text("conditional writes")


@pytest.mark.ceph
def test_a_bucket_acl_as_0_3_set_it_lets_anybody_list(ceph, new_bucket, shop):
    bucket = new_bucket(ceph).create(ACL="public-read")
    allow_cors(bucket, "*")

    told = Told(shop(bucket))

    assert told.wrong()["listing"] == "error"
    assert f"aws s3api put-bucket-acl --bucket {bucket.name}" in told.text("listing")


# -- an app that does not load


@pytest.mark.parametrize(
    "code", ["raise RuntimeError('x')", "import no_such_module", "import flask_s3; del app"]
)
@pytest.mark.parametrize("command", [["plan"], ["releases", "diff", "2026"]])
def test_whoever_meets_an_app_that_does_not_load_is_told_once_of_doctor(code, command, tmp_path):
    process = Shop(tmp_path, {}, {}, code=code).start(*command)

    _, told = process.communicate(timeout=PATIENCE)

    assert process.returncode != 0
    assert told.endswith("\nflask s3 doctor tells it in one line.\n")
    assert told.count("doctor") == 1
    assert "--help" not in told


LOADS_NOT = {
    "import": ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    "variable": ('import os\nos.environ["NO_SUCH"]\n', "KeyError: 'NO_SUCH'"),
    "syntax": ("def\n", "SyntaxError: "),
    "exit": ("raise SystemExit('no database')\n", "SystemExit: no database"),
    "password": ("raise OSError('postgres://shop:pa55word@db/')\n", "OSError: postgres://…@db/"),
}


@pytest.mark.parametrize(("code", "said"), LOADS_NOT.values(), ids=LOADS_NOT.keys())
def test_why_an_app_does_not_load_is_told_in_a_sentence(mini_bucket, tmp_path, forking, code, said):
    shop = Shop(tmp_path / "shop", FILES, mini_bucket.config, code=code)
    line = (shop.root / "wsgi.py").read_text().count("\n")

    done = forking.start(shop.root, "doctor").end()

    assert done.code == 1
    assert f"error   app: The app does not load: {said}" in done.text
    assert f"(wsgi.py:{line})." in done.text
    assert "pa55word" not in done.text


def test_a_setting_that_keeps_the_app_from_starting_is_the_apps_error(
    mini_bucket, tmp_path, forking
):
    config = {**mini_bucket.config, "FLASKS3_DEBUG": "perhaps", "DEBUG": True}
    shop = Shop(tmp_path / "shop", FILES, config)

    done = forking.start(shop.root, "doctor").end()

    assert done.code == 1
    assert "The app does not load: SettingsError: FLASKS3_DEBUG is 'perhaps'" in done.text


def test_a_setting_that_keeps_the_app_from_starting_is_what_is_to_be_corrected(
    mini_bucket, tmp_path, forking
):
    config = {**mini_bucket.config, "FLASKS3_USE_CACHE_CONTROL": "tru"}
    shop = Shop(tmp_path / "shop", FILES, config)

    done = forking.start(shop.root, "doctor").end()

    assert "-> Correct FLASKS3_USE_CACHE_CONTROL.\n" in done.text


def test_no_app_at_all_is_told(tmp_path, forking):
    (tmp_path / "wsgi.py").write_text("")

    done = forking.start(tmp_path, "doctor").end()

    assert done.code == 1
    assert "The app does not load: Failed to find Flask application" in done.text
    assert "-> flask --app MODULE s3 doctor" in done.text


def test_a_bucket_in_the_environment_is_looked_at_though_the_app_does_not_load(right, tmp_path):
    shop = Shop(tmp_path / "shop", FILES, {}, code="import no_such_module\n")
    env = {name: str(value) for name, value in right.config.items()}
    secret, key = env.pop("AWS_SECRET_ACCESS_KEY"), env.pop("AWS_ACCESS_KEY_ID")
    profile = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    (tmp_path / "credentials").write_text(profile)
    env["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "credentials")

    ended = shop.run("doctor", "--json", env=env)

    said = {finding["check"]: finding for finding in ended.json["findings"]}
    skipped = {one["check"]: one["why"] for one in ended.json["skipped"]}
    assert ended.code == 1
    assert [check for check, finding in said.items() if finding["verdict"] != "ok"] == ["app"]
    assert {"bucket", "region", "ownership", "policy"} <= said.keys()
    assert f"by shared-credentials-file {key[:4]}…{key[-4:]}." in said["credentials"]["what"]
    assert skipped["public access"] == "the app does not load"
    assert secret not in ended.stdout + ended.stderr


# -- as people read it


def test_what_is_printed_names_the_verdict_the_reason_and_what_mends_it(
    ministack, new_bucket, shop
):
    bucket = new_bucket(ministack)

    ended = shop(bucket).test_cli_runner().invoke(s3, ["doctor"])

    assert ended.exit_code == 1
    lines = ended.output.splitlines()
    at = lines.index(f"error   bucket: There is no bucket {bucket.name!r}.")
    assert lines[at + 1].startswith("        Files cannot be published")
    assert lines[at + 2] == f"        -> {SETUP}"
    assert lines[at + 3] == "1 error, 0 warnings, 9 ok."
    assert lines[at + 4].endswith("checksums; 'bucket' has to be right first.")


def test_the_page_names_every_check():
    page = (DOCS / "checks.md").read_text()

    assert [check for check in CHECKS if f"| `{check}` |" not in page] == []
