"""Makes `docs/picture.svg`, the terminal in the README: `python docs/picture.py [FILE]`.

The commands are really run, on `examples/minimal` and an S3 server on this machine; what they print
is shown as it came. Who looks at the picture fetches no font and nothing else.
"""

from __future__ import annotations

import io
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from flask_s3.cli.preview import Embedded, embedded_store

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "minimal"
COMMANDS = ("flask s3 setup", "flask s3 plan", "flask s3 deploy", "flask s3 status")
QUESTION = "[y/N]: "
COLUMNS = 96

# A window of its own colours, so that it can be read on a light page and on a dark one.
THEME = TerminalTheme(
    (24, 27, 33),
    (222, 226, 232),
    [
        (24, 27, 33),
        (255, 122, 122),
        (126, 211, 133),
        (240, 200, 110),
        (120, 180, 255),
        (214, 160, 255),
        (110, 210, 220),
        (222, 226, 232),
    ],
)
FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>flask s3 setup, plan, deploy and status in a terminal</title>
<style>
.{unique_id}-matrix {{
  font: {char_height}px/{line_height}px ui-monospace, "SFMono-Regular", Menlo, Consolas,
    "DejaVu Sans Mono", "Liberation Mono", monospace;
  font-variant-east-asian: full-width;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(file: Path) -> None:
    """Writes the picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder, embedded_store() as store:
        shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
        for command in COMMANDS:
            console.print(Text.assemble(("$ ", "green"), (command, "bold")))
            console.print(Text.from_ansi(shown(command, Path(folder), store)), end="\n\n")
    svg = console.export_svg(title="", theme=THEME, code_format=FORMAT, unique_id="terminal")
    file.write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines() if line.strip()))


def shown(command: str, folder: Path, store: Embedded) -> str:
    """Returns what a terminal shows of a command in a folder, whose question is answered by yes."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603  (what COMMANDS says)
        [sys.executable, "-m", *command.split()],
        cwd=folder,
        env=environ(store),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        text = "".join(printed(ours))
    os.close(ours)
    if process.returncode != 0:
        raise SystemExit(f"{command} ended with {process.returncode}:\n{text}")
    return "\n".join(line for line in text.splitlines() if line.strip())


def printed(terminal: int) -> Iterator[str]:
    """Yields what arrives at a terminal, and types yes where that is a question."""
    try:
        while piece := os.read(terminal, 65536).decode():
            yield piece
            if piece.endswith(QUESTION):
                os.write(terminal, b"y\n")
    except OSError:  # how Linux says that nobody is there any more
        return


def environ(store: Embedded) -> dict[str, str]:
    """Returns the environment of somebody who has credentials, and a terminal without a bar."""
    return {
        "PATH": os.environ["PATH"],
        "TERM": "dumb",
        "COLUMNS": str(COLUMNS),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_ENDPOINT_URL_S3": store.endpoint,
        "AWS_ACCESS_KEY_ID": store.access_key_id,
        "AWS_SECRET_ACCESS_KEY": store.secret_access_key,
        "AWS_REGION": "eu-west-1",
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE / "picture.svg")
