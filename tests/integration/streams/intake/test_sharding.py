"""The rule of shards: what a source partition brings is stored in the shard of its number, and nowhere else.

Each shard then keeps the offsets of its partitions beside their counts, so a flush that is repeated is kept out there;
all mail of a customer is in one shard, so that shard alone can say how the customer stands.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from jobs.setup.migrate import migrate
from schemas.event import MailEvent
from schemas.settings import ClickHouse
from schemas.times import utc_now_ms
from streams.intake.batch import Batch, SourcePartition
from streams.intake.count import count_direct
from streams.intake.flush import flush, stored_offsets
from streams.intake.seen import SeenIds
from streams.io.changes import partition_of
from streams.io.store import Store, open_store

PARTITIONS, SHARDS = 6, 2
NOW = utc_now_ms()
CUSTOMERS = [f"customer-{number}" for number in range(40)]
BY_CUSTOMER = "SELECT customer, sum(delivered) FROM counts WHERE dimension = 'provider' GROUP BY customer"


@pytest.fixture
def stores(new_database: Callable[[], ClickHouse]) -> Iterator[list[Store]]:
    """One for each shard, and one that has everything."""
    with ExitStack() as opened:
        found = []
        for _ in range(SHARDS + 1):
            settings = new_database()
            migrate(settings)
            found.append(open_store(settings))
            opened.callback(found[-1].close)
        yield found


def batch_of(partition: int) -> Batch:
    """What came in a partition: as many deliveries of each customer whose key falls there as its number says."""
    name = f"mail.events:topic-id:{partition}"
    made = Batch(SourcePartition(name, "mail.events", partition, SeenIds(1_000_000), 0.0, PARTITIONS), 0, 0)
    for number, customer in enumerate(CUSTOMERS):
        if partition_of(customer, PARTITIONS) == partition:
            for again in range(number + 1):
                sent = MailEvent(
                    id=f"{customer}-{again}", type="delivered", time=NOW, customer=customer, provider="yahoo"
                )
                count_direct(made.tally, [sent], [NOW])
                made.messages += 1
                made.next_offset += 1
    return made


def counted(store: Store) -> dict[str, int]:
    return {str(customer): int(delivered) for customer, delivered in store.rows(BY_CUSTOMER)}


def test_shards_together_say_what_one_store_says(stores: list[Store]) -> None:
    *shards, whole = stores
    for partition in range(PARTITIONS):
        flush(whole, [batch_of(partition)], NOW)
        shard = shards[partition % SHARDS]
        flush(shard, [batch_of(partition)], NOW)
        flush(shard, [batch_of(partition)], NOW)  # by a worker that did not hear that it was stored
    found = [counted(each) for each in shards]
    together = {customer: number for each in found for customer, number in each.items()}
    assert together == counted(whole) == {customer: number + 1 for number, customer in enumerate(CUSTOMERS)}
    assert sum(map(len, found)) == len(together), "a customer is in one shard"
    names = [f"mail.events:topic-id:{partition}" for partition in range(PARTITIONS)]
    for number, shard in enumerate(shards):
        assert set(stored_offsets(shard, names)) == {name for at, name in enumerate(names) if at % SHARDS == number}
