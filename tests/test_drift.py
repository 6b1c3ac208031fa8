"""What somebody changed behind our back, buckets of 0.3, and how little is asked of the store."""

from __future__ import annotations

import hashlib
import json

import pytest
from conftest import write_files
from proxy import Proxy
from steps import Site, content_of, old_name, site

FILES = {
    "a.css": "a{color:red}",
    "b.png": "b",
    "robots.txt": "User-agent: *",
    "index.html": "<link rel=stylesheet href=a.css>",
}

PICTURES = ("x.png", "y.png", "z.png")


@pytest.fixture
def each(make_app, bucket) -> Site:
    """An app on each server."""
    return site(make_app(FILES), bucket)


@pytest.fixture
def mine(make_app, mini_bucket) -> Site:
    """An app on the server that is faster."""
    return site(make_app(FILES), mini_bucket)


def key_of(mine: Site, what: str) -> str:
    """The key of an object of each kind."""
    if what == "fingerprinted":
        return old_name(mine, mine.in_force(), "static/a.css")
    if what == "bytes of a document":
        return mine.record(mine.in_force())["copies"]["static/index.html"]
    return {"plain": "static/a.css", "document": "static/index.html"}[what]


def tamper(mine: Site, key: str, how: str) -> None:
    place = {"Bucket": mine.bucket.name, "Key": key}
    client, held = mine.bucket.client, mine.bucket.get(key)
    headers = {name: held[name] for name in ("ContentType", "CacheControl") if name in held}
    if how == "deleted":
        client.delete_object(**place)
    elif how == "other bytes":
        client.put_object(**place, Body=b"x" * len(held["Body"]), **headers)
    elif how == "longer":
        client.put_object(**place, Body=held["Body"] + b"x", **headers)
    else:
        headers["CacheControl"] = "max-age=1"
        source = {"Bucket": mine.bucket.name, "Key": key}
        client.copy_object(**place, CopySource=source, MetadataDirective="REPLACE", **headers)
        # So soon after our own write it might be ours: a store's clocks may be apart.
        mine.backdate(key)


@pytest.mark.parametrize("how", ["deleted", "other bytes", "longer", "other headers"])
@pytest.mark.parametrize("what", ["fingerprinted", "plain", "document", "bytes of a document"])
def test_what_was_changed_behind_our_back_is_found_and_alone_repaired(each, what, how):
    each.deploy()
    before = each.everything()
    key = key_of(each, what)
    tamper(each, key, how)

    shown = each.run("status").stdout
    with Proxy(each.bucket.server.endpoint) as proxy:
        each.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        told = each.run("deploy", "--verify-remote", "--json").json
        written = [seen.path for seen in proxy.seen("PUT") if "/.flask-s3/" not in seen.path]
        own = [seen.path for seen in proxy.seen("PUT") if "/bodies/" in seen.path]
        each.app.config.update(each.bucket.config)

    assert [line for line in shown.splitlines() if line.startswith("Drift")] == [
        f"Drift     {key}  (changed or deleted since)"
    ]
    assert "flask s3 deploy --verify-remote repairs it" in shown
    path = f"/{each.bucket.name}/{key}"
    assert {*written, *own} == {path}
    assert told["uploaded"] == ([] if own else [key])
    assert content_of(each.bucket, key) == before[key]
    assert "Drift" not in each.run("status").stdout
    assert each.is_whole()


@pytest.mark.parametrize("how", ["deleted", "other bytes", "other headers"])
def test_without_fingerprints_drift_is_found_and_repaired_too(each, how):
    each.app.config["FLASKS3_FINGERPRINT"] = False
    each.app.config["FLASKS3_HEADERS"] = {"Cache-Control": "max-age=60"}
    each.deploy()
    before = each.everything()
    tamper(each, "static/robots.txt", how)

    assert "Drift     static/robots.txt  (changed or deleted since)" in each.run("status").stdout
    told = each.run("deploy", "--verify-remote", "--json").json

    assert told["uploaded"] == ["static/robots.txt"]
    assert content_of(each.bucket, "static/robots.txt") == before["static/robots.txt"]


def test_status_looks_closely_only_at_what_is_not_as_it_was_left(mine):
    mine.deploy()
    tamper(mine, "static/a.css", "other headers")
    with Proxy(mine.bucket.server.endpoint) as proxy:
        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        mine.run("status")
        heads = {seen.path for seen in proxy.seen("HEAD")}
        written = proxy.seen("PUT|POST|DELETE")

    assert heads == {f"/{mine.bucket.name}/static/a.css"}
    assert written == []


