"""The fleet's mail as a stream of events in the order of time. Pure: seeded, and the time is given."""

import math
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec

from jobs.simulate.fleet import Fleet, PlannedListing, SimulatedCustomer
from jobs.simulate.outcomes import Complaints, OutcomeChances, Outcomes
from jobs.simulate.profiles import load_profiles
from jobs.simulate.timed import NO_SLOT, TimedMessage
from jobs.simulate.wire import EventTemplate, Lane, event, lanes, prefix
from schemas.listing import BlocklistEvent
from schemas.times import HOUR_MS, MINUTE_MS, SECOND_MS
from schemas.topics import MAIL_BLOCKLISTINGS, MAIL_EVENTS

#: How often volumes and profiles are looked at again.
STEP_MS = 5 * MINUTE_MS
#: Part of all events that is sent a second time, and within how long.
DUPLICATES, DUPLICATE_WITHIN_MS = 0.002, 3 * MINUTE_MS
#: Volume at night, as a part of the volume at the busiest hour.
NIGHT = 0.45
#: Median (ms) and sigma of log-normal delays after the delivery.
COMPLAINT_DELAY = (2.0 * HOUR_MS, 1.2)
UNSUBSCRIBE_DELAY = (1.5 * HOUR_MS, 1.0)
LATE_BOUNCE_DELAY = (20 * MINUTE_MS, 1.0)
#: Of a hundred late bounces: hard, soft, blocked.
LATE_BOUNCE_KINDS = (80, 10, 10)
RETRY_MS = (3 * MINUTE_MS, 20 * MINUTE_MS)
EXPIRY_MS = (2 * HOUR_MS, 8 * HOUR_MS)
#: A customer's mail is spread over domains and addresses in this many steps.
DECK = 1024
#: Later than anything simulated, epoch ms.
_NEVER_MS = 2**62

#: Time, tie-breaker, and what is due then: more outcomes of a message, a duplicate, or a look at a list.
_Due = tuple[int, int, "_Rest | TimedMessage | _Listing"]


class _Rest(NamedTuple):
    number: int
    lane: Lane
    behaviour: OutcomeChances
    outcomes: tuple[EventTemplate, ...]
    #: When the message was first tried (epoch ms), and whether its later outcomes say so.
    sent_ms: int = 0
    stated: bool = False


class _Listing(NamedTuple):
    plan: PlannedListing
    ends_ms: int
    look: int


@dataclass(slots=True)
class _Sender:
    """One stream at work."""

    customer: SimulatedCustomer
    weight: float
    deck: list[Lane]
    before: OutcomeChances
    after: OutcomeChances
    turns_ms: float
    now: OutcomeChances


