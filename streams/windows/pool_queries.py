"""The questions to the store about customers who share an IP pool, From domain or plan, and are small or new.

*Small* is who has less than a rule's minimum volume in a window, over all of its mail. *New* is who has no good
history: of mail that is more than a day old, less than `KNOWN` recipients, or too many that failed or complained. New
ones count up to `TIMES_LEAST` times the minimum volume, unless they reach the rule's mildest level by themselves.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.counts import finished_sql
from schemas.policy import Policy
from schemas.policy_metric import Metric, window_ms
from schemas.policy_rule import Rule
from schemas.scope import FROM, PLAN, POOL
from schemas.times import DAY_S, HOUR_S
from streams.judge.certainty import REACH_FACTORS, bar_of, reach_factors, reach_sql
from streams.subjects import fresh_starts
from streams.subjects.arrays import is_long
from streams.subjects.fresh_starts import NOT_BEFORE, Since
from streams.subjects.left_out import HOUR_NOT_LEFT_OUT, NOT_LEFT_OUT
from streams.subjects.totals import begin

#: The dimension of the counts with the mail of a thing of this kind; a plan's is all mail of its customers.
DIMENSIONS: Mapping[str, str] = {POOL: "pool", FROM: "from", PLAN: "provider"}

#: What rules count of each customer and shared thing, and of each customer altogether (where the kind is `provider`).
#: Each is worked out once, and then added up window by window: written out in every sum, the engine took three times as
#: long to understand the query.
PARTS = """
    SELECT customer, kind, shared,
        {sums}
    FROM (SELECT customer, kind, shared, part, is_old, {counted} FROM ({rows}))
    GROUP BY customer, kind, shared
"""
#: By the minute, or by the hour from the hourly projection: then what lies between the begins of two windows (`part`,
#: counted from the longest window) and what is of a history (`is_old`) are added up at once.
ROWS = """
        SELECT customer, dimension AS kind, if(dimension = 'provider', '', value) AS shared,
            dimension = 'provider' AND value IN {{fbl:Array(String)}} AS looped,
            {part} AS part, {is_old} AS is_old, {measures}
        FROM counts
        WHERE dimension IN ('provider', '{dimension}')
            AND {time} >= toDateTime({{since_0:UInt32}}) {only}
        {grouped}
"""
GROUPED = "GROUP BY customer, kind, shared, looped, part, is_old"
#: Customers with a fresh start are read by the minute, the others as ever.
OTHERS, ANEW = "AND customer NOT IN {fresh:Array(String)}", f"AND customer IN {{fresh:Array(String)}} {NOT_BEFORE}"
#: Who uses one pool or domain: evidence is asked for those alone.
ONLY_ITS = """AND customer IN (
        SELECT customer FROM counts
        WHERE dimension = '{dimension}' AND value = {{shared:String}} AND bucket >= toDateTime({{since_0:UInt32}})
    )"""
#: Mail of incidents is left out; of a pool or domain it is not known which provider it went to, so the whole hour is.
JUDGED = f"""AND if(dimension = 'provider', {NOT_LEFT_OUT},
        {HOUR_NOT_LEFT_OUT})"""
ONLY_OF_PLAN = "AND customer IN (SELECT customer FROM customers FINAL WHERE NOT gone AND plan = {shared:String})"
#: With what the customer has altogether.
MEMBERS = """
    SELECT *, {wholes}
    FROM ({parts})
"""
WHOLE = "sumIf({0}, kind = 'provider') OVER (PARTITION BY customer) AS whole_{0}"
OF_PLANS = """
    SELECT members.* EXCEPT shared, plans.plan AS shared
    FROM ({members}) AS members
    INNER JOIN (SELECT customer, plan FROM customers FINAL WHERE NOT gone) AS plans USING customer
"""
#: A row for each window asked (by its `place`), so that who counts is written once and not once a window: what a small
#: fleet sends in a month is read faster than the engine understands a long query.
EACH = """
    SELECT customer, shared, is_known, asked.1 AS place, asked.2 AS top, asked.3 AS bottom, asked.4 AS whole,
        asked.5 AS whole_top, asked.6 AS fewest, asked.7 AS factors, asked.8 AS of_new
    FROM (SELECT *, {known} AS is_known FROM ({members}))
    ARRAY JOIN [{asked}] AS asked
    WHERE kind = '{dimension}' AND shared {only}
