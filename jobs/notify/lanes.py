"""What is sent when: in lanes, one for each route and customer, in which one goes after another. Pure.

What a target does not take is tried again, each time after a longer while. Where several tries in a row fail, of
whomever they are, it is the target: then one is tried at a time, after waits that grow, until one is taken.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from jobs.notify.notification import Notification, Outcome, Parcel
from schemas.notify import Route
from schemas.times import HOUR_MS, MINUTE_MS, SECOND_MS

#: A lane by route and name; of a digest there is one a route.
LaneKey = tuple[str, str]
#: How long after the first try the second comes, and how long it is at most until the next, in ms.
FIRST_WAIT_MS, LONGEST_WAIT_MS = SECOND_MS, 10 * MINUTE_MS
#: A target that asks to be left alone is for so long at most: one that asked for a year would hear of nothing.
LONGEST_ASKED_MS = HOUR_MS
#: What is said of what was not sent.
OVERTAKEN = "not sent: it was over before it could be told"
#: Events of a digest.
MOST_IN_ONE = 500
#: After so many failures in a row it is the target, and not what is sent.
FAILURES = 3


def wait_ms(failures: int, chance: float) -> int:
    """How long it is until the next try after so many failed; `chance` from 0 to 1 makes it half as long to full, so
    that those who failed together do not come back together."""
    longest = min(LONGEST_WAIT_MS, FIRST_WAIT_MS << min(failures - 1, 30))
    return round(longest * (0.5 + chance / 2))


@dataclass
class _RouteLanes:
    """The lanes of a route. `ready` is a heap of (when, lane); entries that are overtaken are skipped."""

    route: Route
    lanes: dict[str, deque[Parcel]] = field(default_factory=dict)
    ready: list[tuple[int, str]] = field(default_factory=list)
    under_way: set[str] = field(default_factory=set)
    failures: int = 0
    paused_until_ms: int = 0

    @property
    def at_once(self) -> int:
        """How many may be under way."""
        return 1 if self.failures >= FAILURES else self.route.concurrency

    def note(self, lane: str) -> None:
        """Its first parcel may have another time now."""
        if lane in self.lanes and lane not in self.under_way:
            heapq.heappush(self.ready, (self.lanes[lane][0].ready_ms, lane))


class Lanes:
    """What waits for the routes. `chance` gives a number from 0 to 1."""

    def __init__(self, routes: Mapping[str, Route], retry_ms: int, chance: Callable[[], float]) -> None:
        self._routes = {name: _RouteLanes(route) for name, route in routes.items()}
        self._retry_ms = retry_ms
        self._chance = chance
        #: What was not sent, since it was over by then.
        self.overtaken: list[Notification] = []

    def put(self, item: Notification) -> None:
        """Add what is to be sent behind what is there. What goes out earlier takes along what waits before it."""
        of = self._routes[item.route]
        lane = "" if item.batch else item.lane
        parcels = of.lanes.setdefault(lane, deque())
        same = next((each for each in reversed(parcels) if item.batch and each.first.batch == item.batch), None)
        if same is not None and not (same is parcels[0] and lane in of.under_way):
            same.items.append(item)
        else:
            parcels.append(Parcel(route=item.route, lane=lane, items=[item]))
        for each in reversed(parcels):
            if each.due_ms < item.due_ms:
                break  # and those before it are no later
            each.first.due_ms = item.due_ms
        of.note(lane)

    def open_batch(self, route: str, now_ms: int) -> Parcel | None:
        """The digest of the route that still collects."""
        of = self._routes[route]
        last = of.lanes[""][-1] if of.lanes.get("") else None
        collects = last is not None and last.first.tries == 0 and last.due_ms > now_ms and len(last.items) < MOST_IN_ONE
        return last if collects else None

    def take(self, now_ms: int) -> list[Parcel]:
        """What is to be sent now. Each is under way until `done`."""
        found = []
        for of in self._routes.values():
            while len(of.under_way) < of.at_once and of.paused_until_ms <= now_ms:
                parcel = self._next(of, now_ms)
                if parcel is None:
                    break
                if self._is_overtaken(of, parcel):
                    continue
                of.under_way.add(parcel.lane)
                found.append(parcel)
        return found

    def done(self, parcel: Parcel, outcome: Outcome, now_ms: int) -> None:
        """What came of a try: sets state, tries and the time of the next one of each item."""
        of = self._routes[parcel.route]
        of.under_way.discard(parcel.lane)
        tries = parcel.first.tries + 1
        for item in parcel.items:
            item.tries, item.said, item.done = tries, outcome.said, (*item.done, *outcome.done)
        if outcome.result == "later":
            self._later(of, parcel, outcome, now_ms)
        else:
            for item in parcel.items:
                item.state = "sent" if outcome.result == "taken" else "failed"
        if outcome.result == "taken":
            self._well_again(of, now_ms)
        if parcel.first.state != "waiting":
            parcels = of.lanes[parcel.lane]
            parcels.remove(parcel)
            if not parcels:
                del of.lanes[parcel.lane]
        of.note(parcel.lane)

    def drop(self, reader: str) -> None:
        """What came from this partition is another's to send now. What is under way stays until it is done."""
        for of in self._routes.values():
            for lane, parcels in list(of.lanes.items()):
                for at, parcel in enumerate(parcels):
                    if at or lane not in of.under_way:
                        parcel.items = [each for each in parcel.items if each.reader != reader]
                of.lanes[lane] = deque(each for each in parcels if each.items)
                if not of.lanes[lane]:
                    del of.lanes[lane]
                of.note(lane)

    def waiting(self) -> Iterator[Notification]:
        """All that waits or is under way."""
        for of in self._routes.values():
            for parcels in of.lanes.values():
                for parcel in parcels:
                    yield from parcel.items

    def idle(self, now_ms: int) -> bool:
        """Whether nothing is under way, and nothing is to be tried but what was tried and what waits behind it."""
        return not any(
            of.under_way
            or (of.failures < FAILURES and any(self._fresh(parcels[0], now_ms) for parcels in of.lanes.values()))
            for of in self._routes.values()
        )

    @staticmethod
    def _fresh(parcel: Parcel, now_ms: int) -> bool:
        return parcel.first.tries == 0 and parcel.due_ms <= now_ms

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return any(of.under_way for of in self._routes.values())

    def failures(self, route: str) -> int:
        """How many tries of the route failed in a row."""
        return self._routes[route].failures

    def _next(self, of: _RouteLanes, now_ms: int) -> Parcel | None:
        while of.ready and of.ready[0][0] <= now_ms:
            when, lane = heapq.heappop(of.ready)
            if lane in of.under_way or lane not in of.lanes:
                continue
            parcel = of.lanes[lane][0]
            if parcel.ready_ms == when:
                return parcel
        return None

    def _is_overtaken(self, of: _RouteLanes, parcel: Parcel) -> bool:
        """Whether a target that is told of states need not hear of this one: its end waits behind it."""
        first, parcels = parcel.first, of.lanes[parcel.lane]
        if first.over or not first.alert_id:
            return False
        if not any(each.first.over and each.first.alert_id == first.alert_id for each in parcels):
            return False
        first.state, first.said = "sent", OVERTAKEN
        self.overtaken.append(first)
        parcels.popleft()
        of.note(parcel.lane)
        return True

    def _later(self, of: _RouteLanes, parcel: Parcel, outcome: Outcome, now_ms: int) -> None:
        of.failures += 1
        gives_up_ms = parcel.due_ms + self._retry_ms
        if now_ms >= gives_up_ms:
            for item in parcel.items:
                item.state = "failed"
                item.said = f"given up after {self._retry_ms / HOUR_MS:g} h: {outcome.said}"
        asked_ms = min(outcome.wait_ms, LONGEST_ASKED_MS)
        again_ms = now_ms + max(wait_ms(parcel.first.tries, self._chance()), asked_ms)
        for item in parcel.items:
            item.next_try_ms = max(now_ms, min(again_ms, gives_up_ms))
        if of.failures >= FAILURES:
            of.paused_until_ms = max(of.paused_until_ms, now_ms + wait_ms(of.failures - FAILURES + 1, self._chance()))
        if asked_ms:  # it is the target that asks to be left alone
            of.paused_until_ms = max(of.paused_until_ms, now_ms + asked_ms)

    def _well_again(self, of: _RouteLanes, now_ms: int) -> None:
        """The target takes something: what waits because of it does no longer."""
        failing = of.failures >= FAILURES
        of.failures = 0
        if failing:
            of.paused_until_ms = 0
            for lane, parcels in of.lanes.items():
                if lane not in of.under_way:
                    for item in parcels[0].items:
                        item.next_try_ms = min(item.next_try_ms, now_ms)
                    of.note(lane)
