"""What the peers are told to do: publish a folder, or bring a bucket into line with it.

Each gets as many requests in flight as helps it: s5cmd and rclone 256, as we do; the AWS CLI 64,
beyond which it only gets slower on a machine of two cores.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from apps import write_app
from harness import Command
from options import Options
from stores.running import BUCKET, Store, latency_server
from trees.npm import count_files

from peers.environments import call

WORKERS = "256"
AWS_WORKERS = 64
AWS_CONFIG = """\
[default]
s3 =
    max_concurrent_requests = {workers}
    preferred_transfer_client = {client}
    addressing_style = path
"""
RCLONE = {
    "TYPE": "s3",
    "PROVIDER": "Other",
    "ENV_AUTH": "true",
    "REGION": "us-east-1",
    "FORCE_PATH_STYLE": "true",
}
PROFILE = {"AWS_PROFILE": "bench"}
PROFILES = """\
[bench]
aws_access_key_id = {AWS_ACCESS_KEY_ID}
aws_secret_access_key = {AWS_SECRET_ACCESS_KEY}
"""


@dataclass(frozen=True)
class Publishers:
    """The commands that publish ``folder`` to a bucket of ``store``."""

    options: Options
    store: Store
    folder: Path
    bucket: str = BUCKET
    credentials: Mapping[str, str] | None = None

    def environment(self) -> dict[str, str]:
        """The measured environment, with the credentials in it: the store's keys, or others."""
        return self.options.environment() | dict(self.credentials or self.store.keys)

    def s5cmd(self, what: str = "cp") -> Command:
        """``s5cmd cp`` or ``s5cmd sync``."""
        argv = (
            self.options.peers.s5cmd(),
            *("--endpoint-url", self.store.url),
            *("--numworkers", WORKERS),
            *(what, f"{self.folder}/", f"s3://{self.bucket}/static/"),
        )
        return Command(f"s5cmd {what}", argv, self.environment(), self.options.work)

    def rclone(self) -> Command:
        """``rclone sync``."""
        settings = {**RCLONE, "ENDPOINT": self.store.url}
        remote = {f"RCLONE_CONFIG_BENCH_{name}": value for name, value in settings.items()}
        argv = (
            *(self.options.peers.program("rclone", "rclone"), "sync", str(self.folder)),
            f"bench:{self.bucket}/static",
            *("--transfers", WORKERS, "--checkers", WORKERS, "--fast-list", "--config", ""),
        )
        return Command("rclone sync", argv, self.environment() | remote, self.options.work)

    def aws(self) -> Command:
        """``aws s3 sync`` of the CLI's version 1."""
        return self._aws(self.options.peers.program("awscli", "aws"), "aws s3 sync", "classic")

    def aws_crt(self) -> Command:
        """``aws s3 sync`` of the CLI's version 2, with the client that AWS wrote in C."""
        return self._aws("aws", "aws s3 sync, CRT client", "crt")

    def _aws(self, program: str, name: str, client: str) -> Command:
        config = self.options.work / f"aws-{client}"
        config.write_text(AWS_CONFIG.format(workers=AWS_WORKERS, client=client), encoding="utf-8")
        argv = (
            *(program, "s3", "sync", str(self.folder), f"s3://{self.bucket}/static"),
            *("--endpoint-url", self.store.url, "--only-show-errors"),
        )
        environment = self.environment() | {"AWS_CONFIG_FILE": str(config)}
        return Command(name, argv, environment, self.options.work)

    def flask_s3_03(self, app: Path) -> Command:
        """0.3.3's ``create_all``."""
        write_app(app, self.folder, self.store)
        environment = self.options.environment() | {"AWS_ENDPOINT_URL_S3": self.store.url}
        return Command(
            f"Flask-S3 0.3.3, {count_files(self.folder)} files",
            (self.options.peers.flask_s3_03(), str(app)),
            environment,
            self.options.work,
        )


@cache
def why_no_crt(options: Options) -> str:
    """Why the AWS CLI's CRT client cannot be measured here; empty when it can."""
    program = shutil.which("aws")
    if program is None or not call(program, "--version").startswith("aws-cli/2"):
        return "only version 2 of the AWS CLI has it, which is not on PyPI, and not on the PATH"
    folder = options.work / "crt" / "static"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.css").write_text("a {}", encoding="utf-8")
    with latency_server() as server:
        command = Publishers(options, server, folder).aws_crt()
        try:
            subprocess.run(
                command.argv, env=dict(command.env), check=True, timeout=20, capture_output=True
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            version = call(program, "--version").split()[0]
            return f"{version} does not reach a server on this machine (Debian 12's tries port 80)"
    return ""


def with_profile(options: Options, store: Store) -> Mapping[str, str]:
    """The variables that name a profile with the keys, in the measured home."""
    file = options.home / ".aws" / "credentials"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PROFILES.format(**store.keys), encoding="utf-8")
    return {**PROFILE, "AWS_SHARED_CREDENTIALS_FILE": str(file)}
