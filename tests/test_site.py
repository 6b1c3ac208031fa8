"""The documentation as HTML: it builds, its links lead somewhere, and it asks no other host."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pages
import pytest

WIDTHS = (320, 768, 1440)
LOOKED_AT = ["index", "tutorial", "bucket", "reference/api", "reference/cli", "reference/formats"]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built pages; a warning of Sphinx's is an error, such as a link that leads nowhere."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going"]
    built = subprocess.run(
        [*command, "-d", f"{folder}/doctrees", str(pages.DOCS), f"{folder}/html"],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


class Fetched(HTMLParser):
    """What a browser asks for of its own accord."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in {"link", "script", "img", "iframe", "source", "object"}:
            self.found += [values.get(name) or "" for name in ("href", "src", "data")]


def test_no_page_asks_another_host_for_anything(site):
    asked = {}
    for page in site.rglob("*.html"):
        parser = Fetched()
        parser.feed(page.read_text())
        asked[page.name] = [url for url in parser.found if re.match(r"(\w+:)?//", url)]
    for style in site.rglob("*.css"):
        asked[style.name] = re.findall(
            r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)]*", style.read_text()
        )

    assert len(asked) > 20
    assert {name: urls for name, urls in asked.items() if urls} == {}


def test_pages_that_stand_elsewhere_in_the_repository_have_their_text_there(site):
    for name, words in {
        "changelog": "Changelog",
        "readme": "url_for",
        "benchmarks": "seconds",
    }.items():
        text = (site / "project" / f"{name}.html").read_text()
        assert words in text
        assert "puts its text here" not in text


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_is_not_wider_than_its_window(site, visit, width):
    tab = visit(viewport={"width": width, "height": 800}).page
    for name in LOOKED_AT:
        tab.goto((site / f"{name}.html").as_uri())
        wide = tab.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} px wide"
