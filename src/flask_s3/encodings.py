"""Compression, with bytes that depend on nothing but the input."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

# Best ratio: assets are compressed once and sent many times.
_GZIP_LEVEL = 9
# zlib's window bits for the gzip wrapper; its header holds no file name and a zero time (RFC 1952).
_GZIP_WRAPPER = 31

# Formats that hold compressed data already: a second codec adds bytes and time.
_COMPRESSED = frozenset(
    [
        "7z",
        "aac",
        "apk",
        "apng",
        "avif",
        "br",
        "bz2",
        "docx",
        "epub",
        "flac",
        "gif",
        "glb",
        "gz",
        "heic",
        "jar",
        "jpe",
        "jpeg",
        "jpg",
        "jxl",
        "m4a",
        "m4v",
        "mov",
        "mp3",
        "mp4",
        "mpeg",
        "mpg",
        "ods",
        "odt",
        "oga",
        "ogg",
        "ogv",
        "opus",
        "png",
        "pptx",
        "rar",
        "svgz",
        "swf",
        "tgz",
        "webm",
        "webp",
        "woff",
        "woff2",
        "xlsx",
        "xz",
        "zip",
        "zst",
    ]
)


def is_compressed(extension: str) -> bool:
    """Returns whether files of an extension (lower case, no dot) are compressed already."""
    return extension in _COMPRESSED


def gzip(chunks: Iterable[bytes], size: int) -> bytes | None:
    """Returns the gzip encoding of a body, or None when it would not be smaller.

    Args:
        chunks: the body, in pieces of any length.
        size: the body's length in bytes; the work stops as soon as the result gets as long.
    """
    codec = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WRAPPER)
    encoded = bytearray()
    for chunk in chunks:
        encoded += codec.compress(chunk)
        if len(encoded) >= size:
            return None
    encoded += codec.flush()
    return bytes(encoded) if len(encoded) < size else None
