"""The report's page in Chromium: by keyboard, at every width, in the dark, with 4,000 files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browsing import Visit
from playwright.sync_api import Browser, expect

from flask_s3.assets import Level, Problem
from flask_s3.release.history import Change
from flask_s3.report.facts import File, Place, Release, Report, kind_of
from flask_s3.report.page import page
from flask_s3.report.parts import parts

pytestmark = pytest.mark.browser

HERE = Path(__file__).parents[2] / "src" / "flask_s3" / "report"
FONT = "static/fonts/</script><img src=x onerror=alert(1)>.woff2"
MANY = 4_000
EXTENSIONS = ("css", "js", "svg", "png")


def file(path: str, size: int, **more: Any) -> File:
    known = {
        "published": path.rpartition("/")[2],
        "kind": kind_of(path),
        "size": size,
        "encoded": {},
        "cache": "public, max-age=60",
        "referrers": (),
        "by_name": False,
        "twins": (),
    }
    return File(path=path, **{**known, **more})


FEW = (
    file(
        "static/css/site.css",
        9000,
        encoded={"br": 2000, "gzip": 2500},
        cache="public, max-age=31536000, immutable",
        referrers=(Place("templates/base.html", 3), Place("static/css/all.css", 1)),
    ),
    file("static/css/all.css", 500, encoded={"br": 100, "gzip": 150}),
    file(FONT, 40_000, referrers=(Place("static/css/site.css", 7),)),
    file("static/img/a.svg", 700, twins=("static/img/b.svg",)),
    file("static/img/b.svg", 700, twins=("static/img/a.svg",)),
    file("static/robots.txt", 20, by_name=True),
)


def report(files: tuple[File, ...]) -> Report:
    problems = tuple(
        Problem(f"static/css/{n:02}.css", n + 1, "gone.png is not among the static files.")
        for n in range(12)
    )
    changes = tuple(Change(f"static/{n:02}.js", "changed", n, 9 * n) for n in range(12))
    return Report(
        app="shop",
        made="2026-11-28 02:12 UTC",
        commit="0123456789abcdef0123456789abcdef01234567",
        files=files,
        codecs=("br", "gzip"),
        problems=(*problems, Problem("static/a.js", 9, "its source map is gone.", Level.REMARK)),
        refusals=(),
        objects=30,
        stored=120_000,
        release=Release("20261125T0212", "2026-11-25T02:12:00+00:00", None, changes),
        no_release="",
    )


def many(count: int) -> tuple[File, ...]:
    """Files in folders, each in two codings and named by another."""
    return tuple(
        file(
            f"static/area-{n % 9}/part-{n // 50:03}/file-{n:05}.{EXTENSIONS[n % 4]}",
            2000 + n,
            encoded={"br": 700 + n // 9, "gzip": 900 + n // 7},
            referrers=(Place(f"static/area-{n % 7}/all.css", n + 1),) if n % 3 else (),
        )
        for n in range(count)
    )


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Opens a report from disk, as people do; it must not complain of anything."""
    with ExitStack() as stack:

        def make(told: Report, **options: Any) -> Visit:
            where = tmp_path / "report.html"
            where.write_bytes(page(told, parts()))
            context = browser.new_context(**options)
            stack.callback(context.close)
            visit = Visit(context.new_page())
            visit.page.goto(where.as_uri())
            visit.page.wait_for_selector(".trail [aria-current]")
            return visit

        yield make


# -- the table of files


def names(visit: Visit) -> list[str]:
    return visit.page.locator("#files-view tbody .path:first-child").evaluate_all(
        "cells => cells.filter(c => c.parentElement.localName === 'th').map(c => c.textContent)"
    )


def status(visit: Visit) -> str:
    return visit.page.locator("#files-view [role=status]").inner_text()


def with_more(*files: File) -> Report:
    """Enough files for a search to be of use."""
    return report((*files, *(file(f"static/more/{n:02}.txt", 10) for n in range(30))))


