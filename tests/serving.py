"""How the tests ask for URLs, and what they compare them with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import flask
from flask import Blueprint, Flask

import flask_s3
from flask_s3.building.collect import Selection, collect
from flask_s3.serve.serving import state_of

BUCKET = "shop-assets"
STORE = f"https://{BUCKET}.s3.amazonaws.com"
IN_BUCKET: Mapping[str, Any] = {"FLASKS3_BUCKET_NAME": BUCKET}

_TEMPLATE = "{{ url_for(endpoint, **values) | safe }}"


def _in_template(app: Flask, endpoint: str, values: dict[str, Any]) -> str:
    return flask.render_template_string(_TEMPLATE, endpoint=endpoint, values=values)


def _in_new_environment(app: Flask, endpoint: str, values: dict[str, Any]) -> str:
    template = app.create_jinja_environment().from_string(_TEMPLATE)
    return template.render(endpoint=endpoint, values=values)


CALLERS: Mapping[str, Callable[[Flask, str, dict[str, Any]], str]] = {
    "flask_s3.url_for": lambda _app, endpoint, values: flask_s3.url_for(endpoint, **values),
    "flask.url_for": lambda _app, endpoint, values: flask.url_for(endpoint, **values),
    "app.url_for": lambda app, endpoint, values: app.url_for(endpoint, **values),
    "template": _in_template,
    "new Jinja environment": _in_new_environment,
}
"""Everybody who can ask for a URL."""


def asked(app: Flask, endpoint: str = "static", /, **values: Any) -> str:
    """The URL that `flask_s3.url_for` gives in a request for `/`."""
    with app.test_request_context("/"):
        return flask_s3.url_for(endpoint, **values)


def asked_by_all(app: Flask, endpoint: str = "static", /, **values: Any) -> dict[str, str]:
    """The URL that each caller gets in a request for `/`."""
    with app.test_request_context("/"):
        return {name: ask(app, endpoint, dict(values)) for name, ask in CALLERS.items()}


def all_get(url: str) -> dict[str, str]:
    """What `asked_by_all` returns when everybody agrees."""
    return dict.fromkeys(CALLERS, url)


def collected(app: Flask) -> list[str]:
    """The keys that a deploy would publish."""
    found = collect(app, state_of(app).settings(), Selection())
    assert found.refusals == ()
    return [asset.key for asset in found.assets]


def key_in(url: str) -> str:
    """The key that a store reads from a URL of host style."""
    return unquote(urlsplit(url).path, errors="strict").removeprefix("/")


def blueprint(folder: Path, name: str, *filenames: str, **options: Any) -> Blueprint:
    """A blueprint with a static folder `folder/blueprints/NAME/static` of files that say whose."""
    static = folder / "blueprints" / name / "static"
    for filename in filenames:
        path = static / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}:{filename}")
    return Blueprint(name, name, static_folder=str(static), root_path=str(folder), **options)
