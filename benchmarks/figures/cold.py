"""A first deploy into an empty bucket: the whole command, beside the tools that only copy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from apps import write_app
from harness import Command, Comparison, Summary, compare, fresh, in_turn
from options import Options
from peers.builders import django_storages
from peers.commands import Publishers, why_no_crt, with_profile
from report import Figure, Result, middle, times
from stores.running import Store, expect_objects, latency_server
from stores.seaweedfs import seaweedfs
from trees.seeded import many_small

#: 0.3.3 uploads one file after another, so two small runs give its start and its time a file.
SAMPLES_03 = (20, 100)
#: Django sends one file after another, too, and asks about each before: a twentieth of the tree.
DJANGO_FILES = 200
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


@dataclass(frozen=True)
class Scene:
    """Many small files, and the commands that publish them to a store."""

    options: Options
    store: Store
    files: int

    @property
    def folder(self) -> Path:
        """The files; made once."""
        folder = self.options.work / f"small-{self.files}" / "static"
        return folder if folder.exists() else many_small(folder, self.files)

    @property
    def peers(self) -> Publishers:
        """The peers' commands."""
        return Publishers(self.options, self.store, self.folder)

    def ours(self) -> Command:
        """Ours, with keys in the settings."""
        return self.options.deploy(write_app(self.app, self.folder, self.store))

    def with_profile(self) -> tuple[Command, Command]:
        """Ours and s5cmd, with a profile's keys."""
        profile = with_profile(self.options, self.store)
        app = write_app(self.app, self.folder, self.store, **NO_KEYS)
        ours = self.options.deploy(app, "flask s3 deploy, profile", **profile)
        peers = Publishers(self.options, self.store, self.folder, credentials=profile)
        return ours, peers.s5cmd()

    @property
    def app(self) -> Path:
        """Where the app's module stands."""
        return self.folder.parent / "app.py"

    def before(self) -> None:
        """An empty bucket, and nothing remembered."""
        fresh(self.folder.parent / ".flask-s3-cache").rmdir()
        self.store.reset()

    def after(self) -> None:
        """Raises unless everything arrived."""
        expect_objects(self.store, self.files)

    def pair(self, first: Command, second: Command, rounds: int) -> Comparison:
        """Two commands in turn, each into an empty bucket."""
        return compare(first, second, rounds, before=self.before, after=self.after)


def cold(options: Options) -> Result:
    """Each size, latency, store and source of credentials, beside s5cmd; then the other tools."""
    found = [
        late(options, options.count(4000), 50, options.rounds or 7),
        late(options, options.count(20_000), 50, options.at_most(3)),
        late(options, options.count(4000), 5, options.rounds or 7),
        profile(options),
        on_seaweedfs(options),
        beside_03(options),
        beside_django(options),
    ]
    slower, slower_runs, remarks = others(options)
    found.append((slower, slower_runs))
    figures = tuple(figure for figures, _ in found for figure in figures)
    runs = tuple(summary for _, runs in found for summary in runs)
    return Result("cold", "a first deploy into an empty bucket", figures, runs, remarks)


Found = tuple[list[Figure], tuple[Summary, ...]]


def late(options: Options, files: int, latency_ms: int, rounds: int) -> Found:
    """Against the latency server, beside s5cmd."""
    name = f"cold, {files:,} files, {latency_ms} ms"
    with latency_server("--latency-ms", str(latency_ms)) as server:
        scene = Scene(options, server, files)
        pair = scene.pair(scene.ours(), scene.peers.s5cmd(), rounds)
    figures = [
        times(f"{name} : s5cmd", pair),
        middle(f"{name}, CPU : s5cmd", pair.cpu_ratios, "x"),
        middle(f"{name}, speed", [files / run.wall for run in pair.first.runs], "files/s"),
    ]
    return figures, named(name, pair.first, pair.second)


def profile(options: Options) -> Found:
    """The same with credentials from a profile, which s5cmd reads too."""
    name = f"cold, {options.count(4000):,} files, 50 ms, profile"
    with latency_server("--latency-ms", "50") as server:
        scene = Scene(options, server, options.count(4000))
        pair = scene.pair(*scene.with_profile(), options.rounds or 7)
    return [times(f"{name} : s5cmd", pair)], named(name, pair.first, pair.second)


