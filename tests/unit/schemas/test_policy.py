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

RULE = """
[[rules]]
name = "complaint"
metric = "complaint"
windows = ["24h"]
min_volume = 1000
levels = { warning = 0.001, excessive = 0.003 }
"""
COUNT = """
[[rules]]
name = "listed"
windows = ["24h"]
levels = { warning = 1 }
"""
FAILURE = RULE.replace("complaint", "failure").replace("0.001", "0.03").replace("0.003", "0.05")


def rule_with(line: str) -> str:
    """The rule with one of its lines replaced, or one more line."""
    field = line.split(" ", 1)[0]
    kept = [each for each in RULE.splitlines() if not each.startswith(field + " ")]
    return "\n".join([*kept, line])


def burn_with(fields: str) -> str:
    """The rule on a burn, with these fields more."""
    return RULE.replace('metric = "complaint"', f'metric = "complaint_burn"\n{fields}')


def override(fields: str) -> str:
    return f'{RULE}\n[[overrides]]\ncustomer = "acme"\nrule = "complaint"\nreason = "agreed"\n{fields}\n'


ERRORS = {
    "not TOML": ("rules = ", "not valid TOML"),
    "no rules": ("rules = []", "rules: Expected `array` of length >= 1"),
    "rules missing": ('name = "x"', "missing required field `rules`"),
    "unknown key": (f"colour = 1\n{RULE}", "unknown field `colour`"),
    "unknown key in a rule": (
        rule_with("limit = 1"),
        "rule complaint: Object contains unknown field `limit`",
    ),
    "unknown level": (
        rule_with("levels = { bad = 0.1 }"),
        "rule complaint: levels: Object contains unknown field `bad`",
    ),
    "unknown metric": (rule_with('metric = "opens"'), "rule complaint: metric: Invalid enum value 'opens'"),
    "rule without windows": (
        rule_with("windows = []"),
        "rule complaint: windows: Expected `array` of length >= 1",
    ),
    "window that is none": (
        rule_with('windows = ["1w"]'),
        "rule complaint: windows[0]: Expected `str` matching",
    ),
    "window twice": (rule_with('windows = ["24h", "24h"]'), "rule complaint: windows: 24h is given twice"),
    "window not counted": (
        rule_with('windows = ["2h"]'),
        "rule complaint: windows: 2h is not among the policy's windows",
    ),
    "name with spaces": (rule_with('name = "Too Many"'), "rule Too Many: name: Expected `str` matching"),
    "rule without a name": (
        RULE.replace('name = "complaint"', ""),
        "rules[0]: Object missing required field `name`",
    ),
    "level not a number": (
        rule_with('levels = { warning = "1 %" }'),
        "rule complaint: levels.warning: Expected `float | null`, got `str`",
    ),
    "level zero": (
        rule_with("levels = { warning = 0 }"),
        "rule complaint: levels.warning: Expected `float` > 0",
    ),
    "level not a number at all": (rule_with("levels = { warning = nan }"), "rule complaint: levels.warning"),
    "level above 1": (
        rule_with("levels = { warning = 3 }"),
        "rule complaint: levels.warning: 3 is not a ratio",
    ),
    "no levels": (rule_with("levels = {}"), "rule complaint: levels: none is given"),
    "levels that fall": (
        rule_with("levels = { warning = 0.003, excessive = 0.001 }"),
        "rule complaint: levels: warning (0.003) must be below excessive (0.001)",
    ),
    "levels that are equal": (
        rule_with("levels = { watch = 0.1, critical = 0.1 }"),
        "rule complaint: levels: watch (0.1) must be below critical (0.1)",
    ),
    "volume below 0": (rule_with("min_volume = -1"), "rule complaint: min_volume: Expected `int` >= 0"),
    "volume for another window": (
        rule_with('min_volume = { "24h" = 1, "1h" = 1 }'),
        "rule complaint: min_volume: 1h is not a window of this rule",
    ),
    "volume missing for a window": (
        rule_with("min_volume = {}"),
        "rule complaint: min_volume: none for window 24h",
    ),
    "volume key that is no window": (
        rule_with('min_volume = { "day" = 1 }'),
        "rule complaint: min_volume: Expected `str` matching",
    ),
    "resolve ratio 0": (
        rule_with("resolve_ratio = 0"),
        "rule complaint: resolve_ratio: Expected `float` > 0",
    ),
    "resolve ratio above 1": (
        rule_with("resolve_ratio = 1.1"),
        "rule complaint: resolve_ratio: Expected `float` <= 1",
    ),
    "hold below 0": (rule_with("hold_minutes = -1"), "rule complaint: hold_minutes: Expected `float` >= 0"),
    "hold without end": (
        rule_with("hold_minutes = inf"),
        "rule complaint: hold_minutes: Expected `float` <=",
    ),
    "count with a volume": (
        rule_with('metric = "critical_listing"'),
        "rule complaint: min_volume: critical_listing is a number of listings",
    ),
    "count that is a fraction": (
        RULE.replace('metric = "complaint"', 'metric = "critical_listing"').replace("= 1000", "= 0"),
        "rule complaint: levels.warning: 0.001 is not a whole number",
    ),
    "hours that are a fraction": (
        RULE.replace('metric = "complaint"', 'metric = "listed_hours"').replace("= 1000", "= 0"),
        "rule complaint: levels.warning: 0.001 is not a whole number of hours",
    ),
    "weights of a rate": (rule_with('weights = ["major"]'), "rule complaint: weights: complaint has none"),
    "weight twice": (
        f"""{COUNT}metric = "listing_count"\nweights = ["major", "major"]""",
        "rule listed: weights: major is given twice",
    ),
    "weight that is none": (
        f"""{COUNT}metric = "listing_count"\nweights = ["heavy"]""",
        "rule listed: weights[0]: Invalid enum value 'heavy'",
    ),
    "share of what is not attributed": (
        f"""{COUNT}metric = "listing_count"\nmin_share = 0.5""",
        "rule listed: min_share: listing_count has none; attributed_listing has",
    ),
    "share above 1": (f"""{COUNT}metric = "attributed_listing"\nmin_share = 1.1""", "rule listed: min_share: Expected"),
    "two shares": (
        f"""{COUNT}metric = "attributed_listing"\n{COUNT.replace("listed", "other")}metric = "attributed_listing"
min_share = 0.9""",
        "rule other: min_share: 0.9, rule listed has 0.5; a policy has one",
    ),
    "two least numbers of mail": (
        f"""{COUNT}metric = "new_from_domain"\n{COUNT.replace("listed", "other")}metric = "new_from_domain"
least_mail = 5""",
        "rule other: least_mail: 5, rule listed has 100; a policy has one",
    ),
    "burn without an allowance": (
        burn_with('period = "30d"'),
        "rule complaint: allowance: missing, and complaint_burn needs one",
    ),
    "burn without a period": (
        burn_with("allowance = 0.003"),
        "rule complaint: period: missing, and complaint_burn needs one",
    ),
    "period that is not counted": (
        burn_with('allowance = 0.003\nperiod = "31d"'),
        "rule complaint: period: 31d is not among the policy's windows",
    ),
    "period that is not longer than a window": (
        burn_with('allowance = 0.003\nperiod = "24h"'),
        "rule complaint: period: 24h is not longer than window 24h",
    ),
    "allowance of everything": (
        burn_with('allowance = 1\nperiod = "30d"'),
        "rule complaint: allowance: Expected `float` < 1",
    ),
    "rate with an allowance": (
        rule_with("allowance = 0.003"),
        "rule complaint: allowance: complaint has none; complaint_burn and failure_burn have",
    ),
    "rate with a period": (
        rule_with('period = "30d"'),
        "rule complaint: period: complaint has none; complaint_burn and failure_burn have",
    ),
    "spike over another window": (
        rule_with('metric = "volume_spike"'),
        "rule complaint: windows: volume_spike is judged over 1h alone",
    ),
    "provider that is none": (
        rule_with('providers = ["microsft"]'),
        "rule complaint: providers: there is no mailbox provider microsft; did you mean microsoft?",
    ),
    "provider twice": (
        rule_with('providers = ["yahoo", "yahoo"]'),
        "rule complaint: providers: yahoo is given twice",
    ),
    "mail of a new domain, of a rate": (
        rule_with("least_mail = 10"),
        "rule complaint: least_mail: complaint has none; new_from_domain has",
    ),
    "providers of listings": (
        f"""{COUNT}metric = "listing_count"\nproviders = ["yahoo"]""",
        "rule listed: providers: listing_count is not known by provider",
    ),
    "rate with a factor": (rule_with("factor = 2"), "rule complaint: factor: complaint has none; volume_spike has"),
    "factor below 1": (
        rule_with('metric = "volume_spike"').replace('"24h"', '"1h"') + "\nfactor = 0.5",
        "rule complaint: factor: Expected `float` >= 1",
    ),
    "rule twice": (RULE + RULE, "rules: complaint is given twice"),
    "confidence 1": (f"confidence = 1.0\n{RULE}", "confidence: Expected `float` < 1"),
    "unknown scope": (f'scopes = ["domain"]\n{RULE}', "scopes[0]: Invalid enum value 'domain'"),
    "scope twice": (f'scopes = ["customer", "customer"]\n{RULE}', "scopes: customer is given twice"),
    "policy window that is none": (f'windows = ["0h"]\n{RULE}', "windows[0]: Expected `str` matching"),
    "policy window twice": (f'windows = ["24h", "24h"]\n{RULE}', "windows: 24h is given twice"),
    "window longer than counts are kept": (
        f'windows = ["24h", "401d"]\n{RULE}',
        "windows: 401d is longer than counts are kept (400d)",
    ),
    "override of no rule": (
        override("min_volume = 1").replace('rule = "complaint"', 'rule = "spam"'),
        "override of rule spam for acme: rule: there is no rule spam",
    ),
    "override of nothing": (override(""), "override for acme: levels: neither levels nor min_volume"),
    "override without a reason": (
        override("min_volume = 1").replace('reason = "agreed"', ""),
        "override for acme: Object missing required field `reason`",
    ),
    "override with wrong levels": (
        override('stream = "news"\nlevels = { warning = 0.3, critical = 0.2 }'),
        "override of rule complaint for acme, stream news: levels: warning (0.3) must be below critical",
    ),
    "override with another window": (
        override('min_volume = { "7d" = 1 }'),
        "override of rule complaint for acme: min_volume: none for window 24h",
    ),
    "override twice": (
        override("min_volume = 1") + override("min_volume = 2").removeprefix(RULE),
        "overrides: override of rule complaint for acme is given twice",
    ),
    "override until a time without zone": (
        override("min_volume = 1\nuntil = 2026-12-31T00:00:00"),
        "override for acme: until: Expected `datetime` with a timezone component",
    ),
}


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
        "24h": DAY_MS,
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
    assert parse(f"# ours\nconfidence = 0.95\n\n{rule_with('hold_minutes = 30')}", "t").version == plain


@pytest.mark.parametrize("line", ["min_volume = 999", "resolve_ratio = 0.81", "hold_minutes = 31"])
def test_version_changes_with_what_the_policy_says(line: str) -> None:
    assert parse(rule_with(line), "t").version != parse(RULE, "t").version


def test_version_changes_with_an_override() -> None:
    assert parse(override("min_volume = 1"), "t").version != parse(RULE, "t").version


def test_version_is_what_it_was_before_rules_had_weights_and_shares() -> None:
    assert parse(RULE, "policy.toml").version == "2064bc8ca58f"


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
    default = tomllib.loads(policy.DEFAULT_FILE.read_text(encoding="utf-8"))
    checker.validate(default)
    assert not checker.is_valid({**default, "colour": 1})


def test_until_is_compared_in_utc() -> None:
    ends = datetime(1970, 1, 2, tzinfo=UTC)
    assert Override(customer="c", rule="r", reason="r", min_volume=1, until=ends).until_ms == DAY_MS
