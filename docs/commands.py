"""Writes docs/reference/cli.md from the commands themselves: `make docs`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from flask_s3.cli.commands import s3

HEAD = """# Commands

`flask s3` is one more command of Flask's: `flask --app shop s3 deploy` where the app is not found
by itself. What each exit code means is on [a page of its own](exit-codes.md). Every command takes
`-h`, `--help`.

Every command that talks to the store takes `-v`, `--verbose`: each request is a line on stderr
then, such as `PutObject static/app.css 200 1.2 kB 53 ms`. In a terminal lines are wrapped at words,
long names lose their middle, and long work shows that it goes on; in a pipe or a file lines stay
whole, and long work says so every ten seconds. `NO_COLOR=1` takes the colours away,
`FORCE_COLOR=1` gives them to a log. What `--json` prints is described with [the
files](formats.md).

What shells complete of `flask`, they complete of `flask s3` too: commands, options, files, and the
words of options. Release ids are not completed, since each Tab would ask the bucket.

<!-- not run: it is for the shell that a person types in -->
```sh
eval "$(_FLASK_COMPLETE=bash_source flask)"    # in ~/.bashrc
eval "$(_FLASK_COMPLETE=zsh_source flask)"     # in ~/.zshrc
_FLASK_COMPLETE=fish_source flask | source     # in ~/.config/fish/config.fish
```

Made from the commands themselves by `make docs`.
"""

MOST = (0, 1, 2, 130)
EXITS = {
    "deploy": (0, 1, 2, 3, 130),
    "policy": (0, 2),
    "preview": (0, 1, 2),
    "rollback": (0, 1, 2, 3, 130),
}
"""The exit codes with which each command may end, where it is not what most of them may."""


def page() -> str:
    """Returns the page: a section a command, in the order of the help."""
    return HEAD + "".join(section(context) for context in every(click.Context(s3)))


def every(group: click.Context) -> Iterator[click.Context]:
    """Yields a context for each command of a group, those of groups inside it after it."""
    assert isinstance(group.command, click.Group)  # noqa: S101
    path = group.info_name or "flask s3"
    for name, command in group.command.commands.items():
        context = click.Context(command, info_name=f"{path} {name}")
        yield context
        if isinstance(command, click.Group):
            yield from every(context)


def section(context: click.Context) -> str:
    """Returns what there is to know of a command."""
    command = context.command
    usage = f"{context.info_name} {' '.join(command.collect_usage_pieces(context))}"
    codes = ", ".join(map(str, EXITS.get(str(command.name), MOST)))
    parts = [
        f"## `{context.info_name}`",
        f"```text\n{usage}\n```",
        *about(inspect.cleandoc(command.help or "")),
        options(context),
        f"Exit codes: {codes}.",
    ]
    return "".join(f"\n{part}\n" for part in parts if part)


def about(help_: str) -> Iterator[str]:
    """Yields the paragraphs of a help text as Markdown; what click may not wrap is a block."""
    for paragraph in help_.split("\n\n"):
        kept, _, rest = paragraph.partition("\b\n")
        if not rest:
            yield kept
            continue
        title, _, lines = rest.partition("\n")
        yield title
        yield f"```text\n{inspect.cleandoc(lines)}\n```"


def options(context: click.Context) -> str:
    """Returns the table of a command's options, empty where it has none."""
    records = [
        record
        for one in context.command.params
        if isinstance(one, click.Option) and (record := one.get_help_record(context))
    ]
    if not records:
        return ""
    rows = "".join(
        f"| `{escaped(names)}` | {escaped(' '.join(text.split()))} |\n" for names, text in records
    )
    return f"| option | |\n|---|---|\n{rows}".rstrip()


def escaped(text: str) -> str:
    """Returns a text for a cell of a table."""
    return text.replace("|", r"\|")


if __name__ == "__main__":
    print(page(), end="")
