"""Saying it: a transition and its verdict as a CloudEvent, with an explanation a person understands. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

import msgspec

from schemas.alert import ALERT_TYPE, AlertData, AlertEvent, Cause, Evidence, HoldReason, TransitionKind, Unjudged
from schemas.counts import VolumeBaseline
from schemas.policy import Policy
from schemas.policy_metric import (
    BURNS,
    COUNTED,
    LISTED_METRICS,
    NEW_FROM,
    OF_POOLS,
    RATES,
    REPORTED_SPAM,
    SPIKE,
    window_ms,
)
from schemas.policy_rule import Rule
from schemas.scope import CLASS_PREFIX, PLAN, STREAM_PREFIX, SUB_ACCOUNT_PREFIX, shared_by
from schemas.wording import amount, percent, rfc3339, scope_name, shared_name
from streams.alerts.lifecycle import ACTED_ON, SubjectRule, Transition
from streams.alerts.not_held import not_held
from streams.alerts.outcome import SubjectOutcome
from streams.alerts.release import IN_FORCE, in_force
from streams.decisions.overrides import Decided
from streams.judge.verdict import RANK, Judgement, Verdict
from streams.subjects.fresh_starts import Since

#: Kinds that say what people decided, not what was counted.
DECIDED: frozenset[TransitionKind] = frozenset({"acknowledged", "overridden", "override-ended", "held", "confirmed"})
#: Why an alert is held, for the customer too: how many others there are is not theirs to know.
HELD_BECAUSE: Mapping[HoldReason, str] = {
    "brake": "Many customers rose at once, so an operator looks at it first.",
    "incident": "It may be owed to an incident that hit many senders, so an operator looks at it first.",
}

NO_EVIDENCE = Evidence()
#: So many providers are named where mail is left out.
NAMED = 3

#: What ended or eased an alert that the counts would not have; of an operator, what was held.
ENDED_BY: Mapping[Cause, str] = {
    "incident": "without the {what} of an incident that hit many senders",
    "fresh-start": "since mail from before no longer counts",
    "operator": "released by the operator",
}


def alert_events(
    outcomes: Iterable[SubjectOutcome], evidence: Mapping[SubjectRule, Evidence], policy: Policy, since: Since
) -> list[AlertEvent]:
    """The events of all that happened, in order. `since` are the fresh starts of customers."""
    return [
        alert_event(
            transition,
            verdict,
            outcome.judgement,
            evidence[*outcome.key, verdict.rule],
            policy,
            since.get(transition.customer, 0),
        )
        for outcome in outcomes
        for transition, verdict in outcome.transitions
    ]


def alert_event(
    transition: Transition,
    verdict: Verdict,
    judgement: Judgement,
    evidence: Evidence,
    policy: Policy,
    since_s: int = 0,
) -> AlertEvent:
    """The event of one transition. Its `time` is the judgement's `now_ms`, `since_s` (epoch s) the customer's fresh
    start."""
    evidence = _with_what_is_known(evidence, verdict, judgement.scope)
    return AlertEvent(
        id=transition.id,
        type=ALERT_TYPE.format(kind=transition.kind),
        subject=transition.customer or transition.scope,
        time=rfc3339(judgement.now_ms),
        data=AlertData(
            alert_id=transition.alert_id,
            customer=transition.customer,
            scope=transition.scope,
            rule=transition.rule,
            metric=verdict.metric,
            kind=transition.kind,
            level=transition.level,
            previous_level=transition.previous_level,
            episode=transition.episode,
            transition=transition.transition,
            window=verdict.window,
            numerator=verdict.numerator,
            denominator=verdict.denominator,
            rate=verdict.rate,
            lower=verdict.lower,
            upper=verdict.upper,
            confidence=verdict.confidence,
            threshold=verdict.threshold,
            policy_version=judgement.policy_version,
            explanation=explain(transition, verdict, judgement, policy, since_s, evidence),
            evidence=evidence,
            cause=transition.cause,
            acknowledged=transition.acknowledged,
            override=transition.override,
            held=transition.held,
            decided=transition.decided,
        ),
    )


def _with_what_is_known(evidence: Evidence, verdict: Verdict, scope: str) -> Evidence:
    """The evidence, and what the verdict knows of the mail besides: what the fleet sends, what part is observable, what
    came of mail of an unknown time."""
    if verdict.outside:
        unknown = Unjudged(reason="unknown-time", count=verdict.outside)
        evidence = msgspec.structs.replace(evidence, left_out=(*evidence.left_out, unknown))
    if verdict.baseline is not None:
        return msgspec.structs.replace(evidence, fleet_times=verdict.baseline.fleet)
    if verdict.observed is not None and not _is_of_all_providers(scope):
        return msgspec.structs.replace(evidence, observable=verdict.observed.share)
    return evidence


#: What the scopes begin with that are a part of a customer's mail.
PARTS = (STREAM_PREFIX, CLASS_PREFIX, SUB_ACCOUNT_PREFIX)


def explain(
    transition: Transition,
    verdict: Verdict,
    judgement: Judgement,
    policy: Policy,
    since_s: int = 0,
    evidence: Evidence = NO_EVIDENCE,
) -> str:
    """What happened and by which numbers, in a few sentences. The customer may read them: they neither name an operator
    nor say why there is an override."""
    left_out = evidence.left_out
    subject = judgement.customer, judgement.scope, judgement.now_ms
    rule = next(each for each in policy.rules_for(*subject) if each.name == verdict.rule)
    about = [each for each in policy.overrides_for(*subject) if each.rule == verdict.rule]
    # Whose it is, and not why: a reason is the operator's own business, and may name people.
    whose = dict.fromkeys("by the operator" if isinstance(each, Decided) else "by the policy" for each in about)
    overridden = f" Override in force: {' and '.join(whose)}." if whose else ""
    if since_s * 1000 > judgement.now_ms - window_ms(verdict.window):
        overridden += f" Counted since {rfc3339(since_s * 1000)}, a fresh start given by the operator"
        overridden += "".join(f" ({_part_of(each)} before)" for each in left_out if each.reason == "fresh-start") + "."
    stream = ""
    if judgement.scope.startswith(PARTS):
        stream = f"{scope_name(judgement.scope)}: "
    if shared_by(judgement.scope) and verdict.metric in OF_POOLS:
        stream = f"All of {shared_name(judgement.scope)}: "
    elif shared_by(judgement.scope):
        stream = f"Small and new customers of {shared_name(judgement.scope)}, judged together: "
    all_mail = _is_of_all_providers(judgement.scope)
    what = _counted(
        verdict, policy, rule, "all providers" if all_mail else "providers with feedback loops", judgement.scope
    )
    what += reported_on(evidence, verdict.metric)
    if transition.kind in DECIDED or (transition.kind == "resolved" and transition.previous_level == "good"):
        return f"{_decided(transition, evidence)} {stream}{what}{_figures(verdict, rule)}.{_fresh(transition, rule)}"
    if transition.kind in ("resolved", "de-escalated"):
        below = _below(transition, verdict, rule)
        return f"{stream}{what}{_figures(verdict, rule)}{below}.{_outside(verdict, left_out)}{overridden}"
    mark = amount(verdict.metric, verdict.threshold)
    above = f"at or above the {verdict.level} threshold of {mark}"
    said = f"{stream}{what}{_figures(verdict, rule)}, {above}."
    if transition.kind == "reopened":
        said += f" The same alert as before: first opened at {rfc3339(transition.opened_ms)}, and resolved in between."
    if transition.kind == "escalated":
        said += f" It was at {transition.previous_level} before."
    if verdict.metric == "complaint" and all_mail:
        said += " Many providers send no complaints, so the true rate is higher."
    held = f" {HELD_BECAUSE[transition.held.reason]}" if transition.held else ""
    apart = _outside(verdict, left_out) + _uncounted(evidence.uncounted)
    if evidence.witnesses and not held and RANK[transition.level] >= ACTED_ON:
        held = f" {not_held(evidence.witnesses)}"
    return said + _fresh(transition, rule) + _remark(verdict) + apart + held + overridden


def _fresh(transition: Transition, rule: Rule) -> str:
    """Which mail was judged after an operator had released an alert."""
    release = transition.released
    if release is None or transition.cause == "operator" or not in_force(release, rule, transition.time_ms):
        return ""
    if rule.metric in IN_FORCE:
        return f" More than when it was released at {rfc3339(release.time_ms)}."
    return f" Of mail sent since {rfc3339(release.time_ms)} alone, when it was released."


def _is_of_all_providers(scope: str) -> bool:
    """Whether deliveries are known of all providers together only: of what is shared, except a plan."""
    shared = shared_by(scope)
    return shared is not None and shared[0] != PLAN


def _decided(transition: Transition, evidence: Evidence) -> str:
    """What people decided of the alert, or witnesses told, and what that makes of its level."""
    if transition.kind == "acknowledged":
        return "Acknowledged."
    if transition.kind == "confirmed":
        if transition.of_dismissed:
            return f"Confirmed: the operator found that there was no incident. The level stays {transition.level}."
        by = f". {not_held(evidence.witnesses)}" if evidence.witnesses else " by the operator."
        return f"Confirmed{by} The level stays {transition.level}."
    if transition.kind == "held" and transition.held is not None:
        return f"Held. {HELD_BECAUSE[transition.held.reason]}"
    level = f"The level stays {transition.level}"
    if transition.level != transition.previous_level:
        level = f"From {transition.previous_level} to {transition.level}"
    if transition.kind == "overridden" and transition.override is not None:
        return f"An override by the operator is in force until {rfc3339(transition.override.until_ms)}. {level}."
    return f"The override by the operator is over. {level}."


def _counted(verdict: Verdict, policy: Policy, rule: Rule, loops: str, scope: str) -> str:
    n, d = verdict.numerator, verdict.denominator
    if verdict.metric in COUNTED or verdict.metric == REPORTED_SPAM:
        return f"{_numbered(verdict, rule, scope)} in {verdict.window}"
    within = f"of mail sent in the last {verdict.window}"
    if rule.mail_to:
        within += f" to {' or '.join(rule.mail_to)}"
    match verdict.metric:
        case "complaint" | "complaint_burn":
            among = _many(d, "delivery", "deliveries")
            return f"{_many(n, 'complaint')} among {among} at {loops}, {within}"
        case "failure" | "failure_burn":
            kinds = "hard bounces and expired mail" if policy.expired_is_failure else "hard bounces"
            return f"{n:,} of {_many(d, 'recipient')} failed ({kinds}), {within}"
        case "block":
            return f"{n:,} of {_many(d, 'recipient')} were refused for policy, spam or reputation, {within}"
        case "volume_spike":
            usual = f"; {usually(verdict.baseline)}" if verdict.baseline else ""
            return f"{_many(n, 'recipient')} {within}{usual}"
        case _:
            return f"{_of_mail(verdict)}, {within}"


def reported_on(evidence: Evidence, metric: str) -> str:
    """` (news.acme.com on 2026-11-27)`: the day that a verdict on what Gmail reports is about; empty where none is."""
    if metric != REPORTED_SPAM or not evidence.reported:
        return ""
    worst = evidence.reported[0]
    return f" ({worst.domain} on {worst.day})"


def _of_mail(verdict: Verdict) -> str:
    """What part of the mail was of some kind."""
    n, d = verdict.numerator, verdict.denominator
    match verdict.metric:
        case "exposure":
            return f"{n:,} of {_many(d, 'message')} sent through an address on a blocklist"
        case "unsubscribe":
            return f"{_many(n, 'unsubscription')} among {_many(d, 'delivery', 'deliveries')}"
        case "unwanted":
            deliveries = _many(d, "delivery", "deliveries")
            return f"{n:,} of {deliveries} to people who had refused mail more than 48 hours before"
        case "sms_gateway":
            return f"{n:,} of {_many(d, 'message')} to SMS gateways"
        case _:
            return f"{n:,} of {_many(d, 'message')} from domains that are not the customer's registered ones"


def _numbered(verdict: Verdict, rule: Rule, scope: str) -> str:
    if verdict.metric == REPORTED_SPAM:
        return f"{'Worst daily' if verdict.denominator else 'No'} spam rate reported by Gmail"
    if verdict.metric == "attributed_listing":
        share = f"(a share of {rule.least_share:g} or more)"
        return f"{_listings(verdict.numerator)} that this customer most likely caused {share}"
    if verdict.metric == NEW_FROM:
        number = _many(verdict.numerator, "From domain")
        return f"{number} never used before, each with {rule.least_new:,} recipients or more,"
    lists = "critical" if verdict.metric == "critical_listing" else " or ".join(rule.counted_weights)
    of = "its addresses that several use" if shared_by(scope) else "addresses or domains that only this customer used,"
    what = f"on {lists} blocklists of {of}"
    if verdict.metric == "listed_hours":
        return f"{_many(verdict.numerator, 'hour')} {what}"
    return f"{_listings(verdict.numerator)} {what}"


def _listings(number: int) -> str:
    return _many(number, "listing") if number else "No listing"


def usually(usual: VolumeBaseline) -> str:
    """What a spike is measured against."""
    said = (
        f"usual at this time of day are {usual.median:,.0f} (median of {usual.days} days), "
        f"and at most {usual.largest:,} in two hours at any time"
    )
    return f"{said}; the whole fleet sends {usual.fleet:.1f} times its usual" if usual.fleet >= 1.05 else said


def _figures(verdict: Verdict, rule: Rule) -> str:
    if verdict.metric == SPIKE:
        return f": {amount(SPIKE, verdict.rate)}" if verdict.baseline else ""
    if verdict.metric in COUNTED or verdict.denominator <= 0:
        return ""
    if verdict.metric == REPORTED_SPAM:
        return f": {percent(verdict.rate)}"
    if verdict.metric in BURNS:
        return f": {spent(verdict.metric, verdict.rate, verdict.numerator, verdict.denominator, rule)}"
    interval = f"{verdict.confidence * 100:g} % interval {percent(verdict.lower)} to {percent(verdict.upper)}"
    return f": {percent(verdict.rate)} ({interval})"


def spent(metric: str, burn: float, numerator: int, denominator: int, rule: Rule) -> str:
    """What a burn says: the window's own rate, and how fast that spends the allowance."""
    own = percent(min(numerator, denominator) / denominator)
    return f"{own}, spending the {percent(rule.allowed)} allowed of {rule.period} at {amount(metric, burn)}"


