"""`kill -9` at any instant: what pages ask for is there, and the next deploy completes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from forks import Command
from promise import Promise
from proxy import Call, Proxy
from versions import Versioned

DEAD = -9
AT_ONCE = 0.0
"""A lease: nobody else is alive, so what looks under way was left by the dead."""
COMMANDS = [["deploy"]] * 6 + [["rollback"], ["prune", "--keep=2", "--older-than=0s"]]


class Victim:
    """A command that is going to be killed, by whoever comes first."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._command: Command | None = None

    def is_(self, command: Command) -> None:
        self._command = command
        self._started.set()

    def kill(self) -> None:
        assert self._started.wait(10)
        assert self._command is not None
        self._command.kill()


def killed_at_a_request(
    dice: random.Random, proxy: Proxy, start: Callable[[], Command], usual: int
) -> bool:
    """Kills a command when one of its requests arrives, or when the store has done it."""
    victim = Victim()
    when = Call(before=victim.kill) if dice.random() < 0.5 else Call(after=victim.kill)
    proxy.rule(".*", "", when, turns={dice.randint(1, usual)})
    command = start()
    victim.is_(command)
    return command.end().code == DEAD


def killed_at_any_time(
    dice: random.Random, proxy: Proxy, start: Callable[[], Command], usual: int
) -> bool:
    """Kills a command after a while, wherever it is then."""
    command = start()
    time.sleep(dice.uniform(0.02, 0.16))
    command.kill()
    return command.end().code == DEAD


@pytest.mark.parametrize("killed", [killed_at_a_request, killed_at_any_time])
def test_a_deploy_that_is_killed_takes_nothing_from_any_page(
    killed, bucket, proxy, forking, tmp_path, kills
):
    """Half of the files change; sometimes the next one is killed too, or a rollback, or a prune."""
    dice = random.Random(killed.__name__)
    shop = Versioned(forking, bucket, tmp_path / "shop", proxy.endpoint)
    promise = Promise(bucket)
    shop.deploy(0)
    version, dead, usual = 0, 0, 24
    while dead < max(2, kills // 2):
        version += dice.choice([0, 1, 1, 1, 2])
        shop.become(version)
        start = partial(shop.start, *dice.choice(COMMANDS), lease=AT_ONCE)
        proxy.clear()
        dead += killed(dice, proxy, start, usual)
        proxy.wait_until_idle()
        assert promise.violations() == [], (dead, start.args, version)
        proxy.clear()
        if dice.random() < 0.4:
            version += dice.choice([0, 1])
            shop.become(version)
            done = shop.run("deploy", lease=AT_ONCE)
            assert done.code == 0, done.text
            assert (promise.unsettled(), shop.is_published(version)) == ([], [])
            usual = proxy.count()
    done = shop.run("deploy", lease=AT_ONCE)
    assert done.code == 0, done.text
    assert (promise.unsettled(), shop.is_published(version)) == ([], [])
