"""Caches in front drop what changed: CloudFront, Cloudflare, and whatever else a user has."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import servers
from commands import Shop
from conftest import write_files
from proxy import Answer, LoseAnswer, Proxy
from steps import Site, site

from flask_s3 import FlaskS3Error, SettingsError, create_all
from flask_s3.cdn import cloudflare, cloudfront, paths
from flask_s3.cdn.purger import Stale
from flask_s3.errors import PurgeError
from flask_s3.settings import Settings

TOKEN = "cf-token-0123456789abcdef"
ZONE = "0123456789abcdef0123456789abcdef"
HOST = "cdn.example.com"


class Recorder:
    """A user's purger that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], list[str]]] = []
        self.waited: list[object] = []

    def purge(self, urls, prefixes):
        self.calls.append((list(urls), list(prefixes)))
        return len(self.calls)

    def wait(self, receipt):
        self.waited.append(receipt)

    @property
    def last(self) -> list[str]:
        urls, prefixes = self.calls[-1]
        return [*urls, *(f"{prefix}*" for prefix in prefixes)]


@pytest.fixture
def told() -> Recorder:
    return Recorder()


@pytest.fixture
def behind(mini_bucket, make_app, told) -> Site:
    """An app under fingerprints, and a purger that remembers."""
    app = make_app({"a.css": "a{}", "b.js": "b", "index.html": "<p>"})
    return site(app, mini_bucket, FLASKS3_PURGER=told, FLASKS3_CDN_DOMAIN=HOST)


@pytest.fixture
def shop(behind) -> Site:
    """The same, with one release out."""
    behind.deploy()
    return behind


def urls(*paths_: str) -> list[str]:
    return [f"https://{HOST}{path}" for path in paths_]


# -- which paths


def test_a_first_deploy_purges_nothing_since_no_cache_has_any_of_it(shop, told):
    assert told.calls == []


def test_a_deploy_that_changes_nothing_calls_nobody(shop, told):
    shop.deploy()

    assert told.calls == []


def test_only_the_plain_names_that_changed_are_purged_and_no_fingerprinted_one(shop, told):
    ended = shop.run("deploy", "--json")
    assert (ended.json["purged"], ended.json["unpurged"]) == ([], [])

    write_files(shop.static, {"a.css": "b{}", "index.html": "<b>"})
    ended = shop.run("deploy", "--json")

    assert told.calls == [(urls("/static/a.css", "/static/index.html"), [])]
    assert ended.json["purged"] == ["/static/a.css", "/static/index.html"]


def test_a_new_name_is_not_purged_and_one_that_comes_back_is(shop, told):
    shop.deploy({"new.css": "n{}"})
    assert told.calls == []

    shop.deploy({"new.css": None})
    shop.deploy({"new.css": "m{}"})

    assert told.calls == [(urls("/static/new.css"), [])]


def test_without_fingerprints_every_overwritten_file_is_purged(mini_bucket, make_app, told):
    app = make_app({"a.css": "1", "b.css": "1"})
    mine = site(
        app,
        mini_bucket,
        FLASKS3_PURGER=told,
        FLASKS3_CDN_DOMAIN=HOST,
        FLASKS3_FINGERPRINT=False,
        FLASKS3_MANIFEST="m.json",
    )
    mine.deploy()
    mine.deploy({"a.css": "2", "c.css": "1"})

    assert told.calls == [(urls("/static/a.css"), [])]


def test_new_headers_are_a_change_too(shop, told):
    shop.app.config["FLASKS3_FILEPATH_HEADERS"] = {r"\.html$": {"Cache-Control": "no-cache"}}
    shop.deploy()

    assert told.last == urls("/static/index.html")


def test_fingerprinted_names_are_not_purged_even_when_their_headers_change(shop, told):
    shop.app.config["FLASKS3_HEADERS"] = {"x-amz-meta-team": "web"}
    shop.deploy()

    assert told.calls == [(urls("/static/a.css", "/static/b.js", "/static/index.html"), [])]


def test_create_all_purges_what_it_changed_and_not_all_that_it_sent_again(
    mini_bucket, make_app, told
):
    config = {**mini_bucket.config, "FLASKS3_PURGER": told, "FLASKS3_CDN_DOMAIN": HOST}
    app = make_app({"a.css": "1", "b.css": "1"}, config)
    create_all(app)
    create_all(app)
    assert told.calls == []

    write_files(Path(app.static_folder), {"b.css": "2"})

    assert create_all(app).purged == ("/static/b.css",)
    assert told.calls == [(urls("/static/b.css"), [])]


def test_a_rollback_purges_the_plain_names_that_it_changes(shop, told):
    shop.deploy({"a.css": "b{}"})
    told.calls.clear()

    ended = shop.run("rollback", "--wait")

    assert told.calls == [(urls("/static/a.css"), [])]
    assert told.waited == [1]
    assert "Purged from the CDN, 1 path: /static/a.css." in ended.stdout


