"""What the benchmarks of whole commands share: an app, a server that answers late, its counts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness import CommandFailed, environment
from peers import Peers

HERE = Path(__file__).parent
BUCKET = "bench"
KEYS = {"AWS_ACCESS_KEY_ID": "benchkey", "AWS_SECRET_ACCESS_KEY": "benchsecret"}

APP = """\
import flask
import flask_s3

app = flask.Flask(
    "bench", root_path={root!r}, static_folder={folder!r}, static_url_path="/static"
)
app.config.update({settings!r})
flask_s3.FlaskS3(app)

if __name__ == "__main__":
    flask_s3.create_all(app)
"""


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    benchmarks: tuple[str, ...]
    work: Path
    python: str
    deploy: str
    rounds: int | None
    files: int
    latency_ms: float
    large_bytes: int
    json: Path | None

    @property
    def peers(self) -> Peers:
        """The peers, below the work folder."""
        return Peers(self.work / "peers", self.python)

    @property
    def home(self) -> Path:
        """The home folder of what is measured."""
        return self.work / "home"


@dataclass(frozen=True)
class Server:
    """A running latency server."""

    url: str

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

    def _stats(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ask("GET", "/__stats__"))
        return found

    def _ask(self, method: str, path: str) -> bytes:
        with closing(HTTPConnection(urlsplit(self.url).netloc)) as connection:
            connection.request(method, path)
            return connection.getresponse().read()

    def expect_objects(self, count: int) -> None:
        """Raise unless at least ``count`` objects were published."""
        if (held := self.objects()) < count:
            raise CommandFailed(f"only {held} of {count} objects are in the bucket")


@contextmanager
def latency_server(*arguments: str) -> Iterator[Server]:
    """A latency server with one empty bucket, ended with the block."""
    argv = (sys.executable, str(HERE / "latency_server.py"), "--bucket", BUCKET, *arguments)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
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


def write_app(path: Path, folder: Path, server: Server, **more: object) -> Path:
    """An app module that publishes ``folder`` to ``server`` with static keys."""
    settings = {
        **KEYS,
        "FLASKS3_BUCKET_NAME": BUCKET,
        "FLASKS3_ENDPOINT_URL": server.url,
        "FLASKS3_REGION": "us-east-1",
        **more,
    }
    text = APP.format(root=str(path.parent), folder=str(folder), settings=settings)
    path.write_text(text, encoding="utf-8")
    return path


def aws_environment(options: Options) -> dict[str, str]:
    """An environment without the user's AWS settings, and with an empty home."""
    aws = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}
    return environment(options.home) | aws
