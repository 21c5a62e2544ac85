"""Events and what is counted of them."""

from schemas.counts import MEASURES
from schemas.event import EventType, MailEvent
from streams.bounces.classify import Classified
from streams.intake.count import Senders, counts_table
from streams.intake.outcomes import counted_one_by_one

NOW = 1_790_000_000_000
HARD = Classified("invalid_recipient", "hard", "test")


def event(kind: EventType, **changes: object) -> MailEvent:
    given_fields = {
        "id": "e1", "type": kind, "time": NOW, "customer": "acme", "provider": "yahoo", "sending_ip": "192.0.2.1",
        "ip_pool": "shared", "from_domain": "news.acme.example", **changes,
    }  # fmt: skip
    return MailEvent(**given_fields)  # type: ignore[arg-type]


def rows(*events: MailEvent, last_offset: int = 9) -> dict[str, list[object]]:
    """The columns of a flush of these events."""
    senders = Senders()
    found = ((each, each.time_ms // 60_000, HARD if each.type == "bounced" else None) for each in events)
    table = counts_table(senders, counted_one_by_one(senders, found), "t:x:0", 0, last_offset)
    columns: dict[str, list[object]] = table.to_pydict()
    return columns


def counted(*events: MailEvent) -> dict[str, int]:
    """Totals of the provider dimension by measure, zeros left out."""
    columns = rows(*events)
    places = [i for i, dimension in enumerate(columns["dimension"]) if dimension == "provider"]
    totals = {name: sum(int(str(columns[name][i])) for i in places) for name in MEASURES if name in columns}
    return {name: total for name, total in totals.items() if total}
