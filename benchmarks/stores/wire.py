"""HTTP/1.1 as an S3 client speaks it: request heads, body framings, answers. Pure: no sockets.

Framings: ``Content-Length``, ``Transfer-Encoding: chunked`` (RFC 9112 § 7.1), and inside either
of them ``aws-chunked`` (AWS, "Signature Calculations: Transferring Payload in Multiple Chunks").
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, unquote

#: A body of this many bytes or less is kept even by a server that discards bodies, so that small
#: state objects (records, pointers, manifests) can be read back.
ALWAYS_KEPT = 1024 * 1024

REASONS = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    304: "Not Modified",
    400: "Bad Request",
    404: "Not Found",
    409: "Conflict",
    412: "Precondition Failed",
    416: "Requested Range Not Satisfiable",
    501: "Not Implemented",
    503: "Slow Down",
}


class BadRequest(Exception):
    """The bytes are not HTTP; the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request line and its header fields; the names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Body:
    """A received body: its size, MD5 digest, trailers, and its bytes unless they were discarded."""

    size: int
    md5: bytes
    content: bytes | None
    trailers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. ``size`` is the declared length where that is not the length of ``content``."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    size: int | None = None


def parse_head(raw: bytes) -> Head:
    """The head in ``raw``, which ends before the empty line."""
    line, *fields = raw.decode("latin-1").split("\r\n")
    try:
        method, target, _ = line.split(" ")
        pairs = [field.split(":", 1) for field in fields]
        headers = {name.lower(): value.strip() for name, value in pairs}
    except ValueError:
        raise BadRequest(line) from None
    path, _, query = target.partition("?")
    return Head(method, unquote(path), parse_query(query), headers)


def parse_query(query: str) -> Mapping[str, str]:
    """The arguments of a query string; one without a value (``?acl``) has an empty one."""
    return dict(parse_qsl(query, keep_blank_values=True)) if query else {}


def render(answer: Answer, date: str) -> bytes:
    """The bytes of ``answer``, dated ``date`` (an HTTP date)."""
    size = len(answer.content) if answer.size is None else answer.size
    reason = REASONS.get(answer.status, "Unknown")
    lines = [f"HTTP/1.1 {answer.status} {reason}\r\nServer: latency\r\nDate: {date}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in answer.headers]
    if answer.status not in (204, 304):
        lines.append(f"Content-Length: {size}\r\n")
    return "".join(lines).encode("latin-1") + b"\r\n" + answer.content


class Sink:
    """Collects a body; a large one is hashed as it arrives and not kept when ``discard`` is set."""

    def __init__(self, *, discard: bool) -> None:
        self._discard = discard
        self._chunks: list[bytes] = []
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._dropped = False

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._size += len(data)
        self._md5.update(data)
        if not self._dropped:
            self._chunks.append(data)
            self._drop_if_large()

    def _drop_if_large(self) -> None:
        if self._discard and self._size > ALWAYS_KEPT:
            self._chunks.clear()
            self._dropped = True

    def body(self, trailers: Mapping[str, str]) -> Body:
        """What was collected."""
        content = None if self._dropped else b"".join(self._chunks)
        return Body(self._size, self._md5.digest(), content, trailers)


class Writer(Protocol):
    """Whatever takes decoded bytes."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""


class Sized:
    """The framing of ``Content-Length``."""

    def __init__(self, size: int, out: Writer) -> None:
        self._left = size
        self._out = out
        self.trailers: dict[str, str] = {}

    @property
    def done(self) -> bool:
        """Whether the last byte has arrived."""
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; returns the rest."""
        taken = data if len(data) <= self._left else data[: self._left]
        self._left -= len(taken)
        if taken:
            self._out.write(taken)
        return data[len(taken) :]


class Chunked:
    """The framing of ``chunked`` and of ``aws-chunked``: sizes in hex, extensions, trailers."""

    def __init__(self, out: Writer) -> None:
        self._out = out
        self._buffer = b""
        self._left = 0
        self._in_trailers = False
        self._closing = False
        self.done = False
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; returns the rest."""
        self._buffer += data
        while not self.done and self._step():
            pass
        rest, self._buffer = (self._buffer, b"") if self.done else (b"", self._buffer)
        return rest

    def write(self, data: bytes) -> None:
        """:meth:`feed`, for use inside another framing."""
        self.feed(data)

    def _step(self) -> bool:
        """Whether something could be consumed."""
        return self._data() if self._left else self._line()

    def _data(self) -> bool:
        taken, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(taken)
        if taken:
            self._out.write(taken)
        return bool(taken)

    def _line(self) -> bool:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return False
        self._buffer = rest
        if self._in_trailers:
            self._trailer(line)
        elif self._closing:
            self._closing = False
        else:
            self._size_line(line)
        return True

    def _size_line(self, line: bytes) -> None:
        try:
            self._left = int(line.partition(b";")[0], 16)
        except ValueError:
            raise BadRequest(line) from None
        self._closing = self._left > 0
        self._in_trailers = self._left == 0

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.done = True
            return
        name, _, value = line.decode("latin-1").partition(":")
        self.trailers[name.strip().lower()] = value.strip()


class BodyReader:
    """Reads the body that ``headers`` announce: outer framing, then ``aws-chunked``, to a sink."""

    def __init__(self, headers: Mapping[str, str], *, discard: bool) -> None:
        self._sink = Sink(discard=discard)
        self._aws = Chunked(self._sink) if is_aws_chunked(headers) else None
        self._outer = framing(headers, self._aws or self._sink)

    @property
    def done(self) -> bool:
        """Whether the whole body has arrived."""
        return self._outer.done

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; returns the rest."""
        return self._outer.feed(data)

    def body(self) -> Body:
        """The decoded body."""
        inner = self._aws.trailers if self._aws else {}
        return self._sink.body({**self._outer.trailers, **inner})


def is_aws_chunked(headers: Mapping[str, str]) -> bool:
    """Whether the payload itself is framed by AWS's own chunks."""
    return "aws-chunked" in headers.get("content-encoding", "") or headers.get(
        "x-amz-content-sha256", ""
    ).startswith("STREAMING-")


def framing(headers: Mapping[str, str], out: Writer) -> Sized | Chunked:
    """The outer framing (RFC 9112 § 6.3: ``Transfer-Encoding`` wins over ``Content-Length``)."""
    if "chunked" in headers.get("transfer-encoding", ""):
        return Chunked(out)
    return Sized(int(headers.get("content-length", "0")), out)
