"""An alert's life with all that bears on it: noise, late counts, other policies, and what people decide."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.counts import SubjectCounts, WindowCounts
from schemas.levels import LEVELS, Level
from schemas.policy import Policy
from streams.alerts.lifecycle import FLAP_HOLD, FLAPS, AlertState, Basis, ended
from streams.alerts.outcome import RECORD_MS, worth_storing
from streams.judge.verdict import RANK, Verdict, judge
from tests.support.alert_life import IDA, RULE, Life, acknowledgement

MINUTE, HOUR = 60_000, 3_600_000


def test_what_opens_again_within_the_cool_down_is_the_same_alert() -> None:
    life = Life()
    over = life.flap(0)
    assert life.at(over + 59.9, "excessive") == ["reopened"]
    first, *_, last = life.said
    assert last.alert_id == first.alert_id
    assert (last.transition, last.previous_level, last.level) == (3, "good", "excessive")
    assert (last.opened_ms, last.time_ms) == (0, int((over + 59.9) * MINUTE))


def test_what_opens_after_the_cool_down_is_another_alert() -> None:
    life = Life()
    assert life.at(life.flap(0) + 60, "warning") == ["opened"]
    assert life.said[-1].alert_id != life.said[0].alert_id
    assert (life.said[-1].episode, life.said[-1].transition) == (2, 1)


def test_rule_without_a_cool_down_opens_another_alert_at_once() -> None:
    life = Life(msgspec.structs.replace(RULE, cool_down_minutes=0))
    assert life.at(life.flap(0) + 1, "warning") == ["opened"]


def test_alert_whose_rule_was_gone_does_not_go_on_when_the_rule_is_back() -> None:
    life = Life()
    life.at(0, "warning")
    assert life.state is not None
    life.state, said = ended(life.state, MINUTE)
    assert (said.kind, said.cause) == ("resolved", "policy")
    assert life.at(2, "warning") == ["opened"]


def test_late_counts_open_the_alert_of_their_time_however_long_that_is_resolved() -> None:
    life = Life()
    over = life.flap(0)
    assert life.at(over + 600, "warning", late=True) == ["reopened"]
    assert (life.said[-1].episode, life.said[-1].cause) == (1, "late_events")


def test_alert_that_flapped_holds_longer() -> None:
    life, minute = Life(), 0.0
    held = []
    for _ in range(FLAPS + 2):
        over = life.flap(minute)
        held.append(over - minute - 1)
        minute = over + 1
    assert held == [30.0] * FLAPS + [30.0 * FLAP_HOLD] * 2
    assert {each.alert_id for each in life.said} == {life.said[0].alert_id}


def test_alert_holds_as_long_as_ever_a_day_after_it_flapped() -> None:
    life, minute = Life(), 0.0
    for _ in range(FLAPS + 1):
        minute = life.flap(minute) + 1
    minute += 24 * 60
    assert life.flap(minute) - minute - 1 == 30.0


def test_acknowledged_alert_says_so_once_and_until_it_is_resolved() -> None:
    life = Life()
    life.at(0, "warning")
    assert life.at(5, "warning", acknowledgement=acknowledgement(4)) == ["acknowledged"]
    assert (life.said[-1].level, life.said[-1].previous_level, life.said[-1].cause) == (
        "warning",
        "warning",
        "operator",
    )
    assert life.at(6, "warning", acknowledgement=acknowledgement(4)) == []
    life.at(7, acknowledgement=acknowledgement(4))
    assert life.at(37, acknowledgement=acknowledgement(4)) == ["resolved"]
    assert life.at(38, "warning", acknowledgement=acknowledgement(4)) == ["reopened"]
    assert [each.acknowledged for each in life.said] == [None, acknowledgement(4), None, None]


def test_acknowledged_alert_that_escalates_is_no_longer_acknowledged() -> None:
    life = Life()
    life.at(0, "warning")
    life.at(5, "warning", acknowledgement=acknowledgement(4))
    assert life.at(6, "excessive", acknowledgement=acknowledgement(4)) == ["escalated"]
    assert life.state is not None and life.state.acknowledged is None
    assert life.at(7, "excessive", acknowledgement=acknowledgement(6.5)) == ["acknowledged"]


def test_acknowledgement_of_something_milder_is_none() -> None:
    """It was said before the alert rose, and read after that."""
    life = Life()
    life.at(0, "warning")
    life.at(6, "excessive")
    assert life.at(7, "excessive", acknowledgement=acknowledgement(5)) == []
    assert life.state is not None and life.state.acknowledged is None


def test_acknowledgement_and_escalation_of_one_moment_are_reported_in_this_order() -> None:
    life = Life()
    life.at(0, "warning")
    assert life.at(6, "excessive", acknowledgement=acknowledgement(5)) == ["acknowledged", "escalated"]
    assert [each.transition for each in life.said] == [1, 2, 3]
    assert life.state is not None and life.state.acknowledged is None


def test_acknowledged_alert_stays_so_while_it_goes_down() -> None:
    life = Life()
    life.at(0, "excessive")
    life.at(1, "warning", acknowledgement=acknowledgement(0.5))
    assert life.at(31, "warning") == ["de-escalated"]
    assert life.said[-1].acknowledged == acknowledgement(0.5)


def test_acknowledging_does_not_begin_the_hold_time_again() -> None:
    life = Life()
    life.at(0, "warning")
    life.at(1)
    life.at(20, acknowledgement=acknowledgement(19))
    assert life.at(31) == ["resolved"]


def test_override_takes_the_level_down_at_once() -> None:
    """Its end brings the level back, to the same alert."""
    life = Life()
    life.at(0, "critical")
    assert life.at(1, override=IDA) == ["overridden"]
    overridden = life.said[-1]
    assert (overridden.previous_level, overridden.level, overridden.override) == ("critical", "good", IDA)
    assert life.at(2, override=IDA) == []
    assert life.at(600, "critical") == ["override-ended"]
    back = life.said[-1]
    assert (back.previous_level, back.level, back.override) == ("good", "critical", None)
    assert {each.cause for each in life.said[1:]} == {"override"}
    assert {each.alert_id for each in life.said} == {overridden.alert_id}


def test_override_that_leaves_a_milder_level_takes_the_alert_down_to_that() -> None:
    life = Life()
    life.at(0, "critical")
    assert life.at(1, "warning", override=IDA) == ["overridden"]
    assert life.said[-1].level == "warning"
    assert life.at(2, "critical") == ["override-ended"]
    assert (life.said[-1].previous_level, life.said[-1].level) == ("warning", "critical")


def test_override_that_changes_no_level_is_reported_too() -> None:
    life = Life()
    life.at(0, "warning")
    assert life.at(1, "warning", override=IDA) == ["overridden"]
    assert life.at(2, "warning") == ["override-ended"]
    assert {each.level for each in life.said} == {"warning"}


def test_alert_that_an_override_suppressed_is_resolved_when_that_ends() -> None:
    """If all is well by then."""
    life = Life()
    life.at(0, "critical")
    life.at(1, override=IDA)
    assert life.at(2) == ["resolved"]
    assert (life.said[-1].cause, life.said[-1].previous_level, life.said[-1].level) == ("override", "good", "good")
    assert life.at(3) == []


def test_alert_that_an_override_suppressed_opens_again_as_the_same_under_it() -> None:
    life = Life()
    life.at(0, "critical")
    life.at(1, override=IDA)
    assert life.at(200, "warning", override=IDA) == ["reopened"]
    assert life.said[-1].alert_id == life.said[0].alert_id


def test_end_of_an_override_that_raises_the_level_ends_the_acknowledgement() -> None:
    life = Life()
    life.at(0, "critical", acknowledgement=None)
    life.at(1, "critical", acknowledgement=acknowledgement(0.5))
    life.at(2, override=IDA)
    assert life.said[-1].acknowledged == acknowledgement(0.5)
    life.at(3, "critical")
    assert life.said[-1].acknowledged is None


def test_override_before_any_alert_is_no_alert() -> None:
    """What opens at its end has that cause."""
    life = Life()
    assert life.at(0, override=IDA, counts={"24h": (50, 5_000)}) == []
    assert life.state is not None and life.state.watched and not life.state.is_open
    shown = Basis(time_ms=0, policy_version="a", counts={"24h": (50, 5_000)})
    assert life.at(1, "critical", shown=shown, counts={"24h": (50, 5_000)}) == ["opened"]
    assert (life.said[-1].cause, life.said[-1].episode) == ("override", 1)


def test_state_of_who_needs_no_more_watching_is_not_watched() -> None:
    life = Life()
    life.at(0, override=IDA)
    life.at(1)
    assert life.state is not None and not life.state.watched


def test_one_override_after_another_is_reported() -> None:
    life = Life()
    life.at(0, "critical")
    life.at(1, override=IDA)
    other = msgspec.structs.replace(IDA, id="2c", by="Ben")
    assert life.at(2, "warning", override=other) == ["overridden", "reopened"]


def open_at(counts: dict[str, tuple[int, int]], **basis: Any) -> Life:
    life = Life()
    life.at(0, "warning", counts=counts, **basis)
    return life


@pytest.mark.parametrize(
    ("then", "now", "minute", "cause"),
    [
        ({"1h": (5, 100), "24h": (20, 5_000)}, {"1h": (9, 150), "24h": (24, 5_050)}, 5, "events"),
        ({"1h": (5, 100), "24h": (20, 5_000)}, {"1h": (5, 90), "24h": (20, 4_000)}, 5, "time"),
        ({"1h": (5, 100), "24h": (20, 5_000)}, {"1h": (5, 100), "24h": (20, 5_000)}, 5, "time"),
        ({"1h": (0, 10), "24h": (20, 5_000)}, {"1h": (3, 10), "24h": (80, 5_000)}, 5, "late_events"),
        # Nearly an hour has passed, so the hour's window does not hold all that may have come in time.
        ({"1h": (0, 10), "24h": (20, 5_000)}, {"1h": (3, 10), "24h": (80, 5_000)}, 50, "events"),
        ({"24h": (20, 5_000)}, {"24h": (80, 5_000)}, 5, "events"),
    ],
    ids=["more came", "less is left", "the same", "more than the last hour holds", "long ago", "one window"],
)
def test_cause_is_what_the_counts_prove(
    then: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]], minute: float, cause: str
) -> None:
    life = open_at(then)
    life.at(minute, "critical", counts=now)
    assert life.said[-1].cause == cause


def test_other_policy_is_the_cause_whatever_was_counted() -> None:
    life = open_at({"24h": (20, 5_000)})
    life.at(1, "critical", version="b", counts={"24h": (90, 6_000)})
    assert life.said[-1].cause == "policy"


def test_cause_of_a_step_down_is_why_the_level_stopped_holding() -> None:
    life = open_at({"24h": (20, 5_000)})
    life.at(1, version="b", counts={"24h": (20, 5_000)})
    for minute in range(2, 31):
        life.at(minute, version="b", counts={"24h": (20 + minute, 9_000)})
    assert life.at(31, version="b", counts={"24h": (60, 9_000)}) == ["resolved"]
    assert life.said[-1].cause == "policy"


def test_first_opening_is_measured_against_what_was_last_shown() -> None:
    shown = Basis(time_ms=0, policy_version="a", counts={"24h": (50, 5_000)})
    for counts, version, cause in (
        ((60, 5_100), "a", "events"),
        ((50, 4_000), "a", "time"),
        ((60, 5_100), "b", "policy"),
    ):
        life = Life()
        life.at(5, "warning", shown=shown, counts={"24h": counts}, version=version)
        assert life.said[-1].cause == cause
    life = Life()
    life.at(5, "warning", counts={"24h": (60, 5_100)})
    assert life.said[-1].cause == "events", "nothing was shown before"


def test_state_is_stored_when_it_says_something_new_and_now_and_then() -> None:
    life = open_at({"24h": (20, 5_000)})
    first = life.state
    assert worth_storing(None, first)
    life.at(0.5, "warning", counts={"24h": (21, 5_000)})
    assert not worth_storing(first, life.state)
    life.at(0.5, "warning", counts={"24h": (21, 5_000)}, version="b")
    assert worth_storing(first, life.state)
    life.at(RECORD_MS / MINUTE, "warning")
    assert worth_storing(first, life.state)
    assert not worth_storing(None, None)


levels = st.sampled_from(LEVELS)
OVERRIDES = (None, IDA, msgspec.structs.replace(IDA, id="2c", by="Ben"))


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, Level, Level, dict[str, Any]]]:
    """Judgements in time, with decisions of people between them."""
    found, minute = [], 0
    override, said = None, None
    for _ in range(draw(st.integers(0, 30))):
        level, holding = sorted([draw(levels), draw(levels)], key=LEVELS.index)
        if draw(st.integers(0, 3)) == 0:
            override = draw(st.sampled_from(OVERRIDES))
        if draw(st.integers(0, 3)) == 0:
            said = acknowledgement(minute - draw(st.integers(0, 10)))
        found.append((minute, level, holding, {"override": override, "acknowledgement": said}))
        minute += draw(st.integers(1, 90))
    return found


def run(says: list[tuple[int, Level, Level, dict[str, Any]]], repeat: int = 1) -> Life:
    life = Life()
    for minute, level, holding, context in says:
        for _ in range(repeat):
            life.at(minute, level, holding, **context)
    return life


@given(lives())
def test_law_nothing_is_said_twice_and_judging_twice_says_no_more(says: list[tuple[int, Level, Level, Any]]) -> None:
    life, again = run(says), run(says, repeat=2)
    assert len({each.id for each in life.said}) == len(life.said)
    assert (again.said, again.state) == (life.said, life.state)


@given(lives())
def test_law_transitions_of_an_alert_are_numbered_and_follow_each_other(
    says: list[tuple[int, Level, Level, Any]],
) -> None:
    for before, after in pairwise(run(says).said):
        if after.kind == "opened":
            assert (before.kind, after.episode, after.transition) == ("resolved", before.episode + 1, 1)
        else:
            assert (after.episode, after.transition) == (before.episode, before.transition + 1)
            assert after.previous_level == before.level
            assert after.opened_ms == before.opened_ms
        if after.kind == "reopened":
            assert before.kind in ("resolved", "overridden") or before.level == "good"
        if after.kind == "acknowledged":
            assert before.kind != "resolved"


@given(lives())
def test_law_open_level_is_never_below_the_verdict_nor_good_once_resolved(
    says: list[tuple[int, Level, Level, Any]],
) -> None:
    life = Life()
    for minute, level, holding, context in says:
        life.at(minute, level, holding, **context)
        assert RANK["good" if life.state is None else life.state.level] >= RANK[level]
        if life.said:
            assert life.state is not None
            assert life.state.level == life.said[-1].level
            assert life.state.is_open == (life.said[-1].kind != "resolved")


@given(lives())
def test_law_acknowledged_only_what_did_not_rise_since(says: list[tuple[int, Level, Level, Any]]) -> None:
    for each in run(says).said:
        if RANK[each.level] > RANK[each.previous_level]:
            assert each.acknowledged is None
        if each.acknowledged is not None:
            assert each.acknowledged.time_ms <= each.time_ms


@given(lives(), st.integers(0, 30))
def test_law_a_state_that_was_stored_and_read_goes_on_as_if_it_had_not_been(
    says: list[tuple[int, Level, Level, Any]], cut: int
) -> None:
    life = run(says[:cut])
    life.state = msgspec.json.decode(msgspec.json.encode(life.state), type=AlertState | None)
    for minute, level, holding, context in says[cut:]:
        life.at(minute, level, holding, **context)
    whole = run(says)
    assert (life.said, life.state) == (whole.said, whole.state)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=150), st.integers(1, 20))
def test_law_noise_around_a_threshold_is_one_alert(noise: list[int], minutes_apart: int) -> None:
    """Within the cool-down after each resolution nothing new opens, and what flaps holds longer and longer apart."""
    policy = Policy(rules=(RULE,), windows=("1h", "24h"))
    life = Life()
    for place, complained in enumerate(noise):
        counts = WindowCounts(fbl_delivered=5_000, fbl_complained=complained)
        subject = SubjectCounts(customer="acme", scope="customer", windows={"24h": counts})
        said: Verdict = judge(subject, policy, 0).verdicts[0]
        life.at(place * minutes_apart, said.level, said.holding_level)
    opened = [each.time_ms for each in life.said if each.kind == "opened"]
    assert all(later - earlier >= RULE.hold_ms + RULE.cool_down_ms for earlier, later in pairwise(opened))
    resolved = [each.time_ms for each in life.said if each.kind == "resolved"]
    assert all(later - earlier > RULE.hold_ms for earlier, later in pairwise(resolved))


def test_what_people_decide_has_an_id_of_its_own() -> None:
    """Another than anything else of the same number and level: sent before a crash, and after it something
    else came first: who drops repeated ids must hear of both."""
    ids = set()
    for context in ({"acknowledgement": acknowledgement(0.5)}, {"override": IDA}):
        life = Life()
        life.at(0, "warning")
        life.at(1, "warning", **context)
        assert (life.said[-1].transition, life.said[-1].level) == (2, "warning")
        ids.add(life.said[-1].id)
    assert len(ids) == 2
