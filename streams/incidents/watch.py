"""The watch for incidents: looks at the last hours again and again, stores what it finds, and knows what is left out.

Several monitors may each hold one: they find the same incidents under the same ids, and read what others and people
stored.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from schemas.incident import EVERYWHERE, Incident, IncidentEvent, incident_event
from schemas.policy import Policy
from schemas.times import DAY_S, HOUR_S
from schemas.wording import rfc3339
from streams.incidents.alone import TELLING, FailedOf, worst_hour, worst_place
from streams.incidents.arrivals import Arrivals
from streams.incidents.cells import Cells, failing_hours, hours_before
from streams.incidents.complained_together import ComplainedTogether
from streams.incidents.days import DAYS, ComplaintDays
from streams.incidents.detect import LEAST_STRUCK, is_over
from streams.incidents.expired_together import ExpiredTogether
from streams.incidents.finder import Finder
from streams.incidents.fleet_cells import FleetCells
from streams.incidents.given_up_later import LONGEST_S, may_be_of, undated_expiries
from streams.incidents.hours import FoundHour, Looked, updated
from streams.incidents.listing_look import ListingLook, customers_listed, listed_together
from streams.incidents.policy_rates import bad_history, excessive_rates
from streams.incidents.samples import with_samples
from streams.incidents.stored import name_of, read_all_left_out, read_incidents, store_incidents
from streams.incidents.untold import MANY, Untold, may_be_of_all_mail, suspected_of
from streams.incidents.witnesses import WitnessReader
from streams.io.store import Store
from streams.listings.left_out import LeftOut, ListingHour
from streams.subjects.left_out import KnownLeftOut, ProviderHour

#: Each look is at the last hours, and at some of the older ones of which something may still come in: at all of them
#: no more often than so many ms.
RECENT_H, ALL_H = 3, 7 * 24
ALL_EVERY_MS = 600_000
#: Older hours are looked at for about so long (s) at a time, since nobody is judged meanwhile; but at a day at least:
#: one hour costs nearly as much.
OLDER_FOR_S, LEAST_OLDER = 1.0, 24
#: Looked at no more often, and for at most one part of so many of the time.
LEAST_APART_MS, PART = 2_000, 10
#: What is found is no part of what is usual: later days among those of an alarm are looked at again then, up to so
#: many times.
MOST_AGAIN = 8
#: What was left out longer ago is in no window.
FORGOTTEN_S = 60 * DAY_S

AFFECTED = """
SELECT DISTINCT customer FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) IN {hours:Array(DateTime('UTC'))}
    AND ({everywhere:Bool} OR (value, toUnixTimestamp(toStartOfHour(bucket)))
        IN arrayZip({values:Array(String)}, {at:Array(UInt32)}))
