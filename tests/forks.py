"""Runs ``flask s3 …`` in processes that start at once: forked from one that has imported it all.

The tests' own process is no good to fork from, since it has threads. This file is both sides: as a
program it is the one that forks, and reads one order a line.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

PATIENCE = 60
"""Seconds after which a command has hung."""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code (-9 after a `kill -9`), and what it printed."""

    code: int
    text: str


@dataclass(frozen=True)
class Command:
    """A command under way, in a process of its own."""

    forks: Forks
    pid: int
    output: Path

    def kill(self) -> None:
        """`kill -9`; until `end` was called the process id is surely its own."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> Done:
        """Waits for it; whatever happened, it said so in plain words and no traceback."""
        code = self.forks.ask({"wait": self.pid})["code"]
        text = self.output.read_text()
        assert "Traceback" not in text, text
        return Done(code, text)


class Forks:
    """The process that forks, as the tests talk to it."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._count = 0

    def start(self, root: Path, *arguments: str, lease: float | None = None) -> Command:
        """Starts a command on the app in a folder.

        Args:
            root: the folder.
            arguments: after `flask s3`.
            lease: seconds after which it takes a sweep of somebody else for abandoned.
        """
        self._count += 1
        output = self._folder / f"{self._count}.txt"
        output.touch()  # it may be killed before it does that
        order = {"root": str(root), "arguments": arguments, "output": str(output), "lease": lease}
        return Command(self, self.ask(order)["pid"], output)

    def ask(self, order: Any) -> Any:
        """Sends one order and returns what it comes back with."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def forks() -> Iterator[Forks]:
    """Starts the process that forks, and ends it."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Forks(process, Path(folder))
        finally:
            process.communicate(timeout=PATIENCE)


# -- the other side


def _main(orders: TextIO, answers: TextIO) -> None:
    for line in orders:
        order = json.loads(line)
        if "wait" in order:
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])}
        else:
            answer = {"pid": _forked(order)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _forked(order: Any) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        code = _run(order)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(order: Any) -> int:
    from flask.cli import FlaskGroup

    from flask_s3.cli.commands import s3
    from flask_s3.release import sweeps
    from flask_s3.store import flow

    signal.alarm(PATIENCE)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(order["output"], os.O_WRONLY)
    for old, new in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(old, new)
    sys.stdout = sys.stderr = os.fdopen(1, "w")
    os.chdir(order["root"])
    sys.path.insert(0, order["root"])
    sweeps._POLL = 0.02
    flow._DELAY_UNIT = 0.01
    if order["lease"] is not None:
        sweeps.LEASE = order["lease"]
    group = FlaskGroup(add_default_commands=False)
    group.add_command(s3)
    group._loaded_plugin_commands = True  # those of all other packages: a second and more
    try:
        group.main(["--app", "wsgi", "s3", *order["arguments"]], prog_name="flask")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        return 70
    return 0


if __name__ == "__main__":
    # What every command imports, so that none has to; no thread and no connection comes of it.
    for name in (
        "awscrt.auth",
        "awscrt.http",
        "awscrt.s3",
        "flask_s3.cli.commands",
        "flask_s3.cli.releasing",
        "flask_s3.release.deploy",
        "flask_s3.release.prune",
        "flask_s3.release.rollback",
    ):
        importlib.import_module(name)
    _main(sys.stdin, sys.stdout)
