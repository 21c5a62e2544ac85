"""What a hook has done and owes, as people and `repmon status` are shown it."""

import msgspec

from jobs.hooks.measure import HookSeen, Measure, Mode, cycle_id
from jobs.hooks.outbox import LEASE, measures
from schemas.times import DAY_MS, SECOND_MS
from streams.decisions.hook import approved_by, read_breaker
from streams.io.store import Store


class ShownMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """One measure with the id of its cycle, and who approved it so far."""

    id: str
    approved_by: tuple[str, ...]
    measure: Measure


def shown_measures(store: Store, mode: Mode, deployment: str, *, over: bool = False) -> list[ShownMeasure]:
    """What is in force, waits or fails, and with `over` what was; by customer.

    Raises:
        StoreError: the store failed.
    """
    found = []
    for each in sorted(measures(store, mode, over=over), key=lambda one: one.key):
        cycle = cycle_id(deployment, each)
        people = approved_by(store, cycle) if each.waits == "approval" else []
        found.append(ShownMeasure(id=cycle, approved_by=tuple(people), measure=each))
    return found


def read_hook(store: Store, failing_after_s: float, now_ms: int) -> HookSeen | None:
    """How the hook that acts is; None where none did of late.

    Raises:
        StoreError: the store failed.
    """
    leases = store.rows(LEASE, {"mode": "act"})
    if not leases:
        return None
    owed = measures(store, "act")
    if not owed and int(leases[0][2]) < now_ms - DAY_MS:
        return None  # it was tried once
    breaker = read_breaker(store, "act")
    long_ms = now_ms - round(failing_after_s * SECOND_MS)
    failing = {each.action: each.said for each in owed if 0 < each.failing_ms <= long_ms}
    return HookSeen(
        acting_ms=int(leases[0][2]),
        in_force=len({each.customer for each in owed if each.state == "applied" and each.effect != "notify"}),
        approvals=len({each.customer for each in owed if each.waits == "approval"}),
        waiting=len({each.customer for each in owed if each.state == "waiting" and each.waits not in ("", "actions")}),
        failing=tuple(f"{name}: {said}" for name, said in sorted(failing.items())),
        breaker=breaker.why if breaker.is_open else "",
        breaker_ms=breaker.since_ms if breaker.is_open else 0,
    )
