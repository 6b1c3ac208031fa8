"""A folder served over HTTP on loopback, and many questions to it at a time."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

_CONNECTIONS = 4


class Answer(NamedTuple):
    """What a server answered: the status, and the SHA-256 of the body."""

    status: int
    sha256: str


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # which keeps connections open
    # Head and body are two writes, and the second would wait for the first to be acknowledged.
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def list_directory(self, _: object) -> None:
        """Answers as a bucket does, where a folder is nothing."""
        self.send_error(404)


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Serves a folder; gives the port."""
    handler = partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def answers(port: int, keys: Iterable[str]) -> Mapping[str, Answer]:
    """Returns what the server answers for each key; asked once for each, over few connections."""
    wanted = sorted(set(keys))
    shares = [wanted[start::_CONNECTIONS] for start in range(_CONNECTIONS)]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        return {k: a for share in pool.map(partial(_asked, port), shares) for k, a in share.items()}


def _asked(port: int, keys: Iterable[str]) -> dict[str, Answer]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found = {}
    for key in keys:
        connection.request("GET", "/" + quote(key))
        answer = connection.getresponse()
        found[key] = Answer(answer.status, sha256(answer.read()).hexdigest())
    connection.close()
    return found
