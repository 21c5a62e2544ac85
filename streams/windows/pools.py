"""Customers too small to be judged, together with those who share their IP pool, From domain or plan: snowshoe
spreads its mail over many of them.

In each window only those customers count who, over all of their mail, have less than the rule's minimum volume there,
so nobody is judged twice. One such customer alone is not judged in this disguise; two are the least.

Who shares a pool or a From domain is in a dimension of the counts, plans are in the list of customers. Complaints are
not counted by pool and provider, so of a pool or domain they are divided by all deliveries: lower than the true rate,
since many providers run no feedback loop.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.alert import Evidence, Share
from schemas.counts import FINISHED, SubjectCounts, WindowCounts, finished_sql
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import OF_POOLS, Metric, window_ms
from schemas.policy_rule import Rule
from schemas.scope import FROM, PLAN, POOL
from streams.io.store import Store
from streams.judge.verdict import RANK, Judgement, Verdict, judge
from streams.listings.exposure import EXPOSING
from streams.listings.pools import listing_evidence, pool_windows, shared_listings
from streams.subjects import fresh_starts
from streams.subjects.arrays import is_long
from streams.subjects.fresh_starts import NOT_BEFORE, Since
from streams.subjects.left_out import HOUR_NOT_LEFT_OUT, NOT_LEFT_OUT
from streams.subjects.stored_fresh_starts import read_since
from streams.subjects.totals import begin

#: Alerts on a pool are on no customer.
NOBODY = ""
#: What a pool is judged by. The others need what is not counted by pool, or a customer's own history.
POOLED: frozenset[Metric] = frozenset({"complaint", "failure", "block"})
#: The dimension of the counts with the mail of a thing of this kind; a plan's is all mail of its customers.
DIMENSIONS: Mapping[str, str] = {POOL: "pool", FROM: "from", PLAN: "provider"}
LEAST_MEMBERS = 2
#: Small customers that evidence names.
TOP = 10

#: Of each customer and shared thing, and of each customer altogether (where the dimension is `provider`).
SHORT_PARTS = """
    SELECT customer, dimension AS kind, if(dimension = 'provider', '', value) AS shared,
        {sums}
    FROM counts
    WHERE dimension IN ('provider', '{dimension}') AND bucket >= toDateTime({{since_0:UInt32}}) {judged} {only}
    GROUP BY customer, kind, shared
"""
#: The inner query has the shape of the hourly projection.
LONG_PARTS = """
    SELECT customer, kind, if(kind = 'provider', '', value) AS shared,
        {sums}
    FROM ({hours})
    GROUP BY customer, kind, shared
"""
HOURS = """
        SELECT customer, dimension AS kind, value, toStartOfHour(bucket) AS hour, {measures}
        FROM counts
        WHERE dimension IN ('provider', '{dimension}')
            AND toStartOfHour(bucket) >= toDateTime({{since_0:UInt32}}) {judged} {only}
        GROUP BY customer, kind, value, hour
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
POOLS = """
SELECT shared, {chosen}
FROM ({members})
WHERE kind = '{dimension}' AND shared != ''
GROUP BY shared
ORDER BY shared
"""
CULPRITS = """
SELECT customer, top_0, bottom_0
FROM ({members})
WHERE kind = '{dimension}' AND shared = {{shared:String}} AND whole_0 < {{least_0:UInt32}} AND top_0 > 0
ORDER BY top_0 DESC, bottom_0, customer
LIMIT {{most:UInt8}}
"""

#: What counts of a complaint rate only at providers with a feedback loop.
DATED_COMPLAINTS = "{n}complained - {n}undated_complained"
LOOPED = (DATED_COMPLAINTS, "{n}delivered")
#: The measures that pools are judged by.
MEASURES = (*FINISHED, "complained", "undated_hard", "undated_block", "undated_complained")
FINISHED_MAIL = finished_sql("{{n}}{}")


class Asked(NamedTuple):
    """One window of one rule."""

    rule: Rule
    window: str
    least: int


class Pooled(NamedTuple):
    """What small customers that share something have together, by rule: each has its own minimum volume."""

    scope: str
    by_rule: Mapping[str, SubjectCounts]


def pooled_rules(policy: Policy, kind: str = "") -> list[Rule]:
    """The rules that what is shared is judged by: of a pool it is not known which providers its mail went to. Pools
    (`kind` is that of `schemas.scope.SHARED`) are also judged by rules about listings."""
    metrics = POOLED | OF_POOLS if kind == POOL else POOLED
    return [rule for rule in policy.rules if rule.metric in metrics and not rule.mail_to]


