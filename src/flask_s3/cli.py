"""`flask s3 …`: thin commands over `deploy`, and what a person reads of them.

Exit codes: 0 done; 1 something could not be published (each is named, and everything else was);
2 wrong usage or settings; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from flask import current_app
from flask.cli import with_appcontext

from .errors import FlaskS3Error
from .extension import published as published_signal
from .extension import publishing as publishing_signal
from .extension import state_of

if TYPE_CHECKING:
    from flask import Flask

    from .deploy import Order, Prepared, Result
    from .plan import Plan

_SHOWN = 20
"""Lines of a list that are shown before the rest is counted."""
_INTERRUPTED = 130
"""What shells answer for Ctrl-C: 128 + SIGINT."""


@click.group("s3", context_settings={"help_option_names": ["-h", "--help"]})
def s3() -> None:
    r"""Publish this app's static files to S3-compatible storage.

    \b
    Examples:
      flask s3 plan                what a deploy would do, and why
      flask s3 deploy              do it
      flask s3 deploy --dry-run    the same as plan
      flask s3 status              what is published
      flask s3 preview             the app, with its files from a bucket on this machine

    The settings (FLASKS3_BUCKET_NAME, ...) are the app's own.
    Exit codes: 0 done; 1 something could not be published; 2 wrong usage or settings; 130
    interrupted.
    """


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
@_selecting
@click.option("--force", is_flag=True, help="Plan to upload everything, right or not.")
@with_appcontext
def plan(only: str | None, include_hidden: bool, verify_remote: bool, force: bool) -> None:
    """Show what a deploy would do, and why. Changes nothing."""
    with _explained():
        prepared = _prepared(_order(only, include_hidden, verify_remote, force))
        _show_plan(prepared)
        _exit_for(prepared.plan.refusals)


@s3.command()
@_selecting
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--force", is_flag=True, help="Upload everything, right or not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--yes", is_flag=True, help="Create a missing bucket without asking.")
@with_appcontext
def deploy(
    only: str | None,
    include_hidden: bool,
    verify_remote: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    yes: bool,
) -> None:
    r"""Publish what differs from what the bucket holds, in bytes or headers.

    \b
    Examples:
      flask s3 deploy
      flask s3 deploy --only '^css/'
      flask s3 deploy --yes --json > result.json
    """
    with _explained():
        prepared = _prepared(_order(only, include_hidden, verify_remote, force))
        if dry_run:
            _show_dry_run(prepared, as_json=as_json)
            _exit_for(prepared.plan.refusals)
            return
        if prepared.remote.bucket_missing:
            _may_create(prepared.remote.store.bucket, yes=yes)
        result = _carried_out(prepared, quiet=as_json)
        _show_result(result, as_json=as_json)
        if result.interrupted:
            raise click.exceptions.Exit(_INTERRUPTED)
        _exit_for(result.failed)


@s3.command()
@with_appcontext
def status() -> None:
    """Show what is published, and how this app's files differ from it."""
    with _explained():
        prepared = _prepared(_order(None, include_hidden=False, verify_remote=False, force=False))
        _show_status(prepared)


@s3.command()
@click.option("--port", default=5000, show_default=True, help="Where the app is served.")
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address.")
@with_appcontext
def preview(port: int, host: str) -> None:
    """Serve the app with its static files coming from a bucket on this machine.

    Starts an embedded S3 server, publishes to it, and serves the app; Ctrl-C ends all of it. Needs
    no account: pip install 'flask-s3[preview]'.
    """
    from . import preview as previewing  # noqa: PLC0415

    with _explained(), previewing.embedded_store() as store:
        app = _app()
        previewing.point_at(app, store)
        prepared = _prepared(_order(None, include_hidden=False, verify_remote=False, force=False))
        _show_result(_carried_out(prepared, quiet=False), as_json=False)
        click.echo(f"\nFiles  {store.endpoint}/{prepared.remote.store.bucket}/")
        click.echo(f"App    http://{host}:{port}/   (Ctrl-C ends both)")
        previewing.serve(app, host, port)


# -- doing


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return app


def _order(only: str | None, include_hidden: bool, verify_remote: bool, force: bool) -> Order:
    from .collect import Selection  # noqa: PLC0415
    from .deploy import Order  # noqa: PLC0415

    return Order(
        selection=Selection.of(include_hidden=include_hidden, regex=only, source="--only"),
        everything="--force" if force else None,
        verify_remote=verify_remote,
    )


def _prepared(order: Order) -> Prepared:
    from .deploy import prepare  # noqa: PLC0415

    return prepare(_app(), state_of(_app()).settings(), order)