class Traffic:
    """The mail of a fleet. What comes late (complaints, retries) is kept for the next call of `generate`.

    Moments given as parts of the history lie between `start_ms` and `end_ms` (epoch ms, UTC).
    """

    def __init__(self, fleet: Fleet, seed: int, start_ms: int, end_ms: int) -> None:
        self._rng = random.Random(f"traffic {seed} {start_ms}")
        self._outcomes = Outcomes(load_profiles().answers)
        self._prefix = prefix(seed, start_ms)
        self._number = 0
        self._ties = 0
        self._due: list[_Due] = []
        self._hurry = 1.0
        self._weighed = -1
        self._cumulated: list[float] = []
        self._senders: list[_Sender] = []
        span_ms = end_ms - start_ms
        self._troubles = [
            (start_ms + span_ms * each.begins, start_ms + span_ms * each.ends, each) for each in fleet.troubles
        ]
        complaints = {each.name: Complaints(self._rng.random()) for each in fleet.customers}
        streams = ((customer, stream) for customer in fleet.customers for stream in customer.streams)
        for number, (customer, stream) in enumerate(streams):
            owed = complaints[customer.name]
            bulk = stream.stream_class == "bulk"
            before = self._outcomes.behaviour(customer.rates, owed, bulk=bulk)
            self._senders.append(
                _Sender(
                    customer=customer,
                    weight=customer.weight * stream.share,
                    deck=_deck(self._rng, lanes(fleet, number, customer, stream), customer.domain_weights),
                    before=before,
                    after=self._outcomes.behaviour(customer.after, owed, bulk=bulk) if customer.after else before,
                    turns_ms=math.inf
                    if customer.turns_at is None
                    else start_ms + (end_ms - start_ms) * customer.turns_at,
                    now=before,
                )
            )
        for plan in fleet.listings:
            begins = start_ms + int((end_ms - start_ms) * plan.begins)
            ends = _NEVER_MS
            if plan.ends is not None:
                ends = start_ms + int((end_ms - start_ms) * plan.ends)
            self._later(begins, _Listing(plan, ends, 0))

    def generate(self, start_ms: int, end_ms: int, messages: int, hurry: float = 1.0) -> Iterator[TimedMessage]:
        """The events of [start_ms, end_ms): `messages` new messages, and whatever is due from earlier ones.

        Delays are divided by `hurry`. All come in the order of their times; a duplicate repeats its event's
        bytes, so the time inside it is the earlier one of the event.
        """
        self._hurry = hurry
        for begin, end, count in self._steps(start_ms, end_ms, messages):
            self._weigh(begin)
            times = sorted(begin + int(self._rng.random() * (end - begin)) for _ in range(count))
            senders = self._rng.choices(self._senders, cum_weights=self._cumulated, k=count) if count else []
            for time_ms, sender in zip(times, senders, strict=True):
                if self._due and self._due[0][0] <= time_ms:
                    yield from self._overdue(time_ms)
                yield self._new(time_ms, sender)
            yield from self._overdue(end - 1)

    def _steps(self, start_ms: int, end_ms: int, messages: int) -> Iterator[tuple[int, int, int]]:
        """(begin, end, messages) of each step: the messages follow the fleet's volume, and add up."""
        edges = [start_ms, *range((start_ms // STEP_MS + 1) * STEP_MS, end_ms, STEP_MS), end_ms]
        parts = list(pairwise(edges))
        if len(parts) == 1:
            yield start_ms, end_ms, messages
            return
        volumes = list(accumulate(sum(self._weights(begin)) * (end - begin) for begin, end in parts))
        done = 0
        for (begin, end), volume in zip(parts, volumes, strict=True):
            upto = round(messages * volume / volumes[-1])
            yield begin, end, upto - done
            done = upto

    def _weights(self, time_ms: int) -> list[float]:
        hour = time_ms / HOUR_MS
        return [
            each.weight
            * (NIGHT + (1 - NIGHT) * max(0.0, math.sin(math.pi * ((hour - each.customer.phase_h - 7) % 24) / 12)))
            * (each.customer.volume_factor if time_ms >= each.turns_ms else 1.0)
            for each in self._senders
        ]

    def _weigh(self, time_ms: int) -> None:
        """Look at volumes and profiles again, once a step."""
        step = time_ms // STEP_MS
        if step == self._weighed:
            return
        self._weighed = step
        self._cumulated = list(accumulate(self._weights(time_ms)))
        for each in self._senders:
            each.now = each.after if time_ms >= each.turns_ms else each.before

    def _new(self, time_ms: int, sender: _Sender) -> TimedMessage:
        draw = self._rng.random
        self._number += 1
        lane = sender.deck[int(draw() * DECK)]
        now = sender.now
        chance = draw()
        final = (
            self._outcomes.delivered
            if chance < now.delivered
            else now.outcomes[min(bisect_right(now.chances, chance), len(now.outcomes) - 1)]
        )
        if self._troubles and not final.unsent:
            final = self._troubled(time_ms, sender, lane) or final
        if final is self._outcomes.expired or (draw() < now.deferral and not final.unsent):
            return self._next(time_ms, _Rest(self._number, lane, now, (*self._deferrals(final), final)))
        return self._emit(time_ms, self._number, lane, now, final)

    def _troubled(self, time_ms: int, sender: _Sender, lane: Lane) -> EventTemplate | None:
        """What becomes of a message that meets a trouble; None where it meets none."""
        for begins_ms, ends_ms, each in self._troubles:
            if (
                begins_ms <= time_ms < ends_ms
                and lane.domain in each.domains
                and each.pool in ("", sender.customer.pool.name)
                and self._rng.random() < each.share
            ):
                return self._outcomes.bounced[each.kind][0][0]
        return None

    def _deferrals(self, final: EventTemplate) -> list[EventTemplate]:
        twice = final is self._outcomes.expired or self._rng.random() < 0.3
        return [self._rng.choice(each) for each in self._outcomes.deferred[: 2 if twice else 1]]

    def _next(self, time_ms: int, rest: _Rest) -> TimedMessage:
        """The first outcome now, the others later."""
        first, *others = rest.outcomes
        if others:
            low, high = EXPIRY_MS if others[0] is self._outcomes.expired else RETRY_MS
            delay = self._rng.uniform(low, high) / self._hurry
            sent_ms = rest.sent_ms or time_ms
            self._later(time_ms + int(delay), rest._replace(outcomes=tuple(others), sent_ms=sent_ms, stated=True))
        return self._emit(time_ms, rest.number, rest.lane, rest.behaviour, first, rest.sent_ms, stated=rest.stated)

    def _emit(
        self,
        time_ms: int,
        number: int,
        lane: Lane,
        now: OutcomeChances,
        what: EventTemplate,
        sent_ms: int = 0,
        *,
        stated: bool = False,
    ) -> TimedMessage:
        draw = self._rng.random
        if what.delivered:
            afterwards = now.afterwards_plain
            if lane.feedback_loop:
                afterwards = now.afterwards
                now.complaints.owed += now.complaint
            chance = draw()
            known_ms = (sent_ms or time_ms) if lane.feedback_loop else 0
            if now.complaints.owed >= 1 and lane.feedback_loop:
                now.complaints.owed -= 1
                self._complain(time_ms, _Rest(number, lane, now, (), known_ms))
            elif chance < afterwards[-1]:
                self._follow(time_ms, _Rest(number, lane, now, (), known_ms), bisect_right(afterwards, chance))
        slot = lane.slot + what.place
        value = event(self._prefix, number, time_ms, lane, what, sent_ms if stated else 0)
        if draw() < DUPLICATES:
            again = time_ms + 1 + int(draw() * DUPLICATE_WITHIN_MS / self._hurry)
            self._later(again, TimedMessage(again, lane.key, value, MAIL_EVENTS, slot + 1, sent_ms))
        return TimedMessage(time_ms, lane.key, value, MAIL_EVENTS, slot, sent_ms)

    def _complain(self, time_ms: int, rest: _Rest) -> None:
        self._after(time_ms, rest, self._rng.choice(self._outcomes.complained), COMPLAINT_DELAY)

    def _follow(self, time_ms: int, rest: _Rest, which: int) -> None:
        """What else a delivery brings later: report, unsubscription or late bounce."""
        if which == 0:
            self._after(time_ms, rest, self._rng.choice(self._outcomes.reported), COMPLAINT_DELAY)
        elif which == 1:
            self._after(time_ms, rest, self._outcomes.unsubscribed, UNSUBSCRIBE_DELAY)
        else:
            late = self._outcomes.late[self._rng.choices(("hard", "soft", "block"), LATE_BOUNCE_KINDS)[0]]
            what = self._rng.choices([each for each, _ in late], [share for _, share in late])[0]
            self._after(time_ms, rest, what, LATE_BOUNCE_DELAY)

    def _after(self, time_ms: int, rest: _Rest, what: EventTemplate, delay: tuple[float, float]) -> None:
        median_ms, sigma = delay
        delay_ms = self._rng.lognormvariate(math.log(median_ms), sigma) / self._hurry
        self._later(time_ms + SECOND_MS + int(delay_ms), rest._replace(outcomes=(what,)))

    def _later(self, time_ms: int, what: "_Rest | TimedMessage | _Listing") -> None:
        self._ties += 1
        heappush(self._due, (time_ms, self._ties, what))

    def _overdue(self, upto_ms: int) -> Iterator[TimedMessage]:
        """All that is due up to a time, in order."""
        while self._due and self._due[0][0] <= upto_ms:
            time_ms, _, what = heappop(self._due)
            if isinstance(what, _Rest):
                yield self._next(time_ms, what)
            elif isinstance(what, TimedMessage):
                yield what
            else:
                yield self._look(time_ms, what)

    def _look(self, time_ms: int, listing: _Listing) -> TimedMessage:
        """What an hourly look at a blocklist finds."""
        plan, ends_ms, look = listing
        gone = time_ms >= ends_ms
        if not gone:
            self._later(min(time_ms + HOUR_MS, ends_ms), _Listing(plan, ends_ms, look + 1))
        found = BlocklistEvent(
            id=f"{self._prefix[7:].decode()}{plan.zone}-{plan.resource}-{look}",
            type="delisted" if gone else "still_listed" if look else "listed",
            time=time_ms,
            kind="ip",
            resource=plan.resource,
            zone=plan.zone,
            weight=plan.weight,
            codes=() if gone else (plan.code,),
            meaning="" if gone else plan.meaning,
        )
        return TimedMessage(time_ms, plan.resource.encode(), msgspec.json.encode(found), MAIL_BLOCKLISTINGS, NO_SLOT)


def generate(fleet: Fleet, start_ms: int, end_ms: int, total_messages: int, seed: int) -> Iterator[TimedMessage]:
    """The events of one history; what would come after `end_ms` is left out."""
    return Traffic(fleet, seed, start_ms, end_ms).generate(start_ms, end_ms, total_messages)


def _deck(rng: random.Random, by_domain: list[list[Lane]], weights: Sequence[float]) -> list[Lane]:
    """Lanes to draw from evenly: domains by their weight, addresses in turn."""
    edges = [0, *(round(DECK * part / sum(weights)) for part in accumulate(weights))]
    deck = [
        by_address[place % len(by_address)]
        for by_address, low, high in zip(by_domain, edges[:-1], edges[1:], strict=True)
        for place in range(high - low)
    ]
    rng.shuffle(deck)
    return deck
