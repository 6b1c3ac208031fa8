"""References in JavaScript: each is found, at its exact bytes, and nothing that only looks so."""

from __future__ import annotations

import subprocess
import sys

import hypothesis
import pytest
from hypothesis import strategies as st

from flask_s3.building.references.javascript import find
from flask_s3.building.references.reference import Found, Reference, rewrite

_FOUND = {
    "import": (b'import x from "./a.js";', ["./a.js"]),
    "import of names": (b'import d, {a, b as c} from "../a.js"', ["../a.js"]),
    "import of a namespace": (b'import * as a from "/static/a.js"', ["/static/a.js"]),
    "import for its effect": (b"import './a.js'", ["./a.js"]),
    "import of JSON": (b'import x from "./a.json" with {type: "json"}', ["./a.json"]),
    "import of a name that is a string": (b'import {"a b" as c} from "./a.js"', ["./a.js"]),
    "import of a name that is a keyword": (b'import from from "./from.js"', ["./from.js"]),
    "deferred import": (b'import defer * as a from "./a.js"', ["./a.js"]),
    "import of a source": (b'import source a from "./a.wasm"', ["./a.wasm"]),
    "imports after each other": (b'import"./a.js";import"./b.js"', ["./a.js", "./b.js"]),
    "import with comments": (b'import/**/a/* " */from // "\n"./a.js"', ["./a.js"]),
    "import over lines": (b'import {\r\n  a,\r\n  b,\r\n} from "./a.js";\r\n', ["./a.js"]),
    "import with other white space": ('import\xa0a from\u2003"./a.js"'.encode(), ["./a.js"]),
    "import after other white space": ('1\xa0\nimport "./a.js"'.encode(), ["./a.js"]),
    "import of other script": ('import ä from "./a.js"'.encode(), ["./a.js"]),
    "export": (b'export {a, b as c} from "./a.js"', ["./a.js"]),
    "export of everything": (b'export * from "./a.js"', ["./a.js"]),
    "export of a namespace": (b'export * as a from "./a.js"', ["./a.js"]),
    "export of a namespace by a string": (b'export * as "a b" from "./a.js"', ["./a.js"]),
    "export of the default": (b'export {default} from "./a.js"', ["./a.js"]),
    "minified": (
        b'import{a as b}from"./a.js";import*as c from"./c.js";export*from"./e.js";export{b as d};',
        ["./a.js", "./c.js", "./e.js"],
    ),
    "dynamic import": (b'import("./a.js").then(a => a.run())', ["./a.js"]),
    "dynamic import in a module": (b'export const a = () => import("./a.js")', ["./a.js"]),
    "dynamic import of a template": (b"import(`./a.js`)", ["./a.js"]),
    "dynamic import of JSON": (b'import("./a.json", {with: {type: "json"}})', ["./a.json"]),
    "dynamic import with comments": (
        b'import(/* webpackChunkName: "./no.js" */ "./a.js")',
        ["./a.js"],
    ),
    "dynamic import after an operator": (b'a ? b :import("./a.js")', ["./a.js"]),
    "dynamic import that is spread": (b'[...import("./a.js")]', ["./a.js"]),
    "deferred dynamic import": (b'import.defer("./a.js")', ["./a.js"]),
    "in a substitution": (b'`import("./no.js") ${import("./a.js")}`', ["./a.js"]),
    "in a substitution in one": (b'`${`${import("./a.js")}`}`', ["./a.js"]),
    "after a template with any escape": (b'String.raw`\\u\\x`; import("./a.js")', ["./a.js"]),
    "after a regular expression": (b'a = /[/*`"]/; import("./a.js")', ["./a.js"]),
    "after a division": (b'a = b / c; import("./a.js"); d = e / f', ["./a.js"]),
    "after a countdown": (b'while (n --> 0) import("./a.js")', ["./a.js"]),
    "after an HTML-like comment": (b'<!-- import("./no.js")\nimport("./a.js")', ["./a.js"]),
    "after a hashbang": (b'#!/bin/node import("./no.js")\nimport "./a.js"', ["./a.js"]),
    "after a byte order mark": (b'\xef\xbb\xbfimport "./a.js"', ["./a.js"]),
    "beside Latin-1": (b'// caf\xe9\n"\xff";`\xff`;/\xff/\nimport "./a.js"', ["./a.js"]),
    "named in Latin-1": (b'import "./caf\xe9.js"', ["./caf\udce9.js"]),
    "named in UTF-8": ('import "./café.js"'.encode(), ["./café.js"]),
    "percent-encoded": (b'import "./a%20b.js"', ["./a%20b.js"]),
    "with a query": (b'import "./a.js?v=1#b"', ["./a.js"]),
    "file beside the module": (b'new URL("img/a.png", import.meta.url)', ["img/a.png"]),
    "its address": (b'new URL("./a.png", import.meta.url).href', ["./a.png"]),
    "its address by a template": (b"new URL(`a.png`, import.meta.url)", ["a.png"]),
    "its address with a comment": (
        b'new URL(/* @vite-ignore */ "a.png", import.meta.url)',
        ["a.png"],
    ),
    "its address resolved": (b'import.meta.resolve("./a.js")', ["./a.js"]),
}


