"""Deploys that die half way, deploys that overtake each other, and what a store learns us."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from proxy import Answer, Proxy

from flask_s3 import PublishError, StoreError, create_all
from flask_s3.building import assembly
from flask_s3.release.deploy import _region_unknown_to_urls, carry_out
from flask_s3.release.prepare import Order, prepare
from flask_s3.release.publish import Silent
from flask_s3.release.releases import Releases
from flask_s3.serve.serving import state_of
from flask_s3.store.s3 import Dialect, S3Store


def only_modified(bucket):
    return {**bucket.config, "FLASKS3_ONLY_MODIFIED": True}


def test_after_a_crash_the_next_deploy_sees_what_was_overwritten(bucket, make_app):
    """v1, then v2 dies after its first upload, then v1 again: v1's bytes have to come back."""
    v1 = make_app({"a.js": "one", "b.js": "same"}, only_modified(bucket), name="shop")
    create_all(v1)
    v2 = make_app({"a.js": "two", "b.js": "same"}, only_modified(bucket), name="shop")
    with Proxy(bucket.server.endpoint) as proxy:
        proxy.rule("PUT", r"/releases/", Answer(403, "AccessDenied"))
        v2.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        with pytest.raises(PublishError):
            create_all(v2)
    assert bucket.get("static/a.js")["Body"] == b"two"
    v1 = make_app({"a.js": "one", "b.js": "same"}, bucket.config, name="shop")

    prepared = prepare(v1, state_of(v1).settings(), Order())
    result, _ = carry_out(prepared, Silent())

    assert (result.uploaded, result.kept) == (("static/a.js",), ("static/b.js",))
    assert bucket.get("static/a.js")["Body"] == b"one"
    again = prepare(v1, state_of(v1).settings(), Order())
    assert again.plan.puts == ()


@pytest.mark.parametrize("fingerprints", [False, True])
def test_a_deploy_that_was_overtaken_ends_in_force_with_exactly_its_own_objects(
    bucket, make_app, fingerprints
):
    app = make_app({"a.js": "1", "b.js": "1", "c.js": "1"}, only_modified(bucket))
    app.config["FLASKS3_FINGERPRINT"] = fingerprints
    create_all(app)
    folder = Path(app.static_folder)
    (folder / "a.js").write_text("ours")
    (folder / "b.js").write_text("ours")
    ours = prepare(app, state_of(app).settings(), Order())
    as_they_were = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "b.js").write_text("theirs")
    (folder / "c.js").write_text("theirs")
    (folder / "d.js").write_text("theirs")
    theirs, _ = carry_out(prepare(app, state_of(app).settings(), Order()), Silent())
    (folder / "d.js").unlink()
    for path, content in zip(sorted(folder.iterdir()), ("ours", "ours", "1"), strict=True):
        path.write_text(content)
        os.utime(path, ns=(0, as_they_were[path]))

    result, _ = carry_out(ours, Silent())

    assert result.failed == ()
    assert any(text.startswith("Another deploy of this app ended") for text in result.warnings)
    record = current(bucket, app)
    assert (record.id, record.after) == (result.release, theirs.release)
    digests = {key: known.sha256 for key, known in record.objects.items() if plain(key)}
    stored = {key: bucket.get(f"static/{key}.js")["Body"] for key in "abc"}
    assert stored == {"a": b"ours", "b": b"ours", "c": b"1"}
    assert digests == {f"static/{n}.js": sha256(body).hexdigest() for n, body in stored.items()}
    left = prepare(app, state_of(app).settings(), Order())
    assert (left.plan.puts, left.remote.listed) == ((), None), "something is left to do"


def plain(key: str) -> bool:
    return key.startswith("static/") and key.count(".") == 1


def current(bucket, app):
    settings = state_of(app).settings()
    return Releases(S3Store(settings), app.name, "").current().record


# -- what a store turns out to accept


def denied(code: str) -> StoreError:
    return StoreError("", code=code, status=403, operation="PutObject")


BOTH = frozenset({"acl", "checksum"})


def test_a_write_that_was_in_flight_when_the_acl_was_refused_goes_out_again_without():
    dialect = Dialect()
    assert dialect.learn(denied("AccessDenied"), BOTH)
    dialect.accepted |= {"checksum"}

    assert dialect.learn(denied("AccessDenied"), BOTH)
    assert not dialect.acl


def test_a_guess_that_did_not_help_is_taken_back():
    dialect = Dialect()
    assert dialect.learn(denied("AccessDenied"), BOTH)

    assert not dialect.learn(denied("AccessDenied"), frozenset({"checksum"}))
    assert dialect == Dialect()


