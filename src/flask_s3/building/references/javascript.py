"""References in JavaScript: what it imports, what it finds beside itself, and its source map.

Sources: ECMA-262, "Scripts and Modules" and "String Literals"; HTML, "Resolving module specifiers"
(only `./`, `../` and `/` are paths, any other is looked up by name); ECMA-426, "Extraction methods
for JavaScript sources".
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from .reference import Found, Lines, made

if TYPE_CHECKING:
    from tree_sitter import Language, Node

# Where `import` and `export` may be keywords. A file without any is not parsed, which takes 80 ms a
# megabyte; in others only these places are looked up in the tree, for a query goes through all of
# it, which takes a third as long again. So nothing valid may be left out, and nothing is: a keyword
# never follows a string directly, nor does a declaration an operator; up to its first string or
# comment, an import has only names, braces, commas and stars. Any byte of another script may be
# white space. Both begin with a literal, which `re` finds ten times as fast; what cannot precede it
# is looked at after it.
_IMPORT = re.compile(
    rb"""import(?<![\w$#@"'`]import)(?=
        \s*(?:\(|\.\s*[a-z/\x80-\xff]|/[/*]|[\x80-\xff])
        |(?<![-.:]import)(?![\w$])(?:(?!\bimport\b)[\w$\s{},*\\\x80-\xff])*(?:["']|/[/*])
    )""",
    re.VERBOSE,
)
_EXPORT = re.compile(
    rb"""export(?<![-.:\w$#@"'`]export)(?=
        \s*(?:[{*@\x80-\xff]|/[/*])
        |\s+(?:default|const|let|var|function|class|async|using|await)\b
    )""",
    re.VERBOSE,
)

# None of the characters that end a string, a template or a block comment.
_MAPPING = rb"""[#@]\s*sourceMappingURL=(?P<url>[^\s'"`*]+)\s*"""
_SOURCE_MAP = re.compile(rb"/(?:/|(?P<block>\*))%b(?(block)\*/)" % _MAPPING)
_LAST_LINE = re.compile(rb"\s*//%b" % _MAPPING)

_RELATIVE = re.compile(r"(?!//)\.{0,2}/")
_WORKER = re.compile(rb"(?:^|\.)(?:(?:Shared)?Worker|serviceWorker\??\.register)\Z")
# What leaves a URL itself, or makes it a text: `(…)`, `.href`, `.toString()`.
_SAME_URL = ("parenthesized_expression", "member_expression", "call_expression")

_HEX = "[0-9A-Fa-f]"
_ESCAPE = re.compile(
    rf"\\(?:(?:u\{{0*(10{_HEX}{{4}}|{_HEX}{{1,5}})\}}|u({_HEX}{{4}})|x({_HEX}{{2}}))"
    r"|([0-3][0-7]{0,2}|[4-7][0-7]?)|(\r\n|[\s\S]))"
)
_SINGLE = dict(zip("bfnrtv", "\b\f\n\r\t\v", strict=True)) | dict.fromkeys(
    ("\r\n", "\n", "\r", "\u2028", "\u2029"), ""
)


class _Url(NamedTuple):
    """A literal URL: its bytes inside the quotes, and what they mean."""

    start: int
    stop: int
    text: str
    own_origin: bool = False


class _Read(NamedTuple):
    """What a script says, by offsets in it."""

    urls: tuple[_Url, ...] = ()
    computed: tuple[str, ...] = ()
    source_map: _Url | None = None
    broken: int | None = None
    module: bool = False


def find(data: bytes, start: int = 0, stop: int | None = None) -> Found:
    """Returns what a script or module refers to.

    Found are the paths in `import … from`, `export … from`, `import()`, `import.meta.resolve()` and
    `new URL(…, import.meta.url)`, and the last source map comment. Not found are paths that
    `new URL` and `resolve` get computed, and what is relative to the page: `new Worker("w.js")`.
    A script that can have none of these is not parsed, so that nobody learns whether it is broken.

    Args:
        data: the file.
        start: where the script begins in it.
        stop: the byte after the script; None for the end of the file.
    """
    read = _read(data[start:stop])
    lines = Lines(data)
    references = {
        url: made(
            data, start + url.start, start + url.stop, url.text, lines, own_origin=url.own_origin
        )
        for url in sorted({*read.urls, *filter(None, [read.source_map])})
    }
    return Found(
        tuple(filter(None, references.values())),
        references[read.source_map] if read.source_map else None,
        read.computed,
        None if read.broken is None else lines.at(start + read.broken),
        read.module,
    )


def _read(script: bytes) -> _Read:
    source_map = _last_line(script)
    keywords = [
        match.span() for pattern in (_IMPORT, _EXPORT) for match in pattern.finditer(script)
    ]
    if keywords or (not source_map and _SOURCE_MAP.search(script)):
        return _Syntax(script).read(keywords, source_map)
    return _Read(source_map=source_map)


def _last_line(script: bytes) -> _Url | None:
    """Returns the URL in a source map comment that is all of the last line.

    No parser is needed to know that it is one: a string, template or comment around it would have
    to be closed after it, which takes a character that this URL does not have.
    """
    position = script.rfind(b"sourceMappingURL=")
    begin = 1 + max(script.rfind(b"\n", 0, position), script.rfind(b"\r", 0, position))
    match = _LAST_LINE.fullmatch(script, begin)
    return _mapped(match) if match else None


def _mapped(match: re.Match[bytes]) -> _Url:
    return _Url(*match.span("url"), _decoded(match["url"]))


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


# -- syntax


@cache
def _language() -> Language:
    import tree_sitter  # noqa: PLC0415  (serving never parses)
    import tree_sitter_javascript  # noqa: PLC0415

    return tree_sitter.Language(tree_sitter_javascript.language())


def _parsed(script: bytes) -> Node:
    from tree_sitter import Parser  # noqa: PLC0415  (as above)

    return Parser(_language()).parse(script).root_node


def _errors(root: Node) -> list[tuple[int, int]]:
    """Returns the pieces that are against the grammar, in order and apart."""
    errors = []
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if node.is_error or node.is_missing:
            errors.append(node.byte_range)
        elif node.has_error:
            nodes += _understood(node)
    return sorted(errors)


def _understood(node: Node) -> list[Node]:
    """Returns what is in a node, less the escapes that a template may have after a tag.

    The grammar knows no tags; `String.raw` takes any escape.
    """
    in_template = node.type == "template_string"
    return [child for child in node.children if not (in_template and child.is_error)]


class _Syntax:
    """What a script says by its syntax; pieces that have none are left out of everything."""

    def __init__(self, script: bytes) -> None:
        self._script = script
        self._root = _parsed(script)
        self._errors = _errors(self._root)

    def read(self, keywords: Iterable[tuple[int, int]], source_map: _Url | None) -> _Read:
        """Returns what the script says.

        Args:
            keywords: where `import` and `export` may be keywords.
            source_map: what its last line says; None to look at every comment.
        """
        nodes = self._owners(keywords)
        declarations = nodes["import_statement"] + nodes["export_statement"]
        imported = [pair for node in nodes["import"] for pair in _called(node.parent)]
        located = self._located(nodes["meta_property"])
        # `import(new URL("./a.js", import.meta.url))` computes nothing that is not known.
        known = {taker.id for taker, _ in located if taker}
        return _Read(
            urls=(
                *filter(_is_path, self._urls(map(_source, declarations))),
                *filter(_is_path, self._urls(value for _, value in imported)),
                *(url._replace(own_origin=_is_worker(taker)) for taker, url in located),
            ),
            computed=tuple(
                self._beginning(value)
                for call, value in imported
                if call.id not in known and not self._urls([value])
            ),
            source_map=source_map or self._source_map(),
            broken=self._errors[0][0] if self._errors else None,
            module=bool(declarations or nodes["meta_property"]),
        )

    def _located(self, metas: Iterable[Node]) -> list[tuple[Node | None, _Url]]:
        """Returns the URLs that are made of import.meta, each with the call that takes it."""
        return [
            (_taker(call), url)
            for meta in metas
            for call, value in _called(_locator(meta))
            for url in self._urls([value])
            if call.type == "new_expression" or _is_path(url)
        ]

    def _is_broken(self, position: int) -> bool:
        index = bisect_right(self._errors, position, key=itemgetter(0)) - 1
        return index >= 0 and self._errors[index][1] > position

    def _owners(self, keywords: Iterable[tuple[int, int]]) -> dict[str, list[Node]]:
        """Returns what keywords belong to, by type; other types for those that are none."""
        owners = defaultdict(list)
        for start, stop in keywords:
            node = self._root.named_descendant_for_byte_range(start, stop)
            if node and not self._is_broken(start):
                owners[node.type].append(node)
        return owners

    def _urls(self, nodes: Iterable[Node | None]) -> list[_Url]:
        """Returns those expressions that are literals."""
        return [url for node in nodes if node and (url := self._literal(node))]

    def _literal(self, node: Node) -> _Url | None:
        start, stop = _literal_bytes(node)
        if stop != node.end_byte - 1:
            return None
        return _Url(start, stop, _unescaped(self._script[start:stop]))

    def _beginning(self, node: Node) -> str:
        while operand := _first_operand(node):
            node = operand
        start, stop = _literal_bytes(node)
        text = _unescaped(self._script[start:stop])
        return text if _RELATIVE.match(text) else ""

    def _source_map(self) -> _Url | None:
        """Returns the URL in the last source map comment."""
        for candidate in reversed([*_SOURCE_MAP.finditer(self._script)]):
            start = candidate.start()
            node = self._root.named_descendant_for_byte_range(start, start + 1)
            if node and node.type == "comment" and not self._is_broken(start):
                match = _SOURCE_MAP.fullmatch(self._script, *node.byte_range)
                if match:
                    return _mapped(match)
        return None


def _is_path(url: _Url) -> bool:
    return bool(_RELATIVE.match(url.text))


def _source(declaration: Node) -> Node | None:
    return declaration.child_by_field_name("source")


def _callee(call: Node | None) -> bytes:
    callee = call and (
        call.child_by_field_name("constructor") or call.child_by_field_name("function")
    )
    return (callee and callee.text) or b""


def _called(call: Node | None) -> list[tuple[Node, Node]]:
    """Returns a call with its first argument; nothing when there is none."""
    arguments = call and call.child_by_field_name("arguments")
    if not call or not arguments:
        return []
    return [(call, node) for node in arguments.named_children if node.type != "comment"][:1]


def _locator(meta: Node) -> Node | None:
    """Returns the call that makes a URL of an import.meta; None for any other use of it."""
    member = meta.parent
    user = member and member.parent
    match user and user.type, member and member.text:
        case "call_expression", b"import.meta.resolve":
            return user
        case "arguments", b"import.meta.url" if user and _callee(user.parent) == b"URL":
            return user.parent
    return None


def _taker(node: Node | None) -> Node | None:
    """Returns the call that takes a URL, or the same as a text, as its first argument."""
    while node and node.parent and node.parent.type in _SAME_URL:
        node = node.parent
    arguments = node and node.parent
    takers = _called(arguments.parent) if arguments and arguments.type == "arguments" else []
    return next((call for call, value in takers if value == node), None)


def _is_worker(call: Node | None) -> bool:
    """Returns whether a call starts a worker."""
    return bool(_WORKER.search(_callee(call)))


def _first_operand(node: Node) -> Node | None:
    operator = node.child_by_field_name("operator")
    return node.child_by_field_name("left") if operator and operator.type == "+" else None


def _literal_bytes(node: Node) -> tuple[int, int]:
    """Returns where the text is that a string or template begins with; nowhere for all else."""
    if node.type not in ("string", "template_string") or node.has_error:
        return node.end_byte, node.end_byte
    computed = (
        child.start_byte for child in node.named_children if child.type == "template_substitution"
    )
    return node.start_byte + 1, next(computed, node.end_byte - 1)


def _unescaped(raw: bytes) -> str:
    text = _decoded(raw)
    if "\\" not in text:
        return text
    # As UTF-16, as which JavaScript has it, halves of a character that are escaped singly meet.
    units = _ESCAPE.sub(_meaning, text).encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")


def _meaning(escape: re.Match[str]) -> str:
    *codes, octal, single = escape.groups()
    if octal:
        return chr(int(octal, 8))
    code = next(filter(None, codes), None)
    return chr(int(code, 16)) if code else _SINGLE.get(single, single)
