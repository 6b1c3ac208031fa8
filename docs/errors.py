"""Writes docs/reference/errors.md from the source's own messages: `make docs`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import flask_s3
from flask_s3 import errors
from flask_s3.access.control import _EXPLANATIONS as _OF_SETUP
from flask_s3.release.result import PublishError
from flask_s3.settings import FIELDS
from flask_s3.store.s3 import _EXPLANATIONS

HEAD = """# Errors

Each message says what happened, why, and what to do. This page lists all of them, to be searched:
`…` is what differs from case to case. A command prints a message after `Error:` and ends with the
[exit code](exit-codes.md) named here; in Python each is an exception below `FlaskS3Error`.

What is not an error stands elsewhere: files that are refused or warned of, in [the
guard](../guard.md); what `flask s3 doctor` and `flask s3 verify` find, in [checks](../checks.md);
what keeps `flask s3 setup` from changing a bucket, in [the bucket](../bucket.md).

Made from the source by `make docs`.
"""

KINDS = {
    "SettingsError": (
        "A setting or an argument cannot work. Nothing was published. Correct what the message "
        "names; `flask s3 doctor` shows every setting that is wrong at once."
    ),
    "UsageError": (
        "A command was called in a way that makes no sense, or a question was not answered. "
        "Nothing was changed. It is Click's own error, so Python code does not meet it."
    ),
    "CredentialsError": (
        "There are no credentials that could be used. Nothing was published. It is a "
        "`SettingsError` too."
    ),
    "BuildError": (
        "The files, a manifest or a saved plan are not what was asked for. Nothing was published."
    ),
    "MissingFile": (
        "With `FLASKS3_STRICT`, a page asked for a file that the manifest does not know. It is "
        "a `BuildError` too."
    ),
    "StoreError": (
        "The store refused a request, or could not be reached. What was published before stays;"
        " the same command goes on where this one stopped. Its `code`, `status` and `operation`"
        " tell more, and from `create_all` it is a `botocore.exceptions.ClientError` too."
    ),
    "BucketMissing": (
        "There is no bucket of that name: `NoSuchBucket` in the table of the store's answers. "
        "It is a `StoreError` too."
    ),
    "WrongRegion": (
        "The bucket lives in another region than `FLASKS3_REGION` says. Commands say so with a "
        "`SettingsError`; it is a `StoreError` too."
    ),
    "ReleaseError": (
        "A release cannot be found, brought back or taken away as asked. What is in force stays"
        " in force."
    ),
    "PurgeError": (
        "The CDN did not drop what changed. What was published is in force all the same: `flask"
        " s3 purge --all` purges again."
    ),
    "LostRace": (
        "Somebody else's release came into force first, and stays. Look at `flask s3 releases`,"
        " then deploy again."
    ),
    "PublishError": (
        "Some files could not be published, and every other one was; its `result` names them. "
        "Raised by `create_all`; `flask s3 deploy` shows each file with its reason instead, and"
        " ends with 1."
    ),
    "FlaskS3Error": ("What all of these are."),
}
"""What each kind of error means, and what to do about it, in the order of the page."""

# Values that no setting takes, or none of its kind; each shows one thing that is asked of it.
_BAD = (3.5, -1, "a\nb", "http://", "../x", "ftp://a", "a b", ["a b"], {"a b": "c"}, {"(": {}})
_ONE_LINE = "a string without line breaks or control characters"
_EXIT_CODES = {"UsageError": 2}


def page() -> str:
    """Returns the page."""
    messages = found()
    sections = (section(kind, messages.get(kind, ())) for kind in KINDS)
    return HEAD + "".join(sections) + settings() + answers()


def section(kind: str, messages: Iterable[str]) -> str:
    """Returns what there is to know of one kind of error."""
    lines = "".join(f"- {message}\n" for message in messages)
    told = f"\n{lines}" if lines else ""
    return f"\n## {kind}\n\nExit code {exit_code(kind)}. {KINDS[kind]}\n{told}"


def exit_code(kind: str) -> int:
    """Returns what a command ends with."""
    if kind in _EXIT_CODES:
        return _EXIT_CODES[kind]
    made = PublishError if kind == "PublishError" else getattr(errors, kind)
    return int(made.exit_code)


def settings() -> str:
    """Returns the table of what each setting has to be."""
    rows = [f"| `{key}` | {wanted} |\n" for key, wanted in asked_of_settings() if wanted]
    return (
        "\n## Values of settings\n\n"
        "A `SettingsError`: “KEY is …, but it has to be …: change the setting.” `flask s3 doctor` "
        "names all that are wrong. What each setting means: [settings](../settings.md).\n\n"
        "| key | has to be |\n|---|---|\n" + "".join(rows)
    )


def asked_of_settings() -> Iterator[tuple[str, str]]:
    """Yields each setting, with all that is asked of its value."""
    for field in FIELDS:
        wanted: dict[str, None] = {}
        for bad in _BAD:
            try:
                field.metadata["kind"](field.metadata["key"], bad)
            except errors.SettingsError as error:
                said = re.search(
                    r"but it has to be (.*): change the setting", str(error), re.DOTALL
                )
                if said:
                    wanted[re.sub(r", which .* is not$| \(missing .*", "", said[1])] = None
        if _ONE_LINE in wanted:
            del wanted["a string"]
        yield field.metadata["key"], "; ".join(map(escaped, wanted))


def answers() -> str:
    """Returns the tables of the store's answers."""
    return (
        "\n## What the store answers\n\n"
        "A `StoreError`: “The store refused OPERATION in bucket NAME (CODE): …”, with one of these "
        "codes. Of any other code it gives the store's own words.\n\n"
        f"| code | why, and what to do |\n|---|---|\n{answered(_EXPLANATIONS)}"
        "\nTo `flask s3 setup`, “The store refused OPERATION of bucket NAME (CODE): …”:\n\n"
        f"| code | why, and what to do |\n|---|---|\n{answered(_OF_SETUP)}"
    )


