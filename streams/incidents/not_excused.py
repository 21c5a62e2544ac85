"""Who is bad though an incident struck its mail: what the incident does not explain is not excused by it. Pure.

Mail of an incident's hour is left out, so who sends in these hours alone would hide behind it. But an incident is of
one outcome. Who fails there *in another way*, at a rate that would be excessive by itself, and several times that of
the others, fails by its own doing; not so where its mail elsewhere in that hour is seen to be good, nor where more than
half fails: then the place answers some in another way. And complaints about that mail come later, and are nobody
else's. Mail is given up by one after a day and by another after five; so of that those are compared alone of whom it is
known.

Where it fails in the same way nothing is concluded: customers differ in how hard an incident strikes them, and who is
struck harder looks just so. Such mail is seen by its complaints, and by what is sent after it.
"""

from collections.abc import Collection, Mapping
from math import log
from typing import NamedTuple

from streams.incidents.accounts import CellCounts, sum_of
from streams.incidents.detect import TELLING_ELSEWHERE, TIMES, Outcome, Seen

#: How sure it must be that the rate is above that (natural logarithm of a likelihood ratio; 8 happens by chance once in
#: 30,000 looks), with at least so many recipients that failed, and no more than this share of all.
SURE, LEAST_FAILED, MOST_FAILING = 8.0, 5, 0.5


class Worse(NamedTuple):
    """In which way and how often a customer fails beyond the incident, how often the others do (a ratio), and how sure
    that is."""

    outcome: Outcome
    seen: Seen
    others: float
    weight: float


def worse_in_another_way(
    outcome: Outcome, cells: Mapping[str, CellCounts], excessive: Mapping[Outcome, float], told: Collection[str]
) -> dict[str, Worse]:
    """Customers, given what each had at a place that an incident of one outcome struck. `excessive` are the rates
    (ratios) from which on an outcome is excessive by itself; `told` those of whom it is known what was given up."""
    every = sum_of(cells.values())
    of_told = sum_of(cells[customer] for customer in cells if customer in told)
    found: dict[str, Worse] = {}
    for customer, each in cells.items():
        for other, rate in excessive.items():
            if other == outcome or (other == "expired" and customer not in told):
                continue
            rest = (of_told if other == "expired" else every).minus(each)
            pairs = [(_beside(outcome, other, each), _beside(outcome, other, rest))]
            if outcome == "expired" and customer in told and len(told) > 1:
                # What is refused at once may have been asked of all mail, before the rest was put off.
                pairs.append((each.seen(other), of_told.minus(each).seen(other)))
            elif outcome in ("hard", "block") and other in ("hard", "block"):
                # Which of both was asked first is not known.
                pairs.append((each.seen(other), every.minus(each).seen(other)))
            for mine, theirs in pairs:
                if mine.failed < LEAST_FAILED or not mine.rate < MOST_FAILING:
                    continue
                if other == "expired" and theirs.total < TELLING_ELSEWHERE:
                    continue
                weight = above(mine, max(rate, TIMES * theirs.rate))
                if weight >= SURE and weight > (found[customer].weight if customer in found else 0.0):
                    found[customer] = Worse(other, mine, theirs.rate, weight)
    return found


def _beside(outcome: Outcome, other: Outcome, cells: CellCounts) -> Seen:
    """Of one outcome among what another one left."""
    seen = cells.seen(other)
    if "complained" in (outcome, other):
        return seen
    return Seen(max(seen.total - cells.seen(outcome).failed, 0), seen.failed)


def above(seen: Seen, rate: float) -> float:
    """How much likelier (natural logarithm) the counts are at their own rate than at a lower one; 0 where it is not."""
    if seen.rate <= rate:
        return 0.0
    left = seen.total - seen.failed
    return seen.failed * log(seen.rate / rate) + (left * log((1 - seen.rate) / (1 - rate)) if left else 0.0)
