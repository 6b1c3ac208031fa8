"""What people type: groups that guess what was meant, choices likewise, and `--verbose`."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from traceback import walk_tb
from typing import IO, Any, TypeVar

import click

from ..store import traced
from .terminal import say

T = TypeVar("T")


class Mistyped(click.UsageError):
    """What was typed cannot be understood: one sentence, and where the help is."""

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002  (always stderr)
        """Prints it as every other refusal is printed, rather than below a `Usage:`."""
        say(f"Error: {self.format_message()}", fg="red", err=True, hang=7)
        if _is_of_loading(self.__cause__):
            _name_doctor()
        elif self.ctx is not None:
            say(f"{self.ctx.command_path} --help tells how it is used.", err=True)


def _is_of_loading(error: BaseException | None) -> bool:
    """Returns whether an app does not load, whatever it raised."""
    frames = walk_tb(None if error is None else error.__traceback__)
    return any(frame.f_code.co_name == "load_app" for frame, _ in frames)


def _name_doctor() -> None:
    say("flask s3 doctor tells it in one line.", err=True)


# `flask s3` alone, which shows the help: an error of its own from click 8.2 on.
_NO_WORDS: tuple[type[Exception], ...] = tuple(
    filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)])
)


@contextmanager
def _as_one_sentence() -> Iterator[None]:
    try:
        yield
    except Mistyped:
        raise
    except click.UsageError as error:
        if isinstance(error, _NO_WORDS):
            raise
        raise Mistyped(error.format_message(), error.ctx) from error
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        if _is_of_loading(error):
            atexit.unregister(_name_doctor)  # a group in a group sees it twice
            atexit.register(_name_doctor)  # below the traceback, which is the interpreter's
        raise


class Commands(click.Group):
    """A group that lists its commands by what they are for."""

    sections: Mapping[str, Sequence[str]] = {}

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401
        """Reads what was typed before the command's name."""
        with _as_one_sentence():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Reads what was typed after it, and runs the command."""
        with _as_one_sentence():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command, or guesses which one was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            # click guesses too, from 8.4 on
            if args[0].startswith("-") or "Did you mean" in error.format_message():
                raise
            guess = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.format_message()}{guess}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands, a heading for each purpose."""
        listed = {name for names in self.sections.values() for name in names}
        more = [name for name in self.list_commands(ctx) if name not in listed]
        longest = max(map(len, self.commands), default=0)
        for heading, names in [*self.sections.items(), ("More" if listed else "Commands", more)]:
            rows = [(name, self.commands[name]) for name in names if name in self.commands]
            if not rows:
                continue
            room = formatter.width - 6 - longest
            with formatter.section(heading):
                formatter.write_dl(
                    [(f"{name:<{longest}}", one.get_short_help_str(room)) for name, one in rows]
                )


class OneOf(click.Choice):  # type: ignore[type-arg]
    """A choice that guesses which of its words was meant."""

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> object:
        """Returns the word."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            guess = did_you_mean(str(value), map(str, self.choices))
            self.fail(f"{error.message}{guess}", param, ctx)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns ` Did you mean 'deploy'?`, or nothing where no word is near."""
    from difflib import get_close_matches  # noqa: PLC0415  (most people type right)

    likely = get_close_matches(word, list(known), 1)
    return f" Did you mean {likely[0]!r}?" if likely else ""


# -- requests, shown


def verbose(command: T) -> T:
    """Gives a command that talks to the store `-v`, which shows each request on stderr."""
    option = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_listen,
        help="Show each request to the store on stderr.",
    )
    return option(command)  # type: ignore[type-var]


def _listen(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    log, shown = traced.REQUESTS, _Shown()
    if not value or context.resilient_parsing or any(isinstance(h, _Shown) for h in log.handlers):
        return
    before = log.level, log.propagate
    log.addHandler(shown)
    log.setLevel(logging.DEBUG)
    log.propagate = False  # the app's own handlers would show them once more
    context.call_on_close(partial(_stop, shown, *before))


def _stop(shown: logging.Handler, level: int, propagate: bool) -> None:
    traced.REQUESTS.removeHandler(shown)
    traced.REQUESTS.setLevel(level)
    traced.REQUESTS.propagate = propagate


class _Shown(logging.Handler):
    """Shows each request as a line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints the request that a record tells of; called on the CRT's threads too."""
        if isinstance(record.args, tuple) and record.args:
            click.echo(traced.line(record.args[0]), err=True)  # type: ignore[arg-type]
