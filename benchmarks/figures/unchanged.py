"""A deploy that has nothing to do: the whole command, beside those that compare a listing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from apps import write_app
from harness import Command, CommandFailed, Comparison, Summary, between, fresh, in_turn, nothing
from options import Options
from peers.commands import Publishers, why_no_crt, with_profile
from report import Figure, Result, times
from stores.running import Server, latency_server
from trees.seeded import many_small, many_tiny

from figures.cold import NO_KEYS, beside_each, named

#: The peers publish to buckets of their own, where they list just the files that they sync.
PEER_BUCKETS = ("s5cmd", "rclone", "aws", "aws-crt")
WRITES = ("PutObject", "CopyObject", "UploadPart", "DeleteObject", "DeleteObjects")
FEW, MANY = 4000, 100_000


def unchanged(options: Options) -> Result:
    """4,000 files beside every tool, 100,000 beside s5cmd."""
    figures: list[Figure] = []
    runs: list[Summary] = []
    with late_server() as server:
        files = options.count(FEW)
        folder = many_small(fresh(options.work / "unchanged") / "static", files)
        scene = Scene(options, server, folder, f"unchanged, {files:,} files")
        for measured in (plain, no_cache, profile, fingerprints):
            found, summaries = measured(scene)
            figures += found
            runs += summaries
        slower, slower_runs, remarks = others(scene)
    found, summaries = many(options)
    return Result(
        "unchanged",
        "a deploy that has nothing to do",
        (*figures, *slower, *found),
        (*runs, *slower_runs, *summaries),
        remarks,
    )


def late_server() -> AbstractContextManager[Server]:
    """A server with a bucket for each."""
    buckets = (word for bucket in PEER_BUCKETS for word in ("--bucket", bucket))
    return latency_server("--latency-ms", "50", *buckets)


@dataclass(frozen=True)
class Scene:
    """A folder that is published, and whoever did that."""

    options: Options
    server: Server
    folder: Path
    name: str

    def app(self, **settings: object) -> Path:
        """Our app."""
        return write_app(self.folder.parent / "app.py", self.folder, self.server, **settings)

    def ours(self, name: str = "flask s3 deploy", **variables: str) -> Command:
        """Our command."""
        return self.options.deploy(self.folder.parent / "app.py", name, **variables)

    def peers(self, bucket: str) -> Publishers:
        """The commands of those who have a bucket."""
        return Publishers(self.options, self.server, self.folder, bucket)

    def publish(self, *commands: Command) -> None:
        """Runs commands that have to write."""
        for command in commands:
            before = self.writes()
            between(nothing, nothing, command)
            if self.writes() == before:
                raise CommandFailed(f"{command.name} wrote nothing into an empty bucket")

    def in_turn(
        self, commands: Sequence[Command], rounds: int, before: Callable[[], None] = nothing
    ) -> tuple[Summary, ...]:
        """Commands that have nothing to do, in turn; whoever writes an object raises."""
        written = self.writes()

        def nothing_written() -> None:
            if self.writes() != written:
                raise CommandFailed("a command wrote objects although nothing had changed")

        return in_turn(commands, rounds, before=before, after=nothing_written)

    def beside_s5cmd(
        self, name: str, ours: Command, rounds: int, before: Callable[[], None] = nothing
    ) -> tuple[list[Figure], tuple[Summary, ...]]:
        """Ours and ``s5cmd sync`` in turn."""
        pair = Comparison(*self.in_turn((ours, self.peers("s5cmd").s5cmd("sync")), rounds, before))
        return [times(f"{name} : s5cmd sync", pair)], named(name, pair.first, pair.second)

    def writes(self) -> int:
        """How many requests changed a bucket so far."""
        operations = self.server.operations()
        return sum(operations[name] for name in WRITES)

    def requests(self, name: str, command: Command) -> Figure:
        """What the server is asked for by one run."""
        before = self.server.operations()
        between(nothing, nothing, command)
        asked = self.server.operations() - before
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(asked.items()))
        return Figure(f"{name}, requests", asked.total(), "requests", note=kinds)


Found = tuple[list[Figure], tuple[Summary, ...]]


def plain(scene: Scene) -> Found:
    """With keys in the settings."""
    scene.app()
    scene.publish(scene.ours(), scene.peers("s5cmd").s5cmd("sync"))
    name, ours = f"{scene.name}, 50 ms", scene.ours()
    figures, runs = scene.beside_s5cmd(name, ours, scene.options.rounds or 15)
    return [*figures, scene.requests(scene.name, ours)], runs


def no_cache(scene: Scene) -> Found:
    """On a machine that has not read the files before."""

    def forget() -> None:
        shutil.rmtree(scene.folder.parent / ".flask-s3-cache", ignore_errors=True)

    name = f"{scene.name}, 50 ms, no cache"
    return scene.beside_s5cmd(name, scene.ours(), scene.options.at_most(5), forget)


def profile(scene: Scene) -> Found:
    """With keys from a profile, for both."""
    variables = with_profile(scene.options, scene.server)
    scene.app(**NO_KEYS)
    ours = scene.ours("flask s3 deploy, profile", **variables)
    peers = Publishers(scene.options, scene.server, scene.folder, "s5cmd", variables)
    name = f"{scene.name}, 50 ms, profile"
    pair = Comparison(*scene.in_turn((ours, peers.s5cmd("sync")), scene.options.rounds or 15))
    return [times(f"{name} : s5cmd sync", pair)], named(name, pair.first, pair.second)


def others(scene: Scene) -> tuple[list[Figure], tuple[Summary, ...], tuple[str, ...]]:
    """The other tools, one after another."""
    options, ours = scene.options, scene.ours()
    commands = [scene.peers("rclone").rclone(), scene.peers("aws").aws()]
    commands += [] if why_no_crt(options) else [scene.peers("aws-crt").aws_crt()]
    scene.app()
    scene.publish(ours, *commands)
    turns = [scene.in_turn((ours, command), options.at_most(3)) for command in commands]
    pairs = (Comparison(first, second) for first, second in turns)
    return beside_each(f"{scene.name}, 50 ms", pairs, why_no_crt(options))


def fingerprints(scene: Scene) -> Found:
    """With names that change."""
    scene.app(FLASKS3_FINGERPRINT=True)
    scene.publish(scene.ours())
    name, ours = f"{scene.name}, fingerprints", scene.ours("flask s3 deploy, fingerprints")
    figures, runs = scene.beside_s5cmd(f"{name}, 50 ms", ours, scene.options.rounds or 15)
    return [*figures, scene.requests(name, ours)], runs


def many(options: Options) -> Found:
    """100,000 files."""
    with late_server() as server:
        files = options.count(MANY)
        folder = many_tiny(fresh(options.work / "many") / "static", files)
        scene = Scene(options, server, folder, f"unchanged, {files:,} files")
        scene.app()
        scene.publish(scene.ours(), scene.peers("s5cmd").s5cmd("sync"))
        name, ours = f"{scene.name}, 50 ms", scene.ours()
        figures, runs = scene.beside_s5cmd(name, ours, options.at_most(5))
        figures.append(scene.requests(scene.name, ours))
    shutil.rmtree(folder)
    return figures, runs
