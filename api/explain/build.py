"""Why a customer stands, or stood, where it does: every verdict with its counts, recomputed from the store for the
moment asked about, next to what was recorded of it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from api.explain.explanation import (
    AlertLife,
    DecisionNote,
    Explanation,
    OverrideInForce,
    RuleExplained,
    ScopeExplained,
    Step,
    WindowNumbers,
    numbers_of,
)
from api.http.standing import STANDINGS
from schemas.alert import AlertData, AlertEvent
from schemas.counts import SubjectCounts
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import BURNS, COUNTED, SPIKE, window_ms
from schemas.policy_rule import Rule
from schemas.scope import CUSTOMER, SHARED
from schemas.times import FOREVER_S
from schemas.wording import decided_by, rfc3339
from streams.alerts.evidence import LISTED_METRICS
from streams.alerts.lifecycle import AlertState
from streams.alerts.record import read_states
from streams.decisions.stored_overrides import Acknowledged, acknowledged
from streams.decisions.suspensions import Suspension, suspension, suspension_at
from streams.incidents.of_customer import left_out_of
from streams.io.store import Store
from streams.judge.allowance import allowance
from streams.judge.score import SCORES, score_of
from streams.judge.verdict import NOTHING, RANK, Verdict, judge, measured
from streams.listings.causes import CausedListing, stored_causes
from streams.windows.baselines import read_baselines
from streams.windows.past import counts_at
from streams.windows.pools import NOBODY, Pooled, Pools, judge_pool, pool_evidence

#: What was said of the customer until the moment, each episode in order. A transition that was repeated after a crash
#: with another level has two rows; the later one is last.
ALERTS = """
SELECT event, toUnixTimestamp64Milli(alerts.time) AS time_ms
FROM alerts FINAL
WHERE customer = {customer:String} AND alerts.time <= fromUnixTimestamp64Milli({at:Int64})
ORDER BY episode, transition, alerts.time
"""

ScopeRule = tuple[str, str]


class RecordedTransition(msgspec.Struct, frozen=True):
    """A transition that was recorded at `time_ms` (epoch ms)."""

    data: AlertData
    time_ms: int


class Opened(NamedTuple):
    """An alert that was open: its transitions, its state (which is of now), and who acknowledged it."""

    sent: list[RecordedTransition]
    state: AlertState | None
    acknowledgement: Acknowledged | None


def _opened(sent: list[RecordedTransition], state: AlertState | None, last: Acknowledged | None) -> Opened:
    """An acknowledgement from before it rose was of something milder."""
    rose_ms = next((each.time_ms for each in reversed(sent) if _rises(each.data)), sent[0].time_ms)
    return Opened(sent, state, last if last is not None and last.time_ms > rose_ms else None)


def explain(
    store: Store, customer: str, policy: Policy, feedback_loop: Sequence[str], at_ms: int, *, past: bool
) -> Explanation | None:
    """Why `customer` stood where it did at `at_ms` (epoch ms), judged by `policy`; None if nothing is stored of it.

    Without `past` the moment is now, and all that is counted is looked at, as the monitor does.

    Raises:
        StoreError: the store failed.
    """
    lengths = {name: window_ms(name) for name in policy.windows}
    counted = counts_at(store, customer, lengths, feedback_loop, at_ms, include_later=not past, policy=policy)
    if policy.spikes_from is not None:
        usual = read_baselines(store, [customer], at_ms)
        counted = [msgspec.structs.replace(each, baseline=usual.get((customer, each.scope))) for each in counted]
    alerts = _episodes(store, customer, at_ms)
    recorded = {
        row["scope"]: (str(row["standing"]), int(row["since"]))
        for row in store.records(STANDINGS, {"customer": customer})
        if int(row["since"]) <= at_ms
    }
    if not counted and not alerts and not recorded:
        return None
    notes = acknowledged(store, at_ms, customer)
    suspended = suspension_at(store, customer, at_ms) if past else suspension(store, customer)
    states = {(scope, rule): state for (_, scope, rule), state in read_states(store, [customer]).items()}
    recounts = _recounted(store, customer, lengths, feedback_loop, [each[-1] for each in alerts.values()], policy)
    subjects = {each.scope: each for each in counted if each.scope.partition(":")[0] in policy.scopes}
    scopes = sorted({CUSTOMER, *subjects, *(scope for scope, _ in alerts)}, key=lambda each: (each != CUSTOMER, each))
    return Explanation(
        customer=customer,
        time=rfc3339(at_ms),
        policy_version=policy.version,
        scopes=tuple(
            _scope(
                subjects.get(scope, SubjectCounts(customer=customer, scope=scope, windows={})),
                policy,
                at_ms,
                {
                    rule: _opened(sent, states.get((scope, rule)), notes.get(sent[-1].data.alert_id))
                    for (of, rule), sent in alerts.items()
                    if of == scope
                },
                recounts,
                recorded.get(scope),
                suspended if scope == CUSTOMER else None,
            )
            for scope in scopes
        ),
        listings=_listings(store, customer, policy, at_ms),
        left_out=left_out_of(
            store, customer, (at_ms - max(lengths.values())) // 1000, at_ms // 1000 + 1 if past else FOREVER_S
        ),
    )


def explain_shared(
    store: Store, scope: str, policy: Policy, feedback_loop: Sequence[str], now_ms: int
) -> Explanation | None:
    """What the small customers of a pool, From domain or plan are judged by together now, and a pool by its listings,
    whether or not the policy judges those. `scope` is such as `pool:NAME`.

    None if there are no two of them with mail, nothing is listed and no alert on them is open.

    Raises:
        StoreError: the store failed.
    """
    kind = scope.partition(":")[0]
    alerts = {rule: sent for (of, rule), sent in _episodes(store, NOBODY, now_ms).items() if of == scope}
    pools = Pools(store, policy, feedback_loop, kind=kind).read(now_ms)
    found = next((each for each in pools if each.scope == scope), None)
    if found is None and not alerts:
        return None
    pooled = found or Pooled(scope, {})
    nothing = SubjectCounts(customer=NOBODY, scope=scope, windows={})
    states, notes = read_states(store, [NOBODY]), acknowledged(store, now_ms, NOBODY)
    judgement = judge_pool(pooled, policy, now_ms)
    rules = {rule.name: rule for rule in policy.rules}
    explained = []
    for verdict in judgement.verdicts:
        rule, sent = rules[verdict.rule], alerts.get(verdict.rule)
        opened = (
            _opened(sent, states.get((NOBODY, scope, rule.name)), notes.get(sent[-1].data.alert_id)) if sent else None
        )
        subject = pooled.by_rule.get(rule.name, nothing)
        said = _rule(rule, verdict, subject, policy, now_ms, opened, None)
        by = pool_evidence(store, scope, rule, verdict.window, policy, feedback_loop, now_ms)
        explained.append(msgspec.structs.replace(said, customers=by.customers, listings=by.listings))
    open_levels = [sent[-1].data.level for sent in alerts.values() if sent[-1].data.level != "good"]
    return Explanation(
        customer=NOBODY,
        time=rfc3339(now_ms),
        policy_version=policy.version,
        scopes=(
            ScopeExplained(
                scope=scope,
                standing=max(open_levels, key=RANK.__getitem__, default=judgement.standing),
                suspended=None,
                scores=dict.fromkeys(SCORES),
                recorded=None,
                since=None,
                rules=tuple(explained),
                remarks=() if kind in policy.scopes else (f"this policy does not judge a {SHARED[kind]}",),
            ),
        ),
    )


def _listings(store: Store, customer: str, policy: Policy, at_ms: int) -> tuple[CausedListing, ...]:
    """What the customer sent through that was listed in the longest window of a rule about listings."""
    rules = [rule for rule in policy.rules if rule.metric in LISTED_METRICS]
    longest = max((window_ms(window) for rule in rules for window in rule.windows), default=0)
    since_ms = at_ms - longest
    return tuple(each for each in stored_causes(store, since_ms, customer=customer) if each.began_ms <= at_ms)


def _episodes(store: Store, customer: str, at_ms: int) -> dict[ScopeRule, list[RecordedTransition]]:
    """The transitions of each episode that was open at the moment, by scope and rule."""
    found: dict[ScopeRule, list[RecordedTransition]] = defaultdict(list)
    for event, time_ms in store.rows(ALERTS, {"customer": customer, "at": at_ms}):
        data = msgspec.json.decode(event, type=AlertEvent).data
        episode = found[data.scope, data.rule]
        if episode and episode[0].data.episode != data.episode:
            episode.clear()
        episode.append(RecordedTransition(data, int(time_ms)))
    return {key: episode for key, episode in found.items() if episode[-1].data.kind != "resolved"}


def _recounted(
    store: Store,
    customer: str,
    lengths: Mapping[str, int],
    feedback_loop: Sequence[str],
    alerts: Sequence[RecordedTransition],
    policy: Policy,
) -> dict[int, dict[str, SubjectCounts]]:
    """What is counted now for the times at which alerts last changed, by time and scope."""
    times = sorted({each.time_ms for each in alerts})
    return {
        time_ms: {
            each.scope: each
            for each in counts_at(store, customer, lengths, feedback_loop, time_ms, include_later=False, policy=policy)
        }
        for time_ms in times
    }


def _scope(
    subject: SubjectCounts,
    policy: Policy,
    at_ms: int,
    alerts: Mapping[str, Opened],
    recounts: Mapping[int, Mapping[str, SubjectCounts]],
    recorded: tuple[str, int] | None,
    suspended: Suspension | None,
) -> ScopeExplained:
    judgement = judge(subject, policy, at_ms)
    open_levels = [each.sent[-1].data.level for each in alerts.values() if each.sent[-1].data.level != "good"]
    standing = max(open_levels, key=RANK.__getitem__, default=judgement.standing)
    rules = {rule.name: rule for rule in policy.rules_for(subject.customer, subject.scope, at_ms)}
    remarks = [
        f"an alert of rule {name} is open, which this policy does not have"
        for name in sorted(alerts.keys() - rules.keys())
    ]
    if recorded is not None and recorded[0] != standing:
        remarks.append(f"recorded as {recorded[0]} since {rfc3339(recorded[1])}; the counts now stored say {standing}")
    return ScopeExplained(
        scope=subject.scope,
        standing=standing,
        suspended=DecisionNote(by=suspended.by, time=rfc3339(suspended.since_ms), why=suspended.why)
        if suspended
        else None,
        scores=score_of(subject, policy),
        recorded=recorded[0] if recorded else None,
        since=rfc3339(recorded[1]) if recorded else None,
        rules=tuple(
            _rule(rules[verdict.rule], verdict, subject, policy, at_ms, alerts.get(verdict.rule), recounts)
            for verdict in judgement.verdicts
        ),
        remarks=tuple(remarks),
    )


def _rule(
    rule: Rule,
    verdict: Verdict,
    subject: SubjectCounts,
    policy: Policy,
    at_ms: int,
    opened: Opened | None,
    recounts: Mapping[int, Mapping[str, SubjectCounts]] | None,
) -> RuleExplained:
    life = _life(opened, at_ms) if opened else None
    stands: Level = max(verdict.level, life.level if life else "good", key=RANK.__getitem__)
    return RuleExplained(
        rule=rule.name,
        metric=rule.metric,
        level=verdict.level,
        holding_level=verdict.holding_level,
        window=verdict.window,
        insufficient_volume=verdict.insufficient_volume,
        confidence=verdict.confidence,
        threshold=verdict.threshold,
        windows=tuple(_window(rule, window, subject, policy, at_ms) for window in rule.windows),
        allowance=allowance(rule, subject.mail_to(rule.mail_to), policy.confidence, policy.expired_is_failure, stands),
        overrides=_overrides(rule, subject, policy, at_ms),
        alert=life,
        remarks=(
            *_remarks(rule, verdict, life, policy),
            *(_recorded_otherwise(opened.sent[-1], rule, recounts, policy) if opened and recounts is not None else ()),
        ),
        baseline=verdict.baseline,
    )


def _window(rule: Rule, window: str, subject: SubjectCounts, policy: Policy, at_ms: int) -> WindowNumbers:
    """One window, judged as if the rule had no other."""
    least = dict(rule.checks)[window]
    alone = msgspec.structs.replace(
        rule, windows=(window,), min_volume=0 if rule.metric in COUNTED else {window: least}
    )
    said = judge(subject, msgspec.structs.replace(policy, rules=(alone,), overrides=()), at_ms).verdicts[0]
    return WindowNumbers(
        window=window,
        numerator=said.numerator,
        denominator=said.denominator,
        min_volume=least,
        enough=not said.insufficient_volume,
        rate=said.rate,
        lower=said.lower,
        upper=said.upper,
        confidence=said.confidence,
        level=said.level,
    )


def _life(opened: Opened, at_ms: int) -> AlertLife:
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


def _overrides(rule: Rule, subject: SubjectCounts, policy: Policy, at_ms: int) -> tuple[OverrideInForce, ...]:
    return tuple(
        OverrideInForce(
            reason=each.reason,
            stream=each.stream,
            levels=each.levels,
            min_volume=each.min_volume,
            until=None if each.until is None else rfc3339(int(each.until_ms)),
        )
        for each in policy.overrides_for(subject.customer, subject.scope, at_ms)
        if each.rule == rule.name
    )


def _remarks(rule: Rule, verdict: Verdict, life: AlertLife | None, policy: Policy) -> list[str]:
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
        return [f"{alert} is held: it resolves when the {what} has stayed below {mark:.3g} {where}"]
    since = f" since {life.below_since}" if life and life.below_since else ""
    return [f"below {alert}{since}: left when it has been for {rule.hold_minutes:g} minutes"]


def _recorded_otherwise(
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
