"""Few large files: throughput beside s5cmd's, and peak memory."""

from __future__ import annotations

import shutil

from apps import write_app
from harness import Comparison, Summary, compare, fresh
from options import Options
from peers.commands import Publishers
from report import Figure, Result, middle
from stores.running import Store, expect_objects, latency_server
from stores.seaweedfs import seaweedfs
from trees.seeded import few_large

from figures.cold import named

FILES, BYTES = 3, 700_000_000
LINK = ("--bandwidth", "125000000", "--latency-ms", "50")  # 1 Gbit/s


def large(options: Options) -> Result:
    """On loopback, through a slower link, and into a store that writes to disk."""
    size = options.count(BYTES)
    folder = few_large(fresh(options.work / "large") / "static", FILES, size)
    with latency_server("--discard-bodies") as server:
        free = pair(options, server)
    with latency_server("--discard-bodies", *LINK) as server:
        limited = pair(options, server)
    with seaweedfs() as store:
        stored = pair(options, store)
    shutil.rmtree(folder)
    places = {"large": free, "large, 1 Gbit/s": limited, "large, SeaweedFS": stored}
    return Result(
        "large",
        f"{FILES} files of {size / 1e6:,.0f} MB",
        tuple(figure for name, found in places.items() for figure in figures_of(name, found, size)),
        tuple(run for name, found in places.items() for run in runs_of(name, found)),
    )


def pair(options: Options, store: Store) -> Comparison:
    """Ours and s5cmd in turn, each into an empty bucket."""
    folder = options.work / "large" / "static"
    app = write_app(folder.parent / "app.py", folder, store)
    s5cmd = Publishers(options, store, folder).s5cmd()

    def before() -> None:
        fresh(folder.parent / ".flask-s3-cache").rmdir()
        store.reset()

    def after() -> None:
        expect_objects(store, FILES)

    return compare(options.deploy(app), s5cmd, options.at_most(3), before=before, after=after)


def figures_of(name: str, found: Comparison, size: int) -> list[Figure]:
    """Throughput as a share of s5cmd's, and the largest peak of all runs."""
    megabytes = FILES * size / 1e6
    speeds = [megabytes / run.wall for run in found.first.runs]
    peaks = [run.peak_rss / 1e6 for run in found.first.runs]
    return [
        middle(f"{name}, throughput : s5cmd", [1 / ratio for ratio in found.ratios], "x"),
        middle(f"{name}, throughput", speeds, "MB/s"),
        Figure(f"{name}, peak memory", max(peaks), "MB", tuple(peaks), "the largest of all runs"),
    ]


def runs_of(name: str, found: Comparison) -> tuple[Summary, ...]:
    """Both sides' runs."""
    return named(name, found.first, found.second)
