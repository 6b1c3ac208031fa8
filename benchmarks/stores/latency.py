"""An S3 server on loopback that answers late on purpose: every answer waits a fixed time.

It measures clients, so it must never be what they wait for: asyncio on raw protocols, objects in
memory, no signature checks. Path style (``/bucket/key``) and host style (``bucket.localhost``).

    python -m stores.latency --port 0 --latency-ms 50 --bucket bench

prints ``listening on http://127.0.0.1:PORT``. ``GET /__stats__`` answers counts per operation as
JSON; ``POST /__reset__`` empties the store and the counts; ``POST /__save__`` remembers what the
store holds, and ``POST /__restore__`` brings that back. None of them waits.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import json
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from importlib.util import find_spec
from typing import cast

from stores.s3_memory import Request, S3Error, Store, error_answer, operation
from stores.wire import Answer, BadRequest, Body, BodyReader, Head, parse_head, render

HOST = "127.0.0.1"
#: A connection may run ahead of a limited link by this much before it is paused, in seconds.
LINK_SLACK = 0.01
MAX_HEAD = 64 * 1024


@dataclass(frozen=True)
class Options:
    """What the server was asked to be; ``bandwidth`` in bytes a second, 0 for no limit."""

    port: int = 0
    latency: float = 0.0
    bandwidth: float = 0.0
    slowdown: float = 0.0
    discard_bodies: bool = False
    buckets: tuple[str, ...] = ()


class Link:
    """One link that all connections share: bytes take their time, one after another."""

    def __init__(self, bandwidth: float, loop: asyncio.AbstractEventLoop) -> None:
        self._bandwidth = bandwidth
        self._loop = loop
        self._free_at = 0.0

    def delay(self, size: int) -> float:
        """Seconds until ``size`` more bytes have passed."""
        if not self._bandwidth:
            return 0.0
        now = self._loop.time()
        self._free_at = max(self._free_at, now) + size / self._bandwidth
        return self._free_at - now


class Stats:
    """Counts since the start or the last reset."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """All counts back to nothing."""
        self.operations: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.received = 0
        self.sent = 0
        self.in_flight = 0
        self.peak_in_flight = 0

    def arrived(self, name: str, size: int) -> None:
        """A whole request is here."""
        self.operations[name] += 1
        self.received += size
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def answered(self, answer: Answer) -> None:
        """Its answer leaves."""
        self.statuses[answer.status] += 1
        self.sent += len(answer.content)
        self.in_flight = max(self.in_flight - 1, 0)

    def as_json(self, connections: int, objects: Mapping[str, int]) -> bytes:
        """All counts, and how many objects each bucket holds, as a JSON document."""
        counts = {
            "operations": dict(self.operations),
            "statuses": {str(status): n for status, n in self.statuses.items()},
            "received_bytes": self.received,
            "sent_bytes": self.sent,
            "peak_in_flight": self.peak_in_flight,
            "connections": connections,
            "objects": dict(objects),
        }
        return json.dumps(counts, indent=2, sort_keys=True).encode() + b"\n"


class Service:
    """What the connections share: the store, the counts, the link, the refusals."""

    def __init__(self, options: Options, loop: asyncio.AbstractEventLoop) -> None:
        self.options = options
        self.loop = loop
        self.link = Link(options.bandwidth, loop)
        self.stats = Stats()
        self.connections: set[Connection] = set()
        self._store = Store(options.buckets, time.time)
        self._saved = self._store.state()
        self._owed = 0.0
        self._date = (0, "")

    def answer(self, request: Request) -> Answer:
        """The answer to an S3 request, counted."""
        name = operation(request)
        self.stats.arrived(name, request.body.size)
        if self._refuses():
            error = S3Error("SlowDown", "Please reduce your request rate.", 503)
            return error_answer(error, request)
        return self._store.answer(request, name)

    def own(self, path: str) -> Answer | None:
        """The answer to one of the server's own paths."""
        if path == "/__stats__":
            content = self.stats.as_json(len(self.connections), self._store.counts())
            return Answer(200, (("Content-Type", "application/json"),), content)
        if path == "/__reset__":
            self._store.reset()
            self.stats.reset()
            gc.collect()
            return Answer(204)
        if path == "/__save__":
            self._saved = self._store.state()
            return Answer(204)
        if path == "/__restore__":
            self._store.become(self._saved)
            return Answer(204)
        return None

    def date(self) -> str:
        """The ``Date`` header, made once a second."""
        second = int(time.time())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]

    def _refuses(self) -> bool:
        """Whether this request is one of the share to refuse: evenly spread, not at random."""
        self._owed += self.options.slowdown
        refused = self._owed >= 1
        self._owed -= refused
        return refused


