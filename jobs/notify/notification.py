"""One event on its way to one route, and what came of a try. Pure."""

from typing import Literal, NamedTuple

import msgspec

from jobs.notify.routing import digest_id

#: `waiting` to be sent, or again; `failed` is a dead letter.
State = Literal["waiting", "sent", "failed"]


class Notification(msgspec.Struct, kw_only=True):
    """An event on its way to a route; the columns of the table `notifications`. Times are epoch ms, UTC; `place` is its
    order, epoch us."""

    id: str
    route: str
    event_id: str
    lane: str
    reader: str
    place: int
    due_ms: int
    taken_ms: int
    event: str
    batch: str = ""
    state: State = "waiting"
    tries: int = 0
    next_try_ms: int = 0
    said: str = ""
    done: tuple[str, ...] = ()
    #: For a target that is told of states: the alert, and whether this is its end. Not stored.
    alert_id: str = ""
    over: bool = False
    #: When the row was stored that this was read from, epoch us.
    updated_us: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a try: taken, to be tried `later`, or `never`, since another try will not mend it.

    `said` is what the target said. `wait_ms` is how long it asked to be left alone, and `done` what of the notification
    it took.
    """

    result: Literal["taken", "later", "never"]
    said: str
    wait_ms: int = 0
    done: tuple[str, ...] = ()


class Parcel(msgspec.Struct, kw_only=True):
    """What goes out in one: an event, or those of a digest in their order."""

    route: str
    lane: str
    items: list[Notification]

    @property
    def id(self) -> str:
        """By this a receiver knows what it has already: the same for the same events."""
        return self.items[0].id if len(self.items) == 1 else digest_id(each.id for each in self.items)

    @property
    def first(self) -> Notification:
        """The event, or the first of the digest."""
        return self.items[0]

    @property
    def due_ms(self) -> int:
        """When it goes out (epoch ms): as soon as one of it is to."""
        return min(each.due_ms for each in self.items)

    @property
    def ready_ms(self) -> int:
        """When it may be tried (epoch ms)."""
        return max(self.due_ms, self.first.next_try_ms)


class RouteTotals(NamedTuple):
    """What is stored of a route. `oldest_ms` is when the oldest that waits was due (epoch ms; 0: none), `later` what
    waits for a digest or for quiet hours to end; `failed` and `sent` are of the last 24 hours."""

    route: str
    waiting: int
    oldest_ms: int
    tries: int
    said: str
    failed: int
    sent: int
    later: int
