"""The life of an alert: when it opens, changes and resolves, and that nothing is said twice."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.counts import SubjectCounts, WindowCounts
from schemas.levels import LEVELS, Level
from schemas.policy import Policy
from schemas.policy_rule import Levels, Rule
from streams.alerts.lifecycle import AlertState, Transition, alert_id, step, transition_id
from streams.judge.verdict import RANK, judge
from tests.support.alert_life import verdict

MINUTE = 60_000
HOLD = 30 * MINUTE
Say = tuple[int, Level, Level]


def after(
    says: list[Say], hold_ms: int = HOLD, state: AlertState | None = None
) -> tuple[AlertState | None, list[Transition]]:
    """The state after (minute, level, holding level) after another, and the transitions on the way."""
    found = []
    for minute, level, holding in says:
        state, transition = step(state, verdict(level, holding), minute * MINUTE, hold_ms, "acme", "customer")
        if transition is not None:
            found.append(transition)
    return state, found


def reported(says: list[Say], hold_ms: int = HOLD) -> list[tuple[int, str, Level, Level, int, int]]:
    return [
        (each.time_ms // MINUTE, each.kind, each.previous_level, each.level, each.episode, each.transition)
        for each in after(says, hold_ms)[1]
    ]


def test_good_customer_without_alert_has_no_state() -> None:
    assert after([(0, "good", "good")]) == (None, [])


def test_rate_that_would_hold_an_alert_opens_none() -> None:
    assert after([(0, "good", "excessive")]) == (None, [])


def test_alert_opens_at_once_at_the_level_of_the_verdict() -> None:
    state, (opened,) = after([(7, "excessive", "excessive")])
    assert state == AlertState(
        customer="acme",
        scope="customer",
        rule="complaint",
        level="excessive",
        episode=1,
        transition=1,
        opened_ms=7 * MINUTE,
        changed_ms=7 * MINUTE,
        excessive_ms=7 * MINUTE,
    )
    assert (opened.kind, opened.previous_level, opened.level) == ("opened", "good", "excessive")
    assert (opened.time_ms, opened.opened_ms) == (7 * MINUTE, 7 * MINUTE)


def test_watch_is_an_alert_too() -> None:
    assert reported([(0, "watch", "watch")]) == [(0, "opened", "good", "watch", 1, 1)]


def test_alert_escalates_at_once() -> None:
    assert reported([(0, "warning", "warning"), (1, "critical", "critical")]) == [
        (0, "opened", "good", "warning", 1, 1),
        (1, "escalated", "warning", "critical", 1, 2),
    ]


def test_open_alert_stays_silent_while_its_level_holds() -> None:
    assert len(reported([(0, "warning", "warning"), (60, "good", "warning"), (120, "warning", "warning")])) == 1


def test_alert_resolves_after_the_level_did_not_hold_for_the_hold_time() -> None:
    says: list[Say] = [
        (0, "warning", "warning"),
        (10, "good", "good"),
        (39, "good", "good"),
        (40, "good", "good"),
    ]
    assert reported(says)[1:] == [(40, "resolved", "warning", "good", 1, 2)]


def test_level_that_holds_again_starts_the_hold_time_again() -> None:
    says: list[Say] = [
        (0, "warning", "warning"),
        (10, "good", "good"),
        (30, "good", "warning"),
        (40, "good", "good"),
        (69, "good", "good"),
    ]
    assert len(reported(says)) == 1
    assert reported([*says, (70, "good", "good")])[1:] == [(70, "resolved", "warning", "good", 1, 2)]


def test_alert_de_escalates_to_the_highest_level_held_meanwhile() -> None:
    says: list[Say] = [
        (0, "critical", "critical"),
        (10, "good", "good"),
        (20, "good", "excessive"),
        (30, "good", "warning"),
        (40, "good", "good"),
    ]
    assert reported(says)[1:] == [(40, "de-escalated", "critical", "excessive", 1, 2)]


def test_each_step_down_takes_its_own_hold_time() -> None:
    says: list[Say] = [(0, "excessive", "excessive"), (10, "warning", "warning"), (40, "good", "good")]
    assert reported([*says, (69, "good", "good"), (70, "good", "good")])[1:] == [
        (40, "de-escalated", "excessive", "warning", 1, 2),
        (70, "resolved", "warning", "good", 1, 3),
    ]


def test_escalation_forgets_that_a_lower_level_was_ending() -> None:
    says: list[Say] = [(0, "warning", "warning"), (10, "good", "good"), (20, "excessive", "excessive")]
    state, _ = after(says)
    assert state is not None
    assert (state.level, state.below_since_ms, state.below_level) == ("excessive", None, "good")


def test_alert_without_hold_time_resolves_at_once() -> None:
    says: list[Say] = [(0, "warning", "warning"), (1, "good", "good")]
    assert reported(says, 0)[1:] == [(1, "resolved", "warning", "good", 1, 2)]


def test_alert_that_opens_again_is_the_next_episode() -> None:
    says: list[Say] = [
        (0, "warning", "warning"),
        (10, "good", "good"),
        (40, "good", "good"),
        (50, "excessive", "excessive"),
    ]
    assert reported(says)[2:] == [(50, "opened", "good", "excessive", 2, 1)]


def test_level_that_the_policy_gave_up_ends_like_any_other() -> None:
    says: list[Say] = [(0, "critical", "critical"), (10, "warning", "warning"), (40, "warning", "warning")]
    assert reported(says)[1:] == [(40, "de-escalated", "critical", "warning", 1, 2)]


def test_clock_that_goes_back_resolves_nothing() -> None:
    says: list[Say] = [(0, "warning", "warning"), (50, "good", "good"), (15, "good", "good")]
    assert len(reported(says)) == 1


def test_ids_are_the_same_everywhere_and_for_ever() -> None:
    assert alert_id("acme", "customer", "complaint", 1) == "99e4dd8d7f9417604d77d241ec8f8cf2"
    assert transition_id("acme", "customer", "complaint", 1, 1, "warning") == "5af40a31ac3ddb7a566ceb645a6f3836"


def test_ids_differ_where_the_parts_only_look_alike() -> None:
    parts = [("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd"), ("", "abc", "d")]
    ids = {alert_id(*each, 1) for each in parts} | {transition_id(*each, 1, 1, "watch") for each in parts}
    ids |= {transition_id("a", "bc", "d", 11, 1, "watch"), transition_id("a", "bc", "d", 1, 11, "watch")}
    assert len(ids) == 10


def test_same_transition_to_another_level_has_another_id() -> None:
    """A crash after the sending, and a rate that rose meanwhile: who drops repeated ids must hear of the level."""
    milder, worse = (after([(0, level, level)])[1][0] for level in ("warning", "critical"))
    assert milder.alert_id == worse.alert_id
    assert milder.id != worse.id


def test_transitions_of_one_episode_share_the_alert_id() -> None:
    _, (opened, escalated) = after([(0, "warning", "warning"), (1, "critical", "critical")])
    assert opened.alert_id == escalated.alert_id == alert_id("acme", "customer", "complaint", 1)
    assert opened.id == transition_id("acme", "customer", "complaint", 1, 1, "warning") != escalated.id


levels = st.sampled_from(LEVELS)


@st.composite
def histories(draw: st.DrawFn) -> list[Say]:
    """Verdicts in time, each with a level no higher than the one that holds."""
    says: list[Say] = []
    minute = 0
    for _ in range(draw(st.integers(0, 40))):
        level, holding = sorted([draw(levels), draw(levels)], key=LEVELS.index)
        says.append((minute, level, holding))
        minute += draw(st.integers(1, 20))
    return says


@given(histories())
def test_law_nothing_is_said_twice(says: list[Say]) -> None:
    _, found = after(says)
    assert len({each.id for each in found}) == len(found)


@given(histories())
def test_law_a_second_step_with_the_same_verdict_and_time_changes_nothing(says: list[Say]) -> None:
    doubled = [say for say in says for _ in range(2)]
    assert after(doubled) == after(says)
    assert after(doubled, 0) == after(says, 0)


@given(histories(), st.integers(0, 40))
def test_law_a_state_that_was_stored_and_read_goes_on_as_if_it_had_not_been(says: list[Say], cut: int) -> None:
    half, first = after(says[:cut])
    stored = msgspec.json.decode(msgspec.json.encode(half), type=AlertState | None)
    assert stored == half
    state, second = after(says[cut:], state=stored)
    assert (state, first + second) == after(says)


@given(histories())
def test_law_transitions_follow_each_other(says: list[Say]) -> None:
    _, found = after(says)
    previous: Transition | None = None
    for each in found:
        first = previous is None or previous.kind == "resolved"
        assert (each.kind == "opened") == first
        assert each.transition == (1 if first or previous is None else previous.transition + 1)
        assert each.previous_level == ("good" if previous is None else previous.level)
        rises = RANK[each.level] > RANK[each.previous_level]
        assert rises == (each.kind in ("opened", "escalated"))
        assert (each.level == "good") == (each.kind == "resolved")
        previous = each
    assert [each.episode for each in found if each.kind == "opened"] == list(
        range(1, 1 + sum(each.kind == "opened" for each in found))
    )


@given(histories())
def test_law_open_level_is_never_below_the_verdict(says: list[Say]) -> None:
    for end in range(1, len(says) + 1):
        state, _ = after(says[:end])
        assert RANK["good" if state is None else state.level] >= RANK[says[end - 1][1]]


@given(histories())
def test_law_a_level_is_left_only_after_it_did_not_hold_for_the_hold_time(says: list[Say]) -> None:
    _, found = after(says)
    for each in found:
        if each.kind in ("opened", "escalated"):
            continue
        now = each.time_ms // MINUTE
        recent = [holding for minute, _, holding in says if now - HOLD // MINUTE <= minute <= now]
        assert all(RANK[holding] < RANK[each.previous_level] for holding in recent)
        assert all(RANK[holding] <= RANK[each.level] for holding in recent)


def policy() -> Policy:
    levels = Levels(warning=0.001, excessive=0.003)
    return Policy(rules=(Rule(name="complaint", metric="complaint", windows=("24h",), min_volume=1000, levels=levels),))


@given(st.lists(st.integers(0, 30), max_size=200), st.integers(1, 30))
def test_law_noise_around_a_threshold_opens_at_most_one_alert_in_a_hold_time(
    noise: list[int], minutes_apart: int
) -> None:
    rules = policy()
    state: AlertState | None = None
    opened = []
    for index, complained in enumerate(noise):
        counts = WindowCounts(fbl_delivered=5_000, fbl_complained=complained)
        subject = SubjectCounts(customer="acme", scope="customer", windows={"24h": counts})
        now_ms = index * minutes_apart * MINUTE
        said = judge(subject, rules, now_ms).verdicts[0]
        state, transition = step(state, said, now_ms, HOLD, "acme", "customer")
        if transition is not None and transition.kind == "opened":
            opened.append(now_ms)
    assert all(later - earlier > HOLD for earlier, later in pairwise(opened))


@given(st.integers(0, 400), st.lists(st.integers(0, 600), max_size=30))
def test_law_the_same_counts_judged_again_and_again_are_sent_once(complained: int, minutes_apart: list[int]) -> None:
    rules = policy()
    counts = WindowCounts(fbl_delivered=5_000, fbl_complained=complained)
    subject = SubjectCounts(customer="acme", scope="customer", windows={"24h": counts})
    state: AlertState | None = None
    found = []
    now_ms = 0
    for minutes in [0, *minutes_apart]:
        now_ms += minutes * MINUTE
        state, transition = step(state, judge(subject, rules, now_ms).verdicts[0], now_ms, HOLD, "acme", "customer")
        found += [] if transition is None else [transition.kind]
    assert found in ([], ["opened"])
    assert bool(found) == (judge(subject, rules, 0).verdicts[0].level != "good")


@given(histories(), levels, st.integers(0, 600))
def test_law_what_is_judged_again_after_a_crash_has_the_id_that_was_sent(
    says: list[Say], level: Level, minutes_later: int
) -> None:
    """The state was not stored any more, so the next monitor begins from the one before."""
    state, _ = after(says)
    minute = says[-1][0] + 1 if says else 0
    sent = after([(minute, level, level)], state=state)[1]
    again = after([(minute + minutes_later, level, level)], state=state)[1]
    if sent:
        assert [(each.id, each.alert_id) for each in again] == [(each.id, each.alert_id) for each in sent]


@given(histories())
def test_law_two_steps_down_are_a_hold_time_apart(says: list[Say]) -> None:
    _, found = after(says)
    down = [each.time_ms for each in found if each.kind in ("de-escalated", "resolved")]
    assert all(later - earlier >= HOLD for earlier, later in pairwise(down))


@given(st.lists(st.integers(9, 40), min_size=1, max_size=200), st.integers(1, 60))
def test_law_noise_above_the_resolve_mark_never_ends_an_alert(noise: list[int], minutes_apart: int) -> None:
    """9 of 10,000 is over the mark of a warning (0.08 %), 23 open it, and 51 would be excessive."""
    rules = policy()
    state: AlertState | None = None
    found = []
    for index, complained in enumerate([23, *noise]):
        counts = WindowCounts(fbl_delivered=10_000, fbl_complained=complained)
        subject = SubjectCounts(customer="acme", scope="customer", windows={"24h": counts})
        now_ms = index * minutes_apart * MINUTE
        state, transition = step(state, judge(subject, rules, now_ms).verdicts[0], now_ms, HOLD, "acme", "customer")
        found += [] if transition is None else [(transition.kind, transition.level)]
    assert found == [("opened", "warning")]


def test_stored_state_keeps_its_field_names() -> None:
    state = AlertState(
        customer="acme",
        scope="customer",
        rule="complaint",
        level="good",
        episode=1,
        transition=2,
        opened_ms=1,
        changed_ms=2,
        suppressed_by_override=True,
        closed_for_good=True,
        acknowledged_ms=3,
    )
    stored = msgspec.json.decode(msgspec.json.encode(state))
    assert (stored["lifted"], stored["over"], stored["noted_ms"]) == (True, True, 3)
    assert msgspec.json.decode(msgspec.json.encode(stored), type=AlertState) == state
