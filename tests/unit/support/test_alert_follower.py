"""A consumer that follows alerts as docs/alerts.md says suspends whom it should, once, and for no longer."""

import random
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.hooks.latest import Latest
from schemas.alert import AlertEvent, Held, TransitionKind
from schemas.levels import LEVELS, Level
from streams.alerts.lifecycle import Transition
from tests.support.alert_follower import SUSPENDING, HookDecision, HookMemory, decide
from tests.support.alert_life import IDA, RULE, Life, acknowledgement, alert


def actions(events: Iterable[AlertEvent]) -> list[str | None]:
    seen = HookMemory()
    return [decision.action if (decision := decide(event, seen)) else None for event in events]


@pytest.mark.parametrize("kind", ["opened", "escalated", "reopened", "override-ended"])
@pytest.mark.parametrize("level", ["excessive", "critical"])
def test_excessive_and_critical_suspend_when_opened_or_escalated(kind: TransitionKind, level: Level) -> None:
    assert actions([alert(kind, level)]) == ["suspend"]


@pytest.mark.parametrize(
    "event",
    [
        alert("opened", "watch"),
        alert("opened", "warning"),
        alert("escalated", "warning"),
        alert("de-escalated", "excessive"),
        alert("acknowledged", "critical"),
        alert("overridden", "critical"),
        alert("overridden", "good", scope="stream:newsletter"),
        alert("reopened", "warning"),
        alert("opened", "warning", scope="stream:newsletter"),
        alert("resolved", "good", scope="stream:newsletter"),
    ],
)
def test_lesser_alerts_and_de_escalations_suspend_nobody(event: AlertEvent) -> None:
    assert actions([event]) == [None]


def test_repeated_event_is_dropped() -> None:
    assert actions([alert(), alert(), alert()]) == ["suspend", None, None]


def test_escalation_of_an_episode_acted_on_says_so_and_does_not_suspend_twice() -> None:
    seen = HookMemory()
    decide(alert("opened", "excessive"), seen)
    again = decide(alert("escalated", "critical"), seen)
    assert again is not None
    assert again.action == "already suspended"


def test_escalation_of_a_warning_suspends() -> None:
    assert actions([alert("opened", "warning"), alert("escalated", "excessive")]) == [None, "suspend"]


def test_alert_on_a_stream_is_marked_and_suspends_nobody() -> None:
    seen = HookMemory()
    event = alert(scope="stream:newsletter", alert_id="stream-episode")
    marked = decide(event, seen)
    assert marked is not None
    assert marked.action == "stream only"
    assert decide(alert("resolved", "good", scope="stream:newsletter", alert_id="stream-episode"), seen) is None


def test_resolved_episode_lifts_its_suspension() -> None:
    seen = HookMemory()
    decide(alert(), seen)
    lifted = decide(alert("resolved", "good", rate=0.01), seen)
    assert lifted is not None
    assert lifted.action == "lift"


def test_resolved_episode_that_was_only_a_warning_lifts_nothing() -> None:
    assert actions([alert("opened", "warning"), alert("resolved", "good")]) == [None, None]


def test_suspension_stays_until_the_last_open_episode_of_the_customer_is_resolved() -> None:
    events = [
        alert(alert_id="a"),
        alert(alert_id="b"),
        alert("resolved", "good", alert_id="a"),
        alert("resolved", "good", alert_id="b"),
    ]
    assert actions(events) == ["suspend", "suspend", "keep suspended", "lift"]


def test_episode_that_opens_again_suspends_again_and_is_lifted_again() -> None:
    events = [
        alert(),
        alert("resolved", "good", transition=2),
        alert("reopened", "excessive", transition=3),
        alert("escalated", "critical", transition=4),
        alert("resolved", "good", transition=5),
    ]
    assert actions(events) == ["suspend", "lift", "suspend", "already suspended", "lift"]


def test_episode_that_opens_again_as_a_warning_lifts_nothing_when_it_is_resolved() -> None:
    events = [
        alert("opened", "warning"),
        alert("resolved", "good", transition=2),
        alert("reopened", "warning", transition=3),
        alert("resolved", "good", transition=4),
    ]
    assert actions(events) == [None] * 4


