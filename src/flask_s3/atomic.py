"""Files that are there as a whole, or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that it is there as a whole or not at all.

    Raises:
        OSError: it could not be written; what stood there stands there still.
    """
    with _written_beside(path, data) as temporary:
        temporary.replace(path)


def write_first(path: Path, data: bytes) -> bool:
    """Does the same unless the file is there already; returns whether it was written.

    Raises:
        OSError: it could not be written.
    """
    with _written_beside(path, data) as temporary:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            temporary.replace(path)
        return True


@contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """Yields a file with the data, in the same folder; what is left of it is removed."""
    temporary = path.with_name(f".{path.name[:32]}-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
