"""Source maps after their file was edited: each symbol is still found where it comes from."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_s3.building.references.reference import Reference, rewrite
from flask_s3.building.references.sourcemap import Edit, edits_of, shift

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


# -- a generator and a reader of source maps, as ECMA-426 has them


def vlq(number: int) -> str:
    rest = abs(number) << 1 | (number < 0)
    digits = ""
    while rest >= 32:
        digits += BASE64[rest % 32 + 32]
        rest //= 32
    return digits + BASE64[rest]


def numbers(segment: str) -> list[int]:
    values, value, place = [], 0, 0
    for digit in map(BASE64.index, segment):
        value += (digit % 32) << place
        place += 5
        if digit < 32:
            values.append(-(value >> 1) if value & 1 else value >> 1)
            value = place = 0
    return values


def mappings(lines: list[list[int]]) -> str:
    """Returns mappings of the columns of each line, each to an original line of its own."""
    return ";".join(
        ",".join(vlq(column - before) + "ACA" for before, column in pairwise([0, *columns]))
        for columns in lines
    )


def resolved(text: str) -> dict[tuple[int, int], tuple[int, ...]]:
    """Returns of each mapped line and column the source, line, column and name they come from."""
    origins = {}
    fields = [0, 0, 0, 0]
    for line, row in enumerate(text.split(";")):
        column = 0
        for segment in filter(None, row.split(",")):
            step, *steps = numbers(segment)
            column += step
            fields[: len(steps)] = map(sum, zip(fields, steps, strict=False))
            origins[line, column] = tuple(fields[: len(steps)])
    return origins


# -- a file with symbols whose position is easily found


def symbols(code: bytes) -> dict[str, tuple[int, int]]:
    """Returns the line and column in UTF-16 units of each `$name`."""
    return {
        symbol[0]: (line, len(text[: symbol.start()].encode("utf-16-le")) // 2)
        for line, text in enumerate(re.split("\r?\n", code.decode("utf-8-sig")))
        for symbol in re.finditer(r"\$\w+", text)
    }


def references(code: bytes) -> list[Reference]:
    """Returns the texts in double quotes, up to a question mark."""
    texts = re.finditer(rb'"([^"?]+)[^"]*"', code)
    return [Reference(*text.span(1), text[1].decode(), 1) for text in texts]


def mapped(code: bytes) -> bytes:
    places = list(symbols(code).values())
    columns = [[column for at, column in places if at == line] for line in range(places[-1][0] + 1)]
    return json.dumps({"version": 3, "sources": ["a"], "mappings": mappings(columns)}).encode()


def origins(code: bytes, source_map: bytes) -> dict[str, tuple[int, ...]]:
    found = resolved(json.loads(source_map)["mappings"])
    return {name: found[place] for name, place in symbols(code).items()}


FILES = {
    "one line": b'$a();import("./a.js");$b();$c()',
    "two on a line": b'$a("./a.js",$b,"./b.js?x");$c("c",$d)',
    "three lines": b'$a\n$b("./a.js");$c\n$d("./b.js");$e\n$f',
    "carriage returns": b'$a\r\n$b("./a.js");$c\r\n$d("./b.js");$e',
    "nothing before it on its line": b'$a\n\n\n"./a.js";$b\n$c',
    "nothing behind it": b'$a;"./a.js"\n$b',
    "other scripts": '$ä("ä😀","./😀.js",$b,"ß");$c'.encode(),
    "separators that end no line": '$a("\u2028\u2029\r","./a.js");$b\n$c'.encode(),
    "byte order mark": b'\xef\xbb\xbf$a("./a.js");$b\n$c',
}


@pytest.mark.parametrize("new", [b"./a-0123456789abcdef.js", b"", b"x"], ids=["long", "none", "x"])
@pytest.mark.parametrize("code", FILES.values(), ids=FILES)
def test_a_debugger_finds_each_symbol_after_paths_changed(code, new):
    source_map = mapped(code)
    changes = [(reference, new) for reference in references(code)]
    after = rewrite(code, changes)
    shifted = shift(source_map, edits_of(code, changes))
    assert origins(after, shifted) == origins(code, source_map)
    assert len(origins(after, shifted)) == code.count(b"$")


def test_a_query_that_is_written_anew_counts_too():
    code = rb'"a\x2ejs\x3fx",$b'
    changes = [(Reference(1, 13, "a.js", 1, suffix="?x"), b"new.js")]
    assert edits_of(code, changes) == (Edit(0, 13, -4),)
    assert rewrite(code, changes) == b'"new.js?x",$b'


def shifted(text: str, *edits: Edit) -> str:
    data = json.dumps({"version": 3, "mappings": text}).encode()
    return json.loads(shift(data, edits))["mappings"]


@pytest.mark.parametrize(
    ("delta", "columns"),
    [(5, [0, 10, 14, 25, 35]), (-8, [0, 10, 12, 12, 22]), (-10, [0, 10, 10, 10, 20])],
    ids=["longer", "shorter", "gone"],
)
def test_segments_inside_of_a_replaced_text_stay_in_it(delta, columns):
    before = mappings([[0, 10, 14, 20, 30]])
    assert shifted(before, Edit(0, 20, delta)) == mappings([columns])


def test_fields_beside_the_column_and_other_lines_stay_as_they_are_written():
    before = "AAAAA,SAACA,IAGDC;;EACD,EAEH,A;GAmgBnC"
    assert shifted(before, Edit(0, 9, 1), Edit(2, 4, 16)) == before.replace(
        "SAACA", "UAACA"
    ).replace("EAEH", "kBAEH")


def test_segments_out_of_order_are_shifted_by_where_they_are():
    before = mappings([[20, 5, 30]])
    assert resolved(shifted(before, Edit(0, 10, 3))) == resolved(mappings([[23, 5, 33]]))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"mappings":"AAAA,IAAA"}', b'{"mappings":"AAAA,KAAA"}'),
        (
            b'\xef\xbb\xbf{\r\n\t"file": "\xc3\xa4", "mappings" :\n "AAAA,IAAA" , "x": 1.0e2\n}\n',
            b'\xef\xbb\xbf{\r\n\t"file": "\xc3\xa4", "mappings" :\n "AAAA,KAAA" , "x": 1.0e2\n}\n',
        ),
        (
            rb'{"sourcesContent": ["\"mappings\":\"AAAA,IAAA\""], "mappings": "AAAA,IAAA"}',
            rb'{"sourcesContent": ["\"mappings\":\"AAAA,IAAA\""], "mappings": "AAAA,KAAA"}',
        ),
        (
            rb'{"x\"mappings": "AAAA,IAAA", "mappings": "AAAA,IAAA"}',
            rb'{"x\"mappings": "AAAA,IAAA", "mappings": "AAAA,KAAA"}',
        ),
        (rb'{"mappings": "AAAA,IAA\/"}', b'{"mappings": "AAAA,KAA/"}'),
    ],
    ids=["small", "written otherwise", "a map in a source", "a longer name", "escaped slash"],
)
def test_all_but_the_mappings_keeps_its_bytes(data, expected):
    assert shift(data, [Edit(0, 2, 1)]) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not JSON",
        b")]}'\n" + b'{"mappings": "AAAA,IAAA"}',
        b'["mappings", {"mappings": "AAAA,IAAA"}]',
        b'{"mappings": ["AAAA,IAAA"]}',
        b'{"mappings": "AAAA,ggg"}',
        b'{"mappings": "AAAA,,IAAA"}',
        b'{"mappings": "AAAA,!AAA"}',
        b'{"mappings": ""}',
        b'{"mappings": ";IAAA"}',
        rb'{"m\u0061ppings": "AAAA,IAAA"}',
        rb'{"mappings": "AAAA,\u0049AAA"}',
        b'{"x": {"mappings": "AAAA,IAAA"}, "mappings": "AAAA,IAAA"}',
        b'{"sections": [{"offset": {"line": 0, "column": 0}, "url": "a.map"}]}',
        b'{"sections": [{"offset": [0, 0], "map": {"mappings": "AAAA,IAAA"}}]}',
        b'{"sections": [%b], "x": {"offset": {"line": 0}}}'
        % b'{"map": {"mappings": "AAAA,IAAA"}, "offset": {"line": 0, "column": 0}}',
        b"\xff\xfe" + '{"mappings": "AAAA,IAAA"}'.encode("utf-16-le"),
        b"[" * 100_000,
    ],
)
def test_a_map_that_is_broken_or_not_understood_stays_as_it_is(data):
    assert shift(data, [Edit(0, 2, 1), Edit(9, 0, 1)]) == data


def index(*sections: tuple[int, int, str]) -> bytes:
    return json.dumps(
        {
            "version": 3,
            "sections": [
                {"offset": {"line": line, "column": column}, "map": {"mappings": text}}
                for line, column, text in sections
            ],
        }
    ).encode()


def test_an_index_of_source_maps_is_shifted_in_all_its_sections():
    before = index(
        (0, 0, mappings([[0, 10], [5]])),
        (1, 20, mappings([[0, 10, 20], [0, 5]])),
        (2, 50, mappings([[0]])),
        (7, 3, mappings([[0, 9]])),
    )
    # a text that ends at columns 15 and 35 of line 1, and one at 4 of line 2
    edits = [Edit(1, 15, 2), Edit(1, 35, -3), Edit(2, 4, 7)]
    assert shift(before, edits) == index(
        (0, 0, mappings([[0, 10], [5]])),
        (1, 22, mappings([[0, 10, 17], [0, 12]])),
        (2, 57, mappings([[0]])),
        (7, 3, mappings([[0, 9]])),
    )


def test_a_section_that_begins_inside_of_a_replaced_text_stays_in_it():
    before = index((0, 0, mappings([[0]])), (0, 18, mappings([[0, 10]])))
    after = index((0, 0, mappings([[0]])), (0, 15, mappings([[0, 8]])))
    assert shift(before, [Edit(0, 20, -5)]) == after


TOKENS = st.sampled_from(['"./a.js"', '"./😀b"', "ä", ";", "\n", "\r\n", "$"])


@settings(deadline=None)
@given(tokens=st.lists(TOKENS, max_size=20), new=st.binary(max_size=9).map(lambda b: b.hex()))
def test_a_debugger_finds_each_symbol_whatever_the_file(tokens, new):
    code = "".join(f"$s{nth} " if token == "$" else token for nth, token in enumerate(tokens))
    data = f"{code}\n$end".encode()
    changes = [(reference, new.encode()) for reference in references(data)]
    shifted_map = shift(mapped(data), edits_of(data, changes))
    assert origins(rewrite(data, changes), shifted_map) == origins(data, mapped(data))


@settings(deadline=None)
@given(data=st.binary() | st.text('{}[]":,;AIg mapinsetof0', max_size=80).map(str.encode))
def test_no_bytes_stop_it(data):
    shift(data, [Edit(0, 0, 3), Edit(1, 2, -1)])
