"""An explanation as plain text for a person."""

from collections.abc import Iterator

from api.explain.explanation import (
    AlertLife,
    Explanation,
    OverrideInForce,
    RuleExplained,
    ScopeExplained,
    WindowNumbers,
    numbers_of,
)
from api.text.listings import line as listing_line
from schemas.alert import Cause
from schemas.levels import Level
from schemas.policy_metric import BURNS, COUNTED, REPORTED_SPAM, SPIKE, Metric
from schemas.wording import amount, held_because, percent, rfc3339, scope_name, shared_name
from streams.alerts.describe import usually
from streams.decisions.suspensions import WELL
from streams.incidents.of_customer import LeftOutMail
from streams.judge.allowance import Allowance

#: One and several of what a rule counts.
UNITS: dict[Metric, tuple[str, str]] = {
    "complaint": ("complaint", "complaints"),
    "failure": ("failure", "failures"),
    "block": ("refusal", "refusals"),
    "complaint_burn": ("complaint", "complaints"),
    "failure_burn": ("failure", "failures"),
    "volume_spike": ("recipient", "recipients"),
    "exposure": ("message through a listed address", "messages through listed addresses"),
    "critical_listing": ("listing", "listings"),
    "listing_count": ("listing", "listings"),
    "listed_hours": ("listed hour", "listed hours"),
    "attributed_listing": ("attributed listing", "attributed listings"),
    "unsubscribe": ("unsubscription", "unsubscriptions"),
    "unwanted": ("message to somebody who refused it", "messages to people who refused them"),
    "sms_gateway": ("message to an SMS gateway", "messages to SMS gateways"),
    "unregistered_from": ("message from an unregistered domain", "messages from unregistered domains"),
    "new_from_domain": ("new From domain", "new From domains"),
    "reported_spam": ("part in a million reported", "parts in a million reported"),
}


#: Causes that are worth a word; that something was counted goes without one.
CAUSES: dict[Cause | None, str] = {
    "late_events": "events that came late",
    "time": "mail that left the windows",
    "policy": "another policy",
    "override": "an override that began or ended",
    "incident": "an incident that hit many senders",
    "fresh-start": "a fresh start",
    "brake": "the brake",
    "witnesses": "others who were well",
}


def lines(explanation: Explanation) -> Iterator[str]:
    """The whole answer, line by line."""
    whose = explanation.customer or explanation.scopes[0].scope
    yield f"{whose} at {explanation.time}, judged by policy {explanation.policy_version}"
    if explanation.fresh_start:
        fresh = explanation.fresh_start
        yield f"counted since {fresh.since} (fresh start by {fresh.by}{f': {fresh.why}' if fresh.why else ''})"
    yield from (left_out_line(each) for each in explanation.left_out)
    for scope in explanation.scopes:
        yield ""
        yield from _scope(scope)
    if explanation.listings:
        yield ""
        yield "on blocklists:"
        yield from (f"  {listing_line(each)}" for each in explanation.listings)


def left_out_line(mail: LeftOutMail) -> str:
    """`left out: 325 of 325 failed at gmail from ... to ..., incident 3f9c`."""
    met = {"hard": "failed", "block": "were refused", "expired": "expired", "complained": "complained"}
    return (
        f"left out: {mail.failed:,} of {mail.total:,} {met.get(mail.outcome, 'failed')} at {mail.provider} from "
        f"{rfc3339(mail.from_s * 1000)} to {rfc3339(mail.until_s * 1000)}, incident {mail.incident}"
    )


def left(metric: Metric, allowance: Allowance) -> str:
    """`17 more complaints until excessive (24h)`."""
    unit = UNITS[metric][allowance.remaining != 1]
    return f"{allowance.remaining:,} more {unit} until {allowance.level} ({allowance.window})"


def _scope(scope: ScopeExplained) -> Iterator[str]:
    name = scope_name(scope.scope)
    name = name[0].lower() + name[1:]
    if shared := shared_name(scope.scope):
        name = f"small and new customers of {shared}, judged together"
    since = f" since {scope.since}" if scope.since and scope.recorded == scope.standing else ""
    judged = f"{_standing(scope.standing)}{since}{''.join(map(_unobservable, scope.rules))}"
    if scope.suspended:
        by_whom = scope.suspended
        yield f"{name}: suspended since {by_whom.time} by {by_whom.by}: {by_whom.why}; judged {judged}"
    elif scope.reinstated:
        by_whom = scope.reinstated
        why = f": {by_whom.why}" if by_whom.why else ""
        if scope.standing in WELL:
            yield f"{name}: reinstated since {by_whom.time} by {by_whom.by}{why}; judged {judged}"
        else:  # a level counts for more, here as in every list
            yield f"{name}: {judged}; suspension lifted {by_whom.time} by {by_whom.by}{why}"
    elif scope.inactive_since:
        yield f"{name}: inactive, no mail since {scope.inactive_since}; judged {judged}"
    else:
        yield f"{name}: {judged}"
    if (overall := scope.scores["overall"]) is not None:
        parts = (f"{part} {'-' if score is None else score}" for part, score in scope.scores.items())
        yield f"  score {overall} of 100 ({', '.join(part for part in parts if not part.startswith('overall'))})"
    for remark in scope.remarks:
        yield f"  ! {remark}"
    for rule in scope.rules:
        yield from _rule(rule)


