"""A store in memory: as S3 answers, so that a machine can do thousands of steps against it.

`test_memory.py` asks it and the real servers the same questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import md5, sha256
from pathlib import Path
from typing import Any, TypeVar

from flask_s3.assets import Body, BytesBody, FileBody
from flask_s3.errors import StoreError
from flask_s3.headers import kept
from flask_s3.store.protocol import (
    KEYS_A_DELETE,
    Condition,
    Fetched,
    Headers,
    Known,
    Listed,
    Stored,
)
from flask_s3.store.s3 import Dialect

T = TypeVar("T")
_TICK = 0.25


@dataclass(frozen=True)
class Item:
    """An object, by its bytes, headers, and the store's time when it was written."""

    body: bytes
    headers: Mapping[str, str]
    modified: float

    @property
    def etag(self) -> str:
        return md5(self.body, usedforsecurity=False).hexdigest()


@dataclass
class Disk:
    """What all clients of a bucket see at the same moment; each request takes a while."""

    items: dict[str, Item] = field(default_factory=dict)
    now: float = 1_700_000_000.0

    def tick(self) -> float:
        """HTTP dates are whole seconds."""
        self.now += _TICK
        return float(int(self.now))


class MemoryStore:
    """One client of a bucket; implements `flask_s3.store.protocol.Store`."""

    bucket = "memory"
    region = "us-east-1"
    address = "memory"

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.dialect = Dialect()

    def list(self, prefix: str) -> Iterator[Listed]:
        self._asked()
        for key, item in sorted(self.disk.items.items(), key=lambda pair: pair[0].encode()):
            if key.startswith(prefix):
                yield Listed(key, len(item.body), item.etag, item.modified)

    def folders(self, prefix: str) -> Iterator[str]:
        self._asked()
        rests = (key[len(prefix) :] for key in self.disk.items if key.startswith(prefix))
        yield from sorted({rest[: rest.find("/") + 1] for rest in rests if "/" in rest})

    def head(self, key: str) -> Future[Known | None]:
        self._asked()
        item = self.disk.items.get(key)
        if item is None:
            return _answered(lambda: None)
        digest = sha256(item.body).hexdigest()
        known = Known(len(item.body), item.etag, item.modified, digest, kept(item.headers))
        return _answered(lambda: known)

    def get(self, key: str) -> Fetched | None:
        now = self._asked()
        item = self.disk.items.get(key)
        return None if item is None else Fetched(item.body, item.etag, now - item.modified)

    def put(
        self,
        key: str,
        body: Body,
        headers: Headers,
        *,
        public: bool = False,
        condition: Condition | None = None,
        sent: Callable[[int], None] | None = None,
    ) -> Future[Stored]:
        del public, sent  # no ACLs, and no parts
        return self._changed(
            "PutObject", key, lambda: self._put(key, _bytes(body), headers, condition)
        )

    def copy(
        self, key: str, source: str, body: Body, headers: Headers, *, public: bool = False
    ) -> Future[Stored]:
        del body, public

        def copied() -> Stored:
            item = self.disk.items.get(source)
            if item is None:
                raise _refused("CopyObject", "NoSuchKey", 404)
            return self._put(key, item.body, headers, None)

        return self._changed("CopyObject", key, copied)

    def write(self, key: str, data: bytes, headers: Headers, condition: Condition | None) -> Stored:
        body = BytesBody(data, sha256(data).hexdigest())
        return self.put(key, body, headers, condition=condition).result()

    def delete(self, keys: Sequence[str]) -> Mapping[str, StoreError]:
        assert len(keys) <= KEYS_A_DELETE
        answer = self._changed("DeleteObjects", keys[0] if keys else "", lambda: self._delete(keys))
        error = answer.exception()
        return dict.fromkeys(keys, error) if isinstance(error, StoreError) else answer.result()

    def give_up(self) -> None:
        pass  # each request is answered before the next is made

    def bucket_exists(self) -> bool:
        self._asked()
        return True

    # -- what a test that breaks things takes hold of

    def _asked(self) -> float:
        """Called for every request that reads; returns the store's time."""
        return self.disk.tick()

    def _changed(self, operation: str, key: str, change: Callable[[], T]) -> Future[T]:
        """Called for every request that changes something, with what it does."""
        del operation, key
        self.disk.tick()
        return _answered(change)

    # -- what the store does

    def _put(self, key: str, data: bytes, headers: Headers, condition: Condition | None) -> Stored:
        there = self.disk.items.get(key)
        if condition is not None and condition.etag is None and there is not None:
            raise _refused("PutObject", "PreconditionFailed", 412)
        if condition is not None and condition.etag is not None:
            if there is None:
                raise _refused("PutObject", "NoSuchKey", 404)
            if there.etag != condition.etag:
                raise _refused("PutObject", "PreconditionFailed", 412)
        now = float(int(self.disk.now))
        item = Item(data, kept(headers), now)
        self.disk.items[key] = item
        return Stored(item.etag, now)

    def _delete(self, keys: Sequence[str]) -> Mapping[str, StoreError]:
        for key in keys:
            self.disk.items.pop(key, None)
        return {}


@dataclass(frozen=True)
class MemoryBucket:
    """Looks into a disk as `conftest.Bucket` looks into a real bucket."""

    disk: Disk
    name: str = "memory"

    @property
    def client(self) -> MemoryBucket:
        return self

    def get_paginator(self, operation: str) -> MemoryBucket:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **_: object) -> list[dict[str, Any]]:
        lines = [
            {"Key": key, "ETag": f'"{item.etag}"', "Size": len(item.body)}
            for key, item in sorted(self.disk.items.items())
        ]
        return [{"Contents": lines}]

    def get(self, key: str) -> dict[str, Any]:
        return {"Body": self.disk.items[key].body}

    def head(self, key: str) -> dict[str, Any]:
        item = self.disk.items[key]
        return {
            "ContentLength": len(item.body),
            "ETag": f'"{item.etag}"',
            "ResponseMetadata": {"HTTPHeaders": dict(item.headers)},
        }


def _bytes(body: Body) -> bytes:
    return Path(body.path).read_bytes() if isinstance(body, FileBody) else body.data


def _answered(answer: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    try:
        future.set_result(answer())
    except Exception as error:
        future.set_exception(error)
    return future


def _refused(operation: str, code: str, status: int) -> StoreError:
    return StoreError(
        f"{operation}: {code}",
        code=code,
        status=status,
        operation=operation,
        transient=status in {409, 500, 503},
    )
