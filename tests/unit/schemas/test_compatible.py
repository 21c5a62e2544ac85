"""The schemas of topics against those of the last release: who reads or writes them need not follow each release.

A change that breaks somebody needs a new topic, or a major version and then `python -m tests.support.schema_fields`.
"""

from typing import Any

import pytest

from tests.support.schema_fields import WRITTEN_BY_OTHERS, breaks, current, fields, released

NOW, BEFORE = current(), released()
TYPED: dict[str, Any] = {"type": "object", "properties": {"rate": {"type": "number"}}, "required": ["rate"]}


def test_no_topic_is_gone() -> None:
    assert BEFORE.keys() - NOW.keys() == set()


@pytest.mark.parametrize("topic", BEFORE)
def test_topic_breaks_nobody_who_relies_on_it(topic: str) -> None:
    assert breaks(BEFORE[topic], NOW[topic], written_by_others=topic in WRITTEN_BY_OTHERS) == []


@pytest.mark.parametrize(
    ("changed", "of_readers", "of_writers"),
    [
        (TYPED, [], []),
        ({**TYPED, "properties": {}, "required": []}, [".rate is gone"], [".rate is gone"]),
        (
            {**TYPED, "properties": {"rate": {"type": "string"}}},
            [".rate may be string now"],
            [".rate no longer takes number"],
        ),
        ({**TYPED, "required": []}, [".rate may be missing now"], []),
        (
            {**TYPED, "properties": {**TYPED["properties"], "more": {"type": "string"}}, "required": ["rate", "more"]},
            [],
            [".more is new and must be given"],
        ),
        ({**TYPED, "properties": {**TYPED["properties"], "more": {"type": "string"}}}, [], []),
        (
            {**TYPED, "properties": {"rate": {"anyOf": [{"type": "number"}, {"type": "null"}]}}},
            [".rate may be null now"],
            [],
        ),
    ],
)
def test_field_that_is_gone_retyped_or_missing_is_noticed(
    changed: dict[str, Any], of_readers: list[str], of_writers: list[str]
) -> None:
    before = fields(TYPED)
    assert breaks(before, fields(changed), written_by_others=False) == of_readers
    assert breaks(before, fields(changed), written_by_others=True) == of_writers


def test_field_within_a_list_or_behind_a_reference_is_looked_at() -> None:
    def schema(kind: str) -> dict[str, Any]:
        return {
            "properties": {"shares": {"type": "array", "items": {"$ref": "#/$defs/Share"}}},
            "$defs": {"Share": {"type": "object", "properties": {"part": {"type": kind}}}},
        }

    found = breaks(fields(schema("number")), fields(schema("integer")), written_by_others=True)
    assert found == [".shares[].part no longer takes number"]
