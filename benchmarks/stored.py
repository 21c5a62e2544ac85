"""A store filled with made-up counts, by the engine itself: a year of 100,000 customers in about a minute.

Customers follow Zipf's law: the largest has a tenth of all rows, the smallest one row every few days. Each has up to
three streams and 20 mailbox providers, also by Zipf. About one customer in 100 has a bad list.
"""

import time
from dataclasses import dataclass
from itertools import count

from schemas.settings import ClickHouse
from streams.io.store import Store

_FILL = """
INSERT INTO counts (
    dimension, customer, stream, class, bucket, value, source,
    delivered, hard, soft, block, expired, complained, last_offset)
WITH
    sipHash64(number, {seed:UInt32}) AS h,
    toUInt32(pow({customers:UInt32}, (h % 1048576) / 1048576)) AS rank,
    bitShiftRight(h, 32) % 8 AS part
SELECT
    'provider',
    concat('customer-', toString(rank)),
    ['receipts', 'news', 'alerts'][1 + (part = 0) + (part < 3 AND rank % 3 = 0)],
    'bulk',
    toDateTime({end:UInt32} - bitShiftRight(h, 36) % {minutes:UInt32} * 60),
    concat('provider-', toString(toUInt8(pow(20, bitShiftRight(h, 20) % 4096 / 4096)))),
    concat('benchmark/', toString(rank % 8)),
    1 + h % 30, (h % 53 = 0) + (rank % 97 = 0) * 3, h % 59 = 0, h % 83 = 0, h % 911 = 0, h % 4999 = 0,
    number
FROM numbers({rows:UInt64})
"""

#: One row for each named customer in the running minute, as its next mail would bring.
_NEXT = """
INSERT INTO counts (dimension, customer, stream, class, bucket, value, source, delivered, last_offset)
SELECT 'provider', arrayJoin({customers:Array(String)}), 'receipts', 'bulk', toDateTime({at:UInt32}), 'provider-1',
    'benchmark/next', 1, {offset:UInt64}
"""

ROWS = """
SELECT sum(rows), sum(bytes_on_disk)
FROM system.parts WHERE active AND database = {database:String} AND table = 'counts'
"""
MERGING = "SELECT count() FROM system.merges WHERE database = {database:String}"

_SETTINGS = "max_insert_threads = 2, max_block_size = 1000000, min_insert_block_size_rows = 1000000"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a table of counts holds."""

    rows: int
    bytes: int


def fill(store: Store, customers: int, days: range, rows: int, end_s: int) -> None:
    """Add so many rows (fewer where two are of one minute) spread over those days before `end_s` (epoch s)."""
    store.run(
        f"{_FILL} SETTINGS {_SETTINGS}",
        {
            "seed": next(_numbers),
            "customers": customers,
            "end": end_s - days.start * 86_400,
            "minutes": len(days) * 1_440,
            "rows": rows,
        },
    )


def add_next(store: Store, customers: object, at_s: int) -> None:
    """Count one delivery of each; `customers` is what `portions` yields."""
    store.run(_NEXT, {"customers": customers, "at": at_s // 60 * 60, "offset": next(_numbers)})


def settle(store: Store) -> Stored:
    """Wait until no parts are being merged; what is stored then."""
    asked = {"database": store.settings.database}
    while store.rows(MERGING, asked)[0][0]:
        time.sleep(0.1)
    ((rows, size),) = store.rows(ROWS, asked)
    return Stored(int(rows), int(size))


def settings_in(folder: str, name: str) -> ClickHouse:
    """A database of its own in an embedded store."""
    return ClickHouse(path=folder, database=name)
