"""Two commands at once, in orders that are held by gates: no timing decides who comes first."""

from __future__ import annotations

import threading

import pytest
from promise import Promise
from proxy import Call, Gate, LoseAnswer
from versions import Versioned

PRUNE = ("prune", "--keep=1", "--older-than=0s")
AT_ONCE = 0.0
LATE = {**{f"{n}.txt": "always" for n in "abc"}, "robots.txt": "of the late one"}
NEXT = {**LATE, "robots.txt": "of the next ones"}
LAST = {**NEXT, "a.txt": "changed at last"}


@pytest.fixture
def ours(bucket, proxy, forking, tmp_path) -> Versioned:
    """A checkout whose way to the bucket is `proxy`."""
    return Versioned(forking, bucket, tmp_path / "ours", proxy.endpoint)


@pytest.fixture
def theirs(bucket, other_proxy, forking, tmp_path) -> Versioned:
    """Another checkout of the same app, with a way of its own."""
    return Versioned(forking, bucket, tmp_path / "theirs", other_proxy.endpoint)


def test_a_reverted_file_that_a_prune_took_away_meanwhile_is_uploaded_again(
    bucket, proxy, ours, theirs
):
    """The sweep begins and ends between the deploy's uploads and its record."""
    promise, gate = Promise(bucket), Gate()
    ours.deploy(0)
    ours.deploy(1)
    proxy.clear()
    proxy.rule("PUT", "/releases/", gate)
    ours.become(0)
    deploying = ours.start("deploy")
    proxy.wait_for(1, "PUT", "/releases/")
    pruned = theirs.run(*PRUNE)
    assert (pruned.code, promise.violations()) == (0, []), pruned.text
    proxy.open(gate)

    done = deploying.end()

    assert done.code == 0, done.text
    assert "A prune of this app was under way" in done.text
    assert (promise.unsettled(), ours.is_published(0)) == ([], [])


def test_a_deploy_waits_for_a_prune_that_is_deleting_what_it_needs(
    bucket, proxy, other_proxy, ours, theirs
):
    promise, gate = Promise(bucket), Gate()
    ours.deploy(0)
    ours.deploy(1)
    other_proxy.rule("POST", "", gate)
    pruning = theirs.start(*PRUNE)
    other_proxy.wait_for(1, "POST")
    proxy.clear()
    ours.become(0)
    deploying = ours.start("deploy")
    proxy.wait_for(5, "GET", "/current")
    assert promise.look().current.objects.keys() >= {"static/help/new.txt"}, "it did not wait"
    assert promise.violations() == []
    other_proxy.open(gate)

    assert pruning.end().code == 0
    done = deploying.end()

    assert done.code == 0, done.text
    assert (promise.unsettled(), ours.is_published(0)) == ([], [])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("request_", [1, 2])
def test_a_prune_that_was_killed_is_taken_over_by_a_deploy_and_finished_by_the_next(
    bucket, other_proxy, ours, theirs, when, request_
):
    """Killed before or after it deleted objects (the first request), or records (the second)."""
    promise = Promise(bucket)
    for version in (0, 1, 2):
        ours.deploy(version)
    started, dying = threading.Event(), []
    kill = Call(**{when: lambda: (started.wait(10), dying[0].kill())})
    other_proxy.rule("POST", "", kill, turns={request_})
    dying.append(theirs.start(*PRUNE))
    started.set()
    assert dying[0].end().code == -9
    other_proxy.wait_until_idle()
    assert promise.violations() == []
    assert promise.look().pointer["sweep"]

    ours.become(0)
    done = ours.run("deploy", lease=AT_ONCE)

    assert done.code == 0, done.text
    assert (promise.unsettled(), ours.is_published(0)) == ([], [])
    other_proxy.clear()
    assert theirs.run(*PRUNE).code == 0
    now = promise.look()
    assert (promise.unsettled(), now.sweeps, len(now.records)) == ([], (), 1)
    assert {key for key in now.digests if not key.endswith((".json", "/current"))} == (
        now.current.objects.keys()
    )


def test_a_deploy_that_ends_late_leaves_the_plain_names_to_the_release_in_force(
    bucket, proxy, ours, theirs
):
    promise, gate = Promise(bucket), Gate()
    ours.deploy(0)
    proxy.clear()
    proxy.rule("PUT", r"/static/(robots.txt|js/shop.js)$", gate)
    ours.become(1)
    late = ours.start("deploy")
    proxy.wait_for(2, "PUT", r"/static/(robots.txt|js/shop.js)$")
    assert promise.violations() == []
    theirs.deploy(3)
    assert promise.violations() == []
    proxy.open(gate)

    done = late.end()

    assert done.code == 0, done.text
    assert "and plain names have its bytes" in done.text
    assert (promise.unsettled(), theirs.is_published(3)) == ([], [])


def test_a_dead_deploys_last_copy_that_lands_late_is_repaired_before_the_next_release(
    bucket, proxy, other_proxy, ours, theirs
):
    """One is killed while a copy of its is on the way, which lands after another one's end."""
    promise, gate, missed = Promise(bucket), Gate(), []
    ours.deploy({"robots.txt": "of the first", "a.txt": "of the first"})
    proxy.clear()
    proxy.rule("PUT", r"/static/robots.txt$", gate)
    ours.become(LATE)
    late = ours.start("deploy")
    proxy.wait_for(1, "PUT", r"/static/robots.txt$")
    late.kill()
    assert late.end().code == -9
    theirs.deploy(NEXT)
    assert bucket.get("static/robots.txt")["Body"] == b"of the next ones"
    proxy.open(gate)
    proxy.wait_until_idle()
    assert bucket.get("static/robots.txt")["Body"] == b"of the late one"
    assert promise.violations() == []

    other_proxy.rule("PUT", "/current$", Call(after=lambda: missed.extend(promise.violations())))

    theirs.deploy(LAST)

    assert promise.unsettled() == []
    assert missed == []


