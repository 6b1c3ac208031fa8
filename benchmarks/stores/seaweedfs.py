"""SeaweedFS, a store that people run in production; started as the tests start it.

It and boto3, which looks after it, live in a process of their own, ``python -m stores.seaweedfs``:
what that imports must not count as memory of the commands that are measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness import CommandFailed

from stores.running import BENCHMARKS, BUCKET


@dataclass(frozen=True)
class SeaweedFS:
    """A running SeaweedFS, and the process that looks after it."""

    process: subprocess.Popen[str]
    url: str
    keys: Mapping[str, str]

    def reset(self) -> None:
        """Makes the bucket anew, which gives its disk space back."""
        self._ask("reset")

    def objects(self) -> int:
        """How many objects the bucket holds."""
        return int(self._ask("objects"))

    def _ask(self, what: str) -> str:
        if self.process.stdin is None or self.process.stdout is None:
            raise ValueError("the process was started without pipes")
        print(what, file=self.process.stdin, flush=True)
        return self.process.stdout.readline()


@contextmanager
def seaweedfs() -> Iterator[SeaweedFS]:
    """SeaweedFS in a folder of its own, ended with the block."""
    argv = (sys.executable, "-m", "stores.seaweedfs")
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, cwd=BENCHMARKS) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise CommandFailed("SeaweedFS did not start")
        yield SeaweedFS(process, **json.loads(line))
        # Its standard input ends with the block, and with that it does.


# The process that looks after it


def main() -> None:
    """Starts it, tells where it is, and does what the lines of standard input ask for."""
    # The tests' own module, so that there is one place that knows how this server is started.
    sys.path.append(str(BENCHMARKS.parent / "tests"))
    import servers  # noqa: PLC0415  (the path is known only now, and it brings boto3's memory)

    with servers.seaweedfs() as server:
        keys = {
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
        }
        print(json.dumps({"url": server.endpoint, "keys": keys}), flush=True)
        client = server.client()
        for line in sys.stdin:
            if line.strip() == "reset":
                make_anew(client)
            print(sum(1 for _ in keys_in(client)), flush=True)


def make_anew(client: Any) -> None:  # noqa: ANN401  (boto3's have no type of their own)
    """Empties the bucket; creates it the first time. A deleted one is there for a while still."""
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    keys = [{"Key": key} for key in keys_in(client)]
    for start in range(0, len(keys), 1000):
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys[start : start + 1000]})


def keys_in(client: Any) -> Iterator[str]:  # noqa: ANN401
    """The keys of the bucket."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        yield from (item["Key"] for item in page.get("Contents", []))


if __name__ == "__main__":
    main()
