"""An app's files, built: collect → parse → name → encode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import garbage
from ..assets import Level, Problem, Refuse, grouped
from ..errors import BuildError, SettingsError
from ..patterns import matcher
from ..settings import Settings
from .collect import Collection, Selection, as_seen_from_here, collect, read
from .objects import Build, Naming, fingerprinted, plain, site_of
from .workshop import FOLDER, Workshop

if TYPE_CHECKING:
    from flask import Flask

_MOST_NAMED = 10


def assemble(
    app: Flask, settings: Settings, selection: Selection, *, with_problems: bool = False
) -> Build:
    """Returns what is to be published of an app's files; needs no network.

    Args:
        app: whose static routes are read.
        settings: the app's.
        selection: which files.
        with_problems: find what is wrong in files even where nothing has to be rewritten.

    Raises:
        BuildError: a file vanished or changed meanwhile.
        SettingsError: a setting cannot work.
    """
    if not settings.fingerprint and not with_problems:
        with garbage.left_alone():
            collection = collect(app, settings, selection)
            return _with(collection, plain(collection.assets, settings, read))
    if settings.fingerprint and selection.pattern is not None:
        raise SettingsError(
            "With FLASKS3_FINGERPRINT a part of the files cannot be published by itself, since "
            "their names depend on each other: publish all; what is the same is not sent again."
        )
    with garbage.left_alone(), Workshop(Path(app.root_path, FOLDER)) as workshop:
        collection = collect(app, settings, selection, workshop)
        naming = Naming(
            matcher("FLASKS3_FINGERPRINT_EXCLUDE", settings.fingerprint_exclude),
            matcher("FLASKS3_LOCAL", settings.local),
            collection.bundled,
            {refusal.key for refusal in collection.refusals},
        )
        build = _built(collection, settings, workshop, naming)
    return _with(collection, replace(build, notes=(*build.notes, *workshop.notes)))


def _built(collection: Collection, settings: Settings, workshop: Workshop, naming: Naming) -> Build:
    if settings.fingerprint:
        return fingerprinted(collection.assets, settings, workshop, naming)
    site = site_of(collection.assets, settings, workshop, naming)
    return replace(plain(collection.assets, settings, read), problems=site.problems)


def _with(collection: Collection, build: Build) -> Build:
    return replace(
        build,
        refusals=(*collection.refusals, *build.refusals),
        notes=(*collection.warnings, *build.notes),
        whole=collection.whole,
    )


def refuse_problems(
    problems: Sequence[Problem], refusals: Sequence[Refuse] = (), *, done: str = "published"
) -> None:
    """Refuses a build with errors in its files, as `FLASKS3_STRICT` asks.

    Args:
        problems: what is wrong in its files.
        refusals: files that are refused by themselves, unless somebody was told already: an error
            may come of that.
        done: what would have been done with the files.

    Raises:
        BuildError: there are errors.
    """
    errors = [problem for problem in problems if problem.level is Level.ERROR]
    if errors:
        lines = [f"refuse  {key}: {why}" for key, why in grouped(refusals)] + _first(errors)
        raise BuildError(
            f"FLASKS3_STRICT refuses files with errors, so nothing was {done}:\n" + "\n".join(lines)
        )


def told(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Returns what somebody who publishes has to know of the problems, in few lines."""
    serious = [problem for problem in problems if problem.level > Level.REMARK]
    remarks = len(problems) - len(serious)
    lines = _first(sorted(serious, key=lambda problem: -problem.level))
    if remarks:
        comments = "source map comment names" if remarks == 1 else "source map comments name"
        lines.append(
            f"{remarks:,} {comments} a map that is not there, which only developer tools miss: "
            "`flask s3 build --check` lists them."
        )
    return tuple(lines)


def _first(problems: Sequence[Problem]) -> list[str]:
    shown = problems[:_MOST_NAMED]
    lines = [str(replace(problem, file=as_seen_from_here(problem.file))) for problem in shown]
    if len(problems) > _MOST_NAMED:
        more = len(problems) - _MOST_NAMED
        lines.append(f"and {more:,} more: `flask s3 build --check` lists them all.")
    return lines
