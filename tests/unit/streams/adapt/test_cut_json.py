"""JSON that was cut off is made whole as far as it goes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapt.cut_json import made_whole

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=4), st.data())
def test_what_is_made_whole_is_json_with_nothing_that_was_not_there(value: dict[str, Any], data: st.DataObject) -> None:
    raw = json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode()
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    made = made_whole(cut)
    for each in made[-1:]:
        assert set(json.loads(each)) <= set(value)
    for each in made[:1]:
        assert set(json.loads(each)) <= set(value)


@pytest.mark.parametrize(
    ("cut", "made"),
    [
        (b'{"a": 1, "b": [{"c": "hal', [{"a": 1, "b": [{"c": "hal"}]}, {"a": 1}]),
        (b'{"a": 1, "b": "x\\u00', [{"a": 1, "b": "x"}, {"a": 1}]),
        (b'{"a": 1, "b": "x\xc3', [{"a": 1, "b": "x"}, {"a": 1}]),
        (b'{"a": [1, 2], "nam', [{"a": [1, 2]}]),
        (b'{"a": [1, {"b": 2}, 3', [{"a": [1, {"b": 2}]}]),
        (b'{"a": "not y', [{"a": "not y"}]),
        (b'{"a', []),
        (b"{", []),
        (b"[1, 2", []),
        (b'{"a": 1} and more', []),
        (b'{"a": 1]', []),
    ],
)
def test_as_far_as_it_goes(cut: bytes, made: list[Any]) -> None:
    assert [json.loads(each) for each in made_whole(cut)] == made
