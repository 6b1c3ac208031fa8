"""From settings and a URL map to keys and URLs: the pure parts, and what holds for any name."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import botocore
import hypothesis
import pytest
from flask import Flask
from hypothesis import strategies as st
from serving import IN_BUCKET, STORE, asked, blueprint

from flask_s3 import endpoints
from flask_s3.building.collect import Selection, collect
from flask_s3.routes import Mount, StaticRoute, may_be_static, static_route, static_routes
from flask_s3.settings import Settings
from flask_s3.urls import Base, Urls, base, clean, quoted

hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")

# -- endpoints: against AWS's own table, which botocore carries

_PARTITIONS = json.loads(
    (Path(botocore.__file__).parent / "data/partitions.json").read_text("utf-8")
)["partitions"]
_REGIONS = [
    (region, partition["id"], partition["outputs"]["dnsSuffix"])
    for partition in _PARTITIONS
    for region in partition["regions"]
    if not region.endswith("-global")
]


@pytest.mark.parametrize(("region", "partition", "suffix"), _REGIONS)
def test_every_region_of_aws_has_its_host_and_partition(region, partition, suffix):
    assert endpoints.regional_host(region) == f"s3.{region}.{suffix}"
    assert endpoints.partition(region) == partition
    assert endpoints.is_aws(f"s3.{region}.{suffix}")


def test_the_global_host_serves_the_main_partition_alone():
    served = {region: part for region, part, _ in _REGIONS if endpoints.serves_globally(region)}
    assert set(served.values()) == {"aws"}
    assert len(served) == 16
    assert endpoints.serves_globally(None)


@pytest.mark.parametrize(
    "host", ["s3.example.com", "localhost", "notamazonaws.com", "amazonaws.com.evil"]
)
def test_a_host_of_somebody_else_is_not_awss(host):
    assert not endpoints.is_aws(host)


# -- Base, clean


@pytest.mark.parametrize(
    ("scheme", "url"),
    [
        (None, "https://h/p/static/a"),
        ("http", "http://h/p/static/a"),
        ("", "//h/p/static/a"),
    ],
)
def test_a_base_makes_urls(scheme, url):
    assert Base("https", "h/p").url("/static/a", scheme) == url


def test_a_bases_origin_has_no_path():
    assert Base("https", "h:1/p/q").origin == "https://h:1"


@pytest.mark.parametrize(
    ("filename", "cleaned"),
    [
        ("a.css", "a.css"),
        ("a/b.css", "a/b.css"),
        ("/a", "a"),
        ("a//b", "a/b"),
        ("./a/./b", "a/b"),
        ("a/", "a/"),
        ("a/.", "a/"),
        ("", ""),
        ("/", ""),
        ("./", ""),
        ("...", "..."),
        (".a", ".a"),
        ("a..b", "a..b"),
        ("a\n", "a\n"),
        ("..", None),
        ("../a", None),
        ("a/../b", None),
        ("a/..", None),
    ],
)
def test_a_file_name_is_cleaned_as_a_browser_would_or_refused(filename, cleaned):
    assert clean(filename) == cleaned


# -- Urls


def _urls(**config: object) -> Urls:
    made = Urls(Settings.read({**IN_BUCKET, **config}, environ={}), lambda name: name == "sw.js")
    made.add("static", (Mount("/static/", {}),))
    made.add("i18n", (Mount("/de/s/", {"lang": "de"}), Mount("/en/s/", {"lang": "en"})))
    made.add("endless", ())
    return made


@pytest.mark.parametrize(
    ("endpoint", "values", "url"),
    [
        ("static", {"filename": "a.css"}, f"{STORE}/static/a.css"),
        ("static", {"filename": "sw.js"}, None),
        ("static", {"filename": "../a"}, None),
        ("static", {"filename": None}, None),
        ("static", {}, None),
        ("i18n", {"filename": "a.css", "lang": "en"}, f"{STORE}/en/s/a.css"),
        ("i18n", {"filename": "a.css", "lang": "en", "v": 1}, f"{STORE}/en/s/a.css?v=1"),
        ("i18n", {"filename": "a.css", "lang": "fr"}, None),
        ("i18n", {"filename": "a.css"}, None),
        ("endless", {"filename": "a.css"}, None),
    ],
)
def test_a_url_is_the_stores_or_none_where_flasks_is_meant(endpoint, values, url):
    assert _urls().general(endpoint, values) == url


@pytest.mark.parametrize("name", ["", "a b", "ä", "../a", ".", "a//b", "sw.js", "a/", "%41", "a\n"])
def test_the_short_way_leaves_to_the_general_one_what_needs_thought(name):
    assert _urls().plain("static", name) is None


@pytest.mark.parametrize("endpoint", ["i18n", "endless", "unknown"])
def test_the_short_way_leaves_variables_to_the_general_one(endpoint):
    assert _urls().plain(endpoint, "a.css") is None


# -- routes


@pytest.mark.parametrize(
    ("endpoint", "may"),
    [("static", True), ("a.static", True), ("a.b.static", True), ("astatic", False), ("", False)],
)
def test_static_endpoints_are_known_by_their_name(endpoint, may):
    assert may_be_static(endpoint) is may


def test_static_routes_are_those_of_the_app_and_its_blueprints(tmp_path):
    app = Flask("shop", root_path=str(tmp_path))
    outer = blueprint(tmp_path, "outer", url_prefix="/o")
    outer.register_blueprint(
        blueprint(tmp_path, "inner", static_url_path="/files", url_prefix="/i")
    )
    app.register_blueprint(outer)
    app.register_blueprint(blueprint(tmp_path, "api", subdomain="api", url_prefix="/<v>"))
    folders = tmp_path / "blueprints"
    assert static_routes(app) == [
        _route("static", tmp_path / "static", "/static/"),
        _route("outer.static", folders / "outer/static", "/o/static/"),
        _route("outer.inner.static", folders / "inner/static", "/o/i/files/"),
        StaticRoute(
            "api.static", str(folders / "api/static"), "api", (), "/<v>/static/<path:filename>"
        ),
    ]
    assert static_route(app, "nowhere.static") is None


def _route(endpoint: str, folder: Path, path: str) -> StaticRoute:
    return StaticRoute(endpoint, str(folder), "", (Mount(path, {}),), f"{path}<path:filename>")


# -- for any file name, prefix, domain and style

_SEGMENT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=40
).filter(lambda segment: segment not in {".", ".."})
_NAMES = st.lists(_SEGMENT, min_size=1, max_size=3).map("/".join)
_PREFIXES = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
        lambda segment: segment.strip("/") not in {"", ".", ".."} and "/" not in segment
    ),
    max_size=3,
).map("/".join)
_LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
_HOSTS = st.lists(_LABELS, min_size=2, max_size=4).map(".".join)
_PORTS = st.sampled_from(["", ":443", ":9000"])
_SCHEMES = st.sampled_from(["", "//", "http://", "https://"])
_PATHS = st.sampled_from(["", "/", "/a", "/a b/ä", "/a%20b/%C3%A4/", "/a+b;c=d@e"])
_DOMAINS = st.tuples(_SCHEMES, _HOSTS, _PORTS, _PATHS).map("".join)
_BUCKETS = st.from_regex(r"[a-z0-9][a-z0-9.-]{1,20}[a-z0-9]", fullmatch=True)
_REGION_NAMES = st.sampled_from([None, "EU", *(region for region, _, _ in _REGIONS)])


@st.composite
def _configs(draw: st.DrawFn) -> dict[str, object]:
    """Settings of every kind that has a say in a URL."""
    config: dict[str, object] = {
        "FLASKS3_BUCKET_NAME": draw(_BUCKETS),
        "FLASKS3_PREFIX": draw(_PREFIXES),
        "FLASKS3_REGION": draw(_REGION_NAMES),
        "FLASKS3_USE_HTTPS": draw(st.booleans()),
    }
    optional = {
        "FLASKS3_URL_STYLE": st.sampled_from(["host", "path"]),
        "FLASKS3_BUCKET_DOMAIN": _DOMAINS,
        "FLASKS3_CDN_DOMAIN": _DOMAINS,
        "FLASKS3_ENDPOINT_URL": st.tuples(st.just("https://"), _HOSTS, _PORTS).map("".join),
    }
    return config | draw(st.fixed_dictionaries({}, optional=optional))


def _key(url: str, settings: Settings) -> str:
    """The key that a store reads from a URL, told by the base of a file without a prefix."""
    parts = urlsplit(url)
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)
    assert url.isascii()
    assert parts.netloc.replace(":", "").replace(".", "").replace("-", "").isalnum()
    site = urlsplit(f"{parts.scheme}://{base(settings).place}").path
    prefix = settings.prefix.strip("/")
    before = site.removesuffix(quoted(prefix)) if prefix else f"{site}/"
    assert parts.path.startswith(before)
    return unquote(parts.path.removeprefix(before), errors="strict")


@hypothesis.given(_NAMES, _configs())
def test_any_url_percent_decoded_is_the_key(name, config):
    settings = Settings.read(config, environ={})
    urls = Urls(settings, lambda _: False)
    urls.add("static", (Mount("/ü s/", {}),))
    prefix = settings.prefix.strip("/")
    key = f"{prefix}/ü s/{name}" if prefix else f"ü s/{name}"
    assert _key(urls.general("static", {"filename": name}), settings) == key
    short = urls.plain("static", name)
    assert short is None or _key(short, settings) == key


@hypothesis.given(
    names=st.lists(_NAMES, min_size=1, max_size=3),
    config=_configs(),
    static_url_path=st.sampled_from(["/static", "/", "/ä b/c", "/<any(en,de):lang>"]),
)
@hypothesis.settings(max_examples=60)
def test_what_is_published_is_what_urls_ask_for(names, config, static_url_path):
    with tempfile.TemporaryDirectory() as folder:
        app = Flask("shop", root_path=folder, static_url_path=static_url_path)
        app.config.update(config)
        written = {name for name in names if _written(Path(folder, "static", name), name)}
        hypothesis.assume(written)
        found = collect(app, Settings.read(config, environ={}), Selection(include_hidden=True))
    refused = {refusal.key for refusal in found.refusals}
    settings = Settings.read(config, environ={})
    languages = [{"lang": "de"}, {"lang": "en"}] if "lang" in static_url_path else [{}]
    asked_for = {
        _key(asked(app, filename=name, **values), settings)
        for name in written
        for values in languages
    }
    assert {asset.key for asset in found.assets} == asked_for - refused


def _written(path: Path, content: str) -> bool:
    """Whether the operating system takes the name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    except OSError:
        return False
    return True


