"""Fingerprints and encodings of real packages: beside the codecs alone, and beside Django."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps import write_app
from harness import (
    Command,
    CommandFailed,
    Comparison,
    Summary,
    compare,
    cores,
    fresh,
    in_turn,
    measure,
)
from options import Options, ratios
from peers.builders import collectstatic, copied, static_digest, whitenoise
from report import Figure, Result, middle, times
from trees.npm import count_files

from figures.cold import named

REAL = ("bootstrap", "@fortawesome/fontawesome-free", "monaco-editor/min")
#: Where modules import each other in circles.
CIRCULAR = "monaco-editor/esm"
ENCODINGS = ("br", "gzip")


@dataclass(frozen=True)
class Site:
    """A tree of packages, and an app that builds it."""

    options: Options
    root: Path
    tree: Path

    @property
    def files(self) -> int:
        """How many there are."""
        return count_files(self.tree)

    def clear(self) -> None:
        """Forgets what was built: caches, manifests, trees."""
        for name in (".flask-s3-cache", "out", "collected"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        self.manifest.unlink(missing_ok=True)

    @property
    def manifest(self) -> Path:
        """What ``flask s3 build`` writes."""
        return self.root / "flask-s3-manifest.json"

    def check(self) -> None:
        """Raises unless each manifest that was written names every file."""
        written = {self.manifest: "entries", self.root / "collected/staticfiles.json": "paths"}
        found = [len(json.loads(p.read_bytes())[k]) for p, k in written.items() if p.exists()]
        if not found or min(found) < self.files:
            raise CommandFailed(f"manifests name {found} of {self.files} files")

    def build(self, *arguments: str, **settings: object) -> Command:
        """``flask s3 build``."""
        app = write_app(self.root / "app.py", self.tree, None, FLASKS3_FINGERPRINT=True, **settings)
        return self.options.flask(app, "build", *arguments)

    def django(self, storage: str = "Forgiving") -> Command:
        """``collectstatic``."""
        return collectstatic(self.options, self.root, self.tree, storage)


def site(options: Options, name: str, packages: Sequence[str]) -> Site:
    """A site that publishes npm packages."""
    return Site(options, fresh(options.work / name), options.npm.tree(*packages))


Found = tuple[list[Figure], tuple[Summary, ...]]


def build(options: Options) -> Result:
    """With encodings and without, cold and warm."""
    packages = REAL[:1] if options.trial else REAL
    real = site(options, "build", packages)
    found = [measured(real) for measured in (encodings, warm, names, compressors)]
    return Result(
        "build",
        f"{real.files:,} files of {', '.join(packages)}",
        (*(figure for figures, _ in found for figure in figures), *circles(options)),
        tuple(summary for _, runs in found for summary in runs),
    )


def encodings(real: Site) -> Found:
    """Cold, with ``br`` and ``gzip``, beside the CPU time that the codecs alone take."""
    out = real.root / "out"
    measure(real.build("-o", str(out), FLASKS3_ENCODINGS=ENCODINGS))
    variants = out.rename(real.root / "variants")
    lines = real.root / "codecs.jsonl"
    alone = real.options.probe_command("codec_times", variants, cores(), lines)
    # Ours comes second, so that its cache is there for what follows.
    cold = compare(
        alone,
        real.build(FLASKS3_ENCODINGS=ENCODINGS),
        real.options.at_most(2),
        before=real.clear,
        warm_up=0,
    )
    codecs = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    floors = [found["cpu"] / cores() for found in codecs]
    walls, cpus = ([getattr(run, of) for run in cold.second.runs] for of in ("wall", "cpu"))
    note = f"{codecs[0]['variants']:,} variants"
    figures = [
        middle("build, cold : codecs' CPU over the cores", ratios(walls, floors), "x", note),
        middle(
            "codecs alone : their CPU over the cores",
            ratios([found["wall"] for found in codecs], floors),
            "x",
            "more than 1: cores were busy with others, or idle at the end",
        ),
        middle(
            "build, cold, CPU : codecs' CPU",
            ratios(cpus, [found["cpu"] for found in codecs]),
            "x",
            "does not depend on who else uses the machine",
        ),
    ]
    shutil.rmtree(variants)
    return figures, named("encodings, cold", cold.first, cold.second)


def warm(real: Site) -> Found:
    """The same again, beside Django, which builds without encodings; and the floor."""
    ours, rounds = real.build(FLASKS3_ENCODINGS=ENCODINGS), real.options.at_most(3)
    measure(ours)
    pair = compare(ours, real.django(), rounds, after=real.check)
    app = real.root / "app.py"
    inside = real.options.probe("warm_builds", app, real.tree, real.options.rounds or 9)
    figures = [
        times("build, warm : Django's collectstatic", pair),
        middle(
            "build, warm : read and hash",
            ratios(inside["build"], inside["hash"]),
            "x",
            "inside a process, without imports",
        ),
    ]
    return figures, named("encodings, warm", pair.first, pair.second)


def names(real: Site) -> Found:
    """Fingerprints alone, cold; and with the tree written as files, as Django does."""
    rounds = real.options.at_most(2)
    commands = (real.build(), real.build("-o", str(real.root / "out")), real.django())
    plain, written, django = in_turn(
        commands, rounds, before=real.clear, after=real.check, warm_up=0
    )
    figures = [
        times("build, names only, cold : Django's collectstatic", Comparison(plain, django)),
        times("build -o, names only, cold : Django's collectstatic", Comparison(written, django)),
    ]
    return figures, named("names only, cold", plain, written, django)


def compressors(real: Site) -> Found:
    """Cold, with encodings, beside those who compress and do not look at references."""
    tree = fresh(real.root / "copy") / "static"

    def before() -> None:
        real.clear()
        copied(real.tree, tree)

    commands = (
        real.build(FLASKS3_ENCODINGS=ENCODINGS),
        whitenoise(real.options, tree),
        static_digest(real.options, tree),
    )
    ours, *rest = in_turn(commands, 1, before=before, warm_up=0)
    shutil.rmtree(tree)
    figures = [times(f"build, cold : {peer.name}", Comparison(ours, peer)) for peer in rest]
    return figures, named("encodings, cold, others", ours, *rest)


def circles(options: Options) -> tuple[Figure, Figure]:
    """Whether a tree with circles builds; ours has to, or the benchmark ends."""
    circular = site(options, "circles", [CIRCULAR])
    ours = measure(circular.build())
    circular.check()
    said = last_words(circular.django("Shipped"))
    return (
        Figure("monaco-editor/esm, ours", ours.wall, "s", note=f"{circular.files:,} files"),
        Figure("monaco-editor/esm, Django's exit", int(bool(said)), "", note=said or "builds"),
    )


def last_words(command: Command) -> str:
    """The last line of what a command printed that failed; nothing where it did not."""
    try:
        measure(command)
    except CommandFailed as failure:
        return str(failure).strip().rpartition("\n")[2].partition(" with <")[0]
    return ""
