"""What is seen of a stage, and which part is then said to fail. Times are ms after a stage began."""

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.io.health import (
    Contact,
    Disk,
    Flushing,
    HealthLimits,
    HealthVerdict,
    Judging,
    Observations,
    Part,
    verdict,
)

NOW = 10_000_000
LIMITS = HealthLimits()
ANSWERS = Contact(answered_ms=NOW - 3_000)
SILENT = Contact(answered_ms=NOW - 16_000, trouble="cannot be reached")
STORES = Flushing(unstored=0, last_ms=NOW - 500_000)
ROOM = Disk(where="/data", free_bytes=LIMITS.least_free_bytes, total_bytes=LIMITS.least_free_bytes)
WELL = Observations(
    now_ms=NOW,
    broker=ANSWERS,
    store=ANSWERS,
    disk=ROOM,
    flushing=STORES,
    judging=Judging(since_ms=NOW - 120_000),
    scan_due_ms=NOW - 3_600_000,
)
FULL = replace(ROOM, free_bytes=LIMITS.least_free_bytes - 1)
STUCK = Flushing(unstored=5, last_ms=NOW - 61_000)


def judged(**changes: object) -> HealthVerdict:
    return verdict("up", replace(WELL, **changes))  # type: ignore[arg-type]


def test_stage_at_its_limits_is_well() -> None:
    assert judged() == HealthVerdict("up")
    assert judged().well


def test_what_a_stage_has_no_use_for_cannot_fail() -> None:
    assert verdict("collect", Observations(now_ms=NOW)).well


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("start", {"starting": True}),
        ("broker", {"broker": SILENT}),
        ("store", {"store": SILENT}),
        ("topic", {"missing": (("mail.events", NOW - 15_001),)}),
        ("topic", {"flushing": replace(STORES, stopped=("mail.events: too many cannot be read",))}),
        ("disk", {"disk": FULL}),
        ("flush", {"flushing": STUCK}),
        ("flush", {"flushing": replace(STUCK, unstored=nan)}),
        ("flush", {"flushing": replace(STORES, trouble="the store refuses")}),
        ("monitor", {"judging": Judging(since_ms=NOW - 120_001)}),
        ("scan", {"scan_due_ms": NOW - 3_600_001}),
    ],
)
def test_part_that_fails_is_named_alone_with_what_to_do(part: Part, changes: dict[str, object]) -> None:
    (fault,) = judged(**changes).faults
    assert fault.part == part
    assert fault.what
    assert fault.mend.endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {"flushing": replace(STUCK, unstored=0)},
        {"flushing": replace(STUCK, last_ms=NOW - 60_000)},
        {"missing": (("mail.events", NOW - 15_000),)},
        {"judging": Judging(since_ms=0)},
        # One question failed: it is asked again.
        {"broker": replace(ANSWERS, trouble="timed out")},
        {"scan_due_ms": NOW + 1_000},
    ],
)
def test_what_is_no_fault(changes: dict[str, object]) -> None:
    assert judged(**changes).well


@pytest.mark.parametrize(("part", "cause"), [("store", {"store": SILENT}), ("disk", {"disk": FULL})])
def test_what_only_follows_from_a_cause_is_not_named_next_to_it(part: Part, cause: dict[str, object]) -> None:
    follows = {"flushing": replace(STUCK, trouble="no"), "judging": Judging(since_ms=1), "scan_due_ms": 1}
    assert judged(**cause, **follows).failing == {part}
    assert judged(**follows).failing == {"flush", "monitor", "scan"}


def test_topic_that_was_deleted_is_named_once_with_what_was_lost() -> None:
    gone = replace(STORES, deleted=(("mail.events", "at least 7 messages were not read"),))
    (fault,) = judged(flushing=gone, missing=(("mail.events", 0),)).faults
    assert (fault.part, fault.what, fault.said) == ("topic", "mail.events is gone", "at least 7 messages were not read")


def test_all_causes_are_named() -> None:
    found = judged(broker=SILENT, store=SILENT, disk=FULL, missing=(("a", 0), ("b", 0)), starting=True)
    assert [each.part for each in found.faults] == ["start", "broker", "store", "topic", "disk"]
    assert "a, b" in found.faults[3].what


def test_words_of_an_error_are_kept_apart_since_they_name_addresses() -> None:
    (fault,) = judged(store=SILENT).faults
    assert fault.said == "cannot be reached"
    assert fault.what == "no answer for 16 s"
    assert str(judged(store=SILENT)) == "store: no answer for 16 s (cannot be reached)"


def test_who_asks_when_somebody_wants_to_know_counts_the_last_question_alone() -> None:
    at_once = HealthLimits(silent_ms=0)
    assert verdict("api", Observations(now_ms=NOW, store=Contact(answered_ms=NOW + 2)), at_once).well
    failed = Observations(now_ms=NOW, store=Contact(answered_ms=NOW, trouble="refused"))
    assert verdict("api", failed, at_once).failing == {"store"}


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_longer_it_is_silent_the_less_it_becomes_well(age: int, more: int) -> None:
    def well(age_ms: int) -> bool:
        return judged(broker=Contact(answered_ms=NOW - age_ms)).well

    assert well(age) or not well(age + more)


@given(st.floats(0, 1e15) | st.just(nan) | st.just(inf), st.integers(0, NOW))
def test_with_any_lag_the_verdict_can_be_put_in_words(unstored: float, last_ms: int) -> None:
    assert str(judged(flushing=Flushing(unstored=unstored, last_ms=last_ms)))
