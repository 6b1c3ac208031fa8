"""The commands around releases, with five of them in the bucket: times and requests.

Commands that write start from the same bucket each time: it is saved before the first run and
restored before every one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apps import write_app
from harness import Command, CommandFailed, Summary, between, fresh, nothing, repeat
from options import Options
from peers.environments import call
from report import Figure, Result
from stores.running import Server, latency_server
from trees.seeded import many_small, one_more_line, small_files

from figures.unchanged import Scene

FILES = 4000
RELEASES = 5


@dataclass(frozen=True)
class Shop:
    """An app whose releases are in the bucket."""

    options: Options
    server: Server
    app: Path
    files: tuple[Path, ...]

    @property
    def half(self) -> int:
        """How many files change from the first release to the second."""
        return len(self.files) // 2

    def command(self, name: str, *arguments: str) -> Command:
        """``flask s3 …``."""
        return self.options.flask(self.app, *arguments, name=name)

    def deploy(self) -> None:
        """``flask s3 deploy``, once."""
        between(nothing, nothing, self.options.deploy(self.app))

    def releases(self) -> list[str]:
        """The ids of the releases, the one in force first."""
        command = self.command("releases", "releases", "--json")
        return [release["id"] for release in json.loads(call(*command.argv, env=command.env))]


def shop(options: Options, server: Server) -> Shop:
    """An app that is published once, into an empty bucket."""
    files = options.count(FILES)
    folder = many_small(fresh(options.work / "releases") / "static", files)
    app = write_app(folder.parent / "app.py", folder, server, FLASKS3_FINGERPRINT=True)
    made = Shop(options, server, app, small_files(folder, files))
    made.deploy()
    server.expect_objects(files)
    return made


def releases(options: Options) -> Result:
    """Each command by itself."""
    with latency_server("--latency-ms", "50") as server:
        ours = shop(options, server)
        first, before = five_releases(ours)
        server.save()
        objects = server.objects()

        def pruned() -> None:
            if server.objects() > objects - ours.half:
                raise CommandFailed(f"the prune left {server.objects()} of {objects} objects")

        too_many = ("prune", "--keep", str(RELEASES - 1), "--older-than", "0s")
        cases: list[tuple[Command, Callable[[], None]]] = [
            (ours.command("releases", "releases"), nothing),
            (ours.command("status", "status"), nothing),
            (ours.command("rollback, one file", "rollback", before), nothing),
            (ours.command("rollback, half the files", "rollback", first), nothing),
            (ours.command("prune --dry-run", *too_many, "--dry-run"), nothing),
            (ours.command(f"prune, {ours.half:,} objects", *too_many), pruned),
        ]
        found = [measured(ours, command, after) for command, after in cases]
    title = f"{RELEASES} releases of {len(ours.files):,} files, 50 ms"
    figures = tuple(figure for figures, _ in found for figure in figures)
    return Result("releases", title, figures, tuple(summary for _, summary in found))


def measured(
    ours: Shop, command: Command, after: Callable[[], None]
) -> tuple[tuple[Figure, Figure], Summary]:
    """The time that a command takes, and its requests."""
    ours.server.restore()
    requests = Scene(ours.options, ours.server, ours.app.parent, "").requests(command.name, command)
    rounds = ours.options.rounds or 7
    summary = repeat(command, rounds, before=ours.server.restore, after=after)
    walls = tuple(run.wall for run in summary.runs)
    return (Figure(command.name, summary.wall, "s", walls), requests), summary


def five_releases(ours: Shop) -> tuple[str, str]:
    """Makes them: half of the files change in the second, one in each of those that follow.

    Returns the ids of the first and of the one before the last.
    """
    for changed in (ours.half, *[1] * (RELEASES - 2)):
        for file in ours.files[:changed]:
            one_more_line(file)
        ours.deploy()
    ids = ours.releases()
    if len(ids) != RELEASES:
        raise CommandFailed(f"{len(ids)} of {RELEASES} releases are in the bucket")
    return ids[-1], ids[1]
