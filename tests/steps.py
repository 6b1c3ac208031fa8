"""An app that deploys, changes, and deploys again: how the tests of releases read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from building import FINGERPRINTS
from commands import Ended
from conftest import Bucket, write_files
from flask import Flask

from flask_s3.cli.commands import s3
from flask_s3.serve.serving import state_of

LONG_AGO = "2020-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Site:
    """An app and its bucket; commands run in this process, which is far faster than `Shop`."""

    app: Flask
    bucket: Bucket

    @property
    def static(self) -> Path:
        return Path(str(self.app.static_folder))

    def run(self, *arguments: str, code: int = 0) -> Ended:
        """Runs ``flask s3 ARGUMENTS``; whatever happens, it ends in plain words."""
        state_of(self.app).forget()
        ended = self.app.test_cli_runner().invoke(s3, list(arguments))
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        assert ended.exit_code == code, ended.output
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def deploy(
        self, files: Mapping[str, bytes | str | None] | None = None, *options: str, code: int = 0
    ) -> str:
        """Changes files, None for away; deploys; returns the release that is then in force."""
        for name, content in (files or {}).items():
            if content is None:
                (self.static / name).unlink()
            else:
                write_files(self.static, {name: content})
        self.run("deploy", *options, code=code)
        return self.in_force()

    # -- looking

    @property
    def folder(self) -> str:
        """Where the app's records are."""
        (pointer,) = (key for key in self.bucket.keys(metadata=True) if key.endswith("/current"))
        return pointer.removesuffix("current")

    def in_force(self) -> str:
        return self.state()["release"]

    def state(self) -> dict[str, Any]:
        return json.loads(self.bucket.get(f"{self.folder}current")["Body"])

    def record(self, release: str) -> dict[str, Any]:
        return self.bucket.document(self._key(release))

    def releases(self) -> list[str]:
        """The ids that `flask s3 releases` lists."""
        return [release["id"] for release in self.run("releases", "--json").json]

    def everything(self) -> dict[str, tuple[Any, ...]]:
        """All of the bucket: what it says of each object."""
        return {key: content_of(self.bucket, key) for key in self.bucket.keys(metadata=True)}

    def is_whole(self, release: str | None = None) -> bool:
        """Whether every object of a release is there with its bytes, and plain names have them."""
        record = self.record(release or self.in_force())
        digests = {
            key: digest
            for key, (digest, *_) in record["objects"].items()
            if release is None or key not in record["copies"]
        }
        return all(sha256_of(self.bucket, key) == digest for key, digest in digests.items())

    # -- making believe

    def rewrite(self, release: str, **changes: Any) -> None:
        """Makes a record say something else."""
        record = {**self.record(release), **changes}
        body = gzip.compress(json.dumps(record).encode())
        self.bucket.client.put_object(
            Bucket=self.bucket.name, Key=self._key(release), Body=body, ContentEncoding="gzip"
        )

    def backdate(self, *keys: str) -> None:
        """Makes the record say that objects were written long before they were."""
        objects = self.record(self.in_force())["objects"]
        for key in keys:
            objects[key][4] = 1_600_000_000
        self.rewrite(self.in_force(), objects=objects)

    def _key(self, release: str) -> str:
        return f"{self.folder}releases/{release}.json"


def site(app: Flask, bucket: Bucket, **config: Any) -> Site:
    """An app that publishes under fingerprints, and further settings."""
    app.config.update({**bucket.config, **FINGERPRINTS, "FLASKS3_MANIFEST": "bucket", **config})
    return Site(app, bucket)


HEADERS = ("CacheControl", "ContentType", "ContentEncoding")


def content_of(bucket: Bucket, key: str) -> tuple[Any, ...]:
    """The bytes and headers of an object."""
    stored = bucket.get(key)
    return (stored["Body"], *map(stored.get, HEADERS), stored.get("Metadata"))


def old_name(mine: Site, release: str, path: str) -> str:
    """The key that a file has under fingerprints in a release."""
    entry = mine.record(release)["manifest"]["entries"][path]
    return f"{path.rpartition('/')[0]}/{entry[0]}"


def sha256_of(bucket: Bucket, key: str) -> str | None:
    """The digest of an object, None when there is none."""
    try:
        return sha256(bucket.get(key)["Body"]).hexdigest()
    except bucket.client.exceptions.NoSuchKey:
        return None
