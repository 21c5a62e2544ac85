"""The questions to the store about customers who share an IP pool, From domain or plan, and are small or new.

*Small* is who has less than a rule's minimum volume in a window, over all of its mail. *New* is who has no good
history: of mail that is more than a day old, less than `KNOWN` recipients, or too many that failed or complained. New
ones count up to `TIMES_LEAST` times the minimum volume, unless they reach the rule's mildest level by themselves.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.counts import FINISHED, finished_sql
from schemas.policy import Policy
from schemas.policy_metric import Metric, window_ms
from schemas.policy_rule import Rule
from schemas.scope import FROM, PLAN, POOL
from schemas.times import DAY_S, HOUR_S
from streams.judge.certainty import bar_of, reach_sql
from streams.subjects import fresh_starts
from streams.subjects.arrays import is_long
from streams.subjects.fresh_starts import NOT_BEFORE, Since
from streams.subjects.left_out import HOUR_NOT_LEFT_OUT, NOT_LEFT_OUT
from streams.subjects.totals import begin

#: The dimension of the counts with the mail of a thing of this kind; a plan's is all mail of its customers.
DIMENSIONS: Mapping[str, str] = {POOL: "pool", FROM: "from", PLAN: "provider"}

#: Of each customer and shared thing, and of each customer altogether (where the dimension is `provider`).
SHORT_PARTS = """
    SELECT customer, dimension AS kind, if(dimension = 'provider', '', value) AS shared,
        {sums}
    FROM counts
    WHERE dimension IN ('provider', '{dimension}') AND bucket >= toDateTime({{since_0:UInt32}}) {judged} {only}
    GROUP BY customer, kind, shared
"""
#: By the hour: the inner query reads the hourly projection, and adds up the hours between the begins of two windows
#: (`part`, counted from the longest window) and those of a history (`is_old`).
LONG_PARTS = """
    SELECT customer, kind, shared,
        {sums}
    FROM ({hours})
    GROUP BY customer, kind, shared
"""
HOURS = """
        SELECT customer, dimension AS kind, if(dimension = 'provider', '', value) AS shared,
            dimension = 'provider' AND value IN {{fbl:Array(String)}} AS looped,
            {part} AS part, {is_old} AS is_old, {measures}
        FROM counts
        WHERE dimension IN ('provider', '{dimension}')
            AND toStartOfHour(bucket) >= toDateTime({{since_0:UInt32}}) {judged} {only}
        GROUP BY customer, kind, shared, looped, part, is_old
"""
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
#: `whole` is what the customer has altogether.
MEMBERS = """
    SELECT *, {wholes}
    FROM ({parts})
"""
OF_PLANS = """
    SELECT members.* EXCEPT shared, plans.plan AS shared
    FROM ({members}) AS members
    INNER JOIN (SELECT customer, plan FROM customers FINAL WHERE NOT gone) AS plans USING customer
