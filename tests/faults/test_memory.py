"""The store in memory answers as the real ones do, so what holds there holds here."""

from __future__ import annotations

from hashlib import md5, sha256

import pytest
from memory import Disk, MemoryStore

from flask_s3.assets import BytesBody
from flask_s3.errors import StoreError
from flask_s3.headers import kept
from flask_s3.settings import Settings
from flask_s3.store.protocol import Condition
from flask_s3.store.s3 import S3Store

CSS = {"content-type": "text/css; charset=utf-8", "cache-control": "max-age=5"}


@pytest.fixture(params=["memory", "ministack", "seaweedfs"])
def store(request, new_bucket):
    """Each store in turn, with an empty bucket."""
    if request.param == "memory":
        return MemoryStore(Disk())
    bucket = new_bucket(request.getfixturevalue(request.param)).create()
    return S3Store(Settings.read(bucket.config))


def body(data):
    return BytesBody(data, sha256(data).hexdigest())


def refusal(ask):
    """The status with which the store says no."""
    with pytest.raises(StoreError) as refused:
        ask()
    return refused.value.status


def put(store, key, data=b"a", headers=CSS, condition=None):
    return store.put(key, body(data), headers, condition=condition).result()


def test_what_was_put_is_read_back(store):
    stored = put(store, "a.css", b"body")

    fetched = store.get("a.css")
    assert (fetched.body, fetched.etag) == (b"body", stored.etag)
    assert stored.etag == md5(b"body", usedforsecurity=False).hexdigest()
    assert 0 <= fetched.age < 60
    assert store.get("b.css") is None


def test_a_head_tells_size_etag_headers_and_maybe_the_digest(store):
    stored = put(store, "a.css", b"body")

    known = store.head("a.css").result()

    assert (known.size, known.etag, kept(known.headers)) == (4, stored.etag, CSS)
    assert known.sha256 in {None, sha256(b"body").hexdigest()}
    assert abs(known.modified - stored.modified) <= 2
    assert store.head("b.css").result() is None


def test_a_put_takes_the_place_of_bytes_and_headers(store):
    put(store, "a.css", b"old")
    put(store, "a.css", b"new", {"content-type": "text/plain"})

    assert store.get("a.css").body == b"new"
    assert kept(store.head("a.css").result().headers) == {"content-type": "text/plain"}


def test_a_listing_is_in_the_order_of_the_keys_and_begins_with_the_prefix(store):
    for key in ("s/b.css", "s/a.css", "s/c/z.css", "t/a.css", "s/é.css"):
        put(store, key, key.encode())

    lines = list(store.list("s/"))

    assert [line.key for line in lines] == ["s/a.css", "s/b.css", "s/c/z.css", "s/é.css"]
    assert [line.size for line in lines] == [7, 7, 9, 8]
    assert lines[0].etag == md5(b"s/a.css", usedforsecurity=False).hexdigest()
    assert list(store.list("u/")) == []


def test_the_folders_are_what_stands_before_the_next_slash(store):
    for key in (".x/one/a", ".x/one/b/c", ".x/two/a", ".x/c", "y/z/a"):
        put(store, key)

    assert list(store.folders(".x/")) == ["one/", "two/"]
    assert list(store.folders("w/")) == []


def test_a_copy_has_the_bytes_of_its_source_and_headers_of_its_own(store):
    put(store, "a.1.css", b"body")

    stored = store.copy("a.css", "a.1.css", body(b"body"), {"content-type": "text/x"}).result()

    assert store.get("a.css").body == b"body"
    assert store.get("a.css").etag == stored.etag
    assert kept(store.head("a.css").result().headers) == {"content-type": "text/x"}


def test_a_copy_of_nothing_is_refused_and_leaves_what_was_there(store):
    put(store, "a.css", b"body")

    assert refusal(store.copy("a.css", "no.css", body(b"x"), CSS).result) == 404
    assert store.get("a.css").body == b"body"


def test_what_must_not_be_there_yet_is_written_once(store):
    store.write("current", b"1", CSS, Condition(None))

    assert refusal(lambda: store.write("current", b"2", CSS, Condition(None))) == 412
    assert store.get("current").body == b"1"


def test_what_has_to_be_unchanged_is_written_only_then(store):
    first = store.write("current", b"1", CSS, Condition(None))
    second = store.write("current", b"2", CSS, Condition(first.etag))

    assert refusal(lambda: store.write("current", b"3", CSS, Condition(first.etag))) == 412
    assert store.get("current").body == b"2"
    store.write("current", b"4", CSS, Condition(second.etag))
    assert store.get("current").body == b"4"


def test_what_has_to_be_unchanged_and_is_gone_is_not_written(store):
    first = store.write("current", b"1", CSS, Condition(None))
    store.delete(["current"])

    assert refusal(lambda: store.write("current", b"2", CSS, Condition(first.etag))) in {404, 412}
    assert store.get("current") is None
    store.write("current", b"3", CSS, Condition(None))


def test_only_what_was_named_is_deleted_and_what_is_not_there_counts(store):
    for key in ("a & b<c>.css", "d.css", "é/ü.css"):
        put(store, key)

    assert store.delete(["a & b<c>.css", "é/ü.css", "never.css"]) == {}

    assert [line.key for line in store.list("")] == ["d.css"]


def test_a_bucket_exists(store):
    assert store.bucket_exists()