class Pools:
    """Reads all pools, or all From domains or plans. What they have over more than a day is read at most every
    `keep_ms`.

    For that a month of all customers is summed up, and small customers are small. One thread at a time.
    """

    def __init__(
        self, store: Store, policy: Policy, feedback_loop: Sequence[str], keep_ms: int = 0, kind: str = POOL
    ) -> None:
        """`kind` is one of `schemas.scope.SHARED`."""
        self._store = store
        self._policy = policy
        self._fbl = feedback_loop
        self._keep_ms = keep_ms
        self._kind = kind
        self._since: Since = {}
        self._kept: list[_Part] = []
        self._read_ms = 0

    def read(self, now_ms: int) -> list[Pooled]:
        """Those with enough small customers in any window, by name.

        Raises:
            StoreError: the store failed.
        """
        self._since = read_since(self._store, now_ms)
        every = [Asked(rule, window, least) for rule in pooled_rules(self._policy) for window, least in rule.checks]
        long = [each for each in every if is_long(window_ms(each.window))]
        # Read in the future means that the clock was set back since.
        if not self._read_ms <= now_ms < self._read_ms + self._keep_ms:
            self._kept, self._read_ms = self._parts(long, now_ms), now_ms
        parts = self._parts([each for each in every if each not in long], now_ms) + self._kept
        found: dict[str, dict[str, dict[str, WindowCounts]]] = {}
        for each in parts:
            found.setdefault(each.scope, {}).setdefault(each.rule, {})[each.window] = each.counts
        if self._kind == POOL:
            self._add_listings(found, now_ms)
        return [
            Pooled(
                scope,
                {
                    rule: SubjectCounts(customer=NOBODY, scope=scope, windows=windows)
                    for rule, windows in sorted(by_rule.items())
                },
            )
            for scope, by_rule in sorted(found.items())
        ]

    def forget(self) -> None:
        """Read everything again from now on."""
        self._read_ms = 0

    def _add_listings(self, found: dict[str, dict[str, dict[str, WindowCounts]]], now_ms: int) -> None:
        rules = [rule for rule in pooled_rules(self._policy, POOL) if rule.metric in OF_POOLS]
        windows = {name: window_ms(name) for rule in rules for name in rule.windows}
        exposure = {name for rule in rules if rule.metric == "exposure" for name in rule.windows}
        for pool, counts in pool_windows(self._store, windows, sorted(exposure), now_ms).items():
            of_pool = found.setdefault(f"{POOL}:{pool}", {})
            for rule in rules:
                of_pool[rule.name] = {name: counts[name] for name in rule.windows}

    def _parts(self, asked: Sequence[Asked], now_ms: int) -> list["_Part"]:
        if not asked:
            return []
        sql, parameters = _question(POOLS, asked, self._policy, self._fbl, now_ms, self._kind, self._since)
        found = []
        for name, *numbers in self._store.rows(sql, parameters):
            for place, each in enumerate(asked):
                top, bottom, members = map(int, numbers[3 * place : 3 * place + 3])
                if members >= LEAST_MEMBERS:
                    counts = _counts(each.rule.metric, top, bottom)
                    found.append(_Part(f"{self._kind}:{name}", each.rule.name, each.window, counts))
        return found


class _Part(NamedTuple):
    """What the small customers of a pool have in one window of one rule."""

    scope: str
    rule: str
    window: str
    counts: WindowCounts


def judge_pool(pool: Pooled, policy: Policy, now_ms: int) -> Judgement:
    """What the rules that pools are judged by say of one, or of a From domain or plan.

    A window without enough small customers has too little mail. Of a pool, listings and the mail that was exposed are
    everybody's, not of small customers alone.
    """
    nothing = SubjectCounts(customer=NOBODY, scope=pool.scope, windows={})
    verdicts: list[Verdict] = []
    for rule in pooled_rules(policy, pool.scope.partition(":")[0]):
        alone = msgspec.structs.replace(policy, rules=(rule,), overrides=())
        verdicts += judge(pool.by_rule.get(rule.name, nothing), alone, now_ms).verdicts
    worst: Level = max((each.level for each in verdicts), key=RANK.__getitem__, default="good")
    insufficient_volume = worst == "good" and all(
        each.insufficient_volume for each in verdicts if each.metric in POOLED
    )
    return Judgement(
        customer=NOBODY,
        scope=pool.scope,
        now_ms=now_ms,
        policy_version=policy.version,
        verdicts=tuple(verdicts),
        standing="insufficient_volume" if insufficient_volume else worst,
    )


