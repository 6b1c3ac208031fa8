"""Commands of one app at the same time, slow ones too: one release is in force, and it is whole."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from forks import Command, Done
from promise import Promise
from proxy import Delay, Proxy, Weather
from versions import Versioned

SLOW = (Delay(0.02), Delay(0.05), Delay(0.15))
REFUSED = ("no release with other files before", "cannot be brought back", "nothing tells which")
"""Why a rollback may say no while others deploy and prune."""


@pytest.fixture
def machines(bucket, forking, tmp_path) -> Iterator[list[tuple[Versioned, Proxy]]]:
    """Three checkouts of one app, each with its own slow way to the bucket."""
    with ExitStack() as stack:
        ways = [stack.enter_context(Proxy(bucket.server.endpoint)) for _ in range(3)]
        yield [
            (Versioned(forking, bucket, tmp_path / f"machine{n}", way.endpoint), way)
            for n, way in enumerate(ways)
        ]


def slow_down(machines: list[tuple[Versioned, Proxy]], dice: random.Random) -> None:
    for _, way in machines:
        way.clear()
        rate = dice.choice([0.0, 0.1, 0.5])
        way.rule(".*", "", Weather(rate, dice.randrange(10**6), SLOW, in_a_row=100))


def is_over(machines: list[tuple[Versioned, Proxy]], commands: list[Command]) -> Done:
    """Waits for commands, the last of which may lose; returns how that one ended."""
    ended = [command.end() for command in commands]
    for _, way in machines:
        way.wait_until_idle()
    assert [done.code for done in ended[:-1]] == [0] * (len(ended) - 1), ended
    return ended[-1]


def test_of_two_deploys_at_once_one_is_in_force_and_whole(bucket, machines, kills):
    dice, promise = random.Random("two deploys"), Promise(bucket)
    (first, _), (second, _), _ = machines
    first.deploy(0)
    version = 0
    for turn in range(max(3, kills // 4)):
        slow_down(machines, dice)
        ours, theirs = version + 1, version + dice.choice([2, 3, 5])
        first.become(ours)
        second.become(theirs)
        exclusive = ["--exclusive"] * (dice.random() < 0.3)
        last = is_over(machines, [first.start("deploy"), second.start("deploy", *exclusive)])

        assert last.code == 0 or (exclusive and last.code == 3), last
        assert promise.unsettled() == [], turn
        in_force = [v for v in (ours, theirs) if first.is_published(v) == []]
        assert len(in_force) == 1, turn
        if last.code == 3:
            assert "Another deploy of this app came first" in last.text
            assert in_force == [ours]
        version = in_force[0]


def test_a_deploy_beside_a_prune_and_a_rollback_leaves_one_whole_release(bucket, machines, kills):
    dice, promise = random.Random("all three"), Promise(bucket)
    (first, _), (second, _), (third, _) = machines
    first.deploy(0)
    first.deploy(1)
    version, went_back = 1, 0
    for turn in range(max(3, kills // 4)):
        slow_down(machines, dice)
        version += dice.choice([1, 1, 2, 7])
        first.become(version)
        keep = dice.choice(["--keep=1", "--keep=2"])
        commands = [
            first.start("deploy"),
            second.start("prune", keep, "--older-than=0s"),
            third.start("rollback"),
        ]
        last = is_over(machines, commands)

        refused = last.code == 1 and any(why in last.text for why in REFUSED)
        assert last.code in {0, 3} or refused, last
        went_back += last.code == 0
        assert promise.unsettled() == [], (turn, last)
        current = promise.look().current
        if current.restores is None and last.code != 0:
            assert first.is_published(version) == [], turn
    if kills >= 200:
        assert went_back, "no rollback ever succeeded"
