"""`flask s3 report`: what the page tells, with a bucket and without, and what it cannot be told."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from commands import Shop, sentences
from flask import Blueprint, Flask
from steps import site

from flask_s3 import FlaskS3
from flask_s3.report.facts import KINDS, File, Place, Report, policy
from flask_s3.report.gather import gather
from flask_s3.report.page import page
from flask_s3.report.parts import parts
from flask_s3.serve.serving import state_of

FINGERPRINT = {"FLASKS3_FINGERPRINT": True}
ENCODED = {**FINGERPRINT, "FLASKS3_ENCODINGS": ["br", "gzip"]}
LONG = "a { color: red; background: white }\n" * 100
FILES = {
    "css/site.css": f'@import "base.css";\n.logo {{ background: url(../img/logo.svg) }}\n{LONG}',
    "css/base.css": "b{}",
    "img/logo.svg": "<svg/>",
    "img/copy.svg": "<svg/>",
    "robots.txt": "User-agent: *",
}
NO_BUCKET = (
    "Without the difference to the release in force: FLASKS3_BUCKET_NAME is not set, so there is "
    'no bucket to publish to or to serve from: set app.config["FLASKS3_BUCKET_NAME"] to the '
    "bucket's name.\n"
)


def report_on(app: Flask, **config: Any) -> Report:
    """The report on an app that is not in a bucket."""
    app.config.update(config)
    if "s3" not in app.extensions:
        FlaskS3(app)
    return gather(app, state_of(app).settings())


def files_in(report: Report) -> dict[str, File]:
    return {file.path: file for file in report.files}


def referrers(report: Report) -> dict[str, list[str]]:
    return {f.path: [f"{p.file}:{p.line}" for p in f.referrers] for f in report.files}


def data_in(html: str) -> Any:
    """What the scripts read."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


# -- what people type and read


def test_without_a_bucket_the_page_is_written_and_the_command_says_what_is_not_on_it(tmp_path):
    shop = Shop(tmp_path / "shop", FILES, {})

    ended = shop.run("report", "-o", "r.html")

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == f"{NO_BUCKET}Report  r.html: 5 files\n"
    assert "Not known. FLASKS3_BUCKET_NAME is not set" in (shop.root / "r.html").read_text()


def test_where_no_file_is_named_it_is_written_beside_the_app(tmp_path):
    shop = Shop(tmp_path / "shop", FILES, {})

    assert shop.run("report").code == 0
    assert (shop.root / "flask-s3-report.html").is_file()


def test_hidden_files_are_told_of_when_they_are_published(tmp_path):
    shop = Shop(tmp_path / "shop", {**FILES, ".hidden/a.css": "a{}"}, {})

    assert shop.run("report").stdout.endswith(": 5 files\n")
    assert shop.run("report", "--include-hidden").stdout.endswith(": 6 files\n")


def test_a_report_leaves_no_manifest_behind(tmp_path):
    shop = Shop(tmp_path / "shop", FILES, FINGERPRINT)

    assert shop.run("report").code == 0
    assert not (shop.root / "flask-s3-manifest.json").exists()


def test_credentials_that_the_store_refuses_do_not_stop_a_report(mini_bucket, tmp_path):
    secret = "not-the-secret-of-anybody-at-all"
    config = {**mini_bucket.config, "AWS_SECRET_ACCESS_KEY": secret}
    shop = Shop(tmp_path / "shop", FILES, config)

    ended = shop.run("report", "-o", "r.html")

    assert ended.code == 0
    assert ended.stdout.startswith("Without the difference to the release in force: ")
    assert secret not in ended.stdout + (shop.root / "r.html").read_text()


def test_before_the_first_release_the_report_says_so(mini_bucket, tmp_path):
    ended = Shop(tmp_path / "shop", FILES, mini_bucket.config).run("report")

    assert ended.code == 0
    assert "no release yet: `flask s3 deploy` makes the first." in ended.stdout


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("missing/r.html", "The folder missing does not exist: make it first."),
        ("static", "File 'static' is a directory."),
        ("r" * 300 + ".html", "cannot be written: File name too long. Choose another file"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_in_a_sentence(output, said, tmp_path):
    ended = Shop(tmp_path / "shop", FILES, {}).run("report", "-o", output)

    assert ended.code == 2
    assert said in ended.stderr


def test_a_report_that_fails_leaves_the_one_before_alone(tmp_path):
    shop = Shop(tmp_path / "shop", FILES, {"FLASKS3_ENCODINGS": ["lzma"]})
    (shop.root / "r.html").write_text("before")

    ended = shop.run("report", "-o", "r.html")

    assert (ended.code, (shop.root / "r.html").read_text()) == (2, "before")
    shop.configure({})
    assert shop.run("report", "-o", "r.html").code == 0
    assert (shop.root / "r.html").read_text().startswith("<!doctype html>")
    assert list(shop.root.glob(".r.html*")) == []


def test_the_help_of_commands_does_not_load_the_report():
    loaded = "import sys, flask_s3.cli.commands; print([m for m in sys.modules if 'report.' in m])"

    ended = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, check=True, text=True
    )

    assert ended.stdout == "[]\n"


