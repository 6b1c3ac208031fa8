"""`flask s3 releases` and `rollback`: what was published, how it differs, and the way back."""

from __future__ import annotations

import re
import subprocess

import pytest
from commands import Shop
from conftest import write_files
from proxy import Answer, Proxy
from serving import asked
from steps import LONG_AGO, content_of, old_name, site

from flask_s3 import FlaskS3, create_all, publishing
from flask_s3.errors import LostRace
from flask_s3.release import rollback
from flask_s3.release.deploy import carry_out
from flask_s3.release.prepare import Order, prepare
from flask_s3.release.publish import Silent
from flask_s3.serve.serving import state_of

FILES = {
    "a.css": "a{color:red}",
    "b.png": "b",
    "robots.txt": "User-agent: *",
    "index.html": "<link rel=stylesheet href=a.css>",
}
VARIABLES = (
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "CIRCLE_SHA1",
    "BITBUCKET_COMMIT",
    "SOURCE_VERSION",
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def mine(make_app, mini_bucket):
    """An app on the server that is faster."""
    return site(make_app(FILES), mini_bucket)


@pytest.fixture
def each(make_app, bucket):
    """An app on each server."""
    return site(make_app(FILES), bucket)


# -- releases


def test_before_the_first_release_the_list_says_how_to_make_one(mine):
    assert mine.run("releases").stdout == "No release yet: flask s3 deploy makes the first.\n"
    assert mine.run("releases", "--json").json == []


def test_the_table_fits_a_terminal_and_marks_what_is_in_force(mine, monkeypatch):
    first = mine.deploy()
    monkeypatch.setenv("CI_COMMIT_SHA", COMMIT)
    second = mine.deploy({"a.css": "a{}", "c.bin": b"0" * 1_500_000})
    mine.rewrite(first, time=LONG_AGO)
    third = mine.deploy({"a.css": None})

    shown = mine.run("releases").stdout

    lines = shown.splitlines()
    assert [line[2:28].strip() for line in lines[1:4]] == [third, second, first]
    assert [re.sub(r"\d+ (s|min)\b", "AGE", line[28:].strip()) for line in lines[:3]] == [
        "AGE  COMMIT          FILES      SIZE",
        "AGE  0123456789ab        4    3.0 MB",
        "AGE  0123456789ab        5    3.0 MB",
    ]
    assert re.search(r"^  \S+ +\d{4,} d +4 +\d+ B$", lines[3])
    assert [line[0] for line in lines[1:4]] == ["*", " ", " "]
    assert lines[4] == "* in force"
    assert max(map(len, lines)) <= 80


def test_json_tells_all_of_each_release(mine, monkeypatch):
    first = mine.deploy()
    monkeypatch.setenv("GITHUB_SHA", COMMIT)
    second = mine.deploy({"a.css": "a{}"})
    back = mine.run("rollback") and mine.in_force()

    told = mine.run("releases", "--json").json

    assert [(r["id"], r["current"], r["commit"], r["restores"]) for r in told] == [
        (back, True, None, first),
        (second, False, COMMIT, None),
        (first, False, None, None),
    ]
    objects = mine.record(first)["objects"]
    assert told[2] == {
        "id": first,
        "time": mine.record(first)["time"],
        "commit": None,
        "restores": None,
        "assets": 4,
        "objects": len(objects),
        "bytes": sum(size for _, size, *_ in objects.values()),
        "current": False,
    }


def test_a_record_that_is_lost_does_not_hide_the_releases_before_it(mine):
    first, second = mine.deploy(), mine.deploy({"a.css": "1"})
    third = mine.deploy({"a.css": "2"})
    mine.rewrite(first, time=LONG_AGO)
    mine.bucket.client.delete_object(
        Bucket=mine.bucket.name, Key=f"{mine.folder}releases/{second}.json"
    )

    assert mine.releases() == [third, first]


@pytest.mark.parametrize("fingerprints", [True, False])
def test_diff_names_what_was_added_removed_and_changed(mine, fingerprints):
    mine.app.config["FLASKS3_FINGERPRINT"] = fingerprints
    first = mine.deploy()
    second = mine.deploy({"c.txt": "ccc", "b.png": None, "robots.txt": "User-agent: me, x"})

    shown = mine.run("releases", "diff", first, second).stdout

    assert shown == (
        "- static/b.png  (1 B)\n"
        "+ static/c.txt  (3 B)\n"
        "~ static/robots.txt  (13 B -> 17 B)\n"
        "1 added, 1 removed, 1 changed.\n"
    )
    assert mine.run("releases", "diff", first).stdout == shown, "B is the one in force"
    assert mine.run("releases", "diff", second, second).stdout == (
        "0 added, 0 removed, 0 changed.\n"
    )


def test_diff_takes_the_beginning_of_an_id(mine):
    first, second = mine.deploy(), mine.deploy({"a.css": "1"})
    start = len(first.rpartition("-")[0]) + 1
    short = next(first[:n] for n in range(start, 40) if not second.startswith(first[:n]))

    assert mine.run("releases", "diff", short).stdout.startswith("~ static/a.css")

    ambiguous = mine.run("releases", "diff", "2", code=1).stderr
    one, other = sorted([first, second])
    assert ambiguous == f"Error: '2' may be any of {one}, {other}: give more of the id.\n"
    unknown = mine.run("releases", "diff", "1999", code=1).stderr
    assert unknown == (
        "Error: There is no release '1999': `flask s3 releases` lists those there are.\n"
    )


def test_diff_without_any_release_says_so(mine):
    assert "This app has no release yet" in mine.run("releases", "diff", "2", code=1).stderr


def test_the_command_as_it_is_typed_lists_and_goes_back(mini_bucket, tmp_path):
    """In a process of its own, where warnings are errors and nobody sits at a terminal."""
    config = {**mini_bucket.config, "FLASKS3_FINGERPRINT": True}
    shop = Shop(tmp_path / "shop", FILES, config)
    assert shop.run("deploy").code == 0
    write_files(shop.static, {"a.css": "b{}"})
    assert shop.run("deploy").code == 0

    before = shop.run("releases", "--json").json
    ended = shop.run("rollback")

    assert (ended.code, len(before)) == (0, 2)
    assert f"Release {before[1]['id']} is in force again, as " in ended.stdout
    assert "An app that ships its manifest goes on as it is" in ended.stdout
    assert mini_bucket.get("static/a.css")["Body"] == b"a{color:red}"


# -- rollback


def plain(mine):
    """Bytes and headers of every plain name."""
    found = (key for key in mine.bucket.keys("static/") if re.fullmatch(r"\w+/\w+\.\w+", key))
    return {key: content_of(mine.bucket, key) for key in found}


def test_the_release_before_comes_back_byte_for_byte_with_its_headers(each):
    each.app.config["FLASKS3_FINGERPRINT_EXCLUDE"] = [r"^static/robots\.txt$"]
    first = each.deploy()
    as_it_was = plain(each)
    assert set(as_it_was) == {f"static/{name}" for name in FILES}
    each.app.config["FLASKS3_FILEPATH_HEADERS"] = {r"\.(txt|html)$": {"Cache-Control": "no-store"}}
    second = each.deploy(
        {"a.css": "a{}", "b.png": "B", "robots.txt": "none", "index.html": "<p>new"}
    )
    assert all(plain(each)[key] != as_it_was[key] for key in as_it_was)

    shown = each.run("rollback").stdout

    assert plain(each) == as_it_was
    assert f"Release {first} is in force again, as {each.in_force()}: 4 plain names" in shown
    assert each.record(each.in_force())["restores"] == first
    assert each.record(each.in_force())["after"] == second
    assert each.state()["unfinished"] == []
    assert each.is_whole()


def test_after_a_rollback_nothing_is_left_for_the_deploy_of_the_same_files(each):
    each.deploy()
    each.deploy({"a.css": "a{}"})
    each.run("rollback")
    write_files(each.static, FILES)

    assert each.run("deploy", "--json").json["uploaded"] == []


def test_going_back_twice_goes_further_back_and_an_id_leads_forward(mine):
    first, _, third = mine.deploy(), mine.deploy({"a.css": "2"}), mine.deploy({"a.css": "3"})

    bodies = []
    for _ in range(2):
        mine.run("rollback")
        bodies.append(mine.bucket.get("static/a.css")["Body"])
    assert mine.record(mine.in_force())["restores"] == first
    end = mine.run("rollback", code=1).stderr
    mine.run("rollback", third)

    assert bodies == [b"2", b"a{color:red}"]
    assert end == "Error: There is no release with other files before the one in force.\n"
    assert mine.bucket.get("static/a.css")["Body"] == b"3"


def refused(mine, *arguments: str) -> str:
    """Why a rollback is refused, and that it left everything alone."""
    before = mine.everything()
    told = mine.run("rollback", *arguments, code=1).stderr
    assert mine.everything() == before
    return told


def test_without_a_release_there_is_no_way_back(mine):
    assert refused(mine) == (
        "Error: This app has no release yet: `flask s3 deploy` makes the first.\n"
    )


def test_a_rollback_that_cannot_be_says_why_and_changes_nothing(mine):
    first = mine.deploy()
    assert "There is no release with other files before the one in force" in refused(mine)
    second = mine.deploy({"a.css": "2"})

    assert "There is no release '1999'" in refused(mine, "1999")
    assert re.search(r"'2' may be any of \S+, \S+: give more of the id", refused(mine, "2"))
    assert f"Release {second} is in force already" in refused(mine, second)
    mine.run("rollback")
    assert f"Release {first} is in force already" in refused(mine, first)


@pytest.mark.parametrize("fault", ["deleted", "other bytes, same size", "longer"])
@pytest.mark.parametrize("what", ["a file", "a document"])
def test_a_release_of_which_an_object_is_not_there_is_not_brought_back(each, fault, what):
    first = each.deploy()
    each.deploy({"a.css": "2", "index.html": "<p>"})
    objects = each.record(first)["objects"]
    key = old_name(each, first, "static/a.css")
    if what == "a document":
        key = each.record(first)["copies"]["static/index.html"]
    place = {"Bucket": each.bucket.name, "Key": key}
    if fault == "deleted":
        each.bucket.client.delete_object(**place)
    else:
        size = objects[key][1] + (fault == "longer")
        each.bucket.client.put_object(**place, Body=b"x" * size)

    told = refused(each)

    assert (
        f"Release {first} cannot be brought back, since 1 of its objects is gone or has other "
        f"bytes: {key}. Deploy the app of that time." in told
    )


def test_a_release_without_fingerprints_says_that_it_cannot_come_back(mine):
    mine.app.config["FLASKS3_FINGERPRINT"] = False
    first = mine.deploy()
    mine.app.config["FLASKS3_FINGERPRINT"] = True
    mine.deploy({"a.css": "2"})

    assert (
        f"Release {first} cannot be brought back, since it was published without "
        "FLASKS3_FINGERPRINT: its files were overwritten in place." in refused(mine)
    )


def test_an_app_that_asks_the_bucket_serves_the_old_names_after_its_restart(mine, make_app):
    first = mine.deploy()
    mine.deploy({"a.css": "2"})
    mine.run("rollback")

    restarted = make_app(None, mine.app.config)
    FlaskS3(restarted)

    assert asked(restarted, filename="a.css").endswith(old_name(mine, first, "static/a.css"))


def test_a_rollback_after_other_headers_brings_the_headers_back(mine):
    mine.deploy()
    before = plain(mine)
    mine.app.config["FLASKS3_FILEPATH_HEADERS"] = {"html": {"Content-Language": "de"}}
    mine.deploy()
    assert mine.bucket.get("static/index.html").get("ContentLanguage") == "de"

    mine.run("rollback")

    assert plain(mine) == before
    assert "ContentLanguage" not in mine.bucket.get("static/index.html")


def test_a_rollback_first_ends_what_a_dead_deploy_left(mine):
    """Plain names have the first release's bytes, though the second is in force."""
    first = mine.deploy()
    second = mine.deploy({"a.css": "2", "b.png": "2"})
    with Proxy(mine.bucket.server.endpoint) as proxy:
        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        proxy.rule("PUT", r"/static/\w+\.\w+$", Answer(403, "AccessDenied"))
        third = mine.deploy({"a.css": "3", "b.png": "3"}, code=1)
        mine.app.config.update(mine.bucket.config)
        assert (mine.state()["unfinished"], third != second) != ([], False)
        assert mine.bucket.get("static/a.css")["Body"] == b"2"

        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        proxy.clear()
        mine.run("rollback", first)
        puts = [seen.path.rpartition("/")[2] for seen in proxy.seen("PUT")]

    recorded = next(place for place, name in enumerate(puts) if name.endswith(".json"))
    assert {"a.css", "b.png"} <= set(puts[:recorded]), "the third's plain names come first"
    assert mine.bucket.get("static/a.css")["Body"] == b"a{color:red}"
    assert mine.is_whole()


def test_a_rollback_that_died_is_finished_by_the_next_one(mine):
    """It goes no further back, and publishes nothing of the files at hand."""
    first = mine.deploy()
    mine.deploy({"a.css": "2", "b.png": "2"})
    mine.deploy({"a.css": "3", "b.png": "3"})
    with Proxy(mine.bucket.server.endpoint) as proxy:
        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        proxy.rule("PUT", r"/static/\w+\.\w+$", Answer(403, "AccessDenied"))
        told = mine.run("rollback", first, code=1).stderr
    mine.app.config.update(mine.bucket.config)
    assert "could not be written: `flask s3 rollback` once more goes on with them." in told
    assert "Behind    3 plain names" in mine.run("status").stdout

    mine.run("rollback")

    assert mine.bucket.get("static/a.css")["Body"] == b"a{color:red}"
    assert mine.is_whole()
    assert mine.state()["unfinished"] == []


def test_what_only_repaired_the_bucket_is_no_release_to_go_back_to(mine):
    mine.deploy()
    bad = mine.deploy({"a.css": "bad"})
    gone = old_name(mine, bad, "static/a.css")
    mine.backdate(gone)
    mine.bucket.client.delete_object(Bucket=mine.bucket.name, Key=gone)
    mine.run("deploy", "--verify-remote")
    assert mine.in_force() != bad

    mine.run("rollback")

    assert mine.bucket.get("static/a.css")["Body"] == b"a{color:red}"


def test_a_deploy_says_that_it_replaces_what_was_brought_back(mine):
    first = mine.deploy()
    mine.deploy({"a.css": "2"})
    mine.run("rollback")

    told = mine.run("deploy").stderr

    assert f"Release {first} had been brought back by a rollback: a deploy replaces it." in told


def test_a_deploy_of_just_what_was_brought_back_replaces_nothing(mine):
    mine.deploy()
    mine.deploy({"a.css": "2"})
    mine.run("rollback")
    brought_back = mine.in_force()
    (mine.static / "a.css").write_text("a{color:red}")

    told = mine.run("deploy").stderr

    assert "brought back" not in told
    assert mine.in_force() == brought_back


def test_switching_fingerprints_off_after_a_deploy_died_works(mine):
    mine.deploy()
    with Proxy(mine.bucket.server.endpoint) as proxy:
        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        proxy.rule("PUT", r"/static/\w+\.\w+$", Answer(403, "AccessDenied"))
        mine.deploy({"a.css": "2", "b.png": "2"}, code=1)
    mine.app.config.update(mine.bucket.config)
    mine.app.config["FLASKS3_FINGERPRINT"] = False

    mine.deploy({"a.css": "3"})

    assert mine.bucket.get("static/a.css")["Body"] == b"3"
    assert mine.is_whole()


def test_a_rollback_gives_way_to_a_deploy_that_comes_first(mine):
    mine.deploy()
    mine.deploy({"a.css": "2"})
    settings = state_of(mine.app).settings()
    prepared = rollback.prepare(mine.app, settings, None)
    third = mine.deploy({"a.css": "3"})

    with pytest.raises(LostRace, match=f"Another release came into force meanwhile .{third}"):
        rollback.carry_out(prepared, Silent())

    assert (mine.in_force(), mine.bucket.get("static/a.css")["Body"]) == (third, b"3")


# -- commits


def git(folder, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=0"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_commit_of_the_checkout_is_remembered_and_survives_a_rollback(mine):
    git(mine.app.root_path, "init", "-q")
    git(mine.app.root_path, "commit", "-q", "--allow-empty", "-m", "one")
    commit = git(mine.app.root_path, "rev-parse", "HEAD")
    mine.deploy()
    git(mine.app.root_path, "commit", "-q", "--allow-empty", "-m", "two")
    mine.deploy({"a.css": "2"})

    mine.run("rollback")

    told = [release["commit"] for release in mine.run("releases", "--json").json]
    assert told == [commit, git(mine.app.root_path, "rev-parse", "HEAD"), commit]
    assert f", commit {commit[:12]}\n" in mine.run("status").stdout


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_ci_service_tells_the_commit_where_there_is_no_checkout(mine, monkeypatch, variable):
    monkeypatch.setenv(variable, COMMIT)

    assert mine.record(mine.deploy())["commit"] == COMMIT


@pytest.mark.parametrize("nonsense", ["", "main", "0123456789abcdef", COMMIT.upper() + "\n"])
def test_what_is_no_commit_is_not_remembered(mine, monkeypatch, nonsense):
    monkeypatch.setenv("GITHUB_SHA", nonsense)

    assert mine.record(mine.deploy())["commit"] is None


# -- races


def overtaken(mine, **order):
    """A deploy that was prepared before another one came into force."""
    mine.deploy()
    write_files(mine.static, {"a.css": "ours"})
    prepared = prepare(mine.app, state_of(mine.app).settings(), Order(**order))
    theirs = mine.deploy({"b.png": "theirs"})
    return prepared, theirs


def test_an_exclusive_deploy_that_was_overtaken_says_who_won(mine, monkeypatch):
    monkeypatch.setenv("GITHUB_SHA", COMMIT)
    prepared, theirs = overtaken(mine, exclusive=True)

    with pytest.raises(LostRace) as caught:
        carry_out(prepared, Silent())

    assert caught.value.exit_code == 3
    assert f"release {theirs} (commit {COMMIT[:12]}), of " in str(caught.value)
    assert "--exclusive leaves it there" in str(caught.value)
    assert (mine.in_force(), mine.is_whole()) == (theirs, True)


def test_exclusive_ends_the_command_with_exit_code_3(mine, make_app):
    """The other deploy comes between the look and the upload."""
    mine.deploy()
    write_files(mine.static, {"a.css": "ours"})
    config = {**mine.app.config, "FLASKS3_APP": mine.app.name}
    other = make_app(FILES | {"b.png": "theirs"}, config, name="elsewhere")

    def overtake(_app, **_):
        create_all(other)

    with publishing.connected_to(overtake, mine.app):
        told = mine.run("deploy", "--exclusive", code=3).stderr

    assert f"Another deploy of this app came first: release {mine.in_force()}" in told
    assert mine.bucket.get("static/b.png")["Body"] == b"theirs"
    assert mine.bucket.get("static/a.css")["Body"] == b"a{color:red}"
    assert mine.is_whole()
