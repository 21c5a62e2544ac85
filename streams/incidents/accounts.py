"""What customers had at each mailbox provider in some hours, as the accounts that are asked about one of them. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, sub
from typing import NamedTuple

from schemas.incident import EVERYWHERE
from schemas.times import DAY_S
from streams.incidents.detect import BAD_HISTORY, Account, Outcome, Seen


class CellCounts(NamedTuple):
    """Recipients: failed ones by outcome, those whose fate is known, and deliveries."""

    hard: int = 0
    block: int = 0
    expired: int = 0
    complained: int = 0
    finished: int = 0
    delivered: int = 0

    def plus(self, other: "CellCounts") -> "CellCounts":
        """Both together."""
        return CellCounts._make(map(add, self, other))

    def minus(self, other: "CellCounts") -> "CellCounts":
        """What is left without a part."""
        return CellCounts._make(map(sub, self, other))

    def seen(self, outcome: Outcome) -> Seen:
        """Of one outcome."""
        total = self.delivered if outcome == "complained" else self.finished
        return Seen(max(total, 0), max(getattr(self, outcome), 0))

    def beside(self, outcome: Outcome) -> int:
        """Recipients that failed in other ways than one; of complaints nothing does."""
        if outcome == "complained":
            return 0
        return max(self.hard + self.block + self.expired - self.seen(outcome).failed, 0)

    def failures(self, outcome: Outcome) -> Seen:
        """What tells whether the history is a good one: failures, or complaints where the outcome is that."""
        if outcome == "complained":
            return self.seen(outcome)
        return Seen(max(self.finished, 0), max(self.hard + self.expired, 0))


NOTHING = CellCounts()
#: A provider (`*`: all) and the beginning of an hour (epoch s).
ProviderHour = tuple[str, int]
#: By customer and provider.
ByProvider = dict[str, dict[str, CellCounts]]


@dataclass(frozen=True, slots=True)
class Accounts:
    """What was read of some provider-hours."""

    by_hour: Mapping[int, ByProvider]
    asked: Mapping[ProviderHour, Sequence[str]]
    company: Mapping[tuple[str, str], str]
    histories: Mapping[int, ByProvider]
    #: The last hour (epoch s) of whose mail some is known to be given up, by customer; None where it was not asked for.
    last_expired: Mapping[str, int] | None = None
    #: From which failing shares (ratios) on somebody's mail is not good.
    bad: Mapping[Outcome, float] = field(default_factory=lambda: BAD_HISTORY)
    #: Of a customer in an hour, and before a day: all providers together. It is asked for of each provider and outcome.
    _in_hour: dict[tuple[int, str], CellCounts] = field(default_factory=dict)
    _before: dict[tuple[int, str], CellCounts] = field(default_factory=dict)

    def failing(self, place: str, hour: int, outcome: Outcome) -> int:
        """How many of the customers of one provider-hour had failures there. So many may have been struck at most."""
        at, here = CellCounts._fields.index(outcome), self.by_hour.get(hour, {})
        if place == EVERYWHERE:
            return sum(any(each[at] > 0 for each in here[who].values()) for who in self.asked.get((place, hour), ()))
        return sum(here[who][place][at] > 0 for who in self.asked.get((place, hour), ()))

    def of(self, place: str, hour: int, outcome: Outcome, without: Collection[ProviderHour]) -> list[Account]:
        """The customers of one provider-hour; elsewhere, and all mail of `*`, is without the provider-hours that are
        incidents themselves."""
        midnight = hour // DAY_S * DAY_S
        history, everywhere = self.histories.get(midnight, {}), place == EVERYWHERE
        without_here = {place, *(value for value, at in without if at == hour)}
        found = []
        for customer in self.asked.get((place, hour), ()):
            cells, before = self.by_hour[hour][customer], history.get(customer, {})
            all_before = _kept(self._before, (midnight, customer), before)
            rest = _kept(self._in_hour, (hour, customer), cells)
            for value in without_here & cells.keys():
                rest = rest.minus(cells[value])
            found.append(
                Account(
                    customer=customer,
                    owner=self.company.get((customer, "from"), customer),
                    pool=self.company.get((customer, "pool"), ""),
                    here=(rest if everywhere else cells[place]).seen(outcome),
                    usual=(all_before if everywhere else before.get(place, NOTHING)).seen(outcome),
                    elsewhere=(NOTHING if everywhere else rest).seen(outcome),
                    history=all_before.failures(outcome),
                    address=self.company.get((customer, "ip"), ""),
                    beside=(rest if everywhere else cells[place]).beside(outcome),
                    told=outcome != "expired" or self.is_told(customer, hour),
                    bad=self.bad,
                )
            )
        return found

    def is_told(self, customer: str, hour: int) -> bool:
        """Whether it is known of its mail of an hour which was given up."""
        return self.last_expired is None or self.last_expired.get(customer, hour - 1) >= hour


def sum_of(some: Iterable[CellCounts]) -> CellCounts:
    """All together."""
    found = NOTHING
    for each in some:
        found = found.plus(each)
    return found


def _kept(sums: dict[tuple[int, str], CellCounts], key: tuple[int, str], cells: Mapping[str, CellCounts]) -> CellCounts:
    """The sum of all cells, from what is kept if it was asked for before."""
    if (found := sums.get(key)) is None:
        found = sums[key] = sum_of(cells.values())
    return found