def test_what_was_changed_behind_our_back_and_is_repaired_is_purged(shop, told):
    shop.bucket.client.put_object(Bucket=shop.bucket.name, Key="static/b.js", Body=b"broken")

    shop.deploy(None, "--verify-remote")

    assert told.last == urls("/static/b.js")


def many(number: int, text: str) -> dict[str, str]:
    return {f"{n:02}.txt": text for n in range(number)}


@pytest.mark.parametrize(("number", "expected"), [(50, 50), (51, 1)])
def test_up_to_50_paths_go_one_by_one_and_more_as_one_wildcard(
    mini_bucket, make_app, told, number, expected
):
    app = make_app(many(number, "1"))
    mine = site(app, mini_bucket, FLASKS3_PURGER=told, FLASKS3_CDN_DOMAIN=HOST)
    mine.deploy()
    mine.deploy(many(number, "2"))

    assert len(told.calls) == 1
    assert len(told.last) == expected
    assert (told.last == urls("/static/*")) is (number > 50)


def test_a_wildcard_goes_to_each_route_that_changed_and_to_no_other():
    settings = Settings.read({"FLASKS3_BUCKET_NAME": "bbb", "FLASKS3_CDN_DOMAIN": HOST})
    keys = [f"{route}{n}.js" for route in ("static/", "admin/static/") for n in range(30)]

    stale = paths.stale(keys, settings, ("admin/static/", "docs/static/", "static/"))

    assert stale == Stale(prefixes=tuple(urls("/admin/static/", "/static/")))


def test_a_path_is_what_browsers_ask_the_cdn_for(make_app, mini_bucket, told):
    files = {"ä b.css": "1", "100%+.css": "1", "a#b?.css": "1"}
    app = make_app(files)
    mine = site(
        app,
        mini_bucket,
        FLASKS3_PURGER=told,
        FLASKS3_CDN_DOMAIN=f"//{HOST}/über",
        FLASKS3_PREFIX="/v 1/",
    )
    mine.deploy()
    mine.deploy(dict.fromkeys(files, "2"))

    start = "/%C3%BCber/v%201/static/"
    names = ("100%25%2B.css", "a%23b%3F.css", "%C3%A4%20b.css")
    assert told.last == urls(*(start + name for name in names))


def test_without_a_domain_cloudfront_gets_the_key_and_others_the_url_of_pages():
    config = {"FLASKS3_BUCKET_NAME": "bbb", "FLASKS3_ENDPOINT_URL": "http://store:9000"}
    by_cloudfront = {**config, "FLASKS3_CLOUDFRONT_DISTRIBUTION": "E2EXAMPLE1ABCD"}

    one = paths.stale(["static/a.css"], Settings.read(by_cloudfront), ("static/",))
    other = paths.stale(["static/a.css"], Settings.read(config), ("static/",))

    assert one.paths == ("/static/a.css",)
    assert other.urls == ("http://store:9000/bbb/static/a.css",)


@pytest.mark.parametrize("cdn", [{}, {"FLASKS3_CDN_DOMAIN": f"{HOST}/cdn"}])
def test_the_buckets_own_url_is_taken_for_the_cdns_of_the_same_file(cdn):
    config = {
        "FLASKS3_BUCKET_NAME": "bbb",
        "FLASKS3_ENDPOINT_URL": "http://store:9000",
        "FLASKS3_CLOUDFRONT_DISTRIBUTION": "E2EXAMPLE1ABCD",
    }
    settings = Settings.read({**config, **cdn}, environ={})

    stale = paths.asked(["http://store:9000/bbb/static/a.css"], settings)

    assert stale.paths == ("/cdn/static/a.css" if cdn else "/static/a.css",)


# -- what somebody types


def typed(*words: str, **config: str) -> list[str]:
    config = {"FLASKS3_BUCKET_NAME": "bbb", "FLASKS3_CDN_DOMAIN": HOST, **config}
    return list(paths.asked(words, Settings.read(config, environ={})).paths)


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("/static/app.css", "/static/app.css"),
        ("static/app.css", "/static/app.css"),
        (f"https://{HOST}/static/app.css", "/static/app.css"),
        (f"HTTP://{HOST.upper()}/static/app.css", "/static/app.css"),
        (f"//{HOST}/static/app.css", "/static/app.css"),
        ("/static/%C3%A4.css", "/static/%C3%A4.css"),
        ("/static/ä.css", "/static/%C3%A4.css"),
        ("static/100%.css", "/static/100%25.css"),
        ("/static/app.css?v=1", "/static/app.css?v=1"),
        ("/static/*", "/static/*"),
        ("/static/a%2Ab.css", "/static/a%2Ab.css"),
        ("/static/a%2A", "/static/a%2A"),
        ("/*", "/*"),
    ],
)
def test_a_path_may_be_typed_as_a_url_a_path_or_a_key(word, path):
    assert typed(word) == [path]
    assert typed(path) == [path], "and what we print can be typed"