def _below(transition: Transition, verdict: Verdict, rule: Rule) -> str:
    """Why an alert could go down: what it stayed below, or that there is hardly any mail left."""
    after = "resolved" if transition.kind == "resolved" else f"down to {transition.level}"
    if said := ENDED_BY.get(transition.cause):
        what = "listings" if verdict.metric in LISTED_METRICS else "mail"
        return f", {said.format(what=what)}; {after} from {transition.previous_level}"
    if verdict.insufficient_volume:
        least = next(volume for window, volume in rule.checks if window == verdict.window)
        if verdict.metric == SPIKE and verdict.numerator >= least:
            return f", without the history to judge it; {after} from {transition.previous_level}"
        if verdict.metric == REPORTED_SPAM:
            return f"; {after} from {transition.previous_level}"
        return f", too little to judge (at least {least:,}); {after} from {transition.previous_level}"
    left = [each for each in rule.ladder if RANK[each.level] > RANK[transition.level] and isfinite(each.resolve_at)]
    if not left:
        return f"; {after} from {transition.previous_level}, a level that the policy no longer has"
    mark = amount(verdict.metric, left[0].threshold if verdict.metric in COUNTED else left[0].resolve_at)
    held = f" for {rule.hold_minutes:g} minutes" if rule.hold_minutes else ""
    where = f"over {rule.longest}" if verdict.metric in BURNS else "in every window"
    if verdict.metric == SPIKE:
        where = f"or not above {rule.times * rule.resolve_ratio:g} times the busiest hours"
    return f", below {mark} {where}{held}; {after} from {transition.previous_level}"