def test_the_page_loads_nothing_and_nothing_is_complained_of(opened):
    visit = opened(report(FEW))

    assert [one.url.partition(":")[0] for one in visit.loaded] == ["file"]
    assert visit.complaints == []


def test_the_name_of_a_file_is_text_and_no_markup(opened):
    visit = opened(with_more(*FEW))

    assert FONT in names(visit)
    assert visit.page.locator("img").count() == 0
    assert visit.complaints == []


def test_the_largest_come_first_and_a_press_on_a_heading_sorts(opened):
    visit = opened(report(FEW))
    heading = visit.page.locator("#files-view").get_by_role("columnheader", name="File")

    assert names(visit)[:2] == [FONT, "static/css/site.css"]
    heading.get_by_role("button").press("Enter")

    assert names(visit) == sorted(names(visit))
    expect(heading).to_have_attribute("aria-sort", "ascending")
    heading.get_by_role("button").press("Space")
    assert names(visit) == sorted(names(visit), reverse=True)
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert visit.page.locator("#files-view [aria-sort]").count() == 1


def test_a_search_finds_all_words_and_says_how_many_files_it_found(opened):
    visit = opened(with_more(*FEW))
    search = visit.page.locator("#files-view").get_by_role("searchbox", name="Search")

    search.fill("CSS all")

    assert (names(visit), status(visit)) == (["static/css/all.css"], "1 of 36 files")
    search.fill("nothing like it")
    assert (names(visit), status(visit)) == ([], "0 of 36 files")


def test_what_nobody_refers_to_and_what_is_there_twice_is_a_click_away(opened):
    visit = opened(with_more(*FEW))

    visit.page.get_by_role("link", name="Duplicates").press("Enter")
    assert names(visit) == ["static/img/a.svg", "static/img/b.svg"]
    visit.page.get_by_role("link", name="Nobody refers to").click()

    assert status(visit) == "33 of 36 files, 1 to 25 shown"
    assert "static/robots.txt" not in names(visit)


def test_places_are_shown_when_they_are_asked_for(opened):
    visit = opened(report(FEW))
    row = visit.page.locator("#files-view").get_by_role("row").filter(has_text="2 places")
    row.get_by_text("2 places").press("Enter")

    expect(row).to_contain_text("templates/base.html:3")
    expect(row).to_contain_text("static/css/all.css:1")


def test_pages_turn_by_keyboard_and_the_focus_stays_where_it_is(opened):
    visit = opened(with_more())
    pages = visit.page.locator("#files-view").get_by_role("navigation")
    on = pages.get_by_role("button", name="Next")

    on.press("Enter")

    assert status(visit) == "30 files, 26 to 30 shown"
    expect(on).to_be_focused()
    expect(on).to_have_attribute("aria-disabled", "true")
    pages.get_by_role("button", name="Previous").press("Enter")
    assert status(visit) == "30 files, 1 to 25 shown"


# -- the treemap


def figures(visit: Visit) -> list[str]:
    return visit.page.locator("#bytes-view tbody th").all_inner_texts()


def test_folders_are_entered_and_left_by_keyboard(opened):
    visit = opened(report(FEW))
    view = visit.page.locator("#bytes-view")

    view.get_by_role("button", name="css", exact=True).press("Enter")

    assert figures(visit) == ["site.css", "all.css"]
    expect(view.locator("[aria-current]")).to_be_focused()
    view.get_by_role("button", name="static").press("Enter")
    assert figures(visit)[:2] == ["fonts/<", "css"]


def test_a_press_on_a_tile_enters_its_folder(opened):
    visit = opened(report(FEW[:2]))
    visit.page.locator(".chart").click(position={"x": 40, "y": 80})

    expect(visit.page.locator(".trail [aria-current]")).to_have_text("static/css")
    visit.page.locator(".chart").hover(position={"x": 40, "y": 80})

    expect(visit.page.locator(".told")).to_contain_text("site.css")
    assert visit.complaints == []


