"""Rules of the rate that Gmail reports: what they may say."""

from typing import Any

import pytest

from schemas.policy_rule import Levels, Rule


def rule(**fields: Any) -> Rule:
    said: dict[str, Any] = {"windows": ("7d",), "levels": Levels(watch=0.001, warning=0.003), **fields}
    return Rule(name="gmail", metric="reported_spam", **said)


def test_levels_are_ratios_without_a_minimum_volume() -> None:
    assert rule().thresholds == (0.001, 0.003)
    assert not rule().telling


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"windows": ("1h",)}, "windows: 1h is less than a day, and reported_spam is reported by day"),
        ({"min_volume": 100}, "min_volume: reported_spam is reported without a volume"),
        ({"levels": Levels(watch=3)}, "levels.watch: 3 is not a ratio"),
        ({"providers": ("gmail",)}, "providers: reported_spam is not known by provider"),
        ({"least_mail": 3}, "least_mail: reported_spam has none"),
    ],
)
def test_what_it_cannot_have_is_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        rule(**fields)
