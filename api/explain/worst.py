"""The worst customers now, with what must be known to read a line of them: how many each rate is of, whether that is
enough to judge by, which rule decides, since when, and whether an override holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from schemas.alert import HoldReason
from schemas.counts import WindowCounts
from schemas.levels import LEVELS, Level
from schemas.policy import Policy
from schemas.policy_metric import Metric, Window, window_ms
from schemas.policy_rule import Rule
from streams.decisions.suspensions import SHOWN_STANDINGS
from streams.io.store import Store
from streams.judge.verdict import measured, outside_of
from streams.subjects import undated
from streams.subjects.arrays import Subjects, subjects
from streams.subjects.totals import read_totals

WINDOW: Window = "24h"
WINDOW_MS = 24 * 3_600_000
#: The rates of a line, in its order.
METRICS: tuple[Metric, ...] = ("complaint", "failure", "block", "exposure")

#: The worst first: by level, then by how many times the mildest level of its rules the worst rate is.
WORST = f"""
SELECT customer, scope, standing, judged, toUnixTimestamp64Milli(since) AS since_ms, reasons, volume,
    unobservable, observable_mail, all_mail, complaint_rate, failure_rate, block_rate, exposure_rate, overall_score,
    transform(judged, {{levels:Array(String)}}, {{ranks:Array(UInt8)}}, 0) AS level_rank,
    arrayMax(arrayMap((rate, weight) -> rate * weight, [complaint_rate, failure_rate, block_rate, exposure_rate],
        {{weights:Array(Float64)}})) AS badness
FROM {SHOWN_STANDINGS}
WHERE (scope = 'customer' OR ({{parts:Bool}} AND standing NOT IN ('good', 'insufficient_volume', 'inactive')))
    AND (empty({{standings:Array(String)}}) OR has({{standings:Array(String)}}, standing::String))
    AND ({{name:String}} = '' OR positionCaseInsensitiveUTF8(customer, {{name:String}}) > 0)
    AND ({{plan:String}} = ''
        OR customer IN (SELECT customer FROM customers FINAL WHERE NOT gone AND plan = {{plan:String}}))
    AND (empty({{only:Array(String)}}) OR customer IN {{only:Array(String)}})
    AND (-level_rank, -badness, -toInt64(volume), customer, scope) > ({{after_rank:Int16}}, {{after_badness:Float64}},
        {{after_volume:Int64}}, {{after_customer:String}}, {{after_scope:String}})
ORDER BY {{order}}, customer, scope
LIMIT {{limit:UInt32}}
"""  # noqa: S608 - made of texts of this project only

#: What lines may be sorted by.
WorstOrder = Literal[
    "worst", "longest", "newest", "mail", "complaint", "failure", "block", "exposure", "score", "customer"
]  # fmt: skip
ORDERS: dict[WorstOrder, str] = {
    "worst": "level_rank DESC, badness DESC, volume DESC",
    "longest": "since_ms",
    "newest": "since_ms DESC",
    "mail": "volume DESC",
    "complaint": "complaint_rate DESC",
    "failure": "failure_rate DESC",
    "block": "block_rate DESC",
    "exposure": "exposure_rate DESC",
    "score": "overall_score IS NULL, overall_score",
    "customer": "lowerUTF8(customer)",
}

OPEN_RULES = """
SELECT customer, scope, rule, level, JSONExtractString(state, 'held', 'reason'),
    JSONType(state, 'acknowledged') = 'Object'
