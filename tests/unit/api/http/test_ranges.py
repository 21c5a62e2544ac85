"""Time ranges as they are asked for, how they are cut into buckets, and what points are made of counts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.ranges import (
    OLDEST_S,
    WINDOW_S,
    RangeError,
    end_of_minute,
    instant,
    judged_since,
    rfc3339,
    span,
    step_for,
)
from api.http.rates import RateBucket, points
from schemas.times import DAY_S, HOUR_S, MINUTE_S

NOW_MS = int(datetime(2026, 3, 12, 12, 34, 56, 789_000, UTC).timestamp() * 1000)
NOW = NOW_MS // 1000
RUNNING_ENDS = int(datetime(2026, 3, 12, 12, 35, tzinfo=UTC).timestamp())

lengths = st.sampled_from(sorted(WINDOW_S.values()))
times = st.integers(NOW - OLDEST_S + DAY_S, NOW + DAY_S)


def asked(start: str | None, end: str | None, window_s: int = DAY_S) -> str:
    """The span as text: begin, end, step."""
    cut = span(start, end, window_s, NOW_MS)
    return f"{rfc3339(cut.start):%m-%dT%H:%M} {rfc3339(cut.end):%m-%dT%H:%M} {cut.step}"


@pytest.mark.parametrize(
    ("start", "end", "cut"),
    [
        (None, None, "03-11T12:00 03-12T13:00 3600"),
        ("2026-03-12T12:00:00Z", None, "03-12T12:00 03-12T12:35 60"),
        ("2026-03-12T12:00:00Z", "2026-03-12T12:02:00Z", "03-12T12:00 03-12T12:02 60"),
        ("2026-03-12T12:00:59Z", "2026-03-12T12:01:01Z", "03-12T12:00 03-12T12:02 60"),
        ("2026-03-12T12:00:00+01:00", "2026-03-12T12:00:00Z", "03-12T11:00 03-12T12:00 60"),
        ("2026-03-12T12:00:00 01:00", "2026-03-12T12:00:00Z", "03-12T11:00 03-12T12:00 60"),
        ("2026-03-12t11:00:00z", "2026-03-12 11:01:00.999Z", "03-12T11:00 03-12T11:01 60"),
        ("1773316800000", "1773316860000", "03-12T12:00 03-12T12:01 60"),
        (None, "2026-03-02T00:00:00Z", "03-01T00:00 03-02T00:00 3600"),
        ("2026-03-12T06:35:00Z", None, "03-12T06:35 03-12T12:35 60"),
        ("2026-03-12T06:34:00Z", None, "03-12T06:00 03-12T13:00 3600"),
        ("2026-01-01T12:00:00Z", None, "01-01T00:00 03-13T00:00 86400"),
        (None, "9999-12-31T23:59:59Z", "03-11T12:00 03-12T13:00 3600"),
    ],
)
def test_range_is_rounded_out_to_whole_buckets(start: str | None, end: str | None, cut: str) -> None:
    assert asked(start, end) == cut


@pytest.mark.parametrize(
    ("start", "end", "parameter"),
    [
        ("soon", None, "from"),
        ("", None, "from"),
        ("2026-03-12", None, "from"),
        ("2026-03-12T12:00:00", None, "from"),
        ("2026-02-30T12:00:00Z", None, "from"),
        ("NaN", None, "from"),
        ("1e12", None, "from"),
        (None, "2026-03-12T12:00:00+99:00", "to"),
        (None, "\N{ARABIC-INDIC DIGIT ONE}" * 13, "to"),
        ("2026-03-12T12:35:00Z", None, "from"),
        ("2026-03-12T11:00:00Z", "2026-03-12T11:00:00Z", "from"),
        ("2026-03-12T11:00:00Z", "2026-03-12T10:00:00Z", "from"),
        ("2025-03-01T00:00:00Z", None, "from"),
        (None, "2025-03-01T00:00:00Z", "to"),
        ("-999999999999999", "-999999999999998", "from"),
    ],
)
def test_wrong_range_names_the_parameter_at_fault(start: str | None, end: str | None, parameter: str) -> None:
    with pytest.raises(RangeError) as refused:
        span(start, end, DAY_S, NOW_MS)
    assert refused.value.parameter == parameter


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_gives_a_span_or_a_range_error(start: str, end: str) -> None:
    pairs: list[tuple[str | None, str | None]] = [(start, None), (None, end), (start, end)]
    for since, until in pairs:
        try:
            cut = span(since, until, DAY_S, NOW_MS)
        except RangeError as error:
            assert error.parameter in {"from", "to"}
        else:
            assert cut.start < cut.end


@given(times, times, lengths)
def test_buckets_cover_what_was_asked_without_gap_and_are_few(start: int, end: int, window_s: int) -> None:
    try:
        cut = span(str(start * 1000), str(end * 1000), window_s, NOW_MS)
    except RangeError:
        assert start >= min(end, RUNNING_ENDS)
        return
    until = min(end, RUNNING_ENDS)
    buckets = cut.buckets()
    assert cut.step == step_for(until - start)
    assert buckets[0][0] <= start < buckets[0][0] + cut.step
    assert buckets[-1][0] < until <= buckets[-1][1]
    assert all(before[1] == after[0] for before, after in pairwise(buckets))
    assert all(at % cut.step == 0 for at, _ in buckets)
    assert buckets[-1][1] <= RUNNING_ENDS
    assert len(buckets) <= 746


@given(times, st.integers(-23 * 60, 23 * 60))
def test_one_moment_is_the_same_however_it_is_written(at: int, offset: int) -> None:
    zone = timezone(timedelta(minutes=offset))
    written = datetime.fromtimestamp(at, UTC).astimezone(zone).isoformat()
    forms = (written, written.replace("+", " "), str(at * 1000))

    def cut(text: str) -> object:
        try:
            return span(text, None, DAY_S, NOW_MS)
        except RangeError as error:
            return str(error)

    assert len({cut(form) for form in forms}) == 1


def test_running_minute_counts_as_a_whole() -> None:
    assert end_of_minute(NOW_MS) == RUNNING_ENDS
    assert end_of_minute(RUNNING_ENDS * 1000) == RUNNING_ENDS + MINUTE_S


@given(st.integers(NOW, NOW + DAY_S), lengths)
def test_judged_window_has_its_length_and_at_most_a_grain_more(now: int, window_s: int) -> None:
    grain = MINUTE_S if window_s <= DAY_S else HOUR_S
    since = judged_since(end_of_minute(now * 1000), window_s)
    assert since % grain == 0
    assert 0 <= now - window_s - since < grain


counts = st.lists(
    st.tuples(st.integers(0, 3 * DAY_S // MINUTE_S), st.integers(0, 9), st.integers(-3, 99)), max_size=60
).map(lambda found: [RateBucket((NOW // 60 - at) * MINUTE_S, up, low) for at, up, low in sorted(found)[::-1]])


@given(counts, st.integers(1, 5 * HOUR_S), lengths)
def test_points_are_plain_sums_over_their_bucket_and_window(
    counted: Sequence[RateBucket], length: int, window_s: int
) -> None:
    cut = span(str((NOW - length) * 1000), None, window_s, NOW_MS)

    def total(start: int, end: int) -> tuple[int, int]:
        inside = [each for each in counted if start <= each.at < end]
        return sum(each.numerator for each in inside), sum(each.denominator for each in inside)

    made = points(counted, cut, window_s)
    assert len(made) == len(cut.buckets())
    for point, (start, end) in zip(made, cut.buckets(), strict=True):
        assert (instant("to", point.time), instant("to", point.end)) == (start, end)
        assert (point.numerator, point.denominator) == total(start, end)
        assert (point.window.numerator, point.window.denominator) == total(end - window_s, end)
        assert (point.rate is None) == (point.denominator <= 0)
