"""Counts by the hour of many customers, from the hourly projection: what `streams.what_if.backtest` goes through."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf
from typing import Any

import numpy as np

from schemas.event import DEFAULT_STREAM
from schemas.listing import KINDS, WEIGHTS
from schemas.policy import Policy
from schemas.policy_metric import USE, Metric, window_ms
from schemas.scope import CLASS, CLASS_PREFIX, SUB_ACCOUNT
from schemas.times import DAY_S, HOUR_S, MINUTE_S
from streams.decisions.stored_overrides import override_history
from streams.io.store import Store, portions
from streams.judge.fleet import FleetVolume
from streams.listings.causes import read_attributed_shares, read_owners
from streams.listings.exclusive import by_owner, users_before
from streams.listings.exposure import EXPOSED, SENT_MAIL, THROUGH_LISTED, exposing, listed_parameters
from streams.listings.intervals import ListingInterval
from streams.listings.left_out import read_judged
from streams.subjects.arrays import FIELDS, Counts, layout
from streams.subjects.fresh_starts import FreshStart
from streams.subjects.left_out import NOT_LEFT_OUT
from streams.subjects.stored_fresh_starts import fresh_starts
from streams.subjects.total_queries import OF_FBL
from streams.what_if.each_rule import each_rule, short_windows
from streams.what_if.hourly_subjects import MEASURED, READ, Extent, HourlyRows, HourlySubjects
from streams.what_if.may_open import RateTotals, may_need_minutes
from streams.what_if.read_use import ReadUse
from streams.what_if.releases import read_releases
from streams.what_if.timeline import AttributedListing, Cut, Group, History, OwnListing
from streams.windows.classes import CLASSES
from streams.windows.fleet import read_fleet_volume
from streams.windows.sub_accounts import rows_of_sub_accounts

__all__ = ["Extent", "Hourly"]

#: By how much an hour of the fleet may be more than was seen of it on another day.
ROOM = 1.5
#: What is held of one portion of customers, in bytes: a few times this is needed at once.
PORTION_BYTES = 32_000_000
#: Most customers have one stream; those with several make a portion a little larger.
BYTES_AN_HOUR = 8 * len(FIELDS)

_SUMMED = (
    *(f"sum(n_{name})" for name in MEASURED),
    *(f"sumIf(n_{name}, value IN {{{{fbl:Array(String)}}}})" for name in OF_FBL),
    "count()",
)

CUSTOMERS = """
SELECT DISTINCT customer FROM counts
WHERE dimension = 'provider'
    AND toStartOfHour(bucket) >= toDateTime({since:UInt32}) AND toStartOfHour(bucket) < toDateTime({until:UInt32})
