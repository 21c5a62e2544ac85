"""Listings and whom they are attributed to, as lines for a person."""

from collections.abc import Iterator, Sequence

from jobs.blocklists.last_looks import LastLook
from schemas.wording import age, rfc3339
from streams.listings.attribution import Cause
from streams.listings.causes import CausedListing

#: So many causes are named on one line.
NAMED = 3
HEAD = ("customer", "mail", "complaints", "invalid", "blocked", "excess", "share")


def line(listing: CausedListing, looked: str = "") -> str:
    """One listing with its likeliest causes: `... in force  shared by 2: acme 0.82, rival 0.18`. `looked` is how old
    that knowledge is."""
    state = "in force" if listing.ended_ms is None else f"ended {rfc3339(listing.ended_ms)}"
    unsure = ("" if listing.confirmed else ", unconfirmed") + (f", {looked}" if looked else "") + _nobodys(listing)
    where = f"{listing.resource} on {listing.zone}"
    return f"{rfc3339(listing.began_ms)}  {listing.weight:<13}  {where}  {state}{unsure}  {_attributed(listing)}"


def lines(listing: CausedListing, looked: str = "") -> Iterator[str]:
    """One listing with everybody who is ranked, and the numbers. `looked` is how old that knowledge is."""
    yield f"{listing.resource} ({listing.kind}) on {listing.zone}: {listing.weight}"
    yield f"began   {rfc3339(listing.began_ms)}, {'confirmed' if listing.confirmed else 'a second look is still owed'}"
    yield f"ended   {'in force' if listing.ended_ms is None else rfc3339(listing.ended_ms)}"
    if looked:
        yield f"known   {looked}"
    if listing.pool:
        yield f"pool    {listing.pool}"
    yield f"causes  {_attributed(listing)}{_nobodys(listing)}"
    if listing.causes:
        yield ""
        yield from table(listing.causes)
    if (more := listing.users - len(listing.causes)) > 0:
        yield f"and {more:,} more"


def looked_at(look: LastLook, now_ms: int) -> str:
    """How old what is known is: `looked at 12 min ago`, and why there is nothing younger."""
    since = f", no answer since: {look.no_answer}" if look.no_answer else ""
    return f"looked at {age(max(0, now_ms - look.looked_ms) / 1000)} ago{since}"


def table(causes: Sequence[Cause]) -> Iterator[str]:
    """The ranking. Mail and bad news are those of the 48 hours before; the excess is in complaints."""
    rows = [HEAD, *(_row(each) for each in causes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for customer, *numbers in rows:
        shown = [text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True)]
        yield "  ".join([customer.ljust(widths[0]), *shown])


def _row(cause: Cause) -> tuple[str, ...]:
    counts = (cause.volume, cause.complaints, cause.invalid, cause.blocked)
    return (cause.customer, *(f"{each:,}" for each in counts), f"{cause.excess:,.1f}", f"{cause.share:.2f}")


def _nobodys(listing: CausedListing) -> str:
    return f", held against nobody: incident {listing.incident}" if listing.incident else ""


def _attributed(listing: CausedListing) -> str:
    match listing.attributed:
        case "unused":
            return "nobody is known to have used it"
        case "dedicated":
            return f"used by {listing.causes[0].customer}"
        case _:
            named = [f"{each.customer} {each.share:.2f}" for each in listing.causes[:NAMED] if each.share > 0]
            by = f"shared by {listing.users:,}"
            return f"{by}: {', '.join(named)}" if named else f"{by}: nobody stands out"
