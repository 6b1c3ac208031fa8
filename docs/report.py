"""Takes the screenshots of docs/report.md: the storefront's report, in Chromium, light and dark.

    python docs/report.py [FOLDER]

Needs what the tests need: Debian's Chromium, Playwright and the embedded S3 server. The storefront
is published, then changed, so that there is something to tell.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from flask import Flask
from flask.cli import ScriptInfo
from playwright.sync_api import Browser, sync_playwright

from flask_s3 import create_all
from flask_s3.cli.commands import s3
from flask_s3.cli.preview import embedded_store, point_at

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
SIZE = {"width": 1120, "height": 960}


def main(folder: Path) -> None:
    """Writes `report-light.png` and `report-dark.png` into a folder."""
    with tempfile.TemporaryDirectory() as temporary, embedded_store() as store:
        root = Path(temporary)
        app = storefront(root)
        point_at(app, store)
        create_all(app)
        change(root / "storefront" / "static")
        page = root / "report.html"
        s3.main(
            ["report", "-o", str(page)],
            obj=ScriptInfo(create_app=lambda: app),
            standalone_mode=False,
        )
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"]
            )
            for scheme in ("light", "dark"):
                take(browser, page, scheme, folder / f"report-{scheme}.png")
            browser.close()


def storefront(folder: Path) -> Flask:
    """Returns the example, from a copy that may be changed."""
    example = HERE.parent / "examples" / "storefront"
    shutil.copytree(
        example, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "*.json")
    )
    sys.path.insert(0, str(folder))
    from storefront import create_app  # noqa: PLC0415

    app: Flask = create_app()
    return app


def change(static: Path) -> None:
    """Makes the files differ from the release, with a dead reference and a file twice."""
    with (static / "css" / "site.css").open("a") as file:
        file.write('\n.autumn { background: url("../img/leaves.svg"); }\n')
    shutil.copyfile(static / "img" / "kettle.svg", static / "img" / "kettle-copy.svg")


def take(browser: Browser, page: Path, scheme: str, file: Path) -> None:
    """Takes one screenshot."""
    tab = browser.new_page(viewport=SIZE, color_scheme=scheme)
    tab.goto(page.as_uri())
    tab.wait_for_selector(".chart canvas")
    tab.screenshot(path=file)
    tab.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "_static")
