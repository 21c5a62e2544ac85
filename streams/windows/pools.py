"""Customers too small to be judged, together with those who share their IP pool, From domain or plan: snowshoe
spreads its mail over many of them.

In each window only those customers count who, over all of their mail, have less than the rule's minimum volume there,
so nobody is judged twice. Those of them that have no good history are judged together once more, and up to ten times
the minimum volume: else good ones who share the pool would hide them. One customer alone is not judged in this
disguise: two are the least, and a level opens only if it does so without the one with most of the numerator.

Who shares a pool or a From domain is in a dimension of the counts, plans are in the list of customers. Complaints are
not counted by pool and provider, so of a pool or domain they are divided by all deliveries: lower than the true rate,
since many providers run no feedback loop.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.alert import Evidence, Share
from schemas.counts import SubjectCounts, WindowCounts
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import OF_POOLS, Metric, window_ms
from schemas.policy_rule import Rule
from schemas.scope import PLAN, POOL
from schemas.times import DAY_MS
from streams.io.store import Store
from streams.judge.certainty import bar_of, reaches
from streams.judge.verdict import RANK, Judgement, Verdict, judge
from streams.listings.exposure import EXPOSING
from streams.listings.left_out import unjudged
from streams.listings.pools import all_shared_listings, listing_evidence, pool_windows
from streams.subjects.arrays import is_long
from streams.subjects.fresh_starts import Since
from streams.subjects.stored_fresh_starts import read_since
from streams.windows.pool_queries import CULPRITS, DIMENSIONS, ONLY_ITS, ONLY_OF_PLAN, POOLS, Asked, question

#: Alerts on a pool are on no customer.
NOBODY = ""
#: What a pool is judged by. The others need what is not counted by pool, or a customer's own history.
POOLED: frozenset[Metric] = frozenset({"complaint", "failure", "block"})
LEAST_MEMBERS = 2
#: Small customers that evidence names.
TOP = 10


class Pooled(NamedTuple):
    """What small customers that share something have together, by rule: each has its own minimum volume; `new` is of
    those without a good history. `lone` are the rules and windows in which it is all of one of them."""

    scope: str
    by_rule: Mapping[str, SubjectCounts]
    new: Mapping[str, SubjectCounts] = {}
    lone: frozenset[tuple[str, str]] = frozenset()


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
        self._everything = False
        self._kept: list[_Part] = []
        self._new: list[_Part] = []
        self._read_ms = 0

    def read(self, now_ms: int, *, everything: bool = False) -> list[Pooled]:
        """Those with enough small customers in any window, by name. With `everything` it is known that no mail is left
        out.

        Raises:
            StoreError: the store failed.
        """
        self._everything = everything
        self._since = read_since(self._store, now_ms)
        every = [Asked(rule, window, least) for rule in pooled_rules(self._policy) for window, least in rule.checks]
        long = [each for each in every if is_long(window_ms(each.window))]
        # Read in the future means that the clock was set back since.
        if not self._read_ms <= now_ms < self._read_ms + self._keep_ms:
            # Both are read by the hour, so one question asks for both: to understand it takes longer than to answer.
            of_new = [each._replace(new=True) for each in every if window_ms(each.window) >= DAY_MS]
            read = self._parts([*long, *of_new], now_ms)
            self._kept, self._new = [each for each in read if not each.new], [each for each in read if each.new]
            self._read_ms = now_ms
        parts = self._parts([each for each in every if each not in long], now_ms) + self._kept
        found, new = _by_scope(parts), _by_scope(each for each in self._new if not each.lone)
        if self._kind == POOL:
            self._add_listings(found, now_ms)
        return [
            Pooled(
                scope,
                _subjects(scope, found.get(scope, {})),
                _subjects(scope, new.get(scope, {})),
                frozenset((each.rule, each.window) for each in parts if each.scope == scope and each.lone),
            )
            for scope in sorted(found.keys() | new.keys())
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
        sql, parameters = question(
            POOLS,
            asked,
            self._policy,
            self._fbl,
            now_ms,
            self._kind,
            self._since,
            everything=self._everything,
        )
        found = []
        for name, place, top, bottom, members, worst in self._store.rows(sql, parameters):
            if members >= LEAST_MEMBERS:
                each = asked[place]
                counts = _counts(each.rule.metric, top, bottom)
                alone = self._reaches(each, top - worst[0], bottom - worst[1])
                lone = self._reaches(each, top, bottom) and not alone
                found.append(_Part(f"{self._kind}:{name}", each.rule.name, each.window, counts, lone, each.new))
        return found

    def _reaches(self, asked: Asked, top: int, bottom: int) -> bool:
        return reaches(top, bottom, asked.rule.thresholds[0], bar_of(asked.window, self._policy.confidence))


class _Part(NamedTuple):
    """What the small customers of a pool, or its `new` ones, have in one window of one rule; `lone`: but for one of
    them it would be good."""

    scope: str
    rule: str
    window: str
    counts: WindowCounts
    lone: bool
    new: bool


def _by_scope(parts: Iterable[_Part]) -> dict[str, dict[str, dict[str, WindowCounts]]]:
    """By scope, rule and window."""
    found: dict[str, dict[str, dict[str, WindowCounts]]] = {}
    for each in parts:
        found.setdefault(each.scope, {}).setdefault(each.rule, {})[each.window] = each.counts
    return found


def _subjects(scope: str, by_rule: Mapping[str, Mapping[str, WindowCounts]]) -> dict[str, SubjectCounts]:
    return {
        rule: SubjectCounts(customer=NOBODY, scope=scope, windows=dict(windows))
        for rule, windows in sorted(by_rule.items())
    }


def judge_pool(pool: Pooled, policy: Policy, now_ms: int) -> Judgement:
    """What the rules that pools are judged by say of one, or of a From domain or plan.

    A window without enough small customers has too little mail. Of a pool, listings and the mail that was exposed are
    everybody's, not of small customers alone.
    """
    verdicts: list[Verdict] = []
    for rule in pooled_rules(policy, pool.scope.partition(":")[0]):
        alone = msgspec.structs.replace(policy, rules=(rule,), overrides=())
        verdicts.append(
            max(
                (
                    verdict
                    for each in (_by_several(pool, rule), pool.new.get(rule.name))
                    if each is not None
                    for verdict in judge(each, alone, now_ms).verdicts
                ),
                key=lambda verdict: (RANK[verdict.level], RANK[verdict.holding_level]),
            )
        )
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


def _by_several(pool: Pooled, rule: Rule) -> SubjectCounts:
    """What a rule judges of small customers: windows that are all of one of them are left out."""
    counts = pool.by_rule.get(rule.name, SubjectCounts(customer=NOBODY, scope=pool.scope, windows={}))
    windows = {name: each for name, each in counts.windows.items() if (rule.name, name) not in pool.lone}
    return msgspec.structs.replace(counts, windows=windows)


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
        chosen = EXPOSING if rule.metric == "exposure" else rule.counted_weights
        if rule.metric == "critical_listing":
            chosen = ("critical",)
        every = all_shared_listings(store, now_ms - window_ms(window), now_ms, name)
        listings = [each for each in every if each.weight in chosen]
        counted = [listing_evidence(each) for each in listings if not each.incident]
        return Evidence(listings=tuple(counted[:TOP]), left_out=unjudged(listings))
    asked = [Asked(rule, window, dict(rule.checks)[window], new=window_ms(window) >= DAY_MS)]
    only = ONLY_OF_PLAN if kind == PLAN else ONLY_ITS.format(dimension=DIMENSIONS[kind])
    since = read_since(store, now_ms)
    sql, parameters = question(CULPRITS, asked, policy, feedback_loop, now_ms, kind, since, only)
    rows = store.rows(sql, {**parameters, "shared": name, "most": TOP})
    return Evidence(
        customers=tuple(
            Share(name=str(customer), count=int(top), volume=max(0, int(bottom))) for customer, top, bottom in rows
        )
    )


def _counts(metric: Metric, top: int, bottom: int) -> WindowCounts:
    """Such counts as `judge.measured` makes of them again."""
    match metric:
        case "complaint":
            return WindowCounts(fbl_complained=top, fbl_delivered=bottom)
        case "failure":
            return WindowCounts(hard=top, delivered=bottom - top)
        case _:
            return WindowCounts(block=top, delivered=bottom - top)
