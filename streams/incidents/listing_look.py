"""Looks for mass listings: what began to be listed lately, who used it, and what their mail says of them.

Nearly always nothing began together, and one small query says so.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.counts import finished_sql
from schemas.incident import Example, Incident
from schemas.listing import KINDS, WEIGHTS, ResourceKind
from schemas.policy import NOT_GOOD, Policy
from schemas.times import DAY_MS, DAY_S, HOUR_MS, HOUR_S
from streams.incidents.cells import Cells
from streams.incidents.hours import EXAMPLES, FoundHour, Place
from streams.incidents.mass_listing import (
    LEAST_STRUCK,
    WHY_FEW,
    Begun,
    Mass,
    Together,
    Voter,
    mass,
    may_be_mass,
    together,
)
from streams.io.store import Store, portions
from streams.listings.causes import find_causes, key_of
from streams.listings.exposure import EXPOSING, SENT_MAIL
from streams.listings.good_history import BY_CUSTOMER, MAIL_SINCE, Bad, History, Mail, history_of
from streams.listings.intervals import USED_WITHIN_S, ListingInterval, read_listings
from streams.listings.left_out import ListingHour, incident_of
from streams.listings.neighbours import places_of
from streams.listings.resource_use import customers_of

OUTCOME = "listed"
#: What is usual on a list, and whether a history is good, is seen from so many days.
HISTORY_DAYS = 28
#: Customers who share a resource; more are not told apart.
TOLD_APART = 20
#: From such a share on (a ratio) the likeliest cause of a shared one stands out.
STANDS_OUT = 0.5
DOMAIN, IPV4, IPV6 = "domain", "ipv4", "ipv6"

#: The lists on which enough began to be listed to be asked about.
CHOSEN = """
SELECT zone FROM listing_events
WHERE time >= fromUnixTimestamp64Milli({since:Int64}) AND type IN ('listed', 'still_listed')
    AND weight IN {weights:Array(String)}
