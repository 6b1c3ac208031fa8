"""The page of files names exactly what the documents of a real deploy hold."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

import pages
import pytest

import flask_s3
from flask_s3.access.note import KEY
from flask_s3.cli.commands import s3
from flask_s3.release import remote
from flask_s3.release.records import Sweep
from flask_s3.serve.serving import state_of

PAGE = (pages.DOCS / "reference" / "formats.md").read_text()


PRINTED = {
    name
    for name, command in s3.commands.items()
    if "--json" in pages.options_of(command) and name != "deploy"
}


def fields_on_the_page() -> dict[str, set[str]]:
    """The fields of each document, by its heading."""
    sections = re.split(r"(?m)^##+ ", PAGE)[1:]
    named = {s.partition("\n")[0].strip("`"): s for s in sections}
    return {title: set(re.findall(r"(?m)^\| `(\w+)` \|", text)) for title, text in named.items()}


def examples_on_the_page() -> dict[str, dict]:
    sections = re.split(r"(?m)^##+ ", PAGE)[1:]
    found = {
        s.partition("\n")[0].strip("`"): re.search(r"```json\n(.*?)```", s, re.DOTALL)
        for s in sections
    }
    return {title: json.loads(example[1]) for title, example in found.items() if example}


@pytest.fixture
def documents(mini_bucket, make_app, tmp_path) -> dict[str, dict]:
    """Each document, as a real app that was set up, deployed and planned has it."""
    config = {"FLASKS3_FINGERPRINT": True, "FLASKS3_ENCODINGS": ["gzip"]}
    files = {"a.css": b"a{}" * 999, "index.html": b"<p>"}
    app = make_app(files, {**mini_bucket.config, **config})
    flask_s3.FlaskS3(app)
    runner = app.test_cli_runner()

    def run(*line: str) -> str:
        ended = runner.invoke(s3, line)
        assert ended.exit_code in {0, 1}, ended.output
        assert "--json" not in line or ended.stdout, ended.output
        return ended.stdout

    run("setup", "--yes")
    printed = {"deploy --json": run("deploy", "--json")}
    run("plan", "-o", f"{tmp_path}/plan.json")
    run("build", "-o", f"{tmp_path}/dist")
    printed |= {f"{name} --json": run(name, "--json") for name in PRINTED}
    found, _ = remote.releases_of(state_of(app).settings(), app.name)
    current, sweep = found.current(), Sweep(secrets.token_hex(8), (), ())
    found.sweeps.begin(sweep, current.stand)
    folder = re.match(r"\.flask-s3/[^/]+/", mini_bucket.keys(".flask-s3/shop", metadata=True)[0])[0]
    texts = {
        "The record": json.dumps(mini_bucket.document(f"{folder}releases/{current.release}.json")),
        "The pointer": mini_bucket.get(f"{folder}current")["Body"],
        "The sweep": mini_bucket.get(f"{folder}sweeps/{sweep.id}.json")["Body"],
        "The note of set-up": mini_bucket.get(KEY)["Body"],
        "The manifest": Path(app.root_path, "flask-s3-manifest.json").read_bytes(),
        "The plan": Path(tmp_path, "plan.json").read_bytes(),
        "The built tree": Path(tmp_path, "dist/.flask-s3/build.json").read_bytes(),
        "The build cache": Path(app.root_path, ".flask-s3-cache/index.json").read_bytes(),
        **printed,
    }
    return {title: json.loads(text) for title, text in texts.items()}


def test_a_document_has_the_fields_that_the_page_names_and_no_other(documents):
    documents = {t: d[0] if isinstance(d, list) else d for t, d in documents.items()}
    named = fields_on_the_page()

    assert {title: set(document) for title, document in documents.items()} == {
        title: named[title] for title in named if title != "What commands print"
    }
    assert {d["version"] for d in documents.values() if "version" in d} == {1}


def test_the_examples_have_the_form_of_the_documents(documents):
    for title, example in examples_on_the_page().items():
        assert set(example) == set(documents[title]), title
    record, plan = documents["The record"], documents["The plan"]
    lengths = {len(line) for line in record["objects"].values()}
    assert lengths == {5, 6}, "an encoded object has one more"
    assert {len(line) for action in plan["actions"].values() for line in action} == {7}
    tree, options = documents["The built tree"], examples_on_the_page()["The plan"]["options"]
    assert set(options) == set(plan["options"])
    assert {f"`{n}`" for made in tree["objects"].values() for n in made} <= set(
        re.findall(r"`\w+`", PAGE)
    )