def _remark(verdict: Verdict) -> str:
    if verdict.metric == "exposure":
        return " A shared address may be listed because of another customer."
    if verdict.metric == "attributed_listing":
        return " By what was sent in the 48 hours before each; the evidence has its part."
    if verdict.metric == "listed_hours" and verdict.level != "good":
        return " Each list counts by itself."
    if verdict.metric in (*RATES, *BURNS) and verdict.numerator > verdict.denominator:
        return " More than the mail of the window, because reports come later than the mail; judged as 100 %."
    return ""


def _outside(verdict: Verdict, left_out: Sequence[Unjudged]) -> str:
    """What came in the window and does not count there: of incidents, and of mail of an unknown time."""
    said = ""
    if of_incidents := [each for each in left_out if each.reason == "incident"]:
        said = f" Not counted: {_of_incidents(of_incidents)}."
    if verdict.outside:
        of_when = "about mail of an unknown time, most likely sent before: not counted."
        said += f" {verdict.outside:,} more came in {verdict.window} {of_when}"
    return said


def _uncounted(topics: Sequence[str]) -> str:
    """What may be missing, since the intake does not count it."""
    if not topics:
        return ""
    return f" What came over {' and '.join(topics)} is not all counted, so some of the mail may be missing."


def _of_incidents(some: Sequence[Unjudged]) -> str:
    """What incidents leave out of one window, in one phrase."""
    count = sum(each.count for each in some)
    if zones := _named([each.zone for each in some], "lists"):
        return f"{_many(count, 'listing')} on {zones}, where many began at once"
    part = f"{count:,} of {sum(each.volume for each in some):,}"
    if providers := _named([each.provider for each in some], "providers"):
        return f"{part} at {providers}, where an incident hit many senders"
    return f"{part} in hours in which an incident hit many senders"


def _named(names: Iterable[str], what: str) -> str:
    """Some names in a sentence, or how many they are; empty where there is none."""
    some = list(dict.fromkeys(name for name in names if name))
    return " and ".join(some) if len(some) <= NAMED else f"{len(some)} {what}"


def _part_of(unjudged: Unjudged) -> str:
    return f"{unjudged.count:,} of {unjudged.volume:,}"


def _many(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
