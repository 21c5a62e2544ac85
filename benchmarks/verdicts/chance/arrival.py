"""How counts reach the store: at once, or held up: everything, or deliveries alone."""

from dataclasses import dataclass

import numpy as np

from benchmarks.verdicts.chance.outcomes import AT, Rows
from benchmarks.verdicts.fleet import HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """For some hours from a trial's beginning on nothing is stored (or no deliveries, where `deliveries`); what comes
    meanwhile is caught up within `catch_up_min`, customer by customer."""

    what: str = ""
    hours: float = 0.0
    deliveries: bool = False
    catch_up_min: float = 20.0


def held_up(rows: Rows, looks: set[int], begin: int, arrival: Arrival) -> tuple[Rows, set[int]]:
    """The rows as they arrive, by when, and when it is looked: while nothing can be stored nobody changes."""
    if not arrival.hours:
        return rows, looks
    until = begin + round(arrival.hours * HOUR)
    late = rows.measure == AT["delivered"] if arrival.deliveries else np.ones(len(rows.n), np.bool_)
    meanwhile = (rows.known >= begin) & (rows.known < until) & late
    # Partitions are read one after another: all of a customer's comes together.
    turn = (rows.customer * 2_654_435_761 % 2**32) / 2**32 * arrival.catch_up_min * 60
    known = np.where(meanwhile, until + turn.astype(np.int64), rows.known)
    moved = Rows(known, rows.sent, rows.customer, rows.stream, rows.provider, rows.measure, rows.n)
    if not arrival.deliveries:
        looks = {at for at in looks if not begin < at < until}
    steps = range(0, round(arrival.catch_up_min * 60) + 300, 150)
    return moved, looks | {until + after for after in steps}


def behind(begin: int, arrival: Arrival) -> tuple[int, int]:
    """From and to (s) when deliveries are counted late while bounces are not: their topic is behind."""
    if not arrival.deliveries:
        return 0, 0
    return begin, begin + round(arrival.hours * HOUR + arrival.catch_up_min * 60)
