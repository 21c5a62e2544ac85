"""How many times its usual the whole fleet sends at a time: what everybody does is no spike of anybody. Pure.

On Black Friday everybody sends four times as much for four days. So what is usual for a customer is scaled by what the
fleet does: of all customers who send in an hour the median of

    sent / the median of what the customer sent at this time of day, on those of the 37 days before on which it sent

Only days with mail are compared, so it does not matter that a newsletter goes out on Thursdays alone. A customer
counts who sent at this time on `LEAST_TIMES` days, usually `LEAST_MAIL` recipients or more. The median of customers,
not of mail: a few giants, or one that was stolen, move it little. With fewer than `LEAST_CUSTOMERS` nothing is known;
then a longer time is looked at, up to two days. It is never below 1: that others are quiet accuses nobody.

The days before are measured by the same, hour by hour, so that the second day of such a sale is not measured by the
first, and a spike in the week after it is still seen.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.judge.spikes import DAY_H, DAYS, HOURS
from streams.subjects.arrays import Counts

LEAST_CUSTOMERS = 5
LEAST_TIMES = 3
LEAST_MAIL = 20
#: Where too few send within the hour, the shortest of these (full hours) in which enough do.
LONGER_H = (3, 6, 12, 24, 48)

Ratios = NDArray[np.float64]


class FleetVolume(NamedTuple):
    """How many times its usual the fleet sends `now`, and sent in each of the `HOURS` that a baseline is made of."""

    now: float
    before: Ratios


#: Of a fleet of which too little is known.
AS_USUAL = FleetVolume(1.0, np.ones(HOURS))


def fleet_volume(minutes: Counts, hours: Counts) -> FleetVolume:
    """What the fleet does now, and did.

    `minutes` has a row a customer, and in it what it sent in the last 60 minutes, then at the same time of each of
    the `DAYS` before. `hours` has the same rows: the `FIRST_H` full clock hours before the running one, oldest first.
    """
    return FleetVolume(_now(minutes, hours), _before(hours))


def _now(minutes: Counts, hours: Counts) -> float:
    found = _times(minutes[:, :1], minutes[:, 1:])[0]
    for length in LONGER_H:
        if not np.isnan(found):
            break
        sums = _sums(hours, length)
        found = _times(sums[:, -1:], sums[:, -1 - DAY_H :: -DAY_H][:, :DAYS])[0]
    return 1.0 if np.isnan(found) else max(1.0, float(found))


def _before(hours: Counts) -> Ratios:
    """Of each hour by itself, and where too few send in it, of the hours that end with it."""
    found = np.full(HOURS, np.nan)
    for length in (1, *LONGER_H):
        sums = _sums(hours, length)[:, :HOURS]
        for first in range(DAY_H):
            same = np.arange(first, HOURS, DAY_H)
            if np.isnan(found[same]).any():
                values = sums[:, same]
                found[same] = np.where(np.isnan(found[same]), _times(values, values), found[same])
    known: Ratios = np.maximum(np.nan_to_num(found, nan=1.0), 1.0)
    return known


def _times(volumes: Counts, others: Counts) -> Ratios:
    """For each column of `volumes` the median over customers of how many times their usual they sent; nan where too few
    did."""
    sent = np.where(others > 0, others, np.nan)
    enough = (np.isfinite(sent).sum(axis=1) >= LEAST_TIMES) & (others.max(axis=1, initial=0) >= LEAST_MAIL)
    found = np.full(volumes.shape[1], np.nan)
    if not enough.any():
        return found
    usual = np.nanmedian(sent[enough], axis=1)
    known = usual >= LEAST_MAIL
    times = np.where(volumes[enough][known] > 0, volumes[enough][known] / usual[known, None], np.nan)
    columns = np.isfinite(times).sum(axis=0) >= LEAST_CUSTOMERS
    if columns.any():
        found[columns] = np.nanmedian(times[:, columns], axis=0)
    return found


def _sums(hours: Counts, length: int) -> Counts:
    """The sums of so many hours, by the last of them."""
    total = np.cumsum(np.pad(np.maximum(hours, 0), ((0, 0), (1, 0))), axis=1)
    found: Counts = total[:, 1:].copy()
    found[:, length:] -= total[:, 1:-length]
    return found
