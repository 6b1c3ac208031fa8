"""What an app's start takes more with Flask-S3: its import, the manifest, the first URL."""

from __future__ import annotations

from harness import Command, Comparison, compare, fresh
from options import Options
from peers.environments import call
from report import Figure, Result

from figures.cold import named

ENTRIES = 4000


def start(options: Options) -> Result:
    """Whole Python processes: with Flask-S3, and with Flask alone."""
    folder, rounds = fresh(options.work / "start"), options.rounds or 31
    filler = options.probe_command("manifests", folder, ENTRIES)
    call(*filler.argv, env=filler.env)
    ours = options.probe_command("first_url", folder, "flask_s3")
    alone = options.probe_command("first_url", folder, "flask")
    first = compare(ours, alone, rounds)
    heavy = options.probe("first_url", folder, "flask_s3")["heavy"]
    imports = import_pair(options, options.python, "flask_s3", rounds)
    old = import_pair(options, options.peers.flask_s3_03(), "0.3.3", rounds)
    return Result(
        "start",
        f"an app's start, with a manifest of {ENTRIES:,} entries",
        (
            added("start, import + first URL, over Flask alone", first),
            Figure("start, heavy modules", len(heavy), "", note=", ".join(heavy)),
            added("import flask_s3, over Flask alone", imports),
            added("import Flask-S3 0.3.3, over Flask alone", old),
        ),
        named("first URL", first.first, first.second)
        + named("import", imports.first, imports.second),
    )


def import_pair(options: Options, python: str, name: str, rounds: int) -> Comparison:
    """``import flask, flask_s3`` beside ``import flask``."""
    env = options.environment()
    both = Command(name, (python, "-c", "import flask, flask_s3"), env, options.work)
    alone = Command("flask", (python, "-c", "import flask"), env, options.work)
    return compare(both, alone, rounds)


def added(name: str, pair: Comparison) -> Figure:
    """The difference of the medians; the spread is that of the paired differences."""
    runs = zip(pair.first.runs, pair.second.runs, strict=True)
    differences = tuple((a.wall - b.wall) * 1000 for a, b in runs)
    value = (pair.first.wall - pair.second.wall) * 1000
    return Figure(name, value, "ms", differences, "difference of the medians of whole processes")
