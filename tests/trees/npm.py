"""Packages of the npm registry, at the exact versions in `package.json`, in `.cache/npm`.

Installed once for a checkout, whoever asks first; other processes wait for it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from locks import locked

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".cache" / "npm"
_WANTED = HERE / "package.json"
_INSTALL = ("install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock")
_LONGEST_INSTALL = 600
_LONGEST_SCRIPT = 120
"""Seconds after which npm and a script have hung."""


class NpmMissing(AssertionError):
    """There is no Node.js on this machine: tests fail, since a skipped one proves nothing."""


def packages() -> Path:
    """Returns the folder `node_modules` with everything that `package.json` names in it."""
    npm = _program("npm")
    stamp = FOLDER / "installed.json"
    with locked(FOLDER / ".lock"):
        if not (stamp.is_file() and stamp.read_bytes() == _WANTED.read_bytes()):
            shutil.copyfile(_WANTED, FOLDER / "package.json")
            _ran([npm, *_INSTALL], _LONGEST_INSTALL)
            shutil.copyfile(_WANTED, stamp)
    return FOLDER / "node_modules"


def run_script(name: str, value: object) -> Any:
    """Returns what a script in `finders` prints, as JSON, for a value that it reads as JSON."""
    packages()
    script = HERE / "finders" / name
    return json.loads(_ran([_program("node"), str(script)], _LONGEST_SCRIPT, json.dumps(value)))


def run_tool(name: str, *arguments: str, folder: Path) -> None:
    """Runs the program that a package brings, in a folder."""
    _ran([str(packages() / ".bin" / name), *arguments], _LONGEST_SCRIPT, folder=folder)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NpmMissing(
            f"{name} is not on the PATH, and these tests look at real npm packages with it: "
            "install Node.js 20 or newer."
        )
    return path


def _ran(command: list[str], timeout: int, text: str = "", folder: Path = FOLDER) -> str:
    ended = subprocess.run(
        command, cwd=folder, input=text, capture_output=True, encoding="utf-8", timeout=timeout
    )
    assert ended.returncode == 0, f"{' '.join(command)} failed:\n{ended.stdout}{ended.stderr}"
    return ended.stdout
