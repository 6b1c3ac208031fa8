"""`flask s3 …`: thin commands.

Exit codes: 0 done; 1 something could not be done (each is named, and everything else was); 2 wrong
usage, settings or credentials; 3 somebody else's release came first; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from ..errors import SettingsError
from ..extension import published as published_signal
from ..extension import publishing as publishing_signal
from ..release.options import Options
from ..serve.serving import PUBLISHING, state_of
from ..settings import BUCKET, unknown
from . import screens
from .access import setup
from .checking import doctor, verify
from .policy import policy
from .purging import purge
from .releasing import destroy, prune, pruned_after, releases, rollback
from .reporting import report
from .running import (
    INTERRUPTED,
    exit_for,
    explained,
    look_for_garbage_rarely,
    refuse_place,
    the_app,
    warn_unless_set_up,
)
from .terminal import busy, colours
from .typed import Commands, verbose

if TYPE_CHECKING:
    from flask import Flask

    from ..building.collect import Selection
    from ..building.objects import Build
    from ..release.prepare import Order, Prepared
    from ..release.result import Result
    from ..release.saved import Saved
    from ..settings import Settings


@click.group("s3", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def s3(context: click.Context) -> None:
    """Publish this app's static files to S3-compatible storage.

    \b
    Examples:
      flask s3 setup               make the bucket right, once
      flask s3 plan                what a deploy would do, and why
      flask s3 deploy              do it
      flask s3 deploy --help       an example or more for each command

    The settings (FLASKS3_BUCKET_NAME, ...) are the app's own.
    Exit codes: 0 done; 1 something could not be done; 2 wrong usage, settings or credentials; 3
    somebody else's release came first; 130 interrupted.
    """
    context.meta[PUBLISHING] = True
    look_for_garbage_rarely(context)
    context.color = colours()
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


for command in (setup, releases, rollback, prune, destroy, policy, doctor, verify, purge, report):
    s3.add_command(command)
s3.sections = {
    "Publish": ("build", "plan", "deploy", "preview"),
    "Look": ("status", "doctor", "verify", "report", "releases"),
    "Go back, clean up": ("rollback", "prune", "destroy"),
    "Bucket and CDN": ("setup", "policy", "purge"),
}


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
    with explained():
        _build(_selection(None, include_hidden), output, check=check)


@s3.command()
@_selecting
@click.option("--force", is_flag=True, help="Plan to upload everything, right or not.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the plan as JSON, for `flask s3 deploy --plan FILE`.",
)
@verbose
@with_appcontext
def plan(
    only: str | None, include_hidden: bool, verify_remote: bool, force: bool, output: Path | None
) -> None:
    """Show what a deploy would do, and why. Changes nothing.

    \b
    Examples:
      flask s3 plan
      flask s3 plan -o plan.json   and then: flask s3 deploy --plan plan.json
    """
    with explained():
        warn_unless_set_up()
        if output is not None:
            refuse_place(output)
        options = Options(
            only=only, include_hidden=include_hidden, verify_remote=verify_remote, force=force
        )
        prepared = _prepared(_order(options))
        screens.show_plan(prepared)
        if output is not None:
            _save(prepared, options, output)
        exit_for(prepared.plan.refusals)


@s3.command(short_help="Publish what differs from what the bucket holds.")
@_selecting
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--force", is_flag=True, help="Upload everything, right or not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--yes", is_flag=True, help="Create a missing bucket without asking.")
@click.option(
    "--build",
    "tree",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Publish exactly the tree that `flask s3 build -o DIR` wrote.",
)
@click.option(
    "--frozen",
    is_flag=True,
    help="Refuse when the manifest at hand is not that of the files, and leave it alone.",
)
@click.option(
    "--plan",
    "saved",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Do exactly what `flask s3 plan -o FILE` planned, or nothing.",
)
@click.option(
    "--exclusive",
    is_flag=True,
    help="Stop, with exit code 3, when another deploy's release comes into force meanwhile.",
)
@click.option("--prune", "prune_too", is_flag=True, help="Then prune, as `flask s3 prune` does.")
@click.option("--wait", is_flag=True, help="Return only when the CDN has dropped what changed.")
@verbose
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
    saved: Path | None,
    exclusive: bool,
    prune_too: bool,
    wait: bool,
) -> None:
    """Publish what differs from what the bucket holds, in bytes or headers.

    \b
    Examples:
      flask s3 deploy
      flask s3 deploy --only '^css/'
      flask s3 deploy --yes --json > result.json

    With FLASKS3_FINGERPRINT a deploy is a transaction: what dies half way leaves the release before
    in force, and whole; the next deploy goes on where it stopped.
    """
    with explained():
        warn_unless_set_up()
        options = Options(
            only=only, include_hidden=include_hidden, verify_remote=verify_remote, force=force
        )
        if saved is None:
            if tree is not None and (only is not None or include_hidden):
                raise click.UsageError("--build publishes a whole tree: leave --only out.")
            order = replace(_order(options), tree=tree, frozen=frozen, exclusive=exclusive)
            prepared = _prepared(order, quiet=as_json)
        else:
            if options != Options() or tree or frozen:
                raise click.UsageError(_PLAN_SAYS)
            prepared = _as_planned(saved, quiet=as_json)
        if dry_run:
            if prune_too:
                raise click.UsageError("--dry-run is about the deploy: see flask s3 prune -h.")
            screens.show_dry_run(prepared, as_json=as_json)
            exit_for(prepared.plan.refusals)
            return
        if prepared.remote.bucket_missing:
            _may_create(prepared.remote.store.bucket, yes=yes)
        prepared = replace(prepared, order=replace(prepared.order, wait=wait))
        result = _carried_out(prepared, quiet=as_json)
        if prune_too and not (result.failed or result.interrupted):
            _prune_after(prepared, result, as_json=as_json)
            return
        screens.show_result(result, as_json=as_json)
        if result.interrupted:
            raise click.exceptions.Exit(INTERRUPTED)
        exit_for(result.failed or result.purge_errors)


_PLAN_SAYS = (
    "The plan says what is published: leave --only, --include-hidden, --verify-remote, --force, "
    "--build and --frozen out."
)


@s3.command(short_help="Show what is published, and what differs from it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@verbose
@with_appcontext
def status(as_json: bool) -> None:
    """Show what is published, how this app's files differ from it, and whether it is still there.

    The bucket is listed, and what is not as the release left it is looked at. Changes nothing.

    \b
    Examples:
      flask s3 status
      flask s3 status --json > status.json
    """
    from ..release.remote import drift  # noqa: PLC0415

    with explained():
        prepared = _prepared(_order(Options(verify_remote=True)), quiet=as_json)
        remote, lost = prepared.remote, 0
        with busy("Comparing with the bucket", quiet=as_json):
            if remote.record is None and remote.releases is not None and not remote.bucket_missing:
                lost = len(remote.releases.kept())
            changed_there = drift(remote)
        screens.show_status(prepared, changed_there, lost, as_json=as_json)


@s3.command(short_help="Serve the app, its files from a bucket on this machine.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    help="Where the app is served; 0 for any free port.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address.")
@verbose
@with_appcontext
def preview(port: int, host: str) -> None:
    """Serve the app with its static files coming from a bucket on this machine.

    Starts an embedded S3 server, publishes to it, and serves the app; Ctrl-C ends all of it. Needs
    no account: pip install 'flask-s3[preview]'.

    \b
    Examples:
      flask s3 preview
      flask s3 preview --port 8000
    """
    from . import preview as previewing  # noqa: PLC0415

    previewing.end_like_ctrl_c()
    with explained(), suppress(KeyboardInterrupt), previewing.embedded_store() as store:
        app = the_app()
        previewing.point_at(app, store)
        server = previewing.listen(app, host, port)
        prepared = _prepared(_order(Options()))
        screens.show_result(_carried_out(prepared, quiet=False), as_json=False)
        click.echo(f"\nFiles  {store.endpoint}/{prepared.remote.store.bucket}/")
        click.echo(f"App    http://{host}:{server.port}/   (Ctrl-C ends both)")
        server.serve_forever()


# -- doing


def _selection(only: str | None, include_hidden: bool) -> Selection:
    from ..building.collect import Selection  # noqa: PLC0415

    return Selection.of(include_hidden=include_hidden, regex=only, source="--only")


def _build(selection: Selection, output: Path | None, *, check: bool) -> None:
    from .. import manifest_file  # noqa: PLC0415
    from ..building.assembly import assemble, refuse_problems, told  # noqa: PLC0415
    from ..building.tree import refuse_within, write_tree  # noqa: PLC0415
    from ..routes import static_routes  # noqa: PLC0415

    app, settings = the_app(), state_of(the_app()).settings()
    if output is not None:
        refuse_within(output, [route.folder for route in static_routes(app)])
    with busy("Building"):
        built = assemble(app, settings, selection, with_problems=check)
    screens.show_refusals(built.refusals)
    screens.show_warnings(built.notes)
    if check:
        _check(app, settings, built)
    else:
        if settings.strict:
            refuse_problems(built.problems, done="written")
        screens.show_warnings(told(built.problems))
    if output is not None:
        write_tree(output, built)
    written = None
    if settings.manifest != BUCKET:
        written = manifest_file.write(app, settings, built.manifest)
    screens.show_build(built, written, output)
    exit_for(built.refusals)


def _check(app: Flask, settings: Settings, built: Build) -> None:
    """Shows what is wrong in files and templates; ends the command where anything is an error."""
    from ..assets import Level  # noqa: PLC0415
    from ..building import templates  # noqa: PLC0415

    with busy("Checking templates"):
        wrong = {*built.problems, *templates.problems(app, settings, built.manifest)}
    warned = len(built.notes) + len(unknown(app.config))  # what was printed as such before
    screens.show_findings(tuple(sorted(wrong)), len(built.refusals), warned)
    exit_for(built.refusals or [p for p in wrong if p.level is Level.ERROR])


def _order(options: Options) -> Order:
    from ..release.prepare import Order  # noqa: PLC0415

    return Order(
        selection=_selection(options.only, options.include_hidden),
        everything="--force" if options.force else None,
        verify_remote=options.verify_remote,
    )


def _prepared(order: Order, *, quiet: bool = False) -> Prepared:
    from ..release.prepare import prepare  # noqa: PLC0415

    with busy("Looking at files and bucket", quiet=quiet):
        return prepare(the_app(), state_of(the_app()).settings(), order)


def _saved(prepared: Prepared, options: Options) -> Saved:
    from ..release.saved import Saved, actions_of  # noqa: PLC0415

    settings, remote = prepared.settings, prepared.remote
    return Saved(
        bucket=f"{remote.store.bucket} at {settings.endpoint_url or 'AWS'}",
        app=f"{settings.app_name or prepared.app.name}, prefix {settings.key_prefix!r}",
        options=options,
        release=None if remote.current is None else remote.current.release,
        actions=actions_of(prepared.plan, {made.key: made for made in prepared.objects}),
    )


def _save(prepared: Prepared, options: Options, output: Path) -> None:
    from ..atomic import write_whole  # noqa: PLC0415
    from ..release.saved import dumps  # noqa: PLC0415

    try:
        write_whole(output, dumps(_saved(prepared, options)).encode())
    except OSError as error:
        raise SettingsError(
            f"{output} cannot be written: {error.strerror}. Choose another file for -o."
        ) from error
    click.echo(f"Plan  {output}: flask s3 deploy --plan {output}")


def _as_planned(file: Path, *, quiet: bool) -> Prepared:
    """Returns a deploy that does what was planned before.

    Raises:
        BuildError: it would not be the same any more.
    """
    from ..release.saved import changes_since, loads, outdated  # noqa: PLC0415

    saved = loads(file.read_text("utf-8", "replace"), str(file))
    order = replace(_order(saved.options), exclusive=True)
    prepared = _prepared(order, quiet=quiet)
    found = changes_since(saved, _saved(prepared, saved.options))
    if found:
        raise outdated(str(file), found)
    return prepared


def _carried_out(prepared: Prepared, *, quiet: bool) -> Result:
    from ..release.deploy import carry_out  # noqa: PLC0415

    publishing_signal.send(the_app(), plan=prepared.plan)
    with screens.progress(prepared.plan, prepared.remote.store.bucket, quiet=quiet) as progress:
        result, _ = carry_out(prepared, progress)
    state_of(the_app()).forget()
    published_signal.send(the_app(), result=result)
    return result


def _prune_after(prepared: Prepared, result: Result, *, as_json: bool) -> None:
    """Prunes after a deploy, whose result is shown whatever becomes of that."""
    from ..release.prune import Pruned  # noqa: PLC0415

    pruned = Pruned()
    try:
        with busy("Pruning", quiet=as_json):
            pruned = pruned_after(prepared)
    finally:
        screens.show_result(replace(result, deleted=pruned.deleted), as_json=as_json)
    screens.show_pruned(pruned, quiet=as_json)
    exit_for(pruned.failures or result.purge_errors)


def _may_create(bucket: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError(
            f"Bucket {bucket!r} does not exist, and there is no terminal to ask on whether it may "
            "be created: pass --yes, or run flask s3 setup."
        )
    if not click.confirm(f"Bucket {bucket!r} does not exist. Create it?", err=True):
        click.echo("Nothing was published.", err=True)
        raise click.exceptions.Exit(2)
