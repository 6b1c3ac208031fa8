"""What is written down says what is true."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click
import pytest
import servers
from pages import commands_in, name_of, options_of, wrong_in

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

import flask_s3
from flask_s3 import errors
from flask_s3.cli import releasing, screens
from flask_s3.cli.commands import s3
from flask_s3.release import releases, remote, result, run, sweeps
from flask_s3.release.history import Change
from flask_s3.release.records import Record, Sweep
from flask_s3.serve.serving import state_of
from flask_s3.settings import DEFAULT_SETTINGS, FIELDS
from flask_s3.store.protocol import Known
from flask_s3.store.s3 import _EXPLANATIONS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
RELEASES = (ROOT / "docs" / "releases.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("examples/*/*.md")]
PAGES += [page for page in DOCS.rglob("*.md") if "_build" not in page.parts]
NOT_OURS = {"AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"}
NOT_OURS |= {"AWS_CONFIG_FILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}
NOT_OURS |= {"AWS_TOKEN"}  # what a page calls a variable of GitLab's
PROMISE = (
    "Every fingerprinted URL of a kept release answers 200 with its bytes; a plain URL answers 200 "
    "with the bytes of the previous or the current release"
)


MADE = {
    "settings.py": "settings.md",
    "commands.py": "reference/cli.md",
    "errors.py": "reference/errors.md",
}


@pytest.mark.parametrize("program", MADE)
def test_a_page_that_is_made_from_the_source_is_in_step_with_it(program):
    made = subprocess.run(
        [sys.executable, str(DOCS / program)],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8", "PATH": ""},
    )

    assert (DOCS / MADE[program]).read_text() == made.stdout, "run `make docs`"


def test_the_page_of_commands_has_each_command():
    def names(group: click.Group, path: str) -> Iterator[str]:
        for name, command in group.commands.items():
            yield f"{path} {name}"
            if isinstance(command, click.Group):
                yield from names(command, f"{path} {name}")

    page = (DOCS / "reference" / "cli.md").read_text()

    assert re.findall(r"(?m)^## `(.+)`$", page) == list(names(s3, "flask s3"))


def test_the_page_of_errors_has_each_kind_of_error_and_each_answer_of_a_store():
    page = (DOCS / "reference" / "errors.md").read_text()
    kinds = re.findall(r"(?m)^## (\w+)$", page)

    assert set(kinds) - {"UsageError"} == error_classes()
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", page)) >= _EXPLANATIONS.keys()


def test_what_a_command_says_of_an_error_can_be_found_on_the_page_of_errors(make_app):
    page = (DOCS / "reference" / "errors.md").read_text()
    said = re.findall(r"(?m)^- (.+)$", page)
    forms = [".*".join(map(re.escape, re.sub(r"\\(.)", r"\1", one).split("…"))) for one in said]
    app = make_app({"a.css": b""})
    for settings, line in UNLUCKY:
        app.config.update(settings)
        printed = app.test_cli_runner().invoke(s3, line).stderr
        (message,) = re.findall(r"Error: (.*)", " ".join(printed.split()))
        message = re.sub(r" s3 \S+ --help tells how it is used\.$", "", message)
        assert any(re.fullmatch(form, message) for form in forms), message


UNLUCKY = [
    ({}, ["deploy"]),
    ({"FLASKS3_BUCKET_NAME": "my-bucket"}, ["deploy"]),
    ({"AWS_ACCESS_KEY_ID": "AKIA"}, ["plan"]),
    ({"FLASKS3_ENCODINGS": ["br"]}, ["build"]),
    ({"FLASKS3_ENCODINGS": [], "FLASKS3_CONCURRENCY": 0}, ["build"]),
    ({"FLASKS3_CONCURRENCY": 1}, ["purge", "--all"]),
    ({}, ["purge"]),
    ({}, ["policy", "--for", "purge"]),
    ({}, ["policy", "--github", "shop"]),
    ({}, ["setup", "--undo", "--sse-s3"]),
    ({"FLASKS3_FINGERPRINT": True}, ["plan", "--only", "a"]),
]


def error_classes() -> set[str]:
    return {
        name
        for module in (errors, result)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }


def long_options_of(*commands: click.Command) -> set[str]:
    return {o for command in commands for o in options_of(command) if o.startswith("--")}


def test_the_readme_names_every_command():
    assert {name for name in s3.commands if f"`flask s3 {name}`" not in README} == set()


@pytest.mark.parametrize("name", s3.commands)
def test_the_page_of_commands_has_each_option_where_its_command_is(name):
    page = (DOCS / "reference" / "cli.md").read_text()
    section = page.partition(f"## `flask s3 {name}`\n")[2].partition("\n## ")[0]
    rows = " ".join(re.findall(r"(?m)^\| `([^`]+)` \|", section))

    assert options_of(s3.commands[name]) - set(re.findall(r"--?[\w-]+", rows)) == set()


def test_the_page_of_releases_names_every_option_of_its_commands():
    its = [releasing.releases, releasing.diff, releasing.rollback, releasing.prune]
    options = long_options_of(*its, releasing.destroy)

    missing = {text for text in options if text not in RELEASES}

    assert missing - {"--verbose"} == set(), "every command has that: its own page tells"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_that_is_written_down_is_understood(page):
    wrong = {line: wrong_in(line) for line in commands_in(page.read_text())}

    assert {line: word for line, word in wrong.items() if word and word != "…"} == {}


def test_a_command_line_that_does_not_exist_would_be_found():
    assert wrong_in("flask s3 deploy --prun") == "--prun"
    assert wrong_in("flask s3 polish") == "polish"
    assert len(list(commands_in(RELEASES))) > 10


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_settings_that_are_named_exist(page):
    known = {field.metadata["key"] for field in FIELDS}
    named = set(re.findall(r"\b(?:FLASKS3|AWS)_[A-Z_]*[A-Z]\b", page.read_text()))

    assert named - known - NOT_OURS == set()


def plain_text(page: str) -> str:
    return " ".join(re.sub(r"[*>]", "", page).split())


def test_both_pages_make_the_same_promise():
    assert PROMISE in plain_text(README)
    assert f"{PROMISE}." in plain_text(RELEASES)


def test_the_numbers_on_the_page_of_releases_are_those_of_the_source():
    keep, age = DEFAULT_SETTINGS["FLASKS3_KEEP_RELEASES"], releasing.OLDER_THAN.days
    text = plain_text(RELEASES)

    assert f"--keep {keep} --older-than {age}d" in text
    assert f"`FLASKS3_KEEP_RELEASES` ({keep})" in text
    assert f"the age is {age} days" in text
    assert f"nothing for {sweeps.LEASE:.0f} seconds" in text
    assert f"for {releases._LONGEST_DEPLOY / 3600:.0f} hour afterwards" in text
    assert f"within {remote._CLOCKS_APART:.0f} seconds of our own write" in text
    assert f"less than {run._WORTH_LOOKING // 1024**2} MiB" in text
    assert f"the newest {keep}, and replaced more than {age} days ago" in README


def test_the_page_of_exit_codes_tells_each():
    page = (DOCS / "reference" / "exit-codes.md").read_text()
    told = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", page)}
    raised = {kind.exit_code for kind in vars(errors).values() if hasattr(kind, "exit_code")}

    assert told == {0, *raised, releasing.INTERRUPTED}


def test_what_the_page_shows_of_releases_is_what_is_printed(capsys):
    now = datetime.now(timezone.utc)
    one = Known(1_200_000, "", 0.0, None, None)
    manifest = {"entries": dict.fromkeys(map(str, range(64)))}

    def release(id_: str, age: timedelta, commit: str) -> Record:
        time = (now - age).isoformat(timespec="seconds")
        return Record(id_, time, "shop", "", {"a": one}, manifest, commit=commit * 2)

    newer = release("20261125T023340Z-a0fc063e", timedelta(hours=2), "ec7c226f10a4")
    older = release("20261123T141207Z-63ae0e7e", timedelta(days=1), "8bf77d3c5e02")
    screens.show_releases([newer, older], as_json=False)
    screens.show_differences([Change("static/js/cart.js", "changed", 4100, 4300)])
    printed = capsys.readouterr().out
    screens.show_releases([newer], as_json=True)
    names = set(json.loads(capsys.readouterr().out)[0])

    shown = re.search(r"```console\n(.*?)```", RELEASES, re.DOTALL)[1]
    assert re.sub(r"(?m)^(\$.*)?\n", "", shown) == printed
    assert names <= set(re.findall(r"`(\w+)`", RELEASES))


def test_what_lies_under_our_folder_is_what_the_page_says(mini_bucket, make_app):
    app = make_app(
        {"a.css": b"a{}", "index.html": b"<p>"}, {**mini_bucket.config, "FLASKS3_FINGERPRINT": True}
    )
    flask_s3.create_all(app)
    found, _ = remote.releases_of(state_of(app).settings(), app.name)
    found.sweeps.begin(Sweep(secrets.token_hex(8), (), ()), found.current().stand)

    rows = re.findall(r"(?m)^\| `(\.flask-s3/[^`]+)`", RELEASES)
    forms = [re.sub("<[^>]+>", "[^/]+", re.escape(row)) for row in rows]
    keys = mini_bucket.keys(".flask-s3/", metadata=True)
    unlike = [key for key in keys if not any(re.fullmatch(form, key) for form in forms)]
    unused = [form for form in forms if not any(re.fullmatch(form, key) for key in keys)]
    assert (unlike, unused) == ([], [])


# -- permissions


def permissions() -> dict[str, list[str]]:
    """The table on the page: which permissions each command needs."""
    rows = re.findall(r"(?m)^\| (`[^|]+`) \| (`s3:[^|]+`) \|$", RELEASES)
    return {
        command: re.findall(r"`(s3:\w+)`", needs)
        for commands, needs in rows
        for command in re.findall("`([^`]+)`", commands)
    }


LINES = {
    "plan": ["plan"],
    "status": ["status"],
    "releases": ["releases"],
    "deploy": ["deploy"],
    "rollback": ["rollback"],
    "prune": ["prune", "--keep", "1", "--older-than", "0s"],
    "destroy": ["destroy", "--yes", "--confirm", "shop"],
    "deploy --prune": ["deploy", "--prune"],
}


@pytest.fixture
def shop(mini_bucket, make_app):
    """An app with two releases, and a change that is not published yet."""
    config = {**mini_bucket.config, "FLASKS3_FINGERPRINT": True, "FLASKS3_APP": "shop"}
    app = make_app({"a.js": b"1", "index.html": b"1"}, config)
    file = Path(app.static_folder) / "a.js"
    for text in ("2", "3", "4"):
        flask_s3.create_all(app)
        file.write_text(text)
    return app


@pytest.fixture
def allow(mini_bucket, shop) -> Callable[[list[str]], None]:
    """Makes the app's credentials those of a user who may do just this."""
    server, name = mini_bucket.server, f"user-{secrets.token_hex(4)}"
    iam = servers._client("iam", **server._arguments())
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    shop.config["AWS_ACCESS_KEY_ID"] = key["AccessKeyId"]
    shop.config["AWS_SECRET_ACCESS_KEY"] = key["SecretAccessKey"]

    def may(actions: list[str]) -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="page", PolicyDocument=policy)

    return may