@pytest.mark.parametrize(
    "word",
    [
        "/v1/../other/a.css",
        "/v1/%2e%2e/other/a.css",
        "/v1/%2E%2E%2Fother/a.css",
        "/v1/..%5cother/a.css",
        "v1/../../x",
        f"https://{HOST}/v1/./a.css",
        "/other/a.css",
        "other/a.css",
        "/v1",
        "/*",
        "/v1*",
        "https://elsewhere.example.com/v1/a.css",
        f"https://{HOST}.evil.example/v1/a.css",
        "/v1/a.css#top",
        "/v1/*/a.css",
        "/v1/a%0d%0ab.css",
        "v1/a\nb.css",
        "/v1/%ff.css",
        "v1/\udcff.css",
        "/v1/a.css?\udcff",
        "",
    ],
)
def test_a_path_that_leaves_the_prefix_or_is_none_is_refused_in_one_sentence(word):
    with pytest.raises(SettingsError, match="Nothing was purged") as error:
        typed(word, FLASKS3_PREFIX="v1")

    assert "\n" not in str(error.value)


def test_under_a_path_of_the_cdn_only_that_path_is_ours():
    assert typed("/cdn/static/a.css", FLASKS3_CDN_DOMAIN=f"{HOST}/cdn") == ["/cdn/static/a.css"]
    assert typed("static/a.css", FLASKS3_CDN_DOMAIN=f"{HOST}/cdn") == ["/cdn/static/a.css"]
    with pytest.raises(SettingsError, match="begins with /cdn/"):
        typed("/static/a.css", FLASKS3_CDN_DOMAIN=f"{HOST}/cdn")


def test_purge_tells_the_cdn_of_paths_or_of_all(behind, told):
    one = behind.run("purge", "/static/a.css", "static/img/*", "--wait")
    everything = behind.run("purge", "--all")

    assert told.calls == [
        (urls("/static/a.css"), urls("/static/img/")),
        ([], urls("/static/")),
    ]
    assert told.waited == [1]
    assert one.stdout == "Purged from the CDN, 2 paths: /static/a.css, /static/img/*.\n"
    assert everything.stdout == "Purged from the CDN, 1 path: /static/*.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "either a PATH or more, or --all"),
        (["--all", "/static/a.css"], "either a PATH or more, or --all"),
        (["/static/../x"], "cannot be purged"),
    ],
)
def test_wrong_usage_of_purge_is_exit_code_2(behind, told, arguments, says):
    ended = behind.run("purge", *arguments, code=2)

    assert says in ended.stderr
    assert told.calls == []


def test_purge_without_a_cdn_is_exit_code_2_and_says_what_to_set(mini_bucket, make_app):
    ended = site(make_app({}), mini_bucket).run("purge", "--all", code=2)

    assert "set FLASKS3_CLOUDFRONT_DISTRIBUTION, FLASKS3_CLOUDFLARE_ZONE" in ended.stderr


# -- when it does not work


class Failing(Recorder):
    error: Exception | None = RuntimeError("no such thing")

    def purge(self, urls, prefixes):
        super().purge(urls, prefixes)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("fingerprint", [True, False])
def test_a_failed_purge_leaves_the_release_in_force_and_says_how_to_purge(shop, fingerprint):
    shop.app.config.update(FLASKS3_FINGERPRINT=fingerprint, FLASKS3_MANIFEST="m.json")
    shop.deploy()
    failing = shop.app.config["FLASKS3_PURGER"] = Failing()
    write_files(shop.static, {"a.css": "b{}"})

    ended = shop.run("deploy", "--json", code=1)

    assert shop.is_whole()
    assert shop.bucket.get("static/a.css")["Body"] == b"b{}"
    assert (ended.json["purged"], ended.json["unpurged"]) == ([], ["/static/a.css"])
    assert ended.json["failed"] == []
    assert (
        "Error: The purger in FLASKS3_PURGER failed (RuntimeError: no such thing): mend it, then "
        "purge again. What was published stands, but caches may go on with the bytes of "
        "before, until: flask s3 purge /static/a.css\n"
    ) in ended.stderr

    failing.error = None
    shop.run("deploy")  # nothing is left to publish, but somebody has to be told still
    assert failing.last == urls("/static/*")
    failing.calls.clear()
    shop.run("deploy")
    assert failing.calls == []


def test_create_all_raises_when_the_cdn_was_not_told(shop):
    shop.app.config["FLASKS3_PURGER"] = Failing()
    write_files(shop.static, {"a.css": "b{}"})

    with pytest.raises(PurgeError, match=r"flask s3 purge /static/a\.css") as error:
        create_all(shop.app)

    assert isinstance(error.value, FlaskS3Error)
    assert shop.bucket.get("static/a.css")["Body"] == b"b{}"


def test_a_rollback_whose_purge_fails_stands_and_is_exit_code_1(shop):
    first = shop.in_force()
    shop.deploy({"a.css": "b{}"})
    shop.app.config["FLASKS3_PURGER"] = Failing()

    ended = shop.run("rollback", code=1)

    assert shop.record(shop.in_force())["restores"] == first
    assert "flask s3 purge /static/a.css" in ended.stderr


