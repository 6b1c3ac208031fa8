"""An app from nothing to its first URL; prints what it imported that serving does not need.

python -m probes.first_url FOLDER flask|flask_s3
"""

from __future__ import annotations

import json
import sys

import flask

NAME = "assets/file-00000.css"
#: What publishing needs and serving does not.
HEAVY = ("boto3", "botocore", "awscrt", "brotli", "tree_sitter", "rich")


def main(folder: str, which: str) -> None:
    """Makes the app, and asks it."""
    app = flask.Flask("bench", root_path=folder, static_url_path="/static")
    if which == "flask_s3":
        import flask_s3  # noqa: PLC0415  (it is what is measured)

        app.config.update(FLASKS3_BUCKET_NAME="bench", FLASKS3_FINGERPRINT=True)
        flask_s3.FlaskS3(app)
    with app.test_request_context("/"):
        flask.url_for("static", filename=NAME)
    print(json.dumps({"heavy": [name for name in HEAVY if name in sys.modules]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
