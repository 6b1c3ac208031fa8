"""The examples do what their pages say, on a real server, in copies of their folders."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from browsing import Visit
from commands import sentences
from conftest import Bucket
from pages import blocks_of
from pathspec import PathSpec
from servers import Server

EXAMPLES = Path(__file__).parent.parent / "examples"
PATIENCE = 120
"""Seconds after which a command has hung."""
NOT_COPIED = ("node_modules", "dist", "flask-s3-manifest.json", ".flask-s3-cache", "__pycache__")
# What these commands do, they do until Ctrl-C.
SERVES = re.compile(r"gunicorn|npm run dev|flask .*\b(run|preview)\b")


def _demo() -> Any:
    """The demo, which loads a page and all that it asks for as a browser would."""
    spec = importlib.util.spec_from_file_location("demo", EXAMPLES / "demo.py")
    module = sys.modules["demo"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


demo = _demo()


def test_each_example_has_a_page_and_is_tested_here_or_with_the_demo():
    folders = {path.parent.name for path in EXAMPLES.glob("*/README.md")}

    assert folders == {path.name for path in EXAMPLES.iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == {"docker", "factory-two-apps", "minimal", "storefront", "vite"}


def test_the_picture_in_the_readme_shows_what_the_commands_print(tmp_path):
    root = EXAMPLES.parent
    made = tmp_path / "picture.svg"
    command = [sys.executable, str(root / "docs" / "picture.py"), str(made)]
    subprocess.run(command, check=True, timeout=PATIENCE)
    picture = root / "docs" / "picture.svg"

    assert text_of(picture) == text_of(made), "run `python docs/picture.py`"
    assert re.findall(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", picture.read_text()) == []


def text_of(picture: Path) -> str:
    """What a terminal in a picture shows, without times and ids."""
    rows = re.findall(r"<text [^>]*>(.*?)</text>", picture.read_text())
    return sentences("\n".join(unescape(row).replace("\xa0", " ") for row in rows))


@dataclass(frozen=True)
class Example:
    """A copy of an example, and the environment that leads its commands to a bucket.

    Attributes:
        store: the variables that say where the bucket is.
        credentials: those that let one write to it.
    """

    folder: Path
    bucket: Bucket
    store: Mapping[str, str]
    credentials: Mapping[str, str]

    def run(self, command: str) -> str:
        """What a command prints; it ends well, in plain words."""
        ended = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=self.folder,
            env=environ(**self.store, **self.credentials),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        assert ended.returncode == 0, f"$ {command}\n{ended.stdout}{ended.stderr}"
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.stdout

    def do_what_the_page_says(self) -> None:
        """Runs its commands, from top to bottom, without those that serve and install."""
        for line in commands_on(self.folder):
            if not SERVES.match(line) and not line.startswith("pip "):
                self.run(line)

    @contextmanager
    def serving(self, command: str, **more: str) -> Iterator[str]:
        """Runs a server, without credentials, and yields the address that it says it has."""
        process = subprocess.Popen(
            shlex.split(command),
            cwd=self.folder,
            env=environ(**self.store, **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        try:
            yield _address(process)
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # npm's own, and gunicorn's workers
            process.communicate(timeout=PATIENCE)


def _address(process: subprocess.Popen[str]) -> str:
    said = ""
    for line in process.stdout:
        plain = re.sub(r"\x1b\[[\d;]*m", "", line)
        said += plain
        if found := re.search(r"(?:Running on|Listening at:|^App|Local:) +(http://[\w.:]+)", plain):
            return found[1]
    raise AssertionError(f"it ended before it served:\n{said}")


def environ(**more: str) -> dict[str, str]:
    """The environment of somebody who has nothing set; `flask` is that of these tests."""
    kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "LANG") if name in os.environ}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **kept,
        "PATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **more,
    }


def commands_on(folder: Path) -> list[str]:
    """The lines that an example's page says to type."""
    blocks = blocks_of((folder / "README.md").read_text())
    return [line for block in blocks if block.language == "sh" for line in block.text.splitlines()]


@pytest.fixture
def example(
    tmp_path: Path, ministack: Server, new_bucket: Callable[[Server], Bucket]
) -> Callable[[str], Example]:
    """Copies an example, and gives it the name of a bucket that is not there yet."""

    def copied(name: str) -> Example:
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
        bucket = new_bucket(ministack)
        store = {
            "AWS_ENDPOINT_URL_S3": ministack.endpoint,
            "AWS_REGION": ministack.region,
            "FLASK_FLASKS3_BUCKET_NAME": bucket.name,
        }
        credentials = {
            "AWS_ACCESS_KEY_ID": ministack.access_key,
            "AWS_SECRET_ACCESS_KEY": ministack.secret_key,
        }
        return Example(folder, bucket, store, credentials)

    return copied


