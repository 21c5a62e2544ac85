"""What the stage of notifications says of itself."""

from dataclasses import dataclass

from streams.io.instrument import counter, gauge


@dataclass
class NotifyMetrics:
    """Running totals since the stage began, and how it is now."""

    events: int = counter("Events that were read.")
    unreadable: int = counter("Messages that are no event, and were skipped.")
    foreign: int = counter("Events of other deployments, which are told to nobody.")
    refused: int = counter("Events that are not as the store knows them, which are told to nobody.")
    taken: int = counter("Notifications that were stored to be sent: one for each event and route that takes it.")
    sent: int = counter("Notifications that a target took.")
    failed: int = counter("Notifications that became dead letters.")
    failed_tries: int = counter("Tries that a target did not take.")
    waiting: int = gauge("Notifications that wait to be sent, those for a digest or for quiet hours to end among them.")
    oldest_due_seconds: float = gauge("How long the oldest notification is overdue; 0 where none is.")
    failing_routes: int = gauge("Routes whose last tries failed.")
