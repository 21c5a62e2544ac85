"""Every mistake of a policy is named, each on its line."""

import tomllib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import policy
from schemas.policy import parse
from schemas.policy_check import mistakes
from schemas.policy_metric import Metric, PolicyError
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
    "top field": ('name = "ours"', "name = 7", [(1, "name: must be text, not a whole number")]),
    "unknown top field": (
        'name = "ours"',
        "confidense = 0.9",
        [(1, "confidense: there is no such field; did you mean `confidence`?")],
    ),
    "element of a list over several lines": (
        '  "7d",\n',
        '  "1w",\n',
        [(16, "rule failure: windows[1]: must be text that matches '^[1-9][0-9]{0,5}[mhd]$'")],
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
        [(22, "rule failure: levels.critical: must be a number, not text")],
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
        [(8, "rule complaint: min_volume.day: must be text that matches '^[1-9][0-9]{0,5}[mhd]$'")],
    ),
    "rule twice": ('name = "failure"', 'name = "complaint"', [(12, "rules: complaint is given twice")]),
    "rules that are none": (
        GOOD[GOOD.index("[[rules]]") :],
        "rules = 1",
        [(4, "rules: must be a list, not a whole number")],
    ),
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
        [(29, "override for acme: until: must be a time with its time zone, as 2026-01-31T12:00:00Z")],
    ),
    "several in one rule, of all kinds": (
        'windows = ["24h"]\nmin_volume = { "24h" = 1000 }\nlevels = { warning = 0.001, excessive = 0.003 }',
        'windows = ["24h", "2h"]\nmin_volume = { "24h" = -1 }\nlevels = { warning = 3, excessive = 2 }\nhold = 1',
        [
            (7, "rule complaint: windows: 2h is not among the policy's windows"),
            (8, "rule complaint: min_volume.24h: must be at least 0"),
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
    metrics = ", ".join(sorted(get_args(Metric)))
    assert [tuple(each) for each in mistakes(text)] == [
        (1, "name: must be text, not a whole number"),
        (13, f"rule failure: metric: there is no 'opens'; there are {metrics}"),
        (24, "override for acme: reason: missing"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # The windows of the policy are not known, so it is not said of a rule's that they are not among them.
        ('windows = ["24h", "7d"]', 'windows = ["day"]', "windows[0]: must be text that matches"),
        # The rule is there, though it cannot be read, so it is not said that the override's is missing.
        ('metric = "complaint"\n', "", "rule complaint: metric: missing"),
        # No level is left, and still it is not said that none is given.
        (
            "{ warning = 0.001, excessive = 0.003 }",
            '{ warning = "x" }',
            "rule complaint: levels.warning: must be a number, not text",
        ),
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
