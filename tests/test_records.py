"""The release record and its pointer: what they hold, what they save, and what they prevent."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime
from hashlib import sha256

import pytest
from conftest import write_files
from flask import Blueprint
from looking import published_in_part, reasons, record_in_force, records
from proxy import Answer, Proxy

from flask_s3 import PublishError, create_all
from flask_s3.cli.commands import s3
from flask_s3.release.records import Record, record_from_bytes, record_to_bytes
from flask_s3.store.protocol import Known


def only_modified(bucket, **config):
    return {**bucket.config, "FLASKS3_ONLY_MODIFIED": True, **config}


def deploy(app, *options):
    """Runs `flask s3 deploy`, which trusts the record."""
    run = app.test_cli_runner().invoke(s3, ["deploy", "--json", *options])
    assert run.exit_code == 0, run.output
    return json.loads(run.stdout)


def by_key(bucket, app="shop"):
    """What the release in force says of each object: SHA-256, size, headers, ETag."""
    record = record_in_force(bucket, app)
    return {
        key: (digest, size, record["headers"][number], etag)
        for key, (digest, size, number, etag, _) in record["objects"].items()
    }


# -- what is written


def test_the_first_deploy_writes_a_record_with_an_id_and_every_object(bucket, make_app):
    rules = {r"\.css$": {"Cache-Control": "max-age=5"}}
    app = make_app(
        {"a.css": "a", "b.js": "bb"}, {**bucket.config, "FLASKS3_FILEPATH_HEADERS": rules}
    )

    result = create_all(app)

    record = record_in_force(bucket)
    assert (record["version"], record["id"], record["app"], record["prefix"]) == (
        1,
        result.release,
        "shop",
        "",
    )
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", record["id"])
    assert datetime.fromisoformat(record["time"]).utcoffset().total_seconds() == 0
    assert by_key(bucket) == {
        "static/a.css": (
            sha256(b"a").hexdigest(),
            1,
            {"cache-control": "max-age=5", "content-type": "text/css; charset=utf-8"},
            bucket.head("static/a.css")["ETag"].strip('"'),
        ),
        "static/b.js": (
            sha256(b"bb").hexdigest(),
            2,
            {"content-type": "text/javascript; charset=utf-8"},
            bucket.head("static/b.js")["ETag"].strip('"'),
        ),
    }


def test_records_and_pointer_lie_under_our_own_prefix_whatever_the_prefix_of_the_files(
    bucket, make_app
):
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_PREFIX": "v1"})

    result = create_all(app)

    pointer, record = records(bucket)
    folder = pointer.removesuffix("current")
    assert re.fullmatch(r"\.flask-s3/shop-v1-[0-9a-f]{8}/", folder)
    assert record == f"{folder}releases/{result.release}.json"
    assert json.loads(bucket.get(pointer)["Body"])["release"] == result.release
    assert record_in_force(bucket)["prefix"] == "v1"


def test_a_change_makes_a_new_record_and_leaves_the_old_one_as_it_was(bucket, make_app, tmp_path):
    app = make_app({"a.css": "a"}, only_modified(bucket))
    first = create_all(app).release
    before = record_in_force(bucket)
    write_files(tmp_path / "shop" / "static", {"a.css": "changed"})

    second = create_all(app).release

    assert record_in_force(bucket)["id"] == second != first
    (old,) = (key for key in records(bucket) if first in key)
    assert bucket.document(old) == before


def test_a_deploy_that_changes_nothing_makes_no_record(bucket, make_app):
    app = make_app({"a.css": "a"}, only_modified(bucket))
    first = create_all(app)
    before = records(bucket)

    second = create_all(app)

    assert second.release == first.release
    assert records(bucket) == before


def test_a_file_that_is_gone_is_no_longer_in_the_record_but_its_object_stays(bucket, make_app):
    app = make_app({"a.css": "a", "b.css": "b"}, only_modified(bucket))
    create_all(app)
    app.config["FLASKS3_IGNORE"] = ["b.css"]

    create_all(app)

    assert list(by_key(bucket)) == ["static/a.css"]
    assert bucket.keys() == ["static/a.css", "static/b.css"]


# -- what it saves


def test_a_deploy_with_nothing_to_do_reads_the_pointer_and_the_record_and_nothing_else(
    bucket, make_app
):
    app = make_app({f"{number}.css": str(number) for number in range(50)}, bucket.config)
    release = create_all(app).release
    pointer, record = records(bucket)
    with Proxy(bucket.server.endpoint) as proxy:
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        result = deploy(app)
        asked = [(seen.method, seen.path, seen.query) for seen in proxy.seen()]

    assert (result["uploaded"], len(result["kept"])) == ([], 50)
    assert asked == [
        ("GET", f"/{bucket.name}/{pointer}", ""),
        ("GET", f"/{bucket.name}/{record}", ""),
    ]
    assert release in record


def test_a_deploy_looks_at_the_bucket_when_told_to(bucket, make_app):
    app = make_app({"a.css": "a", "b.css": "b"}, bucket.config)
    create_all(app)
    bucket.client.delete_object(Bucket=bucket.name, Key="static/a.css")

    trusting = deploy(app)
    looking = deploy(app, "--verify-remote")

    assert (trusting["uploaded"], looking["uploaded"]) == ([], ["static/a.css"])


def test_objects_that_are_as_remembered_are_not_asked_for_one_by_one(bucket, make_app):
    app = make_app({f"{number}.css": str(number) for number in range(9)}, only_modified(bucket))
    create_all(app)
    bucket.client.put_object(Bucket=bucket.name, Key="static/5.css", Body=b"!")
    with Proxy(bucket.server.endpoint) as proxy:
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        result = create_all(app, put_bucket_acl=False)
        heads = [seen.path for seen in proxy.seen("HEAD")]
        puts = [seen.path for seen in proxy.seen("PUT", "/static/")]

    assert result.uploaded == ("static/5.css",)
    assert heads == puts == [f"/{bucket.name}/static/5.css"]


# -- lost and corrupt


BROKEN = {
    "empty": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "another kind of JSON": b"[1, 2]",
    "a number": b"7",
    "another version": b'{"version": 99, "release": "../../x"}',
    "without objects": b'{"version": 1, "release": 5}',
    "wrong objects": b'{"version": 1, "headers": [], "objects": {"static/a.css": [1]}}',
    "objects of a wrong type": b'{"version": 1, "headers": [], "objects": 7}',
}
LOST = (
    "The record of what was published is lost or unreadable, so it was made again from a listing "
    "of the bucket."
)


def break_record(bucket, which, content):
    (key,) = (key for key in records(bucket) if ("/releases/" in key) == (which == "record"))
    if content is None:
        bucket.client.delete_object(Bucket=bucket.name, Key=key)
    else:
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=content)


@pytest.mark.parametrize("content", [None, *BROKEN.values()], ids=["lost", *BROKEN])
@pytest.mark.parametrize("how", ["create_all", "deploy"])
def test_a_lost_or_corrupt_record_is_rebuilt_from_a_listing(bucket, make_app, content, how):
    app = make_app({"a.css": "a", "b.css": "b"}, only_modified(bucket))
    create_all(app)
    before = by_key(bucket)
    break_record(bucket, "record", content)

    if how == "deploy":
        result = deploy(app)
        assert (result["uploaded"], result["kept"]) == ([], ["static/a.css", "static/b.css"])
    else:
        result = create_all(app)
        assert (result.uploaded, result.kept) == ((), ("static/a.css", "static/b.css"))
        assert result.warnings == (LOST,)
    assert by_key(bucket) == before
    assert create_all(app).warnings == ()


@pytest.mark.parametrize("content", [None, *BROKEN.values()], ids=["lost", *BROKEN])
def test_a_lost_or_corrupt_pointer_is_written_anew(bucket, make_app, content):
    app = make_app({"a.css": "a", "b.css": "b"}, only_modified(bucket))
    create_all(app)
    before = by_key(bucket)
    break_record(bucket, "pointer", content)

    result = create_all(app)

    assert (result.uploaded, result.kept) == ((), ("static/a.css", "static/b.css"))
    assert by_key(bucket) == before
    assert record_in_force(bucket)["id"] == result.release


def test_a_record_rebuilt_from_a_listing_still_notices_what_differs(bucket, make_app):
    app = make_app({"a.css": "a", "b.css": "b", "c.css": "c"}, only_modified(bucket))
    create_all(app)
    break_record(bucket, "record", None)
    bucket.client.put_object(Bucket=bucket.name, Key="static/a.css", Body=b"A")
    bucket.client.put_object(
        Bucket=bucket.name, Key="static/b.css", Body=b"b", ContentType="text/css"
    )

    result = create_all(app)

    assert (result.uploaded, result.kept) == (("static/a.css", "static/b.css"), ("static/c.css",))


def test_when_the_record_cannot_be_written_the_objects_are_there_and_the_next_run_adopts_them(
    bucket, make_app
):
    app = make_app({"a.css": "a", "b.css": "b"}, only_modified(bucket))
    with Proxy(bucket.server.endpoint) as proxy:
        proxy.rule("PUT", r"/\.flask-s3/.*/releases/", Answer(403, "AccessDenied"))
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        with pytest.raises(PublishError) as caught:
            create_all(app)
    assert caught.value.result.uploaded == ("static/a.css", "static/b.css")
    assert caught.value.result.failed == (".flask-s3/…/current",)
    app.config["FLASKS3_ENDPOINT_URL"] = bucket.server.endpoint
    assert bucket.keys() == ["static/a.css", "static/b.css"]

    result = create_all(app)

    assert (result.uploaded, result.kept) == ((), ("static/a.css", "static/b.css"))
    assert list(by_key(bucket)) == ["static/a.css", "static/b.css"]


# -- a filtered run


@pytest.mark.parametrize("only_what_differs", [True, False])
def test_a_filtered_run_carries_every_other_entry_forward(
    bucket, make_app, tmp_path, only_what_differs
):
    files = {"css/a.css": "a", "js/b.js": "b", "js/c.js": "c"}
    app = make_app(files, only_modified(bucket, FLASKS3_ONLY_MODIFIED=only_what_differs))
    create_all(app)
    before = by_key(bucket)
    write_files(tmp_path / "shop" / "static", {"css/a.css": "changed", "js/b.js": "changed"})

    result = create_all(app, filepath_filter_regex="^css/")

    assert result.uploaded == ("static/css/a.css",)
    after = by_key(bucket)
    assert after["static/css/a.css"][0] == sha256(b"changed").hexdigest()
    others = {"static/js/b.js", "static/js/c.js"}
    assert {key: after[key] for key in others} == {key: before[key] for key in others}
    assert deploy(app)["uploaded"] == ["static/js/b.js"]


def test_a_filter_on_the_command_line_carries_every_other_entry_forward(bucket, make_app):
    app = make_app({"css/a.css": "a", "js/b.js": "b"}, bucket.config)
    deploy(app)
    before = by_key(bucket)

    result = deploy(app, "--only", "^css/", "--force")

    assert result["uploaded"] == ["static/css/a.css"]
    assert by_key(bucket) == before


def test_a_filtered_first_run_remembers_just_what_it_published(bucket, make_app):
    app = make_app({"css/a.css": "a", "js/b.js": "b"}, bucket.config)

    create_all(app, filepath_filter_regex="^css/")

    assert list(by_key(bucket)) == ["static/css/a.css"]
    assert deploy(app)["uploaded"] == ["static/js/b.js"]


# -- several apps in one bucket


def belongs_to(app):
    return (
        f"The app {app!r} publishes another file, or other headers, under this key in the same "
        "bucket: give one of "
        f"them its own FLASKS3_PREFIX, or, if both are the same app, set FLASKS3_APP = {app!r}."
    )


@pytest.mark.parametrize("only_what_differs", [True, False])
@pytest.mark.parametrize("theirs", ["x", "blog"], ids=["another size", "the same size"])
def test_another_app_s_key_is_never_overwritten_silently(
    bucket, make_app, theirs, only_what_differs
):
    blog = make_app({"a.css": theirs, "blog.css": "x"}, only_modified(bucket), name="blog")
    create_all(blog)
    config = only_modified(bucket, FLASKS3_ONLY_MODIFIED=only_what_differs)
    shop = make_app({"a.css": "shop", "shop.css": "x"}, config)

    result, _ = published_in_part(shop)

    assert bucket.get("static/a.css")["Body"] == theirs.encode()
    assert reasons(result) == {"static/a.css": belongs_to("blog")}
    assert result.uploaded == ("static/shop.css",)


def test_another_app_s_key_is_not_overwritten_with_other_headers_either(bucket, make_app):
    create_all(make_app({"a.css": "a"}, bucket.config, name="blog"))
    config = {**bucket.config, "FLASKS3_HEADERS": {"Cache-Control": "max-age=5"}}

    result, _ = published_in_part(make_app({"a.css": "a"}, config))

    assert reasons(result) == {"static/a.css": belongs_to("blog")}
    assert "CacheControl" not in bucket.head("static/a.css")


@pytest.mark.parametrize("only_what_differs", [True, False])
def test_another_app_s_key_with_the_same_bytes_is_fine(bucket, make_app, only_what_differs):
    create_all(make_app({"a.css": "a"}, bucket.config, name="blog"))
    config = only_modified(bucket, FLASKS3_ONLY_MODIFIED=only_what_differs)

    result = create_all(make_app({"a.css": "a", "shop.css": "x"}, config))

    assert result.failed == ()
    assert sorted({*result.uploaded, *result.kept}) == ["static/a.css", "static/shop.css"]
    assert list(by_key(bucket)) == ["static/a.css", "static/shop.css"]


@pytest.mark.parametrize("theirs", ["x", "blog"], ids=["another size", "the same size"])
@pytest.mark.parametrize("headers", [{}, {"X-Team": "shop"}], ids=["same headers", "other headers"])
def test_a_key_that_was_refused_still_belongs_to_the_other_app_alone(
    bucket, make_app, tmp_path, theirs, headers
):
    blog = make_app({"a.css": theirs}, only_modified(bucket), name="blog")
    create_all(blog)
    shop = make_app({"a.css": "shop", "b.css": "b"}, only_modified(bucket, FLASKS3_HEADERS=headers))
    published_in_part(shop)
    assert list(by_key(bucket)) == ["static/b.css"]
    write_files(tmp_path / "blog" / "static", {"a.css": "the blog goes on"})

    result = create_all(blog)

    assert result.uploaded == ("static/a.css",)
    assert bucket.get("static/a.css")["Body"] == b"the blog goes on"


def test_every_prefix_of_another_app_counts(bucket, make_app):
    blog = make_app({"a.css": "blog"}, bucket.config, name="blog")
    for prefix in ("", "new", "old"):
        blog.config["FLASKS3_PREFIX"] = prefix
        create_all(blog)
    shop = make_app({"a.css": "shop"}, bucket.config)
    failed = {}
    for prefix in ("", "new", "old"):
        shop.config["FLASKS3_PREFIX"] = prefix
        failed |= reasons(published_in_part(shop)[0])

    assert failed == {
        "static/a.css": belongs_to("blog"),
        "new/static/a.css": belongs_to("blog"),
        "old/static/a.css": belongs_to("blog"),
    }


def test_apps_with_prefixes_of_their_own_share_a_bucket(bucket, make_app):
    blog = make_app({"a.css": "b"}, only_modified(bucket, FLASKS3_PREFIX="blog"), name="blog")
    shop = make_app({"a.css": "s"}, only_modified(bucket, FLASKS3_PREFIX="shop"), name="shop")
    create_all(blog)
    create_all(shop)

    assert bucket.keys() == ["blog/static/a.css", "shop/static/a.css"]
    assert (create_all(blog).kept, create_all(shop).kept) == (
        ("blog/static/a.css",),
        ("shop/static/a.css",),
    )


def test_apps_without_a_prefix_share_a_bucket_when_their_keys_differ(bucket, make_app, tmp_path):
    blog = make_app({"blog.css": "b"}, only_modified(bucket), name="blog")
    shop = make_app({"shop.css": "s"}, only_modified(bucket), name="shop")
    create_all(blog)
    create_all(shop)

    assert (create_all(blog).kept, create_all(shop).kept) == (
        ("static/blog.css",),
        ("static/shop.css",),
    )
    assert bucket.keys() == ["static/blog.css", "static/shop.css"]


def test_flasks3_app_makes_a_renamed_app_the_same_app(bucket, make_app):
    create_all(make_app({"a.css": "old"}, only_modified(bucket), name="old"))
    renamed = make_app({"a.css": "new"}, only_modified(bucket, FLASKS3_APP="old"), name="new")

    result = create_all(renamed)

    assert (result.uploaded, result.failed) == (("static/a.css",), ())
    assert record_in_force(bucket, "old")["app"] == "old"
    assert not [key for key in records(bucket) if "/new-" in key]


def test_flasks3_app_keeps_two_apps_of_one_name_apart(bucket, make_app):
    one = make_app({"a.css": "1"}, {**bucket.config, "FLASKS3_APP": "one"}, name="app")
    create_all(one)
    two = make_app({"a.css": "2"}, {**bucket.config, "FLASKS3_APP": "two"}, name="app")

    result, _ = published_in_part(two)

    assert reasons(result) == {"static/a.css": belongs_to("one")}


def test_names_that_are_written_alike_do_not_share_a_record(bucket, make_app):
    names = ["my app", "my-app", "my/app"]
    for number, name in enumerate(names):
        config = {**bucket.config, "FLASKS3_APP": name}
        create_all(make_app({f"{number}.css": name}, config, name=f"folder{number}"))

    pointers = [key for key in records(bucket) if key.endswith("/current")]
    assert len(pointers) == 3
    written = [bucket.document(key) for key in records(bucket) if "/releas" in key]
    assert sorted((one["app"], list(one["objects"])) for one in written) == [
        (name, [f"static/{number}.css"]) for number, name in enumerate(names)
    ]


# -- FLASKS3_IGNORE


TREE = {
    "a.css": "1",
    "a.scss": "2",
    "src/a.ts": "3",
    "src/deep/b.ts": "4",
    "lib/src/c.js": "5",
    "keep.map": "6",
    "deep/x.map": "7",
    "ä.txt": "8",
}


@pytest.mark.parametrize(
    ("patterns", "left_out"),
    [
        ([], set()),
        (["*.scss"], {"a.scss"}),
        (["src/"], {"src/a.ts", "src/deep/b.ts", "lib/src/c.js"}),
        (["/src/"], {"src/a.ts", "src/deep/b.ts"}),
        (["src/*.ts"], {"src/a.ts"}),
        (["**/*.ts"], {"src/a.ts", "src/deep/b.ts"}),
        (["*.map", "!keep.map"], {"deep/x.map"}),
        (["# a comment", "", "a.css"], {"a.css"}),
        (["ä.txt"], {"ä.txt"}),
        (["a.?ss"], {"a.css"}),
        (["[ak]*.[ms]*"], {"a.scss", "keep.map"}),
        (["*"], set(TREE)),
    ],
)
def test_flasks3_ignore_leaves_files_out_as_gitignore_would(
    mini_bucket, make_app, patterns, left_out
):
    app = make_app(TREE, {**mini_bucket.config, "FLASKS3_IGNORE": patterns})

    result = create_all(app)

    expected = sorted(f"static/{name}" for name in TREE if name not in left_out)
    assert sorted(mini_bucket.keys()) == sorted(result.uploaded) == expected


def test_flasks3_ignore_counts_from_each_static_folder(mini_bucket, make_app, tmp_path):
    write_files(tmp_path / "admin" / "static", {"src/a.ts": "1", "a.js": "2"})
    app = make_app({"src/b.ts": "3"}, {**mini_bucket.config, "FLASKS3_IGNORE": ["/src/"]})
    app.register_blueprint(
        Blueprint("admin", "admin", static_folder="static", root_path=str(tmp_path / "admin")),
        url_prefix="/admin",
    )

    create_all(app)

    assert mini_bucket.keys() == ["admin/static/a.js"]


def test_flasks3_ignore_may_leave_out_what_would_be_refused(mini_bucket, make_app):
    config = {**mini_bucket.config, "FLASKS3_IGNORE": [".env*"]}

    result = create_all(make_app({"a.css": "a", ".env": "x"}, config), include_hidden=True)

    assert (result.uploaded, result.failed) == (("static/a.css",), ())


def test_a_record_that_was_decoded_on_its_way_is_read_too():
    record = Record("i", "t", "shop", "", {"k": Known(1, "e", 2.0, "d", {"content-type": "x"})})
    data = record_to_bytes(record)

    assert record_from_bytes(data) == record
    assert record_from_bytes(gzip.decompress(data)) == record


@pytest.mark.parametrize("size", ["Infinity", "NaN", '"x"', "null"])
def test_a_record_with_a_size_that_is_none_is_none(size):
    text = f'{{"version":1,"id":"i","headers":[{{}}],"objects":{{"k":["d",{size},0,"e",1]}}}}'

    assert record_from_bytes(gzip.compress(text.encode())) is None
