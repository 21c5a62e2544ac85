"""Rows in every table that a dashboard asks, and the time that is shown of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from jobs.operator.audit import Decision, record_decision
from jobs.operator.policy_store import apply
from jobs.setup.migrate import migrate
from schemas import policy
from schemas.alert import Acknowledgement, Held
from schemas.hold import Hold
from schemas.incident import Example, Incident
from schemas.levels import Level
from schemas.settings import ClickHouse
from streams.alerts.lifecycle import AlertState
from streams.decisions.suspensions import SUSPENDED
from streams.incidents.stored import store_incidents
from streams.io.store import Store, open_store
from streams.monitor.policy_levels import store_levels

INTERVAL_S = 300
#: On an interval's begin, so that the first bucket is whole. Near now for the listings' last 48 hours.
TO = datetime.fromtimestamp(datetime.now(UTC).timestamp() // INTERVAL_S * INTERVAL_S, UTC)
FROM = TO - timedelta(hours=6)
EARLIER = FROM - timedelta(hours=1)
MS = int(FROM.timestamp()) * 1000

COUNTS: list[dict[str, Any]] = [
    {"dimension": "provider", "customer": "good-ltd", "value": "yahoo", "bucket": FROM, "delivered": 9000},
    {
        "dimension": "provider",
        "customer": "bad'co",
        "value": "yahoo",
        "bucket": FROM,
        "delivered": 1000,
        "complained": 5,
    },
    # The same key from a second source: both count.
    {
        "dimension": "provider",
        "customer": "bad'co",
        "value": "yahoo",
        "bucket": FROM,
        "source": "t:1",
        "hard": 60,
        "late_hard": 10,
        "expired": 10,
    },
    # No feedback loop: neither its deliveries nor a stray complaint enter the complaint rate.
    {
        "dimension": "provider",
        "customer": "bad'co",
        "value": "gmail",
        "bucket": FROM,
        "delivered": 4000,
        "complained": 7,
        "block": 40,
    },
    # An hour before the range: seen only by the line of the last 24 hours.
    {
        "dimension": "provider",
        "customer": "bad'co",
        "value": "yahoo",
        "bucket": EARLIER,
        "delivered": 1000,
        "complained": 15,
    },
    {
        "dimension": "ip",
        "customer": "bad'co",
        "value": "192.0.2.1",
        "bucket": FROM,
        "delivered": 900,
        "hard": 100,
    },
    {"dimension": "ip", "customer": "good-ltd", "value": "192.0.2.1", "bucket": FROM, "delivered": 9000},
    {"dimension": "from", "customer": "bad'co", "value": "listed.example", "bucket": FROM, "delivered": 900},
    {
        "dimension": "pool",
        "customer": "bad'co",
        "value": "shared",
        "bucket": FROM,
        "delivered": 5000,
        "hard": 60,
    },
    {"dimension": "offset", "customer": "", "value": "", "bucket": FROM, "last_offset": 6},
]


def standing(customer: str, level: str, scope: str = "customer", version: int = 0, **rates: float) -> dict[str, Any]:
    return {
        "customer": customer,
        "scope": scope,
        "standing": level,
        "updated": FROM + timedelta(seconds=version),
        "since": FROM,
        "volume": 1000,
        "reasons": ["complaints"] if level == "excessive" else [],
        "policy_version": "p1",
        "complaint_rate": rates.get("complaint", 0.0),
        "overall_score": 40,
    }


STANDINGS = [
    standing("bad'co", "good"),
    standing("bad'co", "excessive", version=1, complaint=0.005),
    standing("bad'co", "watch", scope="stream:news"),
    standing("good-ltd", "good"),
    standing("quiet", "insufficient_volume"),
    standing("sly\\", "critical"),
]

EVENT = """{"data": {"alert_id": "alert-1", "explanation": "5 of 1,000 complained ({kind})", "evidence": {
"providers": [{"name": "yahoo", "count": 5}], "bounce_classes": [{"name": "spam", "count": 5, "sample": "550 no"}],
"sample_message_ids": ["<m@x>"]}}}"""
ALERTS = [
    {
        "customer": "bad'co",
        "time": FROM + timedelta(minutes=minute),
        "id": name,
        "scope": "customer",
        "rule": "complaints",
        "episode": 1,
        "transition": minute,
        "kind": kind,
        "level": level,
        "event": EVENT.replace("{kind}", kind),
        "window": "24h",
        "numerator": 5,
        "denominator": 1000,
        "rate": 0.005,
        "lower": 0.0031,
        "threshold": 0.003,
    }
    for minute, name, kind, level in (
        (1, "a", "opened", "warning"),
        (1, "a", "opened", "warning"),
        (2, "b", "escalated", "excessive"),
        (3, "c", "resolved", "good"),
    )
]

LISTINGS = [
    {"resource": resource, "kind": "ip", "zone": zone, "time": FROM + timedelta(minutes=minute), "type": kind,
     "weight": "critical", "id": f"{resource}{zone}{minute}", "meaning": "spam source"}
    for resource, zone, minute, kind in (
        ("192.0.2.1", "bl.example", 0, "listed"),
        ("192.0.2.1", "bl.example", 1, "delisted"),
        ("192.0.2.1", "bl.example", 2, "listed"),
        ("192.0.2.1", "bl.example", 3, "still_listed"),
        ("192.0.2.1", "bl.example", 4, "check_failed"),
        ("192.0.2.9", "bl.example", 0, "listed"),
        ("192.0.2.9", "bl.example", 1, "delisted"),
        ("listed.example", "dbl.example", 5, "listed"),
    )
]  # fmt: skip

#: The listing in force, one that ended in the time shown after an hour of it, and one that ended before.
CAUSES = [
    {"resource": resource, "kind": "ip", "zone": "bl.example", "began": began, "weight": weight, "confirmed": True,
     "ended": ended, "pool": pool, "attributed": "shared", "users": 2, "customers": ["bad'co", "good-ltd"],
     "shares": shares}
    for resource, began, ended, weight, pool, shares in (
        ("192.0.2.1", FROM + timedelta(minutes=2), datetime.fromtimestamp(0, UTC), "critical", "", [0.8, 0.2]),
        ("192.0.2.5", EARLIER, FROM + timedelta(hours=1), "major", "gold", [0.0, 0.0]),
        ("192.0.2.6", EARLIER, FROM - timedelta(minutes=1), "major", "gold", [1.0, 0.0]),
    )
]  # fmt: skip

#: The list that still has 192.0.2.1 was last answered an hour before now.
LOOKED = datetime.now(UTC) - timedelta(hours=1)
LOOKS = [
    {"resource": "192.0.2.1", "zone": "bl.example", "looked": LOOKED - timedelta(hours=2), "updated": FROM},
    {"resource": "192.0.2.1", "zone": "bl.example", "looked": LOOKED, "updated": TO},
    {"resource": "192.0.2.1", "zone": "other.example", "looked": TO, "updated": TO},
]

EVENTS = [
    {"customer": "bad'co", "time": FROM + timedelta(seconds=number), "type": kind, "id": str(number),
     "provider": "gmail", "recipient_hash": str(number % 2), "bounce_kind": bounce_kind,
     "bounce_class": bounce_class, "diagnostic": f"answer {number}", "position": number}
    for number, (kind, bounce_kind, bounce_class) in enumerate(
        [("bounced", "hard", "invalid-recipient")] * 3 + [("complained", "", "")]
    )
]  # fmt: skip


LEVELS: tuple[tuple[str, str, Level, dict[str, Any]], ...] = (
    ("bad'co", "customer", "excessive", {"held": Held(id="h1", reason="brake", since_ms=MS, customers=30)}),
    ("bad'co", "stream:it's", "watch", {"acknowledged": Acknowledgement(by="Ida", why="seen", time_ms=MS)}),
    ("good-ltd", "customer", "good", {}),
)
STATES = [
    AlertState(customer=customer, scope=scope, rule="complaints", level=level, episode=1, transition=2,
               opened_ms=MS, changed_ms=MS, **more)
    for customer, scope, level, more in LEVELS
]  # fmt: skip

#: Detected by a monitor and declared by a person: two rows of one incident; another is only suspected.
FOUND = Incident(
    id="i1", dimension="provider", value="gmail", outcome="deferred", state="detected", open=True,
    hours=(MS // 3_600_000 * 3600,), rate=0.4, usual=0.01, struck=12, spared=3,
    examples=(Example(customer="bad'co", failed=40, total=100), Example(customer="good-ltd", failed=4, total=10)),
)  # fmt: skip
DECLARED = msgspec.structs.replace(FOUND, state="declared", by="Ida", why="their status page")
LONG_AGO = msgspec.structs.replace(FOUND, id="i0", hours=(MS // 3_600_000 * 3600 - 30 * 86_400,))

POLICY = """
[[rules]]
name = "complaints"
metric = "complaint"
windows = ["24h"]
levels = {{ warning = {}, excessive = 0.005 }}

