"""`flask s3 verify`: each fault is made for real, and read from what the command says."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from commands import Shop, end, on_a_terminal
from proxy import Answer, CutOff, Gate, Proxy, Reset
from steps import site
from verifying import FILES, STYLE, allow, found, name, published, told

from flask_s3.checks import fetching, verify


@pytest.fixture
def mine(make_app, mini_bucket):
    """An app whose bucket has AWS's defaults, but for what browsers need."""
    return published(make_app, mini_bucket)


@pytest.fixture
def via(mine):
    """The same, by way of a proxy on which things happen."""
    with Proxy(mine.bucket.server.endpoint) as proxy:
        mine.app.config["FLASKS3_CDN_DOMAIN"] = f"{proxy.endpoint}/{mine.bucket.name}"
        yield proxy


def overwrite(mine, key, body=None, **headers):
    """Puts an object in the place of one, which keeps what is not said."""
    stored = mine.bucket.get(key)
    kept = {h: stored[h] for h in ("ContentType", "CacheControl", "ContentEncoding") if h in stored}
    mine.bucket.client.put_object(
        Bucket=mine.bucket.name,
        Key=key,
        Body=stored["Body"] if body is None else body,
        **{h: v for h, v in {**kept, **headers}.items() if v},
    )


# -- in order


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"FLASKS3_ENCODINGS": ["br", "gzip", "zstd"]},
        {"FLASKS3_FINGERPRINT": False, "FLASKS3_GZIP": True},
        {"FLASKS3_PLAIN_NAMES": False},
    ],
)
def test_a_bucket_in_order_is_told_to_be_so(make_app, bucket, config):
    mine = published(make_app, bucket, **config)
    keys = mine.bucket.keys()

    shown = mine.run("verify").stdout
    output = mine.run("verify", "--json").json

    assert "0 errors, 0 warnings, 9 ok." in shown
    assert f"ok      status: HTTP 200: {len(keys)} URLs.\n" in shown
    assert (output["verdict"], output["checked"]) == ("ok", len(keys))
    assert {one["check"] for one in output["findings"]} == {
        "missing files",
        "status",
        "bytes",
        "content type",
        "encoding",
        "cache policy",
        "CORS",
        "Vary",
        "ranges",
    }
    fields = {"check", "verdict", "what", "why", "fix"}
    assert all(one.keys() == fields for one in output["findings"])


def test_files_under_a_prefix_are_asked_for_there(make_app, mini_bucket):
    mini_bucket.open_to_anybody("a b/*")
    allow(mini_bucket)
    mine = site(make_app(FILES), mini_bucket, FLASKS3_PREFIX="a b/1")
    mine.deploy()

    assert found(mine) == []


def test_every_url_is_asked_for_as_a_browser_does_first_without_origin_and_by_nobody(mine, via):
    assert found(mine) == []

    first = {}
    for seen in via.seen("GET"):
        first.setdefault(seen.path, seen.headers)
    start = f"/{mine.bucket.name}/"
    keys = {path.removeprefix(start) for path in first if "flask-s3-verify-" not in path}
    assert keys == set(mine.bucket.keys())
    assert all("origin" not in headers for headers in first.values())
    assert all("br" in headers["accept-encoding"] for headers in first.values())
    sent = via.seen(path="/static/")
    assert not any(h in seen.headers for seen in sent for h in ("authorization", "cookie"))
    fonts = [seen.headers.get("origin") for seen in via.seen(path="f.woff2")]
    assert fonts == [None, "https://example.com"]


# -- what the bucket has wrong


def test_a_private_bucket_is_one_finding(make_app, mini_bucket):
    mine = site(make_app(FILES), mini_bucket)
    mine.deploy()

    (one,) = told(mine)

    assert one == {
        "check": "status",
        "verdict": "error",
        "what": "Every URL answers HTTP 403: the bucket is private.",
        "why": "Browsers get no file at all.",
        "fix": "flask s3 setup",
    }


def test_without_a_cors_rule_fonts_and_modules_are_errors_and_data_a_warning(mine):
    mine.bucket.client.delete_bucket_cors(Bucket=mine.bucket.name)

    data, fonts, modules = told(mine)

    said = "Access-Control-Allow-Origin is missing for pages of https://example.com: "
    assert data["what"] == f"{said}{name(mine, 'data.json')}, static/data.json."
    assert data["verdict"] == "warning"
    assert fonts["what"] == f"{said}{name(mine, 'f.woff2')}, static/f.woff2."
    assert (fonts["verdict"], fonts["why"]) == ("error", "Browsers refuse fonts without it.")
    assert (modules["why"], modules["fix"]) == (
        "Browsers refuse modules without it.",
        "flask s3 setup",
    )
    assert "old" not in modules["what"], "a script that is no module needs none"


