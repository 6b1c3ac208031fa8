"""`flask s3 prune` and `destroy`: only what no kept release needs goes, and only of this app."""

from __future__ import annotations

import gzip
import itertools
import json
from datetime import datetime, timedelta, timezone
from xml.sax.saxutils import escape

import pytest
from commands import Shop, on_a_terminal
from proxy import Answer, Proxy
from steps import Site, site

from flask_s3.release import releases as releases_module
from flask_s3.release import sweeps
from flask_s3.release.records import Sweep
from flask_s3.release.remote import releases_of
from flask_s3.serve.serving import state_of

FILES = {"a.css": "a{}", "b.png": "b", "index.html": "<link rel=stylesheet href=a.css>"}
NOW = ("--older-than", "0s")


@pytest.fixture
def mine(make_app, mini_bucket) -> Site:
    """An app on the server that is faster."""
    return site(make_app(FILES), mini_bucket)


@pytest.fixture
def each(make_app, bucket) -> Site:
    """An app on each server."""
    return site(make_app(FILES), bucket)


def several(mine: Site, number: int = 4) -> list[str]:
    """So many releases, each with another style sheet and page; their ids, the oldest first."""
    changed = ({"a.css": str(n), "index.html": str(n)} for n in range(number - 1))
    return [mine.deploy(), *(mine.deploy(files) for files in changed)]


def keys_of(mine: Site, *releases: str) -> set[str]:
    return {key for release in releases for key in mine.record(release)["objects"]}


def objects(mine: Site) -> set[str]:
    """The keys of all that is published, documents' bytes too."""
    ours = ("/current", ".json")
    return {key for key in mine.bucket.keys(metadata=True) if not key.endswith(ours)}


def failures(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("failed")]


# -- which releases go


def test_only_what_no_kept_release_needs_is_deleted(each):
    first, second, third, fourth = several(each)
    needed = keys_of(each, third, fourth)
    gone = keys_of(each, first, second) - needed
    assert len(gone) == 4, "a style sheet and a document of each"

    shown = each.run("prune", "--keep", "2", *NOW).stdout

    assert objects(each) == needed
    assert each.releases() == [fourth, third]
    told = [line.split("  (")[0] for line in shown.splitlines()[:-1]]
    assert set(told) == {f"remove  release {first}", f"remove  release {second}"}
    assert shown.endswith(" and 2 releases deleted.\n")
    assert each.is_whole(), "the release in force"
    assert each.is_whole(third), "the one that is kept"
    assert each.state()["sweep"] is None
    each.run("rollback")
    assert each.is_whole()


def test_a_release_stays_while_it_was_superseded_lately(mine):
    first, second, third, _ = several(mine)
    ago = datetime.now(timezone.utc)
    for release, days in ((first, 30), (second, 20), (third, 6)):
        mine.rewrite(release, time=(ago - timedelta(days=days)).isoformat(timespec="seconds"))

    mine.run("prune", "--keep", "1", "--older-than", "3w")
    assert len(mine.releases()) == 4, "each was superseded less than three weeks ago"
    mine.run("prune", "--keep", "1", "--older-than", "1w")
    assert mine.releases()[-1] == second, "the first was superseded 20 days ago, the second 6"
    mine.run("prune", "--keep", "1")
    assert mine.releases()[-1] == second, "seven days is the default"
    mine.run("prune", "--keep", "1", "--older-than", "143h")
    assert mine.releases()[-1] == third


def test_five_releases_stay_by_default_and_a_setting_says_otherwise(mine):
    ids = several(mine, 7)

    mine.run("prune", *NOW)
    assert mine.releases() == ids[:1:-1]
    mine.app.config["FLASKS3_KEEP_RELEASES"] = 2
    mine.run("prune", *NOW)
    assert mine.releases() == ids[:4:-1]
    mine.run("prune", "--keep", "1", *NOW)
    assert mine.releases() == ids[:5:-1]
    assert mine.is_whole()


