"""How long silence is as usual: the cases of `rhythm.toml`, and laws."""

import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import DAY_S, HOUR_S
from streams.judge.rhythm import LEAST_PAUSE_S, LONGEST_S, MOST_S, Pause, usual_silence_s

CASES = tomllib.loads(Path(__file__).with_name("rhythm.toml").read_text(encoding="utf-8"))["case"]
LAST_S = 20_000 * DAY_S


def pauses(sent: Sequence[float]) -> list[Pause]:
    """Of those who sent so many days before the last mail."""
    at = sorted(LAST_S - round(days * DAY_S) for days in sent)
    return [Pause(after, after - before) for before, after in pairwise(at)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    assert usual_silence_s(pauses(case["sent"]), LAST_S, DAY_S) == pytest.approx(case["usual"] * DAY_S, abs=2 * HOUR_S)


@given(st.integers(LEAST_PAUSE_S // HOUR_S, LONGEST_S // HOUR_S), st.integers(2, 8), st.integers(0, 6))
def test_who_keeps_a_rhythm_is_inactive_after_one_pause_and_within_two(
    period_h: int, mailings: int, hours_each: int
) -> None:
    sent = [(k * period_h + hour) / 24 for k in range(mailings) for hour in range(min(hours_each, period_h // 2) + 1)]
    usual = usual_silence_s(pauses(sent), LAST_S, DAY_S)
    pause_s = min(each.length_s for each in pauses(sent) if each.length_s > HOUR_S or period_h == 1)
    assert usual >= pause_s
    assert usual <= max(DAY_S, 2 * period_h * HOUR_S)


@given(st.lists(st.floats(0, 120), min_size=1, max_size=40), st.integers(HOUR_S, 30 * DAY_S))
def test_silence_is_usual_for_the_time_of_the_policy_at_least_and_never_for_ever(
    sent: list[float], least_s: int
) -> None:
    assert least_s <= usual_silence_s(pauses([0, *sent]), LAST_S, least_s) <= max(least_s, MOST_S)


@given(st.lists(st.floats(0, 75), min_size=1, max_size=40))
def test_usual_silence_is_within_twice_the_longest_pause(sent: list[float]) -> None:
    found = pauses([0, *sent])
    longest = max((each.length_s for each in found), default=0)
    assert usual_silence_s(found, LAST_S, 0) <= 2 * longest
