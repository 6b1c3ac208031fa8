"""What is released: the files in it, its version, and the workflows that check and release it."""

from __future__ import annotations

import email
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION = PROJECT["version"]


@dataclass(frozen=True)
class Released:
    """The two files that a release consists of.

    Attributes:
        sdist: names in the source archive, relative to its folder.
        wheel: names in the wheel that was built from it.
        metadata: what the wheel says of itself.
    """

    sdist: frozenset[str]
    wheel: frozenset[str]
    metadata: Message


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Built from this checkout: the source archive, and from that alone the wheel."""
    folder = tmp_path_factory.mktemp("released")
    build("sdist", ROOT, folder)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, **({"filter": "data"} if sys.version_info >= (3, 12) else {}))
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    build("wheel", folder / f"flask_s3-{VERSION}", folder)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        told = email.message_from_bytes(archive.read(metadata))
        return Released(frozenset(names), frozenset(archive.namelist()), told)


def build(target: str, source: Path, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)],
        cwd=source,
        check=True,
        timeout=60,
    )


def files_below(*folders: str) -> set[str]:
    """What stands in folders of this checkout, without what tools leave there."""
    left_by_tools = {"__pycache__", "node_modules", "dist", "_build", ".flask-s3-cache"}
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not left_by_tools & set(path.relative_to(ROOT).parts)
    }


# -- what is in it


def test_a_wheel_has_the_package_its_licences_and_nothing_else(released):
    source = {name.removeprefix("src/") for name in files_below("src")}
    wanted = {name for name in source if not name.startswith("flask_s3/report/bundle/")}
    about = f"flask_s3-{VERSION}.dist-info/"

    own = {name for name in released.wheel if not name.startswith(about)}
    others = {name.removeprefix(about) for name in released.wheel - own}

    assert own == wanted
    assert "flask_s3/py.typed" in own
    licences = {name for name in others if name.startswith("licenses/")}
    assert others - licences == {"METADATA", "WHEEL", "RECORD", "entry_points.txt"}
    assert "licenses/LICENSE" in licences
    # What others wrote stays under their licence.
    theirs = {name for name in own if name.endswith((".LICENSE", ".NOTICE"))}
    assert licences == {"licenses/LICENSE", *(f"licenses/src/{name}" for name in theirs)}


def test_a_source_archive_has_all_that_its_tests_read_and_nothing_that_tools_left(released):
    folders = {"src", "tests", "docs", "examples", "benchmarks", ".github", ".ci"}
    at_the_top = {path.name for path in ROOT.glob("*.md")}
    at_the_top |= {".gitignore", "LICENSE", "Makefile", "noxfile.py", "pyproject.toml", "PKG-INFO"}

    assert released.sdist == files_below(*folders) | at_the_top
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"} <= at_the_top


# -- the version


def test_the_version_stands_in_one_place_and_is_the_newest_of_the_changelog(released):
    headings = re.findall(r"(?m)^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text())
    written = [
        name
        for name in files_below("src", "docs", "tests")
        if name.endswith((".py", ".toml")) and VERSION in (ROOT / name).read_text("utf-8")
    ]

    assert released.metadata["Version"] == VERSION
    assert next(one for one in headings if one != "Unreleased") == VERSION
    assert written == []


# -- the workflows

WORKFLOWS = ROOT / ".github" / "workflows"


def workflow(name: str) -> dict:
    return yaml.safe_load((WORKFLOWS / name).read_text())


def test_only_the_job_that_publishes_may_write_and_it_has_no_secret():
    release = workflow("release.yml")

    assert release["permissions"] == {"contents": "read"}
    assert release["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert [name for name, job in release["jobs"].items() if "permissions" in job] == ["publish"]
    assert workflow("ci.yml")["permissions"] == {"contents": "read"}
    assert "secrets." not in "".join(path.read_text() for path in WORKFLOWS.iterdir())


def test_every_action_is_pinned_by_its_major_version():
    steps = [
        step["uses"]
        for path in WORKFLOWS.iterdir()
        for job in workflow(path.name)["jobs"].values()
        for step in job["steps"]
        if "uses" in step
    ]

    assert steps
    assert [one for one in steps if not re.fullmatch(r"[\w/-]+@(release/)?v\d+", one)] == []


def test_ci_runs_each_python_that_is_supported():
    pythons = workflow("ci.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    noxfile = (ROOT / "noxfile.py").read_text()

    assert pythons[0] == oldest
    assert json.dumps(pythons) in noxfile


def test_a_tag_that_is_not_the_version_is_not_released():
    (check,) = (
        step["run"]
        for step in workflow("release.yml")["jobs"]["build"]["steps"]
        if "GITHUB_REF_NAME" in step.get("run", "")
    )

    def ends(tag: str) -> int:
        command = ["bash", "-e", "-c", check]
        environ = {"GITHUB_REF_NAME": tag, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True).returncode

    assert ends(f"v{VERSION}") == 0
    assert ends("v0.0.1") == 1


def test_the_forms_for_issues_can_be_read_and_ask_for_what_the_doctor_says():
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yml")}

    assert forms.keys() == {"bug", "feature", "config"}
    for name in ("bug", "feature"):
        assert {"name", "description", "body"} <= forms[name].keys()
    assert "flask s3 doctor" in json.dumps(forms["bug"])
