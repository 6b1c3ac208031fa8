"""Where the segments of a source map stand, read by the book (ECMA-426, "Mappings structure")."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def columns(source_map: Mapping[str, Any]) -> list[list[int]]:
    """Returns the columns of each line's segments, in UTF-16 units."""
    rows = source_map["mappings"].split(";")
    return [list(accumulate(_first(part) for part in row.split(",") if part)) for row in rows]


def _first(segment: str) -> int:
    value = 0
    for place, digit in enumerate(segment):
        number = _DIGITS.index(digit)
        value |= (number & 31) << 5 * place
        if not number & 32:
            break
    return -(value >> 1) if value & 1 else value >> 1
