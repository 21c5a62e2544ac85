"""Bodies of several JSON texts, however they are put together."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapt.json_parts import MAX_BROKEN, json_parts, one_message

TEXTS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers()), min_size=2, max_size=6)


@given(TEXTS, st.sampled_from(["", "\n", "\r\n", " ", ",\n", "\x1e"]), st.booleans())
def test_what_is_joined_is_taken_apart(records: list[dict[str, object]], between: str, ascii_only: bool) -> None:
    texts = [json.dumps(each, ensure_ascii=ascii_only).encode() for each in records]
    assert json_parts(between.encode().join(texts)) == texts
    assert json_parts(b"[" + b",".join(texts) + b"]") == texts
    assert json_parts(one_message(texts)) == texts


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b'{"a":1}', [b'{"a":1}']),
        (b"[1]\n[2, 3]", [b"1", b"2", b"3"]),
        (b'{"a":"}{"}{"b":2}', [b'{"a":"}{"}', b'{"b":2}']),
        (b'{"a": tru}{"b":2}', [b'{"a": tru}', b'{"b":2}']),
        (b'{"a":1}\n{"b":\n{"c":3}', [b'{"a":1}', b'{"b":', b'{"c":3}']),
        (b'oops\n{"c":3}\nmore', [b"oops", b'{"c":3}', b"more"]),
        (b'{"a":1}{"a":\xff}{"b":2}', [b'{"a":1}', b'{"a":\xff}', b'{"b":2}']),
        (b'[{"a":1},{"b"', [b'{"a":1}', b'{"b"']),
        (b'[{"a":1}, {"b": \\x}, {"c":3}]', [b'{"a":1}', b'{"b": \\x}', b'{"c":3}']),
        (b'[{"a":1},\r\n{b:2},\r\n{"c":3}]', [b'{"a":1}', b"{b:2}", b'{"c":3}']),
        (b'[{"a":1},{"b":"\t"},{"c":3}]', [b'{"a":1}', b'{"b":"\t"}', b'{"c":3}']),
        (b'[{"a":1},{"b":NaN},{"c":3},]', [b'{"a":1}', b'{"b":NaN}', b'{"c":3}']),
        (b'[{"a":1},{"b":"\\ud800"},{"c":3}]', [b'{"a":1}', b'{"b":"\\ud800"}', b'{"c":3}']),
        (b'[{"a":1},{"b":{"x":1},{"c":3}]', [b'{"a":1}', b'{"b":{"x":1}', b'{"c":3}']),
        (b'[{"a":1},{"b":1}},{"c":3}]', [b'{"a":1}', b'{"b":1}', b"}", b'{"c":3}']),
        (b'{"a":1}{"b":"cut o{"c":3}{"d":4}', [b'{"a":1}', b'{"b":"cut o', b'{"c":3}', b'{"d":4}']),
        (b'{"a":{"x":tru{"c":3}', [b'{"a":{"x":tru', b'{"c":3}']),
        (b"", [b""]),
    ],
)
def test_what_is_broken_is_a_part(body: bytes, parts: list[bytes]) -> None:
    assert json_parts(body) == parts


def test_part_over_several_lines_is_put_on_one() -> None:
    assert one_message([b'{\n"a": 1\n}', b"{\nb"]) == b'{"a":1}\n{ b'


def test_search_ends_where_all_is_broken() -> None:
    assert len(json_parts(b'{"a":[1}' * 50_000)) == MAX_BROKEN + 1
