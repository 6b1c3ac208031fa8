"""What bundlers write beside their output: which of its files have a digest in their names.

Source: Vite's guide, "Backend Integration": `.vite/manifest.json` maps a source's name to a chunk
with `file`, `css` and `assets`, relative to the output folder.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .assets import Notes

VITE_FOLDER = ".vite"
_VITE_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Output:
    """One file of a bundler's output.

    Attributes:
        filename: POSIX path relative to the static folder.
        alias: what the bundler knows it by, in the same way; None where it has no other name.
    """

    filename: str
    alias: str | None


def outputs(static_folder: str, folder: str, notes: Notes) -> Iterator[Output]:
    """Yields what the manifest in an output folder says of files in a static folder.

    Args:
        static_folder: on disk.
        folder: the output folder, relative to it: `dist`, `` or `..`.
        notes: told when the manifest cannot be read.
    """
    path = Path(static_folder, folder, VITE_FOLDER, _VITE_MANIFEST)
    try:
        chunks = json.loads(path.read_bytes())
        named = [(name, file) for name, chunk in chunks.items() for file in _files(chunk)]
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, RecursionError, ValueError, AttributeError, KeyError, TypeError) as error:
        notes.add(
            f"{path} is no manifest of Vite's that can be read ({error}): build with it again."
        )
        return
    for name, (file, is_entry) in named:
        filename = posixpath.normpath(f"{folder}/{file}")
        if not filename.startswith("../"):
            yield Output(filename, _alias(folder, name) if is_entry else None)


def _files(chunk: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    yield str(chunk["file"]), True
    for name in (*chunk.get("css", ()), *chunk.get("assets", ())):
        yield str(name), False


def _alias(folder: str, name: str) -> str:
    """A source that would lie outside the static folder is known by its own name."""
    alias = posixpath.normpath(f"{folder}/{name}")
    return name if alias.startswith("../") else alias
