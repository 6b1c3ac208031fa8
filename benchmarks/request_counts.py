"""How many requests a deploy sends, and what AWS charges for them; ours and the peers'.

    python benchmarks/request_counts.py [--files 1000 2000] [--check 5000] [--only NAME ...]

Each tool publishes a tree of small files to the latency server, which counts: into an empty bucket,
again with nothing changed, and with ten files changed. Counted with two sizes of the tree, what it
would be with 100,000 files is the line through both; with `--check` ours is counted for that many
files too, and the script fails where the line is wrong. Prints the tables of
``docs/explanation/cost.md``.

The peers come from PyPI, each into an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from apps import write_app
from harness import Command, CommandFailed, fresh, measure
from options import Options
from peers.commands import Publishers
from stores.running import BUCKET, Server, latency_server
from trees.seeded import many_small, one_more_line, small_files

SITUATIONS = ("first deploy", "nothing changed", "ten files changed")
CHANGED = 10
#: How many looks at the bucket more or fewer it may be: that depends on which answer comes first.
LOOKS = 1
#: Whole seconds are what tools compare that go by the time: files are older than their upload by so
#: many, and what changes is newer.
MINUTE = 60.0
LARGE = 100_000

#: Kinds of requests that cost the same, by the name of the operation; DELETE is free.
KINDS = {
    "PutObject": "PUT",
    "CreateMultipartUpload": "PUT",
    "UploadPart": "PUT",
    "CompleteMultipartUpload": "PUT",
    "CreateBucket": "PUT",
    "PutObjectAcl": "PUT",
    "PutBucketAcl": "PUT",
    "CopyObject": "COPY",
    "ListObjects": "LIST",
    "ListObjectsV2": "LIST",
    "ListBuckets": "LIST",
    "GetObject": "GET",
    "GetBucketLocation": "GET",
    "HeadObject": "HEAD",
    "HeadBucket": "HEAD",
    "DeleteObject": "DELETE",
    "DeleteObjects": "DELETE",
}
#: US dollars for 1,000 requests: S3 Standard in us-east-1, from AWS's page "Amazon S3 pricing".
WRITE_PRICE, READ_PRICE = 0.005, 0.0004
PRICES = {
    **dict.fromkeys(("PUT", "COPY", "LIST"), WRITE_PRICE),
    **dict.fromkeys(("GET", "HEAD"), READ_PRICE),
    "DELETE": 0.0,
}

DJANGO_SETTINGS = """\
SECRET_KEY = "benchmark"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "/static/"
STATICFILES_DIRS = [{folder!r}]
AWS_STORAGE_BUCKET_NAME = {bucket!r}
AWS_S3_ENDPOINT_URL = {endpoint!r}
AWS_S3_REGION_NAME = "us-east-1"
AWS_LOCATION = "static"
STORAGES = {{"staticfiles": {{"BACKEND": "storages.backends.s3.{backend}"}}}}
"""


@dataclass(frozen=True)
class Count:
    """What one run sent: requests by kind, and bytes of bodies, there and back."""

    requests: Counter[str]
    sent: int
    received: int

    @property
    def dollars(self) -> float:
        """What AWS charges for the requests."""
        return sum(n * PRICES[kind] / 1000 for kind, n in self.requests.items())


@dataclass(frozen=True)
class Place:
    """Where one tool works: what is measured with, the static files, the server."""

    options: Options
    folder: Path
    server: Server

    @property
    def publishers(self) -> Publishers:
        """The peers' commands for this place."""
        return Publishers(self.options, self.server, self.folder)

    def app(self, **settings: object) -> Path:
        """An app that publishes the folder."""
        return write_app(self.options.work / "app.py", self.folder, self.server, **settings)


@dataclass(frozen=True)
class Tool:
    """A tool by its name in the table, and how it is run."""

    name: str
    command: Callable[[Place], Command]
    ours: bool = False


