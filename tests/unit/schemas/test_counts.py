"""Finished recipients: one sum, whether Python, arrays or SQL adds it up."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.counts import FINISHED, MEASURES, WindowCounts, finished_sql
from streams.judge.screen import finished
from streams.subjects.arrays import FIELDS

counts = st.fixed_dictionaries({name: st.integers(0, 10**12) for name in MEASURES})


def test_recipient_that_bounced_after_its_delivery_is_finished_once() -> None:
    assert WindowCounts(delivered=1).finished == 1
    assert WindowCounts(delivered=1, hard=1, late_hard=1).finished == 1
    assert WindowCounts(delivered=3, hard=1, soft=2, block=4, expired=5).finished == 15


def test_what_was_never_sent_or_is_not_over_is_not_finished() -> None:
    assert WindowCounts(deferred=1, suppressed=2, rejected=3, complained=4, unsubscribed=5, reported=6).finished == 0


@given(counts)
def test_sum_is_the_same_in_python_arrays_and_sql(found: dict[str, int]) -> None:
    one = WindowCounts(**found)
    row = np.array([[getattr(one, name) for name in FIELDS]], np.int64)
    assert finished(row).tolist() == [one.finished]
    assert eval(finished_sql(), {}, found) == one.finished  # noqa: S307 - a sum of names is the same in both languages


def test_column_stands_for_each_measure() -> None:
    assert finished_sql("sum(n_{})").startswith("sum(n_delivered) + sum(n_hard) + ")
    assert finished_sql("x_{}").count("x_") == len(FINISHED)
