"""Blocklists: which lists are asked and trusted, what is listed on them, since when, and whom it is attributed to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import Request, Response

from api.console.forms import one_of, text, whole
from api.console.kept import Known
from api.console.rendering import page
from api.console.routing import console_router
from api.console.shared import SharedPages
from api.console.visits import Reading
from jobs.blocklists.last_looks import LastLook, last_looks
from jobs.blocklists.scan_slots import read_turns
from jobs.blocklists.schedule import Turn
from jobs.blocklists.state import Trust, read_trust
from jobs.blocklists.zone_trust import ZoneFamily
from schemas.blocklists import Zone
from schemas.listing import WEIGHTS
from schemas.times import DAY_MS
from streams.io.store import Store
from streams.listings.causes import CausedListing, current_causes
from streams.listings.left_out import with_incidents

router = console_router()
PATH = "/console/blocklists"
#: Listings of a page; days of the timeline.
SHOWN = 50
DAYS = ("30", "7", "90", "365")
STATES = ("open", "all", "ended")


@dataclass(frozen=True, slots=True)
class ZoneStatus:
    """A list: whether it is trusted (None: it was never tested), why not and since when (epoch ms); when it was asked
    last and is due next, and how many listings are in force."""

    zone: Zone
    trusted: bool | None
    reason: str
    since_ms: int
    asked_ms: int
    due_ms: int
    listed: int


class Bar(NamedTuple):
    """A listing on the timeline: where it begins and how long it is, as parts of it (ratios)."""

    begin: float
    length: float


@dataclass(frozen=True, slots=True)
class ListingLine:
    """A listing with its bar, the page on which to ask for removal, and how its list was last looked at."""

    listing: CausedListing
    bar: Bar
    delisting: str
    look: LastLook | None


@dataclass(frozen=True, slots=True)
class ListedNow:
    """All that is read at once: lists, and listings in force within so many days."""

    zones: tuple[ZoneStatus, ...]
    listings: tuple[CausedListing, ...]
    looks: Mapping[tuple[str, str], LastLook]
    delisting: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BlocklistsView:
    """Lists, and the listings of a page, `total` in all. `since_ms` is where the timeline begins."""

    zones: tuple[ZoneStatus, ...]
    lines: tuple[ListingLine, ...]
    total: int
    skip: int
    filters: Mapping[str, str]
    in_force: int
    since_ms: int
    now_ms: int

    weights = WEIGHTS
    day_choices = DAYS
    states = STATES

    @property
    def distrusted(self) -> tuple[ZoneStatus, ...]:
        """Lists whose answers count for nothing now."""
        return tuple(each for each in self.zones if each.trusted is False)

    @property
    def looked_at(self) -> tuple[ZoneStatus, ...]:
        """Lists that were asked, tested, or have a listing."""
        return tuple(each for each in self.zones if not _untouched(each))

    @property
    def untouched(self) -> tuple[ZoneStatus, ...]:
        """The others."""
        return tuple(each for each in self.zones if _untouched(each))

    @property
    def before(self) -> str:
        """The page before; empty on the first."""
        return self.url(skip=max(0, self.skip - SHOWN)) if self.skip else ""

    @property
    def after(self) -> str:
        """The page after; empty on the last."""
        last = self.skip + len(self.lines)
        return self.url(skip=last) if last < self.total else ""

    def url(self, **changes: object) -> str:
        """This page with other filters."""
        asked = {name: value for name, value in {**self.filters, **changes}.items() if value}
        return f"{PATH}?{urlencode(asked)}#listings"


def _untouched(zone: ZoneStatus) -> bool:
    return zone.trusted is None and not zone.asked_ms and not zone.listed


def zone_lines(
    zones: Sequence[Zone],
    trust: Mapping[ZoneFamily, Trust],
    turns: Mapping[str, Turn],
    listings: Sequence[CausedListing],
) -> tuple[ZoneStatus, ...]:
    """A line a list: what is not trusted first, then what lists most. Pure."""
    counts = Counter(each.zone for each in listings if each.ended_ms is None)
    found = []
    for zone in zones:
        known = {family: trust[ZoneFamily(zone.zone, family)] for family in zone.holds if (zone.zone, family) in trust}
        bad = {family: each for family, each in known.items() if each.reason}
        turn = turns.get(zone.zone)
        said = "; ".join(
            f"{family}: {each.reason}" if len(zone.holds) > 1 else each.reason for family, each in bad.items()
        )
        found.append(
            ZoneStatus(
                zone=zone,
                trusted=not bad if known else None,
                reason=said,
                since_ms=min((each.since_ms for each in (bad or known).values()), default=0),
                asked_ms=turn.asked_ms if turn else 0,
                due_ms=turn.due_ms if turn else 0,
                listed=counts[zone.zone],
            )
        )
    return tuple(sorted(found, key=lambda each: (each.trusted is not False, -each.listed, not each.zone.asked_at)))


def blocklists_view(read: ListedNow, query: Mapping[str, str], now_ms: int) -> BlocklistsView:
    """The page that an address asks for. Pure."""
    filters = {name: text(query, name) for name in ("name", "zone", "weight")}
    filters |= {"state": one_of(query, "state", STATES), "days": one_of(query, "days", DAYS)}
    since_ms = now_ms - int(filters["days"]) * DAY_MS
    chosen = [each for each in read.listings if _is_chosen(each, filters, since_ms)]
    skip = whole(query, "skip", 0)
    lines = [
        ListingLine(
            listing=each,
            bar=bar(each, since_ms, now_ms),
            delisting=read.delisting.get(each.zone, ""),
            look=read.looks.get((each.resource, each.zone)) if each.ended_ms is None else None,
        )
        for each in chosen[skip : skip + SHOWN]
    ]
    return BlocklistsView(
        zones=read.zones,
        lines=tuple(lines),
        total=len(chosen),
        skip=skip,
        filters=filters,
        in_force=sum(each.ended_ms is None for each in read.listings),
        since_ms=since_ms,
        now_ms=now_ms,
    )


def _is_chosen(each: CausedListing, filters: Mapping[str, str], since_ms: int) -> bool:
    name = filters["name"].casefold()
    named = name in each.resource.casefold() or any(name in cause.customer.casefold() for cause in each.causes)
    ended = each.ended_ms is not None
    return (
        named
        and filters["zone"] in ("", each.zone)
        and filters["weight"] in ("", each.weight)
        and (filters["state"] == "all" or ended == (filters["state"] == "ended"))
        and not (each.ended_ms is not None and each.ended_ms < since_ms)
    )


def bar(listing: CausedListing, since_ms: int, now_ms: int) -> Bar:
    """Where a listing lies between two times (epoch ms). Pure."""
    whole_ms = max(1, now_ms - since_ms)
    begin = min(1.0, max(0.0, (listing.began_ms - since_ms) / whole_ms))
    end = min(1.0, max(begin, ((listing.ended_ms or now_ms) - since_ms) / whole_ms))
    return Bar(begin, end - begin)


def read_listed(
    store: Store, zones: Sequence[Zone], owners: Mapping[str, str], delisting: Mapping[str, str], since_ms: int
) -> ListedNow:
    """Lists, and the listings in force at or after `since_ms` (epoch ms).

    Raises:
        StoreError: the store failed.
    """
    listings = tuple(with_incidents(store, current_causes(store, since_ms, owners)))
    return ListedNow(
        zones=zone_lines(zones, read_trust(store), read_turns(store), listings),
        listings=listings,
        looks=last_looks(store),
        delisting=delisting,
    )


@router.get("/blocklists")
def get_blocklists(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """The page."""
    visit.on_record("")
    service, query = visit.service, request.query_params
    days = one_of(query, "days", DAYS)

    def read() -> ListedNow:
        with service.stores.lend() as store:
            since_ms = visit.now_ms - int(days) * DAY_MS
            return read_listed(store, service.zones, service.owners, service.delisting, since_ms)

    found: Known[ListedNow] = shared.of_moment.get((PATH, days), visit.now_ms, read)
    view = blocklists_view(found.value, query, visit.now_ms)
    return page(request, "blocklists.html", Known(view, found.read_ms, found.down))
