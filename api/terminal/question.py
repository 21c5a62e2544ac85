"""What is asked of the worst customers: in which order, and which of them."""

from dataclasses import dataclass, replace
from typing import Self, get_args

from api.explain.worst import WorstFilter, WorstOrder

ORDERS: tuple[WorstOrder, ...] = get_args(WorstOrder)
#: How an order is said, after "worst customers".
SAID: dict[WorstOrder, str] = {
    "worst": "the worst first",
    "longest": "the longest in their standing first",
    "newest": "the newest standing first",
    "mail": "the most mail first",
    "complaint": "the most complaints first",
    "failure": "the most failures first",
    "block": "the most blocks first",
    "exposure": "the most exposure first",
    "score": "the lowest score first",
    "customer": "by name",
}
#: What a click on a heading sorts by; a second click on `for` turns it round.
BY_HEADING: dict[str, tuple[WorstOrder, ...]] = {
    "customer": ("customer",),
    "standing": ("worst",),
    "for": ("newest", "longest"),
    "mail": ("mail",),
    "complaints": ("complaint",),
    "failures": ("failure",),
    "blocks": ("block",),
    "exposure": ("exposure",),
    "score": ("score",),
}


@dataclass(frozen=True, slots=True)
class Shares:
    """Which standings are shown, and how that is said."""

    said: str
    standings: tuple[str, ...]


#: One after the other.
SHARES = (
    Shares("", ()),
    Shares("not well", ("watch", "warning", "excessive", "critical", "suspended")),
    Shares("excessive or critical", ("excessive", "critical")),
    Shares("critical", ("critical",)),
)


@dataclass(frozen=True, slots=True)
class TopQuestion:
    """The present question. `share` is a place of `SHARES`; `name` a part of the customer's name."""

    order: WorstOrder = "worst"
    share: int = 0
    name: str = ""

    @property
    def wanted(self) -> WorstFilter:
        """As the store is asked."""
        return WorstFilter(standings=SHARES[self.share].standings, name=self.name, order=self.order)

    @property
    def said(self) -> str:
        """In words: the order, and what is left out."""
        name = f"named like {self.name!r}" if self.name else ""
        return ", ".join(filter(None, [SAID[self.order], SHARES[self.share].said, name]))

    def next_order(self, step: int = 1) -> Self:
        """Sorted by the order that comes after this one (`step` 1) or before it (-1)."""
        return replace(self, order=ORDERS[(ORDERS.index(self.order) + step) % len(ORDERS)])

    def by_heading(self, heading: str) -> Self:
        """Sorted by a column; one that says nothing to sort by changes nothing."""
        orders = BY_HEADING.get(heading, (self.order,))
        return replace(
            self, order=orders[(orders.index(self.order) + 1) % len(orders)] if self.order in orders else orders[0]
        )

    def next_share(self) -> Self:
        """Fewer of them, after the fewest all again."""
        return replace(self, share=(self.share + 1) % len(SHARES))

    def named(self, name: str) -> Self:
        """Only those with a text in their name."""
        return replace(self, name=name.strip())
