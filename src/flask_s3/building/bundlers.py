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

from ..assets import Notes

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
        folder: the output folder, relative to it: `dist`, `.` or `..`.
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
        filename = _below(static_folder, folder, file)
        if filename is not None:
            # A source that lies outside the static folder is known by its own name.
            alias = (_below(static_folder, folder, name) or name) if is_entry else None
            yield Output(filename, alias)


def _files(chunk: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    yield str(chunk["file"]), True
    for name in (*chunk.get("css", ()), *chunk.get("assets", ())):
        yield str(name), False


def _below(static_folder: str, folder: str, name: str) -> str | None:
    """Returns a name of the output folder as one of the static folder, None when it is not there.

    The output folder may be the one above: `../assets/a.js` is `a.js` in a folder named `assets`.
    """
    own = Path(static_folder).name
    path = posixpath.normpath(f"{own}/{folder}/{name}")
    return path.removeprefix(f"{own}/") if path.startswith(f"{own}/") else None
