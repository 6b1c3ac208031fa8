"""A bakery with two apps, what customers see and what the bakers see, in one bucket."""

from collections.abc import Mapping

from flask import Flask

from bakery.brand import brand
from bakery.counter import counter
from bakery.kitchen import kitchen
from flask_s3 import FlaskS3

s3 = FlaskS3()  # one for both apps: what it knows of an app lives with that app

COMMON: Mapping[str, object] = {
    "FLASKS3_BUCKET_NAME": "flask-s3-bakery",
    "FLASKS3_FINGERPRINT": True,
}


def create_counter(config: Mapping[str, object] | None = None) -> Flask:
    """Return the app for customers."""
    app = Flask("bakery.counter")
    app.register_blueprint(counter)
    return publish_under("counter", app, config or {})


def create_kitchen(config: Mapping[str, object] | None = None) -> Flask:
    """Return the app for bakers."""
    app = Flask("bakery.kitchen")
    app.register_blueprint(kitchen)
    return publish_under("kitchen", app, config or {})


def publish_under(prefix: str, app: Flask, config: Mapping[str, object]) -> Flask:
    """Return an app whose files have a prefix of their own, so that none overwrites another's."""
    app.register_blueprint(brand)
    app.config.from_mapping(COMMON, FLASKS3_PREFIX=prefix)
    app.config.from_prefixed_env()  # FLASK_FLASKS3_BUCKET_NAME=… names another bucket
    app.config.from_mapping(config)
    s3.init_app(app)
    return app