def answered(explanations: Mapping[str, str]) -> str:
    """Returns a row a code."""
    return "".join(
        f"| `{code}` | {escaped(why.format(operation='…', grant='…'))} |\n"
        for code, why in sorted(explanations.items())
    )


def escaped(text: str) -> str:
    """Returns a text for Markdown, and for a cell of a table."""
    return re.sub(r"([|<*])", r"\\\1", " ".join(text.split()))


# -- the messages in the source


def found() -> dict[str, list[str]]:
    """Returns the messages that the source has, each once, by the kind of error."""
    messages: dict[str, dict[str, None]] = {}
    for file in sorted(Path(flask_s3.__file__).parent.rglob("*.py")):
        for kind, text in in_module(ast.parse(file.read_text())):
            messages.setdefault(kind, {})[escaped(text)] = None
    return {kind: sorted(texts) for kind, texts in messages.items()}


def in_module(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Yields each error that a module makes: its kind and its text."""
    names = dict(assigned(module))
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and node.args:
            kind = getattr(node.func, "attr", getattr(node.func, "id", ""))
            texts = list(texts_of(node.args[0], names)) if kind in KINDS else []
            yield from ((kind, text) for text in texts if re.search(r"\w", text))


def assigned(module: ast.Module) -> Iterator[tuple[str, list[ast.expr]]]:
    """Yields the names of a module and its functions, with all that they are set to."""
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(module):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                if isinstance(name, ast.Name):
                    values.setdefault(name.id, []).append(value)
    yield from values.items()


def texts_of(node: ast.expr, names: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yields what an expression may be as a text, `…` where only the program knows."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part_of(part, names) for part in node.values)
    elif isinstance(node, ast.BinOp):
        for left in texts_of(node.left, names):
            yield from (left + right for right in texts_of(node.right, names) or "…")
    elif isinstance(node, ast.IfExp):
        yield from texts_of(node.body, names)
        yield from texts_of(node.orelse, names)
    elif isinstance(node, ast.Name):
        for value in names.get(node.id, ()):
            yield from texts_of(value, {n: v for n, v in names.items() if n != node.id})
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "format":
        assert isinstance(node.func, ast.Attribute)  # noqa: S101
        yield from (re.sub(r"\{.*?\}", "…", t) for t in texts_of(node.func.value, names))
    else:
        yield "…"


def part_of(node: ast.expr, names: dict[str, list[ast.expr]]) -> str:
    """Returns a part of an f-string: as it stands, or the one constant that it always is."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        values = names.get(node.value.id, ())
        if len(values) == 1 and isinstance(values[0], ast.Constant):
            return str(values[0].value)
    return "…"


if __name__ == "__main__":
    print(page(), end="")
