"""Of whom nobody can tell whether it is they or the place, since too few send there: their alerts are held. Pure.

Where several places fail in one hour, mail to the others looks bad as well; so what is elsewhere is what is at none of
these. And mail that was given up everywhere says little of a list of recipients, however short the history is: it was
put off for days. Who gave up a good part of its mail of one hour, at several places, where nobody of whom that is known
was spared, may be bad or not.
"""

from collections.abc import Mapping, Sequence

from streams.incidents.detect import (
    LEAST_HISTORY,
    LEAST_STRUCK,
    MOST,
    RAISED,
    STRUCK,
    TELLING_ELSEWHERE,
    Account,
    Outcome,
    Seen,
    Vote,
    is_good_elsewhere,
    raised_to,
    weighed,
    who_can_tell,
)

#: Of who has no good history it tells from so many on: of lists of which 12 % fail one in four looks good then, and two
#: of two in one of thirteen.
LEAST_NEW = 10
#: Recipients of a good history of whom a single failure of another one tells too that it is the place.
WELL_KNOWN = 1_000
#: What was given up of all mail of an hour (a ratio) from which on nobody can tell: as much as must fail on a
#: platform's first day.
LEAST_GIVEN_UP = 0.25
#: So many others who can tell make a place suspected for who cannot.
LEAST_OTHERS = 2
#: Others of whom a single mail failed each are no chance from so many on: of two with four mails each both fail so in
#: one of a thousand hours.
LEAST_SINGLE = 2
#: Why it is only suspected, as operators are told.
WHY_FEW = "too few sent there to tell whether it is the place"
WHY_SEVERAL = "too few sent to tell whether it is the places: several failed at once, and mail to the others did not"
WHY_GIVEN_UP = "too few have given up mail of these hours to tell whether it is the network"


def nobody_can_tell(
    outcome: Outcome,
    accounts: Sequence[Account],
    usual: Seen,
    customer: str,
    *,
    beside: bool = False,
    several: bool = False,
) -> bool:
    """Whether a customer of good history fails at a place where too few send to say whether it is the place: nobody was
    spared there, and it is no incident. Either its own mail elsewhere is clearly spared of that rate, since of a bad
    list that fails everywhere none of a few fails by chance; or, with fewer than `LEAST_STRUCK` owners, a second one
    was struck in the very hour, or the hour is `beside` one that is an incident there. (In a fleet of five hardly more
    send in one hour.)

    Of those without a good history, whose mail elsewhere in the hour is good, nobody can tell either where a second one
    was struck, however many they are: they make no incident, but two who fail at one place alone hardly do so by
    chance; nor of who has no such mail elsewhere, where two who can tell were struck. Where elsewhere is without
    `several` places, chosen because they fail, it must be clearly spared."""
    able = who_can_tell(outcome, accounts)
    is_new = all(each.customer != customer for each in able)
    if is_new:
        able = who_can_tell(outcome, [_as_known(outcome, each) for each in accounts])
    mine = next((each for each in able if each.customer == customer), None)
    if mine is None:
        return _is_struck_with_others(outcome, accounts, usual, customer)
    raised = raised_to(mine.here)
    struck = struck_with(mine, weighed(outcome, able, usual, raised), lone=_is_known_well(mine))
    if not struck or (several and not _is_spared_elsewhere(outcome, mine, usual, raised)):
        return False
    if is_new:
        return len(struck) > 1 or beside
    if (len(struck) != 1 or beside) and len(struck) < LEAST_STRUCK:
        return True
    # Three make an incident, unless too many others sent too little to tell, or it is a platform's first day.
    return _is_spared_elsewhere(outcome, mine, usual, raised)


def none_is_spared(outcome: Outcome, accounts: Sequence[Account], usual: Seen, customer: str) -> bool:
    """Whether at some rate a customer of good history was struck, and nobody who can tell was clearly spared of it."""
    able = who_can_tell(outcome, accounts)
    mine = next((each for each in able if each.customer == customer), None)
    return mine is not None and any(
        struck_with(mine, weighed(outcome, able, usual, raised), lone=_is_known_well(mine))
        for raised in RAISED
        if raised <= mine.here.rate
    )


