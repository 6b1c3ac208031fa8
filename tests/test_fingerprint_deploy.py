"""Fingerprints on real servers: order, copies, what a failure leaves, and the manifest."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path
from typing import Any

import brotli
import pytest
from building import FINGERPRINTS, built
from commands import Shop
from conftest import Bucket, write_files
from flask import Flask
from looking import record_in_force, records
from proxy import Answer, Proxy
from serving import asked

from flask_s3 import FlaskS3, PublishError, SettingsError, create_all
from flask_s3.building.objects import IMMUTABLE, SHORT
from flask_s3.building.tree import write_tree
from flask_s3.errors import BuildError
from flask_s3.manifest import loads
from flask_s3.release.releases import Releases
from flask_s3.serve.serving import state_of
from flask_s3.store.s3 import S3Store

TEXT = "body { color: red } /* long enough */\n" * 40
FILES = {
    "css/app.css": f"@import 'base.css';{TEXT}",
    "css/base.css": TEXT,
    "img/a.png": "x",
    "index.html": "<link rel=stylesheet href=css/app.css>",
}


def ready(make_app, bucket: Bucket, **config: Any) -> Flask:
    app = make_app(FILES, {**bucket.config, **FINGERPRINTS, "FLASKS3_ONLY_MODIFIED": True})
    app.config.update(config)
    return app


def manifest(app: Flask) -> dict[str, Any]:
    return json.loads(Path(app.root_path, "flask-s3-manifest.json").read_text())["entries"]


def name(app: Flask, path: str) -> str:
    """The key of a file's published object."""
    folder = path.rpartition("/")[0]
    return f"static/{folder}/{manifest(app)[f'static/{path}'][0]}"


def change(app: Flask, filename: str, text: str) -> None:
    Path(app.static_folder, filename).write_text(text)


def test_everything_a_page_asks_for_is_there_with_its_headers(bucket, make_app):
    app = ready(make_app, bucket, FLASKS3_ENCODINGS=["br"])

    result = create_all(app)

    assert result.failed == ()
    stored = bucket.get(name(app, "css/app.css"))
    plain = bucket.get("static/css/app.css")
    base = manifest(app)["static/css/base.css"][0]
    assert stored["Body"].startswith(f"@import '{base}';".encode())
    assert plain["Body"] == stored["Body"]
    assert (stored["CacheControl"], plain["CacheControl"]) == (IMMUTABLE, SHORT)
    assert {stored["ContentType"], plain["ContentType"]} == {"text/css; charset=utf-8"}
    html = bucket.get("static/index.html")
    assert html["Body"].decode().endswith(name(app, "css/app.css").removeprefix("static/") + ">")
    assert html["CacheControl"] == SHORT
    variant = manifest(app)["static/css/base.css"][2]["br"][0]
    encoded = bucket.get(f"static/css/{variant}")
    assert (encoded["ContentEncoding"], encoded["CacheControl"]) == ("br", IMMUTABLE)
    assert brotli.decompress(encoded["Body"]).decode() == TEXT


def test_the_app_serves_by_what_was_published(bucket, make_app):
    app = ready(make_app, bucket)
    create_all(app)
    FlaskS3(app)

    assert asked(app, filename="css/app.css").endswith(name(app, "css/app.css"))


def test_a_second_deploy_sends_nothing(bucket, make_app):
    app = ready(make_app, bucket, FLASKS3_ENCODINGS=["br", "gzip"])
    create_all(app)
    before = records(bucket)

    result = create_all(app)

    assert (result.uploaded, result.failed, records(bucket)) == ((), (), before)


def test_after_a_change_only_what_it_renames_is_sent(bucket, make_app):
    app = ready(make_app, bucket)
    create_all(app)
    old = name(app, "css/app.css")
    change(app, "css/base.css", "b{}")

    result = create_all(app)

    assert set(result.uploaded) == {
        name(app, "css/app.css"),
        name(app, "css/base.css"),
        "static/css/app.css",
        "static/css/base.css",
        "static/index.html",
    }
    assert old in bucket.keys("static/"), "a page that is open still asks for it"


