"""What a file says about another one: where it says it, and what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

# `scheme:` (RFC 3986 § 3.1) and `//host`: what names a place of its own.
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|\\\\|/\\|\\/")
# What a URL's reader leaves out, wherever it stands and at the ends (URL Standard § 4.4).
_IGNORED = re.compile(r"[\t\n\r]")
_STRIPPED = "".join(map(chr, range(0x21)))
# What stands for itself in every language that we rewrite, quoted or not.
_WRITTEN_AS_IS = "/-._~@"
_SUFFIX_AS_IS = _WRITTEN_AS_IS + "?#=&+%:!,;$*"


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference to a file.

    Attributes:
        start: first byte of what is replaced when the file gets another name: the path.
        stop: the byte after it; query and fragment come later and stay.
        path: what those bytes mean, with the language's escapes undone and percent-encoding left:
            relative (`../img/a%20b.png`) or root-relative (`/static/a.css`), never empty.
        line: where, counted from 1.
        suffix: query and fragment, ready to be written, where the language's escapes hide where
            they begin, so that `stop` is behind them; nearly always empty.
        own_origin: whether browsers want the file from the page's own origin, as they do a worker.
    """

    start: int
    stop: int
    path: str
    line: int
    suffix: str = ""
    own_origin: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a file says about others.

    Attributes:
        references: in the order of their bytes; they do not overlap.
        source_map: the reference in a source map comment, None when there is none.
        computed: of a module that imports what it computes (`import("./lang/" + name)`): what each
            such specifier begins with (`./lang/`), empty when nothing is known of it.
        broken: the line of the first syntax error, where nothing was looked for; None without.
        module: whether it is an ES module: it imports, exports or uses import.meta.
    """

    references: tuple[Reference, ...] = ()
    source_map: Reference | None = None
    computed: tuple[str, ...] = ()
    broken: int | None = None
    module: bool = False


class Lines:
    """Counts lines; asked for offsets that only grow, it reads a file once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0
        self._line = 1

    def at(self, offset: int) -> int:
        """Returns the line of an offset, from 1."""
        if offset < self._offset:
            self._offset, self._line = 0, 1
        self._line += self._data.count(b"\n", self._offset, offset)
        self._offset = offset
        return self._line


def made(
    data: bytes,
    start: int,
    stop: int,
    text: str,
    lines: Lines,
    *,
    own_origin: bool = False,
    escape: Callable[[str], str] = str,
) -> Reference | None:
    """Returns the reference that a piece of a file is, None when it names no file of the app.

    Left out are absolute URLs, `//host`, `data:` and other schemes, and what is only a query or
    fragment.

    Args:
        data: the file.
        start: where the URL begins, inside of any quotes.
        stop: the byte after it.
        text: what it means, with the language's escapes undone.
        lines: of the file.
        own_origin: see `Reference`.
        escape: writes a percent-encoded query and fragment as the language wants it.
    """
    text = _IGNORED.sub("", text).strip(_STRIPPED)
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    if not path or _ELSEWHERE.match(path):
        return None
    written = path.encode("utf-8", "surrogateescape")
    line = lines.at(start)
    if data[start : start + len(written)] == written and data[start:stop] == text.encode(
        "utf-8", "surrogateescape"
    ):
        return Reference(start, start + len(written), path, line, own_origin=own_origin)
    suffix = escape(quote(text[len(path) :], _SUFFIX_AS_IS, errors="replace"))
    return Reference(start, stop, path, line, suffix, own_origin)


@lru_cache(maxsize=16384)
def written(path: str) -> bytes:
    """Returns a path percent-encoded so that it means itself in every language, quoted or not."""
    return quote(path, _WRITTEN_AS_IS).encode()


def rewrite(data: bytes, edits: Iterable[tuple[Reference, bytes]]) -> bytes:
    """Returns the file with other paths in place of references, every other byte the same.

    Args:
        data: the file.
        edits: references in the order of their bytes, and what is written for the path.
    """
    pieces = []
    position = 0
    for reference, path in edits:
        pieces += [data[position : reference.start], path, reference.suffix.encode()]
        position = reference.stop
    pieces.append(data[position:])
    return b"".join(pieces)
