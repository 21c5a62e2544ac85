"""What the policy in force calls bad, where it is asked of incidents."""

from typing import Any

import msgspec

from schemas.policy import Policy, load_policy
from schemas.policy_rule import Levels, Rule
from streams.incidents.detect import BAD_HISTORY, Account, Outcome, Seen, find
from streams.incidents.policy_rates import bad_history, excessive_rates

DEFAULT = load_policy()


def policy(*rules: Rule, expired_is_failure: bool = True) -> Policy:
    return msgspec.structs.replace(DEFAULT, rules=rules, expired_is_failure=expired_is_failure)


def rule(name: str, metric: Any, levels: Levels, **more: Any) -> Rule:
    return Rule(name=name, metric=metric, windows=("1h",), levels=levels, **more)


class TestExcessiveRates:
    def test_they_are_those_of_the_policy_in_force(self) -> None:
        assert excessive_rates(DEFAULT) == {"hard": 0.05, "expired": 0.05, "block": 0.25, "complained": 0.003}
        strict = policy(
            rule("failure", "failure", Levels(warning=0.01, excessive=0.02, critical=0.04)),
            rule("failure_of_a_day", "failure", Levels(excessive=0.03)),
        )
        assert excessive_rates(strict) == {"hard": 0.02, "expired": 0.02}

    def test_mail_given_up_counts_only_where_it_is_a_failure(self) -> None:
        assert excessive_rates(policy(rule("f", "failure", Levels(excessive=0.02)), expired_is_failure=False)) == {
            "hard": 0.02
        }

    def test_rules_for_some_providers_and_rules_that_only_warn_say_nothing(self) -> None:
        some = policy(
            rule("to_gmail", "failure", Levels(excessive=0.01), providers=("gmail",)),
            rule("block", "block", Levels(warning=0.1)),
            rule("complaint", "complaint", Levels(critical=0.004)),
        )
        assert excessive_rates(some) == {"complained": 0.004}


class TestBadHistory:
    def test_it_is_as_the_default_policy_says_and_no_stricter_one_changes_it(self) -> None:
        assert bad_history(DEFAULT) == BAD_HISTORY
        strict = policy(rule("failure", "failure", Levels(warning=0.005, excessive=0.01)))
        assert bad_history(strict) == BAD_HISTORY

    def test_who_is_good_by_a_milder_policy_can_tell(self) -> None:
        mild = policy(
            rule("failure", "failure", Levels(warning=0.08, excessive=0.15)),
            rule("complaint", "complaint", Levels(watch=0.004, excessive=0.01)),
            rule("to_gmail", "failure", Levels(warning=0.02), providers=("gmail",)),
        )
        assert bad_history(mild) == {"hard": 0.08, "block": 0.08, "expired": 0.08, "complained": 0.004}

    def test_complaints_that_no_rule_judges_are_bad_from_the_default_on(self) -> None:
        assert policy(rule("failure", "failure", Levels(warning=0.08))).bad_from("complaint") == 0.001

    def test_outage_in_a_fleet_that_fails_at_5_per_cent_is_found_where_that_is_good(self) -> None:
        mild = bad_history(policy(rule("failure", "failure", Levels(warning=0.08, excessive=0.15))))

        def found(bad: dict[Outcome, float]) -> bool:
            accounts = [
                Account(
                    f"c{number}", f"c{number}", "", Seen(300, 270), Seen(2_000, 100), Seen(300, 15), Seen(9_000, 450),
                    bad=bad,
                )
                for number in range(8)
            ]  # fmt: skip
            return find("block", accounts, Seen(16_000, 800)) is not None

        assert found(mild)
        assert not found(bad_history(DEFAULT))
