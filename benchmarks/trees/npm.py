"""Folders that people really publish: packages of npm's registry, at exact versions."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from peers.environments import call

VERSIONS = {
    "bootstrap": "5.3.9",
    "@fortawesome/fontawesome-free": "7.3.1",
    "monaco-editor": "0.57.0",
}
#: Nothing but the files: no scripts of the packages, no questions to other services.
INSTALL = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--no-save")


@dataclass(frozen=True)
class NpmTrees:
    """Makes and finds the trees below ``work``, each once."""

    work: Path

    def tree(self, *packages: str) -> Path:
        """A folder with the files of ``packages`` (``three``, ``monaco-editor/esm``), no others."""
        folder = self.work / "+".join(package.replace("/", "_") for package in packages)
        if not folder.exists():
            half = folder.with_name(f"{folder.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            for package in packages:
                shutil.copytree(self._installed() / package, half / package.lstrip("@"))
            half.rename(folder)
        return folder

    def _installed(self) -> Path:
        folder = self.work / "npm"
        complete = folder / "complete"
        if not complete.exists():
            folder.mkdir(parents=True, exist_ok=True)
            pins = [f"{name}@{version}" for name, version in VERSIONS.items()]
            call("npm", "install", "--prefix", str(folder), *INSTALL, *pins)
            complete.touch()
        return folder / "node_modules"


def count_files(folder: Path) -> int:
    """How many files are below ``folder``."""
    return sum(path.is_file() for path in folder.rglob("*"))
