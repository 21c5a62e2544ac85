"""Of whom nobody can tell whether it is they or the place, since too few send there: their alerts are held. Pure."""

from collections.abc import Sequence

from streams.incidents.detect import (
    LEAST_HISTORY,
    LEAST_STRUCK,
    MOST,
    RAISED,
    STRUCK,
    Account,
    Outcome,
    Seen,
    Vote,
    is_good_elsewhere,
    weighed,
    who_can_tell,
)

#: Of who has no history it tells from so many on: of lists of which 12 % fail one in four looks good then, and two of
#: two in one of thirteen.
LEAST_NEW = 10


def nobody_can_tell(
    outcome: Outcome, accounts: Sequence[Account], usual: Seen, customer: str, *, beside: bool = False
) -> bool:
    """Whether a customer of good history fails at a place where too few send to say whether it is the place: nobody was
    spared there, and fewer than `LEAST_STRUCK` owners were struck. Either its own mail elsewhere is clearly spared of
    that rate, since of a bad list that fails everywhere none of a few fails by chance; or a second one was struck in
    the very hour; or the hour is `beside` one that is an incident there. (In a fleet of five hardly more send in one
    hour.)

    Of those without a history, whose mail elsewhere in the hour is good, nobody can tell either where a second one was
    struck, however many they are: they make no incident, but two who fail at one place alone hardly do so by chance."""
    able = who_can_tell(outcome, accounts)
    is_new = all(each.customer != customer for each in able)
    if is_new:
        able = who_can_tell(outcome, [_as_known(outcome, each) for each in accounts])
    mine = next((each for each in able if each.customer == customer), None)
    if mine is None:
        return False
    raised = max((each for each in RAISED if each <= mine.here.rate), default=RAISED[0])
    struck = _struck_with(mine, weighed(outcome, able, usual, raised))
    if not struck:
        return False
    if is_new:
        return len(struck) > 1 or beside
    if len(struck) != 1 or beside:
        return len(struck) < LEAST_STRUCK
    elsewhere = weighed(outcome, [mine._replace(here=mine.elsewhere)], usual, raised)
    return is_good_elsewhere(outcome, mine) and any(vote.weight <= -MOST for vote in elsewhere)


def none_is_spared(outcome: Outcome, accounts: Sequence[Account], usual: Seen, customer: str) -> bool:
    """Whether at some rate a customer of good history was struck, and nobody who can tell was clearly spared of it."""
    able = who_can_tell(outcome, accounts)
    mine = next((each for each in able if each.customer == customer), None)
    return mine is not None and any(
        _struck_with(mine, weighed(outcome, able, usual, raised)) for raised in RAISED if raised <= mine.here.rate
    )


def _struck_with(mine: Account, votes: Sequence[Vote]) -> set[str]:
    """The owners who were struck, one account's among them; none where that was not, or somebody clearly spared."""
    struck = {vote.account.owner for vote in votes if vote.weight >= STRUCK}
    return struck if mine.owner in struck and all(vote.weight > -STRUCK for vote in votes) else set()


def _as_known(outcome: Outcome, account: Account) -> Account:
    """As if it had a good history, where it has none and its mail elsewhere in the hour is good."""
    if account.history.total >= LEAST_HISTORY or account.elsewhere.total < LEAST_NEW:
        return account
    is_good = outcome != "complained" and account.elsewhere.rate < account.bad[outcome]
    return account._replace(history=Seen(LEAST_HISTORY, 0)) if is_good else account
