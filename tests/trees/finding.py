"""What files refer to, found without any of Flask-S3's code: by PostCSS, es-module-lexer, expat.

Everything in bytes, so that places can be compared exactly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit
from xml.parsers import expat

import npm

_STYLES = (".css",)
_SCRIPTS = (".js", ".mjs")
_MANIFESTS = (".webmanifest", "/manifest.json")
LANGUAGES = (*_STYLES, *_SCRIPTS, *_MANIFESTS, ".svg", ".html", ".htm", ".xhtml")
"""How the names of files with references end."""


class Ref(NamedTuple):
    """A reference to a file of the same site.

    Attributes:
        start: the first byte of its path.
        stop: the byte after the path.
        path: as it is written, less query and fragment.
        kind: `url`, `import` (of a module) or `map` (a source map).
    """

    start: int
    stop: int
    path: str
    kind: str


def find(folder: Path, names: Iterable[str]) -> dict[str, list[Ref]]:
    """Returns the references of files, by their names below a folder; none of those without any."""
    paths = {str(folder / name): name for name in names if f"/{name}".endswith(LANGUAGES)}
    styles = [path for path in paths if path.endswith(_STYLES)]
    scripts = [path for path in paths if path.endswith(_SCRIPTS)]
    raw = {**npm.run_script("css.mjs", styles), **npm.run_script("javascript.mjs", scripts)}
    for path in paths.keys() - raw.keys():
        raw[path] = [(*place, "url") for place in _in_markup(Path(path))]
    found = {name: sorted(set(_refs(raw[path]))) for path, name in paths.items()}
    return {name: refs for name, refs in found.items() if refs}


def target(url: str, ref: Ref) -> str:
    """Returns the path of the URL that a reference leads to from the file at a URL's path."""
    return unquote(urlsplit(urljoin(f"http://site{url}", ref.path)).path)


def _refs(raw: Iterable[tuple[int, int, str, str]]) -> Iterator[Ref]:
    for start, _, text, kind in raw:
        path = re.split(r"[?#]", text, maxsplit=1)[0]
        is_elsewhere = re.match(r"[A-Za-z][\w+.-]*:|//", path)
        # HTML, "Resolving module specifiers": any other is a name, to be looked up.
        is_name = kind == "import" and not path.startswith(("./", "../", "/"))
        if path and not is_elsewhere and not is_name:
            yield Ref(start, start + len(path.encode("latin1")), path, kind)


# -- markup and JSON


def _in_markup(path: Path) -> Iterator[tuple[int, int, str]]:
    data = path.read_bytes()
    if path.suffix == ".svg":
        return _in_svg(data)
    if path.suffix in (".html", ".htm", ".xhtml"):
        return _in_html(data)
    return _in_manifest(data)


def _in_svg(data: bytes) -> list[tuple[int, int, str]]:
    found = []
    parser = expat.ParserCreate()

    def element(name: str, attributes: Mapping[str, str]) -> None:
        assert name not in ("style", "script"), "no tree has these in an SVG: write a finder first"
        texts = {
            text
            for attribute, text in attributes.items()
            if attribute.rpartition(":")[2] == "href" and name != "a"
        }
        for attribute in attributes.values():
            texts.update(re.findall(r"url\(\s*[\"']?([^\"')]*)", attribute))
        tag = parser.CurrentByteIndex
        found.extend((data.index(text.encode(), tag), 0, text) for text in texts)

    parser.StartElementHandler = element
    parser.Parse(data, True)
    return found


class _Document(HTMLParser):
    """Collects what a document's tags fetch; its scripts and styles are not looked into."""

    _FETCHED = (("script", "src"), ("img", "src"), ("source", "src"))
    _LINKS = ("stylesheet", "icon", "manifest", "preload", "modulepreload")

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.found: list[tuple[int, int, str]] = []
        self._lines = [0, *(found.end() for found in re.finditer(b"\n", data))]
        self._data = data
        self.feed(data.decode("latin1"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert "srcset" not in given, "no tree has these: write a finder first"
        assert "style" not in given, "no tree has these: write a finder first"
        is_link = tag == "link" and given.get("rel") in self._LINKS
        for name, text in given.items():
            if text and ((tag, name) in self._FETCHED or (is_link and name == "href")):
                line, column = self.getpos()
                start = self._data.index(text.encode(), self._lines[line - 1] + column)
                self.found.append((start, 0, text))


def _in_html(data: bytes) -> list[tuple[int, int, str]]:
    return _Document(data).found


def _in_manifest(data: bytes) -> list[tuple[int, int, str]]:
    assert "icons" not in json.loads(data), "no tree has these: write a finder first"
    return []
