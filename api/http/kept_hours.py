"""One rate of many customers by hour, in memory: numerator and denominator of each hour, as arrays.

A ring of hours ends with the one after the running hour. Where a window begins within an hour its minutes are needed
too: of the two hours about a day ago, in one of which a window of a day begins now, and in the next within the hour.
"""

from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.http.part_sums import CustomerNumbers, Numbers, PartSums
from schemas.times import DAY_S, HOUR_S, MINUTE_S

#: Hours of a customer: of a series over 31 days the longest window, 30 days, is whole at its first point.
RING = 62 * 24
#: Bytes of one rate of one customer.
BYTES = 2 * 4 * (RING + 2 * 60)
_LARGEST = np.iinfo(np.int32).max
MINUTES = HOUR_S // MINUTE_S

#: Epoch s, numerators and denominators.
Counted = tuple[Numbers, Numbers, Numbers]


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
    """The hours of one rate, of so many customers at most; who was asked for longest ago makes room. For one thread at
    a time."""

    def __init__(self, columns: tuple[int, int], most: int, numbers: CustomerNumbers) -> None:
        self._columns = list(columns)
        self._most = most
        self._numbers = numbers
        self._slots: OrderedDict[str, int] = OrderedDict()
        self._free: list[int] = []
        # Memory is taken when it is written to.
        self._hours: NDArray[np.int32] = np.zeros((most, 2, RING), np.int32)
        self._minutes: NDArray[np.int32] = np.zeros((most, 2, 2, MINUTES), np.int32)
        #: Which hour's minutes are kept at its place.
        self._fine: Numbers = np.zeros((most, 2), np.int64)
        self._slot_of: Numbers = np.full(1024, -1, np.int64)
        self._newest = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def oldest(self) -> int:
        """The first hour that is kept (since the epoch)."""
        return self._newest - RING + 1

    @property
    def is_full(self) -> bool:
        """Whether another customer takes the place of one."""
        return len(self._slots) >= self._most

    def move_on(self, now: int) -> None:
        """Let go of the hours that are too old at `now` (epoch s), and keep those after the running one."""
        newest = now // HOUR_S + 1
        for hour in range(max(self._newest + 1, newest - RING + 1), newest + 1):
            self._hours[:, :, hour % RING][: self._used] = 0
        self._newest = max(newest, self._newest)

    @property
    def _used(self) -> int:
        return len(self._slots) + len(self._free)

    def get(self, customer: str) -> CustomerSums | None:
        """A customer's hours, if they are kept."""
        slot = self._slots.get(customer)
        if slot is None:
            return None
        self._slots.move_to_end(customer)
        turn = self.oldest % RING
        kept = self._hours[slot]
        above, below = np.concatenate((kept[:, turn:], kept[:, :turn]), axis=1, dtype=np.int64)
        fine = {int(self._fine[slot, place]): self._minutes[slot, place].astype(np.int64) for place in (0, 1)}
        return CustomerSums(HourSums(self.oldest, above, below), fine)

    def put(self, customer: str, hours: Counted, fine: Counted, finely: tuple[int, int]) -> bool:
        """Keep a customer's hours: epoch s, numerators and denominators, each hour once; and the same of each minute of
        the hours `finely`. False, and they are not kept, where some lie too far ahead or are too large."""
        self.forget(customer)
        at, *both = hours
        places = at // HOUR_S
        if not _fit([*both, *fine[1:]]) or (places > self._newest).any():
            return False
        if not self._free and self.is_full:
            self.forget(next(iter(self._slots)))
        slot = self._free.pop() if self._free else len(self._slots)
        recent = places >= self.oldest
        self._hours[slot] = 0
        self._hours[slot][:, places[recent] % RING] = np.stack(both)[:, recent]
        self._slots[customer] = slot
        number = self._numbers.of(customer)
        if number >= len(self._slot_of):
            self._slot_of = np.concatenate((self._slot_of, np.full(number + 1, -1, np.int64)))
        self._slot_of[number] = slot
        self.put_minutes(customer, fine, finely)
        return True

    def put_minutes(self, customer: str, fine: Counted, finely: tuple[int, int]) -> None:
        """Keep the minutes of these hours, of a customer who is kept."""
        slot = self._slots[customer]
        at, *both = fine
        for hour in finely:
            mine = at // HOUR_S == hour
            self._minutes[slot, hour % 2] = 0
            self._minutes[slot, hour % 2][:, at[mine] % HOUR_S // MINUTE_S] = np.stack(both)[:, mine]
            self._fine[slot, hour % 2] = hour

    def without_minutes(self, hour: int, most: int) -> list[str]:
        """Customers of whom the minutes of an hour are not kept, so many at most."""
        return [name for name, slot in self._slots.items() if self._fine[slot, hour % 2] != hour][:most]

    def add(self, sums: PartSums) -> None:
        """Add what is new of all customers to what is kept of some."""
        numbers = np.minimum(sums.customers, len(self._slot_of) - 1)
        slots = np.where(sums.customers == numbers, self._slot_of[numbers], -1)
        kept = slots >= 0
        slots, minutes, values = slots[kept], sums.minutes[kept], sums.values[kept][:, self._columns]
        if not len(slots):
            return
        hours = minutes // MINUTES
        # Also what would be too large with it, so nothing here can ever overflow.
        odd = (hours > self._newest) | (np.abs(values) > _LARGEST // 4).any(axis=1)
        recent = ~odd & (hours >= self.oldest)
        fine = self._fine[slots, hours % 2] == hours
        for column in (0, 1):
            counted = values[:, column].astype(np.int32)
            np.add.at(self._hours[:, column], (slots[recent], hours[recent] % RING), counted[recent])
            place = slots[fine], hours[fine] % 2, minutes[fine] % MINUTES
            np.add.at(self._minutes[:, :, column], place, counted[fine])
        large = (np.abs(self._hours[slots, :, hours % RING]) > _LARGEST // 2).any(axis=1)
        if bad := set(slots[odd | large].tolist()):
            for name in [name for name, slot in self._slots.items() if slot in bad]:
                self.forget(name)

    def forget(self, customer: str) -> None:
        """Keep nothing more of a customer."""
        slot = self._slots.pop(customer, None)
        if slot is not None:
            self._slot_of[self._numbers.of(customer)] = -1
            self._free.append(slot)


def _fit(both: list[Numbers]) -> bool:
    return all(not len(each) or int(np.abs(each).max()) <= _LARGEST // 2 for each in both)
