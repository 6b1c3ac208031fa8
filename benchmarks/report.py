"""What was found, as values, as text for the screen and as JSON that holds every single run."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

from goals import GOALS, Goal
from harness import Comparison, Summary, cores


@dataclass(frozen=True)
class Figure:
    """A number with its unit, and every single measurement that it is the middle of.

    ``name`` is that of its goal in ``goals.py``, where it has one.
    """

    name: str
    value: float
    unit: str
    samples: tuple[float, ...] = ()
    note: str = ""

    @property
    def goal(self) -> Goal | None:
        """What it is meant to be."""
        return GOALS.get(self.name)

    @property
    def verdict(self) -> str:
        """``met`` or ``MISSED``; nothing where there is no goal."""
        goal = self.goal
        return "" if goal is None else "met" if goal.is_met_by(self.value) else "MISSED"

    @property
    def spread(self) -> tuple[float, float] | None:
        """The least and the most that was measured."""
        return (min(self.samples), max(self.samples)) if len(self.samples) > 1 else None


def middle(name: str, samples: Sequence[float], unit: str, note: str = "") -> Figure:
    """The median of what was measured."""
    return Figure(name, median(samples), unit, tuple(samples), note)


def times(name: str, pair: Comparison, note: str = "") -> Figure:
    """The median of the paired ratios of wall time."""
    return middle(name, pair.ratios, "x", note or f"{1 / pair.ratio:.3g} x as fast")


@dataclass(frozen=True)
class Result:
    """What one benchmark found; ``remarks`` say what could not be measured, and why."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    runs: tuple[Summary, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """Where and with what it was measured."""

    cores: int
    processor: str
    memory_gb: float
    system: str
    versions: Mapping[str, str]
    date: str
    remark: str = ""


def machine(versions: Mapping[str, str], remark: str = "") -> Machine:
    """This machine; ``versions`` names what was measured, ``remark`` says what is odd about it."""
    return Machine(
        cores=cores(),
        processor=processor(),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        versions=versions,
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        remark=remark,
    )


def processor() -> str:
    """The processor's model where the system tells it (Linux), else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


# Text

RUN_TITLES = ("command", "runs", "wall (median)", "least to most", "CPU", "peak memory")
FIGURE_TITLES = ("figure", "median", "least to most", "goal", "", "note")


def heading(where: Machine) -> str:
    """The machine, the versions and the date."""
    versions = ", ".join(f"{name} {version}" for name, version in where.versions.items())
    place = f"{where.cores} cores, {where.processor}, {where.memory_gb:g} GB, {where.system}"
    return "\n".join(filter(None, (f"{where.date} · {place}", versions, where.remark)))


def text(result: Result) -> str:
    """A result as two tables, its remarks, and the goals that were not measured."""
    title = f"{result.name}: {result.title}"
    lines = ["", title, "=" * len(title)]
    if result.runs:
        lines += [*table(RUN_TITLES, map(run_row, result.runs)), ""]
    lines += table(FIGURE_TITLES, map(figure_row, result.figures))
    return "\n".join([*lines, *result.remarks, *not_measured(result)])


def not_measured(result: Result) -> Iterator[str]:
    """A sentence for each goal of this benchmark that has no figure."""
    measured = {figure.name for figure in result.figures}
    for name, goal in GOALS.items():
        if goal.benchmark == result.name and name not in measured:
            yield f"Not measured: {name} ({goal})."


def run_row(summary: Summary) -> tuple[str, ...]:
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


def figure_row(figure: Figure) -> tuple[str, ...]:
    """The cells of one figure."""
    goal = "" if figure.goal is None else f"{figure.goal} {figure.unit}"
    value = f"{number(figure.value)} {figure.unit}"
    return (figure.name, value, spread(figure), goal, figure.verdict, figure.note)


def spread(figure: Figure) -> str:
    """The least and the most, as text."""
    return "" if figure.spread is None else " to ".join(map(number, figure.spread))


def number(value: float) -> str:
    """Three digits, or all of a large number's."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as they need to be."""
    cells = [titles, *rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(titles))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


# JSON


def write_json(path: Path, where: Machine, results: Iterable[Result]) -> None:
    """Writes everything, every single run included."""
    found = {"machine": asdict(where), "results": [asdict(result) for result in results]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> tuple[Machine, list[Result]]:
    """What :func:`write_json` wrote, without the runs."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return Machine(**found["machine"]), [result_of(value) for value in found["results"]]


def result_of(value: Mapping[str, Any]) -> Result:
    """A result, without its runs."""
    figures = tuple(Figure(**{**f, "samples": tuple(f["samples"])}) for f in value["figures"])
    return Result(value["name"], value["title"], figures, remarks=tuple(value["remarks"]))
