"""What every command does: find the app, and turn errors into a message and an exit code."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click
from flask import current_app

from ..errors import FlaskS3Error
from ..redaction import without_secrets
from ..serve.serving import state_of

if TYPE_CHECKING:
    from flask import Flask

INTERRUPTED = 130
"""What shells answer for Ctrl-C: 128 + SIGINT."""
_NEW_OBJECTS = 100_000
"""How many there are before garbage is looked for: a command makes many objects and few cycles."""


def the_app() -> Flask:
    """Returns the app that the command is about."""
    found: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return found


def look_for_garbage_rarely(context: click.Context) -> None:
    """Spares a command a sixth of its time, which looking for garbage takes otherwise."""
    context.call_on_close(partial(gc.set_threshold, *gc.get_threshold()))
    gc.set_threshold(_NEW_OBJECTS)
    atexit.register(gc.freeze)  # not at exit either, where everything goes anyway


@contextmanager
def explained(interrupted: str = "the next run goes on where this one stopped") -> Iterator[None]:
    """Turns our errors into one message and an exit code.

    Args:
        interrupted: what Ctrl-C leaves behind.
    """
    try:
        yield
    except FlaskS3Error as error:
        click.secho(f"Error: {_harmless(str(error))}", fg="red", err=True)
        raise click.exceptions.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        click.echo(f"Interrupted: {interrupted}.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from error


def _harmless(text: str) -> str:
    """Returns a message that whoever made it forgot to take the credentials out of."""
    try:
        secrets = state_of(the_app()).settings().secrets
    except (FlaskS3Error, RuntimeError):  # the settings are what is wrong, or there is no app
        secrets = ()
    return without_secrets(text, secrets)


def exit_for(failures: object) -> None:
    """Ends the command with exit code 1 where something failed."""
    if failures:
        raise click.exceptions.Exit(1)
