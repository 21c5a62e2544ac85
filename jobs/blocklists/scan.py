"""The blocklist scan: ask about every address and domain that sent lately, report what began, continues or ended."""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from jobs.blocklists.answer import Failed, Look
from jobs.blocklists.bounce_evidence import named_in_bounces
from jobs.blocklists.dnsbl import QueryOptions, QueryProgress, Question, Resource, query_options, questions
from jobs.blocklists.listing_life import NOTHING, SecondLookRules, State, event_of, owes_second_look, step
from jobs.blocklists.result import ScanResult, scan_result
from jobs.blocklists.round_robin import ResourceCircle, may_be_asked
from jobs.blocklists.scan_slots import read_turns, write_turns
from jobs.blocklists.schedule import (
    Arc,
    Rhythm,
    Turn,
    allowed_from_ms,
    arc_out_of_turn,
    next_arc,
    resumed,
    rhythm,
    standing_by,
    taken,
)
from jobs.blocklists.state import States, read_states, read_trust, write_states, write_trust
from jobs.blocklists.trusted_lookups import TrustedLookups, trusted_lookups
from jobs.blocklists.used_resources import Used, read_used
from jobs.blocklists.zone_trust import ZoneFamily
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import Zone, in_force
from schemas.listing import BlocklistEvent
from schemas.times import MINUTE_MS
from streams.io.store import Store

#: What was sent from is read again after so long.
USED_MS = 5 * MINUTE_MS
#: What was reported takes a while to come back through the broker: for so long, what this process knows of a listing
#: takes precedence over what is stored.
RECENT_MS = 10 * MINUTE_MS
#: Where no zone is asked, no turn is ever due.
NEVER_MS = 1 << 53

#: Takes a message's key and value.
Publish = Callable[[bytes, bytes], object]

_log = logging.getLogger(__name__)


