"""Two commands measured in turn: A B A B …, so that a slow moment of the machine hits both.

Each run is a whole process, from start to exit: wall time, user + system CPU and peak memory, all
of the process itself and the children it waited for (``os.wait4``). Peak memory is never less
than that of the Python that starts the commands (Linux counts the image before ``exec``), which
is some 25 MB here.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
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
    """Two commands measured in turn."""

    first: Summary
    second: Summary

    @property
    def ratios(self) -> tuple[float, ...]:
        """First over second, round by round."""
        return tuple(
            a.wall / b.wall for a, b in zip(self.first.runs, self.second.runs, strict=True)
        )

    @property
    def ratio(self) -> float:
        """The median of the paired ratios."""
        return median(self.ratios)


@dataclass(frozen=True)
class Figure:
    """A number with its unit; ``limit`` is the most it may be, where something was promised."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """``ok`` or ``MISSED`` against the limit; nothing where there is none."""
        if self.limit is None:
            return ""
        return "ok" if self.value <= self.limit else "MISSED"


@dataclass(frozen=True)
class Result:
    """What one benchmark found."""

    name: str
    figures: tuple[Figure, ...]
    comparisons: tuple[Comparison, ...] = ()
    alone: tuple[Summary, ...] = ()


@dataclass(frozen=True)
class Machine:
    """Where and with what it was measured."""

    cores: int
    processor: str
    system: str
    versions: Mapping[str, str]
    date: str


def machine(versions: Mapping[str, str]) -> Machine:
    """This machine; ``versions`` names what was measured."""
    return Machine(
        cores=cores(),
        processor=platform.machine(),
        system=platform.system(),
        versions=versions,
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    )


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


def compare(
    first: Command,
    second: Command,
    rounds: int,
    *,
    before: Callable[[], None] = nothing,
    after: Callable[[], None] = nothing,
) -> Comparison:
    """Both commands in turn, ``rounds`` times after one round of warm-up.

    ``before`` and ``after`` run around each command and are not timed; ``after`` may raise when
    the command did not do its job.
    """
    pairs = [
        (between(before, after, first), between(before, after, second)) for _ in range(rounds + 1)
    ]
    firsts, seconds = zip(*pairs[1:], strict=True)
    return Comparison(Summary(first.name, firsts), Summary(second.name, seconds))


def repeat(
    command: Command,
    rounds: int,
    *,
    before: Callable[[], None] = nothing,
    after: Callable[[], None] = nothing,
) -> Summary:
    """One command, ``rounds`` times after one of warm-up; the hooks as in :func:`compare`."""
    runs = [between(before, after, command) for _ in range(rounds + 1)]
    return Summary(command.name, tuple(runs[1:]))


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
        _, status, usage = os.wait4(process.pid, 0)
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


# Tables


def report(where: Machine, results: Iterable[Result]) -> str:
    """All results as text."""
    versions = ", ".join(f"{name} {version}" for name, version in where.versions.items())
    lines = [
        f"{where.date} · {where.cores} cores, {where.processor}, {where.system}",
        versions,
    ]
    for result in results:
        lines += ["", result.name, "=" * len(result.name)]
        lines += table(RUN_TITLES, run_rows(result)) if result.comparisons or result.alone else []
        lines += ["", *table(FIGURE_TITLES, figure_rows(result))]
    return "\n".join(lines)


RUN_TITLES = ("command", "runs", "wall (median)", "min to max", "CPU", "peak RSS", "paired ratio")
FIGURE_TITLES = ("figure", "value", "limit", "", "note")


def run_rows(result: Result) -> Iterator[tuple[str, ...]]:
    """A row a command; of two in turn, the first has the ratio."""
    for comparison in result.comparisons:
        low, high = min(comparison.ratios), max(comparison.ratios)
        ratio = f"{comparison.ratio:.2f} ({low:.2f} to {high:.2f})"
        yield (*summary_row(comparison.first), ratio)
        yield (*summary_row(comparison.second), "")
    for summary in result.alone:
        yield (*summary_row(summary), "")


def summary_row(summary: Summary) -> tuple[str, ...]:
    """The cells of one command."""
    low, high = summary.spread
    return (
        summary.name,
        str(len(summary.runs)),
        f"{summary.wall:.3f} s",
        f"{low:.3f} to {high:.3f} s",
        f"{summary.cpu:.2f} s",
        f"{summary.peak_rss / 1e6:.0f} MB",
    )


def figure_rows(result: Result) -> Iterator[tuple[str, ...]]:
    """A row a figure."""
    for figure in result.figures:
        limit = "" if figure.limit is None else f"≤ {figure.limit:g} {figure.unit}"
        value = f"{figure.value:.4g} {figure.unit}"
        yield (figure.name, value, limit, figure.verdict, figure.note)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as they need to be."""
    cells = [titles, *rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(titles))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def write_json(path: Path, where: Machine, results: Iterable[Result]) -> None:
    """Everything, every single run included, to ``path``."""
    found = {"machine": asdict(where), "results": [result_json(result) for result in results]}
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def result_json(result: Result) -> dict[str, object]:
    """One result with the derived values beside the raw ones."""
    return {
        "name": result.name,
        "figures": [{**asdict(f), "verdict": f.verdict} for f in result.figures],
        "comparisons": [
            {**asdict(c), "ratios": c.ratios, "ratio": c.ratio} for c in result.comparisons
        ],
        "alone": [asdict(summary) for summary in result.alone],
    }
