"""How much room is left: so many more complaints, failures or listings until the next level opens. Pure."""

from bisect import bisect_left
from collections.abc import Mapping

import msgspec

from schemas.counts import SubjectCounts, WindowCounts
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import BURNS, COUNTED, REPORTED_SPAM, SPIKE, Metric
from schemas.policy_rule import Rule, Rung
from streams.judge.certainty import bar_of, reaches, spending
from streams.judge.verdict import NOTHING, RANK, judge, measured


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """`remaining` of a rule's numerator would open `level`, in `window`; one less would not."""

    remaining: int
    level: Level
    window: str


class RuleAllowance(Allowance, frozen=True, kw_only=True):
    """The allowance of one rule."""

    rule: str
    metric: Metric


def allowance(
    rule: Rule, windows: Mapping[str, WindowCounts], confidence: float, expired_is_failure: bool, above: Level
) -> Allowance | None:
    """What is left until the mildest level of `rule` that is worse than `above` opens.

    At the present volume: the denominators stay as they are, so a failure is counted in the place of a delivery (as a
    bounce after the delivery is). What is added counts in every window, since all of them end now; the window that
    gives way first is named, of a burn the one that gives way last. Bounds and minimum volume are the judge's. 0 where
    the level opens already.

    None of a spike and of a reported rate, which are no room to be used up, where there is no worse level, where no
    window has the minimum volume (of a burn: not every one), or where not even a rate of 1 would be certain enough.
    """
    if rule.metric in (SPIKE, REPORTED_SPAM):
        return None
    rung = next((each for each in rule.ladder if RANK[each.level] > RANK[above]), None)
    if rung is None:
        return None
    if rule.metric in BURNS:
        return _until_burning(rule, windows, confidence, expired_is_failure, rung)
    found: list[tuple[int, str]] = []
    for window, least in rule.checks:
        numerator, denominator = measured(
            rule.metric, windows.get(window, NOTHING), expired_is_failure, rule.counted_weights
        )
        if denominator < least:
            continue
        wanted = _opening(rule.metric, denominator, rung.threshold, bar_of(window, confidence))
        if wanted is not None:
            found.append((max(0, wanted - numerator), window))
    if not found:
        return None
    remaining, window = min(found, key=lambda each: each[0])
    return Allowance(remaining=remaining, level=rung.level, window=window)


def allowances(
    subject: SubjectCounts, policy: Policy, now_ms: int, open_levels: Mapping[str, Level]
) -> list[RuleAllowance]:
    """What is left of each rule of a subject until the next level, in the policy's order.

    That is worse than what its counts say and than its alert's level (`open_levels`, by rule). `now_ms` (epoch ms) says
    which overrides are in force.
    """
    rules = {rule.name: rule for rule in policy.rules_for(subject.customer, subject.scope, now_ms)}
    found = []
    for verdict in judge(subject, policy, now_ms).verdicts:
        above = max(verdict.level, open_levels.get(verdict.rule, "good"), key=RANK.__getitem__)
        rule = rules[verdict.rule]
        windows = subject.mail_to(rule.mail_to)
        room = allowance(rule, windows, policy.confidence, policy.expired_is_failure, above)
        if room is not None:
            found.append(
                RuleAllowance(
                    rule=rule.name, metric=rule.metric, remaining=room.remaining, level=room.level, window=room.window
                )
            )
    return found


def _until_burning(
    rule: Rule, windows: Mapping[str, WindowCounts], confidence: float, expired_is_failure: bool, rung: Rung
) -> Allowance | None:
    _, period = measured(rule.metric, windows.get(rule.reads[-1], NOTHING), expired_is_failure)
    found: list[tuple[int, str]] = []
    for window in rule.windows:
        numerator, denominator = measured(rule.metric, windows.get(window, NOTHING), expired_is_failure)

        def opens(n: int, window: str = window, denominator: int = denominator) -> bool:
            spent = spending(rule, window, (n, denominator), period, confidence)
            return spent.counts and spent.burn >= rung.threshold

        wanted = bisect_left(range(denominator + 1), True, key=opens)
        if wanted > denominator:
            return None
        found.append((max(0, wanted - numerator), window))
    remaining, window = max(found, key=lambda each: each[0])
    return Allowance(remaining=remaining, level=rung.level, window=window)


def _opening(metric: Metric, denominator: int, threshold: float, bar: float) -> int | None:
    """The smallest numerator that reaches a threshold, if any does."""
    if metric in COUNTED:
        return int(threshold)  # a whole number, as the policy makes sure
    # Certainty rises with the numerator, so the first that reaches the threshold is found by halving.
    first = bisect_left(range(denominator + 1), True, key=lambda n: reaches(n, denominator, threshold, bar))
    return first if first <= denominator else None