@dataclass
class Counted:
    """The counts of one tool: by situation, then by number of files."""

    tool: Tool
    counts: dict[str, dict[int, Count]] = field(default_factory=dict)


# Tools


def ours(**settings: object) -> Callable[[Place], Command]:
    """`flask s3 deploy` with settings."""
    return lambda place: place.options.deploy(place.app(**settings))


def flask_s3_03(**settings: object) -> Callable[[Place], Command]:
    """`create_all` of Flask-S3 0.3.3."""

    def command(place: Place) -> Command:
        made = place.publishers.flask_s3_03(place.options.work / "app.py")
        place.app(**settings)
        return made

    return command


def rclone(*options: str) -> Callable[[Place], Command]:
    """`rclone sync --fast-list` with more options."""

    def command(place: Place) -> Command:
        made = place.publishers.rclone()
        return replace(made, argv=(*made.argv, *options))

    return command


def collectstatic(backend: str) -> Callable[[Place], Command]:
    """Django's `collectstatic` with a storage of django-storages."""

    def command(place: Place) -> Command:
        work = place.options.work
        text = DJANGO_SETTINGS.format(
            folder=str(place.folder), bucket=BUCKET, endpoint=place.server.url, backend=backend
        )
        (work / "bench_settings.py").write_text(text, encoding="utf-8")
        python = place.options.peers.with_package("django-storages")
        more = {"DJANGO_SETTINGS_MODULE": "bench_settings", "PYTHONPATH": str(work)}
        argv = (python, "-m", "django", "collectstatic", "--noinput")
        env = place.options.environment() | dict(place.server.keys) | more
        return Command("collectstatic", argv, env, work)

    return command


TOOLS = (
    Tool("Flask-S3, fingerprints", ours(FLASKS3_FINGERPRINT=True), ours=True),
    Tool(
        "Flask-S3, fingerprints, no plain names",
        ours(FLASKS3_FINGERPRINT=True, FLASKS3_PLAIN_NAMES=False),
        ours=True,
    ),
    Tool("Flask-S3, plain names only", ours(), ours=True),
    Tool("Flask-S3 0.3.3", flask_s3_03()),
    Tool("Flask-S3 0.3.3, `ONLY_MODIFIED`", flask_s3_03(FLASKS3_ONLY_MODIFIED=True)),
    Tool("s5cmd sync", lambda place: place.publishers.s5cmd("sync")),
    Tool("aws s3 sync", lambda place: place.publishers.aws()),
    Tool("rclone sync `--fast-list`", rclone()),
    Tool("rclone sync `--fast-list --checksum`", rclone("--checksum")),
    Tool("collectstatic, `S3Storage`", collectstatic("S3Storage")),
    Tool("collectstatic, `S3ManifestStaticStorage`", collectstatic("S3ManifestStaticStorage")),
)


# Counting


def count_all(tools: Sequence[Tool], sizes: Sequence[int], work: Path) -> list[Counted]:
    """Every tool with every size."""
    found = [Counted(tool) for tool in tools]
    with latency_server("--latency-ms", "0") as server:
        for counted in found:
            for size in sizes:
                add_counts(counted, size, server, work)
    return found


def add_counts(counted: Counted, size: int, server: Server, work: Path) -> None:
    """One tool in all situations, with a new tree and an empty bucket."""
    options = Options((), fresh(work / "place"), work / "kept", sys.executable)
    folder = many_small(options.work / "static", size)
    for path in small_files(folder, size):
        os.utime(path, (time.time() - MINUTE,) * 2)
    server.reset()
    place = Place(options, folder, server)
    command = counted.tool.command(place)
    for situation in SITUATIONS:
        if situation == SITUATIONS[2]:
            for path in small_files(folder, size)[:CHANGED]:
                one_more_line(path)
                os.utime(path, (time.time() + MINUTE,) * 2)
        count = counted_run(command, server)
        counted.counts.setdefault(situation, {})[size] = count
        print(f"{counted.tool.name}, {size} files, {situation}: {count}", file=sys.stderr)
    server.expect_objects(size)