def test_with_integrity_style_sheets_and_scripts_need_cors_too(mine):
    mine.bucket.client.delete_bucket_cors(Bucket=mine.bucket.name)
    mine.app.config["FLASKS3_INTEGRITY"] = True

    whys = [one["why"] for one in told(mine)]

    assert "Browsers refuse files with integrity without it." in whys


def test_a_cors_rule_for_other_origins_than_the_apps_is_found(make_app, mini_bucket):
    mine = published(make_app, mini_bucket, "https://old.example.com")

    told = found(mine, FLASKS3_CORS_ORIGINS=["https://shop.example.com"])

    assert [check for check, _, _ in told] == ["CORS"] * 3
    assert all("for pages of https://shop.example.com: " in what for _, _, what in told)
    assert found(mine, FLASKS3_CORS_ORIGINS=["https://old.example.com"]) == []
    assert found(mine, FLASKS3_CORS_ORIGINS=[]) == [], "no pages of other origins: nothing to ask"


def test_other_bytes_are_found_by_the_record(mine):
    key = name(mine, "a.css")
    overwrite(mine, key, STYLE.replace("red", "tan").encode())

    (one,) = told(mine)

    assert (one["check"], one["verdict"]) == ("bytes", "error")
    assert one["what"] == f"The bytes are not those that were published: {key}."
    assert one["fix"] == "flask s3 deploy --verify-remote"
    mine.run("deploy", "--verify-remote")
    assert told(mine) == [], "and what it says mends it"


def test_what_is_not_there_is_named_and_many_are_counted(mine):
    keys = [key for key in mine.bucket.keys("static/") if re.search(r"/[amn]\.", key)]
    for key in keys:
        mine.bucket.client.delete_object(Bucket=mine.bucket.name, Key=key)

    (one,) = told(mine)

    first = ", ".join(keys[:3])
    assert one["what"] == f"The answer is HTTP 404 (NoSuchKey): {first} and {len(keys) - 3} more."
    assert one["fix"] == "flask s3 deploy --verify-remote"


@pytest.mark.parametrize(
    ("header", "value", "finding"),
    [
        (
            "ContentType",
            "binary/octet-stream",
            (
                "content type",
                "error",
                "Content-Type is 'binary/octet-stream' instead of 'text/css; charset=utf-8'",
            ),
        ),
        (
            "ContentType",
            "text/css",
            (
                "content type",
                "warning",
                "Content-Type is 'text/css' instead of 'text/css; charset=utf-8'",
            ),
        ),
        (
            "CacheControl",
            "no-cache",
            (
                "cache policy",
                "warning",
                "Cache-Control is 'no-cache' instead of 'public, max-age=31536000, immutable'",
            ),
        ),
        (
            "ContentEncoding",
            "gzip",
            (
                "encoding",
                "error",
                "Content-Encoding is gzip, where none was published with the same bytes",
            ),
        ),
    ],
)
def test_a_header_that_somebody_changed_is_found(mine, header, value, finding):
    overwrite(mine, name(mine, "a.css"), **{header: value})

    (one,) = found(mine)

    assert one == (*finding[:2], f"{finding[2]}: {name(mine, 'a.css')}.")


def test_types_and_policies_that_mean_the_same_are_no_fault(mine):
    overwrite(
        mine,
        name(mine, "n.js"),
        ContentType='application/javascript;charset="UTF-8"',
        CacheControl="Immutable,public,  MAX-AGE=31536000",
    )

    assert found(mine) == []


def test_names_that_stay_are_an_error_where_browsers_keep_them_for_longer(mine):
    overwrite(mine, "static/index.html", CacheControl="public, max-age=86400")

    (one,) = found(mine)

    assert one[:2] == ("cache policy", "error")


# -- the way there


def test_an_answer_that_comes_at_the_third_attempt_is_in_order(mine, via):
    via.rule("GET", "static/a", Answer(503, "SlowDown"), turns=range(1, 3), each=True)
    via.rule("GET", "old", Reset(), turns=[1], each=True)

    assert found(mine) == []


def test_a_server_that_goes_on_failing_is_told_with_its_code(mine, via):
    via.rule("GET", "old.js", Answer(503, "SlowDown"))

    (one,) = found(mine)

    assert one == ("status", "error", "The answer is HTTP 503 (SlowDown): static/old.js.")
    assert via.count("GET", "old.js") == 2 * 3, "asked with and without Origin, three times"