@pytest.mark.parametrize(
    "age", ["", "7", "d", "-1d", "1.5d", "7 d", "7days", "999999w", "\u0667d", "1y"]
)
def test_an_age_that_is_none_is_refused_before_anything_happens(mine, age):
    several(mine, 2)
    before = mine.everything()

    told = mine.run("prune", "--older-than", age, code=2).stderr

    assert f"{age!r} is no time such as 90s, 30m, 12h, 7d or 2w." in told
    assert mine.everything() == before


@pytest.mark.parametrize("age", ["99999w", "99999d", "99999s"])
def test_the_longest_ages_keep_everything(mine, age):
    ids = several(mine, 2)

    mine.run("prune", "--keep", "1", "--older-than", age)

    assert mine.releases() == ids[::-1]


@pytest.mark.parametrize("option", [("--keep", "0"), ("--keep", "-1"), ("--max-delete", "-1")])
def test_numbers_that_make_no_sense_are_refused(mine, option):
    mine.deploy()

    assert "Invalid value" in mine.run("prune", *option, code=2).stderr


def test_a_dry_run_says_what_goes_and_why_and_changes_nothing(mine):
    first, second = several(mine, 2)
    before = mine.everything()
    gone = sorted(keys_of(mine, first) - keys_of(mine, second))

    shown = mine.run("prune", "--keep", "1", "--dry-run", *NOW).stdout

    assert mine.everything() == before
    superseded = mine.record(second)["time"]
    assert shown.splitlines()[:-1] == [
        f"remove  release {first}  (superseded at {superseded}, and not among the newest 1)",
        *(f"delete  {key}  (no kept release needs it)" for key in gone),
    ]
    assert shown.endswith(" of 1 release to delete, 1 release to keep.\n")


def test_more_than_is_allowed_deletes_nothing_at_all(mine):
    several(mine, 3)
    before = mine.everything()

    told = mine.run("prune", "--keep", "1", "--max-delete", "3", *NOW, code=1).stderr

    assert "4 objects would be deleted, more than --max-delete 3 allows, so none was" in told
    again = mine.run("prune", "--keep", "1", "--max-delete", "3", "--dry-run", *NOW, code=1).stderr
    assert again.endswith("--max-delete 3 allows, so none would be: allow more.\n")
    assert mine.everything() == before
    mine.run("prune", "--keep", "1", "--max-delete", "4", *NOW)
    assert len(mine.releases()) == 1


def test_there_is_nothing_to_prune_before_the_first_release(mine):
    assert mine.run("prune", *NOW).stdout == "0 objects (0 B) and 0 releases deleted.\n"
    assert mine.bucket.keys(metadata=True) == []


def test_the_plain_name_of_a_removed_file_goes_with_the_last_release_that_has_it(mine):
    mine.deploy()
    mine.deploy({"b.png": None})
    mine.deploy({"a.css": "2"})

    mine.run("prune", "--keep", "3", *NOW)
    assert "static/b.png" in mine.bucket.keys("static/")
    mine.run("prune", "--keep", "2", *NOW)
    assert mine.bucket.keys("static/b") == []
    assert mine.is_whole()


def test_a_file_that_came_back_is_not_deleted(mine):
    mine.deploy()
    mine.deploy({"b.png": None})
    last = mine.deploy({"b.png": "b"})

    mine.run("prune", "--keep", "1", *NOW)

    assert (mine.releases(), mine.is_whole()) == ([last], True)
    assert mine.bucket.get("static/b.png")["Body"] == b"b"


def test_a_release_that_never_came_into_force_goes_when_it_is_old(mine):
    mine.deploy()
    kept = mine.in_force()
    with Proxy(mine.bucket.server.endpoint) as proxy:
        proxy.rule("PUT", "/current$", Answer(403, "AccessDenied"))
        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        mine.deploy({"c.txt": "c"}, code=1)
        mine.app.config.update(mine.bucket.config)
    assert len([key for key in mine.bucket.keys(metadata=True) if "/releases/" in key]) == 2

    mine.run("prune")
    assert mine.bucket.keys("static/c."), "a deploy may be under way"
    shown = mine.run("prune", *NOW).stdout

    assert "(it never came into force)" in shown
    assert not mine.bucket.keys("static/c.")
    assert (mine.releases(), mine.is_whole()) == ([kept], True)


