"""Counts by the hour of many customers, from the hourly projection: what `streams.what_if.backtest` goes through."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any

import numpy as np

from schemas.counts import FINISHED
from schemas.listing import KINDS, WEIGHTS
from schemas.policy import Policy
from schemas.policy_metric import SPIKE, window_ms
from schemas.times import HOUR_MS, HOUR_S
from streams.io.store import Store, portions
from streams.judge.spikes import FIRST_H
from streams.listings.causes import read_attributed_shares, read_owners
from streams.listings.exclusive import by_owner, users_before
from streams.listings.exposure import EXPOSED, SENT_MAIL, THROUGH_LISTED, exposing, listed_parameters
from streams.listings.intervals import ListingInterval
from streams.listings.left_out import read_judged
from streams.subjects import undated
from streams.subjects.arrays import FIELD_INDEX, FIELDS, Counts, Layout, StreamKey, layout
from streams.subjects.left_out import NOT_LEFT_OUT
from streams.subjects.totals import OF_FBL
from streams.what_if.backtest import AttributedListing, History, OwnListing, lengths_of
from streams.windows.sub_accounts import rows_of_sub_accounts

#: What is held of one portion of customers, in bytes: a few times this is needed at once.
PORTION_BYTES = 32_000_000
#: Most customers have one stream; those with several make a portion a little larger.
BYTES_AN_HOUR = 8 * len(FIELDS)

#: The measures that rates are made of.
MEASURED = (*FINISHED, "unsubscribed", "undated_hard", "undated_block", "undated_unsubscribed")
READ = (*MEASURED, *(f"fbl_{name}" for name in OF_FBL))
_SUMMED = (
    *(f"sum(n_{name})" for name in MEASURED),
    *(f"sumIf(n_{name}, value IN {{fbl:Array(String)}})" for name in OF_FBL),
)

CUSTOMERS = """
SELECT DISTINCT customer FROM counts
WHERE dimension = 'provider'
    AND toStartOfHour(bucket) >= toDateTime({since:UInt32}) AND toStartOfHour(bucket) < toDateTime({until:UInt32})
