"""The flow of many requests, with futures that a test completes in the order it likes.

Nothing here runs at the same time: whenever the flow waits for an answer, the rig gives one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_s3.errors import StoreError
from flask_s3.store import flow
from flask_s3.store.flow import ATTEMPTS, Flow, Job, Outcome

OK = "ok"
Result = str | BaseException
Choose = Callable[[int], int]


def broken(text: str = "broken") -> StoreError:
    return StoreError(text, code="AccessDenied", status=403, operation="PutObject")


def transient() -> StoreError:
    return StoreError("500", code="InternalError", status=500, operation="P", transient=True)


def throttled() -> StoreError:
    return StoreError("503", code="SlowDown", status=503, operation="P", transient=True)


def learned() -> StoreError:
    error = StoreError("no ACLs", code="AccessControlListNotSupported", status=400, operation="P")
    error.learned = True
    return error


class Rig:
    """Sends what a flow sends, and answers when the flow waits.

    Args:
        results: what each attempt of a job ends with; the last one goes for all that follow.
        choose: which of so many requests in flight is answered next.
    """

    def __init__(
        self,
        results: dict[str, Sequence[Result]],
        *,
        weights: dict[str, int] | None = None,
        choose: Choose = lambda _count: 0,
    ) -> None:
        self._results = results
        self._weights = weights or {}
        self._choose = choose
        self._pending: list[tuple[str, Future[str]]] = []
        self.sent: list[str] = []
        self.in_flight: list[tuple[str, ...]] = []
        self.before_answer: Callable[[], None] = lambda: None
        self.before_waiting: Callable[[], None] = lambda: None
        self.now = 0.0

    def jobs(self) -> Iterator[Job[str]]:
        for key in self._results:
            yield Job(key, lambda key=key: self._send(key), self._weights.get(key, 0))

    def _send(self, key: str) -> Future[str]:
        future: Future[str] = Future()
        self._pending.append((key, future))
        self.sent.append(key)
        self.in_flight.append(tuple(key for key, _ in self._pending))
        return future

    def answer(self) -> None:
        self.before_answer()
        key, future = self._pending.pop(self._choose(len(self._pending)))
        results = self._results[key]
        result = results[min(self.sent.count(key), len(results)) - 1]
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)

    @property
    def idle(self) -> bool:
        return not self._pending

    @property
    def most(self) -> int:
        return max(map(len, self.in_flight))

    @property
    def most_bytes_together(self) -> int:
        """The largest sum of weights, of requests that were not alone."""
        sums = [sum(map(self._weights.__getitem__, keys)) for keys in self.in_flight if keys[1:]]
        return max(sums, default=0)

    def flow(self, *, most: int = 8, most_bytes: int = 1000, ahead: int = 0) -> Flow[str]:
        return self.flow_of(self.jobs(), most=most, most_bytes=most_bytes, ahead=ahead)

    def flow_of(
        self, jobs: Iterator[Job[str]], *, most: int, most_bytes: int = 1000, ahead: int = 0
    ) -> Flow[str]:
        made: Flow[str] = Flow(jobs, most=most, most_bytes=most_bytes, ahead=ahead)
        made._ended = _Answering(self)  # type: ignore[assignment]
        flow.time = self  # type: ignore[assignment]
        return made

    def monotonic(self) -> float:
        """The flow's clock: it goes on when something is answered or waited for."""
        return self.now

    def run(self, **bounds: int) -> dict[str, Any]:
        """Each key's value or error; fails when a key ends twice."""
        return ended(self.flow(**bounds))


