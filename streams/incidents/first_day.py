"""A platform's first day: nobody has a history, so who can tell is said by the mail of the very hour alone. Pure.

On an old platform many new accounts that fail together are an abuser's; on one whose own age is a day everybody is new.
So those are witnesses whose mail to other providers in this hour is seen to be good, and it is an
incident only where a quarter of the mail of those who were struck fails at the one provider, of `LEAST_OWNERS`
independent customers at least, who are two thirds of the witnesses' weight. Complaints come days later: of them a first
day says nothing.

Of all mail (the platform's own network, most likely) there is no mail elsewhere. There everybody is asked, and it takes
nearly all of the weight: an abuser's accounts are not nearly all of those who send.
"""

from collections.abc import Sequence

from streams.incidents.detect import LEAST_HISTORY, Account, Finding, Outcome, Seen, find

#: So long after its first mail (s) a platform is asked so.
AGE_S = 24 * 3600
#: Recipients elsewhere in the hour from which on a witness is seen to be good: of a list of which 12 % fail, one in
#: twenty-five looks so.
LEAST_ELSEWHERE = 40
#: So many must have been struck, at such a rate (a ratio), and be such a share of the witnesses' weight.
LEAST_OWNERS = 5
LEAST_RATE = 0.25
SHARE = 2 / 3
SHARE_OF_ALL = 0.95


def with_peers(outcome: Outcome, accounts: Sequence[Account], *, everywhere: bool = False) -> list[Account]:
    """The accounts, where those who have no history but good mail elsewhere are taken to have a good one; of mail
    `everywhere` all who have none."""
    new = everywhere and outcome != "complained"
    return [
        each._replace(history=Seen(LEAST_HISTORY, 0))
        if (new and each.history.total < LEAST_HISTORY) or _is_good_elsewhere(outcome, each)
        else each
        for each in accounts
    ]


def find_on_first_day(
    outcome: Outcome, accounts: Sequence[Account], usual: Seen, *, everywhere: bool = False
) -> Finding | None:
    """The incident of one provider (or of all mail) and hour, as `detect.find` says it; `accounts` are those of
    `with_peers`."""
    found = find(outcome, accounts, usual, share=SHARE_OF_ALL if everywhere else SHARE)
    if found is None or found.raised < LEAST_RATE or len(found.struck) < LEAST_OWNERS:
        return None
    return found


def _is_good_elsewhere(outcome: Outcome, account: Account) -> bool:
    return (
        outcome != "complained"
        and account.history.total < LEAST_HISTORY
        and account.elsewhere.total >= LEAST_ELSEWHERE
        and account.elsewhere.rate < account.bad[outcome]
    )