[[rules]]
name = "at_gmail"
metric = "complaint"
windows = ["24h"]
providers = ["gmail"]
levels = {{ critical = 0.5 }}

[[rules]]
name = "failures"
metric = "failure"
windows = ["24h"]
levels = {{ watch = 0.05 }}

[[rules]]
name = "blocks"
metric = "block"
windows = ["24h"]
levels = {{ critical = 0.5 }}
"""


def fill(store: Store) -> None:
    """Rows in every table that a dashboard asks."""
    defaults = {"stream": "default", "class": "bulk", "source": "t:0", "last_offset": 0}
    numbers = sorted({name for row in COUNTS for name, value in row.items() if isinstance(value, int)})
    zeros = dict.fromkeys(numbers, 0)
    insert(store, "counts", [{**defaults, **zeros, **row} for row in COUNTS])
    insert(store, "standings", STANDINGS)
    insert(store, "alerts", ALERTS)
    insert(store, "listing_events", LISTINGS)
    insert(store, "listing_causes", CAUSES)
    insert(store, "blocklist_looks", LOOKS)
    insert(store, "events", EVENTS)
    put_decisions(store)


def put_decisions(store: Store) -> None:
    """What monitors and people decided, written by what writes it."""
    store.insert(
        "alert_states",
        {
            **{name: [getattr(each, name) for each in STATES] for name in ("customer", "scope", "rule", "level")},
            "updated": [FROM] * len(STATES),
            "state": [msgspec.json.encode(each).decode() for each in STATES],
        },
    )
    store_incidents(store, [FOUND, LONG_AGO], MS)
    store_incidents(store, [DECLARED], MS, decided=True)
    record_decision(store, Decision(FROM, "Ida", SUSPENDED, "bad'co", "bad'co", "spam", {}))
    hold = Hold(id="h1", reason="brake", began_ms=MS, from_ms=MS, until_ms=MS, customers=30, limit=20)
    detail = msgspec.json.encode(hold).decode()
    insert(store, "holds", [{"id": "h1", "reason": "brake", "until": FROM, "detail": detail, "updated": FROM}])
    store.insert("blocklist_trust", {"zone": ["bl.example"], "family": ["ipv4"], "trusted": [False], "since": [FROM]})
    # The policy that was in force before the time shown, and the one that came in the middle of it.
    store_levels(store, policy.parse(POLICY.format(0.003), "before"), MS - 86_400_000)
    store_levels(store, policy.parse(POLICY.format(0.002), "now"), MS + 3 * 3_600_000)
    apply(store, POLICY.format(0.002), "now", by="Ida", why="stricter", now_ms=MS + 3 * 3_600_000)


def migrated(path: Path, database: str) -> Iterator[Store]:
    settings = ClickHouse(path=str(path), database=database)
    migrate(settings)
    store = open_store(settings)
    yield store
    store.close()


def insert(store: Store, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    store.insert(table, {name: [row[name] for row in rows] for name in rows[0]})
