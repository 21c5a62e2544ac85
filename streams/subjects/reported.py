"""What Gmail reports of a customer's domains on a day, and where it stands among the counts. Pure."""

from typing import NamedTuple

from streams.subjects.arrays import FIELD_INDEX

RATE, OF = FIELD_INDEX["reported_spam"], FIELD_INDEX["reported_of"]


class ReportedDay(NamedTuple):
    """A day, from its begin to its end (epoch s), and the worst spam rate of it, in parts of `REPORTED_OF`."""

    began_s: int
    ended_s: int
    parts: int
