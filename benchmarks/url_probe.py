"""Times ``url_for`` with and without Flask-S3 in one process; run by ``main_job.py``.

    python url_probe.py FOLDER REPEATS NAME [NAME ...]

prints JSON: ``flask``, ``flask_s3`` and ``app`` (``flask.url_for`` on the app with Flask-S3) are
the seconds a call of each repeat; ``loaded`` names what serving must not import. Works with
Flask-S3 0.3.3 too, so it uses only what both have.
"""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable, Sequence

import flask

import flask_s3

#: What publishing needs and serving does not.
HEAVY = ("boto3", "botocore", "awscrt")
LOOPS = 200

Sides = dict[str, tuple[flask.Flask, Callable[..., str]]]


def make_app(folder: str) -> flask.Flask:
    """An app that serves ``folder`` at ``/static``."""
    app = flask.Flask("bench", static_folder=folder, static_url_path="/static")
    app.config.update(FLASKS3_BUCKET_NAME="bench", FLASKS3_REGION="us-east-1")
    return app


def make_sides(folder: str) -> Sides:
    """What is compared: an app, and the function called in its request."""
    plain, published = make_app(folder), make_app(folder)
    flask_s3.FlaskS3(published)
    return {
        "flask": (plain, flask.url_for),
        "flask_s3": (published, flask_s3.url_for),
        "app": (published, flask.url_for),
    }


def seconds_a_call(app: flask.Flask, call: Callable[..., str], names: Sequence[str]) -> float:
    """One repeat inside one request: the mean over all ``names``."""
    statement = "for name in names: call('static', filename=name)"
    timer = timeit.Timer(statement, globals={"call": call, "names": names})
    with app.test_request_context("/"):
        return timer.timeit(LOOPS) / (LOOPS * len(names))


def main(folder: str, repeats: int, names: Sequence[str]) -> None:
    """Measure the sides in turn, after a round of warm-up, and print."""
    sides = make_sides(folder)
    rounds = [
        {name: seconds_a_call(app, call, names) for name, (app, call) in sides.items()}
        for _ in range(repeats + 1)
    ]
    found: dict[str, object] = {name: [r[name] for r in rounds[1:]] for name in sides}
    found["loaded"] = [name for name in HEAVY if name in sys.modules]
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
