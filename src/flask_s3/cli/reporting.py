"""`flask s3 report`."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from ..amounts import count
from ..errors import SettingsError
from ..serve.serving import state_of
from . import screens
from .running import explained, refuse_place, the_app
from .terminal import busy, say
from .typed import verbose


@click.command(short_help="Write all of it on one page, in HTML.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default="flask-s3-report.html",
    show_default=True,
    help="Where the page is written.",
)
@click.option("--include-hidden", is_flag=True, help="Tell of hidden files too.")
@verbose
@with_appcontext
def report(output: Path, include_hidden: bool) -> None:
    """Write what is published, who refers to it and what is wrong with it, as one HTML page.

    Needs neither bucket nor credentials. With them the page also has the difference to the release
    in force; where that cannot be read, it says why. Changes nothing but FILE.

    \b
    Examples:
      flask s3 report
      flask s3 report -o static-files.html
    """
    from ..report.gather import gather  # noqa: PLC0415
    from ..report.page import page  # noqa: PLC0415
    from ..report.parts import parts  # noqa: PLC0415

    with explained("no report was written"):
        refuse_place(output)
        with busy("Reading files and bucket"):
            made = gather(the_app(), state_of(the_app()).settings(), include_hidden=include_hidden)
            html = page(made, parts())
        _write(output, html)
        screens.show_refusals(made.refusals)
        if made.release is None:
            say(f"Without the difference to the release in force: {made.no_release}", hang=2)
        click.echo(f"Report  {output}: {count(len(made.files), 'file')}")


def _write(output: Path, page: bytes) -> None:
    from ..atomic import write_whole  # noqa: PLC0415

    try:
        write_whole(output, page)
    except OSError as error:
        raise SettingsError(
            f"{output} cannot be written: {error.strerror}. Choose another file for -o."
        ) from error
