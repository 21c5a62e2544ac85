"""The blocklist scan: ask about every address that sent lately, and report what began, goes on or ended."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from jobs.blocklist_state import States, Trust, read_states, read_trust, write_states, write_trust
from jobs.bounce_evidence import named_in_bounces
from jobs.dnsbl import Question, Resource, look, questions
from jobs.dnsbl_answer import Failed, Look, family_of, is_address
from jobs.listing_life import NOTHING, Rules, State, event_of, owes_second_look, step
from jobs.scan_result import ScanResult, zone_results
from jobs.zone_tests import self_test
from jobs.zone_trust import Held, believed, gave_itself_away, to_test
from schemas.blocklists import Zone, in_force
from schemas.listing import BlocklistEvent
from schemas.settings import Blocklists
from streams.store import Store

DAY_S = 24 * 3600

SENDING_ADDRESSES = """
SELECT DISTINCT value FROM counts
WHERE dimension = 'ip' AND bucket >= toDateTime({since:UInt32})
ORDER BY value
"""

#: Takes a message's key and value.
Publish = Callable[[bytes, bytes], object]

_log = logging.getLogger(__name__)


def run_scan(
    store: Store,
    settings: Blocklists,
    publish: Publish,
    now_ms: int,
    *,
    acknowledged: Callable[[], object] = lambda: None,
    second_looks: bool = False,
    bounced_since_ms: int | None = None,
) -> ScanResult:
    """Scan once and publish what it found; `now_ms` (epoch ms, UTC) is the time of all its events.

    `acknowledged` returns once what was published is safe. Only then is it stored what was seen: a scan that ends
    between the two says the same again the next time, which readers bear, and forgets nothing.

    With `second_looks` nothing is looked at but what waits for a second look, and what bounces since
    `bounced_since_ms` say is listed.

    Raises:
        BlocklistsError: the table of zones cannot be used.
        SettingsError: a resolver is not an IP address.
        StoreError: the store failed.
    """
    zones = in_force(settings)
    states, trust = read_states(store), read_trust(store)
    if second_looks:
        named = [] if bounced_since_ms is None else named_in_bounces(store, zones, bounced_since_ms)
        result = look_again(settings, zones, states, trust, now_ms, named)
    else:
        result = scan_once(store, settings, zones, states, now_ms)
    for event in result.events:
        publish(event.resource.encode(), msgspec.json.encode(event))
    acknowledged()
    write_states(store, states, result.states, now_ms)
    for held in write_trust(store, trust, result.tested, result.distrusted, now_ms):
        _log.warning("%s (%s) is not believed: %s", held.zone, held.family, result.distrusted[held])
    return result


def scan_once(store: Store, settings: Blocklists, zones: Sequence[Zone], states: States, now_ms: int) -> ScanResult:
    """Look up the addresses seen in the last `lookback_days`, and all that is listed. Publishes and stores nothing.

    Runs an event loop of its own, so it must be called from a thread in which none runs.

    Raises:
        SettingsError: a resolver is not an IP address.
        StoreError: the store failed.
    """
    since = max(0, now_ms // 1000 - settings.lookback_days * DAY_S)
    addresses = [str(value) for (value,) in store.rows(SENDING_ADDRESSES, {"since": since})]
    kinds = {zone.zone: zone.kind for zone in zones}
    resources = {Resource("ip", each) for each in addresses if is_address(each)}
    for (name, zone), state in states.items():
        kind = state.listing.kind if state.listing else kinds.get(zone)
        if kind:
            resources.add(Resource(kind, name))
    asked = questions(resources, zones)
    looks, tested, distrusted = asyncio.run(_looks(asked, zones, settings, states, {}, world=True))
    known = {zone.zone for zone in zones if zone.asked_at}
    return _result(
        looks,
        states,
        settings,
        now_ms,
        resources=len(resources),
        tested=tested,
        distrusted=distrusted,
        invalid=tuple(each for each in addresses if not is_address(each)),
        keyless=tuple(zone.zone for zone in zones if not zone.asked_at),
        unasked=sum(1 for (_, zone), state in states.items() if state.listing and zone not in known),
    )


def look_again(
    settings: Blocklists,
    zones: Sequence[Zone],
    states: States,
    trust: Mapping[Held, Trust],
    now_ms: int,
    named: Sequence[Question] = (),
) -> ScanResult:
    """Look at what waits for a second look and at what is `named`. Zones that were not believed are still not.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    by_name = {zone.zone: zone for zone in zones if zone.asked_at}
    waiting = [
        Question(name, by_name[zone])
        for (name, zone), state in states.items()
        if owes_second_look(state) and zone in by_name
    ]
    asked = list({(each.name, each.zone.zone): each for each in (*waiting, *named)}.values())
    fallen = {held: each.reason for held, each in trust.items() if each.reason}
    looks, _, distrusted = asyncio.run(_looks(asked, zones, settings, states, fallen, world=False))
    new = {held: reason for held, reason in distrusted.items() if held not in fallen}
    resources = len({each.name for each in asked})
    return _result(looks, states, settings, now_ms, resources=resources, tested=tuple(new), distrusted=new)


