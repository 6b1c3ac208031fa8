"""The settings that the pages of docs/stores give work, and make the URLs that stand below them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, url_for
from pages import blocks_of

from flask_s3 import FlaskS3
from flask_s3.checks.configured import settings as odd_in
from flask_s3.checks.configured import unknown_settings
from flask_s3.findings import Verdict
from flask_s3.settings import Settings

FOLDER = Path(__file__).parent.parent / "docs" / "stores"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "index.md")


def shown() -> Iterator[Any]:
    """Yields each page's settings, with the URL in the block after them."""
    for page in PAGES:
        for settings, after in pairwise(blocks_of(page.read_text())):
            if settings.language == "python":
                name = f"{page.stem}:{settings.line}"
                yield pytest.param(settings.text, after.text.strip(), id=name)


@pytest.fixture
def no_settings_of_the_machine(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("no_settings_of_the_machine")
@pytest.mark.parametrize(("text", "url"), list(shown()))
def test_the_settings_of_a_page_make_the_url_that_it_shows(text, url, tmp_path):
    given: dict[str, object] = {}
    exec(text, {"__builtins__": {}}, given)
    app = Flask("shop", root_path=str(tmp_path), static_folder="static")
    app.config.update(given)
    FlaskS3(app)

    with app.test_request_context():
        assert url_for("static", filename="css/app.css") == url
    settings = Settings.read(app.config)
    assert not unknown_settings(given)
    odd = [found for found in odd_in(given, settings) if found.verdict is not Verdict.OK]
    assert not odd
    if settings.endpoint_url is not None:
        assert settings.bucket_name not in (urlsplit(settings.endpoint_url).hostname or "")


def test_every_page_shows_settings_and_stands_in_the_table_and_the_list():
    index = (FOLDER / "index.md").read_text()

    for page in PAGES:
        assert any(param.id.startswith(f"{page.stem}:") for param in shown()), page
        assert f"\n{page.stem}\n" in index
        assert f"]({page.name})" in index


def test_whoever_cannot_try_a_store_says_so_on_its_page():
    tried = {"seaweedfs", "ceph-rgw"}

    for page in PAGES:
        first = page.read_text().split("\n\n", 2)[1]
        word = "Tried: our tests" if page.stem in tried else "Not tried by us"
        assert word in " ".join(first.split()), page
