"""Outcomes of mail of an unknown time: how many of them count for a window."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.counts import WindowCounts
from schemas.policy_metric import window_ms
from schemas.times import DAY_MS, HOUR_MS
from streams.judge.screen import finished
from streams.subjects.arrays import BEFORE, FIELD_INDEX, FIELDS, Counts
from streams.subjects.undated import KINDS, longer, mail_of, spread, to_read

WINDOWS = ("1h", "24h", "7d", "15d", "30d")
LENGTHS = list(to_read({name: window_ms(name) for name in WINDOWS}).values())


def windows(*given: dict[str, int]) -> Counts:
    """Counts of one subject, a window each."""
    found = np.zeros((1, len(given), len(FIELDS)), np.int64)
    for place, fields in enumerate(given):
        for name, number in fields.items():
            found[0, place, FIELD_INDEX[name]] = number
    return found


def complaints(undated: int, delivered: int, dated: int = 0) -> dict[str, int]:
    both = {"complained": undated + dated, "undated_complained": undated}
    return both | {"fbl_complained": undated + dated, "fbl_undated_complained": undated, "fbl_delivered": delivered}


def judged(*given: dict[str, int]) -> list[WindowCounts]:
    found = spread(windows(*given), LENGTHS, len(WINDOWS))[0].tolist()
    return [WindowCounts(**dict(zip(FIELDS, row, strict=True))) for row in found]


def test_window_is_spread_over_one_that_is_five_days_longer() -> None:
    assert [longer(each, LENGTHS) // DAY_MS for each in LENGTHS] == [7, 7, 15, 30, 37, 37]


def test_window_beyond_what_is_kept_is_not_read() -> None:
    assert list(to_read({"400d": 400 * DAY_MS})) == ["400d"]
    assert longer(400 * DAY_MS, [400 * DAY_MS]) == 400 * DAY_MS
    assert to_read({}) == {}


def test_mailing_that_left_a_window_accuses_nobody_there() -> None:
    """40,000 yesterday, 3,268 today, 18 complaints about mail of an unknown time: one is of today's."""
    today, both = complaints(18, 3_268), complaints(18, 43_268)
    hour, day, week, *_ = judged(complaints(2, 0), today, both, both, both, both)
    assert (hour.fbl_complained, hour.outside_complained) == (0, 2)
    assert (day.fbl_complained, day.outside_complained, day.complained) == (1, 17, 1)
    assert (week.fbl_complained, week.outside_complained) == (18, 0)


def test_outcomes_of_known_mail_all_count() -> None:
    today, both = complaints(18, 3_268, dated=5), complaints(18, 43_268, dated=5)
    assert judged(today, today, both, both, both, both)[1].fbl_complained == 6


def test_who_sends_evenly_keeps_all_of_them() -> None:
    each_hour = complaints(1, 100)
    hours = [length // HOUR_MS for length in LENGTHS]
    given = [{name: number * some for name, number in each_hour.items()} for some in hours]
    assert [each.fbl_complained for each in judged(*given)] == hours[:-1]


def test_only_mailing_of_a_new_sender_keeps_all_that_expired() -> None:
    mailing = {"delivered": 900, "expired": 100, "undated_expired": 100}
    for each in judged(*[mailing] * len(LENGTHS)):
        assert (each.expired, each.finished, each.outside_expired) == (100, 900, 0)


def test_expiries_without_mail_in_the_window_do_not_count() -> None:
    gone = {"expired": 247, "undated_expired": 247}
    week = {"delivered": 39_760, "hard": 160, **gone}
    hour, day, *longer_ones = judged(gone, gone, week, week, week, week)
    assert (day.expired, day.finished, day.outside_expired) == (0, 0, 247)
    assert hour.expired == 0
    assert {(each.expired, each.finished) for each in longer_ones} == {(247, 39_920)}


def test_late_bounces_of_yesterdays_mailing_are_not_todays() -> None:
    late = {"hard": 51, "late_hard": 51, "undated_hard": 51}
    week = {"delivered": 95_342, **late}
    day = judged(late, {"delivered": 342, **late}, week, week, week, week)[1]
    assert (day.hard, day.finished, day.outside_hard) == (0, 342, 51)


def test_longer_window_may_have_been_read_a_little_earlier() -> None:
    now = complaints(10, 1_000)
    found = judged(now, now, complaints(0, 0), complaints(2, 100), now, now)
    assert [each.fbl_complained for each in found[:2]] == [10, 10]


fields = st.fixed_dictionaries({name: st.integers(0, 10**9) for name in FIELDS if not name.startswith("outside")})


@given(st.lists(fields, min_size=len(LENGTHS), max_size=len(LENGTHS)))
def test_nothing_is_lost_and_no_denominator_changes(given: list[dict[str, int]]) -> None:
    for each in given:
        for kind in KINDS:  # undated ones are among all
            for name in kind.fields:
                each[name] += each[kind.undated] if name != kind.undated else 0
    before = windows(*given)[:, : len(WINDOWS)]
    after = spread(windows(*given), LENGTHS, len(WINDOWS))
    assert (finished(before) == finished(after)).all()
    for kind in KINDS:
        outside = after[..., FIELD_INDEX[kind.outside]]
        assert ((outside >= 0) & (outside <= before[..., FIELD_INDEX[kind.undated]])).all()
        for name in kind.fields:
            assert (after[..., FIELD_INDEX[name]] + outside == before[..., FIELD_INDEX[name]]).all()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.undated)
def test_counts_without_undated_outcomes_stay_as_they_are(kind: Any) -> None:
    plain = windows(*[{kind.fields[0]: 7, "delivered": 3}] * len(LENGTHS))
    assert (spread(plain, LENGTHS, 3) == plain[:, :3]).all()


@given(st.integers(0, 2**32), st.integers(0, 10**6))
def test_law_after_a_fresh_start_no_more_counts_than_is_likely_of_mail_since(seed: int, before: int) -> None:
    """And the more was sent before, the less counts; without any, all that counts for the longest window does."""
    chance = np.random.default_rng(seed)
    counts = np.zeros((2, len(LENGTHS), len(FIELDS)), np.int64)
    for name in ("delivered", "fbl_delivered", "hard", "late_hard", "undated_hard", "expired", "undated_expired"):
        counts[..., FIELD_INDEX[name]] = np.cumsum(chance.integers(0, 400, counts.shape[:2]), axis=1)
    counts[1] = counts[0]
    for name in BEFORE:
        counts[1, -1, FIELD_INDEX[name]] = before
    alone, anew = spread(counts, LENGTHS, len(WINDOWS))
    for kind in KINDS:
        mail = mail_of(counts[1], kind.mail)
        came = counts[1, :, FIELD_INDEX[kind.undated]]
        likely = came[-1] * np.maximum(mail[:-1], 0) // np.maximum(mail[-1] + before, 1)
        kept = anew[:, FIELD_INDEX[kind.undated]]
        assert (kept <= np.minimum(came[:-1], likely)).all() or not before
        assert (kept + anew[:, FIELD_INDEX[kind.outside]] == came[:-1]).all()
    if not before:
        assert (alone == anew).all()
