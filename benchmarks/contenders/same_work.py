"""What the contenders that do the product's work have in common: the event, what it counts under, and the store.

Needs msgspec, clickhouse-connect and the product's tables of names alone, since some run in another environment.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import clickhouse_connect
import msgspec

from schemas.event import EventType, Name, StreamClass
from schemas.providers import load_providers
from schemas.times import HOUR_MS, MINUTE_MS, utc_now_ms

#: Where the store listens, and its password.
URL, PASSWORD = "REPMON_BENCH_STORE", "REPMON_BENCH_PASSWORD"
TABLE = "same_work"
#: A sum for each dimension, customer, stream, class, minute, value and type of event.
CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    dimension LowCardinality(String), customer String, stream LowCardinality(String), class LowCardinality(String),
    bucket DateTime('UTC'), value String, type LowCardinality(String), events UInt64
) ENGINE = SummingMergeTree ORDER BY (dimension, customer, stream, class, bucket, value, type)
"""
COLUMNS = ("dimension", "customer", "stream", "class", "bucket", "value", "type", "events")
_TYPES = ("LowCardinality(String)", "String", *["LowCardinality(String)"] * 2, "DateTime('UTC')", "String")
COLUMN_TYPES = (*_TYPES, "LowCardinality(String)", "UInt64")
AHEAD_MS, BEHIND_MS = 24 * HOUR_MS, 90 * 24 * HOUR_MS
#: Ids remembered at least, as of one or two generations: what comes twice comes soon.
REMEMBERED = 2_000_000


class Event(msgspec.Struct, gc=False):
    """The fields that are counted; decoding fewer is faster. Types and names are checked while they are decoded."""

    id: Name
    type: EventType
    time: int
    customer: Name
    stream: str = "default"
    stream_class: StreamClass = msgspec.field(default="bulk", name="class")
    recipient_domain: Annotated[str, msgspec.Meta(max_length=255)] = ""
    sending_ip: str = ""
    ip_pool: str = ""
    from_domain: str = ""
    dkim_domain: str = ""


class Key(NamedTuple):
    """What an event is counted under, in all dimensions together. `minute` is epoch minutes, UTC."""

    customer: str
    stream: str
    stream_class: str
    minute: int
    provider: str
    sending_ip: str
    ip_pool: str
    from_domain: str
    signer: str
    type: str


class Row(NamedTuple):
    """A row of the store but for the sum. `bucket` is epoch seconds, UTC."""

    dimension: str
    customer: str
    stream: str
    stream_class: str
    bucket: int
    value: str
    type: str


_decode = msgspec.json.Decoder(Event).decode
_provider = load_providers().by_domain


def checked(value: bytes | None) -> Event | None:
    """The event in a message; None if it is not one, or its time is too far away."""
    try:
        event = _decode(value or b"")
    except msgspec.MsgspecError:
        return None
    return event if -BEHIND_MS <= event.time - utc_now_ms() <= AHEAD_MS else None


def key_of(event: Event) -> Key:
    """What it is counted under."""
    sender, signer = event.from_domain.lower(), event.dkim_domain.lower()
    # A domain that signs for itself, or for one below it, is no other than the sender's.
    foreign = signer if signer and not f".{sender}".endswith(f".{signer}") else ""
    return Key(
        event.customer,
        event.stream,
        event.stream_class,
        event.time // MINUTE_MS,
        _provider[event.recipient_domain],
        event.sending_ip,
        event.ip_pool,
        sender,
        foreign,
        event.type,
    )


def rows_of(counts: Iterable[tuple[Key, int]]) -> dict[Row, int]:
    """The sums of all five dimensions; what is not known has no row."""
    found: dict[Row, int] = {}
    for key, count in counts:
        customer, stream, kind, minute, provider, ip, pool, sender, signer, event_type = key
        for dimension, value in (
            ("provider", provider or "other"),
            ("ip", ip),
            ("pool", pool),
            ("from", sender),
            ("dkim", signer),
        ):
            if value:
                row = Row(dimension, customer, stream, kind, minute * 60, value, event_type)
                found[row] = found.get(row, 0) + count
    return found


class Unseen:
    """Ids that came lately, in two generations, so that memory is bounded."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._young: set[int] = set()
        self._old: set[int] = set()

    def __call__(self, event: Event) -> bool:
        """Whether it did not come before; from then on it did."""
        found = hash((event.customer, event.type, event.id))
        if found in self._young or found in self._old:
            return False
        if len(self._young) >= self._remembered:
            self._old, self._young = self._young, set()
        self._young.add(found)
        return True


class Sums:
    """The store, as one client."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._client: Any = clickhouse_connect.get_client(
            dsn=environ[URL], username="default", password=environ[PASSWORD], autogenerate_session_id=False
        )

    def create(self) -> None:
        """Make the table."""
        self._client.command(CREATE)

    def add(self, sums: Mapping[Row, int]) -> None:
        """Insert these in one block, sorted as the table is."""
        if not sums:
            return
        rows = sorted(sums.items())
        columns = [*zip(*(row for row, _ in rows), strict=True), [count for _, count in rows]]
        self._client.insert(TABLE, columns, column_names=COLUMNS, column_type_names=COLUMN_TYPES, column_oriented=True)

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The result of a query."""
        yield from map(tuple, self._client.query(sql).result_rows)

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()
