"""What another policy would have done with the stored history. Reads only."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from schemas.levels import Level
from schemas.policy import Policy
from schemas.scope import PLAN
from schemas.times import DAY_S, HOUR_S
from streams.decisions.holds import hold_decisions
from streams.decisions.stored_overrides import HOLD_CONFIRMED, HOLD_RELEASED
from streams.io.store import Store
from streams.subjects.arrays import StreamKey
from streams.what_if.backtest import transitions
from streams.what_if.brake import HeldThen, held_then, new_rises
from streams.what_if.compare import Difference, LevelSpan, differences, spans
from streams.what_if.history import Extent, Hourly
from streams.what_if.pools import PoolReplay


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One policy: how many subjects were flagged at some time, and how many at the end; and whom its brake would have
    held."""

    policy_version: str
    flagged: int
    flagged_at_end: int
    held: tuple[HeldThen, ...] = ()


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Both policies over the same hours, and whom they treat differently.

    Judged is at each full hour from `from_ms` to `to_ms` (epoch ms, UTC). Flagged is who stands at `level` or worse.
    What small customers have together is among the differences, without a customer. `not_replayed` says what of the
    past is not known, so that what is known now stands for it. Of so many held customers operators decided in this time
    that they are `confirmed`, or `released`.
    """

    from_ms: int
    to_ms: int
    step_s: int
    level: Level
    customers: int
    subjects: int
    tried: Side
    in_force: Side
    differences: list[Difference]
    not_replayed: tuple[str, ...] = ()
    confirmed: int = 0
    released: int = 0


#: Customers with mail between two times (epoch s).
ACTIVE = """
SELECT uniqExact(customer) FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
    AND toStartOfHour(bucket) < toDateTime({until:UInt32})
"""


def try_policy(
    store: Store,
    tried: Policy,
    in_force: Policy,
    feedback_loop: Sequence[str],
    since_ms: int,
    now_ms: int,
    level: Level = "watch",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Trial:
    """Replay both policies over what is stored.

    Both start without open alerts, so what was bad at the beginning opens there. The customers of a portion are held at
    once, of the others only what was flagged. `progress` is told how many customers of how many are done; what it
    raises ends the trial.

    Raises:
        StoreError: the store failed.
    """
    extent = Extent.of((tried, in_force), since_ms, now_ms)
    hourly = Hourly(store, extent, feedback_loop, policies=(tried, in_force))
    customers = hourly.customers()
    found: tuple[dict[StreamKey, tuple[LevelSpan, ...]], dict[StreamKey, tuple[LevelSpan, ...]]] = ({}, {})
    rises: tuple[dict[int, set[str]], dict[int, set[str]]] = ({}, {})
    subjects = done = 0
    progress(0, len(customers))
    for history in hourly.portions(customers):
        subjects += len(history.customers)
        for into, risen, said in zip(found, rises, transitions(history, (tried, in_force)), strict=True):
            into.update(spans(said, level))
            for time_ms, some in new_rises(said).items():
                risen.setdefault(time_ms, set()).update(some)
        done += len(set(history.customers))
        progress(done, len(customers))
    replay = PoolReplay(store, extent, (tried, in_force), feedback_loop)
    for into, said in zip(found, replay.transitions(), strict=True):
        into.update(spans(said, level))
    from_ms = (extent.start_s + extent.first * HOUR_S) * 1000
    decided = hold_decisions(store, from_ms, extent.end_s * 1000)

    def active(time_ms: int) -> int:
        asked = {"since": max(0, time_ms // 1000 - DAY_S), "until": time_ms // 1000}
        return next(int(count) for (count,) in store.rows(ACTIVE, asked))

    return Trial(
        from_ms=from_ms,
        to_ms=extent.end_s * 1000,
        step_s=HOUR_S,
        level=level,
        customers=len(customers),
        subjects=subjects,
        tried=_side(tried, found[0], held_then(rises[0], tried.braking, active, from_ms)),
        in_force=_side(in_force, found[1], held_then(rises[1], in_force.braking, active, from_ms)),
        differences=differences(*found),
        not_replayed=tuple(_not_known((tried, in_force))),
        confirmed=decided.count(HOLD_CONFIRMED),
        released=decided.count(HOLD_RELEASED),
    )


def _not_known(policies: Sequence[Policy]) -> Iterator[str]:
    rules = dict.fromkeys(
        rule.name for policy in policies for rule in policy.rules if rule.metric == "attributed_listing"
    )
    for name in rules:
        yield f"rule {name}: listings are attributed by the causes that are stored now"
    if any(PLAN in policy.scopes for policy in policies):
        yield "the customers of a plan are those of today"


def _side(policy: Policy, found: dict[StreamKey, tuple[LevelSpan, ...]], held: tuple[HeldThen, ...]) -> Side:
    return Side(
        policy_version=policy.version,
        flagged=len(found),
        flagged_at_end=sum(any(span.to_ms is None for span in each) for each in found.values()),
        held=held,
    )