"""
#: Who counts is worked out once, in a query of its own: the engine takes longer to understand such a condition than to
#: read what small fleets send in a month.
POOLS = """
SELECT shared, {sums}
FROM (
    SELECT *, {chosen}
    FROM (SELECT *, {known} AS is_known FROM ({members}))
    WHERE kind = '{dimension}' AND shared != ''
)
GROUP BY shared
ORDER BY shared
"""
CULPRITS = """
SELECT customer, top_0, bottom_0
FROM (SELECT *, {known} AS is_known FROM ({members}))
WHERE kind = '{dimension}' AND shared = {{shared:String}} AND ({chosen}) AND top_0 > 0
ORDER BY top_0 DESC, bottom_0, customer
LIMIT {{most:UInt8}}
"""

#: What `POOLS` gives for each window asked.
SUMS = """
    sumIf(top_{place}, chosen_{place}), sumIf(bottom_{place}, chosen_{place}),
    countIf(chosen_{place} AND bottom_{place} > 0),
    argMaxIf((top_{place}, bottom_{place}), (top_{place}, -bottom_{place}), chosen_{place})"""

#: What counts of a complaint rate only at providers with a feedback loop.
DATED_COMPLAINTS = "{n}complained - {n}undated_complained"
LOOPED = (DATED_COMPLAINTS, "{n}delivered")
#: The measures that pools are judged by.
MEASURES = (*FINISHED, "complained", "undated_hard", "undated_block", "undated_complained")
FINISHED_MAIL = finished_sql("{{n}}{}")

#: A history is as long as this window, and ends a day ago.
HISTORY = "30d"
#: From so many recipients on it is a good one, unless so much of it (ratios) failed or, at providers with a feedback
#: loop, complained: the mildest levels of the default policy.
KNOWN, BAD_FAILURES, BAD_COMPLAINTS, LEAST_COMPLAINTS = 200, 0.03, 0.001, 3
#: New customers count up to so many times the minimum volume.
TIMES_LEAST = 10
#: What each has of the history, and whether that is good.
HISTORIES = {
    "mail": FINISHED_MAIL,
    "failed": "{n}hard - {n}undated_hard + {n}expired - {n}undated_expired",
    "delivered": "if(value IN {fbl:Array(String)}, {n}delivered, 0)",
    "complained": "if(value IN {fbl:Array(String)}, {n}complained - {n}undated_complained, 0)",
}
IS_KNOWN = f"""known_mail >= {KNOWN} AND known_failed < {BAD_FAILURES} * known_mail
    AND known_complained < greatest({LEAST_COMPLAINTS}, {BAD_COMPLAINTS} * known_delivered)"""


class Asked(NamedTuple):
    """One window of one rule."""

    rule: Rule
    window: str
    least: int


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
    new: bool = False,
) -> tuple[str, dict[str, Any]]:
    """A query of small customers, or with `new` of those without a good history, over windows that are all of the same
    kind (long or short; new ones are always read by the hour), and what is bound to it.

    `POOLS` gives four columns for each window asked: numerator, denominator, how many customers have mail; and a pair
    of the one who has most of the numerator. `CULPRITS` is asked of one window.
    """
    dimension = DIMENSIONS[kind]
    names_read = {each.window for each in asked} | ({HISTORY} if new else set())
    windows = sorted(names_read, key=window_ms, reverse=True)
    by_hour = new or is_long(window_ms(windows[0]))
    parts, prefix = (LONG_PARTS, "n_") if by_hour else (SHORT_PARTS, "")
    parameters: dict[str, Any] = {"fbl": list(feedback_loop)}
    since = fresh_starts.after(since, begin(window_ms(windows[0]), now_ms))
    if since:
        parameters |= fresh_starts.parameters(since)
    for place, window in enumerate(windows):
        parameters[f"since_{place}"] = begin(window_ms(window), now_ms)
    sums, wholes, chosen = [], [], []
    for place, each in enumerate(asked):
        nth = windows.index(each.window)
        within = f"part >= {nth}" if by_hour else f"bucket >= toDateTime({{since_{nth}:UInt32}})"
        measured = _measured(each.rule.metric, policy.expired_is_failure, by_provider=kind == PLAN)
        top, bottom, own_top, own = (_read(expression, prefix) for expression in measured)
        alone = f"{within} AND kind = 'provider'"
        sums += [
            f"toInt64(sumIf({top}, {within})) AS top_{place}",
            f"toInt64(sumIf({bottom}, {within})) AS bottom_{place}",
            f"toInt64(sumIf({own}, {alone})) AS alone_{place}",
        ]
        wholes.append(f"sum(alone_{place}) OVER (PARTITION BY customer) AS whole_{place}")
        if new:
            sums.append(f"toInt64(sumIf({own_top}, {alone})) AS alone_top_{place}")
            wholes.append(f"sum(alone_top_{place}) OVER (PARTITION BY customer) AS whole_top_{place}")
        chosen.append(_is_chosen(place, each, policy.confidence, new=new))
        parameters[f"least_{place}"] = each.least
    if new:
        parameters["old"] = max(0, now_ms // 1000 // HOUR_S * HOUR_S - DAY_S)
        for name, text in HISTORIES.items():
            sums.append(f"toInt64(sumIf({_read(text, prefix)}, is_old AND kind = 'provider')) AS old_{name}")
            wholes.append(f"sum(old_{name}) OVER (PARTITION BY customer) AS known_{name}")
    measures = ", ".join(f"sum({name}) AS n_{name}" for name in MEASURES)
    begins = (f"(toStartOfHour(bucket) >= toDateTime({{since_{place}:UInt32}}))" for place in range(1, len(windows)))
    names = {
        "dimension": dimension,
        "measures": measures,
        "part": " + ".join(["0", *begins]),
        "is_old": "toStartOfHour(bucket) < toDateTime({old:UInt32})" if new else "false",
    }
    hours = " UNION ALL ".join(
        HOURS.format(judged=JUDGED, only=f"{only} {each}", **names) for each in ((OTHERS, ANEW) if since else ("",))
    )
    only = f"{only} {NOT_BEFORE}" if since else only
    inner = parts.format(sums=",\n        ".join(sums), judged=JUDGED, only=only, hours=hours, **names)
    members = MEMBERS.format(wholes=", ".join(wholes), parts=inner)
    if kind == PLAN:
        members = OF_PLANS.format(members=members)
    if template == CULPRITS:
        wanted = " OR ".join(
            dict.fromkeys((f"({_is_chosen(0, asked[0], policy.confidence, new=False)})", f"({chosen[0]})"))
        )
    else:
        wanted = ", ".join(f"{each} AS chosen_{place}" for place, each in enumerate(chosen))
    summed = ", ".join(SUMS.format(place=place) for place in range(len(asked)))
    known = IS_KNOWN if new else "false"
    return template.format(sums=summed, chosen=wanted, known=known, members=members, dimension=dimension), parameters


def _read(expression: str, prefix: str) -> str:
    """Over the columns of the counts, or those of `HOURS`."""
    found = expression.replace("{n}", prefix)
    return found.replace("value IN {fbl:Array(String)}", "looped") if prefix else found


def _is_chosen(place: int, asked: Asked, confidence: float, *, new: bool) -> str:
    """Who counts: small ones, or new ones that do not reach the mildest level by themselves."""
    small = f"whole_{place} < {{least_{place}:UInt32}}"
    if not new:
        return small
    bar = bar_of(asked.window, confidence)
    reached = reach_sql(f"whole_top_{place}", f"whole_{place}", asked.rule.thresholds[0], bar)
    # Not a chain of AND: of each comparison in one the engine works out what follows for the others, which took much of
    # the time of the whole query (ClickHouse 26.9, `optimize_and_compare_chain`).
    too_large = f"whole_{place} >= {TIMES_LEAST} * {{least_{place}:UInt32}}"
    return f"multiIf(is_known OR {too_large}, false, {small}, true, NOT {reached})"


def _measured(metric: Metric, expired_is_failure: bool, *, by_provider: bool) -> tuple[str, str, str, str]:
    """Numerator and denominator of what is shared, and a customer's own: the latter tells whether it is small.

    Only outcomes count of which it is known when their mail was sent: a pool has no longer window to spread others
    over.
    """
    match metric:
        case "complaint":
            complained, delivered = (f"if(value IN {{fbl:Array(String)}}, {name}, 0)" for name in LOOPED)
            shared = (complained, delivered) if by_provider else (DATED_COMPLAINTS, "{n}delivered")
            return (*shared, complained, delivered)
        case "failure":
            hard, expired = "{n}hard - {n}undated_hard", " + {n}expired - {n}undated_expired"
            failed = hard + expired if expired_is_failure else hard
            return failed, FINISHED_MAIL, failed, FINISHED_MAIL
        case _:
            blocked = "{n}block - {n}undated_block"
            return blocked, FINISHED_MAIL, blocked, FINISHED_MAIL
