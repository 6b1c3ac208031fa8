"""`flask s3 preview` and the demo, as processes: what they start, show and end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from flask_s3.cli import preview
from flask_s3.errors import FlaskS3Error, SettingsError

ROOT = Path(__file__).parent.parent
STOREFRONT = ROOT / "examples" / "storefront"
PREVIEW = [sys.executable, "-m", "flask", "--app", "storefront", "s3", "preview"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def previewing(port: int, folder: Path = STOREFRONT) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yields the process and the address of the files, once the app is served."""
    process = subprocess.Popen(
        [*PREVIEW, "--port", str(port)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    files = ""
    try:
        for line in process.stdout:
            if line.startswith("Files"):
                files = line.split()[1]
            if line.startswith("App"):
                break
        yield process, files
    finally:
        process.terminate()  # not killed: it has a server of its own to end
        process.wait(timeout=30)
        process.stdout.close()


def test_preview_serves_the_page_with_its_files_from_the_bucket():
    port = free_port()
    with previewing(port) as (_, files), urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
        html = page.read().decode()

    sources = re.findall(r'(?:src|href)="([^"]*/static/[^"]*)"', html)
    assert sources
    assert [source for source in sources if not source.startswith(files)] == []


def test_preview_leaves_the_manifest_alone_that_the_app_is_deployed_with(tmp_path):
    folder = Path(shutil.copytree(STOREFRONT, tmp_path / "storefront"))
    manifest = folder / "storefront" / "flask-s3-manifest.json"
    manifest.write_text("of the release that is out")
    port = free_port()
    with previewing(port, folder) as (_, files):
        html = urlopen(f"http://127.0.0.1:{port}/", timeout=10).read().decode()

    assert manifest.read_text() == "of the release that is out"
    assert re.search(rf'"{files}static/css/site\.[0-9a-f]{{16}}\.css"', html)


def test_ctrl_c_ends_everything_that_preview_started():
    port = free_port()
    with previewing(port) as (process, files):
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=30) == 0

    for address in (files, f"http://127.0.0.1:{port}/"):
        with pytest.raises(URLError):
            urlopen(address, timeout=5)


def test_preview_on_a_taken_port_is_one_sentence_and_exit_code_2():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*PREVIEW, "--port", str(port)],
            cwd=STOREFRONT,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"Error: 127.0.0.1:{port} cannot be served on (Address already in use): choose another "
        "--port or --host."
    )


def test_preview_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setattr(preview, "find_spec", lambda _: None)

    with pytest.raises(SettingsError, match=r"pip install 'flask-s3\[preview\]'"):
        preview.embedded_store().__enter__()


def test_an_embedded_server_that_does_not_start_shows_the_end_of_its_log(monkeypatch):
    monkeypatch.setenv("GATEWAY_PORT", "ignored: preview sets its own")
    monkeypatch.setattr(preview, "_free_port", lambda: 99999)

    with pytest.raises(FlaskS3Error, match="did not start; the end of its log says"):
        preview.embedded_store().__enter__()


def test_the_demo_finds_everything_the_page_asks_for():
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        env={**os.environ, "DEMO_ONCE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "33 files from the bucket, 0 missing."
    assert re.search(
        r"^ +200 +\d+ +br +image/svg\+xml .*/Äpfel & Birnen\.[0-9a-f]{16}\.br\.svg$",
        done.stdout,
        re.MULTILINE,
    )
