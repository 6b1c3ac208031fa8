"""Asks an app's files, its templates and its bucket for what the report tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ..assets import Asset
from ..building import templates
from ..building.assembly import assemble
from ..building.collect import Selection, collect
from ..building.fingerprints import Site
from ..building.objects import Build, Naming, site_of
from ..building.workshop import FOLDER, Workshop
from ..errors import FlaskS3Error
from ..manifest import Manifest
from ..redaction import without_secrets
from ..release.checkout import commit_of
from ..release.remote import releases_of
from ..settings import Settings
from .facts import Place, Release, Report, codecs_of, files_of, release_of

if TYPE_CHECKING:
    from flask import Flask


def gather(app: Flask, settings: Settings, *, include_hidden: bool = False) -> Report:
    """Returns the report on an app's files, built anew; changes nothing.

    Needs no bucket: where the release in force cannot be read, the report says why.

    Args:
        app: whose files.
        settings: the app's.
        include_hidden: tell of hidden files too.

    Raises:
        BuildError: the files cannot be built.
        SettingsError: a setting cannot work.
    """
    selection = Selection(include_hidden)
    build = assemble(app, settings, selection, with_problems=True)
    assets, site = _site(app, settings, selection)
    files = files_of(build, assets, _referrers(app, site, build.manifest))
    release = _release(app, settings, build)
    wrong = {*build.problems, *templates.problems(app, settings, build.manifest)}
    return Report(
        app=settings.app_name or app.name,
        made=f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        commit=commit_of(app.root_path),
        files=files,
        codecs=codecs_of(files),
        problems=tuple(sorted(replace(p, file=_shown(p.file, app.root_path)) for p in wrong)),
        refusals=build.refusals,
        objects=len(build.objects),
        stored=sum(made.body.size for made in build.objects),
        release=release if isinstance(release, Release) else None,
        no_release="" if isinstance(release, Release) else release,
    )


def _site(app: Flask, settings: Settings, selection: Selection) -> tuple[tuple[Asset, ...], Site]:
    """Returns the files and what leads from one to another, which the build has just cached."""
    with Workshop(Path(app.root_path, FOLDER)) as workshop:
        found = collect(app, settings, selection, workshop)
        naming = Naming(_no, _no, found.bundled, frozenset())
        return found.assets, site_of(found.assets, settings, workshop, naming)


def _no(_: str) -> bool:
    return False


# -- who refers to whom


def _referrers(app: Flask, site: Site, manifest: Manifest) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for target, place in (*_of_files(site), *_of_templates(app, manifest)):
        if target != place.file:
            found.setdefault(target, []).append(place)
    return found


def _of_files(site: Site) -> Iterator[tuple[str, Place]]:
    for path, links in site.links.items():
        for link in links:
            yield link.target, Place(path, link.reference.line)
    for path, others in site.scripts.items():
        written = {link.target for link in site.links.get(path, ())}
        for other in others:
            if other not in written:
                yield other, Place(path, 0)


def _of_templates(app: Flask, manifest: Manifest) -> Iterator[tuple[str, Place]]:
    for path, template, line in templates.named(app):
        found = manifest.find(path)
        if found is not None:
            yield found[0], Place(_shown(template, app.root_path), line)


def _shown(file: str, root: str) -> str:
    """Returns a path without what differs from machine to machine, where it can be left out."""
    _, installed, rest = file.replace(os.sep, "/").rpartition("/site-packages/")
    if installed:
        return rest
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


# -- the release in force


def _release(app: Flask, settings: Settings, build: Build) -> Release | str:
    """Returns the release in force, or a sentence that says why there is none to compare with."""
    try:
        releases, _ = releases_of(settings, app.name)
        current = releases.current()
    except FlaskS3Error as error:
        return without_secrets(str(error), settings.secrets)
    if current is None or current.release is None:
        return "This app has no release yet: `flask s3 deploy` makes the first."
    if current.record is None:
        return "The record of the release in force is lost or unreadable: deploy again."
    return release_of(current.record, build)