def _paths(found: Found) -> list[str]:
    return [reference.path for reference in found.references]


@pytest.mark.parametrize(("script", "paths"), _FOUND.values(), ids=_FOUND)
def test_a_file_would_be_asked_for_by_its_old_name(script, paths):
    assert _paths(find(script)) == paths


@pytest.mark.parametrize("script", [script for script, _ in _FOUND.values()], ids=_FOUND)
def test_a_rewritten_script_differs_in_the_paths_alone(script):
    found = find(script)
    pieces = [script[: found.references[0].start]] if found.references else [script]
    for reference, following in zip(found.references, (*found.references[1:], None), strict=True):
        assert script[reference.start - 1 : reference.start] in (b'"', b"'", b"`")
        pieces += [b"NEW", script[reference.stop : following.start if following else None]]
    edits = [(reference, b"NEW") for reference in found.references]
    assert rewrite(script, edits) == b"".join(pieces)


_NOT_FOUND = {
    "name of a package": b'import a from "react"; import("react"); export * from "react"',
    "name of a package to resolve": b'import.meta.resolve("react")',
    "URL": b'import "https://example.com/a.js"; import "//example.com/a.js"; import "data:,"',
    "URL of its own": b'new URL("https://example.com/a.png", import.meta.url)',
    "URL that is beside the page": b'new URL("./a.png", location.href); new URL("./a.png")',
    "URL of another kind": b'new Other("./a.png", import.meta.url)',
    "URL that is a sum": b'new URL("./a/" + b, import.meta.url)',
    "URL that is computed": b"new URL(`./${a}`, import.meta.url)",
    "address that is resolved from a computed one": b'import.meta.resolve("./" + a)',
    "worker beside the page": b'new Worker("./w.js"); new SharedWorker("./w.js"); import.meta',
    "script beside the worker": b'importScripts("./a.js")',
    "service worker beside the page": b'navigator.serviceWorker.register("/sw.js")',
    "CommonJS": b'require("./a.js")',
    "comment": b'// import "./a.js"\n/* import("./a.js") */',
    "string": b"'import \"./a.js\"'; \"import('./a.js')\"",
    "string over lines": b"'\\\nimport \"./a.js\"'",
    "template": b"`import './a.js'; import('./a.js') ${a} import './a.js'`",
    "regular expression": b'/import("x")/; /[/*]import(".\\/a.js")/',
    "JSX": b'a = <div>import("./a.js")</div>',
    "method": b'a.import("./a.js"); a?.import("./a.js"); new a.import("./a.js")',
    "method of a class": b'class A { import(a = "./a.js") {} static import = "./a.js"; #import }',
    "method of an object": b'a = {import(a = "./a.js") {}, b: 1}; b = {import: "./a.js"}',
    "method from": b'Array.from("./a.js"); from("./a.js"); export {from}; "./a.js"',
    "longer name": b'imports("./a.js"); $import("./a.js"); reimport("./a.js"); import$("./a.js")',
    "label": b'from: "./a.js"',
    "no argument": b"import(); import(/* nothing */)",
    "nothing": b"",
}


