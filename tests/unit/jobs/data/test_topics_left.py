"""What topics keep of somebody, in words."""

import pytest

from jobs.data.topics_left import TopicKept, kept_by, lines

DAY = 86_400_000


@pytest.mark.parametrize(
    ("configs", "line"),
    [
        ({"retention.ms": str(7 * DAY), "cleanup.policy": "delete"}, "is gone by 1970-01-08T00:00:00.000Z (7 days)"),
        ({"retention.ms": "-1", "cleanup.policy": "delete"}, "it keeps messages without end"),
        ({"retention.ms": str(DAY), "cleanup.policy": "compact,delete"}, "send one without a value under its key"),
        ({}, "it keeps messages without end"),
    ],
)
def test_how_long_a_topic_keeps_what_came(configs: dict[str, str | None], line: str) -> None:
    (found,) = lines([kept_by("t", configs)], 0, [])
    assert line in found


def test_source_says_that_what_waits_will_be_counted() -> None:
    kept = TopicKept("mail.events", DAY, compacted=False)
    (found,) = lines([kept], 0, ["mail.events"])
    assert found.endswith("what of it is not counted yet will be")
