"""Window counts from ClickHouse: what was counted for some customers over each sliding window.

Windows slide in event time and end now. Up to 24 h they begin at a minute; longer ones begin at a full hour, so
that they are read from the hourly projection (30 days then cost about as much as one).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from schemas.counts import SubjectCounts
from schemas.listing import KINDS, WEIGHTS, Weight
from schemas.policy import Policy
from schemas.policy_metric import DEFAULT_LEAST_MAIL, REPORTED_SPAM, Metric
from schemas.scope import CLASS, SUB_ACCOUNT
from streams.io.store import Store
from streams.judge.screen import finished
from streams.listings.causes import read_attributed
from streams.listings.exclusive import OwnListings, add_attributed, add_listings
from streams.listings.exposure import add_exposure
from streams.listings.intervals import ListingInterval, read_listings
from streams.listings.left_out import LeftOut, judged, read_left_out
from streams.subjects import fresh_starts, undated
from streams.subjects.arrays import FIELD_INDEX, Subjects, Totals, subjects
from streams.subjects.fresh_starts import Since
from streams.subjects.left_out import KnownLeftOut
from streams.subjects.stored_fresh_starts import read_since
from streams.subjects.totals import CachedTotals, begin, may_leave_out, read_totals
from streams.windows.acceptable_use import add_acceptable_use
from streams.windows.baselines import Baselines
from streams.windows.classes import ClassWindows
from streams.windows.providers import Group, ProviderWindows
from streams.windows.reported import add_reported, days_in, with_reported
from streams.windows.sub_accounts import with_sub_accounts

#: The window of which what is usual at this time of day is known.
SPIKE_WINDOW = "1h"


class Windows:
    """Reads windows; the long ones of a customer at most every `keep_ms`, of at most `most` customers.

    `windows` maps names to lengths in ms. A customer of whom nothing is kept is read in full. With `spike_from` what is
    usual is read too, of those with so many recipients in the last hour. One thread at a time.
    """

    def __init__(
        self,
        store: Store,
        windows: Mapping[str, int],
        feedback_loop: Sequence[str],
        keep_ms: int,
        most: int,
        *,
        own_weights: Iterable[Weight] = WEIGHTS,
        attributed_share: float | None = None,
        spike_from: int | None = None,
        used: Collection[Metric] = (),
        least_new: int = DEFAULT_LEAST_MAIL,
        mail_to: Collection[Group] = (),
        classes: bool = False,
        sub_accounts: bool = False,
        left_out: KnownLeftOut = None,
    ) -> None:
        """Own listings are counted of lists of `own_weights`, attributed ones from a share on, if one is given. Of
        `policy.USE` what is `used` is read; a new From domain counts from `least_new` recipients on.
        Mail to each group of mailbox providers in `mail_to` is read by itself, with `classes` bulk and transactional
        mail too; with `sub_accounts` the streams of each are added up. `left_out` is what mail of
        incidents is left out, where that is known; where it is none, their listings count too."""
        self._store = store
        #: What mail is left out, and the listings that are held against nobody, where that is known; else it is asked.
        self._mail_left_out = left_out
        self._left_out: LeftOut | None = None if may_leave_out(left_out) else {}
        self._used = used
        self._least_new = least_new
        self._share = attributed_share
        self._windows = len(windows)
        every = undated.to_read(windows)
        self._names = tuple(every)
        self._lengths = list(every.values())
        self._fbl = feedback_loop
        self._kept = CachedTotals(self._lengths, keep_ms, most)
        groups = sorted(mail_to)
        self._by_provider = (
            ProviderWindows(store, groups, self._lengths, feedback_loop, keep_ms, most, left_out=left_out)
            if groups
            else None
        )
        self._sub_accounts = sub_accounts
        self._classes = (
            ClassWindows(store, self._lengths, feedback_loop, keep_ms, most, left_out=left_out) if classes else None
        )
        self._own_listings = OwnListings(store, own_weights)
        self._spike_from = spike_from
        self._baselines = None if spike_from is None else Baselines(store)

    @classmethod
    def for_policy(
        cls,
        store: Store,
        policy: Policy,
        windows: Mapping[str, int],
        feedback_loop: Sequence[str],
        keep_ms: int,
        most: int,
        *,
        left_out: KnownLeftOut = None,
    ) -> "Windows":
        """Windows with all that the rules of a policy ask for."""
        return cls(
            store,
            windows,
            feedback_loop,
            keep_ms,
            most,
            own_weights=policy.listed_weights,
            attributed_share=policy.attributed_share,
            spike_from=policy.spikes_from,
            used=policy.used,
            least_new=policy.least_new,
            mail_to=policy.mail_to,
            classes=CLASS in policy.scopes,
            sub_accounts=SUB_ACCOUNT in policy.scopes,
            left_out=left_out,
        )

    def read(
        self, customers: Iterable[str], now_ms: int, since: Since | None = None
    ) -> tuple[Subjects, list[tuple[str, int]]]:
        """The subjects of customers that have any count, or of whom a rate was reported, and who is to be read again
        when.

        Those are the customers whose long windows were read a while ago, each with the time (epoch ms) from
        which on they are read again. `since` are the fresh starts of these customers; without it they are looked for.

        Raises:
            StoreError: the store failed.
        """
        asked = sorted(set(customers))
        if since is None:
            since = read_since(self._store, now_ms)
        if since:
            since = fresh_starts.after(since, begin(max(self._lengths, default=0), now_ms))
            self.forget_some(since)
        since_ms = now_ms - max(self._lengths[: self._windows], default=0)
        listings = read_listings(self._store, since_ms, WEIGHTS, KINDS)
        if listings and self._left_out != {}:
            left_out = self._left_out if self._left_out is not None else read_left_out(self._store)
            listings = judged(left_out, listings)

        def read(some: Sequence[str], places: Sequence[int]) -> Totals:
            return self._totals(some, places, listings, now_ms, since)

        totals, again = self._kept.of(asked, now_ms, read)
        reported = REPORTED_SPAM in self._used
        days = days_in(self._store, asked, self._lengths, now_ms, since) if reported else {}
        if days:
            totals = with_reported(totals, days, len(self._lengths))
        found = subjects(totals, self._names)
        if self._sub_accounts:
            found = with_sub_accounts(found)
        # Of mail that bounced late, the delivery may lie before the window.
        for field in ("sent", "exposed"):
            np.maximum(found.counts[..., FIELD_INDEX[field]], 0, out=found.counts[..., FIELD_INDEX[field]])
        if listings:
            add_listings(found, self._lengths, self._own_listings.owned(listings, now_ms), now_ms, since)
        if listings and self._share is not None:
            attributed = read_attributed(self._store, listings, self._share)
            add_attributed(found, self._lengths, attributed, now_ms, since)
        if days:
            add_reported(found, days, self._lengths, now_ms)
        if self._classes is not None:
            found = self._classes.added(found, now_ms, since)
        if self._baselines is not None and (rows := self._large_now(found)):
            found = replace(found, baselines=self._baselines.of(found, rows, now_ms, since, self._mail_left_out))
        if self._by_provider is not None:
            found = replace(found, by_provider=self._by_provider.of(found, now_ms, since))
        found = undated.judged(found, self._lengths, self._windows) if found.undated else found.first(self._windows)
        return found, again

    def leave_out(self, mail: KnownLeftOut, listings: LeftOut | None) -> None:
        """The mail and the listings of incidents that are left out from now on, where that is known: reading is faster
        without asking."""
        self._mail_left_out, self._left_out = mail, listings
        for part in (self._by_provider, self._classes):
            if part is not None:
                part.leave_out(mail)

    def forget_some(self, customers: Iterable[str]) -> None:
        """Read these again: of whom a fresh start is known, nothing of before it is kept."""
        self._kept.forget(customers)
        for part in (self._by_provider, self._classes, self._baselines):
            if part is not None:
                part.forget_some(customers)

    def forget(self) -> None:
        """Read everything again from now on."""
        self._kept.clear()
        if self._by_provider is not None:
            self._by_provider.forget()
        if self._classes is not None:
            self._classes.forget()
        if self._baselines is not None:
            self._baselines.forget()

    def _large_now(self, found: Subjects) -> list[int]:
        """The places of those whose last hour is large enough to be a spike; mostly there is none."""
        if self._spike_from is None or not len(found):
            return []
        volumes = finished(found.counts[:, found.windows.index(SPIKE_WINDOW)])
        return np.flatnonzero(volumes >= self._spike_from).tolist()

    def _totals(
        self,
        customers: Sequence[str],
        places: Sequence[int],
        listings: Sequence[ListingInterval],
        now_ms: int,
        since: Since,
    ) -> Totals:
        lengths = [self._lengths[place] for place in places]
        totals = read_totals(
            self._store, customers, lengths, self._fbl, now_ms, left_out=self._mail_left_out, since=since
        )
        if listings:
            add_exposure(self._store, totals, customers, lengths, listings, now_ms, since=since)
        if self._used:
            add_acceptable_use(
                self._store,
                totals,
                customers,
                lengths,
                self._used,
                self._least_new,
                now_ms,
                since=since,
                left_out=self._mail_left_out,
            )
        return totals


def window_counts(
    store: Store,
    customers: Iterable[str],
    windows: Mapping[str, int],
    feedback_loop_providers: Sequence[str],
    now_ms: int,
    policy: Policy | None = None,
) -> list[SubjectCounts]:
    """Totals of each customer and of each of its streams (these only where it has more than one).

    `windows` maps names to lengths in ms. A customer without any count is absent. With `policy` all is read that its
    rules ask for, else only what is cheap.

    Raises:
        StoreError: the store failed.
    """
    loop = feedback_loop_providers
    reader = (
        Windows(store, windows, loop, 0, 0)
        if policy is None
        else Windows.for_policy(store, policy, windows, loop, 0, 0)
    )
    found, _ = reader.read(customers, now_ms)
    return [found.one(place) for place in range(len(found))]