def _unobservable(rule: RuleExplained) -> str:
    """`; complaint not observable: 0 of 60,000 in 30d`."""
    if not rule.unobservable or rule.observed is None:
        return ""
    return f"; {rule.rule} not observable: {rule.observed.seen:,} of {rule.observed.mail:,} in {rule.observed.window}"


def _rule(rule: RuleExplained) -> Iterator[str]:
    said: str = "too little mail to judge" if rule.insufficient_volume else rule.level
    if rule.insufficient_volume and rule.metric == REPORTED_SPAM:
        said = "nothing reported"
    if rule.unobservable and rule.observed is not None:
        share = f"{rule.observed.seen:,} of {rule.observed.mail:,} deliveries in {rule.observed.window}"
        said = f"not observable: {share} went to providers with feedback loops"
    yield f"  {rule.rule}: {said}"
    for window in rule.windows:
        yield f"  {'>' if window.window == rule.window else ' '} {window.window:>4}  {_window(rule, window)}"
    if rule.customers:
        most = (f"{each.name} ({each.count:,} of {each.volume:,})" for each in rule.customers)
        yield f"    most of it: {', '.join(most)}"
    for listing in rule.listings:
        yield f"    {listing}"
    if rule.allowance:
        yield f"    {left(rule.metric, rule.allowance)}"
    for override in rule.overrides:
        yield f"    {_override(override)}"
    if rule.alert:
        yield from _alert(rule.alert, rule.metric)
    for remark in rule.remarks:
        yield f"    ! {remark}"


def _window(rule: RuleExplained, window: WindowNumbers) -> str:
    if rule.metric in COUNTED:
        return f"{window.numerator:,} ({_level(window.level, rule)})"
    if rule.metric == REPORTED_SPAM:
        return f"{percent(window.rate)} ({_level(window.level, rule)})" if window.enough else "nothing reported"
    counted = f"{window.numerator:,} of {window.denominator:,}"
    if rule.metric == SPIKE:
        return _spike(rule, window)
    if not window.enough:
        return f"{counted}: too few to judge (at least {window.min_volume:,})"
    if rule.metric in BURNS:
        own = percent(min(window.numerator, window.denominator) / window.denominator)
        uncertain = window.level == "good" and window.rate >= rule.threshold
        level = "good, since it is not certain that the rate is above what is allowed" if uncertain else ""
        return f"{counted}: {own}, {amount(rule.metric, window.rate)}, {level or _level(window.level, rule)}"
    interval = f"{window.confidence * 100:g} % interval {percent(window.lower)} to {percent(window.upper)}"
    return f"{counted}: {percent(window.rate)} ({interval}), {_level(window.level, rule)}"


def _spike(rule: RuleExplained, window: WindowNumbers) -> str:
    if window.numerator < window.min_volume:
        return f"{window.numerator:,}: too few to judge (at least {window.min_volume:,})"
    if rule.baseline is None:
        return f"{window.numerator:,}: no week of history before the last day to judge it by"
    within = window.level == "good" and window.rate >= rule.threshold
    level = "good, since it is not far above the busiest hours" if within else _level(window.level, rule)
    return f"{window.numerator:,}; {usually(rule.baseline)}: {amount(SPIKE, window.rate)}, {level}"


def _level(level: Level, rule: RuleExplained) -> str:
    """The level of a window; of the level that decides, the threshold too."""
    if level != rule.level:
        return level
    mark = amount(rule.metric, rule.threshold)
    return f"good, below {mark}" if level == "good" else f"{level} at {mark} or above"


def _override(override: OverrideInForce) -> str:
    what = [name for name in ("levels", "min_volume") if getattr(override, name) is not None]
    whose = f" for stream {override.stream}" if override.stream else ""
    until = f" until {override.until}" if override.until else ""
    return f"override of {' and '.join(what)}{whose} in force{until}: {override.reason}"


def _alert(alert: AlertLife, metric: Metric) -> Iterator[str]:
    yield f"    alert {alert.alert_id}: open since {alert.opened}, {alert.level} since {alert.changed}"
    if alert.acknowledged:
        why = f": {alert.acknowledged.why}" if alert.acknowledged.why else ""
        yield f"      {alert.acknowledged.time}  acknowledged by {alert.acknowledged.by}{why}"
    if alert.held:
        why = held_because(alert.held)
        yield f"      held since {rfc3339(alert.held.since_ms)} because {why}: hold {alert.held.id}"
    for each in alert.history:
        numbers = f"{numbers_of(metric, each.numerator, each.denominator)} in {each.window}"
        change = f"{each.previous_level} to {each.level}"
        cause = f" by {CAUSES[each.cause]}" if each.cause in CAUSES and each.kind != "override-ended" else ""
        if each.said:
            yield f"      {each.time}  {each.kind} {each.said}; {change}"
        else:
            yield f"      {each.time}  {each.kind}{cause}, {change}: {numbers}, policy {each.policy_version}"


def _standing(standing: str) -> str:
    return "too small to judge" if standing == "insufficient_volume" else standing
