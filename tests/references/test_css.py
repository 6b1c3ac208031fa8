"""References in CSS: which bytes are a reference, and that a rewrite touches nothing else.

In the cases, `<<` and `>>` stand around the bytes that are replaced.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_s3.building.references import css
from flask_s3.building.references.reference import Found, rewrite

_MARKED = re.compile(rb"<<(.*?)>>", re.DOTALL)
_NEW = b"img/new-1a2b.png"


def _case(name, marked, *paths):
    """Paths are given where they are not what is marked, with escapes undone."""
    return pytest.param(marked, paths or tuple(map(bytes.decode, _MARKED.findall(marked))), id=name)


FOUND = [
    # the function itself
    _case("unquoted", b"a{b:url(<<a.png>>)}"),
    _case("double quotes", b'a{b:url("<<a.png>>")}'),
    _case("single quotes", b"a{b:url('<<a.png>>')}"),
    _case("spaces in the parentheses", b'a{b:url( \t\n<<a.png>>\r\n )url( "<<b.png>>" )}'),
    _case("a space in quotes", b'a{b:url("<<a b(1).png>>")}'),
    _case("spaces around the URL in its quotes", b"a{b:url('<< a.png\t>>')}", "a.png"),
    _case("capitals", b'a{b:URL(<<a.png>>);c:uRl("<<b.png>>")}'),
    _case("several in a value", b"src:url(<<a.eot>>),url('<<b.woff>>') format('woff'),url(<<c>>)"),
    _case(
        "a query and a fragment stay", b"url(<<f.eot>>?#iefix)url('<<f.svg>>#font')url(<<f>>?v=1)"
    ),
    _case("above the folder, and from the root", b"url(<<../i/a.png>>)url(<</static/a.png>>)"),
    _case("percent-encoded", b"url(<<a%20b.png>>)"),
    _case("modifiers", b'url("<<a.png>>" crossorigin(anonymous))'),
    _case("no space before it", b"a{b:red url(<<a>>),url(<<b>>)/url(<<c>>)}"),
    _case("after a number and a dot", b"1.url(<<a>>)5%url(<<b>>)"),
    _case("in a custom property", b":root{--x:url(<<a.png>>);--y:{b:url(<<b.png>>)}}"),
    _case("in var()'s fallback", b"a{b:var(--x,url(<<a.png>>))}"),
    _case("minified after a string", b"a{content:'x'url(<<a.png>>)}"),
    _case("after a byte order mark", b"\xef\xbb\xbfa{b:url(<<a.png>>)}"),
    _case("comment marks inside a URL are part of it", b"url(<</*a*/b.png>>)url(<<a//b>>)"),
    _case("after an HTML comment's marks", b"<!-- a{b:url(<<a.png>>)} -->url(<<b.png>>)"),
    _case("not UTF-8", b"a{content:'\xe9';b:url(<<a.png>>)} /* \xe9 */ \xe9{b:url(<<b.png>>)}"),
    _case("beside NUL", b"\0 url(<<a.png>>)\0"),
    _case("behind IE's hacks", b"a{*zoom:1;width:0\\9;_b:url(<<a.png>>)\\9}b{c:url(<<b>>)}"),
    _case(
        "behind IE's filters",
        b"a{filter:progid:DXImageTransform.Microsoft.gradient(startColorstr='#80000000',"
        b"endColorstr='#80000000',src='x');filter:alpha(opacity=50);b:url(<<a.png>>)}",
    ),
    _case(
        "behind escaped class names", b".md\\:w-1\\/2,.\\'a,.\\\"b,.c\\(,.\\@d{b:url(<<a.png>>)}"
    ),
    _case("behind an unclosed parenthesis", b"a{b:calc(1;c:url(<<a.png>>)}"),
    # escapes
    _case("escaped letter", b"url(<<\\66oo.png>>)", "foo.png"),
    _case("six digits and a space", b"url(<<\\000066 a.png>>)", "fa.png"),
    _case("an escaped parenthesis", b"url(<<a\\(1\\).png>>)", "a(1).png"),
    _case("an escaped space", b"url(<<a\\ b.png>> )", "a b.png"),
    _case("digits, then CRLF", b"url(<<\\66\r\noo.png>>)", "foo.png"),
    _case("an escaped quote", b'url("<<a\\"b.png>>")', 'a"b.png'),
    _case(
        "an escaped newline",
        b'url("<<a\\\nb>>")url("<<c\\\r\nd>>")url("<<e\\\ff>>")',
        "ab",
        "cd",
        "ef",
    ),
    _case("digits, then a newline", b'url("<<\\66\noo.png>>")', "foo.png"),
    _case(
        "not a character",
        b"url(<<\\0>>)url(<<\\d800 a>>)url(<<\\110000>>)",
        "\ufffd",
        "\ufffda",
        "\ufffd",
    ),
    _case("NUL", b"url(<<a\0b>>)", "a\ufffdb"),
    _case("beyond ASCII", "url(<<é.png>>)url('<<\\e9.png>>')".encode(), "é.png", "é.png"),
    _case("a Latin-1 name", b"url(<<\xe9.png>>)", "\udce9.png"),
    _case("escapes in the function's name", b"\\75rl(<<a>>)u\\72 l('<<b>>')ur\\6C(<<c>>)\\u rl(d)"),
    # @import
    _case("imported string", b'@import "<<a.css>>";'),
    _case("imported url()", b"@import url(<<a.css>>);@import url('<<b.css>>');"),
    _case(
        "imported without a space", b"@import'<<a.css>>';@import\"<<b.css>>\";@import url(<<c>>)"
    ),
    _case(
        "imported with conditions",
        b'@import url("<<a.css>>") layer(x) supports(display:grid) screen;'
        b"@import '<<b.css>>' layer;@import\n'<<c.css>>'\nprint and (min-width: 1px);",
    ),
    _case("imported behind comments", b"@import/*x*/ /*'y'*/\n'<<a.css>>' /**/;"),
    _case("imported in capitals", b"@IMPORT '<<a.css>>';@Import URL(<<b.css>>);"),
    _case("imported by escapes", b"@\\69mport '<<a.css>>';@impor\\74 '<<b.css>>';"),
    _case("imported behind @charset", b"@charset \"utf-8\";@import '<<a.css>>';"),
    # functions whose strings are URLs
    _case("image-set()", b"image-set('<<a.png>>' 1x, \"<<b.png>>\" 2x)"),
    _case("prefixed image-set()", b"-webkit-image-set(url(<<a.png>>) 1x,url('<<b.png>>') 2x)"),
    _case("image-set() in capitals and escapes", b"Image-Set('<<a>>' 1x),image-s\\65t('<<b>>' 1x)"),
    _case(
        "type() in image-set()",
        b'image-set("<<a.avif>>" type("image/avif") 1x,url(<<b>>) type("image/png"),"<<c>>" 2x)',
    ),
    _case("gradients in image-set()", b"image-set(linear-gradient(red,blue) 1x,'<<a.png>>' 2x)'b'"),
    _case("comments in image-set()", b"image-set(/* ')' */'<<a.png>>' 1x)"),
    _case("image-set() that is not closed", b"a{b:image-set('<<a>>' 1x;c:'d'}[e='f']{}"),
    _case("image-set() in a function", b"cross-fade(image-set('<<a>>' 1x),url(<<b>>),50%)'c'"),
    _case("image()", b"image(ltr '<<a.png>>', red)"),
    _case("src()", b"src('<<a.png>>')src( /* ) */ \"<<b.png>>\" )SRC('<<c>>')"),
    # source maps
    _case("source map", b"a{}\n/*# sourceMappingURL=<<a.css.map>> */"),
    _case("source map, old and without spaces", b"/*@sourceMappingURL=<<a.css.map>>*/"),
    _case("source map of a file that ends there", b"/*# sourceMappingURL=<<a.css.map>>"),
    _case("source map has no escapes", b"/*# sourceMappingURL=<<a\\66.map>> */"),
    _case(
        "of source maps of parts the last",
        b"/*# sourceMappingURL=a.map */@import/*# sourceMappingURL=<<b.map>> */url(<<c.css>>);",
    ),
    # what ends with the file
    _case("the file ends in a URL", b"url(<<a.png>>"),
    _case("the file ends behind a URL", b"url(<<a.png>> "),
    _case("the file ends in a string", b"url('<<a.png>>"),
    _case("the file ends with a backslash in a string", b"url('<<a.png\\>>", "a.png"),
    _case("the file ends in a comment", b"url(<<a.png>>)/* url(b.png)"),
    # lines
    _case("behind a string that CR or FF ends", b"'a\rurl(<<b>>)'c\furl(<<d>>)'e\r\nurl(<<f>>)"),
    _case("behind an unpaired apostrophe", b"// don't\na{b:url(<<a.png>>)}"),
    _case("behind a broken URL", b"a{b:url(a b);c:url(a'b'\\) c)}d{e:url(<<a.png>>)}"),
    # at-rules that end
    _case("behind @namespace", b"@namespace x url(a);b{c:url(<<d>>)}"),
    _case("in @-moz-document", b"@-moz-document url(http://a/),url-prefix('b'){c{d:url(<<e>>)}}"),
    _case("in @supports", b"@supports(a:url(b)) and (c:image-set('d' 1x)){e{f:url(<<g>>)}}"),
    _case("in @media", b"@media(min-width:1px){a{b:url(<<c>>)}}"),
]

NOTHING = [
    _case("empty", b""),
    _case("no words", b"a{color:red}"),
    _case("in a comment", b"/* url(a.png) @import 'b.css'; */"),
    _case("in a comment of many stars", b"/***url(a)***/"),
    _case("in a string", b"a{content:\"url(a.png)\";b:'url(a.png)'}"),
    _case("in a string with escaped quotes", b"a{content:'\\'url(a)\\'url(b)'}"),
    _case("in a string over lines", b"a{content:'b\\\nurl(c)'}"),
    _case("a custom property's string", b"a{--b:'url.png';--c:\"image.png\"}"),
    _case("@namespace", b"@namespace url(http://a);@namespace url(b);@namespace svg 'url';"),
    _case("@namespace in capitals and escapes", b"@NAMESPACE url(a);@\\6e amespace url('b');"),
    _case("@charset", b'@charset "url";'),
    _case("@document", b"@document url(a),url('b'){}"),
    _case("a condition of @supports", b"@supports (background:url(a.png)){}"),
    _case("names and formats of fonts", b"@font-face{src:local('url'),local(url)}format('url')"),
    _case("attr()", b"a{b:attr(data-url);c:attr('url')}"),
    _case("attribute selectors", b"a[href='url(b)'],a[src=\"image.png\"]{}"),
    _case("elsewhere", b"url(http://a/b)url('//a/b')@import 'HTTPS://a/b';url(\"\\2f/a\")"),
    _case("data", b"url(data:image/png;base64,AA==)url(\"data:image/svg+xml,<svg xmlns='x'>\")"),
    _case("fragments and nothing", b"url(#a)url('#a')url()url('')url( )src('')@import '';"),
    _case("other functions that end like it", b"curl(a)-url(a)_url(a)5url(a)1e3url(a)my-src('a')"),
    _case("other functions that begin like it", b"url-prefix('a')url2(a)image-set2('a')"),
    _case("other functions by escapes", b"a\\:url(a)\\75\\75rl(a)c\\75rl(a)\\#url(a)5\\75rl(a)"),
    _case("hashes", b"#url(a)#\\75rl(a)#src('a')"),
    _case("at-keywords", b"@url(a)@x\\0 url(a)@import-x 'a'@ximport 'a'@import\\ 'a'"),
    _case("beyond ASCII before it", "éurl(a)\u00a0url(a)".encode()),
    _case("NUL before it", b"\0url(a)"),
    _case("an old filter's argument", b"a{filter:AlphaImageLoader(src='image.png')}"),
    _case("src() of a variable", b"src(var(--url))src(a.png)"),
    _case("strings of other functions", b"cross-fade('image',50%)my-image-set('a' 1x)image2('a')"),
    _case("strings behind image-set()", b"a{b:image-set(red)}[c='d']{content:'e'}"),
    _case("a string that is not what is imported", b"@import url(#a) supports(content:'b');"),
    _case(
        "URLs that are broken by a space, a quote or more", b"url(a b)url(a'b')url(a(b)url(a\x01)"
    ),
    _case("URLs that are broken by a newline", b"url('a\nb')@import 'a\r;image-set('a\f)"),
    _case("an escape that ends the file", b"url(a\\"),
    _case("a source map's data", b"/*# sourceMappingURL=a.map *//*# sourceMappingURL=data:a */"),
    _case("a comment on source maps", b"/* # sourceMappingURL=a *//*# sourceMappingURL=a b */"),
    _case("a source map of another language", b"//# sourceMappingURL=a.js.map"),
]


@pytest.mark.parametrize(("marked", "paths"), [*FOUND, *NOTHING])
def test_a_reference_is_found_and_nothing_else_is_rewritten(marked, paths):
    data = _MARKED.sub(rb"\1", marked)
    references = css.find(data).references
    assert tuple(reference.path for reference in references) == paths
    assert [data[each.start : each.stop] for each in references] == _MARKED.findall(marked)
    assert rewrite(data, [(each, _NEW) for each in references]) == _MARKED.sub(_NEW, marked)


@pytest.mark.parametrize(
    ("data", "rewritten"),
    [
        pytest.param(rb"url(\66.eot?#iefix)", b"url(N?#iefix)", id="plain query"),
        pytest.param(
            rb'url("\66?a=\22\29 b")', b'url("N?a=%22%29b")', id="query that needs escapes"
        ),
        pytest.param(rb"url(a\3f b#c\ d)", b"url(N?b#c%20d)", id="escaped question mark"),
        pytest.param(b"url('a?b\\\nc')", b"url('N?bc')", id="newline in the query"),
    ],
)
def test_query_and_fragment_survive_where_escapes_hide_them(data, rewritten):
    (reference,) = css.find(data).references
    assert rewrite(data, [(reference, b"N")]) == rewritten


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(b"a{}\nb{c:url(d e)}\nurl(f g)", 2, id="space in a URL"),
        pytest.param(b"\n\nurl({{ static('a.png') }})", 3, id="template"),
        pytest.param(b"\n@import 'a\n;", 2, id="unclosed import"),
        pytest.param(b"url('a\r\n)", 1, id="unclosed quote"),
        pytest.param(b"image-set('a\f 1x)", 1, id="unclosed string of image-set()"),
        pytest.param(b"url(a\\\nb)", 1, id="escaped newline without quotes"),
        pytest.param(b"content:'a\nurl(b)", None, id="no URL in the string"),
        pytest.param(b"@namespace url(a b);", None, id="nothing to fetch"),
        pytest.param(b"url(a", None, id="end of the file"),
    ],
)
def test_the_line_of_a_broken_url_is_told(data, line):
    assert css.find(data).broken == line


def test_lines_are_those_of_the_file():
    found = css.find(b"@import 'a';\r\n\nb{c:url(d)}/*\n*/e{f:url(g)\n}url(h)")
    assert [reference.line for reference in found.references] == [1, 3, 4, 5]


def test_the_source_map_is_told_apart_and_in_order():
    found = css.find(b"/*# sourceMappingURL=a.map */@import 'b';")
    assert [reference.path for reference in found.references] == ["a.map", "b"]
    assert found.source_map == found.references[0]
    assert css.find(b"url(a)").source_map is None


def test_a_style_element_is_read_where_it_stands():
    html = b"<p>url(a)'\n<style>@import 'b';\nc{d:url(e)}</style><p>'url(f)"
    start, stop = html.index(b"@"), html.index(b"</style>")
    found = css.find(html, start, stop)
    assert [(html[each.start : each.stop], each.line) for each in found.references] == [
        (b"b", 2),
        (b"e", 3),
    ]


@pytest.mark.parametrize("end", [b"url(a", b"url('a", b"@import 'a", b"/*# sourceMappingURL=a"])
def test_what_follows_a_style_element_is_no_part_of_it(end):
    (reference,) = css.find(end + b"bc')*/", 0, len(end)).references
    assert (reference.path, reference.stop) == ("a", len(end))


def test_what_precedes_a_style_element_is_no_part_of_it():
    assert css.find(b"xurl(a)", 1) == css.find(b" url(a)")
    assert css.find(b"\\url(a)", 1) == css.find(b" url(a)")


@pytest.mark.parametrize(
    "piece",
    [
        b"url(",
        b"url('",
        b'"\\"',
        b"\\a",
        b"/* ",
        b"@import/**/",
        b"image-set(",
        b"(",
        b"a\\:",
        b"*",
    ],
)
@pytest.mark.parametrize(
    "before", [b"url ", b"url(", b"url('", b"/*# sourceMappingURL=", b"@import"]
)
def test_a_long_line_takes_no_longer_than_its_length(before, piece):
    """Backtracking would take hours."""
    assert isinstance(css.find(before + piece * 20_000), Found)


_TOKENS = b"url( URL( src( image-set( @import @namespace @supports rl( /* */ # @ ?x a.png"
_PIECES = st.sampled_from(
    [
        *_TOKENS.split(),
        *(bytes([byte]) for byte in b"\"')(;{}\\ \n\r\f\0\xe9"),
        *(b"\\75 ", b"\r\n", b"\xc3\xa9", b"/*# sourceMappingURL="),
    ]
)
_SHEETS = st.lists(_PIECES | st.binary(max_size=3), max_size=20).map(b"".join)


def _same(path):
    """Returns the path with all that CSS would see in it percent-encoded."""
    return quote(path, safe="/%", errors="surrogateescape").encode()


def _files(found):
    return [
        unquote_to_bytes(each.path.encode("utf-8", "surrogateescape")) for each in found.references
    ]


@settings(max_examples=500, deadline=None)
@given(_SHEETS, st.integers(0, 20), st.integers(0, 60))
def test_any_bytes_are_read_and_a_rewrite_changes_no_other_reference(data, start, stop):
    stop = max(start, min(stop, len(data)))
    found = css.find(data, start, stop)
    offsets = [offset for each in found.references for offset in (each.start, each.stop)]
    assert offsets == sorted(offsets)
    assert all(start <= offset <= stop for offset in offsets)
    assert all(each.start < each.stop and each.path for each in found.references)
    edits = [(each, _same(each.path)) for each in found.references]
    again = css.find(rewrite(data[:stop], edits), start)
    assert _files(again) == _files(found)
    assert again.broken == found.broken