def puts(proxy: Proxy) -> list[str]:
    """What was written, in order."""
    return [
        seen.path.partition("/static/")[2] or seen.path.rpartition("/")[2]
        for seen in proxy.requests
        if seen.method == "PUT"
    ]


def test_plain_names_follow_as_copies_after_the_pointer_has_moved(bucket, make_app):
    app = ready(make_app, bucket)
    with Proxy(bucket.server.endpoint) as proxy:
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        create_all(app)

        written = puts(proxy)
        copies = [seen for seen in proxy.requests if "x-amz-copy-source" in seen.headers]

    moved = next(place for place, path in enumerate(written) if path.endswith(".json")) + 1
    assert written[moved] == "current"
    first = [path for path in written[: moved - 1] if path != "current"]
    then = written[moved + 1 :]
    assert all(re.search(r"\.[0-9a-f]{16}\.|^[0-9a-f]{64}$", path) for path in first)
    assert set(then) == {"css/app.css", "css/base.css", "img/a.png", "index.html", "current"}
    assert then[-1] == "current", "that they stand is noted last"
    assert {copy.path.partition("/static/")[2] for copy in copies} == {
        "css/app.css",
        "css/base.css",
        "img/a.png",
        "index.html",
    }
    assert {copy.size for copy in copies} == {0}


