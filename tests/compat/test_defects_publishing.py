"""COMPAT.md, "Defects of 0.3.3": the rows about what is published, and how."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
import textwrap
import threading
from pathlib import Path, PurePath

import pytest
from conftest import write_files
from flask import Blueprint
from looking import anonymously, published_in_part, reasons, records
from proxy import Gate, Proxy

from flask_s3 import FlaskS3, create_all

PNG = b"\x89PNG\r\n\x1a\n" + bytes(500)


def quietly(app, **options):
    """`create_all` without a word about access; its warnings are then only about the files."""
    return create_all(app, put_bucket_acl=False, **options)


def heads(bucket):
    keys = bucket.keys()
    return {key: bucket.head(key) for key in keys}


def bodies(bucket):
    keys = bucket.keys()
    return {key: bucket.get(key)["Body"] for key in keys}


def served(app, keys):
    """What Flask itself answers under the URLs of the keys."""
    answers = {}
    for key in keys:
        with app.test_client().get(f"/{key}") as answer:
            answers[key] = answer.data
    return answers


def content_types(bucket):
    return {key: head["ContentType"] for key, head in heads(bucket).items()}


def encodings(bucket):
    return {key: head.get("ContentEncoding") for key, head in heads(bucket).items()}


def noise(size, seed=0):
    return random.Random(seed).randbytes(size)


def blueprint(tmp_path, name, files, **options):
    root = tmp_path / name
    write_files(root / "static", files)
    return Blueprint(name, name, static_folder="static", root_path=str(root), **options)


# -- regions


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("DEFAULT", {}),
        ("EU", {"LocationConstraint": "eu-west-1"}),
        ("USWest", {"LocationConstraint": "us-west-1"}),
        ("APSoutheast", {"LocationConstraint": "ap-southeast-1"}),
    ],
)
def test_the_old_words_for_regions_work_with_an_existing_bucket(
    ministack, new_bucket, make_app, word, place
):
    bucket = new_bucket(ministack).create(**({"CreateBucketConfiguration": place} if place else {}))
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_REGION": word})

    create_all(app)

    assert bucket.keys() == ["static/a.css"]


# -- streaming


@pytest.mark.parametrize("content", ["zeros", "random"])
def test_a_large_file_is_streamed_not_read_into_memory(weed_bucket, tmp_path, content):
    size = 300_000_000
    path = tmp_path / "static" / "film.mp4"
    path.parent.mkdir()
    with path.open("wb") as file:
        if content == "zeros":
            file.truncate(size)
        else:
            for seed in range(15):
                file.write(noise(size // 15, seed))
    script = f"""
        import resource
        from flask import Flask
        from flask_s3 import create_all
        app = Flask("shop", root_path={str(tmp_path)!r})
        app.config.update({weed_bucket.config!r})
        create_all(app, put_bucket_acl=False, filepath_filter_regex="nothing")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = create_all(app, put_bucket_acl=False)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(result.bytes, (after - before) // {1024 * 1024 if sys.platform == "darwin" else 1024})
    """
    # Linux counts the memory of whoever starts a process as the process's own: so a small one does.
    launcher = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))"

    done = subprocess.run(
        [sys.executable, "-c", launcher, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
    )

    sent, mebibytes = map(int, done.stdout.split())
    assert sent == size
    # 0.3 needs all 286 MiB; here it is the pool of parts, whatever the size of the file.
    assert mebibytes < 180
    body = weed_bucket.client.get_object(Bucket=weed_bucket.name, Key="static/film.mp4")["Body"]
    with path.open("rb") as file:
        expected = hashlib.file_digest(file, "sha256") if sys.version_info >= (3, 11) else None
        expected = expected or hashlib.sha256(path.read_bytes())
    there = hashlib.sha256()
    for piece in body.iter_chunks(1024 * 1024):
        there.update(piece)
    assert there.hexdigest() == expected.hexdigest()


# -- content types


TYPES = {
    "app.js": "text/javascript; charset=utf-8",
    "app.mjs": "text/javascript; charset=utf-8",
    "APP.CSS": "text/css; charset=utf-8",
    "a.html": "text/html; charset=utf-8",
    "a.txt": "text/plain; charset=utf-8",
    "a.svg": "image/svg+xml; charset=utf-8",
    "a.rss": "application/rss+xml; charset=utf-8",
    "a.json": "application/json",
    "app.js.map": "application/json",
    "app.webmanifest": "application/manifest+json",
    "a.wasm": "application/wasm",
    "a.png": "image/png",
    "a.webp": "image/webp",
    "a.avif": "image/avif",
    "a.ico": "image/x-icon",
    "a.woff2": "font/woff2",
    "a.ttf": "font/ttf",
    "a.mp4": "video/mp4",
    "a.pdf": "application/pdf",
    "a.js.gz": "application/gzip",
    "a.tar.gz": "application/gzip",
    "a.svgz": "image/svg+xml; charset=utf-8",
    "a.css.br": "application/octet-stream",
    "LICENSE": "text/plain; charset=utf-8",
    "without-extension": "application/octet-stream",
    "a.unknown-to-anybody": "application/octet-stream",
    "css": "application/octet-stream",
    "v1.2/file": "application/octet-stream",
}


def test_the_content_type_is_always_set_from_our_own_table_with_a_charset_for_text(
    bucket, make_app
):
    app = make_app(dict.fromkeys(TYPES, "x"), bucket.config)

    create_all(app)

    assert content_types(bucket) == {f"static/{name}": kind for name, kind in TYPES.items()}


@pytest.mark.parametrize("force", [True, False])
def test_force_mimetype_makes_no_difference(bucket, make_app, force):
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_FORCE_MIMETYPE": force})

    create_all(app)

    assert content_types(bucket) == {"static/a.css": "text/css; charset=utf-8"}


def test_a_compressed_file_is_typed_as_what_it_is_and_not_declared_as_encoded(bucket, make_app):
    content = gzip.compress(b"let a = 1;" * 100, mtime=0)
    app = make_app({"a.js.gz": content, "a.tar.gz": content}, bucket.config)

    create_all(app)

    assert encodings(bucket) == {"static/a.js.gz": None, "static/a.tar.gz": None}
    assert bucket.get("static/a.js.gz")["Body"] == content


def test_svgz_is_an_svg_that_is_encoded(bucket, make_app):
    app = make_app({"a.svgz": gzip.compress(b"<svg/>")}, bucket.config)

    create_all(app)

    assert content_types(bucket) == {"static/a.svgz": "image/svg+xml; charset=utf-8"}
    assert encodings(bucket) == {"static/a.svgz": "gzip"}


# -- gzip


CSS = "body { margin: 0 }\n" * 200


def test_gzip_bytes_do_not_depend_on_when_or_where_the_file_was_written(bucket, make_app):
    first = make_app({"a.css": CSS}, {**bucket.config, "FLASKS3_GZIP": True}, name="one")
    create_all(first)
    before = bucket.get("static/a.css")
    second = make_app({"a.css": CSS}, {**bucket.config, "FLASKS3_GZIP": True}, name="two")
    os.utime(Path(second.static_folder, "a.css"), (1, 1))

    create_all(second)

    after = bucket.get("static/a.css")
    assert after["Body"] == before["Body"]
    assert gzip.decompress(after["Body"]) == CSS.encode()
    assert after["ContentEncoding"] == "gzip"
    assert after["ContentType"] == "text/css; charset=utf-8"
    # RFC 1952: no name (flags 0), no time (4 bytes of 0).
    assert after["Body"][:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


def test_gzip_is_used_only_where_the_result_is_smaller(bucket, make_app):
    files = {"big.css": CSS.encode(), "noise.css": noise(5000), "tiny.css": b"a{}", "no.css": b""}
    app = make_app(files, {**bucket.config, "FLASKS3_GZIP": True})

    create_all(app)

    assert encodings(bucket) == {
        "static/big.css": "gzip",
        "static/no.css": None,
        "static/noise.css": None,
        "static/tiny.css": None,
    }
    assert bucket.get("static/noise.css")["Body"] == noise(5000)
    assert bucket.head("static/big.css")["ContentLength"] < len(CSS)


@pytest.mark.parametrize("name", ["a.png", "a.js.gz", "a.svgz", "a.woff2", "a.zip", "a.css.br"])
def test_what_is_compressed_already_is_never_compressed_again(bucket, make_app, name):
    content = PNG * 20
    app = make_app({name: content}, {**bucket.config, "FLASKS3_GZIP": True})

    create_all(app)

    assert bucket.get(f"static/{name}")["Body"] == content


def test_a_file_with_a_content_encoding_of_its_own_is_not_compressed(bucket, make_app):
    config = {
        "FLASKS3_GZIP": True,
        "FLASKS3_FILEPATH_HEADERS": {r"\.css$": {"Content-Encoding": "br"}},
    }
    app = make_app({"a.css": CSS}, {**bucket.config, **config})

    create_all(app)

    assert bucket.get("static/a.css")["Body"] == CSS.encode()
    assert encodings(bucket) == {"static/a.css": "br"}


@pytest.mark.parametrize("extensions", [["css"], [".css"], ["CSS"], [".CSS"], (".css",), {"css"}])
def test_neither_case_nor_dot_matters_in_gzip_only_exts(bucket, make_app, extensions):
    config = {"FLASKS3_GZIP": True, "FLASKS3_GZIP_ONLY_EXTS": extensions}
    app = make_app({"a.css": CSS, "b.CSS": CSS, "c.js": CSS, "css": CSS}, bucket.config | config)

    create_all(app)

    assert encodings(bucket) == {
        "static/a.css": "gzip",
        "static/b.CSS": "gzip",
        "static/c.js": None,
        "static/css": None,
    }


# -- FLASKS3_ONLY_MODIFIED


def only_modified(bucket, **config):
    return {**bucket.config, "FLASKS3_ONLY_MODIFIED": True, **config}


def test_only_modified_notices_a_changed_header_and_uploads_just_the_files_it_concerns(
    bucket, make_app
):
    app = make_app({"a.css": "a", "b.js": "b"}, only_modified(bucket))
    create_all(app)
    app.config["FLASKS3_FILEPATH_HEADERS"] = {r"\.css$": {"Cache-Control": "max-age=5"}}

    result = create_all(app)

    assert (result.uploaded, result.kept) == (("static/a.css",), ("static/b.js",))
    assert bucket.head("static/a.css")["CacheControl"] == "max-age=5"


def test_only_modified_notices_that_a_header_is_gone(bucket, make_app):
    headers = {"Cache-Control": "max-age=5", "X-Build": "7"}
    app = make_app({"a.css": "a"}, only_modified(bucket, FLASKS3_HEADERS=headers))
    create_all(app)
    app.config["FLASKS3_HEADERS"] = {}

    result = create_all(app)

    head = bucket.head("static/a.css")
    assert result.uploaded == ("static/a.css",)
    assert (head.get("CacheControl"), head["Metadata"]) == (None, {})


def test_only_modified_notices_that_gzip_was_switched_on_and_off(bucket, make_app):
    app = make_app({"a.css": CSS, "b.png": PNG}, only_modified(bucket))
    create_all(app)
    app.config["FLASKS3_GZIP"] = True

    on = create_all(app)
    assert (on.uploaded, on.kept) == (("static/a.css",), ("static/b.png",))
    assert encodings(bucket) == {"static/a.css": "gzip", "static/b.png": None}

    app.config["FLASKS3_GZIP"] = False
    off = create_all(app)
    assert (off.uploaded, off.kept) == (("static/a.css",), ("static/b.png",))
    assert encodings(bucket) == {"static/a.css": None, "static/b.png": None}


def test_only_modified_notices_what_was_deleted_in_the_bucket(bucket, make_app):
    app = make_app({"a.css": "a", "b.js": "b"}, only_modified(bucket))
    create_all(app)
    bucket.client.delete_object(Bucket=bucket.name, Key="static/a.css")

    result = create_all(app)

    assert (result.uploaded, result.kept) == (("static/a.css",), ("static/b.js",))
    assert bucket.keys() == ["static/a.css", "static/b.js"]


@pytest.mark.parametrize("content", ["A", "something else"], ids=["same size", "other size"])
def test_only_modified_notices_a_changed_file(bucket, make_app, content):
    app = make_app({"a.css": "a", "b.js": "b"}, only_modified(bucket))
    create_all(app)
    Path(app.static_folder, "a.css").write_text(content)

    result = create_all(app)

    assert (result.uploaded, result.kept) == (("static/a.css",), ("static/b.js",))
    assert bucket.get("static/a.css")["Body"] == content.encode()


@pytest.mark.parametrize("checksum", ["CRC32", "SHA256"])
@pytest.mark.parametrize("content", [b"A", b"something else"], ids=["same size", "other size"])
def test_only_modified_notices_what_was_overwritten_in_the_bucket(
    bucket, make_app, content, checksum
):
    app = make_app({"a.css": "a", "b.js": "b"}, only_modified(bucket))
    create_all(app)
    bucket.client.put_object(
        Bucket=bucket.name,
        Key="static/a.css",
        Body=content,
        ContentType="text/css; charset=utf-8",
        ChecksumAlgorithm=checksum,
    )

    result = create_all(app)

    assert (result.uploaded, result.kept) == (("static/a.css",), ("static/b.js",))
    assert bucket.get("static/a.css")["Body"] == b"a"


def test_only_modified_keeps_a_file_whose_time_alone_changed(bucket, make_app):
    app = make_app({"a.css": "a"}, only_modified(bucket))
    create_all(app)
    os.utime(Path(app.static_folder, "a.css"), (1, 1))

    assert create_all(app).kept == ("static/a.css",)


def test_two_prefixes_do_not_overwrite_each_other_s_state(bucket, make_app):
    app = make_app({"a.css": "a"}, only_modified(bucket, FLASKS3_PREFIX="one"))
    create_all(app)
    app.config["FLASKS3_PREFIX"] = "two"
    assert create_all(app).uploaded == ("two/static/a.css",)
    app.config["FLASKS3_PREFIX"] = "one"

    result = create_all(app)

    assert (result.uploaded, result.kept) == ((), ("one/static/a.css",))
    assert bucket.keys() == ["one/static/a.css", "two/static/a.css"]


def test_a_crash_in_between_loses_nothing(bucket, make_app):
    app = make_app({"a.css": "a", "b.css": "b", "c.css": "c"}, only_modified(bucket))
    with Proxy(bucket.server.endpoint) as proxy:
        proxy.rule("PUT", r"/static/c\.css$", Gate())
        config = {
            **app.config,
            "FLASKS3_ENDPOINT_URL": proxy.endpoint,
            "FLASKS3_CONCURRENCY": 1,
            "PERMANENT_SESSION_LIFETIME": 1,
        }
        script = f"""
            from flask import Flask
            from flask_s3 import create_all
            app = Flask("shop", root_path={app.root_path!r})
            app.config.update({config!r})
            create_all(app, put_bucket_acl=False)
        """
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
        proxy.wait_for(1, "PUT", r"/static/c\.css$")
        process.kill()
        process.wait()
    assert bucket.keys() == ["static/a.css", "static/b.css"]

    result = create_all(app)

    assert (result.uploaded, result.kept) == (("static/c.css",), ("static/a.css", "static/b.css"))


# -- headers


def test_headers_that_s3_knows_are_sent_as_such(mini_bucket, make_app):
    headers = {
        "Cache-Control": "max-age=5",
        "Content-Disposition": "inline",
        "Content-Language": "de",
        "Expires": "Thu, 15 Apr 2010 20:00:00 GMT",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-website-redirect-location": "/elsewhere",
        "x-amz-tagging": "team=shop",
    }
    app = make_app({"a.css": "a"}, {**mini_bucket.config, "FLASKS3_HEADERS": headers})

    result = quietly(app)

    head = mini_bucket.head("static/a.css")
    tags = mini_bucket.client.get_object_tagging(Bucket=mini_bucket.name, Key="static/a.css")
    assert {
        "Cache-Control": head["CacheControl"],
        "Content-Disposition": head["ContentDisposition"],
        "Content-Language": head["ContentLanguage"],
        "Expires": head["ExpiresString"],
        "x-amz-storage-class": head["StorageClass"],
        "x-amz-website-redirect-location": head["WebsiteRedirectLocation"],
        "x-amz-tagging": "&".join(f"{tag['Key']}={tag['Value']}" for tag in tags["TagSet"]),
    } == headers
    assert head["Metadata"] == {}
    assert result.warnings == ()


def test_a_storage_class_is_sent_as_such_to_a_real_store(weed_bucket, make_app):
    headers = {"x-amz-storage-class": "REDUCED_REDUNDANCY"}
    app = make_app({"a.css": "a"}, {**weed_bucket.config, "FLASKS3_HEADERS": headers})

    create_all(app)

    head = weed_bucket.head("static/a.css")
    assert (head["StorageClass"], head["Metadata"]) == ("REDUCED_REDUNDANCY", {})


def test_only_modified_keeps_an_object_with_the_default_storage_class(bucket, make_app):
    headers = {"x-amz-storage-class": "STANDARD", "x-amz-acl": "private"}
    app = make_app({"a.css": "a"}, only_modified(bucket, FLASKS3_HEADERS=headers))
    create_all(app)
    for key in records(bucket):  # so that the store itself is asked
        bucket.client.delete_object(Bucket=bucket.name, Key=key)

    assert create_all(app).kept == ("static/a.css",)


@pytest.mark.parametrize(
    "name", ["Access-Control-Allow-Origin", "Strict-Transport-Security", "X-Robots-Tag"]
)
def test_a_response_header_that_s3_cannot_store_becomes_metadata_with_a_warning(
    bucket, make_app, name
):
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_HEADERS": {name: "x"}})

    result = quietly(app)

    assert bucket.head("static/a.css")["Metadata"] == {name.lower(): "x"}
    (text,) = result.warnings
    assert text == (
        f"S3 cannot send the header {name} with an object, so browsers will not see it: it is kept "
        "as metadata, as before. Set it in the CDN, or in the bucket's CORS rules."
    )


def test_metadata_and_unknown_words_become_metadata_without_a_warning(bucket, make_app):
    headers = {"x-amz-meta-build": "7", "X-Team": "shop", "Owner": "me"}
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_HEADERS": headers})

    result = quietly(app)

    assert bucket.head("static/a.css")["Metadata"] == {
        "build": "7",
        "x-team": "shop",
        "owner": "me",
    }
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("general", "special"),
    [
        ("Cache-Control", "cache-control"),
        ("cache-control", "Cache-Control"),
        ("CACHE-CONTROL", "cache-CONTROL"),
    ],
)
def test_header_names_are_case_insensitive(bucket, make_app, general, special):
    config = {
        "FLASKS3_HEADERS": {general: "max-age=1"},
        "FLASKS3_FILEPATH_HEADERS": {r"\.css$": {special: "max-age=2"}},
    }
    app = make_app({"a.css": "a", "b.js": "b"}, {**bucket.config, **config})

    create_all(app)

    assert bucket.head("static/a.css")["CacheControl"] == "max-age=2"
    assert bucket.head("static/b.js")["CacheControl"] == "max-age=1"
    assert bucket.head("static/a.css")["Metadata"] == {}


@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CONTENT-TYPE"])
def test_a_content_type_of_the_settings_wins_over_our_table(bucket, make_app, name):
    rules = {r"\.css$": {name: "text/x-mine"}}
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_FILEPATH_HEADERS": rules})

    create_all(app)

    assert content_types(bucket) == {"static/a.css": "text/x-mine"}


def test_headers_may_be_given_as_pairs(bucket, make_app):
    headers = (("Cache-Control", "max-age=5"), ("X-Team", "shop"))
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_HEADERS": headers})

    create_all(app)

    head = bucket.head("static/a.css")
    assert (head["CacheControl"], head["Metadata"]) == ("max-age=5", {"x-team": "shop"})


def test_one_app_s_cache_control_does_not_leak_to_another(bucket, make_app):
    one = {"FLASKS3_USE_CACHE_CONTROL": True, "FLASKS3_CACHE_CONTROL": "max-age=5"}
    first = make_app({"a.css": "a"}, {**bucket.config, **one}, name="first")
    second = make_app({"b.css": "b"}, bucket.config, name="second")
    FlaskS3(first)
    FlaskS3(second)

    create_all(first)
    create_all(second)

    assert bucket.head("static/a.css")["CacheControl"] == "max-age=5"
    assert "CacheControl" not in bucket.head("static/b.css")


# -- FLASKS3_FILEPATH_HEADERS


def test_filepath_headers_match_the_path_relative_to_the_static_folder(bucket, make_app):
    rules = {r"^css/": {"Cache-Control": "max-age=5"}}
    app = make_app(
        {"css/a.css": "a", "old/css/b.css": "b"},
        {**bucket.config, "FLASKS3_FILEPATH_HEADERS": rules},
    )

    result = quietly(app)

    assert bucket.head("static/css/a.css")["CacheControl"] == "max-age=5"
    assert "CacheControl" not in bucket.head("static/old/css/b.css")
    assert result.warnings == ()


def test_filepath_headers_that_match_the_absolute_path_only_are_obeyed_and_deprecated(
    bucket, make_app
):
    rules = {r"/shop/static/": {"Cache-Control": "max-age=5"}}
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_FILEPATH_HEADERS": rules})
    path = str(Path(app.static_folder, "a.css"))
    sentence = (
        f"FLASKS3_FILEPATH_HEADERS '/shop/static/' matches only the whole path {path!r}, which is "
        "deprecated since the project's directory can match too: write it for the path relative to "
        "the static folder."
    )

    with pytest.warns(DeprecationWarning, match="matches only the whole path") as caught:
        result = quietly(app)

    assert [str(warning.message) for warning in caught] == [sentence]
    assert bucket.head("static/a.css")["CacheControl"] == "max-age=5"
    assert result.warnings == (sentence,)


def test_of_several_filepath_headers_all_that_match_apply_and_the_last_wins(bucket, make_app):
    rules = {
        r"\.css$": {"Cache-Control": "max-age=1", "X-Team": "shop"},
        r"^css/": {"cache-control": "max-age=2"},
        r"\.js$": {"Cache-Control": "max-age=3"},
    }
    app = make_app({"css/a.css": "a"}, {**bucket.config, "FLASKS3_FILEPATH_HEADERS": rules})

    create_all(app)

    head = bucket.head("static/css/a.css")
    assert (head["CacheControl"], head["Metadata"]) == ("max-age=2", {"x-team": "shop"})


# -- paths


def test_keys_filters_and_rules_use_posix_paths(bucket, make_app):
    rules = {r"^folder/deep/a\.css$": {"Cache-Control": "max-age=5"}}
    app = make_app(
        {str(PurePath("folder", "deep", "a.css")): "a"},
        {**bucket.config, "FLASKS3_FILEPATH_HEADERS": rules},
    )

    create_all(app, filepath_filter_regex=r"^folder/deep/")

    assert bucket.keys() == ["static/folder/deep/a.css"]
    assert bucket.head("static/folder/deep/a.css")["CacheControl"] == "max-age=5"


HIDDEN = {
    "a.css": "a",
    ".hidden.css": "b",
    ".git/config": "c",
    ".svn/entries": "d",
    "deep/.cache/e.css": "e",
    ".well-known/security.txt": "f",
    ".well-known/.secret": "g",
}


def test_every_hidden_path_segment_is_left_out_but_well_known_is_kept(bucket, make_app):
    result = create_all(make_app(HIDDEN, bucket.config))

    assert bucket.keys() == ["static/.well-known/security.txt", "static/a.css"]
    assert result.failed == ()


def test_include_hidden_publishes_hidden_files_but_never_a_git_repository(bucket, make_app):
    result, _ = published_in_part(make_app(HIDDEN, bucket.config), include_hidden=True)

    assert bucket.keys() == [
        "static/.hidden.css",
        "static/.svn/entries",
        "static/.well-known/.secret",
        "static/.well-known/security.txt",
        "static/a.css",
        "static/deep/.cache/e.css",
    ]
    assert result.failed == ("static/.git/config",)


def test_a_name_that_is_not_utf_8_is_an_error_that_shows_it_and_the_rest_is_published(
    bucket, make_app
):
    app = make_app({"a.css": "a"}, bucket.config)
    Path(os.fsdecode(os.fsencode(app.static_folder) + b"/caf\xe9.css")).write_text("b")

    result, _ = published_in_part(app)

    assert bucket.keys() == ["static/a.css"]
    path = ascii(f"{app.static_folder}/caf\udce9.css")
    assert reasons(result) == {path: "its name is not UTF-8, so no URL can name it: rename it."}


# -- symlinks


def test_a_symlink_inside_the_static_folder_is_published_without_a_word(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)
    Path(app.static_folder, "b.css").symlink_to("a.css")

    result = quietly(app)

    assert bucket.get("static/b.css")["Body"] == b"a"
    assert result.warnings == ()


@pytest.fixture
def outside(tmp_path):
    """A file and a folder outside of the static folder."""
    write_files(tmp_path / "outside", {"o.css": "outside", "more/p.css": "more"})
    return tmp_path / "outside"


def test_a_symlink_to_a_file_outside_is_published_with_a_warning(bucket, make_app, outside):
    app = make_app({"a.css": "a"}, bucket.config)
    link = Path(app.static_folder, "link.css")
    link.symlink_to(outside / "o.css")

    result = quietly(app)

    assert bucket.get("static/link.css")["Body"] == b"outside"
    assert served(app, ["static/link.css"]) == {"static/link.css": b"outside"}
    (text,) = result.warnings
    assert text == (
        f"{link} is a symlink to {outside / 'o.css'}, outside its static folder: it is published "
        "all the same, as Flask serves it."
    )


def test_a_symlink_to_a_folder_outside_is_published_with_one_warning(bucket, make_app, outside):
    app = make_app({"a.css": "a"}, bucket.config)
    link = Path(app.static_folder, "link")
    link.symlink_to(outside)

    result = quietly(app)

    assert bucket.keys() == ["static/a.css", "static/link/more/p.css", "static/link/o.css"]
    (text,) = result.warnings
    assert text == (
        f"{link} is a symlink to {outside}, outside its static folder: it is published all the "
        "same, as Flask serves it."
    )


@pytest.mark.parametrize("target", ["o.css", "."], ids=["file", "folder"])
def test_strict_refuses_a_symlink_to_the_outside(bucket, make_app, outside, target):
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_STRICT": True})
    link = Path(app.static_folder, "link")
    link.symlink_to((outside / target).resolve())

    result, _ = published_in_part(app)

    assert bucket.keys() == ["static/a.css"]
    (reason,) = reasons(result).values()
    assert reason == (
        f"it is a symlink to {(outside / target).resolve()}, outside its static folder, which "
        "FLASKS3_STRICT refuses: copy what it points to."
    )


def test_a_broken_symlink_is_a_warning(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)
    link = Path(app.static_folder, "b.css")
    link.symlink_to("nowhere.css")

    result = quietly(app)

    assert bucket.keys() == ["static/a.css"]
    assert result.warnings == (
        f"{link} is a broken symlink, so it is not published: mend or remove it.",
    )


def test_a_symlink_to_itself_is_a_warning(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)
    link = Path(app.static_folder, "b.css")
    link.symlink_to("b.css")

    result = quietly(app)

    assert bucket.keys() == ["static/a.css"]
    assert result.warnings == (
        f"{link} is a broken symlink, so it is not published: mend or remove it.",
    )


@pytest.mark.parametrize(("link", "target"), [("deep/up", ".."), ("here", ".")])
def test_a_loop_of_folders_ends(bucket, make_app, link, target):
    app = make_app({"a.css": "a", "deep/b.css": "b"}, bucket.config)
    Path(app.static_folder, link).symlink_to(target)

    quietly(app)

    assert bucket.keys() == ["static/a.css", "static/deep/b.css"]


def test_the_static_folder_itself_may_be_a_symlink(bucket, make_app, outside):
    app = make_app(None, {**bucket.config, "FLASKS3_STRICT": True})
    Path(app.static_folder).rmdir()
    Path(app.static_folder).symlink_to(outside)

    result = quietly(app)

    assert bucket.keys() == ["static/more/p.css", "static/o.css"]
    assert result.warnings == ()


# -- static folders


def test_an_app_without_a_static_folder_is_fine(bucket, make_app, tmp_path):
    app = make_app(None, bucket.config, static_folder=None)
    app.register_blueprint(blueprint(tmp_path, "admin", {"a.css": "a"}), url_prefix="/admin")

    result = quietly(app)

    assert bucket.keys() == ["admin/static/a.css"]
    assert result.warnings == ()


def test_a_missing_static_folder_is_one_warning(bucket, make_app, tmp_path):
    app = make_app(None, bucket.config)
    Path(app.static_folder).rmdir()
    app.register_blueprint(blueprint(tmp_path, "admin", {"a.css": "a"}), url_prefix="/admin")

    result = quietly(app)

    assert bucket.keys() == ["admin/static/a.css"]
    (text,) = result.warnings
    assert text == (
        f"The static folder {app.static_folder} of 'static' does not exist, so nothing of it is "
        "published: create it, or set static_folder=None."
    )


def test_nothing_to_publish_is_no_error(bucket, make_app):
    app = make_app(None, bucket.config)

    result = quietly(app)

    assert (result.uploaded, result.failed, result.warnings) == ((), (), ())


# -- one path, two files


@pytest.mark.parametrize(
    ("options", "registered", "files"),
    [
        ({"static_url_path": "/static"}, {}, {"a.css": "admin"}),
        ({"static_url_path": "/static/sub"}, {}, {"a.css": "admin"}),
        ({"static_url_path": "/sub"}, {"url_prefix": "/static"}, {"a.css": "admin"}),
        ({"static_url_path": "/"}, {"url_prefix": "/static/sub"}, {"a.css": "admin"}),
    ],
    ids=["the same path", "a longer path", "a longer path by prefix", "a trailing slash"],
)
def test_where_app_and_blueprint_own_the_same_path_flask_s_precedence_decides_and_a_warning_says_so(
    bucket, make_app, tmp_path, options, registered, files
):
    app = make_app({"a.css": "app", "sub/a.css": "app"}, bucket.config)
    app.register_blueprint(blueprint(tmp_path, "admin", files, **options), **registered)

    result = quietly(app)

    by_flask = served(app, ["static/a.css", "static/sub/a.css"])
    assert bodies(bucket) == by_flask
    key = "static/a.css" if options == {"static_url_path": "/static"} else "static/sub/a.css"
    ours = f"{app.static_folder}{key.removeprefix('static')}"
    theirs = f"{tmp_path}/admin/static/a.css"
    winner, loser = (ours, theirs) if by_flask[key] == b"app" else (theirs, ours)
    (text,) = result.warnings
    assert text == (
        f"{winner} and {loser} have the same URL /{key}: the first is published, since Flask "
        "serves it. Give one of them another name, or its blueprint a static_url_path."
    )


def test_where_two_blueprints_own_the_same_path_flask_s_precedence_decides(
    bucket, make_app, tmp_path
):
    app = make_app(None, bucket.config, static_folder=None)
    for name in ("one", "two"):
        app.register_blueprint(
            blueprint(tmp_path, name, {"a.css": name, f"{name}.css": name}),
            url_prefix="/shared",
        )

    result = quietly(app)

    assert bodies(bucket) == {
        "shared/static/a.css": b"one",
        "shared/static/one.css": b"one",
        # Flask cannot serve this one at all; its URL in the bucket works, as with 0.3.
        "shared/static/two.css": b"two",
    }
    assert served(app, ["shared/static/a.css"]) == {"shared/static/a.css": b"one"}
    assert len(result.warnings) == 1
    assert str(tmp_path / "one" / "static" / "a.css") in result.warnings[0]
    assert str(tmp_path / "two" / "static" / "a.css") in result.warnings[0]


def test_the_same_file_reached_twice_is_no_matter_for_a_warning(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)
    same = Blueprint("same", "same", static_folder=app.static_folder, static_url_path="/static")
    app.register_blueprint(same)

    result = quietly(app)

    assert (result.uploaded, result.warnings) == (("static/a.css",), ())


def two_hosts(make_app, bucket, tmp_path, content):
    app = make_app({"a.css": "app", "b.css": "app"}, bucket.config)
    app.config["SERVER_NAME"] = "example.com"
    admin = blueprint(
        tmp_path, "admin", {"a.css": content}, subdomain="admin", static_url_path="/static"
    )
    app.register_blueprint(admin)
    return app


def test_two_hosts_with_different_bytes_under_one_path_are_an_error(bucket, make_app, tmp_path):
    app = two_hosts(make_app, bucket, tmp_path, "admin")

    result, _ = published_in_part(app)

    assert bucket.keys() == ["static/b.css"]
    assert reasons(result) == {
        "static/a.css": f"{app.static_folder}/a.css and {tmp_path}/admin/static/a.css have the same"
        " path /static/a.css on two hosts but differ, and a bucket knows no hosts: rename one of "
        "them."
    }


def test_two_hosts_with_the_same_bytes_under_one_path_are_fine(bucket, make_app, tmp_path):
    app = two_hosts(make_app, bucket, tmp_path, "app")

    result = quietly(app)

    assert bucket.keys() == ["static/a.css", "static/b.css"]
    assert result.warnings == ()


# -- variables in the static route


def test_a_static_route_with_a_finite_variable_is_published_under_each_value(
    bucket, make_app, tmp_path
):
    app = make_app(None, bucket.config, static_folder=None)
    localised = blueprint(tmp_path, "site", {"a.css": "a"}, url_prefix="/<any(en,de):lang>")
    localised.url_value_preprocessor(lambda _endpoint, values: values.pop("lang"))
    app.register_blueprint(localised)

    result = quietly(app)

    assert bodies(bucket) == {"de/static/a.css": b"a", "en/static/a.css": b"a"}
    assert served(app, ["de/static/a.css", "en/static/a.css"]) == bodies(bucket)
    assert result.warnings == ()


def test_a_static_route_with_an_endless_variable_is_one_sentence(bucket, make_app, tmp_path):
    app = make_app({"b.css": "b"}, bucket.config)
    app.register_blueprint(
        blueprint(tmp_path, "site", {"a.css": "a", "c.css": "c"}, url_prefix="/<lang>")
    )

    result = quietly(app)

    assert bucket.keys() == ["static/b.css"]
    (text,) = result.warnings
    assert text == (
        "The static route '/<lang>/static/<path:filename>' has a variable without a fixed set of "
        "values, so its files are not published and their URLs stay Flask's own: write the variable"
        " as any(…)."
    )


# -- secrets


# Put together here, so that no scanner takes this file for a leak.
BODY = "MIIEpAIBAAKCAQEA7bq2vY0Qk0m8Vn1yT3Jx5Zr9uW4sE6dF"
PEM = "-----{} {}PRIVATE KEY-----"
AKIA = "AKIA" + "IOSFODNN7EXAMPLZ"
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
LIVE = "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc"
GHP = "gh" + "p_" + "16C7e42F292c6912E7710c838347Ae178B4a"


def pem(kind, body=BODY, newline="\n"):
    return newline.join([PEM.format("BEGIN", kind), body, PEM.format("END", kind)])


SECRET_FILES = {
    "RSA key": ("server.pem", pem("RSA ")),
    "PKCS 8 key": ("server.key", pem("")),
    "EC key": ("a/b.txt", "some text before\n" + pem("EC ")),
    "OpenSSH key": ("id_ed25519", pem("OPENSSH ")),
    "encrypted key": (
        "old.pem",
        pem("RSA ", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,A1B2\n\n" + BODY),
    ),
    "key with CRLF": ("dos.pem", pem("RSA ", newline="\r\n")),
    "key in JSON": ("service.json", json.dumps({"private_key": pem("") + "\n"})),
    "live Stripe key": ("app.js", f'Stripe("{LIVE}")'),
    "GitHub token": ("ci.yml", f"token: {GHP}\n"),
    "AWS pair": ("config.js", f'const id = "{AKIA}", secret = "{AWS_SECRET}";'),
    "AWS pair, the secret first": ("env.js", f'secret = "{AWS_SECRET}", id = "{AKIA}"'),
    "AWS credentials file": (
        "credentials.txt",
        f"aws_access_key_id = {AKIA}\naws_secret_access_key = {AWS_SECRET}\n",
    ),
}


@pytest.mark.parametrize("case", SECRET_FILES)
def test_a_file_with_a_secret_in_it_is_refused(bucket, make_app, case):
    name, content = SECRET_FILES[case]
    app = make_app({"a.css": "a", name: content}, bucket.config)

    result, _ = published_in_part(app)

    assert bucket.keys() == ["static/a.css"]
    assert result.failed == (f"static/{name}",)
    assert reasons(result)[f"static/{name}"].endswith(
        ": move it out of the static folder or, if it may be public, let it through: "
        f'FLASKS3_ALLOW = ["{name}"].'
    )


SECRET_NAMES = [".env", ".env.local", ".envrc", "deep/.env", ".git/HEAD", "a/.git/x", ".aws/config"]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_file_with_the_name_of_a_secret_is_refused(bucket, make_app, name):
    app = make_app({"a.css": "a", name: "x"}, bucket.config)

    result, _ = published_in_part(app, include_hidden=True)

    assert bucket.keys() == ["static/a.css"]
    assert result.failed == (f"static/{name}",)


@pytest.mark.parametrize("name", [*SECRET_NAMES, "server.pem"])
def test_flasks3_allow_lets_one_file_through_by_name(bucket, make_app, name):
    content = pem("RSA ") if name == "server.pem" else "x"
    others = {f"other/{name}": content}
    app = make_app({name: content, **others}, {**bucket.config, "FLASKS3_ALLOW": [name]})

    result, _ = published_in_part(app, include_hidden=True)

    assert bucket.keys() == [f"static/{name}"]
    assert result.failed == (f"static/other/{name}",)


@pytest.mark.parametrize(
    "content",
    [
        "BEGIN RSA PRIVATE KEY",
        "-----BEGIN RSA PRIVATE KEY-----",
        'if (text.startsWith("-----BEGIN RSA PRIVATE KEY-----")) { parse(text); }',
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nYOUR KEY HERE\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + BODY + "\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\n" + BODY + "\n-----END CERTIFICATE-----",
        "sk_" + "live_...",
        "sk_" + "test_4eC39HqLyjWDarjtT1zdp7dc",
        "gh" + "p_xxx",
        f"the id {AKIA} alone",
    ],
)
def test_a_file_that_merely_mentions_a_secret_is_published(bucket, make_app, content):
    app = make_app({"docs.js": content}, bucket.config)

    create_all(app)

    assert bucket.get("static/docs.js")["Body"] == content.encode()


def test_a_hidden_secret_is_left_out_silently_as_every_hidden_file(bucket, make_app):
    result = quietly(make_app({"a.css": "a", ".env": "PASSWORD=x"}, bucket.config))

    assert bucket.keys() == ["static/a.css"]
    assert (result.failed, result.warnings) == ((), ())


# -- what 0.3 left in the bucket


def publish_as_0_3_did(bucket, files, **parameters):
    """Puts objects and `.file-hashes` there, as 0.3 with FLASKS3_FORCE_MIMETYPE wrote them."""
    hashes = {}
    for name, (content, kind) in files.items():
        bucket.client.put_object(
            Bucket=bucket.name, Key=f"static/{name}", Body=content, ContentType=kind, **parameters
        )
        hashes[f"/static/{name}"] = hashlib.sha1(content).hexdigest()
    bucket.client.put_object(Bucket=bucket.name, Key=".file-hashes", Body=json.dumps(hashes))


def test_the_file_hashes_of_0_3_are_left_alone(bucket, make_app):
    publish_as_0_3_did(bucket, {"a.png": (PNG, "image/png")})
    before = bucket.get(".file-hashes")

    create_all(make_app({"a.png": PNG, "b.png": PNG}, only_modified(bucket)))

    after = bucket.get(".file-hashes")
    assert (after["Body"], after["LastModified"]) == (before["Body"], before["LastModified"])


def test_objects_of_0_3_that_are_right_are_adopted_without_uploading_them(bucket, make_app):
    files = {"a.png": (PNG, "image/png"), "b.woff2": (noise(900), "font/woff2")}
    publish_as_0_3_did(bucket, files, CacheControl="max-age=5", Metadata={"x-team": "shop"})
    headers = {"Cache-Control": "max-age=5", "X-Team": "shop"}
    app = make_app(
        {name: content for name, (content, _) in files.items()},
        only_modified(bucket, FLASKS3_HEADERS=headers),
    )

    result = create_all(app)

    assert (result.uploaded, result.kept) == ((), ("static/a.png", "static/b.woff2"))


def test_objects_of_0_3_with_wrong_bytes_or_headers_are_uploaded(bucket, make_app):
    publish_as_0_3_did(
        bucket,
        {
            "right.png": (PNG, "image/png"),
            "bytes.png": (PNG[:-1] + b"x", "image/png"),
            "size.png": (PNG[:-1], "image/png"),
            "charset.css": (b"a{}", "text/css"),
        },
    )
    files = {"right.png": PNG, "bytes.png": PNG, "size.png": PNG, "charset.css": "a{}"}

    result = create_all(make_app(files, only_modified(bucket)))

    assert result.kept == ("static/right.png",)
    assert result.uploaded == ("static/bytes.png", "static/charset.css", "static/size.png")


# -- concurrency


def test_files_are_sent_at_the_same_time(mini_bucket, make_app):
    gate = Gate()
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule("PUT", "/static/", gate, turns=range(2, 30))
        config = {**mini_bucket.config, "FLASKS3_ENDPOINT_URL": proxy.endpoint}
        app = make_app({f"{number}.css": str(number) for number in range(20)}, config)
        publishing = threading.Thread(target=quietly, args=[app])
        publishing.start()
        # The first goes alone; all the others are then under way before one of them is answered.
        proxy.wait_for(20, "PUT", "/static/")
        proxy.open(gate)
        publishing.join()

    assert len(mini_bucket.keys()) == 20


# -- published URLs


def test_what_was_published_is_what_anybody_gets(bucket, make_app):
    bucket.open_to_anybody("static/*")
    files = {"a.css": b"a{}", "ä b+c%.txt": b"x", "leer.js": b""}

    create_all(make_app(files, bucket.config))

    published = {f"static/{name}": content for name, content in files.items()}
    assert {key: anonymously(bucket, key).body for key in published} == published