@pytest.mark.parametrize("command", LINES)
def test_the_permissions_on_the_page_suffice_and_none_is_too_many(command, shop, allow):
    needed, line = permissions()[command], LINES[command]
    runner = shop.test_cli_runner()
    for missing in needed:
        if command == "deploy --prune" and missing == "s3:DeleteObject":
            continue  # nothing is old enough here to be deleted
        allow([one for one in needed if one != missing])
        assert runner.invoke(s3, line).exit_code == 1, missing

    allow(needed)
    ended = runner.invoke(s3, line)

    assert ended.exit_code == 0, ended.output


def test_the_table_of_permissions_has_each_command():
    assert permissions().keys() == LINES.keys()


# -- the map of the source


def rows_of_modules() -> dict[str, str]:
    """The map: each module, and what it says of it; a room ends with a slash."""
    _, _, page = CONTRIBUTING.partition("| module |")
    return dict(re.findall(r"(?m)^\| \**`([\w/.]+)`\** \| (.+) \|$", page))


def test_the_map_of_the_source_has_each_module_once():
    source = ROOT / "src" / "flask_s3"
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    modules = {name for name in modules if not name.endswith("__init__.py")}
    in_rooms = {f"{name.rpartition('/')[0]}/" for name in modules if "/" in name}
    modules = {name for name in modules if not name.startswith("building/references/")}

    _, _, page = CONTRIBUTING.partition("| module |")
    listed = re.findall(r"(?m)^\| \**`([\w/.]+)`\** \|", page)

    assert sorted(listed) == sorted(modules | in_rooms)


