"""The static routes of an app, read from its URL map: a key is a URL's path by construction.

A static route is the app's own, or that of a blueprint with a static folder, however the blueprint
was registered: nested, under a prefix, several times, with a subdomain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from werkzeug.routing import AnyConverter

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.routing import Rule


@dataclass(frozen=True, slots=True)
class Mount:
    """One place where a static folder appears: the URL path before the file's name.

    Attributes:
        path: percent-decoded, from `/` to `/`, such as `/static/`.
        values: the values of the rule's variables other than `filename`.
        defaulted: those that a URL need not name, since the rule has a default.
    """

    path: str
    values: Mapping[str, str]
    defaulted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """A rule that serves the files of a folder.

    Attributes:
        endpoint: as `url_for` takes it.
        folder: the folder's absolute path.
        host: the host or subdomain that the rule is for; empty for the app's own.
        mounts: where its files appear; empty when a variable has no finite set of values.
        rule: the rule as it was written, for messages.
    """

    endpoint: str
    folder: str
    host: str
    mounts: tuple[Mount, ...]
    rule: str


def may_be_static(endpoint: str) -> bool:
    """Returns whether an endpoint's name is one that Flask gives to static routes."""
    return endpoint == "static" or endpoint.endswith(".static")


def static_route(app: Flask, endpoint: str) -> StaticRoute | None:
    """Returns the static route of an endpoint, None when it is something else or does not exist."""
    folder = _static_folder(app, endpoint)
    if folder is None or endpoint not in app.view_functions:
        return None
    for rule in app.url_map.iter_rules(endpoint):
        if rule.rule.endswith("/<path:filename>"):
            mounts = tuple(_mounts(app, rule))
            return StaticRoute(
                endpoint, folder, rule.host or rule.subdomain or "", mounts, rule.rule
            )
    return None


def static_routes(app: Flask) -> list[StaticRoute]:
    """Returns every static route of an app, in the order of registration."""
    endpoints = dict.fromkeys(
        rule.endpoint for rule in app.url_map.iter_rules() if may_be_static(rule.endpoint)
    )
    routes = (static_route(app, endpoint) for endpoint in endpoints)
    return [route for route in routes if route is not None]


def matched_endpoint(app: Flask, path: str, host: str) -> str | None:
    """Returns the endpoint that Flask would serve a URL path by; None when it would not."""
    subdomain = None if app.url_map.host_matching else host
    adapter = app.url_map.bind(host or "localhost", subdomain=subdomain)
    try:
        endpoint, _ = adapter.match(path, method="GET")
    except Exception:
        return None
    return str(endpoint)


def _static_folder(app: Flask, endpoint: str) -> str | None:
    owner: Any = app if endpoint == "static" else app.blueprints.get(endpoint[: -len(".static")])
    if owner is not None:
        return str(owner.static_folder) if owner.has_static_folder else None
    return _flask_vites_folder(app) if endpoint == "vite.static" else None


def _flask_vites_folder(app: Flask) -> str | None:
    """Returns the folder that Flask-Vite serves by a view of its own, None where it does not."""
    vite: Any = app.extensions.get("vite")
    if vite is None:
        return None
    # As its `vite_static` finds it: below the folder that the process runs in.
    folder = Path.cwd() / vite.vite_folder_path / "dist" / "assets"
    view = app.view_functions.get("vite.static")
    return str(folder) if getattr(view, "__self__", None) is vite else None


def _mounts(app: Flask, rule: Rule) -> Iterator[Mount]:
    adapter = app.url_map.bind("localhost")
    for values in _finite_values(rule):
        url = adapter.build(rule.endpoint, {**values, "filename": ""}, force_external=True)
        texts = {name: str(value) for name, value in values.items()}
        yield Mount(unquote(urlsplit(url).path), texts, frozenset(rule.defaults or ()))


def _finite_values(rule: Rule) -> Iterator[dict[str, Any]]:
    """Yields each combination of values of the rule's variables; nothing when they are endless."""
    names = sorted(rule.arguments - {"filename"})
    choices = [_choices(rule, name) for name in names]
    for combination in product(*choices):
        yield dict(zip(names, combination, strict=True))


def _choices(rule: Rule, name: str) -> list[Any]:
    if rule.defaults and name in rule.defaults:
        return [rule.defaults[name]]
    converter = rule._converters.get(name)  # noqa: SLF001  (werkzeug shows them nowhere else)
    return sorted(converter.items) if isinstance(converter, AnyConverter) else []