def transitions(
    states: Mapping[tuple[str, str], State], looks: Iterable[Look], now_ms: int, rules: Rules
) -> tuple[States, list[BlocklistEvent]]:
    """The states after the looks, and what is to be reported. Pure; the same input gives the same ids.

    A zone all of whose looks failed is one `check_failed` event, about a resource listed there if there is one;
    otherwise each listing that could not be checked is one.
    """
    after: States = dict(states)
    by_zone: dict[str, list[Look]] = defaultdict(list)
    for each in sorted(looks, key=lambda each: (each.zone.zone, each.resource)):
        by_zone[each.zone.zone].append(each)
    events: list[BlocklistEvent] = []
    for zone, zone_looks in by_zone.items():
        tell = _failures_to_tell(states, zone, zone_looks)
        for each in zone_looks:
            key = (each.resource, zone)
            before = states.get(key, NOTHING)
            if isinstance(each.outcome, Failed):
                if each.resource in tell and not (before.listing and before.listing.said_ms >= now_ms):
                    weight = before.listing.weight if before.listing else each.zone.weight
                    events.append(event_of("check_failed", each, weight, now_ms, each.outcome.reason))
                continue
            state, said = step(before, each, now_ms, rules)
            events += said
            if state.listing or state.first or key in states:
                after[key] = state
    return after, events


def _failures_to_tell(states: Mapping[tuple[str, str], State], zone: str, looks: Sequence[Look]) -> Collection[str]:
    failed = [each.resource for each in looks if isinstance(each.outcome, Failed)]
    listed = [each for each in failed if states.get((each, zone), NOTHING).listing]
    return set((listed or failed)[:1] if len(failed) == len(looks) else listed)


async def _looks(
    asked: Sequence[Question],
    zones: Sequence[Zone],
    settings: Blocklists,
    states: States,
    fallen: Mapping[Held, str],
    *,
    world: bool,
) -> tuple[list[Look], tuple[Held, ...], dict[Held, str]]:
    """The looks, those at zones that are not believed as failures; which zones were tested; which are not believed.

    Zones that fail their self-test, and those of `fallen`, are not asked at all. With `world` a zone that lists too
    many is not believed either.
    """
    at = {each.zone.zone for each in asked}
    families = {_held(each).family for each in asked}
    tests = [
        (zone, family)
        for zone, family in to_test([zone for zone in zones if zone.zone in at], families)
        if Held(zone.zone, family) not in fallen
    ]
    verdicts = await self_test(tests, settings)
    distrusted = {each: reason for each, reason in verdicts.items() if reason} | dict(fallen)
    looks = [Look(each.name, each.zone, Failed("not asked")) for each in asked if _held(each) in distrusted]
    for resolvers, group in _by_resolvers([each for each in asked if _held(each) not in distrusted], settings, states):
        looks += await look(group, settings, resolvers)
    distrusted |= gave_itself_away(looks, settings, world=world)
    return believed(looks, distrusted), tuple(verdicts), distrusted


def _held(question: Question) -> Held:
    return Held(question.zone.zone, family_of(question.zone.kind, question.name))


def _by_resolvers(
    asked: Sequence[Question], settings: Blocklists, states: States
) -> list[tuple[list[str], list[Question]]]:
    """The questions by the order in which resolvers are asked: for a second look, the one of the first look last."""
    groups: dict[str, list[Question]] = defaultdict(list)
    for each in asked:
        first = states.get((each.name, each.zone.zone), NOTHING).first
        groups[first.resolver if first else ""].append(each)
    return [
        (sorted(settings.resolvers, key=lambda resolver, last=last: resolver == last), group)  # type: ignore[misc]
        for last, group in groups.items()
    ]


def _result(
    looks: Sequence[Look],
    states: States,
    settings: Blocklists,
    now_ms: int,
    *,
    resources: int,
    tested: tuple[Held, ...],
    distrusted: Mapping[Held, str],
    invalid: tuple[str, ...] = (),
    keyless: tuple[str, ...] = (),
    unasked: int = 0,
) -> ScanResult:
    rules = Rules(round(settings.second_look_s * 1000), len(settings.resolvers))
    after, events = transitions(states, looks, now_ms, rules)
    return ScanResult(
        now_ms=now_ms,
        resources=resources,
        zones=zone_results(looks, events, distrusted),
        events=tuple(events),
        states=after,
        tested=tested,
        distrusted=distrusted,
        invalid=invalid,
        keyless=keyless,
        unasked=unasked,
    )
