"""The apps that publish: a module each, with nothing in it but settings."""

from __future__ import annotations

from pathlib import Path

from stores.running import BUCKET, Store

APP = """\
import flask
import flask_s3

app = flask.Flask(
    "bench", root_path={root!r}, static_folder={folder!r}, static_url_path="/static"
)
app.config.update({settings!r})
flask_s3.FlaskS3(app)

if __name__ == "__main__":
    flask_s3.create_all(app)
"""


def write_app(path: Path, folder: Path, store: Store | None, **more: object) -> Path:
    """Writes an app that publishes ``folder`` to a store's bucket, with the store's keys."""
    settings: dict[str, object] = {"FLASKS3_BUCKET_NAME": BUCKET, "FLASKS3_REGION": "us-east-1"}
    if store is not None:
        settings |= {**store.keys, "FLASKS3_ENDPOINT_URL": store.url}
    given = {key: value for key, value in {**settings, **more}.items() if value is not None}
    text = APP.format(root=str(path.parent), folder=str(folder), settings=given)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
