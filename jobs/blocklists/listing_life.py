"""The life of a listing: what one more look changes. Pure, with the time passed in.

- A look that failed changes nothing, ever.
- Whatever a look says for the first time is only recorded; a second look that says the same makes it so: a listing
  begins (`listed`), changes its weight, or ends (`delisted`). The two are `second_look_ms` apart at least, and through
  different resolvers where there are several; the same resolver is enough after `SAME_RESOLVER_MS`, for the other may
  be out of order.
- A listing on a critical list counts at once, marked unconfirmed; the second look confirms it (`still_listed`).
- A listing whose weight changed ends and begins again: a reader of one weight alone sees both ends of it.
- A listing that continues is reported again when its codes changed, when another than us reported it last, or
  `SAY_AGAIN_MS` after it was last reported.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import msgspec

from jobs.blocklists.answer import Clear, Failed, Listed, Look
from schemas.listing import BlocklistEvent, ListingType, ResourceKind, Weight
from schemas.times import HOUR_MS, MINUTE_MS

#: A listing is reported again after this long, so that one nobody looks at any more is recognised by its age.
SAY_AGAIN_MS = 6 * HOUR_MS
SAME_RESOLVER_MS = 30 * MINUTE_MS

Said = Literal["clear"] | Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedListing:
    """A listing in force, as last reported at `said_ms` (epoch ms, UTC), by us or by an outside monitor of a name."""

    kind: ResourceKind
    resource: str
    zone: str
    weight: Weight
    codes: tuple[str, ...]
    confirmed: bool
    said_ms: int
    monitor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLook:
    """What a look said that a second one has yet to say, when (epoch ms, UTC) and through which resolver."""

    said: Said
    since_ms: int
    resolver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known of one resource at one zone. `looked_ms` is the last look that was answered; 0 is never."""

    listing: ReportedListing | None = None
    first: FirstLook | None = None
    looked_ms: int = 0


NOTHING = State()


@dataclass(frozen=True, slots=True)
class SecondLookRules:
    """How second looks are taken."""

    second_look_ms: int
    resolvers: int


def step(state: State, look: Look, now_ms: int, rules: SecondLookRules) -> tuple[State, list[BlocklistEvent]]:
    """The state after the look, and what is to be reported. A look no later than the last report changes nothing."""
    outcome, before = look.outcome, state.listing
    if isinstance(outcome, Failed) or (before is not None and before.said_ms >= now_ms):
        return state, []
    state = replace(state, looked_ms=now_ms)
    said: Said = outcome.weight if isinstance(outcome, Listed) else "clear"
    agreed = _agreed(state.first, said, look.resolver, now_ms, rules)
    if said == (before.weight if before else "clear"):
        return _goes_on(state, look, agreed, now_ms, rules)
    if not agreed and said != "critical":
        keep = state.first is not None and state.first.said == said
        first = state.first if keep else FirstLook(said=said, since_ms=now_ms, resolver=look.resolver)
        return replace(state, first=first), []
    events = []
    if before:
        # A millisecond apart, so that every reader takes them in this order.
        apart, reason = (1, f"now {said}") if isinstance(outcome, Listed) else (0, "")
        events.append(event_of("delisted", look, before.weight, now_ms - apart, reason))
    if isinstance(outcome, Clear):
        return State(looked_ms=now_ms), events
    event = _listing("listed", look, outcome, now_ms, confirmed=agreed)
    first = None if agreed else FirstLook(said=said, since_ms=now_ms, resolver=look.resolver)
    return State(listing=_open(event, now_ms), first=first, looked_ms=now_ms), [*events, event]


def owes_second_look(state: State) -> bool:
    """Whether something waits for a second look."""
    return state.first is not None or (state.listing is not None and not state.listing.confirmed)


def event_of(kind: ListingType, look: Look, weight: Weight, time_ms: int, reason: str = "") -> BlocklistEvent:
    """An event about what was looked at; the same one has the same id."""
    zone = look.zone
    return BlocklistEvent(
        id=_event_id(look.resource, zone.zone, kind, time_ms),
        type=kind,
        time=time_ms,
        kind=zone.kind,
        resource=look.resource,
        zone=zone.zone,
        weight=weight,
        reason=reason,
    )


def _agreed(first: FirstLook | None, said: Said, resolver: str, now_ms: int, rules: SecondLookRules) -> bool:
    if first is None or first.said != said or now_ms - first.since_ms < rules.second_look_ms:
        return False
    other = first.resolver != resolver or rules.resolvers < 2
    return other or now_ms - first.since_ms >= SAME_RESOLVER_MS


def _goes_on(
    state: State, look: Look, agreed: bool, now_ms: int, rules: SecondLookRules
) -> tuple[State, list[BlocklistEvent]]:
    """What was known is said again; whatever waited for a second look to the contrary is forgotten."""
    listing, outcome = state.listing, look.outcome
    if listing is None or not isinstance(outcome, Listed):
        return replace(state, first=None), []
    # Where the first look is not known any more, its time is that of the report.
    alone = state.first is None or state.first.said != listing.weight
    confirmed = listing.confirmed or agreed or (alone and now_ms - listing.said_ms >= rules.second_look_ms)
    state = replace(state, first=None if confirmed else state.first)
    news = confirmed != listing.confirmed or set(listing.codes) != set(outcome.codes) or bool(listing.monitor)
    if not news and now_ms - listing.said_ms < SAY_AGAIN_MS:
        return state, []
    event = _listing("still_listed", look, outcome, now_ms, confirmed=confirmed)
    return replace(state, listing=_open(event, now_ms)), [event]


def _open(event: BlocklistEvent, now_ms: int) -> ReportedListing:
    return ReportedListing(
        kind=event.kind,
        resource=event.resource,
        zone=event.zone,
        weight=event.weight,
        codes=event.codes,
        confirmed=event.confirmed,
        said_ms=now_ms,
    )


def _listing(kind: ListingType, look: Look, listed: Listed, time_ms: int, *, confirmed: bool) -> BlocklistEvent:
    event = event_of(kind, look, listed.weight, time_ms)
    return msgspec.structs.replace(event, codes=listed.codes, meaning=listed.meaning, confirmed=confirmed)


def _event_id(resource: str, zone: str, kind: ListingType, time_ms: int) -> str:
    text = "\0".join((resource, zone, kind, str(time_ms)))
    return blake2b(text.encode(), digest_size=16).hexdigest()
