"""References in HTML and SVG: what a browser fetches to show the document, never links to pages.

A tokenizer of bytes, so that offsets are exact. Sources: HTML § 13.2.5 (tokens), § 13.2.6.5 (SVG
inside of HTML), § 4.2.4 (`link`), § 4.8.4.2 (`srcset`), § 4.12.1 (which scripts are JavaScript);
SVG 2 § 13 (paint), § 16 (links); XML 1.0; "Associating Style Sheets with XML documents".

A document with `<base href>` or `xml:base` has no references here: it names files by another place.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Flag, auto
from html.entities import html5

from . import css, javascript
from .reference import Found, Lines, Reference, made

# -- what is a reference

_URLS = {
    b"audio": (b"src",),
    b"body": (b"background",),
    b"embed": (b"src",),
    b"img": (b"src",),
    b"input": (b"src",),
    b"link": (b"href",),
    b"object": (b"data",),
    b"script": (b"src",),
    b"source": (b"src",),
    b"track": (b"src",),
    b"video": (b"src", b"poster"),
    b"?xml-stylesheet": (b"href",),
}
_SOURCE_SETS = {b"img": b"srcset", b"link": b"imagesrcset", b"source": b"srcset"}
# Others name pages (`alternate`, `canonical`, `next`) or hosts (`dns-prefetch`, `preconnect`).
_FETCHED = frozenset(
    {
        b"apple-touch-icon",
        b"apple-touch-icon-precomposed",
        b"apple-touch-startup-image",
        b"icon",
        b"manifest",
        b"mask-icon",
        b"modulepreload",
        b"prefetch",
        b"preload",
        b"stylesheet",
    }
)
# Also the empty type; any other makes a block of data, whose `src` is not fetched either.
_JAVASCRIPT = re.compile(
    rb"|module|(?:application|text)/(?:x-)?(?:java|ecma)script"
    rb"|text/(?:javascript1\.[0-5]|jscript|livescript)",
    re.IGNORECASE,
)
_CSS = re.compile(rb"|text/css", re.IGNORECASE)

# SVG elements whose `href` names a file, and those whose `href` names a part of another document:
# browsers take parts from the page's own origin only (SVG 2, "Processing of URL references").
_SVG_FILES = frozenset({b"cursor", b"feimage", b"font-face-uri", b"image", b"script"})
_SVG_PARTS = frozenset(
    {
        b"filter",
        b"lineargradient",
        b"mpath",
        b"pattern",
        b"radialgradient",
        b"textpath",
        b"tref",
        b"use",
    }
)
_SVG_PAINT = frozenset(
    {
        b"clip-path",
        b"fill",
        b"filter",
        b"marker",
        b"marker-end",
        b"marker-mid",
        b"marker-start",
        b"mask",
        b"stroke",
    }
)
# An SVG file without any of these needs no reading: that is nearly every icon.
_SVG_HINTS = (b"href", b"url(", b"style", b"script", b"src", b"foreignObject")

# -- how it is written

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SPACE = rb"[\t\n\f\r ]"
_TAG = rb"(?P<close>/?)(?P<name>[A-Za-z][^\t\n\f\r />]*%b)"
_NO_TAG = rb"!--(?:-?>|.*?(?:--!?>|\Z))|(?P<cdata>!\[CDATA\[)"
_HTML = re.compile(rb"<(?:%b|%b|[!?/][^>]*)" % (_TAG % b"", _NO_TAG), re.DOTALL)
# A style sheet's instruction has attributes as a tag has: its `?>` ends it as `/>` does.
_XML = re.compile(
    rb"<(?:%b|%b|\?.*?(?:\?>|\Z)|!DOCTYPE[^\[>]*(?:\[.*?(?:\]%b*>|\Z)|>|\Z))"
    % (_TAG % rb"|\?xml-stylesheet(?=%b)" % _SPACE, _NO_TAG, _SPACE),
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    rb"[\t\n\f\r /]*([^\t\n\f\r />][^\t\n\f\r />=]*)"
    rb"(?:%b*=%b*(?:\"([^\"]*)(?:\"|\Z)|'([^']*)(?:'|\Z)|([^\t\n\f\r >]*)))?" % (_SPACE, _SPACE)
)
_TAG_END = re.compile(rb"[\t\n\f\r /]*>")

# Elements whose content is text: whatever looks like a tag in it is none.
_TEXT_ENDS = {
    name: re.compile(rb"</%b(?=[\t\n\f\r />])" % name, re.IGNORECASE)
    for name in (b"iframe", b"noembed", b"noframes", b"style", b"textarea", b"title", b"xmp")
}
_SCRIPT_STEP = re.compile(rb"<!--|-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE)
_FOREIGN_STEP = re.compile(
    rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|</(?:[^\t\n\f\r />:]*:)?(script|style)%b*>"
    % _SPACE,
    re.DOTALL | re.IGNORECASE,
)


class _Language(Flag):
    """What an element belongs to, which says what its attributes and its text mean."""

    HTML = auto()
    SVG = auto()
    MATHML = auto()
    # In a file of SVG, XHTML is told by a namespace, which nobody gives to elements of SVG.
    EITHER = HTML | SVG


_FOREIGN = {b"svg": _Language.SVG, b"math": _Language.MATHML}
# Elements of the foreign languages that hold HTML.
_HOLDS_HTML = {
    _Language.SVG: frozenset({b"foreignobject", b"desc", b"title"}),
    _Language.MATHML: frozenset({b"mi", b"mn", b"mo", b"ms", b"mtext"}),
}
# HTML elements whose tags end a foreign one when somebody forgot to.
_ENDS_FOREIGN = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img "
    b"li listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul "
    b"var".split()
)

# An attribute's `&copy` without a semicolon stays when `=` or a letter comes next. Numbers and
# `&quot` without one are left alone: they could end where a path begins, and run into a new one.
_CHARACTER = (
    rb"&(?P<character>#[0-9]+;|#[xX][0-9A-Fa-f]+;"
    rb"|(?!(?:quot|QUOT)(?!;))[A-Za-z0-9]+(?:;|(?![A-Za-z0-9=])))"
)
_IN_VALUE = re.compile(_CHARACTER)
_IN_CONTENT = re.compile(
    rb"%b|<!\[CDATA\[(?P<literal>.*?)(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*>?" % _CHARACTER,
    re.DOTALL,
)
_MARKUP = re.compile(rb"[<>]")
# The URL ends before a comma at its end; parentheses keep commas in descriptors together.
_CANDIDATE = re.compile(
    rb"([^\t\n\f\r ,](?:[^\t\n\f\r ]*[^\t\n\f\r ,])?)(?:,+|(?:\([^)]*\)?|[^(,])*)"
)
# What URLs lose at both ends, as the URL standard has it: control characters and spaces.
_AROUND_URLS = bytes(range(33))


def find_html(data: bytes) -> Found:
    """Returns what an HTML document and its own styles and scripts fetch."""
    return _found(data, _HtmlTree())


def find_svg(data: bytes) -> Found:
    """Returns what an SVG file and its own styles and scripts fetch."""
    if not any(hint in data for hint in _SVG_HINTS):
        return Found()
    return _found(data, _XmlTree())


def _found(data: bytes, tree: _Tree) -> Found:
    if data.startswith(_UTF_16):  # served as UTF-8, it shows nothing anyway
        return Found()
    search = _Search(data)
    for tag in _tags(data, tree):
        if _is_base(tag):
            return Found()
        search.look_at(tag)
    return search.found()


# -- tags


class _XmlTree:
    """A file of SVG, whose elements may have prefixes."""

    markup = _XML
    language = _Language.EITHER

    def name(self, written: bytes) -> bytes:
        return written.lower().rpartition(b":")[2]

    def enter(self, _name: bytes) -> _Language:
        return self.language

    def leave(self, _name: bytes) -> None:
        pass


class _HtmlTree:
    """An HTML document: of its open elements, those that change the language."""

    markup = _HTML

    def __init__(self) -> None:
        self._open: list[tuple[bytes, _Language]] = []

    @property
    def language(self) -> _Language:
        """What the next element belongs to, unless it says otherwise."""
        return self._open[-1][1] if self._open else _Language.HTML

    def name(self, written: bytes) -> bytes:
        return written.lower()

    def enter(self, name: bytes) -> _Language:
        """Takes a start tag; returns what the element belongs to."""
        self._break_out(name)
        language = self.language
        if language is _Language.HTML:
            language = _FOREIGN.get(name, language)
        if name in _FOREIGN:
            self._open.append((name, language))
        elif name in _HOLDS_HTML.get(language, ()):
            self._open.append((name, _Language.HTML))
        return language

    def leave(self, name: bytes) -> None:
        """Takes an end tag."""
        self._break_out(name)
        if any(name == opened for opened, _ in self._open):
            while self._open.pop()[0] != name:
                pass

    def _break_out(self, name: bytes) -> None:
        while name in _ENDS_FOREIGN and self.language is not _Language.HTML:
            self._open.pop()


_Tree = _XmlTree | _HtmlTree


@dataclass(frozen=True, slots=True)
class _Tag:
    """A start tag, and what it is the start of.

    Attributes:
        data: the document.
        name: of the element, in lower case.
        attributes: by name in lower case, where the value begins and ends; the first of each name.
        language: what it belongs to.
        content: where the text of a style or script begins and ends.
    """

    data: bytes
    name: bytes
    attributes: Mapping[bytes, tuple[int, int]]
    language: _Language
    content: tuple[int, int]

    @property
    def is_html(self) -> bool:
        return _Language.HTML in self.language

    @property
    def is_svg(self) -> bool:
        return _Language.SVG in self.language

    def value(self, attribute: bytes) -> bytes:
        """Returns an attribute as it is written, empty without it."""
        start, stop = self.attributes.get(attribute, (0, 0))
        return self.data[start:stop].strip()


def _tags(data: bytes, tree: _Tree) -> Iterator[_Tag]:
    position = 0
    while markup := tree.markup.search(data, position):
        position = markup.end()
        if markup["cdata"]:
            end_of_cdata = b">" if tree.language is _Language.HTML else b"]]>"
            position = _after(end_of_cdata, data, position)
        elif markup["name"]:
            attributes, end = _attributes(data, position)
            if not end:  # a tag that the end of the file cuts off is none
                return
            position = end.end()
            if markup["close"]:
                tree.leave(tree.name(markup["name"]))
            else:
                tag = _tag(data, tree, tree.name(markup["name"]), attributes, end)
                yield tag
                position = tag.content[1]


def _after(end: bytes, data: bytes, position: int) -> int:
    found = data.find(end, position)
    return len(data) if found < 0 else found + len(end)


def _attributes(
    data: bytes, position: int
) -> tuple[dict[bytes, tuple[int, int]], re.Match[bytes] | None]:
    attributes: dict[bytes, tuple[int, int]] = {}
    while found := _ATTRIBUTE.match(data, position):
        position = found.end()
        group = found.lastindex or 1
        value = found.span(group) if group > 1 else (position, position)
        attributes.setdefault(found[1].lower(), value)
    return attributes, _TAG_END.match(data, position)


def _tag(
    data: bytes,
    tree: _Tree,
    name: bytes,
    attributes: Mapping[bytes, tuple[int, int]],
    end: re.Match[bytes],
) -> _Tag:
    start = stop = end.end()
    language = tree.enter(name)
    if language is _Language.HTML:
        stop = _end_of_text(data, start, name)
    elif end[0].endswith(b"/>"):
        tree.leave(name)
    elif name in (b"script", b"style"):
        stop = _end_of_foreign_text(data, start, name)
    return _Tag(data, name, attributes, language, (start, stop))


def _end_of_text(data: bytes, start: int, name: bytes) -> int:
    """Returns where the text of an HTML element ends: at once, unless it can hold no tags."""
    if name == b"script":
        return _end_of_script(data, start)
    if name == b"plaintext":
        return len(data)
    if name not in _TEXT_ENDS:
        return start
    end = _TEXT_ENDS[name].search(data, start)
    return end.start() if end else len(data)


def _end_of_script(data: bytes, position: int) -> int:
    """Returns where a script ends: not at a `</script>` that ends a `<script>` in a `<!--`."""
    depth = 0  # 1: in a comment; 2: in a script in it
    while step := _SCRIPT_STEP.search(data, position):
        position = step.end()
        if step[0] == b"<!--":
            depth = depth or 1
            position -= 2  # `<!-->` ends it with the hyphens that it began with
        elif step[0] == b"-->":
            depth = 0
        elif not step[1]:
            depth *= 2
        elif depth < 2:
            return step.start()
        else:
            depth = 1
    return len(data)


def _end_of_foreign_text(data: bytes, start: int, name: bytes) -> int:
    for step in _FOREIGN_STEP.finditer(data, start):
        if step[1] and step[1].lower() == name:
            return step.start()
    return len(data)


# -- text


@dataclass(frozen=True, slots=True)
class _Text:
    """Text as it is meant, and where in the document each of its bytes, and the end, stand."""

    data: bytes
    offsets: Sequence[int]


def _meant(data: bytes, span: tuple[int, int], pieces: re.Pattern[bytes]) -> _Text:
    """Returns what a part of the document means.

    Args:
        data: the document.
        span: where the part begins and ends.
        pieces: what does not mean itself: `_IN_VALUE` or `_IN_CONTENT`.
    """
    text: list[bytes] = []
    offsets: list[int] = []
    position, stop = span
    for piece in pieces.finditer(data, position, stop):
        text.append(data[position : piece.start()])
        offsets += range(position, piece.start())
        means, origin = _meaning(piece)
        text.append(means)
        offsets += origin
        position = piece.end()
    text.append(data[position:stop])
    return _Text(b"".join(text), [*offsets, *range(position, stop + 1)])


def _meaning(piece: re.Match[bytes]) -> tuple[bytes, Sequence[int]]:
    """Returns what a piece of markup in text means, and where each byte of that comes from."""
    if piece.lastgroup == "literal":
        return piece["literal"], range(*piece.span("literal"))
    if piece.lastgroup == "character":
        if means := _character(piece["character"].decode()).encode():
            return means, [piece.start()] * len(means)
        return piece[0], range(*piece.span())  # unknown, so it means itself
    return b"", ()


def _character(name: str) -> str:
    return html.unescape(f"&{name}") if name.startswith("#") else html5.get(name, "")


def _escaped(suffix: str) -> str:
    return suffix.replace("&", "&amp;")


# -- references


def _is_base(tag: _Tag) -> bool:
    return bool(tag.value(b"xml:base") or (tag.name == b"base" and tag.value(b"href")))


def _is_fetched(tag: _Tag) -> bool:
    """Whether the kind of link, script or input is one that loads a file."""
    if tag.name == b"link":
        return not _FETCHED.isdisjoint(tag.value(b"rel").lower().split())
    if tag.name == b"input":
        return tag.value(b"type").lower() == b"image"
    return tag.name != b"script" or _is_javascript(tag)


def _is_javascript(tag: _Tag) -> bool:
    language = tag.value(b"language")
    kind = b"text/" + language if language and b"type" not in tag.attributes else tag.value(b"type")
    return bool(_JAVASCRIPT.fullmatch(kind))


def _is_href(name: bytes) -> bool:
    # Whatever prefix a file has for XLink: it is `xlink`, `xl`, or `ns1`.
    return name == b"href" or name.endswith(b":href")


def _is_url(tag: _Tag, name: bytes) -> bool:
    if tag.is_svg and tag.name in _SVG_FILES and _is_href(name):
        return True
    return tag.is_html and name in _URLS.get(tag.name, ())


_Find = Callable[[bytes, int, "int | None"], Found]


def _language_of(tag: _Tag) -> _Find | None:
    """Returns what finds references in the text of a style or script, None in any other's."""
    if tag.language is _Language.MATHML:
        return None
    if tag.name == b"style" and _CSS.fullmatch(tag.value(b"type")):
        return css.find
    if tag.name == b"script" and _is_javascript(tag) and not _has_file(tag):
        return javascript.find
    return None


