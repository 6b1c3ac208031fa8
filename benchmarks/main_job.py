"""The main job in numbers: what importing, serving and publishing cost, beside the peers.

    python benchmarks/main_job.py [import|url_for|small|large|unchanged|releases|all]
        [--json FILE] [--rounds N]

Run it with a Python that has this project installed. ``README.md`` says what each figure is.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from harness import (
    Command,
    CommandFailed,
    Comparison,
    Figure,
    Result,
    Summary,
    compare,
    fresh,
    machine,
    report,
    write_json,
)
from peers import call, package_versions
from publishing import (
    BUCKET,
    HERE,
    KEYS,
    Options,
    Server,
    aws_environment,
    latency_server,
    write_app,
)
from releases import releases_benchmark, unchanged_benchmark
from trees import many_small, one_large

#: The command under test; ``{python}`` and ``{app}`` are filled in.
DEPLOY = "{python} -m flask --app {app} s3 deploy --yes"

REPORTED = ("flask-s3", "flask", "werkzeug", "boto3", "awscrt")

IMPORT_LIMIT_MS = 20.0
URL_FOR_LIMIT = 0.5
SHARE_OF_03_LIMIT = 1 / 80
S5CMD_LIMIT = 1.0
LARGE_RSS_LIMIT_MB = 250.0

SMALL_FILES = 4000
SMALL_LATENCY_MS = 50.0
#: 0.3.3 uploads one file after another, so two small runs give its start and its time a file.
SAMPLES_03 = (20, 100)
LARGE_BYTES = 2 * 1024**3
LINK_BYTES_A_SECOND = 125_000_000  # 1 Gbit/s

URL_NAMES = ("css/site.css", "js/app.js", "img/logo.svg", "vendor/a/b/c/deep.min.js")


# import


def import_benchmark(options: Options) -> Result:
    """What importing the extension adds to importing Flask."""
    ours = import_pair(options, "ours", options.python)
    theirs = import_pair(options, "0.3.3", options.peers.flask_s3_03())
    loaded = probe(options, options.python, 1)["loaded"]
    if loaded:
        raise CommandFailed(f"building a URL imported {loaded}")
    return Result(
        "import",
        (
            Figure("ours adds", added_ms(ours), "ms", IMPORT_LIMIT_MS),
            Figure("0.3.3 adds", added_ms(theirs), "ms"),
            Figure("heavy modules after building a URL", 0, "", 0, "boto3, botocore, awscrt"),
        ),
        (ours, theirs),
    )


def import_pair(options: Options, name: str, python: str) -> Comparison:
    """``import flask, flask_s3`` beside ``import flask``."""
    env = aws_environment(options)
    both = Command(f"flask + {name}", (python, "-c", "import flask, flask_s3"), env, options.work)
    alone = Command("flask alone", (python, "-c", "import flask"), env, options.work)
    return compare(both, alone, options.rounds or 31)


def added_ms(pair: Comparison) -> float:
    """The difference of the medians."""
    return (pair.first.wall - pair.second.wall) * 1000


# url_for


def url_for_benchmark(options: Options) -> Result:
    """What one URL costs in a request."""
    repeats = options.rounds or 25
    ours = probe(options, options.python, repeats)
    theirs = probe(options, options.peers.flask_s3_03(), repeats)
    limit = URL_FOR_LIMIT
    return Result(
        "url_for",
        (
            Figure("flask.url_for", microseconds(ours, "flask"), "µs", note="app without Flask-S3"),
            Figure("flask_s3.url_for", microseconds(ours, "flask_s3"), "µs"),
            Figure("flask.url_for, app with ours", microseconds(ours, "app"), "µs"),
            Figure("0.3.3's url_for", microseconds(theirs, "flask_s3"), "µs"),
            Figure("ours : flask", paired(ours, "flask_s3"), "x", limit, "median of pairs"),
            Figure("app with ours : flask", paired(ours, "app"), "x", limit, "median of pairs"),
            Figure("0.3.3 : flask", paired(theirs, "flask_s3"), "x", note="in its environment"),
        ),
    )


def probe(options: Options, python: str, repeats: int) -> Mapping[str, list[float]]:
    """What ``url_probe.py`` prints under ``python``."""
    folder = url_tree(options)
    argv = (python, str(HERE / "url_probe.py"), str(folder), str(repeats), *URL_NAMES)
    found: dict[str, list[float]] = json.loads(call(*argv))
    return found


def url_tree(options: Options) -> Path:
    """A static folder with the files that URLs are made for."""
    folder = options.work / "urls" / "static"
    for name in URL_NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def microseconds(found: Mapping[str, list[float]], name: str) -> float:
    """The median time of a call."""
    return median(found[name]) * 1e6


def paired(found: Mapping[str, list[float]], name: str) -> float:
    """The median over the repeats of ``name`` : ``flask``."""
    return median(a / b for a, b in zip(found[name], found["flask"], strict=True))


# small


def small_benchmark(options: Options) -> Result:
    """Many small files, the whole command, into an empty bucket."""
    folder = fresh(options.work / "small" / "static")
    many_small(folder, options.files)
    with latency_server("--latency-ms", str(options.latency_ms)) as server:
        pair = publish_pair(options, server, folder, options.files, options.rounds or 7)
        samples = [sample_03(options, server, count) for count in SAMPLES_03]
    return Result("small", small_figures(options, pair, samples), (pair,))


def small_figures(
    options: Options, pair: Comparison, samples: Sequence[Summary]
) -> tuple[Figure, ...]:
    """The promises about small files."""
    a_file, whole = scaled_03(samples, options.files)
    ours = pair.first.wall
    promised = options.files == SMALL_FILES and options.latency_ms == SMALL_LATENCY_MS
    scaled = f"from runs of {SAMPLES_03[0]} and {SAMPLES_03[1]} files"
    return (
        Figure(
            "ours : s5cmd", pair.ratio, "x", S5CMD_LIMIT if promised else None, "median of pairs"
        ),
        Figure(
            "ours : 0.3.3",
            ours / whole,
            "x",
            SHARE_OF_03_LIMIT if promised else None,
            f"{whole / ours:.0f} x faster",
        ),
        Figure("ours", options.files / ours, "files/s"),
        Figure("s5cmd", options.files / pair.second.wall, "files/s", note="256 workers"),
        Figure("0.3.3, a file", a_file * 1000, "ms", note=scaled),
        Figure("0.3.3, all files", whole, "s", note=f"scaled, {scaled}"),
    )


def sample_03(options: Options, server: Server, count: int) -> Summary:
    """0.3.3's ``create_all`` of ``count`` files."""
    folder = fresh(options.work / f"sample-{count}" / "static")
    many_small(folder, count)
    app = write_app(options.work / f"app_03_{count}.py", folder, server)
    env = {**aws_environment(options), "AWS_ENDPOINT_URL_S3": server.url}
    command = Command("0.3.3", (options.peers.flask_s3_03(), str(app)), env, options.work)
    hooks = publish_hooks(options, server, count)
    return compare(command, command, 1, before=hooks[0], after=hooks[1]).first


