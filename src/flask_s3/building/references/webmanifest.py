"""References in a web app manifest: its images.

Sources: W3C Web Application Manifest and its App Information supplement (`icons`, `screenshots`,
`shortcuts`); WICG File Handling (`file_handlers`); RFC 8259 (JSON). What names a page (`start_url`,
`scope`, `id`, a shortcut's `url`, `share_target`, `protocol_handlers`) is none of an app's files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from .reference import Found, Lines, Reference, made

# In JSON, quotes inside of strings are escaped, so these tokens need no others between them.
_TOKEN = re.compile(rb'("(?:[^"\\]|\\.)*")([ \t\n\r]*:)?|[\[\]{}]')
_BOM = b"\xef\xbb\xbf"
# What URLs lose at both ends, as the URL standard has it: control characters and spaces.
_AROUND_URLS = "".join(map(chr, range(33)))

_IMAGES = (b"[", b'"src"')
# The way from the top: names of members as they are written, `[` for any item of a list.
_WAYS = frozenset(
    {
        (b'"icons"', *_IMAGES),
        (b'"screenshots"', *_IMAGES),
        (b'"shortcuts"', b"[", b'"icons"', *_IMAGES),
        (b'"file_handlers"', b"[", b'"icons"', *_IMAGES),
    }
)


def find(data: bytes) -> Found:
    """Returns the images that a web app manifest names; nothing for JSON of another shape."""
    text = data.removeprefix(_BOM).decode("utf-8", "surrogateescape")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return Found(broken=error.lineno)
    except (ValueError, RecursionError):  # numbers and nesting without end: no manifest
        return Found()
    lines = Lines(data)
    found = (_reference(data, start, stop, lines) for start, stop in _images(data))
    return Found(tuple(reference for reference in found if reference))


def _images(data: bytes) -> Iterator[tuple[int, int]]:
    """Yields where the values at `_WAYS` begin and end, with their quotes."""
    way: list[bytes] = []
    for token in _TOKEN.finditer(data):
        if token[0] in b"[{":
            way.append(token[0])
        elif token[0] in b"]}":
            way.pop()
        elif token[2]:
            way[-1] = token[1]
        elif tuple(way) in _WAYS:
            yield token.span(1)


def _reference(data: bytes, start: int, stop: int, lines: Lines) -> Reference | None:
    text: str = json.loads(data[start:stop].decode("utf-8", "surrogateescape"))
    return made(data, start + 1, stop - 1, text.strip(_AROUND_URLS), lines)
