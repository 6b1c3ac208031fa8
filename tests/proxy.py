"""A proxy that stands between us and a real S3 server and does what networks and stores do.

It forwards every request byte for byte, the ``Host`` that the client signed included, so the
server's own check of the signature still holds. Rules say which requests meet with something
else; every request is recorded.

    with Proxy(server.endpoint) as proxy:
        proxy.rule("PUT", r"/static/a\\.css$", Answer(503, "SlowDown"), turns=range(1, 3))
        ...
        assert proxy.count("PUT", "/static/") == 3
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

PATIENCE = 30
"""Seconds after which a test that waits for a request fails."""


@dataclass(frozen=True)
class Answer:
    """Answers in the store's place, which never sees the request."""

    status: int
    code: str = ""
    message: str = "as a test wished"
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""
    whole: str = ""
    """The whole body, in place of an error's."""

    def render(self, method: str) -> bytes:
        body = self.whole
        if self.code and method != "HEAD":
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                f"<Error><Code>{self.code}</Code><Message>{self.message}</Message>{self.extra}"
                "</Error>"
            )
        headers = {"Content-Type": "application/xml", **self.headers}
        lines = [f"HTTP/1.1 {self.status} Whatever"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}", "", body]
        return "\r\n".join(lines).encode()


@dataclass(frozen=True)
class Reset:
    """Resets the connection; the store never sees the request."""


@dataclass(frozen=True)
class LoseAnswer:
    """Resets the connection after the store has done what it was asked for."""


@dataclass(frozen=True)
class Delay:
    """Waits before the store is asked, which gives other requests time to be in flight too."""

    seconds: float


@dataclass(frozen=True)
class CutOff:
    """Resets the connection in the middle of the store's answer, after the store has done it."""


@dataclass(frozen=True)
class Headers:
    """Changes headers of the store's answer, by their lower-case names; None takes one out."""

    values: Mapping[str, str | None]

    def change(self, answer: bytes) -> bytes:
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        lines = [line for line in lines if line.partition(":")[0].lower() not in self.values]
        lines += [f"{name}: {value}" for name, value in self.values.items() if value is not None]
        return "\r\n".join([first, *lines, "", ""]).encode("latin-1") + body


@dataclass(frozen=True)
class Call:
    """Calls something before the store is asked, something else when it has answered."""

    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None


class Gate:
    """Holds requests back until the test opens it; then the store is asked."""

    def __init__(self) -> None:
        self.opened = threading.Event()


@dataclass(frozen=True)
class Weather:
    """Lets some requests meet with one of several actions, the same ones for the same seed.

    What a request meets depends on what it asks for and how often that was asked for before, not
    on the order in which requests happen to arrive. No request fails for ever.
    """

    rate: float
    seed: int
    actions: Sequence[Action]
    in_a_row: int = 3
    turns: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def meets(self, request: Seen) -> Action | None:
        """What one more request meets."""
        name = re.sub(r"/(releases|sweeps)/.*", r"/\1/", f"{request.method} {request.path}")
        self.turns[name] += 1
        dice = random.Random(f"{self.seed} {name} {self.turns[name]}")
        if self.failed[name] == self.in_a_row or dice.random() >= self.rate:
            self.failed[name] = 0
            return None
        self.failed[name] += 1
        return dice.choice(self.actions)


Action = Answer | Reset | LoseAnswer | CutOff | Headers | Delay | Call | Gate | Weather


@dataclass(frozen=True)
class Seen:
    """A request as it arrived.

    Attributes:
        path: percent-decoded, without the query.
        in_flight: how many requests were being answered then, this one included.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    size: int
    in_flight: int


@dataclass(frozen=True)
class _Rule:
    method: re.Pattern[str]
    path: re.Pattern[str]
    action: Action
    turns: Container[int] | None
    each: bool
    header: str
    query: re.Pattern[str]
    counts: Counter[str] = field(default_factory=Counter)

    def meets(self, request: Seen) -> bool:
        """Whether it is this request's turn; counts it."""
        if not self.method.fullmatch(request.method) or not self.path.search(request.path):
            return False
        if self.header and self.header not in request.headers:
            return False
        if not self.query.search(request.query):
            return False
        name = request.path if self.each else ""
        self.counts[name] += 1
        return self.turns is None or self.counts[name] in self.turns


