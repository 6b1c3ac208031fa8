"""`flask s3 setup`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from ..access.kinds import Access, chosen
from ..amounts import count
from ..errors import SettingsError, StoreError
from ..serve.serving import state_of
from ..settings import NAME_RULE, can_be_new
from . import screens
from .running import exit_for, explained, the_app
from .terminal import busy, say
from .typed import OneOf, verbose

if TYPE_CHECKING:
    from ..access.carry_out import Bucket
    from ..access.changes import Change, Changes, Wanted
    from ..settings import Settings
    from ..store.s3 import S3Store

_PERMISSIONS = "flask s3 policy --for setup prints all that set-up takes."


@click.command(short_help="Create the bucket, let browsers read, allow CORS.")
@click.option(
    "--access",
    type=OneOf([access.value for access in Access]),
    help="How browsers reach the files: by a bucket policy, by each object's ACL, by CloudFront "
    "only, or not at all. When left out: cloudfront where FLASKS3_CLOUDFRONT_DISTRIBUTION is set, "
    "else policy.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--yes", is_flag=True, help="Change it without asking.")
@click.option("--undo", is_flag=True, help="Take away exactly what this app's set-up added.")
@click.option(
    "--sse-s3",
    is_flag=True,
    help="Where the bucket encrypts with KMS, which keeps browsers out: make SSE-S3 its default.",
)
@verbose
@with_appcontext
def setup(access: str | None, dry_run: bool, yes: bool, undo: bool, sse_s3: bool) -> None:
    """Make the bucket right: create it, let browsers read, allow CORS. Shows all of it, then asks.

    Only what stands under the static routes' keys becomes readable. Other statements of the
    bucket's policy and other CORS rules stay. Once it is right, running it again changes nothing.

    \b
    Examples:
      flask s3 setup
      flask s3 setup --access cloudfront --dry-run
      flask s3 setup --undo
    """
    if undo and (access is not None or sse_s3):
        raise click.UsageError("--undo takes away what was added: leave the others out.")
    with explained(), _permissions_named():
        settings = state_of(the_app()).settings()
        with busy("Looking for the bucket"):
            bucket, region = _found(settings)
        if undo:
            _undo(bucket, _name(settings), settings.require_bucket(), dry_run=dry_run, yes=yes)
        else:
            wanted = _wanted(settings, region, access, sse_s3=sse_s3)
            _set_up(bucket, wanted, settings.require_bucket(), dry_run=dry_run, yes=yes)


def _set_up(bucket: Bucket, wanted: Wanted, name: str, *, dry_run: bool, yes: bool) -> None:
    look = partial(bucket.planned, wanted)
    changes = _shown(look, name, f"Nothing to change: bucket {name} is set up.")
    if dry_run:
        return
    _agree(changes, look, yes=yes)
    done = bucket.set_up(changes, wanted, _tell)  # may note that this app needs it too
    if done.changes:
        click.echo(f"Bucket {name} is set up: {count(len(done.changes), 'change')}.")


def _undo(bucket: Bucket, app: str, name: str, *, dry_run: bool, yes: bool) -> None:
    look = partial(bucket.undone, app)
    nothing = f"Nothing to undo: bucket {name} has nothing that this app's set-up added."
    changes = _shown(look, name, nothing)
    if dry_run:
        return
    _agree(changes, look, yes=yes)
    bucket.undo(changes, _tell)
    if changes.changes:
        click.echo(f"Undone. Bucket {name} itself stays, with all that is in it.")


def _shown(look: Callable[[], Changes], name: str, nothing: str) -> Changes:
    """Returns what is to change, once it was shown; ends the command where that is refused."""
    with busy("Looking at the bucket"):
        changes = look()
    if changes.changes:
        click.echo(f"Bucket {name}")
    for change in changes.changes:
        say(_line(change), hang=23)
    screens.show_warnings(changes.warnings)
    for text in changes.refusals:
        say(f"Error: {text}", fg="red", err=True, hang=7)
    _exit_for_refusals(changes)
    if not changes.changes:
        click.echo(nothing)
    return changes


def _exit_for_refusals(changes: Changes) -> None:
    """Ends the command where something is refused; tells of the policy where that is why."""
    if any("grant s3:" in text for text in changes.refusals):
        say(_PERMISSIONS, fg="red", err=True)
    exit_for(changes.refusals)


@contextmanager
def _permissions_named() -> Iterator[None]:
    """Adds to a refusal for want of permissions where all of them are to be had."""
    try:
        yield
    except StoreError as error:
        if error.status == 403 and "grant s3:" in str(error):
            error.args = (f"{error} {_PERMISSIONS}",)
        raise


def _line(change: Change) -> str:
    return f"  {change.part.value:<21}{change.what}: {change.why}"


def _tell(change: Change) -> None:
    click.echo(f"Done  {change.part.value}")


def _agree(changes: Changes, look: Callable[[], Changes], *, yes: bool) -> None:
    """Asks whether all of it may be changed, and ends the command on a no.

    Raises:
        StoreError: an answer takes its time, and the bucket is not as it was shown any more.
    """
    if yes or not changes.changes:
        return
    if not sys.stdin.isatty():
        raise SettingsError("There is no terminal to ask on: pass --yes. Nothing was changed.")
    if not click.confirm("Change this?", err=True):
        click.echo("Nothing was changed.", err=True)
        raise click.exceptions.Exit(2)
    if changes != look():
        raise StoreError(
            "The bucket changed while this waited for an answer, so nothing was done: run it "
            "again.",
            code="Overtaken",
            status=None,
            operation="PutBucketPolicy",
        )


# -- what there is, and what is wanted


def _found(settings: Settings) -> tuple[Bucket, str]:
    from ..access.carry_out import Bucket  # noqa: PLC0415
    from ..access.control import Control  # noqa: PLC0415
    from ..store.s3 import in_its_region  # noqa: PLC0415

    store = in_its_region(settings, _looked_for)
    return Bucket(Control(settings, store.region), store), store.region


def _looked_for(store: S3Store) -> S3Store:
    """Returns the store once it said whether it has the bucket.

    Raises:
        SettingsError: it has not, and no bucket of that name can be created.
        StoreError: it did not say.
    """
    try:
        exists = store.bucket_exists()
    except StoreError as error:
        if error.status != 400:  # AWS refuses such a name before it looks for it
            raise
        exists = False
        if can_be_new(store.bucket):
            raise
    if not exists and not can_be_new(store.bucket):
        raise SettingsError(
            f"FLASKS3_BUCKET_NAME is {store.bucket!r}, and there is no such bucket, nor can one be "
            f"created: a name has {NAME_RULE}. Choose another."
        )
    return store


def _name(settings: Settings) -> str:
    from ..access.note import app_key  # noqa: PLC0415

    return app_key(settings.app_name or the_app().name, settings.key_prefix)


def _wanted(settings: Settings, region: str, access: str | None, *, sse_s3: bool) -> Wanted:
    from ..access.changes import Wanted  # noqa: PLC0415
    from ..access.distribution import arn_of  # noqa: PLC0415
    from ..building.collect import key_prefixes  # noqa: PLC0415

    kind, arn = chosen(access, settings), None
    if kind is Access.CLOUDFRONT:
        arn, problem = arn_of(settings, region)
        screens.show_warnings(() if problem is None else (problem,))
    return Wanted(
        _name(settings),
        kind,
        key_prefixes(the_app(), settings),
        settings.cors_origins,
        arn,
        sse_s3=sse_s3,
    )