_ANY_NAME = st.lists(
    st.one_of(_SEGMENT, st.sampled_from(["..", ".", "", "%2e%2e", "..%2f", "\\..\\"])), max_size=5
).map("/".join)


@hypothesis.given(_ANY_NAME, _PREFIXES)
def test_no_file_name_leads_out_of_the_static_folder(name, prefix):
    urls = _urls(FLASKS3_PREFIX=prefix)
    start = urls.base.url("/static/")
    for url in (urls.general("static", {"filename": name}), urls.plain("static", name)):
        assert url is None or url.startswith(start)
        # a browser takes %2e for a dot (WHATWG URL, "double-dot path segment")
        segments = [] if url is None else urlsplit(url).path.lower().replace("%2e", ".").split("/")
        assert ".." not in segments


# Without `+`, which Werkzeug 2.3 left as it is where later ones write %2B, as we do.
_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="+")
_VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(_LETTERS))
_ARGUMENTS = st.dictionaries(
    st.text(_LETTERS, min_size=1).filter(
        lambda name: name not in {"filename", "endpoint", "self", "app"} and name[0] != "_"
    ),
    st.one_of(_VALUES, st.lists(_VALUES), st.lists(_VALUES).map(tuple)),
    max_size=4,
)


@hypothesis.given(_ARGUMENTS)
def test_any_query_is_the_one_that_flask_writes(arguments):
    app = Flask("shop")
    app.config.update(IN_BUCKET)
    theirs = _flasks(app, arguments)
    assert asked(app, filename="a.css", **arguments) == f"{STORE}{theirs}"


