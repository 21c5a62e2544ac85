"""The line of each key: the same keys that tomllib reads, each where it stands."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import policy
from schemas.toml_lines import Path, line_of, lines

#: Each text with where its parts are.
PLACES: dict[str, tuple[str, dict[Path, int]]] = {
    "keys and tables": (
        'a = 1\n\n# note\n[b]\n  c = "x" # [d]\n[b.d]\ne = 2\n',
        {("a",): 1, ("b",): 4, ("b", "c"): 5, ("b", "d"): 6, ("b", "d", "e"): 7},
    ),
    "list over several lines": (
        "a = [\n  1, # one, [\n\n  2,\n]\nb = 3\n",
        {("a",): 1, ("a", 0): 2, ("a", 1): 4, ("b",): 6},
    ),
    "lists in lists": (
        "a = [[1],\n[], [2,\n3]]\n",
        {("a",): 1, ("a", 0): 1, ("a", 0, 0): 1, ("a", 1): 2, ("a", 2): 2, ("a", 2, 0): 2, ("a", 2, 1): 3},
    ),
    "inline table": (
        'a = { b = 1, "c d" = { e = 2 } }\n',
        {("a",): 1, ("a", "b"): 1, ("a", "c d"): 1, ("a", "c d", "e"): 1},
    ),
    "tables in a list": (
        "[[a]]\nb = 1\n[a.c]\nd = 2\n\n[[a]]\nb = 3\n[[a.e]]\nf = 4\n[[a.e]]\nf = 5\n",
        {
            ("a",): 1, ("a", 0): 1, ("a", 0, "b"): 2, ("a", 0, "c"): 3, ("a", 0, "c", "d"): 4, ("a", 1): 6,
            ("a", 1, "b"): 7, ("a", 1, "e"): 8, ("a", 1, "e", 0): 8, ("a", 1, "e", 0, "f"): 9, ("a", 1, "e", 1): 10,
            ("a", 1, "e", 1, "f"): 11,
        },
    ),
    "dotted and quoted keys": (
        "a.b . 'c.d' = 1\n\"e\\u0041\" = 2\n",
        {("a",): 1, ("a", "b"): 1, ("a", "b", "c.d"): 1, ("eA",): 2},
    ),
    "long strings hide what is in them": (
        'a = """\n[x]\ny = 1 \\""" # "" \n"""""\nb = \'\'\'\n[[z]]\n\'\'\'\nc = 1\n',
        {("a",): 1, ("b",): 5, ("c",): 8},
    ),
    "strings with brackets and hashes": (
        "a = ['#', \"]\", \"\\\"\"]\nb = '}'\n",
        {("a",): 1, ("a", 0): 1, ("a", 1): 1, ("a", 2): 1, ("b",): 2},
    ),
    "a date with a space": ("a = 1979-05-27 07:32:00\nb = [1979-05-27]\n", {("a",): 1, ("b",): 2, ("b", 0): 2}),
    "windows line ends": ("a = 1\r\n[b]\r\nc = 2\r\n", {("a",): 1, ("b",): 2, ("b", "c"): 3}),
    "nothing": ("# only a note", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES)
def test_every_key_and_element_has_its_line(case: str) -> None:
    text, places = PLACES[case]
    assert lines(text) == places


def paths(value: Any, path: Path = ()) -> set[Path]:
    """The way to each part of plain data."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path} - {()} | {each for key, part in parts for each in paths(part, (*path, key))}


def test_default_policy_is_read_in_full() -> None:
    text = policy.default_file().read_text(encoding="utf-8")
    found = lines(text)
    assert set(found) == paths(tomllib.loads(text))
    assert all(str(path[-1]) in text.split("\n")[line - 1] for path, line in found.items() if isinstance(path[-1], str))


KEYS = st.sampled_from(["a", "b-1", '"x y"', "'#'", "c.d", '"[" . e'])
VALUES = st.recursive(
    st.sampled_from(["1", "-0.5", "true", '"a # ] } b"', "'x'", '"""y\n[z]\n"""', "2026-01-01T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: f"[ {', '.join(each)} ]")
        | st.lists(inner, min_size=1, max_size=3).map(lambda each: "[\n" + ", # n\n".join(each) + ",\n]")
        | st.lists(st.tuples(KEYS, inner), max_size=3, unique_by=lambda pair: pair[0]).map(
            lambda each: "{ " + ", ".join(f"{key} = {value}" for key, value in each) + " }"
        )
    ),
    max_leaves=8,
)
LINES = st.lists(
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}")
    | KEYS.map(lambda key: f"[{key}]")
    | KEYS.map(lambda key: f"[[ {key} ]] # note")
    | st.just("# [a]"),
    max_size=10,
)


@given(LINES)
def test_same_keys_are_found_as_tomllib_reads(given_lines: list[str]) -> None:
    text = "\n".join(given_lines)
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(lines(text)) == paths(read)


def test_what_is_not_there_has_the_line_of_what_would_hold_it() -> None:
    known = lines("a = 1\n[[b]]\nc = 2\n")
    assert line_of(("b", 0, "d", "e"), known) == 2
    assert line_of(("x", 1), known) == 1
