"""References in CSS: `url()`, `src()`, `@import`, `image-set()`, and the source map comment.

A tokenizer of what matters here; it never fails, as CSS knows no error that ends a file. Sources:
CSS Syntax 3 § 4 (tokens and escapes), CSS Values 4 (`url()`, `src()`), CSS Images 4 (strings in
`image-set()` and `image()` are URLs; `cross-fade()` takes none), CSS Cascading 5 (`@import`),
ECMA-426 § 11.1.2 (source map comments), URL Standard (spaces around a URL are not part of it).
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from operator import attrgetter

from .reference import Found, Lines, Reference, made

# Without one of these, in any capitals, there is nothing to find, unless escapes hide it.
_WORDS = (b"url", b"src(", b"import", b"image")
_STRINGS_ARE_URLS = frozenset({"image", "image-set", "-webkit-image-set"})
# At-rules in whose preludes a URL is a name or a condition, which no browser fetches.
_FETCHES_NOTHING = frozenset({"namespace", "document", "-moz-document", "supports"})

# NUL means U+FFFD, which may stand in a name like everything that is not ASCII.
_NAME_BYTES = (string.ascii_letters + string.digits + "-_\0").encode() + bytes(range(128, 256))
_LONGEST_NAME = len("-webkit-image-set")
# C0 controls and space.
_AROUND_A_URL = "".join(map(chr, range(33)))

# Whatever is repeated below, nothing is asked for behind it: no pattern can backtrack.
_ESCAPED = rb"(?:[0-9a-f]{1,6}(?:\r\n|[ \t\n\r\f])?|[^0-9a-f\n\r\f])"
_IN_NAME = rb"[-\w\0\x80-\xff]*(?:\\%b[-\w\0\x80-\xff]*)*" % _ESCAPED
# The class of first bytes is in front because the engine skips to it, three times as fast as it
# tries alternatives; names are looked at behind their parenthesis because letters are everywhere.
_TOKEN = rb"""["'/\\@(%b](?:(?<=["'%b])|(?<=/)\*|(?<=@)%b|(?<=\\)%b|(?<=\()%b)"""


def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.IGNORECASE)


def _tokens(also: bytes, opening: bytes) -> re.Pattern[bytes]:
    return _compiled(_TOKEN % (also, also, _IN_NAME, _ESCAPED + _IN_NAME, opening))


_OUTSIDE = _tokens(b"", rb"(?<=url\(|src\(|set\(|age\()")
_INSIDE = _tokens(b");{}", b"")
_SPACES = _compiled(rb"[ \t\n\r\f]*")
_STRING = rb"[^%b\\\n\r\f]*(?:\\(?:%b|\r\n|[\n\r\f]|\Z)[^%b\\\n\r\f]*)*"
_IN_STRING = {quote: _compiled(_STRING % (quote, _ESCAPED, quote)) for quote in (b'"', b"'")}
_PLAIN = rb"""[^\x01-\x08\x0b\x0e-\x1f\x7f"'()\\ \t\n\r\f]*"""
_IN_URL = _compiled(rb"%b(?:\\%b%b)*" % (_PLAIN, _ESCAPED, _PLAIN))
_IN_BAD_URL = _compiled(rb"[^)\\]*(?:\\[\s\S]?[^)\\]*)*")
_SOURCE_MAP = re.compile(rb"[#@]\s*sourceMappingURL=(\S*?)\s*")
_ESCAPE = re.compile(
    r"\\(?:([0-9a-f]{1,6})(?:\r\n|[ \t\n\r\f])?|(?:\r\n|[\n\r\f])|([\s\S])|\Z)", re.IGNORECASE
)


def find(data: bytes, start: int = 0, stop: int | None = None) -> Found:
    """Returns the references of a style sheet.

    Args:
        data: the file.
        start: where the style sheet begins in it: in HTML and SVG it is a part.
        stop: the byte after it.
    """
    text = data[start:stop]
    return _Sheet(data, start, text).read() if _may_refer(text) else Found()


def _may_refer(text: bytes) -> bool:
    lower = text.lower()
    return b"\\" in text or any(word in lower for word in _WORDS)


