"""What an act came to, read from the record: the page that is shown after it says what stands there."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import Response
from fastapi.responses import RedirectResponse

from api.console.rendering import HEADERS
from jobs.operator.audit import Entry, entries
from streams.io.store import Store

#: Customers that are named.
NAMED = 5
#: Rows of one act that are read.
MOST = 20_000


class Happened(NamedTuple):
    """One act: who did what to what, of which customers (the first few, and how many), and why."""

    who: str
    action: str
    subject: str
    why: str
    customers: tuple[str, ...] = ()
    customer_count: int = 0


def after_act(path: str, at_ms: int, subject: str) -> Response:
    """To the page that shows what was done to a subject at a time (epoch ms)."""
    separator = "&" if "?" in path else "?"
    asked = urlencode({"done": at_ms, "of": subject})
    return RedirectResponse(f"{path}{separator}{asked}", 303, HEADERS)


def happened(store: Store, query: Mapping[str, str]) -> Happened | None:
    """What is on record of the act that the address of a page names; None where it names none, or nothing is.

    Raises:
        StoreError: the store failed.
    """
    done, subject = query.get("done", ""), query.get("of", "")
    if not (done.isascii() and done.isdigit() and len(done) < 15):
        return None
    found = entries(store, int(done), MOST, verdicts=False, until_ms=int(done))
    return summed([each for each in found if each.subject == subject])


def summed(some: Sequence[Entry]) -> Happened | None:
    """The entries of one act as one. Pure."""
    if not some:
        return None
    first = some[0]
    customers = [each.customer for each in some if each.customer]
    return Happened(first.who, first.action, first.subject, first.why, tuple(customers[:NAMED]), len(customers))
