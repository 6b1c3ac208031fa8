"""The seam between what we decide and where it goes: what Flask-S3 needs of a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from ..assets import Body
from ..errors import StoreError

PART_BYTES = 8 * 1024 * 1024
"""Larger bodies go up in parts of this size, several at a time."""
PARTS_IN_FLIGHT = 8
LARGEST_COPY = 5 * 1024**3
"""In bytes (Amazon S3 API Reference, "CopyObject")."""
KEYS_A_DELETE = 1000
"""Amazon S3 API Reference, "DeleteObjects"."""
BYTES_IN_FLIGHT = 128 * 1024 * 1024

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds under a key, as far as is known.

    Attributes:
        size: in bytes.
        etag: as the store gave it, without quotes.
        modified: seconds since the epoch, by the store's clock.
        sha256: of the bytes, in hexadecimal; None when unknown.
        headers: what it was written with, or what the store gives back, by lower-case name; None
            when unknown.
        decoded: of an encoded variant, the SHA-256 of what it decodes to, where we know it.
    """

    size: int
    etag: str
    modified: float
    sha256: str | None
    headers: Mapping[str, str] | None
    decoded: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a listing. `modified` is seconds since the epoch, by the store's clock."""

    key: str
    size: int
    etag: str
    modified: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object's whole body, its ETag without quotes, and how long ago it was written.

    `age` is in seconds, by the store's clock alone.
    """

    body: bytes
    etag: str
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store answers to a write. `modified` is the answer's `Date`."""

    etag: str
    modified: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, as `--verbose` shows them.

    Attributes:
        operation: the API's name for it, such as `PutObject`.
        key: which object it was about, or which prefix was listed; empty when neither.
        status: the HTTP status, None when no answer came.
        seconds: from the request to the end of the answer.
        bytes: of the body: that of a write's request, that of a read's answer.
        attempt: 1 for the first, more when the same request was sent again.
    """

    operation: str
    key: str
    status: int | None
    seconds: float
    bytes: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to hold for a write: no object yet, or the one with this ETag (RFC 9110 § 13)."""

    etag: str | None

    @property
    def header(self) -> tuple[str, str]:
        """The request header that says it."""
        return ("If-None-Match", "*") if self.etag is None else ("If-Match", f'"{self.etag}"')


def file_changed(key: str) -> StoreError:
    """Returns the error for an object whose file is not the one any more that was hashed."""
    text = f"The file of {key} changed while it was published: publish again."
    return StoreError(text, code="FileChanged", status=None, operation="PutObject")


class Reads(Protocol):
    """What serving needs of a store."""

    def get(self, key: str) -> Fetched | None:
        """Returns a small object, None when there is none.

        Raises:
            BucketMissing: there is no bucket.
            WrongRegion: it lives in another region.
        """
        ...


class Store(Reads, Protocol):
    """The seam between what we decide and where it goes. Futures raise `StoreError`."""

    def list(self, prefix: str) -> Iterator[Listed]:
        """Yields the objects whose keys begin with `prefix`, in the order of the keys."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Yields what stands between `prefix` and the next `/` in the keys, slash included."""
        ...

    def head(self, key: str) -> Future[Known | None]:
        """Returns what the store holds under a key, None when nothing."""
        ...

    def put(
        self,
        key: str,
        body: Body,
        headers: Headers,
        *,
        public: bool = False,
        condition: Condition | None = None,
        sent: Callable[[int], None] | None = None,
    ) -> Future[Stored]:
        """Writes an object.

        Args:
            key: the key.
            body: bytes, or a file, which is sent from disk.
            headers: by stored name.
            public: whether anybody may read it, where the store knows ACLs.
            condition: what has to hold.
            sent: told how many bytes went out since it was last told, on any thread.
        """
        ...

    def copy(
        self, key: str, source: str, body: Body, headers: Headers, *, public: bool = False
    ) -> Future[Stored]:
        """Writes an object with the bytes of another one of the bucket, which are not sent.

        Args:
            key: the key.
            source: the other one's; of at most `LARGEST_COPY` bytes.
            body: the same bytes, for a store that cannot copy.
            headers: by stored name; those of the other one are not taken over.
            public: whether anybody may read it, where the store knows ACLs.
        """
        ...

    def write(self, key: str, data: bytes, headers: Headers, condition: Condition | None) -> Stored:
        """Writes one small private object and waits for it."""
        ...

    def delete(self, keys: Sequence[str]) -> Mapping[str, StoreError]:
        """Deletes objects, in one attempt; returns what stood in the way, by key.

        What is not there counts as deleted.

        Args:
            keys: at most `KEYS_A_DELETE`.
        """
        ...

    def give_up(self) -> None:
        """Ends what is in flight with an error; whether a write was carried out is not known."""
        ...

    def bucket_exists(self) -> bool:
        """Returns whether the bucket is there and ours to use."""
        ...