class Dying(Recorder):
    def purge(self, urls, prefixes):
        super().purge(urls, prefixes)
        raise KeyboardInterrupt


def test_the_deploy_after_one_that_died_before_the_purge_purges_everything(shop, told):
    write_files(shop.static, {"a.css": "b{}"})
    shop.app.config["FLASKS3_PURGER"] = Dying()
    shop.run("deploy", code=130)
    assert shop.bucket.get("static/a.css")["Body"] == b"b{}"

    shop.app.config["FLASKS3_PURGER"] = told
    shop.run("deploy")
    assert told.last == urls("/static/*")

    told.calls.clear()
    shop.run("deploy")
    assert told.calls == []


KILLED = """
import os, signal

class Purger:
    def __init__(self, app):
        self.root = app.root_path

    def purge(self, urls, prefixes):
        if os.path.exists(self.root + "/kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        with open(self.root + "/told", "a") as file:
            print(*urls, *prefixes, file=file)
"""


@pytest.mark.parametrize("fingerprint", [True, False])
def test_a_kill_9_in_the_purge_is_made_good_by_the_next_deploy(
    mini_bucket, tmp_path, forking, fingerprint
):
    config = {
        **mini_bucket.config,
        "FLASKS3_FINGERPRINT": fingerprint,
        "FLASKS3_PURGER": "wsgi:Purger",
        "FLASKS3_CDN_DOMAIN": HOST,
    }
    mine = Shop(tmp_path, {"a.css": "1{}"}, config, code=KILLED)
    assert forking.start(mine.root, "deploy", "--yes").end().code == 0
    write_files(mine.static, {"a.css": "2{}"})
    (tmp_path / "kill").touch()
    assert forking.start(mine.root, "deploy").end().code == -9
    (tmp_path / "kill").unlink()

    done = forking.start(mine.root, "deploy").end()

    assert done.code == 0, done.text
    told = (tmp_path / "told").read_text().split()
    assert told[0] == f"https://{HOST}/static/"
    assert mini_bucket.get("static/a.css")["Body"] == b"2{}"


def test_a_rollback_after_a_deploy_that_died_before_the_purge_purges_everything(shop, told):
    shop.app.config["FLASKS3_PURGER"] = Dying()
    write_files(shop.static, {"a.css": "b{}"})
    shop.run("deploy", code=130)

    shop.app.config["FLASKS3_PURGER"] = told
    shop.run("rollback")

    assert ([], urls("/static/")) in told.calls


def test_what_a_deploy_beside_ours_could_not_purge_is_purged_by_ours(shop, told):
    write_files(shop.static, {"a.css": "b{}"})

    def one_that_comes_second(app):
        app.config["FLASKS3_PURGER"] = Failing()
        with pytest.raises(PurgeError):
            create_all(app)
        return told

    shop.app.config["FLASKS3_PURGER"] = one_that_comes_second
    shop.run("deploy")

    assert ([], urls("/static/")) in told.calls
    told.calls.clear()
    shop.app.config["FLASKS3_PURGER"] = told
    shop.run("deploy")
    assert told.calls == [], "and once is enough"


def test_who_tires_of_waiting_for_the_cdn_has_the_manifest_all_the_same(shop, told):
    def wait(_receipt):
        raise KeyboardInterrupt

    told.wait = wait
    write_files(shop.static, {"a.css": "b{}"})
    shop.app.config["FLASKS3_MANIFEST"] = "m.json"

    shop.run("deploy", "--wait", code=130)

    assert "static/a.css" in Path(shop.app.root_path, "m.json").read_text()


def test_the_plain_names_are_purged_once_they_are_written_and_not_before(shop, told):
    seen = []
    told.purge = lambda *_: seen.append(shop.bucket.get("static/a.css")["Body"])

    shop.deploy({"a.css": "b{}"})

    assert seen == [b"b{}"]


# -- CloudFront


@dataclass(frozen=True)
class Distribution:
    """A distribution of a test's own, on a server that has CloudFront."""

    client: Any
    id: str

    def invalidations(self) -> list[list[str]]:
        """The paths of each invalidation, in the order of their making."""
        found = self.client.list_invalidations(DistributionId=self.id)["InvalidationList"]
        return [self._paths(item["Id"]) for item in found.get("Items", [])]

    def _paths(self, id_: str) -> list[str]:
        made = self.client.get_invalidation(DistributionId=self.id, Id=id_)["Invalidation"]
        return made["InvalidationBatch"]["Paths"].get("Items", [])


@pytest.fixture
def distribution(ministack) -> Distribution:
    client = servers._client("cloudfront", **ministack._arguments())
    origin = {
        "Id": "s3",
        "DomainName": "bbb.s3.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    config = {
        "CallerReference": secrets.token_hex(8),
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "s3",
            "ViewerProtocolPolicy": "redirect-to-https",
        },
    }
    made = client.create_distribution(DistributionConfig=config)["Distribution"]
    return Distribution(client, made["Id"])


@pytest.fixture
def way(ministack) -> Iterator[Proxy]:
    """A way to CloudFront on which things happen."""
    with Proxy(ministack.endpoint) as between:
        yield between


