"""One figure that a mailbox provider gives of a domain or an address, of one day."""

from datetime import date
from typing import Literal

import msgspec

from schemas.errors import ExternalError

Source = Literal["postmaster", "snds"]
#: What is measured. `spam_rate`: of Gmail's users who got mail of the domain in the inbox, the part that reported it as
#: spam. `feedback_loop`: the same of the mail with one identifier of Feedback-ID (`about`). `compliance`: whether
#: Google's requirement (`about`) is met (`said`). Of SNDS, by address: `complaint_rate`, `filter_result` (GREEN, YELLOW
#: or RED), `trap_hits`, `recipients`, and `blocked` with Microsoft's reason, of addresses that it blocks that day.
Measure = Literal[
    "spam_rate", "feedback_loop", "compliance", "complaint_rate", "filter_result", "trap_hits", "recipients", "blocked"
]


class AnswerError(ExternalError):
    """An answer is not what the provider's documentation says; the message names the field or the line."""


class ProviderReading(msgspec.Struct, frozen=True, kw_only=True):
    """`day` is the provider's own. `rate` is a ratio; with `below` only that it is lower is known. `number` counts,
    `said` is the provider's word."""

    source: Source
    resource: str
    day: date
    measure: Measure
    about: str = ""
    rate: float | None = None
    below: bool = False
    number: int | None = None
    said: str = ""
