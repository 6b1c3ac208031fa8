"""Makes the page of the documentation, and its plots, of a file with results.

    python benchmarks/page.py FILE.json [FOLDER]

writes ``benchmarks.md`` and ``benchmarks/*.svg`` into ``docs/explanation``, or into ``FOLDER``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from plots import write_plot
from report import Figure, Machine, Result, figure_row, not_measured, read_json

DOCS = Path(__file__).parent.parent / "docs" / "explanation"
TITLES = {
    "server": "The server that answers late",
    "start": "An app's start",
    "urls": "`url_for`",
    "cold": "A first deploy",
    "unchanged": "A deploy that has nothing to do",
    "large": "Few large files",
    "build": "Fingerprints and encodings",
    "scale": "More and more files",
    "releases": "Commands around releases",
}
NOTES = {
    "scale": """\
On paper, every step looks at each asset a fixed number of times, so its time and memory grow with
their number. What does not, or has an end:

- Keys are sorted, which takes *n* log *n* comparisons: a twentieth more an asset from 100,000 to
  1,000,000, of a small part of the time.
- The record of a release is one object. A deploy reads it before and writes it after, so a deploy
  that changes nothing asks two questions, but moves all of it, and more of it with fingerprints:
  the table has its size. It is read and written as a whole, in memory.
- The manifest is one file, whose size the table has, too; each process of the app reads it when it
  starts, and holds it. With very many files that is what a page's server
  feels, not the time of `url_for`, which is a look-up.
- A listing, which `--verify-remote` and a lost record take, answers 1,000 keys a request, one after
  another: 1,000 round trips for 1,000,000 objects.
- Tried by hand on 28 November 2026, on that machine: a first deploy of 1,000,000 plain files to a
  server that answers at once took 236 s, 246 µs of CPU time and 1.6 kB of memory an asset; one with
  nothing to do 54 s and 1.8 kB.
- What is sent goes over 512 requests at a time, so a first deploy takes as long as the store, or
  the CPU time of a request, makes it.
""",
}
INTRODUCTION = """\
# Benchmarks

This page is made by `python benchmarks/page.py` of what `python benchmarks/run.py` measured. Every
ratio compares programs that ran in turn in one run, on one machine: A, B, A, B. The number is the
median of the ratios of the rounds, and the line through its dot reaches from the least to the most.
Less is better, except where the goal says "≥". `benchmarks/README.md` tells what each figure is,
how the peers were run, and how to run it yourself.

Client and server shared the machine, so these are comparisons of programs that were given the same
server, not the speed of S3.
"""


def page(where: Machine, results: Sequence[Result]) -> str:
    """The page's text."""
    remark = [f"**{where.remark}**\n"] if where.remark else []
    parts = [INTRODUCTION, *remark, machine_table(where), summary(results)]
    parts += [section(result) for result in results]
    return "\n".join(parts).rstrip() + "\n"


def machine_table(where: Machine) -> str:
    """Where it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in where.versions.items())
    rows = {
        "date": where.date,
        "machine": f"{where.cores} cores, {where.processor}, {where.memory_gb:g} GB of memory",
        "system": where.system,
        "versions": versions,
    }
    return markdown(("", ""), list(rows.items()))


def summary(results: Sequence[Result]) -> str:
    """How many goals are met, and which are not."""
    judged = [figure for result in results for figure in result.figures if figure.goal]
    missed = [figure for figure in judged if figure.verdict != "met"]
    lines = [f"Goals met: {len(judged) - len(missed)} of {len(judged)}.", ""][: 1 + bool(missed)]
    lines += [f"- missed: {f.name} is {value_of(f)}, goal {f.goal}" for f in missed]
    return "\n".join(lines) + "\n"


def section(result: Result) -> str:
    """One benchmark: its plot, its figures, what was not measured."""
    lines = [f"## {TITLES[result.name]}", "", f"{result.title[:1].upper()}{result.title[1:]}.", ""]
    if plotted(result):
        lines += [f"![Ratios and their goals](benchmarks/{result.name}.svg)", ""]
    lines += [NOTES[result.name]] if result.name in NOTES else []
    rows = [figure_row(figure) for figure in result.figures]
    lines.append(markdown(("figure", "median", "least to most", "goal", "", "note"), rows))
    lines += [f"{remark}\n" for remark in (*result.remarks, *not_measured(result))]
    return "\n".join(lines)


def value_of(figure: Figure) -> str:
    """The median, with its unit."""
    return figure_row(figure)[1].strip()


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    cells = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(c.replace('|', '¦') for c in row)} |\n" for row in cells)


def plotted(result: Result) -> list[Figure]:
    """The ratios, which a plot shows."""
    return [figure for figure in result.figures if figure.unit == "x"]


def write_page(folder: Path, where: Machine, results: Sequence[Result]) -> None:
    """Writes the page and its plots."""
    plots = folder / "benchmarks"
    plots.mkdir(parents=True, exist_ok=True)
    for old in plots.glob("*.svg"):
        old.unlink()
    for result in results:
        if ratios := plotted(result):
            write_plot(plots / f"{result.name}.svg", ratios)
    (folder / "benchmarks.md").write_text(page(where, results), encoding="utf-8")


if __name__ == "__main__":
    write_page(Path(sys.argv[2]) if len(sys.argv) > 2 else DOCS, *read_json(Path(sys.argv[1])))