@pytest.mark.parametrize("script", _NOT_FOUND.values(), ids=_NOT_FOUND)
def test_what_only_looks_like_a_reference_would_be_broken(script):
    assert find(script).references == ()


# -- escapes

_ESCAPED = {
    "hexadecimal": (rb'import "./\x61.js"', "./a.js", b'import "NEW"'),
    "four digits": (rb'import "./\u0061.js"', "./a.js", b'import "NEW"'),
    "braces": (rb'import "./\u{00061}.js"', "./a.js", b'import "NEW"'),
    "two halves": (rb'import "./\ud83d\ude00.js"', "./😀.js", b'import "NEW"'),
    "one half": (rb'import "./\ud83d.js"', "./\ufffd.js", b'import "NEW"'),
    "no character": (rb'import "./\u{110000}.js"', "./u{110000}.js", None),
    "octal": (rb'import("./\141\56js")', "./a.js", b'import("NEW")'),
    "needless": (rb'import "\.\/a.\js"', "./a.js", b'import "NEW"'),
    "line continuation": (b'import "./a\\\r\n.js"', "./a.js", b'import "NEW"'),
    "control": (rb'import "./a\tb.js"', "./ab.js", b'import "NEW"'),
    "in a template": (rb"import(`./a\`\u{62}.js`)", "./a`b.js", b"import(`NEW`)"),
    "query": (rb'import "./a.js\x3fb=\"c d"', "./a.js", b'import "NEW?b=%22c%20d"'),
    "query only": (rb'import "./a.js?b=\x22"', "./a.js", b'import "NEW?b=%22"'),
}


@pytest.mark.parametrize(("script", "path", "rewritten"), _ESCAPED.values(), ids=_ESCAPED)
def test_an_escaped_path_would_name_no_file(script, path, rewritten):
    [reference] = find(script).references
    assert reference.path == path
    if rewritten:
        assert rewrite(script, [(reference, b"NEW")]) == rewritten


# -- workers

_WORKERS = {
    "worker": b'new Worker(new URL("w.js", import.meta.url), {type: "module"})',
    "shared worker": b'new window.SharedWorker(new URL("w.js", import.meta.url))',
    "service worker": b'navigator.serviceWorker.register(new URL("w.js", import.meta.url))',
    "service worker, if any": b'a.serviceWorker?.register(new URL("w.js", import.meta.url))',
    "by its address": b'new Worker(new URL("w.js", import.meta.url).href)',
    "by its address as a text": b'new Worker((new URL("w.js", import.meta.url)).toString())',
    "with a comment": b'new Worker(/* a */ new URL(/* b */ "w.js", import.meta.url))',
}


@pytest.mark.parametrize("script", _WORKERS.values(), ids=_WORKERS)
def test_a_worker_of_another_origin_would_not_start(script):
    [reference] = find(script).references
    assert (reference.path, reference.own_origin) == ("w.js", True)


def test_a_resolved_worker_of_another_origin_would_not_start():
    [reference] = find(b'new Worker(import.meta.resolve("./w.js"))').references
    assert reference.own_origin


@pytest.mark.parametrize(
    "script",
    [
        b'new URL("a.png", import.meta.url)',
        b'load(new URL("a.png", import.meta.url))',
        b'new Worker(w, new URL("a.png", import.meta.url))',
        b'new NotAWorker(new URL("a.png", import.meta.url))',
        b'registry.register(new URL("a.png", import.meta.url))',
    ],
)
def test_what_is_no_worker_would_miss_the_bucket(script):
    [reference] = find(script).references
    assert not reference.own_origin


# -- computed imports

