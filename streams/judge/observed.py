"""Of how much of the mail a rate can be seen at all. Pure.

Whoever sends 60,000 messages to a mailbox provider without a feedback loop is never complained of, and nobody knows
whether anybody minds. So a rule whose rate is seen at a part of the mail alone says when that part is too small to call
anybody good by it: the rule is then `unobservable`. Of failures and refusals all mail is seen.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.counts import WindowCounts
from schemas.policy_metric import Metric
from schemas.policy_rule import Rule
from streams.subjects.arrays import FIELD_INDEX, Counts

#: Metrics whose denominator is a part of the mail, and what that is a part of.
SEEN_OF: Mapping[Metric, tuple[str, str]] = {
    "complaint": ("fbl_delivered", "delivered"),
    "complaint_burn": ("fbl_delivered", "delivered"),
}
NOTHING = WindowCounts()


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """How many recipients of all the `mail` of a window the rate is `seen` of."""

    window: str
    seen: int
    mail: int

    @property
    def share(self) -> float:
        """The part that is seen, a ratio; 1 without mail, of which nothing is unseen."""
        return min(1.0, self.seen / self.mail) if self.mail > 0 else 1.0


def observed(rule: Rule, window: str, counts: WindowCounts) -> Observed | None:
    """What a rule sees in one window; None where it sees all mail."""
    if rule.metric not in SEEN_OF:
        return None
    seen, mail = SEEN_OF[rule.metric]
    return Observed(window=window, seen=getattr(counts, seen), mail=getattr(counts, mail))


def unseen(rule: Rule, windows: Mapping[str, WindowCounts], least_share: float) -> Observed | None:
    """What a rule sees, in the window with most mail, if that is too little to call anybody good; else None.

    It is too little where no window has the rule's minimum volume that is seen, and of all mail at least `least_share`
    (a ratio), while one would have it if all mail were seen.
    """
    found = [
        (each, least)
        for window, least in rule.checks
        if (each := observed(rule, window, windows.get(window, NOTHING))) is not None
    ]
    if not any(each.mail >= least for each, least in found) or any(_sees(*one, least_share) for one in found):
        return None
    return max((each for each, _ in found), key=lambda each: each.mail)


def _sees(found: Observed, least: int, least_share: float) -> bool:
    return found.seen >= least and found.seen >= least_share * found.mail


def unseen_rows(rule: Rule, place_of: Mapping[str, int], counts: Counts, least_share: float) -> NDArray[np.bool_]:
    """`unseen` of many subjects at once; `counts` has the axes subject, window, field."""
    asks, sees = np.zeros((2, len(counts)), np.bool_)
    if rule.metric in SEEN_OF:
        seen, mail = (FIELD_INDEX[name] for name in SEEN_OF[rule.metric])
        for window, least in rule.checks:
            if window in place_of:
                at = counts[:, place_of[window]]
                asks |= at[:, mail] >= least
                sees |= (at[:, seen] >= least) & (at[:, seen] >= least_share * at[:, mail])
    return asks & ~sees
