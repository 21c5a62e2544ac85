"""Every mistake of a policy is named, each on its line."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import policy
from schemas.policy import Policy, parse
from schemas.policy_check import mistakes
from schemas.policy_metric import PolicyError
from schemas.policy_override import Override
from schemas.policy_rule import Rule
from tests.support.policies import ERRORS

DEFAULT = policy.default_file().read_text(encoding="utf-8")
GOOD = """\
name = "ours"
windows = ["24h", "7d"]

[[rules]]
name = "complaint"
metric = "complaint"
windows = ["24h"]
min_volume = { "24h" = 1000 }
levels = { warning = 0.001, excessive = 0.003 }

[[rules]]
name = "failure"
metric = "failure"
windows = [
  "24h",
  "7d",
]
min_volume = 200

[rules.levels]
warning = 0.03
critical = 0.1

[[overrides]]
customer = "acme"
rule = "complaint"
levels = { warning = 0.002 }
reason = "agreed"
until = 2026-12-31T00:00:00Z
"""
#: A text of the good policy, what stands there instead, and every mistake that is then named.
CHANGES: dict[str, tuple[str, str, list[tuple[int, str]]]] = {
    "nothing": ("", "", []),
    "top field": ('name = "ours"', "name = 7", [(1, "name: Expected `str`, got `int`")]),
    "unknown top field": (
        'name = "ours"',
        "confidense = 0.9",
        [(1, "confidense: there is no such field; did you mean `confidence`?")],
    ),
    "element of a list over several lines": (
        '  "7d",\n',
        '  "1w",\n',
        [(16, "rule failure: windows[1]: Expected `str` matching regex '^[1-9][0-9]{0,5}[mhd]$'")],
    ),
    "window that is not counted": (
        '  "7d",\n',
        '  "30d",\n',
        [(16, "rule failure: windows: 30d is not among the policy's windows")],
    ),
    "window twice": ('  "7d",\n', '  "24h",\n', [(16, "rule failure: windows: 24h is given twice")]),
    "level in a table of its own": (
        "critical = 0.1",
        'critical = "10 %"',
        [(22, "rule failure: levels.critical: Expected `float | null`, got `str`")],
    ),
    "levels that fall": (
        "critical = 0.1",
        "critical = 0.01",
        [(22, "rule failure: levels: warning (0.03) must be below critical (0.01)")],
    ),
    "field that is missing": ('metric = "failure"\n', "", [(11, "rule failure: metric: missing")]),
    "rule without a name": ('name = "failure"\n', "", [(11, "rules[1]: name: missing")]),
    "rule without levels": (
        "[rules.levels]\nwarning = 0.03\ncritical = 0.1\n",
        "",
        [(11, "rule failure: levels: missing")],
    ),
    "volume for a window that is none": (
        '{ "24h" = 1000 }',
        '{ "24h" = 1000, day = 1 }',
        [(8, "rule complaint: min_volume.day: Expected `str` matching regex '^[1-9][0-9]{0,5}[mhd]$'")],
    ),
    "rule twice": ('name = "failure"', 'name = "complaint"', [(12, "rules: complaint is given twice")]),
    "rules that are none": (GOOD[GOOD.index("[[rules]]") :], "rules = 1", [(4, "rules: Expected `array`, got `int`")]),
    "override of no rule": (
        'rule = "complaint"',
        'rule = "spam"',
        [(26, "override of rule spam for acme: rule: there is no rule spam")],
    ),
    "override that contradicts its rule": (
        "levels = { warning = 0.002 }",
        'levels = { warning = 2 }\nmin_volume = { "7d" = 1 }',
        [
            (27, "override of rule complaint for acme: levels.warning: 2 is not a ratio from 0 to 1 (0.003 is 0.3 %)"),
            (28, "override of rule complaint for acme: min_volume: none for window 24h"),
        ],
    ),
    "override of nothing": (
        "levels = { warning = 0.002 }\n",
        "",
        [(24, "override for acme: levels: neither levels nor min_volume is given, so nothing is changed")],
    ),
    "override for nobody": (
        'customer = "acme"\n',
        "",
        [(24, "overrides[0]: customer: neither a customer nor a plan is given")],
    ),
    "override for a customer and a plan": (
        'customer = "acme"\n',
        'customer = "acme"\nplan = "free"\n',
        [(24, "override for acme: plan: an override is for a customer or for a plan, not for both")],
    ),
    "override for a name that is none": (
        'customer = "acme"\n',
        'customer = "acme"\nstream = "news\\u202e"\n',
        [(26, "override for acme: stream: contains the control character U+202E")],
    ),
    "override of a plan for no rule": (
        'customer = "acme"\nrule = "complaint"',
        'plan = "free"\nrule = "spam"',
        [(26, "override of rule spam for plan free: rule: there is no rule spam")],
    ),
    "time without a zone": (
        "00:00:00Z",
        "00:00:00",
        [(29, "override for acme: until: Expected `datetime` with a timezone component")],
    ),
    "several in one rule, of all kinds": (
        'windows = ["24h"]\nmin_volume = { "24h" = 1000 }\nlevels = { warning = 0.001, excessive = 0.003 }',
        'windows = ["24h", "2h"]\nmin_volume = { "24h" = -1 }\nlevels = { warning = 3, excessive = 2 }\nhold = 1',
        [
            (7, "rule complaint: windows: 2h is not among the policy's windows"),
            (8, "rule complaint: min_volume.24h: Expected `int` >= 0"),
            (9, "rule complaint: levels.excessive: 2 is not a ratio from 0 to 1 (0.003 is 0.3 %)"),
            (9, "rule complaint: levels.warning: 3 is not a ratio from 0 to 1 (0.003 is 0.3 %)"),
            (9, "rule complaint: levels: warning (3) must be below excessive (2)"),
            (10, "rule complaint: hold: there is no such field"),
        ],
    ),
    "not TOML": (
        "min_volume = 200",
        "min_volume 200",
        [(18, "not valid TOML: Expected '=' after a key in a key/value pair (at line 18, column 12)")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_each_mistake_is_named_with_line_rule_and_field(case: str) -> None:
    old, new, said = CHANGES[case]
    assert old in GOOD
    assert [tuple(each) for each in mistakes(GOOD.replace(old, new, 1))] == said


def test_mistakes_in_several_places_are_named_in_the_order_of_their_lines() -> None:
    text = GOOD.replace('"ours"', "1").replace('"failure"\nwin', '"opens"\nwin').replace('reason = "agreed"\n', "")
    assert [tuple(each) for each in mistakes(text)] == [
        (1, "name: Expected `str`, got `int`"),
        (13, "rule failure: metric: Invalid enum value 'opens'"),
        (24, "override for acme: reason: missing"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # The windows of the policy are not known, so it is not said of a rule's that they are not among them.
        ('windows = ["24h", "7d"]', 'windows = ["day"]', "windows[0]: Expected `str` matching"),
        # The rule is there, though it cannot be read, so it is not said that the override's is missing.
        ('metric = "complaint"\n', "", "rule complaint: metric: missing"),
        # No level is left, and still it is not said that none is given.
        ("{ warning = 0.001, excessive = 0.003 }", '{ warning = "x" }', "rule complaint: levels.warning: Expected"),
    ],
)
def test_what_only_follows_from_a_mistake_is_not_named(old: str, new: str, said: str) -> None:
    (found,) = mistakes(GOOD.replace(old, new, 1))
    assert found.said.startswith(said)


def test_end_of_the_text_in_the_middle_of_a_value_is_on_the_last_line() -> None:
    (found,) = mistakes('name = "ours"\nwindows = [\n\n\n')
    assert found.line == 2


@pytest.mark.parametrize("case", ERRORS)
def test_whatever_is_refused_has_a_mistake_on_one_of_its_lines(case: str) -> None:
    text, _ = ERRORS[case]
    found = mistakes(text)
    assert found
    assert all(1 <= each.line <= text.count("\n") + 1 for each in found)


@pytest.mark.parametrize("text", [DEFAULT, GOOD])
def test_policy_that_can_be_used_has_none(text: str) -> None:
    assert mistakes(text) == []


@given(st.data())
def test_exactly_what_cannot_be_used_has_mistakes(data: st.DataObject) -> None:
    """Lines are left out, put twice, or given another value."""
    lines = GOOD.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        key = lines[place].split("=")[0]
        value = data.draw(st.sampled_from(["-1", "0.5", '"24h"', '["24h"]', "{}", "[{}]", "{ warning = 0.1 }", "true"]))
        lines[place : place + 1] = data.draw(st.sampled_from([[], [lines[place]] * 2, [f"{key}= {value}"]]))
    text = "\n".join(lines)
    try:
        parse(text, "t")
    except PolicyError:
        assert mistakes(text)
    else:
        assert mistakes(text) == []


def test_deeply_nested_text_is_refused() -> None:
    text = "a = " + "[" * 5_000 + "]" * 5_000
    with pytest.raises((RecursionError, tomllib.TOMLDecodeError)):
        tomllib.loads(text)
    assert len(mistakes(text)) == 1
    with pytest.raises(PolicyError, match="not valid TOML"):
        parse(text, "t")


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
        "rule listings: weights[1]: Invalid enum value 'small'",
    ),
    "cool-down that is too long": (
        "cool_down_minutes = 20",
        "cool_down_minutes = 43201",
        "rule listings: cool_down_minutes: Expected `float` <= 43200.0",
    ),
    "share above 1": (
        "min_share = 0.6",
        "min_share = 60",
        "rule attributed: min_share: Expected `float` <= 1.0",
    ),
    "share of what has none": (
        "resolve_ratio = 0.9",
        "min_share = 0.9",
        "rule listings: min_share: listing_count has none; attributed_listing has",
    ),
    "allowance of all mail": (
        "allowance = 0.05",
        "allowance = 1.0",
        "rule burn: allowance: Expected `float` < 1.0",
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
    "factor that is no multiple": ("factor = 3", "factor = 0.5", "rule spike: factor: Expected `float` >= 1.0"),
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
    "scope that is none": ('"pool", "from", "plan"]', '"pools"]', "scopes[4]: Invalid enum value 'pools'"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_field_that_does_not_fit_is_named_with_line_and_reason(case: str) -> None:
    old, new, said = MISFITS[case]
    assert old in EVERY_FIELD
    line = EVERY_FIELD[: EVERY_FIELD.index(old)].count("\n") + 1
    assert (line, said) in mistakes(EVERY_FIELD.replace(old, new, 1))
