"""Changed customers: which are to be announced, as messages, and back. Pure.

A customer's changes are always in one partition, so that of several monitors one judges it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

import msgspec

from schemas.change import Change

#: Customers in one message. With the longest names, all escaped, it stays below the topic's largest message.
MOST = 500

_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(Change).decode


@dataclass
class AnnouncementThrottle:
    """Which changed customers are due to be announced: each at most once in `every_ms`, none forgotten."""

    every_ms: int
    pending: set[str] = field(default_factory=set)
    _sent: dict[str, int] = field(default_factory=dict)

    def due(self, now_ms: int) -> list[str]:
        """The customers to announce now."""
        sent, oldest = self._sent, now_ms - self.every_ms
        due = [customer for customer in self.pending if sent.get(customer, -1) <= oldest]
        self.pending.difference_update(due)
        for customer in due:
            sent[customer] = now_ms
        if len(sent) > 2 * len(due) + 10_000:
            self._sent = {customer: when for customer, when in sent.items() if when > oldest}
        return due

    def rest(self) -> list[str]:
        """All that are not announced yet."""
        rest, self.pending = list(self.pending), set()
        return rest


class ChangeMessage(NamedTuple):
    """One message and where it goes."""

    key: bytes
    value: bytes
    partition: int


def messages(customers: Iterable[str], stored_ms: int, partitions: int) -> Iterator[ChangeMessage]:
    """The messages that say these customers changed, each with up to `MOST` of one partition."""
    by_partition: dict[int, list[str]] = defaultdict(list)
    for customer in customers:
        by_partition[partition_of(customer, partitions)].append(customer)
    for partition, members in by_partition.items():
        for start in range(0, len(members), MOST):
            first, *others = members[start : start + MOST]
            change = Change(customer=first, others=others, stored_ms=stored_ms)
            yield ChangeMessage(first.encode(), _ENCODE(change), partition)


def customers_in(value: bytes) -> list[str]:
    """The customers of a message.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is not a change.
    """
    change = _DECODE(value)
    return [change.customer, *change.others]


def partition_of(customer: str, partitions: int) -> int:
    """The partition of a customer's changes."""
    return crc32(customer.encode()) % partitions