def given_up_everywhere(accounts: Sequence[Account], usual: Seen, customer: str, by_place: Mapping[str, Seen]) -> bool:
    """Whether a customer gave up a quarter of an hour's mail or more, and nobody was spared of whom it is known what
    was given up: with an independent second one, whatever their history is; or by itself, without a bad history, at two
    places at least. `by_place` is what of its mail was given up at each."""
    told = [each for each in accounts if each.told]
    mine = next((each for each in told if each.customer == customer), None)
    if mine is None or mine.here.rate < LEAST_GIVEN_UP:
        return False
    raised = raised_to(mine.here)
    struck = struck_with(mine, weighed("expired", told, usual, raised))
    if len(struck) != 1:
        return bool(struck)
    is_bad = mine.history.total >= LEAST_HISTORY and mine.history.rate >= mine.bad["expired"]
    several = sum(seen.total >= LEAST_NEW and seen.rate >= LEAST_GIVEN_UP for seen in by_place.values())
    return several > 1 and not is_bad


def failing_places(outcome: Outcome, places: Mapping[str, tuple[Sequence[Account], Seen]], customer: str) -> set[str]:
    """The places of an hour at which a customer was struck beyond doubt, and an independent second one was too, of any
    history. `places` are who sent there, and what is usual."""
    return {place for place, (accounts, usual) in places.items() if _fails_with(outcome, accounts, usual, customer)}


def _fails_with(outcome: Outcome, accounts: Sequence[Account], usual: Seen, customer: str) -> bool:
    mine = next((each for each in accounts if each.customer == customer), None)
    if mine is None:
        return False
    raised = raised_to(mine.here)
    votes = {vote.account.owner: vote.weight for vote in weighed(outcome, accounts, usual, raised)}
    others = (weight for owner, weight in votes.items() if owner != mine.owner)
    return votes.get(mine.owner, 0.0) >= MOST and any(weight >= STRUCK for weight in others)


def _is_spared_elsewhere(outcome: Outcome, account: Account, usual: Seen, raised: float) -> bool:
    """Whether mail elsewhere is good, and clearly so."""
    elsewhere = weighed(outcome, [account._replace(here=account.elsewhere)], usual, raised)
    return is_good_elsewhere(outcome, account) and any(vote.weight <= -MOST for vote in elsewhere)


def _is_struck_with_others(outcome: Outcome, accounts: Sequence[Account], usual: Seen, customer: str) -> bool:
    """Whether a customer who cannot tell fails where two who can were struck, and nobody who can was spared; and its
    mail elsewhere, if there is any, does not fail as there."""
    mine = next((each for each in accounts if each.customer == customer), None)
    if mine is None or not mine.told:
        return False
    raised = raised_to(mine.here)
    able = [each for each in who_can_tell(outcome, accounts) if each.owner != mine.owner]
    struck = struck_with(mine, weighed(outcome, [*able, mine], usual, raised))
    elsewhere = weighed(outcome, [mine._replace(here=mine.elsewhere)], usual, raised)
    return len(struck) > LEAST_OTHERS and all(vote.weight < STRUCK for vote in elsewhere)


def struck_with(mine: Account, votes: Sequence[Vote], *, lone: bool = False, singles: bool = False) -> set[str]:
    """The owners who were struck, one account's among them; none where that was not, or somebody clearly spared.

    A single failure among the few mails of an hour may be chance, as one or two in a hundred are. `lone` takes it for a
    sign all the same, `singles` where two others have one each."""
    failing = [vote.account for vote in votes if vote.weight >= STRUCK]
    once = {each.owner for each in failing if each.here.failed <= 1 and each.owner != mine.owner}
    lone = lone or (singles and len(once) >= LEAST_SINGLE)
    struck = {each.owner for each in failing if lone or each.here.failed > 1 or each.owner == mine.owner}
    return struck if mine.owner in struck and all(vote.weight > -STRUCK for vote in votes) else set()


def _is_known_well(account: Account) -> bool:
    """Whether a good history is so long that a bad hour is less likely than that a single mail of another fails by
    chance. On a first day, as elsewhere where a history is only taken for granted, nobody's is."""
    return account.history.total >= WELL_KNOWN


def _as_known(outcome: Outcome, account: Account) -> Account:
    """As if it had a good history, where it has none and its mail elsewhere in the hour is good."""
    has_some = account.history.total >= LEAST_HISTORY
    if has_some and account.history.rate < account.bad[outcome]:
        return account
    least = TELLING_ELSEWHERE if has_some else LEAST_NEW
    is_good = outcome != "complained" and account.elsewhere.rate < account.bad[outcome]
    return account._replace(history=Seen(LEAST_HISTORY, 0)) if is_good and account.elsewhere.total >= least else account
