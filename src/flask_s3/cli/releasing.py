"""`flask s3 releases`, `rollback`, `prune` and `destroy`."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from ..errors import ReleaseError, SettingsError
from ..serve.serving import state_of
from . import screens
from .running import INTERRUPTED, exit_for, explained, the_app
from .terminal import busy
from .typed import Commands, verbose

if TYPE_CHECKING:
    from ..release.prepare import Prepared
    from ..release.prune import Pruned
    from ..release.releases import Releases
    from ..settings import Settings
    from ..store.s3 import S3Store

OLDER_THAN = timedelta(days=7)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Age(click.ParamType):  # type: ignore[type-arg]
    """A time such as 7d, 12h or 0s."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([0-9]{1,5})([smhdw])", str(value))
        if found is None:
            self.fail(f"{value!r} is no time such as 90s, 30m, 12h, 7d or 2w.", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@verbose
@click.pass_context
@with_appcontext
def releases(context: click.Context, as_json: bool) -> None:
    """List the releases that are kept, the one in force first.

    \b
    Examples:
      flask s3 releases
      flask s3 releases diff 20261125T0212 20261125T0340
    """
    if context.invoked_subcommand is not None:
        return
    from ..release.history import history, refuse_lost  # noqa: PLC0415

    with explained():
        with busy("Reading the releases", quiet=as_json):
            found, _ = _found(state_of(the_app()).settings())
            stand, records = found.stand(), found.kept()
        in_force = None if stand is None else stand.state.release
        refuse_lost(records, in_force)
        screens.show_releases(history(records, in_force), as_json=as_json)


@releases.command(short_help="Show which files differ between two releases.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", required=False)
@verbose
@with_appcontext
def diff(first: str, second: str | None) -> None:
    """Show which files differ between release A and B, or A and the one in force.

    A and B are ids, or how they begin.

    \b
    Examples:
      flask s3 releases diff 20261125T0212
      flask s3 releases diff 20261125T0212 20261125T0340
    """
    from ..release.history import differences, no_release, one_of  # noqa: PLC0415

    with explained():
        with busy("Reading the releases"):
            found, _ = _found(state_of(the_app()).settings())
            records = found.records()
        if second is None:
            stand = found.stand()
            if stand is None or stand.state.release is None:
                raise no_release()
            second = stand.state.release
        screens.show_differences(differences(one_of(records, first), one_of(records, second)))


@click.command(short_help="Bring an earlier release back.")
@click.argument("release", required=False)
@click.option("--wait", is_flag=True, help="Return only when the CDN has dropped what changed.")
@verbose
@with_appcontext
def rollback(release: str | None, wait: bool) -> None:
    """Bring a release back: RELEASE, by its id or how that begins, or the one before.

    Refused unless every object of it is in the bucket. It changes what plain names hold, and what
    apps with FLASKS3_MANIFEST = "bucket" ask for after their restart. An app that ships its
    manifest is rolled back by deploying the old app, whose objects are kept.

    \b
    Examples:
      flask s3 rollback
      flask s3 rollback 20261125T0212
    """
    from ..release import rollback as going_back  # noqa: PLC0415

    with explained():
        with busy("Looking for the release's objects"):
            prepared = going_back.prepare(the_app(), state_of(the_app()).settings(), release)
        bucket = prepared.remote.store.bucket
        with screens.progress(prepared.plan, bucket, quiet=False) as progress:
            result = going_back.carry_out(prepared, progress, wait=wait)
        screens.show_rollback(prepared, result)
        if result.interrupted:
            raise click.exceptions.Exit(INTERRUPTED)
        exit_for(result.failed or result.purge_errors)


@click.command(short_help="Delete old releases, and what no kept one needs.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many releases stay at the least; FLASKS3_KEEP_RELEASES when left out.",
)
@click.option(
    "--older-than",
    type=_Age(),
    default="7d",
    show_default=True,
    metavar="AGE",
    help="Only releases that another one replaced longer ago than this: 90s, 30m, 12h, 7d, 2w.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@click.option(
    "--max-delete",
    type=click.IntRange(min=0),
    metavar="N",
    help="Delete nothing at all when it would be more objects than this.",
)
@verbose
@with_appcontext
def prune(keep: int | None, older_than: timedelta, dry_run: bool, max_delete: int | None) -> None:
    """Delete the releases that are too many and too old, and what no kept one needs.

    Deletes only objects that this app's releases hold, and none that another app in the bucket
    publishes too. Safe beside deploys and rollbacks.

    \b
    Examples:
      flask s3 prune --dry-run
      flask s3 prune --keep 10 --older-than 2w
    """
    from ..release import prune as pruning  # noqa: PLC0415

    with explained():
        settings = state_of(the_app()).settings()
        found, store = _found(settings)
        look = partial(
            pruning.stale, found, keep=keep or settings.keep_releases, older_than=older_than
        )
        if dry_run:
            with busy("Looking for what no release needs"):
                going = look()
            screens.show_pruning(going)
            pruning.refuse_too_many(going, max_delete, dry_run=True)
            return
        with busy("Pruning"):
            done, pruned = pruning.prune(found, store, look, most=max_delete)
        screens.show_gone(done)
        screens.show_pruned(pruned)
        exit_for(pruned.failures)


@click.command(short_help="Delete all of this app's releases and objects.")
@click.option("--yes", is_flag=True, help="Do not ask whether all of it is to go.")
@click.option("--confirm", metavar="APP", help="Answer the second one: the app's name once more.")
@verbose
@with_appcontext
def destroy(yes: bool, confirm: str | None) -> None:
    """Delete all of this app's releases and objects, the one in force too.

    For review apps. Other apps' objects in the bucket stay, and so does the bucket. Asks twice, and
    says what is left where the app's objects were, such as what an interrupted deploy uploaded.

    \b
    Examples:
      flask s3 destroy
      flask s3 destroy --yes --confirm shop-review-17   without a terminal
    """
    from ..building.collect import key_prefixes  # noqa: PLC0415
    from ..release import prune as pruning  # noqa: PLC0415

    with explained():
        settings = state_of(the_app()).settings()
        name = settings.app_name or the_app().name
        found, store = _found(settings)
        look = partial(pruning.everything, found)
        with busy("Looking for all of the app's objects"):
            going = look()
        if going.is_empty:
            raise ReleaseError(f"There is nothing of app {name!r} in bucket {store.bucket!r}.")
        screens.show_destruction(name, store.bucket, settings.key_prefix, going)
        _ask_twice(name, yes=yes, confirmed=confirm)
        with busy("Deleting"):
            _, pruned = pruning.prune(found, store, look)
        screens.show_pruned(pruned)
        prefixes = key_prefixes(the_app(), settings)
        screens.show_left({prefix: sum(1 for _ in store.list(prefix)) for prefix in prefixes})
        exit_for(pruned.failures)


def _ask_twice(name: str, *, yes: bool, confirmed: str | None) -> None:
    """Ends the command unless it was said twice that everything is to go."""
    if not sys.stdin.isatty() and not (yes and confirmed):
        raise SettingsError(
            f"There is no terminal to ask on: pass --yes --confirm {name}. Nothing was deleted."
        )
    if not yes and not click.confirm("Delete all of it?", err=True):
        click.echo("Nothing was deleted.", err=True)
        raise click.exceptions.Exit(2)
    if (confirmed or click.prompt("The app's name, to be sure", err=True)) != name:
        raise SettingsError(f"The app is called {name!r}: nothing was deleted.")


def pruned_after(prepared: Prepared) -> Pruned:
    """Prunes after a deploy, as `flask s3 prune` does without options."""
    from ..release import prune as pruning  # noqa: PLC0415

    releases, settings = prepared.remote.releases, prepared.settings
    if releases is None:
        return pruning.Pruned()
    look = partial(pruning.stale, releases, keep=settings.keep_releases, older_than=OLDER_THAN)
    return pruning.prune(releases, prepared.remote.store, look)[1]


def _found(settings: Settings) -> tuple[Releases, S3Store]:
    from ..release.remote import releases_of  # noqa: PLC0415

    return releases_of(settings, the_app().name)