_COMPUTED = {
    "sum": (b'import("./lang/" + name + ".js")', ("./lang/",)),
    "template": (b"import(`./lang/${name}.js`)", ("./lang/",)),
    "template in a sum": (b'import(`../${a}` + "b")', ("../",)),
    "beginning of a name": (b'import("./lang-" + name)', ("./lang-",)),
    "from the root": (b'import("/static/" + name)', ("/static/",)),
    "with an escape": (rb'import("\x2e/lang/" + name)', ("./lang/",)),
    "variable": (b"import(x); import(name)", ("", "")),
    "variable first": (b"import(`${a}/b.js`); import(a + './b.js')", ("", "")),
    "choice": (b'import(a ? "./a.js" : "./b.js")', ("",)),
    "other operator": (b'import("./a" || b)', ("",)),
    "package": (b'import("lang/" + name); import("https://a/" + name)', ("", "")),
    "host": (b'import("//a/" + name)', ("",)),
    "URL": (b"import(new URL(a, import.meta.url))", ("",)),
    "nothing": (b'import("./a.js"); import("react"); import(`./b.js`)', ()),
    "known URL": (b'import(new URL("./a.js", import.meta.url).href)', ()),
    "known address": (b'import(import.meta.resolve("./a.js"))', ()),
    "a text": (b'`import(x)`; "import(x)"; a.import(x)', ()),
}


@pytest.mark.parametrize(("script", "beginnings"), _COMPUTED.values(), ids=_COMPUTED)
def test_files_that_a_module_computes_would_be_missing(script, beginnings):
    assert find(script).computed == beginnings


# -- source maps

_MAPPED = {
    "last line": (b"a()\n//# sourceMappingURL=a.js.map\n", "a.js.map"),
    "only line": (b"//# sourceMappingURL=a.js.map", "a.js.map"),
    "older": (b"a()\r\n//@ sourceMappingURL=a.js.map\r\n", "a.js.map"),
    "without a space": (b"a()\r//#sourceMappingURL=../a%20b.map", "../a%20b.map"),
    "behind code": (b"a() //# sourceMappingURL=a.js.map", "a.js.map"),
    "block": (b"a() /*# sourceMappingURL=a.js.map */", "a.js.map"),
    "before code": (b"//# sourceMappingURL=a.js.map\na()", "a.js.map"),
    "two": (b"//# sourceMappingURL=a.map\na()\n//# sourceMappingURL=b.map", "b.map"),
    "two, and code": (b"//# sourceMappingURL=a.map\na()\n//# sourceMappingURL=b.map\na()", "b.map"),
    "then one in a string": (b"//# sourceMappingURL=a.map\na('//# sourceMappingURL=b')", "a.map"),
    "of a module": (b"export {}\n//# sourceMappingURL=a.js.map", "a.js.map"),
    "after a string with two slashes": (
        b'a = "//"; //# sourceMappingURL=a.map',
        "a.map",
    ),
}


@pytest.mark.parametrize(("script", "path"), _MAPPED.values(), ids=_MAPPED)
def test_a_debugger_would_not_find_the_source_map(script, path):
    found = find(script)
    start = script.rindex(path.encode())
    line = script.count(b"\n", 0, start) + 1
    assert found.source_map == Reference(start, start + len(path), path, line)
    assert found.references == (found.source_map,)


_NOT_MAPPED = {
    "inline": b"//# sourceMappingURL=data:application/json;base64,e30=",
    "elsewhere": b"//# sourceMappingURL=https://example.com/a.js.map",
    "string": b'a = "//# sourceMappingURL=a.map"',
    "string at the start of a line": b'a = "\\\n//# sourceMappingURL=a.map"',
    "template": b"a = `\n//# sourceMappingURL=a.map`",
    "template that goes on": b"a = `\n//# sourceMappingURL=a.map\n`",
    "template with a substitution": b"a = `\n//# sourceMappingURL=${b}`",
    "comment in a comment": b"// a //# sourceMappingURL=a.map",
    "line in a comment": b"/*\n//# sourceMappingURL=a.map*/",
    "line in a comment that goes on": b"/*\n//# sourceMappingURL=a.map\n*/",
    "more than a URL": b"//# sourceMappingURL=a.map b",
    "no URL": b"//# sourceMappingURL=",
    "over two lines": b"//#\nsourceMappingURL=a.map",
    "other comment": b"// sourceMappingURL=a.map",
}


@pytest.mark.parametrize("script", _NOT_MAPPED.values(), ids=_NOT_MAPPED)
def test_what_generates_source_maps_would_be_broken(script):
    assert find(script) == Found()


def test_a_source_map_is_a_reference_in_its_place():
    found = find(b'//# sourceMappingURL=a.map\nimport "./a.js"')
    assert _paths(found) == ["a.map", "./a.js"]
    assert found.source_map == found.references[0]