ORDER BY customer
"""

#: A row a stream. The innermost query has the shape of the hourly projection, so ClickHouse reads that.
HOURS = f"""
SELECT customer, stream, groupArray(toUInt32(hour)), {", ".join(f"groupArray(s{n})" for n in range(len(READ)))}
FROM
(
    SELECT customer, stream, hour, {", ".join(f"{each} AS s{n}" for n, each in enumerate(_SUMMED))}
    FROM
    (
        SELECT customer, stream, toStartOfHour(bucket) AS hour, value,
            {", ".join(f"sum({name}) AS n_{name}" for name in dict.fromkeys((*MEASURED, *OF_FBL)))}
        FROM counts
        WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
            AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
            AND toStartOfHour(bucket) < toDateTime({{until:UInt32}})
            AND {NOT_LEFT_OUT}
        GROUP BY customer, stream, hour, value
    )
    GROUP BY customer, stream, hour
)
GROUP BY customer, stream
ORDER BY customer, stream
"""  # noqa: S608 - made of names from this project only

#: Whether mail was exposed is decided minute by minute: a listing begins and ends inside an hour.
EXPOSURE = f"""
SELECT customer, stream, toUInt32(toStartOfHour(bucket)) AS hour, sum({SENT_MAIL}), sumIf({SENT_MAIL}, {THROUGH_LISTED})
FROM counts
WHERE dimension = 'ip' AND customer IN {{customers:Array(String)}}
    AND bucket >= toDateTime({{since_0:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
GROUP BY customer, stream, hour
"""  # noqa: S608 - made of names from this project only


@dataclass(frozen=True, slots=True)
class Extent:
    """What is read and judged: hours from `start_s` to `end_s` (epoch s), judged from the end of hour `first` on."""

    start_s: int
    end_s: int
    first: int

    @classmethod
    def of(cls, policies: Sequence[Policy], since_ms: int, now_ms: int) -> "Extent":
        """From the first full hour at or after `since_ms` to the last one by `now_ms`, with the windows before it."""
        longest = max(
            ceil(undated.longer(window_ms(window), lengths_of(policy)) / HOUR_MS)
            for policy in policies
            for rule in policy.rules
            for window in rule.reads
        )
        if any(rule.metric == SPIKE for policy in policies for rule in policy.rules):
            longest = max(longest, FIRST_H)
        end = now_ms // 1000 // HOUR_S * HOUR_S
        begin = min(-(-since_ms // 1000 // HOUR_S) * HOUR_S, end)
        start = max(0, begin - longest * HOUR_S)
        return cls(start, end, (begin - start) // HOUR_S)

    @property
    def hours(self) -> int:
        """How many hours are read."""
        return (self.end_s - self.start_s) // HOUR_S


class Hourly:
    """Reads the history of all customers, a portion at a time."""

    def __init__(
        self, store: Store, extent: Extent, feedback_loop: Sequence[str], *, sub_accounts: bool = False
    ) -> None:
        """With `sub_accounts` those are among the subjects."""
        self._sub_accounts = sub_accounts
        self._store = store
        self._extent = extent
        self._asked = {"fbl": list(feedback_loop), "since": extent.start_s, "until": extent.end_s}
        begin_ms, end_ms = extent.start_s * 1000, extent.end_s * 1000
        self._known = [each for each in read_judged(store, begin_ms, WEIGHTS, KINDS) if each.from_ms < end_ms]
        self._listings = exposing(self._known)
        self._owned: Mapping[str, Sequence[OwnListing]] | None = None
        self._attributed: Mapping[str, Sequence[AttributedListing]] | None = None

    def customers(self) -> list[str]:
        """Everybody with mail in this time, sorted.

        Raises:
            StoreError: the store failed.
        """
        return [str(customer) for (customer,) in self._store.rows(CUSTOMERS, self._asked)]

    def portions(self, customers: Sequence[str]) -> Iterator[History]:
        """The history of these customers (sorted), some at a time, each with its streams.

        Raises:
            StoreError: the store failed.
        """
        some = max(1, PORTION_BYTES // (BYTES_AN_HOUR * max(1, self._extent.hours)))
        for place in range(0, len(customers), some):
            yield self._read(customers[place : place + some])

    def _read(self, customers: Sequence[str]) -> History:
        keys: list[StreamKey] = []
        columns: list[list[Any]] = [[] for _ in ("hour", *READ)]
        for names in portions(self._store, customers):
            for block in self._store.blocks(HOURS, {"customers": names, **self._asked}):
                keys += zip(block[0].tolist(), block[1].tolist(), strict=True)
                for column, more in zip(columns, block[2:], strict=True):
                    column.extend(more)
        who = layout(keys)
        accounts = rows_of_sub_accounts(who.customers, who.scopes) if self._sub_accounts else {}
        subjects = len(who.customers) + len(accounts)
        # Field by field in memory: a rate is made of few, and those that are never written take no room.
        counts = np.moveaxis(np.zeros((len(FIELDS), subjects, self._extent.hours), np.int64), 0, -1)
        if keys:
            hours, *values = map(np.concatenate, columns)
            rows = np.repeat(np.arange(len(keys)), list(map(len, columns[0])))
            self._fill(counts, who, len(keys), (rows, self._place(hours)), dict(zip(READ, values, strict=True)))
            self._add_exposure(counts, who, keys, customers)
        for place, its in enumerate(accounts.values(), len(who.customers)):
            for name in (*READ, "sent", "exposed"):
                counts[place, :, FIELD_INDEX[name]] = counts[its, :, FIELD_INDEX[name]].sum(axis=0)
        return History(
            [*who.customers, *(customer for customer, _ in accounts)],
            [*who.scopes, *(scope for _, scope in accounts)],
            self._extent.start_s,
            self._extent.first,
            counts,
            self._own(),
            self._causes(),
        )

    def _fill(
        self, counts: Counts, who: Layout, streams: int, at: tuple[Counts, Counts], values: Mapping[str, Counts]
    ) -> None:
        """Put numbers of streams, `at` a stream and an hour each, into the counts of subjects."""
        customers = len(who.starts)
        for name, numbers in values.items():
            of_streams = np.zeros((streams, self._extent.hours), np.int64)
            of_streams[at] = numbers
            counts[:customers, :, FIELD_INDEX[name]] = np.add.reduceat(of_streams, who.starts, axis=0)
            counts[customers : len(who.customers), :, FIELD_INDEX[name]] = of_streams[who.several]

    def _place(self, hours: Any) -> Counts:
        found: Counts = (hours.astype(np.int64) - self._extent.start_s) // HOUR_S
        return found

    def _add_exposure(self, counts: Counts, who: Layout, keys: Sequence[StreamKey], customers: Sequence[str]) -> None:
        """`sent` and `exposed` of customers that used an address that was listed."""
        if not self._listings:
            return
        asked = {
            **self._asked,
            "since_0": self._extent.start_s,
            **listed_parameters(self._listings),
        }
        exposed = [
            str(customer)
            for names in portions(self._store, customers)
            for (customer,) in self._store.rows(EXPOSED, {"customers": names, **asked})
        ]
        row_of = {key: row for row, key in enumerate(keys)}
        found = [
            (row_of[customer, stream], *numbers)
            for names in portions(self._store, sorted(exposed))
            for customer, stream, *numbers in self._store.rows(EXPOSURE, {"customers": names, **asked})
            if (customer, stream) in row_of
        ]
        if found:
            rows, hours, sent, mail = np.array(found, np.int64).T
            self._fill(counts, who, len(keys), (rows, self._place(hours)), {"sent": sent, "exposed": mail})

    def _own(self) -> Mapping[str, Sequence[OwnListing]]:
        """Listings by whose own they are."""
        if self._owned is None:
            self._owned = self._read_own(self._known)
        return self._owned

    def _causes(self) -> Mapping[str, Sequence[AttributedListing]]:
        """Listings by their likeliest cause, as it is stored now."""
        if self._attributed is None:
            found: dict[str, list[AttributedListing]] = defaultdict(list)
            for customer, caused in read_attributed_shares(self._store, self._known).items():
                for listing, share in caused:
                    found[customer].append(AttributedListing(listing.from_ms // 1000, _end(listing), share))
            self._attributed = found
        return self._attributed

    def _read_own(self, listings: Sequence[ListingInterval]) -> Mapping[str, Sequence[OwnListing]]:
        owned = by_owner(listings, users_before(self._store, listings), read_owners(self._store, listings))
        return {
            customer: [
                OwnListing(own.listing.from_ms // 1000, _end(own.listing), own.listing.weight, own.stream)
                for own in several
            ]
            for customer, several in owned.items()
        }


def _end(listing: ListingInterval) -> float:
    """Epoch s."""
    return inf if listing.to_ms is None else listing.to_ms / 1000
