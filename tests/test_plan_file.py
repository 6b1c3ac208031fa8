"""`flask s3 plan -o FILE`, then `flask s3 deploy --plan FILE`: exactly that, or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import Shop
from conftest import write_files
from steps import Site, site

from flask_s3 import create_all, publishing

FILES = {"a.css": "a{}", "b.png": "b", "index.html": "<link rel=stylesheet href=a.css>"}


@pytest.fixture
def mine(make_app, mini_bucket) -> Site:
    return site(make_app(FILES), mini_bucket)


@pytest.fixture
def plan(tmp_path) -> str:
    """Where the plan is kept."""
    return str(tmp_path / "plan.json")


def edit(plan: str, **changes: object) -> None:
    file = Path(plan)
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}))


def refused(mine: Site, plan: str, *options: str, code: int = 1) -> str:
    """Why a plan is not carried out, and that nothing was."""
    before = mine.everything()
    told = mine.run("deploy", "--plan", plan, *options, code=code).stderr
    assert mine.everything() == before
    return told


def test_a_plan_of_the_command_line_is_carried_out(mini_bucket, tmp_path):
    mini_bucket.open_to_anybody()
    shop = Shop(tmp_path / "shop", FILES, {**mini_bucket.config, "FLASKS3_FINGERPRINT": True})

    planned = shop.run("plan", "-o", "plan.json")
    assert mini_bucket.keys(metadata=True) == []
    ended = shop.run("deploy", "--plan", "plan.json")

    assert (planned.code, ended.code, ended.stderr.count("\n")) == (0, 0, 1)
    assert planned.stdout.endswith("Plan  plan.json: flask s3 deploy --plan plan.json\n")
    assert mini_bucket.get("static/a.css")["Body"] == b"a{}"


@pytest.mark.parametrize("fingerprints", [True, False])
def test_what_was_planned_is_what_is_done(mine, plan, fingerprints):
    mine.app.config["FLASKS3_FINGERPRINT"] = fingerprints
    mine.deploy()
    write_files(mine.static, {"a.css": "2", "c.txt": "c"})
    mine.run("plan", "-o", plan)
    planned = json.loads(Path(plan).read_text("utf-8"))["actions"]

    told = mine.run("deploy", "--plan", plan, "--json").json

    puts = {key for key, actions in planned.items() if actions[0][0] == "put"}
    assert set(told["uploaded"]) == {key for key in puts if not key.startswith(".flask-s3/")}
    assert mine.is_whole()


def test_the_options_of_the_plan_are_the_deploys(mine, plan):
    mine.app.config["FLASKS3_FINGERPRINT"] = False
    write_files(mine.static, {".well-known/a.txt": "1"})
    mine.run("plan", "--only", "well-known", "--include-hidden", "-o", plan)

    told = mine.run("deploy", "--plan", plan, "--json").json

    assert "static/.well-known/a.txt" in told["uploaded"]
    assert "static/a.css" not in told["uploaded"]


def test_a_forced_plan_uploads_everything_again(mine, plan):
    mine.deploy()
    mine.run("plan", "--force", "-o", plan)

    told = mine.run("deploy", "--plan", plan, "--json").json

    assert {f"static/{name}" for name in FILES} <= set(told["uploaded"])


def test_a_dry_run_of_a_plan_shows_it(mine, plan):
    mine.deploy()
    write_files(mine.static, {"a.css": "2"})
    shown = mine.run("plan", "-o", plan).stdout

    dry = mine.run("deploy", "--plan", plan, "--dry-run").stdout

    assert shown.startswith(dry)
    assert "static/a.css" in dry


def test_a_plan_gives_way_to_a_release_that_comes_while_it_is_carried_out(mine, plan, make_app):
    mine.deploy()
    write_files(mine.static, {"a.css": "2"})
    mine.run("plan", "-o", plan)
    config = {**mine.app.config, "FLASKS3_APP": mine.app.name}
    other = make_app(FILES | {"b.png": "theirs"}, config, name="elsewhere")

    def overtake(_app, **_):
        create_all(other)

    with publishing.connected_to(overtake, mine.app):
        told = mine.run("deploy", "--plan", plan, code=3).stderr

    assert f"Another deploy of this app came first: release {mine.in_force()}" in told
    assert mine.is_whole()
    assert mine.bucket.get("static/a.css")["Body"] == b"a{}"


def test_a_plan_that_was_carried_out_is_refused_the_second_time(mine, plan):
    mine.deploy()
    write_files(mine.static, {"a.css": "2"})
    mine.run("plan", "-o", plan)
    mine.run("deploy", "--plan", plan)

    assert "is not what would be done now, so nothing was: make a new plan." in refused(mine, plan)


def test_a_file_that_changed_since_is_named(mine, plan):
    mine.deploy()
    mine.run("plan", "-o", plan)
    write_files(mine.static, {"b.png": "two"})

    told = refused(mine, plan)

    assert told.startswith(f"Error: {plan} is not what would be done now, so nothing was: make")
    assert (
        "\n  static/b.png: leave 3e23e8160039… (the same) then, "
        "upload 3fc4ccfe7458… (bytes differ: 1 there, 3 here) now\n"
    ) in told
    assert "\n  static/b.3e23e8160039594a.png: leave 3e23e8160039… (the same) then, nothing" in told
    assert "\n  release: " not in told


def test_of_many_changed_files_some_are_named(mine, plan):
    mine.deploy({f"{n:02}.txt": "1" for n in range(20)})
    mine.run("plan", "-o", plan)
    for n in range(20):
        (mine.static / f"{n:02}.txt").unlink()

    told = refused(mine, plan)

    assert told.count("\n  static/") == 5
    assert told.endswith("\n  and 35 more\n")


def test_a_header_that_changed_since_is_named(mine, plan):
    mine.deploy()
    mine.run("plan", "-o", plan)
    mine.app.config["FLASKS3_FILEPATH_HEADERS"] = {"html": {"Content-Language": "de"}}

    assert "(headers differ: content-language 'unset' -> 'de')" in refused(mine, plan)


def test_another_release_in_force_is_named(mine, plan):
    first = mine.deploy()
    write_files(mine.static, {"a.css": "2"})
    mine.run("plan", "-o", plan)
    write_files(mine.static, FILES | {"b.png": "2"})
    second = mine.deploy()
    write_files(mine.static, FILES | {"a.css": "2"})

    assert f"\n  release: {first} then, {second} now" in refused(mine, plan)


def test_another_bucket_app_or_prefix_is_named(mine, plan, new_bucket):
    mine.deploy()
    mine.run("plan", "-o", plan)
    name, other = mine.bucket.name, new_bucket(mine.bucket.server).create()

    mine.app.config["FLASKS3_BUCKET_NAME"] = other.name
    told = refused(mine, plan)
    assert f"\n  bucket: {name} at {mine.bucket.server.endpoint} then, {other.name} at " in told
    mine.app.config.update(mine.bucket.config, FLASKS3_APP="other")
    assert "\n  app: shop, prefix '' then, other, prefix '' now" in refused(mine, plan)
    mine.app.config.update(FLASKS3_APP="shop", FLASKS3_PREFIX="x")
    assert "\n  app: shop, prefix '' then, shop, prefix 'x' now" in refused(mine, plan)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "3",
        "[]",
        "{}",
        '"version"',
        "{" * 3,
        "[" * 100_000,
        "\ud800".encode("utf-8", "surrogatepass"),
        b"\x00\xff",
    ],
)
def test_what_is_no_plan_is_refused(mine, plan, text):
    Path(plan).write_bytes(text.encode() if isinstance(text, str) else text)
    mine.deploy()

    assert refused(mine, plan) == (
        f"Error: {plan} is no plan of this version: make it with `flask s3 plan -o {plan}`.\n"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": None},
        {"actions": None},
        {"actions": 3},
        {"actions": [1]},
        {"actions": {"static/a.css": None}},
        {"actions": {"static/a.css": 3}},
        {"actions": {"static/a.css": [3]}},
        {"actions": {"static/a.css": [[]]}},
        {"actions": {"static/a.css": ["put"]}},
        {"actions": {"static/a.css": [["put"]]}},
        {"actions": {"static/a.css": [["put", 1, None, {}, [], 0]]}},
        {"actions": {"static/a.css": {"put": 1}}},
        {"options": None},
        {"options": []},
        {"options": {"only": 3}},
        {"options": {"force": "yes"}},
        {"options": {"unheard_of": True}},
        {"options": {"only": "("}},
        {"release": 3},
        {"release": ["x"]},
        {"bucket": None},
        {"app": {}},
    ],
    ids=str,
)
def test_a_plan_with_malformed_values_is_refused_in_plain_words(mine, plan, changes):
    mine.deploy()
    mine.run("plan", "-o", plan)
    edit(plan, **changes)

    told = refused(mine, plan, code=2 if changes == {"options": {"only": "("}} else 1)

    assert told.startswith("Error: ")


@pytest.mark.parametrize(
    "options",
    [
        ("--only", "css"),
        ("--include-hidden",),
        ("--verify-remote",),
        ("--force",),
        ("--build", "."),
        ("--frozen",),
    ],
    ids=" ".join,
)
def test_options_that_the_plan_has_decided_are_refused(mine, plan, options):
    mine.deploy()
    mine.run("plan", "-o", plan)

    told = refused(mine, plan, *options, code=2)

    assert "The plan says what is published: leave --only, --include-hidden" in told


def test_a_plan_that_is_not_there_is_a_wrong_usage(mine, tmp_path):
    mine.deploy()

    assert "does not exist" in refused(mine, str(tmp_path / "none.json"), code=2)
    assert "is a directory" in refused(mine, str(tmp_path), code=2)


def test_a_plan_that_cannot_be_written_is_a_wrong_usage(mine, tmp_path):
    told = mine.run("plan", "-o", str(tmp_path / ("x" * 300)), code=2).stderr

    assert "x cannot be written: File name too long." in told
