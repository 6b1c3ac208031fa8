"""Numbers as people read them."""

from __future__ import annotations


def size(count: int) -> str:
    """Returns bytes in decimal units, as S3's own console shows them: `1.2 kB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def count(number: int, noun: str) -> str:
    """Returns `1 object`, `1,200 objects`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
