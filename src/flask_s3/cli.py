"""`flask s3 …`: thin commands over `deploy`.

Exit codes: 0 done; 1 something could not be published (each is named, and everything else was);
2 wrong usage or settings; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask import current_app
from flask.cli import with_appcontext

from . import screens
from .errors import FlaskS3Error
from .extension import published as published_signal
from .extension import publishing as publishing_signal
from .serving import PUBLISHING, state_of
from .settings import BUCKET

if TYPE_CHECKING:
    from flask import Flask

    from .build import Build
    from .collect import Selection
    from .deploy import Order, Prepared
    from .result import Result
    from .settings import Settings

_INTERRUPTED = 130
"""What shells answer for Ctrl-C: 128 + SIGINT."""


@click.group("s3", context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def s3(context: click.Context) -> None:
    """Publish this app's static files to S3-compatible storage.

    \b
    Examples:
      flask s3 build               the names that files are published under
      flask s3 plan                what a deploy would do, and why
      flask s3 deploy              do it
      flask s3 deploy --dry-run    the same as plan
      flask s3 status              what is published
      flask s3 preview             the app, with its files from a bucket on this machine

    The settings (FLASKS3_BUCKET_NAME, ...) are the app's own.
    Exit codes: 0 done; 1 something could not be published; 2 wrong usage or settings; 130
    interrupted.
    """
    context.meta[PUBLISHING] = True
    if os.environ.get("NO_COLOR"):
        context.color = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file's name may have what the terminal has not
            stream.reconfigure(errors="backslashreplace")


def _selecting(command: Callable[..., Any]) -> Callable[..., Any]:
    hidden = click.option("--include-hidden", is_flag=True, help="Publish hidden files too.")
    only = click.option(
        "--only",
        metavar="REGEX",
        help="Only files in whose path, relative to the static folder, REGEX is found.",
    )
    verify = click.option(
        "--verify-remote",
        is_flag=True,
        help="List the bucket, rather than trust the record of what was published.",
    )
    return hidden(only(verify(command)))


@s3.command()
@click.option(
    "--check",
    is_flag=True,
    help="Fail on references, and on templates, that name files which do not exist.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the whole published tree as files; a file's path is its key.",
)
@click.option("--include-hidden", is_flag=True, help="Build hidden files too.")
@with_appcontext
def build(check: bool, output: Path | None, include_hidden: bool) -> None:
    """Write the manifest of published names. Needs no network and no credentials.

    \b
    Examples:
      flask s3 build               before an image of the app is made
      flask s3 build --check       in CI
      flask s3 build -o dist       and elsewhere: flask s3 deploy --build dist

    With --check nothing is written when something is wrong. What was parsed and compressed is
    remembered in .flask-s3-cache/ beside the app, which is safe to delete.
    """
    with _explained():
        _build(_selection(None, include_hidden), output, check=check)


@s3.command()
@_selecting
@click.option("--force", is_flag=True, help="Plan to upload everything, right or not.")
@with_appcontext
def plan(only: str | None, include_hidden: bool, verify_remote: bool, force: bool) -> None:
    """Show what a deploy would do, and why. Changes nothing."""
    with _explained():
        prepared = _prepared(_order(only, include_hidden, verify_remote, force))
        screens.show_plan(prepared)
        _exit_for(prepared.plan.refusals)


@s3.command()
@_selecting
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--force", is_flag=True, help="Upload everything, right or not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--yes", is_flag=True, help="Create a missing bucket without asking.")
@click.option(
    "--build",
    "tree",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Publish exactly the tree that `flask s3 build -o DIR` wrote.",
)
@click.option(
    "--frozen",
    is_flag=True,
    help="Refuse when the manifest at hand is not that of the files, and leave it alone.",
)
@with_appcontext
def deploy(
    only: str | None,
    include_hidden: bool,
    verify_remote: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    tree: Path | None,
    frozen: bool,
) -> None:
    """Publish what differs from what the bucket holds, in bytes or headers.

    \b
    Examples:
      flask s3 deploy
      flask s3 deploy --only '^css/'
      flask s3 deploy --yes --json > result.json
      flask s3 deploy --frozen     the manifest in the image is the one that is published
    """
    with _explained():
        if tree is not None and (only is not None or include_hidden):
            raise click.UsageError("--build publishes a whole tree: leave --only and the like out.")
        order = _order(only, include_hidden, verify_remote, force)
        prepared = _prepared(replace(order, tree=tree, frozen=frozen))
        if dry_run:
            screens.show_dry_run(prepared, as_json=as_json)
            _exit_for(prepared.plan.refusals)
            return
        if prepared.remote.bucket_missing:
            _may_create(prepared.remote.store.bucket, yes=yes)
        result = _carried_out(prepared, quiet=as_json)
        screens.show_result(result, as_json=as_json)
        if result.interrupted:
            raise click.exceptions.Exit(_INTERRUPTED)
        _exit_for(result.failed)


@s3.command()
@with_appcontext
def status() -> None:
    """Show what is published, and how this app's files differ from it."""
    with _explained():
        prepared = _prepared(_order(None, include_hidden=False, verify_remote=False, force=False))
        screens.show_status(prepared)


