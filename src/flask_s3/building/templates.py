"""What an app's templates ask for, checked before anybody opens a page."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import TemplateError, TemplateSyntaxError, nodes

from ..assets import Level, Problem
from ..manifest import Manifest
from ..patterns import matcher
from ..routes import may_be_static, static_route
from ..settings import Settings
from ..urls import clean
from . import names

if TYPE_CHECKING:
    from flask import Flask
    from jinja2 import BaseLoader

_HELPERS = frozenset({"s3_script", "s3_stylesheet", "s3_preload", "s3_integrity", "s3_importmap"})
# What stands right before an expression that `<use>` gets its file from.
_USE = re.compile(r"<use\b[^>]*\b(?:xlink:)?href\s*=\s*[\"']?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A static file that a template asks for by a literal name.

    Attributes:
        endpoint: as `url_for` takes it.
        filename: the same.
        line: of the template.
        own_origin_as: as what browsers want it from the page's own origin; empty when they do not.
    """

    endpoint: str
    filename: str
    line: int
    own_origin_as: str


@dataclass(frozen=True, slots=True)
class _Site:
    """What templates can ask for: an app's static files, by their own names and bundlers'."""

    app: Flask
    is_local: Callable[[str], bool]
    aliases: Collection[str]

    def has(self, endpoints: Iterable[str], filename: str) -> bool:
        """Returns whether one of the endpoints serves a file; in doubt it does."""
        found = [static_route(self.app, endpoint) for endpoint in endpoints]
        routes = [route for route in found if route is not None]
        name = clean(filename.partition("?")[0])
        if not routes or name is None:
            return not routes  # no static route: a matter of the app's own
        return any(
            os.path.exists(Path(route.folder, name))  # noqa: PTH110
            or any(f"{mount.path[1:]}{name}" in self.aliases for mount in route.mounts)
            for route in routes
        )


def problems(app: Flask, settings: Settings, manifest: Manifest) -> tuple[Problem, ...]:
    """Returns what is wrong with the static files that an app's templates ask for.

    Literal `url_for('static', filename='…')`, and the helpers' literal names, in the templates of
    the app and its blueprints, read by Jinja's own parser.

    Args:
        app: whose templates.
        settings: the app's.
        manifest: which names bundlers know files by.
    """
    site = _Site(app, matcher("FLASKS3_LOCAL", settings.local), manifest.aliases)
    found = {
        problem for owners, loader in _loaders(app) for problem in _of_loader(site, loader, owners)
    }
    return tuple(sorted(found))


def named(app: Flask) -> Iterator[tuple[str, str, int]]:
    """Yields each static file that a template may mean: its path, the template's file, the line.

    Templates that cannot be read are left out: `problems` tells of them.
    """
    for owners, loader in _loaders(app):
        with suppress(TypeError):  # a loader that cannot list its templates
            for name in loader.list_templates():
                yield from _named_in(app, loader, name, owners)


def _named_in(
    app: Flask, loader: BaseLoader, name: str, owners: tuple[str, ...]
) -> Iterator[tuple[str, str, int]]:
    try:
        source, path, _ = loader.get_source(app.jinja_env, name)
        tree = app.jinja_env.parse(source, name, path)
    except (TemplateError, UnicodeDecodeError, OSError):
        return
    for asked in _asked(tree):
        filename = clean(asked.filename.partition("?")[0])
        for endpoint in _endpoints(asked.endpoint, owners):
            route = static_route(app, endpoint)
            for mount in () if route is None or filename is None else route.mounts:
                yield f"{mount.path[1:]}{filename}", path or name, asked.line


def _loaders(app: Flask) -> Iterator[tuple[tuple[str, ...], BaseLoader]]:
    """Yields each template folder, with the names of the blueprints that it belongs to."""
    if app.jinja_loader is not None:
        yield (), app.jinja_loader
    for blueprint in dict.fromkeys(app.blueprints.values()):
        if blueprint.jinja_loader is not None:
            names = tuple(name for name, other in app.blueprints.items() if other is blueprint)
            yield names, blueprint.jinja_loader


def _of_loader(site: _Site, loader: BaseLoader, owners: tuple[str, ...]) -> Iterator[Problem]:
    try:
        names = loader.list_templates()
    except TypeError:  # as Jinja's `FunctionLoader` does
        text = "this template loader cannot list its templates, so none of them was checked."
        yield Problem(type(loader).__name__, 1, text, Level.WARNING)
        return
    for name in names:
        yield from _of_template(site, loader, name, owners)


def _of_template(
    site: _Site, loader: BaseLoader, name: str, owners: tuple[str, ...]
) -> Iterator[Problem]:
    jinja = site.app.jinja_env
    try:
        source, path, _ = loader.get_source(jinja, name)
        tree = jinja.parse(source, name, path)
    except TemplateSyntaxError as error:
        text = f"Jinja cannot read this template ({error.message}), so it was not checked."
        yield Problem(error.filename or name, error.lineno, text, Level.WARNING)
        return
    except (TemplateError, UnicodeDecodeError, OSError):
        return  # a picture among the templates, or one that vanished
    for asked in _asked(tree):
        endpoints = _endpoints(asked.endpoint, owners)
        if not site.has(endpoints, asked.filename):
            text = (
                f"{asked.filename} is not among the static files of {' or '.join(endpoints)}: "
                "correct the name, or add the file."
            )
            yield Problem(path or name, asked.line, text)
        elif asked.own_origin_as and not site.is_local(asked.filename):
            text = (
                f"browsers want {asked.filename}, {asked.own_origin_as}, from the page's own "
                "origin: name it in FLASKS3_LOCAL."
            )
            yield Problem(path or name, asked.line, text, Level.WARNING)


def _asked(tree: nodes.Template) -> Iterator[_Asked]:
    in_use = {id(call) for output in tree.find_all(nodes.Output) for call in _used(output)}
    for call in tree.find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name):
            continue
        given = {keyword.key: _literal(keyword.value) for keyword in call.kwargs}
        first = _literal(call.args[0]) if call.args else None
        if call.node.name == "url_for":
            endpoint, filename = first or given.get("endpoint"), given.get("filename")
        elif call.node.name in _HELPERS:
            endpoint = given.get("endpoint", "static")
            filename = first or given.get("filename")
        else:
            continue
        if endpoint is not None and filename is not None and may_be_static(endpoint):
            own_origin_as = "a service worker" if names.is_service_worker(filename) else ""
            if id(call) in in_use:
                own_origin_as = "which <use> asks for"
            yield _Asked(endpoint, filename, call.lineno, own_origin_as)


def _literal(node: nodes.Node) -> str | None:
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None


def _used(output: nodes.Output) -> Iterator[nodes.Node]:
    """Yields the expressions of an output that stand in the `href` of a `<use>`."""
    for before, node in zip(output.nodes, output.nodes[1:], strict=False):
        if isinstance(before, nodes.TemplateData) and _USE.search(before.data):
            yield node


def _endpoints(endpoint: str, owners: tuple[str, ...]) -> list[str]:
    """Returns what an endpoint may be: a relative one belongs to whoever the template does."""
    if not endpoint.startswith("."):
        return [endpoint]
    return [f"{owner}{endpoint}" for owner in owners]
