"""Events as they come from the topics, held against the store: nobody is told of one that was not sent."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from jobs.notify.events import Event, read_event
from jobs.notify.metrics import NotifyMetrics
from schemas.alert import AlertEvent
from schemas.times import HOUR_MS, utc_time
from schemas.wording import on_one_line
from streams.alerts.forged import LONGEST_NAME, fault_against_stored, fault_of_names
from streams.alerts.known import stored_alerts
from streams.io.outgoing import known_outgoing
from streams.io.store import Store

log = logging.getLogger("repmon.notify")

WHO, REFUSED = "notify", "notify event refused"
LONGEST_FAULT = 1_000
UNKNOWN = "unknown: "
_decode = msgspec.json.Decoder(AlertEvent).decode


class KnownEvents(NamedTuple):
    """What is to be told, and what is wrong with those that the store does not know so; by the texts of the events."""

    found: dict[str, Event]
    faults: dict[str, str]

    def may_come(self, text: str) -> bool:
        """Whether the store does not know it, and may yet."""
        return self.faults.get(text, "").startswith(UNKNOWN)


class Genuine:
    """Refuses events that the store does not know. Operators are told of the first in an hour: in the log, and as a row
    of `audit`; all are counted."""

    def __init__(self, store: Store, metrics: NotifyMetrics, clock: Callable[[], int]) -> None:
        self._store, self._clock = store, clock
        self._metrics = metrics
        self._told_ms = 0

    def known(self, events: Sequence[Event]) -> KnownEvents:
        """By the texts of those that were sent, what is to be told; the store is asked for all at once. An alert must
        be as it was sent. Of other events several monitors may send one each under the same id, as each found it: what
        the store has is told, whatever else the message says.

        Raises:
            StoreError: the store failed; ask again.
        """
        found, now_ms = dict[str, Event](), self._clock()
        faults = self._alerts([each for each in events if each.alert is not None])
        faults |= self._others([each for each in events if each.alert is None], found, now_ms)
        found |= {each.text: each for each in events if not faults[each.text] and each.text not in found}
        return KnownEvents(found, {text: fault for text, fault in faults.items() if fault})

    def refuse(self, events: Sequence[Event], faults: Mapping[str, str]) -> None:
        """Nobody is told of these, for what is wrong with each by its text.

        Raises:
            StoreError: the store failed; do it again.
        """
        if events:
            self._tell(events[0], on_one_line(faults[events[0].text])[:LONGEST_FAULT], self._clock())
        self._metrics.refused += len(events)

    def _alerts(self, events: Sequence[Event]) -> dict[str, str]:
        """What is wrong with each alert, by its text; empty where nothing is."""
        faults: dict[str, str] = {}
        alerts: dict[str, AlertEvent] = {}
        for event in events:
            try:
                alerts[event.text] = _decode(event.text)
                faults[event.text] = fault_of_names(alerts[event.text])
            except msgspec.DecodeError as error:
                faults[event.text] = f"forged: no alert as they are sent: {error}"
        asked = [alert for text, alert in alerts.items() if not faults[text]]
        known = stored_alerts(self._store, asked) if asked else {}
        for text, alert in alerts.items():
            faults[text] = faults[text] or fault_against_stored(alert, known.get((alert.data.customer, alert.id)))
        return faults

    def _others(self, events: Sequence[Event], found: dict[str, Event], now_ms: int) -> dict[str, str]:
        """The same of other events; puts what is to be told into `found`."""
        ids = sorted({each.id for each in events if len(each.id) <= LONGEST_NAME})
        known = known_outgoing(self._store, ids, now_ms) if ids else {}
        faults = dict[str, str]()
        for event in events:
            stored = known.get(event.id)
            if stored is None:
                faults[event.text] = f"{UNKNOWN}no {event.kind} {event.id} is to be sent here"
                continue
            told = read_event(msgspec.json.encode(msgspec.json.decode(stored) | {"source": event.source}))
            same = (told.kind, told.subject, told.customer) == (event.kind, event.subject, event.customer)
            faults[event.text] = "" if same else f"forged: {event.id} is {told.kind} of {told.subject or '-'}"
            if same:
                found[event.text] = told
        return faults

    def _tell(self, event: Event, fault: str, now_ms: int) -> None:
        hour_ms = now_ms // HOUR_MS * HOUR_MS
        if self._told_ms == hour_ms:
            return
        log.critical(
            "an event is told to nobody, since it was not sent like that: %s; others of this hour are only counted",
            fault,
        )
        columns = {
            "time": utc_time(hour_ms),
            "who": WHO,
            "action": REFUSED,
            "customer": "",
            "subject": on_one_line(event.id)[:LONGEST_NAME],
            "why": fault,
            "detail": "{}",
        }
        self._store.insert("audit", {name: [value] for name, value in columns.items()})
        self._told_ms = hour_ms