GROUP BY zone
HAVING uniqExact(resource) >= {least:UInt8}
"""

#: Who used each address, or domain, before the listings began.
USED = f"""
SELECT value, groupUniqArray({TOLD_APART})(customer)
FROM
(
    SELECT value, customer
    FROM counts
    WHERE dimension IN {{dimensions:Array(String)}} AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
        AND toStartOfHour(bucket) < toDateTime({{until:UInt32}})
    GROUP BY value, customer
    HAVING toInt64(sum({SENT_MAIL})) > 0
)
GROUP BY value
"""  # noqa: S608 - made of texts of this project only
DIMENSIONS: Mapping[ResourceKind, Sequence[str]] = {"ip": ("ip",), "domain": ("from", "dkim")}

#: What everybody's mail was like.
MAIL = MAIL_SINCE + BY_CUSTOMER

#: The From domain of most of a customer's mail.
FROM_DOMAINS = f"""
SELECT customer, argMax(value, n)
FROM
(
    SELECT customer, value, toInt64({finished_sql("sum({})")}) AS n
    FROM counts
    WHERE dimension = 'from' AND customer IN {{customers:Array(String)}} AND value != ''
        AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
        AND toStartOfHour(bucket) < toDateTime({{until:UInt32}})
    GROUP BY customer, value
)
GROUP BY customer
"""  # noqa: S608 - made of texts of this project only


class _Matter(NamedTuple):
    """Addresses or domains that would be one matter, and by whom they are used; how many began to be listed."""

    customers: set[str]
    shared: bool
    resources: list[str]
    listed: list[str]


class ListingLook:
    """Finds the hours in which many began to be listed together. One thread at a time."""

    def __init__(self, store: Store, cells: Cells) -> None:
        self._store = store
        self._cells = cells
        #: From which rates on somebody's mail is bad, by the policy in force.
        self._bad = Bad(NOT_GOOD["failure"], NOT_GOOD["complaint"])
        #: What was found of those that began together, as long as the same did.
        self._known: dict[Together, tuple[FoundHour, ...]] = {}

    def set_policy(self, policy: Policy) -> None:
        """Ask those who are good by this policy."""
        if self._bad != (bad := Bad(policy.bad_from("failure"), policy.bad_from("complaint"))):
            self._bad = bad
            self._known.clear()

    def forget(self) -> None:
        """Ask again of those of whom nothing was found: counts come late."""
        self._known = {each: found for each, found in self._known.items() if found}

    def found(self, since_s: int, now_ms: int) -> list[FoundHour]:
        """What began since `since_s` (epoch s) and is an incident.

        Raises:
            StoreError: the store failed.
        """
        since_ms = since_s * 1000 - HOUR_MS
        asked = {"since": since_ms, "weights": list(EXPOSING), "least": LEAST_STRUCK}
        zones = {str(zone) for (zone,) in self._store.rows(CHOSEN, asked)}
        if not zones:
            self._known.clear()
            return []
        # Those that ended meanwhile are asked for too: by them it is known what is usual.
        listings = [each for each in read_listings(self._store, 0, EXPOSING, KINDS) if each.zone in zones]
        groups = list(together(_begun(each) for each in listings if since_ms <= each.from_ms <= now_ms))
        look = _Look(self._store, self._cells, listings, self._bad, now_ms)
        self._known = {each: self._known[each] for each in groups if each in self._known}
        found: list[FoundHour] = []
        hit: set[ListingHour] = set()
        for each in groups:
            if all((each.begun[0].zone, one.from_ms // HOUR_MS) in hit for one in each.begun):
                continue  # the list is, so there is nothing to say of its networks
            if each not in self._known:
                self._known[each] = tuple(look.found(each))
            found += self._known[each]
            hit |= {(each.place, one.hour // HOUR_S) for one in self._known[each] if not one.suspected}
        return found


class _Look:
    """One look. What several groups ask for is read once."""

    def __init__(self, store: Store, cells: Cells, listings: Sequence[ListingInterval], bad: Bad, now_ms: int) -> None:
        self._store = store
        self._cells = cells
        self._listings = listings
        self._bad = bad
        self._now_ms = now_ms
        self._histories: dict[int, Mapping[str, History]] = {}
        self._uses: dict[tuple[ResourceKind, int], Mapping[str, Sequence[str]]] = {}

    def found(self, group: Together) -> Iterator[FoundHour]:
        """The hours of a group, where it is a mass listing: asked of addresses of each kind by themselves."""
        end_s = (group.begun[-1].from_ms // HOUR_MS + 1) * HOUR_S
        history = self._history(end_s)
        usual, busiest = self._before(group)
        for family in sorted({_family(each.resource) for each in group.begun}):
            of_family = [each for each in group.begun if _family(each.resource) == family]
            kind: ResourceKind = "domain" if family == DOMAIN else "ip"
            uses = {value: who for value, who in self._used(kind, end_s).items() if _family(value) == family}
            everybody = {customer for who in uses.values() for customer in who}
            established = sum(history.get(each) == "good" for each in everybody) >= LEAST_STRUCK
            matters = self._matters(group.place, of_family, uses, end_s)
            voters = [Voter(name, bool(each.listed), _history_of(each, history)) for name, each in matters.items()]
            said = mass(voters, busiest, established=established)
            if said is not None:
                yield from _found_hours(group, of_family, said, matters, usual)
                return
            if group.place == group.begun[0].zone and (few := may_be_mass(voters, busiest)):
                for each in _found_hours(group, of_family, few, matters, usual):
                    yield each._replace(suspected=True, why=WHY_FEW)
                return

    def _history(self, end_s: int) -> Mapping[str, History]:
        midnight = end_s // DAY_S * DAY_S
        if midnight not in self._histories:
            asked = {"since": max(0, midnight - HISTORY_DAYS * DAY_S), "old": max(0, midnight - DAY_S)}
            self._histories[midnight] = {
                str(customer): history_of(Mail(*map(int, numbers)), self._bad)
                for customer, *numbers in self._cells.rows(MAIL, asked)
            }
        return self._histories[midnight]

    def _used(self, kind: ResourceKind, end_s: int) -> Mapping[str, Sequence[str]]:
        if (kind, end_s) not in self._uses:
            asked = {"dimensions": list(DIMENSIONS[kind]), "since": max(0, end_s - USED_WITHIN_S), "until": end_s}
            self._uses[kind, end_s] = {str(value): who for value, who in self._store.rows(USED, asked) if value}
        return self._uses[kind, end_s]

    def _before(self, group: Together) -> tuple[float, int]:
        """How many listings began on the list in an hour of the weeks before: on average, and in the busiest one."""
        until_ms = group.begun[0].from_ms
        since_ms = until_ms - HISTORY_DAYS * DAY_MS
        hours = Counter(
            each.from_ms // HOUR_MS
            for each in self._listings
            if each.zone == group.begun[0].zone and since_ms <= each.from_ms < until_ms
        )
        return hours.total() / (HISTORY_DAYS * 24), max(hours.values(), default=0)

    def _matters(
        self, place: str, begun: Sequence[Begun], uses: Mapping[str, Sequence[str]], end_s: int
    ) -> dict[str, _Matter]:
        """By the name of whose matter it is: a From domain, a customer, or a shared address that is nobody's."""
        zone, listed = begun[0].zone, {each.resource for each in begun}
        struck = {value for value in uses if _is_listed(value, listed)}
        causes = self._causes([each for each in begun if len(uses.get(each.resource, ())) > 1])
        whose = {value: who[0] if len(who) == 1 else causes.get(value, "") for value, who in uses.items()}
        owners = self._owners({whose[value] for value in struck if whose[value]}, end_s)
        found: dict[str, _Matter] = {}
        for value, who in uses.items():
            if place != zone and place not in places_of(value, zone):
                continue
            one = whose[value]
            name = owners.get(one, one) or value
            matter = found.setdefault(name, _Matter(set(), not one, [], []))
            matter.customers.update([one] if one else who)
            matter.resources.append(value)
            if value in struck:
                matter.listed.append(value)
        return found

    def _causes(self, shared: Sequence[Begun]) -> dict[str, str]:
        """Of shared ones, the customer who stands out as the cause."""
        asked = {(each.resource, each.zone, each.from_ms) for each in shared}
        some = [each for each in self._listings if asked and key_of(each) in asked]
        tops = {each.resource: each.top for each in find_causes(self._store, some, {})}
        return {resource: top[0] for resource, top in tops.items() if top is not None and top[1] >= STANDS_OUT}

    def _owners(self, customers: Collection[str], end_s: int) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in portions(self._store, sorted(customers)):
            asked = {"customers": part, "since": max(0, end_s - USED_WITHIN_S), "until": end_s}
            found |= {str(customer): str(domain) for customer, domain in self._store.rows(FROM_DOMAINS, asked)}
        return found


