"""Vite's real output, served by Flask-Vite and from an app's own static folder."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from urllib.request import urlopen

import npm
import pytest
from building import FINGERPRINTS
from conftest import write_files
from flask import Flask

from flask_s3 import FlaskS3, create_all, url_for
from flask_s3.building.objects import IMMUTABLE

pytestmark = pytest.mark.npm

SOURCES = {
    "index.html": '<!doctype html><script type="module" src="/main.js"></script>',
    "main.js": (
        'import "./src/style.css"; import logo from "./src/logo.svg?url";\n'
        'document.title = logo; import("./src/late.js").then((late) => late.go());\n'
    ),
    "src/style.css": "body { background: url(./logo.svg) }",
    "src/logo.svg": f"<svg xmlns='http://www.w3.org/2000/svg'>{'<!-- a -->' * 99}</svg>",
    "src/late.js": 'import "./late.css"; export const go = () => console.log("go");',
    "src/late.css": "a { color: red }",
    "vite.config.mjs": (
        'export default { base: "./", '
        "build: { manifest: true, sourcemap: true, assetsInlineLimit: 0 } };"
    ),
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Vite makes of the sources."""
    root = tmp_path_factory.mktemp("vite")
    write_files(root, SOURCES)
    npm.run_tool("vite", "build", folder=root)
    return root / "dist"


def test_flask_vites_files_are_published_under_their_own_names(
    dist, mini_bucket, tmp_path, monkeypatch
):
    from flask_vite import Vite

    shutil.copytree(dist, tmp_path / "vite" / "dist")
    monkeypatch.chdir(tmp_path)
    mini_bucket.open_to_anybody()
    app = Flask("shop", root_path=str(tmp_path), static_folder=None)
    app.config.update({**mini_bucket.config, **FINGERPRINTS})
    Vite(app)
    FlaskS3(app)

    result = create_all(app)

    assert result.failed == ()
    assert result.warnings == ()
    files = {f"_vite/{path.name}": path.read_bytes() for path in (dist / "assets").iterdir()}
    assert {key: mini_bucket.get(key)["Body"] for key in mini_bucket.keys("_vite/")} == files
    assert {mini_bucket.get(key)["CacheControl"] for key in files} == {IMMUTABLE}
    with app.test_request_context("/"):
        tags = app.jinja_env.globals["vite_tags"](static=True)
    urls = re.findall(r'(?:src|href)="([^"]*)"', tags)
    assert len(urls) == 2
    for url in urls:
        with urlopen(url, timeout=30) as answer:
            assert answer.status == 200


def test_an_entry_is_found_by_the_name_that_vites_manifest_gives_it(dist, make_app, mini_bucket):
    app = make_app({}, {**mini_bucket.config, **FINGERPRINTS})
    shutil.copytree(dist, Path(app.static_folder, "dist"))
    FlaskS3(app)

    create_all(app)

    chunks = json.loads((dist / ".vite" / "manifest.json").read_bytes())
    with app.test_request_context("/"):
        late = url_for("static", filename="dist/src/late.js")
        own = url_for("static", filename=f"dist/{chunks['src/late.js']['file']}")
    assert late == own
    assert late.endswith(f"/static/dist/{chunks['src/late.js']['file']}")
