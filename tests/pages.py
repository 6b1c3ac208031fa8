"""The pages of the documentation: their code blocks, and how each kind is run or checked.

What stands in a comment on the line before a block says what becomes of it:

==============================  ==============================================================
``<!-- file: NAME -->``         it is written to NAME in the page's folder
``<!-- append: NAME -->``       it is added to the end of NAME
``<!-- types: y shop -->``      its commands run on a terminal, where questions get these answers
``<!-- exits: N -->``           its commands end with exit code N, not 0
``<!-- not run: REASON -->``    it is only checked: it needs an AWS account, Docker, …
``<!-- shop -->``               (anywhere) the app of `SHOP` stands in the folder from here on,
                                and its bucket exists
``<!-- setup … -->``            (anywhere) a script that is run and that readers do not see
==============================  ==============================================================
"""

from __future__ import annotations

import configparser
import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import yaml
from conftest import write_files
from flask import Flask

from flask_s3 import FlaskS3
from flask_s3.cli.commands import s3
from flask_s3.settings import FIELDS, Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PATIENCE = 60
"""Seconds after which a block has hung."""

SHOP = {
    "app.py": "from flask import Flask, render_template\n"
    "from flask_s3 import FlaskS3\n\n"
    "app = Flask(__name__)\n"
    'app.config["FLASKS3_BUCKET_NAME"] = "my-bucket"\n'
    "app.config.from_prefixed_env()\n"
    "FlaskS3(app)\n",
    "static/css/app.css": "body { background: url(../img/logo.svg) }\n",
    "static/img/logo.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>\n',
    "static/js/app.js": 'import "./cart.js"\n',
    "static/js/cart.js": "export const cart = []\n",
    "static/index.html": "<title>Shop</title>\n",
}
BUCKET = "my-bucket"
_SETTINGS = {field.metadata["key"] for field in FIELDS}


def pages() -> list[Path]:
    """Returns the pages whose blocks are run: what is not built from other files."""
    written = [page for page in DOCS.rglob("*.md") if "_build" not in page.parts]
    return [ROOT / "README.md", *sorted(ROOT.glob("examples/*/README.md")), *sorted(written)]


def name_of(page: Path) -> str:
    """Returns how tests call a page."""
    return page.relative_to(ROOT).as_posix()


# -- command lines


def commands_in(text: str) -> Iterator[str]:
    """Yields the `flask s3 …` that a text writes down."""
    for line in re.findall(r"flask s3 [^`\n#]+", text):
        yield re.split(r" > | {3,}|[;:,()|&]| \"?\$| \\$", line)[0].strip().rstrip(".")


def options_of(command: click.Command) -> set[str]:
    """Returns the options of a command, short and long."""
    options = (p for p in command.params if isinstance(p, click.Option))
    return {name for option in options for name in option.opts}


def wrong_in(line: str) -> str | None:
    """Returns what of a command line does not exist."""
    command, words = s3, shlex.split(line)[2:]
    for word in words:
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
        elif word in {"-h", "--help"}:
            return None
        elif command is s3 or (word.startswith("-") and word not in options_of(command)):
            return word
    return None


# -- blocks


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        line: of its first line in the page, counted from 1.
        language: what its fence names.
        text: what it holds, with a line break at its end.
        markers: what the comments before it say, by their word.
    """

    line: int
    language: str
    text: str
    markers: Mapping[str, str] = field(default_factory=dict)


_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<info>[^`]*)")
_COMMENT = re.compile(r" *<!-- *(?P<word>[a-z ]+?)(?:: *(?P<value>.*?))? *--> *")


def blocks_of(page: str) -> list[Block]:
    """Returns a page's blocks, hidden ones too, from top to bottom."""
    lines = iter(enumerate(page.splitlines(), 1))
    found: list[Block] = []
    markers: dict[str, str] = {}
    for number, line in lines:
        fence, comment = _FENCE.fullmatch(line), _COMMENT.fullmatch(line)
        if fence:
            end = fence["indent"] + fence["fence"]
            text = _until(lines, lambda line, end=end: line.rstrip() == end)
            text = [one.removeprefix(fence["indent"]) for one in text]
            found.append(Block(number + 1, fence["info"].strip(), _joined(text), markers))
            markers = {}
        elif line.strip() == "<!-- setup":
            text = _until(lines, lambda line: line.strip() == "-->")
            found.append(Block(number + 1, "sh", _joined(text)))
        elif comment and comment["word"] == "shop":
            found.append(Block(number, "shop", ""))
        elif comment:
            markers = {**markers, comment["word"]: comment["value"] or ""}
        else:
            markers = {}
    return found


def _until(lines: Iterator[tuple[int, str]], is_end: Callable[[str], bool]) -> list[str]:
    text = []
    for _, line in lines:
        if is_end(line):
            return text
        text.append(line)
    raise AssertionError("a block that does not end")


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


# -- following a page


