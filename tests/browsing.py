"""Headless Chromium, with an app served on one port and its files on another: two origins.

Chromium is Debian's package; Playwright only drives it, and brings no browser of its own.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from conftest import Bucket
from flask import Flask
from playwright.sync_api import Browser, CDPSession, Page, Response, sync_playwright
from werkzeug.serving import make_server

CHROMIUM = "/usr/bin/chromium"
# Root in a closed network: no sandbox, and nothing asked of anybody but our own servers.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 20_000
"""Milliseconds after which a page has hung."""
POLL = 0.02
"""Seconds after which a server that is told to end looks whether it was."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Runs Chromium; where it is missing, the tests fail with how to install it."""
    if shutil.which(CHROMIUM) is None:
        pytest.fail(
            f"The browser tests need {CHROMIUM}: apt-get install --no-install-recommends chromium",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield browser
        browser.close()


@dataclass(frozen=True)
class Loaded:
    """What a request of a page got; `kind` is what it was for: `script`, `font`, …"""

    url: str
    kind: str
    status: int
    headers: dict[str, str]

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def published(self) -> str:
        return unquote(PurePosixPath(urlsplit(self.url).path).name)

    @property
    def name(self) -> str:
        """The file's own name: that of `site.<digest>.br.js` is `site.js`."""
        return re.sub(r"\.[0-9a-f]{16}(\.(br|gzip))?(?=\.)", "", self.published)

    @property
    def encoding(self) -> str:
        return self.headers.get("content-encoding", "identity")


@dataclass
class Visit:
    """A page, and all that happened in it: what was loaded, and what Chromium complained of."""

    page: Page
    loaded: list[Loaded] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        complain = self.complaints.append
        self.page.set_default_timeout(PATIENCE)
        self.page.on("response", self._answered)
        self.page.on("requestfailed", lambda asked: complain(f"{asked.failure}: {asked.url}"))
        self.page.on("pageerror", lambda error: complain(f"page: {error}"))
        self.page.on("console", lambda said: complain(f"{said.type}: {said.text}"))

    def _answered(self, response: Response) -> None:
        kind = response.request.resource_type
        self.loaded.append(Loaded(response.url, kind, response.status, response.headers))
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def open(self, url: str) -> dict[str, str]:
        """Goes there, and returns the headers of the page itself."""
        response = self.page.goto(url, wait_until="load")
        assert response is not None
        return response.headers

    def in_another_tab(self) -> Visit:
        """Goes on in the same profile; what happens there is told here too."""
        return Visit(self.page.context.new_page(), self.loaded, self.complaints)

    def until(self, expression: str) -> None:
        """Waits until something holds in the page."""
        self.page.wait_for_function(expression)

    def hears(self, text: str) -> None:
        """Waits until Chromium has complained of something."""
        if not any(text in complaint for complaint in self.complaints):
            self.page.wait_for_event("console", lambda said: text in said.text)

    def tools(self) -> CDPSession:
        """The developer tools' own protocol."""
        return self.page.context.new_cdp_session(self.page)


@contextmanager
def serving(app: Flask, accepted: str | None = None) -> Iterator[str]:
    """Serves an app on a port of its own; yields the address.

    Args:
        app: the app.
        accepted: the `Accept-Encoding` that it sees, whatever the browser says.
    """

    def answer(environ: dict[str, Any], start: Any) -> Any:
        if accepted is not None:
            environ["HTTP_ACCEPT_ENCODING"] = accepted
        return app(environ, start)

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(POLL,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def open_to_browsers(bucket: Bucket) -> Bucket:
    """Lets any page read a bucket, as its owner would have set it up."""
    rule = {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"]}
    bucket.client.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": [rule]})
    return bucket.open_to_anybody()