def files_of(page: str) -> list[str]:
    """The paths of the files that a page asks for: each one is there, and comes from elsewhere."""
    everything = list(demo.load(page))
    assert [loaded for loaded in everything if not loaded.ok] == []
    here = urlsplit(page).netloc
    urls = [urlsplit(loaded.url) for loaded in everything if loaded.url != page]
    assert [url.geturl() for url in urls if url.netloc == here] == []
    return sorted(url.path.partition("/")[2].partition("/")[2] for url in urls)


def logical(paths: list[str]) -> list[str]:
    """The same without digests; each had one."""
    assert [path for path in paths if not re.search(r"\.[0-9a-f]{16}\.", path)] == []
    return [re.sub(r"\.[0-9a-f]{16}\.", ".", path) for path in paths]


# -- minimal and two apps


def test_the_minimal_example_is_set_up_deployed_and_served_as_its_page_says(example):
    minimal = example("minimal")
    minimal.do_what_the_page_says()
    with minimal.serving("flask run --port 0") as address:
        files = files_of(f"{address}/")

    assert logical(files) == ["static/kettle.svg", "static/steam.svg", "static/style.css"]


@pytest.mark.parametrize(
    ("name", "app"),
    [
        ("minimal", "app"),
        ("factory-two-apps", "bakery:create_counter"),
        ("factory-two-apps", "bakery:create_kitchen"),
    ],
)
def test_a_preview_needs_no_bucket_and_no_credentials(example, name, app):
    with example(name).serving(f"flask --app {app} s3 preview --port 0") as address:
        assert len(files_of(f"{address}/")) == 3


def test_two_apps_of_one_factory_share_a_bucket_and_neither_touches_the_others_files(example):
    bakery = example("factory-two-apps")
    bakery.do_what_the_page_says()
    with bakery.serving("gunicorn --bind 127.0.0.1:0 both:app") as address:
        pages = {name: files_of(address + path) for name, path in PAGES.items()}
    before = {name: releases(bakery, name) for name in PAGES}
    (bakery.folder / "bakery" / "kitchen" / "static" / "app.css").write_text("li { color: red }")
    bakery.run("flask --app bakery:create_kitchen s3 deploy")
    bakery.run("flask --app bakery:create_kitchen s3 rollback")

    for name, files in pages.items():
        own = ["brand/brand.css", "brand/loaf.svg", "static/app.css"]
        assert logical(files) == [f"{name}/{file}" for file in own]
    assert releases(bakery, "counter") == before["counter"]
    assert len(releases(bakery, "kitchen")) == len(before["kitchen"]) + 2


PAGES = {"counter": "/", "kitchen": "/kitchen/"}


def releases(bakery: Example, name: str) -> list[str]:
    listed = bakery.run(f"flask --app bakery:create_{name} s3 releases --json")
    return [release["id"] for release in json.loads(listed)]


# -- docker