class Clock:
    """Tells the time, a minute later each time."""

    def __init__(self, minutes) -> None:
        self._minutes = minutes

    def now(self, _zone) -> datetime:
        return datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=next(self._minutes))


@pytest.mark.parametrize("left", [None, b"no JSON"], ids=["lost", "damaged"])
def test_a_lost_pointer_does_not_make_old_releases_prey(mine, left, monkeypatch):
    """Pages of the release that was in force until a moment ago are open."""
    minutes = itertools.count()
    monkeypatch.setattr(
        releases_module, "datetime", Clock(minutes)
    )  # ids tell seconds, and sort by them
    first, second = several(mine, 2)
    place = {"Bucket": mine.bucket.name, "Key": f"{mine.folder}current"}
    if left is None:
        mine.bucket.client.delete_object(**place)
    else:
        mine.bucket.client.put_object(**place, Body=left)
    assert "unknown, of 2" in mine.run("status").stdout
    assert "nothing tells which is in use" in mine.run("prune", *NOW, code=1).stderr

    deployed = mine.run("deploy")
    third = mine.deploy({"a.css": "after that"})

    assert "is lost or unreadable" in deployed.stderr
    assert mine.releases()[-2:] == [second, first]
    mine.run("prune", "--keep", "10", *NOW)
    assert keys_of(mine, first, second, third) <= objects(mine)


def test_a_prune_that_lives_is_not_taken_for_dead_by_those_who_wait(mine, monkeypatch):
    several(mine, 2)
    ours, _ = releases_of(state_of(mine.app).settings(), mine.app.name)
    theirs, _ = releases_of(state_of(mine.app).settings(), mine.app.name)
    swept = ours.sweeps.begin(Sweep("alive", (), ()), ours.current().stand)
    monkeypatch.setattr(sweeps, "LEASE", -1.0)
    waited = theirs.stand()
    ours.sweeps.touch(swept)
    looks = iter([waited, None])
    monkeypatch.setattr(theirs.sweeps, "_last", lambda _folder: next(looks))

    theirs.sweeps.wait()

    assert mine.state()["sweep"] == "alive"


def test_without_fingerprints_old_records_go_and_files_stay(mine):
    mine.app.config["FLASKS3_FINGERPRINT"] = False
    mine.deploy()
    last = mine.deploy({"a.css": "2", "b.png": None})

    mine.run("prune", "--keep", "1", *NOW)

    assert mine.releases() == [last]
    assert set(mine.bucket.keys()) == {"static/a.css", "static/index.html"}


def test_what_another_app_publishes_too_is_left_to_it(mine, make_app):
    mine.deploy()
    site(make_app({"b.png": "b"}, name="other"), mine.bucket).run("deploy")
    shared = mine.bucket.keys("static/b.")
    mine.run("deploy")
    (mine.static / "b.png").unlink()
    (mine.static / "a.css").write_text("2")
    mine.run("deploy")

    shown = mine.run("prune", "--keep", "1", *NOW).stdout

    assert shown.endswith(" and 1 release deleted, 2 left to other apps.\n")
    assert mine.bucket.keys("static/b.") == shared
    assert len(mine.bucket.keys("static/a.")) == 2, "what only this app had is gone"


# -- deploy --prune


def test_deploy_can_prune_and_its_json_says_what_was_deleted(mine):
    mine.app.config["FLASKS3_KEEP_RELEASES"] = 1
    first, second = several(mine, 2)
    for release in (first, second):
        mine.rewrite(release, time="2020-01-01T00:00:00+00:00")
    gone = sorted(keys_of(mine, first) - keys_of(mine, second))

    told = mine.run("deploy", "--prune", "--json").json

    assert (told["deleted"], told["failed"], told["uploaded"]) == (gone, [], [])
    assert set(gone).isdisjoint(objects(mine))
    assert mine.releases() == [second]


