"""A load generator: PUTs over many connections, each waiting for the answer before.

    python -m probes.put_many URL REQUESTS CONNECTIONS BYTES

prints JSON: the seconds that it took. Selectors and prepared bytes, so that it is not what is
measured.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

END = b"\r\n\r\n"


def messages(host: str, count: int, size: int) -> Iterator[bytes]:
    """The requests, each for a key of its own."""
    rest = f" HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}".encode() + END + b"x" * size
    for number in range(count):
        yield f"PUT /bench/load/{number}".encode() + rest


def put_all(url: str, count: int, connections: int, size: int) -> None:
    """Sends all of them."""
    place = urlsplit(url)
    pending = messages(place.netloc, count, size)
    answered = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = socket.create_connection((place.hostname, place.port or 80))
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(next(pending))
        while answered < count:
            for key, _ in selector.select():
                ready = key.fileobj
                assert isinstance(ready, socket.socket)  # noqa: S101  (for the type checker)
                answer = ready.recv(65536)
                if not (answer.startswith(b"HTTP/1.1 200") and answer.endswith(END)):
                    raise SystemExit(f"not an answer: {answer[:200]!r}")
                answered += 1
                message = next(pending, None)
                if message is not None:
                    ready.sendall(message)


def main(url: str, count: int, connections: int, size: int) -> None:
    """Measures, and prints."""
    start = time.perf_counter()
    put_all(url, count, connections, size)
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