class _Sheet:
    """Reads a style sheet, from each token that matters to the next."""

    def __init__(self, data: bytes, start: int, text: bytes) -> None:
        self._data = data
        self._start = start
        self._text = text
        self._lines = Lines(data)
        self._position = 0
        # How many parentheses are open: from the one of `image-set()` on, elsewhere it stays 0.
        self._depth = 0
        # Whether browsers fetch what is named here.
        self._fetches = True
        self._references: list[Reference] = []
        self._source_map: tuple[int, int] | None = None
        self._broken: int | None = None

    def read(self) -> Found:
        while token := self._next():
            self._position = token.end()
            self._pass(token)
        source_map = self._made(*self._source_map, _decoded) if self._source_map else None
        found = [*self._references, source_map] if source_map else self._references
        in_order = tuple(sorted(found, key=attrgetter("start")))
        return Found(in_order, source_map, broken=self._broken)

    def _next(self) -> re.Match[bytes] | None:
        tokens = _INSIDE if self._depth or not self._fetches else _OUTSIDE
        return tokens.search(self._text, self._position)

    def _pass(self, token: re.Match[bytes]) -> None:
        match token[0][:1]:
            case b'"' | b"'":
                self._string_anywhere()
            case b"/":
                self._comment()
            case b"@":
                self._at_rule(_meaning(token[0][1:]).lower())
            case b"(":
                self._function(self._name(token.start(), b""))
            case b"\\":
                self._escaped_name(token)
            case b")":
                self._depth = max(self._depth - 1, 0)
            case _:
                # Whatever is still open here was never closed: better to look no further.
                self._depth = 0
                self._fetches = True

    def _string_anywhere(self) -> None:
        if self._depth == 1:
            self._refer(self._position, self._string())
        else:
            self._string()

    def _comment(self) -> None:
        end = self._text.find(b"*/", self._position)
        stop = end if end >= 0 else len(self._text)
        if match := _SOURCE_MAP.fullmatch(self._text, self._position, stop):
            self._source_map = match.span(1)
        self._position = stop + 2

    def _at_rule(self, name: str) -> None:
        if name in _FETCHES_NOTHING:
            self._fetches = False
        if self._opens():
            # Passed here since `@\75rl(` ends like a function; it is none of that name.
            self._function("")
        elif name == "import":
            self._spaces_and_comments()
            self._quoted()

    def _escaped_name(self, token: re.Match[bytes]) -> None:
        if self._opens():
            self._function(self._name(token.start(), token[0]))

    def _opens(self) -> bool:
        """Passes a parenthesis if one comes next; returns whether."""
        opens = self._text.startswith(b"(", self._position)
        self._position += opens
        return opens

    def _name(self, stop: int, rest: bytes) -> str:
        """Returns the name whose beginning ends at `stop`, "" for `#name`."""
        before = self._text[max(stop - _LONGEST_NAME - 1, 0) : stop]
        outside = before.rstrip(_NAME_BYTES)
        if outside.endswith(b"#"):
            return ""
        return _meaning(before[len(outside) :] + rest).lower()

    def _function(self, name: str) -> None:
        if self._depth or name in _STRINGS_ARE_URLS:
            self._depth += 1
        if name == "src":
            self._spaces_and_comments()
            self._quoted()
        elif name == "url":
            # A comment is none here: `url(/*` is how an unquoted URL begins.
            self._skip(_SPACES)
            if not self._quoted():
                self._unquoted()

    def _spaces_and_comments(self) -> None:
        self._skip(_SPACES)
        while self._text.startswith(b"/*", self._position):
            self._position += 2
            self._comment()
            self._skip(_SPACES)

    def _quoted(self) -> bool:
        """Takes the string that comes next as a URL; returns whether one does."""
        quoted = self._text.startswith((b'"', b"'"), self._position)
        if quoted:
            self._position += 1
            self._refer(self._position, self._string())
        return quoted

    def _unquoted(self) -> None:
        """Takes what comes next as a URL, up to the parenthesis that closes it."""
        start = self._position
        stop = self._skip(_IN_URL)
        if self._skip(_SPACES) < len(self._text) and not self._text.startswith(
            b")", self._position
        ):
            self._skip(_IN_BAD_URL)
            self._refer(start, None)
        else:
            self._refer(start, stop)

    def _string(self) -> int | None:
        """Passes the string behind a quote; returns its end, None when a newline breaks it off."""
        quote = self._text[self._position - 1 : self._position]
        stop = self._skip(_IN_STRING[quote])
        self._position += 1
        return stop if stop == len(self._text) or self._text.startswith(quote, stop) else None

    def _skip(self, pattern: re.Pattern[bytes]) -> int:
        """Passes what a pattern matches, which may be nothing; returns the byte after it."""
        match = pattern.match(self._text, self._position)
        self._position = match.end() if match else self._position
        return self._position

    def _refer(self, start: int, stop: int | None) -> None:
        """Takes a URL down; without an end, that it is broken."""
        if not self._fetches:
            return
        if stop is None:
            self._broken = self._broken or self._lines.at(self._start + start)
        elif reference := self._made(start, stop, _meaning):
            self._references.append(reference)

    def _made(self, start: int, stop: int, meaning: Callable[[bytes], str]) -> Reference | None:
        text = meaning(self._text[start:stop]).strip(_AROUND_A_URL)
        return made(self._data, self._start + start, self._start + stop, text, self._lines)


def _decoded(written: bytes) -> str:
    return written.decode("utf-8", "surrogateescape").replace("\0", "\ufffd")


def _meaning(written: bytes) -> str:
    """Returns what a name or a URL means, with escapes undone."""
    return _ESCAPE.sub(_unescaped, _decoded(written))


def _unescaped(escape: re.Match[str]) -> str:
    """Returns the character that is meant; an escaped newline, or the end, is none."""
    digits, character = escape.groups("")
    return _character(int(digits, 16)) if digits else character


def _character(code: int) -> str:
    surrogate = 0xD800 <= code <= 0xDFFF
    return "\ufffd" if code == 0 or surrogate or code > 0x10FFFF else chr(code)
