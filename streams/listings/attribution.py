"""Whom a listing is attributed to: who used the resource before it began, and how it fared. Pure.

Used by one customer alone, or set up for one: that customer is the cause. Shared, nobody is convicted; the customers
are ranked by how much of the bad news they brought that their share of the mail does not explain:

    excess = sum over the kinds of bad news of weight * max(0, own - all * own mail / all mail)
    share  = own excess / everybody's excess

The kinds are complaints, invalid recipients (hard bounces) and refusals as spam. Their weights say how many complaints
one of them is worth: as the inverse of the rates at which the default policy calls each excessive (0.3 %, 5 % and
25 %). So an excess is a number of complaints. Where all excess together is worth less than `LEAST` complaints, all
shares are 0: too little to tell one from another.

All sums are whole numbers, so neither order nor rounding decides. One more complaint never lowers the rank of whom it
is about: it adds to that excess and takes from the others'.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

#: How a listing as evidence begins.
ABOUT = re.compile(r"(?P<resource>\S+) on (?P<zone>\S+) \((?:critical|major|minor|informational)\)")
#: What one is worth, in complaints: 1, 0.06 and 0.012. Whole numbers of 1/250.
COMPLAINT, INVALID, BLOCKED = 250, 15, 3
#: So many complaints have to be unexplained before anybody is likelier than others: the fewest that can open a level of
#: the default policy.
LEAST = 3

#: `dedicated`: one customer's. `shared`: several used it. `unused`: nobody is known to have.
Attributed = Literal["dedicated", "shared", "unused"]


class CustomerUse(NamedTuple):
    """What one customer did through a resource: mail sent, and of it complaints, hard bounces and refusals."""

    customer: str
    volume: int
    complaints: int = 0
    invalid: int = 0
    blocked: int = 0


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A customer as the cause of a listing. `excess` is in complaints, `share` a ratio of all causes (0 to 1)."""

    customer: str
    volume: int
    complaints: int
    invalid: int
    blocked: int
    excess: float
    share: float


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """Who may have caused a listing, likeliest first. Their shares sum to 1, or all are 0."""

    attributed: Attributed
    causes: tuple[Cause, ...] = ()


def attribute(uses: Iterable[CustomerUse], owner: str | None = None) -> Attribution:
    """The causes, from what each customer (once) did. `owner` is whom the resource is set up for, if anybody.

    Who sent nothing through it is never named, an owner neither.
    """
    used = [use for use in uses if use.volume > 0]
    if not used:
        return Attribution(attributed="unused")
    scores = _scores(used)
    users = {use.customer for use in used}
    alone = next(iter(users)) if len(users) == 1 else owner if owner in users else None
    order = sorted(
        used,
        key=lambda use: (use.customer != alone, -scores[use.customer], -_bad(use), -use.volume, use.customer),
    )
    # Both in units of a complaint's weight and of one mail of all.
    unit = COMPLAINT * sum(use.volume for use in used)
    total = sum(scores.values())
    comparable = alone is None and total >= LEAST * unit
    return Attribution(
        attributed="shared" if alone is None else "dedicated",
        causes=tuple(
            Cause(
                customer=use.customer,
                volume=use.volume,
                complaints=use.complaints,
                invalid=use.invalid,
                blocked=use.blocked,
                excess=scores[use.customer] / unit,
                share=scores[use.customer] / total if comparable else float(use.customer == alone),
            )
            for use in order
        ),
    )


def _scores(used: list[CustomerUse]) -> dict[str, int]:
    """Each customer's excess, times all mail and the weight of a complaint."""
    volume = sum(use.volume for use in used)
    complaints = sum(use.complaints for use in used)
    invalid = sum(use.invalid for use in used)
    blocked = sum(use.blocked for use in used)
    return {
        use.customer: COMPLAINT * max(0, use.complaints * volume - complaints * use.volume)
        + INVALID * max(0, use.invalid * volume - invalid * use.volume)
        + BLOCKED * max(0, use.blocked * volume - blocked * use.volume)
        for use in used
    }


def _bad(use: CustomerUse) -> int:
    return COMPLAINT * use.complaints + INVALID * use.invalid + BLOCKED * use.blocked


class ListedResource(NamedTuple):
    """An address or domain, and the list it is on."""

    resource: str
    zone: str


def read_about(said: str) -> ListedResource | None:
    """What a sentence of the evidence names (`streams.listings.causes.about`); None where it is no such sentence."""
    found = ABOUT.match(said)
    return None if found is None else ListedResource(found["resource"], found["zone"])
