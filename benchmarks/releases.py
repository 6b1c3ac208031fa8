"""Releases in numbers: deploys of which little or nothing changed, and the commands around them.

Run by ``main_job.py``. Requests are counted by the server. Commands that write start from the same
bucket each time: it is saved before the first run and restored before every one.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import (
    Command,
    CommandFailed,
    Comparison,
    Figure,
    Result,
    Summary,
    between,
    compare,
    fresh,
    nothing,
    repeat,
)
from peers import call
from publishing import KEYS, Options, Server, aws_environment, latency_server, write_app
from trees import many_small, one_more_line, small_files

FILES = 4000
#: How many files the requests of a deploy that changes nothing are counted with.
COUNTED = (10, FILES, 20_000)
LATENCY_MS = 50.0
RELEASES = 5
#: Of the two releases before the last that a rollback is measured with.
HALF = FILES // 2

UNCHANGED_REQUESTS = 3
CHANGED_REQUESTS = 6
SYNC_LIMIT = 1.0

#: s5cmd publishes to a bucket of its own, where it lists just the files that it syncs.
PEER_BUCKET = "peer"
WRITES = ("PutObject", "CopyObject", "UploadPart", "DeleteObject", "DeleteObjects")

MODES: Mapping[str, Mapping[str, object]] = {
    "plain": {},
    "fingerprints": {"FLASKS3_FINGERPRINT": True},
}


@dataclass(frozen=True)
class Shop:
    """An app with its files and the server that it publishes to."""

    options: Options
    server: Server
    app: Path
    files: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        """The static folder."""
        return self.app.parent / "static"

    def command(self, name: str, *arguments: str) -> Command:
        """``flask s3 …``."""
        flask = (self.options.python, "-m", "flask", "--app", str(self.app), "s3")
        environment = aws_environment(self.options)
        return Command(name, (*flask, *arguments), environment, self.options.work)

    def deploy(self) -> Command:
        """``flask s3 deploy``, without questions."""
        return self.command("flask s3 deploy", "deploy", "--yes")

    def sync(self) -> Command:
        """``s5cmd sync`` of the same files."""
        argv = (
            self.options.peers.s5cmd(),
            *("--endpoint-url", self.server.url),
            *("--numworkers", "256"),
            *("sync", f"{self.folder}/", f"s3://{PEER_BUCKET}/static/"),
        )
        environment = aws_environment(self.options) | KEYS
        return Command("s5cmd sync", argv, environment, self.options.work)

    def requests(self, command: Command) -> Counter[str]:
        """What the server is asked for by one run."""
        before = self.server.operations()
        between(nothing, nothing, command)
        return self.server.operations() - before

    def forget_cache(self) -> None:
        """Nothing is remembered of what was parsed, as on a new machine."""
        shutil.rmtree(self.app.parent / ".flask-s3-cache", ignore_errors=True)

    def releases(self) -> list[str]:
        """The ids of the releases, the one in force first."""
        command = self.command("releases", "releases", "--json")
        printed = call(*command.argv, env=command.env)
        return [release["id"] for release in json.loads(printed)]


def shop(options: Options, server: Server, name: str, mode: str, count: int) -> Shop:
    """An app with ``count`` small files that is published once, into an empty bucket."""
    place = fresh(options.work / name)
    many_small(place / "static", count)
    server.reset()
    app = write_app(place / "app.py", place / "static", server, **MODES[mode])
    made = Shop(options, server, app, small_files(place / "static", count))
    between(nothing, lambda: server.expect_objects(count), made.deploy())
    return made


# unchanged


def unchanged_benchmark(options: Options) -> Result:
    """Deploys that change nothing, and one file."""
    figures: list[Figure] = []
    pairs: list[Comparison] = []
    alone: list[Summary] = []
    for mode in MODES:
        figures += counted_figures(options, mode)
        with latency_server("--latency-ms", str(LATENCY_MS), "--bucket", PEER_BUCKET) as server:
            ours = shop(options, server, "unchanged", mode, FILES)
            pair = unchanged_pair(ours, mode)
            ratio = f"ours : s5cmd sync, {mode}"
            figures.append(Figure(ratio, pair.ratio, "x", SYNC_LIMIT, "median of pairs"))
            alone.append(cold(ours, mode))
            figures.append(changed_figure(ours, mode))
            pairs.append(pair)
    return Result("unchanged", tuple(figures), tuple(pairs), tuple(alone))


def counted_figures(options: Options, mode: str) -> list[Figure]:
    """The requests of a deploy that changes nothing, with few files and with many."""
    figures = []
    with latency_server() as server:
        for count in COUNTED:
            ours = shop(options, server, "counted", mode, count)
            requests = ours.requests(ours.deploy())
            name = f"nothing changed, {mode}, {count:,} files"
            figures.append(requests_figure(name, requests, UNCHANGED_REQUESTS))
    return figures


def unchanged_pair(ours: Shop, mode: str) -> Comparison:
    """A deploy that changes nothing beside ``s5cmd sync``; whoever writes anything raises."""
    deploy, sync = ours.deploy(), ours.sync()
    between(nothing, nothing, sync)
    written = writes(ours.server)

    def nothing_written() -> None:
        if writes(ours.server) != written:
            raise CommandFailed("a command wrote objects although nothing had changed")

    pair = compare(deploy, sync, ours.options.rounds or 15, after=nothing_written)
    return Comparison(named(pair.first, f"{deploy.name}, {mode}"), pair.second)


def cold(ours: Shop, mode: str) -> Summary:
    """A deploy that changes nothing on a machine that has not parsed the files yet."""
    found = repeat(ours.deploy(), ours.options.rounds or 5, before=ours.forget_cache)
    return named(found, f"{found.name}, {mode}, no cache")


def changed_figure(ours: Shop, mode: str) -> Figure:
    """The requests that one changed file takes more than none."""
    none = ours.requests(ours.deploy())
    one_more_line(ours.files[0])
    more = ours.requests(ours.deploy()) - none
    return requests_figure(f"more for one changed file, {mode}", more, CHANGED_REQUESTS)


def writes(server: Server) -> int:
    """How many requests changed the bucket so far."""
    operations = server.operations()
    return sum(operations[name] for name in WRITES)


def requests_figure(name: str, requests: Counter[str], limit: int | None = None) -> Figure:
    """How many requests, and of which kinds."""
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(requests.items()))
    return Figure(name, requests.total(), "requests", limit, kinds)


def named(summary: Summary, name: str) -> Summary:
    """The same runs under a name that tells more."""
    return Summary(name, summary.runs)


# releases


def releases_benchmark(options: Options) -> Result:
    """The commands around releases, with five of them in the bucket."""
    with latency_server("--latency-ms", str(LATENCY_MS)) as server:
        ours = shop(options, server, "releases", "fingerprints", FILES)
        first, before = five_releases(ours)
        server.save()
        objects = server.objects()

        def pruned() -> None:
            if server.objects() > objects - HALF:
                raise CommandFailed(f"the prune left {server.objects()} of {objects} objects")

        too_many = ("prune", "--keep", str(RELEASES - 1), "--older-than", "0s")
        cases: list[tuple[Command, Callable[[], None]]] = [
            (ours.command("releases", "releases"), nothing),
            (ours.command("status", "status"), nothing),
            (ours.command("rollback, one file", "rollback", before), nothing),
            (ours.command("rollback, half the files", "rollback", first), nothing),
            (ours.command("prune --dry-run", *too_many, "--dry-run"), nothing),
            (ours.command(f"prune, {HALF:,} objects", *too_many), pruned),
        ]
        found = [measured(ours, command, after) for command, after in cases]
    return Result("releases", tuple(f for _, f in found), alone=tuple(s for s, _ in found))


def measured(ours: Shop, command: Command, after: Callable[[], None]) -> tuple[Summary, Figure]:
    """The time that a command takes, and its requests."""
    ours.server.restore()
    requests = ours.requests(command)
    rounds = ours.options.rounds or 7
    summary = repeat(command, rounds, before=ours.server.restore, after=after)
    return summary, requests_figure(command.name, requests)


def five_releases(ours: Shop) -> tuple[str, str]:
    """Makes them: half of the files change in the second, one in each of those that follow.

    Returns the ids of the first and of the one before the last.
    """
    for changed in (HALF, *[1] * (RELEASES - 2)):
        for file in ours.files[:changed]:
            one_more_line(file)
        between(nothing, nothing, ours.deploy())
    ids = ours.releases()
    if len(ids) != RELEASES:
        raise CommandFailed(f"{len(ids)} of {RELEASES} releases are in the bucket")
    return ids[-1], ids[1]
