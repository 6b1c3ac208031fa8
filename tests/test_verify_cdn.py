"""`flask s3 verify` through a CDN: nginx, broken in the ways that CDNs are."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
import trustme
from nginx import BY_ORIGIN, nginx
from verifying import STYLE, found, name, published, told

from flask_s3.checks.answers import Answer, Visit, faults
from flask_s3.checks.causes import SecondLook, explained
from flask_s3.checks.expected import Expected

pytestmark = pytest.mark.cdn

IGNORE = "proxy_ignore_headers Cache-Control Expires Vary; proxy_cache_valid 200 1h;"


@pytest.fixture
def mine(make_app, mini_bucket):
    return published(make_app, mini_bucket)


def behind(mine, location=BY_ORIGIN, **options):
    """What verify finds behind such an nginx."""
    with nginx(mine.bucket, location, **options) as cdn:
        return found(mine, FLASKS3_CDN_DOMAIN=cdn.url)


def test_a_cdn_in_order_is_told_to_be_so(mine):
    with nginx(mine.bucket) as cdn:
        mine.app.config["FLASKS3_CDN_DOMAIN"] = cdn.url
        first, second = mine.run("verify"), mine.run("verify")

    assert "0 errors, 0 warnings, 9 ok." in first.stdout
    assert second.stdout == first.stdout, "from its cache too"


def test_variants_and_what_is_compressed_on_the_way_are_right(make_app, mini_bucket):
    mine = published(make_app, mini_bucket, FLASKS3_ENCODINGS=["br", "gzip", "zstd"])
    compress = "gzip on; gzip_vary on; gzip_types *; gzip_min_length 1; gzip_proxied any;"

    assert behind(mine, BY_ORIGIN + compress) == []


def test_what_is_compressed_without_vary_is_warned_of(mine):
    compress = "gzip on; gzip_types text/css; gzip_min_length 1; gzip_proxied any;"
    said = "It is sent as gzip, where none was published, without Vary: Accept-Encoding: "

    assert behind(mine, BY_ORIGIN + compress) == [
        ("encoding", "warning", f"{said}static/a.css, {name(mine, 'a.css')}, static/index.html.")
    ]


def test_an_encoding_that_the_cdn_takes_away_breaks_the_variant(make_app, mini_bucket):
    mine = published(make_app, mini_bucket, FLASKS3_ENCODINGS=["br"])
    variants = f"{name(mine, 'a.css', 'br')}, {name(mine, 'n.js', 'br')}"

    (one,) = behind(mine, f"{BY_ORIGIN} proxy_hide_header Content-Encoding;")

    assert one[:2] == ("encoding", "error")
    assert one[2].startswith("Content-Encoding is none, where br was published with the same bytes")
    assert all(key in one[2] for key in variants.split(", ")), one


def test_old_bytes_in_a_cache_are_told_as_long_as_they_may_be_there(mine):
    said = "A cache still answers with older bytes, as the published Cache-Control lets it"
    with nginx(mine.bucket) as cdn:
        cdn.get("/static/a.css")
        mine.deploy({"a.css": "a{color:blue}"})

        assert found(mine, FLASKS3_CDN_DOMAIN=cdn.url) == [
            ("bytes", "warning", f"{said}: static/a.css.")
        ]


def test_old_bytes_that_a_cache_should_not_have_any_more_are_an_error(make_app, mini_bucket):
    asks_again = {"Cache-Control": "no-cache"}
    mine = published(make_app, mini_bucket, FLASKS3_HEADERS=asks_again)
    with nginx(mine.bucket, BY_ORIGIN + IGNORE) as cdn:
        cdn.get("/static/a.css")
        cdn.get("/static/old.js")
        mine.deploy({"a.css": "a{color:blue}", "old.js": "var a = 2;"})
        mine.app.config["FLASKS3_CDN_DOMAIN"] = cdn.url

        (one,) = told(mine)

    assert (one["check"], one["verdict"]) == ("bytes", "error")
    said = "A cache answers with other bytes than the bucket"
    assert one["what"] == f"{said}: static/a.css, static/old.js."
    paths = "/static/a.css /static/old.js"
    assert one["fix"] == f"Purge {paths} by the cache's own means."
    with nginx(mine.bucket, BY_ORIGIN + IGNORE) as cdn:
        cdn.get("/static/a.css")
        mine.deploy({"a.css": "a{color:tan}"})
        mine.app.config.update(FLASKS3_CDN_DOMAIN=cdn.url, FLASKS3_PURGER=PURGER)
        assert [one["fix"] for one in told(mine)] == ["flask s3 purge /static/a.css"]


PURGER = SimpleNamespace(purge=lambda urls, prefixes: None)  # noqa: ARG005


def test_old_bytes_are_a_caches_though_it_knows_every_query(make_app, mini_bucket):
    """As CloudFront does by the cache policy that AWS recommends."""
    mine = published(make_app, mini_bucket, FLASKS3_HEADERS={"Cache-Control": "no-cache"})
    by_path = "proxy_cache_key $uri$http_origin; add_header Age 90;"
    with nginx(mine.bucket, by_path + IGNORE) as cdn:
        mine.app.config["FLASKS3_CDN_DOMAIN"] = cdn.url
        assert told(mine) == []
        mine.deploy({"a.css": "a{color:blue}"})

        (one,) = told(mine)

    assert one["what"] == "A cache answers with other bytes than the bucket: static/a.css."


def test_how_long_a_cache_may_keep_old_bytes_is_reckoned_from_its_age():
    headers = {"date": "Sat, 01 Jan 2000 00:00:00 GMT", "age": "3600"}
    plain = Answer(200, headers, "old", "old")
    written = datetime(2000, 1, 1, 0, 30, tzinfo=timezone.utc).timestamp()
    one = Expected("a", "", 1, "new", "new", "", "", "max-age=60", written, "")
    (fault,) = [fault for fault in faults(Visit(one, plain)) if fault.check == "bytes"]
    look = SecondLook({"": Answer(200, {}, "new", "new")}, {})

    assert explained(Visit(one, plain), fault, look).verdict.word == "error"


def test_bytes_that_the_cdn_rewrites_are_laid_at_its_door(mine):
    rewrite = 'proxy_set_header Accept-Encoding ""; sub_filter red blue; sub_filter_types text/css;'

    assert behind(mine, BY_ORIGIN + rewrite) == [
        ("bytes", "error", f"The CDN changes the bytes: static/a.css, {name(mine, 'a.css')}.")
    ]


def test_bytes_that_are_wrong_in_the_bucket_are_not_laid_at_the_cdns_door(mine):
    mine.bucket.client.put_object(
        Bucket=mine.bucket.name,
        Key=name(mine, "a.css"),
        Body=STYLE.replace("red", "tan").encode(),
        ContentType="text/css; charset=utf-8",
        CacheControl="public, max-age=31536000, immutable",
    )

    assert behind(mine) == [
        (
            "bytes",
            "error",
            f"The bytes are not those that were published: {name(mine, 'a.css')}.",
        )
    ]


# -- other origins


def refused(told, *, data):
    """Which files' CORS is told of, with the verdict that they should have."""
    return [(check, verdict) for check, verdict, _ in told] == [
        ("CORS", "warning"),
        *[("CORS", "error")] * 2,
    ] and all(data in what for _, _, what in told)