class Proxy:
    """The proxy, running in a thread for the length of a ``with`` block."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self._rules: list[_Rule] = []
        self._changed = threading.Condition()
        self._in_flight = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.requests: list[Seen] = []
        self.statuses: list[tuple[str, str, int]] = []

    def __enter__(self) -> Proxy:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    # -- what a test says and asks

    def rule(
        self,
        method: str,
        path: str,
        action: Action,
        *,
        turns: Container[int] | None = None,
        each: bool = False,
        header: str = "",
        query: str = "",
    ) -> None:
        """Says what becomes of requests; of the rules whose turn it is, the first acts.

        Args:
            method: a regular expression for the whole method.
            path: one that is found in the decoded path.
            action: what happens.
            turns: to which of the requests that match, counted from 1; None: to each.
            each: whether every path is counted by itself.
            header: a header that the request has to have, in lower case.
            query: a regular expression that is found in the query, as it was sent.
        """
        rule = _Rule(
            re.compile(method), re.compile(path), action, turns, each, header, re.compile(query)
        )
        with self._changed:
            self._rules.append(rule)

    def wait_until_idle(self) -> None:
        """Returns once no request is being answered: what a dead client sent has arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._in_flight == 0, PATIENCE)

    def clear(self) -> None:
        """Forgets rules and requests: from now on it only forwards."""
        with self._changed:
            self._rules.clear()
            self.requests.clear()
            self.statuses.clear()

    def open(self, gate: Gate) -> None:
        """Lets what a gate holds go on, and whatever comes to it later."""
        gate.opened.set()

    def seen(self, method: str = ".*", path: str = "") -> list[Seen]:
        """The requests so far, in the order of their arrival."""
        with self._changed:
            return [
                one
                for one in self.requests
                if re.fullmatch(method, one.method) and re.search(path, one.path)
            ]

    def count(self, method: str = ".*", path: str = "") -> int:
        return len(self.seen(method, path))

    def wait_for(self, number: int, method: str = ".*", path: str = "") -> None:
        """Returns once that many requests have arrived."""

        def arrived() -> bool:
            return self.count(method, path) >= number

        with self._changed:
            assert self._changed.wait_for(arrived, PATIENCE), f"only {self.requests}"

    # -- the thread

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._served(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"\r\nExpect: 100-continue" in head:
            head = head.replace(b"\r\nExpect: 100-continue", b"")
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, target, headers = _parsed(head)
        body = await _body(reader, headers)
        request, actions = self._arrived(method, target, headers, len(body))
        try:
            answer = await self._acted(actions, method, head, body)
            cut = any(isinstance(action, CutOff) for action in actions)
            if answer is not None:
                self.statuses.append((method, request.path, int(answer[9:12])))
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()
        if answer is None:
            _reset(writer)
            return False
        writer.write(answer)
        await writer.drain()
        if cut:
            writer.write_eof()
        return not cut

    def _arrived(
        self, method: str, target: str, headers: dict[str, str], size: int
    ) -> tuple[Seen, list[Action]]:
        path, _, query = target.partition("?")
        with self._changed:
            self._in_flight += 1
            request = Seen(method, unquote(path), query, headers, size, self._in_flight)
            self.requests.append(request)
            rules = [rule.action for rule in self._rules if rule.meets(request)]
            met = (one.meets(request) if isinstance(one, Weather) else one for one in rules)
            actions = [action for action in met if action is not None]
            self._changed.notify_all()
        return request, actions

    async def _acted(
        self, actions: list[Action], method: str, head: bytes, body: bytes
    ) -> bytes | None:
        """What is answered in the end; None: the connection is reset."""
        for action in actions:
            if isinstance(action, Answer):
                return action.render(method)
            if isinstance(action, Reset):
                return None
            if isinstance(action, Call):
                action.before()
            elif isinstance(action, Delay):
                await asyncio.sleep(action.seconds)
            elif isinstance(action, Gate):
                while not action.opened.is_set():
                    await asyncio.sleep(0.005)
        answer = await self._forwarded(method, head, body)
        return _after(actions, answer)

    async def _forwarded(self, method: str, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._upstream, limit=2**20)
        try:
            writer.write(head[:-2] + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
            raw = await reader.read()
        finally:
            writer.transport.abort()
        return _kept_alive(raw, method)


def _after(actions: list[Action], answer: bytes) -> bytes | None:
    """What becomes of an answer of the store's."""
    for action in actions:
        if isinstance(action, Call):
            action.after()
        elif isinstance(action, LoseAnswer):
            return None
        elif isinstance(action, Headers):
            answer = action.change(answer)
        elif isinstance(action, CutOff):
            return answer[: -(len(answer) // 4)]
    return answer


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    """The body as it stands on the wire, chunks and all."""
    if "chunked" in headers.get("transfer-encoding", ""):
        raw = b""
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            raw += line
            if size == 0:
                break
            raw += await reader.readexactly(size + 2)
        while True:  # trailers
            line = await reader.readuntil(b"\r\n")
            raw += line
            if line == b"\r\n":
                return raw
    return await reader.readexactly(int(headers.get("content-length", "0")))


def _kept_alive(raw: bytes, method: str) -> bytes:
    """An answer that was ended by closing, as one after which the connection stays open."""
    while raw.startswith(b"HTTP/1.1 100"):
        raw = raw.partition(b"\r\n\r\n")[2]
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head:
        raise ConnectionError("the server closed the connection without an answer")
    first, *lines = head.split(b"\r\n")
    lines = [line for line in lines if not line.lower().startswith(b"connection:")]
    framed = any(
        line.lower().startswith((b"content-length:", b"transfer-encoding:")) for line in lines
    )
    if not framed and method != "HEAD" and first[9:12] not in {b"204", b"304"}:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([first, *lines, b"", body])


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