@s3.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    help="Where the app is served; 0 for any free port.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address.")
@with_appcontext
def preview(port: int, host: str) -> None:
    """Serve the app with its static files coming from a bucket on this machine.

    Starts an embedded S3 server, publishes to it, and serves the app; Ctrl-C ends all of it. Needs
    no account: pip install 'flask-s3[preview]'.
    """
    from . import preview as previewing  # noqa: PLC0415

    previewing.end_like_ctrl_c()
    with _explained(), suppress(KeyboardInterrupt), previewing.embedded_store() as store:
        app = _app()
        previewing.point_at(app, store)
        server = previewing.listen(app, host, port)
        prepared = _prepared(_order(None, include_hidden=False, verify_remote=False, force=False))
        screens.show_result(_carried_out(prepared, quiet=False), as_json=False)
        click.echo(f"\nFiles  {store.endpoint}/{prepared.remote.store.bucket}/")
        click.echo(f"App    http://{host}:{server.port}/   (Ctrl-C ends both)")
        server.serve_forever()


# -- doing


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return app


def _selection(only: str | None, include_hidden: bool) -> Selection:
    from .collect import Selection  # noqa: PLC0415

    return Selection.of(include_hidden=include_hidden, regex=only, source="--only")


def _build(selection: Selection, output: Path | None, *, check: bool) -> None:
    from . import manifest_file  # noqa: PLC0415
    from .assembly import assemble, refuse_problems, told  # noqa: PLC0415
    from .routes import static_routes  # noqa: PLC0415
    from .tree import refuse_within, write_tree  # noqa: PLC0415

    app, settings = _app(), state_of(_app()).settings()
    if output is not None:
        refuse_within(output, [route.folder for route in static_routes(app)])
    built = assemble(app, settings, selection, with_problems=check)
    screens.show_warnings(built.notes)
    screens.show_refusals(built.refusals)
    if check:
        _check(app, settings, built)
    else:
        if settings.strict:
            refuse_problems(built)
        screens.show_warnings(told(built.problems))
    if output is not None:
        write_tree(output, built)
    written = None
    if settings.manifest != BUCKET:
        written = manifest_file.write(app, settings, built.manifest)
    screens.show_build(built, written, output)
    _exit_for(built.refusals)


def _check(app: Flask, settings: Settings, built: Build) -> None:
    """Shows what is wrong in files and templates; ends the command where anything is an error."""
    from . import templates  # noqa: PLC0415
    from .assets import Level  # noqa: PLC0415

    wrong = {*built.problems, *templates.problems(app, settings, built.manifest)}
    screens.show_findings(tuple(sorted(wrong)))
    _exit_for(built.refusals or [p for p in wrong if p.level is Level.ERROR])


def _order(only: str | None, include_hidden: bool, verify_remote: bool, force: bool) -> Order:
    from .deploy import Order  # noqa: PLC0415

    return Order(
        selection=_selection(only, include_hidden),
        everything="--force" if force else None,
        verify_remote=verify_remote,
    )


def _prepared(order: Order) -> Prepared:
    from .deploy import prepare  # noqa: PLC0415

    return prepare(_app(), state_of(_app()).settings(), order)


def _carried_out(prepared: Prepared, *, quiet: bool) -> Result:
    from .deploy import carry_out  # noqa: PLC0415

    publishing_signal.send(_app(), plan=prepared.plan)
    with screens.progress(prepared.plan, prepared.remote.store.bucket, quiet=quiet) as progress:
        result, _ = carry_out(prepared, progress)
    state_of(_app()).forget()
    published_signal.send(_app(), result=result)
    return result


def _may_create(bucket: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"Bucket {bucket!r} does not exist, and there is no terminal to ask on whether it may "
            "be created: pass --yes, or create it."
        )
    if not click.confirm(f"Bucket {bucket!r} does not exist. Create it?", err=True):
        raise click.exceptions.Exit(2)


@contextmanager
def _explained() -> Iterator[None]:
    """Turns our errors into one message and an exit code."""
    try:
        yield
    except FlaskS3Error as error:
        click.secho(f"Error: {error}", fg="red", err=True)
        raise click.exceptions.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        click.echo("Interrupted: nothing was recorded.", err=True)
        raise click.exceptions.Exit(_INTERRUPTED) from error


def _exit_for(failures: object) -> None:
    if failures:
        raise click.exceptions.Exit(1)
