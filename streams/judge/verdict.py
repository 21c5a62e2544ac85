"""Judging: the counts of one subject and the policy in, a verdict for each rule out. Pure.

A level opens when the rate is at least the level's threshold, and its lower bound, which holds over all looks, at least
all but a margin of that (`streams.judge.certainty`). It holds while the rate itself is at least threshold *
resolve_ratio. Either needs only one window, and that window needs the rule's minimum volume. What opens also holds.

A burn opens a level when it is at least the threshold in every window. It holds by the longest window alone, the
steadiest: while its burn is at least threshold * resolve_ratio and its rate at least allowance * resolve_ratio.

A spike (`streams.judge.spikes`) opens a level where its score is at least the threshold and the hour exceeds the rule's
factor times the busiest time, and holds down to resolve_ratio of both.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from schemas.counts import FAILURES, RATIOS, SEEN_OF, Observed, SubjectCounts, VolumeBaseline, WindowCounts, observed
from schemas.levels import LEVELS, Level
from schemas.listing import Weight
from schemas.policy import Policy
from schemas.policy_metric import BURNS, COUNTED, DEFAULT_WEIGHTS, REPORTED_SPAM, SPIKE, Metric
from schemas.policy_rule import Rule
from schemas.standing import Standing
from schemas.times import HOUR_S
from streams.judge.certainty import bar_of, bounds, confidence_of, lower_bound, spending, upper_bound
from streams.judge.certainty import opened as surely_at
from streams.judge.spikes import exceeds, score

RANK: Mapping[Level, int] = {level: rank for rank, level in enumerate(LEVELS)}
NOTHING = WindowCounts()


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one rule says.

    `window` decided: of those at the highest level the one with the highest rate, the first of equals; where all are
    good, the one with the largest volume. The counts, and the ratios `rate`, `lower`, `upper`, are of that window.
    A `numerator` above the `denominator` is shown as counted, and judged as a rate of 1. `threshold` is that
    of `level`; for `good` it is the mildest level's. `confidence` is how sure the bounds of this window are over all
    looks. `insufficient_volume` says that no window has the minimum volume; `level` is then `good`. `outside` are
    outcomes that came in the window and are most likely of mail that is not in it: the numerator is without them.

    `observed` says of how much of the window's mail a rate is seen, where that is not all. `unobservable` says that it
    is too little to call anybody good by the rule (`level` is `good` all the same); `observed` is then of the window
    with most mail.

    Of a burn, `window` is the one with the smallest burn; `rate` is that burn, `lower` and `upper` are what the bounds
    of the window's own rate make of it. `insufficient_volume` says that not every window has the minimum volume.

    Of a spike, `numerator` is the hour's volume, `denominator` what is usual (the median, scaled by what the fleet
    does), `rate` and both bounds are the score. `insufficient_volume` says that there is too little mail or history,
    and then there may be no `baseline`.
    """

    rule: str
    metric: Metric
    level: Level
    holding_level: Level
    window: str
    numerator: int
    denominator: int
    rate: float
    lower: float
    upper: float
    confidence: float
    threshold: float
    insufficient_volume: bool
    baseline: VolumeBaseline | None = None
    outside: int = 0
    observed: Observed | None = None
    unobservable: bool = False


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What all rules say of one subject at `now_ms` (epoch ms, UTC), in the policy's order.

    `standing` is the worst level. Where that is good but every rate had too little mail, it is `insufficient_volume`:
    that nothing is listed does not make a customer good.
    """

    customer: str
    scope: str
    now_ms: int
    policy_version: str
    verdicts: tuple[Verdict, ...]
    standing: Standing


def judge(subject: SubjectCounts, policy: Policy, now_ms: int) -> Judgement:
    """Judge one subject.

    A window that `subject` lacks counts as empty. `now_ms` (epoch ms, UTC) only says which overrides are in
    force.
    """
    rules = policy.rules_for(subject.customer, subject.scope, now_ms)
    verdicts = tuple(
        [
            _observed(
                rule,
                subject.mail_to(rule.mail_to),
                _verdict(rule, subject, policy.confidence, policy.expired_is_failure),
                policy.least_observable,
            )
            for rule in rules
        ]
    )
    return Judgement(
        customer=subject.customer,
        scope=subject.scope,
        now_ms=now_ms,
        policy_version=policy.version,
        verdicts=verdicts,
        standing=_standing(rules, verdicts),
    )


def with_verdicts(judgement: Judgement, verdicts: tuple[Verdict, ...], policy: Policy) -> Judgement:
    """The judgement with other verdicts, one for each rule."""
    rules = policy.rules_for(judgement.customer, judgement.scope, judgement.now_ms)
    return msgspec.structs.replace(judgement, verdicts=verdicts, standing=_standing(rules, verdicts))


def measured(
    metric: Metric, counts: WindowCounts, expired_is_failure: bool, weights: Sequence[Weight] = DEFAULT_WEIGHTS
) -> tuple[int, int]:
    """Numerator and denominator of a metric.

    A number of listings or of (full) hours has the denominator 1, a volume itself.
    """
    if metric in FAILURES:
        return counts.hard + counts.expired if expired_is_failure else counts.hard, counts.finished
    if metric in RATIOS:
        top, bottom = RATIOS[metric]
        return getattr(counts, top), getattr(counts, bottom)
    return _number(metric, counts, weights), 1


def outside_of(metric: Metric, counts: WindowCounts, expired_is_failure: bool) -> int:
    """What of a metric came in a window and is most likely of other mail (`streams.subjects.undated`)."""
    match metric:
        case "complaint" | "complaint_burn":
            return counts.outside_complained
        case "failure" | "failure_burn":
            return counts.outside_hard + (counts.outside_expired if expired_is_failure else 0)
        case "block":
            return counts.outside_block
        case "unsubscribe":
            return counts.outside_unsubscribed
        case _:
            return 0


def _number(metric: Metric, counts: WindowCounts, weights: Sequence[Weight]) -> int:
    match metric:
        case "listing_count":
            return sum(_by_weight(counts, "listings", weights))
        case "listed_hours":
            return sum(_by_weight(counts, "listed_s", weights)) // HOUR_S
        case "attributed_listing":
            return counts.attributed_listings
        case "new_from_domain":
            return counts.new_from_domains
        case _:
            return counts.critical_listings


def _by_weight(counts: WindowCounts, field: str, weights: Sequence[Weight]) -> Iterator[int]:
    return (getattr(counts, f"{field}_{weight}") for weight in weights)


def rate_of(metric: Metric, numerator: int, denominator: int) -> float:
    """A ratio; of what is counted the number itself."""
    if metric in COUNTED:
        return float(numerator)
    return min(numerator, denominator) / denominator if denominator > 0 else 0.0


@lru_cache(maxsize=2_000)
def interval(metric: Metric, numerator: int, denominator: int, bar: float) -> tuple[float, float]:
    """Between which rates (ratios) the true one surely is. Some are kept, since long windows
    stay the same for a minute; more would only fill memory for an hour."""
    if metric in COUNTED:
        return float(numerator), float(numerator)
    if metric == REPORTED_SPAM:
        rate = rate_of(metric, numerator, denominator)
        return rate, rate
    return lower_bound(numerator, denominator, bar), upper_bound(numerator, denominator, bar)


def rung_of(rule: Rule, numerator: int, denominator: int, bar: float) -> int:
    """The place in the rule's ladder that opens; -1 is good."""
    if rule.metric in COUNTED:
        return bisect_right(rule.thresholds, float(numerator)) - 1
    if rule.metric == REPORTED_SPAM:
        return bisect_right(rule.thresholds, rate_of(rule.metric, numerator, denominator)) - 1
    return surely_at(numerator, denominator, rule.thresholds, bar)