def test_a_store_that_cannot_copy_is_sent_the_bytes(mini_bucket, make_app):
    app = ready(make_app, mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        proxy.rule("PUT", ".", Answer(501, "NotImplemented"), header="x-amz-copy-source")
        result = create_all(app)

    assert result.failed == ()
    assert mini_bucket.get("static/css/app.css")["CacheControl"] == SHORT


def test_keys_that_may_write_but_not_read_publish_plain_names_too(mini_bucket, make_app):
    app = ready(make_app, mini_bucket, FLASKS3_ONLY_MODIFIED=False)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        proxy.rule("GET", r"/\.flask-s3/", Answer(403, "AccessDenied"))
        proxy.rule("PUT", ".", Answer(403, "AccessDenied"), header="x-amz-copy-source")
        result = create_all(app)

    assert result.failed == ()
    assert mini_bucket.get("static/css/base.css")["Body"] == TEXT.encode()


def test_a_copy_that_answers_200_with_an_error_is_an_error(mini_bucket, make_app):
    app = ready(make_app, mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        answer = Answer(200, "InternalError")
        proxy.rule("PUT", r"/static/img/a\.png$", answer, turns=range(1, 3))
        result = create_all(app)

    assert result.failed == ()
    assert mini_bucket.get("static/img/a.png")["Body"] == b"x"


def test_a_file_that_is_not_sent_leaves_the_release_before_in_force(mini_bucket, make_app):
    app = ready(make_app, mini_bucket)
    first = create_all(app)
    old = manifest(app)
    plain = mini_bucket.get("static/css/base.css")["Body"]
    change(app, "css/base.css", "b{}")
    change(app, "img/a.png", "y")
    with Proxy(mini_bucket.server.endpoint) as proxy:
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        proxy.rule("PUT", r"/static/img/a\.[0-9a-f]{16}\.png$", Answer(403, "AccessDenied"))
        with pytest.raises(PublishError) as caught:
            create_all(app)

    result = caught.value.result
    assert result.release == first.release
    assert manifest(app) == old
    assert mini_bucket.get("static/css/base.css")["Body"] == plain
    assert {"static/css/base.css", "static/img/a.png", "static/index.html"} <= set(result.failed)

    app.config.update(mini_bucket.config)
    again = create_all(app)

    assert name(app, "css/base.css") in again.kept, "what was sent already is not sent again"
    assert mini_bucket.get("static/css/base.css")["Body"] == b"b{}"


def test_a_plain_name_that_failed_follows_with_the_next_deploy(mini_bucket, make_app):
    app = ready(make_app, mini_bucket)
    create_all(app)
    change(app, "img/a.png", "y")
    with Proxy(mini_bucket.server.endpoint) as proxy:
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        proxy.rule("PUT", r"/static/img/a\.png$", Answer(403, "AccessDenied"))
        with pytest.raises(PublishError) as caught:
            create_all(app)

    assert caught.value.result.failed == ("static/img/a.png",)
    assert mini_bucket.get("static/img/a.png")["Body"] == b"x"

    app.config.update(mini_bucket.config)
    result = create_all(app)

    assert result.uploaded == ("static/img/a.png",)
    assert mini_bucket.get("static/img/a.png")["Body"] == b"y"
    assert create_all(app).uploaded == ()


def test_another_machines_codec_sends_no_variant_again(mini_bucket, make_app, monkeypatch):
    app = ready(make_app, mini_bucket, FLASKS3_ENCODINGS=["gzip"])
    create_all(app)
    monkeypatch.setattr("flask_s3.encodings._GZIP_LEVEL", 6)
    other = make_app(FILES, app.config, name="elsewhere")
    other.name = "shop"
    monkeypatch.setitem(other.config, "FLASKS3_APP", "shop")

    result = create_all(other)

    assert result.uploaded == ()


def test_a_switch_to_fingerprints_adopts_what_stands_there(bucket, make_app):
    app = ready(make_app, bucket, FLASKS3_FINGERPRINT=False)
    create_all(app)
    app.config["FLASKS3_FINGERPRINT"] = True

    result = create_all(app)

    assert result.failed == ()
    assert bucket.get("static/css/app.css")["CacheControl"] == SHORT


def test_the_record_holds_the_manifest(mini_bucket, make_app):
    app = ready(make_app, mini_bucket)
    create_all(app)

    assert record_in_force(mini_bucket)["manifest"]["entries"] == manifest(app)


def test_looking_closely_asks_for_no_copy_by_itself(mini_bucket, make_app):
    app = ready(make_app, mini_bucket)
    create_all(app)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        result = create_all(app)

    assert result.uploaded == ()
    assert [seen for seen in proxy.seen("GET") if "list-type" in seen.query], "nobody looked"
    assert proxy.seen("HEAD") == []


def test_plain_names_of_a_deploy_that_was_overtaken_are_looked_at_by_the_next(
    mini_bucket, make_app
):
    """Both deploys wrote them, in whatever order."""
    store = S3Store(state_of(ready(make_app, mini_bucket)).settings())
    releases = Releases(store, "shop", "")

    def published(after):
        record = releases.new_record({}, None, {}, after)
        return releases.publish(record, after, unfinished=True, learned=lambda: {"readable": True})

    first = published(releases.begin(None))
    second = published(first)
    releases.finish(second, 1.0)

    releases.finish(first, 2.0)

    current = releases.current()
    assert (current.release, current.unfinished) == (second.release, True)


# -- the manifest of the release in force


def test_the_bucket_can_tell_the_manifest_when_the_app_starts(bucket, make_app):
    app = ready(make_app, bucket, FLASKS3_MANIFEST="bucket")
    create_all(app)

    FlaskS3(app)
    stored = record_in_force(bucket)["manifest"]["entries"]["static/css/app.css"][0]
    app.config["FLASKS3_ENDPOINT_URL"] = "http://127.0.0.1:9"  # nobody answers: it was asked once

    assert asked(app, filename="css/app.css").endswith(f"/static/css/{stored}")
    assert not Path(app.root_path, "flask-s3-manifest.json").exists()


def test_a_release_can_be_named(mini_bucket, make_app):
    app = ready(make_app, mini_bucket, FLASKS3_MANIFEST="bucket")
    first = create_all(app)
    stored = record_in_force(mini_bucket)["manifest"]["entries"]["static/img/a.png"][0]
    change(app, "img/a.png", "y")
    create_all(app)

    app.config["FLASKS3_RELEASE"] = first.release
    FlaskS3(app)

    assert asked(app, filename="img/a.png").endswith(f"/static/img/{stored}")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "has no release in force of this app: publish with `flask s3 deploy`"),
        ({"FLASKS3_RELEASE": "20200101T000000Z-00000000"}, "has no release '20200101T000000Z-0000"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "check AWS_SECRET_ACCESS_KEY"),
        ({"FLASKS3_ENDPOINT_URL": "http://127.0.0.1:9"}, "127.0.0.1:9"),
    ],
)
def test_without_a_release_urls_are_plain_or_the_app_does_not_start(
    mini_bucket, make_app, caplog, config, why
):
    app = ready(make_app, mini_bucket, FLASKS3_MANIFEST="bucket", **config)
    FlaskS3(app)

    assert asked(app, filename="img/a.png").endswith("/static/img/a.png")
    (record,) = [record for record in caplog.records if record.name == "flask_s3"]
    assert why in record.getMessage()

    app.config["FLASKS3_STRICT"] = True
    with pytest.raises(BuildError, match=re.escape(why)):
        FlaskS3(app)


