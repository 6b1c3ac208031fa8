"""The parts of the page that are shipped as files: its form, its style, its scripts."""

from __future__ import annotations

from importlib.resources import files

from .page import Parts


def parts() -> Parts:
    """Returns the parts, with the line ends that browsers hash."""
    folder = files(__package__) / "page"

    def text(name: str) -> str:
        return folder.joinpath(name).read_text("utf-8").replace("\r\n", "\n")

    return Parts(text("page.html"), text("page.css"), text("echarts.js"), text("page.js"))
