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
#: So many numbers are measured at once: those of few customers at all times of day together, which saves most of the
#: work, and those of many at one time after the other, which takes little memory.
AT_ONCE = 1_000_000

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
    found = _times(minutes[:, :1, None], minutes[:, 1:, None])[0, 0]
    for length in LONGER_H:
        if not np.isnan(found):
            break
        sums = _sums(hours, length)
        found = _times(sums[:, -1:, None], sums[:, -1 - DAY_H :: -DAY_H][:, :DAYS, None])[0, 0]
    return 1.0 if np.isnan(found) else max(1.0, float(found))


def _before(hours: Counts) -> Ratios:
    """Of each hour by itself, and where too few send in it, of the hours that end with it."""
    found: Ratios = np.full((-(-HOURS // DAY_H), DAY_H), np.nan)
    found.reshape(-1)[HOURS:] = 1.0  # what is left of the last day is not asked
    for length in (1, *LONGER_H):
        missing = np.flatnonzero(np.isnan(found).any(axis=0))
        if not missing.size:
            break
        sums = np.pad(_sums(hours, length)[:, :HOURS], ((0, 0), (0, found.size - HOURS)))
        by_day = sums.reshape(len(hours), *found.shape)
        at_once = max(1, AT_ONCE // max(1, by_day[:, :, 0].size))
        for some in np.split(missing, range(at_once, missing.size, at_once)):
            values = by_day[:, :, some]
            found[:, some] = np.where(np.isnan(found[:, some]), _times(values, values), found[:, some])
    known: Ratios = np.maximum(np.nan_to_num(found.ravel()[:HOURS], nan=1.0), 1.0)
    return known


def _times(volumes: Counts, others: Counts) -> Ratios:
    """For each column of `volumes` the median over customers of how many times their usual they sent; nan where too few
    did. Both have the rows of customers; the last axis is the times of day, each measured by itself."""
    enough = ((others > 0).sum(axis=1) >= LEAST_TIMES) & (others.max(axis=1, initial=0) >= LEAST_MAIL)
    some = enough.any(axis=1)
    volumes, others, enough = volumes[some], others[some], enough[some]
    usual = np.where(enough, _median(np.where(others > 0, others, np.nan), 1), np.nan)[:, None, :]
    times = np.where((volumes > 0) & (usual >= LEAST_MAIL), volumes / usual, np.nan)
    several = np.isfinite(times).sum(axis=0) >= LEAST_CUSTOMERS
    found: Ratios = np.where(several, _median(times, 0), np.nan) if several.any() else np.full(several.shape, np.nan)
    return found


def _median(values: Ratios, axis: int) -> Ratios:
    """The median of the numbers that are known along an axis.

    numpy.nanmedian (2.4) gives the same, but goes over masked arrays, which takes eight times as long.
    """
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    rising = np.sort(values, axis=axis)  # what is not known comes last
    middle = [np.take_along_axis(rising, np.maximum(at, 0), axis=axis) for at in ((count - 1) // 2, count // 2)]
    found: Ratios = np.squeeze((middle[0] + middle[1]) / 2, axis=axis)
    return found


def _sums(hours: Counts, length: int) -> Counts:
    """The sums of so many hours, by the last of them."""
    total = np.cumsum(np.pad(np.maximum(hours, 0), ((0, 0), (1, 0))), axis=1)
    found: Counts = total[:, 1:].copy()
    found[:, length:] -= total[:, 1:-length]
    return found
