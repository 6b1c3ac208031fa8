"""Several commands at once, request by request: whoever comes first, the promise holds.

The machine of `test_model.py` lets another command run in the middle of one; here dice say after
each request, those that only look among them, which of two or three goes on.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, TypeVar

import pytest
import test_model
from promise import Promise
from test_model import APPS, Command, Died, InForce, Script, World
from test_model import versions_built as versions_built

from flask_s3.errors import FlaskS3Error
from flask_s3.release import prepare, prune, remote, sweeps
from flask_s3.store import s3

PATIENCE = 60
"""Seconds after which a command that waits for its turn has hung."""
PACES = (0.02, 0.3, 1.0, 1.0, 5.0)
FIRST = ["deploy"] * 6 + ["rollback", "prune"]
THEN = ["deploy"] * 3 + ["prune"] * 3 + ["rollback"] * 2
THEN += ["exclusive", "everything", "rollback to", "destroy"]
HOW = ("dies", "dies after", "fails", "is not answered")

T = TypeVar("T")


class Turns:
    """Lets one command at a time go on to its next request.

    Attributes:
        trace: who asked for what, in order.
        found: what a visitor missed first.
    """

    def __init__(self, dice: random.Random, count: int, check: Callable[[], list[str]]) -> None:
        self._dice = dice
        self._paces = dict.fromkeys(range(count), 1.0)
        self._check = check
        self._moved = threading.Condition()
        self._turn = 0
        self.trace: list[str] = []
        self.found: list[str] = []

    def take(self, who: int, what: str, do: Callable[[], T]) -> T:
        """Does a request once it is the command's turn."""

        def may_go_on() -> bool:
            return self._turn == who or who not in self._paces  # a look that nobody needs any more

        with self._moved:
            assert self._moved.wait_for(may_go_on, PATIENCE), "\n".join(self.trace)
            self.trace.append(f"{who}: {what}")
            try:
                return do()
            finally:
                self.found = self.found or self._check()
                self._pass_on()

    def end(self, who: int) -> None:
        """Says that a command came to its end."""
        with self._moved:
            del self._paces[who]
            self._pass_on()

    def _pass_on(self) -> None:
        if self._dice.random() < 0.1:
            self._paces = {who: self._dice.choice(PACES) for who in self._paces}
        if self._paces:
            (self._turn,) = self._dice.choices(list(self._paces), list(self._paces.values()))
        self._moved.notify_all()


class Client(test_model.Client):
    """The store as a command has it that waits for its turn."""

    def __init__(self, turns: Turns, who: int, script: Script) -> None:
        super().__init__(test_model.world)
        self._turns, self._who, self._script = turns, who, script

    def list(self, prefix: str) -> Iterator[Any]:
        listed = super().list
        return iter(self._take(f"lists {prefix}", lambda: [*listed(prefix)]))

    def folders(self, prefix: str) -> Iterator[str]:
        listed = super().folders
        return iter(self._take(f"lists folders of {prefix}", lambda: [*listed(prefix)]))

    def head(self, key: str) -> Future[Any]:
        return self._take(f"looks at {key}", partial(super().head, key))

    def get(self, key: str) -> Any:
        return self._take(f"reads {key}", partial(super().get, key))

    def _changed(self, operation: str, key: str, change: Callable[[], Any]) -> Future[Any]:
        changed = partial(super()._changed, operation, key, change)
        return self._take(f"{operation} {key}", changed)

    def _take(self, what: str, do: Callable[[], T]) -> T:
        return self._turns.take(self._who, what, do)


class Pool(ThreadPoolExecutor):
    """Its threads know for which command they work."""

    def submit(self, work: Any, *arguments: Any, **options: Any) -> Future[Any]:
        return super().submit(copy_context().run, work, *arguments, **options)


class AtOnce:
    """Does what it is given before it goes on: the dice decide, not the threads of one command."""

    def __init__(self, _count: int) -> None:
        pass

    @staticmethod
    def submit(work: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)
        return future


class StoresClock:
    """`time` of a machine whose clock is the store's, so that a lease is a number of requests."""

    @staticmethod
    def time() -> float:
        return test_model.world.bucket.disk.now

    monotonic = time

    @staticmethod
    def sleep(_seconds: float) -> None:
        pass


opens: ContextVar[Callable[[], Any]] = ContextVar("opens")
"""Opens the store of the command that runs; without it, nobody else does anything meanwhile."""


@pytest.fixture
def one_clock(versions_built: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(remote, "ThreadPoolExecutor", AtOnce)
    monkeypatch.setattr(s3, "S3Store", lambda *_: opens.get(test_model.world.opened)())
    for module in (sweeps, prune):
        monkeypatch.setattr(module, "time", StoresClock)
    monkeypatch.setattr(sweeps, "LEASE", 60.0)
    monkeypatch.setattr(prune, "_TOUCH_SECONDS", 10.0)


def at_once(turns: Turns, commands: list[Command], scripts: list[Script]) -> None:
    """Runs commands to their ends, good or bad, or to their deaths."""

    def run(who: int) -> None:
        opens.set(partial(Client, turns, who, scripts[who]))
        try:
            commands[who]()
        except (FlaskS3Error, Died):
            pass
        except Exception as error:
            turns.found.append(f"{commands[who]} raised {error!r}")
        finally:
            turns.end(who)

    threads = [threading.Thread(target=run, args=(who,)) for who in range(len(commands))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wrong(dice: random.Random) -> tuple[list[str], object]:
    """Returns what was wrong after dice made up commands and their order, and what those were."""
    world = test_model.world = World()
    promises = {app: InForce(world.bucket, app) for app in APPS}
    apps = dice.choice([APPS, APPS[:1], APPS[:1]])

    def made_up(names: list[str]) -> Command:
        return Command(dice.choice(names), dice.choice(apps), dice.randrange(12))

    def check() -> list[str]:
        return [line for promise in promises.values() for line in promise.violations()]

    before = [made_up(FIRST) for _ in range(dice.choice([0, 1, 2, 3, 3, 4, 4]))]
    for command in before:
        world.command(command)
    commands = [made_up(THEN) for _ in range(dice.choice([2, 2, 3]))]
    fails = dice.random() < 0.5
    scripts = [
        Script(dice.randint(1, 20) if fails else 0, dice.choice(HOW), dice.choice([1, 1, 2, 8]))
        for _ in commands
    ]
    turns = Turns(dice, len(commands), check)
    at_once(turns, commands, scripts)
    found = turns.found or check()
    for app in apps:
        if not fails and promises[app].look().current is not None:
            found += filter(_is_told, Promise(world.bucket, app).unsettled())
        test_model._deploy(app, 0)
        found += promises[app].amiss()
    return [*found, *check()], (before, commands, scripts, turns.trace)


def _is_told(line: str) -> bool:
    """But for headers alone, whose change goes unseen within 5 seconds: docs/releases.md."""
    return "its record says" not in line


@pytest.mark.usefixtures("one_clock")
def test_no_order_of_requests_breaks_the_promise(kills: int) -> None:
    for seed in range(kills * 5):
        found, how = wrong(random.Random(f"turns {seed}"))
        assert found == [], (seed, how)