def test_a_cached_answer_without_cors_is_found_before_it_breaks_fonts_for_a_year(mine):
    said = "A cache answers pages of one origin with what somebody else asked for"

    assert refused(behind(mine, "proxy_cache_key $uri$is_args$args;"), data=said)


def test_cors_that_the_cdn_takes_away_is_laid_at_its_door(mine):
    said = "The CDN takes away the Access-Control-Allow-Origin that the bucket sends"

    assert refused(
        behind(mine, BY_ORIGIN + "proxy_hide_header Access-Control-Allow-Origin;"), data=said
    )


def test_cors_that_the_bucket_lacks_is_not_laid_at_the_cdns_door(mine):
    mine.bucket.client.delete_bucket_cors(Bucket=mine.bucket.name)
    said = "Access-Control-Allow-Origin is missing for pages of https://example.com"

    assert refused(behind(mine), data=said)


def test_a_cdn_that_answers_for_both_itself_and_the_bucket_allows_nobody(mine):
    said = "Access-Control-Allow-Origin is '*, *' for pages of https://example.com"

    assert refused(behind(mine, BY_ORIGIN + "add_header Access-Control-Allow-Origin *;"), data=said)


def test_an_answer_for_one_origin_that_a_cache_gives_to_another_is_found(make_app, mini_bucket):
    origins = ("https://shop.example.com", "https://blog.example.com")
    mine = published(make_app, mini_bucket, *origins, FLASKS3_CORS_ORIGINS=origins)
    asked = 'map $http_origin $asked { default ""; ~. with; }'

    told = behind(mine, f"proxy_cache_key $asked$uri$is_args$args; {IGNORE}", http=asked)

    assert refused(told, data="A cache answers pages of one origin with what somebody else")
    assert behind(mine) == [], "and where each has an answer of its own, all is well"


