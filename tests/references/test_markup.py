"""What HTML and SVG refer to, to the byte: all that is fetched, and nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_s3.building.references.markup import find_html, find_svg
from flask_s3.building.references.reference import Found, Reference, rewrite

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">%b</svg>'


def paths(found: Found) -> list[str]:
    return [reference.path for reference in found.references]


def replaced(data: bytes, found: Found) -> bytes:
    return rewrite(data, [(reference, b"/new") for reference in found.references])


def own_origin(found: Found) -> list[str]:
    return [reference.path for reference in found.references if reference.own_origin]


# Each document has its paths between bars.
HTML = {
    "style sheet": b'<link rel="stylesheet" href="|a.css|">',
    "alternate style sheet": b'<link rel="alternate stylesheet" href="|a.css|">',
    "icon in capitals": b'<LINK REL="Shortcut ICON" HREF="|a.ico|">',
    "touch icon": b'<link rel="apple-touch-icon-precomposed" href="|a.png|">',
    "mask icon": b"<link rel=mask-icon href=|a.svg| color=red>",
    "manifest": b"<link rel=manifest href=|a.webmanifest|>",
    "preload": b"<link rel=preload href=|a.woff2| as=font>",
    "preloaded source set": b'<link rel=preload as=image imagesrcset="|a.png| 1x, |b.png| 2x">',
    "module preload": b"<link rel=modulepreload href=|a.js|>",
    "prefetch": b"<link rel=prefetch href=|a.js|>",
    "script": b'<script src="|a.js|"></script><img src=|b.png|>',
    "module": b'<script type="module" src="|a.js|"></script>',
    "script with a legacy type": b'<script type="application/x-javascript" src=|a.js|></script>',
    "script with a language": b'<script language="JavaScript" src=|a.js|></script>',
    "image": b'<img alt="" src="|img/a.png|">',
    "picture": b'<picture><source srcset="|a.avif|"><img src="|a.png|"></picture>',
    "video": b"<video src=|a.mp4| poster=|a.jpg|><source src=|a.webm|></video>",
    "audio": b'<audio src="|a.mp3|"></audio>',
    "subtitles": b'<video><track src="|a.vtt|"></video>',
    "image button": b'<input type=Image src="|a.png|">',
    "embed": b'<embed src="|a.pdf|">',
    "object": b'<object data="|a.svg|"></object>',
    "old background": b'<body background="|a.png|">',
    "style attribute": b"<p style=\"background: url('|a.png|') 0 0\">",
    "style attribute with escaped quotes": b'<p style="background: url(&quot;|a.png|&quot;)">',
    "style element": b"<style>@import '|a.css|'; p { background: url(|b.png|) }</style>",
    "inline script": b'<script>import("|./a.js|")</script>',
    "inline module": b'<script type=module>import a from "|./a.js|";</script>',
    "two scripts": b'<script>import("|./a.js|")</script><script>import("|./b.js|")</script>',
    "content of noscript": b"<noscript><img src=|a.png|></noscript>",
    "content of template": b"<template><img src=|a.png|></template>",
    # how attributes can be written
    "single quotes": b"<img src='|a.png|'>",
    "no quotes": b"<img src=|a.png| alt>",
    "no quotes before the end of the tag": b"<img src=|a.png|>",
    "spaces around the equals sign": b'<img src\n=\t"|a.png|">',
    "spaces around the URL": b'<img src=" |a.png|\n">',
    "slashes between attributes": b'<img/alt="x"/src="|a.png|"/>',
    "no space between attributes": b'<img alt="x"src="|a.png|">',
    "quote in an attribute's name": b'<p it\'s><img src="|a.png|">',
    "equals sign before a name": b'<img =x src="|a.png|">',
    "greater-than sign in a value": b'<img alt="a > b" src="|a.png|">',
    "attribute without value": b'<img hidden src="|a.png|">',
    "only the first of two": b'<img src="|a.png|" src="b.png">',
    "query and fragment": b'<img src="|a.svg|?v=1#part">',
    "escaped query": b'<img src="|a.png|?x=1&copy=2">',
    "root-relative": b'<img src="|/static/a.png|">',
    "percent-encoded": b'<img src="|a%20b.png|">',
    "other scripts": '<img src="|ä/日.png|">'.encode(),
    # where tags are
    "byte order mark": b'\xef\xbb\xbf<img src="|a.png|">',
    "carriage returns": b'<p>\r\n<img\r\nsrc="|a.png|">\r\n',
    "bytes that are no UTF-8": b'<p>\xe4</p><img src="|a.png|">',
    "doctype": b'<!DOCTYPE html><img src="|a.png|">',
    "comment that ends at once": b'<!--><img src="|a.png|">-->',
    "comment that ends with a hyphen": b'<!---><img src="|a.png|">-->',
    "comment that ends with a bang": b'<!-- --!><img src="|a.png|">-->',
    "processing instruction": b'<?php echo ?><img src="|a.png|">',
    "CDATA outside of SVG": b'<![CDATA[><img src="|a.png|">]]>',
    "less-than sign in text": b'a < b <3 <img src="|a.png|">',
    "after a script with a comment": b'<script><!-- \n--></script><img src="|a.png|">',
    "after a script in a script": b'<script><!--<script></script>--></script><img src="|a.png|">',
    "after a script with an odd comment": b'<script><!--><script></script><img src="|a.png|">',
    "after a title": b'<title><img src="b.png"></TITLE ><img src="|a.png|">',
    # SVG inside
    "inline SVG": b'<svg><image href="|a.png|"/><use xlink:href="|b.svg|#x"/></svg>',
    "paint": b'<svg><path fill="url(|a.svg|#x)" clip-path="url(#here)"/></svg>',
    "style in inline SVG": b"<svg><style><![CDATA[ p { mask: url(|a.png|) } ]]></style></svg>",
    "script in inline SVG": b'<svg><script href="|a.js|"/></svg><img src=|b.png|>',
    "HTML in inline SVG": b"<svg><foreignObject><img src=|a.png|></foreignObject></svg>",
    "after SVG that nobody ended": b"<svg><p><title><image href=b.png></title><img src=|a.png|>",
    "after SVG that its parent ended": b"<div><svg></div><title><p></title><img src=|a.png|>",
    "after SVG with an open title": b"<svg><title></svg><title><p></title><img src=|a.png|>",
    "after SVG in SVG": b"<svg><svg><path></svg></svg><script src=|a.js|></script>",
    # source sets
    "source set": b'<img srcset="|a.png| 1x, |b.png| 2x">',
    "source set without descriptors": b'<img srcset="|a.png|, |b.png|">',
    "source set with commas in URLs": b'<img srcset="|a,1.png| 100w, |b,2.png| 200w">',
    "source set without spaces": b'<img srcset="|a.png,b.png| 2x">',
    "source set with odd commas": b'<img srcset=" , |a.png| 1x,, |b.png|,, |c.png| ,">',
    "source set with parentheses": b'<img srcset="|a.png| f(1, b.png) 1x, |c.png| 2x">',
    "source set with a data URL": b'<img srcset="data:image/png;base64,AA 1x, |a.png| 2x">',
}

NOTHING = {
    "link to a page": b'<a href="a.html"></a><area href="b.html">',
    "frame": b'<iframe src="a.html"></iframe>',
    "form": b'<form action="a"><input type=text src=a.png><button formaction=b></form>',
    "quotation": b'<blockquote cite="a.html"></blockquote>',
    "canonical address": b'<link rel="canonical" href="a.html">',
    "other language": b'<link rel="alternate" hreflang="de" href="a.html">',
    "next page": b'<link rel="next prev search" href="a.html">',
    "host to connect to": b'<link rel="dns-prefetch preconnect" href="a.example">',
    "link without relation": b'<link href="a.css">',
    "shared image": b'<meta property="og:image" content="a.png">',
    "import map": b'<script type="importmap">{"imports": {"a": "./a.js"}}</script>',
    "data block": b'<script type="application/json" src="a.json">{"a": "./a.js"}</script>',
    "template in a script": b'<script type="text/x-template"><img src="a.png"></script>',
    "tag in a script": b'<script>x = "<img src=a.png>"</script>',
    "tag in a script's comment": b"<script><!--<script></script><img src=a.png>--></script>",
    "script beside a file": b'<script src="//x.example">import("./a.js")</script>',
    "script without an end": b'<script>x = "<img src=a.png>"',
    "style of another language": b'<style type="text/less">@import "a.css";</style>',
    "tag in a style": b"<style><img src=a.png></style>",
    "tag in a text field": b'<textarea><img src="a.png"></textarea>',
    "tag in a title": b'<title><img src="a.png"></title>',
    "tag in raw text": b"<xmp><img src=a.png></xmp><noembed><img src=a.png></noembed>",
    "tag in plain text": b"<plaintext><img src=a.png>",
    "tag in a comment": b'<!-- <img src="a.png"> -- > <img src="b.png"> -->',
    "conditional comment": b'<!--[if IE]><script src="a.js"></script><![endif]-->',
    "unclosed comment": b'<!-- <img src="a.png">',
    "tag in an attribute": b'<p title="<img src=a.png>">',
    "tag in CDATA": b"<svg><![CDATA[<image href=a.png />]]></svg>",
    "end tag": b'</img src="a.png">',
    "tag that the end cuts off": b'<img src="a.png"',
    "quote that the end cuts off": b'<img src="a.png><img src=b.png>',
    "space before the name": b'< img src="a.png">',
    "absolute": b'<img src="https://x.example/a.png"><img src="//x.example/a.png">',
    "data URL": b'<img src="data:image/png;base64,AA">',
    "fragment": b'<svg><use href="#a"/><path fill="url(#b)"/></svg>',
    "empty": b'<img src><img src=""><img src=" " srcset=" , ">',
    "SVG outside of SVG": b'<use href="a.svg#x"></use><path fill="url(a.svg#x)">',
    "HTML in SVG": b"<svg><video src=a.mp4></video><source srcset=a.png></svg>",
    "MathML": b"<math><script src=a.js></script><style>a { b: url(a.png) }</style></math>",
    "link in SVG": b'<svg><a href="a.html" xlink:href="b.html"></a></svg>',
    "UTF-16": b"\xff\xfe" + '<img src="a.png">'.encode("utf-16-le"),
    "file without bytes": b"",
}


# Where what is written is not what is meant: the document, what is meant, the document afterwards.
ESCAPED = {
    "escaped query": (
        b'<img src="a.png?x=1&amp;y=2">',
        ["a.png"],
        b'<img src="/new?x=1&amp;y=2">',
    ),
    "escaped letter": (b"<img src=&#x61;.p&#110;g>", ["a.png"], b"<img src=/new>"),
    "escaped ampersand": (b'<img src="a&amp;b.png#x">', ["a&b.png"], b'<img src="/new#x">'),
    "bare ampersand": (b'<img src="a&b.png?c&d">', ["a&b.png"], b'<img src="/new?c&d">'),
    "no reference before an equals sign": (
        b'<img src="a&amp;b.png?x&copy=1">',
        ["a&b.png"],
        b'<img src="/new?x&amp;copy=1">',
    ),
    "no reference before a letter": (
        b'<img src="a&ampb.png">',
        ["a&ampb.png"],
        b'<img src="/new">',
    ),
    "reference without semicolon": (b'<img src="a&amp">', ["a&"], b'<img src="/new">'),
    "unknown reference": (b'<img src="a&x;.png">', ["a&x;.png"], b'<img src="/new">'),
    "line break in a URL": (b'<img src="a\n.png">', ["a.png"], b'<img src="/new">'),
    "escaped space around a URL": (b'<img src="&#32;a.png">', ["a.png"], b'<img src="&#32;/new">'),
    "escaped source set": (
        b'<img srcset="a.png?x&amp;y 1x&comma; b&#x2e;png 2x">',
        ["a.png", "b.png"],
        b'<img srcset="/new?x&amp;y 1x&comma; /new 2x">',
    ),
    "escaped style": (
        b"<p style='a: url(&apos;a.png?x&amp;y&apos;); b: url(&#98;.png)'>",
        ["a.png", "b.png"],
        b"<p style='a: url(&apos;/new?x&amp;y&apos;); b: url(/new)'>",
    ),
    "quotes in a style that nobody ended": (
        b'<p style="a: url(&quota.png&quot)">',
        ["&quota.png&quot"],
        b'<p style="a: url(/new)">',
    ),
    "escaped style in SVG": (
        b"<svg><style>a { b: url(&quot;a.png&quot;) }<!-- url(b.png) --></style></svg>",
        ["a.png"],
        b"<svg><style>a { b: url(&quot;/new&quot;) }<!-- url(b.png) --></style></svg>",
    ),
    "script in CDATA": (
        b'<svg><script>//<![CDATA[\nif (a < b && c) import("./a.js")\n//]]></script></svg>',
        ["./a.js"],
        b'<svg><script>//<![CDATA[\nif (a < b && c) import("/new")\n//]]></script></svg>',
    ),
    "URL with markup in it": (
        b"<svg><style>a { b: url(a<!-- -->.png) url(c.png) }</style></svg>",
        ["c.png"],
        b"<svg><style>a { b: url(a<!-- -->.png) url(/new) }</style></svg>",
    ),
}

SVG_FILES = {
    "image": b'<image href="|a.png|"/>',
    "image by its old name": b'<image xlink:href="|a.png|"/>',
    "image with other prefixes": b'<ns0:image ns1:href="|a.png|"/>',
    "image in a filter": b'<filter><feImage href="|a.png|"/></filter>',
    "part of another file": b'<use href="|a.svg|#x"/>',
    "script": b'<script href="|a.js|"/><image href="|b.png|"/>',
    "inline script": b'<script type="text/javascript"><![CDATA[ import("|./a.js|") ]]></script>',
    "style": b"<style>@import '|a.css|'; a { b: url(|b.png|) }</style>",
    "style in CDATA": b"<style><![CDATA[ a { b: url(|a.png|) } /* </style> */ ]]></style>",
    "style without content": b'<style/><image href="|a.png|"/>',
    "style attribute": b'<g style="mask: url(|a.svg|#x)"/>',
    "paint": b'<g fill="url(|a.svg|#x) red" stroke="none" filter="url(&quot;|b.svg|#y&quot;)"/>',
    "cursor": b'<g cursor="url(|a.png|), auto"/>',
    "after a title": b'<title>a</title><image href="|a.png|"/>',
    "XHTML": b'<foreignObject><h:img src="|a.png|" srcset="|b.png| 2x"/></foreignObject>',
    "after CDATA": b'<text><![CDATA[<image href="b.png"/>]]></text><image href="|a.png|"/>',
}

SVG_NOTHING = {
    "link": b'<a href="a.svg"><path/></a>',
    "parts of itself": b'<use href="#a"/><g fill="url(#b)" style="mask: url(#c)"/>',
    "comment": b'<!-- <image href="a.png"/> -->',
    "processing instruction": b'<?x <image href="a.png"/> ?>',
    "text": b"<text>href style url(a.png) script src</text>",
    "data URL": b'<image href="data:image/png;base64,AA"/>',
    "base": b'<g xml:base="b/"><image href="a.png"/></g>',
    "nothing": b'<path d="M0 0h24v24H0z"/>',
}


def cut(marked: bytes) -> tuple[bytes, list[str], bytes]:
    """Returns a document without its bars, what is between them, and with `/new` instead of it."""
    pieces = marked.split(b"|")
    new = [b"/new" if index % 2 else piece for index, piece in enumerate(pieces)]
    return b"".join(pieces), [path.decode() for path in pieces[1::2]], b"".join(new)


@pytest.mark.parametrize("marked", HTML.values(), ids=HTML)
def test_a_page_loads_its_renamed_files(marked):
    data, expected, after = cut(marked)
    found = find_html(data)
    assert paths(found) == expected
    assert replaced(data, found) == after


@pytest.mark.parametrize("data", NOTHING.values(), ids=NOTHING)
def test_what_a_page_does_not_fetch_stays(data):
    assert find_html(data) == Found()


@pytest.mark.parametrize(("data", "expected", "after"), ESCAPED.values(), ids=ESCAPED)
def test_a_page_loads_files_whose_names_it_writes_with_escapes(data, expected, after):
    found = find_html(data)
    assert paths(found) == expected
    assert replaced(data, found) == after


@pytest.mark.parametrize("marked", SVG_FILES.values(), ids=SVG_FILES)
def test_a_drawing_loads_its_renamed_files(marked):
    data, expected, after = cut(SVG % marked)
    found = find_svg(data)
    assert paths(found) == expected
    assert replaced(data, found) == after


@pytest.mark.parametrize("data", SVG_NOTHING.values(), ids=SVG_NOTHING)
def test_what_a_drawing_does_not_fetch_stays(data):
    assert find_svg(SVG % data) == Found()


def test_a_drawing_loads_its_style_sheet():
    data = b'\xef\xbb\xbf<?xml version="1.0"?>\r\n<?xml-stylesheet href="a.css"?><svg/>'
    assert find_svg(data) == Found((Reference(49, 54, "a.css", 2),))


def test_entities_of_a_drawing_are_no_markup():
    doctype = b"<!DOCTYPE svg [ <!ENTITY a '<image href=\"a.png\"/>'> ]>"
    assert paths(find_svg(doctype + SVG % b'<image href="b.png"/>')) == ["b.png"]


@pytest.mark.parametrize(
    "base", [b'<base href="/app/">', b"<base target=x href=//x.example>"], ids=["path", "host"]
)
def test_a_page_with_a_base_is_left_alone(base):
    page = b'<link rel=stylesheet href=a.css>%b<img src="b.png"><style>a { b: url(c.png) }</style>'
    assert find_html(page % base) == Found()


def test_a_base_without_address_changes_nothing():
    assert paths(find_html(b'<base target=_blank href=""><img src=a.png>')) == ["a.png"]


def test_what_browsers_want_from_the_page_s_own_origin_is_told():
    page = (
        b"<video><track src=a.vtt></video>"
        b'<svg><use href="b.svg#x"/><linearGradient href="c.svg#x"/><g mask="url(d.svg#x)"/>'
        b'<image href="e.svg"/><g cursor="url(f.png)"/></svg>'
        b'<script>new Worker(new URL("./g.js", import.meta.url))</script>'
    )
    assert own_origin(find_html(page))[:4] == ["a.vtt", "b.svg", "c.svg", "d.svg"]
    assert own_origin(find_svg(SVG % b'<use href="a.svg#x"/><image href="b.svg"/>')) == ["a.svg"]


def test_lines_are_counted_in_styles_and_scripts_too():
    page = (
        b"<img\nsrc=a.png>\n<style>\n@import 'b.css';</style>\n<p style='\na: url(c.png)'>\n"
        b"<svg><style>/*&lt;*/\n@import 'd.css'</style></svg><script>\nimport('./e.js')</script>"
    )
    assert [reference.line for reference in find_html(page).references] == [2, 4, 6, 8, 9]


def test_a_broken_script_is_told_by_its_line():
    assert find_html(b"<p>\n<script type=module>\nimport './a.js'; import {</script>").broken == 3


def test_a_script_that_computes_what_it_imports_is_told():
    assert find_html(b"<script type=module>import('./lang/' + name)</script>").computed == (
        "./lang/",
    )


SNIPPETS = st.sampled_from(
    [
        *(cut(marked)[0] for marked in (*HTML.values(), *SVG_FILES.values())),
        *NOTHING.values(),
        *(b"<", b">", b'"', b"'", b"&", b"/", b"=", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?"),
        *(b"<svg>", b"</svg>", b"<script>", b"</script>", b"<style>", b"</style>", b"<title>"),
    ]
)


@pytest.mark.parametrize("find", [find_html, find_svg])
@settings(deadline=None)
@given(pieces=st.lists(SNIPPETS | st.binary(max_size=8), max_size=12))
def test_no_document_is_garbled(find, pieces):
    data = b"".join(pieces)
    found = find(data)
    spans = [(reference.start, reference.stop) for reference in found.references]
    assert all(start < stop for start, stop in spans)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    again = find(replaced(data, found))
    assert paths(again) == ["/new"] * len(spans)
