"""HTML tags and `Link` headers for published files: values in, markup out, everything escaped."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping

from markupsafe import Markup, escape

from ..headers import content_type, media_type

# HTML § 4.6.8 "preload" takes these destinations (Fetch § 2.2.5), by the file's type.
_DESTINATIONS = {
    "text/css": "style",
    "text/javascript": "script",
    "text/vtt": "track",
    "font": "font",
    "image": "image",
    "audio": "audio",
    "video": "video",
}
# Browsers ask for these with CORS whatever the page says, so a preload has to as well.
_ALWAYS_CORS = frozenset({"font", "fetch"})
# Of these, what a page asks for carries integrity where the settings say so.
_CHECKED = frozenset({"script", "style"})

Attributes = Mapping[str, object]


def destination(filename: str) -> str:
    """Returns what a browser wants a file for, as a preload's `as` says it; `fetch` for data."""
    kind = media_type(content_type(filename))
    return _DESTINATIONS.get(kind) or _DESTINATIONS.get(kind.partition("/")[0], "fetch")


def trust(wanted_as: str, integrity: str) -> dict[str, str]:
    """Returns the attributes that say how a file is asked for: by what it is, and nothing else.

    So one URL is never asked for both with and without CORS; caches would mix the answers up.

    Args:
        wanted_as: its destination.
        integrity: of the file; empty where none is written.
    """
    checked = {"integrity": integrity} if integrity and wanted_as in _CHECKED else {}
    return {**checked, "crossorigin": "anonymous"} if checked or wanted_as in _ALWAYS_CORS else {}


def element(name: str, attributes: Attributes, *, is_void: bool) -> Markup:
    """Returns an HTML element without content.

    Args:
        name: the element's.
        attributes: True stands for one without value; False and None leave it out.
        is_void: whether it has no end tag.
    """
    written = Markup("").join(_attribute(*pair) for pair in attributes.items())
    start = Markup("<{}{}>").format(name, written)
    return start if is_void else start + Markup("</{}>").format(name)


def _attribute(name: str, value: object) -> Markup:
    if value is None or value is False:
        return Markup("")
    # `class_` and `data_id` are what Python and Jinja can say for `class` and `data-id`.
    written = escape(name.rstrip("_").replace("_", "-"))
    if value is True:
        return Markup(" {}").format(written)
    return Markup(' {}="{}"').format(written, value)


def link_header(url: str, attributes: Attributes) -> str:
    """Returns the value of a `Link` header (RFC 8288) for a URL."""
    said = [
        f"; {name.rstrip('_')}" if value is True else f'; {name.rstrip("_")}="{_quoted(value)}"'
        for name, value in attributes.items()
        if value is not None and value is not False
    ]
    return f"<{url}>{''.join(said)}"


def _quoted(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def import_map(
    imports: Mapping[str, str], integrity: Mapping[str, str], attributes: Attributes
) -> Markup:
    """Returns an import map (HTML § 8.1.6.2) as an element; `</script>` cannot end it early."""
    value: dict[str, Mapping[str, str]] = {"imports": imports}
    if integrity:
        value["integrity"] = integrity
    text = json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
    start = element("script", {"type": "importmap", **attributes}, is_void=True)
    return start + Markup(text) + Markup("</script>")  # noqa: S704  (escaped above)


def mime_type(filename: str) -> str | None:
    """Returns a font's type, by which browsers skip preloads that they cannot use; else None."""
    kind = content_type(posixpath.basename(filename))
    return kind if kind.startswith("font/") else None