def test_an_answer_that_depends_on_origin_and_does_not_say_so_is_warned_of(make_app, mini_bucket):
    origin = "https://shop.example.com"
    mine = published(make_app, mini_bucket, origin, FLASKS3_CORS_ORIGINS=[origin])

    (one,) = behind(mine, f"{BY_ORIGIN} proxy_hide_header Vary;")

    assert one[:2] == ("Vary", "warning")
    assert one[2].startswith("Access-Control-Allow-Origin depends on Origin, and Vary does not")


def test_a_cdn_that_sends_cors_with_every_answer_is_in_order(mine):
    mine.bucket.client.delete_bucket_cors(Bucket=mine.bucket.name)
    always = "proxy_cache_key $uri$is_args$args; add_header Access-Control-Allow-Origin *;"

    assert behind(mine, always) == []


# -- headers


def test_another_content_type_is_found_by_the_file(mine):
    assert behind(
        mine,
        server="location ~ woff2$ { default_type text/plain; proxy_hide_header Content-Type; "
        "add_header Content-Type text/plain; proxy_set_header Host $proxy_host; "
        f"proxy_pass {mine.bucket.server.endpoint}/{mine.bucket.name}$uri; }}",
    )[-1][2].startswith("Content-Type is 'text/plain' instead of 'font/woff2'")


def test_a_year_in_caches_for_names_that_stay_is_an_error_and_none_for_digests_a_warning(mine):
    year = "proxy_hide_header Cache-Control; add_header Cache-Control max-age=31536000;"

    warned, wrong = behind(mine, BY_ORIGIN + year)

    immutable = "'public, max-age=31536000, immutable'"
    assert warned[:2] == ("cache policy", "warning")
    assert f"'max-age=31536000' instead of {immutable}: {name(mine, 'a.css')}" in warned[2]
    assert wrong[:2] == ("cache policy", "error")
    assert "'max-age=31536000' instead of 'public, max-age=60': static/a.css" in wrong[2]


def test_a_cdn_that_does_not_answer_ranges_plays_no_film(mine):
    warned, wrong = behind(mine, f"{BY_ORIGIN} max_ranges 0;")

    said = "A request for the first byte is answered with HTTP 200 instead of 206: "
    assert (wrong[:2], wrong[2][: len(said) + 12]) == (("ranges", "error"), f"{said}static/film.")
    assert warned[:2] == ("ranges", "warning")


# -- what stands in place of files


def test_a_page_in_place_of_what_is_missing_is_found_though_nothing_is_missing(mine):
    page = "location = /spa { internal; default_type text/html; return 200 '<p>the app'; }"
    falls_back = "proxy_intercept_errors on; error_page 403 404 =200 /spa;"

    (one,) = behind(mine, BY_ORIGIN + falls_back, server=page)

    said = "A script that does not exist answers 200 with 'text/html'."
    assert one == ("missing files", "error", said)


def test_a_page_in_place_of_a_file_is_told_as_that_and_not_as_five_other_faults(mine):
    page = "location = /spa { internal; default_type text/html; return 200 '<p>the app'; }"
    falls_back = "proxy_intercept_errors on; error_page 403 404 =200 /spa;"
    mine.bucket.client.delete_object(Bucket=mine.bucket.name, Key=name(mine, "m.js"))

    _, one = behind(mine, BY_ORIGIN + falls_back, server=page)

    said = "An HTML page answers with 200 in place of the file"
    assert one == ("missing files", "error", f"{said}: {name(mine, 'm.js')}.")