def contracts() -> list[dict]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return project["tool"]["importlinter"]["contracts"]


def test_the_map_of_the_source_is_in_the_order_of_its_layers():
    layered = [one for one in contracts() if one["type"] == "layers"]
    lines = list(rows_of_modules())
    for contract in layered:
        room = contract["containers"][0].removeprefix("flask_s3").lstrip(".")
        start = f"{room}/" if room else ""
        places = []
        for layer in contract["layers"]:
            names = {f"{start}{name.strip()}" for name in layer.split("|")}
            files = [
                n for n, line in enumerate(lines) if line.removesuffix(".py").rstrip("/") in names
            ]
            assert len(files) == len(names), names
            places.append(files)
        order = [place for files in places for place in files]
        assert order == sorted(order), contract["name"]


def test_the_map_of_the_source_tells_what_is_pure():
    core = next(one for one in contracts() if one["name"].startswith("The pure core"))
    pure = {name.removeprefix("flask_s3.").replace(".", "/") for name in core["source_modules"]}

    said = {
        row.removesuffix(".py").rstrip("/")
        for row, text in rows_of_modules().items()
        if text.startswith("pure: ")
    }

    assert said == pure


def test_the_public_names_are_these():
    assert flask_s3.__all__ == [
        "DEFAULT_SETTINGS",
        "CredentialsError",
        "FlaskS3",
        "FlaskS3Error",
        "PublishError",
        "SettingsError",
        "StoreError",
        "create_all",
        "get_setting",
        "published",
        "publishing",
        "url_for",
    ]


def test_the_page_of_python_has_each_public_name_and_each_helper_of_templates(make_app):
    app = make_app()
    plain = set(app.jinja_env.globals)
    flask_s3.FlaskS3(app)
    helpers = set(app.jinja_env.globals) - plain
    page = (DOCS / "reference" / "api.md").read_text()

    named = re.findall(r"(?m)^\.\. (?:auto)?(?:class|function|exception|data):: ([\w.]+)", page)

    assert {*flask_s3.__all__, *helpers} - {name.rpartition(".")[2] for name in named} == set()


def test_every_error_is_drawn_in_the_tree_of_errors():
    assert {name for name in error_classes() if name not in errors.__doc__} == set()


def test_no_page_names_a_host_of_packages_or_a_badge():
    for page in PAGES:
        assert not re.search(r"shields\.io|badge", page.read_text()), page


# -- links


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    lines = re.sub(r"(?ms)^```.*?^```", "", page.read_text())
    found = re.findall(r"(?m)^#+ (.+)$", lines)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in found}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_leads_to_a_file_and_a_heading_where_it_is_read_on_github(page):
    text = re.sub(r"(?ms)^```.*?^```|`[^`\n]*`", "", page.read_text())
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in headings(target)):
            dead.append(link)

    assert dead == []