@pytest.fixture
def fronted(mini_bucket, make_app, distribution, way, monkeypatch) -> Site:
    """An app behind CloudFront."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", way.endpoint)
    monkeypatch.setattr(cloudfront, "_PAUSES", (0.0,) * 3)
    monkeypatch.setattr(cloudfront, "_POLL_SECONDS", 0.0)
    app = make_app({"a.css": "1", "b.css": "1"})
    return site(
        app,
        mini_bucket,
        FLASKS3_CLOUDFRONT_DISTRIBUTION=distribution.id,
        FLASKS3_CDN_DOMAIN=HOST,
    )


INVALIDATION = "/invalidation"


def test_a_deploy_invalidates_what_it_changed_on_cloudfront(fronted, distribution):
    fronted.deploy()
    assert distribution.invalidations() == []

    fronted.deploy({"a.css": "2"})

    assert distribution.invalidations() == [["/static/a.css"]]


def test_the_command_of_a_user_invalidates_too(mini_bucket, distribution, tmp_path):
    config = {
        **mini_bucket.config,
        "FLASKS3_CLOUDFRONT_DISTRIBUTION": distribution.id,
        "FLASKS3_CDN_DOMAIN": HOST,
    }
    mine = Shop(tmp_path, {"a.css": "1"}, config)
    env = {"AWS_ENDPOINT_URL_CLOUDFRONT": mini_bucket.server.endpoint}

    ended = mine.run("purge", "/static/a.css", "--wait", env=env)

    assert (ended.code, ended.stdout) == (0, "Purged from the CDN, 1 path: /static/a.css.\n")
    assert distribution.invalidations() == [["/static/a.css"]]


def test_too_many_invalidations_in_progress_are_waited_for(fronted, distribution, way):
    busy = Answer(400, "TooManyInvalidationsInProgress")
    way.rule("POST", INVALIDATION, busy, turns=range(1, 4))

    fronted.run("purge", "/static/a.css")

    assert distribution.invalidations() == [["/static/a.css"]]
    assert way.count("POST", INVALIDATION) == 4


def test_an_end_comes_to_that_and_it_is_told(fronted, distribution, way):
    fronted.deploy()
    way.rule("POST", INVALIDATION, Answer(400, "TooManyInvalidationsInProgress"))
    write_files(fronted.static, {"a.css": "2"})

    ended = fronted.run("deploy", code=1)

    assert way.count("POST", INVALIDATION) == 4
    assert "(TooManyInvalidationsInProgress): see in the AWS console" in ended.stderr
    assert "flask s3 purge /static/a.css" in ended.stderr


def test_pauses_grow_and_end_before_a_ci_job_does(monkeypatch):
    slept: list[float] = []
    settings = Settings.read({"FLASKS3_CLOUDFRONT_DISTRIBUTION": "E2EXAMPLE1ABCD"})
    made = cloudfront.CloudFront(settings, sleep=slept.append)

    def sent(*_):
        raise cloudfront._Busy("busy")

    monkeypatch.setattr(made, "_sent", sent)
    with pytest.raises(PurgeError):
        made.purge(urls("/static/a.css"), [])

    assert slept == sorted(slept)
    assert 300 < sum(slept) < 900


def test_an_answer_that_was_lost_makes_no_second_invalidation(fronted, distribution, way):
    way.rule("POST", INVALIDATION, LoseAnswer(), turns=[1])

    fronted.run("purge", "/static/a.css")

    assert way.count("POST", INVALIDATION) == 2
    assert distribution.invalidations() == [["/static/a.css"]]


def test_the_same_paths_are_invalidated_again_by_the_next_deploy(fronted, distribution):
    fronted.run("purge", "/static/a.css")
    fronted.run("purge", "/static/a.css")

    assert distribution.invalidations() == [["/static/a.css"], ["/static/a.css"]]


def in_progress() -> Answer:
    whole = (
        '<Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>I1</Id>'
        "<Status>InProgress</Status><CreateTime>2026-01-01T00:00:00Z</CreateTime>"
        "<InvalidationBatch><Paths><Quantity>0</Quantity></Paths>"
        "<CallerReference>r</CallerReference></InvalidationBatch></Invalidation>"
    )
    return Answer(200, whole=whole)


def test_wait_returns_when_the_invalidation_is_completed(fronted, distribution, way):
    fronted.deploy()
    way.rule("GET", INVALIDATION, in_progress(), turns=range(1, 4))
    write_files(fronted.static, {"a.css": "2"})

    fronted.run("deploy", "--wait")

    assert way.count("GET", INVALIDATION) == 4


def test_without_wait_nobody_looks_whether_it_is(fronted, way):
    fronted.run("purge", "/static/a.css")

    assert (way.count("POST", INVALIDATION), way.count("GET", INVALIDATION)) == (1, 0)


def test_wait_gives_up_in_the_end_and_says_so(fronted, distribution, way, monkeypatch):
    monkeypatch.setattr(cloudfront, "_MOST_POLLS", 2)
    way.rule("GET", INVALIDATION, in_progress())

    ended = fronted.run("purge", "--all", "--wait", code=1)

    assert "is still under way after" in ended.stderr


def test_names_that_cloudfront_cannot_be_told_are_purged_by_a_wildcard(fronted, distribution):
    odd = ("js/runtime~main.js", "img/a*b.png", "js/plain.js", "js/runtime.js")
    fronted.deploy(dict.fromkeys(odd, "1"))
    assert distribution.invalidations() == []
    fronted.deploy(dict.fromkeys(odd, "2"))

    assert [sorted(paths_) for paths_ in distribution.invalidations()] == [
        ["/static/img/a*", "/static/js/runtime*"],
        ["/static/js/plain.js"],
    ]


def test_many_paths_go_in_batches_that_cloudfront_takes(fronted, distribution, monkeypatch):
    monkeypatch.setattr(cloudfront, "_PATHS_A_BATCH", 4)
    monkeypatch.setattr(cloudfront, "_WILDCARDS_A_BATCH", 2)

    fronted.run("purge", *(f"/static/{n}.js" for n in range(9)), *(f"/w{n}/*" for n in range(3)))

    assert [len(paths_) for paths_ in distribution.invalidations()] == [2, 1, 4, 4, 1]


def test_a_refusal_of_cloudfront_is_told_in_our_words(fronted, way):
    message = "User arn:aws:iam::1 is not authorized; AWS4-HMAC-SHA256 Credential=AKIASECRET/x"
    way.rule("POST", INVALIDATION, Answer(403, "AccessDenied", message))

    ended = fronted.run("purge", "--all", code=1)

    assert (
        "(AccessDenied): grant cloudfront:CreateInvalidation on the distribution." in ended.stderr
    )
    assert "AKIASECRET" not in ended.stderr + ended.stdout


def test_a_distribution_that_does_not_exist_is_named(fronted):
    fronted.app.config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = "E1AAAAAAAAAAA"

    ended = fronted.run("purge", "--all", code=1)

    assert "E1AAAAAAAAAAA refused CreateInvalidation (NoSuchDistribution)" in ended.stderr


def test_a_cloudfront_that_cannot_be_reached_did_not_refuse_anything(fronted, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", "http://127.0.0.1:9")

    ended = fronted.run("purge", "--all", code=1)

    assert "could not be asked about distribution" in ended.stderr
    assert "(EndpointConnectionError): check the network, and" in ended.stderr


def test_the_permissions_on_the_page_are_those_that_a_purge_needs(fronted, ministack):
    page = (Path(__file__).parent.parent / "docs" / "cdn.md").read_text()
    allowed = sorted(set(re.findall(r"cloudfront:\w+", page)))
    assert allowed == ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"]

    iam = servers._client("iam", **ministack._arguments())
    name = f"user-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    fronted.app.config["AWS_ACCESS_KEY_ID"] = key["AccessKeyId"]
    fronted.app.config["AWS_SECRET_ACCESS_KEY"] = key["SecretAccessKey"]
    for missing in (*allowed, None):
        actions = [action for action in allowed if action != missing]
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="page", PolicyDocument=policy)
        ended = fronted.run("purge", "--all", "--wait", code=0 if missing is None else 1)
        assert missing is None or f"grant {missing} on" in ended.stderr


# -- Cloudflare


@dataclass
class Api:
    """Stands in for Cloudflare's API: real HTTP, answers as its pages document them."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], object]] = field(default_factory=list)

    def answer(self, status: int, body: object, **headers: str) -> None:
        """What the next request gets."""
        self.answers.append((status, headers, body))

    @property
    def purged(self) -> list[dict[str, Any]]:
        return [body for _, _, body in self.requests]