ORDER BY customer
"""

#: A row a stream. The innermost query has the shape of the hourly projection, so ClickHouse reads that.
HOURS = f"""
SELECT customer, stream, groupArray(toUInt32(hour)), {", ".join(f"groupArray(s{n})" for n in range(len(_SUMMED)))}
FROM
(
    SELECT customer, stream, hour, {", ".join(f"{each} AS s{n}" for n, each in enumerate(_SUMMED))}
    FROM
    (
        SELECT customer, stream, toStartOfHour(bucket) AS hour, value,
            {", ".join(f"sum({name}) AS n_{name}" for name in dict.fromkeys((*MEASURED, *OF_FBL)))}
        FROM counts
        WHERE dimension = 'provider' AND customer IN {{{{customers:Array(String)}}}}
            AND toStartOfHour(bucket) >= toDateTime({{{{since:UInt32}}}})
            AND toStartOfHour(bucket) < toDateTime({{{{until:UInt32}}}})
            AND {NOT_LEFT_OUT} {{only}}
        GROUP BY customer, stream, hour, value
    )
    GROUP BY customer, stream, hour
)
GROUP BY customer, stream
ORDER BY customer, stream
"""  # noqa: S608 - made of names from this project only
MAIL_TO = "AND value IN {mail_to:Array(String)}"
OF_CLASS = "AND class = {class:String}"
#: The last minutes of each hour, and what of an hour lies before a fresh start.
TAIL = "AND toMinute(bucket) >= {minute:UInt8}"
UNTIL = "AND bucket < toDateTime({cut:UInt32})"

#: Whether mail was exposed is decided minute by minute: a listing begins and ends inside an hour.
EXPOSURE = f"""
SELECT customer, stream, toUInt32(toStartOfHour(bucket)) AS hour, sum({SENT_MAIL}), sumIf({SENT_MAIL}, {THROUGH_LISTED})
FROM counts
WHERE dimension = 'ip' AND customer IN {{customers:Array(String)}}
    AND bucket >= toDateTime({{since_0:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
GROUP BY customer, stream, hour
"""  # noqa: S608 - made of names from this project only


class Hourly:
    """Reads the history of all customers, a portion at a time."""

    def __init__(
        self,
        store: Store,
        extent: Extent,
        feedback_loop: Sequence[str],
        *,
        sub_accounts: bool = False,
        policies: Sequence[Policy] = (),
    ) -> None:
        """With `sub_accounts` those are among the subjects. What `policies` ask for besides is read too: mail to some
        providers, classes, minutes, and what acceptable use is judged by."""
        self._sub_accounts = sub_accounts or any(SUB_ACCOUNT in policy.scopes for policy in policies)
        self._classes = any(CLASS in policy.scopes for policy in policies)
        self._policies = policies
        self._groups = sorted({group for policy in policies for group in policy.mail_to})
        used: set[Metric] = {rule.metric for policy in policies for rule in policy.rules if rule.metric in USE}
        self._store = store
        self._extent = extent
        self._asked = {"fbl": list(feedback_loop), "since": extent.start_s, "until": extent.end_s}
        self._use = ReadUse(store, extent.start_s, extent.end_s, used)
        begin_ms, end_ms = extent.start_s * 1000, extent.end_s * 1000
        self._known = [each for each in read_judged(store, begin_ms, WEIGHTS, KINDS) if each.from_ms < end_ms]
        self._listings = exposing(self._known)
        self._owned: Mapping[str, Sequence[OwnListing]] | None = None
        self._attributed: Mapping[str, Sequence[AttributedListing]] | None = None
        self._overrides = override_history(store, end_ms)
        self._releases = read_releases(store, begin_ms, end_ms)
        self._fleet = _Fleet(store, extent) if any(policy.spikes_from is not None for policy in policies) else None
        self._fresh = fresh_starts(store, end_ms, extent.start_s)

    def customers(self) -> list[str]:
        """Everybody with mail in this time, or of whom something was reported, sorted.

        Raises:
            StoreError: the store failed.
        """
        found = {str(customer) for (customer,) in self._store.rows(CUSTOMERS, self._asked)}
        return sorted(found | self._use.customers_reported())

    def portions(self, customers: Sequence[str]) -> Iterator[History]:
        """The history of these customers (sorted), some at a time, each with its streams.

        Raises:
            StoreError: the store failed.
        """
        parts = 1 + len(self._groups)
        some = max(1, PORTION_BYTES // (BYTES_AN_HOUR * parts * max(1, self._extent.hours)))
        for place in range(0, len(customers), some):
            yield self._read(customers[place : place + some])

    def _read(self, customers: Sequence[str]) -> History:
        found = self._rows(customers)
        reported = self._use.reported(customers)
        silent = reported.keys() - {customer for customer, _ in found.keys}
        keys = sorted([*found.keys, *((customer, DEFAULT_STREAM) for customer in silent)])
        who = layout(keys)
        accounts = rows_of_sub_accounts(who.customers, who.scopes) if self._sub_accounts else {}
        of_class = {name: self._rows(customers, OF_CLASS, **{"class": name}) for name in CLASSES if self._classes}
        both = (
            sorted(set.intersection(*({key[0] for key in each.keys} for each in of_class.values()))) if of_class else []
        )
        subjects = HourlySubjects(
            who,
            keys,
            [*who.customers, *(customer for customer, _ in accounts), *(each for each in both for _ in CLASSES)],
            [
                *who.scopes,
                *(scope for _, scope in accounts),
                *(f"{CLASS_PREFIX}{name}" for _ in both for name in CLASSES),
            ],
            list(accounts.values()),
            self._extent,
        )
        counts, seen = subjects.filled(found, READ)
        for name, rows in of_class.items():
            subjects.add_class(counts, seen, rows, name)
        self._add_exposure(counts, subjects, customers)
        self._use.add(counts, subjects.fill, customers)
        history = History(
            subjects.customers,
            subjects.scopes,
            self._extent.start_s,
            self._extent.first,
            counts,
            self._own(),
            self._causes(),
            by_provider={
                group: subjects.filled(self._rows(customers, MAIL_TO, mail_to=list(group)), READ)[0]
                for group in self._groups
            },
            seen=seen if self._policies else None,
            overrides={each: self._overrides[each] for each in customers if each in self._overrides},
            releases={each: self._releases[each] for each in customers if each in self._releases},
            unwanted=self._use.unwanted(customers),
            domains=self._use.domains(customers),
            reported=reported,
            fleet=self._fleet,
        )
        history = replace(history, tails=self._tails(history, subjects)) if self._policies else history
        anew = {each: self._fresh[each] for each in customers if each in self._fresh}
        return replace(history, cuts={each: self._cuts(each, fresh, history, subjects) for each, fresh in anew.items()})

    def _rows(self, customers: Sequence[str], only: str = "", **bound: Any) -> HourlyRows:
        found = HourlyRows([], [[] for _ in ("hour", *_SUMMED)])
        for names in portions(self._store, customers):
            for block in self._store.blocks(HOURS.format(only=only), {**self._asked, **bound, "customers": names}):
                found.keys.extend(zip(block[0].tolist(), block[1].tolist(), strict=True))
                for column, more in zip(found.columns, block[2:], strict=True):
                    column.extend(more)
        return found

    def _tails(self, history: History, subjects: HourlySubjects) -> Mapping[tuple[Group, str], Mapping[int, Counts]]:
        """The last minutes of each hour, of customers for whom a window of less than an hour may matter."""
        rates = RateTotals(history)
        wanted: dict[tuple[Group, str], set[str]] = defaultdict(set)
        decided = {*history.overrides, *history.releases, *set(history.customers).intersection(self._fresh)}
        for policy in self._policies:
            for alone in each_rule(policy, minutes=True):
                (rule,) = alone.rules
                special = decided | {each.customer for each in alone.overrides}
                if short := short_windows(rule):
                    places = np.flatnonzero(may_need_minutes(history, rates, rule, alone)).tolist()
                    for window in short:
                        wanted[rule.mail_to, window] |= special | {history.customers[place] for place in places}
        return {key: self._tail(*key, customers, subjects) for key, customers in wanted.items()}

    def _tail(
        self, group: Group, window: str, customers: Collection[str], subjects: HourlySubjects, cut_s: int = 0
    ) -> Mapping[int, Counts]:
        minutes = window_ms(window) // 1000 // MINUTE_S
        only, bound = TAIL, {"minute": 60 - minutes}
        places = [place for place, each in enumerate(subjects.customers) if each in customers]
        found: dict[int, Counts] = {}
        if places:
            counts = self._part(sorted(set(customers)), only, bound, group, subjects, cut_s)[0]
            found = {place: counts[place] for place in places}
        return found

    def _part(
        self,
        customers: Sequence[str],
        only: str,
        bound: Mapping[str, Any],
        group: Group,
        subjects: HourlySubjects,
        cut_s: int,
    ) -> tuple[Counts, Counts]:
        """Counts of some mail, in all subjects; with `cut_s` (epoch s) of the hour that it lies in, before it."""
        bound = dict(bound)
        if group:
            only, bound = f"{only} {MAIL_TO}", bound | {"mail_to": list(group)}
        if cut_s:
            hour = cut_s // HOUR_S * HOUR_S
            only, bound = f"{only} {UNTIL}", bound | {"cut": cut_s, "since": hour, "until": hour + HOUR_S}
        counts, seen = subjects.filled(self._rows(customers, only, **bound), READ)
        if self._classes and not group:
            for name in CLASSES:
                subjects.add_class(
                    counts, seen, self._rows(customers, f"{only} {OF_CLASS}", **bound, **{"class": name}), name
                )
        return counts, seen

    def _cuts(
        self, customer: str, fresh: Sequence[FreshStart], history: History, subjects: HourlySubjects
    ) -> list[Cut]:
        places = [place for place, each in enumerate(subjects.customers) if each == customer]
        found = []
        for each in fresh:
            hour = (each.since_s - self._extent.start_s) // HOUR_S
            if hour >= self._extent.hours or each.since_s % HOUR_S == 0:
                found.append(Cut(each.decided_ms, each.since_s))
                continue
            partial: dict[Group, Mapping[int, Counts]] = {}
            seen: dict[int, int] = {}
            for group in ((), *self._groups):
                counts, rows = self._part([customer], "", {}, group, subjects, each.since_s)
                if not group:
                    self._add_exposure(counts, subjects, [customer], each.since_s)
                    self._use.add(counts, subjects.fill, [customer], each.since_s)
                    seen = {place: int(rows[place, hour]) for place in places}
                partial[group] = {place: counts[place, hour] for place in places}
            tails: dict[tuple[Group, str], Mapping[int, Counts]] = {}
            for key in history.tails or {}:
                before = self._tail(*key, [customer], subjects, each.since_s)
                tails[key] = {place: counts[hour] for place, counts in before.items()}
            found.append(Cut(each.decided_ms, each.since_s, partial, tails, seen))
        return found

    def _add_exposure(self, counts: Counts, subjects: HourlySubjects, customers: Sequence[str], cut_s: int = 0) -> None:
        """`sent` and `exposed` of customers that used an address that was listed."""
        if not self._listings or not subjects.keys:
            return
        since = cut_s // HOUR_S * HOUR_S if cut_s else self._extent.start_s
        asked = {**self._asked, "since_0": since, **listed_parameters(self._listings)}
        if cut_s:
            asked["until"] = cut_s
        exposed = [
            str(customer)
            for names in portions(self._store, customers)
            for (customer,) in self._store.rows(EXPOSED, {**asked, "customers": names, "since_0": self._extent.start_s})
        ]
        found = [
            (customer, stream, *map(int, numbers))
            for names in portions(self._store, sorted(exposed))
            for customer, stream, *numbers in self._store.rows(EXPOSURE, {"customers": names, **asked})
        ]
        subjects.fill(counts, found, ("sent", "exposed"))

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


class _Fleet:
    """What the whole fleet sent at the steps, read when it is asked for."""

    def __init__(self, store: Store, extent: Extent) -> None:
        self._store = store
        self._known: dict[int, FleetVolume] = {}
        # Each of these looks back over four weeks by the hour.
        begin = extent.start_s + extent.first * HOUR_S
        self._days = [*range(begin, extent.end_s, DAY_S), extent.end_s]

    def at(self, now_ms: int) -> FleetVolume:
        """What it sent at a step (epoch ms), and before."""
        if now_ms not in self._known:
            self._known[now_ms] = read_fleet_volume(self._store, now_ms)
        return self._known[now_ms]

    @cached_property
    def most(self) -> float:
        """How many times its usual it sent in any hour at the most, with some room."""
        return ROOM * max(float(self.at(second * 1000).before.max()) for second in self._days)


def _end(listing: ListingInterval) -> float:
    """Epoch s."""
    return inf if listing.to_ms is None else listing.to_ms / 1000
