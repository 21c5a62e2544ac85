"""Rates of many customers by hour, in memory: numerator and denominator of each hour, as arrays.

A ring of hours ends with the one after the running hour. Where a window begins within an hour its minutes are needed
too: of the two hours about a day ago, in one of which a window of a day begins now, and in the next within the hour.
"""

from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.http.models.parameters import Metric
from api.http.part_sums import OF_METRIC, CustomerNumbers, Numbers, PartSums
from schemas.times import DAY_S, HOUR_S, MINUTE_S

#: Hours of a customer: of a series over 31 days the longest window, 30 days, is whole at its first point.
RING = 62 * 24
#: Bytes of one rate of one customer.
BYTES = 2 * 4 * (RING + 2 * 60)
_LARGEST = np.iinfo(np.int32).max
MINUTES = HOUR_S // MINUTE_S

#: Epoch s, numerators and denominators.
Counted = tuple[Numbers, Numbers, Numbers]
#: A rate of a customer.
KeptName = tuple[Metric, str]


class HourSums(NamedTuple):
    """Numerator and denominator by hour, without a gap from `first` on (hours since the epoch)."""

    first: int
    above: Numbers
    below: Numbers


class CustomerSums(NamedTuple):
    """A customer's hours, and of the hours that are kept by minute (since the epoch) the minutes: numerators and
    denominators, `(2, 60)`."""

    hours: HourSums
    minutes: dict[int, Numbers]


def finely_kept(now: int) -> tuple[int, int]:
    """The hours (since the epoch) whose minutes are kept; `now` is the end of the running minute, epoch s."""
    begins = (now - MINUTE_S - DAY_S) // HOUR_S
    return begins, begins + 1


class KeptHours:
    """The hours of so many rates of customers at most; what was asked for longest ago makes room. For one thread at a
    time."""

    def __init__(self, most: int, numbers: CustomerNumbers) -> None:
        self._most = most
        self._numbers = numbers
        self._slots: OrderedDict[KeptName, int] = OrderedDict()
        self._free: list[int] = []
        # Memory is taken when it is written to.
        self._hours: NDArray[np.int32] = np.zeros((most, 2, RING), np.int32)
        self._minutes: NDArray[np.int32] = np.zeros((most, 2, 2, MINUTES), np.int32)
        #: Which hour's minutes are kept at its place.
        self._fine: Numbers = np.zeros((most, 2), np.int64)
        #: By rate and number of the customer; -1 for one who is not kept.
        self._slot_of: dict[Metric, Numbers] = {}
        self._newest = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def oldest(self) -> int:
        """The first hour that is kept (since the epoch)."""
        return self._newest - RING + 1

    @property
    def room(self) -> int:
        """How many more can be kept before one makes room."""
        return self._most - len(self._slots)

    def move_on(self, now: int) -> None:
        """Let go of the hours that are too old at `now` (epoch s), and keep those after the running one."""
        newest = now // HOUR_S + 1
        for hour in range(max(self._newest + 1, newest - RING + 1), newest + 1):
            self._hours[:, :, hour % RING][: self._used] = 0
        self._newest = max(newest, self._newest)

    @property
    def _used(self) -> int:
        return len(self._slots) + len(self._free)

    def get(self, name: KeptName) -> CustomerSums | None:
        """The hours of a customer's rate, if they are kept."""
        slot = self._slots.get(name)
        if slot is None:
            return None
        self._slots.move_to_end(name)
        turn = self.oldest % RING
        kept = self._hours[slot]
        above, below = np.concatenate((kept[:, turn:], kept[:, :turn]), axis=1, dtype=np.int64)
        fine = {int(self._fine[slot, place]): self._minutes[slot, place].astype(np.int64) for place in (0, 1)}
        return CustomerSums(HourSums(self.oldest, above, below), fine)

    def put(self, name: KeptName, hours: Counted, fine: Counted, finely: tuple[int, int]) -> bool:
        """Keep the hours of a customer's rate, each once, and each minute of the hours `finely`. False, and nothing is
        kept, where some lie too far ahead or are too large."""
        self.forget(name)
        at, *both = hours
        places = at // HOUR_S
        if not _fit([*both, *fine[1:]]) or (places > self._newest).any():
            return False
        if not self._free and not self.room:
            self.forget(next(iter(self._slots)))
        slot = self._free.pop() if self._free else len(self._slots)
        recent = places >= self.oldest
        self._hours[slot] = 0
        self._hours[slot][:, places[recent] % RING] = np.stack(both)[:, recent]
        self._slots[name] = slot
        of_rate = self._slot_of.get(name[0], np.full(1024, -1, np.int64))
        if (number := self._numbers.of(name[1])) >= len(of_rate):
            of_rate = np.concatenate((of_rate, np.full(number + 1, -1, np.int64)))
        of_rate[number] = slot
        self._slot_of[name[0]] = of_rate
        at, *both = fine
        for hour in finely:
            mine = at // HOUR_S == hour
            self._minutes[slot, hour % 2] = 0
            self._minutes[slot, hour % 2][:, at[mine] % HOUR_S // MINUTE_S] = np.stack(both)[:, mine]
            self._fine[slot, hour % 2] = hour
        return True

    def without_minutes(self, hour: int) -> list[KeptName]:
        """Those of which the minutes of an hour are not kept."""
        if (self._fine[: self._used, hour % 2] == hour).all():
            return []
        return [name for name, slot in self._slots.items() if self._fine[slot, hour % 2] != hour]

    def add(self, sums: PartSums) -> None:
        """Add what is new of all customers to what is kept of some."""
        for metric, of_rate in self._slot_of.items():
            numbers = np.minimum(sums.customers, len(of_rate) - 1)
            slots = np.where(sums.customers == numbers, of_rate[numbers], -1)
            kept = slots >= 0
            self._add(slots[kept], sums.minutes[kept], sums.values[kept][:, list(OF_METRIC[metric])])

    def _add(self, slots: Numbers, minutes: Numbers, values: Numbers) -> None:
        hours = minutes // MINUTES
        # Nothing overflows: what is kept is at most half of what fits, and the minutes of an hour less than the rest.
        odd = (hours > self._newest) | (np.abs(values) > _LARGEST // 2 // MINUTES).any(axis=1)
        recent = ~odd & (hours >= self.oldest)
        fine = ~odd & (self._fine[slots, hours % 2] == hours)
        for column in (0, 1):
            counted = values[:, column].astype(np.int32)
            np.add.at(self._hours[:, column], (slots[recent], hours[recent] % RING), counted[recent])
            place = slots[fine], hours[fine] % 2, minutes[fine] % MINUTES
            np.add.at(self._minutes[:, :, column], place, counted[fine])
        large = (np.abs(self._hours[slots, :, hours % RING]) > _LARGEST // 2).any(axis=1)
        if bad := set(slots[odd | large].tolist()):
            for name in [name for name, slot in self._slots.items() if slot in bad]:
                self.forget(name)

    def forget(self, name: KeptName) -> None:
        """Keep nothing more of a customer's rate."""
        slot = self._slots.pop(name, None)
        if slot is not None:
            self._slot_of[name[0]][self._numbers.of(name[1])] = -1
            self._free.append(slot)


def _fit(both: list[Numbers]) -> bool:
    return all(not len(each) or int(np.abs(each).max()) <= _LARGEST // 2 for each in both)
