"""Who, since when, why, how sure, what happens next: the first lines of a case."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from api.explain.explanation import Explanation, RuleExplained, ScopeExplained, WindowNumbers
from api.http.models.standing import OpenAlert
from api.text.explanation import UNITS, left
from schemas.levels import LEVELS, Level
from schemas.policy import Policy
from schemas.policy_metric import BURNS, COUNTED, REPORTED_SPAM, SPIKE
from schemas.policy_rule import Rule
from schemas.times import MINUTE_MS, epoch_ms
from schemas.wording import amount, percent, rfc3339_ms
from streams.decisions.suspensions import WELL

#: So many of what is left of rules are said at the top.
MOST_LEFT = 3


@dataclass(frozen=True, slots=True)
class NextStep:
    """Something that happens next; `at_ms` (epoch ms) where the time is known, 0 where it is not."""

    said: str
    at_ms: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class Headline:
    """The first lines. `since_ms` is epoch ms, 0 where it is not known; `quote` what a person said, `quoted` who."""

    standing: str
    since_ms: int
    sentence: str
    sure: str
    steps: tuple[NextStep, ...]
    alert: OpenAlert | None = None
    scope: str = "customer"
    by: str = ""
    why: str = ""


def headline(
    explanation: Explanation, alerts: Mapping[str, Sequence[OpenAlert]], policy: Policy, now_ms: int
) -> Headline:
    """What is said of a customer at a moment (epoch ms)."""
    whole = explanation.scopes[0]
    scope, alert = _worst(alerts)
    standing, since_ms = _standing(whole, now_ms)
    rule = _rule_of(explanation, scope, alert)
    person = whole.suspended or (whole.reinstated if standing == "reinstated" else None)
    return Headline(
        standing=standing,
        since_ms=since_ms,
        sentence=alert.explanation if alert else _without_alert(whole, standing),
        sure=how_sure(rule) if rule else "",
        steps=tuple(_steps(whole, rule, alert, policy)),
        alert=alert,
        scope=scope,
        by=person.by if person else "",
        why=person.why if person else "",
    )


def how_sure(rule: RuleExplained) -> str:
    """What the counts say now, and how certain that is."""
    window = next((each for each in rule.windows if each.window == rule.window), None)
    if window is None:
        return ""
    mark = amount(rule.metric, rule.threshold)
    if rule.metric in COUNTED or rule.metric in (REPORTED_SPAM, SPIKE) or rule.metric in BURNS:
        return f"Now {_counted(rule, window)} over {window.window}; the level {rule.level} begins at {mark}."
    if not window.enough:
        return f"Now {_counted(rule, window)} over {window.window}: too few to judge, {window.min_volume:,} are needed."
    level = f"{rule.level} begins at" if rule.level != "good" else "the mildest level begins at"
    return (
        f"Now {percent(window.rate)} over {window.window} ({_counted(rule, window)}), surely between "
        f"{percent(window.lower)} and {percent(window.upper)} ({window.confidence * 100:g} % over all looks); "
        f"{level} {mark}."
    )


def _counted(rule: RuleExplained, window: WindowNumbers) -> str:
    if rule.metric == SPIKE:
        return f"{window.numerator:,}, usually {window.denominator:,}"
    if rule.metric == REPORTED_SPAM:
        return percent(window.rate)
    return f"{window.numerator:,}" if rule.metric in COUNTED else f"{window.numerator:,} of {window.denominator:,}"


def _worst(alerts: Mapping[str, Sequence[OpenAlert]]) -> tuple[str, OpenAlert | None]:
    """The worst alert and its scope; of equals that of all mail, then the oldest."""
    some = [(scope, each) for scope, found in alerts.items() for each in found]
    if not some:
        return "customer", None
    return min(some, key=lambda one: (-LEVELS.index(one[1].level), one[0] != "customer", one[1].opened))


def _standing(whole: ScopeExplained, now_ms: int) -> tuple[str, int]:
    if whole.suspended:
        return "suspended", rfc3339_ms(whole.suspended.time)
    if whole.reinstated and whole.standing in WELL:
        return "reinstated", rfc3339_ms(whole.reinstated.time)
    if whole.inactive_since and whole.standing in WELL:
        return "inactive", rfc3339_ms(whole.inactive_since)
    if whole.since and whole.recorded == whole.standing:
        return whole.standing, rfc3339_ms(whole.since)
    opened = [rfc3339_ms(each.alert.changed) for each in whole.rules if each.alert and each.alert.level != "good"]
    return whole.standing, min(opened, default=0)


def _without_alert(whole: ScopeExplained, standing: str) -> str:
    if standing == "insufficient_volume":
        return "There is too little mail to judge any rate."
    if standing == "inactive":
        return "It sends nothing at present, so nothing is known of how its mail would fare."
    hidden = [each.rule for each in whole.rules if each.unobservable]
    if hidden:
        return f"No rule finds anything, but too little of the mail could be seen by {', '.join(hidden)}."
    return "No rule finds anything, and no alert is open."


def _rule_of(explanation: Explanation, scope: str, alert: OpenAlert | None) -> RuleExplained | None:
    """The rule of the worst alert as it is now; without one the rule that is nearest to a level."""
    for each in explanation.scopes:
        for rule in each.rules:
            if alert and each.scope == scope and rule.rule == alert.rule:
                return rule
    if alert:
        return None
    judged = [each for each in explanation.scopes[0].rules if not each.insufficient_volume and each.threshold > 0]
    rates = [each for each in judged if each.metric not in COUNTED]
    return max(rates, key=_nearness, default=None)


def _nearness(rule: RuleExplained) -> float:
    window = next((each for each in rule.windows if each.window == rule.window), None)
    return window.rate / rule.threshold if window and rule.threshold else 0.0


def _how_it_ends(rule: Rule, level: Level, window: str) -> str:
    """What must come about for a level to end."""
    at = next((each.resolve_at for each in rule.ladder if each.level == level), 0.0)
    hold = f"{rule.hold_minutes:g} minutes"
    if rule.metric not in COUNTED:
        return f"The level {level} ends {hold} after the rate has fallen below {amount(rule.metric, at)}."
    one, several = UNITS[rule.metric]
    few = f"no {one}" if ceil(at) <= 1 else f"fewer than {ceil(at):,} {several}"
    return f"The level {level} ends once the last {window} have had {few} for {hold}."


def _steps(
    whole: ScopeExplained, rule: RuleExplained | None, alert: OpenAlert | None, policy: Policy
) -> Iterator[NextStep]:
    if whole.suspended:
        yield NextStep("It stays suspended until somebody reinstates it.")
    if alert and alert.held_since:
        yield NextStep(
            "Held: nobody acts on it until an operator confirms or releases it; since", epoch_ms(alert.held_since)
        )
    life = rule.alert if rule else None
    if rule and life and life.below_since:
        hold = next((each.hold_minutes for each in policy.rules if each.name == rule.rule), 0.0)
        at_ms = rfc3339_ms(life.below_since) + round(hold * MINUTE_MS)
        yield NextStep(f"The level {life.level} ends at", at_ms, "if nothing else comes: the rate has fallen below it")
    elif rule and life and life.level != "good":
        mark = next((each for each in policy.rules if each.name == rule.rule), None)
        if mark:
            yield NextStep(_how_it_ends(mark, life.level, rule.window))
    if life and life.override:
        yield NextStep("An override of this rule ends at", life.override.until_ms, "and the counts decide again")
    yield from _what_is_left(whole)


def _what_is_left(whole: ScopeExplained) -> Iterator[NextStep]:
    """Of the rules that are nearest to a level worse than any there is: what is left of the others is said next to
    them, and changes nothing of how the customer stands."""
    present = max((LEVELS.index(each.level) for each in whole.rules), default=0)
    some = [(each.allowance, each) for each in whole.rules if each.allowance]
    room = [(allowance, each) for allowance, each in some if LEVELS.index(allowance.level) > present]
    for allowance, each in sorted(room, key=lambda pair: pair[0].remaining)[:MOST_LEFT]:
        yield NextStep(f"{left(each.metric, allowance)}, by rule {each.rule}")
