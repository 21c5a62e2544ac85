"""Unusual volume: an hour of a customer against its own hours at the same time of day. Pure.

The last 60 minutes lie within two clock hours. On each of the 37 days before, as far back as there is mail, these two
hours together are what the customer may have sent in any 60 minutes of that time of day. Of those days

    score = (volume - median) / max(1.4826 * MAD, sqrt(median), 0.2 * median, 1)

where MAD is the median of the absolute deviations from the median: half of the days may be anything and move it little.
1.4826 makes it a standard deviation where volumes are normal (P. J. Rousseeuw and C. Croux, "Alternatives to the median
absolute deviation", JASA 88, 1993). The floors are for the even: what is counted varies by the root of its size at the
least, and nobody's business is steady within a fifth.

A newsletter at another hour than usual is no spike, so the hour must also exceed the rule's `factor` times the busiest
two neighbouring hours of those days. The last day is left out of both, so a spike is not measured by its own beginning,
and yet becomes the customer's usual within a day: it does not stay open for weeks where a customer has grown.

All of it is scaled by what the whole fleet does (`streams.judge.fleet`): four times the usual is nothing unusual on a
day on which everybody sends four times the usual.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from schemas.counts import VolumeBaseline
from schemas.policy_rule import Rule
from streams.subjects.arrays import Counts

#: A monthly mailing lies up to 35 days back (from one first Tuesday to the next), by hours more or less; and the last
#: day is left out.
DAYS = 37
#: Who was not seen for a whole month may send the first monthly mailing after weeks of a trickle: from four weeks on
#: nearly all that was said of good senders was about that. More would leave out who mails once a week, of whom the
#: first mailing within `DAYS` lies so many days back at the least.
LEAST_DAYS = 31
DAY_H = 24
#: Hours are read from so many before the running one, the first of the pair of `DAYS` ago, ...
FIRST_H = DAYS * DAY_H + 1
#: ... so many of them: up to the last one of the pair of a day ago.
HOURS = FIRST_H - DAY_H + 1

#: The standard deviation of a normal distribution, in units of its MAD.
NORMAL = 1.4826
SHARE = 0.2


def baseline(volumes: Counts, fleet: NDArray[np.float64] | float = 1.0) -> VolumeBaseline | None:
    """What is usual, from `HOURS` hours, oldest first; None without mail for `LEAST_DAYS` days.

    `fleet` says of each hour how many times its usual the whole fleet sent in it: that part of the mail is left out.
    """
    mail = np.maximum(volumes, 0) / fleet
    sent = np.flatnonzero(mail)
    if not len(sent):
        return None
    last = HOURS - 2
    days = (last - int(sent[0])) // DAY_H + 1
    if days < LEAST_DAYS:
        return None
    pairs = mail[:-1] + mail[1:]
    usual = pairs[last - DAY_H * np.arange(days)]
    median = float(np.median(usual))
    # What two hours have more than goes on around them is what lies within 60 minutes, even beside their border.
    beside = np.pad(mail, 1, constant_values=np.inf)
    around = np.minimum.reduce((beside[:-3], mail[:-1], mail[1:], beside[3:]))
    return VolumeBaseline(
        median=median,
        mad=float(np.median(np.abs(usual - median))),
        largest=round(float(pairs.max())),
        days=int(days),
        burst=round(float((pairs - around).max())),
    )


def score(volume: int, usual: VolumeBaseline) -> float:
    """How unusual a volume (recipients in an hour) is; 0 where it is not above the median."""
    median, mad = usual.median * usual.fleet, usual.mad * usual.fleet
    scale = max(NORMAL * mad, sqrt(median), SHARE * median, 1.0)
    return max(0.0, (volume - median) / scale)


def exceeds(volume: int, usual: VolumeBaseline, rule: Rule, ratio: float = 1.0) -> bool:
    """Whether the hour is larger than `factor` times the busiest time, or `ratio` of that.

    Where the fleet sends more than usual the busiest 60 minutes are scaled by that: a sale brings mailings that are so
    many times larger, and hardly both hours of a pair at once.
    """
    return volume > rule.times * ratio * usual.busiest
