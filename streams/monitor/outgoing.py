"""Sending what people decided, what monitors found of holds and incidents, and that a hold is over: what commands
store, and what only time ends."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from schemas.deployment import Deployment
from schemas.hold import hold_event
from schemas.times import epoch_ms
from schemas.wording import rfc3339
from streams.decisions.holds import held_alerts, open_holds, store_hold
from streams.io.outgoing import AHEAD_MS, TOPICS, DecisionEvent, Outgoing, store_outgoing, store_sent, unsent
from streams.io.store import Store

#: It is looked so often whether a hold is over.
HOLDS_EVERY_MS = 10_000


class OutgoingSender:
    """Sends. `publish` is given topic, key and value; `flush` returns once all is acknowledged. One thread at a
    time."""

    def __init__(
        self,
        store: Store,
        publish: Callable[[str, bytes, bytes], None],
        flush: Callable[[], None],
        deployment: Deployment,
    ) -> None:
        self._store = store
        self._publish = publish
        self._flush = flush
        self._deployment = deployment
        self._looked_ms = -HOLDS_EVERY_MS

    def send(self, now_ms: int) -> int:
        """Send what is due at `now_ms` (epoch ms); returns how many events.

        Raises:
            StoreError, BrokerError: nothing is lost; the next try sends it.
        """
        found = unsent(self._store, now_ms)
        self._send(found)
        if not 0 <= now_ms - self._looked_ms < HOLDS_EVERY_MS:
            self._end_holds(now_ms)
            self._looked_ms = now_ms
        return len(found)

    def tell(self, events: Sequence[DecisionEvent]) -> None:
        """Send what was found just now, stored before as to be sent.

        Raises:
            StoreError, BrokerError: what is stored by then is sent by the next try.
        """
        found = [Outgoing(each, epoch_ms(datetime.fromisoformat(each.time))) for each in events]
        self._send(store_outgoing(self._store, found))

    def _end_holds(self, now_ms: int) -> None:
        """Tell, and then store, that holds are over: nobody else comes into them, and all was decided."""
        over = [each for each in open_holds(self._store) if now_ms > each.over_ms + AHEAD_MS]
        if not over:
            return
        waiting = {each.hold for each in held_alerts(self._store)}
        ended = [msgspec.structs.replace(each, ended_ms=now_ms) for each in over if each.id not in waiting]
        self.tell([hold_event(each, "ended", rfc3339(now_ms)) for each in ended])
        for each in ended:
            store_hold(self._store, each, now_ms)

    def _send(self, some: Sequence[Outgoing]) -> None:
        for each in some:
            event = each.event
            sent = msgspec.structs.replace(event, source=self._deployment.source(event.source))
            self._publish(TOPICS[type(event)], event.subject.encode(), msgspec.json.encode(sent))
        if some:
            self._flush()
        store_sent(self._store, some)
