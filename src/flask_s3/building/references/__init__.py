"""Finds what a file refers to, by its language: one module a language, bytes in, references out."""

from __future__ import annotations

from .reference import Found, Reference, rewrite, written

__all__ = ["Found", "Reference", "find", "language", "rewrite", "written"]

_BY_EXTENSION = {
    "css": "css",
    "js": "javascript",
    "mjs": "javascript",
    "svg": "xml",
    "html": "html",
    "htm": "html",
    "xhtml": "xml",
    "webmanifest": "webmanifest",
}


def language(filename: str) -> str | None:
    """Returns the language of a file by its name, None for one without references."""
    lower = filename.lower()
    if lower.endswith("manifest.json") and lower.rpartition("/")[2] == "manifest.json":
        return "webmanifest"
    return _BY_EXTENSION.get(lower.rpartition(".")[2])


def find(language: str, data: bytes) -> Found:
    """Returns what a file refers to.

    Args:
        language: as `language` tells it.
        data: the file.
    """
    # Here and not above, since a build that has them all in its cache needs none of the modules.
    from . import css, javascript, markup, webmanifest  # noqa: PLC0415

    finders = {
        "css": css.find,
        "javascript": javascript.find,
        "xml": markup.find_svg,
        "html": markup.find_html,
        "webmanifest": webmanifest.find,
    }
    return finders[language](data)