DONE = {"success": True, "errors": [], "messages": [], "result": {"id": ZONE}}


@pytest.fixture
def api() -> Iterator[Api]:
    state = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append((self.path, self.headers["Authorization"], body))
            status, headers, answer = state.answers.pop(0) if state.answers else (200, {}, DONE)
            if status == 0:
                self.connection.close()
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/client/v4"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def slept(monkeypatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr(cloudflare, "_SLEEP", seconds.append)
    return seconds


@pytest.fixture
def flared(mini_bucket, make_app, api, slept, monkeypatch) -> Site:
    """An app behind Cloudflare."""
    monkeypatch.setattr(cloudflare, "API", api.url)
    app = make_app({"a.css": "1", "font.woff2": "1"})
    return site(
        app,
        mini_bucket,
        FLASKS3_CLOUDFLARE_ZONE=ZONE,
        CLOUDFLARE_API_TOKEN=TOKEN,
        FLASKS3_CDN_DOMAIN=HOST,
    )


def test_a_deploy_purges_by_prefix_on_cloudflare_so_that_fonts_got_with_cors_go_too(flared, api):
    flared.deploy()
    assert api.requests == []

    flared.deploy({"a.css": "2", "font.woff2": "2"})

    assert api.requests == [
        (
            f"/client/v4/zones/{ZONE}/purge_cache",
            f"Bearer {TOKEN}",
            {"prefixes": [f"{HOST}/static/a.css", f"{HOST}/static/font.woff2"]},
        )
    ]


