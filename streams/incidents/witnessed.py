"""Whether others tell that it is the customer: they sent to the same places in the same minutes, and were well. Pure.

Alerts are held where it may be a place, a pool or the platform that fails, or where so many rise at once that a person
looks first. No trouble of others explains who fails by *unknown recipients* at several providers that have nothing to
do with each other, while customers of good history, whose mail went to the same providers in the very minutes, did not
fail. So who is seen to be bad in that way need not wait. One provider may refuse half of the customers, its servers
differ; two that refuse the same ones and spare the same others hardly do. Refusals say less: they are of a pool or an
address, which others do not share. And where more than half fails the place answers so, or the counting is at fault.

On a platform's first day, or where fewer than `LEAST_STRUCK` others send, there are no witnesses, and who is held
stays so.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.providers import OTHER
from streams.incidents.detect import (
    BY_CHANCE,
    LEAST_STRUCK,
    MOST,
    STRUCK,
    TELLING_ELSEWHERE,
    TIMES,
    Account,
    Seen,
    Vote,
    seen_together,
    weighed,
    who_can_tell,
)
from streams.incidents.not_excused import LEAST_FAILED, MOST_FAILING, SURE, above

#: At so many providers it must fail where others are well.
LEAST_PLACES = 2
#: What those who were well there must weigh together (natural logarithm of a likelihood ratio): twice twenty to one;
#: and once that without the one who weighs most, since one giant is no fleet.
ENOUGH_TOGETHER = LEAST_PLACES * MOST
#: The share (a ratio) of its failures at providers that the table knows that these must be.
MOST_OF_ALL = 0.5


class AtPlace(NamedTuple):
    """What a customer had at one provider in an hour, what is usual there, and what others had there in the minutes in
    which its mail failed."""

    mine: Account
    others: Sequence[Account]
    usual: Seen


class Witnessed(NamedTuple):
    """At which `providers` a customer fails (most first) while others are well, and what it had there; so many other
    `customers` tell, and what these had there in the same minutes."""

    providers: tuple[str, ...]
    mine: Seen
    customers: int
    others: Seen


#: Given customers, with the ms of mail that each alarms by, and the time (epoch ms): of whom others tell that it is
#: they.
Telling = Callable[[Mapping[str, int], int], Mapping[str, Witnessed]]


class _Spared(NamedTuple):
    place: str
    mine: Seen
    votes: Sequence[Vote]
    weight: float


def witnessed(places: Mapping[str, AtPlace], excessive: float) -> Witnessed | None:
    """What others tell of a customer's mail of an hour, given what it and they had at each provider; None where they
    do not tell. `excessive` is the rate (a ratio) from which on failures are excessive by themselves."""
    known = {place: at for place, at in places.items() if place != OTHER}
    found = [each for place, at in known.items() if (each := _spared_at(place, at)) is not None]
    well: dict[str, float] = defaultdict(float)
    for each in found:
        for vote in each.votes:
            well[vote.account.owner] += max(0.0, -vote.weight)
    owners = sorted(owner for owner, weight in well.items() if weight > 0)
    if len(found) < LEAST_PLACES or len(owners) < LEAST_STRUCK:
        return None
    if sum(each.weight for each in found) < ENOUGH_TOGETHER or sum(well.values()) - max(well.values()) < MOST:
        return None
    mine, others = seen_together(each.mine for each in found), seen_together(_theirs(found))
    if mine.failed < MOST_OF_ALL * sum(at.mine.here.failed for at in known.values()):
        return None
    if mine.failed < LEAST_FAILED or not mine.rate < MOST_FAILING:
        return None
    if above(mine, max(excessive, TIMES * others.rate)) < SURE:
        return None
    most_first = sorted(found, key=lambda each: (-each.mine.failed, each.place))
    return Witnessed(tuple(each.place for each in most_first), mine, len(owners), others)


def _spared_at(place: str, at: AtPlace) -> _Spared | None:
    """Those who tell at a provider at which a customer fails, if they were well there, few as each one's mail may be.
    Who sends there alone does not tell that it is the provider: see `detect`."""
    raised = at.mine.here.rate
    if not any(vote.weight >= MOST for vote in weighed("hard", [at.mine], at.usual, raised)):
        return None
    able = [each for each in who_can_tell("hard", at.others) if each.owner != at.mine.owner]
    votes = weighed("hard", able, at.usual, raised)
    votes = [vote for vote in votes if vote.weight < 0 or vote.account.elsewhere.total >= TELLING_ELSEWHERE]
    pro = sum(vote.weight for vote in votes if vote.weight > 0)
    contra = -sum(vote.weight for vote in votes if vote.weight < 0)
    if contra - pro < STRUCK or pro > BY_CHANCE * (pro + contra):
        return None
    return _Spared(place, at.mine.here, votes, contra - pro)


def _theirs(found: Iterable[_Spared]) -> Iterable[Seen]:
    return (vote.account.here for each in found for vote in each.votes)
