"""What operators decide of incidents: that there is one which was not found, or that what was found is none.

Monitors judge by it within seconds. Every decision is on record in `audit`.
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

import msgspec

from jobs.operator.audit import Decision, record_decision, record_decisions
from jobs.operator.decisions import DecidedError, DecisionError, NoSuchError, given
from jobs.operator.one_by_one import one_by_one
from schemas.incident import EVERYWHERE, Dimension, Incident, declared_end, incident_decided, incident_id
from schemas.times import DAY_S, HOUR_S, utc_time
from schemas.wording import rfc3339
from streams.decisions.holds import undecided_alerts
from streams.decisions.stored_overrides import HOLD_DISMISSED
from streams.incidents.stored import read_incidents, store_incidents
from streams.io.outgoing import Outgoing, store_outgoing, withdraw_outgoing
from streams.io.store import Store
from streams.listings.neighbours import places_of

#: Whether a list is known to have listed anything.
KNOWN_ZONE = "SELECT 1 FROM listing_events WHERE zone = {zone:String} LIMIT 1"
DECLARED, DISMISSED = "incident declared", "incident dismissed"
#: An incident that is declared lasts no longer.
MOST_DAYS = 14
#: With more names than these the nearest ones are named.
MOST_NAMED = 10


def find_incident(store: Store, name: str) -> Incident:
    """The incident that an id, or a unique prefix of one, names, as it counts now.

    Raises:
        DecisionError: there is no such incident, or several.
        StoreError: the store failed.
    """
    found = [each for each in read_incidents(store).in_force() if name and each.id.startswith(name)]
    if not found:
        raise NoSuchError(f"there is no incident with the id {name!r}")
    if len(found) > 1:
        raise DecisionError(f"more than one incident has an id that starts with {name!r}")
    return found[0]


def declare_incident(
    store: Store,
    place: str,
    from_ms: int,
    until_ms: int,
    *,
    providers: Collection[str],
    zones: Collection[str] = (),
    by: str,
    why: str,
    now_ms: int,
) -> Incident:
    """From now on mail to a provider (`*` for all) in the hours from `from_ms` to `until_ms` (epoch ms; the hours that
    these lie in included) says nothing about those who sent it. Of a list, or a network on a list
    (`192.0.2.0/24@zen.spamhaus.org`), it is what began to be listed in these hours. `providers` and `zones` (lists) are
    the names that there are; a list of which anything was reported is known too.

    Raises:
        DecisionError: naming what cannot be used.
        StoreError: the store failed.
    """
    given("--by", by)
    given("--why", why)
    dimension = dimension_of(store, place, providers, zones)
    first, last = (ms // 1000 // HOUR_S * HOUR_S for ms in (from_ms, max(from_ms, until_ms - 1)))
    if until_ms <= from_ms:
        raise DecisionError(f"--until: {rfc3339(until_ms)} is not after {rfc3339(from_ms)}")
    if last - first >= MOST_DAYS * DAY_S:
        raise DecisionError(f"--until: an incident lasts at most {MOST_DAYS} days; declare several")
    incident = Incident(
        id=incident_id(dimension, place, "declared", first),
        dimension=dimension,
        value=place,
        outcome="declared",
        state="declared",
        hours=tuple(range(first, last + 1, HOUR_S)),
        detected_ms=now_ms,
        by=by,
        why=why,
    )
    before = read_incidents(store, first).decided.get(incident.id)
    _decide(store, incident, DECLARED, now_ms, before)
    return incident


def dimension_of(store: Store, place: str, providers: Collection[str], zones: Collection[str]) -> Dimension:
    """What a place is: a provider, all mail, or a list.

    Raises:
        DecisionError: it is none of these.
        StoreError: the store failed.
    """
    if place == EVERYWHERE:
        return "all"
    if place in providers:
        return "provider"
    network, _, zone = place.rpartition("@")
    if "." not in zone:
        raise DecisionError(f"PLACE: {_unknown(place, sorted(providers))}")
    if zone not in zones and not store.rows(KNOWN_ZONE, {"zone": zone}):
        raise DecisionError(
            f"PLACE: {zone!r} is no blocklist of `repmon zones list`, and nothing was ever reported of it"
        )
    if network and place not in places_of(network.partition("/")[0], zone):
        raise DecisionError(f"PLACE: {network!r} is not an IPv4 network of length /24, or an IPv6 one of /48 or /64")
    return "listing"


def _unknown(place: str, providers: Sequence[str]) -> str:
    if len(providers) <= MOST_NAMED:
        return f"{place!r} is not one of {', '.join(providers)}, '*' for all, or a blocklist"
    near = get_close_matches(place, providers)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{place!r} is no mailbox provider, nor '*' for all, nor the domain of a blocklist{meant}"


@one_by_one
def dismiss_incident(store: Store, name: str, *, by: str, why: str, now_ms: int) -> Incident:
    """From now on the mail of an incident counts again, and what is held because it was suspected is confirmed if it is
    still bad. `name` is its id or a unique prefix of it.

    Raises:
        DecisionError: there is no such incident, several, or it is dismissed already and nothing is held.
        StoreError: the store failed.
    """
    given("--by", by)
    given("--why", why)
    found = find_incident(store, name)
    waiting = sorted({each.customer for each in undecided_alerts(store) if each.hold == found.id})
    if found.state == "dismissed" and not waiting:
        raise DecidedError(f"incident {found.id} is dismissed already{', by ' + found.by if found.by else ''}")
    after = msgspec.structs.replace(found, state="dismissed", by=by, why=why)
    _decide(store, after, DISMISSED, now_ms, found)
    time, detail = utc_time(now_ms), {"reason": "incident"}
    if waiting:
        record_decisions(store, [Decision(time, by, HOLD_DISMISSED, each, found.id, why, detail) for each in waiting])
    return after


def _decide(store: Store, incident: Incident, action: str, now_ms: int, before: Incident | None) -> None:
    """First on record and to be sent, then in force: what is not in force can be repeated. `before` is what was decided
    of it before, of which an end is not to be told any more."""
    detail = {
        "dimension": incident.dimension,
        "value": incident.value,
        "from": rfc3339(incident.from_s * 1000),
        "until": rfc3339(incident.until_s * 1000),
    }
    record_decision(store, Decision(utc_time(now_ms), incident.by, action, "", incident.id, incident.why, detail))
    ends = incident.state == "declared"
    if before is not None and before.state == "declared" and not (ends and before.until_s == incident.until_s):
        withdraw_outgoing(store, _end(before, now_ms))
    decided = Outgoing(incident_decided(incident, now_ms), now_ms)
    store_outgoing(store, [decided, _end(incident, now_ms)] if ends else [decided])
    store_incidents(store, [incident], now_ms, decided=True)


def _end(incident: Incident, now_ms: int) -> Outgoing:
    """The end of one that is declared, never told before its begin."""
    return Outgoing(declared_end(incident), max(incident.until_s * 1000, now_ms + 1))