def test_a_refusal_of_pages_alone_is_told_as_that(mine, via):
    via.rule("GET", "static/f.woff2", Answer(403, "AccessDenied"), header="origin")

    (one,) = found(mine)

    said = "The answer is HTTP 403 (AccessDenied), when asked with Origin"
    assert one == ("status", "error", f"{said}: static/f.woff2.")


def test_a_connection_that_breaks_within_a_file_is_told_for_that_file(mine, via):
    via.rule("GET", "static/film.mp4", CutOff())
    place = via.endpoint.removeprefix("http://")

    (one,) = found(mine)

    said = f"The connection to {place} broke: static/film.mp4."
    assert one == ("connection", "error", said)


def test_nothing_more_is_asked_once_twenty_had_no_answer(mine, via, monkeypatch):
    monkeypatch.setattr(verify, "_MOST_LOST", 3)
    monkeypatch.setattr(verify, "_IN_FLIGHT", 1)
    via.rule("GET", r"static/(?!flask-s3)", Reset())

    broke, unasked = found(mine)

    total = len(mine.bucket.keys())
    said = f"{total - 3} more URLs were not asked for, since 3 had not answered."
    assert broke[2].startswith("The connection to ")
    assert unasked == ("connection", "error", said)
    assert via.count("GET", r"static/(?!flask-s3)") < total * 3


@pytest.mark.parametrize("host", ["127.0.0.1:9", "cdn.invalid"])
def test_an_address_where_nobody_listens_is_one_sentence(mine, host):
    (one,) = found(mine, FLASKS3_CDN_DOMAIN=f"http://{host}")[-1:]

    said = f"{host} cannot be reached: unknown host, or nobody listens, so no URL could be asked"
    assert one == ("connection", "error", f"{said} for.")


def test_a_server_that_says_nothing_is_waited_for_but_not_for_ever(mine, via, monkeypatch):
    monkeypatch.setattr(fetching, "_READ_SECONDS", 1.0)  # long enough for all the others
    gate = Gate()
    via.rule("GET", "static/film.mp4", gate)

    (one,) = found(mine)
    via.open(gate)

    assert one[0] == "connection"
    assert re.search(r"sent nothing for \S+ s: static/film.mp4\.$", one[2])


def test_a_film_that_cannot_be_asked_for_in_parts_is_an_error(mine, via):
    via.rule("GET", "film", Answer(200, whole="0" * 1000), header="range")

    (one,) = found(mine)

    said = "A request for the first byte is answered with HTTP 200 instead of 206: static/film."
    assert (one[:2], one[2][: len(said)]) == (("ranges", "error"), said)


def test_what_a_server_says_is_shown_on_one_line_and_not_without_end(mine, via):
    target = "https://user:secret@elsewhere.example/" + "x" * 500
    via.rule("GET", "static/old.js", Answer(302, headers={"Location": target}))
    via.rule("GET", "static/a.css", Answer(200, headers={"Content-Type": "\x1b[31m" + "y" * 500}))

    texts = [what for _, _, what in found(mine)]

    assert not any("secret" in text or "\x1b" in text for text in texts)
    assert max(map(len, texts)) < 400


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://[bad", "HTTP 302 leads on to nowhere"),
        ("/sign-in", "HTTP 302 leads on to /sign-in"),
        ("https://fonts.example.com/f", "HTTP 302 leads on to https://fonts.example.com/f"),
    ],
)
def test_a_redirect_to_something_else_is_not_mended_by_a_domain(mine, via, location, said):
    via.rule("GET", "static/old.js", Answer(302, headers={"Location": location}))

    (one,) = told(mine)

    assert one["what"] == f"{said}: static/old.js."
    assert one["fix"] == "Let the server or CDN answer with the file itself, not with a redirect."


def test_a_redirect_of_a_whole_host_names_the_domain_to_set(mine, via):
    start = f"https://other.example/{mine.bucket.name}/static/old.js"
    via.rule("GET", "static/old.js", Answer(301, headers={"Location": start}))

    (one,) = told(mine)

    assert one["fix"] == (
        'Let the URLs lead there at once: app.config["FLASKS3_CDN_DOMAIN"] = '
        f"'https://other.example/{mine.bucket.name}'"
    )


def test_what_is_encrypted_with_kms_is_told_with_what_mends_it(mine, via):
    via.rule("GET", "static/old.js", Answer(400, "InvalidArgument"))  # as AWS answers

    (one,) = told(mine)

    assert one["fix"] == "flask s3 setup --sse-s3 && flask s3 deploy --force"


