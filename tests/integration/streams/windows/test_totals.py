"""The sums of streams over windows are those of a plain addition, whatever windows are read together."""

from collections import Counter

import pytest

from schemas.policy_metric import window_ms
from streams.subjects.arrays import FIELD_INDEX, StreamKey
from streams.subjects.totals import begin, read_totals
from tests.support.api_client import Row
from tests.support.judging import CUSTOMERS, NOW_MS, Ground, traffic

NAMES = sorted(CUSTOMERS)
LOOP = ("yahoo",)
MEASURED = ("delivered", "hard", "block", "expired", "late_hard", "complained", "fbl_delivered", "fbl_complained")


def added(rows: list[Row], windows: list[str]) -> Counter[tuple[StreamKey, int, str]]:
    """By stream, place of the window and measure."""
    found = Counter[tuple[StreamKey, int, str]]()
    for place, window in enumerate(windows):
        since = begin(window_ms(window), NOW_MS)
        for row in rows:
            # Counts are kept by the minute.
            if row.at // 60 * 60 >= since:
                for name in MEASURED:
                    if not name.startswith("fbl_") or row.provider in LOOP:
                        found[(row.customer, row.stream), place, name] += getattr(row, name.removeprefix("fbl_"))
    return +found


@pytest.mark.parametrize("windows", [["1h", "24h"], ["24h", "5m", "1h"], ["7d", "30d", "15d"], ["30d"], ["7d", "7d"]])
def test_totals_of_windows_read_together_are_those_of_each_by_itself(ground: Ground, windows: list[str]) -> None:
    rows = traffic(len(windows), 300)
    ground.put(*rows)
    totals = read_totals(ground.store, NAMES, [window_ms(each) for each in windows], LOOP, NOW_MS)
    assert totals.keys == sorted(set(totals.keys))
    read = Counter(
        {
            (key, place, name): int(totals.counts[row, place, FIELD_INDEX[name]])
            for row, key in enumerate(totals.keys)
            for place in range(len(windows))
            for name in MEASURED
        }
    )
    assert +read == added(rows, windows)
    assert +read


def test_nobody_has_any(ground: Ground) -> None:
    totals = read_totals(ground.store, NAMES, [window_ms("1h"), window_ms("24h")], LOOP, NOW_MS)
    assert (totals.keys, totals.counts.shape[:2]) == ([], (0, 2))
