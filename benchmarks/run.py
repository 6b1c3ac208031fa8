"""Measures Flask-S3 beside its peers: every figure is a ratio of programs run in turn.

    python benchmarks/run.py [NAME …|all] [--rounds N] [--json FILE] [--page FOLDER]

Run it with a Python that has this project installed. ``README.md`` says what each figure is.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import CalledProcessError

from figures.build import build
from figures.cold import cold
from figures.large import large
from figures.latency import server
from figures.releases import releases
from figures.scale import scale
from figures.start import start
from figures.unchanged import unchanged
from figures.urls import urls
from harness import CommandFailed
from options import Options
from peers.environments import PACKAGES, package_versions
from report import Result, heading, machine, text, write_json
from trees.npm import VERSIONS

BENCHMARKS: Mapping[str, Callable[[Options], Result]] = {
    "server": server,
    "start": start,
    "urls": urls,
    "cold": cold,
    "unchanged": unchanged,
    "large": large,
    "build": build,
    "scale": scale,
    "releases": releases,
}
TRIAL = "This was a trial, with a fraction of the files: its numbers mean nothing."
REPORTED = ("flask-s3", "flask", "werkzeug", "boto3", "awscrt", "brotli", "tree-sitter")


def run(options: Options, json_file: Path | None, page: Path | None) -> None:
    """Runs what was asked for; prints each result, and writes them where wanted."""
    where = machine(versions(options), TRIAL if options.trial else "")
    print(heading(where), flush=True)
    results = []
    for name in options.benchmarks:
        print(f"{name} …", file=sys.stderr, flush=True)
        results.append(BENCHMARKS[name](options))
        print(text(results[-1]), flush=True)
        if json_file:
            write_json(json_file, where, results)
    if page:
        # Only now: a process that is started counts the memory of the one that starts it.
        from page import write_page  # noqa: PLC0415

        write_page(page, where, results)


def versions(options: Options) -> Mapping[str, str]:
    """The versions of what is measured, and of whom it is compared with."""
    pins = dict(pin.split("==") for pins in PACKAGES.values() for pin in pins)
    peers = {f"{name} (peer)": version for name, version in pins.items()}
    return {**package_versions(options.python, REPORTED), **peers, **VERSIONS}


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = (*BENCHMARKS, "all")
    parser.add_argument("benchmark", nargs="*", default=["all"], metavar="NAME", help=str(names))
    parser.add_argument("--rounds", type=int, help="rounds after the warm-up, for each benchmark")
    parser.add_argument("--json", type=Path, help="write every run to this file")
    parser.add_argument("--page", type=Path, help="write a page with plots into this folder")
    parser.add_argument("--trial", action="store_true", help="a fraction of the files: no figures")
    parser.add_argument("--million", action="store_true", help="scale: go on to 1,000,000 files")
    parser.add_argument("--kept", type=Path, help="keep peers and npm's packages here, for reuse")
    parser.add_argument("--work", type=Path, help="where temporary files go; 6 GB")
    parser.add_argument("--python", default=sys.executable, help="the one that has Flask-S3")
    found = parser.parse_args(arguments)
    if unknown := set(found.benchmark) - set(names):
        parser.error(
            f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(names)}"
        )
    return found


def main() -> None:
    """The command."""
    found = parsed()
    for number in (signal.SIGINT, signal.SIGTERM):  # both end it, with everything tidied up
        signal.signal(number, signal.default_int_handler)
    everything = "all" in found.benchmark
    with tempfile.TemporaryDirectory(prefix="flask-s3-benchmarks-", dir=found.work) as work:
        options = Options(
            benchmarks=tuple(BENCHMARKS) if everything else tuple(found.benchmark),
            work=Path(work),
            kept=(found.kept or Path(work, "kept")).resolve(),
            python=found.python,
            rounds=found.rounds,
            million=found.million,
            trial=found.trial,
        )
        try:
            run(options, found.json, found.page)
        except CommandFailed as failure:
            sys.exit(str(failure))
        except KeyboardInterrupt:
            sys.exit("Interrupted.")
        except CalledProcessError as failure:
            sys.exit(f"{json.dumps(failure.cmd)} ended with {failure.returncode}.")


if __name__ == "__main__":
    main()
