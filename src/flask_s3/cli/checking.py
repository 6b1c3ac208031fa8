"""`flask s3 doctor` and `verify`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from flask import current_app
from flask.cli import ScriptInfo, with_appcontext

from ..findings import Verdict, worst
from ..serve.serving import state_of
from . import screens
from .running import exit_for, explained, the_app
from .terminal import busy, counting
from .typed import verbose

if TYPE_CHECKING:
    from flask import Flask

    from ..checks.diagnosis import Diagnosis
    from ..settings import Settings


_INTERRUPTED = "nothing was changed"


@click.command(short_help="Tell what is wrong with settings and bucket.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@verbose
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Tell what is wrong with settings, credentials, bucket and addresses, and what mends it.

    Works when the app does not load, too. Changes nothing but for a tiny object under .flask-s3/,
    which it takes away again. Exit code 1 where anything is an error; warnings leave it at 0.

    \b
    Examples:
      flask s3 doctor
      flask s3 doctor --json > doctor.json
    """
    with explained(_INTERRUPTED):
        found = _examined(context, quiet=as_json)
    if as_json:
        skipped = [{"check": one.check, "why": one.why} for one in found.skipped]
        screens.show_checks_as_json(found.findings, skipped=skipped)
    else:
        screens.show_checks(found.findings)
        screens.show_skipped(found.reasons())
    exit_for(worst(found.findings) is Verdict.ERROR)


def _examined(context: click.Context, *, quiet: bool) -> Diagnosis:
    from ..checks.doctor import examine, examine_without_app  # noqa: PLC0415

    try:
        app = the_app() if current_app else context.ensure_object(ScriptInfo).load_app()
    except (Exception, SystemExit) as error:  # whatever an app does when it is imported
        return examine_without_app(error, os.environ)
    with app.app_context(), busy("Looking at settings and bucket", quiet=quiet):
        return examine(app)


@click.command(short_help="Ask for every published URL as browsers do.")
@click.option(
    "--sample",
    "most",
    type=click.IntRange(min=1),
    metavar="N",
    help="Ask for N URLs of all types rather than for all; for one release always the same.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@verbose
@with_appcontext
def verify(most: int | None, as_json: bool) -> None:
    """Ask for every published URL as browsers do, and tell what is wrong with the answers.

    Through the CDN's address where there is one, without credentials, first without and then with
    an Origin. Changes nothing. Exit code 1 where anything is an error; warnings leave it at 0.

    \b
    Examples:
      flask s3 verify
      flask s3 verify --sample 200 --json > verify.json
    """
    from ..checks.verify import verify as verified  # noqa: PLC0415

    app = the_app()
    with explained(_INTERRUPTED), counting("URLs", quiet=as_json) as progress:
        settings = state_of(app).settings()
        done = verified(
            settings,
            app.name,
            most=most,
            pages_are_https=_are_https(app, settings),
            progress=progress,
        )
    if as_json:
        screens.show_checks_as_json(done.findings, checked=done.checked)
    else:
        screens.show_checks(done.findings)
    exit_for(worst(done.findings) is Verdict.ERROR)


def _are_https(app: Flask, settings: Settings) -> bool:
    """Returns whether the app's pages come by https, as far as its config tells."""
    return (
        app.config.get("PREFERRED_URL_SCHEME") == "https"
        or bool(app.config.get("SESSION_COOKIE_SECURE"))
        or any(origin.startswith("https://") for origin in settings.cors_origins)
    )