def test_a_denied_key_does_not_switch_acls_off_once_they_were_accepted():
    dialect = Dialect(accepted={"acl", "checksum"})

    assert not dialect.learn(denied("AccessDenied"), BOTH)
    assert dialect.acl


@pytest.mark.parametrize("unknown", ["x-amz-acl", "x-amz-checksum-sha256"])
@pytest.mark.parametrize("code", ["NotImplemented", "InvalidArgument", "InvalidRequest"])
def test_a_store_that_knows_no_acls_or_no_checksums_gets_the_other_one(
    mini_bucket, make_app, unknown, code
):
    mini_bucket.client.put_bucket_ownership_controls(
        Bucket=mini_bucket.name,
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
    )
    mini_bucket.client.delete_public_access_block(Bucket=mini_bucket.name)
    app = make_app({"a.css": "a{}", "b.css": "b{}"}, mini_bucket.config)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule("PUT", "", Answer(501, code), header=unknown)
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint

        result = create_all(app)

        accepted = [proxy.seen("PUT", f"/static/{name}.css$")[-1] for name in "ab"]
    assert result.uploaded == ("static/a.css", "static/b.css")
    optional = {"x-amz-acl", "x-amz-checksum-sha256"}
    assert [optional & {name.lower() for name in seen.headers} for seen in accepted] == [
        optional - {unknown}
    ] * 2


def test_a_store_that_knows_neither_acls_nor_checksums_is_published_to(mini_bucket, make_app):
    app = make_app({"a.css": "a{}"}, mini_bucket.config)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        for header in ("x-amz-acl", "x-amz-checksum-sha256"):
            proxy.rule("PUT", "", Answer(501, "NotImplemented"), header=header)
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint

        assert create_all(app).uploaded == ("static/a.css",)


def test_an_acl_of_the_users_own_on_a_bucket_without_acls_says_what_to_take_out(
    mini_bucket, make_app
):
    app = make_app({"a.css": "a{}"}, mini_bucket.config)
    app.config["FLASKS3_HEADERS"] = {"x-amz-acl": "public-read"}

    with pytest.raises(PublishError, match="take x-amz-acl out of FLASKS3_HEADERS"):
        create_all(app)


def test_a_policy_from_the_days_of_0_3_that_lets_nothing_be_read_still_publishes(bucket, make_app):
    app = make_app({"a.css": "a{}"}, bucket.config)
    with Proxy(bucket.server.endpoint) as proxy:
        proxy.rule("GET", r"/\.flask-s3/", Answer(403, "AccessDenied"))
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint

        result = create_all(app)

    assert result.uploaded == ("static/a.css",)
    assert result.release is None
    assert result.warnings[0].startswith("What is published is not remembered")


class _Console(BaseHTTPRequestHandler):
    """A web page at every address, as a store's console or a single-page app answers."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "15")
        self.end_headers()
        self.wfile.write(b"<html>console")
        self.wfile.write(b"\r\n")

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("everything", [True, False])
def test_an_address_where_no_store_answers_in_s3_says_so(make_app, everything):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Console) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "FLASKS3_BUCKET_NAME": "shop",
            "FLASKS3_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "FLASKS3_ONLY_MODIFIED": not everything,
        }

        with pytest.raises(StoreError, match="does not speak S3: check FLASKS3_ENDPOINT_URL"):
            create_all(make_app({"a.css": "a{}"}, config))
        server.shutdown()


def test_a_file_that_vanishes_before_it_is_gzipped_fails_alone(mini_bucket, make_app, monkeypatch):
    app = make_app({"a.css": "a" * 999, "b.css": "b" * 999}, mini_bucket.config)
    app.config["FLASKS3_GZIP"] = True
    collect = assembly.collect

    def then_vanish(*arguments):
        collection = collect(*arguments)
        Path(app.static_folder, "a.css").unlink()
        return collection

    monkeypatch.setattr(assembly, "collect", then_vanish)

    with pytest.raises(PublishError) as caught:
        create_all(app)

    assert caught.value.result.uploaded == ("static/b.css",)
    (failure,) = caught.value.result.failures
    assert "it could not be read any more (No such file or directory)" in failure.reason


def test_serving_that_does_not_know_the_region_is_warned_of(mini_bucket, make_app, monkeypatch):
    app = make_app({"a.css": "a{}"}, mini_bucket.config)
    settings = state_of(app).settings()
    prepared = prepare(app, settings, Order())
    aws = replace(settings, endpoint_url=None, region=None)
    prepared.remote.store.region = "eu-south-1"

    (warning,) = _region_unknown_to_urls(replace(prepared, settings=aws))

    assert warning == (
        "The bucket lives in eu-south-1, which serving does not know, so its URLs lead elsewhere: "
        "set FLASKS3_REGION = 'eu-south-1'."
    )
