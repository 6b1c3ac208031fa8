"""10,000, 100,000 and 1,000,000 files: what an asset takes, and whether that stays the same."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from apps import write_app
from harness import Run, Summary, between, fresh, nothing
from options import Options, ratios
from report import Figure, Result, middle
from stores.running import latency_server
from trees.seeded import many_tiny

SIZES = (10_000, 100_000)
MILLION = 1_000_000
SMALLEST = 40
MODES: Mapping[str, Mapping[str, object]] = {
    "plain": {},
    "fingerprints": {"FLASKS3_FINGERPRINT": True},
}
#: Collecting is part of building, and is left out of the sum.
WITHIN_BUILD = "collect"


@dataclass(frozen=True)
class Scaled:
    """What was measured with one number of files: the steps of each round, and whole deploys."""

    files: int
    steps: tuple[Mapping[str, Any], ...]
    sizes: Mapping[str, int]
    deploys: tuple[Run, ...]

    def step(self, name: str) -> tuple[float, ...]:
        """A step's microseconds an asset, each round's."""
        return tuple(found[name]["seconds"] / self.files * 1e6 for found in self.steps)

    @property
    def names(self) -> list[str]:
        """The steps' names."""
        return list(self.steps[0])

    @property
    def seconds(self) -> tuple[float, ...]:
        """All steps' microseconds an asset, each round's."""
        sums = zip(*(self.step(name) for name in self.names if name != WITHIN_BUILD), strict=True)
        return tuple(map(sum, sums))

    @property
    def memory(self) -> tuple[float, ...]:
        """The peak, in kB an asset, each round's."""
        peaks = (max(step["peak"] for step in found.values()) for found in self.steps)
        return tuple(peak / self.files / 1000 for peak in peaks)


def scale(options: Options) -> Result:
    """Each way of publishing, size by size."""
    sizes = (*SIZES, MILLION) if options.million else SIZES
    found: dict[str, list[Scaled]] = {mode: [] for mode in MODES}
    for files in map(options.count, sizes):
        folder = many_tiny(fresh(options.work / "scale") / "static", files, SMALLEST)
        for mode in MODES:
            found[mode].append(measured(options, folder, mode, files))
        shutil.rmtree(folder)
    figures = (figure for mode in MODES for figure in figures_of(mode, found[mode]))
    runs = (
        Summary(f"{mode}, {scaled.files:,} files: flask s3 deploy", scaled.deploys)
        for mode in MODES
        for scaled in found[mode]
    )
    remarks = () if options.million else ("1,000,000 files are measured with --million.",)
    return Result("scale", "more and more files", tuple(figures), tuple(runs), remarks)


def measured(options: Options, folder: Path, mode: str, files: int) -> Scaled:
    """The steps in a process of their own, and a whole deploy; a million files once."""
    rounds = 1 if files == MILLION else options.at_most(3)
    with latency_server("--discard-bodies") as server:
        app = write_app(folder.parent / "app.py", folder, server, **MODES[mode])
        probed, deploys = [], []
        for _ in range(rounds):
            forget(folder)
            probed.append(options.probe("scale_steps", app))
            forget(folder)
            server.reset()
            deploys.append(between(nothing, nothing, options.deploy(app)))
            server.expect_objects(files)
    steps = tuple(found["steps"] for found in probed)
    return Scaled(files, steps, probed[0]["sizes"], tuple(deploys))


def forget(folder: Path) -> None:
    """Nothing is known of the files from before."""
    shutil.rmtree(folder.parent / ".flask-s3-cache", ignore_errors=True)


def figures_of(mode: str, found: Sequence[Scaled]) -> list[Figure]:
    """What an asset takes with each number of files, and how that grows."""
    figures = []
    for scaled in found:
        name = f"scale, {mode}, {scaled.files:,}"
        figures.append(middle(f"{name}, time", scaled.seconds, "µs/asset", "all steps"))
        figures += [middle(f"{name}, {s}", scaled.step(s), "µs/asset") for s in scaled.names]
        figures.append(middle(f"{name}, memory", scaled.memory, "kB/asset", "peak of all steps"))
        figures += deploy_figures(name, scaled)
        figures += [
            Figure(f"{name}, size of {what}", size / scaled.files, "B/asset")
            for what, size in scaled.sizes.items()
        ]
    for fewer, more in pairwise(found):
        name = f"scale, {mode}, time, {more.files:,} : {fewer.files:,}"
        figures.append(middle(name, ratios(more.seconds, fewer.seconds), "x"))
        figures.append(deploy_memory(f"scale, {mode}, {more.files:,}", fewer, more))
    return figures


def deploy_figures(name: str, scaled: Scaled) -> list[Figure]:
    """The whole command, from start to exit, with everything to send."""
    walls = [run.wall / scaled.files * 1e6 for run in scaled.deploys]
    return [middle(f"{name}, whole deploy", walls, "µs/asset", "to a server that answers at once")]


def deploy_memory(name: str, fewer: Scaled, more: Scaled) -> Figure:
    """What the peak of a whole deploy grows by, an asset more."""
    pairs = zip(more.deploys, fewer.deploys, strict=False)
    grown = [(a.peak_rss - b.peak_rss) / (more.files - fewer.files) / 1000 for a, b in pairs]
    return middle(f"{name}, whole deploy, memory", grown, "kB/asset", "growth of the peak")
