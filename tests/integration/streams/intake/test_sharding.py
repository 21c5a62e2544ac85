"""The rule of shards: what a source partition brings is stored in the shard of its number, and nowhere else.

Each shard then keeps the offsets of its partitions beside their counts, so a flush that is repeated is kept out there;
all mail of a customer is in one shard, so that shard alone can say how the customer stands, and finds there what a
complaint or a late bounce is about.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import providers
from schemas.counts import MEASURES
from schemas.settings import ClickHouse, Ingest
from schemas.times import MINUTE_MS, utc_now_ms
from streams.adapt import Context, adapter
from streams.bounces.classify import load_bounce_classifier
from streams.intake.batch import Batch, MailReader, SourcePartition
from streams.intake.bounds import time_bounds
from streams.intake.flush import flush, stored_offsets
from streams.intake.seen import SeenIds
from streams.io.changes import partition_of
from streams.io.store import Store, open_store

PARTITIONS, SHARDS = 6, 3
NOW = utc_now_ms() // MINUTE_MS * MINUTE_MS
CUSTOMERS = [f"customer-{number}" for number in range(12)]
READER = MailReader(
    adapter("canonical"),
    Context(b"key", providers.load_providers()),
    load_bounce_classifier(),
    time_bounds(Ingest()),
    find_late=True,
)
COUNTS = f"""
SELECT dimension, customer, stream, class, toUnixTimestamp(bucket), value, {", ".join(f"sum({n})" for n in MEASURES)}
FROM counts WHERE dimension != 'offset' GROUP BY ALL
"""  # noqa: S608 - texts of this project
EVIDENCE = "SELECT customer, type, id, toUnixTimestamp(sent) FROM events FINAL"
#: What a flush writes.
TABLES = ("counts", "events", "negative_ids", "remembered_ids", "sent_messages")


class Sent(NamedTuple):
    """An event of mail `number` of a customer, which was sent `minute` minutes ago."""

    customer: str
    number: int
    minute: int
    type: str

    @property
    def payload(self) -> bytes:
        ago = self.minute if self.type == "delivered" else 0
        return msgspec.json.encode(
            {
                "id": f"{self.type}{self.number}",
                "type": self.type,
                "time": NOW - ago * MINUTE_MS,
                "customer": self.customer,
                "message_id": f"<{self.number}@mail.example>",
                "recipient": f"r{self.number}@yahoo.com",
                "sending_ip": "192.0.2.1",
                "ip_pool": "east",
                "from_domain": f"{self.customer}.example",
                "diagnostic": "550 5.1.1 no such user" if self.type == "bounced" else "",
            }
        )


@pytest.fixture
def stores(another_database: Callable[[], ClickHouse]) -> Iterator[list[Store]]:
    """One for each shard, and one that has everything."""
    with ExitStack() as opened:
        yield [opened.enter_context(open_store(another_database())) for _ in range(SHARDS + 1)]


class Worker:
    """Stores what comes in each partition, in the store that is chosen for it."""

    def __init__(self, store_of: Callable[[int], Store]) -> None:
        self._store_of = store_of
        self._batches = {
            number: Batch(
                SourcePartition(name_of(number), "mail.events", number, SeenIds(1_000_000), 0.0, PARTITIONS), 0, 0
            )
            for number in range(PARTITIONS)
        }

    def take(self, events: Sequence[Sent], *, again: bool) -> None:
        """With `again` another worker stores the same, which did not hear that it was stored."""
        for number, batch in self._batches.items():
            some = [each.payload for each in events if partition_of(each.customer, PARTITIONS) == number]
            if not some:
                continue
            offsets = range(batch.next_offset, batch.next_offset + len(some))
            begun = batch.position
            READER(batch, some, offsets, NOW)
            flush(self._store_of(number), [batch], NOW)
            if again:
                other = SourcePartition(batch.source.name, "mail.events", number, SeenIds(1_000), 0.0, PARTITIONS)
                repeated = Batch(other, begun, begun)
                READER(repeated, some, offsets, NOW)
                flush(self._store_of(number), [repeated], NOW)
            self._batches[number] = batch.next()


def name_of(partition: int) -> str:
    return f"mail.events:topic-id:{partition}"


def shown(stores: Sequence[Store], sql: str) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row) for store in stores for row in store.rows(sql))


EVENTS = st.lists(
    st.builds(
        Sent,
        st.sampled_from(CUSTOMERS),
        st.integers(0, 3),
        st.integers(0, 9),
        st.sampled_from(["delivered", "delivered", "complained", "bounced"]),
    ),
    max_size=25,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(portions=st.lists(st.tuples(EVENTS, st.booleans()), min_size=1, max_size=3))
def test_law_of_shards_that_together_say_what_one_store_says(
    stores: list[Store], portions: list[tuple[list[Sent], bool]]
) -> None:
    """In every dimension and measure: mail, what comes of it later, repetitions, and flushes that are repeated."""
    *shards, whole = stores
    for store in stores:
        for table in TABLES:
            store.run(f"TRUNCATE TABLE {table}")
    one, several = Worker(lambda _: whole), Worker(lambda number: shards[number % SHARDS])
    for events, again in portions:
        one.take(events, again=False)
        several.take(events, again=again)
    for sql in (COUNTS, EVIDENCE):
        assert shown(shards, sql) == shown([whole], sql)
    names = [name_of(number) for number in range(PARTITIONS)]
    ends = [stored_offsets(shard, names) for shard in shards]
    assert {name: end for each in ends for name, end in each.items()} == stored_offsets(whole, names)
    for number, shard in enumerate(shards):
        assert set(ends[number]) <= {name for at, name in enumerate(names) if at % SHARDS == number}
        customers = {str(name) for (name,) in shard.rows("SELECT DISTINCT customer FROM counts WHERE customer != ''")}
        assert {partition_of(each, PARTITIONS) % SHARDS for each in customers} <= {number}, "a customer is in one shard"
