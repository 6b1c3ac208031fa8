"""Compression, with bytes that depend on nothing but the input; and which encoding a browser wants.

Sources: RFC 9110 § 12.5.3 (`Accept-Encoding`), RFC 1952 (gzip), RFC 7932 (brotli), RFC 9659 (zstd's
window in HTTP).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from .errors import SettingsError

# Best ratio: assets are compressed once and sent many times.
_GZIP_LEVEL = 9
_BROTLI_QUALITY = 11
# Higher ones need a window of more than 8 MB, which browsers refuse (RFC 9659 § 3).
_ZSTD_LEVEL = 19
# zlib's window bits for the gzip wrapper; its header holds no file name and a zero time (RFC 1952).
_GZIP_WRAPPER = 31
# A variant has to save so much, or the second object, and the second entry in each cache on the
# way, are not worth it.
_MOST = 0.95
# Fast, and never better than the best levels by more than a trifle: what it makes smaller, they do.
_ESTIMATE_LEVEL = 1

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


# -- variants


@dataclass(frozen=True, slots=True)
class Codec:
    """A content coding.

    Attributes:
        name: as in `Content-Encoding`, and in the names of variants.
        level: the codec's own measure of effort.
        encode: bytes to bytes; other threads run meanwhile.
        package: what brings it, as pip knows that.
    """

    name: str
    level: int
    encode: Callable[[bytes], bytes]
    package: str = ""


def _gzipped(data: bytes) -> bytes:
    codec = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WRAPPER)
    return codec.compress(data) + codec.flush()


def _brotli(data: bytes) -> bytes:
    import brotli  # noqa: PLC0415  (serving never compresses)

    return bytes(brotli.compress(data, quality=_BROTLI_QUALITY))


def _zstd(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415

        return zstd.compress(data, level=_ZSTD_LEVEL)
    import zstandard  # noqa: PLC0415

    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)


CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        codec.name: codec
        for codec in (
            Codec("br", _BROTLI_QUALITY, _brotli, "brotli"),
            Codec("gzip", _GZIP_LEVEL, _gzipped),
            Codec("zstd", _ZSTD_LEVEL, _zstd, "flask-s3[zstd]"),
        )
    }
)
"""The content codings that variants can have."""


def usable(names: Iterable[str]) -> tuple[Codec, ...]:
    """Returns the codecs of these names.

    Raises:
        SettingsError: one needs a package that is not installed.
    """
    codecs = tuple(CODECS[name] for name in names)
    for codec in codecs:
        try:
            codec.encode(b"")
        except ImportError:
            raise SettingsError(
                f"FLASKS3_ENCODINGS names {codec.name!r}, whose package is not installed: "
                f"pip install {codec.package!r}."
            ) from None
    return codecs


def is_worth_it(size: int, encoded_size: int) -> bool:
    """Returns whether an encoding saves enough, 5 %, to be published."""
    return encoded_size <= size * _MOST


def is_likely_worth_it(data: bytes) -> bool:
    """Returns whether the codecs will make a body smaller by 5 % or more, by a quick look at it."""
    codec = zlib.compressobj(_ESTIMATE_LEVEL, zlib.DEFLATED, _GZIP_WRAPPER)
    return is_worth_it(len(data), len(codec.compress(data)) + len(codec.flush()))


# -- decoding


Decoder = Callable[[bytes], bytes]
"""Decodes a body piece by piece; raises an error of the codec's own for what is none."""


def decoder(name: str) -> Decoder | None:
    """Returns a decoder of a content coding; None when we know none, or its package is missing."""
    if name in {"gzip", "x-gzip"}:
        return zlib.decompressobj(_GZIP_WRAPPER).decompress
    if name == "br":
        import brotli  # noqa: PLC0415

        decode: Decoder = brotli.Decompressor().process
        return decode
    return _zstd_decoder() if name == "zstd" else None


def _zstd_decoder() -> Decoder | None:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415

            return zstd.ZstdDecompressor().decompress
        import zstandard  # noqa: PLC0415
    except ImportError:
        return None
    return zstandard.ZstdDecompressor().decompressobj().decompress


# -- negotiation


@lru_cache(maxsize=1024)
def preferred(accept_encoding: str, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Returns which of the offered codings a client wants rather than none, the best first.

    Args:
        accept_encoding: the request header's value; empty when it was not sent.
        offered: in the server's order, which decides among what the client likes equally.
    """
    weights = _weights(accept_encoding)
    anything = weights.get("*", 0.0)
    identity = weights.get("identity", 0.0)
    wanted = [(weights.get(name, anything), name) for name in offered]
    better = [(weight, name) for weight, name in wanted if weight > 0 and weight >= identity]
    return tuple(name for _, name in sorted(better, key=lambda pair: -pair[0]))


def _weights(accept_encoding: str) -> dict[str, float]:
    weights = {}
    for item in accept_encoding.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name:
            weights[name.removeprefix("x-")] = _weight(parameters)
    return weights


def _weight(parameters: Iterable[str]) -> float:
    """Returns the quality value; 0 for one that is none, so that nothing unwanted is sent."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
