"""The guard: what is refused, what is warned of, and what passes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import unicodedata
from pathlib import Path

import pytest
from commands import PATIENCE, Shop
from conftest import AppMaker
from flask import Flask

from flask_s3 import create_all
from flask_s3.building import guard
from flask_s3.building.assembly import assemble
from flask_s3.building.collect import Collection, Selection, collect
from flask_s3.serve.serving import state_of

PAGE = (Path(__file__).parents[1] / "docs" / "guard.md").read_text()
BODY = "MIIEpAIBAAKCAQEA7bq2vY0Qk0m8Vn1yT3Jx5Zr9uW4sE6dF"
# Random letters and digits, from which tokens are put together here, so that no scanner takes this
# file for a leak.
RANDOM = (
    "q7Zk2RvX9tBn4LsW8yHc3MpJ6dFgT1aKe5UwQ0xVbNrYzChE7mGjPf2sD9iLoA4uT8kBq3XwZ6vRy1NcHpMgJd5FtSe"
)
DIGITS = "2847193650421"


def random(length: int) -> str:
    return (RANDOM * 3)[:length]


def hexadecimal(length: int) -> str:
    return ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" * 2)[:length]


def pem(kind: str, body: str = BODY) -> str:
    end = " BLOCK" if kind == "PGP " else ""
    return f"-----BEGIN {kind}PRIVATE KEY{end}-----\n{body}\n-----END {kind}PRIVATE KEY{end}-----"


AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzK3vQ9TbLm"


def database(scheme: str = "postgres", password: str = "", host: str = "db.shop.org") -> str:
    return f"{scheme}://shop:{password or random(16)}@{host}/shop"


SECRETS = {
    "a private key": [
        pem("RSA "),
        pem("PGP ", f"Version: GnuPG v2\n\n{BODY}"),
        json.dumps({"type": "service_account", "private_key": pem("")}),
    ],
    "a live Stripe key": ["sk_" + "live_" + random(24), "rk_" + "live_" + random(99)],
    "a GitHub token": [
        *(f"gh{kind}_" + random(36) for kind in "pousr"),
        "github_" + "pat_" + random(22) + "_" + random(59),
    ],
    "an npm token": [f"//packages.example.com/:_authToken=npm_{random(36)}"],
    "a DigitalOcean, Shopify or Hugging Face token": [
        "dop_" + "v1_" + hexadecimal(64),
        "shp" + "at_" + hexadecimal(32),
        "h" + "f_" + re.sub("[0-9]", "", random(60))[:34],
    ],
    "an AWS access key beside its secret": [
        f'id = "AKIA{random(16).upper()}"\nsecret = "{AWS_SECRET}"',
        f'id = "ASIA{random(16).upper()}"\nsecret = "{AWS_SECRET}"',
        f'secret = "{AWS_SECRET}"\nid = "ASIA{random(16).upper()}"',
    ],
    "an Anthropic or OpenAI key": [
        "sk-" + "ant-api03-" + random(93) + "AA",
        "sk-" + "proj-" + random(74) + "T3BlbkFJ" + random(74),
        "sk-" + random(20) + "T3BlbkFJ" + random(20),
    ],
    "a Slack webhook, which anybody can post to": [
        f"https://hooks.slack.com/services/T{random(9).upper()}/B{random(9).upper()}/{random(24)}"
    ],
    "a database's address with its password": [
        database(),
        database("mongodb+srv"),
        database("postgresql+psycopg"),
        f"redis://:{random(12)}@cache.shop.org:6379",
    ],
    "a Slack token": [
        f"xoxb-{DIGITS}-{DIGITS}-{random(24)}",
        f"xoxp-{DIGITS}-{DIGITS}-{DIGITS}-{random(32)}",
    ],
    "a GitLab token": ["gl" + "pat-" + random(20)],
    "a PyPI token": ["pypi-" + "AgEIcHlwaS5vcmc" + random(90)],
    "a SendGrid key": ["S" + "G." + random(22) + "." + random(43)],
}


def test_every_pattern_for_contents_has_an_example_here():
    kinds = [rule.what for rule in guard.RULES if rule.kind is guard.Kind.CONTENT]

    assert kinds == list(SECRETS)


@pytest.mark.parametrize("what", SECRETS)
@pytest.mark.parametrize("around", ['key: "{}";', "{}", "KEY={}\nOTHER=1\n", "a({});b()"])
def test_a_secret_is_refused_and_named(what, around):
    for secret in SECRETS[what]:
        data = around.format(secret.replace("\n", "\\n") if '"' in around else secret)
        assert guard.refused_content(data.encode()) == f"it holds {what}", secret


PUBLIC = {
    "a browser key of Google": "AIza" + random(35),
    "a publishable key of Stripe": "pk_" + "live_" + random(24),
    "a test key of Stripe": "sk_" + "test_" + random(24),
    "a Sentry DSN": f"https://{hexadecimal(32)}@o450.ingest.sentry.io/4505",
    "a public token of Mapbox": f"pk.{random(80)}.{random(22)}",
    "the words alone": "BEGIN RSA PRIVATE KEY",
    "a check for the words": 'if (text.startsWith("-----BEGIN RSA PRIVATE KEY-----")) {}',
    "a key with dots for its body": pem("RSA ", "..."),
    "a public key": pem("").replace("PRIVATE", "PUBLIC"),
    "the keys of AWS's documentation": (
        'id = "AKIA' + 'IOSFODNN7EXAMPLE"\nkey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"'
    ),
    "an AWS access key alone": f"AKIA{random(16).upper()}",
    "placeholders": " ".join(
        [
            "sk_" + "live_" + "x" * 24,
            "ghp_" + "0" * 36,
            "npm_" + "1234567890" * 3 + "123456",
            "https://hooks.slack.com/services/T00000000/B00000000/" + "X" * 24,
            "sk-" + "ant-api03-your-key-here",
        ]
    ),
    "a database on this machine": database(host="localhost"),
    "a database of an example": database(host="db.example.com"),
    "a password to fill in": database(password="your-password1"),
    "a password's name": database(password="${PASSWORD}"),
    "a word for a password": database(password="mypassword"),
    "an address without a password": "postgres://db.shop.org/shop",
    "a name that begins like a token": "npm_package_config_port, ghp_, sk_live_, glpat-x, xoxb-1",
}


@pytest.mark.parametrize("content", PUBLIC.values(), ids=PUBLIC)
def test_what_is_public_or_only_looks_like_a_secret_is_published(content):
    assert guard.refused_content(content.encode()) is None


def test_a_real_token_beside_a_placeholder_is_still_found():
    text = "ghp_" + "x" * 36 + "\n" + "ghp_" + random(36)

    assert guard.refused_content(text.encode()) == "it holds a GitHub token"


def test_random_bytes_of_a_compressed_file_are_no_secret():
    assert guard.refused_content(b"\x89PNG\r\n\x1a\n ghp_" + random(36).encode()) is None


@pytest.mark.parametrize(
    "content",
    [
        pem("", "A: " * 200),
        pem("", "A: " + " " * 50_000),
        "-----BEGIN " * 50_000 + "PRIVATE KEY",
        "sk-proj-" * 100_000,
    ],
    ids=["headers in one line", "a header of spaces", "beginnings", "beginnings of a token"],
)
def test_no_file_keeps_the_guard_searching_for_ever(content):
    assert guard.refused_content(content.encode()) is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\\n", "\\r\\n"])
def test_a_key_after_headers_is_found_whatever_ends_its_lines(end):
    headers = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC, 0F", "", BODY]

    assert (
        guard.refused_content(pem("RSA ", end.join(headers)).encode()) == "it holds a private key"
    )


# -- in an app


def collected(app: Flask, **config: object) -> Collection:
    app.config.update(config)
    return collect(app, state_of(app).settings(), Selection(include_hidden=True))


def keys(found: Collection) -> list[str]:
    return [asset.key.removeprefix("static/") for asset in found.assets]


def refused(found: Collection) -> dict[str, str]:
    return {one.key.removeprefix("static/"): one.reason for one in found.refusals}


SECRET_NAMES = {
    ".env": "an environment file",
    ".env.production": "an environment file",
    ".ENV": "an environment file",
    "a/.git/config": "part of a Git repository",
    ".aws/credentials": "part of the AWS configuration",
    **dict.fromkeys(
        [".npmrc", ".pypirc", ".netrc", "_netrc", ".htpasswd", ".pgpass", ".ssh/known_hosts"],
        "a file of passwords or tokens",
    ),
    **dict.fromkeys(
        ["id_rsa", "deep/id_ed25519", "Server.P12", "site.pfx", "a.ppk", "a.jks", "a.kdbx"],
        "a private key or a store of keys",
    ),
    "terraform.tfstate": "Terraform's state",
    "terraform.tfstate.backup": "Terraform's state",
}


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_file_with_the_name_of_a_secret_is_refused_whatever_is_in_it(name, make_app: AppMaker):
    found = collected(make_app({name: "x", "a.css": "a"}))

    assert keys(found) == ["a.css"]
    ((key, reason),) = refused(found).items()
    assert (key, reason.startswith(f"it is {SECRET_NAMES[name]}")) == (name, True)


def test_a_refusal_is_one_short_line_whose_advice_can_be_pasted(make_app: AppMaker):
    app = make_app({"js/config.js": SECRETS["a GitHub token"][0]})

    assert refused(collected(app)) == {
        "js/config.js": "it holds a GitHub token: move it out of the static folder or, if it may "
        'be public, let it through: FLASKS3_ALLOW = ["js/config.js"].'
    }
    assert refused(collected(app, FLASKS3_ALLOW=["js/config.js"])) == {}


@pytest.mark.parametrize("name", ["static/dump.sql", "gone.zip", "./dump.sql", "{folder}/dump.sql"])
def test_an_allowed_path_without_a_file_is_warned_of(name, make_app: AppMaker):
    app = make_app({"dump.sql": "x"})
    name = name.format(folder=app.static_folder)
    found = collected(app, FLASKS3_ALLOW=["dump.sql", name])

    (warning,) = found.warnings
    assert warning == (
        f"FLASKS3_ALLOW names {name!r}, and there is no such file: write its path relative to the "
        "static folder, or take it out."
    )


@pytest.mark.parametrize(
    "name",
    [
        "id_rsa.pub",
        "environment.js",
        "git.svg",
        "npmrc.html",
        "ssh/a.css",
        "talk.key",
        "server.pem",
        "my.env.js",
    ],
)
def test_a_name_that_is_only_like_one_is_published(name, make_app: AppMaker):
    assert keys(collected(make_app({name: "x"}))) == [name]


LITTER = {
    "litter of an editor or of the operating system": [
        ".DS_Store",
        "._a.css",
        "Thumbs.db",
        "desktop.ini",
        "a.css~",
        ".a.css.swp",
        "#a.css#",
        ".#a.css",
        "a.css.orig",
        "a.css.rej",
        "a.css.bak",
    ],
    "a database, or a dump of one": [
        "app.sqlite3",
        "app.sqlite3-wal",
        "app.db",
        "dump.sql",
        "DUMP.SQL.gz",
        "shop.dump",
    ],
    "an archive of the app or of its data": [
        "shop.zip",
        "Shop-1.2.3.tar.gz",
        "backup.tgz",
        "backup_2024-01-31.zip",
        "www.rar",
        "site.tar.zst",
        "shop-backup.zip",
        "shop-backup-2024-01-31.zip",
        "shop-2024-01-31-backup.zip",
        "backup-shop.tar.gz",
        "backup_shop_20240131.zip",
        "2024-01-31-shop.zip",
        "20240131_shop_db.7z",
        "2024-01-31T1200-backup.zip",
    ],
}
SEVERAL = {
    "a database, or a dump of one": "databases, or dumps of some",
    "an archive of the app or of its data": "archives of the app or of its data",
}


@pytest.mark.parametrize("what", LITTER)
def test_litter_is_published_with_one_warning_that_names_it(what, make_app: AppMaker):
    names = LITTER[what]
    found = collected(make_app(dict.fromkeys(names, "x")))

    assert keys(found) == sorted(names)
    (warning,) = found.warnings
    assert warning.startswith(f"{len(names)} files are {SEVERAL.get(what, what)}, by their names (")
    assert warning.endswith(
        f" and {len(names) - 3} more): anybody will be able to read them. Remove them, leave them "
        "out with FLASKS3_IGNORE, or let them through: FLASKS3_ALLOW takes their paths, relative "
        "to the static folder."
    )


@pytest.mark.parametrize(
    "name",
    [
        "manual.zip",
        "fonts-2.1.tar.gz",
        "shopping.zip",
        "shop-manual.zip",
        "shopping-backup.zip",
        "webshop.zip",
        "2024-01-31-manual.zip",
        "app.zip.html",
        "database.css",
        "sql.js",
        "a.map.png",
        "thumbs.png",
        "c#.svg",
        "app.js.map",
    ],
)
def test_what_is_no_litter_is_published_without_a_word(name, make_app: AppMaker):
    found = collected(make_app({name: "x"}))

    assert (keys(found), found.warnings) == ([name], ())


def test_the_sentence_about_one_file_says_what_why_and_what_to_do(make_app: AppMaker):
    app = make_app({"dump.sql": "x"})

    (warning,) = collected(app).warnings
    assert warning == (
        f"{app.static_folder}/dump.sql is a database, or a dump of one, by its name: anybody will "
        "be able to read it. Remove it, leave it out with FLASKS3_IGNORE, or let it through: "
        'FLASKS3_ALLOW = ["dump.sql"].'
    )


def test_strict_refuses_litter_and_publishes_the_rest(make_app: AppMaker):
    app = make_app({"dump.sql": "x", "a.css": "a", "in/dump.sql": "x"})
    found = collected(app, FLASKS3_STRICT=True, FLASKS3_ALLOW=["in/dump.sql"])

    assert (keys(found), found.warnings) == (["a.css", "in/dump.sql"], ())
    assert refused(found) == {
        "dump.sql": "it is a database, or a dump of one, by its name, which FLASKS3_STRICT "
        "refuses: remove it, leave it out with FLASKS3_IGNORE, or let it through: "
        'FLASKS3_ALLOW = ["dump.sql"].'
    }


ALLOWED = {
    ".env": "x",
    "id_rsa": "x",
    "token.js": SECRETS["a GitHub token"][0],
    "dump.sql": "x",
    "App.css": "a",
}


@pytest.mark.parametrize("strict", [False, True])
def test_each_is_let_through_by_its_exact_path(strict, make_app: AppMaker):
    files = {**ALLOWED, "app.css": "a"}
    found = collected(make_app(files), FLASKS3_ALLOW=list(ALLOWED), FLASKS3_STRICT=strict)

    assert (keys(found), found.refusals, found.warnings) == (sorted(files), (), ())


def test_source_maps_are_litter_only_for_those_who_keep_them_private(make_app: AppMaker):
    files = {"app.js.map": "{}", "app.js": "a", "maps.html": "m"}

    assert collected(make_app(files)).warnings == ()
    private = make_app(files, {"FLASKS3_SOURCE_MAPS": False})
    (warning,) = collected(private).warnings
    assert warning.startswith(f"{private.static_folder}/app.js.map is a source map, by its name: ")
    assert list(refused(collected(private, FLASKS3_STRICT=True))) == ["app.js.map"]


def test_a_source_map_inside_a_script_is_found_in_every_build(make_app: AppMaker):
    inline = "a()\n//# sourceMappingURL=data:application/json;base64,e30="
    app = make_app({"app.js": inline, "lib.js": "//# sourceMappingURL=lib.js.map"})
    files = Path(app.static_folder or "")
    for path in files.iterdir():  # so old that a build trusts what it remembers
        os.utime(path, (1, 1))

    for private in (False, True, True):
        app.config.update({"FLASKS3_SOURCE_MAPS": not private, "FLASKS3_FINGERPRINT": True})
        notes = assemble(app, state_of(app).settings(), Selection()).notes
        warning = (
            f"{files}/app.js has a source map inside: anybody will be able to read the source. "
            'Build it without one, or let it through: FLASKS3_ALLOW = ["app.js"].'
        )
        assert [note for note in notes if "source map" in note] == [warning] * private
    strict = collected(app, FLASKS3_STRICT=True)
    assert list(refused(strict)) == ["app.js"]


E_ACUTE = "caf\u00e9"
PAIRS = {
    "in case": ("App.css", "app.css"),
    "in case, beyond ASCII": ("\u00c9t\u00e9.css", "\u00e9t\u00e9.css"),
    "in their Unicode form": (
        f"{unicodedata.normalize('NFC', E_ACUTE)}.css",
        f"{unicodedata.normalize('NFD', E_ACUTE)}.css",
    ),
}


@pytest.mark.parametrize("how", PAIRS)
def test_names_that_some_machines_take_for_one_are_warned_of(how, make_app: AppMaker):
    app = make_app(dict.fromkeys(PAIRS[how], "a"))
    found = collected(app)

    first, second = sorted(f"{app.static_folder}/{name}" for name in PAIRS[how])
    assert keys(found) == sorted(PAIRS[how])
    (warning,) = found.warnings
    assert warning.startswith(f"{first} and {second} differ only {how.partition(',')[0]}: ")
    assert sorted(refused(collected(app, FLASKS3_STRICT=True))) == sorted(PAIRS[how])


def test_many_twins_are_one_warning(make_app: AppMaker):
    pairs = {name: "a" for number in range(5) for name in (f"a{number}.css", f"A{number}.css")}

    (warning,) = collected(make_app(pairs)).warnings
    assert warning.startswith("5 pairs of files differ only in case (")
    assert " and 2 more): macOS and Windows take them for one file" in warning
    assert ". Rename one of the two, or let them through: FLASKS3_ALLOW takes " in warning


def test_a_folder_that_two_blueprints_serve_is_named_once(tmp_path, make_app: AppMaker):
    from flask import Blueprint

    app = make_app({"dump.sql": "x"})
    folder = str(Path(app.static_folder or ""))
    for name in ("one", "two"):
        app.register_blueprint(
            Blueprint(name, name, static_folder=folder, root_path=folder, url_prefix=f"/{name}")
        )

    (warning,) = collected(app).warnings
    assert warning.startswith(f"{folder}/dump.sql is ")


# -- through what people use


def test_a_deploy_says_it_and_a_second_one_says_it_again(mini_bucket, make_app: AppMaker):
    app = make_app({"a.css": "a", "backup.zip": "x"}, mini_bucket.config)

    for _ in range(2):
        result = create_all(app)
        assert any("backup.zip is an archive of the app" in text for text in result.warnings)
    assert mini_bucket.keys() == ["static/a.css", "static/backup.zip"]


def test_a_build_in_ci_fails_for_litter_only_when_it_is_told_to(tmp_path):
    shop = Shop(tmp_path, {"a.css": "a", "a.css~": "a"}, {"FLASKS3_FINGERPRINT": True})

    ended = shop.run("build")
    assert (ended.code, "Warning: static/a.css~ is litter of an editor" in ended.stderr) == (
        0,
        True,
    )

    shop.configure({"FLASKS3_FINGERPRINT": True, "FLASKS3_STRICT": True})
    ended = shop.run("build")
    assert (ended.code, "which FLASKS3_STRICT refuses" in ended.stderr) == (1, True)


def test_a_file_that_was_harmless_is_read_again_once_it_holds_a_secret(make_app: AppMaker):
    app = make_app({"a.js": "let a"}, {"FLASKS3_FINGERPRINT": True})
    settings = state_of(app).settings()
    assert assemble(app, settings, Selection()).refusals == ()

    Path(app.static_folder or "", "a.js").write_text(SECRETS["a GitLab token"][0])

    (refusal,) = assemble(app, settings, Selection()).refusals
    assert "it holds a GitLab token" in refusal.reason


REFUSED = {
    "a name twice": ({"css/App.css": "a{}", "css/app.css": "a{}"}, "css/app.css", True),
    "a secret, without strict": ({"js/util.js": SECRETS["a GitHub token"][0]}, "js/util.js", False),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("command", ["build", "build --check", "plan", "deploy"])
def test_what_refers_to_a_refused_file_is_told_so_after_the_refusal(
    case, command, mini_bucket, tmp_path
):
    files, name, strict = REFUSED[case]
    page = f'<link rel="stylesheet" href="{name}"><script src="/static/{name}"></script>'
    config = {**mini_bucket.config, "FLASKS3_FINGERPRINT": True, "FLASKS3_STRICT": strict}
    shop = Shop(tmp_path, {**files, "terms.html": page, "a.css~": "a"}, config)

    process = shop.start(*command.split(), stderr=subprocess.STDOUT)
    told, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == 1
    assert "is not among the static files" not in told
    lines = told.splitlines()
    is_refusal = re.compile(rf"(refuse|failed)  static/{name}\b.*(: the same|it holds)").match
    refusal = next(number for number, line in enumerate(lines) if is_refusal(line))
    warned = [number for number, line in enumerate(lines) if "terms.html" in line and ":1:" in line]
    assert len(warned) == 2
    assert refusal < warned[0]
    for number in warned:
        assert lines[number].endswith(
            f"{name} is refused, so it is not published: mend that first."
        )


def test_a_check_counts_what_is_refused(tmp_path):
    secret = SECRETS["a GitHub token"][0]
    shop = Shop(tmp_path, {"a.js": secret, "b.js": secret}, {"FLASKS3_FINGERPRINT": True})

    ended = shop.run("build", "--check")

    assert (ended.code, ended.stdout) == (
        1,
        "Checked: 2 files refused, 0 errors, 0 warnings, 0 remarks.\n",
    )


# -- the page


def test_the_page_tells_every_kind():
    assert [rule.what for rule in guard.RULES if rule.what not in PAGE] == []


def test_every_pattern_has_a_source():
    assert [rule.what for rule in guard.RULES if not rule.source] == []