def test_an_app_starts_though_a_profile_that_is_not_there_is_named(
    mini_bucket, make_app, caplog, monkeypatch
):
    keys = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    for key in keys:
        monkeypatch.delenv(key, raising=False)

    FlaskS3(ready(make_app, mini_bucket, FLASKS3_MANIFEST="bucket", **keys))

    assert "The config profile (nobody) could not be found" in caplog.text


def test_a_release_without_fingerprints_says_so(mini_bucket, make_app, caplog):
    app = ready(make_app, mini_bucket, FLASKS3_FINGERPRINT=False)
    create_all(app)
    app.config.update(FLASKS3_FINGERPRINT=True, FLASKS3_MANIFEST="bucket")
    FlaskS3(app)

    assert "published without FLASKS3_FINGERPRINT: publish again" in caplog.text


# -- the command


TORN = (
    "Jinja cannot read this template (Expected an expression, got 'end of statement block'), so "
    "it was not checked."
)
DEAD = "none.png is not among the static files: correct the reference, or add the file."
OWN = "from the page's own origin: name it in FLASKS3_LOCAL."


@pytest.fixture
def shop(mini_bucket, tmp_path) -> Shop:
    mini_bucket.open_to_anybody()
    return Shop(tmp_path / "shop", FILES, {**mini_bucket.config, **FINGERPRINTS})


def test_build_check_names_file_and_line_and_writes_nothing(shop):
    write_files(shop.static, {"css/bad.css": "a{}\nb{background:url(none.png)}", "sw.js": "1"})
    write_files(
        shop.root / "templates",
        {
            "page.html": "<p>\n{{ url_for('static', filename='css/app.css') }}\n"
            "{{ url_for('static', filename='css/gone.css') }}{{ s3_script('js/gone.js') }}\n"
            "{{ url_for('static', filename=name ~ '.css') }}{{ url_for('index') }}\n"
            "<svg><use href=\"{{ url_for('static', filename='img/a.png') }}#x\"></svg>\n"
            "<script>x.register(\"{{ url_for('static', filename='sw.js') }}\")</script>",
            "torn.html": "<p>\n{% if %}",
        },
    )

    ended = shop.run("build", "--check", "-o", "dist")

    assert ended.code == 1
    wrong = "is not among the static files of static: correct the name, or add the file."
    assert ended.stdout.splitlines() == [
        f"static/css/bad.css:2: error: {DEAD}",
        f"templates/page.html:3: error: css/gone.css {wrong}",
        f"templates/page.html:3: error: js/gone.js {wrong}",
        f"templates/page.html:5: warning: browsers want img/a.png, which <use> asks for, {OWN}",
        f"templates/page.html:6: warning: browsers want sw.js, a service worker, {OWN}",
        f"templates/torn.html:2: warning: {TORN}",
        "Checked: 3 errors, 3 warnings, 0 remarks.",
    ]
    assert not (shop.root / "flask-s3-manifest.json").exists()
    assert not (shop.root / "dist").exists()