def _found_hours(
    group: Together, begun: Sequence[Begun], said: Mass, matters: Mapping[str, _Matter], usual: float
) -> Iterator[FoundHour]:
    able = len(said.struck) + said.spared
    most = sorted(said.struck, key=lambda name: (-len(matters[name].listed), name))[:EXAMPLES]
    examples = tuple(
        Example(
            customer=min(matters[name].customers),
            failed=len(matters[name].listed),
            total=len(matters[name].resources),
            sample=min(matters[name].listed),
        )
        for name in most
    )
    rate = len(said.struck) / able
    place: Place = ("listing", group.place)
    for hour in sorted({each.from_ms // HOUR_MS * HOUR_S for each in begun}):
        yield FoundHour(place, hour, OUTCOME, rate, usual / able, len(said.struck), said.spared, rate, examples)


def customers_listed(store: Store, changed: Collection[ListingHour], now_ms: int) -> set[str]:
    """Who used what began to be listed at these places in these hours.

    Raises:
        StoreError: the store failed.
    """
    if not changed:
        return set()
    hours = dict.fromkeys(changed, "changed")
    some = [
        each
        for each in read_listings(store, 0, WEIGHTS, KINDS)
        if incident_of(hours, each.resource, each.zone, each.from_ms)
    ]
    if not some:
        return set()
    since_s = min(each.from_ms for each in some) // 1000 - USED_WITHIN_S
    return customers_of(store, {(each.kind, each.resource) for each in some}, since_s, now_ms // 1000 + HOUR_S)


def listed_together(
    store: Store, incidents: Iterable[Incident], alarmed: Collection[str], now_ms: int
) -> dict[str, Incident]:
    """Of customers who alarm by what is listed those of whom it began with others', too few to tell whether the list
    errs, by the incident that is suspected of it.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, Incident] = {}
    for each in incidents:
        if each.state == "suspected" and each.dimension == "listing":
            listed = customers_listed(store, [(each.value, hour) for hour in each.hours], now_ms)
            found |= dict.fromkeys(listed.intersection(alarmed), each)
    return found


def _begun(listing: ListingInterval) -> Begun:
    return Begun(listing.resource, listing.kind, listing.zone, listing.from_ms)


def _family(resource: str) -> str:
    """What lists hold apart: a fleet may have all its IPv4 addresses listed and none of its domains."""
    places = places_of(resource, "")
    return DOMAIN if len(places) == 1 else IPV4 if len(places) == 2 else IPV6


def _is_listed(value: str, listed: Collection[str]) -> bool:
    """Whether a resource, or a domain above it, is among those listed."""
    if value in listed:
        return True
    labels = value.split(".")
    return any(".".join(labels[place:]) in listed for place in range(1, len(labels) - 1))


def _history_of(matter: _Matter, history: Mapping[str, History]) -> History:
    """Of what is shared, and nobody's, the best of its users; else an owner of whom one account is bad is bad."""
    said = {history.get(each, "none") for each in matter.customers}
    order: tuple[History, ...] = ("good", "none", "bad") if matter.shared else ("bad", "good", "none")
    return next(each for each in order if each in said)
