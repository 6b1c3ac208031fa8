"""The extension: what an app imports, and what makes `url_for` point at the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blinker import Namespace
from flask import Flask, current_app
from jinja2 import pass_context
from jinja2.runtime import Context

from .serve import helpers
from .serve.serving import logger, state_of
from .settings import DEFAULT_SETTINGS, Settings

if TYPE_CHECKING:
    from .release.result import Result

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

        Raises:
            BuildError: the manifest cannot be used, and `FLASKS3_STRICT` is set.
        """
        state = state_of(app)
        state.prepare()
        app.jinja_env.globals["url_for"] = url_for
        helpers.install(app)
        app.url_for = state.python_url_for  # type: ignore[method-assign]


@pass_context
def url_for(*arguments: Any, **values: Any) -> str:  # noqa: ANN401
    """Returns the URL of an endpoint, which for a static file is the published one's.

    `url_for(endpoint, **values)`. In a template Jinja hands the template's context over before the
    endpoint, which tells that the URL goes into the response to the request at hand: only then may
    it be an encoded variant's.

    Args:
        *arguments: the endpoint, as `flask.url_for` takes it, relative ones (`.static`) too.
        **values: `filename`, the rule's variables and query arguments; `_scheme` overrides the
            scheme; `_external` asks for a URL that is right for anybody, without encoding;
            `_method` and `_anchor` mean nothing for a static file.

    Raises:
        SettingsError: (a `ValueError`) the endpoint is static, and no bucket is configured.
        MissingFile: the manifest does not know the file, and `FLASKS3_STRICT` is set.
        RuntimeError: there is no application context.
    """
    in_template = False
    if arguments and isinstance(arguments[0], Context):
        in_template, arguments = True, arguments[1:]
    # Each further call on the way would cost a tenth of the whole.
    if len(arguments) == 1 and "endpoint" not in values:
        endpoint = arguments[0]
    else:
        endpoint, values = _split(*arguments, **values)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return state_of(app).url_for(endpoint, values, in_template=in_template)


def _split(endpoint: str, **values: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401
    return endpoint, values


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
        KeyboardInterrupt: Ctrl-C; what was in flight was finished, and the next one goes on.
        PublishError: some keys could not be published, everything else was; its `result` tells, its
            cause is the store's error.
        PurgeError: all of it was published, and the CDN did not drop what changed.
    """
    from .building.collect import Selection  # noqa: PLC0415  (serving never needs what publishing does)
    from .release.prepare import Order  # noqa: PLC0415

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
    from .errors import PurgeError, StoreError  # noqa: PLC0415
    from .release.deploy import carry_out  # noqa: PLC0415
    from .release.prepare import prepare  # noqa: PLC0415
    from .release.publish import Silent  # noqa: PLC0415
    from .release.result import PublishError  # noqa: PLC0415
    from .store.s3 import client_error  # noqa: PLC0415

    try:
        prepared = prepare(app, settings, order)
        publishing.send(app, plan=prepared.plan)
        result, cause = carry_out(prepared, Silent())
    except StoreError as error:
        raise client_error(error) from error
    state_of(app).forget()
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
    if result.purge_errors:
        raise PurgeError(" ".join(result.purge_errors))
    return result