def test_a_deploy_that_failed_does_not_prune(mine):
    mine.app.config["FLASKS3_KEEP_RELEASES"] = 1
    first, second = several(mine, 2)
    for release in (first, second):
        mine.rewrite(release, time="2020-01-01T00:00:00+00:00")
    with Proxy(mine.bucket.server.endpoint) as proxy:
        proxy.rule("PUT", r"/static/c", Answer(403, "AccessDenied"))
        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        mine.deploy({"c.txt": "c"}, "--prune", code=1)
        mine.app.config.update(mine.bucket.config)

    assert mine.releases() == [second, first]


def test_a_deploy_that_prunes_says_both(mine):
    mine.app.config["FLASKS3_KEEP_RELEASES"] = 1
    for release in several(mine, 2):
        mine.rewrite(release, time="2020-01-01T00:00:00+00:00")

    shown = mine.run("deploy", "--prune").stdout

    assert "0 uploaded (0 B)" in shown
    assert shown.endswith(" and 1 release deleted.\n")


@pytest.mark.parametrize("options", [(), ("--json",)], ids=str)
def test_a_prune_that_cannot_be_done_does_not_hide_what_was_deployed(mine, options):
    mine.app.config["FLASKS3_KEEP_RELEASES"] = 1
    first, second = several(mine, 2)
    for release in (first, second):
        mine.rewrite(release, time="2020-01-01T00:00:00+00:00")
    (mine.static / "c.txt").write_text("c")
    with Proxy(mine.bucket.server.endpoint) as proxy:
        proxy.rule("POST", "", Answer(403, "AccessDenied"))
        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        ended = mine.run("deploy", "--prune", *options, code=1)
        mine.app.config.update(mine.bucket.config)

    assert "grant s3:DeleteObject on it" in ended.stderr
    if options:
        assert "static/c.txt" in ended.json["uploaded"]
        assert ended.json["deleted"] == []
    assert mine.bucket.get("static/c.txt")["Body"] == b"c"
    assert mine.is_whole()
    assert mine.is_whole(first), "nothing of it was deleted"


# -- how things are deleted


def refusing(keys: list[str], code: str = "AccessDenied") -> Answer:
    """What DeleteObjects answers, with status 200, when it cannot delete some keys."""
    errors = "".join(
        f"<Error><Key>{escape(key)}</Key><Code>{code}</Code><Message>as a test wished</Message>"
        "</Error>"
        for key in keys
    )
    return Answer(200, whole=f"<DeleteResult>{errors}</DeleteResult>")


@pytest.fixture
def between(mine):
    """The app behind a proxy, once it has releases to prune."""
    with Proxy(mine.bucket.server.endpoint) as proxy:
        yield proxy


def through(proxy: Proxy, mine: Site) -> None:
    mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint


def test_what_the_store_refuses_to_delete_is_told_by_key_and_gone_over_again(mine, between):
    first, second = several(mine, 2)
    gone = sorted(keys_of(mine, first) - keys_of(mine, second))
    through(between, mine)
    between.rule("POST", "", refusing(gone[:1]), turns=[1])

    ended = mine.run("prune", "--keep", "1", *NOW, code=1)

    (told,) = failures(ended.stderr)
    assert told.startswith(f"failed  {gone[0]}: The store refused DeleteObjects in bucket ")
    assert "grant s3:DeleteObject on it to them" in told
    assert "1 object (" in ended.stdout
    assert " and 0 releases deleted." in ended.stdout
    assert mine.in_force() == second
    assert mine.state()["sweep"] is None
    shown = mine.run("prune", "--dry-run").stdout
    assert f"remove  release {first}  (an earlier prune began with it)" in shown
    mine.run("prune")
    assert objects(mine) == keys_of(mine, second)
    assert mine.releases() == [second]


def test_a_key_that_the_store_could_not_delete_just_now_is_tried_again(mine, between):
    first, second = several(mine, 2)
    gone = sorted(keys_of(mine, first) - keys_of(mine, second))
    through(between, mine)
    between.rule("POST", "", refusing(gone, "InternalError"), turns=[1])

    ended = mine.run("prune", "--keep", "1", *NOW)

    assert failures(ended.stderr) == []
    assert objects(mine) == keys_of(mine, second)


