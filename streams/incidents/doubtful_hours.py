"""Of whom nobody can tell by any single hour, since little of what failed is in each: a small customer, whose mail is
refused for several hours at one provider, or at several. Pure.

An hour of a place is *doubtful* where the customer fails together with an independent second one, of any history, or
with two of whom a single mail failed each, and nobody is spared. If two thirds of what failed lie in such hours, and
all its other mail is good and clearly spared of their rate, it may be these places. A bad list fails in other hours,
too, and where others are spared; so do the accounts of one abuser, whose mail fails everywhere and leaves nothing else.
"""

from collections.abc import Collection, Mapping, Sequence

from streams.incidents.accounts import CellCounts, ProviderHour, sum_of
from streams.incidents.detect import (
    MOST,
    TELLING_ELSEWHERE,
    Account,
    Outcome,
    Seen,
    is_good_elsewhere,
    raised_to,
    seen_together,
    weighed,
)
from streams.incidents.undecided import LEAST_NEW, LEAST_OTHERS, struck_with

#: The share (a ratio) of all that failed that must lie in doubtful hours.
SHARE = 2 / 3
#: So many hours of a customer are looked at, those in which most failed.
MOST_HOURS = 12
#: Why it is only suspected, as operators are told.
WHY_HOURS = "too few sent there in any one hour to tell whether it is the place"


def hours_with_most(failed: Mapping[ProviderHour, int], may_be_doubtful: Collection[ProviderHour]) -> set[ProviderHour]:
    """Where it is worth while to look, given how many of a customer's mails failed at places and hours: the hours with
    most of those that may be doubtful. Empty where these are too few, or all is in one place and hour."""
    by_hour: dict[int, int] = {}
    for at in may_be_doubtful:
        by_hour[at[1]] = by_hour.get(at[1], 0) + failed.get(at, 0)
    hours = sorted(by_hour, key=lambda hour: (-by_hour[hour], hour))[:MOST_HOURS]
    found = {at for at in may_be_doubtful if at[1] in hours and failed.get(at, 0)}
    enough = sum(failed[at] for at in found) >= SHARE * sum(failed.values())
    return found if enough and len(found) > 1 else set()


def failing_together(outcome: Outcome, accounts: Sequence[Account], usual: Seen, customer: str) -> int:
    """How many independent ones fail at a place in an hour, whatever their history, the customer among them; 0 where it
    does not, or somebody is spared."""
    mine = next((each for each in accounts if each.customer == customer), None)
    if mine is None or not mine.told:
        return 0
    raised = raised_to(mine.here)
    # Mail of others may still wait.
    known = [each for each in accounts if each.told or each.here.failed]
    return len(struck_with(mine, weighed(outcome, known, usual, raised), singles=True))


def may_be_of(
    outcome: Outcome,
    doubtful: Sequence[Account],
    failed: int,
    every: CellCounts,
    cells: Sequence[CellCounts],
    usual: Seen,
    together: int = 2,
) -> bool:
    """Whether what failed of a customer in the window that alarms may be owed to the doubtful hours: `doubtful` is the
    customer there, `cells` all it has there, `every` all its mail since then, of which so many `failed`; `together` how
    many fail in each of these hours at least. Where two others do, fewer recipients of other mail are enough, since
    that they were well by chance is ruled out below."""
    here = seen_together(each.here for each in doubtful)
    least = LEAST_NEW if together > LEAST_OTHERS else TELLING_ELSEWHERE
    if not doubtful or here.failed < SHARE * failed:
        return False
    rest = every.minus(sum_of(cells))
    one = doubtful[0]._replace(here=here, elsewhere=rest.seen(outcome))
    if not is_good_elsewhere(outcome, one, least) or rest.beside(outcome) >= one.bad[outcome] * rest.finished:
        return False
    raised = raised_to(here)
    spared = weighed(outcome, [one._replace(here=one.elsewhere)], usual, raised)
    return any(vote.weight <= -MOST for vote in spared)
