"""Counting a time again, as statements. Why they are exact is said in `jobs.data.recount`.

`recount_before` holds what was counted when the recount began, `recount_counted` what it counted. Both are made by the
recount and dropped by it: one that finds them knows that another runs, or was killed.
"""

from schemas.counts import MEASURES
from streams.intake.count import NO_OFFSET

BEFORE, COUNTED = "recount_before", "recount_counted"
KEYS = "dimension, customer, stream, class, bucket, value, source"
_COLUMNS = f"{KEYS}, {', '.join(MEASURES)}"
_SUMS = ", ".join(f"sum({name}) AS n_{name}" for name in MEASURES)
#: `{table}` is one of the two. Its columns have the functions of those of `counts`, so merges add up what was counted
#: of one key in many portions: there are no more rows than keys.
CREATE = f"""
CREATE TABLE {{table}} ENGINE = AggregatingMergeTree ORDER BY ({KEYS})
EMPTY AS SELECT {_COLUMNS}, last_offset FROM counts
"""  # noqa: S608 - texts of this project
DROP = "DROP TABLE IF EXISTS {table} SYNC"
#: Counts of the time and the offsets up to which they are counted, in one reading of the table: of one moment. Each
#: has a key of its own, so nothing is merged before it is written: two thirds of the time.
TAKE_BEFORE = f"""
INSERT INTO {BEFORE} ({_COLUMNS}, last_offset)
SELECT {KEYS}, {_SUMS}, max(last_offset)
FROM counts
WHERE (dimension = 'offset' OR (bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})))
    AND source IN {{sources:Array(String)}}
GROUP BY {KEYS}
SETTINGS optimize_use_projections = 0, optimize_on_insert = 0
"""  # noqa: S608 - texts of this project
OFFSETS = f"SELECT source, max(last_offset) FROM {BEFORE} WHERE dimension = 'offset' GROUP BY source"  # noqa: S608
#: What is to be added to the counts, which are whole numbers modulo 2^64: what is too much is taken off by adding its
#: complement. Sums of them are what they are to be, and merges of the table make the rows so too.
_BOTH = f"""
(
    SELECT {KEYS}, {", ".join(f"toInt64({name}) AS {name}" for name in MEASURES)} FROM {COUNTED}
    UNION ALL
    SELECT {KEYS}, {", ".join(f"-toInt64({name}) AS {name}" for name in MEASURES)} FROM {BEFORE}
    WHERE dimension != 'offset'
)
"""  # noqa: S608 - texts of this project
_ANY = " OR ".join(f"n_{name} != 0" for name in MEASURES)
_DIFFERENCE = ", ".join(f"reinterpretAsUInt64(sum({name})) AS n_{name}" for name in MEASURES)
SWAP = f"""
INSERT INTO counts ({_COLUMNS}, last_offset, first_offset, offsets)
SELECT {KEYS}, {", ".join(f"n_{name}" for name in MEASURES)}, 0, {NO_OFFSET}, 0
FROM (SELECT {KEYS}, {_DIFFERENCE} FROM {_BOTH} GROUP BY {KEYS} HAVING {_ANY})
ORDER BY {KEYS}
"""  # noqa: S608 - texts of this project
#: By measure, what was counted before and now.
TOTALS = f"""
SELECT before, {", ".join(f"sum({name})" for name in MEASURES)}
FROM
(
    SELECT 1 AS before, {", ".join(MEASURES)} FROM {BEFORE} WHERE dimension = 'provider'
    UNION ALL
    SELECT 0 AS before, {", ".join(MEASURES)} FROM {COUNTED} WHERE dimension = 'provider'
)
GROUP BY before
"""  # noqa: S608 - texts of this project
#: Customers of whom anything changes, those with the largest change first: by how many recipients and outcomes.
CHANGED = f"""
SELECT customer, sum(off) AS change
FROM
(
    SELECT customer, {" + ".join(f"abs(sum({name}))" for name in MEASURES)} AS off
    FROM {_BOTH} WHERE dimension = 'provider' GROUP BY {KEYS}
)
GROUP BY customer HAVING change > 0 ORDER BY change DESC, customer
"""  # noqa: S608 - texts of this project
#: Negative events that came before: each with where.
KNOWN = """
SELECT hash, source, position FROM negative_ids
WHERE hash IN {hashes:Array(UInt64)} AND came >= toDateTime({since:UInt32})
"""
