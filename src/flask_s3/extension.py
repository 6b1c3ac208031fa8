"""The extension: what an app imports, and what makes `url_for` point at the bucket."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from blinker import Namespace
from flask import Flask, current_app, has_request_context, request

from .patterns import matcher
from .routes import may_be_static, static_route
from .settings import DEFAULT_SETTINGS, Settings, fill_in, flag
from .urls import CALLS_OWN, Urls

if TYPE_CHECKING:
    from .result import Result

logger = logging.getLogger("flask_s3")

_signals = Namespace()
publishing = _signals.signal("publishing")
"""Sent before anything is written, with the app as sender and `plan`."""
published = _signals.signal("published")
"""Sent after a deploy, failed or not, with the app as sender and `result`."""


class FlaskS3:
    """Makes an app's `url_for` point at the bucket that its static files are published to.

    Args:
        app: the app to prepare at once; `init_app` prepares others.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Prepares an app, before or after its config is loaded; again to read the settings anew.

        The settings that 0.3 had get their defaults in `app.config`. `FLASKS3_ACTIVE` becomes
        `False` when the app is in debug mode and `FLASKS3_DEBUG` is not set.
        """
        state = state_of(app)
        state.prepare()
        app.jinja_env.globals["url_for"] = url_for
        app.url_for = state.python_url_for  # type: ignore[method-assign]


class State:
    """What the extension keeps of one app, in `app.extensions["s3"]`."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._flask_url_for: Callable[..., str] = app.url_for
        self._filled_in: set[str] = set()
        self._settings: Settings | None = None
        self._urls: Urls | None = None

    def prepare(self) -> None:
        """Sets defaults, obeys debug mode, and forgets what was read before."""
        config = self._app.config
        self._filled_in |= fill_in(config)
        self._settings = self._urls = None
        if self._app.debug and not flag("FLASKS3_DEBUG", config["FLASKS3_DEBUG"]):
            config["FLASKS3_ACTIVE"] = False
        cache_control = config.get("FLASKS3_CACHE_CONTROL")
        if flag("FLASKS3_USE_CACHE_CONTROL", config["FLASKS3_USE_CACHE_CONTROL"]) and cache_control:
            with suppress(TypeError, ValueError):  # a deploy names wrong headers; pages stay up
                config["FLASKS3_HEADERS"] = {
                    **dict(config["FLASKS3_HEADERS"] or {}),
                    "Cache-Control": cache_control,
                }

    def settings(self, **overrides: str | None) -> Settings:
        """Returns the settings for publishing, as they are now.

        Raises:
            SettingsError: one cannot work.
        """
        return Settings.read(self._app.config, filled_in=self._filled_in, overrides=overrides)

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
                endpoint, values if _scheme is None else {**values, "_scheme": _scheme}
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

    def url_for(self, endpoint: str, values: dict[str, Any]) -> str:
        """Returns the URL of an endpoint: the bucket's for a published file, else Flask's own.

        Raises:
            SettingsError: the endpoint is static, and no bucket is configured.
            werkzeug.routing.BuildError: there is no such endpoint.
        """
        if may_be_static(endpoint) and self._is_active():
            url = self._static_url(endpoint, values)
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

    def _static_url(self, endpoint: str, values: dict[str, Any]) -> str | None:
        if endpoint[0] == ".":
            if not has_request_context():
                return None
            endpoint = f"{request.blueprint}{endpoint}" if request.blueprint else endpoint[1:]
        urls = self._urls or self._made_urls()
        if not urls.knows(endpoint) and not self._learn(urls, endpoint):
            return None
        if self._app.url_default_functions:
            own = {name: value for name, value in values.items() if name not in CALLS_OWN}
            self._app.inject_url_defaults(endpoint, own)
            values = {**own, "_scheme": values.get("_scheme")}
        if len(values) == 1 and type(filename := values.get("filename")) is str:
            url = urls.plain(endpoint, filename)
            if url is not None:
                return url
        if self._app.url_map.sort_parameters:
            values = dict(sorted(values.items(), key=self._app.url_map.sort_key))
        return urls.general(endpoint, values)

    def _learn(self, urls: Urls, endpoint: str) -> bool:
        """Reads an endpoint's route; one that is not static is looked up again next time."""
        route = static_route(self._app, endpoint)
        if route is not None:
            urls.add(endpoint, route.mounts)
        return route is not None

    def _made_urls(self) -> Urls:
        settings = self._serving()
        local = matcher("FLASKS3_LOCAL", settings.local)
        ignored = matcher("FLASKS3_IGNORE", settings.ignore)
        self._urls = Urls(settings, lambda filename: local(filename) or ignored(filename))
        return self._urls

    def _serving(self) -> Settings:
        if self._settings is None:
            self._settings = Settings.for_serving(self._app.config, filled_in=self._filled_in)
        return self._settings


