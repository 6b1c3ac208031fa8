"""Reads and hashes every file of a folder: what no build that looks at its files can go below.

python -m probes.hash_files FOLDER
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from hashlib import sha256


def digests(folder: str) -> dict[str, str]:
    """The SHA-256 of each file below ``folder``, by its path."""
    return {path: digest_of(path) for path in files(folder)}


def digest_of(path: str) -> str:
    """The SHA-256 of a file."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  (a Path costs a fifth more)
        return sha256(file.readall()).hexdigest()


def files(folder: str) -> Iterator[str]:
    """The paths of all files."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from files(entry.path)
            else:
                yield entry.path


if __name__ == "__main__":
    digests(sys.argv[1])
