"""Times a build that has everything in its cache, and reading and hashing the files, in turn.

    python -m probes.warm_builds APP FOLDER REPEATS

prints JSON: the seconds of each repeat, ``build`` (files to written manifest, as ``flask s3 build``
does it) and ``hash``. One process, and nothing of what it imports is measured.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections.abc import Callable

from flask import Flask

from flask_s3 import manifest_file
from flask_s3.building.assembly import assemble
from flask_s3.building.collect import Selection
from flask_s3.serve.serving import state_of
from probes.hash_files import digests


def build(app: Flask) -> None:
    """What ``flask s3 build`` does."""
    settings = state_of(app).settings()
    with app.app_context():
        manifest_file.write(app, settings, assemble(app, settings, Selection()).manifest)


def seconds(job: Callable[[], object]) -> float:
    """How long a job takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def main(app: Flask, folder: str, repeats: int) -> None:
    """Measure both in turn, after a round of warm-up, and print."""
    pairs = [
        (seconds(lambda: build(app)), seconds(lambda: digests(folder))) for _ in range(repeats + 1)
    ]
    builds, hashes = zip(*pairs[1:], strict=True)
    print(json.dumps({"build": builds, "hash": hashes}))


if __name__ == "__main__":
    main(runpy.run_path(sys.argv[1])["app"], sys.argv[2], int(sys.argv[3]))
