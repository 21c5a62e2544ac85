"""Whether the customers who sent to one place in one hour failed together: then it is the place, not they. Pure.

Those are asked who can tell: *witnesses*, customers with a good history, whose mail elsewhere is as usual. Each weighs
how much likelier its counts are under one raised rate, the same for all, than under what is usual for it; but nobody
weighs more than `MOST`, so that one giant is no fleet, and accounts of one owner weigh as one. It is an incident where
at least three independent witnesses were struck, the weights together leave no doubt, also where only a few of many
were struck, and those who were spared do not outweigh them. So a few failures each are enough in a large fleet, within
minutes, and in a fleet of six a few more.

It must not hide the bad. Who has no history is no witness, however many accounts there are. Who fails elsewhere as well
(a bad list does so everywhere) is none either. And where those who were struck share one pool, or one sending address,
while others send to the place unharmed, it is that pool or address: refusals (`block`, `expired`) then are an incident
of it, unknown recipients are nobody's fault but the senders'. Nor does it count how many send to this one place alone,
where those who are seen to be good elsewhere are unharmed.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import lgamma, log
from typing import Literal, NamedTuple

#: What is counted: unknown recipients, refusals, mail given up, complaints.
Outcome = Literal["hard", "block", "expired", "complained"]

#: The recipients that a customer must have had in its history to be a witness, all places together.
LEAST_HISTORY = 200
#: The failing (complaining) share of its history (a ratio) from which a customer is none: the mildest default
#: thresholds. Where the mildest of the policy in force are higher, they take their place (`policy_rates`).
BAD_HISTORY: Mapping[Outcome, float] = {"hard": 0.03, "block": 0.03, "expired": 0.03, "complained": 0.001}
#: What the fleet's usual rate at a place weighs, in recipients, next to what a customer itself had there.
FLEET_WEIGHS = 50.0
#: No usual rate is taken to be lower than this (a ratio): the first failure of all is no incident.
LEAST_USUAL = {"hard": 0.005, "block": 0.005, "expired": 0.005, "complained": 0.0003}
#: A raised rate is at least so many times the usual one, and by so much more (a ratio).
TIMES = 3.0
MORE = {"hard": 0.04, "block": 0.04, "expired": 0.04, "complained": 0.002}
#: The raised rates that are tried.
RAISED = (0.003, 0.005, 0.01, 0.02, 0.05, 0.08, 0.12, 0.2, 0.35, 0.6, 0.9)
#: What one witness weighs at most, and what it must weigh to be struck, as natural logarithms of likelihood ratios:
#: 3 is twenty times likelier.
MOST = 3.0
STRUCK = 1.0
#: What those who weigh for it must weigh together, less what is due to having been picked: of many small senders a few
#: have a failure or two in any hour, and there are many ways to pick as many of them as were struck (a scan statistic;
#: Kulldorff, "A spatial scan statistic", 1997). And how many of them there must be.
ENOUGH = 4.0
LEAST_STRUCK = 3
#: The share of the weight of all witnesses that the struck must have.
SHARE = 1 / 3
#: The share of the weight of those outside of a pool that may be for an incident by chance, where it is the pool's own.
BY_CHANCE = 1 / 8
#: Mail elsewhere tells from so many recipients on; who fails there at half the common rate or more is no witness.
TELLING_ELSEWHERE = 20
AS_BAD_ELSEWHERE = 0.5
#: Outcomes for which a pool alone can be the cause.
OF_POOLS: frozenset[Outcome] = frozenset({"block", "expired"})


class Seen(NamedTuple):
    """Recipients whose fate is known (for complaints: deliveries), and how many of them failed (complained)."""

    total: int
    failed: int

    @property
    def rate(self) -> float:
        return self.failed / self.total if self.total else 0.0

    def plus(self, other: "Seen") -> "Seen":
        """Both together."""
        return Seen(self.total + other.total, self.failed + other.failed)


def seen_together(some: Iterable[Seen]) -> Seen:
    """All of them."""
    total = failed = 0
    for each in some:
        total += each.total
        failed += each.failed
    return Seen(total, failed)


class Account(NamedTuple):
    """One customer at one place in one hour.

    `owner` is what accounts of one owner have in common (a From domain), the customer where nothing is known; `pool`
    and `address` are those that most of its mail went through. `usual` is what it had at this place in the weeks
    before, `elsewhere` what it has in the same hour at all other places, `history` what it had in the weeks before at
    all places together; `beside` are those here who failed in another way. `told`: what failed would be known by now
    (see `told`). `bad` are the shares (ratios) from which its history and its mail elsewhere are not good.
    """

    customer: str
    owner: str
    pool: str
    here: Seen
    usual: Seen
    elsewhere: Seen
    history: Seen
    address: str = ""
    beside: int = 0
    told: bool = True
    bad: Mapping[Outcome, float] = BAD_HISTORY


class Finding(NamedTuple):
    """An incident: of `pool` (or an address) alone, or (empty) of the whole place. `raised` is the rate (a ratio) of
    those who were struck; `struck` and `spared` are the witnesses' customers, sorted; `weight` is how sure it is
    (natural logarithm).
    """

    pool: str
    raised: float
    struck: tuple[str, ...]
    spared: tuple[str, ...]
    weight: float


#: Of those who were spared in the very minutes in which others were struck, what one weighs at most (6 is 400 times
#: likelier), and what they must weigh together, less what is due to having been picked.
MOST_MEANWHILE = 6.0
ENOUGH_MEANWHILE = 8.0


class Vote(NamedTuple):
    """An owner, as one of its accounts, and what it weighs for an incident (natural logarithm; below 0: against it)."""

    account: Account
    weight: float


def find(
    outcome: Outcome,
    accounts: Sequence[Account],
    usual: Seen,
    *,
    enough: float = ENOUGH,
    share: float = SHARE,
    least: int = LEAST_STRUCK,
) -> Finding | None:
    """The incident of one place and hour, if there is one. `usual` is what all customers had there in the weeks before.

    `enough` and `least` are lower for an hour next to one that is an incident already, `share` higher for mail to all
    places together.
    """
    able = who_can_tell(outcome, accounts)
    if len(able) < least:
        return None
    best: Finding | None = None
    everybody = _with_untold(outcome, accounts, able)
    for raised in RAISED:
        votes = weighed(outcome, able, usual, raised)
        found = _verdict(votes, "", enough, share, least)
        if found is not None:
            all_votes = weighed(outcome, everybody, usual, raised)
            of_all, found = found, _of_one_pool(outcome, all_votes, found, enough)
            if found is not of_all and _verdict(all_votes, "", enough, share, least) is None:
                found = None
        if found is not None and _spares_who_is_known(outcome, able, usual, raised, share):
            found = None
        if found is not None and (best is None or found.weight > best.weight):
            best = found
    return best


def is_good_elsewhere(outcome: Outcome, account: Account, least: int = TELLING_ELSEWHERE) -> bool:
    """Whether the account's mail elsewhere is enough to tell, `least` recipients, and good."""
    return account.elsewhere.total >= least and account.elsewhere.rate < account.bad[outcome]


