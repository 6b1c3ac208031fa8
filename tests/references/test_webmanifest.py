"""What a web app manifest refers to: its images, and none of its pages."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_s3.building.references.reference import Found, rewrite
from flask_s3.building.references.webmanifest import find

# The manifest, what it names, the manifest with `/new` instead of it.
IMAGES = {
    "icon": (b'{"icons": [{"src": "a.png"}]}', ["a.png"], b'{"icons": [{"src": "/new"}]}'),
    "icons": (
        b'{"icons":[{"sizes":"1x1","src":"a.png"},\r\n{"src":"/b.png?v=1","purpose":"any"}]}',
        ["a.png", "/b.png"],
        b'{"icons":[{"sizes":"1x1","src":"/new"},\r\n{"src":"/new?v=1","purpose":"any"}]}',
    ),
    "screenshot": (
        b'{"screenshots": [{"src" : "a.png", "label": "b.png"}]}',
        ["a.png"],
        b'{"screenshots": [{"src" : "/new", "label": "b.png"}]}',
    ),
    "icon of a shortcut": (
        b'{"shortcuts": [{"url": "/b", "icons": [{"src": "a.png"}]}]}',
        ["a.png"],
        b'{"shortcuts": [{"url": "/b", "icons": [{"src": "/new"}]}]}',
    ),
    "icon of a file type": (
        b'{"file_handlers": [{"action": "/b", "icons": [{"src": "a.png"}]}]}',
        ["a.png"],
        b'{"file_handlers": [{"action": "/b", "icons": [{"src": "/new"}]}]}',
    ),
    "escaped slash": (
        b'{"icons": [{"src": "img\\/a.png?x\\u0026y"}]}',
        ["img/a.png"],
        b'{"icons": [{"src": "/new?x&y"}]}',
    ),
    "escaped letter": (
        b'{"icons": [{"src": "\\u00e4.png"}]}',
        ["ä.png"],
        b'{"icons": [{"src": "/new"}]}',
    ),
    "other scripts": (
        '{"name": "ä", "icons": [{"src": "ä.png"}]}'.encode(),
        ["ä.png"],
        '{"name": "ä", "icons": [{"src": "/new"}]}'.encode(),
    ),
    "quotes and brackets in texts": (
        b'{"name": "\\"}]\\\\", "icons": [{"label": "[{", "src": "a.png"}]}',
        ["a.png"],
        b'{"name": "\\"}]\\\\", "icons": [{"label": "[{", "src": "/new"}]}',
    ),
    "spaces around the URL": (
        b'{"icons": [{"src": " a.png?x\\n"}]}',
        ["a.png"],
        b'{"icons": [{"src": "/new?x"}]}',
    ),
    "byte order mark": (
        b'\xef\xbb\xbf{"icons": [{"src": "a.png"}]}',
        ["a.png"],
        b'\xef\xbb\xbf{"icons": [{"src": "/new"}]}',
    ),
    "bytes that are no UTF-8": (
        b'{"name": "\xe4", "icons": [{"src": "a.png"}]}',
        ["a.png"],
        b'{"name": "\xe4", "icons": [{"src": "/new"}]}',
    ),
}

NOTHING = {
    "pages": b'{"id": "a", "start_url": "a.html", "scope": "b/", "shortcuts": [{"url": "c.html"}]}',
    "actions": b'{"share_target": {"action": "a"}, "protocol_handlers": [{"url": "b?x=%s"}]}',
    "addresses elsewhere": b'{"icons": [{"src": "https://x.example/a.png"}, {"src": "data:,"}]}',
    "icons of a browser extension": b'{"manifest_version": 3, "icons": {"16": "a.png"}}',
    "icons of another shape": b'{"icons": "a.png", "screenshots": ["a.png", [{"src": "b.png"}]]}',
    "icon of another shape": b'{"icons": [{"src": ["a.png"]}, {"src": {"src": "b.png"}}, 1]}',
    "icons deeper down": b'{"a": {"icons": [{"src": "a"}]}, "b": [{"icons": [{"src": "c"}]}]}',
    "list": b'[{"icons": [{"src": "a.png"}]}]',
    "text": b'"src"',
    "number without end": b'{"a": %b, "icons": [{"src": "a.png"}]}' % (b"1" * 5000),
    "nesting without end": b"[" * 100_000,
}


@pytest.mark.parametrize(("data", "expected", "after"), IMAGES.values(), ids=IMAGES)
def test_an_installed_app_shows_its_renamed_images(data, expected, after):
    found = find(data).references
    assert [reference.path for reference in found] == expected
    assert rewrite(data, [(reference, b"/new") for reference in found]) == after


@pytest.mark.parametrize("data", NOTHING.values(), ids=NOTHING)
def test_what_is_no_image_stays(data):
    assert find(data) == Found()


@pytest.mark.parametrize(
    ("data", "line"), [(b"", 1), (b'{\n"icons": [{"src": "a.png"},]}', 2), (b"\n\n<html>", 3)]
)
def test_a_broken_manifest_is_told_by_its_line(data, line):
    assert find(data) == Found(broken=line)


def test_images_are_told_by_their_lines():
    found = find(b'{"icons": [\n{"src": "a.png"},\r\n{"src":\n"b.png"}]}')
    assert [reference.line for reference in found.references] == [2, 4]


NAMES = st.sampled_from(["icons", "screenshots", "shortcuts", "file_handlers", "src", "url", ""])
TEXTS = st.text(max_size=6) | st.sampled_from(["a.png", "/a.png?x#y", '\\"', "ä\n"])
VALUES = st.recursive(
    TEXTS | st.none() | st.integers(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(NAMES, values, max_size=4),
)


@settings(deadline=None)
@given(value=VALUES, ascii_only=st.booleans())
def test_no_manifest_is_garbled(value, ascii_only):
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    references = find(data).references
    assert all(left.stop <= right.start for left, right in pairwise(references))
    after = rewrite(data, [(reference, b"/new") for reference in references])
    assert [reference.path for reference in find(after).references] == ["/new"] * len(references)


@settings(deadline=None)
@given(data=st.binary())
def test_no_bytes_stop_it(data):
    find(data)
