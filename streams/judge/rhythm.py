"""How long a customer may be silent before that is remarkable: by its own rhythm. Pure.

A weekly newsletter is silent six days of seven and has not stopped. So silence is measured by the pauses between the
mail before it: once it lasts `TIMES` the usual pause, somebody has most likely stopped. What is usual is the longest
pause of the weeks before the last mail, the second longest where there are three or more: one holiday makes no rhythm.
"""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.times import DAY_S, HOUR_S

#: The part of a day without mail that is a pause (s); nights are none.
LEAST_PAUSE_S = 12 * HOUR_S
#: The pauses of so many days before the last mail are looked at: two of who mails once a month.
LOOKED_S = 75 * DAY_S
#: A usual pause is taken to be so long at most: the first Tuesday of a month may be 35 days after the last one. Who
#: mails less often is inactive in between.
LONGEST_S = 35 * DAY_S
#: So many pauses show a rhythm from which one that is longer may differ.
ENOUGH = 3
#: So many times the usual pause is remarkable: mailings come a few days late, and it is to be seen within twice.
TIMES = 1.5
#: Nobody's silence is usual for longer (s).
MOST_S = int(TIMES * LONGEST_S)


class Pause(NamedTuple):
    """Hours without mail: when mail came again, and how long after the mail before (s)."""

    end_s: int
    length_s: int


def usual_pause_s(pauses: Sequence[Pause], last_s: int) -> int:
    """The usual pause (s) of who sent last at `last_s` (epoch s); 0 where it makes none, or has sent but once."""
    lengths = sorted(
        (
            each.length_s
            for each in pauses
            if last_s - LOOKED_S <= each.end_s - each.length_s and each.length_s >= LEAST_PAUSE_S
        ),
        reverse=True,
    )
    if not lengths:
        return 0
    return min(LONGEST_S, lengths[1] if len(lengths) >= ENOUGH else lengths[0])


def usual_silence_s(pauses: Sequence[Pause], last_s: int, least_s: int) -> int:
    """How long (s) after the last mail, at `last_s` (epoch s), silence is as usual: `least_s` at least."""
    return max(least_s, int(TIMES * usual_pause_s(pauses, last_s)))
