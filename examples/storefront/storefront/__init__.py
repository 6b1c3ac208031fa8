"""Pip & Stem: a small shop whose static files Flask-S3 publishes."""

from collections.abc import Mapping

from flask import Flask
from flask_bootstrap import Bootstrap5

from flask_s3 import FlaskS3
from storefront.account import account
from storefront.pages import not_found, pages, price, shelf
from storefront.shop import shop

bootstrap = Bootstrap5()
s3 = FlaskS3()

DEFAULTS: Mapping[str, object] = {
    # Bootstrap's own files are then static files of this app, published like the rest.
    "BOOTSTRAP_SERVE_LOCAL": True,
    "FLASKS3_BUCKET_NAME": "storefront",
    # Names that change with the content, cached for ever; encoded for browsers that want it so,
    # and checked by them.
    "FLASKS3_FINGERPRINT": True,
    "FLASKS3_ENCODINGS": ("br", "gzip"),
    "FLASKS3_INTEGRITY": True,
    # Browsers take workers, and what <use> asks for, from the page's own origin only.
    "FLASKS3_LOCAL": ("js/search-worker.js", "icons/bootstrap-icons.svg"),
    # Themes of Bootstrap's that the shop does not wear.
    "FLASKS3_IGNORE": ("css/bootswatch/",),
}


def create_app(config: Mapping[str, object] | None = None) -> Flask:
    """Return the shop, ready to serve.

    Settings come from `DEFAULTS`, then from the environment (`FLASK_FLASKS3_BUCKET_NAME=…`), then
    from `config`; the last one to name a key wins.
    """
    app = Flask(__name__)
    configure(app, config or {})
    register(app)
    bootstrap.init_app(app)
    s3.init_app(app)
    return app


def configure(app: Flask, config: Mapping[str, object]) -> None:
    """Fill `app.config`, the weakest source first."""
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env()
    app.config.from_mapping(config)


def register(app: Flask) -> None:
    """Give the app its pages, its error page, and what the templates need."""
    app.register_blueprint(pages)
    app.register_blueprint(shop)
    app.register_blueprint(account, url_prefix="/account")
    app.register_error_handler(404, not_found)
    app.add_template_filter(price)
    app.add_template_global(shelf)