def _flasks(app: Flask, arguments: dict[str, object]) -> str:
    with app.test_request_context("/"):
        return Flask.url_for(app, "static", filename="a.css", **arguments)


_LINES = ["a", "*", "b/", "/a", "**/b", "a/**", "*.c", "a/b", "a/*"]
_PATTERNS = st.lists(
    st.sampled_from([*_LINES, *(f"!{line}" for line in _LINES), "!*/"]), max_size=4
)
_TREE = ["a", "b.c", "d/a", "d/b/a.c", "d/b/x", "b/a/b.c", "e/a/b/c", "e/a/x.c"]


@hypothesis.given(patterns=_PATTERNS)
@hypothesis.settings(max_examples=150)
def test_whatever_the_patterns_only_published_files_get_the_stores_url(tree, patterns):
    app = Flask("shop", root_path=str(tree))
    app.config.update(IN_BUCKET, FLASKS3_IGNORE=patterns)
    found = collect(app, Settings.read(app.config, environ={}), Selection())
    urls = {name: asked(app, filename=name) for name in _TREE}
    there = {f"static/{name}" for name, url in urls.items() if url == f"{STORE}/static/{name}"}
    assert {asset.key for asset in found.assets} == there


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("patterns")
    for name in _TREE:
        path = root / "static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_a_store_whose_address_has_a_path_keeps_it():
    settings = Settings.read(
        {
            "FLASKS3_BUCKET_NAME": "shop",
            "FLASKS3_ENDPOINT_URL": "https://x.supabase.co/storage/v1/s3/",
        },
        environ={},
    )

    assert base(settings) == Base("https", "x.supabase.co/storage/v1/s3/shop")
