"""The static files of real extensions, registered as they register themselves, over real HTTP."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest
from flask import Flask, render_template_string

from flask_s3 import FlaskS3, create_all, url_for
from flask_s3.building.objects import IMMUTABLE
from flask_s3.headers import content_type


def flask_admin(app: Flask) -> None:
    from flask_admin import Admin

    Admin(app, name="shop")


def swagger_ui(app: Flask) -> None:
    from flask_swagger_ui import get_swaggerui_blueprint

    app.register_blueprint(get_swaggerui_blueprint("/api/docs", "/static/openapi.json"))


def bootstrap(app: Flask) -> None:
    from flask_bootstrap import Bootstrap5

    Bootstrap5(app)


def appbuilder(app: Flask) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own
        from flask_appbuilder import AppBuilder
        from flask_appbuilder.utils.legacy import get_sqla_class

        app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", RATELIMIT_STORAGE_URI="memory://")
        db = get_sqla_class()()
        db.init_app(app)
        with app.app_context():
            AppBuilder(app, db.session)


def static_files(app: Flask) -> Iterator[tuple[str, str, Path]]:
    """Yields (endpoint, file name, path) of every file, found without our code."""
    owners = {"static": app, **{f"{name}.static": bp for name, bp in app.blueprints.items()}}
    for endpoint, owner in owners.items():
        if not owner.has_static_folder or endpoint not in app.view_functions:
            continue
        folder = Path(owner.static_folder)
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and not any(part.startswith(".") for part in name.split("/")):
                yield endpoint, name, path


@pytest.mark.parametrize("register", [flask_admin, swagger_ui, bootstrap, appbuilder])
def test_every_file_of_a_real_extension_is_served_with_its_bytes_and_type(
    bucket, make_app, register: Callable[[Flask], None]
):
    bucket.open_to_anybody()
    app = make_app(
        {"app.css": "a{}"}, {**bucket.config, "SECRET_KEY": "x", "FLASKS3_PREFIX": "v 1"}
    )
    app.config["FLASKS3_HEADERS"] = {"Cache-Control": "max-age=60"}
    register(app)
    FlaskS3(app)
    files = list(static_files(app))
    with app.app_context():
        expected = {url_for(e, filename=n): (path.read_bytes(), n) for e, n, path in files}

    result = create_all(app)
    close_databases(app)

    assert result.failed == ()
    assert len(result.uploaded) == len(expected) > 1
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(fetched, expected))
    assert answers == [
        (200, body, content_type(name), "max-age=60", None) for body, name in expected.values()
    ]


def test_flask_assets_bundles_are_published_and_rewritten(bucket, make_app):
    from flask_assets import Bundle, Environment

    files = {"css/a.css": "a{background:url(../img/a.png)}", "css/b.css": "b{}", "img/a.png": "x"}
    bucket.open_to_anybody()
    app = make_app(files, {**bucket.config, "FLASKS3_FINGERPRINT": True})
    app.config["FLASK_ASSETS_USE_S3"] = True
    assets = Environment(app)
    bundle = Bundle("css/a.css", "css/b.css", filters="cssrewrite", output="gen/all.css")
    assets.register("all", bundle)
    FlaskS3(app)
    with app.app_context():
        bundle.build()

    create_all(app)

    with app.test_request_context("/"):
        (url,) = bundle.urls()
        image = url_for("static", filename="img/a.png")
        page = render_template_string("{% assets 'all' %}{{ ASSET_URL }}{% endassets %}")
    assert page == url
    assert re.search(r"/static/gen/all\.[0-9a-f]{16}\.css\?[0-9a-f]+$", url)
    _, body, _, cache_control, _ = fetched(f"http:{url}" if url.startswith("//") else url)
    assert body.decode() == "a{background:url(../img/" + image.rpartition("/")[2] + ")}\nb{}"
    assert cache_control == IMMUTABLE


def close_databases(app: Flask) -> None:
    """Closes what AppBuilder opened: Python 3.13 warns of a connection that is left open."""
    if "sqlalchemy" in app.extensions:
        db = app.extensions["sqlalchemy"]
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


def fetched(url: str) -> tuple[int, bytes, str | None, str | None, str | None]:
    with urlopen(url, timeout=30) as answer:
        headers = answer.headers
        return (
            answer.status,
            answer.read(),
            headers["Content-Type"],
            headers["Cache-Control"],
            headers["Content-Encoding"],
        )
