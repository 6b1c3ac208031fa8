"""Requests that fail, are lost, or are answered in vain: deploys go on, or leave all as it was."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from itertools import product

from promise import Promise
from proxy import Answer, CutOff, Delay, LoseAnswer, Proxy, Reset, Weather
from versions import Versioned, files

WEATHER = (
    Answer(500, "InternalError"),
    Answer(503, "SlowDown"),
    Answer(409, "OperationAborted"),
    Answer(504),
    Answer(400, "RequestTimeout"),
    Reset(),
    LoseAnswer(),
    CutOff(),
    Delay(0.05),
)
SPOILED = (Answer(400, "BadDigest"),)


def test_a_deploy_succeeds_though_one_request_in_five_fails(
    bucket, proxy, forking, tmp_path, kills
):
    shop = Versioned(forking, bucket, tmp_path / "shop", proxy.endpoint)
    promise = Promise(bucket)
    for seed in range(max(3, kills // 8)):
        proxy.clear()
        proxy.rule(".*", "", Weather(0.2, seed, WEATHER))
        proxy.rule("PUT", r"/static/[^?]*$", Weather(0.05, seed, SPOILED, in_a_row=1))
        shop.become(seed)
        done = shop.run("deploy", "--json")
        proxy.wait_until_idle()

        assert done.code == 0, (seed, done.text)
        result = json.loads(done.text[done.text.index("{") :])
        published = Counter([*result["uploaded"], *result["kept"]])
        assert set(published.values()) == {1}, f"twice in the result: {published}"
        current = promise.look().current
        assert current is not None
        ours = {key for key in current.objects if not key.startswith(".flask-s3/")}
        assert set(published) == ours, seed
        assert {f"static/{name}" for name in files(seed)} <= ours, seed
        assert (promise.unsettled(), shop.is_published(seed)) == ([], []), seed


LOST = {
    "before it arrived": (Reset(), 1),
    "after it arrived": (LoseAnswer(), 1),
    "in the middle of the answer": (CutOff(), 1),
}
LOST_FOR_GOOD = {
    "before it arrived, always": (Reset(), 1000),
    "after it arrived, always": (LoseAnswer(), 1000),
    "refused, always": (Answer(403, "AccessDenied"), 1000),
}
"""Each takes seconds, until the deploy gives up."""


def each_request(proxy: Proxy) -> list[tuple[str, str, int]]:
    """What was asked for: the method, a pattern of the path, and the turn among such requests."""
    turns: Counter[tuple[str, str]] = Counter()
    found = []
    for request in proxy.seen():
        name = re.sub(r"\\/(releases)\\/.*", r"/\1/", re.escape(request.path))
        what = (request.method, f"^{name}")
        turns[what] += 1
        found.append((*what, turns[what]))
    return found


def test_each_request_of_a_deploy_may_be_lost_in_each_way(bucket, proxy, forking, tmp_path, kills):
    """Either it succeeds, or the release before stays whole; the next deploy completes."""
    shop = Versioned(forking, bucket, tmp_path / "shop", proxy.endpoint)
    promise = Promise(bucket)
    shop.deploy(0)
    proxy.clear()
    shop.deploy(1)
    requests = each_request(proxy)
    cases = [*product(requests, LOST), *product(requests[::3], LOST_FOR_GOOD)]
    few = kills // 2 or 1  # each takes two deploys; all of them are there with --kills 1000
    if few < len(cases):
        cases = random.Random("a sample").sample(cases, few)
    failed = set()
    for case in cases:
        (method, path, turn), way = case
        action, times = {**LOST, **LOST_FOR_GOOD}[way]
        proxy.clear()
        shop.deploy(0)
        shop.become(1)
        proxy.clear()
        proxy.rule(method, path, action, turns=range(turn, turn + times))
        done = shop.run("deploy")
        proxy.wait_until_idle()
        assert done.code in {0, 1}, (case, done.text)
        assert promise.violations() == [], (case, done.text)
        if done.code == 0:
            assert promise.unsettled() == [], (case, done.text)
        failed |= {case} if done.code else set()

        proxy.clear()
        again = shop.run("deploy")
        assert again.code == 0, (case, again.text)
        assert (promise.unsettled(), shop.is_published(1)) == ([], []), case
    assert failed or kills < 200, "nothing that was lost for good was ever missed"


def test_a_clock_that_is_off_stops_the_deploy_with_its_own_sentence(
    bucket, proxy, forking, tmp_path
):
    shop = Versioned(forking, bucket, tmp_path / "shop", proxy.endpoint)
    promise = Promise(bucket)
    shop.deploy(0)
    proxy.clear()
    shop.become(1)
    proxy.rule("PUT", "", Answer(403, "RequestTimeTooSkewed"), turns=range(4, 1000))

    done = shop.run("deploy")

    assert done.code == 1
    assert "this machine's clock is more than 15 minutes off: set it." in done.text
    assert promise.violations() == []