def test_build_check_writes_nothing_while_a_file_is_refused(shop):
    write_files(shop.static, {"key.txt": f"ghp_{'a1' * 18}"})

    ended = shop.run("build", "--check", "-o", "dist")

    assert ended.code == 1
    assert "refuse  static/key.txt: " in ended.stderr
    assert not (shop.root / "dist").exists()
    assert not (shop.root / "flask-s3-manifest.json").exists()


def test_build_check_knows_what_vites_manifest_calls_a_file(shop):
    chunks = {"src/main.ts": {"file": "assets/main-AbCdEfGh.js"}}
    write_files(
        shop.static,
        {".vite/manifest.json": json.dumps(chunks), "assets/main-AbCdEfGh.js": "1"},
    )
    page = "{{ s3_script('src/main.ts') }}{{ url_for('static', filename='src/gone.ts') }}"
    write_files(shop.root / "templates", {"page.html": page})

    ended = shop.run("build", "--check")

    assert ended.code == 1
    assert "src/gone.ts is not among the static files" in ended.stdout
    assert "src/main.ts" not in ended.stdout


def test_build_check_goes_on_where_templates_cannot_be_listed(tmp_path):
    code = "from jinja2 import FunctionLoader\napp.jinja_loader = FunctionLoader(dict().get)\n"
    shop = Shop(tmp_path / "shop", FILES, FINGERPRINTS, code=code)

    ended = shop.run("build", "--check")

    assert ended.code == 0
    assert (
        "FunctionLoader:1: warning: this template loader cannot list its templates" in ended.stdout
    )


def test_a_name_that_people_rarely_use_is_found_again(tmp_path):
    odd = dict.fromkeys(("back\\slash.css", "line\nbreak.css", "tab\t.css", "a?b#c%20.css"), "x")
    shop = Shop(tmp_path / "shop", {**FILES, **odd}, FINGERPRINTS)

    assert shop.run("build").code == 0
    entries = loads((shop.root / "flask-s3-manifest.json").read_bytes(), "x").entries

    assert [name for name in odd if entries.get(f"static/{name}") is None] == []


def test_build_needs_no_bucket_no_credentials_and_no_network(tmp_path):
    shop = Shop(tmp_path, FILES, FINGERPRINTS, initialised=False)

    ended = shop.run("build", "--check", env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "Checked: 0 errors, 0 warnings, 0 remarks.",
        "Built 4 files: 7 objects, 6.2 kB.",
        "Manifest  flask-s3-manifest.json",
    ]
    assert (tmp_path / "flask-s3-manifest.json").stat().st_mode & 0o777 == 0o644


def test_a_tree_that_was_built_before_is_what_is_published(shop, mini_bucket):
    assert shop.run("build", "-o", "dist").code == 0
    tree = {
        path.relative_to(shop.root / "dist").as_posix(): path.read_bytes()
        for path in (shop.root / "dist").rglob("*")
        if path.is_file() and ".flask-s3" not in path.parts
    }
    write_files(shop.static, {"css/base.css": "changed{}", "late.css": "a{}"})

    ended = shop.run("deploy", "--build", "dist")

    assert ended.code == 0
    assert {key: mini_bucket.get(key)["Body"] for key in mini_bucket.keys("static/")} == tree


def test_a_tree_is_built_anew_in_its_place(shop):
    shop.run("build", "-o", "dist")
    write_files(shop.static, {"css/base.css": "changed{}"})
    before = {path.name for path in (shop.root / "dist").rglob("*.css")}

    assert shop.run("build", "-o", "dist").code == 0

    after = {path.name for path in (shop.root / "dist").rglob("*.css")}
    assert len(before) == len(after) == 4
    assert before != after