def scaled_03(samples: Sequence[Summary], files: int) -> tuple[float, float]:
    """0.3.3's seconds a file, and for all ``files``: the line through two samples."""
    (few, many), (start, end) = SAMPLES_03, (sample.wall for sample in samples)
    a_file = (end - start) / (many - few)
    return a_file, start + (files - few) * a_file


# large


def large_benchmark(options: Options) -> Result:
    """One large file: memory, and throughput on loopback and through a slower link."""
    folder = fresh(options.work / "large" / "static")
    one_large(folder, options.large_bytes)
    rounds = options.rounds or 3
    with latency_server("--discard-bodies") as server:
        free = publish_pair(options, server, folder, 1, rounds)
    link = ("--bandwidth", str(LINK_BYTES_A_SECOND), "--latency-ms", str(options.latency_ms))
    with latency_server("--discard-bodies", *link) as server:
        limited = publish_pair(options, server, folder, 1, rounds)
    return Result("large", large_figures(options, free, limited), (free, limited))


def large_figures(options: Options, free: Comparison, limited: Comparison) -> tuple[Figure, ...]:
    """The promises about a large file."""
    size = options.large_bytes / 1e6
    return (
        Figure("peak memory", free.first.peak_rss / 1e6, "MB", LARGE_RSS_LIMIT_MB, "loopback"),
        Figure("peak memory", limited.first.peak_rss / 1e6, "MB", LARGE_RSS_LIMIT_MB, "1 Gbit/s"),
        Figure("ours", size / free.first.wall, "MB/s", note="loopback"),
        Figure("s5cmd", size / free.second.wall, "MB/s", note="loopback"),
        Figure("ours : s5cmd", free.ratio, "x", note="time, loopback"),
        Figure("ours : s5cmd", limited.ratio, "x", note="time, 1 Gbit/s"),
    )