def _verdict(rule: Rule, subject: SubjectCounts, confidence: float, expired_is_failure: bool) -> Verdict:
    windows = subject.mail_to(rule.mail_to)
    if rule.metric == SPIKE:
        return _spike_verdict(rule, windows.get(rule.windows[0], NOTHING).finished, subject.baseline)
    if rule.metric in BURNS:
        return _burn_verdict(rule, windows, confidence, expired_is_failure)
    metric, ladder, thresholds, resolve_marks = rule.metric, rule.ladder, rule.thresholds, rule.resolve_marks
    # Positions in the ladder; -1 is good.
    opened = held = -1
    highest_rate = 0.0
    enough, volume = False, -1
    chosen = (rule.windows[0], 0, 0)
    for window, least in rule.checks:
        counts = windows.get(window, NOTHING)
        numerator, denominator = measured(metric, counts, expired_is_failure, rule.counted_weights)
        suits = denominator >= least
        if opened < 0 and (suits, denominator) > (enough, volume):
            enough, volume, chosen = suits, denominator, (window, numerator, denominator)
        if not suits:
            continue
        rate = rate_of(metric, numerator, denominator)
        held = max(held, bisect_right(resolve_marks, rate) - 1)
        if rate < thresholds[0]:
            continue
        bar = bar_of(window, confidence)
        reached = rung_of(rule, numerator, denominator, bar)
        if reached >= 0 and (reached, rate) > (opened, highest_rate):
            opened, highest_rate, chosen = reached, rate, (window, numerator, denominator)
    window, numerator, denominator = chosen
    bar = bar_of(window, confidence)
    outside = outside_of(metric, windows.get(window, NOTHING), expired_is_failure)
    lower, upper = interval(metric, numerator, denominator, bar)
    return Verdict(
        rule=rule.name,
        metric=metric,
        level=ladder[opened].level if opened >= 0 else "good",
        holding_level=ladder[held].level if held >= 0 else "good",
        window=window,
        numerator=numerator,
        denominator=denominator,
        rate=rate_of(metric, numerator, denominator),
        lower=lower,
        upper=upper,
        confidence=1.0 if metric in COUNTED or metric == REPORTED_SPAM else confidence_of(bar),
        threshold=thresholds[max(opened, 0)],
        insufficient_volume=not enough,
        outside=outside,
    )


