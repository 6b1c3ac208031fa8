"""What browsers take from the page's own origin only: docs/howto/own-origin.md, in Chromium."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from browsing import Visit, open_to_browsers, serving
from conftest import Bucket
from flask import Flask, Response, render_template_string

from flask_s3 import FlaskS3, create_all

pytestmark = pytest.mark.browser

SHAPES = """<svg xmlns="http://www.w3.org/2000/svg">
  <symbol id="leaf" viewBox="0 0 10 10"><rect width="10" height="10"/></symbol>
</svg>"""
FILES = {
    "css/tea.css": "h1 { color: rgb(1, 2, 3) }",
    "img/shapes.svg": SHAPES,
    "js/worker.js": 'import { words } from "./words.js"; postMessage(words);',
    "js/classic-worker.js": "onmessage = (told) => { importScripts(told.data); postMessage(ours) }",
    "js/module-worker.js": """
        onmessage = async ({ data }) => postMessage((await import(data)).words);
    """,
    "js/ours.js": 'self.ours = "from the bucket";',
    "js/words.js": 'export const words = "of tea";',
    "tea.webmanifest": json.dumps({"name": "Tea", "start_url": "/", "scope": "/"}),
}
LOCAL = ["js/*worker.js", "img/shapes.svg", "tea.webmanifest"]
HEAD = '<!doctype html><title>Page</title><link rel="icon" href="data:,">'
Publish = Callable[..., Flask]


@pytest.fixture
def publish(mini_bucket: Bucket, make_app: Callable[..., Flask]) -> Publish:
    """Publishes `FILES`, and returns an app whose page is a template."""

    def make(template: str, **config: Any) -> Flask:
        bucket = open_to_browsers(mini_bucket)
        app = make_app(FILES, {**bucket.config, "FLASKS3_FINGERPRINT": True, **config})
        FlaskS3(app)
        app.add_url_rule("/", "page", partial(render_template_string, HEAD + template))
        create_all(app)
        return app

    return make


# -- workers

STARTS = """<script type="module">
try {
  const worker = new Worker("{{ url_for('static', filename='js/worker.js') }}", { type: "module" });
  worker.onmessage = ({ data }) => (window.said = data);
} catch (error) {
  window.said = error.name;
}
</script>"""


@pytest.mark.parametrize(("local", "said"), [(LOCAL, "of tea"), ([], "SecurityError")])
def test_a_worker_starts_only_where_the_setting_keeps_it_on_the_pages_origin(
    visit, publish, local, said
):
    seen = visit()
    with serving(publish(STARTS, FLASKS3_LOCAL=local)) as address:
        seen.open(address)
        seen.until("window.said")

    assert seen.page.evaluate("window.said") == said


def test_a_shared_worker_and_a_service_worker_of_the_buckets_are_refused(visit, publish):
    address_of = "{{ url_for('static', filename='js/worker.js') }}"
    template = f"""<script type="module">
    const name = (error) => error.name;
    let shared;
    try {{ shared = new SharedWorker("{address_of}") }} catch (error) {{ shared = name(error) }}
    const service = await navigator.serviceWorker.register("{address_of}").catch(name);
    window.said = [shared, service];
    </script>"""
    seen = visit()
    with serving(publish(template)) as address:
        seen.open(address)
        seen.until("window.said")

    assert seen.page.evaluate("window.said") == ["SecurityError", "SecurityError"]


def test_what_a_local_worker_imports_by_name_comes_from_its_own_origin(visit, publish):
    seen = visit()
    with serving(publish(STARTS, FLASKS3_LOCAL=LOCAL)) as address:
        seen.open(address)
        seen.until("window.said")

    assert {file.url for file in seen.loaded if "words" in file.url} == {
        f"{address}/static/js/words.js"
    }


@pytest.mark.parametrize(
    ("kind", "worker", "file", "said"),
    [
        ("classic", "js/classic-worker.js", "js/ours.js", "from the bucket"),
        ("module", "js/module-worker.js", "js/words.js", "of tea"),
    ],
)
def test_a_worker_that_is_told_a_published_url_loads_it_from_the_bucket(
    visit, publish, kind, worker, file, said
):
    template = f"""<script type="module">
    const address = "{{{{ url_for('static', filename='{worker}') }}}}";
    const worker = new Worker(address, {{ type: "{kind}" }});
    worker.onmessage = ({{ data }}) => (window.said = data);
    worker.postMessage("{{{{ url_for('static', filename='{file}') }}}}");
    </script>"""
    seen = visit()
    with serving(publish(template, FLASKS3_LOCAL=LOCAL)) as address:
        seen.open(address)
        seen.until("window.said")

    assert seen.page.evaluate("window.said") == said
    assert seen.complaints == []


# -- a service worker

SERVICE_WORKER = """
const FILES = [{{ url_for('static', filename='css/tea.css', _external=True) | tojson }}];
self.addEventListener("install", (event) =>
  event.waitUntil(caches.open("tea").then((cache) => cache.addAll(FILES))));
"""
REGISTERS = """<script type="module">
const registration = await navigator.serviceWorker.register("/sw.js");
await navigator.serviceWorker.ready;
const cache = await caches.open("tea");
window.scope = registration.scope;
window.kept = (await cache.keys()).map(({ url }) => url);
</script>"""


def test_a_service_worker_from_a_template_keeps_published_files_for_the_whole_site(visit, publish):
    app = publish(REGISTERS)

    @app.get("/sw.js")
    def service_worker() -> Response:
        return Response(render_template_string(SERVICE_WORKER), mimetype="text/javascript")

    seen = visit()
    with serving(app) as address:
        seen.open(address)
        seen.until("window.kept")
        with app.app_context():
            published = app.url_for("static", filename="css/tea.css")

        assert seen.page.evaluate("window.scope") == f"{address}/"
    assert seen.page.evaluate("window.kept") == [published]
    assert seen.complaints == []


# -- <use>

USES = """<svg width="100" height="100">
<use href="{{ url_for('static', filename='img/shapes.svg') }}#leaf"/></svg>"""
DRAWN = "document.querySelector('use').getBBox().width"


def test_use_draws_a_local_file_and_nothing_of_the_buckets(visit, publish):
    drawn = {}
    for name, local in (("local", LOCAL), ("bucket", [])):
        seen = visit()
        with serving(publish(USES, FLASKS3_LOCAL=local)) as address:
            seen.open(address)
            drawn[name] = seen.page.evaluate(DRAWN)

    assert drawn == {"local": 100, "bucket": 0}


# -- a web manifest's scope

APP = """
<link rel="manifest" href="{{ url_for('static', filename='tea.webmanifest') }}" crossorigin>
"""


def complaints_of(seen: Visit) -> list[str]:
    found = seen.tools().send("Page.getAppManifest")
    return [error["message"] for error in found["errors"]]


def test_a_web_manifest_has_its_scope_only_on_the_pages_origin(visit, publish):
    told = {}
    for name, local in (("local", LOCAL), ("bucket", [])):
        seen = visit()
        with serving(publish(APP, FLASKS3_LOCAL=local)) as address:
            seen.open(address)
            told[name] = complaints_of(seen)

    assert told["local"] == []
    assert any("start_url" in complaint for complaint in told["bucket"]), told
