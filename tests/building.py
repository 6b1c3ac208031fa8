"""How the tests build an app, and look at what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from flask_s3.assets import FileBody, Level, Object
from flask_s3.building.assembly import assemble
from flask_s3.building.collect import Selection
from flask_s3.building.objects import Build
from flask_s3.manifest import Manifest
from flask_s3.serve.serving import state_of

FINGERPRINTS: Mapping[str, Any] = {"FLASKS3_FINGERPRINT": True}


def built(app: Flask, **config: Any) -> Build:
    """The build of an app under fingerprints, and further settings."""
    app.config.update({**FINGERPRINTS, **config})
    return assemble(app, state_of(app).settings(), Selection())


def body(made: Object) -> bytes:
    return Path(made.body.path).read_bytes() if isinstance(made.body, FileBody) else made.body.data


def bodies(build: Build) -> dict[str, bytes]:
    """What stands under each key."""
    return {made.key: body(made) for made in build.objects}


def headers(build: Build, name: str) -> dict[str, str | None]:
    """A header of each key."""
    return {made.key: made.headers.get(name) for made in build.objects}


def published(build: Build, path: str) -> str:
    """The published name of a path, without its folder."""
    return build.manifest.entries[path].identity.name


def content(build: Build, path: str) -> str:
    """What a file is published as, with published names replaced by logical ones in brackets."""
    folder = path.rpartition("/")[0]
    data = bodies(build)[f"{folder}/{published(build, path)}"]
    return logical(build.manifest, data.decode())


def logical(manifest: Manifest, text: str) -> str:
    """A text with each published name written as `<logical name>`."""
    names = {
        published.name: f"<{path.rpartition('/')[2]}>"
        for path, entry in manifest.entries.items()
        for published in (entry.identity, *entry.variants.values())
        if published.name != path.rpartition("/")[2]
    }
    for name, shown in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(name, shown)
    return text


def told(build: Build) -> list[tuple[str, int, str]]:
    """The problems: file name, line, level."""
    return [(Path(p.file).name, p.line, p.level.name) for p in build.problems]


def messages(build: Build, level: Level = Level.WARNING) -> list[str]:
    return [problem.text for problem in build.problems if problem.level >= level]


def names_of(build: Build) -> dict[str, str]:
    return {path: entry.identity.name for path, entry in build.manifest.entries.items()}


def index_of(app: Flask) -> dict[str, Any]:
    """What the build cache remembers."""
    return json.loads(Path(app.root_path, ".flask-s3-cache", "index.json").read_bytes())
