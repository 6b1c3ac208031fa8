"""What must not get slower: calls are counted, since they are the same on every machine.

Counted are calls of functions of `flask_s3`, and calls from its code of what is written in C.
Calls of comprehensions and generators are left out: what is one differs between Pythons.

A figure may move by a tenth. After a change that is meant:
`pytest tests/test_call_counts.py --update-counts`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from conftest import AppMaker

import flask_s3
from flask_s3 import manifest_file
from flask_s3.building.assembly import assemble
from flask_s3.building.collect import Selection
from flask_s3.building.objects import Build
from flask_s3.release.plan import changes
from flask_s3.serve.serving import state_of
from flask_s3.store.protocol import Known

STORED = Path(__file__).with_name("call_counts.json")
OURS = str(Path(flask_s3.__file__).parent)
TOLERANCE = 0.1
FILES = 40
TIMES = 1000
SETTINGS: Mapping[str, Any] = {
    "FLASKS3_BUCKET_NAME": "counted",
    "FLASKS3_REGION": "us-east-1",
}
FINGERPRINTS = {**SETTINGS, "FLASKS3_FINGERPRINT": True}
NEGOTIATED = {**FINGERPRINTS, "FLASKS3_ENCODINGS": ["br", "gzip"]}


def files() -> dict[str, bytes]:
    """Style sheets that refer to pictures, scripts that import each other, and pictures."""
    made: dict[str, bytes] = {}
    for n in range(FILES):
        made[f"css/{n}.css"] = b".a%d { background: url(../img/%d.svg) }\n" % (n, n) * 40
        made[f"js/{n}.js"] = b'import "./%d.js";\nconsole.log(%d);\n' % (n + 1, n) * 40
        made[f"img/{n}.svg"] = b'<svg xmlns="http://www.w3.org/2000/svg" id="a%d"/>\n' % n
    return {**made, f"js/{FILES}.js": b"export {}\n"}


def calls(job: Callable[[], object]) -> int:
    """How many calls a job makes: of our functions, and by them of what is written in C."""
    count = 0

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        code = frame.f_code
        if code.co_filename.startswith(OURS):
            count += event == "c_call" or (event == "call" and code.co_name[0] != "<")

    sys.setprofile(profile)
    try:
        job()
    finally:
        sys.setprofile(None)
    return count


def urls_of(make_app: AppMaker, config: Mapping[str, Any]) -> int:
    app = make_app(files(), config)
    if "FLASKS3_FINGERPRINT" in config:
        write_manifest(app)
    flask_s3.FlaskS3(app)
    headers = {"Accept-Encoding": "gzip, deflate, br"}
    with app.test_request_context("/", headers=headers):
        names = [f"css/{n}.css" for n in range(FILES)]
        template = app.jinja_env.from_string(
            "{% for name in names %}{{ url_for('static', filename=name) }}{% endfor %}"
        )
        template.render(names=names)
        return calls(lambda: template.render(names=names * (TIMES // FILES)))


def write_manifest(app: Any) -> None:
    builder = type(app)(app.name, root_path=app.root_path)
    builder.config.update(app.config)
    flask_s3.FlaskS3(builder)
    with builder.app_context():
        settings = state_of(builder).settings()
        build = assemble(builder, settings, Selection())
        manifest_file.write(builder, settings, build.manifest)


def build_of(make_app: AppMaker, config: Mapping[str, Any]) -> tuple[int, Build]:
    app = make_app(files(), config)
    flask_s3.FlaskS3(app)
    built: list[Build] = []
    with app.app_context():
        settings = state_of(app).settings()
        count = calls(lambda: built.append(assemble(app, settings, Selection())))
    return count, built[0]


def plan_of(make_app: AppMaker, *, kept: bool) -> int:
    build = build_of(make_app, FINGERPRINTS)[1]
    held = {
        made.key: Known(made.body.size, "0" * 32, 1.0, made.body.sha256, made.headers)
        for made in build.objects
    }
    return calls(lambda: changes(build.objects, held if kept else {}, ()))


COUNTED: Mapping[str, Callable[[AppMaker], int]] = {
    "a thousand plain URLs": lambda make_app: urls_of(make_app, SETTINGS),
    "a thousand fingerprinted URLs": lambda make_app: urls_of(make_app, FINGERPRINTS),
    "a thousand negotiated URLs": lambda make_app: urls_of(make_app, NEGOTIATED),
    "a plain build": lambda make_app: build_of(make_app, SETTINGS)[0],
    "a fingerprinted build": lambda make_app: build_of(make_app, FINGERPRINTS)[0],
    "a plan that sends all": lambda make_app: plan_of(make_app, kept=False),
    "a plan that sends nothing": lambda make_app: plan_of(make_app, kept=True),
}


@pytest.mark.parametrize("what", COUNTED)
def test_it_does_not_get_slower(what: str, make_app: AppMaker, request: pytest.FixtureRequest):
    count = COUNTED[what](make_app)

    if request.config.getoption("--update-counts"):
        stored = json.loads(STORED.read_text()) if STORED.exists() else {}
        STORED.write_text(json.dumps({**stored, what: count}, indent=2) + "\n")
    expected = json.loads(STORED.read_text())[what]
    assert abs(count - expected) <= expected * TOLERANCE, (
        f"{what}: {count} calls where {expected} are stored; when that is meant, run "
        "`pytest tests/test_call_counts.py --update-counts` and say why in the commit"
    )
