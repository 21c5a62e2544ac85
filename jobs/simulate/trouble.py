"""Trouble that is no customer's doing: for a while, mail to some domains fails whoever sends it. Plain data."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Trouble:
    """Of the mail to `domains` from `pool` (empty: from every pool) the `share` (a ratio) comes to `kind`.

    `begins` and `ends` are parts of the simulated history; above 1 is the live mail that follows it.
    """

    domains: frozenset[str]
    kind: Literal["hard", "block"]
    begins: float
    ends: float
    share: float
    pool: str = ""


#: What a day has if it is asked for: a large provider that knew nobody for an hour, and one that refuses a pool.
TROUBLES = (
    Trouble(frozenset({"outlook.com", "hotmail.com"}), "hard", 0.90, 0.96, 0.6),
    Trouble(frozenset({"gmail.com"}), "block", 0.97, 1.001, 0.9, "shared-1"),
)
