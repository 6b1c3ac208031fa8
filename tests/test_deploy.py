"""A deploy, against real servers: what decides an upload, and what is remembered."""

from __future__ import annotations

import os
import random
import resource

import pytest
from commands import Shop
from conftest import write_files
from flask import Blueprint

from flask_s3 import SettingsError, create_all, published, publishing
from flask_s3.store.protocol import PART_BYTES


def only_modified(bucket):
    return {**bucket.config, "FLASKS3_ONLY_MODIFIED": True}


def blueprint(tmp_path, name):
    write_files(tmp_path / name / "static", {"x.css": name})
    return Blueprint(name, name, static_folder="static", root_path=str(tmp_path / name))


def test_a_first_deploy_publishes_every_file_under_its_url_path(bucket, make_app):
    app = make_app({"css/a.css": "a{}", "Äpfel & Birnen+1%.txt": "b", "leer.js": ""}, bucket.config)

    result = create_all(app)

    assert bucket.keys() == sorted(result.uploaded)
    assert sorted(result.uploaded) == [
        "static/css/a.css",
        "static/leer.js",
        "static/Äpfel & Birnen+1%.txt",
    ]
    assert bucket.get("static/css/a.css")["Body"] == b"a{}"
    assert bucket.get("static/css/a.css")["ContentType"] == "text/css; charset=utf-8"


MOST = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.mark.parametrize("limits", [(128, MOST), (512, 512)], ids=["can be raised", "cannot"])
def test_many_files_go_up_where_a_process_may_open_few(mini_bucket, tmp_path, limits):
    files = {f"{number}.css": f"a{{order:{number}}}" for number in range(1200)}
    shop = Shop(tmp_path / "shop", files, mini_bucket.config)

    ended = shop.run(
        "deploy", "--yes", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    )

    assert ended.code == 0, ended.stderr
    assert len(mini_bucket.keys()) == 1200


def test_a_second_deploy_with_only_modified_uploads_nothing(bucket, make_app):
    app = make_app({"a.css": "a{}", "b.js": "b"}, {**bucket.config, "FLASKS3_ONLY_MODIFIED": True})
    create_all(app)

    result = create_all(app)

    assert result.uploaded == ()
    assert result.kept == ("static/a.css", "static/b.js")


def test_deploy_change_add_and_remove_files_and_deploy_again(bucket, make_app, tmp_path):
    app = make_app({"a.css": "a", "b.js": "b", "c.txt": "c"}, only_modified(bucket))
    static = tmp_path / "shop" / "static"
    first = create_all(app)

    write_files(static, {"a.css": "changed", "d/e.css": "new"})
    (static / "b.js").unlink()
    second = create_all(app)

    assert (first.uploaded, first.kept) == (("static/a.css", "static/b.js", "static/c.txt"), ())
    assert (second.uploaded, second.kept) == (("static/a.css", "static/d/e.css"), ("static/c.txt",))
    assert second.deleted == ()
    # 0.3 never deleted anything: a page may still ask for it.
    assert bucket.keys() == ["static/a.css", "static/b.js", "static/c.txt", "static/d/e.css"]
    assert bucket.get("static/a.css")["Body"] == b"changed"
    assert create_all(app).kept == ("static/a.css", "static/c.txt", "static/d/e.css")


def test_the_bytes_sent_are_counted(bucket, make_app, tmp_path):
    app = make_app({"a.css": "aa", "b.js": "bbb"}, only_modified(bucket))

    sent = [create_all(app).bytes]
    sent.append(create_all(app).bytes)
    write_files(tmp_path / "shop" / "static", {"a.css": "four"})
    sent.append(create_all(app).bytes)

    assert sent == [5, 0, 4]


def test_a_large_file_that_went_up_in_parts_is_kept_by_the_next_run(bucket, make_app):
    content = random.Random(1).randbytes(PART_BYTES * 2 + 1)
    app = make_app({"film.mp4": content}, only_modified(bucket))
    create_all(app)

    result = create_all(app)

    assert bucket.get("static/film.mp4")["Body"] == content
    assert (result.uploaded, result.kept) == ((), ("static/film.mp4",))


def test_every_static_route_of_an_app_is_published(bucket, make_app, tmp_path):
    app = make_app({"a.css": "app"}, bucket.config)
    outer, inner = (blueprint(tmp_path, name) for name in ("outer", "inner"))
    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer, url_prefix="/outer")
    app.register_blueprint(blueprint(tmp_path, "twice"), url_prefix="/one")
    app.register_blueprint(blueprint(tmp_path, "twice"), url_prefix="/two", name="again")

    create_all(app)

    keys = bucket.keys()
    assert {key: bucket.get(key)["Body"] for key in keys} == {
        "one/static/x.css": b"twice",
        "outer/inner/static/x.css": b"inner",
        "outer/static/x.css": b"outer",
        "static/a.css": b"app",
        "two/static/x.css": b"twice",
    }


def test_a_bucket_without_a_region_in_the_settings_is_found_where_it_lives(
    ministack, new_bucket, make_app
):
    bucket = new_bucket(ministack).create(
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_REGION": None})

    create_all(app)

    assert bucket.keys() == ["static/a.css"]


def test_a_bucket_in_another_region_than_the_settings_say_is_one_sentence(
    ministack, new_bucket, make_app
):
    bucket = new_bucket(ministack).create(
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_REGION": "us-west-2"})

    with pytest.raises(SettingsError) as caught:
        create_all(app)

    assert str(caught.value) == (
        f"Bucket {bucket.name!r} lives in eu-west-1, but FLASKS3_REGION (or AWS_REGION) says "
        "us-west-2: set FLASKS3_REGION = 'eu-west-1'."
    )


def test_the_environment_gives_what_the_settings_leave_open(bucket, make_app, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket.server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bucket.server.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", bucket.server.endpoint)
    monkeypatch.setenv("AWS_REGION", bucket.server.region)
    app = make_app({"a.css": "a"}, {"FLASKS3_BUCKET_NAME": bucket.name})

    create_all(app)

    assert bucket.keys() == ["static/a.css"]


def test_the_signals_tell_the_plan_before_and_the_result_after(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)
    told = []

    def before(sender, plan):
        told.append((sender, [put.key for put in plan.puts], bucket.keys()))

    def after(sender, result):
        told.append((sender, list(result.uploaded), bucket.keys()))

    with publishing.connected_to(before, app), published.connected_to(after, app):
        create_all(app)

    assert told == [(app, ["static/a.css"], []), (app, ["static/a.css"], ["static/a.css"])]


def test_nothing_is_published_outside_of_the_prefix(bucket, make_app):
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_PREFIX": "/a b/ü/"})

    create_all(app)

    assert bucket.keys() == ["a b/ü/static/a.css"]


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("rest", [1, 2, 5, 4096])
def test_a_large_file_arrives_whole_however_short_its_last_part_is(bucket, make_app, parts, rest):
    content = os.urandom(parts * PART_BYTES + rest)

    create_all(make_app({"film.mp4": content}, bucket.config))

    assert bucket.get("static/film.mp4")["Body"] == content
