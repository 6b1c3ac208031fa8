"""``flask s3`` as people see and type it: screens kept as text in `tests/screens/`, and guesses.

`KEEP_SCREENS=1 pytest tests/test_screens.py` writes the screens anew, to be read before a commit.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
import pytest
from commands import Shop, on_a_terminal
from conftest import AppMaker, Bucket
from proxy import Answer, Proxy

from flask_s3.cli import terminal
from flask_s3.cli.commands import s3
from flask_s3.cli.terminal import cells, colours, cut, wrapped
from flask_s3.errors import SettingsError
from flask_s3.settings import FIELDS, Settings, unknown
from flask_s3.store import boto
from flask_s3.store.protocol import Exchange
from flask_s3.store.traced import line

KEPT = Path(__file__).parent / "screens"
LONG = "img/products/summer/a-rather-long-name-of-a-picture-of-the-front-of-a-shirt.svg"
FILES = {"app.css": "a{}", "js/cart.js": "b()", LONG: "<svg/>"}
ALIKE = {
    r"AKIA…\w+": "AKIA…1234",
    r"\d{8}T\d{6}Z-[0-9a-f]{8}": "20260101T000000Z-0a1b2c3d",
    r"\d{4}-\d\d-\d\dT[\d:]+\+00:00": "2026-01-01T00:00:00+00:00",
    r"http://127\.0\.0\.1:\d+": "http://127.0.0.1:12345",
}
COLOURS = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")


@pytest.fixture
def shop(ministack: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """One whose bucket has a name of the same length in each run, so that lines end alike."""
    bucket = Bucket(ministack, "bucket-of-screens", ministack.client()).create()
    bucket.open_to_anybody("static/*")
    yield Shop(tmp_path / "shop", FILES, bucket.config)
    for key in bucket.keys(metadata=True):
        bucket.client.delete_object(Bucket=bucket.name, Key=key)
    bucket.client.delete_bucket(Bucket=bucket.name)


def kept(name: str, shown: str) -> None:
    """Compares a screen with the one that is kept."""
    for differs, alike in ALIKE.items():
        shown = re.sub(differs, alike, shown)
    shown = re.sub(r" *\d+ (s|min)(?=\s)", lambda age: "AGE".rjust(len(age[0])), shown)
    file = KEPT / f"{name}.txt"
    if os.environ.get("KEEP_SCREENS"):
        file.write_text(shown, "utf-8")
    assert shown == file.read_text("utf-8"), f"another screen than {file.name}"


def terminal_shows(shop: Shop, *arguments: str, columns: int = 80, **env: str) -> str:
    """What a terminal shows that can neither redraw a line nor show colours."""
    _, shown = on_a_terminal(shop, *arguments, TERM="dumb", COLUMNS=str(columns), **env)
    return shown.replace("\r\n", "\n")


def widest(shown: str) -> int:
    return max(map(cells, shown.splitlines()))


# -- screens


def test_screens_fit_the_terminal_and_pipes_get_whole_lines(shop: Shop):
    shop.configure({**settings_of(shop), "FLASKS3_FINGERPRINT": True, "FLASKS3_FINGERPRNT": 1})
    for columns in (80, 40, 200):
        shown = terminal_shows(shop, "plan", columns=columns)
        kept(f"plan-{columns}", shown)
        assert widest(shown) <= columns
    piped = shop.run("plan", env={"COLUMNS": "40"})
    kept("plan-piped", piped.stderr + piped.stdout)
    assert f"static/{LONG}  (new)\n" in piped.stdout


def test_screens_of_a_release(shop: Shop):
    shop.run("deploy")
    (shop.static / "app.css").write_text("a{color:red}")
    (shop.static / LONG).unlink()
    (shop.static / "id.txt").write_text("-----BEGIN PRIVATE KEY-----\n" + "A" * 64)

    for columns in (80, 40):
        for command in ("status", "releases", "doctor"):
            shown = terminal_shows(shop, command, columns=columns)
            kept(f"{command}-{columns}", shown)
            assert command == "doctor" or widest(shown) <= columns, "doctor names whole addresses"


def settings_of(shop: Shop) -> dict[str, Any]:
    return json.loads((shop.root / "settings.json").read_text())


def all_commands(group: click.Group = s3, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from all_commands(command, f"{path}{name} ")


def help_of(app: Any, *command: str) -> str:
    ended = app.test_cli_runner().invoke(s3, [*command, "--help"], prog_name="flask s3")
    assert ended.exit_code == 0
    return ended.output


def test_help_is_a_screen_of_80_columns(make_app: AppMaker):
    app = make_app()

    kept("help", help_of(app))
    for name, _ in all_commands():
        assert widest(help_of(app, *name.split())) <= 80, name


@pytest.mark.parametrize("name", dict(all_commands()))
def test_the_examples_of_a_command_can_be_pasted(name: str):
    command = dict(all_commands())[name]
    about, _, examples = cleandoc(command.help or "").partition("\b\nExamples:\n")
    lines = [one.strip() for one in examples.partition("\n\n")[0].splitlines()]

    assert re.match(r"[A-Z][^.]+\.(\s|$)", about), "a first sentence"
    assert 1 <= len(lines) <= 3
    for example in lines:
        typed = shlex.split(re.split(r" {3,}| > ", example)[0])
        assert [*typed[:2], " ".join(typed[2 : 2 + len(name.split())])] == ["flask", "s3", name]
        understand(s3, typed[2:])


def understand(command: click.Command, typed: list[str]) -> None:
    """Reads what was typed as the command line does, and runs nothing."""
    context = command.make_context(command.name, list(typed), help_option_names=["-h", "--help"])
    if not isinstance(command, click.Group):
        return
    held = "_protected_args" if hasattr(context, "_protected_args") else "protected_args"  # < 8.2
    if rest := [*getattr(context, held), *context.args]:
        _, inner, more = command.resolve_command(context, rest)
        assert inner is not None
        understand(inner, more)


# -- text


@pytest.mark.parametrize(
    ("text", "columns", "hang", "lines"),
    [
        ("one two three", 80, 4, "one two three"),
        ("one two three", 9, 2, "one two\n  three"),
        ("Warning: a/very/long/name is", 12, 9, "Warning:\n   a/very/long/name\n   is"),
        ("漢字 漢字 漢字", 10, 0, "漢字 漢字\n漢字"),
        ("one\ntwo three", 7, 0, "one\ntwo\nthree"),
    ],
)
def test_lines_are_wrapped_between_words(text, columns, hang, lines):
    assert wrapped(text, columns, hang) == lines


@pytest.mark.parametrize(
    ("name", "room", "shown"),
    [
        ("static/app.css", 14, "static/app.css"),
        ("static/app.css", 9, "stat….css"),
        ("static/漢字漢字.css", 12, "static….css"),
        ("漢字漢字", 5, "漢…字"),
    ],
)
def test_a_name_loses_its_middle(name, room, shown):
    assert cut(name, room) == shown
    assert cells(cut(name, room)) <= room


# -- colours


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, None),
        ({"NO_COLOR": ""}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm-256color"}, None),
    ],
)
def test_the_environment_says_whether_there_are_colours(environ: Mapping[str, str], wanted):
    assert colours(environ) is wanted


def test_colours_are_for_terminals_and_for_logs_that_ask_for_them(tmp_path: Path):
    shop = Shop(tmp_path, {}, {})

    _, coloured = on_a_terminal(shop, "plan")
    _, dumb = on_a_terminal(shop, "plan", TERM="dumb")
    _, mistyped = on_a_terminal(shop, "deplo", NO_COLOR="1")
    process = shop.start("plan", env={"FORCE_COLOR": "1"})
    _, forced = process.communicate(timeout=60)

    assert COLOURS.search(coloured)
    assert COLOURS.search(forced)
    assert "\x1b" not in dumb + mistyped
    assert "Error: " in dumb, "the word says what the colour says"


# -- work that takes long


class Screen:
    """A log, or a terminal, that tells when something was written to it."""

    encoding = "utf-8"

    def __init__(self, *, is_terminal: bool) -> None:
        self.text, self.written, self._is_terminal = "", threading.Event(), is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        self.text += text
        if text.strip():
            self.written.set()
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""


def test_a_log_hears_that_long_work_goes_on(monkeypatch: pytest.MonkeyPatch):
    screen = Screen(is_terminal=False)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(terminal, "EVERY", 0.01)

    with terminal.busy("Pruning"):
        assert screen.written.wait(60)

    assert screen.text.startswith("  Pruning, 0 s\n")


def test_a_terminal_shows_that_long_work_goes_on(monkeypatch: pytest.MonkeyPatch):
    screen = Screen(is_terminal=True)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(terminal, "_SOON", 0.0)
    monkeypatch.setenv("TERM", "xterm-256color")

    with terminal.busy("Pruning"):
        assert screen.written.wait(60)

    assert "Pruning …" in screen.text


def test_quick_and_quiet_work_shows_nothing(monkeypatch: pytest.MonkeyPatch):
    screen = Screen(is_terminal=False)
    monkeypatch.setattr("sys.stderr", screen)

    with terminal.busy("Pruning"):
        pass
    monkeypatch.setattr(terminal, "EVERY", 0.0)
    with terminal.busy("Pruning", quiet=True):
        pass
    with terminal.counting("URLs", quiet=True) as progress:
        progress(1, 2)

    assert screen.text == ""


def test_a_log_hears_how_many_urls_were_asked(monkeypatch: pytest.MonkeyPatch):
    screen = Screen(is_terminal=False)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(terminal, "EVERY", 0.0)

    with terminal.counting("URLs", quiet=False) as progress:
        progress(300, 1200)

    assert screen.text == "  300 of 1,200 URLs\n"


# -- guesses


def test_a_misspelt_setting_is_guessed_by_whatever_command_starts(make_app: AppMaker):
    app = make_app({}, {"FLASKS3_BUCKET_NAME": "shop", "FLASKS3_FINGERPRNT": True, "MY_S3": 1})
    app.config["FLASKS3_WHATEVER"] = 1
    runner = app.test_cli_runner()

    for command in ("build", "policy"):
        assert runner.invoke(s3, [command]).output.startswith(
            "Warning: FLASKS3_FINGERPRNT is none of our settings and has no effect: did you mean "
            "FLASKS3_FINGERPRINT?\n"
            "Warning: FLASKS3_WHATEVER is none of our settings and has no effect: take it out, or "
            "see docs/settings.md.\n"
        )


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["deplo"], r"No such command 'deplo'\. Did you mean 'deploy'\?"),
        (["releases", "dif"], r"No such command 'dif'\. Did you mean 'diff'\?"),
        (["deploy", "--exclusiv"], r"No such option.*--exclusiv.*Did you mean.*--exclusive"),
        (["setup", "--access", "polcy"], r"'polcy' is not one of .*\. Did you mean 'policy'\?"),
        (["policy", "--for", "deplyo"], r"'deplyo' is not one of .*\. Did you mean 'deploy'\?"),
        (["policy", "--for", "xyz"], r"'xyz' is not one of [^?]*\."),
        (["--nope"], "No such option.*--nope"),
        (["purge"], r"Say what is to be purged: either a PATH or more, or --all\."),
    ],
)
def test_what_is_mistyped_is_one_sentence_with_a_guess_and_where_the_help_is(
    typed, says, make_app: AppMaker
):
    ended = make_app().test_cli_runner().invoke(s3, typed, prog_name="flask s3")

    error, hint = ended.output.splitlines()
    assert ended.exit_code == 2
    assert re.fullmatch(f"Error: .*{says}.*", error), error
    assert re.fullmatch(r"flask s3.* --help tells how it is used\.", hint)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("FLASKS3_FINGERPRNT", "FLASKS3_FINGERPRINT"),
        ("FLASK_S3_REGION", "FLASKS3_REGION"),
        ("FLASKS3_cdn_domain", "FLASKS3_CDN_DOMAIN"),
        ("FLASKS3_BUCKET", "FLASKS3_BUCKET_NAME"),
        ("FLASKS3_CLOUDFRONT", "FLASKS3_CLOUDFRONT_DISTRIBUTION"),
        ("FLASKS3_WHATEVER", None),
    ],
)
def test_a_setting_is_guessed_only_where_one_is_near(typed, meant):
    assert unknown({typed: 1, "SECRET_KEY": "x", "FLASKS3_REGION": ""}) == {typed: meant}


@pytest.mark.parametrize(
    "field", [f for f in FIELDS if isinstance(f.metadata["default"], tuple)], ids=lambda f: f.name
)
def test_a_string_is_no_list_whichever_setting_it_is(field):
    with pytest.raises(SettingsError, match=r"a list of strings such as \['x'\]"):
        Settings.read({field.metadata["key"]: "x"}, environ={})


# -- completion


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["flask", "s3", "dep"], ["deploy"]),
        (["flask", "--app", "wsgi", "s3", "releases", "d"], ["diff"]),
        (["flask", "s3", "deploy", "--excl"], ["--exclusive"]),
        (["flask", "s3", "setup", "--access", "cl"], ["cloudfront"]),
    ],
)
def test_shells_complete_commands_options_and_words(typed, completed, tmp_path: Path):
    bash = shutil.which("bash")
    assert bash is not None
    script = (
        'eval "$(_FLASK_COMPLETE=bash_source flask)"\n'
        f"COMP_WORDS=({shlex.join(typed)}) COMP_CWORD={len(typed) - 1}\n"
        '_flask_completion flask\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"

    ended = subprocess.run(
        [bash, "--norc", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )

    assert ended.stdout.split() == completed, ended.stderr


# -- requests, shown


def test_verbose_shows_each_request_on_stderr_and_leaves_stdout_alone(shop: Shop):
    quiet, loud = shop.run("setup", "--dry-run"), shop.run("setup", "--dry-run", "-v")

    assert (quiet.stderr, loud.stdout) == ("", quiet.stdout)
    assert re.search(r"(?m)^GetBucketPolicy 200 \d+ B \d+ ms$", loud.stderr)
    assert all(re.fullmatch(r"[A-Z]\w+( \S+)? \d+ .* ms", one) for one in loud.stderr.splitlines())
    config = settings_of(shop)
    assert config["AWS_SECRET_ACCESS_KEY"] not in loud.stderr
    assert config["AWS_ACCESS_KEY_ID"] not in loud.stderr


def test_verbose_leaves_json_one_object(shop: Shop):
    ended = shop.run("deploy", "--json", "--verbose")

    assert len(ended.json["uploaded"]) == len(FILES)
    told = {re.sub(r" \d+ ms.*", "", one) for one in ended.stderr.splitlines()}
    assert told >= {
        "PutObject static/app.css 200 3 B",
        f"PutObject static/{LONG} 200 6 B",
        "PutObject static/js/cart.js 200 3 B",
    }


def test_a_request_that_is_sent_again_and_one_without_an_answer_are_told_apart():
    assert line(Exchange("PutObject", "static/app.css", 200, 0.0531, 1234, 1)) == (
        "PutObject static/app.css 200 1.2 kB 53 ms"
    )
    assert line(Exchange("ListObjectsV2", "", None, 2.0, 0, 3)) == (
        "ListObjectsV2 - 0 B 2000 ms attempt 3"
    )


def test_requests_that_botocore_sends_again_are_lines_of_their_own(
    mini_bucket: Bucket, make_app: AppMaker, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("DEBUG", "flask_s3.requests")
    with Proxy(mini_bucket.server.endpoint) as between:
        between.rule("GET", "", Answer(503, "SlowDown"), turns={1})
        config = {**mini_bucket.config, "FLASKS3_ENDPOINT_URL": between.endpoint}
        client = boto.client(Settings.read(config, environ={}), "us-east-1")
        client.list_objects_v2(Bucket=mini_bucket.name, Prefix="static/")

    told = [r.args[0] for r in caplog.records if r.name == "flask_s3.requests"]
    assert [(one.operation, one.key, one.status, one.attempt) for one in told] == [
        ("ListObjectsV2", "static/", 503, 1),
        ("ListObjectsV2", "static/", 200, 2),
    ]


# -- status for programs, and exit codes


def test_status_as_json_is_one_object(shop: Shop):
    before = shop.run("status", "--json").json
    shop.run("deploy")
    (shop.static / "app.css").write_text("a{color:red}")
    (shop.static / "js" / "cart.js").unlink()
    after = shop.run("status", "--json").json

    assert before == {
        "bucket": "bucket-of-screens",
        "region": "us-east-1",
        "exists": True,
        "release": None,
        "lost": 0,
        "behind": [],
        "drift": [],
        "changed": sorted(f"static/{name}" for name in FILES),
        "gone": [],
        "refused": [],
    }
    assert after["release"]["current"] is True
    assert (after["changed"], after["gone"]) == (["static/app.css"], ["static/js/cart.js"])


def test_credentials_that_the_store_does_not_know_are_exit_code_2_as_missing_ones(shop: Shop):
    shop.configure({**settings_of(shop), "AWS_SECRET_ACCESS_KEY": "of another key altogether"})

    ended = shop.run("plan")

    assert ended.code == 2
    assert "SignatureDoesNotMatch" in ended.stderr


def test_what_was_typed_right_and_cannot_be_done_is_one_sentence(shop: Shop):
    for arguments in (["plan", "-o", "missing/plan.json"], ["setup"]):
        ended = shop.run(*arguments)
        assert ended.code == 2, arguments
        assert re.fullmatch(r"Error: .*\n", ended.stderr), arguments
