"""The policy file: what it may say, how a mistake is reported, and which rules are in force for whom."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import msgspec
import pytest

from schemas import policy
from schemas.policy import Policy, load_policy, parse
from schemas.policy_metric import PolicyError, window_ms
from schemas.policy_override import Override
from schemas.policy_rule import Levels, Rule
from schemas.times import DAY_MS
from tests.support.policies import COUNT, ERRORS, FAILURE, RULE, burn_with, override, rule_with


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            'metric = "volume_spike"\nwindows = ["1h"]\nlevels = { watch = inf }',
            "levels.watch: nothing ever reaches inf",
        ),
        (
            'metric = "volume_spike"\nwindows = ["1h"]\nlevels = { watch = 6 }\nfactor = inf',
            "factor: no volume is inf times another",
        ),
        ('metric = "failure"\nwindows = ["1h"]\nlevels = { watch = inf }', "levels.watch: nothing ever reaches inf"),
    ],
)
def test_number_that_is_never_reached_is_a_mistake(rule: str, message: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(message)):
        parse(f'[[rules]]\nname = "x"\n{rule}', "my.toml")


@pytest.mark.parametrize("case", ERRORS)
def test_mistake_is_reported_with_file_rule_and_field(case: str) -> None:
    text, message = ERRORS[case]
    with pytest.raises(PolicyError) as caught:
        parse(text, "my.toml")
    assert str(caught.value).startswith("my.toml: ")
    assert message in str(caught.value)


def test_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"none\.toml: cannot be read"):
        load_policy(tmp_path / "none.toml")


def test_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match=r"binary\.toml: not valid TOML"):
        load_policy(tmp_path / "binary.toml")


def test_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f'name = "mine"\n{RULE}', encoding="utf-8")
    assert load_policy(tmp_path / "mine.toml").name == "mine"


def test_default_policy_has_the_documented_thresholds() -> None:
    levels = {rule.name: dict(rule.levels.given()) for rule in load_policy().rules}
    assert levels == {
        "complaint": {"warning": 0.001, "excessive": 0.003},
        "failure": {"warning": 0.03, "excessive": 0.05, "critical": 0.10},
        "block": {"warning": 0.10, "excessive": 0.25},
        "exposure": {"warning": 0.25},
        "critical_listing": {"critical": 1},
        "failure_burn": {"warning": 14.4, "excessive": 72},
        "volume_spike": {"watch": 6, "warning": 20},
    }


def test_default_policy_counts_the_documented_windows() -> None:
    assert {name: window_ms(name) for name in load_policy().windows} == {
        "5m": DAY_MS // 288,
        "1h": DAY_MS // 24,
        "6h": DAY_MS // 4,
        "24h": DAY_MS,
        "3d": 3 * DAY_MS,
        "7d": 7 * DAY_MS,
        "15d": 15 * DAY_MS,
        "30d": 30 * DAY_MS,
    }


@pytest.mark.parametrize("name", ["", "h", "0h", "01h", "1w", "-1h", "1.5h", "1H", "24h ", "24h\n", "1234567m"])
def test_name_that_is_no_window_is_refused(name: str) -> None:
    with pytest.raises(PolicyError, match="is not a window"):
        window_ms(name)


def test_levels_of_a_burn_are_no_ratios() -> None:
    text = burn_with('allowance = 0.003\nperiod = "30d"').replace("0.001", "14.4").replace("0.003 }", "72 }")
    rule = parse(text, "t").rules[0]
    assert rule.thresholds == (14.4, 72.0)
    assert rule.reads == ("24h", "30d")
    assert rule.paces == {"24h": pytest.approx(30 / 0.003)}


def test_level_resolves_at_the_given_part_of_its_threshold() -> None:
    rule = parse(rule_with("resolve_ratio = 0.5"), "t").rules[0]
    assert [(rung.level, rung.threshold, rung.resolve_at) for rung in rule.ladder] == [
        ("warning", 0.001, 0.0005),
        ("excessive", 0.003, 0.0015),
    ]


def test_minimum_volume_is_never_below_one() -> None:
    assert parse(rule_with("min_volume = 0"), "t").rules[0].checks == (("24h", 1),)


def test_minimum_volume_can_differ_by_window() -> None:
    text = rule_with('windows = ["24h", "7d"]').replace("1000", '{ "7d" = 50, "24h" = 10 }')
    assert parse(text, "t").rules[0].checks == (("24h", 10), ("7d", 50))


def test_version_ignores_layout_comments_and_written_out_defaults() -> None:
    plain = parse(RULE, "t").version
    assert parse(f"# ours\nconfidence = 0.92\n\n{rule_with('hold_minutes = 30')}", "t").version == plain


@pytest.mark.parametrize("line", ["min_volume = 999", "resolve_ratio = 0.81", "hold_minutes = 31"])
def test_version_changes_with_what_the_policy_says(line: str) -> None:
    assert parse(rule_with(line), "t").version != parse(RULE, "t").version


def test_version_changes_with_an_override() -> None:
    assert parse(override("min_volume = 1"), "t").version != parse(RULE, "t").version


def test_version_is_what_it_was_before_rules_had_weights_and_shares() -> None:
    assert parse(f"confidence = 0.85\n{RULE}", "policy.toml").version == "09037bf610bb"


def test_default_share_and_weights_hold_where_none_are_given() -> None:
    (rule,) = parse(f'{COUNT}metric = "attributed_listing"', "policy.toml").rules
    assert (rule.least_share, rule.counted_weights) == (0.5, ("critical", "major"))
    text = f'{COUNT}metric = "listing_count"\nweights = ["minor"]\n{RULE}'
    assert parse(text, "policy.toml").listed_weights == {"minor"}
    assert load_policy().listed_weights == {"critical"}


def test_version_begins_with_the_name() -> None:
    name, _, digest = parse(f'name = "mine"\n{RULE}', "t").version.partition("@")
    assert name == "mine"
    assert len(digest) == 12


OVERRIDDEN = parse(
    RULE
    + FAILURE
    + """
