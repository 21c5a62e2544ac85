"""The life of an open alert as it is explained, and why it differs from what the counts say now."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from api.explain.explanation import AlertLife, DecisionNote, Step, numbers_of
from schemas.alert import AlertData
from schemas.counts import SubjectCounts
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import BURNS, SPIKE
from schemas.policy_rule import Rule
from schemas.wording import decided_by, rfc3339
from streams.alerts.lifecycle import AlertState
from streams.decisions.stored_overrides import Acknowledged
from streams.judge.verdict import NOTHING, RANK, Verdict, measured


class RecordedTransition(msgspec.Struct, frozen=True):
    """A transition that was recorded at `time_ms` (epoch ms)."""

    data: AlertData
    time_ms: int


class Opened(NamedTuple):
    """An alert that was open: its transitions, its state (which is of now), and who acknowledged it."""

    sent: list[RecordedTransition]
    state: AlertState | None
    acknowledgement: Acknowledged | None


def opened_alert(sent: list[RecordedTransition], state: AlertState | None, last: Acknowledged | None) -> Opened:
    """An acknowledgement from before it rose was of something milder."""
    rose_ms = next((each.time_ms for each in reversed(sent) if _rises(each.data)), sent[0].time_ms)
    return Opened(sent, state, last if last is not None and last.time_ms > rose_ms else None)


def life_of(opened: Opened, at_ms: int) -> AlertLife:
    sent, state, ack = opened
    last = sent[-1]
    below_since = None
    if state is not None and (state.episode, state.transition) == (last.data.episode, last.data.transition):
        # The state is the latest one; what began before the moment and still lasts, lasted then.
        below_since = state.below_since_ms
    return AlertLife(
        alert_id=last.data.alert_id,
        level=last.data.level,
        opened=rfc3339(sent[0].time_ms),
        changed=rfc3339(next((each for each in reversed(sent) if _changes_level(each.data)), sent[0]).time_ms),
        below_since=rfc3339(below_since) if below_since is not None and below_since <= at_ms else None,
        acknowledged=DecisionNote(by=ack.by, time=rfc3339(ack.time_ms), why=ack.why) if ack else None,
        override=last.data.override,
        held=last.data.held,
        history=tuple(
            Step(
                time=rfc3339(each.time_ms),
                kind=each.data.kind,
                cause=each.data.cause,
                said=decided_by(each.data),
                previous_level=each.data.previous_level,
                level=each.data.level,
                window=each.data.window,
                numerator=each.data.numerator,
                denominator=each.data.denominator,
                policy_version=each.data.policy_version,
            )
            for each in sent
        ),
    )


def _changes_level(data: AlertData) -> bool:
    return data.kind == "opened" or data.level != data.previous_level


def _rises(data: AlertData) -> bool:
    return data.kind == "opened" or RANK[data.level] > RANK[data.previous_level]


def remarks_on(rule: Rule, verdict: Verdict, life: AlertLife | None, policy: Policy) -> list[str]:
    """Why the alert's level differs from the verdict's."""
    alert: Level = life.level if life else "good"
    if verdict.level == alert:
        return []
    if RANK[verdict.level] > RANK[alert]:
        said = f"the counts now stored reach {verdict.level}, recorded was {alert}"
        if life and (before := life.history[-1].policy_version) != policy.version:
            return [f"{said}: that was judged by policy {before}"]
        return [f"{said}: events came late, another policy was in force, or it was not judged again yet"]
    if RANK[verdict.holding_level] >= RANK[alert]:
        mark = next(rung.resolve_at for rung in rule.ladder if RANK[rung.level] >= RANK[alert])
        what, where = ("burn", f"over {rule.longest}") if rule.metric in BURNS else ("rate", "in every window")
        if rule.metric == SPIKE:
            what, where = "score", "or the hour is no longer far above the busiest ones"
        return [f"{alert} stays: it resolves when the {what} has stayed below {mark:.3g} {where}"]
    since = f" since {life.below_since}" if life and life.below_since else ""
    return [f"below {alert}{since}: left when it has been for {rule.hold_minutes:g} minutes"]


def recorded_otherwise(
    last: RecordedTransition, rule: Rule, recounts: Mapping[int, Mapping[str, SubjectCounts]], policy: Policy
) -> list[str]:
    """Whether what is now counted for the alert's last change is what was recorded with it."""
    data, when = last.data, rfc3339(last.time_ms)
    if data.window not in policy.windows:
        return [f"recorded over {data.window}, which this policy does not count"]
    subject = recounts[last.time_ms].get(data.scope)
    windows = subject.mail_to(rule.mail_to) if subject else {}
    counted = windows.get(data.window, NOTHING)
    now = measured(rule.metric, counted, policy.expired_is_failure, rule.counted_weights)
    if rule.metric == SPIKE:  # the denominator is what is usual, which is not counted
        now = now[0], data.denominator
    if now == (data.numerator, data.denominator):
        return []
    return [
        f"recorded were {numbers_of(rule.metric, data.numerator, data.denominator)} in {data.window} at {when}; "
        f"counted for that moment are now {numbers_of(rule.metric, *now)}: events came after it was judged"
    ]
