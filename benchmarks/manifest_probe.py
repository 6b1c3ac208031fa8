"""Times ``url_for`` with a manifest beside ``flask.url_for``, in one process; see ``builds.py``.

    python manifest_probe.py FOLDER ENTRIES REPEATS

prints JSON, the seconds of each repeat: ``flask``, ``python`` (fingerprinted, no negotiation) and
``template`` (as Jinja calls it, and the request's ``Accept-Encoding`` decides) a call; ``…_once``
the same when each file is asked for the first time; ``load`` the manifest, from its file; ``start``
from nothing but an app to its first URL.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import flask
from trees import small_name

import flask_s3
from flask_s3 import manifest_file
from flask_s3.building.names import with_codec, with_digest
from flask_s3.manifest import Entry, Manifest, Published, dumps
from flask_s3.settings import Settings

#: What a browser sends.
HEADERS = {"Accept-Encoding": "gzip, deflate, br"}
ENCODINGS = ("br", "gzip")
EXTENSIONS = ("css", "js", "svg", "png")
INTEGRITY = f"sha256-{'A' * 43}="
#: How many of the files a page's worth of calls asks for, and how often a repeat does it.
ASKED, LOOPS = 50, 20

IN_PYTHON = "for name in names: call('static', filename=name)"
IN_TEMPLATE = "for name in names: call(context, 'static', filename=name)"

Timing = Callable[[flask.Flask, Sequence[str], int], float]


def entry(name: str) -> Entry:
    """A file with a digest and two variants."""
    published = with_digest(name, sha256(name.encode()).hexdigest()).rpartition("/")[2]
    variants = {c: Published(with_codec(published, c), INTEGRITY) for c in ENCODINGS}
    return Entry(Published(published, INTEGRITY), variants)


def make_app(folder: Path, **settings: object) -> flask.Flask:
    """An app below ``folder``; with settings, Flask-S3 on it."""
    app = flask.Flask("bench", root_path=str(folder), static_url_path="/static")
    if settings:
        app.config.update(FLASKS3_BUCKET_NAME="bench", FLASKS3_REGION="us-east-1", **settings)
        flask_s3.FlaskS3(app)
    return app


def plain(folder: Path) -> flask.Flask:
    """An app without Flask-S3."""
    return make_app(folder)


def fingerprinted(folder: Path) -> flask.Flask:
    """An app with a manifest."""
    return make_app(folder, FLASKS3_FINGERPRINT=True)


def negotiating(folder: Path) -> flask.Flask:
    """The same, and variants to choose from."""
    return make_app(folder, FLASKS3_FINGERPRINT=True, FLASKS3_ENCODINGS=ENCODINGS)


def with_flask(app: flask.Flask, names: Sequence[str], loops: int) -> float:
    """Seconds a call of ``flask.url_for``."""
    return seconds_a_call(app, IN_PYTHON, {"call": flask.url_for}, names, loops)


def in_python(app: flask.Flask, names: Sequence[str], loops: int) -> float:
    """Seconds a call of ours from Python."""
    return seconds_a_call(app, IN_PYTHON, {"call": flask_s3.url_for}, names, loops)


def in_template(app: flask.Flask, names: Sequence[str], loops: int) -> float:
    """Seconds a call of ours from a template: Jinja hands its context over first."""
    context = app.jinja_env.from_string("").new_context()
    scope = {"call": flask_s3.url_for, "context": context}
    return seconds_a_call(app, IN_TEMPLATE, scope, names, loops)


def seconds_a_call(
    app: flask.Flask, statement: str, scope: dict[str, object], names: Sequence[str], loops: int
) -> float:
    """The mean over all ``names``, in one request."""
    timer = timeit.Timer(statement, globals={**scope, "names": names})
    with app.test_request_context("/", headers=HEADERS):
        return timer.timeit(loops) / (loops * len(names))


SIDES: dict[str, tuple[Callable[[Path], flask.Flask], Timing]] = {
    "flask": (plain, with_flask),
    "python": (fingerprinted, in_python),
    "template": (negotiating, in_template),
}


def load(folder: Path) -> float:
    """Seconds that the manifest takes, from its file."""
    app = negotiating(folder)
    settings = Settings.for_serving(app.config)
    gc.collect()  # no repeat pays for what another left
    start = time.perf_counter()
    manifest_file.load(app, settings)
    return time.perf_counter() - start


def first_url(folder: Path, name: str) -> float:
    """Seconds to the first URL of an app that was just made."""
    app = negotiating(folder)
    with app.test_request_context("/", headers=HEADERS):
        gc.collect()
        start = time.perf_counter()
        flask_s3.url_for("static", filename=name)
        return time.perf_counter() - start


def measured(folder: Path, names: Sequence[str]) -> dict[str, float]:
    """One repeat of everything, the sides in turn."""
    asked = names[:: len(names) // ASKED]
    found = {}
    for side, (make, timing) in SIDES.items():
        app = make(folder)
        timing(app, asked[:1], 1)
        found[f"{side}_once"] = timing(app, names[1::2], 1)
        timing(app, asked, 1)
        found[side] = timing(app, asked, LOOPS)
    return {**found, "load": load(folder), "start": first_url(folder, names[0])}


def main(folder: Path, entries: int, repeats: int) -> None:
    """Measure after a round of warm-up, and print."""
    names = [small_name(n, EXTENSIONS[n % len(EXTENSIONS)]) for n in range(entries)]
    manifest = Manifest({f"static/{name}": entry(name) for name in names})
    folder.joinpath("flask-s3-manifest.json").write_bytes(dumps(manifest))
    rounds = [measured(folder, names) for _ in range(repeats + 1)]
    print(json.dumps({name: [r[name] for r in rounds[1:]] for name in rounds[0]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
