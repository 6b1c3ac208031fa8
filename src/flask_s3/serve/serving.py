"""What an app asks at run time: the URL of a static file, by the manifest it was built with.

After the manifest is loaded, once, nothing here touches disk or network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click
from flask import Flask, Response, has_request_context, request

from .. import encodings, manifest_file
from ..errors import BuildError, FlaskS3Error, MissingFile, SettingsError
from ..manifest import Entry, Manifest
from ..patterns import matcher
from ..routes import may_be_static, static_route
from ..settings import BUCKET, Settings, fill_in, flag
from ..urls import CALLS_OWN, Urls

logger = logging.getLogger("flask_s3")

PUBLISHING = "flask_s3.publishing"
"""In the `meta` of a click context: the app is loaded to be published, so it needs no manifest."""

# In a request's environment: a URL was chosen by its Accept-Encoding; preloads for the response;
# its headers have gone out.
_CHOSEN = "flask_s3.chosen"
_LINKS = "flask_s3.links"
_SENT = "flask_s3.sent"
# Names of files that are not in the manifest may come from anywhere.
_MOST_WARNED = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a template helper has to know of a file.

    Attributes:
        url: the published one, or Flask's own.
        integrity: of what stands there; empty where none is to be written.
        is_module: whether it is an ES module, as far as the manifest tells.
    """

    url: str
    integrity: str
    is_module: bool