@pytest.mark.parametrize("origins", [["*"], []])
def test_what_the_cdn_alone_has_not_is_not_laid_at_the_buckets_door(mine, via, origins):
    mine.app.config["FLASKS3_CORS_ORIGINS"] = origins
    via.rule("GET", "static/old.js", Answer(404))

    (one,) = told(mine)

    assert one["what"] == "The CDN answers HTTP 404, the bucket with the file: static/old.js."
    assert "deploy" not in one["fix"]


# -- samples


def test_a_sample_is_of_all_types_and_always_the_same_for_a_release(mine, via):
    def asked():
        via.clear()
        assert mine.run("verify", "--sample", "9", "--json").json["checked"] == 9
        names = {seen.path.rpartition("/")[2] for seen in via.seen("GET", "/static/")}
        return {name for name in names if not name.startswith("flask-s3-verify-")}

    first = asked()

    assert asked() == first
    assert len(first) == 9
    assert {name.rpartition(".")[2] for name in first} == {
        "css",
        "html",
        "js",
        "json",
        "mp4",
        "png",
        "txt",
        "woff2",
    }
    assert mine.run("verify", "--sample", "1000", "--json").json["checked"] == len(
        mine.bucket.keys()
    )


# -- as a command


def test_the_numbers_on_the_page_are_those_of_the_source():
    page = " ".join((Path(__file__).parent.parent / "docs" / "checks.md").read_text().split())

    assert f"waits {fetching._CONNECT_SECONDS:.0f} seconds for a connection and " in page
    assert f" and {fetching._READ_SECONDS:.0f} for bytes; after {verify._MOST_LOST} URLs" in page
    assert f"Files over {verify._LARGE // 10**6} MB that need no CORS" in page
    assert fetching._ATTEMPTS == 3
    assert "A request is tried three times" in page
    assert verify._ANY_ORIGIN in page


def test_before_the_first_release_it_says_what_to_do(make_app, mini_bucket):
    ended = site(make_app(FILES), mini_bucket).run("verify", code=1)

    assert ended.stderr == (
        f"Error: No release of app 'shop' is in force in bucket {mini_bucket.name!r}, so there is "
        "nothing to verify: flask s3 deploy makes one.\n"
    )


def test_what_is_wrong_is_shown_last_with_why_and_what_mends_it(mine):
    mine.bucket.client.delete_object(Bucket=mine.bucket.name, Key="static/a.css")

    ended = mine.run("verify", code=1)

    assert ended.stderr == ""
    assert ended.stdout.splitlines()[-4:] == [
        "error   status: The answer is HTTP 404 (NoSuchKey): static/a.css.",
        "        It is published, and not there any more.",
        "        -> flask s3 deploy --verify-remote",
        "1 error, 0 warnings, 8 ok.",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("AWS_CA_BUNDLE", "no-such.pem", "AWS_CA_BUNDLE is 'no-such.pem', which holds no"),
        ("http_proxy", "socks5://user:secret@p:1", "The proxy that the environment names"),
        ("http_proxy", "http://user:secret€@p:1", "The proxy that the environment names"),
    ],
)
def test_an_environment_that_cannot_work_is_one_sentence_and_exit_code_2(
    mine, monkeypatch, variable, value, words
):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv(variable, value)

    ended = mine.run("verify", code=2)

    assert words in ended.stderr
    assert "secret" not in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_sample_of_none_is_no_usage(mine):
    assert "--sample" in mine.run("verify", "--sample", "0", code=2).stderr


def test_a_terminal_sees_how_far_it_is(mine, tmp_path):
    shop = Shop(tmp_path / "there", {}, mine.bucket.config)

    code, shown = on_a_terminal(shop, "verify", "--sample", "5")

    assert code == 0
    assert "5/5" in shown


def test_ctrl_c_ends_it_at_once_though_answers_are_awaited(mine, via, tmp_path):
    place = f"{via.endpoint}/{mine.bucket.name}"
    shop = Shop(tmp_path / "there", {}, {**mine.bucket.config, "FLASKS3_CDN_DOMAIN": place})
    gate = Gate()
    via.rule("GET", "a.css", gate)
    process = shop.start("verify")
    via.wait_for(1, "GET", "a.css")
    process.send_signal(signal.SIGINT)
    ended = end(process)
    via.open(gate)

    assert (ended.code, ended.stdout) == (130, "")
    assert ended.stderr == "Interrupted: nothing was changed.\n"