# Publishing


def publish_pair(
    options: Options, server: Server, folder: Path, count: int, rounds: int
) -> Comparison:
    """Ours and s5cmd in turn, each into an empty bucket; what did not arrive raises."""
    before, after = publish_hooks(options, server, count)
    ours, s5cmd = deploy_command(options, server, folder), s5cmd_command(options, server, folder)
    return compare(ours, s5cmd, rounds, before=before, after=after)


def publish_hooks(
    options: Options, server: Server, count: int
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Before a run: an empty bucket, a cold cache. After it: the objects must be there."""

    def before() -> None:
        fresh(options.home)
        server.reset()

    return before, lambda: server.expect_objects(count)


def deploy_command(options: Options, server: Server, folder: Path) -> Command:
    """Our command line."""
    app = write_app(options.work / "app_ours.py", folder, server)
    argv = [
        word.format(python=options.python, app=app, folder=folder, url=server.url)
        for word in shlex.split(options.deploy)
    ]
    return Command("flask s3 deploy", tuple(argv), aws_environment(options), options.work)


def s5cmd_command(options: Options, server: Server, folder: Path) -> Command:
    """``s5cmd cp`` of the same folder to the same keys."""
    argv = (
        options.peers.s5cmd(),
        *("--endpoint-url", server.url),
        *("--numworkers", "256"),
        *("cp", f"{folder}/", f"s3://{BUCKET}/static/"),
    )
    return Command("s5cmd cp", argv, aws_environment(options) | KEYS, options.work)


# The command

BENCHMARKS: Mapping[str, Callable[[Options], Result]] = {
    "import": import_benchmark,
    "url_for": url_for_benchmark,
    "small": small_benchmark,
    "large": large_benchmark,
    "unchanged": unchanged_benchmark,
    "releases": releases_benchmark,
}


def run(options: Options) -> None:
    """Run the benchmarks that were asked for; print, and write JSON where wanted."""
    fresh(options.home)
    where = machine(versions(options))
    results = []
    for name in options.benchmarks:
        print(f"{name} …", file=sys.stderr, flush=True)
        results.append(BENCHMARKS[name](options))
    print(report(where, results))
    if options.json:
        write_json(options.json, where, results)


def versions(options: Options) -> Mapping[str, str]:
    """The versions of what is measured and of what it is compared with."""
    found = dict(package_versions(options.python, REPORTED))
    if {"small", "large", "unchanged"} & set(options.benchmarks):
        found["s5cmd"] = call(options.peers.s5cmd(), "version").strip()
    return found


def parse_options(arguments: Sequence[str] | None, work: Path) -> Options:
    """The options of a command line; ``work`` is where files go unless ``--work`` says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("benchmark", nargs="?", default="all", choices=(*BENCHMARKS, "all"))
    parser.add_argument("--json", type=Path, help="write every run to this file")
    parser.add_argument("--rounds", type=int, help="rounds after the warm-up, for each benchmark")
    parser.add_argument("--work", type=Path, default=work, help="kept, with the peers, for reuse")
    parser.add_argument("--python", default=sys.executable, help="the one that has Flask-S3")
    parser.add_argument("--deploy", default=DEPLOY, help="the command line under test")
    parser.add_argument("--files", type=int, default=SMALL_FILES, help="how many small ones")
    parser.add_argument("--latency-ms", type=float, default=SMALL_LATENCY_MS)
    parser.add_argument("--large-bytes", type=int, default=LARGE_BYTES)
    found = parser.parse_args(arguments)
    return Options(
        benchmarks=tuple(BENCHMARKS) if found.benchmark == "all" else (found.benchmark,),
        work=found.work.resolve(),
        python=found.python,
        deploy=found.deploy,
        rounds=found.rounds,
        files=found.files,
        latency_ms=found.latency_ms,
        large_bytes=found.large_bytes,
        json=found.json,
    )


def main() -> None:
    """The command."""
    with tempfile.TemporaryDirectory(prefix="flask-s3-benchmarks-") as work:
        try:
            run(parse_options(None, Path(work)))
        except CommandFailed as failure:
            sys.exit(str(failure))


if __name__ == "__main__":
    main()