"""
POOLS = """
SELECT shared, place, sum(top), sum(bottom), countIf(bottom > 0), argMax((top, bottom), (top, -bottom))
FROM ({each})
WHERE {chosen}
GROUP BY shared, place
ORDER BY shared, place
"""
CULPRITS = """
SELECT customer, top, bottom
FROM ({each})
WHERE ({small} OR {chosen}) AND top > 0
ORDER BY top DESC, bottom, customer
LIMIT {{most:UInt8}}
"""
#: New customers count up to so many times the minimum volume.
TIMES_LEAST = 10
#: Who counts: small ones, or new ones that do not reach the mildest level by themselves. Not a chain of AND: of each
#: comparison in one the engine works out what follows for the others, which took much of the time of the whole query
#: (ClickHouse 26.9, `optimize_and_compare_chain`).
SMALL = "whole < fewest"
REACHED = reach_sql("whole_top", "whole", [f"factors.{place}" for place in range(1, 1 + REACH_FACTORS)])
NEW = f"multiIf(is_known OR whole >= {TIMES_LEAST} * fewest, false, {SMALL}, true, NOT {REACHED})"
BOTH = f"if(of_new, {NEW}, {SMALL})"

_FAILED_HARD = "n_hard - n_undated_hard"
#: What is made of the measures. Only outcomes count of which it is known when their mail was sent: a pool has no longer
#: window to spread others over.
COUNTED = {
    "finished": finished_sql("n_{}"),
    "failed": f"{_FAILED_HARD} + n_expired - n_undated_expired",
    "failed_hard": _FAILED_HARD,
    "blocked": "n_block - n_undated_block",
    "complaints": "n_complained - n_undated_complained",
    "deliveries": "n_delivered",
    # Of a whole customer, complaints count at providers with a feedback loop.
    "loop_complaints": "(n_complained - n_undated_complained) * looped",
    "loop_deliveries": "n_delivered * looped",
}

_MEASURES = re.compile(r"\bn_(\w+)")

#: A history is as long as this window, and ends a day ago.
HISTORY = "30d"
#: From so many recipients on it is a good one, unless what the policy calls bad (`Policy.bad_from`) failed or, at
#: providers with a feedback loop, complained; the latter at least so many.
KNOWN, LEAST_COMPLAINTS = 200, 3
#: What each has of the history, and whether that is good.
HISTORIES = ("finished", "failed", "loop_deliveries", "loop_complaints")
IS_KNOWN = f"""whole_old_finished >= {KNOWN} AND whole_old_failed < {{bad_failures:Float64}} * whole_old_finished
    AND whole_old_loop_complaints < greatest({LEAST_COMPLAINTS},
        {{bad_complaints:Float64}} * whole_old_loop_deliveries)"""


class Asked(NamedTuple):
    """One window of one rule: what small customers have in it, or with `new` those without a good history."""

    rule: Rule
    window: str
    least: int
    new: bool = False


def question(
    template: str,
    asked: Sequence[Asked],
    policy: Policy,
    feedback_loop: Sequence[str],
    now_ms: int,
    kind: str,
    since: Since,
    only: str = "",
    *,
    everything: bool = False,
) -> tuple[str, dict[str, Any]]:
    """A query of small customers, of new ones or of both, over windows that are all of the same kind (long or short;
    new ones are always read by the hour), and what is bound to it. With `everything` mail of incidents is not left out.

    `POOLS` gives a row for each pool and window asked: numerator, denominator, how many customers have mail; and a pair
    of the one who has most of the numerator. `CULPRITS` is asked of one window.
    """
    new = any(each.new for each in asked)
    names_read = {each.window for each in asked} | ({HISTORY} if new else set())
    windows = sorted(names_read, key=window_ms, reverse=True)
    by_hour = new or is_long(window_ms(windows[0]))
    parameters: dict[str, Any] = {"fbl": list(feedback_loop)}
    since = fresh_starts.after(since, begin(window_ms(windows[0]), now_ms))
    if since:
        parameters |= fresh_starts.parameters(since)
    for place, window in enumerate(windows):
        parameters[f"since_{place}"] = begin(window_ms(window), now_ms)
    every = [_measured(each.rule.metric, windows.index(each.window), policy.expired_is_failure, kind) for each in asked]
    sums = {each.name: f"sumIf({each.counted}, part >= {each.window})" for names in every for each in names}
    of_customer = [each.own.name for each in every]
    if new:
        parameters["old"] = max(0, now_ms // 1000 // HOUR_S * HOUR_S - DAY_S)
        parameters |= {"bad_failures": policy.bad_from("failure"), "bad_complaints": policy.bad_from("complaint")}
        sums |= {f"old_{name}": f"sumIf({name}, is_old)" for name in HISTORIES}
        of_customer += [names.own_top.name for each, names in zip(asked, every, strict=True) if each.new]
        of_customer += [f"old_{name}" for name in HISTORIES]
    rows = []
    for place, (each, names) in enumerate(zip(asked, every, strict=True)):
        parameters[f"least_{place}"] = each.least
        factors = (0.0,) * REACH_FACTORS
        if each.new:
            factors = tuple(reach_factors(each.rule.thresholds[0], bar_of(each.window, policy.confidence)))
        rows.append(
            f"({place}, {names.top.name}, {names.bottom.name}, whole_{names.own.name},"
            f" {f'whole_{names.own_top.name}' if each.new else '0'}, {{least_{place}:UInt32}}, {factors}, {each.new})"
        )
    counted = dict.fromkeys((*(each.counted for names in every for each in names), *(HISTORIES if new else ())))
    parts = PARTS.format(
        sums=",\n        ".join(f"{each} AS {name}" for name, each in sums.items()),
        counted=", ".join(f"toInt64({COUNTED[name]}) AS {name}" for name in counted),
        rows=_rows(
            DIMENSIONS[kind],
            len(windows),
            dict.fromkeys(name for each in counted for name in _MEASURES.findall(COUNTED[each])),
            f"{'' if everything else JUDGED} {only}",
            by_hour=by_hour,
            new=new,
            since=since,
        ),
    )
    members = MEMBERS.format(wholes=", ".join(map(WHOLE.format, dict.fromkeys(of_customer))), parts=parts)
    if kind == PLAN:
        members = OF_PLANS.format(members=members)
    found = EACH.format(
        known=IS_KNOWN if new else "false",
        members=members,
        asked=", ".join(rows),
        dimension=DIMENSIONS[kind],
        only="= {shared:String}" if template == CULPRITS else "!= ''",
    )
    chosen = SMALL if not new else NEW if all(each.new for each in asked) else BOTH
    return template.format(each=found, small=SMALL, chosen=chosen), parameters


def _rows(
    dimension: str, windows: int, measures: Iterable[str], only: str, *, by_hour: bool, new: bool, since: Since
) -> str:
    """What the counts have: by the minute, or by the hour but of customers with a fresh start."""
    time, measure, grouped = ("toStartOfHour(bucket)", "sum({})", GROUPED) if by_hour else ("bucket", "{}", "")
    parts = ["0", *(f"({time} >= toDateTime({{since_{place}:UInt32}}))" for place in range(1, windows))]
    groups = ("",) if not since else (OTHERS, ANEW) if by_hour else (NOT_BEFORE,)
    return " UNION ALL ".join(
        ROWS.format(
            part=" + ".join(parts),
            is_old="toStartOfHour(bucket) < toDateTime({old:UInt32})" if new else "false",
            measures=", ".join(f"{measure.format(name)} AS n_{name}" for name in measures),
            dimension=dimension,
            time=time,
            only=f"{only} {each}",
            grouped=grouped,
        )
        for each in groups
    )


class _Column(NamedTuple):
    """One of `COUNTED` within a window, by its place among all: the longest is 0."""

    counted: str
    window: int

    @property
    def name(self) -> str:
        return f"{self.counted}_{self.window}"


class _Measured(NamedTuple):
    """Numerator and denominator of what is shared, and a customer's own: the latter tells whether it is small."""

    top: _Column
    bottom: _Column
    own: _Column
    own_top: _Column


def _measured(metric: Metric, window: int, expired_is_failure: bool, kind: str) -> _Measured:
    own = "failed" if expired_is_failure else "failed_hard", "finished"
    if metric == "complaint":
        own = "loop_complaints", "loop_deliveries"
    elif metric != "failure":
        own = "blocked", "finished"
    shared = ("complaints", "deliveries") if metric == "complaint" and kind != PLAN else own
    return _Measured(*(_Column(name, window) for name in (*shared, *reversed(own))))