def on_seaweedfs(options: Options) -> Found:
    """Into a store that people run, which keeps what it gets on disk."""
    name = f"cold, {options.count(4000):,} files, SeaweedFS"
    with seaweedfs() as store:
        scene = Scene(options, store, options.count(4000))
        pair = scene.pair(scene.ours(), scene.peers.s5cmd(), options.at_most(5))
    return [times(f"{name} : s5cmd", pair)], named(name, pair.first, pair.second)


def others(options: Options) -> tuple[list[Figure], tuple[Summary, ...], tuple[str, ...]]:
    """The tools that take longer, one after another."""
    files = options.count(4000)
    with latency_server("--latency-ms", "50") as server:
        scene = Scene(options, server, files)
        ours, commands = scene.ours(), [scene.peers.rclone(), scene.peers.aws()]
        commands += [] if why_no_crt(options) else [scene.peers.aws_crt()]
        pairs = [scene.pair(ours, command, options.at_most(2)) for command in commands]
    return beside_each(f"cold, {files:,} files, 50 ms", pairs, why_no_crt(options))


def beside_each(
    name: str, pairs: Iterable[Comparison], no_crt: str
) -> tuple[list[Figure], tuple[Summary, ...], tuple[str, ...]]:
    """Figures of ours beside each of the other tools, and why one is left out."""
    pairs = list(pairs)
    figures = [times(f"{name} : {pair.second.name}", pair) for pair in pairs]
    runs = tuple(run for pair in pairs for run in named(name, pair.first, pair.second))
    remark = f"Not measured: {name} : aws s3 sync with its CRT client, since {no_crt}."
    return figures, runs, (remark,) if no_crt else ()


def beside_03(options: Options) -> Found:
    """Flask-S3 0.3.3, measured with few files: it would take minutes."""
    files = options.count(4000)
    name = f"cold, {files:,} files, 50 ms"
    with latency_server("--latency-ms", "50") as server:
        scenes = [Scene(options, server, count) for count in (files, *SAMPLES_03)]
        rounds = options.at_most(3)
        peers = [scene.peers.flask_s3_03(scene.app) for scene in scenes[1:]]
        ours, few, many = interleaved(scenes, [scenes[0].ours(), *peers], rounds)
    wholes = [
        start.wall + (files - SAMPLES_03[0]) * (end.wall - start.wall) / step
        for start, end in zip(few.runs, many.runs, strict=True)
        for step in [SAMPLES_03[1] - SAMPLES_03[0]]
    ]
    shares = [run.wall / whole for run, whole in zip(ours.runs, wholes, strict=True)]
    note = f"0.3.3 scaled from runs of {SAMPLES_03[0]} and {SAMPLES_03[1]} files"
    figures = [
        middle(f"{name} : Flask-S3 0.3.3", shares, "x", note),
        middle(f"Flask-S3 0.3.3, {files:,} files, 50 ms", wholes, "s", note),
    ]
    return figures, named(name, ours, few, many)


def beside_django(options: Options) -> Found:
    """django-storages' S3 manifest storage, beside a deploy with fingerprints."""
    files = options.count(DJANGO_FILES)
    name = f"cold, {files} files, fingerprints, 50 ms"
    with latency_server("--latency-ms", "50") as server:
        scene = Scene(options, server, files)
        app = write_app(scene.app, scene.folder, server, FLASKS3_FINGERPRINT=True)
        django = django_storages(options, scene.folder, server)
        pair = scene.pair(options.deploy(app), django, options.at_most(2))
    return [times(f"{name} : {django.name}", pair)], named(name, pair.first, pair.second)


def interleaved(
    scenes: list[Scene], commands: list[Command], rounds: int
) -> tuple[Summary, Summary, Summary]:
    """Three commands in turn, each on its own scene."""
    pending = [*scenes]

    def before() -> None:
        pending[0].before()

    def after() -> None:
        scene = pending.pop(0)
        scene.after()
        pending.append(scene)

    first, second, third = in_turn(commands, rounds, before=before, after=after)
    return first, second, third


def named(name: str, *summaries: Summary) -> tuple[Summary, ...]:
    """The same runs under names that tell more."""
    return tuple(Summary(f"{name}: {summary.name}", summary.runs) for summary in summaries)
