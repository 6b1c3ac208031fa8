"""Stores that ignore the conditions of conditional writes, found out while a first deploy runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from memory import Disk, MemoryStore

from flask_s3.errors import StoreError
from flask_s3.release.pointer import Overtaken
from flask_s3.release.releases import Current, Releases
from flask_s3.store.protocol import Stored


class Ignoring(MemoryStore):
    """Writes whatever the condition says."""

    def put(self, key: str, *arguments: Any, **options: Any) -> Future[Stored]:
        return super().put(key, *arguments, **{**options, "condition": None})


class BusyAfterwards(Ignoring):
    """Is too busy for the two requests after the first."""

    busy = 0

    def put(self, key: str, *arguments: Any, **options: Any) -> Future[Stored]:
        self.busy += 1
        if self.busy not in {2, 3}:
            return super().put(key, *arguments, **options)
        refused: Future[Stored] = Future()
        refused.set_exception(
            StoreError("busy", code="SlowDown", status=503, operation="PutObject", transient=True)
        )
        return refused


@pytest.fixture
def another() -> Callable[[], Releases]:
    """One more command at the same bucket."""
    store = Ignoring(Disk())
    return lambda: Releases(store, "shop", "")


def publish(releases: Releases, current: Current | None) -> Current:
    assert current is not None
    record = releases.new_record({}, None, {}, current)
    return releases.publish(record, current, unfinished=False)


def test_a_store_that_ignores_conditions_is_found_out(another):
    releases = another()

    assert publish(releases, releases.begin(None)).stand.state.conditions is False


def test_a_busy_store_that_ignores_conditions_is_not_taken_for_one_that_obeys():
    releases = Releases(BusyAfterwards(Disk()), "shop", "")

    assert publish(releases, releases.begin(None)).stand.state.conditions is None


def test_who_moves_a_pointer_of_which_nobody_knows_sees_that_others_did(another):
    another().begin(None)  # died before it told
    one, two = another(), another()
    mine, theirs = one.current(), two.current()
    publish(two, theirs)

    with pytest.raises(Overtaken):
        publish(one, mine)


def test_who_was_overtaken_at_a_first_deploy_does_not_undo_the_release_of_the_other(another):
    one, two = another(), another()
    mine = one.begin(None)
    theirs = two.begin(two.current())
    with pytest.raises(Overtaken):
        publish(one, mine)
    again = one.settled()
    done = publish(two, theirs)

    with pytest.raises(Overtaken):
        publish(one, one.begin(again))

    now = one.current()
    assert now is not None
    assert now.release == done.release
