"""The values that go from step to step: files, the bodies and objects made of them, and remarks."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

METADATA_PREFIX = ".flask-s3/"
"""Where our own records live in a bucket: never public, and no asset's key."""


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


@dataclass(frozen=True, slots=True)
class MadeBody:
    """A body that is made, by rewriting a file, each time it is asked for.

    Attributes:
        size: in bytes.
        sha256: of the bytes, in hexadecimal.
        make: makes the bytes; raises OSError when the file cannot be read.
    """

    size: int
    sha256: str
    make: Callable[[], bytes] = field(compare=False, repr=False)

    @property
    def data(self) -> bytes:
        """The bytes."""
        return self.make()


Body = FileBody | BytesBody | MadeBody


@dataclass(frozen=True, slots=True)
class Object:
    """What is to stand in the bucket under a key.

    Attributes:
        key: the key.
        body: the bytes.
        headers: by stored name, in lower case: `content-type`, `cache-control`, `x-amz-meta-…`.
        decoded: of an encoded variant, the SHA-256 of the bytes that browsers get in the end.
        copy_of: the key of the object that holds the same bytes already, so that the store can copy
            them.
        follows: whether it is written after the release is in force: its name does not tell its
            content, so until then it has to be the release before's.
    """

    key: str
    body: Body
    headers: Mapping[str, str]
    decoded: str | None = None
    copy_of: str | None = None
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do not publish a file; what stands under its key stays.

    Attributes:
        key: the object's key, or the file's path when it has none.
        reason: a sentence: what, why, what to do.
    """

    key: str
    reason: str

    def __str__(self) -> str:
        """Returns `key: reason`."""
        return f"{self.key}: {self.reason}"

    @property
    def kind(self) -> str:
        """The reason without its end that names the file, as other files may have it too."""
        return self.reason.partition(" let it through: FLASKS3_ALLOW")[0]


def grouped(refusals: Iterable[Refuse], most: int | None = None) -> Iterator[tuple[str, str]]:
    """Yields each key, in order, with what is to be said of it; a reason is said once.

    Args:
        refusals: of which those with one reason come together.
        most: how many of those are named; of the others comes `and 391 more`.
    """
    alike: dict[str, list[Refuse]] = {}
    for refusal in sorted(refusals, key=lambda refusal: refusal.key):
        alike.setdefault(refusal.kind, []).append(refusal)
    for same in alike.values():
        yield same[0].key, same[0].reason
        yield from ((other.key, "the same.") for other in same[1:most])
        if most is not None and len(same) > most:
            yield f"and {len(same) - most:,} more", "the same."


class Level(enum.IntEnum):
    """How bad a problem is."""

    REMARK = 1
    """Nobody who opens a page will notice; told when somebody asks."""
    WARNING = 2
    """It may be wrong, or is told elsewhere how to live with it."""
    ERROR = 3
    """`flask s3 build --check` fails for it, and `FLASKS3_STRICT` refuses it."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong at a place in a file.

    Attributes:
        file: on disk.
        line: from 1.
        text: a sentence: what, why, what to do.
        level: how bad it is.
    """

    file: str
    line: int
    text: str
    level: Level = Level.ERROR

    def __str__(self) -> str:
        """Returns `file:line: text`, which editors and terminals make a link of."""
        return f"{self.file}:{self.line}: {self.text}"


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