def raised_to(seen: Seen) -> float:
    """The raised rate (a ratio) to ask about where so much failed: the highest that is tried and not above that."""
    return max((each for each in RAISED if each <= seen.rate), default=RAISED[0])


def is_over(outcome: Outcome, accounts: Sequence[Account], usual: Seen, raised: float, share: float = SHARE) -> bool:
    """Whether those who send now are clearly spared of an incident that raised the rate to `raised` (a ratio); or it is
    seen to be of one pool or address alone, or of those who send to this place alone, however many these are. `share`
    is that of the weight which the struck must still have."""
    raised = max(raised, RAISED[0])
    able = who_can_tell(outcome, accounts)
    votes = weighed(outcome, able, usual, raised)
    everybody = weighed(outcome, _with_untold(outcome, accounts, able), usual, raised)
    if any(_alone(everybody, of) is not None for of in (_pool_of, _address_of)):
        return True
    return _spared(votes, share) or _spares_who_is_known(outcome, able, usual, raised, share)


def _spared(votes: Sequence[Vote], share: float) -> bool:
    pro = sum(vote.weight for vote in votes if vote.weight > 0)
    contra = -sum(vote.weight for vote in votes if vote.weight < 0)
    return contra >= ENOUGH and pro < share * (pro + contra)


def _spares_who_is_known(outcome: Outcome, able: Sequence[Account], usual: Seen, raised: float, share: float) -> bool:
    """Whether of those whose mail elsewhere tells that they are good several are clearly spared. An abuser's accounts
    grow old too; they may send to one place alone, so that no mail elsewhere gives them away, and be more than all the
    others."""
    known = [each for each in able if each.elsewhere.total >= TELLING_ELSEWHERE]
    if len(known) == len(able):
        return False
    votes = weighed(outcome, known, usual, raised)
    return sum(vote.weight <= -STRUCK for vote in votes) >= LEAST_STRUCK and _spared(votes, share)


