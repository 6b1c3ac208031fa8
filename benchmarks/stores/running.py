"""Starts the stores, and asks them what they hold."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from harness import CommandFailed

BUCKET = "bench"
KEYS = {"AWS_ACCESS_KEY_ID": "benchkey", "AWS_SECRET_ACCESS_KEY": "benchsecret"}
BENCHMARKS = Path(__file__).parent.parent


class Store(Protocol):
    """What a deploy is measured against."""

    @property
    def url(self) -> str:
        """Where it listens."""
        ...

    @property
    def keys(self) -> Mapping[str, str]:
        """The credentials, as environment variables."""
        ...

    def reset(self) -> None:
        """Empties it."""
        ...

    def objects(self) -> int:
        """Returns how many objects the bucket holds."""
        ...


def expect_objects(store: Store, count: int) -> None:
    """Raises unless at least ``count`` objects were published."""
    if (held := store.objects()) < count:
        raise CommandFailed(f"only {held} of {count} objects are in the bucket")


@dataclass(frozen=True)
class Server:
    """A running latency server."""

    url: str

    @property
    def keys(self) -> Mapping[str, str]:
        """Any will do: it checks none."""
        return KEYS

    def reset(self) -> None:
        """Empty it, counts too."""
        self._ask("POST", "/__reset__")

    def save(self) -> None:
        """Remember what it holds, for :meth:`restore`."""
        self._ask("POST", "/__save__")

    def restore(self) -> None:
        """Hold again what :meth:`save` found."""
        self._ask("POST", "/__restore__")

    def operations(self) -> Counter[str]:
        """How often it was asked for what, since the start or the last reset."""
        return Counter(self._stats()["operations"])

    def objects(self) -> int:
        """How many objects the bucket holds."""
        count: int = self._stats()["objects"].get(BUCKET, 0)
        return count

    def expect_objects(self, count: int) -> None:
        """Raise unless at least ``count`` objects were published."""
        expect_objects(self, count)

    def _stats(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ask("GET", "/__stats__"))
        return found

    def _ask(self, method: str, path: str) -> bytes:
        with closing(HTTPConnection(urlsplit(self.url).netloc)) as connection:
            connection.request(method, path)
            return connection.getresponse().read()


@contextmanager
def latency_server(*arguments: str) -> Iterator[Server]:
    """A latency server with one empty bucket, ended with the block."""
    argv = (sys.executable, "-m", "stores.latency", "--bucket", BUCKET, *arguments)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=BENCHMARKS) as process:
        try:
            yield Server(announced_url(process))
        finally:
            process.terminate()


def announced_url(process: subprocess.Popen[str]) -> str:
    """The URL in the server's first line."""
    line = process.stdout.readline() if process.stdout else ""
    if not line.startswith("listening on "):
        raise CommandFailed("the latency server did not start")
    return line.rpartition(" ")[2].strip()