def test_a_tree_behind_a_link_is_built_anew_where_it_stands(shop):
    shop.run("build", "-o", "real")
    (shop.root / "dist").symlink_to("real")
    write_files(shop.static, {"new.css": "a{}"})

    ended = shop.run("build", "-o", "dist")

    assert ended.code == 0
    assert (shop.root / "real/static/new.css").is_file()
    assert [path.name for path in shop.root.iterdir() if path.name.startswith(".real")] == []


def test_a_tree_that_cannot_take_its_place_leaves_the_one_before(shop, make_app, monkeypatch):
    shop.run("build", "-o", "dist")
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if target.name == "dist" and not path.name.endswith("-old"):
            raise OSError(errno.EBUSY, "Device or resource busy", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(BuildError, match="cannot be written"):
        write_tree(shop.root / "dist", built(make_app({"other.css": "a{}"})))

    assert (shop.root / "dist/static/css/app.css").is_file()
    assert [path.name for path in shop.root.iterdir() if path.name.startswith(".dist")] == []


def test_a_tree_among_the_static_files_would_be_published_itself(shop):
    ended = shop.run("build", "-o", "static/dist")

    assert (ended.code, (shop.static / "dist").exists()) == (1, False)
    assert "static/dist is in the static folder" in ended.stderr


def test_the_folder_that_a_build_runs_in_is_not_replaced(shop):
    ended = shop.run("build", "-o", ".")
    assert ended.code == 1
    assert ended.stderr == "Error: . is where this runs, so it cannot be replaced: name another.\n"


def test_a_folder_that_is_no_tree_of_ours_is_left_alone(shop):
    write_files(shop.root / "precious", {"a.txt": "x"})

    ended = shop.run("build", "-o", "precious")

    assert (ended.code, (shop.root / "precious" / "a.txt").read_text()) == (1, "x")
    assert ended.stderr == (
        "Error: precious is not empty and no tree that `flask s3 build` made, so it is left as it "
        "is: remove it, or name another.\n"
    )


@pytest.mark.parametrize("spoil", ["changed", "gone", "no index", "outside", "no entry"])
def test_a_tree_that_is_not_what_was_built_is_not_published(shop, mini_bucket, spoil):
    shop.run("build", "-o", "dist")
    index = shop.root / "dist" / ".flask-s3" / "build.json"
    if spoil == "changed":
        (shop.root / "dist/static/css/app.css").write_text("x")
    elif spoil == "gone":
        (shop.root / "dist/static/css/app.css").unlink()
    elif spoil == "outside":
        index.write_text(index.read_text().replace("static/img/a.png", "../settings.json"))
    elif spoil == "no entry":
        value = json.loads(index.read_text())
        value["manifest"]["entries"]["static/img/a.png"][0] = "../a.png"
        index.write_text(json.dumps(value))
    else:
        index.unlink()

    ended = shop.run("deploy", "--build", "dist")

    assert ended.code == 1
    assert "build it again" in ended.stderr or "build again" in ended.stderr
    assert mini_bucket.keys(metadata=True) == []


@pytest.mark.parametrize(
    ("setting", "now"), [("FLASKS3_PREFIX", "v2"), ("FLASKS3_FINGERPRINT", False)]
)
def test_a_tree_of_other_settings_is_not_published(shop, mini_bucket, setting, now):
    shop.run("build", "-o", "dist")
    shop.configure({**mini_bucket.config, **FINGERPRINTS, setting: now})

    ended = shop.run("deploy", "--build", "dist")

    assert ended.code == 1
    assert f"dist was built when {setting} was" in ended.stderr
    assert mini_bucket.keys(metadata=True) == []


def test_frozen_publishes_only_what_the_manifest_at_hand_says(shop, mini_bucket):
    shop.run("build")
    assert shop.run("deploy", "--frozen").code == 0
    manifest = (shop.root / "flask-s3-manifest.json").read_bytes()
    write_files(shop.static, {"css/base.css": "changed{}", "late.css": "a{}"})
    (shop.static / "img/a.png").unlink()
    keys = mini_bucket.keys(metadata=True)

    ended = shop.run("deploy", "--frozen")

    assert ended.code == 1
    lines = ended.stderr.splitlines()
    assert lines[0] == (
        f"Error: The manifest {shop.root / 'flask-s3-manifest.json'} is not that of these files, "
        "so nothing was published: build again, and ship that manifest, or deploy the files that "
        "it was built from."
    )
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "static/css/app.css",
        "static/css/base.css",
        "static/img/a.png",
        "static/index.html",
        "static/late.css",
    ]
    assert mini_bucket.keys(metadata=True) == keys
    assert (shop.root / "flask-s3-manifest.json").read_bytes() == manifest


