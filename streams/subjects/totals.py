"""What streams have over sliding windows, read from the counts: one query for all windows of a kind."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from schemas.counts import MEASURES
from schemas.times import HOUR_S, MINUTE_S
from streams.io.store import Store, portions
from streams.subjects.arrays import FIELDS, Totals, is_long
from streams.subjects.left_out import NOT_LEFT_OUT

#: The fields read from the `provider` rows: the first of `FIELDS`.
#: Measures that are also read of the mailbox providers with a feedback loop alone.
OF_FBL = ("delivered", "complained", "undated_complained")
READ = (*MEASURES, *(f"fbl_{name}" for name in OF_FBL))
_MAIL_TO = "AND value IN {mail_to:Array(String)}"
_OF_CLASS = "AND class = {class:String}"
_JUDGED = f"AND {NOT_LEFT_OUT}"
_UNTIL = "AND bucket < toDateTime({until:UInt32})"
_FBL = "value IN {fbl:Array(String)}"

SHORT_TOTALS = """
SELECT customer, stream,
    {sums}
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}} AND bucket >= toDateTime({{since_0:UInt32}})
    {only}
GROUP BY customer, stream
ORDER BY customer, stream
"""

#: The inner query has the shape of the hourly projection, so ClickHouse reads that instead of the minutes.
LONG_TOTALS = f"""
SELECT customer, stream,
    {{sums}}
FROM
(
    SELECT customer, stream, toStartOfHour(bucket) AS hour, value,
        {", ".join(f"sum({name}) AS n_{name}" for name in MEASURES)}
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{{{customers:Array(String)}}}}
        AND toStartOfHour(bucket) >= toDateTime({{{{since_0:UInt32}}}})
        {{only}}
    GROUP BY customer, stream, hour, value
)
GROUP BY customer, stream
ORDER BY customer, stream
"""  # noqa: S608 - made of names from this project only


def read_totals(
    store: Store,
    customers: Sequence[str],
    windows_ms: Sequence[int],
    fbl: Sequence[str],
    now_ms: int,
    mail_to: Sequence[str] = (),
    stream_class: str = "",
    until_s: int | None = None,
    *,
    everything: bool = False,
) -> Totals:
    """The totals of customers (sorted) over windows that end now, all of them short or all of them long.

    With `mail_to` only mail to these mailbox providers counts, with `stream_class` only that of one class. With
    `until_s` (epoch s) what lies at or behind it is left out; then minutes are read, which is for few customers, and
    windows may be of any length. Mail of incidents is left out, unless `everything` is asked for. A stream without any
    count is absent. The keys come out sorted: the engine sorts text as Python does.

    Raises:
        StoreError: the store failed.
    """
    order = longest_first(windows_ms)
    since = {f"since_{place}": begin(windows_ms[window], now_ms) for place, window in enumerate(order)}
    wanted = ((_MAIL_TO, mail_to), (_OF_CLASS, stream_class), (_UNTIL, until_s is not None), (_JUDGED, not everything))
    only = " ".join(part for part, given in wanted if given)
    sql = _sql(len(order), until_s is None and is_long(windows_ms[0]), only)
    asked = {"fbl": list(fbl), "mail_to": list(mail_to), "class": stream_class, "until": until_s or 0, **since}
    keys: list[tuple[str, str]] = []
    found: list[Any] = []
    for part in portions(store, customers):
        for block in store.blocks(sql, {"customers": part, **asked}):
            keys += zip(block[0].tolist(), block[1].tolist(), strict=True)
            found.append(np.stack(block[2:], axis=1).astype(np.int64))
    counts = np.zeros((len(keys), len(order), len(FIELDS)), np.int64)
    if found:
        read = np.concatenate(found).reshape(len(keys), len(order), len(READ))
        counts[:, order, : len(READ)] = read
    return Totals(keys, counts)


def begin(window_ms: int, now_ms: int) -> int:
    """The first second (epoch, UTC) of a window that ends now: a full minute, or hour where it is long."""
    grain = HOUR_S if is_long(window_ms) else MINUTE_S
    return max(0, (now_ms // 1000 - window_ms // 1000) // grain * grain)


def longest_first(windows_ms: Sequence[int]) -> list[int]:
    """The places of windows by length: a query reads what the first needs, the others are parts of that."""
    return sorted(range(len(windows_ms)), key=lambda place: -windows_ms[place])


def sums(expressions: Mapping[str, str], windows: int, time: str) -> str:
    """A sum a window and expression; the first window is the whole of what is read.

    An expression is a measure, or a measure and a condition after ` if `.
    """
    found = []
    for window in range(windows):
        within = f"{time} >= toDateTime({{since_{window}:UInt32}})" if window else ""
        for name, expression in expressions.items():
            measure, _, condition = expression.partition(" if ")
            conditions = " AND ".join(each for each in (within, condition) if each)
            summed = f"sumIf({measure}, {conditions})" if conditions else f"sum({measure})"
            found.append(f"{summed} AS {name}_{window}")
    return ",\n    ".join(found)


@lru_cache(maxsize=32)
def _sql(windows: int, long: bool, only: str) -> str:
    prefix = "n_" if long else ""
    expressions = {name: prefix + name for name in MEASURES}
    expressions |= {f"fbl_{name}": f"{prefix}{name} if {_FBL}" for name in OF_FBL}
    template, time = (LONG_TOTALS, "hour") if long else (SHORT_TOTALS, "bucket")
    return template.format(sums=sums(expressions, windows, time), only=only)
