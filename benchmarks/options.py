"""What was asked for on the command line, and where files go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Command, environment
from peers.environments import Peers, call
from trees.npm import NpmTrees

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Attributes:
        benchmarks: their names.
        work: where everything goes that is written while it is measured.
        kept: where peers and packages are installed.
        python: the one that has Flask-S3.
        rounds: how many, where somebody chose; else each benchmark has its own number.
        million: whether `scale` goes on to 1,000,000 files.
        trial: whether it is only tried out, with a fraction of the files: no goal applies.
    """

    benchmarks: tuple[str, ...]
    work: Path
    kept: Path
    python: str
    rounds: int | None = None
    million: bool = False
    trial: bool = False

    @property
    def peers(self) -> Peers:
        """The peers."""
        return Peers(self.kept / "peers", self.python)

    @property
    def npm(self) -> NpmTrees:
        """The packages of npm's registry."""
        return NpmTrees(self.kept / "npm")

    @property
    def home(self) -> Path:
        """The home folder of what is measured."""
        return self.work / "home"

    def at_most(self, rounds: int) -> int:
        """So many rounds, or fewer where somebody chose fewer: for what takes minutes."""
        return min(rounds, self.rounds or rounds)

    def count(self, files: int) -> int:
        """So many files, or a fraction of them in a trial."""
        return files // 50 if self.trial else files

    def environment(self) -> dict[str, str]:
        """An environment without the user's AWS settings, and with a home of its own."""
        aws = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}
        return environment(self.home) | aws

    def flask(self, app: Path, *arguments: str, name: str = "", **more: str) -> Command:
        """``flask s3 …`` of an app, with more environment variables."""
        argv = (self.python, "-m", "flask", "--app", str(app), "s3", *arguments)
        shown = name or f"flask s3 {arguments[0]}"
        return Command(shown, argv, self.environment() | more, app.parent)

    def deploy(self, app: Path, name: str = "flask s3 deploy", **more: str) -> Command:
        """``flask s3 deploy``, without questions."""
        return self.flask(app, "deploy", "--yes", name=name, **more)

    def probe_command(self, name: str, *arguments: object, python: str = "") -> Command:
        """One of the programs in ``probes/``."""
        argv = (python or self.python, "-m", f"probes.{name}", *map(str, arguments))
        return Command(name, argv, self.environment() | {"PYTHONPATH": str(HERE)}, self.work)

    def probe(self, name: str, *arguments: object, python: str = "") -> Mapping[str, Any]:
        """What one of them prints."""
        command = self.probe_command(name, *arguments, python=python)
        found: dict[str, Any] = json.loads(call(*command.argv, env=command.env))
        return found


def ratios(first: Sequence[float], second: Sequence[float]) -> tuple[float, ...]:
    """First over second, round by round; rounds that only one of them has are left out."""
    return tuple(a / b for a, b in zip(first, second, strict=False))
