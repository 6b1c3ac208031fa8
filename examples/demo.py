"""The storefront from a bucket on this machine: published, loaded as a browser would, and served.

`python examples/demo.py` goes on serving until Ctrl-C; with `DEMO_ONCE=1` in the environment it
ends after the check. Exit code 1: something that the page asks for was missing.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import brotli

STOREFRONT = Path(__file__).parent / "storefront"
# What a browser fetches of its own accord, by tag: attribute, and for <link> the relations.
FETCHED = {"script": "src", "img": "src", "source": "src", "video": "src", "audio": "src"}
RELATIONS = {"stylesheet", "icon", "apple-touch-icon", "manifest", "preload", "modulepreload"}
IN_CSS = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])([^"')\s]+)""")
IN_MODULES = re.compile(
    r"""(?:^\s*import\s[^"']*|\bfrom\s*|\bimport\(\s*|new\s+URL\(\s*)["'](\.{1,2}/[^"']+)["']""",
    re.MULTILINE,
)


# What a browser says that it takes, and how each is read.
ENCODINGS = {"br": brotli.decompress, "gzip": gzip.decompress}


@dataclass(frozen=True)
class Loaded:
    """One fetched address; status 0 when nothing answered."""

    url: str
    status: int
    kind: str
    body: bytes
    encoding: str
    asked_by: str

    @property
    def ok(self) -> bool:
        """Whether a browser could use it."""
        return self.status == 200 and bool(self.kind)

    @property
    def text(self) -> str:
        """The content, decoded."""
        data = ENCODINGS[self.encoding](self.body) if self.encoding else self.body
        return str(data, "utf-8", "replace")


class _Page(HTMLParser):
    """Collects the addresses that an HTML page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_import_map = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._in_import_map = tag == "script" and values.get("type") == "importmap"
        if tag == "link" and RELATIONS & set(values.get("rel", "").split()):
            self.found.append(values.get("href", ""))
        if tag in FETCHED and values.get(FETCHED[tag]):
            self.found.append(values[FETCHED[tag]])
        for candidate in values.get("srcset", "").split(","):
            self.found += candidate.split()[:1]

    def handle_data(self, data: str) -> None:
        if self._in_import_map:  # of modules whose names are computed, a browser takes some
            self.found += json.loads(data)["imports"].values()
            self._in_import_map = False


def load(url: str) -> Iterator[Loaded]:
    """Yields a page and everything that it, its style sheets and its modules ask for, each once."""
    waiting = [(url, "you")]
    seen = set()
    while waiting:
        address, asked_by = waiting.pop(0)
        if address in seen:
            continue
        seen.add(address)
        loaded = fetch(address, asked_by)
        yield loaded
        waiting += [(found, address) for found in named_in(loaded)]


def fetch(url: str, asked_by: str) -> Loaded:
    """Returns what stands at an address."""
    request = urllib.request.Request(url, headers={"Accept-Encoding": ", ".join(ENCODINGS)})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            kind = answer.headers.get("Content-Type", "")
            encoding = answer.headers.get("Content-Encoding", "")
            return Loaded(url, answer.status, kind, answer.read(), encoding, asked_by)
    except urllib.error.HTTPError as error:
        return Loaded(url, error.code, "", b"", "", asked_by)
    except OSError:
        return Loaded(url, 0, "", b"", "", asked_by)


def named_in(loaded: Loaded) -> list[str]:
    """Returns the addresses that a page, style sheet or module names."""
    if loaded.kind.startswith("text/html"):
        page = _Page()
        page.feed(loaded.text)
        names = page.found
    elif loaded.kind.startswith("text/css"):
        names = IN_CSS.findall(re.sub(r"/\*.*?\*/", "", loaded.text, flags=re.DOTALL))
    elif loaded.kind.startswith("text/javascript"):
        names = IN_MODULES.findall(loaded.text)
    else:
        names = []
    absolute = (urldefrag(urljoin(loaded.url, name)).url for name in names if name)
    return [address for address in absolute if address.startswith("http")]


def show(page: str, everything: list[Loaded]) -> None:
    """Prints a line for each address, and how many came from the bucket."""
    print(f"\n{'status':>6}  {'bytes':>9}  {'encoding':<8}  {'type':<26}  path")
    for loaded in everything:
        kind = loaded.kind.partition(";")[0]
        path = unquote(urlsplit(loaded.url).path)
        mark = "" if loaded.ok else f"   <- missing, asked for by {loaded.asked_by}"
        sent = f"{len(loaded.body):>9,}  {loaded.encoding:<8}"
        print(f"{loaded.status:>6}  {sent}  {kind:<26}  {path}{mark}")
    origin = urlsplit(page).netloc
    elsewhere = [loaded for loaded in everything if urlsplit(loaded.url).netloc != origin]
    missing = sum(not loaded.ok for loaded in everything)
    print(f"\n{len(elsewhere)} files from the bucket, {missing} missing.")


def free_port(wanted: int) -> int:
    """Returns the wanted port, or any other one when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def preview(port: int) -> subprocess.Popen[str]:
    """Starts `flask s3 preview`; returns it once the app is served."""
    command = [sys.executable, "-m", "flask", "--app", "storefront", "s3", "preview"]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=STOREFRONT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout or ():
        print(line, end="", flush=True)
        if line.startswith("App "):
            return process
    raise SystemExit(process.wait() or 1)


def main() -> int:
    """Returns the exit code: 0 when everything the page asks for was there."""
    port = free_port(5000)
    process = preview(port)
    try:
        page = f"http://127.0.0.1:{port}/"
        everything = list(load(page))
        show(page, everything)
        if not os.environ.get("DEMO_ONCE"):
            print(f"Serving {page} until Ctrl-C.", flush=True)
            process.wait()
        return 0 if all(loaded.ok for loaded in everything) else 1
    except KeyboardInterrupt:
        return 0
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