def test_frozen_without_a_manifest_says_how_to_make_one(shop):
    ended = shop.run("deploy", "--frozen")

    assert ended.code == 1
    assert "make it with `flask s3 build`" in ended.stderr


def test_frozen_makes_no_sense_with_the_manifest_in_the_bucket(shop, mini_bucket):
    shop.configure({**mini_bucket.config, **FINGERPRINTS, "FLASKS3_MANIFEST": "bucket"})

    assert shop.run("deploy", "--frozen").code == 2


def test_a_tree_and_a_filter_cannot_be_asked_for_together(shop):
    (shop.root / "dist").mkdir()

    ended = shop.run("deploy", "--build", "dist", "--only", "css")

    assert ended.code == 2
    assert "--build publishes a whole tree" in ended.stderr


def test_strict_publishes_nothing_while_there_are_errors(shop, mini_bucket):
    shop.configure({**mini_bucket.config, **FINGERPRINTS, "FLASKS3_STRICT": True})
    write_files(shop.static, {"css/bad.css": "b{background:url(none.png)}"})

    for command in ("build", "deploy", "plan"):
        ended = shop.run(command)

        assert ended.code == 1
        assert "FLASKS3_STRICT refuses files with errors" in ended.stderr
        assert "css/bad.css:1: none.png is not among the static files" in ended.stderr
    assert mini_bucket.keys(metadata=True) == []


def test_the_plan_tells_what_follows_and_deploy_writes_the_manifest(shop):
    planned = shop.run("plan")

    shown = re.sub(r"[0-9a-f]{16}", "DIGEST", planned.stdout).splitlines()
    assert "upload  static/css/app.DIGEST.css  (new)" in shown
    assert "copy    static/css/app.css  (new)" in shown
    assert shown[-1] == (
        "7 to upload (3.1 kB), 3 of them copied in the bucket, 0 right already, 0 refused."
    )
    assert not (shop.root / "flask-s3-manifest.json").exists()
    assert shop.run("deploy").code == 0
    assert (shop.root / "flask-s3-manifest.json").exists()


def test_a_manifest_that_cannot_be_written_fails_after_the_files_are_there(shop, mini_bucket):
    (shop.root / "flask-s3-manifest.json").mkdir()

    ended = shop.run("deploy")

    assert ended.code == 1
    assert "cannot be written (Is a directory)" in ended.stderr
    assert "static/css/app.css" in mini_bucket.keys("static/")


def test_the_command_starts_under_strict_before_there_is_a_manifest(shop, mini_bucket):
    shop.configure({**mini_bucket.config, **FINGERPRINTS, "FLASKS3_STRICT": True})

    assert shop.run("build").code == 0
    assert shop.run("deploy", "--frozen").code == 0


def test_settings_that_exclude_each_other_are_one_sentence(mini_bucket, make_app):
    app = ready(make_app, mini_bucket, FLASKS3_FINGERPRINT=False, FLASKS3_INTEGRITY=True)

    with pytest.raises(SettingsError, match="set FLASKS3_FINGERPRINT = True"):
        create_all(app)
