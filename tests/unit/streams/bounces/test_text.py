"""What is read out of a diagnostic takes work in proportion to its length, whatever strangers write into it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bounces import text as bounce_text
from streams.bounces.text import MAX_TEXT, _Words, code_in, hosts_in, mask, quoted_in, status_in
from tests.support.patterns import nested_quantifier

PATTERNS = {name: each for name, each in vars(bounce_text).items() if isinstance(each, re.Pattern)}


def test_no_repetition_stands_inside_another() -> None:
    assert len(PATTERNS) >= 5
    assert [name for name, each in PATTERNS.items() if nested_quantifier(each.pattern)] == []


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_no_pattern_lets_two_endless_repetitions_share_a_run(name: str) -> None:
    """Two of them side by side, over the same characters, could split a run in as many ways as it is long."""
    endless = [found.end() for found in re.finditer(r"(?<!\\)(?:[*+]|\{\d+,\})", PATTERNS[name].pattern)]
    parts = [PATTERNS[name].pattern[start:end] for start, end in zip([0, *endless], endless, strict=False)][1:]
    for between in parts:
        assert re.search(r"[|@:.-]|\\b", between), between


HURTFUL = (
    "a" * 5000,
    "a." * 3000,
    "@" * 5000,
    "a@" * 3000,
    "<" * 5000,
    "1" * 5000,
    "1." * 3000,
    "a:" * 3000,
    "a1-" * 2000,
    "abcdef-" * 1000,
    "host " * 2000,
    "host " + "a.b-" * 2000,
    "5.1." * 2000,
    "550" * 2000,
    " " * 5000,
    "#" * 5000,
    "\0" * 5000,
    "\ud800" * 100,
)


@pytest.mark.parametrize("text", HURTFUL, ids=[each[:6].encode(errors="replace").hex() for each in HURTFUL])
def test_text_made_to_hurt_is_cut_and_read(text: str) -> None:
    masked = mask(text)
    assert len(masked) <= MAX_TEXT
    for read in (code_in, status_in, hosts_in, quoted_in):
        read(masked)


@given(st.text(max_size=200))
def test_a_mask_is_masked_already(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=80))
def test_letter_case_and_white_space_make_no_other_mask(text: str) -> None:
    plain = "".join(each for each in text if each.lower().upper() == each.upper() and len(each.lower()) == 1)
    assert mask(f" {plain}\t\n") == mask(plain)
    if plain.isascii():
        assert mask(plain.upper()) == mask(plain)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("[AM7EUR03FT010.eop.example 2024-05-01T10:11:12Z 08DC66B0C5D1]", "[DB5EUR01FT099.eop.example # 07AB66C9E8]"),
        ("id 1abcDE-0006xy-2k refused", "id 9zyxWV-00AbCd-Q7 refused"),
        ("y13si1773519pll.31 - gsmtp", "a2-20020a170902d4b2.7 - gsmtp"),
    ],
)  # fmt: skip
def test_ids_of_large_hosts_are_masked(left: str, right: str) -> None:
    assert re.sub(r"\w*#\w*", "#", mask(left)) == re.sub(r"\w*#\w*", "#", mask(right))


@given(st.lists(st.text("abfgz019.-:@_#[", max_size=24), max_size=12))
def test_a_word_is_masked_alike_whatever_was_masked_before(words: list[str]) -> None:
    lasting = _Words()
    for word in words:
        assert lasting[word] == _Words()[word]


@pytest.mark.parametrize("word", ["2025-01-01T10:11:12.example", "2025-01-01T10.z", "2025-01-01T1:.x"])
def test_time_does_not_reach_over_a_dot_into_a_name(word: str) -> None:
    lasting = _Words()
    lasting[word.partition(".")[2]]
    assert lasting[word] == _Words()[word]


def test_host_whose_end_is_known_is_masked_like_a_new_one() -> None:
    lasting = _Words()
    for number in range(3):
        assert lasting[f"[AM{number}EUR03FT045.mail.protection.outlook.com"] == "[#.mail.protection.outlook.com"
    assert (lasting["0.2.1"], lasting["192.0.2.1"]) == ("0.2.1", "#")
    assert lasting["mail.protection.outlook.com"] == "mail.protection.outlook.com"
