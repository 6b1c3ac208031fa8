"""Two apps in one bucket without a prefix: neither deletes or overwrites what is the other's."""

from __future__ import annotations

import random

import pytest
from promise import Promise
from proxy import Call, Delay, Gate, Weather
from versions import Versioned

NOW = ("--keep=1", "--older-than=0s")
SHARED = {"lib/jquery.js": "the same in both", "lib/logo.svg": "<svg/>"}
KEY = r"/static/lib/jquery\.[0-9a-f]+\.js$"


def of_shop(version: int) -> dict[str, str]:
    return {**SHARED, "shop/cart.js": f"{version}", "shop/terms.html": f"<p>{version % 3}"}


def of_blog(version: int) -> dict[str, str]:
    return {**SHARED, "blog/post.js": f"{version}", "blog/about.html": f"<p>{version % 3}"}


def without_shared(version: int) -> dict[str, str]:
    files = of_blog(version)
    return {name: text for name, text in files.items() if name not in SHARED}


@pytest.fixture
def shop(bucket, proxy, forking, tmp_path) -> Versioned:
    return Versioned(forking, bucket, tmp_path / "shop", proxy.endpoint, FLASKS3_APP="shop")


@pytest.fixture
def blog(bucket, other_proxy, forking, tmp_path) -> Versioned:
    return Versioned(forking, bucket, tmp_path / "blog", other_proxy.endpoint, FLASKS3_APP="blog")


DESTROY = ("destroy", "--yes", "--confirm", "blog")


def ours_of(bucket, folder: str) -> list[str]:
    return [key for key in sorted(bucket.keys()) if key.startswith(f"static/{folder}/")]


def test_whatever_one_app_does_the_other_stays_whole(bucket, shop, blog, proxy, other_proxy, kills):
    """At once, slowly, in any order: deploys, prunes, and the one that destroys itself."""
    dice = random.Random("two apps")
    promises = {"shop": Promise(bucket, "shop"), "blog": Promise(bucket, "blog")}
    shop.deploy(of_shop(0))
    blog.deploy(of_blog(0))
    there = True
    for turn in range(1, max(3, kills // 4) + 1):
        for way in (proxy, other_proxy):
            way.clear()
            slow = Weather(dice.choice([0.0, 0.3]), turn, (Delay(0.05),), in_a_row=100)
            way.rule(".*", "", slow)
        shop.become(of_shop(turn))
        blog.become(dice.choice([of_blog, without_shared])(turn))
        does = dice.choice([("deploy",), ("prune", *NOW), DESTROY]) if there else ("deploy",)
        commands = [shop.start(*dice.choice([("deploy",), ("prune", *NOW)])), blog.start(*does)]
        ended = [command.end() for command in commands]

        assert [done.code for done in ended] == [0, 0], (turn, does, ended)
        there = does != DESTROY
        assert promises["shop"].unsettled() == [], (turn, does)
        if there:
            assert promises["blog"].unsettled() == [], (turn, does)
        else:
            assert ours_of(bucket, "blog") == [], turn
            assert promises["blog"].look().records == {}, turn


@pytest.mark.parametrize("takes_away", [("prune", *NOW), DESTROY])
def test_a_shared_object_that_the_other_app_took_away_just_then_is_uploaded_again(
    bucket, shop, blog, proxy, takes_away
):
    """The other's sweep begins and ends between our upload of it and our record."""
    promise, gate, missed = Promise(bucket, "shop"), Gate(), []
    blog.deploy(of_blog(0))
    blog.deploy(without_shared(1))
    files = of_shop(0)
    shop.deploy({name: text for name, text in files.items() if name not in SHARED})
    proxy.clear()
    proxy.rule("PUT", "/releases/", gate)
    shop.become(files)
    deploying = shop.start("deploy")
    proxy.wait_for(1, "PUT", "/releases/")
    assert proxy.count("PUT", KEY) >= 1
    assert blog.run(*takes_away).code == 0
    assert [key for key in sorted(bucket.keys()) if key.startswith("static/lib/")] == []
    proxy.rule(".*", "", Call(before=lambda: missed.extend(promise.lacking())))
    proxy.open(gate)

    done = deploying.end()

    assert done.code == 0, done.text
    assert promise.unsettled() == []
    assert missed == [], "it came into force before all of it was there"


def test_a_deploy_waits_for_the_other_app_that_is_deleting_what_both_have(
    bucket, shop, blog, proxy, other_proxy
):
    """The other app read our records, holds its deletes back, and goes on once we are in force."""
    promise, gate = Promise(bucket, "shop"), Gate()
    blog.deploy(of_blog(0))
    other_proxy.clear()
    other_proxy.rule("POST", "", gate, turns={1})
    destroying = blog.start(*DESTROY)
    other_proxy.wait_for(1, "POST")
    shop.become(of_shop(0))
    deploying = shop.start("deploy")
    proxy.wait_for(4, "GET", r"/blog-[0-9a-f]+/current$")
    assert promise.violations() == []
    other_proxy.open(gate)

    ended = [destroying.end(), deploying.end()]

    assert [done.code for done in ended] == [0, 0], ended
    assert promise.unsettled() == []
    assert ours_of(bucket, "blog") == []