@dataclass
class Image:
    """What a Dockerfile's steps, done one after the other in a folder, leave there.

    Attributes:
        context: the folder that `docker build` is given.
        root: stands for the image's `/`.
        path: its PATH.
    """

    context: Path
    root: Path
    path: str
    workdir: Path = Path()
    command: tuple[str, ...] = ()

    def do(self, word: str, rest: str) -> None:
        """Does one step; what there is none of here, such as a user, is only read."""
        if word == "WORKDIR":
            self.workdir = self.root / rest.strip("/")
            self.workdir.mkdir(parents=True)
        elif word == "COPY":
            self._copy(*rest.split())
        elif word == "RUN":
            self._run(rest)
        elif word == "CMD":
            self.command = tuple(json.loads(rest))
        else:
            assert word in {"FROM", "USER", "EXPOSE"}, f"{word} is not known here"

    def _copy(self, source: str, target: str) -> None:
        assert target == "."
        ignored = PathSpec.from_lines(
            "gitignore", (self.context / ".dockerignore").read_text().splitlines()
        )
        for name in PathSpec.from_lines("gitignore", ["*"]).match_tree_files(self.context):
            if source in (name, ".") and not ignored.match_file(name):
                file = self.workdir / name
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.context / name, file)

    def _run(self, script: str) -> None:
        # As Docker runs it: nothing of ours in the environment, least of all credentials.
        ended = subprocess.run(
            ["sh", "-c", script],
            cwd=self.workdir,
            env={"PATH": self.path, "HOME": str(self.root), "PIP_NO_INDEX": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        assert ended.returncode == 0, f"RUN {script}\n{ended.stdout}{ended.stderr}"


def steps_of(dockerfile: str) -> list[tuple[str, str]]:
    lines = dockerfile.replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line.strip() and line[0] != "#"]
    return [(word, rest) for word, rest in steps]


@pytest.fixture
def path_with_pip(tmp_path: Path) -> str:
    """A PATH with a pip of its own, for which all that these tests run with is installed."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "python"], check=True)
    (ours,) = (tmp_path / "python").glob("**/site-packages")
    theirs = Path(pytest.__file__).parents[1]
    (ours / "installed.pth").write_text(f"import site; site.addsitedir({str(theirs)!r})\n")
    return os.pathsep.join(
        [str(tmp_path / "python" / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )


def test_a_dockerfiles_steps_done_without_docker_and_credentials_leave_the_manifest_in_the_image(
    example, path_with_pip, tmp_path
):
    crates = example("docker")
    (crates.folder / "flask-s3-manifest.json").write_text("from the developer's own folder")
    image = Image(crates.folder, tmp_path / "image", path_with_pip)
    for word, rest in steps_of((crates.folder / "Dockerfile").read_text()):
        image.do(word, rest)
    manifest = image.workdir / "flask-s3-manifest.json"
    pinned = manifest.read_bytes()

    running = Example(image.workdir, crates.bucket, crates.store, crates.credentials)
    running.run("flask --app shop s3 setup --yes")
    running.run(deploy_on_the_page(crates))
    command = shlex.join(image.command).replace("0.0.0.0:8000", "127.0.0.1:0")
    with running.serving(command) as address:
        files = files_of(f"{address}/")

    assert logical(files) == ["static/crate.svg", "static/shop.css"]
    assert manifest.read_bytes() == pinned
    assert all(Path(file).name in pinned.decode() for file in files)
    assert not (image.workdir / "Dockerfile").exists()


def deploy_on_the_page(crates: Example) -> str:
    """The command that the page gives to the image."""
    (line,) = (line for line in commands_on(crates.folder) if "deploy" in line)
    return line[line.index("flask ") :]


def test_an_image_without_its_manifest_does_not_start(example):
    crates = example("docker")
    ended = subprocess.run(
        ["gunicorn", "--bind", "127.0.0.1:0", "shop:app"],
        cwd=crates.folder,
        env=environ(**crates.store),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )

    assert ended.returncode != 0
    assert "flask-s3-manifest.json" in ended.stderr
    assert "flask s3 build" in ended.stderr


# -- vite


@pytest.fixture
def tide(example: Callable[[str], Example]) -> Example:
    """Installed, bundled and deployed as its page says."""
    tide = example("vite")
    tide.do_what_the_page_says()
    return tide


@pytest.mark.npm
def test_what_vite_bundles_is_published_under_vites_names_and_the_page_finds_it(tide):
    with tide.serving("flask --app tide run --port 0") as address:
        files = files_of(f"{address}/")
    chunks = json.loads((tide.folder / "static/dist/.vite/manifest.json").read_text())
    built = {f"static/dist/{chunk['file']}" for chunk in chunks.values()}

    assert set(tide.bucket.keys()) == built
    assert len(built) == 4
    assert {re.sub(r"-[\w-]{8}\.", ".", Path(file).name) for file in files} == {
        "main.js",
        "style.css",
        "wave.svg",
    }
    for key in built:
        with urlopen(f"{tide.bucket.server.endpoint}/{tide.bucket.name}/{key}") as answer:
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.npm
@pytest.mark.browser
def test_a_bundled_module_that_is_imported_later_finds_its_picture_in_the_bucket(tide, visit):
    with tide.serving("flask --app tide run --port 0") as address:
        origins, complaints = clicked(visit(), address)

    assert origins == {address, tide.bucket.server.endpoint}
    assert complaints == []


@pytest.mark.npm
@pytest.mark.browser
def test_in_debug_mode_the_page_takes_everything_from_vites_own_server(example, visit):
    tide = example("vite")
    tide.run("npm install")
    with (
        tide.serving("npm run dev") as vite,
        tide.serving("flask --app tide run --debug --no-reload --port 0") as address,
    ):
        origins, complaints = clicked(visit(), address)

    assert origins == {address, vite}
    assert [text for text in complaints if "[vite]" not in text] == []


def clicked(seen: Visit, address: str) -> tuple[set[str], list[str]]:
    """Where a page's files came from, once its button was clicked; and what Chromium said."""
    seen.open(f"{address}/")
    seen.until("document.querySelector('h1').textContent === 'Low water at four'")
    seen.page.click("button")
    seen.until("document.querySelector('output img')?.naturalWidth > 0")
    seen.until("getComputedStyle(document.querySelector('h1')).backgroundImage !== 'none'")
    origins = {loaded.origin for loaded in seen.loaded if not loaded.url.startswith("data:")}
    return origins, seen.complaints
