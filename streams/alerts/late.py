"""Whether counts that came late open alerts again: they belong to a time before the resolution."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.counts import WindowCounts
from schemas.listing import KINDS, WEIGHTS
from schemas.policy import Policy
from schemas.policy_metric import RATES, USE, window_ms
from schemas.policy_rule import Rule
from schemas.times import MINUTE_S
from streams.alerts.lifecycle import AlertState, SubjectRule
from streams.alerts.outcome import LATE_MS
from streams.io.store import Store
from streams.judge.one_window import opened
from streams.judge.verdict import Verdict, measured
from streams.listings.causes import runs
from streams.listings.exposure import SENT_MAIL, THROUGH_LISTED, exposing, listed_parameters
from streams.listings.left_out import read_judged
from streams.subjects import fresh_starts, undated
from streams.subjects.fresh_starts import NOT_BEFORE, Since
from streams.subjects.left_out import NOT_LEFT_OUT
from streams.subjects.scopes import SCOPES
from streams.subjects.total_queries import READ
from streams.subjects.totals import begin

#: What each of the alerts asked about had in the time before its resolution.
BEFORE = """
SELECT place,
    {sums}
FROM counts
INNER JOIN
(
    SELECT each.1 AS customer, each.2 AS scope, each.3 AS since, each.4 AS until, each.5 AS place
    FROM (SELECT arrayJoin(arrayZip({{customers:Array(String)}}, {{scopes:Array(String)}},
        {{since:Array(UInt32)}}, {{until:Array(UInt32)}}, arrayEnumerate({{customers:Array(String)}}))) AS each)
) AS asked USING customer
WHERE dimension = '{dimension}' AND customer IN {{customers:Array(String)}}
    AND bucket >= toDateTime({{first:UInt32}}) AND bucket >= toDateTime(since) AND bucket < toDateTime(until)
    AND has({scopes}, scope) {mail_to} {judged} {not_before}
GROUP BY place
"""
_EXPOSED = f"sumIf({SENT_MAIL}, {THROUGH_LISTED})"
#: By field of `WindowCounts`.
EXPOSURE = {"sent": f"sum({SENT_MAIL})", "exposed": _EXPOSED}
COUNTED = {
    name: f"sumIf({name.removeprefix('fbl_')}, value IN {{fbl:Array(String)}})"
    if name.startswith("fbl_")
    else f"sum({name})"
    for name in READ
}


class LateReopen(NamedTuple):
    """A resolved alert and the verdict that opens it again."""

    state: AlertState
    verdict: Verdict
    rule: Rule

    @property
    def key(self) -> SubjectRule:
        """Whose it is."""
        return self.state.customer, self.state.scope, self.state.rule

    @property
    def until_ms(self) -> int:
        """Counts of before this moment (epoch ms) that were not there then came late: those of the quarter of an hour
        before the resolution may have come in time."""
        return self.state.changed_ms - LATE_MS


def may_be_late(each: LateReopen, now_ms: int) -> bool:
    """Whether it is worth asking: the verdict opens a resolved alert whose cool-down is over, in a window that begins
    before the resolution."""
    state, verdict, rule = each
    if state.is_open or state.closed_for_good or state.episode == 0 or verdict.level == "good":
        return False
    if state.basis is None or verdict.window not in state.basis.counts:
        return False
    ago = now_ms - state.changed_ms
    return rule.metric in RATES - USE and rule.cool_down_ms <= ago < window_ms(verdict.window) - LATE_MS


def reopened_late(
    store: Store,
    some: Iterable[LateReopen],
    policy: Policy,
    feedback_loop: Sequence[str],
    now_ms: int,
    since: Since,
) -> Iterator[SubjectRule]:
    """Those whose verdict would be good without what came for the time before the resolution, after it.

    That is what is counted now for the part of the window that lies before the resolution, less all that was counted
    then (`state.basis`). Of late outcomes only those count whose mail is known to be of that time, and of customers
    with a fresh start (`since`) only mail since. However many there are, a few queries tell.

    Raises:
        StoreError: the store failed.
    """
    alike: dict[tuple[bool, tuple[str, ...]], list[LateReopen]] = defaultdict(list)
    for each in some:
        if may_be_late(each, now_ms):
            alike[each.rule.metric == "exposure", each.rule.mail_to].append(each)
    for (exposure, mail_to), several in alike.items():
        bound = _listed(store, several, now_ms) if exposure else {"fbl": list(feedback_loop)}
        if mail_to:
            bound["mail_to"] = list(mail_to)
        anew = fresh_starts.among(since, [each.state.customer for each in several]) if since else {}
        if anew:
            bound |= fresh_starts.parameters(anew)
        fields, dimension = (EXPOSURE, "ip") if exposure else (COUNTED, "provider")
        sql = BEFORE.format(
            sums=",\n    ".join(f"toInt64({expression}) AS n_{name}" for name, expression in fields.items()),
            dimension=dimension,
            scopes=SCOPES,
            mail_to="AND value IN {mail_to:Array(String)}" if mail_to else "",
            judged="" if exposure else f"AND {NOT_LEFT_OUT}",
            not_before=NOT_BEFORE if anew else "",
        )
        for part in runs(store, several):
            for place, *numbers in store.rows(sql, bound | _asked(part, now_ms)):
                found = part[int(place) - 1]
                counts = undated.without(WindowCounts(**dict(zip(fields, map(int, numbers), strict=True))))
                if _late(found, counts, policy):
                    yield found.key


def _asked(part: Sequence[LateReopen], now_ms: int) -> dict[str, Any]:
    since = [begin(window_ms(each.verdict.window), now_ms) for each in part]
    return {
        "customers": [each.state.customer for each in part],
        "scopes": [each.state.scope for each in part],
        "since": since,
        "until": [(each.until_ms // 1000 // MINUTE_S + 1) * MINUTE_S for each in part],
        "first": min(since),
    }


def _listed(store: Store, some: Sequence[LateReopen], now_ms: int) -> dict[str, Any]:
    longest = max(window_ms(each.verdict.window) for each in some)
    listed = exposing(read_judged(store, now_ms - longest, WEIGHTS, KINDS))
    return listed_parameters(listed)


def _late(each: LateReopen, counts: WindowCounts, policy: Policy) -> bool:
    state, verdict, rule = each
    then: Mapping[str, tuple[int, int]] = {} if state.basis is None else state.basis.counts
    now = measured(rule.metric, counts, policy.expired_is_failure)
    late, late_of = (max(0, after - before) for after, before in zip(now, then[verdict.window], strict=True))
    if not late:
        return False
    without = verdict.numerator - late, max(0, verdict.denominator - late_of)
    _, _, _, level = opened(rule, verdict.window, *without, policy.confidence)
    return level in ("good", "insufficient_volume")