def test_status_shows_much_drift_in_few_lines(mine):
    mine.deploy({f"{n:02}.txt": str(n) for n in range(25)})
    for n in range(25):
        tamper(mine, f"static/{n:02}.txt", "deleted")

    lines = [line for line in mine.run("status").stdout.splitlines() if line[0] in "D "]

    assert len(lines) == 11
    assert lines[-1] == "          and 15 more; flask s3 deploy --verify-remote repairs it"


@pytest.mark.parametrize("fingerprints", [True, False])
def test_a_deploy_trusts_the_record_and_asks_for_two_objects(each, fingerprints):
    each.app.config["FLASKS3_FINGERPRINT"] = fingerprints
    each.deploy()
    tamper(each, "static/a.css", "deleted")
    with Proxy(each.bucket.server.endpoint) as proxy:
        each.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        told = each.run("deploy", "--json").json
        asked = [(seen.method, seen.path.rpartition("/")[2]) for seen in proxy.requests]

    assert told["uploaded"] == []
    assert asked == [("GET", "current"), ("GET", f"{each.in_force()}.json")]


@pytest.mark.parametrize("fingerprints", [True, False])
@pytest.mark.parametrize("change", ["b.png", "index.html"])
def test_one_changed_file_of_many_costs_at_most_six_requests_more(each, fingerprints, change):
    each.bucket.open_to_anybody()  # else each deploy asks whether that is still so
    each.app.config["FLASKS3_FINGERPRINT"] = fingerprints
    each.deploy({f"many/{n}.txt": str(n) for n in range(200)})
    with Proxy(each.bucket.server.endpoint) as proxy:
        each.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        (each.static / change).write_text("changed")
        told = each.run("deploy", "--json").json
        asked = proxy.statuses

    assert f"static/{change}" in told["uploaded"]
    assert len(told["uploaded"]) <= 2
    assert len(asked) <= 2 + 6, asked


# -- 0.3's buckets


def as_0_3_published(mine: Site) -> dict[str, bytes]:
    """What 0.3 left with FLASKS3_FORCE_MIMETYPE, and its list of digests; returns the bodies."""
    hashes = {}
    for name in PICTURES:
        mine.bucket.client.put_object(
            Bucket=mine.bucket.name,
            Key=f"static/{name}",
            Body=name.encode(),
            ContentType="image/png",
            CacheControl="max-age=60",
        )
        hashes[f"/static/{name}"] = hashlib.sha1(name.encode()).hexdigest()
    mine.bucket.client.put_object(
        Bucket=mine.bucket.name, Key=".file-hashes", Body=json.dumps(hashes)
    )
    write_files(mine.static, {name: name for name in PICTURES})
    return {key: mine.bucket.get(key)["Body"] for key in mine.bucket.keys(metadata=True)}


def test_what_0_3_uploaded_is_not_uploaded_again(each):
    each.app.config["FLASKS3_FINGERPRINT"] = False
    each.app.config["FLASKS3_HEADERS"] = {"Cache-Control": "max-age=60"}
    before = as_0_3_published(each)
    hashes = each.bucket.head(".file-hashes")
    (each.static / "z.png").write_text("changed")

    told = each.run("deploy", "--json").json

    assert set(told["uploaded"]) == {f"static/{name}" for name in ("z.png", *FILES)}
    assert set(told["kept"]) == {"static/x.png", "static/y.png"}
    assert each.bucket.get(".file-hashes")["Body"] == before[".file-hashes"]
    assert each.bucket.head(".file-hashes")["LastModified"] == hashes["LastModified"]
    assert each.is_whole()


def test_no_command_touches_the_list_of_0_3(each):
    before = as_0_3_published(each)[".file-hashes"]
    each.deploy()
    each.deploy({"a.css": "2"})
    each.run("rollback")
    each.run("prune", "--keep", "1", "--older-than", "0s")
    each.run("destroy", "--yes", "--confirm", "shop")

    assert each.bucket.keys(metadata=True) == [".file-hashes"]
    assert each.bucket.get(".file-hashes")["Body"] == before


def test_a_bucket_of_0_3_with_fingerprints_switched_on_keeps_old_pages_whole(each):
    as_0_3_published(each)

    each.deploy()

    assert each.is_whole()
    assert {f"static/{name}" for name in PICTURES} <= set(each.bucket.keys("static/"))
