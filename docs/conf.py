"""Sphinx's configuration: `make docs`. Nothing in it asks the network."""

from __future__ import annotations

import os
import re
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

project = "Flask-S3"
author = "The Flask-S3 maintainers"
version = release = version_of("Flask-S3")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Flask-S3 {version}"
html_copy_source = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["ours.css"]
pygments_style = "default"
smartquotes = False  # options begin with two hyphens, not with a dash

# The anchors that GitHub gives headings, so that a link works in both places.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]

# Docstrings have `names` in single backticks.
default_role = "code"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_use_ivar = True
autodoc_member_order = "bysource"
nitpick_ignore_regex = [("py:.*", r"(flask|jinja2|blinker|botocore|collections|typing)\b.*")]
# Types that docstrings' signatures name and that no page describes.
nitpick_ignore_regex += [
    ("py:.*", r"(Any|Flask|Mapping|Context|Settings|Namespace|optional|(.*\.)?Refuse)")
]

_ROOT = Path(__file__).parent.parent
# Pages that stand elsewhere in the repository, where people look for them: by their place there.
_ELSEWHERE = {
    "README.md": "project/readme",
    "CHANGELOG.md": "project/changelog",
    "CONTRIBUTING.md": "project/contributing",
    "benchmarks/README.md": "project/benchmarks",
    "examples/minimal/README.md": "project/minimal",
    "examples/factory-two-apps/README.md": "project/factory-two-apps",
    "examples/docker/README.md": "project/docker",
    "examples/vite/README.md": "project/vite",
    "examples/storefront/README.md": "project/storefront",
}
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)#\s]*)(?=[)#])")


def _read(app: Sphinx, page: str, source: list[str]) -> None:
    """Gives a page of `_ELSEWHERE` its text, and makes links to those pages lead here."""
    file = Path(app.srcdir, f"{page}.md")
    for place, name in _ELSEWHERE.items():
        if name == page:
            file = _ROOT / place
            source[0] = file.read_text()
            app.env.note_dependency(str(file))
    source[0] = _LINK.sub(lambda found: _target(found[1], file.parent, app), source[0])


def _target(link: str, folder: Path, app: Sphinx) -> str:
    """Returns where a link leads in these pages, as a path from their root; else as it was."""
    found = Path(os.path.normpath(folder / link)) if link else None
    if found is None or not found.is_relative_to(_ROOT):
        return link
    if (place := found.relative_to(_ROOT).as_posix()) in _ELSEWHERE:
        return f"/{_ELSEWHERE[place]}.md"
    if found.is_relative_to(app.srcdir):
        return f"/{found.relative_to(app.srcdir).as_posix()}"
    return link


def _with_dashes(_app: Sphinx, _domain: str, _kind: str, content: nodes.Element) -> None:
    """Makes dashes of what Sphinx writes between a parameter and what it means."""
    for text in [text for text in content.findall(nodes.Text) if text == " -- "]:
        text.parent.replace(text, nodes.Text(" \N{EN DASH} "))


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.connect("source-read", _read)
    app.connect("object-description-transform", _with_dashes)
