"""The limit on dead letters, held against a model that keeps every message."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import Ingest
from streams.intake.batch import DeadShare, DeadShareError

WINDOWS = st.integers(1, 40)
HUNDREDTHS = st.integers(0, 100)


@given(st.lists(st.booleans(), max_size=150), WINDOWS, HUNDREDTHS)
def test_message_by_message_it_is_the_share_of_exactly_the_last_messages(
    bad: list[bool], window: int, hundredths: int
) -> None:
    share = DeadShare("t", 0, hundredths / 100, window)
    for taken, is_bad in enumerate(bad, start=1):
        share.note(not is_bad, is_bad)
        last = bad[max(0, taken - window) : taken]
        wanted = len(last) == window and Fraction(sum(last), window) > Fraction(hundredths, 100)
        assert share.exceeded == wanted


BATCHES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60)


@given(BATCHES, WINDOWS, HUNDREDTHS)
def test_batch_by_batch_the_window_is_the_fewest_last_batches_that_fill_it(
    batches: list[tuple[int, int]], window: int, hundredths: int
) -> None:
    share = DeadShare("t", 0, hundredths / 100, window)
    for taken, (good, bad) in enumerate(batches, start=1):
        share.note(good, bad)
        tails = [batches[start:taken] for start in range(taken, -1, -1)]
        full = [tail for tail in tails if sum(map(sum, tail)) >= window]
        wanted = False
        if full:
            messages, dead = sum(map(sum, full[0])), sum(bad for _, bad in full[0])
            wanted = Fraction(dead, messages) > Fraction(hundredths, 100)
        assert share.exceeded == wanted


def test_share_that_is_only_reached_is_not_exceeded() -> None:
    share = DeadShare("t", 0, 0.29, 100)
    share.note(71, 29)
    assert not share.exceeded
    share.note(0, 1)
    assert share.exceeded


def test_bad_records_count_as_parts_of_their_messages() -> None:
    share = DeadShare("t", 0, 0.2, 10)
    for _ in range(100):
        share.note(0.8, 0.2)
        assert not share.exceeded
    share.note(0.7, 0.3)
    assert share.exceeded


def test_quiet_topic_goes_on_until_the_window_is_full() -> None:
    share = DeadShare("t", 0, 0.2, 1000)
    for _ in range(999):
        share.note(0, 1)
        share.check()
    share.note(0, 1)
    with pytest.raises(DeadShareError):
        share.check()


def test_bad_messages_of_long_ago_are_forgotten() -> None:
    share = DeadShare("t", 0, 0.2, 1000)
    share.note(0, 999)
    for _ in range(10):
        share.note(1000, 0)
        assert not share.exceeded


def test_share_of_one_lets_everything_be_set_aside() -> None:
    share = DeadShare("t", 0, 1.0, 10)
    share.note(0, 10_000)
    assert not share.exceeded


def test_error_names_the_place_the_share_the_last_reason_and_what_to_do() -> None:
    share = DeadShare("mail.events", 3, 0.2, 1000)
    share.note(600, 200, "field `id` is missing")
    share.note(0, 200, "field `customer` is missing")
    share.note(200, 0)
    with pytest.raises(DeadShareError) as caught:
        share.check()
    said = str(caught.value)
    for words in (
        "mail.events, partition 3: 400 of the last 1,200 messages (33.3 %)",
        "allows 20 %",
        "the last one: field `customer` is missing.",
        "ingest.formats",
        "`repmon dead-letters list --summary`",
    ):
        assert words in said


def test_settings_have_the_same_defaults() -> None:
    default, settings = DeadShare("t", 0), Ingest()
    assert (float(default.share), default.window) == (settings.dead_letter_share, settings.dead_letter_window)
