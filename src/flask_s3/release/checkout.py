"""Which git commit a release is made of."""

from __future__ import annotations

import os
import re
import subprocess

# What CI services call it, for a build without the history: GitHub Actions, GitLab, CircleCI,
# Bitbucket, Heroku's build packs.
VARIABLES = (
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "CIRCLE_SHA1",
    "BITBUCKET_COMMIT",
    "SOURCE_VERSION",
)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SECONDS = 5


def commit_of(folder: str) -> str | None:
    """Returns the commit that a folder is checked out at, in hexadecimal; None when none is known.

    Args:
        folder: the app's.
    """
    said = (_asked(folder), *map(os.environ.get, VARIABLES))
    return next((commit for commit in said if commit and _COMMIT.fullmatch(commit)), None)


def _asked(folder: str) -> str | None:
    try:
        return subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