def test_bytes_are_shown_in_each_coding_by_folder_and_by_type(opened):
    visit = opened(report(FEW))
    view = visit.page.locator("#bytes-view")

    view.get_by_label("br", exact=True).check()
    view.get_by_label("type").check()

    assert figures(visit) == ["Fonts", "Style sheets", "Images", "Documents"]
    row = view.get_by_role("row").filter(has_text="Style sheets")
    expect(row).to_contain_text("7.4 kB, 78%")
    expect(view.locator(".chart")).to_have_attribute(
        "aria-label", re.compile("Treemap of All types")
    )


def test_without_encodings_there_is_nothing_to_switch(opened):
    plain = tuple(replace(one, encoded={}) for one in FEW)
    visit = opened(replace(report(plain), codecs=()))

    assert visit.page.get_by_role("radio").count() == 2
    assert visit.complaints == []


@pytest.mark.parametrize("files", [(), (file("static/empty.txt", 0),)], ids=["none", "empty"])
def test_without_a_byte_there_is_no_chart_and_no_complaint(opened, files):
    visit = opened(replace(report(files), problems=(), codecs=(), release=None))

    expect(visit.page.locator(".chart")).to_be_hidden()
    assert names(visit) == [one.path for one in files]
    assert visit.complaints == []


# -- for everybody


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bundle's folder, with npm's packages in it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("These tests need npm: install Node.js 20 or newer.", pytrace=False)
    folder = tmp_path_factory.mktemp("npm") / "bundle"
    shutil.copytree(HERE / "bundle", folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


# What reaches over the right edge of the part of the page that it is in.
OUTSIDE = """[...document.querySelectorAll("section, dl")].flatMap((part) => {
  const edge = part.getBoundingClientRect().right;
  const sticksOut = (element) => {
    const inside = document.createRange();
    inside.selectNodeContents(element);
    return [element, inside].some((one) => one.getBoundingClientRect().right > edge);
  };
  return [...part.querySelectorAll("*")].filter(sticksOut).map((element) => element.outerHTML);
})"""


@pytest.mark.npm
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1440])
def test_axe_finds_nothing_wrong_and_nothing_sticks_out(opened, packages, width, scheme):
    visit = opened(with_more(*FEW), viewport={"width": width, "height": 900}, color_scheme=scheme)
    visit.page.get_by_text("2 places").first.click()
    # As the developer tools would, since the page runs no scripts but its own.
    axe = (packages / "node_modules" / "axe-core" / "axe.min.js").read_text()
    visit.tools().send("Runtime.evaluate", {"expression": axe})

    found = visit.page.evaluate("axe.run({resultTypes: ['violations']})")

    wrong = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]
    assert wrong == [], json.dumps(wrong, indent=1)
    assert len(found["passes"]) > 20
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert visit.page.evaluate(OUTSIDE) == []


def test_the_colours_follow_the_system_while_the_page_is_open(opened):
    visit = opened(report(FEW), color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light, chart = visit.page.evaluate(background), visit.page.locator(".chart").screenshot()

    visit.page.emulate_media(color_scheme="dark")

    visit.until(f"{background} !== '{light}'")
    assert visit.page.locator(".chart").screenshot() != chart


def test_four_thousand_files_are_painted_before_they_are_drawn(opened):
    visit = opened(report(many(MANY)))

    painted = visit.page.evaluate(
        "performance.getEntriesByType('paint').map(({name, startTime}) => [name, startTime])"
    )
    print(f"painted with {MANY:,} files: {painted}")

    assert [name for name, _ in painted] == ["first-paint", "first-contentful-paint"]
    assert status(visit) == "4,000 files, 1 to 25 shown"
    assert visit.page.locator("tbody tr").count() < 100
    assert visit.complaints == []


# -- the chart library


@pytest.mark.npm
def test_the_chart_library_that_is_shipped_is_what_its_script_makes(packages, tmp_path):
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=packages, check=True)

    for name in ("echarts.js", "echarts.LICENSE", "echarts.NOTICE"):
        assert (tmp_path / name).read_bytes() == (HERE / "page" / name).read_bytes(), name
