"""Source maps that stay right when texts of their generated file get longer or shorter.

Source: ECMA-426 ("Mappings structure", "base64 VLQ", "Index source map"). The draft field `scopes`
is left as it is.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from operator import attrgetter
from typing import NamedTuple

from .reference import Reference

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BOM = b"\xef\xbb\xbf"

# A quote inside of a JSON string has a backslash before it. So in valid JSON, the first quote of
# these opens a string, which holds that word and no more, and the colon makes it a member's name.
_MAPPINGS = re.compile(rb'((?<!\\)"mappings"[ \t\n\r]*:[ \t\n\r]*")([^"]*)')
_OFFSET = re.compile(rb'((?<!\\)"offset"[ \t\n\r]*:[ \t\n\r]*)(\{[^{}]*\})')
_COLUMN = re.compile(rb'("column"[ \t\n\r]*:[ \t\n\r]*)[0-9]+')
# Of each segment the first field: its column, counted from the segment before. The other fields
# count from the one before as well, but do not depend on columns, so their text stays.
_FIRST_FIELD = re.compile(rb"(?:\A|,)([g-z0-9+/]*[A-Za-f])")


@dataclass(frozen=True, slots=True)
class Edit:
    """A text on one line of the generated file that got longer or shorter.

    Attributes:
        line: counted from 0.
        column: where the replaced text ends in the file as it was, in UTF-16 units from 0.
        delta: by how many UTF-16 units the new text is longer.
    """

    line: int
    column: int
    delta: int


def edits_of(data: bytes, changes: Iterable[tuple[Reference, bytes]]) -> tuple[Edit, ...]:
    r"""Returns what the changes do to the columns of a file.

    Lines end with `\n` or `\r\n`, as in Babel, Terser, Rollup and webpack. ECMA-426 does not say
    whether a lone `\r`, U+2028 and U+2029 end lines too, and generators differ.

    Args:
        data: the file as it was.
        changes: as `rewrite` takes them; each within one line.
    """
    edits = []
    line = column = 0
    position = len(_BOM) if data.startswith(_BOM) else 0  # which no reader counts
    for reference, path in changes:
        if breaks := data.count(b"\n", position, reference.stop):
            line += breaks
            column, position = 0, data.rfind(b"\n", 0, reference.stop) + 1
        column += _units(data[position : reference.stop])
        position = reference.stop
        new = _units(path) + len(reference.suffix)
        edits.append(Edit(line, column, new - _units(data[reference.start : reference.stop])))
    return tuple(edits)


def _units(text: bytes) -> int:
    return len(text.decode("utf-8", "replace").encode("utf-16-le")) // 2


def shift(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Returns a source map that fits the edited file; a broken one as it is.

    Only columns in `mappings` change, and in an index those in `offset`.

    Args:
        data: the source map of the file as it was, or an index of source maps.
        edits: of the file, in the order of their positions.
    """
    lines = {line: _Columns(group) for line, group in groupby(edits, attrgetter("line"))}
    try:
        return _shifted(data, lines)
    except (ValueError, RecursionError):
        return data


class _Columns:
    """Where the columns of one line are after its edits.

    What begins inside of a replaced text stays there, at most at the end of the new one, so that
    segments keep their order.
    """

    def __init__(self, edits: Iterable[Edit]) -> None:
        edits = list(edits)
        self._ends = [edit.column for edit in edits]
        self._shifts = list(accumulate((edit.delta for edit in edits), initial=0))

    def after(self, column: int) -> int:
        passed = bisect_right(self._ends, column)
        moved = column + self._shifts[passed]
        if passed == len(self._ends):
            return moved
        return min(moved, self._ends[passed] + self._shifts[passed + 1])


_UNEDITED = _Columns(())


class _Section(NamedTuple):
    """One source map, and where in the generated file it begins to count."""

    line: int
    column: int
    mappings: str


def _shifted(data: bytes, lines: Mapping[int, _Columns]) -> bytes:
    source_map = json.loads(data)
    sections = _sections(source_map)
    texts = [_plain(found[2]) for found in _MAPPINGS.finditer(data)]
    if texts != [section.mappings.encode() for section in sections]:
        raise ValueError("members of this name stand elsewhere too, or are written with escapes")
    mappings = iter([_mappings(section, lines) for section in sections])
    if "sections" in source_map:
        data = _with_offsets(data, sections, lines)
    return _MAPPINGS.sub(lambda found: found[1] + next(mappings), data)


def _plain(text: bytes) -> bytes:
    # PHP's json_encode, for one, escapes the slash, which is a digit in base64.
    return text.replace(rb"\/", b"/")


def _sections(source_map: object) -> list[_Section]:
    match source_map:
        case {"sections": [*sections]}:
            return [_section(section) for section in sections]
        case {"mappings": str(mappings)}:
            return [_Section(0, 0, mappings)]
    raise ValueError("not a source map")


def _section(section: object) -> _Section:
    match section:
        case {
            "offset": {"line": int(line), "column": int(column)},
            "map": {"mappings": str(mappings)},
        }:
            return _Section(line, column, mappings)
    raise ValueError("not a section of an index of source maps")


def _with_offsets(
    data: bytes, sections: Sequence[_Section], lines: Mapping[int, _Columns]
) -> bytes:
    offsets = [json.loads(found[2]) for found in _OFFSET.finditer(data)]
    if [(offset.get("line"), offset.get("column")) for offset in offsets] != [
        (section.line, section.column) for section in sections
    ]:
        raise ValueError("members of this name stand elsewhere too")
    columns = iter([lines.get(line, _UNEDITED).after(column) for line, column, _ in sections])
    return _OFFSET.sub(
        lambda found: found[1] + _COLUMN.sub(rb"\g<1>%d" % next(columns), found[2]), data
    )


def _mappings(section: _Section, lines: Mapping[int, _Columns]) -> bytes:
    rows = section.mappings.encode().split(b";")
    for line, columns in lines.items():
        row = line - section.line
        if 0 <= row < len(rows) and rows[row]:
            rows[row] = _row(rows[row], columns, 0 if row else section.column)
    return b";".join(rows)


def _row(row: bytes, columns: _Columns, begin: int) -> bytes:
    """Returns the segments of a line with columns as they are after its edits.

    Args:
        row: the segments.
        columns: of the line.
        begin: the column that the first segment counts from.
    """
    segments = row.split(b",")
    fields = _FIRST_FIELD.findall(row)
    if len(fields) != len(segments):
        raise ValueError("a segment without a column")
    steps = list(map(_decoded, fields))
    after = map(columns.after, accumulate(steps, initial=begin))
    for index, (step, (left, right)) in enumerate(zip(steps, pairwise(after), strict=True)):
        if right - left != step:
            segments[index] = _encoded(right - left) + segments[index][len(fields[index]) :]
    return b",".join(segments)


@lru_cache(4096)
def _decoded(vlq: bytes) -> int:
    digits = [_BASE64.index(digit) & 31 for digit in vlq]
    value = sum(digit << 5 * place for place, digit in enumerate(digits))
    return -(value >> 1) if value & 1 else value >> 1


def _encoded(number: int) -> bytes:
    value = -number << 1 | 1 if number < 0 else number << 1
    digits = []
    while value > 31:
        digits.append(_BASE64[value & 31 | 32])
        value >>= 5
    return bytes([*digits, _BASE64[value]])
