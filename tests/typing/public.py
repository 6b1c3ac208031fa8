"""A typed app that uses all of the public API: mypy and pyright read it, nothing runs it.

`assert_type` holds each type to exactly what is promised; each `type: ignore` marks what has to be
an error, and is one itself where it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask
from typing_extensions import assert_type

import flask_s3
from flask_s3 import (
    DEFAULT_SETTINGS,
    CredentialsError,
    FlaskS3,
    FlaskS3Error,
    PublishError,
    SettingsError,
    StoreError,
    create_all,
    get_setting,
    published,
    publishing,
    url_for,
)

s3 = FlaskS3()


def create_app() -> Flask:
    app = Flask(__name__)
    s3.init_app(app)
    assert_type(FlaskS3(app), FlaskS3)
    return app


def address() -> str:
    assert_type(url_for("static", filename="app.css"), str)
    return flask_s3.url_for("static", filename="app.css", _external=True, _scheme="https")


def settings(app: Flask) -> None:
    assert_type(get_setting("FLASKS3_BUCKET_NAME", app), Any)
    assert_type(get_setting("FLASKS3_BUCKET_NAME"), Any)
    defaults: Mapping[str, object] = DEFAULT_SETTINGS
    assert defaults


def publish(app: Flask) -> int:
    result = create_all(
        app,
        user="id",
        password="secret",
        bucket_name="bucket",
        location="eu-west-1",
        include_hidden=False,
        filepath_filter_regex=r"\.css$",
        put_bucket_acl=False,
    )
    assert_type(result.uploaded, tuple[str, ...])
    assert_type(result.failed, tuple[str, ...])
    assert_type(result.warnings, tuple[str, ...])
    assert_type(result.release, str | None)
    assert_type(result.seconds, float)
    return result.bytes


def careful(app: Flask) -> str | None:
    try:
        create_all(app)
    except PublishError as error:
        assert_type(error.result.failed, tuple[str, ...])
        return error.result.failures[0].reason
    except CredentialsError as error:
        assert_type(error.exit_code, int)
    except SettingsError as error:
        problem: ValueError = error
        return str(problem)
    except StoreError as error:
        assert_type(error.code, str)
        assert_type(error.status, int | None)
    except FlaskS3Error:
        raise
    return None


def listen() -> None:
    def before(sender: Flask, plan: object, **_: object) -> None: ...

    def after(sender: Flask, result: object, **_: object) -> None: ...

    publishing.connect(before)
    published.connect(after)


def wrong(app: Flask) -> None:
    FlaskS3("app")  # type: ignore[arg-type]
    s3.init_app(None)  # type: ignore[arg-type]
    create_all()  # type: ignore[call-arg]
    create_all(app, bucket="bucket")  # type: ignore[call-arg]
    create_all(app, put_bucket_acl="no")  # type: ignore[arg-type]
