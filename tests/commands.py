"""Runs ``flask s3 …`` as a user does: in a process of its own, on an app in a folder."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import write_files

PATIENCE = 60
"""Seconds after which a command has hung."""

_APP = """
import json
from pathlib import Path
from flask import Flask

app = Flask("shop", root_path=str(Path(__file__).parent))
app.config.from_file("settings.json", load=json.load)
"""
_INITIALISED = """
from flask_s3 import FlaskS3
FlaskS3(app)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


class Shop:
    """An app in a folder of its own."""

    def __init__(
        self,
        root: Path,
        files: Mapping[str, bytes | str],
        config: Mapping[str, Any],
        *,
        initialised: bool = True,
        code: str = "",
    ) -> None:
        self.root = root
        self.static = root / "static"
        write_files(self.static, files)
        (root / "wsgi.py").write_text(_APP + (_INITIALISED if initialised else "") + code)
        self.configure(config)

    def configure(self, config: Mapping[str, Any]) -> None:
        (self.root / "settings.json").write_text(json.dumps(dict(config)))

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Starts ``flask s3 ARGUMENTS``; warnings are errors in there too."""
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "encoding": "utf-8",
            **options,
        }
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "flask", "--app", "wsgi", "s3", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
            **options,
        )

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> Ended:
        return end(self.start(*arguments, env=env, **options))


def end(process: subprocess.Popen[str]) -> Ended:
    """Waits for a command; whatever happened, it said so in plain words and no traceback."""
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert "Traceback" not in stderr + stdout, stderr
    assert "\x1b" not in stderr + stdout, "escape codes, though nobody is at a terminal"
    assert "Warning:" not in re.sub(r"(?m)^Warning: ", "", stderr), stderr
    return Ended(process.returncode, stdout, stderr)


def sentences(text: str) -> str:
    """The text with what differs from run to run left out: times, addresses, names of buckets."""
    text = re.sub(r"in \d+\.\d s\.", "in 0.0 s.", text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://store", text)
    text = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{8}", "RELEASE", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+\+00:00", "TIME", text)
    return re.sub(r"\bt\d+-\d+-[0-9a-f]{6}\b", "BUCKET", text)


def on_a_terminal(shop: Shop, *arguments: str, types: str = "", **env: str) -> tuple[int, str]:
    """The exit code, and all that a terminal was sent."""
    ours, theirs = pty.openpty()
    process = shop.start(
        *arguments,
        env={"TERM": "xterm-256color", "COLUMNS": "100", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, types.encode())
    shown = b""
    deadline = time.monotonic() + PATIENCE
    try:
        while select.select([ours], [], [], max(0, deadline - time.monotonic()))[0]:
            piece = os.read(ours, 65536)
            if not piece:
                break
            shown += piece
    except OSError:  # how Linux says that nobody is there any more
        pass
    finally:
        os.close(ours)
        process.kill() if time.monotonic() >= deadline else None
    text = shown.decode()
    assert "Traceback" not in text, text
    return process.wait(PATIENCE), text
