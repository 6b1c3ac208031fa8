"""Files that are there as a whole, or not at all."""

from __future__ import annotations

import secrets
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that it is there as a whole or not at all.

    Raises:
        OSError: it could not be written; what stood there stands there still.
    """
    temporary = path.with_name(f".{path.name[:32]}-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