# -- who refers to what


def test_files_and_templates_that_name_a_file_are_told_with_the_line(make_app):
    app = make_app(FILES)
    folder = Path(app.root_path, "templates")
    folder.mkdir()
    (folder / "base.html").write_text(
        "\n<link href=\"{{ url_for('static', filename='css/site.css?v=1') }}\">"
    )

    found = referrers(report_on(app))

    assert found == {
        "static/css/site.css": ["templates/base.html:2"],
        "static/css/base.css": ["static/css/site.css:1"],
        "static/img/logo.svg": ["static/css/site.css:2"],
        "static/img/copy.svg": [],
        "static/robots.txt": [],
    }


def test_a_blueprints_template_refers_to_its_own_files(make_app):
    app = make_app(FILES)
    root = Path(app.root_path, "blog")
    (root / "static").mkdir(parents=True)
    (root / "static" / "blog.css").write_text("a{}")
    (root / "templates").mkdir()
    (root / "templates" / "post.html").write_text(
        "{{ s3_stylesheet('blog.css', endpoint='.static') }}"
    )
    app.register_blueprint(
        Blueprint(
            "blog",
            "blog",
            root_path=str(root),
            static_folder="static",
            static_url_path="/blog/static",
            template_folder="templates",
        )
    )

    assert referrers(report_on(app))["blog/static/blog.css"] == ["blog/templates/post.html:1"]


def test_what_a_script_may_import_by_a_computed_name_is_not_called_unneeded(make_app):
    app = make_app({"app.js": "import(`./lang/${name}.js`)", "lang/de.js": "export default 1"})

    found = report_on(app)

    assert referrers(found)["static/lang/de.js"] == ["static/app.js:0"]
    assert "computed import" in parts().script


def test_a_file_that_only_refers_to_itself_is_one_that_nobody_refers_to(make_app):
    app = make_app({"a.svg": '<svg xmlns="http://www.w3.org/2000/svg"><use href="a.svg#b"/></svg>'})

    found = report_on(app)

    assert [file.is_orphan for file in found.files] == [True]


def test_nobody_refers_to_robots_txt_and_yet_it_is_asked_for(make_app):
    found = report_on(make_app(FILES))

    assert {file.path for file in found.files if file.is_orphan} == {
        "static/css/site.css",
        "static/img/copy.svg",
    }


def test_files_with_the_same_bytes_name_each_other_and_empty_ones_do_not(make_app):
    found = report_on(make_app({**FILES, "empty.txt": "", "void.txt": ""}))

    twins = {file.path: file.twins for file in found.files if file.twins}
    assert twins == {
        "static/img/copy.svg": ("static/img/logo.svg",),
        "static/img/logo.svg": ("static/img/copy.svg",),
    }
    assert found.duplicates == (1, 6)


def test_dead_references_come_with_file_and_line_and_without_this_machines_folders(make_app):
    app = make_app({"css/a.css": "a{}\n.b{background:url(gone.png)}"})
    folder = Path(app.root_path, "templates")
    folder.mkdir()
    (folder / "a.html").write_text("{{ url_for('static', filename='no.js') }}")

    found = report_on(app)

    assert [(p.file, p.line, p.text.partition(" ")[0]) for p in found.problems] == [
        ("static/css/a.css", 2, "gone.png"),
        ("templates/a.html", 1, "no.js"),
    ]
    assert app.root_path not in page(found, parts()).decode()


# -- how many bytes


def test_encodings_are_told_by_file_and_what_they_save_in_all(make_app):
    found = report_on(make_app(FILES), **ENCODED)

    site_css = files_in(found)["static/css/site.css"]
    assert found.codecs == ("br", "gzip")
    assert site_css.encoded["br"] < site_css.encoded["gzip"] < site_css.size
    assert found.sent("br") == found.size - site_css.size + site_css.encoded["br"]
    assert files_in(found)["static/css/base.css"].encoded == {}


def test_without_encodings_the_page_says_how_to_get_them(make_app):
    html = page(report_on(make_app(FILES)), parts()).decode()

    assert "No file has a compressed form." in html
    assert data_in(html)["codecs"] == []


def test_gzip_as_0_3_had_it_is_an_encoding_too(make_app):
    found = report_on(make_app(FILES), FLASKS3_GZIP=True)

    site_css = files_in(found)["static/css/site.css"]
    assert site_css.size == len(FILES["css/site.css"])
    assert site_css.encoded["gzip"] < site_css.size


def test_cache_policies_are_those_of_what_url_for_names(make_app):
    found = files_in(report_on(make_app(FILES), **FINGERPRINT))

    assert found["static/css/site.css"].cache == "public, max-age=31536000, immutable"
    assert found["static/robots.txt"].cache == "public, max-age=60"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("", "not set"),
        ("public, max-age=31536000, immutable", "1 year, immutable"),
        ("public, max-age=60", "1 minute"),
        ("private, max-age=7200", "private, 2 hours"),
        ("max-age=90", "90 seconds"),
        ("max-age=0", "0 seconds"),
        ("No-Store", "no-store"),
        ("no-cache, max-age=5", "no-cache"),
        ("s-maxage=60", "s-maxage=60"),
    ],
)
def test_a_cache_policy_is_said_in_a_word_or_two(header, words):
    assert policy(header) == words