def test_override_below_what_suspends_lifts_and_its_end_suspends_again() -> None:
    events = [
        alert(),
        alert("overridden", "warning", transition=2),
        alert("override-ended", "critical", transition=3),
        alert("overridden", "good", transition=4),
        alert("resolved", "good", transition=5),
    ]
    assert actions(events) == ["suspend", "lift", "suspend", "lift", None]


def test_override_that_still_suspends_lifts_nothing() -> None:
    events = [alert(), alert("overridden", "excessive", transition=2), alert("resolved", "good", transition=3)]
    assert actions(events) == ["suspend", None, "lift"]


def test_acknowledgement_neither_suspends_nor_lifts() -> None:
    assert actions([alert(), alert("acknowledged", transition=2)]) == ["suspend", None]


HELD = Held(id="3f9c", reason="brake", since_ms=1_764_579_600_000, customers=23)


@pytest.mark.parametrize("kind", ["opened", "escalated", "reopened", "override-ended"])
@pytest.mark.parametrize("level", ["excessive", "critical"])
def test_held_alert_suspends_nobody(kind: TransitionKind, level: Level) -> None:
    assert actions([alert(kind, level, held=HELD)]) == ["held"]


def test_held_alert_suspends_once_it_is_confirmed() -> None:
    events = [
        alert(held=HELD),
        alert("acknowledged", held=HELD, transition=2),
        alert("confirmed", transition=3),
        alert("escalated", transition=4),
        alert("resolved", "good", transition=5),
    ]
    assert actions(events) == ["held", None, "suspend", "already suspended", "lift"]


def test_held_alert_that_is_released_lifts_nothing() -> None:
    events = [alert(held=HELD), alert("escalated", held=HELD, transition=2), alert("resolved", "good", transition=3)]
    assert actions(events) == ["held", "held", None]


def test_what_was_suspended_before_it_was_held_is_lifted() -> None:
    events = [alert(), alert("held", held=HELD, transition=2), alert("confirmed", transition=3)]
    assert actions(events) == ["suspend", "lift", "suspend"]


def test_customer_stays_suspended_by_another_alert_that_is_not_held() -> None:
    events = [alert(alert_id="a"), alert(alert_id="b"), alert("held", alert_id="b", held=HELD)]
    assert actions(events) == ["suspend", "suspend", "keep suspended"]


def test_held_alert_on_a_stream_is_not_acted_on_either() -> None:
    assert actions([alert(scope="stream:newsletter", held=HELD)]) == ["held"]


def test_later_episode_says_that_an_earlier_one_of_its_rule_is_over() -> None:
    events = [
        alert(alert_id="a"),
        alert(alert_id="b", episode=2),
        alert("resolved", "good", alert_id="b", episode=2),
    ]
    assert actions(events) == ["suspend", "suspend", "lift"]


def test_milder_opening_of_an_episode_that_suspended_is_not_taken_for_a_new_episode() -> None:
    events = [alert(level="critical"), alert(level="warning"), alert(level="excessive")]
    assert actions(events) == ["suspend", None, "already suspended"]


def test_episodes_of_different_customers_do_not_hold_each_other() -> None:
    events = [
        alert(alert_id="a"),
        alert(alert_id="b", customer="globex"),
        alert("resolved", "good", alert_id="a"),
    ]
    assert actions(events) == ["suspend", "suspend", "lift"]


@given(
    st.lists(
        st.builds(
            alert,
            st.sampled_from(get_args(TransitionKind)),
            st.sampled_from(LEVELS),
            alert_id=st.sampled_from("ab"),
            scope=st.sampled_from(["customer", "stream:x"]),
        ),
        max_size=12,
    )
)
def test_an_episode_suspends_at_most_once_until_it_is_resolved(events: list[AlertEvent]) -> None:
    seen, suspended = HookMemory(), set[str]()
    for event in events:
        match decide(event, seen):
            case HookDecision(action="suspend"):
                assert event.data.kind not in ("acknowledged", "overridden", "resolved", "de-escalated")
                assert event.data.scope == "customer"
                assert event.data.alert_id not in suspended
                suspended.add(event.data.alert_id)
            case HookDecision(action="lift"):
                suspended.clear()
            case HookDecision(action="keep suspended"):
                suspended.discard(event.data.alert_id)


