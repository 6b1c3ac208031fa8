"""What is written down says what is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click

import flask_s3
from flask_s3.cli import s3
from flask_s3.settings import FIELDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_page_of_settings_is_in_step_with_the_source():
    made = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "settings.py")],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8", "PATH": ""},
    )

    assert (ROOT / "docs" / "settings.md").read_text() == made.stdout, "run `make docs`"


def test_the_readme_names_every_command_and_option():
    commands = {f"flask s3 {name}" for name in s3.commands}
    options = {
        option
        for name in ("plan", "deploy")
        for parameter in s3.commands[name].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    }

    assert {text for text in commands | options if text not in README} == set()


def test_settings_named_in_the_readme_and_changelog_exist():
    known = {field.metadata["key"] for field in FIELDS}
    named = set(
        re.findall(r"\b(?:FLASKS3|AWS)_[A-Z_]+", README + (ROOT / "CHANGELOG.md").read_text())
    )

    assert named - known == {"AWS_PROFILE"}


def test_the_public_names_are_these():
    assert flask_s3.__all__ == [
        "DEFAULT_SETTINGS",
        "CredentialsError",
        "FlaskS3",
        "FlaskS3Error",
        "PublishError",
        "SettingsError",
        "StoreError",
        "create_all",
        "get_setting",
        "published",
        "publishing",
        "url_for",
    ]


def test_every_error_is_drawn_in_the_tree_of_errors():
    from flask_s3 import errors, result

    classes = {
        name
        for module in (errors, result)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }

    assert {name for name in classes if name not in errors.__doc__} == set()


def test_no_page_names_a_host_of_packages_or_a_badge():
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        assert not re.search(r"shields\.io|badge", page.read_text()), page
