"""`flask s3 purge`."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..errors import SettingsError
from ..serve.serving import state_of
from . import screens
from .running import explained, the_app
from .terminal import busy
from .typed import verbose


@click.command(short_help="Make the CDN in front drop its copies.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--all", "everything", is_flag=True, help="All that this app may have published.")
@click.option("--wait", is_flag=True, help="Return only when the CDN has dropped it.")
@verbose
@with_appcontext
def purge(paths: tuple[str, ...], everything: bool, wait: bool) -> None:
    """Make the CDN in front drop its copies, so that it asks the bucket again.

    PATH is a URL, its path or a key; a `*` at the end is the rest of it. Deploys and rollbacks do
    this by themselves, for what they change.

    \b
    Examples:
      flask s3 purge /static/app.css /static/img/logo.svg
      flask s3 purge '/static/img/*' --wait
      flask s3 purge --all
    """
    from ..building.collect import key_prefixes  # noqa: PLC0415
    from ..cdn import paths as cdn_paths  # noqa: PLC0415
    from ..cdn.choice import purger  # noqa: PLC0415

    with explained():
        if everything == bool(paths):
            raise click.UsageError("Say what is to be purged: either a PATH or more, or --all.")
        app, settings = the_app(), state_of(the_app()).settings()
        found = purger(app, settings)
        if found is None:
            raise SettingsError(_NO_CDN)
        if everything:
            stale = cdn_paths.everything(settings, key_prefixes(app, settings))
        else:
            stale = cdn_paths.asked(paths, settings)
        with busy("Waiting for the CDN"):
            receipt = found.purge(stale.urls, stale.prefixes)
            if wait:
                found.wait(receipt)
        screens.show_purged(stale.paths)


_NO_CDN = (
    "No setting names the CDN in front of the bucket, so there is nothing to purge: set "
    "FLASKS3_CLOUDFRONT_DISTRIBUTION, FLASKS3_CLOUDFLARE_ZONE or FLASKS3_PURGER."
)