#: Whatever else a policy judges is not all of a customer's mail.
PARTS = (
    "stream:x",
    "class:bulk",
    "class:transactional",
    "pool:shared",
    "pool:customer",
    "from:a.example",
    "plan:free",
    "sub_account:eu",
)


@given(
    st.lists(
        st.builds(
            alert,
            st.sampled_from(get_args(TransitionKind)),
            st.sampled_from(LEVELS),
            scope=st.sampled_from(PARTS),
            customer=st.sampled_from(["", "acme-retail"]),
            rule=st.sampled_from(["failure", "failure_burn", "volume_spike", "unwanted", "attributed_listing"]),
            transition=st.integers(1, 9),
        ),
        max_size=12,
    )
)
def test_law_alerts_on_a_part_of_the_mail_neither_suspend_nor_lift(events: list[AlertEvent]) -> None:
    seen = HookMemory()
    decide(alert(alert_id="whole"), seen)
    for event in events:
        found = decide(event, seen)
        assert found is None or found.action in ("stream only", "shared only")
    last = decide(alert("resolved", "good", alert_id="whole"), seen)
    assert last is not None
    assert last.action == "lift"


def as_sent(transition: Transition) -> AlertEvent:
    same = ("alert_id", "customer", "scope", "rule", "kind", "level", "previous_level", "episode", "transition")
    event = alert(**{name: getattr(transition, name) for name in same})
    return msgspec.structs.replace(event, id=transition.id)


def lives() -> st.SearchStrategy[list[tuple[int, Level, Level | None, dict[str, Any]]]]:
    """Judgements that come and go often, at minutes later than the one before; overrides begin and end between them."""
    levels: list[tuple[Level, Level | None]] = [
        ("good", None),
        ("good", None),
        ("good", "critical"),
        ("warning", None),
        ("critical", None),
    ]
    besides: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {
            "override": st.sampled_from([None, None, IDA]),
            "acknowledgement": st.sampled_from([None, acknowledgement(100)]),
        }
    )
    moments = st.tuples(st.sampled_from([1, 5, 40, 200]), st.sampled_from(levels), besides)
    return st.lists(moments, min_size=1, max_size=25).map(
        lambda each: [
            (minute, *said, context)
            for minute, (_, said, context) in zip(accumulate(apart for apart, _, _ in each), each, strict=True)
        ]
    )


@given(st.lists(lives(), min_size=1, max_size=2), st.randoms(use_true_random=False))
def test_law_customer_is_suspended_while_an_alert_of_its_whole_mail_would_suspend_it(
    says: list[list[tuple[int, Level, Level | None, dict[str, Any]]]], chance: random.Random
) -> None:
    """And not longer than it is open. Whatever is acknowledged, overridden, reopened or judged by another policy, and
    though events come twice."""
    lived = [Life(msgspec.structs.replace(RULE, name=f"rule_{number}")) for number in range(len(says))]
    steps = [(said, life) for some, life in zip(says, lived, strict=True) for said in some]
    seen, sent, suspended = HookMemory(), list[AlertEvent](), False
    for (minute, level, holding, context), life in sorted(steps, key=lambda each: each[0][0]):
        reported = len(life.said)
        life.at(minute, level, holding, version=chance.choice("ab"), **context)
        new = [as_sent(each) for each in life.said[reported:]]
        for event in [*new, *chance.sample(sent, min(2, len(sent)))]:
            found = decide(event, seen)
            suspended = {"suspend": True, "lift": False}.get(found.action if found else "", suspended)
        sent += new
        states = [each.state for each in lived if each.state is not None]
        if any(state.level in SUSPENDING for state in states):
            assert suspended
        if not any(state.level != "good" for state in states):
            assert not suspended


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    latest: Latest[int, str] = Latest(2)
    for number in (1, 2, 1, 3):
        latest.put(number, str(number))
    assert len(latest) == 2
    assert [number in latest for number in (1, 2, 3)] == [True, False, True]
    assert latest.get(2) is None


def test_everything_the_hook_remembers_is_bounded() -> None:
    seen = HookMemory(Latest(3), Latest(3), Latest(3))
    for number in range(10):
        decide(alert(alert_id=f"episode-{number}", customer=f"customer-{number}"), seen)
    assert (len(seen.events), len(seen.episodes), len(seen.suspended)) == (3, 3, 3)