"""


class Changed(NamedTuple):
    """The mail, by provider and hour, and the listings, by list or network and hour, that are left out since, and those
    that are not any more; and the customers, with hours, who are not excused since, or are again."""

    mail: frozenset[ProviderHour] = frozenset()
    listings: frozenset[ListingHour] = frozenset()
    not_excused: frozenset[ProviderHour] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.mail or self.listings or self.not_excused)


NOTHING_CHANGED = Changed()


class IncidentWatch:
    """Finds incidents. One thread at a time. All times are passed in."""

    def __init__(self, store: Store, announce: Callable[[Sequence[IncidentEvent]], None] | None = None) -> None:
        """`announce` is given the events of incidents that began or are over, before that is stored."""
        self._store = store
        self._announce = announce
        self._fleet = FleetCells(store)
        self._cells = Cells(store, self._fleet.state, self._fleet.counted)
        self._finder = Finder(self._cells)
        self._untold = Untold(self._cells, self._finder)
        #: Those who tell of a customer that it is they.
        self.witnesses = WitnessReader(store, self._cells, self._finder)
        self._days = ComplaintDays(store, self._cells)
        self._arrivals = Arrivals(store, self._cells)
        self._complained = ComplainedTogether(store, self._cells)
        self._expired = ExpiredTogether(self._cells)
        self._listings = ListingLook(store, self._cells)
        self._looked_ms = 0
        #: Of whom it was looked for what struck them, at that time.
        self._alarmed: frozenset[str] = frozenset()
        self._older: list[int] = []
        self._round_ms = -ALL_EVERY_MS
        #: Whether all mail failed in some hour of the last look, and it may be those who were struck.
        self._doubtful = False
        self._loaded = False
        self._took_ms = 0
        #: What is left out of what customers are judged by: provider and beginning of the hour (epoch s).
        self.excluded: frozenset[ProviderHour] = frozenset()
        #: Customers and hours (epoch s) whose mail counts all the same.
        self.not_excused: frozenset[ProviderHour] = frozenset()
        #: The listings that are held against nobody; None before the first look.
        self.listings: LeftOut | None = None
        #: What was left out when it was last said what changed.
        self._said = NOTHING_CHANGED
        #: A short name of all three; empty where nothing is left out.
        self.name = ""

    def set_policy(self, policy: Policy) -> None:
        """Ask those of incidents who are good by this policy; nobody who is excessive by it in another way than an
        incident explains is excused."""
        self._finder.excessive = excessive_rates(policy)
        self._cells.bad = bad_history(policy)
        self._listings.set_policy(policy)

    def refresh(self, now_ms: int, alarmed: Collection[str] = ()) -> Changed:
        """Look again, unless it was looked a moment ago; returns what is left out since, and what is not any more; the
        first look all that is left out. Where customers are `alarmed`, it must be known now, and of the hours in which
        their mail failed: the last look may be older than what they are judged by.

        Raises:
            StoreError: the store failed; look again later.
        """
        # The last look at this very time may have been at other hours.
        asked = self._alarmed if now_ms == self._looked_ms else frozenset()
        apart_ms = max(LEAST_APART_MS, PART * self._took_ms)
        if self._loaded and (asked.issuperset(alarmed) if alarmed else 0 <= now_ms - self._looked_ms < apart_ms):
            return NOTHING_CHANGED
        began, self._doubtful = time.monotonic(), False
        self._cells.left_out = None
        self._read(now_ms)
        recent = {hours_before(now_ms // 1000, count) for count in range(1, RECENT_H + 1)}
        if alarmed:
            self._look_for(now_ms, alarmed, recent)
        else:
            self._look(now_ms, recent)
            self._look_at_older(now_ms, (time.monotonic() - began) / RECENT_H)
            self._read(now_ms)
        self._looked_ms, self._alarmed = now_ms, asked.union(alarmed)
        self._took_ms = round((time.monotonic() - began) * 1000)
        self._loaded = True
        self.name = name_of(self.excluded, self.listings or (), self.not_excused)
        return self._changed()

    def untold(self, failed: FailedOf, now_ms: int) -> dict[str, Incident]:
        """Of customers who alarm by their mail, which `failed` there, those of whom nobody can tell whether it is the
        provider's trouble, by the incident that is suspected; not where a person dismissed it. So it is, too, where
        all mail fails and it may be those who were struck (see `surge`); and of who alarms by mail of an unknown time
        that was given up, by the incident that it may be of (see `given_up_later`).

        Raises:
            StoreError: the store failed.
        """
        senders = partial(self._fleet.senders, least=TELLING)
        worst_of = {each: worst_place(places, of_hour=True) for each, places in failed.at.items()}
        beyond = {each for each, at in worst_of.items() if (each, at.hour) in self.not_excused}
        wanted = {each: (*at,) for each, at in worst_of.items() if each not in beyond and senders(*at) < MANY}
        asked = self._untold.found(wanted, self.excluded, failed.at, senders) if wanted else {}
        given_up = failed.undated - asked.keys()
        later = undated_expiries(
            self._store, self._cells, {each: at for each, at in failed.at.items() if each in given_up}
        )
        if not asked and not later and not self._doubtful:
            return {}
        worst = {each: worst_hour(places) for each, places in failed.at.items()}
        since_s = min(worst.values(), default=now_ms // 1000) - DAY_S - (LONGEST_S if later else 0)
        known = read_incidents(self._store, since_s).found
        # What is suspected of a pool, or was until a person dismissed it, is not suspected of the provider as well.
        found = {who: each.hour for who, each in asked.items() if not each.is_of_a_pool(known.values())}
        found |= self._expired.found(later)
        self._keep(Looked(list(dict.fromkeys(found.values())), (), at_current=False), now_ms, known)
        in_force = read_incidents(self._store, since_s).in_force()
        suspected = [each for each in in_force if each.state == "suspected"]
        doubtful = [each for each in suspected if each.dimension == "all" and each.struck >= LEAST_STRUCK]
        held = {
            who: each for who, at in failed.at.items() for each in doubtful if may_be_of_all_mail(each, at, worst[who])
        }
        bad = self._cells.bad["expired"]
        of_later = {who: may_be_of(each, bad, in_force) for who, each in later.items()}
        held |= {who: each for who, each in of_later.items() if each is not None}
        return held | suspected_of(found, suspected)

    def complained_together(self, alarmed: Mapping[str, int], now_ms: int) -> dict[str, Incident]:
        """Of customers who alarm by complaints within so many ms each those of whom nobody can tell whether it is a
        batch of the provider's, by the incident that is suspected; not where a person dismissed it.

        Raises:
            StoreError: the store failed.
        """
        found = self._complained.found(alarmed, now_ms)
        if not found:
            return {}
        since_s = min(each.hour for each in found.values()) - 2 * DAY_S
        known = read_incidents(self._store, since_s).found
        self._keep(Looked(list(dict.fromkeys(found.values())), (), at_current=False), now_ms, known)
        return suspected_of(found, read_incidents(self._store, since_s).in_force())

    def listed_together(self, alarmed: Collection[str], now_ms: int) -> dict[str, Incident]:
        """`listed_together` of those that are in force.

        Raises:
            StoreError: the store failed.
        """
        if not alarmed:
            return {}
        in_force = read_incidents(self._store, now_ms // 1000 - DAY_S).in_force()
        return listed_together(self._store, in_force, alarmed, now_ms)

    def _look_for(self, now_ms: int, alarmed: Collection[str], recent: set[int]) -> None:
        """Look at what may have struck some customers."""
        failing = failing_hours(self._store, alarmed, hours_before(now_ms // 1000, ALL_H))
        hours = recent | failing.hours
        if failing.complained >= LEAST_STRUCK:
            self._look_at_days(now_ms)
        for _ in range(MOST_AGAIN):
            before = self.excluded
            self._look(now_ms, hours)
            self._read(now_ms)
            new = [hour for _, hour in before ^ self.excluded]
            # A batch of several days was part of what seemed usual on the later ones.
            hours = {hour for hour in hours if new and hour // DAY_S > min(new) // DAY_S}
            if not hours:
                break

    def _look_at_older(self, now_ms: int, an_hour_s: float) -> None:
        """Look at the next of the older hours, as many as there is time for. `an_hour_s` is how long one takes."""
        # Begun in the future means that the clock was set back since.
        if not self._older and not 0 <= now_ms - self._round_ms < ALL_EVERY_MS:
            self._older = [hours_before(now_ms // 1000, count) for count in range(RECENT_H + 1, ALL_H + 1)]
            self._round_ms = now_ms
            self._listings.forget()
            self._look_at_days(now_ms)
            self._keep(Looked(self._listings.found(self._older[-1], now_ms), (), at_current=False), now_ms)
        began = time.monotonic()
        while self._older and (left := OLDER_FOR_S - (time.monotonic() - began)) > 0:
            count = max(LEAST_OLDER, int(left / max(an_hour_s, 1e-4) / 2))
            some, self._older = self._older[:count], self._older[count:]
            looked = time.monotonic()
            self._look(now_ms, set(some))
            an_hour_s = (time.monotonic() - looked) / len(some)

    def _read(self, now_ms: int) -> None:
        """Read what is left out now, by all monitors and people, unless it was read in this look and nothing was stored
        since. It is told to what this look asks."""
        if self._cells.left_out is not None:
            return
        mail, not_excused = self.excluded, self.not_excused
        found = read_all_left_out(self._store, max(0, now_ms // 1000 - FORGOTTEN_S))
        self.excluded, self.listings = found.mail, found.listings
        self.not_excused = found.not_excused if found.mail else frozenset()
        self._cells.left_out = self.excluded
        if mail != self.excluded or not_excused != self.not_excused:
            self._cells.forget()

    def _changed(self) -> Changed:
        """What is left out now that was not when this was last asked, and the reverse."""
        before = self._said
        self._said = Changed(self.excluded, frozenset(self.listings or ()), self.not_excused)
        return Changed(*(earlier ^ now for earlier, now in zip(before, self._said, strict=True)))

    @property
    def known(self) -> KnownLeftOut:
        """What is left out; None before the first look."""
        return self.excluded if self._loaded else None

    def affected(self, changed: Changed, now_ms: int) -> set[str]:
        """Who has mail in any of these provider-hours, or used what began to be listed.

        Raises:
            StoreError: the store failed.
        """
        listed = customers_listed(self._store, changed.listings, now_ms)
        return self._with_mail_in(changed.mail) | listed | {customer for customer, _ in changed.not_excused}

    def _with_mail_in(self, changed: Collection[ProviderHour]) -> set[str]:
        if not changed:
            return set()
        some = sorted(changed)
        found: set[str] = set()
        everywhere = [hour for value, hour in some if value == EVERYWHERE]
        if everywhere:
            found |= self._with_mail(everywhere, (), everywhere=True)
        places = [each for each in some if each[0] != EVERYWHERE]
        if places:
            found |= self._with_mail(sorted({hour for _, hour in places}), places)
        return found

    def _with_mail(
        self, hours: Collection[int], places: Collection[ProviderHour], *, everywhere: bool = False
    ) -> set[str]:
        asked = {
            "hours": list(hours),
            "everywhere": everywhere,
            "values": [value for value, _ in places],
            "at": [hour for _, hour in places],
        }
        return {str(customer) for (customer,) in self._store.rows(AFFECTED, asked)}

    def _look(self, now_ms: int, hours: Collection[int]) -> None:
        """Look at some hours (epoch s)."""
        current = now_ms // 1000 // HOUR_S * HOUR_S
        known = read_incidents(self._store, min(hours) - DAY_S).found
        chosen = self._fleet.candidates(hours, self._cells.usual(current), now_ms // 1000)
        # Hours of known incidents are looked at again, and those that an open one may still cover.
        for each in known.values():
            if each.dimension not in ("pool", "listing", "customer"):
                again = {*each.confirmed, current} if each.open else set(each.confirmed)
                if each.outcome != "complained":
                    # Beside them fewer are enough than those who choose an hour.
                    again |= {hour + step for hour in each.confirmed for step in (-HOUR_S, HOUR_S)}
                chosen |= {(each.value, hour) for hour in again if hour in hours}
        of_places = [each for each in known.values() if each.dimension != "customer"]
        listed = self._listings.found(current - (RECENT_H - 1) * HOUR_S, now_ms) if current in hours else []
        found, over = self._finder.found(chosen, of_places) if chosen else ([], set())
        self._keep(Looked([*found, *listed], over, current in hours), now_ms, known)

    def _look_at_days(self, now_ms: int) -> None:
        """Look at the days of which complaints may have come at once."""
        self._fleet.refresh(now_ms // 1000)
        current = now_ms // 1000 // HOUR_S * HOUR_S
        known = read_incidents(self._store, current - (DAYS + 2) * DAY_S).found
        days = {
            (each.value, hour // DAY_S * DAY_S)
            for each in known.values()
            if each.outcome == "complained" and each.leaves_out
            for hour in each.confirmed
        }
        found = self._days.found(now_ms, days)
        recent_s = current - (RECENT_H - 1) * HOUR_S
        recent = {(each.place[1], each.hour): each for each in found if each.hour >= recent_s}
        accounts = self._cells.read(recent.keys())
        usual = {at: self._finder.usual(*at).seen("complained") for at in recent}
        spared = {
            at
            for at, each in recent.items()
            if is_over("complained", accounts.of(*at, "complained", ()), usual[at], each.rate)
        }
        found = [each for each in found if (each.place[1], each.hour) not in spared]
        if found:
            found += self._edges(found)
            self._keep(Looked(found, (), at_current=False), now_ms, known)
            self._read(now_ms)
        # Now it is known of which providers a batch came, and of what mail with a date it was.
        since_s = current - (DAYS + 2) * DAY_S
        known = read_incidents(self._store, since_s).found
        came = {
            (each.value, each.detected_ms // 1000 // DAY_S * DAY_S)
            for each in known.values()
            if each.outcome == "complained" and each.leaves_out
        }
        if at_once := self._arrivals.found(now_ms, came):
            self._keep(Looked(at_once, (), at_current=False), now_ms, known)
            self._read(now_ms)

    def _edges(self, found: Sequence[FoundHour]) -> list[FoundHour]:
        """Hours next to days whose complaints came at once: a batch begins and ends within a day, and who of that day
        sent at other hours was spared. So its hours are asked one by one, of whoever sent then."""
        of_place: dict[str, set[int]] = defaultdict(set)
        for each in found:
            of_place[each.place[1]].add(each.hour)
        wanted = {
            (place, edge)
            for place, hours in of_place.items()
            for step in range(HOUR_S, DAY_S + HOUR_S, HOUR_S)
            for edge in (min(hours) - step, max(hours) + step)
        }
        return self._finder.edges(wanted, found)

    def _keep(self, looked: Looked, now_ms: int, known: Mapping[str, Incident] | None = None) -> None:
        """Store what came of a look, and announce it. `known` are the incidents of its hours, if they were read."""
        if known is None:
            since_s = hours_before(now_ms // 1000, ALL_H) - DAY_S
            known = read_incidents(self._store, since_s).found if looked.found else {}
        self._doubtful = self._doubtful or any(map(_is_doubtful, known.values()))
        if not looked.found and not looked.over and not any(each.open for each in known.values()):
            return
        changed = with_samples(self._store, updated(known, looked, now_ms), known)
        self._doubtful = self._doubtful or any(map(_is_doubtful, changed))
        events = [each for after in changed for each in _events(known.get(after.id), after, now_ms)]
        if events and self._announce is not None:
            self._announce(events)
        self._cells.left_out = None
        store_incidents(self._store, changed, now_ms)


def _is_doubtful(incident: Incident) -> bool:
    return incident.state == "suspected" and incident.dimension == "all"


def _events(before: Incident | None, after: Incident, now_ms: int) -> Iterator[IncidentEvent]:
    """Of a begin and of an end; both, where it is found when it is over already."""
    if before is None:
        yield incident_event(after, "began", rfc3339(now_ms))
    if not after.open and (before is None or before.open):
        yield incident_event(after, "ended", rfc3339(now_ms))
