"""A rule that a new policy does not have leaves no alert open behind it."""

import msgspec
import pytest

from schemas import policy
from schemas.policy import Policy
from streams.alerts.record import read_states
from tests.support.api_client import MINUTE, NOW, Row
from tests.support.judging import NOW_MS, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

DEFAULT = policy.load_policy()
LATER_MS = NOW_MS + MINUTE * 1000


def without(rule: str) -> Policy:
    return msgspec.structs.replace(DEFAULT, rules=tuple(each for each in DEFAULT.rules if each.name != rule))


def stored(ground: Ground) -> dict[str, tuple[str, int, int]]:
    """Level, episode and transition of each rule's alert."""
    states = read_states(ground.store, ["acme"])
    return {key[2]: (each.level, each.episode, each.transition) for key, each in states.items() if key[1] == "customer"}


def test_open_alert_of_a_rule_that_is_gone_is_resolved_at_once(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=200, complained=0))
    judge = ground.judge()
    opened = {
        each.data.rule: each for each in judge.judge_customers(["acme"], NOW_MS).alerts if "str" not in each.data.scope
    }
    assert set(opened) == {"failure"}
    judge.set_policy(without("failure"))
    (resolved,) = (each for each in judge.judge_customers(["acme"], LATER_MS).alerts if each.data.rule == "failure")
    before = opened["failure"].data
    assert (resolved.data.kind, resolved.data.level, resolved.data.previous_level) == ("resolved", "good", before.level)
    assert (resolved.data.alert_id, resolved.data.transition) == (before.alert_id, 2)
    assert resolved.data.cause == "policy"
    assert resolved.data.policy_version == without("failure").version
    assert resolved.data.explanation == "The policy has no rule failure any more."
    assert resolved.id != opened["failure"].id
    assert ground.shown()["acme"][0] == "good"
    assert judge.judge_customers(["acme"], LATER_MS + 1).alerts == []


def test_alert_of_a_customer_without_any_mail_left_is_resolved_too(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=200))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    ground.store.run("TRUNCATE TABLE counts")
    judge.set_policy(without("failure"))
    assert [each.data.kind for each in judge.judge_customers(["acme"], LATER_MS).alerts] == ["resolved"]
    assert stored(ground) == {"failure": ("good", 1, 2)}
    assert ground.shown()["acme"][0] == "insufficient_volume"


def test_rule_that_comes_back_opens_a_new_episode(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=200))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    judge.set_policy(without("failure"))
    judge.judge_customers(["acme"], LATER_MS)
    judge.set_policy(DEFAULT)
    assert [each.data.kind for each in judge.judge_customers(["acme"], LATER_MS + 1).alerts] == ["opened"]
    assert stored(ground)["failure"][1:] == (2, 1)


def test_alert_whose_events_are_no_longer_stored_ends_without_one(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=200))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    ground.store.run("TRUNCATE TABLE alerts")
    judge.set_policy(without("failure"))
    assert judge.judge_customers(["acme"], LATER_MS).alerts == []
    assert stored(ground)["failure"][0] == "good"