@pytest.mark.parametrize(
    "answer", [Answer(501, "NotImplemented"), Answer(405, "MethodNotAllowed"), Answer(501)]
)
def test_a_store_that_deletes_one_by_one_is_asked_to(each, answer):
    first, second = several(each, 2)
    gone = keys_of(each, first) - keys_of(each, second)
    with Proxy(each.bucket.server.endpoint) as proxy:
        through(proxy, each)
        proxy.rule("POST", "", answer)
        each.run("prune", "--keep", "1", *NOW)
        asked = proxy.count("POST")
        deleted = {seen.path.removeprefix(f"/{each.bucket.name}/") for seen in proxy.seen("DELETE")}

    assert gone <= deleted
    assert asked == 1, "once is enough to know"
    assert objects(each) == keys_of(each, second)


def test_keys_of_all_kinds_are_deleted_and_no_others(each):
    odd = {"a b.txt": "1", "a&amp;b.txt": "2", "a<b>.txt": "3", "ünï/çø.txt": "4", "a+b.txt": "5"}
    odd |= {"a%20b.txt": "6", "'q\"u.txt": "7", "tab\there.txt": "8", "日本 .txt": "9"}
    each.deploy(odd)
    last = each.deploy(dict.fromkeys(odd))

    ended = each.run("prune", "--keep", "1", *NOW)

    assert failures(ended.stderr) == []
    assert objects(each) == keys_of(each, last)
    assert each.is_whole()


def test_more_keys_than_one_request_takes_go_in_batches(mine, between):
    mine.deploy()
    kept = objects(mine)
    current = mine.record(mine.in_force())
    many = {f"static/old/{n:04}.txt": ["0" * 64, 1, 0, "0" * 32, 1] for n in range(2001)}
    real = ("static/old/0000.txt", "static/old/2000.txt")
    for key in real:
        mine.bucket.client.put_object(Bucket=mine.bucket.name, Key=key, Body=b"x")
    ghost = {**current, "id": "20200101T000000Z-00000000", "time": "2020-01-01T00:00:00+00:00"}
    place = f"{mine.folder}releases/{ghost['id']}.json"
    body = json.dumps({**ghost, "objects": many, "copies": {}, "headers": [{}]}).encode()
    mine.bucket.client.put_object(Bucket=mine.bucket.name, Key=place, Body=gzip.compress(body))
    through(between, mine)

    shown = mine.run("prune", "--keep", "1", *NOW).stdout

    assert between.count("POST") == 5, "three of objects, one of the record, one of the sweep"
    assert shown.endswith("2,001 objects (2.0 kB) and 1 release deleted.\n")
    assert objects(mine) == kept


def test_a_prune_that_died_is_completed_by_the_next_one(mine, between):
    """It had said what goes, and deleted half of it; the release can not come back any more."""
    first, second = several(mine, 2)
    gone = tuple(sorted(keys_of(mine, first) - keys_of(mine, second)))
    releases, store = releases_of(state_of(mine.app).settings(), mine.app.name)
    sweep = Sweep("dead", (first,), gone)
    stand = releases.sweeps.begin(sweep, releases.current().stand)
    store.delete(gone[:1])
    releases.sweeps.end(stand)

    told = mine.run("rollback", code=1).stderr
    assert "There is no release with other files before the one in force." in told
    assert first not in mine.run("releases").stdout
    mine.run("prune")

    assert objects(mine) == keys_of(mine, second)
    assert mine.releases() == [second]
    assert not [key for key in mine.bucket.keys(metadata=True) if "/sweeps/" in key]


# -- destroy

ALL = ("destroy", "--yes", "--confirm")