def _has_file(tag: _Tag) -> bool:
    return any(_is_url(tag, name) for name in tag.attributes)


class _Search:
    """Collects what the tags of a document refer to, in their order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._lines = Lines(data)
        self._references: list[Reference] = []
        self._computed: dict[str, None] = {}
        self._broken: int | None = None

    def found(self) -> Found:
        """Returns what was found."""
        return Found(tuple(self._references), computed=tuple(self._computed), broken=self._broken)

    def look_at(self, tag: _Tag) -> None:
        """Takes what a tag and its text refer to."""
        for name, span in tag.attributes.items():
            self._attribute(tag, name, span)
        if tag.content[0] < tag.content[1]:
            self._content(tag)

    def _attribute(self, tag: _Tag, name: bytes, span: tuple[int, int]) -> None:
        if name == b"style" or (tag.is_svg and name == b"cursor"):
            self._style(span)
        elif tag.is_svg and name in _SVG_PAINT:
            self._style(span, own_origin=True)
        elif tag.is_svg and tag.name in _SVG_PARTS and _is_href(name):
            self._url(span, own_origin=True)
        elif _is_url(tag, name) and _is_fetched(tag):
            # Without `crossorigin`, browsers take text tracks from the page's own origin only.
            self._url(span, own_origin=tag.name == b"track")
        elif tag.is_html and name == _SOURCE_SETS.get(tag.name) and _is_fetched(tag):
            self._source_set(span)

    def _url(self, span: tuple[int, int], *, own_origin: bool) -> None:
        text = _meant(self._data, span, _IN_VALUE)
        start = len(text.data) - len(text.data.lstrip(_AROUND_URLS))
        self._make(text, start, len(text.data.rstrip(_AROUND_URLS)), own_origin=own_origin)

    def _source_set(self, span: tuple[int, int]) -> None:
        text = _meant(self._data, span, _IN_VALUE)
        for candidate in _CANDIDATE.finditer(text.data):
            self._make(text, *candidate.span(1), own_origin=False)

    def _make(self, text: _Text, start: int, stop: int, *, own_origin: bool) -> None:
        url = text.data[start:stop].translate(None, b"\t\n\r").decode("utf-8", "surrogateescape")
        reference = made(
            self._data,
            text.offsets[start],
            text.offsets[stop],
            url,
            self._lines,
            own_origin=own_origin,
            escape=_escaped,
        )
        if reference:
            self._references.append(reference)

    def _style(self, span: tuple[int, int], *, own_origin: bool = False) -> None:
        if b"(" not in self._data[slice(*span)]:  # then nothing in it can be a URL
            return
        found = self._in_markup(css.find, span, _IN_VALUE)
        self._references += (
            replace(reference, own_origin=reference.own_origin or own_origin)
            for reference in found.references
        )

    def _content(self, tag: _Tag) -> None:
        find = _language_of(tag)
        if not find:
            return
        if tag.language is _Language.HTML:
            found = find(self._data, *tag.content)
        else:
            found = self._in_markup(find, tag.content, _IN_CONTENT)
        self._references += found.references
        self._computed.update(dict.fromkeys(found.computed))
        self._broken = self._broken or found.broken

    def _in_markup(self, find: _Find, span: tuple[int, int], pieces: re.Pattern[bytes]) -> Found:
        """Returns what is found in what a part of the document means, placed where it stands."""
        text = _meant(self._data, span, pieces)
        found = find(text.data, 0, None)
        placed = (self._placed(reference, text) for reference in found.references)
        broken = self._lines.at(span[0]) if found.broken else None
        return replace(found, references=tuple(filter(None, placed)), broken=broken)

    def _placed(self, reference: Reference, text: _Text) -> Reference | None:
        start, stop = text.offsets[reference.start], text.offsets[reference.stop]
        # Markup in the middle of a URL must stay, and what a suffix has to look like depends on
        # what is around it: too rare to be told apart.
        if "&" in reference.suffix or _MARKUP.search(self._data, start, stop):
            return None
        return replace(reference, start=start, stop=stop, line=self._lines.at(start))