def ended(outcomes: Iterator[Outcome[str]]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for outcome in outcomes:
        assert outcome.key not in results
        assert (outcome.value is None) is (outcome.error is not None)
        results[outcome.key] = outcome.error or outcome.value
    return results


class _Answering(SimpleQueue):  # type: ignore[type-arg]
    """The flow's queue of answers: to wait for one makes the rig give one."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def get(self, *, timeout: float | None = None) -> Any:
        if self.empty() and not self._rig.idle:
            assert timeout != 0, "it asks again and again instead of waiting"
            self._rig.now += 1
            if timeout is None or timeout >= 1:
                self._rig.answer()
        try:
            return super().get(block=False)
        except Empty:
            self._rig.before_waiting()
            if not self.empty():
                return self.get(timeout=timeout)
            assert timeout is not None, "it waits for an answer that will never come"
            self._rig.now += timeout
            raise


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "time", None)
    monkeypatch.setattr(flow, "delay", lambda _attempt: 0.0)


def keys(count: int, result: Result = OK) -> dict[str, Sequence[Result]]:
    return {f"k{number}": [result] for number in range(count)}


# -- bounds


def test_the_first_request_goes_alone_and_then_the_window_opens_at_once():
    rig = Rig(keys(20))

    rig.run(most=8)

    assert [len(together) for together in rig.in_flight[:9]] == [1, 1, 2, 3, 4, 5, 6, 7, 8]


def test_never_more_requests_than_the_setting_allows():
    rig = Rig(keys(50))

    assert rig.run(most=8) == dict.fromkeys(keys(50), OK)
    assert rig.most == 8


def test_what_is_handed_over_ahead_is_bounded_too_and_ends_with_throttling():
    rig = Rig({"k0": [OK], "k1": [throttled(), OK], **{f"k{n}": [OK] for n in range(2, 30)}})

    rig.run(most=8, ahead=3)

    counts = [len(together) for together in rig.in_flight]
    assert max(counts) == 11
    assert max(counts[counts.index(11) + 1 :]) <= 7


def test_the_bytes_in_flight_stay_within_the_bound():
    rig = Rig(keys(20), weights=dict.fromkeys(keys(20), 30))

    rig.run(most=8, most_bytes=100)

    assert rig.most_bytes_together == 90


def test_a_job_heavier_than_the_bound_goes_alone_instead_of_never():
    weights = {"k0": 1, "k1": 1, "k2": 5000, "k3": 1, "k4": 1}
    rig = Rig(keys(5), weights=weights)

    assert rig.run(most_bytes=1000) == dict.fromkeys(weights, OK)
    assert [together for together in rig.in_flight if "k2" in together] == [("k2",)]


def test_a_repeated_job_counts_its_bytes_again(monkeypatch):
    """It gave its room away while it waited; it may not take it back from those in flight."""
    monkeypatch.setattr(flow, "delay", lambda _attempt: 2.0)
    results = {"k0": [OK], "k1": [transient(), OK], **{f"k{n}": [OK] for n in range(2, 9)}}
    rig = Rig(results, weights=dict.fromkeys(results, 40))

    rig.run(most=8, most_bytes=100)

    assert rig.most_bytes_together == 80


def test_jobs_are_taken_only_as_there_is_room_for_them():
    """A body that was made in memory must not be made for a request that waits."""
    taken = []
    rig = Rig(keys(30))
    made = rig.flow_of((taken.append(job.key) or job for job in rig.jobs()), most=4)

    next(made)
    next(made)

    assert len(taken) == 5


# -- errors


def test_a_transient_error_is_repeated_until_it_works():
    rig = Rig({"a": [transient(), transient(), OK]})

    assert rig.run() == {"a": OK}
    assert rig.sent == ["a"] * 3


def test_a_store_that_never_recovers_is_asked_no_more_than_attempts_times():
    rig = Rig({"a": [transient()], "b": [OK]})

    results = rig.run()

    assert (results["a"].status, results["b"]) == (500, OK)
    assert rig.sent.count("a") == ATTEMPTS == 6


def test_what_repeating_cannot_mend_is_not_repeated():
    error = broken()
    rig = Rig({"a": [error]})

    assert rig.run() == {"a": error}
    assert rig.sent == ["a"]


def test_an_error_that_is_not_the_stores_ends_one_job_only():
    error = ValueError("a header that HTTP cannot carry")
    rig = Rig({"a": [error], "b": [OK]})

    assert rig.run() == {"a": error, "b": OK}


def test_what_the_store_taught_is_applied_at_once_and_costs_no_attempt():
    rig = Rig({"a": [learned(), *[transient()] * (ATTEMPTS - 1), OK]})

    assert rig.run() == {"a": OK}
    assert len(rig.sent) == ATTEMPTS + 1


def test_a_learned_error_does_not_narrow_the_window():
    results = {"k0": [OK], "k1": [learned(), OK], **{f"k{n}": [OK] for n in range(2, 30)}}
    rig = Rig(results)

    rig.run(most=8)

    assert rig.most == 8
    assert len(rig.in_flight[-1]) == 8


def test_one_broken_file_does_not_make_the_others_wait_in_line():
    """The first answer opens the window, whether it is good or bad."""
    rig = Rig({"broken": [broken()], **keys(20)})

    rig.run(most=8)

    assert len(rig.in_flight[8]) == 8


@pytest.mark.parametrize("attempt", range(1, ATTEMPTS + 3))
def test_delays_grow_with_full_jitter_up_to_twenty_seconds(attempt, monkeypatch):
    monkeypatch.undo()
    drawn = []
    monkeypatch.setattr(flow.random, "uniform", lambda low, high: drawn.append((low, high)) or high)

    assert flow.delay(attempt) == min(20.0, 0.2 * 2**attempt)
    assert drawn[0][0] == 0


# -- throttling


def test_throttling_halves_the_requests_in_flight():
    rig = Rig({"k0": [OK], "k1": [throttled(), OK], **{f"k{n}": [OK] for n in range(2, 30)}})

    rig.run(most=16)

    counts = [len(together) for together in rig.in_flight]
    assert max(counts) == 16
    after = counts[counts.index(16) + 1 :]
    assert max(after) <= 8 + 30 * 0.125
    assert max(after) >= 8


def test_throttled_answers_to_one_burst_halve_only_once():
    results = {"k0": [OK], **{f"k{n}": [throttled(), OK] for n in range(1, 17)}, **keys(0)}
    rig = Rig({**results, **{f"z{n}": [OK] for n in range(40)}})

    rig.run(most=16)

    counts = [len(together) for together in rig.in_flight]
    assert max(counts[counts.index(16) + 1 :]) >= 8


def test_a_store_that_throttles_on_is_asked_one_at_a_time_in_the_end():
    rig = Rig({"k0": [OK], **{f"k{n}": [throttled()] for n in range(1, 20)}})

    results = rig.run(most=16)

    assert {result.status for key, result in results.items() if key != "k0"} == {503}
    assert {len(together) for together in rig.in_flight[-30:]} == {1}
    assert rig.sent.count("k7") == ATTEMPTS


def test_good_answers_widen_the_window_again_up_to_the_bound():
    rig = Rig({"k0": [OK], "k1": [throttled(), OK], **{f"k{n}": [OK] for n in range(2, 200)}})

    rig.run(most=8)

    counts = [len(together) for together in rig.in_flight]
    assert counts[-1] == 8
    assert max(counts) == 8


def test_an_error_that_is_not_throttling_leaves_the_window_open():
    rig = Rig({"k0": [OK], "k1": [transient(), OK], **{f"k{n}": [OK] for n in range(2, 30)}})

    rig.run(most=8)

    assert {len(together) for together in rig.in_flight[8:]} == {8}


# -- stopping


def test_stop_waits_for_what_is_in_flight_and_takes_nothing_more():
    rig = Rig(keys(40))
    running = rig.flow(most=8)
    first = next(running)
    second = next(running)

    running.stop()
    rest = ended(running)

    assert rest == dict.fromkeys([f"k{n}" for n in range(2, 9)], OK)
    assert rig.sent == [f"k{n}" for n in range(9)]
    assert (first.key, second.key) == ("k0", "k1")


def test_stop_does_not_repeat_but_tells_how_the_last_attempt_ended():
    """What stands under such a key is not known: it must not be taken for never sent."""
    rig = Rig({"k0": [OK], "k1": [transient()], "k2": [OK], "k3": [OK]})
    running = rig.flow(most=2)
    assert [next(running).key, next(running).key] == ["k0", "k2"]

    running.stop()
    rest = ended(running)

    assert rest["k1"].status == 500
    assert rest.keys() <= {"k1", "k3"}


def test_stop_from_a_signal_handler_in_any_answer_loses_no_job():
    for moment in range(12):
        rig = Rig({f"k{n}": [transient(), OK] for n in range(10)})
        running = rig.flow(most=4)
        answers = iter(range(1000))

        def interrupt(running=running, moment=moment, answers=answers) -> None:
            if next(answers) == moment:
                running.stop()

        rig.before_answer = interrupt

        assert ended(running).keys() == set(rig.sent)


def test_stop_does_not_sit_out_the_delay_before_a_repetition(monkeypatch):
    monkeypatch.setattr(flow, "delay", lambda _attempt: 20.0)
    rig = Rig({"k0": [transient()]})
    running = rig.flow()
    rig.before_waiting = running.stop

    assert ended(running)["k0"].status == 500
    assert rig.now < 20


def test_stop_before_anything_was_taken_sends_nothing():
    rig = Rig(keys(3))
    running = rig.flow()

    running.stop()

    assert ended(running) == {}
    assert rig.sent == []


def test_no_jobs_no_outcomes():
    assert Rig({}).run() == {}


# -- whatever happens


RESULTS = st.sampled_from([OK, OK, OK, broken(), transient(), throttled()])
JOBS = st.lists(st.tuples(st.integers(0, 60), st.lists(RESULTS, min_size=1, max_size=8)))


@given(
    jobs=JOBS,
    teaches=st.booleans(),
    most=st.integers(1, 9),
    most_bytes=st.integers(1, 100),
    ahead=st.integers(0, 4),
    order=st.randoms(use_true_random=False),
    stop_after=st.none() | st.integers(0, 30),
)
@example(
    jobs=[(40, [OK]), (40, [transient(), OK]), (40, [OK]), (40, [OK])],
    teaches=False,
    most=8,
    most_bytes=100,
    ahead=0,
    order=None,
    stop_after=None,
)
def test_whatever_ends_when_every_job_has_one_outcome_and_the_bounds_hold(
    jobs, teaches, most, most_bytes, ahead, order, stop_after
):
    results = {
        f"k{number}": [*([learned()] if teaches else []), *attempts]
        for number, (_, attempts) in enumerate(jobs)
    }
    weights = {f"k{number}": weight for number, (weight, _) in enumerate(jobs)}
    rig = Rig(results, weights=weights, choose=order.randrange if order else lambda _: 0)
    answers = iter(range(10_000))

    def may_stop() -> None:
        if next(answers) == stop_after:
            running.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "delay", lambda _attempt: order.uniform(0, 5) if order else 2.0)
        running = rig.flow(most=most, most_bytes=most_bytes, ahead=ahead)
        rig.before_answer = may_stop
        outcomes = ended(running)

    assert outcomes.keys() == set(rig.sent)
    if stop_after is None:
        assert outcomes.keys() == results.keys()
        assert outcomes == {key: expected(attempts) for key, attempts in results.items()}
    assert max(map(rig.sent.count, rig.sent), default=0) <= ATTEMPTS + teaches
    assert max(map(len, rig.in_flight), default=0) <= most + ahead
    assert rig.most_bytes_together <= most_bytes


def expected(attempts: Sequence[Result]) -> Result:
    """How a job ends that is not stopped: the first result that is not worth a repetition."""
    counted = 0
    for result in [*attempts, *[attempts[-1]] * ATTEMPTS]:
        counted += not getattr(result, "learned", False)
        final = result == OK or not (result.transient or result.learned)
        if final or counted == ATTEMPTS:
            return result
    raise AssertionError
