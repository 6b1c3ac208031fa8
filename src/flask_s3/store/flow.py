"""Many requests at a time: bounded in number and bytes, slower when asked, repeated when it helps.

The first request goes alone, so that what is wrong with all of them is found with one; then the
window opens. A throttled answer halves it, answers widen it again (RFC 5681's additive increase,
multiplicative decrease). Delays grow exponentially with full jitter (AWS Architecture Blog,
"Exponential Backoff And Jitter").
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from ..errors import StoreError

T = TypeVar("T")

ATTEMPTS = 6
_DELAY_UNIT = 0.2
_LONGEST_DELAY = 20.0
_WIDENING = 0.125
# A write has two things to leave out (ACL, checksum), and each may be tried once more.
_LESSONS = 4


def delay(attempt: int) -> float:
    """Returns how many seconds to wait after the given failed attempt (1 is the first)."""
    return random.uniform(0, min(_LONGEST_DELAY, _DELAY_UNIT * 2**attempt))  # noqa: S311


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """One request to make.

    Attributes:
        key: what the caller knows it by.
        send: starts it; called again for each attempt.
        weight: bytes that it holds in memory while in flight.
    """

    key: str
    send: Callable[[], Future[T]]
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """How a job ended: with a value, or with the error of its last attempt."""

    key: str
    value: T | None
    error: Exception | None


@dataclass(slots=True)
class _Running(Generic[T]):
    job: Job[T]
    attempt: int
    serial: int
    lessons: int = 0
    error: StoreError | None = None


class Flow(Iterator[Outcome[T]]):
    """Runs jobs and yields their outcomes as they end, in no particular order.

    Each job that was taken has exactly one outcome, also after `stop`.

    Args:
        jobs: taken only as there is room for them.
        most: requests in flight at the same time.
        ahead: further ones that are handed over while nothing throttles, so that no connection
            waits for the next request.
        most_bytes: sum of the weights in flight; a heavier job goes alone.
    """

    def __init__(
        self, jobs: Iterable[Job[T]], *, most: int, most_bytes: int, ahead: int = 0
    ) -> None:
        self._jobs = iter(jobs)
        self._held: Job[T] | None = None
        self._stopped = False
        self._most = most
        self._most_bytes = most_bytes
        self._ahead = ahead
        self._window = 1.0
        self._in_flight = 0
        self._bytes = 0
        self._serial = 0
        self._narrowed_at = 0
        self._later: list[tuple[float, int, _Running[T]]] = []
        self._ended: SimpleQueue[tuple[_Running[T], Future[T]] | None] = SimpleQueue()

    def stop(self) -> None:
        """Takes no further job and repeats none; what is in flight is still waited for.

        May be called by a signal handler.
        """
        self._stopped = True
        self._ended.put(None)

    @property
    def in_flight(self) -> int:
        """How many requests are waited for."""
        return self._in_flight

    def __next__(self) -> Outcome[T]:
        while True:
            self._fill()
            if self._stopped and self._later:
                running = heappop(self._later)[2]
                return Outcome(running.job.key, None, running.error)
            if not self._in_flight and not self._later:
                raise StopIteration
            ended = self._wait()
            outcome = self._judge(*ended) if ended else None
            if outcome is not None:
                return outcome

    # -- sending

    def _fill(self) -> None:
        while self._in_flight < self._room() and (running := self._due()) is not None:
            self._send(running)

    def _room(self) -> int:
        wide_open = self._window >= self._most
        return self._most + self._ahead if wide_open else int(self._window)

    def _due(self) -> _Running[T] | None:
        if self._stopped:
            return None
        if self._later and self._later[0][0] <= time.monotonic():
            return heappop(self._later)[2] if self._has_room(self._later[0][2].job) else None
        if self._held is None:
            self._held = next(self._jobs, None)
        job = self._held
        if job is None or not self._has_room(job):
            return None
        self._held = None
        return _Running(job, 1, 0)

    def _has_room(self, job: Job[T]) -> bool:
        return not self._in_flight or self._bytes + job.weight <= self._most_bytes

    def _send(self, running: _Running[T]) -> None:
        self._serial += 1
        running.serial = self._serial
        self._in_flight += 1
        self._bytes += running.job.weight
        future = running.job.send()
        future.add_done_callback(lambda done: self._ended.put((running, done)))

    def _wait(self) -> tuple[_Running[T], Future[T]] | None:
        timeout = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
        if timeout == 0 and self._in_flight:
            timeout = None  # what is due has no room before an answer makes it
        try:
            return self._ended.get(timeout=timeout)
        except Empty:
            return None

    # -- judging

    def _judge(self, running: _Running[T], future: Future[T]) -> Outcome[T] | None:
        self._in_flight -= 1
        self._bytes -= running.job.weight
        error = future.exception()
        if error is None:
            self._widen()
            return Outcome(running.job.key, future.result(), None)
        if isinstance(error, StoreError) and self._goes_again(running, error):
            return None
        if not isinstance(error, Exception):
            raise error
        if not (isinstance(error, StoreError) and error.throttled):
            self._widen()  # one broken file must not make all the others wait in line
        return Outcome(running.job.key, None, error)

    def _goes_again(self, running: _Running[T], error: StoreError) -> bool:
        running.error = error
        if error.learned and running.lessons < _LESSONS:
            running.lessons += 1
            self._put_off(running, 0.0)
            return True
        if error.throttled:
            self._narrow(running)
        if not error.transient or running.attempt >= ATTEMPTS:
            return False
        wait = delay(running.attempt)
        running.attempt += 1
        self._put_off(running, wait)
        return True

    def _put_off(self, running: _Running[T], seconds: float) -> None:
        heappush(self._later, (time.monotonic() + seconds, running.serial, running))

    def _widen(self) -> None:
        opened = float(self._most) if self._window == 1.0 and not self._narrowed_at else None
        self._window = opened or min(float(self._most), self._window + _WIDENING)

    def _narrow(self, running: _Running[T]) -> None:
        """Halves the window, once for all the requests that were in flight together."""
        if running.serial > self._narrowed_at:
            self._window = max(1.0, self._window / 2)
            self._narrowed_at = self._serial