def state_of(app: Flask) -> State:
    """Returns the extension's state of an app; made on first use, so `init_app` is not required."""
    state = app.extensions.get("s3")
    if not isinstance(state, State):
        state = app.extensions["s3"] = State(app)
    return state


def url_for(endpoint: str, **values: Any) -> str:  # noqa: ANN401
    """Returns the URL of an endpoint, which for a static file is the bucket's.

    Args:
        endpoint: as `flask.url_for` takes it, relative ones (`.static`) too.
        **values: `filename`, the rule's variables and query arguments; `_scheme` overrides the
            scheme; `_external`, `_method` and `_anchor` mean nothing for a static file.

    Raises:
        SettingsError: (a `ValueError`) the endpoint is static, and no bucket is configured.
        RuntimeError: there is no application context.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return state_of(app).url_for(endpoint, values)


def get_setting(name: str, app: Flask | None = None) -> Any:  # noqa: ANN401
    """Returns a setting's value in the app's config, its default, or None when it has neither."""
    default = DEFAULT_SETTINGS.get(name)
    return app.config.get(name, default) if app else default


def create_all(
    app: Flask,
    user: str | None = None,
    password: str | None = None,
    bucket_name: str | None = None,
    location: str | None = None,
    include_hidden: bool = False,
    filepath_filter_regex: str | None = None,
    put_bucket_acl: bool = True,
) -> Result:
    """Publishes an app's static files, those of its blueprints included, and returns what was done.

    Args:
        app: the app; `FlaskS3(app)` is not needed.
        user: access key id, instead of `AWS_ACCESS_KEY_ID`.
        password: secret access key, instead of `AWS_SECRET_ACCESS_KEY`.
        bucket_name: instead of `FLASKS3_BUCKET_NAME`; the bucket is created when it is missing.
        location: region, instead of `FLASKS3_REGION`.
        include_hidden: publish hidden files too.
        filepath_filter_regex: only files in whose path, relative to the static folder, it is found.
        put_bucket_acl: see to it that anybody can read what is published; `False` sets no ACL and
            no policy.

    Raises:
        SettingsError: (a `ValueError`) a setting or argument cannot work; nothing was published.
        StoreError: (also a `botocore.exceptions.ClientError` where the store answered) the store
            did not let us look or remember.
        KeyboardInterrupt: Ctrl-C; what was in flight was finished and recorded.
        PublishError: some keys could not be published, everything else was; its `result` tells, its
            cause is the store's error.
    """
    from .collect import Selection  # noqa: PLC0415  (serving never needs what publishing does)
    from .deploy import Order  # noqa: PLC0415

    settings = state_of(app).settings(
        access_key_id=user, secret_access_key=password, bucket_name=bucket_name, region=location
    )
    order = Order(
        selection=Selection.of(
            include_hidden=include_hidden,
            regex=filepath_filter_regex,
            source="filepath_filter_regex",
        ),
        everything=None if settings.only_modified else "FLASKS3_ONLY_MODIFIED is off",
        verify_remote=True,
        public=put_bucket_acl,
    )
    return _create_all(app, settings, order)


def _create_all(app: Flask, settings: Settings, order: Any) -> Result:  # noqa: ANN401
    from . import deploy  # noqa: PLC0415
    from .errors import StoreError  # noqa: PLC0415
    from .publish import Silent  # noqa: PLC0415
    from .result import PublishError  # noqa: PLC0415
    from .s3 import client_error  # noqa: PLC0415

    try:
        prepared = deploy.prepare(app, settings, order)
        publishing.send(app, plan=prepared.plan)
        result, cause = deploy.carry_out(prepared, Silent())
    except StoreError as error:
        raise client_error(error) from error
    published.send(app, result=result)
    if result.interrupted:
        raise KeyboardInterrupt
    for text in result.warnings:
        logger.warning(text)
    if result.failed:
        first = result.failures[0]
        raise PublishError(
            f"{len(result.failed)} of {len(result.failed) + len(result.uploaded)} files could not "
            f"be published, every other one was: {first.key}: {first.reason}",
            result,
        ) from (client_error(cause) if isinstance(cause, StoreError) else cause)
    return result
