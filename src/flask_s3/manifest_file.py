"""The manifest at hand: the file beside the app that tells the names it was built with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import write_whole
from .errors import BuildError, SettingsError
from .manifest import Manifest, differences, dumps, loads
from .settings import BUCKET, Settings

if TYPE_CHECKING:
    from flask import Flask

_MOST_NAMED = 10


def path_of(app: Flask, settings: Settings) -> Path:
    """Returns where the manifest stands: relative names are under the app's root path."""
    return Path(app.root_path, settings.manifest)


def load(app: Flask, settings: Settings) -> Manifest:
    """Returns the manifest at hand.

    Raises:
        BuildError: there is none, or it cannot be used.
    """
    path = path_of(app, settings)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BuildError(
            f"The manifest {path} cannot be read ({error.strerror}): make it with `flask s3 "
            "build`, or name another in FLASKS3_MANIFEST."
        ) from None
    return loads(data, str(path))


def write(app: Flask, settings: Settings, manifest: Manifest) -> Path:
    """Writes the manifest, and returns where; as a whole, or the one before stays.

    Raises:
        BuildError: it cannot be written.
    """
    path, data = path_of(app, settings), dumps(manifest)
    try:
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
    except OSError as error:
        raise BuildError(
            f"The manifest {path} cannot be written ({error.strerror}); what stood there stands "
            "there still: make room for it, or name another place in FLASKS3_MANIFEST."
        ) from error
    return path


def refuse_other(app: Flask, settings: Settings, built: Manifest) -> None:
    """Refuses a build whose names are not those of the manifest at hand.

    Raises:
        BuildError: it differs, and in what; or there is none.
        SettingsError: `FLASKS3_MANIFEST` names none.
    """
    if settings.manifest == BUCKET:
        raise SettingsError(
            "FLASKS3_MANIFEST is 'bucket', so there is no manifest at hand to compare with: leave "
            "--frozen out, or name a file."
        )
    found = differences(load(app, settings), built)
    if found:
        more = [f"and {len(found) - _MOST_NAMED:,} more"] if len(found) > _MOST_NAMED else []
        raise BuildError(
            f"The manifest {path_of(app, settings)} is not that of these files, so nothing was "
            "published: build again, and ship that manifest, or deploy the files that it was "
            "built from.\n" + "\n".join([*found[:_MOST_NAMED], *more])
        )