def in_minutes(
    accounts: Iterable[Account], minutes: Mapping[str, Mapping[int, Seen]], some: Collection[int]
) -> list[Account]:
    """Accounts with what they had at the place in some minutes alone, of what each customer had there by the minute;
    without those who had nothing then."""
    found = []
    for each in accounts:
        here = seen_together(seen for minute, seen in minutes.get(each.customer, {}).items() if minute in some)
        if here.total:
            found.append(each._replace(here=here))
    return found


def is_spared_meanwhile(
    outcome: Outcome,
    accounts: Sequence[Account],
    usual: Seen,
    raised: float,
    minutes: Mapping[str, Mapping[int, Seen]],
) -> bool:
    """Whether several were clearly unharmed at a place in the very minutes in which the rate there was `raised` (a
    ratio) for others: then it is those, not the place. `minutes` is what each customer had there by the minute.

    For who fails at that place alone this is not asked: of a provider's servers some may refuse.
    """
    able = who_can_tell(outcome, accounts)
    struck = {vote.account.owner for vote in weighed(outcome, able, usual, raised) if vote.weight >= STRUCK}
    theirs: dict[int, Seen] = defaultdict(lambda: Seen(0, 0))
    for each in able:
        for minute, seen in minutes.get(each.customer, {}).items() if each.owner in struck else ():
            theirs[minute] = theirs[minute].plus(seen)
    bad = {minute for minute, seen in theirs.items() if seen.rate >= raised / 2}
    votes = weighed(outcome, in_minutes(able, minutes, bad), usual, raised, MOST_MEANWHILE)
    spared = [-vote.weight for vote in votes if vote.weight <= -STRUCK and vote.account.owner not in struck]
    return len(spared) >= LEAST_STRUCK and sum(spared) - _ways(len(votes), len(spared)) >= ENOUGH_MEANWHILE


def who_can_tell(outcome: Outcome, accounts: Sequence[Account]) -> list[Account]:
    """Those who can tell.

    Who fails elsewhere at half of what is common here is none of them. It is not asked at half of what it has here
    itself: of many who fail everywhere alike some fail more at one place by chance, and those alone would be left.
    Complaints are too few for that; of two providers in trouble one is asked by those it struck more.
    """
    some = [each for each in accounts if _may_tell(outcome, each)]
    common = sum(each.here.rate for each in some) / len(some) if some else 0.0
    found = []
    for each in some:
        rate = each.here.rate if outcome == "complained" else common
        as_bad = max(each.bad[outcome], rate * AS_BAD_ELSEWHERE)
        if each.elsewhere.total < TELLING_ELSEWHERE or each.elsewhere.rate < as_bad:
            found.append(each)
    return found


def _with_untold(outcome: Outcome, accounts: Sequence[Account], able: list[Account]) -> list[Account]:
    """Those who can tell, and those of whose mail it is not known yet whether it was given up: that of other pools none
    has expired may be because of the pool, and then a person looks first."""
    if all(each.told for each in accounts):
        return able
    return who_can_tell(outcome, [each._replace(told=True) for each in accounts])


def _may_tell(outcome: Outcome, account: Account) -> bool:
    """Who has a good history, and does not fail here in another way more than in this. Of whose mail it is not known
    yet whether it failed tells nothing by none that did."""
    if not account.told and account.here.failed <= 0:
        return False
    history, here, bad = account.history, account.here, account.bad[outcome]
    if here.total <= 0 or history.total < LEAST_HISTORY or history.rate >= bad:
        return False
    return account.beside <= here.failed or account.beside < bad * here.total