@dataclass(frozen=True)
class Reader:
    """Somebody who does what a page says, in a folder and an environment of their own.

    Attributes:
        folder: where commands run.
        environ: of the commands.
        names: what Python blocks know.
        client: of the S3 server.
    """

    folder: Path
    environ: Mapping[str, str]
    names: dict[str, Any]
    client: Any

    def follow(self, block: Block) -> None:
        """Does what a block is there for, and raises AssertionError where it does not work."""
        if "not run" in block.markers:
            assert block.markers["not run"], "say why it is not run"
            CHECKS[block.language](block.text)
        elif name := block.markers.get("file") or block.markers.get("append"):
            self._write(name, block)
        elif block.language in RUNS:
            RUNS[block.language](self, block)
        else:
            assert block.language in CHECKS, f"nobody knows how to check {block.language!r}"
            CHECKS[block.language](block.text)

    def _write(self, name: str, block: Block) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text() if "append" in block.markers else ""
        file.write_text(before + block.text)
        CHECKS[block.language](block.text)

    def shop(self, _: Block) -> None:
        """Puts the ready-made app in the folder."""
        write_files(self.folder, SHOP)
        self.client.create_bucket(Bucket=BUCKET)

    def script(self, block: Block) -> None:
        """Runs a script."""
        self._run(block.text, *_expected(block))

    def console(self, block: Block) -> None:
        """Runs what was typed, and compares what was printed."""
        typed = commands_of(block.text)
        assert typed, "a console without a command"
        code, answers = _expected(block)
        for place, (command, expected) in enumerate(typed, 1):
            printed = self._run(command, code if place == len(typed) else 0, answers)
            assert is_like(printed, expected) or is_like(self._on_aws(printed), expected), (
                f"$ {command}\nprinted\n{printed}\nnot\n{expected}"
            )

    def _on_aws(self, printed: str) -> str:
        """Returns what would be printed if the buckets were AWS's."""
        here = re.escape(self.environ["AWS_ENDPOINT_URL"])
        return re.sub(rf"{here}/([\w.-]+)/", r"https://\1.s3.amazonaws.com/", printed)

    def _run(self, script: str, code: int, answers: Sequence[str] = ()) -> str:
        command = ["bash", "-e", "-c", script]
        ended, printed = self._asked(command, answers) if answers else self._told(command)
        assert "Traceback" not in printed, printed
        assert ended == code, f"exit code {ended}, not {code}\n{printed}"
        return printed

    def _told(self, command: Sequence[str]) -> tuple[int, str]:
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        return ended.returncode, ended.stdout

    def _asked(self, command: Sequence[str], answers: Sequence[str]) -> tuple[int, str]:
        """Runs a command on a terminal, and answers when it asks."""
        ours, theirs = pty.openpty()
        environ = {**self.environ, "NO_COLOR": "1", "TERM": "dumb"}
        process = subprocess.Popen(
            command, cwd=self.folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        printed, left = b"", list(answers)
        with suppress(OSError):  # how Linux says that nobody is there any more
            while select.select([ours], [], [], PATIENCE)[0]:
                printed += os.read(ours, 65536)
                if left and printed.endswith(b": "):
                    os.write(ours, f"{left.pop(0)}\n".encode())
        os.close(ours)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        process.kill()
        return process.wait(), printed.decode().replace("\r", "")

    def python(self, block: Block) -> None:
        """Runs Python; settings that it gives as names of their own have to be possible ones."""
        exec(compile(block.text, "the block", "exec"), self.names)
        given = {name: self.names[name] for name in _SETTINGS & self.names.keys()}
        # Pages show a setting by itself, and some go with fingerprints only.
        Settings.read({**self.names["app"].config, "FLASKS3_FINGERPRINT": True, **given})
        for name in given:  # another block may say otherwise
            del self.names[name]

    def template(self, block: Block) -> None:
        """Parses a template, with the helpers there."""
        self.names["app"].jinja_env.parse(block.text)


def _expected(block: Block) -> tuple[int, list[str]]:
    """Returns the exit code that a block's commands end with, and the answers to what they ask."""
    return int(block.markers.get("exits", 0)), block.markers.get("types", "").split()


def commands_of(text: str) -> list[tuple[str, str]]:
    """Returns the commands of a console, each with what is printed below it."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line.removeprefix('> ')}", "")
        elif line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            assert found, "a console begins with a command"
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def is_like(printed: str, expected: str) -> bool:
    """Returns whether a text is what is expected, where `…` is anything."""
    plain = [line.rstrip() for line in printed.strip().splitlines()]
    pieces = re.split(r"…|\.\.\.", "\n".join(map(str.rstrip, expected.strip().splitlines())))
    return re.fullmatch(".*?".join(map(re.escape, pieces)), "\n".join(plain), re.DOTALL) is not None


# -- checks of what is not run


def _is_script(text: str) -> None:
    parsed = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
    assert parsed.returncode == 0, parsed.stderr
    wrong = {line: wrong_in(line) for line in commands_in(text)}
    assert not any(wrong.values()), wrong


def _is_console(text: str) -> None:
    for command, _ in commands_of(text):
        _is_script(command)


def _is_python(text: str) -> None:
    compile(text, "the block", "exec")


def _is_template(text: str) -> None:
    app = Flask("checked")
    FlaskS3(app)
    app.jinja_env.parse(text)


def _is_ini(text: str) -> None:
    configparser.ConfigParser(interpolation=None).read_string(text)


def _is_there(text: str) -> None:
    assert text.strip(), "an empty block"


CHECKS: dict[str, Callable[[str], object]] = {
    "sh": _is_script,
    "console": _is_console,
    "python": _is_python,
    "html": _is_template,
    "jinja": _is_template,
    "json": json.loads,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "toml": tomllib.loads,
    "ini": _is_ini,
    **dict.fromkeys(("nginx", "dockerfile", "text", "css", "javascript", "xml"), _is_there),
    # Sphinx runs these, and fails where one cannot be.
    **dict.fromkeys(("{toctree}", "{eval-rst}"), _is_there),
}
RUNS: dict[str, Callable[[Reader, Block], None]] = {
    "shop": Reader.shop,
    "sh": Reader.script,
    "console": Reader.console,
    "python": Reader.python,
    "html": Reader.template,
    "jinja": Reader.template,
}