def _burn_verdict(
    rule: Rule, windows: Mapping[str, WindowCounts], confidence: float, expired_is_failure: bool
) -> Verdict:
    counted = {name: measured(rule.metric, windows.get(name, NOTHING), expired_is_failure) for name in rule.reads}
    period = counted[rule.reads[-1]][1]
    spent = {name: spending(rule, name, counted[name], period, confidence) for name in rule.windows}
    slowest, longest = min(spent.values(), key=lambda each: each.burn), spent[rule.longest]
    counts = all(each.counts for each in spent.values())
    lower, upper = bounds(rule, slowest, period, confidence)
    opened = bisect_right(rule.thresholds, slowest.burn) - 1 if counts else -1
    held = bisect_right(rule.resolve_marks, longest.burn) - 1 if longest.holds else -1
    return Verdict(
        rule=rule.name,
        metric=rule.metric,
        level=rule.ladder[opened].level if opened >= 0 else "good",
        holding_level=rule.ladder[held].level if held >= 0 else "good",
        window=slowest.window,
        numerator=slowest.numerator,
        denominator=slowest.denominator,
        rate=slowest.burn,
        lower=lower,
        upper=upper,
        confidence=confidence_of(bar_of(slowest.window, confidence)),
        threshold=rule.thresholds[max(opened, 0)],
        outside=outside_of(rule.metric, windows.get(slowest.window, NOTHING), expired_is_failure),
        insufficient_volume=not all(each.enough for each in spent.values()),
    )


def _spike_verdict(rule: Rule, volume: int, usual: VolumeBaseline | None) -> Verdict:
    ((window, least),) = rule.checks
    opened = held = -1
    found = 0.0 if usual is None else score(volume, usual)
    enough = usual is not None and volume >= least
    if usual is not None and enough:
        if exceeds(volume, usual, rule):
            opened = bisect_right(rule.thresholds, found) - 1
        if exceeds(volume, usual, rule, rule.resolve_ratio):
            held = bisect_right(rule.resolve_marks, found) - 1
    return Verdict(
        rule=rule.name,
        metric=rule.metric,
        level=rule.ladder[opened].level if opened >= 0 else "good",
        holding_level=rule.ladder[held].level if held >= 0 else "good",
        window=window,
        numerator=max(volume, 0),
        denominator=0 if usual is None else round(usual.expected),
        rate=found,
        lower=found,
        upper=found,
        confidence=1.0,
        threshold=rule.thresholds[max(opened, 0)],
        insufficient_volume=not enough,
        baseline=usual,
    )


def _observed(rule: Rule, windows: Mapping[str, WindowCounts], verdict: Verdict, least_share: float) -> Verdict:
    """The verdict with what the rule sees of the mail."""
    if rule.metric not in SEEN_OF:
        return verdict
    missing = unseen(rule, windows, least_share) if verdict.level == "good" else None
    found = missing or observed(rule.metric, verdict.window, windows.get(verdict.window, NOTHING))
    return msgspec.structs.replace(verdict, observed=found, unobservable=missing is not None)


def unseen(rule: Rule, windows: Mapping[str, WindowCounts], least_share: float) -> Observed | None:
    """What a rule sees, in the window with most mail, if that is too little to call anybody good; else None.

    It is too little where no window has the rule's minimum volume that is seen, and of all mail at least `least_share`
    (a ratio), while one would have it if all mail were seen.
    """
    found = [
        (each, least)
        for window, least in rule.checks
        if (each := observed(rule.metric, window, windows.get(window, NOTHING))) is not None
    ]
    asks = any(each.mail >= least for each, least in found)
    if not asks or any(each.seen >= max(least, least_share * each.mail) for each, least in found):
        return None
    return max((each for each, _ in found), key=lambda each: each.mail)


def _standing(rules: Sequence[Rule], verdicts: tuple[Verdict, ...]) -> Standing:
    worst = max([verdict.level for verdict in verdicts], key=RANK.__getitem__)
    if worst != "good":
        return worst
    rates = [verdict.insufficient_volume for rule, verdict in zip(rules, verdicts, strict=True) if rule.telling]
    return "insufficient_volume" if rates and all(rates) else "good"
