"""What browsers make of a page here and its files in a bucket, which is another origin."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import storefront
from browsing import Loaded, Visit, open_to_browsers, serving
from conftest import Bucket
from flask import Flask, render_template_string
from servers import Server
from steps import Site
from test_preview import free_port, previewing

from flask_s3 import FlaskS3, create_all

pytestmark = pytest.mark.browser

PAGES = ("/", "/shop/", "/shop/kettle", "/shop/reviews/kettle", "/account/", "/basket?kettle=1")
DIGEST = r"\.[0-9a-f]{16}\."
IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def shop(ministack: Server, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The storefront, published."""
    bucket = Bucket(ministack, "storefront-in-chromium", ministack.client()).create()
    folder = tmp_path_factory.mktemp("storefront")
    app = storefront.create_app(
        {**open_to_browsers(bucket).config, "FLASKS3_MANIFEST": str(folder / "manifest.json")}
    )
    assert create_all(app).warnings == ()
    return app


@pytest.fixture(params=["br", "gzip", "identity"], scope="module")
def encoding(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def address(shop: Flask, encoding: str) -> Iterator[str]:
    """Where the storefront is, for a browser that wants one encoding."""
    with serving(shop, encoding) as address:
        yield address


# -- the storefront

# Scripts ran, and fonts and images are there, those further down too.
SETTLED = """() => {
  document.querySelectorAll("img").forEach((image) => (image.loading = "eager"));
  const season = document.querySelector("[data-season]");
  return document.fonts.status === "loaded"
    && [...document.images].every((image) => image.complete)
    && !document.querySelector("[data-theme-button]").hidden
    && season?.textContent !== "Good in every month of the year.";
}"""


def test_a_walk_through_the_shop_gets_all_that_it_asks_for_without_a_complaint(
    visit, shop, address, encoding
):
    seen = visit()
    for path in PAGES:
        tab = seen.in_another_tab()
        assert tab.open(address + path)["vary"] == "Accept-Encoding"
        tab.until(SETTLED)
    files = from_bucket(seen, shop)

    assert seen.complaints == []
    assert [file.url for file in files if not re.search(DIGEST, file.url)] == []
    assert {file.headers["cache-control"] for file in files} == {IMMUTABLE}
    assert {file.url: file.encoding for file in files} == {
        file.url: encoding_in(file.published) for file in files
    }
    # What the page names, what that imports, and what is found in a style sheet's style sheet.
    encoded = {
        "bootstrap.min.css",
        "site.css",
        "tokens.css",
        "sprigs.svg",
        "site.js",
        "basket.js",
        "storage.js",
    }
    assert {file.name: file.encoding for file in files if file.name in encoded} == dict.fromkeys(
        encoded, encoding
    )
    # Bootstrap-Flask asks for them in Python, where nobody can tell whose page they go into.
    by_extension = {"popper.min.js", "bootstrap.min.js"}
    assert {file.encoding for file in files if file.name in by_extension} == {"identity"}


def test_fonts_imported_styles_and_images_in_css_are_there(visit, shop, address):
    seen = visit()
    seen.open(f"{address}/shop/kettle")
    seen.until("document.fonts.status === 'loaded'")
    kinds = {file.name: file.kind for file in from_bucket(seen, shop)}

    assert seen.page.evaluate("[...document.fonts].map((font) => [font.family, font.status])") == [
        ["Bricolage Grotesque", "loaded"]
    ]
    assert style(seen, ":root", "--on-tone") == "#14302a"  # tokens.css says so
    assert style(seen, ".visually-hidden", "position") == "absolute"  # Bootstrap does
    for selector, name in ((".site-footer", "sprigs.svg"), (".woven", "linen.svg")):
        image = re.fullmatch(r'url\("(.*)"\)', style(seen, selector, "background-image"))
        assert kinds[name] == "image"
        assert seen.page.evaluate(NATURAL_WIDTH, image[1]) > 0


def test_modules_that_import_each_other_in_a_circle_work_together(visit, address):
    seen = visit()
    seen.open(f"{address}/shop/kettle")
    other = seen.in_another_tab()
    other.open(f"{address}/shop/")
    seen.page.click("text=Add to basket")
    other.until("document.querySelector('[data-basket-count]').textContent === '1'")

    assert seen.complaints == []


def test_a_module_imported_later_finds_the_image_beside_it(visit, shop, address):
    seen = visit()
    seen.open(address)
    seen.page.click("[data-bs-target='#basket']")
    seen.until("document.querySelector('#basket.show img')?.naturalWidth > 0")
    loaded = {file.name: file for file in from_bucket(seen, shop)}

    assert loaded["panel.js"].kind == "script"
    assert re.search(DIGEST, loaded["empty-basket.svg"].url)
    assert seen.complaints == []


@pytest.mark.parametrize(
    ("day", "season", "greeting"),
    [
        ("2025-04-01", "spring", "Sow the radishes now, and mind the bees."),
        ("2025-12-31", "winter", "Light the candles, and put the kettle on."),
    ],
)
def test_a_module_whose_name_is_computed_is_found_by_the_import_map(
    visit, shop, address, day, season, greeting
):
    seen = visit()
    seen.page.clock.set_fixed_time(f"{day}T12:00:00")
    seen.open(address)
    seen.until(f"document.querySelector('[data-season]').textContent === '{greeting}'")
    (module,) = (file for file in from_bucket(seen, shop) if file.name == f"{season}.js")

    assert re.search(DIGEST, module.url)
    assert seen.complaints == []


def test_a_worker_starts_from_the_pages_own_origin_and_answers(visit, address):
    seen = visit()
    seen.open(f"{address}/shop/")
    seen.page.fill("[type=search]", "APFEL lin")
    seen.until("document.querySelector('[data-found]').textContent === '1 of 8 products'")

    assert seen.page.locator(".wares > li:visible h3").all_inner_texts() == ["Äpfel & Birnen"]
    assert [worker.url for worker in seen.page.workers] == [
        f"{address}/shop/static/js/search-worker.js"
    ]
    assert seen.complaints == []


def test_without_scripts_the_server_searches(visit, address):
    seen = visit(java_script_enabled=False)
    seen.open(f"{address}/shop/?q=apfel")

    assert seen.page.locator(".wares > li:visible h3").all_inner_texts() == ["Äpfel & Birnen"]


def test_developer_tools_find_the_source_map(visit, address):
    seen = visit()
    scripts: dict[str, str] = {}
    tools = seen.tools()
    tools.on(
        "Debugger.scriptParsed",
        lambda script: scripts.update({script["url"]: script["sourceMapURL"]}),
    )
    tools.send("Debugger.enable")
    seen.open(address)
    ((script, source_map),) = ((u, m) for u, m in scripts.items() if "/bootstrap.min." in u)
    answer = seen.page.request.get(urljoin(script, source_map))

    assert re.search(DIGEST, source_map)
    assert answer.json()["version"] == 3


def test_the_web_manifest_and_its_icons_are_found(visit, address):
    seen = visit()
    seen.open(address)
    manifest = seen.tools().send("Page.getAppManifest")
    icons = [icon["src"] for icon in json.loads(manifest["data"])["icons"]]
    answers = [seen.page.request.get(urljoin(manifest["url"], icon)) for icon in icons]

    assert manifest["errors"] == []
    assert [bool(re.search(DIGEST, icon)) for icon in icons] == [True, True]
    assert [answer.status for answer in answers] == [200, 200]


def test_the_page_says_the_integrity_of_every_module(visit, shop, address, encoding):
    seen = visit()
    seen.open(address)
    told = json.loads(seen.page.locator("script[type=importmap]").inner_text())
    scripts = {file.url: file.name for file in from_bucket(seen, shop) if file.kind == "script"}
    digests = {
        url: "sha256-" + b64encode(sha256(seen.page.request.get(url).body()).digest()).decode()
        for url in told["imports"].values()
    }

    assert told["integrity"] == digests
    assert {encoding_in(url) for url in digests} == {encoding, "identity"}
    assert {name for url, name in scripts.items() if url not in digests} == {
        "theme.js",
        "popper.min.js",
        "bootstrap.min.js",
    }


def test_without_flask_s3_the_shop_serves_itself(visit):
    app = storefront.create_app({"FLASKS3_ACTIVE": False})
    seen = visit()
    with serving(app) as address:
        for path in PAGES:
            tab = seen.in_another_tab()
            assert "vary" not in tab.open(address + path)
            tab.until(SETTLED)

    assert seen.complaints == []
    assert {loaded.origin for loaded in seen.loaded} == {address}


def test_the_bucket_that_a_preview_makes_lets_browsers_check_integrity(visit):
    port = free_port()
    seen = visit()
    with previewing(port):
        seen.open(f"http://127.0.0.1:{port}/")
        seen.until(SETTLED)

    checked = "link[integrity][rel=stylesheet], script[integrity]"
    assert seen.page.locator(checked).count() == 4
    assert seen.complaints == []


# -- an app with one page

FONT = Path(storefront.__file__).parent / "static/fonts/bricolage-grotesque-latin-wght-normal.woff2"
FILES: Mapping[str, bytes | str] = {
    "app.css": """
        @import "base.css";
        @font-face { font-family: F; src: url(f.woff2) }
        h1 { font: 9px F }
    """,
    "base.css": "h1 { color: rgb(1, 2, 3) }",
    "classic.js": "window.classic = true;",
    "entry.js": """
        import "./imported.js";
        window.entry = true;
        const name = "computed";
        await import(`./lazy/${name}.js`).catch(() => {});
        const data = await fetch(new URL("./data.json", import.meta.url));
        if ((await data.json()).answer === 42) document.documentElement.dataset.ended = "";
    """,
    "imported.js": "export const imported = (window.imported = true);",
    "lazy/computed.js": "export const computed = (window.computed = true);",
    "data.json": '{"answer": 42}',
    "image.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "f.woff2": FONT.read_bytes(),
    "unused.css": "",
}
HEAD = """<!doctype html>
<title>Page</title>
<link rel="icon" href="data:,">
"""
BODY = """
{{ s3_importmap("entry.js", nonce="once") }}
{{ s3_stylesheet("app.css") }}
{{ s3_script("classic.js", nonce="once") }}
{{ s3_script("entry.js", type="module", nonce="once") }}
<h1>Page</h1>
<img src="{{ url_for('static', filename='image.svg') }}" alt="">
"""
MARK_BLOCKED = """addEventListener("error", ({ target }) => {
  if (target.type === "module") document.documentElement.dataset.ended = "";
}, true);"""
SCRIPTS = ("classic", "entry", "imported", "computed")
BLACK, IMPORTED = "rgb(0, 0, 0)", "rgb(1, 2, 3)"


@pytest.fixture
def publish(mini_bucket: Bucket, make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Publishes `FILES`, and returns an app whose pages are templates: `/0`, `/1`, …"""

    def make(*templates: str, **config: Any) -> Flask:
        settings = {"FLASKS3_FINGERPRINT": True, "FLASKS3_INTEGRITY": True, **config}
        app = make_app(FILES, {**open_to_browsers(mini_bucket).config, **settings})
        FlaskS3(app)
        for number, template in enumerate(templates):
            page = partial(render_template_string, template)
            app.add_url_rule(f"/{number}", str(number), page)
        create_all(app)
        return app

    return make


def ran(seen: Visit, address: str) -> list[str]:
    """Which scripts run in a page, once its module has ended or was blocked."""
    seen.page.add_init_script(MARK_BLOCKED)
    seen.open(address)
    seen.page.wait_for_selector("html[data-ended]")
    return [name for name in SCRIPTS if seen.page.evaluate(f"window.{name} === true")]


@pytest.mark.parametrize(
    ("name", "left", "color"),
    [
        ("app.css", ["classic", "entry", "imported", "computed"], BLACK),
        ("classic.js", ["entry", "imported", "computed"], IMPORTED),
        ("entry.js", ["classic"], IMPORTED),
        ("imported.js", ["classic"], IMPORTED),
        ("lazy/computed.js", ["classic", "entry", "imported"], IMPORTED),
    ],
)
def test_what_somebody_else_wrote_into_the_bucket_is_blocked(
    visit, publish, mini_bucket, name, left, color
):
    seen = visit()
    with serving(publish(HEAD + BODY)) as address:
        tamper(mini_bucket, name)

        assert ran(seen, f"{address}/0") == left
    assert style(seen, "h1", "color") == color
    assert len([text for text in seen.complaints if "blocked" in text]) == 1, seen.complaints


def test_without_integrity_what_somebody_else_wrote_is_used(visit, publish, mini_bucket):
    seen = visit()
    with serving(publish(HEAD + BODY, FLASKS3_INTEGRITY=False)) as address:
        for name in ("app.css", "classic.js", "entry.js", "imported.js", "lazy/computed.js"):
            tamper(mini_bucket, name)

        assert ran(seen, f"{address}/0") == list(SCRIPTS)
    assert style(seen, "h1", "color") == IMPORTED
    assert seen.complaints == []


def tamper(bucket: Bucket, name: str) -> None:
    """Adds to a published file, under the name that it has."""
    keys = bucket.keys()
    (key,) = (key for key in keys if re.sub(DIGEST, ".", key) == f"static/{name}" != key)
    held = bucket.get(key)
    bucket.client.put_object(
        Bucket=bucket.name,
        Key=key,
        Body=held["Body"] + b"/* */",
        ContentType=held["ContentType"],
        CacheControl=held["CacheControl"],
    )


@pytest.mark.parametrize("integrity", [True, False])
def test_what_is_preloaded_is_used_and_loaded_once(visit, publish, integrity):
    pages = [HEAD + preloads(header=header) + BODY for header in (False, True)]
    app = publish(*pages, FLASKS3_INTEGRITY=integrity)
    by_page, by_header = visit(), visit()
    with serving(app) as address:
        assert ran(by_page, f"{address}/0") == list(SCRIPTS)
        assert ran(by_header, f"{address}/1") == list(SCRIPTS)
        # Chromium tells of all unused preloads at one time: once it has told of one, of all.
        by_page.hears("/unused.")
        by_header.hears("/unused.")

    for seen in (by_page, by_header):
        urls = [re.sub(DIGEST, ".", file.url) for file in from_bucket(seen, app)]
        assert [text for text in seen.complaints if "/unused." not in text] == []
        assert sorted(url.partition("/static/")[2] for url in urls) == sorted(FILES)
    assert by_page.page.locator("[rel*=preload]").count() == len(FILES) - 1
    assert by_header.page.locator("[rel*=preload]").count() == 0


def preloads(*, header: bool) -> str:
    """Preloads of all that a page asks for, and of a file that it does not."""
    names = [name for name in FILES if name != "lazy/computed.js"]
    return "".join(f"{{{{ s3_preload('{name}', header={header}) }}}}" for name in names)


def test_a_style_sheet_that_another_one_imports_can_be_asked_for_by_itself_too(visit, publish):
    alone = HEAD + "{{ s3_stylesheet('base.css') }} <h1>Alone</h1>"
    seen = visit()
    with serving(publish(HEAD + BODY, alone)) as address:
        for path in ("/0", "/1", "/0"):
            tab = seen.in_another_tab()
            tab.open(address + path)
            assert style(tab, "h1", "color") == IMPORTED

    assert seen.complaints == []


def test_an_import_map_finds_every_name_that_a_script_can_compute(visit, make_app, mini_bucket):
    names = ["a+b", "[slug]", "é", "a b", "100%", "a'b", 'a"b', "a|b^c", "a~!$&()*,;=:@b"]
    # It has nothing but import(), so it may be a classic script; what it finds has to be modules.
    entry = f"""
        const names = {json.dumps(names)}.map((name) => name.replace("%", "%25"));
        const ways = [...names, encodeURIComponent("a+b")];
        const found = ways.map((name) => import(`./lazy/${{name}}.js`));
        Promise.all(found).then((modules) => (window.found = modules.map(({{ name }}) => name)));
    """
    files = {f"lazy/{name}.js": f"export const name = {json.dumps(name)}" for name in names}
    settings = {
        "FLASKS3_FINGERPRINT": True,
        "FLASKS3_INTEGRITY": True,
        "FLASKS3_PLAIN_NAMES": False,
    }
    bucket = open_to_browsers(mini_bucket)
    app = make_app({"entry.js": entry, **files}, {**bucket.config, **settings})
    FlaskS3(app)
    template = HEAD + "{{ s3_importmap('entry.js') }} {{ s3_script('entry.js') }}"
    app.add_url_rule("/", "page", partial(render_template_string, template))
    create_all(app)
    seen = visit()
    with serving(app) as address:
        seen.open(address)
        seen.until("window.found")

    assert seen.page.evaluate("window.found") == [*names, "a+b"]
    assert seen.complaints == []


def test_a_strict_content_security_policy_lets_in_all_that_it_names(visit, publish):
    policy = (
        "default-src 'none'; script-src 'nonce-once' {{ s3_origin }}; style-src {{ s3_origin }}; "
        "img-src {{ s3_origin }} data:; font-src {{ s3_origin }}; connect-src {{ s3_origin }}"
    )
    said = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    seen = visit()
    with serving(publish(HEAD + said + BODY)) as address:
        assert ran(seen, f"{address}/0") == list(SCRIPTS)
    assert seen.complaints == []


# -- CORS

OTHER_ORIGIN = """<!doctype html>
<title>Page</title>
<link rel="icon" href="data:,">
<style>
@font-face { font-family: Ours; src: url("{{ url_for('static', filename='f.woff2') }}") }
</style>
<script type="module" src="{{ url_for('static', filename='module.js') }}"></script>
"""
FONT_LOADS = (
    """() => document.fonts.load("1em Ours").then((faces) => faces.length > 0, () => false)"""
)
ENDED = """() => performance.getEntriesByType("resource").some(({ name }) => /module/.test(name))"""


def loads(seen: Visit, address: str) -> dict[str, bool]:
    """Whether a page gets a font and a module of the bucket's."""
    seen.open(address)
    seen.until(ENDED)
    module = seen.page.evaluate("window.module === true")
    return {"font": seen.page.evaluate(FONT_LOADS), "module": module}


def test_a_font_and_a_module_load_with_the_cors_that_setup_wrote_and_fail_without(
    visit, make_app, mini_bucket
):
    files = {"f.woff2": FONT.read_bytes(), "module.js": "window.module = true;"}
    app = make_app(files, mini_bucket.config)
    FlaskS3(app)
    app.add_url_rule("/", "page", partial(render_template_string, OTHER_ORIGIN))
    shop = Site(app, mini_bucket)
    shop.run("deploy")
    with serving(app) as ours, serving(app) as theirs:
        app.config["FLASKS3_CORS_ORIGINS"] = [ours]
        shop.run("setup", "--access", "policy", "--yes")

        with_the_rule, of_others, without = visit(), visit(), visit()
        assert loads(with_the_rule, ours) == {"font": True, "module": True}
        assert loads(of_others, theirs) == {"font": False, "module": False}
        mini_bucket.client.delete_bucket_cors(Bucket=mini_bucket.name)
        assert loads(without, ours) == {"font": False, "module": False}

    assert with_the_rule.complaints == []
    assert any("CORS policy" in complaint for complaint in without.complaints)


# -- looking


NATURAL_WIDTH = """async (url) => {
  const image = Object.assign(new Image(), { src: url });
  await image.decode();
  return image.naturalWidth;
}"""


def style(seen: Visit, selector: str, name: str) -> str:
    script = "([on, name]) => getComputedStyle(document.querySelector(on)).getPropertyValue(name)"
    return seen.page.evaluate(script, [selector, name]).strip()


def from_bucket(seen: Visit, app: Flask) -> list[Loaded]:
    """What came from elsewhere than the pages' own origin, which can be the bucket only."""
    here = {loaded.origin for loaded in seen.loaded if loaded.kind == "document"}
    files = [loaded for loaded in seen.loaded if loaded.origin not in here]
    bucket = f"{app.config['FLASKS3_ENDPOINT_URL']}/{app.config['FLASKS3_BUCKET_NAME']}/"
    assert [f.url for f in files if not f.url.startswith(bucket)] == []
    return files


def encoding_in(published: str) -> str:
    """The encoding that a published name says."""
    found = re.search(r"\.(br|gzip)\.", published)
    return found[1] if found else "identity"