FROM alert_states FINAL
WHERE customer IN {customers:Array(String)} AND level != 'good'
"""
#: Of whom something changed since a time that a line says: how they stand, or what is decided about an alert.
CHANGED = """
SELECT DISTINCT customer FROM (
    SELECT customer FROM standings WHERE since >= fromUnixTimestamp64Milli({since:Int64})
        OR inactive_since >= fromUnixTimestamp64Milli({since:Int64})
    UNION ALL
    SELECT customer FROM suspensions WHERE since >= fromUnixTimestamp64Milli({since:Int64})
    UNION ALL
    SELECT customer FROM alert_states WHERE updated >= fromUnixTimestamp64Milli({since:Int64})
)
"""


@dataclass(frozen=True, slots=True)
class WorstRate:
    """A rate over 24 h. `counts` are its numerator and denominator, where they are known; without `enough` the
    denominator is below the minimum volume of every rule that judges the rate over 24 h. `unseen` are the recipients
    of whom it is known, and all, over the longest window of a rule, where that is too little to call anybody good.
    `outside` are outcomes that came in these 24 h and are most likely of mail sent before, so not counted."""

    ratio: float
    counts: tuple[int, int] | None = None
    enough: bool = True
    unseen: tuple[int, int] | None = None
    outside: int = 0


#: What the lines are sorted by: the level, how bad the worst rate is, and the mail, all negative; customer and scope.
WorstPlace = tuple[int, float, int, str, str]
AFTER = ("after_rank", "after_badness", "after_volume", "after_customer", "after_scope")
FIRST: WorstPlace = (-(2**15), 0.0, 0, "", "")


@dataclass(frozen=True, slots=True)
class WorstLine:
    """One subject.

    `since_ms` (epoch ms, UTC) is when it came to stand so, `rule` the one that decides, empty where none does.
    `overridden` says that an override of a rule holds for it now, `held` that nobody is to act on an alert of it
    yet, `held_for` why (empty where nothing is held), `acknowledged` that somebody looks after the alert of `rule`.
    `volume` are finished recipients over 24 h; a score is from 0 to 100, and 100 is best.
    """

    customer: str
    scope: str
    standing: str
    since_ms: int
    rule: str
    overridden: bool
    volume: int
    complaint: WorstRate
    failure: WorstRate
    block: WorstRate
    exposure: WorstRate
    score: int | None
    held: bool = False
    held_for: HoldReason | Literal[""] = ""
    acknowledged: bool = False
    place: WorstPlace = (0, 0.0, 0, "", "")


@dataclass(frozen=True, slots=True)
class WorstFilter:
    """Which of them: with `parts` also streams and so on that are not well; of these standings, of a plan, with a text
    in the customer's name, after a place, `only` of these customers; what is empty is no filter. Only the order
    `worst` has places to go on from."""

    parts: bool = True
    standings: tuple[str, ...] = ()
    plan: str = ""
    name: str = ""
    after: WorstPlace = FIRST
    order: WorstOrder = "worst"
    only: tuple[str, ...] = ()


def worst(
    store: Store,
    policy: Policy,
    feedback_loop_providers: Sequence[str],
    limit: int,
    now_ms: int,
    wanted: WorstFilter | None = None,
) -> list[WorstLine]:
    """The worst subjects now. `policy` is the one in force, with what operators decided.

    Raises:
        StoreError: the store failed.
    """
    ranks = list(range(1, len(LEVELS) + 1))
    wanted = wanted or WorstFilter()
    asked = {"levels": list(LEVELS), "ranks": ranks, "limit": limit, "parts": wanted.parts}
    asked |= {"standings": list(wanted.standings), "plan": wanted.plan, "name": wanted.name, "only": list(wanted.only)}
    asked |= {"weights": weights(policy), **dict(zip(AFTER, wanted.after, strict=True))}
    rows = store.rows(WORST.replace("{order}", ORDERS[wanted.order]), asked)
    customers = sorted({str(row[0]) for row in rows if row[0]})
    counted = read_counts(store, customers, feedback_loop_providers, policy.windows, now_ms) if customers else {}
    open_rules: dict[tuple[str, str], dict[str, Level]] = {}
    held: dict[tuple[str, str], HoldReason] = {}
    acknowledged: set[tuple[str, str, str]] = set()
    found = store.rows(OPEN_RULES, {"customers": [*customers, ""]}) if rows else ()
    for customer, scope, rule, level, held_for, is_acknowledged in found:
        open_rules.setdefault((customer, scope), {})[rule] = level
        if held_for:
            held[customer, scope] = held_for
        if is_acknowledged:
            acknowledged.add((customer, scope, rule))
    lines = []
    for customer, scope, standing, judged, since_ms, *rest in rows:
        reasons, volume, hidden, seen, mail, *rates, score, rank, badness = rest
        rules = policy.rules_for(customer, scope, now_ms)
        counts = counted.get((customer, scope))
        complaint, failure, block, exposure = (
            rate_of(metric, rules, counts, ratio, expired_is_failure=policy.expired_is_failure)
            for metric, ratio in zip(METRICS, rates, strict=True)
        )
        if any(rule.metric == "complaint" and not rule.mail_to and rule.name in hidden for rule in rules):
            complaint = replace(complaint, unseen=(seen, mail))
        rule = deciding(judged, reasons, open_rules.get((customer, scope), {}))
        lines.append(
            WorstLine(
                customer=customer,
                scope=scope,
                standing=standing,
                since_ms=since_ms,
                rule=rule,
                overridden=bool(policy.overrides_for(customer, scope, now_ms)),
                held=(customer, scope) in held,
                held_for=held.get((customer, scope), ""),
                acknowledged=(customer, scope, rule) in acknowledged,
                volume=volume if counts is None else counts.finished,
                complaint=complaint,
                failure=failure,
                block=block,
                exposure=exposure,
                score=score,
                place=(-int(rank), -float(badness), -int(volume), customer, scope),
            )
        )
    return lines


def weights(policy: Policy) -> list[float]:
    """How bad each rate of `METRICS` is, a ratio of 1: how many times the mildest level of the rules that judge it for
    mail to all providers that would be; 0 where no rule does."""
    found = []
    for metric in METRICS:
        mildest = min((threshold for _, threshold in policy.levels_of(metric)), default=0.0)
        found.append(1 / mildest if mildest else 0.0)
    return found


def read_counts(
    store: Store,
    customers: Sequence[str],
    feedback_loop_providers: Sequence[str],
    windows: Sequence[Window],
    now_ms: int,
) -> dict[tuple[str, str], WindowCounts]:
    """What is judged of customers (sorted) and their streams over 24 h, by customer and scope; `windows` are those of
    the policy. One query, since it is asked every second, and one more where outcomes came of mail of an unknown time:
    what listings and addresses bring is not in it.

    Raises:
        StoreError: the store failed.
    """
    found = subjects(read_totals(store, customers, [WINDOW_MS], feedback_loop_providers, now_ms), (WINDOW,))
    if found.undated:
        found = _judged(store, found, feedback_loop_providers, windows, now_ms)
    each = found.each(range(len(found)))
    return {(subject.customer, subject.scope): subject.windows[WINDOW] for subject in each}


def changed_since(store: Store, since_ms: int) -> list[str]:
    """Customers of whom something else is to be said than before a time (epoch ms), besides numbers; '' is of those
    who share something.

    Raises:
        StoreError: the store failed.
    """
    return [str(name) for (name,) in store.rows(CHANGED, {"since": since_ms})]


def _judged(
    store: Store, found: Subjects, feedback_loop_providers: Sequence[str], windows: Sequence[Window], now_ms: int
) -> Subjects:
    """The subjects with what is likely of the mail of these 24 h."""
    every = undated.to_read({name: window_ms(name) for name in windows}).values()
    lengths = sorted({undated.longer(WINDOW_MS, every), max(every)} - {WINDOW_MS})
    if not lengths:
        return found
    who = sorted(set(found.customers))
    names = tuple(map(str, lengths))
    longer = subjects(read_totals(store, who, lengths, feedback_loop_providers, now_ms), names)
    places = {key: place for place, key in enumerate(zip(longer.customers, longer.scopes, strict=True))}
    counts = np.repeat(found.counts, 1 + len(lengths), axis=1)
    for row, key in enumerate(zip(found.customers, found.scopes, strict=True)):
        if key in places:
            counts[row, 1:] = longer.counts[places[key]]
    return replace(found, counts=undated.spread(counts, [WINDOW_MS, *lengths], 1))


def least_judged(metric: Metric, rules: Sequence[Rule]) -> int:
    """Of how many at least a rate over 24 h must be for one of the rules to judge it; 1 where none does."""
    return min((dict(rule.checks)[WINDOW] for rule in rules if judges(rule, metric)), default=1)


def rate_of(
    metric: Metric, rules: Sequence[Rule], counts: WindowCounts | None, stored: float, *, expired_is_failure: bool
) -> WorstRate:
    """The rate over 24 h, and whether it is of enough to be judged by one of the rules.

    It is the `stored` ratio where nothing was counted now, and of exposure: mail through listed addresses takes long to
    read.
    """
    if counts is None or metric == "exposure":
        return WorstRate(stored)
    numerator, denominator = measured(metric, counts, expired_is_failure)
    ratio = min(numerator, denominator) / denominator if denominator > 0 else 0.0
    outside = outside_of(metric, counts, expired_is_failure)
    return WorstRate(ratio, (numerator, denominator), denominator >= least_judged(metric, rules), outside=outside)


def judges(rule: Rule, metric: Metric) -> bool:
    """Whether a rule judges this rate of all mail over 24 h."""
    return rule.metric == metric and not rule.mail_to and WINDOW in rule.windows


def deciding(judged: str, reasons: Sequence[str], open_rules: Mapping[str, Level]) -> str:
    """The rule that a standing is owed to: one whose alert is open at that level, a present reason before one that only
    holds still; else the first reason."""
    at_level = [rule for rule, level in open_rules.items() if level == judged]
    return next(iter([*(rule for rule in reasons if rule in at_level), *at_level, *reasons]), "")
