"""Alerts as they come from the topic, held against the store: nobody is told of one that was not sent."""

import logging
from collections.abc import Sequence

import msgspec

from jobs.notify.events import Event
from jobs.notify.metrics import NotifyMetrics
from schemas.alert import AlertEvent
from schemas.times import HOUR_MS, utc_time
from schemas.wording import on_one_line
from streams.alerts.forged import LONGEST_NAME, fault_against_stored, fault_of_names
from streams.alerts.known import stored_alerts
from streams.io.store import Store

log = logging.getLogger("repmon.notify")

WHO, REFUSED = "notify", "notify alert refused"
LONGEST_FAULT = 1_000
_decode = msgspec.json.Decoder(AlertEvent).decode


class Genuine:
    """Refuses alerts that the store does not know so. Operators are told of the first in an hour: in the log, and as a
    row of `audit`; all are counted."""

    def __init__(self, store: Store, metrics: NotifyMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._told_ms = 0

    def refused(self, events: Sequence[Event], now_ms: int) -> set[str]:
        """The texts of those alerts that are not as they were sent; asked of the store for all at once.

        Raises:
            StoreError: the store failed; ask again.
        """
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
        found = [each for each in events if faults[each.text]]
        if found:
            self._tell(found[0], on_one_line(faults[found[0].text])[:LONGEST_FAULT], now_ms)
        self._metrics.refused += len(found)
        return {each.text for each in found}

    def _tell(self, event: Event, fault: str, now_ms: int) -> None:
        hour_ms = now_ms // HOUR_MS * HOUR_MS
        if self._told_ms == hour_ms:
            return
        log.critical(
            "an alert is told to nobody, since it is not as it was sent: %s; others of this hour are only counted",
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
