"""Takes a folder through the steps of a deploy and of serving, in one process.

    python -m probes.scale_steps APP

prints JSON: for each step the wall time in seconds, and the peak memory in bytes since the imports.
The peak only grows, so a step that needs no more than those before it adds nothing.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from flask import Flask

import flask_s3
from flask_s3 import manifest_file
from flask_s3.assets import Object
from flask_s3.building.assembly import assemble
from flask_s3.building.collect import Selection, collect
from flask_s3.release.plan import changes
from flask_s3.release.records import Record, record_from_bytes, record_to_bytes
from flask_s3.serve.serving import state_of
from flask_s3.store.protocol import Known

STATUS = Path("/proc/self/status")
T = TypeVar("T")


class Steps:
    """Runs steps, and notes what each took."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}
        self._base = memory("VmRSS")

    def __call__(self, name: str, step: Callable[[], T]) -> T:
        """Runs one."""
        start = time.perf_counter()
        result = step()
        seconds = time.perf_counter() - start
        self.found[name] = {"seconds": seconds, "peak": memory("VmHWM") - self._base}
        return result


def memory(what: str) -> int:
    """Bytes that this process has (``VmRSS``), or had at most (``VmHWM``); 0 outside Linux.

    ``getrusage`` would count what the process that started this one had.
    """
    lines = STATUS.read_text(encoding="ascii").splitlines() if STATUS.exists() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


def known(made: Object) -> Known:
    """What the store holds of an object that was published."""
    return Known(made.body.size, "0" * 32, 1.0, made.body.sha256, made.headers, made.decoded)


def main(app: Flask) -> None:
    """Takes all steps, and prints."""
    settings, steps = state_of(app).settings(), Steps()
    with app.app_context():
        files = len(steps("collect", lambda: collect(app, settings, Selection())).assets)
        build = steps("collect and build", lambda: assemble(app, settings, Selection()))
        objects = build.objects
        steps("plan, all new", lambda: changes(objects, {}, build.refusals))
        held = {made.key: known(made) for made in objects}
        plan = steps("plan, all kept", lambda: changes(objects, held, build.refusals))
        record = Record("id", "2026-01-01T00:00:00Z", "bench", "", held)
        data = steps("write the record", lambda: record_to_bytes(record))
        steps("read the record", lambda: record_from_bytes(data))
        manifest = build.manifest
        file = steps("write the manifest", lambda: manifest_file.write(app, settings, manifest))
        steps("read the manifest", lambda: manifest_file.load(app, settings))
    with app.test_request_context("/"):
        names = [path.removeprefix("static/") for path in manifest.entries]
        steps("a URL of each file", lambda: ask(names))
    sizes = {"the record": len(data), "the manifest": file.stat().st_size}
    found = {"files": files, "kept": len(plan.keeps), "sizes": sizes, "steps": steps.found}
    print(json.dumps(found))


def ask(names: list[str]) -> None:
    """Asks for the URL of each file once, as an app that starts would."""
    for name in names:
        flask_s3.url_for("static", filename=name)


if __name__ == "__main__":
    main(runpy.run_path(sys.argv[1])["app"])
