"""A built tree on disk: the objects as files whose path is the key, and beside them what they are.

DIR/static/css/app.0123456789abcdef.css
DIR/.flask-s3/build.json                  headers and digests of each, and the manifest
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..assets import METADATA_PREFIX, FileBody, Object
from ..errors import BuildError
from ..manifest import from_json, to_json
from ..settings import Settings
from .objects import Build

_VERSION = 1
_INDEX = f"{METADATA_PREFIX}build.json"
_PIECE = 1024 * 1024
_DAMAGED = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


def write_tree(folder: Path, build: Build) -> None:
    """Writes a build as a tree of files, which takes the place of a tree that stood there.

    Args:
        folder: is made; when it exists it has to be empty, or a tree of ours.
        build: what to write.

    Raises:
        BuildError: the folder holds something else, or cannot be written; it is left as it was.
    """
    place = folder.resolve()
    if place == Path.cwd():
        raise BuildError(f"{folder} is where this runs, so it cannot be replaced: name another.")
    if folder.exists() and not _is_ours(folder):
        raise BuildError(
            f"{folder} is not empty and no tree that `flask s3 build` made, so it is left as it "
            "is: remove it, or name another."
        )
    new = place.with_name(f".{place.name[:32]}-{secrets.token_hex(4)}")
    try:
        new.mkdir(parents=True)
        for made in build.objects:
            _write_object(new / made.key, made)
        _write(new / _INDEX, json.dumps(_to_json(build), separators=(",", ":")).encode())
        _put_in_place(new, place)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        raise BuildError(
            f"The tree {folder} cannot be written ({error.strerror}: {error.filename}): make room, "
            "or name another folder."
        ) from error


def refuse_within(folder: Path, static_folders: Iterable[str]) -> None:
    """Refuses a place for a tree where the next build would take it for files of the app.

    Raises:
        BuildError: it is in one of the static folders.
    """
    for static in map(Path, static_folders):
        if folder.resolve().is_relative_to(static.resolve()):
            raise BuildError(
                f"{folder} is in the static folder {static}, so the next build would publish the "
                "tree itself: name another."
            )


def _put_in_place(new: Path, place: Path) -> None:
    """Lets a tree take another's place, which is removed only when the new one stands there."""
    old = new.with_name(f"{new.name}-old")
    if place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and ((folder / _INDEX).is_file() or not any(folder.iterdir()))


def _write_object(path: Path, made: Object) -> None:
    if isinstance(made.body, FileBody):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made.body.path, path)
    else:
        _write(path, made.body.data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _to_json(build: Build) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "prefix": build.prefix,
        "fingerprinted": build.is_fingerprinted,
        "whole": build.whole,
        "objects": {
            made.key: {
                "sha256": made.body.sha256,
                "headers": dict(made.headers),
                "decoded": made.decoded,
                "copy_of": made.copy_of,
                "follows": made.follows,
            }
            for made in build.objects
        },
        "manifest": to_json(build.manifest),
    }


def read_tree(folder: Path, settings: Settings) -> Build:
    """Returns the build that a tree holds.

    Args:
        folder: the tree.
        settings: of the app, which have to be those that it was built with.

    Raises:
        BuildError: it is no tree of ours, its files are not what was built, or other settings are.
    """
    try:
        value = json.loads((folder / _INDEX).read_bytes())
        if value["version"] != _VERSION:
            raise BuildError(
                f"{folder} was built by another version of Flask-S3: build it again with this one."
            )
        objects = tuple(_objects(folder, value["objects"]))
        manifest = from_json(value["manifest"], str(folder / _INDEX))
        to_json(manifest)  # each entry is checked when it is asked for
        built = Build(
            objects,
            (),
            (),
            (),
            manifest,
            str(value["prefix"]),
            is_fingerprinted=bool(value["fingerprinted"]),
            whole=bool(value["whole"]),
        )
    except (OSError, *_DAMAGED) as error:
        why = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else error
        raise BuildError(
            f"{folder} is no whole tree that `flask s3 build -o` made ({why}): build it again."
        ) from error
    _refuse_other(folder, built, settings)
    return built


def _refuse_other(folder: Path, built: Build, settings: Settings) -> None:
    """Refuses a tree whose keys or names are not what the app's URLs would be."""
    for key, then, now in (
        ("FLASKS3_PREFIX", built.prefix, settings.key_prefix),
        ("FLASKS3_FINGERPRINT", built.is_fingerprinted, settings.fingerprint),
    ):
        if then != now:
            raise BuildError(
                f"{folder} was built when {key} was {then!r}, and now it is {now!r}: build again, "
                "or set it as it was."
            )


def _objects(folder: Path, described: dict[str, dict[str, Any]]) -> Iterator[Object]:
    for key, about in described.items():
        if ".." in Path(key).parts or Path(key).is_absolute():
            raise BuildError(f"{folder} names a file outside of itself, {key!r}: build it again.")
        body = _body(folder / key)
        if body.sha256 != about["sha256"]:
            raise BuildError(
                f"{body.path} is not what was built, so nothing was published: build again."
            )
        yield Object(
            key, body, about["headers"], about["decoded"], about["copy_of"], about["follows"]
        )


def _body(path: Path) -> FileBody:
    digest = sha256()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    status = path.stat()
    return FileBody(str(path), status.st_size, status.st_mtime_ns, digest.hexdigest())