def _carried_out(prepared: Prepared, *, quiet: bool) -> Result:
    from .deploy import carry_out  # noqa: PLC0415

    publishing_signal.send(_app(), plan=prepared.plan)
    with _progress(prepared.plan, quiet=quiet) as progress:
        result, _ = carry_out(prepared, progress)
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


# -- showing


@contextmanager
def _progress(plan: Plan, *, quiet: bool) -> Iterator[Any]:
    """Yields what is told how a run goes on: a bar on a terminal, some lines elsewhere."""
    if not quiet and sys.stderr.isatty():
        with _bar(plan) as bar:
            yield bar
    else:
        yield _Lines(len(plan.puts), quiet=quiet)


@contextmanager
def _bar(plan: Plan) -> Iterator[_Bar]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TransferSpeedColumn,
    )

    columns: list[Any] = [
        BarColumn(),
        MofNCompleteColumn(),
        "files",
        DownloadColumn(),
        TransferSpeedColumn(),
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        files = progress.add_task("files", total=len(plan.puts))
        yield _Bar(progress, files)


class _Bar:
    def __init__(self, progress: Any, files: Any) -> None:  # noqa: ANN401
        self._progress = progress
        self._files = files

    def advance(self, _key: str, _size: int) -> None:
        self._progress.advance(self._files)


class _Lines:
    """A line each tenth of the way, for logs."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._total = total
        self._done = 0
        self._step = max(1, total // 10) if total >= 100 and not quiet else 0

    def advance(self, _key: str, _size: int) -> None:
        self._done += 1
        if self._step and self._done % self._step == 0:
            click.echo(f"  {self._done:,} of {self._total:,}", err=True)


def _show_dry_run(prepared: Prepared, *, as_json: bool) -> None:
    if not as_json:
        _show_plan(prepared)
        return
    planned = prepared.plan
    _print_json(
        uploaded=[put.key for put in planned.puts],
        kept=[keep.key for keep in planned.keeps],
        failed=[refusal.key for refusal in planned.refusals],
        bytes=planned.bytes,
        seconds=0.0,
    )


def _show_plan(prepared: Prepared) -> None:
    planned = prepared.plan
    _show_warnings(prepared.warnings)
    if prepared.remote.bucket_missing:
        click.echo(f"create  bucket {prepared.remote.store.bucket}")
    for put in planned.puts:
        click.echo(f"upload  {put.key}  ({put.reason})")
    for refusal in planned.refusals:
        click.echo(f"refuse  {refusal.key}  ({refusal.reason})")
    click.echo(
        f"{len(planned.puts):,} to upload ({_size(planned.bytes)}), {len(planned.keeps):,} right "
        f"already, {len(planned.refusals):,} refused."
    )


def _show_result(result: Result, *, as_json: bool) -> None:
    _show_warnings(result.warnings)
    for failure in result.failures[:_SHOWN]:
        click.secho(f"failed  {failure.key}: {failure.reason}", fg="red", err=True)
    if len(result.failures) > _SHOWN:
        click.secho(f"failed  … and {len(result.failures) - _SHOWN:,} more", fg="red", err=True)
    if as_json:
        _print_json(
            uploaded=result.uploaded,
            kept=result.kept,
            failed=result.failed,
            bytes=result.bytes,
            seconds=round(result.seconds, 3),
        )
        return
    click.echo(
        f"{len(result.uploaded):,} uploaded ({_size(result.bytes)}), {len(result.kept):,} kept, "
        f"{len(result.failed):,} failed, in {result.seconds:.1f} s."
    )


def _print_json(**values: Any) -> None:  # noqa: ANN401
    order = ("uploaded", "kept", "deleted", "failed", "bytes", "seconds")
    click.echo(json.dumps({name: values.get(name, []) for name in order}))


def _show_status(prepared: Prepared) -> None:
    _show_warnings(prepared.warnings)
    record = prepared.remote.record
    click.echo(f"Bucket    {prepared.remote.store.bucket} ({prepared.remote.store.region})")
    if record is None:
        click.echo("Release   none yet: flask s3 deploy makes the first")
    else:
        total = sum(known.size for known in record.objects.values())
        click.echo(f"Release   {record.id}, of {record.time}")
        click.echo(f"Objects   {len(record.objects):,} ({_size(total)})")
    reasons = Counter(put.reason.partition(":")[0] for put in prepared.plan.puts)
    for reason, count in sorted(reasons.items()):
        click.echo(f"Changed   {count:,} {reason}")
    if not reasons:
        click.echo("Changed   nothing: what is published is what is here")


def _show_warnings(texts: tuple[str, ...]) -> None:
    for text in texts:
        click.secho(f"Warning: {text}", fg="yellow", err=True)


def _size(count: int) -> str:
    """Returns bytes in decimal units, as S3's own console shows them."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
