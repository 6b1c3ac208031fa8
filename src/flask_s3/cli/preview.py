"""An S3 server on this machine, and the app served beside it: a look without an account."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FlaskS3Error, SettingsError
from ..extension import FlaskS3
from .terminal import busy

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.serving import BaseWSGIServer

_START_SECONDS = 30.0
_KEYS = "test"  # The embedded server's own, known to everybody: it listens on loopback only.


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running S3 server: where, with which keys, and in which folder, which ends with it."""

    folder: Path
    endpoint: str
    access_key_id: str
    secret_access_key: str


@contextmanager
def embedded_store() -> Iterator[Embedded]:
    """Runs an S3 server on loopback; yields it when it answers, and stops it at the end.

    Raises:
        SettingsError: the extra `preview` is not installed.
        FlaskS3Error: the server does not start.
    """
    if find_spec("ministack") is None:
        raise SettingsError(
            "The preview needs an S3 server of its own, which is not installed: "
            "pip install 'flask-s3[preview]'."
        )
    with tempfile.TemporaryDirectory(prefix="flask-s3-preview-") as folder:
        port = _free_port()
        log = Path(folder, "server.log")
        process = _start(folder, port, log)
        try:
            endpoint = f"http://127.0.0.1:{port}"
            with busy("Starting the S3 server"):
                _await(endpoint, process, log)
            yield Embedded(Path(folder), endpoint, _KEYS, _KEYS)
        finally:
            _stop(process)


def point_at(app: Flask, store: Embedded) -> None:
    """Makes an app publish to, and serve from, the embedded store, whatever its settings say."""
    app.config.update(
        AWS_ACCESS_KEY_ID=store.access_key_id,
        AWS_SECRET_ACCESS_KEY=store.secret_access_key,
        AWS_SESSION_TOKEN=None,
        FLASKS3_ACTIVE=True,
        FLASKS3_CDN_DOMAIN="",
        FLASKS3_CLOUDFLARE_ZONE=None,
        FLASKS3_CLOUDFRONT_DISTRIBUTION=None,
        FLASKS3_DEBUG=True,
        FLASKS3_ENDPOINT_URL=store.endpoint,
        # Not where the app has its own, which tells what is deployed.
        FLASKS3_MANIFEST=str(store.folder / "manifest.json"),
        FLASKS3_PURGER=None,
        FLASKS3_REGION="us-east-1",
    )
    app.config["FLASKS3_BUCKET_NAME"] = app.config.get("FLASKS3_BUCKET_NAME") or "preview"
    for chosen in ("FLASKS3_BUCKET_DOMAIN", "FLASKS3_URL_STYLE", "FLASKS3_USE_HTTPS"):
        app.config.pop(chosen, None)
    FlaskS3(app)


def end_like_ctrl_c() -> None:
    """Makes SIGTERM, and SIGHUP where there is one, end the preview as Ctrl-C does."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)


def listen(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """Returns a server of the app that takes connections already; `serve_forever` answers them.

    Raises:
        SettingsError: the address cannot be served on.
    """
    from werkzeug.serving import make_server  # noqa: PLC0415

    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(
            f"{host}:{port} cannot be served on ({error.strerror}): choose another --port or "
            "--host."
        ) from error
    return make_server(host, port, app, threaded=True)


def _start(folder: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Starts the server in a session of its own, so that Ctrl-C reaches us first."""
    environ = {
        **os.environ,
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "DOCKER_HOST": "unix:///nonexistent",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "PERSIST_STATE": "0",
        "SFTP_ENABLED": "0",
        "TMPDIR": folder,
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _await(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(endpoint, timeout=1):  # noqa: S310
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise FlaskS3Error(f"The embedded S3 server did not start; the end of its log says:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
