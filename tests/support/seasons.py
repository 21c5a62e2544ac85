"""A fleet whose customers all send more on some days: minutes of mail, made from a seed."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.subjects.arrays import Counts

DAY_MIN = 1_440
#: History before the season begins, and days from then on.
BEFORE, AFTER = 38, 6
DAYS = BEFORE + AFTER


class Season(NamedTuple):
    """Everybody sends so many `times` their usual for some `days`, each a little more or less (`spread`, of the
    logarithm)."""

    times: float = 4.0
    days: int = 4
    spread: float = 0.2


def mail(customers: Mapping[str, int], season: Season, seed: int, at_hour: int | None = None) -> Counts:
    """Recipients of each customer (rows) in each minute of `DAYS` days, of which the season begins after `BEFORE`.

    `customers` says how many there are of each kind: `steady` ones send around the clock, most by day, `daily` and
    `weekly` ones a mailing of 20 to 60 minutes, at a time of their own or at `at_hour`. They have 3,000 to 300,000
    recipients.
    """
    chance = np.random.default_rng(seed)
    minute = np.arange(DAYS * DAY_MIN)
    return np.stack(
        [
            _steady(chance, minute, season) if kind == "steady" else _mailings(chance, kind, season, at_hour)
            for kind, count in customers.items()
            for _ in range(count)
        ]
    )


def _steady(chance: np.random.Generator, minute: Counts, season: Season) -> Counts:
    each_day = np.exp(chance.normal(0, 0.1, DAYS)) * _times(chance, season)
    curve = 1 + 0.7 * np.sin(2 * np.pi * (minute % DAY_MIN) / DAY_MIN - 2)
    found: Counts = chance.poisson(_recipients(chance) / DAY_MIN * curve * each_day[minute // DAY_MIN])
    return found


def _mailings(chance: np.random.Generator, kind: str, season: Season, at_hour: int | None) -> Counts:
    found = np.zeros(DAYS * DAY_MIN, np.int64)
    every = {"daily": 1, "weekly": 7}[kind]
    recipients, times, length = _recipients(chance), _times(chance, season), int(chance.integers(20, 60))
    hour = int(chance.integers(7, 20)) if at_hour is None else at_hour
    start = hour * 60 + (0, 0, 15, 30, int(chance.integers(60)))[chance.integers(5)]
    for day in range(int(chance.integers(every)), DAYS, every):
        begin = day * DAY_MIN + start
        count = recipients * times[day] * np.exp(chance.normal(0, 0.1))
        found[begin : begin + length] = chance.poisson(count / length, length)
    return found


def _recipients(chance: np.random.Generator) -> float:
    return float(np.exp(chance.uniform(np.log(3_000), np.log(300_000))))


def _times(chance: np.random.Generator, season: Season) -> NDArray[np.float64]:
    """How many times the usual a customer sends on each day."""
    found = np.ones(DAYS)
    found[BEFORE : BEFORE + season.days] = season.times * np.exp(chance.normal(0, season.spread))
    return found
