"""Writes docs/settings.md from the settings' own declarations: `make docs`."""

from __future__ import annotations

from collections.abc import Mapping

from flask_s3.settings import FIELDS

HEAD = """# Settings

In `app.config`. Made from `src/flask_s3/settings.py` by `make docs`.

| key | default | |
|---|---|---|
"""


def page() -> str:
    """Returns the page: a row a setting, in the order of the source."""
    return HEAD + "".join(
        f"| `{field.metadata['key']}` | {shown(field.metadata['default'])} "
        f"| {field.metadata['about']} |\n"
        for field in FIELDS
    )


def shown(default: object) -> str:
    """Returns a default as Python writes it, `none` where there is none."""
    if default is None:
        return "none"
    plain = dict(default) if isinstance(default, Mapping) else default
    return f"`{list(plain) if isinstance(plain, tuple) else plain!r}`"


if __name__ == "__main__":
    print(page(), end="")
