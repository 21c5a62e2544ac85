"""The memory of event ids: exact while it has room, bounded, honest about what it forgot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.intake.seen import SLOT_BYTES, SLOTS, SMALLEST, Ids, SeenIds

HOUR = 498_611
ROOMY = 16_000_000


def ids(*numbers: int) -> Ids:
    return np.array(numbers, np.uint64)


def random_ids(count: int, seed: int = 1) -> Ids:
    return np.random.default_rng(seed).integers(0, 2**64, count, np.uint64)


def test_first_of_equal_ids_is_new() -> None:
    seen = SeenIds(ROOMY)
    assert seen.add(ids(2**40, 2**50, 2**40), HOUR).tolist() == [True, True, False]
    assert seen.add(ids(2**50, 2**60), HOUR).tolist() == [False, True]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 40), max_size=12)),
        max_size=30,
    )
)
def test_says_what_a_set_with_times_would_say(steps: list[tuple[int, list[int]]]) -> None:
    """Against the plain meaning: an id is known for 24 hours from when it was new."""
    seen, model, hour = SeenIds(ROOMY), dict[int, int](), HOUR
    spread = random_ids(41)
    for later, picks in steps:
        hour += later * 11
        expected = []
        for pick in picks:
            is_new = hour - model.get(pick, -100) > 24
            expected.append(is_new)
            if is_new:
                model[pick] = hour
        assert seen.add(spread[picks] if picks else ids(), hour).tolist() == expected


@pytest.mark.parametrize(
    ("hours", "known"), [(0, True), (24, True), (25, False), (254, False), (255, False), (600, False)]
)
def test_id_is_known_for_24_hours(hours: int, known: bool) -> None:
    seen = SeenIds(ROOMY)
    seen.add(random_ids(5000), HOUR)
    assert seen.add(random_ids(5000), HOUR + hours).any() == (not known)
    assert seen.known == 5000


def test_growing_forgets_nothing() -> None:
    seen = SeenIds(ROOMY)
    for part in range(20):
        assert seen.add(random_ids(10_000, part), HOUR).all()
    assert seen.memory_bytes > SMALLEST * SLOTS * SLOT_BYTES
    for part in range(20):
        assert not seen.add(random_ids(10_000, part), HOUR).any()
    assert (seen.known, seen.forgotten) == (200_000, 0)


@pytest.mark.parametrize("block", [8_192, 65_409])
def test_ids_that_come_sorted_as_they_are_read_back_are_not_forgotten(block: int) -> None:
    """At less than a half of the room. A block of sorted ids has the same upper bits throughout."""
    seen, known = SeenIds(8_000_000), np.sort(random_ids(200_000))
    for start in range(0, known.size, block):
        seen.add(known[start : start + block], HOUR)
    assert (seen.known, seen.forgotten) == (200_000, 0)
    assert not seen.add(known, HOUR).any()


@given(st.integers(0, 48), st.integers(0, 2**64 - 1), st.integers(1, 3_000))
def test_law_nothing_is_forgotten_while_there_is_room_however_alike_the_ids_are(
    shift: int, first: int, count: int
) -> None:
    seen = SeenIds(ROOMY)
    alike = np.unique((np.uint64(first) + (np.arange(count, dtype=np.uint64) << np.uint64(shift + 8))) | np.uint64(256))
    seen.add(alike, HOUR)
    assert (seen.known, seen.forgotten) == (alike.size, 0)
    assert not seen.add(alike, HOUR).any()


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(-30, 2)), max_size=60))
def test_law_ids_read_back_in_any_order_are_known_as_long_as_if_they_had_come_now(came: list[tuple[int, int]]) -> None:
    """Hours ahead of now, of a worker with another clock, are taken as now."""
    spread, hours = random_ids(61), {number: min(0, hour) for number, hour in reversed(came) if hour >= -24}
    seen = SeenIds(ROOMY)
    if came:
        numbers, relative = zip(*came, strict=True)
        seen.load(spread[list(numbers)], np.array(relative) + HOUR, HOUR)
    for later in (0, 10, 25):
        known = [number in hours and later - hours[number] <= 24 for number in range(61)]
        assert seen.knows(spread, HOUR + later).tolist() == known


def test_asking_what_is_known_notes_nothing() -> None:
    seen = SeenIds(ROOMY)
    seen.add(random_ids(100), HOUR)
    assert not seen.knows(random_ids(100, 2), HOUR).any()
    assert seen.add(random_ids(100, 2), HOUR).all()


def test_memory_is_bounded_and_the_oldest_are_forgotten_first_and_counted() -> None:
    seen = SeenIds(100_000)
    for later in range(4):
        seen.add(random_ids(5_000, later), HOUR + later)
    assert seen.memory_bytes <= 100_000
    assert seen.known + seen.forgotten == 20_000
    latest, oldest = (seen.add(random_ids(5_000, part), HOUR + 3).sum() for part in (3, 0))
    assert latest < 200
    assert oldest > 4_000


@pytest.mark.parametrize("an_hour", [1_000_000, 6_000], ids=["within an hour", "in several hours"])
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_full_memory_knows_what_came_last(an_hour: int, restarts: bool) -> None:
    """Most repetitions come soon: those within the latest `lasting` are found, also after ids were read back."""
    seen, step = SeenIds(100_000), 512
    came = random_ids(80 * step)
    hours = HOUR + np.arange(came.size) // an_hour
    for upto in range(step, came.size + 1, step):
        new = slice(upto - step, upto)
        assert seen.add(came[new], int(hours[new][-1])).all()
        if restarts and upto % (20 * step) == 0:
            kept = slice(max(0, upto - seen.room), upto)
            seen = SeenIds(100_000)
            seen.load(came[kept], hours[kept], int(hours[upto - 1]))
        latest = came[max(0, upto - seen.lasting) : upto]
        assert seen.knows(latest, int(hours[upto - 1])).all()
    assert not seen.knows(came[: came.size // 2], int(hours[-1])).any()


def test_large_flushes_are_looked_up_in_the_order_in_which_their_events_came() -> None:
    """After a backlog a flush is larger than what a full memory is sure to know. Repetitions in it are as far apart as
    they came, not as far as the whole of it and the one before."""
    seen, apart, large = SeenIds(100_000), 1_000, 7_000
    came: list[np.uint64] = []
    for number, each in enumerate(random_ids(40_000)):
        came.append(each)
        if number >= apart and not number % 20:
            came.append(came[-apart])
    assert apart < seen.lasting < large
    new = [seen.add(np.array(came[at : at + large]), HOUR) for at in range(0, len(came), large)]
    assert np.concatenate(new).sum() == len(set(came))


def test_clock_that_goes_back_forgets_nothing() -> None:
    seen = SeenIds(ROOMY)
    seen.add(random_ids(100), HOUR)
    seen.add(random_ids(100, 2), HOUR - 5)
    assert not seen.add(np.concatenate([random_ids(100), random_ids(100, 2)]), HOUR).any()


def test_expected_errors_agree_with_those_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ids of few random bits errors are frequent enough to be counted."""
    bits = 26
    monkeypatch.setattr("streams.intake.seen._FINGERPRINT_BITS", bits)
    seen, rng = SeenIds(ROOMY), np.random.default_rng(5)
    errors, known = 0, set[int]()
    for _ in range(60):
        batch = np.unique(rng.integers(0, 2**bits, 5_000, np.uint64))
        batch = batch[[int(each) not in known for each in batch]]
        # An id that shares its few bits with a known one: in truth distinguished by what is cut off.
        collides = rng.random(batch.size) < len(known) / 2**bits
        picked = rng.choice(np.fromiter(known, np.uint64, len(known)), collides.sum()) if known else batch[:0]
        offered = np.concatenate([batch[~collides], np.unique(picked)])
        errors += int((~seen.add(offered << np.uint64(64 - bits), HOUR)).sum())
        known.update(map(int, batch[~collides]))
    assert errors > 100
    assert 0.7 < seen.expected_errors / errors < 1.4


def test_hours_must_fit_the_stamp() -> None:
    with pytest.raises(ValueError, match="from 1 to 254"):
        SeenIds(ROOMY, hours=255)
