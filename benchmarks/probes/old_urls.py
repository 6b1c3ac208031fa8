"""Times Flask-S3 0.3.3's ``url_for`` beside Flask's, in the environment that has 0.3.3.

    python -m probes.old_urls REPEATS

prints JSON: ``flask`` and ``old``, the seconds a call of each repeat.
"""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable

import flask

import flask_s3

NAMES = ("css/site.css", "js/app.js", "img/logo.svg", "vendor/a/b/c/deep.min.js")
LOOPS = 200


def make_app() -> flask.Flask:
    """An app with the settings that 0.3.3 knows."""
    app = flask.Flask("bench", static_url_path="/static")
    app.config.update(FLASKS3_BUCKET_NAME="bench", FLASKS3_REGION="us-east-1")
    return app


def seconds_a_call(app: flask.Flask, call: Callable[..., str]) -> float:
    """The mean over all names, in one request."""
    statement = "for name in names: call('static', filename=name)"
    timer = timeit.Timer(statement, globals={"call": call, "names": NAMES})
    with app.test_request_context("/"):
        return timer.timeit(LOOPS) / (LOOPS * len(NAMES))


def main(repeats: int) -> None:
    """Measures both in turn, after a round of warm-up, and prints."""
    alone, published = make_app(), make_app()
    flask_s3.FlaskS3(published)
    rounds = [
        (seconds_a_call(alone, flask.url_for), seconds_a_call(published, flask_s3.url_for))
        for _ in range(repeats + 1)
    ]
    plain, old = zip(*rounds[1:], strict=True)
    print(json.dumps({"flask": plain, "old": old}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