class State:
    """What the extension keeps of one app, in `app.extensions["s3"]`."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._flask_url_for: Callable[..., str] = app.url_for
        self._filled_in: set[str] = set()
        self._settings: Settings | None = None
        self._urls: Urls | None = None
        self._missed: set[str] = set()
        app.after_request_funcs.setdefault(None, []).append(self._finish)

    def prepare(self) -> None:
        """Sets defaults, obeys debug mode, and forgets what was read before.

        Raises:
            BuildError: the manifest cannot be used, and `FLASKS3_STRICT` is set.
        """
        config = self._app.config
        self._filled_in |= fill_in(config)
        self.forget()
        if self._app.debug and not flag("FLASKS3_DEBUG", config["FLASKS3_DEBUG"]):
            config["FLASKS3_ACTIVE"] = False
        cache_control = config.get("FLASKS3_CACHE_CONTROL")
        if flag("FLASKS3_USE_CACHE_CONTROL", config["FLASKS3_USE_CACHE_CONTROL"]) and cache_control:
            with suppress(TypeError, ValueError):  # a deploy names wrong headers; pages stay up
                config["FLASKS3_HEADERS"] = {
                    **dict(config["FLASKS3_HEADERS"] or {}),
                    "Cache-Control": cache_control,
                }
        self._start()

    def forget(self) -> None:
        """Forgets settings and manifest, so that they are read anew: another one was published."""
        self._settings = self._urls = None

    def _start(self) -> None:
        """Gets what has to be there before the first request, where the settings ask for it."""
        config = self._app.config
        try:
            active = self._is_active()
            fingerprint, strict = (
                flag(key, config[key]) for key in ("FLASKS3_FINGERPRINT", "FLASKS3_STRICT")
            )
        except SettingsError:  # the first URL names it, or the command that was started
            return
        if not active or not fingerprint or _is_publishing():
            return
        if strict or config["FLASKS3_MANIFEST"] == BUCKET:
            self._made_urls()

    def settings(self, **overrides: str | None) -> Settings:
        """Returns the settings for publishing, as they are now.

        Raises:
            SettingsError: one cannot work.
        """
        return Settings.read(self._app.config, filled_in=self._filled_in, overrides=overrides)

    # -- URLs

    def python_url_for(
        self,
        endpoint: str,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: Any,  # noqa: ANN401
    ) -> str:
        """Stands in for `app.url_for`, which `flask.url_for` asks; the same signature."""
        if may_be_static(endpoint) and self._is_active() and self._serving().python_urls:
            url = self._static_url(
                endpoint, values if _scheme is None else {**values, "_scheme": _scheme}, ()
            )
            if url is not None:
                return url
        return self._flask_url_for(
            endpoint,
            _anchor=_anchor,
            _method=_method,
            _scheme=_scheme,
            _external=_external,
            **values,
        )

    def url_for(self, endpoint: str, values: dict[str, Any], *, in_template: bool = False) -> str:
        """Returns the URL of an endpoint: the bucket's for a published file, else Flask's own.

        Args:
            endpoint: as `flask.url_for` takes it.
            values: the same.
            in_template: whether it goes into the response to the request at hand, so that the
                request's `Accept-Encoding` may choose an encoded variant.

        Raises:
            SettingsError: the endpoint is static, and no bucket is configured.
            MissingFile: the manifest does not know the file, and `FLASKS3_STRICT` is set.
            werkzeug.routing.BuildError: there is no such endpoint.
        """
        # `may_be_static`, without another call in what every URL of a page goes through.
        if (endpoint == "static" or endpoint.endswith(".static")) and self._is_active():
            codecs = self._codecs() if in_template and not values.get("_external") else ()
            urls = self._urls
            # Nearly every call asks, by an endpoint that is known by now, for nothing but a file.
            if urls is not None and len(values) == 1 and not self._app.url_default_functions:
                url = urls.plain(endpoint, values.get("filename"), codecs)
                if url is not None:
                    return url
            url = self._static_url(endpoint, values, codecs)
            if url is not None:
                return url
        return self._flask_url_for(endpoint, **values)

    def _is_active(self) -> bool:
        config = self._app.config
        active = config.get("FLASKS3_ACTIVE", True)
        if active is not True and not flag("FLASKS3_ACTIVE", active):
            return False
        if config["DEBUG"] and not flag("FLASKS3_DEBUG", config.get("FLASKS3_DEBUG")):
            return False
        if not config["TESTING"]:
            return True
        return flag("FLASKS3_OVERRIDE_TESTING", config.get("FLASKS3_OVERRIDE_TESTING", True))

    def _static_url(
        self, endpoint: str, values: dict[str, Any], codecs: tuple[str, ...]
    ) -> str | None:
        resolved = self._resolved(endpoint, values)
        if resolved is None:
            return None
        urls, endpoint, values = resolved
        if len(values) == 1:
            url = urls.plain(endpoint, values.get("filename"), codecs)
            if url is not None:
                return url
        if self._app.url_map.sort_parameters:
            values = dict(sorted(values.items(), key=self._app.url_map.sort_key))
        return urls.general(endpoint, values, codecs)

    def _resolved(
        self, endpoint: str, values: dict[str, Any]
    ) -> tuple[Urls, str, dict[str, Any]] | None:
        """Returns the URLs, the endpoint by its whole name, and values with the app's defaults.

        None when the endpoint serves no static folder.
        """
        if endpoint[0] == ".":
            if not has_request_context():
                return None
            endpoint = f"{request.blueprint}{endpoint}" if request.blueprint else endpoint[1:]
        urls = self._made_urls()
        if not urls.knows(endpoint) and not self._learn(urls, endpoint):
            return None
        if self._app.url_default_functions:
            own = {name: value for name, value in values.items() if name not in CALLS_OWN}
            self._app.inject_url_defaults(endpoint, own)
            values = {**own, "_scheme": values.get("_scheme")}
        return urls, endpoint, values

    def _learn(self, urls: Urls, endpoint: str) -> bool:
        """Reads an endpoint's route; one that is not static is looked up again next time."""
        route = static_route(self._app, endpoint)
        if route is not None:
            urls.add(endpoint, route.mounts)
        return route is not None

    # -- the manifest

    def _made_urls(self) -> Urls:
        if self._urls is not None:
            return self._urls
        settings = self._serving()
        local = matcher("FLASKS3_LOCAL", settings.local)
        ignored = matcher("FLASKS3_IGNORE", settings.ignore)
        self._urls = Urls(
            settings,
            lambda filename: local(filename) or ignored(filename),
            self._manifest(settings) if settings.fingerprint else None,
            self._missing,
        )
        return self._urls

    def _manifest(self, settings: Settings) -> Manifest | None:
        try:
            if settings.manifest == BUCKET:
                from .fetched import manifest_in_force  # noqa: PLC0415  (only then is S3 needed)

                return manifest_in_force(self._app.name, self.settings())
            return manifest_file.load(self._app, settings)
        except FlaskS3Error as error:
            text = f"{error} Until then static files are asked for by their plain names."
            if settings.strict:
                raise BuildError(f"FLASKS3_STRICT: {error}") from None
            logger.warning(text)
            return None

    def _missing(self, path: str) -> None:
        what, mend = f"{path} is not in the manifest", "build again, or correct the name."
        if self._serving().strict:
            raise MissingFile(f"{what}, which FLASKS3_STRICT refuses: {mend}")
        if path not in self._missed and len(self._missed) < _MOST_WARNED:
            self._missed.add(path)
            text = f"{what}, so its plain URL is used: {mend}"
            logger.warning(text)

    def _serving(self) -> Settings:
        if self._settings is None:
            self._settings = Settings.for_serving(self._app.config, filled_in=self._filled_in)
        return self._settings

    # -- the response at hand

    def _codecs(self) -> tuple[str, ...]:
        """Returns the codings to choose from, and sees to it that the response says so."""
        offered = self._serving().encodings
        if not offered or not has_request_context():
            return ()
        # Five times as fast as request.environ, in what every URL of a page goes through.
        environ = request._get_current_object().environ  # type: ignore[attr-defined]  # noqa: SLF001
        if _SENT in environ and _CHOSEN not in environ:
            return ()  # what varies could not be said any more
        environ[_CHOSEN] = True
        return encodings.preferred(environ.get("HTTP_ACCEPT_ENCODING", ""), offered)

    def _finish(self, response: Response) -> Response:
        environ = request.environ
        environ[_SENT] = True
        if _CHOSEN in environ:
            response.vary.add("Accept-Encoding")
        for link in environ.get(_LINKS, ()):
            response.headers.add("Link", link)
        return response

    def add_link(self, value: str) -> bool:
        """Adds a `Link` header to the response at hand; returns whether that is possible still."""
        if not has_request_context() or _SENT in request.environ:
            return False
        request.environ.setdefault(_LINKS, {})[value] = None
        return True

    # -- what helpers ask

    def asked(self, endpoint: str, filename: str) -> Asked:
        """Returns what a template helper has to know of a file."""
        url = self.url_for(endpoint, {"filename": filename}, in_template=True)
        entered = self._entered(endpoint, filename)
        if entered is None:
            return Asked(url, "", is_module=False)
        manifest, path, entry = entered
        # An `@import` asks without CORS, and S3's answer to that has none: a tag that asked with it
        # would get that answer from the browser's cache, and the style sheet would be blocked.
        is_checked = self._serving().integrity and path not in manifest.imported_style_sheets
        integrity = entry.best(self._codecs()).integrity if is_checked else ""
        return Asked(url, integrity, path in manifest.modules)

    def import_map(self, endpoint: str, filename: str) -> tuple[dict[str, str], dict[str, str]]:
        """Returns where each module that one imports stands, by its plain URL; and integrity.

        Nothing when the app serves its own files, or there is no manifest.
        """
        entered = self._entered(endpoint, filename)
        if entered is None:
            return {}, {}
        manifest, path, _ = entered
        urls, codecs = self._made_urls(), self._codecs()
        imports: dict[str, str] = {}
        integrity: dict[str, str] = {}
        for found in filter(None, map(manifest.find, manifest.reachable(path))):
            url = urls.of_entry(*found, codecs)
            imports |= dict.fromkeys(urls.of_specifiers(found[0]), url)
            integrity[url] = found[1].best(codecs).integrity
        return imports, integrity if self._serving().integrity else {}

    def origin(self) -> str:
        """Returns the origin of the published files, empty when the app serves its own."""
        return self._made_urls().base.origin if self._is_active() else ""

    def _entered(self, endpoint: str, filename: str) -> tuple[Manifest, str, Entry] | None:
        """Returns the manifest, a file's path in there, and its entry; None when it has none."""
        resolved = self._resolved(endpoint, {"filename": filename}) if self._is_active() else None
        if resolved is None:
            return None
        urls, endpoint, values = resolved
        found = urls.found(endpoint, values)
        return None if found is None or urls.manifest is None else (urls.manifest, *found)


def _is_publishing() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and PUBLISHING in context.meta


def state_of(app: Flask) -> State:
    """Returns the extension's state of an app; made on first use, so `init_app` is not required."""
    state = app.extensions.get("s3")
    if not isinstance(state, State):
        state = app.extensions["s3"] = State(app)
    return state
