"""Runs a plan: sends its objects, many at a time, and tells what became of each."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from ..assets import METADATA_PREFIX, FileBody, Object, Refuse
from ..errors import StoreError
from ..store.flow import Flow, Job, Outcome
from ..store.protocol import (
    BYTES_IN_FLIGHT,
    LARGEST_COPY,
    PART_BYTES,
    PARTS_IN_FLIGHT,
    Known,
    Store,
    Stored,
    file_changed,
)
from .plan import Plan

# What is wrong with every object: the first answer tells, and the others need not be tried.
_HOPELESS = frozenset(
    [
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "NoSuchBucket",
        "PermanentRedirect",
    ]
)


# Requests that wait for a connection: one that is free has its next at once.
_AHEAD = 64
# So many objects in a row that failed at each attempt: the store is down, or throttles for good.
_ENOUGH = 10


class Progress(Protocol):
    """Is told how a run goes on."""

    def sent(self, count: int, /) -> None:
        """So many bytes more were sent."""
        ...

    def done(self) -> None:
        """One more object is done, one way or the other."""
        ...

    def stopping(self, left: int, /) -> None:
        """No further object is begun; so many are on their way still."""
        ...


class Silent:
    """The progress that nobody watches."""

    def sent(self, _count: int) -> None:
        """Says nothing."""

    def done(self) -> None:
        """Says nothing."""

    def stopping(self, _left: int) -> None:
        """Says nothing."""


@dataclass(slots=True)
class Published:
    """What became of a plan's puts.

    Attributes:
        stored: what the store now holds, by key.
        failures: which keys failed, and why; what stands there is not known.
        unsent: keys that were never tried; what stood there stands there still.
        bytes: how many were sent.
        cause: the first error of the store.
        interrupted: whether Ctrl-C kept it from going on.
    """

    stored: dict[str, Known] = field(default_factory=dict)
    failures: list[Refuse] = field(default_factory=list)
    unsent: list[str] = field(default_factory=list)
    bytes: int = 0
    cause: StoreError | None = None
    interrupted: bool = False

    def add(self, later: Published) -> None:
        """Takes in what became of a later plan's puts."""
        self.stored.update(later.stored)
        self.failures += later.failures
        self.unsent += later.unsent
        self.bytes += later.bytes
        self.cause = self.cause or later.cause
        self.interrupted = self.interrupted or later.interrupted

    def not_sent(self) -> list[Refuse]:
        """Says of what was never tried why it was not."""
        why = "interrupted." if self.interrupted else str(self.cause)
        return [Refuse(key, f"Not sent: {why}") for key in self.unsent]

    def fail(self, key: str, reason: str, error: Exception | None) -> None:
        """Takes in what did not work."""
        self.failures.append(Refuse(key, reason))
        if isinstance(error, StoreError) and self.cause is None:
            self.cause = error


def publish(
    plan: Plan, store: Store, progress: Progress, *, public: bool, concurrency: int
) -> Published:
    """Sends the plan's puts and returns what became of them; one key's failure stops no other.

    After Ctrl-C, or an error that every object would meet, nothing further is sent and what is in
    flight is waited for; the same when one object after another fails at each attempt. A second
    Ctrl-C gives up what is in flight.

    Args:
        plan: what to do.
        store: where.
        progress: told after each object.
        public: whether objects get the ACL that lets anybody read them; our own never do.
        concurrency: requests in flight, at most.
    """
    objects = {put.key: put.object for put in plan.puts}
    waiting = dict(objects)
    jobs = (_job(store, put.object, progress, public=public) for put in plan.puts)
    ahead = min(concurrency, _AHEAD)
    flow = Flow(jobs, most=concurrency, most_bytes=BYTES_IN_FLIGHT, ahead=ahead)
    done = Published()
    in_a_row, told = 0, False
    with _interruptible(flow, done, store):
        for outcome in flow:
            object_ = waiting.pop(outcome.key)
            _take_in(done, object_, outcome)
            if object_.body.size <= PART_BYTES and object_.copy_of is None:
                progress.sent(object_.body.size)
            progress.done()
            if done.interrupted and not told:
                told = True
                progress.stopping(flow.in_flight)
            in_a_row = 0 if outcome.error is None else in_a_row + _is_transient(outcome.error)
            if isinstance(outcome.error, StoreError) and outcome.error.code in _HOPELESS:
                done.cause = outcome.error
                flow.stop()
            if in_a_row >= _ENOUGH:
                flow.stop()
    done.unsent = list(waiting)
    for key in [key for key in done.stored if _has_changed(objects[key])]:
        _take_back(done, objects[key])
    return done


@contextmanager
def _interruptible(flow: Flow[Stored], done: Published, store: Store) -> Iterator[None]:
    """Makes the first Ctrl-C only keep the flow from going on with more; the second raises at once.

    An exception could come between any two steps, and what is in flight be miscounted.
    """

    def stop(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        done.interrupted = True
        flow.stop()

    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, stop)
    try:
        yield
    except KeyboardInterrupt:
        store.give_up()  # else what is still to be noted waits behind it
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _job(store: Store, object_: Object, progress: Progress, *, public: bool) -> Job[Stored]:
    size = object_.body.size
    public = public and not object_.key.startswith(METADATA_PREFIX)
    weight = min(size, PART_BYTES * PARTS_IN_FLIGHT)

    def copy(source: str) -> Future[Stored]:
        return store.copy(object_.key, source, object_.body, object_.headers, public=public)

    def send() -> Future[Stored]:
        if object_.copy_of is not None and size <= LARGEST_COPY:
            return copy(object_.copy_of)
        return store.put(
            object_.key,
            object_.body,
            object_.headers,
            public=public,
            sent=progress.sent if size > PART_BYTES else None,
        )

    return Job(object_.key, send, weight)


def _is_transient(error: Exception) -> bool:
    return isinstance(error, StoreError) and error.transient


def _take_in(done: Published, object_: Object, outcome: Outcome[Stored]) -> None:
    if outcome.value is None:
        done.fail(object_.key, str(outcome.error), outcome.error)
        return
    if object_.copy_of is None:
        done.bytes += object_.body.size
    done.stored[object_.key] = expected(object_, outcome.value)


def expected(object_: Object, stored: Stored) -> Known:
    """Returns what the store holds once an object is written.

    Args:
        object_: the object.
        stored: what the store answered to the write, or will.
    """
    return Known(
        size=object_.body.size,
        etag=stored.etag,
        modified=stored.modified,
        sha256=object_.body.sha256,
        headers=object_.headers,
        decoded=object_.decoded,
    )


def _has_changed(object_: Object) -> bool:
    """Returns whether a file is not the one any more that was hashed.

    A store that checks SHA-256 has refused such a body already; not every store does, and the parts
    of a large file carry no checksum of the whole.
    """
    body = object_.body
    if not isinstance(body, FileBody) or object_.copy_of is not None:
        return False
    try:
        now = os.stat(body.path)  # noqa: PTH116
    except OSError:
        return True
    return (now.st_size, now.st_mtime_ns) != (body.size, body.mtime_ns)


def _take_back(done: Published, object_: Object) -> None:
    del done.stored[object_.key]
    done.bytes -= object_.body.size
    changed = file_changed(object_.key)
    done.fail(object_.key, str(changed), changed)
