"""Commands measured in turn: A B C A B C …, so that a slow moment of the machine hits all of them.

Each run is a whole process, from start to exit: wall time, user + system CPU and peak memory, all
of the process itself and the children it waited for (``os.wait4``). Peak memory is never less
than that of the Python that starts the commands (Linux counts the image before ``exec``), which
is some 25 MB here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO

#: A run that takes longer than this many seconds is ended and reported.
TIME_LIMIT = 600.0
#: ``ru_maxrss`` is in bytes on macOS, in kilobytes elsewhere (getrusage(2)).
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
#: What a measured command sees of the user's environment.
PASSED_ON = ("PATH", "SYSTEMROOT", "TMPDIR", "LANG", "LC_ALL")


class CommandFailed(Exception):
    """A measured command did not exit with 0, so its figures mean nothing."""


@dataclass(frozen=True)
class Command:
    """What to run, under which name it is reported; the environment is exactly ``env``."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path | None = None


@dataclass(frozen=True)
class Run:
    """One process: seconds of wall time, seconds of CPU, bytes of peak memory."""

    wall: float
    cpu: float
    peak_rss: int


@dataclass(frozen=True)
class Summary:
    """All runs of a command."""

    name: str
    runs: tuple[Run, ...]

    @property
    def wall(self) -> float:
        """Median seconds."""
        return median(run.wall for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        """Shortest and longest wall time, in seconds."""
        return min(run.wall for run in self.runs), max(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        """Median seconds of CPU."""
        return median(run.cpu for run in self.runs)

    @property
    def peak_rss(self) -> int:
        """The largest peak of all runs, in bytes."""
        return max(run.peak_rss for run in self.runs)


@dataclass(frozen=True)
class Comparison:
    """Two commands that were measured in turn."""

    first: Summary
    second: Summary

    @property
    def ratios(self) -> tuple[float, ...]:
        """The wall time of the first over that of the second, round by round."""
        return self._paired(lambda run: run.wall)

    @property
    def cpu_ratios(self) -> tuple[float, ...]:
        """The same of the CPU time."""
        return self._paired(lambda run: run.cpu)

    @property
    def ratio(self) -> float:
        """The median of the paired ratios."""
        return median(self.ratios)

    def _paired(self, of: Callable[[Run], float]) -> tuple[float, ...]:
        runs = zip(self.first.runs, self.second.runs, strict=True)
        return tuple(of(a) / of(b) for a, b in runs)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def environment(home: Path) -> dict[str, str]:
    """An environment without the user's settings, whose home folder is ``home``."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}


def fresh(folder: Path) -> Path:
    """``folder``, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def nothing() -> None:
    """The hook that does nothing."""


def in_turn(
    commands: Sequence[Command],
    rounds: int,
    *,
    before: Callable[[], None] = nothing,
    after: Callable[[], None] = nothing,
    warm_up: int = 1,
) -> tuple[Summary, ...]:
    """The commands in turn, ``rounds`` times after ``warm_up`` rounds that do not count.

    ``before`` and ``after`` run around each command and are not timed; ``after`` may raise when
    the command did not do its job.
    """
    found = [[between(before, after, c) for c in commands] for _ in range(warm_up + rounds)]
    columns = zip(*found[warm_up:], strict=True)
    return tuple(
        Summary(command.name, runs) for command, runs in zip(commands, columns, strict=True)
    )


def compare(
    first: Command,
    second: Command,
    rounds: int,
    *,
    before: Callable[[], None] = nothing,
    after: Callable[[], None] = nothing,
    warm_up: int = 1,
) -> Comparison:
    """Two commands as :func:`in_turn` measures them."""
    pair = in_turn((first, second), rounds, before=before, after=after, warm_up=warm_up)
    return Comparison(*pair)


def repeat(
    command: Command,
    rounds: int,
    *,
    before: Callable[[], None] = nothing,
    after: Callable[[], None] = nothing,
) -> Summary:
    """One command as :func:`in_turn` measures it."""
    return in_turn((command,), rounds, before=before, after=after)[0]


def between(before: Callable[[], None], after: Callable[[], None], command: Command) -> Run:
    """One run with its hooks."""
    before()
    run = measure(command)
    after()
    return run


def measure(command: Command) -> Run:
    """Run ``command`` to its end; raises :class:`CommandFailed` unless it exits with 0."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.argv,
            env=dict(command.env),
            cwd=command.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        limit = threading.Timer(TIME_LIMIT, process.kill)
        limit.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # Ctrl-C: nothing that was started is left behind
            process.kill()
            raise
        finally:
            wall = time.perf_counter() - start
            limit.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        check_exit(command, process.returncode, output)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * RSS_UNIT)


def check_exit(command: Command, code: int, output: IO[bytes]) -> None:
    """Raise with the end of the output when ``code`` is not 0."""
    if code == 0:
        return
    output.seek(0)
    tail = output.read()[-2000:].decode(errors="replace")
    raise CommandFailed(f"{command.name}: exit {code} from {' '.join(command.argv)}\n{tail}")
