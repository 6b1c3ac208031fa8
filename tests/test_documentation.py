"""Every code block of the documentation works: pages are followed from top to bottom."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pages
import pytest
from flask import Flask
from pages import Block, Reader, blocks_of
from quick_flask import quick_flask

from flask_s3 import FlaskS3


@pytest.fixture(scope="module")
def flask_folder():
    with quick_flask() as folder:
        yield folder


@pytest.fixture
def reader(tmp_path, monkeypatch, mini_bucket, flask_folder):
    """Somebody in an empty folder, with credentials for an S3 server that has no bucket yet."""
    folder = tmp_path / "page"
    folder.mkdir()
    server = mini_bucket.server
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(
        "PATH",
        os.pathsep.join([flask_folder, str(Path(sys.executable).parent), os.environ["PATH"]]),
    )
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    client, modules = server.client(), set(sys.modules)
    before = buckets(client)
    app = app_of_its_own(tmp_path / "own", mini_bucket.name)
    yield Reader(folder, dict(os.environ), {"__name__": "page", "app": app}, client)
    for name in buckets(client) - before:
        delete(client, name)
    for name, module in [(n, m) for n, m in sys.modules.items() if n not in modules]:
        if str(getattr(module, "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


def app_of_its_own(root: Path, bucket: str) -> Flask:
    pages.write_files(root, pages.SHOP)
    app = Flask("shop", root_path=str(root))
    app.config["FLASKS3_BUCKET_NAME"] = bucket
    FlaskS3(app)
    return app


def buckets(client) -> set[str]:
    return {found["Name"] for found in client.list_buckets()["Buckets"]}


def delete(client, bucket: str) -> None:
    found = client.get_paginator("list_object_versions").paginate(Bucket=bucket)
    for version in (
        v for page in found for v in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    ):
        client.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    for key in [o["Key"] for o in client.list_objects_v2(Bucket=bucket).get("Contents", ())]:
        client.delete_object(Bucket=bucket, Key=key)
    client.delete_bucket(Bucket=bucket)


EXAMPLES = pages.ROOT / "examples"
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".flask-s3-cache", "node_modules", ".venv")


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name_of)
def test_whoever_follows_the_page_gets_what_it_says(page, reader):
    if page.is_relative_to(EXAMPLES):  # whose commands are for the folder that it stands in
        shutil.copytree(page.parent, reader.folder, dirs_exist_ok=True, ignore=NOT_COPIED)
    for block in blocks_of(page.read_text()):
        try:
            reader.follow(block)
        except Exception as error:
            where = f"{pages.name_of(page)}:{block.line}"
            raise AssertionError(f"{where}: {error}\n\n{block.text}") from error


# -- what would be found


def told(reader: Reader, text: str) -> str:
    """What is said of a page that is wrong."""
    (block,) = blocks_of(text)
    with pytest.raises(Exception) as caught:
        reader.follow(block)
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("```sh\nfalse\ntrue\n```\n", "exit code 1, not 0"),
        ("<!-- exits: 1 -->\n```sh\ntrue\n```\n", "exit code 0, not 1"),
        ("```console\n$ echo one\ntwo\n```\n", "printed\none"),
        ("```python\napp.confg\n```\n", "confg"),
        ("```python\nFLASKS3_CONCURRENCY = 'many'\n```\n", "FLASKS3_CONCURRENCY"),
        ("```html\n{{ s3_script( }}\n```\n", "unexpected"),
        ("```json\n{,}\n```\n", "JSONDecodeError"),
        ("```yaml\na: [\n```\n", "ParserError"),
        ("```nginx\n```\n", "empty"),
        ("```cobol\nSTOP RUN.\n```\n", "nobody knows"),
        ("```\nwhat?\n```\n", "nobody knows"),
        ("<!-- not run: AWS -->\n```sh\nif\n```\n", "syntax error"),
        ("<!-- not run: AWS -->\n```sh\nflask s3 deploy --prun\n```\n", "--prun"),
        ("<!-- not run: AWS -->\n```python\nif\n```\n", "SyntaxError"),
        ("<!-- not run -->\n```sh\ntrue\n```\n", "say why"),
        ("<!-- file: a.py -->\n```python\nif\n```\n", "SyntaxError"),
    ],
)
def test_a_block_that_does_not_work_is_found(reader, page, said):
    assert said in told(reader, page)


def test_files_stand_where_commands_run_and_output_may_be_cut(reader):
    text = """
<!-- file: sub/a.txt -->
```text
one
```
<!-- append: sub/a.txt -->
```text
two
```
<!-- setup
echo three >> sub/a.txt
-->
1. In a list:

   ```console
   $ cat sub/a.txt; \\
     echo at 17:03
   one
   …
   three
   at ...
   ```
"""
    for block in blocks_of(text):
        reader.follow(block)


def test_what_stands_before_something_else_says_nothing_of_a_block():
    marked = "<!-- exits: 1 -->\n```sh\nfalse\n```\n"

    assert blocks_of(marked) == [Block(3, "sh", "false\n", {"exits": "1"})]
    assert blocks_of("<!-- exits: 1 -->\nSome text.\n\n```sh\nfalse\n```\n")[0].markers == {}
    assert blocks_of("````text\n```sh\n```\n````\n") == [Block(2, "text", "```sh\n```\n")]
