"""What text meets: the width and the colours of a terminal, or a pipe; and work that takes long.

In a terminal lines are wrapped at words, and names of rows that would not fit lose their middle. In
a pipe or a file each line stays whole, whatever `COLUMNS` says: programs read it.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TextIO

import click

from ..store import traced

EVERY = 10.0
"""In seconds: how often a log hears that work goes on."""
_SOON = 1.0  # Work that ends sooner shows nothing: it would only flicker.
_NARROWEST = 20
_ENOUGH_OF_A_NAME = 24


def colours(environ: Mapping[str, str] = os.environ) -> bool | None:
    """Returns whether there are colours: True, False, or None where terminals have them.

    `NO_COLOR` (https://no-color.org) comes first, then `FORCE_COLOR`, for logs that show colours.
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return False if environ.get("TERM") == "dumb" else None


def say(text: str, *, fg: str | None = None, err: bool = False, hang: int = 0) -> None:
    """Prints a line, wrapped where a terminal is too narrow for it.

    Args:
        text: what to print.
        fg: its colour, which no meaning may depend on.
        err: to stderr.
        hang: how far the lines after the first are indented.
    """
    room = _width(err=err)
    _echo(text if room is None else wrapped(text, room, hang), fg, err=err)


def say_row(label: str, name: str, note: str = "", *, fg: str | None = None) -> None:
    """Prints `LABEL NAME  (NOTE)` as one line; where that does not fit, the name loses its middle.

    A note that is longer than what a name would leave of the line follows below it.
    """
    room, tail = _width(err=False), f"  ({note})" if note else ""
    if room is not None and cells(label + name + tail) > room:
        left = room - cells(label) - cells(tail)
        if left >= min(_ENOUGH_OF_A_NAME, cells(name)):
            name = cut(name, left)
        else:
            below = " " * (cells(label) + 2)
            name = cut(name, room - cells(label))
            tail = f"\n{wrapped(f'{below}{tail.lstrip()}', room, len(below))}"
    _echo(f"{label}{name}{tail}", fg)


def _echo(text: str, fg: str | None, *, err: bool = False) -> None:
    text = text if fg is None else click.style(text, fg=fg)
    click.echo(text, err=err, color=colours())  # said before the group says so to its commands, too


def wrapped_for_stdout(text: str, hang: int) -> str:
    """Returns a line as `say` would print it, for who colours a part of it."""
    room = _width(err=False)
    return text if room is None else wrapped(text, room, hang)


def columns() -> int | None:
    """Returns how wide the terminal is that stdout is; None where it is none."""
    return _width(err=False)


def _width(*, err: bool) -> int | None:
    stream = sys.stderr if err else sys.stdout
    if not is_terminal(stream):
        return None
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return max(int(given), _NARROWEST)
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        found = 0
    return max(found or 80, _NARROWEST)


def is_terminal(stream: TextIO) -> bool:
    """Returns whether somebody looks on."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def can_redraw(stream: TextIO) -> bool:
    """Returns whether somebody looks on who can be shown a line that moves."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


# -- text that fits


def cells(text: str) -> int:
    """Returns how many columns a text takes: two for East Asian characters, none for accents."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(name: str, room: int) -> str:
    """Returns a name that takes at most `room` columns: `static/img/a-l…e6f7.svg`."""
    if cells(name) <= room:
        return name
    tail = (room - 1) // 2
    return f"{_start(name, room - 1 - tail)}…{_start(name[::-1], tail)[::-1]}"


def _start(text: str, room: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += _cells_of(character)
        if taken > room:
            return text[:index]
    return text


def wrapped(text: str, room: int, hang: int) -> str:
    """Returns a text with line breaks between words; a word longer than a line stays whole.

    Addresses and names can so be copied. What is a line already stays one. `hang` is how far the
    others are indented, at most: a narrow terminal has better use for its columns.
    """
    hang = min(hang, room // 4)
    return "\n".join(_wrapped(line, room, hang) for line in text.split("\n"))


def _wrapped(line: str, room: int, hang: int) -> str:
    if cells(line) <= room:
        return line
    lines, current = [], ""
    for word in re.findall(r" *[^ ]+", line):
        if current.strip() and cells(current + word) > room:
            lines.append(current)
            current = " " * hang + word.lstrip()
        else:
            current += word
    return "\n".join([*lines, current])


# -- work that takes long


@contextmanager
def busy(what: str, *, quiet: bool = False, said: Callable[[], str] = str) -> Iterator[None]:
    """Shows that work goes on: a spinner in a terminal, a line each ten seconds in a log.

    Nothing is to be printed meanwhile.

    Args:
        what: the work, as a log may say it: `Building`.
        quiet: nobody is to be told.
        said: how far the work is, for a log; empty where nobody knows.
    """
    if quiet or traced.is_traced():  # each request is a line then
        yield
        return
    ended = threading.Event()
    show = _spin if can_redraw(sys.stderr) else partial(_log, said)
    shown = threading.Thread(target=show, args=(what, ended), daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join()


def _spin(what: str, ended: threading.Event) -> None:
    if ended.wait(_SOON):
        return
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    with live(SpinnerColumn("line"), TextColumn("{task.description}"), TimeElapsedColumn()) as bar:
        bar.add_task(f"{what} …", total=None)
        ended.wait()


def _log(said: Callable[[], str], what: str, ended: threading.Event) -> None:
    seconds = 0.0
    while not ended.wait(EVERY):
        seconds += EVERY
        click.echo(f"{said() or f'  {what}'}, {seconds:.0f} s", err=True)


@contextmanager
def counting(noun: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yields what is told how many of how many are done: a bar in a terminal, lines in a log."""
    if quiet or traced.is_traced():
        yield lambda _done, _total: None
    elif can_redraw(sys.stderr):
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn  # noqa: PLC0415

        with live(BarColumn(), MofNCompleteColumn(), TextColumn(noun)) as bar:
            task = bar.add_task("", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        yield Log(noun).count


class Log:
    """A line each ten seconds: `  300 of 1,200 URLs`."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._next = time.monotonic() + EVERY

    def count(self, done: int, total: int) -> None:
        """Says how far it is, when the last time is long ago."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            click.echo(f"  {done:,} of {total:,} {self._noun}", err=True)


def live(*shown: Any) -> Any:  # noqa: ANN401  (rich is imported only when somebody looks on)
    """Returns rich's display of these columns, on stderr, which vanishes at its end."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    return Progress(*shown, console=Console(stderr=True), transient=True)