def test_at_most_30_prefixes_go_in_one_call(flared, api):
    flared.run("purge", *(f"/static/{n}.js" for n in range(31)))

    assert [len(body["prefixes"]) for body in api.purged] == [30, 1]


@pytest.mark.parametrize(
    ("word", "prefix"),
    [
        ("--all", f"{HOST}/static"),
        ("/static/img*", f"{HOST}/static"),
        ("/static/img/*", f"{HOST}/static/img"),
        ("/*", HOST),
        ("/static/ä.css?v=1", f"{HOST}/static/%C3%A4.css"),
        ("/" + "d/" * 40 + "a.css", f"{HOST}/" + "/".join("d" * 31)),
    ],
)
def test_a_wildcard_on_cloudflare_ends_at_a_slash_and_has_no_query(flared, api, word, prefix):
    flared.run("purge", word)

    assert api.purged == [{"prefixes": [prefix]}]


def test_cloudflare_is_given_the_time_that_it_asks_for(flared, api, slept):
    limited = {"success": False, "errors": [{"code": 10429, "message": "Rate limited"}]}
    api.answer(429, limited, Retry_After="12")
    api.answer(429, limited, Retry_After="100000")
    api.answer(502, b"<html>Bad gateway</html>")
    api.answer(0, b"")

    flared.run("purge", "--all")

    assert len(api.requests) == 5
    assert slept[:2] == [12.0, 60.0]
    assert all(0 < seconds <= 60 for seconds in slept)


def test_an_error_of_cloudflare_that_breaks_off_is_asked_again(flared, api, slept):
    api.answer(502, b"zz\r\n", Transfer_Encoding="chunked")

    flared.run("purge", "--all")

    assert (len(api.requests), len(slept)) == (2, 1)


def test_cloudflare_that_never_answers_well_is_given_up(flared, api):
    for _ in range(10):
        api.answer(429, {"success": False, "errors": []})

    ended = flared.run("purge", "--all", code=1)

    assert len(api.requests) == 6
    assert "(HTTP 429): too many purges of this account" in ended.stderr


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (
            403,
            {"success": False, "errors": [{"code": 10000, "message": f"Bad {TOKEN}"}]},
            "Cache Purge",
        ),
        (401, {"success": False, "errors": [{"message": "x" * 9999}]}, "CLOUDFLARE_API_TOKEN"),
        (400, {"success": False, "errors": "?"}, "HTTP 400"),
        (404, b"not JSON \xff", "check FLASKS3_CLOUDFLARE_ZONE"),
        (200, b"<html>a proxy's page of welcome</html>", "HTTP 200"),
        (200, {"success": False, "errors": [{"message": "no"}]}, "HTTP 200, no"),
        (200, [], "HTTP 200"),
    ],
)
def test_a_refusal_of_cloudflare_is_one_sentence_without_the_token(flared, api, status, body, says):
    api.answer(status, body)

    ended = flared.run("purge", "--all", code=1)

    assert len(api.requests) == 1
    assert says in ended.stderr
    assert TOKEN not in ended.stderr + ended.stdout
    assert len(ended.stderr) < 1000


def test_what_create_all_raises_has_no_token_either(api):
    api.answer(403, {"success": False, "errors": [{"message": f"Bad {TOKEN}"}]})
    config = {
        "FLASKS3_CLOUDFLARE_ZONE": ZONE,
        "CLOUDFLARE_API_TOKEN": TOKEN,
        "FLASKS3_CDN_DOMAIN": HOST,
    }

    with pytest.raises(PurgeError, match=r"HTTP 403, Bad …\)"):
        cloudflare.Cloudflare(Settings.read(config), api.url).purge(urls("/static/a.css"), [])


def test_a_redirect_does_not_carry_the_token_elsewhere(flared, api):
    api.answer(302, b"", Location=f"{api.url}/elsewhere")

    flared.run("purge", "--all", code=1)

    assert len(api.requests) == 1


def test_an_unreachable_cloudflare_is_told_without_a_traceback(flared, monkeypatch):
    monkeypatch.setattr(cloudflare, "API", "http://127.0.0.1:9/client/v4")

    ended = flared.run("purge", "--all", code=1)

    assert "Cloudflare could not be reached (URLError)" in ended.stderr


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"CLOUDFLARE_API_TOKEN": None}, "CLOUDFLARE_API_TOKEN is not"),
        ({"CLOUDFLARE_API_TOKEN": "geheim ü"}, "no token has"),
        ({"FLASKS3_CDN_DOMAIN": ""}, "FLASKS3_CDN_DOMAIN is not"),
    ],
)
def test_cloudflare_without_token_or_host_publishes_nothing(flared, changes, says):
    flared.app.config.update(changes)

    ended = flared.run("deploy", code=2)

    assert says in ended.stderr
    assert "geheim" not in ended.stderr
    assert flared.bucket.keys(metadata=True) == []


