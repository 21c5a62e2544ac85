"""What a case says of how a level ends."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from api.console.case.headline import headline
from api.explain.explanation import Explanation
from api.http.models.standing import Evidence, OpenAlert
from schemas.policy import load_policy
from tests.support.explained import NOW_MS, explained


def said(rule: str, window: str) -> list[str]:
    plain = msgspec.json.decode(msgspec.json.encode(explained()))
    plain["scopes"][0]["rules"][0] |= {"rule": rule, "metric": rule, "window": window}
    numbers: dict[str, Any] = {
        "numerator": 2,
        "denominator": 9,
        "rate": 0.2,
        "lower": 0.1,
        "upper": 0.3,
        "confidence": 0.9,
    }
    at = datetime(2026, 3, 12, tzinfo=UTC)
    alert = OpenAlert(
        alert_id="a1", rule=rule, metric=rule, level="critical", opened=at, changed=at, window=window, threshold=0.1,
        policy_version="p", explanation="", evidence=Evidence.model_construct(), held_since=None, **numbers,
    )  # fmt: skip
    found = headline(msgspec.convert(plain, Explanation), {"customer": [alert]}, load_policy(), NOW_MS)
    return [each.said for each in found.steps]


@pytest.mark.parametrize(
    ("rule", "window", "words"),
    [
        ("failure", "24h", "The level critical ends 30 minutes after the rate has fallen below 8.00 %."),
        ("critical_listing", "1h", "The level critical ends once the last 1h have had no listing for 30 minutes."),
    ],
)
def test_it_is_said_what_ends_a_level(rule: str, window: str, words: str) -> None:
    assert words in said(rule, window)


def left_at(level: str) -> list[str]:
    plain = msgspec.json.decode(msgspec.json.encode(explained(level)))
    first = plain["scopes"][0]["rules"][0]
    for rule, remaining, until in (("complaint", 9, "warning"), ("block", 5, "excessive"), ("exposure", 7, "critical")):
        allowance = {"remaining": remaining, "level": until, "window": "24h"}
        other = {"rule": rule, "metric": rule, "level": "good", "holding_level": "good", "alert": None}
        plain["scopes"][0]["rules"].append(first | other | {"allowance": allowance})
    found = headline(msgspec.convert(plain, Explanation), {}, load_policy(), NOW_MS)
    return [each.said.rpartition("by rule ")[2] for each in found.steps if " more " in each.said]


def test_what_is_left_is_said_of_levels_that_are_worse_than_the_present_one() -> None:
    assert left_at("good") == ["block", "exposure", "complaint"]
    assert left_at("warning") == ["block", "exposure"]
    assert left_at("excessive") == ["exposure"]
    assert left_at("critical") == []
