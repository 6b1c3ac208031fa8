"""``flask s3 …`` as a user runs it: real processes, their screens word for word, exit codes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from commands import Ended, Shop, on_a_terminal, sentences

from flask_s3.cli.commands import s3

FILES = {"a.css": "a{}", "b.js": "b()", "img/c.txt": "c"}
KEYS = ["static/a.css", "static/b.js", "static/img/c.txt"]
JSON_KEYS = [
    "uploaded",
    "kept",
    "deleted",
    "failed",
    "bytes",
    "seconds",
    "purged",
    "unpurged",
]


@pytest.fixture
def open_bucket(mini_bucket):
    """One that anybody may read, so that a deploy has nothing to warn of."""
    return mini_bucket.open_to_anybody()


@pytest.fixture
def shop(open_bucket, tmp_path) -> Shop:
    return Shop(tmp_path / "shop", FILES, open_bucket.config)


def screen(ended: Ended) -> tuple[int, str, str]:
    return ended.code, sentences(ended.stdout), sentences(ended.stderr)


# -- help


def test_help_is_there_for_an_app_that_never_initialised_the_extension(tmp_path):
    shop = Shop(tmp_path, {}, {}, initialised=False)

    ended = shop.run("--help")

    assert ended.code == 0
    for command in s3.commands:
        assert re.search(rf"^  {command}  +\w", ended.stdout, re.MULTILINE)
    assert "\nMore:\n" not in ended.stdout, "a command that no heading lists"
    assert (
        "Exit codes: 0 done; 1 something could not be done; 2 wrong usage, settings or "
        "credentials; 3 somebody else's release came first; 130 interrupted."
        in re.sub(r"\s+", " ", ended.stdout)
    )
    assert ended.stderr == ""


def test_help_of_deploy_names_every_option(tmp_path):
    ended = Shop(tmp_path, {}, {}).run("deploy", "-h")

    assert "\n    flask s3 deploy --only '^css/'\n" in ended.stdout

    options = set(re.findall(r"--[a-z-]+", ended.stdout))
    assert options >= {
        "--dry-run",
        "--force",
        "--only",
        "--include-hidden",
        "--json",
        "--yes",
        "--verify-remote",
    }


# -- a story


def test_screens_from_the_first_plan_to_a_changed_file(shop):
    assert screen(shop.run("status")) == (
        0,
        (
            "Bucket    BUCKET (us-east-1)\n"
            "Release   none yet: flask s3 deploy makes the first\n"
            "Changed   3 objects: new\n"
        ),
        "",
    )
    assert screen(shop.run("plan")) == (
        0,
        (
            "upload  static/a.css  (new)\n"
            "upload  static/b.js  (new)\n"
            "upload  static/img/c.txt  (new)\n"
            "3 to upload (7 B), 0 right already, 0 refused.\n"
        ),
        "",
    )
    assert screen(shop.run("deploy")) == (
        0,
        "3 uploaded (7 B), 0 kept, 0 failed, in 0.0 s.\nRelease RELEASE is in force.\n",
        "Publishing 3 objects (7 B) to BUCKET\n",
    )
    assert screen(shop.run("status")) == (
        0,
        (
            "Bucket    BUCKET (us-east-1)\n"
            "Release   RELEASE, of TIME\n"
            "Objects   3 (7 B)\n"
            "Changed   nothing: what is published is what is here\n"
        ),
        "",
    )
    (shop.static / "a.css").write_text("a{color:red}")
    (shop.static / "b.js").write_text("B()")
    assert screen(shop.run("plan")) == (
        0,
        (
            "upload  static/a.css  (bytes differ: 3 there, 12 here)\n"
            "upload  static/b.js  (bytes differ)\n"
            "2 to upload (15 B), 1 right already, 0 refused.\n"
        ),
        "",
    )
    assert screen(shop.run("status"))[1].splitlines()[3:] == ["Changed   2 objects: bytes differ"]
    assert screen(shop.run("deploy")) == (
        0,
        "2 uploaded (15 B), 1 kept, 0 failed, in 0.0 s.\nRelease RELEASE is in force.\n",
        "Publishing 2 objects (15 B) to BUCKET\n",
    )


def test_a_header_that_changed_is_shown_with_its_old_and_new_value(shop, open_bucket):
    shop.run("deploy")
    shop.configure({**open_bucket.config, "FLASKS3_FILEPATH_HEADERS": {"css": {"Expires": "0"}}})

    assert screen(shop.run("plan"))[1] == (
        "upload  static/a.css  (headers differ: expires 'unset' -> '0')\n"
        "1 to upload (3 B), 2 right already, 0 refused.\n"
    )


# -- options


def test_json_is_one_object_on_stdout_with_exactly_the_documented_keys(mini_bucket, tmp_path):
    """The bucket is not public, which is a warning: it goes to stderr."""
    shop = Shop(tmp_path, FILES, mini_bucket.config)

    ended = shop.run("deploy", "--json")

    assert ended.code == 0
    assert ended.stdout.count("\n") == 1
    values = ended.json
    assert list(values) == JSON_KEYS
    assert values.pop("seconds") > 0
    lists = {key: [] for key in ("kept", "deleted", "failed", "purged", "unpurged")}
    assert values == {**lists, "uploaded": KEYS, "bytes": 7}
    assert ended.stderr.startswith("Warning: Browsers cannot read what was published: ")
    assert ended.stderr.count("\n") == 1


def test_dry_run_shows_the_plan_and_changes_nothing(shop, open_bucket):
    planned = shop.run("plan")

    dry = shop.run("deploy", "--dry-run")
    as_json = shop.run("deploy", "--dry-run", "--json")

    assert dry == planned
    assert as_json.json == {
        "uploaded": KEYS,
        "kept": [],
        "deleted": [],
        "failed": [],
        "bytes": 7,
        "seconds": 0.0,
        "purged": [],
        "unpurged": [],
    }
    assert list(as_json.json) == JSON_KEYS
    assert open_bucket.keys(metadata=True) == []


def test_dry_run_for_a_missing_bucket_says_that_it_would_be_created(
    ministack, new_bucket, tmp_path
):
    missing = new_bucket(ministack)
    shop = Shop(tmp_path, {"a.css": "a"}, missing.config)

    assert screen(shop.run("deploy", "--dry-run")) == (
        0,
        (
            "create  bucket BUCKET\n"
            "upload  static/a.css  (new)\n"
            "1 to upload (1 B), 0 right already, 0 refused.\n"
        ),
        "",
    )
    assert missing.name not in [item["Name"] for item in missing.client.list_buckets()["Buckets"]]


@pytest.fixture
def app(open_bucket, make_app):
    return make_app(FILES, open_bucket.config)


def deployed(app: Any, *options: str) -> Any:
    """What `deploy --json` says; in this process, since only the options matter here."""
    ended = app.test_cli_runner().invoke(s3, ["deploy", "--json", *options])
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def test_force_uploads_what_is_right_already(app):
    deployed(app)

    assert deployed(app)["uploaded"] == []
    assert deployed(app, "--force")["uploaded"] == KEYS
    planned = app.test_cli_runner().invoke(s3, ["plan", "--force"])
    assert "upload  static/a.css  (--force)\n" in planned.stdout


def test_only_publishes_what_matches_and_does_not_forget_the_rest(app):
    assert deployed(app, "--only", r"\.css$")["uploaded"] == KEYS[:1]
    assert deployed(app, "--only", "^img/")["uploaded"] == KEYS[2:]

    last = deployed(app)

    assert (last["uploaded"], last["kept"]) == (KEYS[1:2], [KEYS[0], KEYS[2]])


def test_include_hidden_publishes_hidden_files(open_bucket, make_app):
    files = {".hidden/a.css": "a", ".b.css": "b", "c.css": "c"}
    app = make_app(files, open_bucket.config)

    assert deployed(app)["uploaded"] == ["static/c.css"]
    assert deployed(app, "--include-hidden")["uploaded"] == [
        "static/.b.css",
        "static/.hidden/a.css",
    ]


def test_verify_remote_mends_what_was_changed_behind_our_back(app, open_bucket):
    deployed(app)
    open_bucket.client.delete_object(Bucket=open_bucket.name, Key=KEYS[0])
    open_bucket.client.put_object(Bucket=open_bucket.name, Key=KEYS[1], Body=b"x()")

    assert deployed(app)["uploaded"] == []
    assert deployed(app, "--verify-remote")["uploaded"] == KEYS[:2]
    assert open_bucket.get(KEYS[1])["Body"] == b"b()"


def test_yes_creates_a_missing_bucket_that_browsers_can_read(ministack, new_bucket, tmp_path):
    missing = new_bucket(ministack)
    shop = Shop(tmp_path, FILES, missing.config)

    ended = shop.run("deploy", "--yes", "--json")

    assert (ended.code, ended.json["uploaded"], ended.stderr) == (0, KEYS, "")
    assert missing.keys() == KEYS


# -- exit codes


SECRET = "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\n-----END PRIVATE KEY-----\n"


def test_what_is_refused_is_named_and_the_rest_published_with_exit_code_1(open_bucket, tmp_path):
    files = {**FILES, **{f"key{number:02}.txt": SECRET for number in range(25)}}
    shop = Shop(tmp_path, files, open_bucket.config)
    line = (
        "static/key00.txt: it holds a private key: move it out of the static folder or, if it may "
        'be public, let it through: FLASKS3_ALLOW = ["key00.txt"].\n'
    )

    plan = shop.run("plan")
    ended = shop.run("deploy")

    assert plan.code == 1
    assert plan.stdout.endswith("3 to upload (7 B), 0 right already, 25 refused.\n")
    assert ended.code == 1
    assert sentences(ended.stdout).startswith("3 uploaded (7 B), 0 kept, 25 failed, in 0.0 s.\n")
    assert ended.stderr.endswith(
        f"failed  {line}"
        "failed  static/key01.txt: the same.\n"
        "failed  static/key02.txt: the same.\n"
        "failed  and 22 more: the same.\n"
    )
    assert re.findall(r"(?m)^refuse  static/key(\d\d)\.txt  \(", plan.stdout) == [
        f"{number:02}" for number in range(25)
    ]
    assert plan.stdout.count("it holds a private key") == 1
    assert open_bucket.keys() == KEYS


def test_what_is_refused_is_listed_in_order_with_each_reason_once(tmp_path):
    files = {"z.txt": SECRET, "b/.env.pem": "x", "c.txt": SECRET, "a.key": "x", "b.txt": SECRET}
    shop = Shop(tmp_path, {**FILES, **files}, {})

    told = shop.run("build").stderr.splitlines()

    names = [line.split(": ")[0].removeprefix("refuse  static/") for line in told]
    assert [name for name in names if name.endswith(".txt")] == ["b.txt", "c.txt", "z.txt"]
    assert sum("it holds a private key" in line for line in told) == 1


def test_a_file_or_folder_that_cannot_be_read_is_named_once(tmp_path):
    shop = Shop(tmp_path, FILES, {})
    (shop.static / "loop").symlink_to(shop.static / ("x" * 300))

    told = shop.run("build")

    assert told.code == 1
    assert told.stderr == (
        "refuse  static/loop: it could not be read (File name too long): make it readable, or "
        "leave it out with FLASKS3_IGNORE.\n"
    )


@pytest.mark.parametrize("command", ["plan", "deploy"])
def test_an_app_whose_pages_will_not_use_the_bucket_is_warned_of_once(
    command, open_bucket, tmp_path
):
    shop = Shop(tmp_path, FILES, open_bucket.config, initialised=False)

    ended = shop.run(command)

    assert ended.code == 0
    assert [line for line in ended.stderr.splitlines() if line.startswith("Warning: ")] == [
        (
            "Warning: FlaskS3 was never set up on the app. Its url_for is Flask's own, so pages do "
            "not use the bucket: FlaskS3(app)  # from flask_s3 import FlaskS3"
        )
    ]


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("none/plan.json", "The folder none does not exist: make it first."),
        ("-", "-o takes a file's name, and does not write to stdout: name a file."),
    ],
)
def test_a_plan_that_cannot_be_written_asks_the_store_for_nothing(output, why, tmp_path):
    nowhere = {"FLASKS3_BUCKET_NAME": "shop", "FLASKS3_ENDPOINT_URL": "http://127.0.0.1:9"}
    shop = Shop(tmp_path, FILES, nowhere)

    assert shop.run("plan", "-o", output) == Ended(2, "", f"Error: {why}\n")
    assert not (tmp_path / "-").exists()


def test_a_tree_that_is_not_there_is_one_sentence_and_exit_code_2(tmp_path):
    ended = Shop(tmp_path, FILES, {"FLASKS3_BUCKET_NAME": "shop"}).run("deploy", "--build", "none")

    assert ended.code == 2
    assert re.search(
        r"^Error: Invalid value for '--build': Directory 'none' does not exist\.$",
        ended.stderr,
        re.MULTILINE,
    )


def test_a_folder_that_is_no_tree_is_told_so_without_an_errno(tmp_path):
    shop = Shop(tmp_path, FILES, {"FLASKS3_BUCKET_NAME": "shop"})
    (tmp_path / "dist").mkdir()

    ended = shop.run("deploy", "--build", "dist")

    assert (ended.code, ended.stderr) == (
        1,
        (
            "Error: dist is no whole tree that `flask s3 build -o` made (No such file or "
            "directory: dist/.flask-s3/build.json): build it again.\n"
        ),
    )


def test_what_the_store_copies_is_counted_and_not_0_bytes(shop, open_bucket):
    shop.run("deploy")
    shop.configure({**open_bucket.config, "FLASKS3_HEADERS": {"Content-Language": "de"}})

    ended = shop.run("deploy", "--verify-remote")

    assert screen(ended) == (
        0,
        (
            "3 uploaded (3 copied in the bucket), 0 kept, 0 failed, in 0.0 s.\n"
            "Release RELEASE is in force.\n"
        ),
        "Publishing 3 objects (3 copied in the bucket) to BUCKET\n",
    )


def test_a_rollback_without_a_bucket_says_so_and_how_to_make_one(ministack, new_bucket, tmp_path):
    shop = Shop(tmp_path, FILES, new_bucket(ministack).config)

    rollback, releases = shop.run("rollback"), shop.run("releases")

    assert rollback == releases
    assert rollback.code == 1
    assert "(NoSuchBucket): there is no such bucket: flask s3 setup creates it" in rollback.stderr


def test_a_check_counts_the_warnings_that_it_printed(tmp_path):
    files = {**FILES, "a.css~": "a", "backup.zip": "z"}
    shop = Shop(tmp_path, files, {"FLASKS3_BUCKT_NAME": "shop"})

    ended = shop.run("build", "--check")

    assert ended.stderr.count("Warning: ") == 3
    assert ended.stdout.startswith("Checked: 0 errors, 3 warnings, 0 remarks.\n")


@pytest.mark.parametrize("strict", [False, True])
def test_a_place_in_a_file_is_told_as_seen_from_here_whatever_the_command(strict, tmp_path):
    files = {"a.css": "a{background:url(none.png)}"}
    shop = Shop(tmp_path, files, {"FLASKS3_FINGERPRINT": True, "FLASKS3_STRICT": strict})

    told = shop.run("build").stderr

    assert "static/a.css:1: none.png is not among the static files" in told
    assert str(tmp_path) not in told
    assert ("so nothing was written:\n" in told) is strict


def test_help_of_diff_says_that_the_second_release_may_be_left_out(tmp_path):
    shop = Shop(tmp_path, {}, {})

    assert "flask s3 releases diff [OPTIONS] A [B]\n" in shop.run("releases", "diff", "-h").stdout
    assert re.search(r"diff +Show .*\.\n", shop.run("releases", "--help").stdout)


WRONG = {
    "no bucket": (
        ["deploy"],
        {"FLASKS3_BUCKET_NAME": None},
        (
            "Error: FLASKS3_BUCKET_NAME is not set, so there is no bucket to publish to or to "
            'serve from: set app.config["FLASKS3_BUCKET_NAME"] to the bucket\'s name.\n'
        ),
    ),
    "a setting of a wrong type": (
        ["plan"],
        {"FLASKS3_CONCURRENCY": "many"},
        (
            "Error: FLASKS3_CONCURRENCY is 'many', but it has to be a whole number from 1 to 4096: "
            "change the setting.\n"
        ),
    ),
    "no regular expression": (
        ["deploy", "--only", "(css"],
        {},
        (
            "Error: --only is '(css', which is no regular expression (missing ), unterminated "
            "subpattern at position 0): correct it.\n"
        ),
    ),
}


@pytest.mark.parametrize(("arguments", "settings", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_one_sentence_and_exit_code_2(
    arguments, settings, message, mini_bucket, tmp_path
):
    shop = Shop(tmp_path, FILES, {**mini_bucket.config, **settings})

    assert shop.run(*arguments) == Ended(2, "", message)


def test_an_unknown_option_is_wrong_usage(tmp_path):
    ended = Shop(tmp_path, {}, {}).run("deploy", "--fast")

    assert ended.code == 2
    assert re.search("No such option.*--fast", ended.stderr)


# -- where it is shown


def test_a_log_gets_a_line_each_tenth_of_the_way(open_bucket, tmp_path):
    shop = Shop(tmp_path, {f"{n:03}.txt": "x" for n in range(120)}, open_bucket.config)

    ended = shop.run("deploy")

    assert ended.stderr.splitlines()[1:] == [f"  {n} of 120" for n in range(12, 121, 12)]


def test_names_that_a_terminal_cannot_write_are_escaped_instead_of_a_traceback(
    open_bucket, tmp_path
):
    """As on Windows, where a pipe or file gets the old code page."""
    shop = Shop(tmp_path, {"漢.css": "a"}, open_bucket.config)

    ended = shop.run("plan", env={"PYTHONIOENCODING": "cp1252"})

    assert ended.code == 0
    assert r"upload  static/\u6f22.css  (new)" in ended.stdout


def test_a_terminal_shows_a_bar_with_files_bytes_and_rate(shop):
    code, shown = on_a_terminal(shop, "deploy")

    assert code == 0
    assert "━" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert "0/3 objects" in plain
    assert "7 bytes" in plain
    assert "3 uploaded (7 B), 0 kept, 0 failed" in plain


def test_a_terminal_shows_errors_in_red_unless_no_color_is_set(tmp_path):
    shop = Shop(tmp_path, FILES, {})

    code, shown = on_a_terminal(shop, "deploy")
    _, plain = on_a_terminal(shop, "deploy", NO_COLOR="1")

    assert code == 2
    assert "\x1b[31mError: FLASKS3_BUCKET_NAME is not set" in shown
    assert plain.startswith("Error: FLASKS3_BUCKET_NAME is not set")
    assert "\x1b[" not in plain


def test_no_color_leaves_the_bar_without_colours(shop):
    _, shown = on_a_terminal(shop, "deploy", NO_COLOR="1")

    assert "0/3 objects" in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-9](;[0-9]+)*m", shown)


@pytest.mark.parametrize(("answer", "code", "keys"), [("y\n", 0, KEYS), ("n\n", 2, None)])
def test_a_terminal_is_asked_before_a_bucket_is_created(
    answer, code, keys, ministack, new_bucket, tmp_path
):
    missing = new_bucket(ministack)
    shop = Shop(tmp_path, FILES, missing.config)

    ended, shown = on_a_terminal(shop, "deploy", types=answer)

    assert ended == code
    assert f"Bucket '{missing.name}' does not exist. Create it? [y/N]: " in shown
    buckets = [item["Name"] for item in missing.client.list_buckets()["Buckets"]]
    assert (missing.name in buckets) is (keys is not None)
    assert ("Nothing was published." in shown) is (keys is None)
    if keys is not None:
        assert missing.keys() == keys


def test_json_on_a_terminal_is_still_nothing_but_json(shop):
    _, shown = on_a_terminal(shop, "deploy", "--json")

    values: Any = json.loads(shown)
    assert values["uploaded"] == KEYS
