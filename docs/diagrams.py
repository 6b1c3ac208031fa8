"""Draws the diagrams of docs/explanation/img: `python docs/diagrams.py`.

With `--check` nothing is written, and the exit code is 1 where a file is not as it would be drawn.
Each drawing brings its own background, dark where the reader's system is, so that its text can be
read whatever the colours of the page around it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent / "explanation" / "img"
STYLE = """\
.paper{fill:#fff}.box{fill:#eef4fb;stroke:#5b7ea6}.store{fill:#f4f0e6;stroke:#9a8347}
.now{fill:#e3f3e6;stroke:#3f8a52}.line{stroke:#5a6472;fill:none}.head{fill:#5a6472}
text{fill:#1a2129;font:14px system-ui,sans-serif}.name{font-weight:600}.small{font-size:12px}
.key{font:12px ui-monospace,monospace}
@media(prefers-color-scheme:dark){.paper{fill:#161b22}.box{fill:#1d2b3c;stroke:#7fa6d6}
.store{fill:#2e2818;stroke:#c9ad62}.now{fill:#17301f;stroke:#63b57a}.line{stroke:#a4afbd}
.head{fill:#a4afbd}text{fill:#e8edf3}}"""
LINE = 18


@dataclass
class Drawing:
    """A picture of a size, in pixels, and what it shows, for those who cannot see it."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def text(self, x: int, y: int, words: str, look: str = "", anchor: str = "start") -> None:
        """Writes one line; `y` is where it stands."""
        self.parts.append(
            f'<text x="{x}" y="{y}" class="{look}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def lines(self, x: int, y: int, words: list[str], look: str = "small") -> None:
        """Writes lines below each other."""
        for number, line in enumerate(words):
            self.text(x, y + number * LINE, line, look)

    def box(self, x: int, y: int, width: int, height: int, look: str = "box") -> None:
        """Draws a box."""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" class="{look}"/>'
        )

    def arrow(self, x: int, y: int, to_x: int, to_y: int) -> None:
        """Draws an arrow."""
        self.parts.append(
            f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" class="line" '
            'stroke-width="1.5" marker-end="url(#head)"/>'
        )

    def svg(self) -> str:
        """Returns the whole file."""
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img">\n'
            f"<title>{escape(self.title)}</title>\n<style>{STYLE}</style>\n"
            '<defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" '
            'orient="auto"><path d="M0 0L9 4L0 8z" class="head"/></marker></defs>\n'
            f'<rect width="{self.width}" height="{self.height}" rx="8" class="paper"/>\n'
            f"{body}\n</svg>\n"
        )


STEPS = (
    ("Collect", ["static routes", "of app.url_map", "→ files"]),
    ("Build", ["names, references,", "variants", "→ objects, manifest"]),
    ("Plan", ["objects, what the", "bucket holds → put", "or keep, and why"]),
    ("Publish", ["uploads, record,", "pointer, then", "plain names"]),
    ("Serve", ["settings and", "manifest → URL:", "a look-up"]),
)


def flow() -> Drawing:
    """The five steps, and where each of them looks."""
    drawing = Drawing(
        860, 230, "Collect, build, plan and publish run at a deploy; serve runs in the app."
    )
    for number, (name, words) in enumerate(STEPS):
        x = 16 + number * 170
        drawing.box(x, 44, 144, 92, "now" if name == "Serve" else "box")
        drawing.text(x + 12, 66, name, "name")
        drawing.lines(x + 12, 88, words)
        if number < len(STEPS) - 1:
            drawing.arrow(x + 146, 90, x + 168, 90)
    drawing.text(16, 28, "at a deploy", "small")
    drawing.text(696, 28, "in the app, for each page", "small")
    drawing.box(186, 172, 484, 42, "store")
    drawing.text(428, 198, "the bucket: static/… , and .flask-s3/… for records", "small", "middle")
    drawing.arrow(420, 170, 420, 140)
    drawing.arrow(600, 138, 600, 168)
    drawing.text(430, 158, "what it holds", "small")
    drawing.text(610, 158, "what differs", "small")
    return drawing


ORDER = (
    (
        "1  Fingerprinted files go up",
        "static/css/app.<new>.css",
        "nobody asks for them yet",
        "box",
    ),
    ("2  The record is written", ".flask-s3/…/releases/<id>.json", "never changed again", "box"),
    (
        "3  The pointer moves",
        ".flask-s3/…/current   (If-Match)",
        "one write: the release is in force",
        "now",
    ),
    ("4  Plain names follow", "static/css/app.css", "copied within the bucket", "box"),
)


def deploy() -> Drawing:
    """The order of a deploy, and what is in force in each step."""
    drawing = Drawing(
        760, 400, "The order of a deploy: files, record, pointer, then plain names follow."
    )
    for number, (name, key, why, look) in enumerate(ORDER):
        y = 20 + number * 94
        drawing.box(16, y, 430, 74, look)
        drawing.text(30, y + 22, name, "name")
        drawing.text(52, y + 43, key, "key")
        drawing.text(52, y + 62, why, "small")
        if number < len(ORDER) - 1:
            drawing.arrow(230, y + 76, 230, y + 92)
    drawing.box(486, 20, 258, 162, "store")
    drawing.text(500, 44, "in force: the release before", "name")
    drawing.lines(
        500,
        68,
        [
            "whole, whatever happens here.",
            "Dies the deploy, the next one",
            "sends what is missing.",
        ],
    )
    drawing.box(486, 208, 258, 168, "now")
    drawing.text(500, 232, "in force: the new release", "name")
    drawing.lines(
        500,
        256,
        [
            "Fingerprinted names of both are there.",
            "A plain name has the bytes of one",
            "of the two. If the deploy dies,",
            "the next one writes the rest.",
        ],
    )
    return drawing


def rolling() -> Drawing:
    """What pages ask for while workers are replaced one after another."""
    drawing = Drawing(
        820, 330, "While workers are replaced, pages of old and new ones find their files."
    )
    rows = (
        (
            "Worker, old release",
            "manifest of the old one",
            "css/app.<old>.css",
            "there until prune takes the old release",
        ),
        (
            "Worker, new release",
            "manifest of the new one",
            "css/app.<new>.css",
            "there since before the pointer moved",
        ),
        (
            "E-mail, script",
            "a name without digest",
            "css/app.css",
            "bytes of the old or of the new release",
        ),
    )
    for number, (who, what, key, answer) in enumerate(rows):
        y = 40 + number * 92
        drawing.box(16, y, 200, 66, "now" if number == 1 else "box")
        drawing.text(30, y + 27, who, "name")
        drawing.text(30, y + 48, what, "small")
        drawing.arrow(220, y + 34, 484, y + 34)
        drawing.text(232, y + 26, f"GET …/{key}", "key")
        drawing.text(500, y + 27, "200", "name")
        drawing.text(500, y + 48, answer, "small")
    drawing.box(488, 20, 316, 286, "store")
    drawing.parts.insert(0, drawing.parts.pop())
    drawing.text(646, 36, "the bucket", "small", "middle")
    return drawing


DRAWINGS = {"flow.svg": flow, "deploy.svg": deploy, "rolling.svg": rolling}


def main() -> int:
    """Draws, or checks; returns the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, draw in DRAWINGS.items():
        file, wanted = FOLDER / name, draw().svg()
        if file.exists() and file.read_text(encoding="utf-8") == wanted:
            continue
        stale.append(name)
        if "--check" not in sys.argv[1:]:
            file.write_text(wanted, encoding="utf-8")
    if stale and "--check" in sys.argv[1:]:
        print(f"Not as drawn: {', '.join(stale)}. Run python docs/diagrams.py.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
