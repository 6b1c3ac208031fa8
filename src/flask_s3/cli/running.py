"""What every command does: find the app, and turn errors into a message and an exit code."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import current_app

from ..errors import FlaskS3Error, SettingsError
from ..redaction import without_secrets
from ..serve.serving import state_of
from ..settings import unknown
from .terminal import say

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
    """Turns our errors into one message and an exit code; first warns of misspelt settings.

    Args:
        interrupted: what Ctrl-C leaves behind.
    """
    _warn_of_misspelt()
    try:
        yield
    except FlaskS3Error as error:
        say(f"Error: {_harmless(str(error))}", fg="red", err=True, hang=7)
        raise click.exceptions.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        click.echo(f"Interrupted: {interrupted}.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from error


def _warn_of_misspelt() -> None:
    """Warns of each setting that is none of ours, where there is an app to look at."""
    if not current_app:
        return
    for key, likely in unknown(the_app().config).items():
        guess = f"did you mean {likely}?" if likely else "take it out, or see docs/settings.md."
        text = f"Warning: {key} is none of our settings and has no effect: {guess}"
        say(text, fg="yellow", err=True, hang=9)


def warn_unless_set_up() -> None:
    """Warns, as `flask s3 doctor` does, where pages go on without what is published."""
    if "s3" in the_app().extensions:
        return
    from ..checks.loading import NEVER_SET_UP  # noqa: PLC0415  (most apps are set up)

    what, why, fix = NEVER_SET_UP.what, NEVER_SET_UP.why, NEVER_SET_UP.fix
    text = f"Warning: {what} {why.rstrip('.')}: {fix}"
    say(text, fg="yellow", err=True, hang=9)


def refuse_place(output: Path) -> None:
    """Refuses what `-o` cannot write, before the work is done for nothing.

    Raises:
        SettingsError: it is no name for a file, or its folder does not exist.
    """
    if str(output) == "-":
        raise SettingsError("-o takes a file's name, and does not write to stdout: name a file.")
    if not output.parent.is_dir():
        raise SettingsError(f"The folder {output.parent} does not exist: make it first.")


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