class Connection(asyncio.Protocol):
    """One client connection: head, body, wait, answer, and again. Pipelined requests queue."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._incoming: tuple[Head, BodyReader] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here (uvloop's transports are no ``asyncio.Transport``, hence the cast)."""
        self._transport = cast("asyncio.Transport", transport)
        self._service.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """It is gone; an answer under way has nobody to go to."""
        self._transport = None
        self._service.connections.discard(self)
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        self._throttle(len(data))
        self._buffer = self._buffer + data if self._buffer else data
        self._advance()

    def _throttle(self, size: int) -> None:
        delay = self._service.link.delay(size)
        if delay > LINK_SLACK and self._transport:
            self._transport.pause_reading()
            self._service.loop.call_later(delay, self._resume)

    def _resume(self) -> None:
        if self._transport and not self._transport.is_reading():
            self._transport.resume_reading()

    def _advance(self) -> None:
        """Go on as far as the buffer allows; nothing while an answer waits."""
        try:
            while self._timer is None and self._buffer:
                if not self._step():
                    return
        except BadRequest:
            self._close()

    def _step(self) -> bool:
        """Whether something was consumed."""
        return self._take_body(*self._incoming) if self._incoming else self._take_head()

    def _take_head(self) -> bool:
        raw, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            if len(raw) > MAX_HEAD:
                raise BadRequest(raw)
            return False
        self._buffer = rest
        head = parse_head(raw)
        reader = BodyReader(head.headers, discard=self._service.options.discard_bodies)
        self._incoming = head, reader
        self._expect(head)
        return self._take_body(head, reader)

    def _expect(self, head: Head) -> None:
        """``100 Continue`` at once: only final answers wait."""
        if self._transport and head.headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_body(self, head: Head, reader: BodyReader) -> bool:
        self._buffer = reader.feed(self._buffer)
        if reader.done:
            self._incoming = None
            self._dispatch(head, reader.body())
        return reader.done

    def _dispatch(self, head: Head, body: Body) -> None:
        close = head.headers.get("connection", "").lower() == "close"
        own = self._service.own(head.path)
        if own:
            self._send(own, close=close)
            return
        bucket, key = address(head.headers.get("host", ""), head.path)
        request = Request(head.method, bucket, key, head.query, head.headers, body)
        self._send_late(self._service.answer(request), close=close)

    def _send_late(self, answer: Answer, *, close: bool) -> None:
        delay = self._service.options.latency + self._service.link.delay(len(answer.content))
        self._timer = self._service.loop.call_later(delay, self._finish, answer, close)

    def _finish(self, answer: Answer, close: bool) -> None:
        self._timer = None
        self._service.stats.answered(answer)
        self._send(answer, close=close)
        self._advance()

    def _send(self, answer: Answer, *, close: bool) -> None:
        if self._transport:
            self._transport.write(render(answer, self._service.date()))
        if close:
            self._close()

    def _close(self) -> None:
        if self._transport:
            self._transport.close()


def address(host: str, path: str) -> tuple[str, str]:
    """Bucket and key of a request, in host style or path style.

    ``bucket.localhost`` and ``bucket.s3.localhost`` are host style; every other host, an IP
    address above all, is path style.
    """
    name = host.partition(":")[0]
    if name.endswith(".localhost") and name != "s3.localhost":
        return name.removesuffix(".localhost").removesuffix(".s3"), path[1:]
    bucket, _, key = path[1:].partition("/")
    return bucket, key


async def serve(options: Options) -> None:
    """Serve until SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    service = Service(options, loop)
    server = await loop.create_server(lambda: Connection(service), HOST, options.port, backlog=1024)
    print(f"listening on http://{HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no loop signal handlers
            loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    server.close()


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="wait before each answer")
    parser.add_argument("--bandwidth", type=float, default=0.0, help="bytes/s, shared; 0: no limit")
    parser.add_argument("--slowdown", type=float, default=0.0, help="share answered 503 SlowDown")
    parser.add_argument(
        "--discard-bodies", action="store_true", help="keep only length and MD5 of large bodies"
    )
    parser.add_argument("--bucket", action="append", default=[], help="exists from the start")
    found = parser.parse_args(arguments)
    return Options(
        port=found.port,
        latency=found.latency_ms / 1000,
        bandwidth=found.bandwidth,
        slowdown=found.slowdown,
        discard_bodies=found.discard_bodies,
        buckets=tuple(found.bucket),
    )


def main() -> None:
    """The command."""
    gc.disable()  # no cycles in the hot path; a pause would count against the client
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(new_loop()) as loop:
        loop.run_until_complete(serve(parse_options()))


def new_loop() -> asyncio.AbstractEventLoop:
    """Uvloop's event loop where it is installed, which takes a third less CPU time."""
    source = importlib.import_module("uvloop") if find_spec("uvloop") else asyncio
    loop: asyncio.AbstractEventLoop = source.new_event_loop()
    return loop


if __name__ == "__main__":
    main()
