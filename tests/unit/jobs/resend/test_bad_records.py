"""Records that could not be read, grouped by reason."""

import pytest

from jobs.resend import bad_records
from jobs.resend.bad_records import BadRecord, BadRecords


def shown(*reasons: str) -> list[str]:
    bad = BadRecords()
    for line, reason in enumerate(reasons, start=1):
        bad.add(BadRecord(line, 1, reason))
    assert bad.count == len(reasons)
    return list(bad.lines())


def test_thousand_equal_ones_are_one_line() -> None:
    assert shown(*["no JSON"] * 1_000) == ["1,000 records, the first at line 1: no JSON"]


def test_numbers_and_quoted_texts_of_records_make_no_reason_of_their_own() -> None:
    assert shown("byte 1: '{' is none", "byte 22: 'it\\'s' is none", 'byte 3: "it\'s" is none') == [
        "3 records, the first at line 1: byte 1: '{' is none"
    ]


def test_names_of_fields_tell_reasons_apart_and_the_most_frequent_comes_first() -> None:
    assert shown("field `a` is missing", "field `b` is missing", "field `b` is missing") == [
        "2 records, the first at line 2: field `b` is missing",
        "line 1: field `a` is missing",
    ]


def test_place_in_an_array_is_said() -> None:
    assert str(BadRecord(1_234, 5_678, "why")) == "line 1,234, record 5,678: why"


def test_reasons_that_all_differ_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bad_records, "MOST_REASONS", 3)
    monkeypatch.setattr(bad_records, "SHOWN", 2)
    names = ["ant", "bee", "cat", "dog", "elk"]
    assert shown(*names) == ["line 1: ant", "line 2: bee", "3 more for other reasons"]