def pool_evidence(
    store: Store, scope: str, rule: Rule, window: str, policy: Policy, feedback_loop: Sequence[str], now_ms: int
) -> Evidence:
    """The small customers with most of the numerator, and what each has of the denominator; of rules about listings,
    what is listed.

    Raises:
        StoreError: the store failed.
    """
    kind, _, name = scope.partition(":")
    if rule.metric in OF_POOLS:
        listings = shared_listings(store, now_ms - window_ms(window), now_ms, name).get(name, ())
        chosen = EXPOSING if rule.metric == "exposure" else rule.counted_weights
        if rule.metric == "critical_listing":
            chosen = ("critical",)
        return Evidence(listings=tuple(listing_evidence(each) for each in listings if each.weight in chosen)[:TOP])
    asked = [Asked(rule, window, dict(rule.checks)[window])]
    only = ONLY_OF_PLAN if kind == PLAN else ONLY_ITS.format(dimension=DIMENSIONS[kind])
    since = read_since(store, now_ms)
    sql, parameters = _question(CULPRITS, asked, policy, feedback_loop, now_ms, kind, since, only)
    rows = store.rows(sql, {**parameters, "shared": name, "most": TOP})
    return Evidence(
        customers=tuple(
            Share(name=str(customer), count=int(top), volume=max(0, int(bottom))) for customer, top, bottom in rows
        )
    )


def _question(
    template: str,
    asked: Sequence[Asked],
    policy: Policy,
    feedback_loop: Sequence[str],
    now_ms: int,
    kind: str,
    since: Since,
    only: str = "",
) -> tuple[str, dict[str, Any]]:
    dimension = DIMENSIONS[kind]
    windows = sorted({each.window for each in asked}, key=window_ms, reverse=True)
    long = is_long(window_ms(windows[0]))
    parts, time, prefix = (LONG_PARTS, "hour", "n_") if long else (SHORT_PARTS, "bucket", "")
    parameters: dict[str, Any] = {"fbl": list(feedback_loop)}
    since = fresh_starts.after(since, begin(window_ms(windows[0]), now_ms))
    if since:
        parameters |= fresh_starts.parameters(since)
    for place, window in enumerate(windows):
        parameters[f"since_{place}"] = begin(window_ms(window), now_ms)
    sums, wholes, chosen = [], [], []
    for place, each in enumerate(asked):
        within = f"{time} >= toDateTime({{since_{windows.index(each.window)}:UInt32}})"
        measured = _measured(each.rule.metric, policy.expired_is_failure, by_provider=kind == PLAN)
        top, bottom, whole = (expression.replace("{n}", prefix) for expression in measured)
        sums += [
            f"toInt64(sumIf({top}, {within})) AS top_{place}",
            f"toInt64(sumIf({bottom}, {within})) AS bottom_{place}",
            f"toInt64(sumIf({whole}, {within} AND kind = 'provider')) AS alone_{place}",
        ]
        wholes.append(f"sum(alone_{place}) OVER (PARTITION BY customer) AS whole_{place}")
        small = f"whole_{place} < {{least_{place}:UInt32}}"
        chosen += [
            f"sumIf(top_{place}, {small})",
            f"sumIf(bottom_{place}, {small})",
            f"countIf({small} AND bottom_{place} > 0)",
        ]
        parameters[f"least_{place}"] = each.least
    measures = ", ".join(f"sum({name}) AS n_{name}" for name in MEASURES)
    names = {"dimension": dimension, "measures": measures}
    hours = " UNION ALL ".join(
        HOURS.format(judged=JUDGED, only=f"{only} {each}", **names) for each in ((OTHERS, ANEW) if since else ("",))
    )
    only = f"{only} {NOT_BEFORE}" if since else only
    inner = parts.format(sums=",\n        ".join(sums), judged=JUDGED, only=only, hours=hours, **names)
    members = MEMBERS.format(wholes=", ".join(wholes), parts=inner)
    if kind == PLAN:
        members = OF_PLANS.format(members=members)
    return template.format(chosen=", ".join(chosen), members=members, dimension=dimension), parameters


def _measured(metric: Metric, expired_is_failure: bool, *, by_provider: bool) -> tuple[str, str, str]:
    """Numerator and denominator of what is shared, and what tells whether a customer is small: its own denominator.

    Only outcomes count of which it is known when their mail was sent: a pool has no longer window to spread others
    over.
    """
    match metric:
        case "complaint":
            complained, delivered = (f"if(value IN {{fbl:Array(String)}}, {name}, 0)" for name in LOOPED)
            return (complained, delivered, delivered) if by_provider else (DATED_COMPLAINTS, "{n}delivered", delivered)
        case "failure":
            hard, expired = "{n}hard - {n}undated_hard", " + {n}expired - {n}undated_expired"
            return hard + expired if expired_is_failure else hard, FINISHED_MAIL, FINISHED_MAIL
        case _:
            return "{n}block - {n}undated_block", FINISHED_MAIL, FINISHED_MAIL


def _counts(metric: Metric, top: int, bottom: int) -> WindowCounts:
    """Such counts as `judge.measured` makes of them again."""
    match metric:
        case "complaint":
            return WindowCounts(fbl_complained=top, fbl_delivered=bottom)
        case "failure":
            return WindowCounts(hard=top, delivered=bottom - top)
        case _:
            return WindowCounts(block=top, delivered=bottom - top)
