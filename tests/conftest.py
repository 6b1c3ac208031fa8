"""Fixtures: real S3 servers on loopback, a bucket for each test, apps with real files."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import secrets
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import servers
from flask import Flask
from forks import Forks, forks
from proxy import Proxy
from servers import Server

from flask_s3.release import checkout

if TYPE_CHECKING:
    from browsing import Visit
    from playwright.sync_api import Browser

# What a developer's machine may set must not reach a test.
for _name in [name for name in os.environ if name.startswith(("AWS_", "FLASKS3_", "FLASK_"))]:
    del os.environ[_name]
for _name in (*checkout.VARIABLES, "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
    os.environ.pop(_name, None)
# Nor whatever checkout these tests run in.
os.environ["GIT_CEILING_DIRECTORIES"] = tempfile.gettempdir()
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

# A background job of a shell ignores Ctrl-C, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

_names = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ceph", action="store_true", help="also run against Ceph RGW")
    parser.addoption("--browser", action="store_true", help="also run in Chromium")
    parser.addoption("--npm", action="store_true", help="also run on npm's packages")
    parser.addoption("--cdn", action="store_true", help="also run behind nginx")
    parser.addoption("--faults", action="store_true", help="kill 200 deploys, not just a few")
    parser.addoption("--kills", type=int, metavar="N", help="kill N deploys: a run by hand")
    parser.addoption("--update-counts", action="store_true", help="store how many calls are made")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --ceph and the like, what needs them is deselected: `.ci/run` runs it."""
    for name in ("ceph", "browser", "npm", "cdn"):
        if not config.getoption(f"--{name}"):
            # The markers, not all keywords: the folder is called `browser` too.
            needy = [item for item in items if item.get_closest_marker(name)]
            config.hook.pytest_deselected(items=needy)
            items[:] = [item for item in items if item not in needy]


@pytest.fixture(scope="session")
def ministack() -> Iterator[Server]:
    with servers.ministack() as server:
        yield server


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[Server]:
    with servers.seaweedfs() as server:
        yield server


@pytest.fixture(scope="session")
def ceph() -> Iterator[Server]:
    with servers.ceph() as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, started once for all its tests: Playwright runs but once in a process."""
    from browsing import chromium

    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens a page in a new profile, which has no cache and no storage."""
    from browsing import Visit

    with ExitStack() as stack:

        def make(**options: Any) -> Visit:
            context = browser.new_context(**options)
            stack.callback(context.close)
            return Visit(context.new_page())

        yield make


@pytest.fixture(scope="session")
def forking() -> Iterator[Forks]:
    """Runs commands in processes of their own, without a second's start each."""
    with forks() as process:
        yield process


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many deploys are killed; the measure of all that is tried a number of times."""
    option = request.config.getoption
    return option("--kills") or (200 if option("--faults") else 6)


@pytest.fixture(params=["ministack", "seaweedfs"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    return request.getfixturevalue(request.param)


@dataclass(frozen=True)
class Bucket:
    """A bucket of a test's own.

    Attributes:
        name: exists unless the test asked for a name only.
        client: boto3's, with our keys: how a test looks at what we did.
    """

    server: Server
    name: str
    client: Any

    @property
    def config(self) -> dict[str, Any]:
        """The settings that reach it."""
        return {
            "AWS_ACCESS_KEY_ID": self.server.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.secret_key,
            "FLASKS3_BUCKET_NAME": self.name,
            "FLASKS3_ENDPOINT_URL": self.server.endpoint,
            "FLASKS3_REGION": self.server.region,
        }

    def create(self, **options: Any) -> Bucket:
        self.client.create_bucket(Bucket=self.name, **options)
        return self

    def open_to_anybody(self, resource: str = "*") -> Bucket:
        """Lets anybody read the objects, as a user would have set it up."""
        block = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"),
            False,
        )
        if self.server.name != "seaweedfs":  # which has no Block Public Access
            self.client.put_public_access_block(
                Bucket=self.name, PublicAccessBlockConfiguration=block
            )
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self.name}/{resource}",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client.put_bucket_policy(Bucket=self.name, Policy=policy)
        return self

    def keys(self, prefix: str = "", *, metadata: bool = False) -> list[str]:
        """The keys, without our own records unless `metadata`."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [key for key in keys if metadata or not key.startswith(".flask-s3/")]

    def get(self, key: str) -> dict[str, Any]:
        """boto3's answer, with the body read."""
        answer = self.client.get_object(Bucket=self.name, Key=key)
        return {**answer, "Body": answer["Body"].read()}

    def document(self, key: str) -> Any:
        """What one of our own objects says."""
        answer = self.get(key)
        zipped = answer.get("ContentEncoding") == "gzip"
        return json.loads(gzip.decompress(answer["Body"]) if zipped else answer["Body"])

    def head(self, key: str) -> dict[str, Any]:
        return self.client.head_object(Bucket=self.name, Key=key)


@pytest.fixture
def new_bucket() -> Callable[[Server], Bucket]:
    """Makes the name of a bucket that does not exist yet."""

    def make(server: Server) -> Bucket:
        name = f"t{next(_names)}-{os.getpid()}-{secrets.token_hex(3)}"
        return Bucket(server, name, server.client())

    return make


@pytest.fixture
def bucket(server: Server, new_bucket: Callable[[Server], Bucket]) -> Bucket:
    """An existing bucket, made with the server's defaults, on each server in turn."""
    return new_bucket(server).create()


@pytest.fixture
def proxy(bucket: Bucket) -> Iterator[Proxy]:
    """A way to the bucket on which things happen."""
    with Proxy(bucket.server.endpoint) as between:
        yield between


@pytest.fixture
def other_proxy(bucket: Bucket) -> Iterator[Proxy]:
    """Another way to it, for somebody else."""
    with Proxy(bucket.server.endpoint) as between:
        yield between


@pytest.fixture
def mini_bucket(ministack: Server, new_bucket: Callable[[Server], Bucket]) -> Bucket:
    """An existing bucket on the server that has AWS's defaults."""
    return new_bucket(ministack).create()


@pytest.fixture
def weed_bucket(seaweedfs: Server, new_bucket: Callable[[Server], Bucket]) -> Bucket:
    """An existing bucket on the server that checks checksums."""
    return new_bucket(seaweedfs).create()


AppMaker = Callable[..., Flask]


@pytest.fixture
def make_app(tmp_path: Path) -> AppMaker:
    """Makes an app with files in its static folder.

    `make_app({"css/a.css": b"…"}, config={…}, **flask_options)`, in `tmp_path/NAME/static`.
    """

    def make(
        files: Mapping[str, bytes | str] | None = None,
        config: Mapping[str, Any] | None = None,
        name: str = "shop",
        **options: Any,
    ) -> Flask:
        root = tmp_path / name
        write_files(root / "static", {} if files is None else files)
        app = Flask(name, root_path=str(root), **options)
        app.config.update(config or {})
        return app

    return make


def write_files(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Writes files below a folder, which is made even when there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