def test_a_redirect_to_https_is_found_with_the_setting_that_spares_it(mine):
    to_https = "location /static { return 301 https://127.0.0.1$request_uri; }"
    with nginx(mine.bucket, server=to_https) as cdn:
        mine.app.config["FLASKS3_CDN_DOMAIN"] = cdn.url
        (one,) = told(mine)

    assert one["what"].startswith("HTTP 301 leads on to https://127.0.0.1: static/")
    assert " and " in one["what"]
    set_it = 'app.config["FLASKS3_USE_HTTPS"] = True'
    assert one["fix"] == f"{set_it}, and no http:// in FLASKS3_CDN_DOMAIN"


def test_a_redirect_elsewhere_is_found_with_its_target(mine):
    elsewhere = "location ~ woff2$ { return 302 https://fonts.example.com/f.woff2; }"

    (one,) = behind(mine, server=elsewhere)

    said = "HTTP 302 leads on to https://fonts.example.com/f.woff2"
    assert one == ("status", "error", f"{said}: {name(mine, 'f.woff2')}, static/f.woff2.")


def test_a_private_bucket_that_the_cdn_may_not_read_is_one_finding(make_app, mini_bucket):
    mine = published(make_app, mini_bucket)
    mini_bucket.client.delete_bucket_policy(Bucket=mini_bucket.name)
    with nginx(mini_bucket) as cdn:
        mine.app.config["FLASKS3_CDN_DOMAIN"] = cdn.url
        (one,) = told(mine)

    assert one["what"] == "Every URL answers HTTP 403: the CDN may not read the bucket."
    assert one["fix"] == "flask s3 setup", "which knows whether a CloudFront distribution is set"


# -- TLS, and pages that come by it


@pytest.fixture
def authority(tmp_path):
    """A certificate authority, and a server's certificate of it."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "tls.pem")
    return tmp_path


def test_tls_of_an_authority_of_ones_own_is_verified_with_its_certificate(
    mine, authority, monkeypatch
):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority / "ca.pem"))
    with nginx(mine.bucket, certificate=authority / "tls.pem") as cdn:
        mine.app.config["FLASKS3_CDN_DOMAIN"] = cdn.tls

        assert "0 errors, 0 warnings, 10 ok." in mine.run("verify").stdout


@pytest.mark.parametrize("bundle", [True, False])
def test_a_certificate_that_is_not_trusted_is_one_sentence(mine, authority, monkeypatch, bundle):
    if bundle:
        trustme.CA().cert_pem.write_to_path(authority / "other.pem")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority / "other.pem"))
    with nginx(mine.bucket, certificate=authority / "tls.pem") as cdn:
        mine.app.config["FLASKS3_CDN_DOMAIN"] = cdn.tls
        (one,) = told(mine)

    place = cdn.tls.removeprefix("https://")
    assert one["what"].startswith(f"The certificate of {place} is not trusted (")
    assert one["what"].endswith("), so no URL could be asked for.")
    assert "AWS_CA_BUNDLE=ca.pem flask s3 verify" in one["fix"]


@pytest.mark.parametrize(
    ("config", "verdict"),
    [
        ({}, "warning"),
        ({"PREFERRED_URL_SCHEME": "https"}, "error"),
        ({"SESSION_COOKIE_SECURE": True}, "error"),
        ({"FLASKS3_CORS_ORIGINS": ["https://shop.example.com"]}, "error"),
    ],
)
def test_http_urls_on_pages_of_https_are_found_through_the_proxy_of_the_environment(
    mine, monkeypatch, config, verdict
):
    with nginx(mine.bucket) as cdn:
        monkeypatch.setenv("http_proxy", cdn.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")

        (one,) = found(mine, FLASKS3_CDN_DOMAIN="http://cdn.example", **config)

    assert one[:2] == ("scheme", verdict)
    assert one[2].startswith("URLs begin with http://cdn.example, ")