# -- the release in force


@pytest.mark.parametrize("config", [{}, ENCODED], ids=["plain", "fingerprints"])
def test_the_difference_to_the_release_in_force_is_told_file_by_file(make_app, mini_bucket, config):
    app = make_app({**FILES, "old.css": "o{}"})
    mine = site(app, mini_bucket)
    app.config.update({**dict.fromkeys(FINGERPRINT, False), "FLASKS3_PREFIX": "shop", **config})
    mine.deploy()
    static = Path(app.static_folder)
    (static / "old.css").unlink()
    (static / "new.css").write_text("new{}")
    (static / "img" / "copy.svg").write_text("<svg></svg>")

    found = report_on(app)

    assert found.no_release == ""
    assert [(c.name, c.kind, c.before, c.after) for c in found.release.changes] == [
        ("static/img/copy.svg", "changed", 6, 11),
        ("static/new.css", "added", None, 5),
        ("static/old.css", "removed", 3, None),
    ]


def test_right_after_a_deploy_nothing_differs(make_app, mini_bucket):
    app = make_app(FILES)
    mine = site(app, mini_bucket)
    app.config.update(ENCODED)
    mine.deploy()

    found = report_on(app)

    assert found.release.changes == ()
    assert "has these files." in page(found, parts()).decode()


# -- the page


class _Tags(HTMLParser):
    """All tags of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(html)
    return parser.found


HOSTILE = "<"
HOSTILE_FILE = "script><img src=x onerror=alert(1)>&amp;${app}\u2028.css"


def test_names_of_files_cannot_inject_anything(make_app):
    files = {f"{HOSTILE}/{HOSTILE_FILE}": "a{background:url(</style><b>.png)}", "b.css": "b{}"}
    app = make_app(files)
    app.config["FLASKS3_APP"] = "</title><script>alert(1)</script>"

    html = page(report_on(app), parts()).decode()

    kinds = [tag for tag, _ in tags(html)]
    assert kinds.count("script") == 3
    assert "img" not in kinds
    assert "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in html
    paths = [row[0] for row in data_in(html)["files"]]
    assert f"static/{HOSTILE}/{HOSTILE_FILE}" in paths


def test_the_page_asks_nobody_for_anything_and_runs_only_its_own_scripts(make_app):
    html = page(report_on(make_app(FILES)), parts()).decode()

    found = tags(html)
    attributes = [(tag, name, value) for tag, attrs in found for name, value in attrs.items()]
    assert [a for a in attributes if a[1].startswith("on") or a[1] in {"style", "src"}] == []
    assert {value[0] for _, name, value in attributes if name == "href"} == {"#"}
    allowed = next(attrs["content"] for tag, attrs in found if attrs.get("http-equiv"))
    assert allowed.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in allowed
    bodies = re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", html, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() for b in bodies]
    assert sorted(re.findall(r"'sha256-([^']+)'", allowed)) == sorted(hashes)
    assert len(hashes) == 3


def test_the_same_files_make_the_same_page_but_for_the_date(make_app):
    app = make_app(FILES)
    app.config.update(ENCODED)

    once, again = (page(replace(report_on(app), made="now"), parts()) for _ in range(2))

    assert once == again
    assert once.count(b"Made now") == 1


def test_a_template_whose_path_is_no_utf_8_does_not_stop_the_page(make_app):
    found = report_on(make_app({"a.css": "a{}"}))
    odd = replace(found.files[0], referrers=(Place("templates/\udcff.html", 1),))

    html = page(replace(found, files=(odd,), app="\udcff"), parts()).decode()

    assert data_in(html)["names"] == ["templates/\udcff.html"]


def test_files_that_are_refused_are_named_with_the_reason(tmp_path):
    shop = Shop(tmp_path / "shop", {**FILES, ".env": "A=1", "id_rsa": "key"}, {})

    ended = shop.run("report", "-o", "r.html")

    assert ended.code == 0
    assert "refuse  static/id_rsa" in sentences(ended.stderr)
    assert "<h2>Not published</h2>" in (shop.root / "r.html").read_text()


def test_an_app_without_files_has_a_report(make_app):
    html = page(report_on(make_app({})), parts()).decode()

    assert data_in(html)["files"] == []
    assert data_in(html)["kinds"] == list(KINDS)


def test_the_licences_of_the_chart_library_are_beside_it():
    folder = Path(sys.modules["flask_s3.report.parts"].__file__).parent / "page"

    licence = (folder / "echarts.LICENSE").read_text()

    assert "Apache License" in licence
    assert "BSD 3-Clause License" in licence
    assert "The Apache Software Foundation" in (folder / "echarts.NOTICE").read_text()
    assert (folder / "echarts.js").stat().st_size < 400_000