def test_destroy_takes_all_of_this_app_and_nothing_else(each, make_app):
    other = site(make_app({"o.css": "o"}, name="other"), each.bucket)
    other.run("deploy")
    client, name = each.bucket.client, each.bucket.name
    for key in (".file-hashes", "static/by-hand.txt", "elsewhere.txt"):
        client.put_object(Bucket=name, Key=key, Body=b"not ours")
    before = other.everything()
    each.run("deploy")

    ended = each.run(*ALL, "shop")

    assert other.everything() == before
    left = len(each.bucket.keys("static/"))
    told = f" and 1 release deleted.\nObjects that no release of this app names stay ({left} under"
    assert told in ended.stdout
    assert ended.stderr.startswith(f"App shop in bucket {name}: 1 release, ")
    client.head_bucket(Bucket=name)


def test_a_deploy_after_a_destroy_starts_afresh(each):
    several(each, 2)
    each.run(*ALL, "shop")
    assert each.bucket.keys(metadata=True) == []

    each.deploy()

    assert each.is_whole()
    assert len(each.releases()) == 1


def test_where_there_is_nothing_destroy_says_so(mine):
    told = mine.run(*ALL, "shop", code=1).stderr

    assert told == f"Error: There is nothing of app 'shop' in bucket {mine.bucket.name!r}.\n"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "There is no terminal to ask on: pass --yes --confirm shop. Nothing was deleted."),
        (("--yes",), "There is no terminal to ask on"),
        (("--confirm", "shop"), "There is no terminal to ask on"),
        (("--yes", "--confirm", "Shop"), "The app is called 'shop': nothing was deleted."),
    ],
)
def test_destroy_is_refused_unless_it_is_said_twice(mine, options, why):
    mine.deploy()
    before = mine.everything()

    assert why in mine.run("destroy", *options, code=2).stderr
    assert mine.everything() == before


@pytest.mark.parametrize(
    ("types", "code", "left"),
    [("n\n", 2, True), ("y\nship\n", 2, True), ("y\nshop\n", 0, False), ("\x04", 1, True)],
    ids=["no", "another name", "yes", "no answer"],
)
def test_destroy_asks_twice_on_a_terminal(mini_bucket, tmp_path, types, code, left):
    shop = Shop(tmp_path / "shop", FILES, {**mini_bucket.config, "FLASKS3_FINGERPRINT": True})
    assert shop.run("deploy").code == 0

    ended, shown = on_a_terminal(shop, "destroy", types=types)

    assert ended == code
    assert "Delete all of it?" in shown
    assert bool(mini_bucket.keys(metadata=True)) is left


def test_an_interrupted_destroy_is_completed_by_the_next_one(mine, between):
    several(mine, 2)
    keys = sorted(keys_of(mine, *mine.releases()))
    through(between, mine)
    between.rule("POST", "", refusing(keys[:3]), turns=[1])

    ended = mine.run(*ALL, "shop", code=1)

    assert [line.split(": ")[0] for line in failures(ended.stderr)] == [
        f"failed  {key}" for key in keys[:3]
    ]
    assert mine.run("releases").stdout.startswith("No release yet")
    between.clear()
    mine.run(*ALL, "shop")
    assert mine.bucket.keys(metadata=True) == []


def test_one_reason_for_many_failures_is_told_once_and_the_failures_are_counted(mine, between):
    several(mine, 2)
    keys = sorted(keys_of(mine, *mine.releases()))
    through(between, mine)
    between.rule("POST", "", refusing(keys[:5]), turns=[1])

    told = failures(mine.run(*ALL, "shop", code=1).stderr)

    first = [f"failed  {key}" for key in keys[:3]]
    assert [line.split(": ")[0] for line in told] == [*first, "failed  and 2 more"]
    assert [line.endswith(": the same.") for line in told] == [False, True, True, True]


def test_a_deploy_after_a_destroy_that_died_is_whole(mine, between):
    several(mine, 2)
    keys = sorted(keys_of(mine, *mine.releases()))
    through(between, mine)
    between.rule("POST", "", refusing(keys[:3]), turns=[1])
    mine.run(*ALL, "shop", code=1)
    between.clear()

    last = mine.deploy()

    assert mine.is_whole()
    mine.run("prune")
    assert (mine.is_whole(), objects(mine)) == (True, keys_of(mine, last))
