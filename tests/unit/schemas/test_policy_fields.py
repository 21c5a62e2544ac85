"""Every field of a policy is checked, and what does not fit is named with its line."""

import pytest

from schemas.policy import Policy
from schemas.policy_check import mistakes
from schemas.policy_override import Override
from schemas.policy_rule import Rule

#: Each field that there is, on a line of its own.
EVERY_FIELD = """\
name = "ours"
windows = ["5m", "1h", "24h", "30d"]
confidence = 0.95
expired_is_failure = true
min_observable = 0.1
inactive_after = "24h"
scopes = ["customer", "stream", "class", "sub_account", "pool", "from", "plan"]
brake = { customers = 30, share = 0.1, minutes = 5 }

[[rules]]
name = "listings"
metric = "listing_count"
windows = ["24h"]
weights = ["critical", "minor"]
levels = { watch = 1 }
resolve_ratio = 0.9
hold_minutes = 10
cool_down_minutes = 20

[[rules]]
name = "attributed"
metric = "attributed_listing"
windows = ["24h"]
min_share = 0.6
levels = { watch = 1 }

[[rules]]
name = "burn"
metric = "failure_burn"
windows = ["5m", "1h"]
allowance = 0.05
period = "30d"
min_volume = 100
levels = { watch = 6 }

[[rules]]
name = "spike"
metric = "volume_spike"
windows = ["1h"]
factor = 3
levels = { watch = 6 }

[[rules]]
name = "domains"
metric = "new_from_domain"
windows = ["24h"]
least_mail = 50
levels = { watch = 2 }

[[rules]]
name = "blocked"
metric = "block"
windows = ["24h"]
providers = ["gmail", "other"]
levels = { watch = 0.1 }

[[overrides]]
customer = "acme"
stream = "news"
rule = "blocked"
levels = { warning = 0.5 }
min_volume = 50
reason = "agreed"
until = 2026-12-31T00:00:00Z

[[overrides]]
plan = "free"
rule = "blocked"
levels = { warning = 0.05 }
reason = "trial"
"""
FIELDS = [
    (number, line.partition(" = ")[0]) for number, line in enumerate(EVERY_FIELD.splitlines(), start=1) if " = " in line
]


def test_every_field_that_there_is_is_among_those_tried() -> None:
    there_are = {name for kind in (Policy, Rule, Override) for name in kind.__struct_fields__}
    assert {name for _, name in FIELDS} == there_are - {"rules", "overrides"}
    assert mistakes(EVERY_FIELD) == []


@pytest.mark.parametrize("wrong", ["[[1979-05-27]]", "{ x = 1 }", '"\\u0007 no such thing"', "-1"])
@pytest.mark.parametrize(("number", "field"), FIELDS)
def test_wrong_value_of_any_field_is_named_with_its_line_and_field_alone(number: int, field: str, wrong: str) -> None:
    if wrong.startswith('"') and field in ("name", "customer", "stream", "reason") and number != 11:
        return  # any text will do
    lines = EVERY_FIELD.splitlines()
    lines[number - 1] = f"{field} = {wrong}"
    found = mistakes("\n".join(lines))
    assert found
    assert {mistake.line for mistake in found} == {number}
    assert any(f"{field}" in mistake.said for mistake in found)


#: A line of that text, what stands there instead, and what is said of it.
MISFITS: dict[str, tuple[str, str, str]] = {
    "weight twice": (
        'weights = ["critical", "minor"]',
        'weights = ["minor", "minor"]',
        "rule listings: weights: minor is given twice",
    ),
    "weight that is none": (
        'weights = ["critical", "minor"]',
        'weights = ["critical", "small"]',
        "rule listings: weights[1]: there is no 'small'; there are critical, informational, major, minor",
    ),
    "cool-down that is too long": (
        "cool_down_minutes = 20",
        "cool_down_minutes = 43201",
        "rule listings: cool_down_minutes: must be at most 43,200",
    ),
    "share above 1": (
        "min_share = 0.6",
        "min_share = 60",
        "rule attributed: min_share: must be at most 1",
    ),
    "share of what has none": (
        "resolve_ratio = 0.9",
        "min_share = 0.9",
        "rule listings: min_share: listing_count has none; attributed_listing has",
    ),
    "allowance of all mail": (
        "allowance = 0.05",
        "allowance = 1.0",
        "rule burn: allowance: must be less than 1",
    ),
    "period that is no longer than a window": (
        'period = "30d"',
        'period = "1h"',
        "rule burn: period: 1h is not longer than window 1h",
    ),
    "period that is not counted": (
        'period = "30d"',
        'period = "7d"',
        "rule burn: period: 7d is not among the policy's windows",
    ),
    "factor that is no multiple": ("factor = 3", "factor = 0.5", "rule spike: factor: must be at least 1"),
    "factor of what has none": (
        "least_mail = 50",
        "factor = 2",
        "rule domains: factor: new_from_domain has none; volume_spike has",
    ),
    "mail of what has none": (
        "factor = 3",
        "least_mail = 3",
        "rule spike: least_mail: volume_spike has none; new_from_domain has",
    ),
    "provider that is none": (
        'providers = ["gmail", "other"]',
        'providers = ["gmial"]',
        "rule blocked: providers: there is no mailbox provider gmial; did you mean gmail?",
    ),
    "providers of what is not known by provider": (
        "factor = 3",
        'providers = ["gmail"]',
        "rule spike: providers: volume_spike is not known by provider; block, complaint, complaint_burn, failure, "
        "failure_burn, unsubscribe are",
    ),
    "scope twice": ('"pool", "from", "plan"]', '"pool", "pool"]', "scopes: pool is given twice"),
    "scope that is none": (
        '"pool", "from", "plan"]',
        '"pools"]',
        "scopes[4]: there is no 'pools'; there are class, customer, from, plan, pool, stream, sub_account",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_field_that_does_not_fit_is_named_with_line_and_reason(case: str) -> None:
    old, new, said = MISFITS[case]
    assert old in EVERY_FIELD
    line = EVERY_FIELD[: EVERY_FIELD.index(old)].count("\n") + 1
    assert (line, said) in mistakes(EVERY_FIELD.replace(old, new, 1))