def weighed(
    outcome: Outcome, accounts: Sequence[Account], usual: Seen, raised: float, most: float = MOST
) -> list[Vote]:
    """One vote for each owner: that of its accounts together, no more than `most` either way. Where all mail of those
    who were struck failed (`raised` is 1), a single delivery would prove that nobody was."""
    raised = min(raised, RAISED[-1])
    fleet = max(usual.rate, LEAST_USUAL[outcome])
    weights: dict[str, float] = defaultdict(float)
    named: dict[str, Account] = {}
    for each in accounts:
        own = (each.usual.failed + fleet * FLEET_WEIGHS) / (each.usual.total + FLEET_WEIGHS)
        own = max(own, LEAST_USUAL[outcome])
        if raised < max(own * TIMES, own + MORE[outcome]):
            continue
        failed = min(each.here.failed, each.here.total)
        weights[each.owner] += failed * log(raised / own) + (each.here.total - failed) * log((1 - raised) / (1 - own))
        named.setdefault(each.owner, each)
    return [Vote(named[owner], min(most, max(-most, weight))) for owner, weight in sorted(weights.items())]


def _verdict(
    votes: Sequence[Vote], pool: str, enough: float, share: float = SHARE, least: int = LEAST_STRUCK
) -> Finding | None:
    struck = [vote for vote in votes if vote.weight >= STRUCK]
    spared = [vote for vote in votes if vote.weight <= -STRUCK]
    pro = sum(vote.weight for vote in votes if vote.weight > 0)
    contra = -sum(vote.weight for vote in votes if vote.weight < 0)
    if len(struck) < least or pro < share * (pro + contra):
        return None
    if pro - _ways(len(votes), len(struck)) < enough:
        return None
    seen = [vote.account.here for vote in struck]
    # What expires of an unknown time is not among what is finished, and may be more.
    rate = sum(min(each.failed, each.total) for each in seen) / sum(each.total for each in seen)
    return Finding(pool, rate, _customers(struck), _customers(spared), pro - contra)


def _ways(count: int, chosen: int) -> float:
    """The natural logarithm of how many ways there are to choose so many of `count`."""
    return lgamma(count + 1) - lgamma(chosen + 1) - lgamma(count - chosen + 1)


def _of_one_pool(outcome: Outcome, votes: Sequence[Vote], found: Finding, enough: float) -> Finding | None:
    """Of the place as a whole, unless all who were struck share a pool, or a sending address, and others send there
    unharmed."""
    for of in (_pool_of, _address_of):
        shared = _alone(votes, of)
        if shared is None:
            continue
        if outcome not in OF_POOLS or not shared:
            return None
        return _verdict([vote for vote in votes if of(vote) == shared], shared, enough)
    return found


def _pool_of(vote: Vote) -> str:
    return vote.account.pool


def _address_of(vote: Vote) -> str:
    return vote.account.address


def _alone(votes: Sequence[Vote], of: Callable[[Vote], str]) -> str | None:
    """The pool or address (empty where none is known) that those who were struck share, while others send to the place
    unharmed.

    One of the others may seem struck, with two failures of sixty by chance: together they must be seen to be spared.
    """
    struck: dict[str, float] = defaultdict(float)
    for vote in votes:
        if vote.weight >= STRUCK:
            struck[of(vote)] += vote.weight
    if not struck:
        return None
    shared = max(sorted(struck), key=struck.__getitem__)
    others = [vote.weight for vote in votes if of(vote) != shared]
    pro = sum(weight for weight in others if weight > 0)
    contra = -sum(weight for weight in others if weight < 0)
    unharmed = sum(weight <= -STRUCK for weight in others)
    return shared if unharmed >= LEAST_STRUCK and pro <= BY_CHANCE * (pro + contra) else None


def _customers(votes: Sequence[Vote]) -> tuple[str, ...]:
    return tuple(sorted(vote.account.customer for vote in votes))
