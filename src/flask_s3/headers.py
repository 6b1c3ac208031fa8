"""What an object is served with: content type, the settings' headers, and where S3 keeps each.

Content types: the IANA registry, RFC 9239 (JavaScript), RFC 6713 (gzip), RFC 8081 (fonts).
System headers of an object: Amazon S3 User Guide, "Working with object metadata".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

OCTETS = "application/octet-stream"

_BY_EXTENSION = {
    # text; `charset=utf-8` is added below
    "css": "text/css",
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "js": "text/javascript",
    "cjs": "text/javascript",
    "mjs": "text/javascript",
    "jsx": "text/javascript",
    "less": "text/plain",
    "log": "text/plain",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "rst": "text/plain",
    "rtf": "application/rtf",
    "sass": "text/plain",
    "scss": "text/plain",
    "ts": "text/plain",
    "tsx": "text/plain",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "vtt": "text/vtt",
    "vue": "text/plain",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "xsl": "application/xslt+xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    # data
    "atom": "application/atom+xml",
    "geojson": "application/geo+json",
    "json": "application/json",
    "json5": "application/json5",
    "jsonld": "application/ld+json",
    "kml": "application/vnd.google-earth.kml+xml",
    "map": "application/json",
    "rss": "application/rss+xml",
    "topojson": "application/json",
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
    # images
    "apng": "image/apng",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "cur": "image/x-icon",
    "gif": "image/gif",
    "heic": "image/heic",
    "ico": "image/x-icon",
    "jpe": "image/jpeg",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "jxl": "image/jxl",
    "png": "image/png",
    "psd": "image/vnd.adobe.photoshop",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
    # fonts
    "eot": "application/vnd.ms-fontobject",
    "otf": "font/otf",
    "ttc": "font/collection",
    "ttf": "font/ttf",
    "woff": "font/woff",
    "woff2": "font/woff2",
    # sound and film
    "aac": "audio/aac",
    "flac": "audio/flac",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "mid": "audio/midi",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpd": "application/dash+xml",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    # documents
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "pdf": "application/pdf",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    # three dimensions
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "obj": "model/obj",
    "stl": "model/stl",
    # archives and what is compressed already: the type says so, no encoding does
    "7z": "application/x-7z-compressed",
    "apk": "application/vnd.android.package-archive",
    "br": OCTETS,
    "bz2": "application/x-bzip2",
    "gz": "application/gzip",
    "jar": "application/java-archive",
    "rar": "application/vnd.rar",
    "swf": "application/x-shockwave-flash",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "xz": "application/x-xz",
    "zip": "application/zip",
    "zst": "application/zstd",
}
_BY_NAME = {
    "apple-app-site-association": "application/json",
    "authors": "text/plain",
    "changelog": "text/plain",
    "cname": "text/plain",
    "contributing": "text/plain",
    "copying": "text/plain",
    "license": "text/plain",
    "licence": "text/plain",
    "makefile": "text/plain",
    "notice": "text/plain",
    "readme": "text/plain",
}
# XML and SVG are text whose readers honour `charset` (RFC 7303); JSON has none (RFC 8259).
_TEXT = re.compile(r"text/|image/svg\+xml|application/(xml|[a-z.-]+\+xml)$")

# What S3 keeps as a header of the object and gives back as such.
STORED = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
    }
)
# What S3 obeys when the object is written, but does not keep as one of its headers.
_OBEYED = frozenset({"x-amz-acl", "x-amz-tagging"})
_OBEYED_PREFIXES = (
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
)
# Said by the request itself, so that nobody else may.
_OURS = frozenset({"content-length", "content-md5"})
# Response headers that people expect a browser to see, and that S3 cannot keep.
_NOT_STORABLE = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "access-control-max-age",
        "age",
        "content-security-policy",
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "etag",
        "last-modified",
        "link",
        "permissions-policy",
        "pragma",
        "referrer-policy",
        "server",
        "service-worker-allowed",
        "set-cookie",
        "sourcemap",
        "strict-transport-security",
        "surrogate-control",
        "surrogate-key",
        "timing-allow-origin",
        "vary",
        "x-content-type-options",
        "x-frame-options",
        "x-robots-tag",
    }
)


def content_type(filename: str) -> str:
    """Returns the `Content-Type` of a file by its name, with `charset=utf-8` for text."""
    name = posixpath.basename(filename).lower()
    _, dot, extension = name.rpartition(".")
    kind = _BY_EXTENSION.get(extension, OCTETS) if dot else _BY_NAME.get(name, OCTETS)
    return f"{kind}; charset=utf-8" if _TEXT.match(kind) else kind


def media_type(content_type: str) -> str:
    """Returns a `Content-Type` without its parameters, in lower case (RFC 9110 § 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def stored_name(name: str) -> str | None:
    """Returns the name, in lower case, under which S3 takes a header that a user asked for.

    Headers that S3 knows are sent as such, any other becomes metadata (`x-amz-meta-…`), as in 0.3.
    None: the request says it itself, so it is left out.
    """
    lower = name.lower()
    if lower in _OURS:
        return None
    if lower in STORED or lower in _OBEYED or lower.startswith((*_OBEYED_PREFIXES, "x-amz-meta-")):
        return lower
    return f"x-amz-meta-{lower}"


def cannot_be_stored(names: Iterable[str]) -> list[str]:
    """Returns the response headers among `names` that S3 can only keep as metadata."""
    return sorted(name for name in names if name.lower() in _NOT_STORABLE)


def merge(*layers: Mapping[str, str]) -> Mapping[str, str]:
    """Returns one object's headers, by stored name; later layers win, whatever the capitals."""
    merged: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.items():
            if (stored := stored_name(name)) is not None:
                merged[stored] = value
    return MappingProxyType(dict(sorted(merged.items())))


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns the part of an object's headers that the store gives back, by lower-case name.

    `STANDARD` is the storage class of an object without one, and is never given back.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    return {
        name: value
        for name, value in lower.items()
        if (name in STORED or name.startswith("x-amz-meta-"))
        and (name, value) != ("x-amz-storage-class", "STANDARD")
    }
