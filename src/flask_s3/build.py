"""Assets to objects: what is to stand in the bucket, decided without network or disk."""

from __future__ import annotations

import hashlib
import posixpath
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from . import encodings, headers
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Asset:
    """One file that a static route can serve, and the key that it is published under.

    Attributes:
        key: the object's: prefix and URL path, percent-decoded, without `/` before it.
        filename: POSIX path relative to the static folder, as `url_for` takes it.
        path: the file on disk.
        size: in bytes.
        mtime_ns: modification time in nanoseconds, as `os.stat` gives it.
        sha256: of the content, in hexadecimal.
    """

    key: str
    filename: str
    path: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FileBody:
    """A body that is a file; it is sent from disk, never held in memory as a whole."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BytesBody:
    """A body that was made here, such as a compressed file."""

    data: bytes
    sha256: str

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)


Body = FileBody | BytesBody


@dataclass(frozen=True, slots=True)
class Object:
    """What is to stand in the bucket under a key.

    Attributes:
        key: the key.
        body: the bytes.
        headers: by stored name, in lower case: `content-type`, `cache-control`, `x-amz-meta-…`.
    """

    key: str
    body: Body
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do not publish a file; what stands under its key stays.

    Attributes:
        key: the object's key, or the file's path when it has none.
        reason: a sentence: what, why, what to do.
    """

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Build:
    """The objects of an app in the order of their keys, files ruled out, and what was noticed."""

    objects: tuple[Object, ...]
    refusals: tuple[Refuse, ...]
    notes: tuple[str, ...]


class Notes:
    """Collects sentences, each once, in the order they came up."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    def add(self, text: str) -> None:
        """Adds a sentence unless it was said before."""
        self._texts[text] = None

    def all(self) -> tuple[str, ...]:
        """Returns the sentences."""
        return tuple(self._texts)


def build(
    assets: Sequence[Asset], settings: Settings, read: Callable[[Asset], Iterable[bytes]]
) -> Build:
    """Returns the objects that publish the assets.

    Args:
        assets: with distinct keys.
        settings: what headers and encoding they get.
        read: gives an asset's content in pieces; called only for what has to be compressed.
    """
    notes = Notes()
    _note_headers(settings, notes)
    objects, refusals = [], []
    for asset in sorted(assets, key=lambda asset: asset.key):
        try:
            objects.append(_object(asset, settings, read, notes))
        except OSError as error:
            reason = (
                f"{asset.path}: it could not be read any more ({error.strerror}): publish again."
            )
            refusals.append(Refuse(asset.key, reason))
    return Build(tuple(objects), tuple(refusals), notes.all())


def _note_headers(settings: Settings, notes: Notes) -> None:
    names = [*settings.headers, *(n for _, layer in settings.filepath_headers for n in layer)]
    for name in headers.cannot_be_stored(names):
        notes.add(
            f"S3 cannot send the header {name} with an object, so browsers will not see it: it is "
            "kept as metadata, as before. Set it in the CDN, or in the bucket's CORS rules."
        )


def _object(
    asset: Asset, settings: Settings, read: Callable[[Asset], Iterable[bytes]], notes: Notes
) -> Object:
    wanted = _headers_for(asset, settings, notes)
    encoded = _gzipped(asset, settings, wanted, read)
    if encoded is None:
        body = FileBody(asset.path, asset.size, asset.mtime_ns, asset.sha256)
        return Object(asset.key, body, wanted)
    compressed = MappingProxyType({**wanted, "content-encoding": "gzip"})
    digest = hashlib.sha256(encoded).hexdigest()
    return Object(asset.key, BytesBody(encoded, digest), compressed)


def _headers_for(asset: Asset, settings: Settings, notes: Notes) -> Mapping[str, str]:
    layers: list[Mapping[str, str]] = [{"content-type": headers.content_type(asset.filename)}]
    if asset.filename.lower().endswith(".svgz"):
        layers = [{"content-type": "image/svg+xml; charset=utf-8", "content-encoding": "gzip"}]
    layers.append(settings.headers)
    for pattern, layer in settings.filepath_headers:
        if pattern.search(asset.filename):
            layers.append(layer)
        elif pattern.search(asset.path):
            layers.append(layer)
            text = (
                f"FLASKS3_FILEPATH_HEADERS {pattern.pattern!r} matches only the whole path "
                f"{asset.path!r}, which is deprecated since the project's directory can match too: "
                "write it for the path relative to the static folder."
            )
            notes.add(text)
            warnings.warn(text, DeprecationWarning, stacklevel=2)
    return headers.merge(*layers)


def _gzipped(
    asset: Asset,
    settings: Settings,
    wanted: Mapping[str, str],
    read: Callable[[Asset], Iterable[bytes]],
) -> bytes | None:
    """Returns the gzip body that 0.3's `FLASKS3_GZIP` asks for; None: the file as it is."""
    extension = posixpath.splitext(asset.filename.lower())[1].lstrip(".")
    only = {word.lower().lstrip(".") for word in settings.gzip_only_exts}
    if not settings.gzip or (only and extension not in only):
        return None
    if "content-encoding" in wanted or encodings.is_compressed(extension):
        return None
    return encodings.gzip(read(asset), asset.size)
