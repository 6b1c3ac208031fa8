"""Times ``url_for`` beside ``flask.url_for``, in one process.

    python -m probes.time_urls FOLDER ENTRIES REPEATS

prints JSON, the seconds a call of each repeat: ``flask`` (an app without Flask-S3), ``plain``,
``fingerprinted`` (with a manifest), ``negotiated`` (as Jinja calls it, and the request's
``Accept-Encoding`` chooses a variant), ``app`` (``flask.url_for`` on the plain app with Flask-S3).
``…_once`` is the same when each file is asked for the first time; ``load`` loads the manifest.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from pathlib import Path

import flask

import flask_s3
from flask_s3 import manifest_file
from flask_s3.settings import Settings
from probes.manifests import ENCODINGS, names_of, write_manifest

#: What a browser sends.
HEADERS = {"Accept-Encoding": "gzip, deflate, br"}
#: How many of the files a page's worth of calls asks for, and how often a repeat does it.
ASKED, LOOPS = 50, 20
IN_PYTHON = "for name in names: call('static', filename=name)"
IN_TEMPLATE = "for name in names: call(context, 'static', filename=name)"
FINGERPRINTED: dict[str, object] = {"FLASKS3_FINGERPRINT": True}
NEGOTIATED: dict[str, object] = {"FLASKS3_FINGERPRINT": True, "FLASKS3_ENCODINGS": ENCODINGS}


def make_app(folder: Path, settings: dict[str, object] | None) -> flask.Flask:
    """An app below ``folder``; with settings, even none, Flask-S3 on it."""
    app = flask.Flask("bench", root_path=str(folder), static_url_path="/static")
    if settings is not None:
        app.config.update(FLASKS3_BUCKET_NAME="bench", FLASKS3_REGION="us-east-1", **settings)
        flask_s3.FlaskS3(app)
    return app


#: Settings, the function that is called, and how.
SIDES: dict[str, tuple[dict[str, object] | None, Callable[..., str], str]] = {
    "flask": (None, flask.url_for, IN_PYTHON),
    "plain": ({}, flask_s3.url_for, IN_PYTHON),
    "fingerprinted": (FINGERPRINTED, flask_s3.url_for, IN_PYTHON),
    "negotiated": (NEGOTIATED, flask_s3.url_for, IN_TEMPLATE),
    "app": ({}, flask.url_for, IN_PYTHON),
}


def seconds_a_call(
    app: flask.Flask, call: Callable[..., str], statement: str, names: Sequence[str], loops: int
) -> float:
    """The mean over all ``names``, in one request; Jinja hands its context over first."""
    context = app.jinja_env.from_string("").new_context()
    scope = {"call": call, "context": context, "names": names}
    timer = timeit.Timer(statement, globals=scope)
    with app.test_request_context("/", headers=HEADERS):
        return timer.timeit(loops) / (loops * len(names))


def load(folder: Path) -> float:
    """Seconds that the manifest takes, from its file."""
    app = make_app(folder, NEGOTIATED)
    settings = Settings.for_serving(app.config)
    gc.collect()  # no repeat pays for what another left
    start = time.perf_counter()
    manifest_file.load(app, settings)
    return time.perf_counter() - start


def measured(folder: Path, names: Sequence[str]) -> dict[str, float]:
    """One repeat of everything, the sides in turn."""
    asked = names[:: len(names) // ASKED]
    found = {}
    for side, (settings, call, statement) in SIDES.items():
        app = make_app(folder, settings)
        seconds_a_call(app, call, statement, asked[:1], 1)
        found[f"{side}_once"] = seconds_a_call(app, call, statement, names[1::2], 1)
        seconds_a_call(app, call, statement, asked, 1)
        found[side] = seconds_a_call(app, call, statement, asked, LOOPS)
    return {**found, "load": load(folder)}


def main(folder: Path, entries: int, repeats: int) -> None:
    """Measures after a round of warm-up, and prints."""
    names = names_of(entries)
    write_manifest(folder, names)
    rounds = [measured(folder, names) for _ in range(repeats + 1)]
    print(json.dumps({name: [r[name] for r in rounds[1:]] for name in rounds[0]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