def counted_run(command: Command, server: Server) -> Count:
    """What one run of a command sends."""
    before = stats(server)
    measure(command)
    after = stats(server)
    requests: Counter[str] = Counter()
    for name, n in after["operations"].items():
        if n > before["operations"].get(name, 0):
            requests[KINDS[name]] += n - before["operations"].get(name, 0)
    sent = after["received_bytes"] - before["received_bytes"]
    return Count(requests, sent, after["sent_bytes"] - before["sent_bytes"])


def stats(server: Server) -> dict[str, Any]:
    """The server's counts."""
    with urlopen(f"{server.url}/__stats__") as answer:  # noqa: S310  (our own server)
        found: dict[str, Any] = json.load(answer)
    return found


def extended(counts: Mapping[int, Count], size: int) -> Count:
    """The count for another size, on the line through the two that were counted."""
    (a, first), (b, second) = list(counts.items())[:2]

    def at(low: int, high: int) -> int:
        return round(low + (high - low) * (size - a) / (b - a))

    kinds = first.requests.keys() | second.requests.keys()
    requests = Counter({k: at(first.requests[k], second.requests[k]) for k in kinds})
    sent, received = at(first.sent, second.sent), at(first.received, second.received)
    return Count(requests, sent, received)


def check(found: Sequence[Counted], size: int, work: Path) -> None:
    """Raise where one of our tools is not on its line."""
    again = count_all([counted.tool for counted in found if counted.tool.ours], [size], work)
    for counted, real in zip((c for c in found if c.tool.ours), again, strict=True):
        for situation in SITUATIONS:
            wanted = extended(counted.counts[situation], size).requests
            got = real.counts[situation][size].requests
            if any(abs(wanted[kind] - got[kind]) > LOOKS for kind in PRICES):
                raise CommandFailed(f"{counted.tool.name}, {situation}: {got}, not {wanted}")


# Tables


def tables(found: Sequence[Counted], size: int) -> Iterator[str]:
    """A Markdown table a situation: the counts for a size, and the dollars for that and `LARGE`."""
    for situation in SITUATIONS:
        yield f"\n{situation.capitalize()}, {size:,} files:\n"
        yield f"| | PUT | COPY | LIST | GET | HEAD | up | down | US$ | US$, {LARGE:,} files |"
        yield "|---|---|---|---|---|---|---|---|---|---|"
        for counted in found:
            counts = counted.counts[situation]
            yield row(counted.tool.name, counts[size], extended(counts, LARGE))


def row(name: str, count: Count, large: Count) -> str:
    """One tool."""
    kinds = [f"{count.requests[kind]:,}" for kind in ("PUT", "COPY", "LIST", "GET", "HEAD")]
    moved = [amount(count.sent), amount(count.received)]
    cells = [name, *kinds, *moved, dollars(count.dollars), dollars(large.dollars)]
    return f"| {' | '.join(cells)} |"


def amount(sent: int) -> str:
    """Bytes for people."""
    return f"{sent / 1e6:.1f} MB" if sent >= 1e5 else f"{sent / 1e3:.1f} kB"


def dollars(value: float) -> str:
    """Two figures that count."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}" if value >= 0.0001 else f"{value:.6f}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, nargs=2, default=[1000, 2000])
    parser.add_argument("--check", type=int, help="also count ours for this many files")
    parser.add_argument("--only", nargs="+", default=[], help="tools whose name contains one")
    options = parser.parse_args()
    tools = [t for t in TOOLS if not options.only or any(word in t.name for word in options.only)]
    with tempfile.TemporaryDirectory() as work:
        found = count_all(tools, options.files, Path(work))
        if options.check:
            check(found, options.check, Path(work))
    print("\n".join(tables(found, options.files[0])))


if __name__ == "__main__":
    main()