def test_the_token_may_come_from_the_environment(flared, api, monkeypatch):
    flared.app.config["CLOUDFLARE_API_TOKEN"] = None
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "of-the-environment")

    flared.run("purge", "--all")

    assert api.requests[0][1] == "Bearer of-the-environment"


# -- a user's own


OWN = """
class Bunny:
    def __init__(self, app):
        self.name = app.config["FLASKS3_BUCKET_NAME"]

    def purge(self, urls, prefixes):
        print("told", self.name, *urls, *prefixes)

made = lambda app: Bunny(app)
broken = lambda: None
nothing = lambda app: object()

class Wrong:
    def __init__(self, app):
        pass
    def purge(self, urls, prefixes):
        raise ValueError("https://user:pw@api.example.com/purge?key=query-secret " +
                         "and config-secret")

class Pem(Wrong):
    def purge(self, urls, prefixes):
        raise ValueError("line-one\\nline-two of hunter2-of-cloudflare, "
                         "authorization: a b\\nnot a secret")

class Refusing(Wrong):
    def purge(self, urls, prefixes):
        from flask_s3.errors import PurgeError
        raise PurgeError("No luck with config-secret: wait.")
"""


@pytest.fixture
def owns(tmp_path, monkeypatch) -> None:
    """A module of the app's with purgers, good and bad."""
    (tmp_path / "owns.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "owns", raising=False)


@pytest.mark.parametrize("name", ["Bunny", "made"])
def test_a_purger_is_made_from_its_import_path(behind, owns, name):
    behind.app.config["FLASKS3_PURGER"] = f"owns:{name}"

    ended = behind.run("purge", "static/a.css", "--wait")

    assert f"told {behind.bucket.name} https://{HOST}/static/a.css\n" in ended.stdout


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("owns:broken", "could not be called with the app"),
        ("owns:nothing", "has no method purge(urls, prefixes)"),
        ("owns:missing", "cannot be imported (AttributeError)"),
        ("no.such.module:X", "cannot be imported (ModuleNotFoundError)"),
        ("owns.Bunny", "an import path such as 'shop.cdn:Purger'"),
        ("owns:", "an import path such as 'shop.cdn:Purger'"),
        (42, "gives a int, which has no method purge"),
        ([Recorder()], "gives a list, which has no method purge"),
    ],
)
def test_a_purger_that_cannot_work_is_exit_code_2_before_anything_is_published(
    behind, owns, value, says
):
    behind.app.config["FLASKS3_PURGER"] = value

    for command in ("deploy", "rollback", "purge --all"):
        ended = behind.run(*command.split(), code=2)
        assert says in ended.stderr

    assert behind.bucket.keys(metadata=True) == []


def test_secrets_in_what_a_purger_raises_are_not_shown(behind, owns):
    behind.app.config.update(FLASKS3_PURGER="owns:Wrong", BUNNY_KEY="config-secret")

    ended = behind.run("purge", "--all", code=1)

    assert "ValueError: https://…@api.example.com/purge?… and …" in ended.stderr
    assert not re.search("pw|query-secret|config-secret", ended.stderr + ended.stdout)


def test_a_secret_of_several_lines_and_those_of_the_store_are_not_shown(behind, owns, monkeypatch):
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "hunter2-of-cloudflare")
    behind.app.config.update(FLASKS3_PURGER="owns:Pem", BUNNY_KEY="line-one\nline-two")

    ended = behind.run("purge", "--all", code=1)

    assert "(ValueError: … of …, authorization: … not a secret)" in ended.stderr


def test_a_purger_that_says_it_in_its_own_words_shows_no_secret_either(behind, owns):
    behind.app.config.update(FLASKS3_PURGER="owns:Refusing", BUNNY_KEY="config-secret")

    ended = behind.run("purge", "--all", code=1)

    assert ended.stderr == "Error: No luck with …: wait.\n"


def test_more_than_one_cdn_is_refused_with_the_names_of_the_settings(behind):
    behind.app.config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = "E2EXAMPLE1ABCD"

    ended = behind.run("deploy", code=2)

    assert "FLASKS3_CLOUDFRONT_DISTRIBUTION and FLASKS3_PURGER are set" in ended.stderr


def test_a_plan_needs_no_cdn(behind):
    behind.app.config["FLASKS3_PURGER"] = "no.such.module:X"

    behind.run("plan")
    behind.run("status")


def test_serving_imports_nothing_of_it(tmp_path):
    code = (
        "import sys, flask, flask_s3\n"
        "app = flask.Flask('shop')\n"
        "app.config.update(FLASKS3_BUCKET_NAME='bbb', FLASKS3_PURGER='no.such:Thing')\n"
        "flask_s3.FlaskS3(app)\n"
        "with app.test_request_context():\n"
        "    print(flask.url_for('static', filename='a.css'))\n"
        "print([name for name in sys.modules if 'flask_s3.cdn' in name or 'purging' in name])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines() == ["https://bbb.s3.amazonaws.com/static/a.css", "[]"]