class Scanner:
    """Scans the resources of one store. Each scan publishes what it found, and only then stores what was seen.

    `acknowledged` returns once what was published is safe: a scan that ends between the two says the same again the
    next time, which readers bear, and forgets nothing. `how` is how questions are put; `chance` gives numbers in
    [0, 1). The time of all events of a scan is its `now_ms` (epoch ms, UTC). Scans run an event loop of their own, so
    they must be called from a thread in which none runs.

    All of them raise SettingsError where a resolver is not an IP address, and StoreError where the store failed.
    """

    def __init__(
        self,
        store: Store,
        settings: Blocklists,
        publish: Publish,
        *,
        acknowledged: Callable[[], object] = lambda: None,
        how: QueryOptions | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Read the table of zones.

        Raises:
            BlocklistsError: it cannot be used.
        """
        self._store, self._settings = store, settings
        self._publish, self._acknowledged, self._chance = publish, acknowledged, chance
        self._how = how or query_options(settings)
        self._table = in_force(settings)
        self._zones = {zone.zone: zone for zone in self._table if zone.asked_at}
        self._used, self._read_ms = Used(), -USED_MS
        self._circle = ResourceCircle(())
        self._turns: dict[str, Turn] = {}
        self._recent: dict[tuple[str, str], tuple[int, State]] = {}
        self._unfit: set[tuple[ZoneFamily, str]] = set()

    def take_up(self, now_ms: int) -> None:
        """Continue the turns of the zones where they were left, perhaps by another process."""
        self._read_used(now_ms)
        stored = read_turns(self._store)
        self._turns = {
            name: resumed(stored.get(name), self._rhythm(zone), now_ms, self._chance())
            for name, zone in self._zones.items()
        }

    @property
    def zone_count(self) -> int:
        """How many zones are asked."""
        return len(self._zones)

    @property
    def due_ms(self) -> int:
        """When the next turn is due (epoch ms)."""
        return min((each.due_ms for each in self._turns.values()), default=NEVER_MS)

    def due_turns(self, now_ms: int) -> ScanResult:
        """Ask the zones whose turn it is, and that no other scanner asked meanwhile, each about the resources of its
        turn."""
        self._read_used(now_ms)
        stored = read_turns(self._store)
        self._turns |= {
            name: standing_by(stored[name])
            for name, turn in self._turns.items()
            if turn.due_ms <= now_ms and name in stored and stored[name].asked_ms > turn.asked_ms
        }
        due = {name: turn for name, turn in self._turns.items() if turn.due_ms <= now_ms}
        late_ms = max((now_ms - turn.due_ms for turn in due.values()), default=0)
        arcs = {name: next_arc(turn, self._rhythm(self._zones[name])) for name, turn in due.items()}
        return replace(self._ask_arcs(arcs, now_ms), late_ms=late_ms)

    def everything(self, now_ms: int) -> ScanResult:
        """Ask every zone about everything, or as much of it as the list allows a day. Lists whose limit is used up are
        left out."""
        self._read_ms = -USED_MS
        self._read_used(now_ms)
        stored = read_turns(self._store)
        self._turns = {name: stored.get(name, Turn(0, 0, now_ms, 0)) for name in self._zones}
        spared = [name for name, turn in self._turns.items() if allowed_from_ms(self._zones[name], turn) > now_ms]
        arcs = {
            name: arc_out_of_turn(self._turns[name], zone, self._circle.count(zone))
            for name, zone in self._zones.items()
            if name not in spared
        }
        return replace(self._ask_arcs(arcs, now_ms), spared=tuple(spared))

    def second_looks(self, now_ms: int, bounced_since_ms: int | None = None) -> ScanResult:
        """Ask about what waits for a second look, and what bounces since `bounced_since_ms` (epoch ms) say is listed.
        Zones that were not trusted still are not."""
        states, trust = self._states(now_ms), read_trust(self._store)
        named = [] if bounced_since_ms is None else named_in_bounces(self._store, self._table, bounced_since_ms)
        waiting = [
            Question(name, self._zones[zone])
            for (name, zone), state in states.items()
            if owes_second_look(state) and zone in self._zones and may_be_asked(self._zones[zone], name)
        ]
        asked = list({(each.name, each.zone.zone): each for each in (*waiting, *named)}.values())
        fallen = {held: each.reason for held, each in trust.items() if each.reason}
        found = _run(trusted_lookups(asked, self._how, states, fallen, world=False))
        new = {held: reason for held, reason in found.distrusted.items() if held not in fallen}
        return self._finish(found._replace(tested=tuple(new), distrusted=new), states, now_ms, {})

    def these(self, resources: Collection[Resource], now_ms: int) -> tuple[TrustedLookups, ScanResult]:
        """Ask every zone about these resources alone; every look, and what follows from them."""
        states = self._states(now_ms)
        asked = questions(resources, self._table)
        found = _run(trusted_lookups(asked, self._how, states, {}, world=False))
        return found, self._finish(found, states, now_ms, {})

    def _ask_arcs(self, arcs: Mapping[str, Arc], now_ms: int) -> ScanResult:
        states = self._states(now_ms)
        known: dict[str, list[str]] = defaultdict(list)
        for name, zone in states:
            known[zone].append(name)
        asked = {zone: self._circle.questions(self._zones[zone], arc, known[zone]) for zone, arc in arcs.items()}
        every_question = [each for several in asked.values() for each in several]
        found = _run(trusted_lookups(every_question, self._how, states, {}, world=True))
        turns = {
            zone: taken(
                self._turns[zone], arc, self._rhythm(self._zones[zone]), now_ms, len(asked[zone]), self._chance()
            )
            for zone, arc in arcs.items()
        }
        result = self._finish(found, states, now_ms, turns)
        return replace(result, rounds=sum(arc.ends_round for arc in arcs.values()))

    def _finish(self, found: TrustedLookups, states: States, now_ms: int, turns: Mapping[str, Turn]) -> ScanResult:
        """Publish what follows from the looks; then store what was seen."""
        rules = SecondLookRules(round(self._settings.second_look_s * 1000), len(self._settings.resolvers))
        after, events = transitions(states, found.looks, now_ms, rules)
        for event in events:
            self._publish(event.resource.encode(), msgspec.json.encode(event))
        self._acknowledged()
        write_states(self._store, states, after, now_ms)
        self._recent |= {key: (now_ms, state) for key, state in after.items() if state != states.get(key, NOTHING)}
        trust = read_trust(self._store)
        for held in write_trust(self._store, trust, found.tested, found.distrusted, now_ms):
            _log.warning("%s (%s) is not trusted: %s", held.zone, held.family, found.distrusted[held])
        self._warn_of_resolvers(found)
        write_turns(self._store, turns, now_ms)
        self._turns |= turns
        result = scan_result(found, events, after, now_ms)
        return replace(
            result,
            used=self._used.by_resource,
            invalid=self._used.invalid,
            keyless=tuple(zone.zone for zone in self._table if not zone.asked_at),
            unasked=sum(1 for (_, zone), state in after.items() if state.listing and zone not in self._zones),
        )

    def _warn_of_resolvers(self, found: TrustedLookups) -> None:
        """Say once of each trusted list through which resolver it is not asked."""
        failed = {each: why for each, why in found.by_resolver.items() if why and each[0] not in found.distrusted}
        for each in failed.keys() - self._unfit:
            _log.warning("%s (%s) is not asked through %s: %s", *each[0], each[1], failed[each])
        self._unfit = self._unfit.difference(found.by_resolver).union(failed)

    def _states(self, now_ms: int) -> States:
        self._recent = {key: each for key, each in self._recent.items() if each[0] > now_ms - RECENT_MS}
        return read_states(self._store) | {key: state for key, (_, state) in self._recent.items()}

    def _read_used(self, now_ms: int) -> None:
        if now_ms - self._read_ms >= USED_MS:
            self._used = read_used(self._store, self._settings.lookback_days, self._settings.extra_resources, now_ms)
            self._circle = ResourceCircle(self._used.by_resource)
            self._read_ms = now_ms

    def _rhythm(self, zone: Zone) -> Rhythm:
        return rhythm(zone, self._circle.count(zone), self._settings, self._how.pacer.answers_per_s(zone))


def ask_about(
    resources: Collection[Resource], zones: Sequence[Zone], settings: Blocklists, progress: QueryProgress | None = None
) -> TrustedLookups:
    """Ask the zones about these resources alone. Knows nothing, publishes and stores nothing.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    asked = questions(resources, zones)
    return _run(trusted_lookups(asked, query_options(settings, progress), {}, {}, world=False))


def _run(looking: Coroutine[Any, Any, TrustedLookups]) -> TrustedLookups:
    """Like `asyncio.run`, which writes out the result as text when the main thread is done with it: 200 MB of it where
    there are 300,000 looks."""
    found: list[TrustedLookups] = []

    async def keep() -> None:
        found.append(await looking)

    asyncio.run(keep())
    return found[0]


def transitions(
    states: Mapping[tuple[str, str], State], looks: Iterable[Look], now_ms: int, rules: SecondLookRules
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