def test_plain_names_that_another_deploy_wrote_while_this_one_looked_are_looked_at_again(
    bucket, proxy, other_proxy, ours, theirs
):
    """Seen before they were written they were right already; seen after, nothing was unfinished."""
    promise, gate, other_gate = Promise(bucket), Gate(), Gate()
    first = {"a.txt": "of the first", "b.txt": "1"}
    ours.deploy(first)
    proxy.clear()
    other_proxy.rule("PUT", r"/static/[ab]\.txt$", other_gate)
    theirs.become({"a.txt": "of the second", "b.txt": "2"})
    late = theirs.start("deploy")
    other_proxy.wait_for(1, "PUT", r"/static/[ab]\.txt$")
    proxy.rule("HEAD", r"/static/b\.txt$", gate, turns={2})
    deploying = ours.start("deploy")
    proxy.wait_for(2, "HEAD", r"/static/b\.txt$")
    other_proxy.open(other_gate)
    assert late.end().code == 0
    proxy.open(gate)

    done = deploying.end()

    assert done.code == 0, done.text
    assert promise.unsettled() == []
    assert {name: bucket.get(f"static/{name}")["Body"].decode() for name in first} == first


@pytest.mark.parametrize("then", ["dies", "ends"])
def test_a_release_whose_answer_was_lost_stays_whole_when_another_deploy_comes_on_top(
    bucket, proxy, other_proxy, ours, theirs, then
):
    """The pointer was moved; before that is read back, another deploy changes it again."""
    promise, gate, found = Promise(bucket), Gate(), []
    ours.deploy(0)
    proxy.clear()
    other_proxy.clear()
    proxy.rule("PUT", "/current$", LoseAnswer(), turns={1})
    proxy.rule("GET", "/current$", gate, turns={2})
    ours.become(1)
    deploying = ours.start("deploy")
    proxy.wait_for(2, "GET", "/current$")
    in_force = promise.look().current
    assert "static/help/new.txt" in in_force.objects, "the pointer has not moved"
    theirs.configure(FLASKS3_HEADERS={"x-amz-meta-of": "theirs"})  # overwrites: notes itself first
    theirs.become(1)
    if then == "dies":
        started, dying = threading.Event(), []
        kill = Call(after=lambda: (started.wait(10), dying[0].kill()))
        other_proxy.rule("PUT", "/current$", kill, turns={1})
        dying.append(theirs.start("deploy"))
        started.set()
        assert dying[0].end().code == -9
    else:
        assert theirs.run("deploy").code == 0
    proxy.rule("GET", f"^/{bucket.name}/?$", Call(before=lambda: found.append(promise.look())))
    proxy.open(gate)

    done = deploying.end()

    assert done.code == 0, done.text
    now = promise.look()
    assert in_force.id in now.records, "a release that was in force lost its record"
    assert all(in_force.id in moment.records for moment in found)
    assert promise.unsettled() == []


def test_a_rollback_to_what_a_prune_took_away_meanwhile_changes_nothing(
    bucket, proxy, ours, theirs
):
    promise, gate = Promise(bucket), Gate()
    ours.deploy(0)
    ours.deploy(1)
    proxy.clear()
    proxy.rule("PUT", "/releases/", gate)
    going_back = ours.start("rollback")
    proxy.wait_for(1, "PUT", "/releases/")
    assert theirs.run(*PRUNE).code == 0
    proxy.open(gate)

    done = going_back.end()

    assert done.code == 1
    assert "cannot be brought back" in done.text
    assert (promise.unsettled(), ours.is_published(1)) == ([], [])


def test_a_rollback_waits_for_a_prune_that_began_while_it_looked(
    bucket, proxy, other_proxy, ours, theirs
):
    """It had seen that nobody deletes; the pointer that it goes by says that somebody does."""
    promise, gate, other_gate = Promise(bucket), Gate(), Gate()
    ours.deploy(0)
    ours.deploy(1)
    proxy.clear()
    proxy.rule("GET", "/current$", gate, turns={3})
    going_back = ours.start("rollback")
    proxy.wait_for(3, "GET", "/current$")
    other_proxy.rule("POST", "", other_gate)
    pruning = theirs.start(*PRUNE)
    other_proxy.wait_for(1, "POST")
    proxy.open(gate)
    proxy.wait_for(5, "GET", "/current$")
    other_proxy.open(other_gate)

    assert pruning.end().code == 0
    done = going_back.end()

    assert done.code == 1
    assert "cannot be brought back" in done.text
    assert (promise.unsettled(), ours.is_published(1)) == ([], [])


def test_a_prune_spares_what_a_rollback_brought_back_first(
    bucket, proxy, other_proxy, ours, theirs
):
    promise, gate = Promise(bucket), Gate()
    ours.deploy(0)
    ours.deploy(1)
    other_proxy.rule("PUT", "/current$", gate, turns={1})
    pruning = theirs.start(*PRUNE)
    other_proxy.wait_for(1, "PUT", "/current$")
    assert ours.run("rollback").code == 0
    other_proxy.open(gate)

    assert pruning.end().code == 0

    assert (promise.unsettled(), ours.is_published(0)) == ([], [])
    assert len(promise.look().records) == 1