# -- syntax errors

_BROKEN = {
    "between": (b'import "./a.js";\n) (;\nimport("./b.js")', 2),
    "in a path": (b'\nimport "./a\\u{zz}.js"', 2),
    "in a string without an end": (b'import("./a', 1),
    "what the grammar lacks": (b'import "./a.js"\nimport a from "./a.json" assert {b: "c"}\n', 2),
}


@pytest.mark.parametrize(("script", "line"), _BROKEN.values(), ids=_BROKEN)
def test_nobody_would_learn_that_a_script_was_not_understood(script, line):
    assert find(script).broken == line


def test_what_surrounds_a_syntax_error_would_ask_for_old_names():
    assert _paths(find(b'import "./a.js"\na = = 1\nimport("./b.js")')) == ["./a.js", "./b.js"]


def test_what_is_in_a_syntax_error_would_be_rewritten_by_guess():
    assert find(b'(import("./a.js"), ([{') == Found(broken=1)


@pytest.mark.parametrize("script", [b"import './a.js'", b"String.raw`\\u`; import('./a.js')"])
def test_what_is_right_would_be_called_broken(script):
    assert find(script).broken is None


# -- modules

_MODULES = {
    b'import "a"': True,
    b'export * from "a"': True,
    b"export {}": True,
    b"export{a as b}": True,
    b"export default 1": True,
    b"export async function a() {}": True,
    b"export class A {}": True,
    b"export/**/const a = 1": True,
    b"a = import.meta.url": True,
    b"a = import . meta": True,
    b'import("./a.js")': False,
    b"exports.a = 1; a.export = {}": False,
    b"// export default 1": False,
    b"'export {}'; `export {}`; /export {}/": False,
    b"new.target": False,
    b"": False,
}


@pytest.mark.parametrize(("script", "module"), _MODULES.items())
def test_a_module_would_be_taken_for_a_script(script, module):
    assert find(script).module == module


# -- regions

_PAGE = b'<p>import "./no.js"\n<script type=module>\nimport "./a.js"\n</script>\nimport("./no.js")'


def test_an_inline_script_would_have_the_offsets_and_lines_of_no_page():
    start, stop = _PAGE.index(b">\nimport") + 1, _PAGE.index(b"</script>")
    position = _PAGE.index(b"./a.js")
    expected = Reference(position, position + 6, "./a.js", 3)
    assert find(_PAGE, start, stop) == Found((expected,), module=True)


def test_the_source_map_and_error_of_an_inline_script_would_be_on_no_line_of_the_page():
    page = b"\n<script>\nimport 'a'; b = = 1\n//# sourceMappingURL=a.map\n</script>"
    found = find(page, page.index(b"\nimport"), page.index(b"</script>"))
    assert found.broken == 3
    assert found.source_map is not None
    assert found.source_map.line == 4


_SNIPPETS = (
    *(script for script, _ in _FOUND.values()),
    *_NOT_FOUND.values(),
    *(script for script, *_ in _ESCAPED.values()),
    *(script for script, _ in _COMPUTED.values()),
    *_NOT_MAPPED.values(),
    *(bytes([byte]) for byte in b"\"'`/\\*{}()[]$<>\n\r;\0"),
    b"${",
    b"import ",
    b"export ",
)
_SCRIPTS = st.lists(st.binary(max_size=8) | st.sampled_from(_SNIPPETS), max_size=12).map(b"".join)


@hypothesis.settings(deadline=None)
@hypothesis.given(_SCRIPTS, st.integers(0, 80), st.integers(0, 400))
def test_any_bytes_have_references_in_order_apart_and_inside_the_region(data, start, stop):
    found = find(data, start, stop)
    positions = [place for ref in found.references for place in (ref.start, ref.stop)]
    assert positions == sorted(positions)
    assert all(start <= position <= min(stop, len(data)) for position in positions)
    assert [data.count(b"\n", 0, ref.start) + 1 for ref in found.references] == [
        ref.line for ref in found.references
    ]


def test_serving_would_wait_for_a_parser():
    program = (
        "import sys; from flask_s3.building.references.javascript import find; find(b'a()');"
        "sys.exit(any('tree_sitter' in name for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
