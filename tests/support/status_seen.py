"""What `repmon status` sees of an installation that is well, and what it does not see without store or broker."""

from typing import Any

from api.text.status import StageSeen, StatusSeen

NOW = 1_795_000_000_000
STAGE = StageSeen(url="http://127.0.0.1:8080", name="up", well=True, last_stored_ms=NOW - 2_000)
SEEN = StatusSeen(
    now_ms=NOW,
    broker="Kafka at 127.0.0.1:9092",
    missing_topics=(),
    topics=8,
    store="http://127.0.0.1:8123",
    store_version="26.3",
    migrations_missing=0,
    disk_free_bytes=50_000_000_000,
    disk_total_bytes=100_000_000_000,
    least_free_bytes=500_000_000,
    lag={"mail.events": 0},
    coming_per_s=100.0,
    counted_per_s=100.0,
    stages=(STAGE,),
    last_judged_ms=NOW - 3_000,
    dead_letters=0,
    losses=(),
    zones=12,
    incidents=(),
    held_customers=0,
    routes=(),
)
NO_STORE: dict[str, Any] = {
    "store_fault": "cannot be reached", "migrations_missing": None, "lag": None, "disk_free_bytes": None,
    "coming_per_s": None, "counted_per_s": None, "last_judged_ms": None, "dead_letters": None, "losses": None,
    "zones": None, "incidents": None, "held_customers": None,
}  # fmt: skip
NO_BROKER: dict[str, Any] = {
    "broker_fault": "did not answer in time", "missing_topics": None, "lag": None, "coming_per_s": None,
    "counted_per_s": None,
}  # fmt: skip