[[overrides]]
customer = "acme"
stream = "news"
rule = "complaint"
levels = { excessive = 0.006 }
reason = "agreed"

[[overrides]]
customer = "acme"
rule = "complaint"
levels = { excessive = 0.004 }
min_volume = 500
reason = "agreed"

[[overrides]]
customer = "guest"
rule = "failure"
min_volume = 10
reason = "a trial"
until = 1970-01-02T01:00:00+01:00
""",
    "t",
)


def in_force(customer: str, scope: str, now_ms: int = 0) -> dict[str, tuple[float | None, int]]:
    found = OVERRIDDEN.rules_for(customer, scope, now_ms)
    return {rule.name: (rule.levels.excessive, rule.checks[0][1]) for rule in found}


def test_customer_without_override_has_the_rules_of_the_policy() -> None:
    assert OVERRIDDEN.rules_for("other", "customer", 0) is OVERRIDDEN.rules
    assert in_force("other", "stream:news") == {"complaint": (0.003, 1000), "failure": (0.05, 1000)}


def test_override_of_a_customer_holds_for_all_its_mail_and_each_stream() -> None:
    changed = {"complaint": (0.004, 500), "failure": (0.05, 1000)}
    assert in_force("acme", "customer") == changed
    assert in_force("acme", "stream:receipts") == changed


def test_override_of_a_stream_takes_precedence_over_that_of_its_customer() -> None:
    """Where both say something; the rest is its customer's."""
    assert in_force("acme", "stream:news") == {"complaint": (0.006, 500), "failure": (0.05, 1000)}


def test_override_with_levels_replaces_all_levels_of_the_rule() -> None:
    (rule, _) = OVERRIDDEN.rules_for("acme", "customer", 0)
    assert rule.levels.given() == [("excessive", 0.004)]
    assert rule.thresholds == (0.004,)


def test_override_ends_at_its_time() -> None:
    assert in_force("guest", "customer", DAY_MS - 1)["failure"] == (0.05, 10)
    assert in_force("guest", "customer", DAY_MS)["failure"] == (0.05, 1000)


def test_policy_made_in_code_is_checked_like_a_file() -> None:
    rule = Rule(name="a", metric="failure", windows=("24h",), levels=Levels(warning=0.1))
    with pytest.raises(ValueError, match="a is given twice"):
        Policy(rules=(rule, rule))
    with pytest.raises(ValueError, match="there is no rule b"):
        Policy(rules=(rule,), overrides=(Override(customer="c", rule="b", reason="r", min_volume=1),))


def test_json_schema_file_is_current() -> None:
    stored = Path(policy.__file__).with_name("json") / "policy.schema.json"
    assert stored.read_text(encoding="utf-8") == policy.json_schema(), (
        "write schemas.policy.json_schema() to schemas/json/policy.schema.json"
    )


def test_json_schema_accepts_the_default_policy_and_refuses_unknown_keys() -> None:
    checker = jsonschema.Draft202012Validator(msgspec.json.decode(policy.json_schema()))
    default = tomllib.loads(policy.default_file().read_text(encoding="utf-8"))
    checker.validate(default)
    assert not checker.is_valid({**default, "colour": 1})


def test_until_is_compared_in_utc() -> None:
    ends = datetime(1970, 1, 2, tzinfo=UTC)
    assert Override(customer="c", rule="r", reason="r", min_volume=1, until=ends).until_ms == DAY_MS


def test_brake_of_the_defaults_written_out_is_the_same_policy() -> None:
    plain = parse(RULE, "t")
    assert (plain.braking.customers, plain.braking.share, plain.braking.minutes) == (20, 0.05, 10)
    written = parse(f"brake = {{ customers = 20, share = 0.05, minutes = 10 }}\n{RULE}", "t")
    assert written.version == plain.version
    assert parse(f"brake = {{ customers = 21 }}\n{RULE}", "t").version != plain.version
