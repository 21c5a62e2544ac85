"""What streams have over sliding windows, as statements: over short ones, long ones, and those with a fresh start."""

from schemas.counts import MEASURES
from streams.subjects.fresh_starts import FRESH_SINCE
from streams.subjects.left_out import NOT_LEFT_OUT

#: Measures that are also read of the mailbox providers with a feedback loop alone.
OF_FBL = ("delivered", "complained", "undated_complained")
#: The fields read from the `provider` rows: the first of `FIELDS`.
READ = (*MEASURES, *(f"fbl_{name}" for name in OF_FBL))
MAIL_TO = "AND value IN {mail_to:Array(String)}"
#: Of whom the totals are: a stream, or all mail of a class.
OF_STREAM, OF_CLASS = "stream", "toString(class)"
JUDGED = f"AND {NOT_LEFT_OUT}"
UNTIL = "AND bucket < toDateTime({until:UInt32})"
IS_FBL = "value IN {fbl:Array(String)}"

#: Rows are read in blocks of so many bytes, not of the 1 MB that the engine prefers: with two dozen columns that is a
#: few thousand rows, and each block costs every column and sum a call. A fifth less processor time (ClickHouse
#: 26.9, `preferred_block_size_bytes`).
_IN_LARGE_BLOCKS = "SETTINGS preferred_block_size_bytes = 16000000"

#: A row for each stream and part of the time: those between the begins of two windows, counted from the longest window
#: on. So each measure is summed once, and not once a window. Unordered: sorting takes longer there than here.
SHORT_TOTALS = f"""
SELECT customer, {{whose}} AS whose, {{part}} AS part,
    {{sums}}
FROM counts
WHERE dimension = 'provider' AND customer IN {{{{customers:Array(String)}}}}
    AND bucket >= toDateTime({{{{since_0:UInt32}}}})
    {{only}}
GROUP BY customer, whose, part
{_IN_LARGE_BLOCKS}
"""  # noqa: S608 - made of texts of this project only
#: The inner query reads the hourly projection instead of the minutes: its keys are made of those of the projection.
LONG_TOTALS = f"""
SELECT customer, whose, part,
    {{sums}}
FROM
(
    SELECT customer, {{whose}} AS whose, {{part}} AS part, {{looped}} AS looped,
        {", ".join(f"sum({name}) AS n_{name}" for name in MEASURES)}
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{{{customers:Array(String)}}}}
        AND toStartOfHour(bucket) >= toDateTime({{{{since_0:UInt32}}}})
        {{only}}
    GROUP BY customer, whose, part, looped
)
GROUP BY customer, whose, part
{_IN_LARGE_BLOCKS}
"""  # noqa: S608 - made of names from this project only
#: Of customers with a fresh start, for windows of any length: what is before the start has rows of its own.
ANEW_TOTALS = f"""
SELECT customer, {{whose}} AS whose, {{part}} AS part,
    bucket < {FRESH_SINCE.replace("{", "{{").replace("}", "}}")} AS is_before,
    {{sums}}
FROM counts
WHERE dimension = 'provider' AND customer IN {{{{customers:Array(String)}}}}
    AND bucket >= toDateTime({{{{since_0:UInt32}}}})
    {{only}}
GROUP BY customer, whose, part, is_before
"""  # noqa: S608 - made of names from this project only
