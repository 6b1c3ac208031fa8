"""Our annotations, as the tools of a user's typed app read them where the package is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import flask_s3

HERE = Path(__file__).parent
LONGEST = 600
"""Seconds after which a tool has hung."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the app alone, where no settings of ours are found, nor our source."""
    shutil.copy(HERE / "public.py", tmp_path)
    return tmp_path


def ran(command: list[str], folder: Path) -> str:
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, encoding="utf-8", timeout=LONGEST
    )
    assert ended.returncode == 0, f"{' '.join(command)} failed:\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def test_the_typed_app_uses_all_that_is_public():
    text = (HERE / "public.py").read_text()

    assert [name for name in flask_s3.__all__ if not re.search(rf"\b{name}\b", text)] == []


def test_mypy_takes_a_typed_app_that_uses_all_that_is_public(folder):
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "public.py"]

    assert "Success: no issues found" in ran(command, folder)


@pytest.mark.npm
def test_pyright_takes_a_typed_app_that_uses_all_that_is_public(folder):
    shutil.copy(HERE / "package.json", folder)
    ran(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], folder)
    settings = {
        "typeCheckingMode": "strict",
        "include": ["public.py"],
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    pyright = str(folder / "node_modules" / ".bin" / "pyright")

    assert "0 errors, 0 warnings" in ran([pyright, "--pythonpath", sys.executable], folder)
