"""Why a customer stands, or stood, where it does: every verdict with its counts, recomputed from the store for the
moment asked about, next to what was recorded of it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from api.explain.alert_life import Opened, RecordedTransition, life_of, opened_alert, recorded_otherwise, remarks_on
from api.explain.explanation import (
    DecisionNote,
    Explanation,
    FreshStartNote,
    OverrideInForce,
    RuleExplained,
    ScopeExplained,
    WindowNumbers,
)
from api.http.standing import STANDINGS
from schemas.alert import AlertData, AlertEvent
from schemas.counts import SubjectCounts
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import COUNTED, LISTED_METRICS, REPORTED_SPAM, window_ms
from schemas.policy_rule import Rule
from schemas.scope import CUSTOMER, SHARED
from schemas.times import FOREVER_S
from schemas.wording import rfc3339
from streams.alerts.last_mail import silent_since
from streams.alerts.lifecycle import AlertState
from streams.alerts.outcome import empty
from streams.alerts.record import read_states
from streams.alerts.release import in_force
from streams.decisions.stored_overrides import acknowledged
from streams.decisions.suspensions import Reinstatement, Suspension, account, account_at
from streams.incidents.of_customer import left_out_of
from streams.io.store import Store
from streams.judge.allowance import allowance
from streams.judge.fleet import AS_USUAL
from streams.judge.score import SCORES, score_of
from streams.judge.verdict import NOTHING, RANK, Judgement, Verdict, judge
from streams.listings.causes import CausedListing, stored_causes
from streams.listings.left_out import with_incidents
from streams.monitor.released import judged_since_releases
from streams.subjects.fresh_starts import FreshStart, since_at
from streams.subjects.stored_fresh_starts import fresh_starts
from streams.subjects.totals import begin
from streams.windows.baselines import read_baselines
from streams.windows.current import SPIKE_WINDOW
from streams.windows.fleet import read_fleet_volume
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


def explain(
    store: Store, customer: str, policy: Policy, feedback_loop: Sequence[str], at_ms: int, *, past: bool
) -> Explanation | None:
    """Why `customer` stood where it did at `at_ms` (epoch ms), judged by `policy`; None if nothing is stored of it.

    Without `past` the moment is now, and all that is counted is looked at, as the monitor does.

    Raises:
        StoreError: the store failed.
    """
    lengths = {name: window_ms(name) for name in policy.windows}
    fresh = fresh_starts(store, at_ms, customer=customer).get(customer, [])
    counted = counts_at(
        store, customer, lengths, feedback_loop, at_ms, include_later=not past, policy=policy, fresh=fresh
    )
    if policy.spikes_from is not None:
        large = any(each.windows.get(SPIKE_WINDOW, NOTHING).finished >= policy.spikes_from for each in counted)
        fleet = read_fleet_volume(store, at_ms) if large else AS_USUAL
        usual = read_baselines(store, [customer], at_ms, since_at(customer, fresh, at_ms, 0), fleet=fleet)
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
    state = account_at(store, customer, at_ms) if past else account(store, customer, at_ms)
    first = begin(max(lengths.values()), at_ms)
    anew = [each for each in fresh if each.since_s > first]
    stored = read_states(store, [customer])
    states = {(scope, rule): state for (_, scope, rule), state in stored.items()}
    changes = [each[-1] for each in alerts.values()]
    recounts = _recounted(store, customer, lengths, feedback_loop, changes, policy, fresh)
    subjects = {each.scope: each for each in counted if each.scope.partition(":")[0] in policy.scopes}
    scopes = sorted({CUSTOMER, *subjects, *(scope for scope, _ in alerts)}, key=lambda each: (each != CUSTOMER, each))
    judged = [
        (subject, judge(subject, policy, at_ms))
        for subject in (subjects.get(scope, empty(customer, scope)) for scope in scopes)
    ]
    if not past and any(each.released for each in stored.values()):
        judged = judged_since_releases(store, policy, lengths, feedback_loop, judged, stored, at_ms)
    silent = silent_since(store, customer, policy, at_ms, past=past)
    return Explanation(
        customer=customer,
        time=rfc3339(at_ms),
        policy_version=policy.version,
        scopes=tuple(
            _scope(
                subject,
                judgement,
                policy,
                at_ms,
                {
                    rule: opened_alert(sent, states.get((scope, rule)), notes.get(sent[-1].data.alert_id))
                    for (of, rule), sent in alerts.items()
                    if of == scope
                },
                recounts,
                recorded.get(scope),
                state if scope == CUSTOMER else None,
                {} if past else {rule: each for (of, rule), each in states.items() if of == scope},
                silent.get(scope),
            )
            for scope, (subject, judgement) in zip(scopes, judged, strict=True)
        ),
        listings=_listings(store, customer, policy, at_ms),
        left_out=left_out_of(
            store, customer, (at_ms - max(lengths.values())) // 1000, at_ms // 1000 + 1 if past else FOREVER_S
        ),
        fresh_start=_fresh_start(anew[-1]) if anew else None,
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
            opened_alert(sent, states.get((NOBODY, scope, rule.name)), notes.get(sent[-1].data.alert_id))
            if sent
            else None
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
                reinstated=None,
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
    known = [each for each in stored_causes(store, since_ms, customer=customer) if each.began_ms <= at_ms]
    return tuple(with_incidents(store, known))


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
    fresh: Sequence[FreshStart],
) -> dict[int, dict[str, SubjectCounts]]:
    """What is counted now for the times at which alerts last changed, by time and scope."""
    by_time: dict[int, list[AlertData]] = defaultdict(list)
    for each in alerts:
        by_time[each.time_ms].append(each.data)
    found = {}
    for time_ms, some in sorted(by_time.items()):
        of = _of_alerts(policy, some)
        counted = counts_at(
            store, customer, lengths, feedback_loop, time_ms, include_later=False, policy=of, fresh=fresh
        )
        found[time_ms] = {each.scope: each for each in counted}
    return found


def _of_alerts(policy: Policy, alerts: Sequence[AlertData]) -> Policy:
    """Of a policy what these alerts are about, so that nothing is read that only other rules ask for."""
    names, kinds = {each.rule for each in alerts}, {each.scope.partition(":")[0] for each in alerts}
    return msgspec.structs.replace(
        policy,
        rules=tuple(each for each in policy.rules if each.name in names),
        scopes=tuple(each for each in policy.scopes if each in kinds),
        overrides=(),
    )


def _scope(
    subject: SubjectCounts,
    judgement: Judgement,
    policy: Policy,
    at_ms: int,
    alerts: Mapping[str, Opened],
    recounts: Mapping[int, Mapping[str, SubjectCounts]],
    recorded: tuple[str, int] | None,
    state: Suspension | Reinstatement | None,
    states: Mapping[str, AlertState],
    inactive_ms: int | None,
) -> ScopeExplained:
    open_levels = [each.sent[-1].data.level for each in alerts.values() if each.sent[-1].data.level != "good"]
    standing = max(open_levels, key=RANK.__getitem__, default=judgement.standing)
    rules = {rule.name: rule for rule in policy.rules_for(subject.customer, subject.scope, at_ms)}
    remarks = [
        f"an alert of rule {name} is open, which this policy does not have"
        for name in sorted(alerts.keys() - rules.keys())
    ]
    remarks += [
        f"rule {name} was released by an operator: it judges mail sent since {rfc3339(each.released.time_ms)} alone"
        for name, each in sorted(states.items())
        if name in rules and each.released and in_force(each.released, rules[name], at_ms)
    ]
    if recorded is not None and recorded[0] != standing:
        remarks.append(f"recorded as {recorded[0]} since {rfc3339(recorded[1])}; the counts now stored say {standing}")
    reinstated = isinstance(state, Reinstatement)
    return ScopeExplained(
        scope=subject.scope,
        standing=standing,
        suspended=None if state is None or reinstated else _note(state),
        reinstated=_note(state) if state is not None and reinstated else None,
        scores=score_of(subject, policy),
        recorded=recorded[0] if recorded else None,
        since=rfc3339(recorded[1]) if recorded else None,
        rules=tuple(
            _rule(rules[verdict.rule], verdict, subject, policy, at_ms, alerts.get(verdict.rule), recounts)
            for verdict in judgement.verdicts
        ),
        remarks=tuple(remarks),
        inactive_since=None if inactive_ms is None else rfc3339(inactive_ms),
    )


def _note(state: Suspension | Reinstatement) -> DecisionNote:
    return DecisionNote(by=state.by, time=rfc3339(state.since_ms), why=state.why)


def _fresh_start(fresh: FreshStart) -> FreshStartNote:
    time, since = rfc3339(fresh.decided_ms), rfc3339(fresh.since_s * 1000)
    return FreshStartNote(by=fresh.by, time=time, why=fresh.why, since=since)


def _rule(
    rule: Rule,
    verdict: Verdict,
    subject: SubjectCounts,
    policy: Policy,
    at_ms: int,
    opened: Opened | None,
    recounts: Mapping[int, Mapping[str, SubjectCounts]] | None,
) -> RuleExplained:
    life = life_of(opened, at_ms) if opened else None
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
            *remarks_on(rule, verdict, life, policy),
            *(recorded_otherwise(opened.sent[-1], rule, recounts, policy) if opened and recounts is not None else ()),
        ),
        baseline=verdict.baseline,
        observed=verdict.observed,
        unobservable=verdict.unobservable,
    )


def _window(rule: Rule, window: str, subject: SubjectCounts, policy: Policy, at_ms: int) -> WindowNumbers:
    """One window, judged as if the rule had no other."""
    least = dict(rule.checks)[window]
    without = rule.metric in COUNTED or rule.metric == REPORTED_SPAM
    alone = msgspec.structs.replace(rule, windows=(window,), min_volume=0 if without else {window: least})
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
