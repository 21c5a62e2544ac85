"""What is left out, read from the incidents themselves, is what the views say."""

import random
from typing import cast

import pytest

from schemas.incident import LEAVING_OUT, Dimension, Incident, State
from schemas.times import HOUR_S
from streams.incidents.stored import AllLeftOut, read_all_left_out, store_incidents
from streams.io.store import Store
from streams.listings.left_out import read_left_out
from streams.subjects.left_out import NOT_EXCUSED
from tests.support.api_client import NOW
from tests.support.judging import NOW_MS, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

DIMENSIONS: tuple[Dimension, ...] = ("provider", "all", "pool", "listing", "customer")
STATES: tuple[State, ...] = (*sorted(cast("set[State]", LEAVING_OUT)), "suspected", "dismissed", "not_excused")
MAIL = "SELECT provider, toUnixTimestamp(hour) FROM left_out WHERE hour >= toDateTime({since:UInt32})"
SINCE = NOW // HOUR_S * HOUR_S - 3 * HOUR_S


def by_the_views(store: Store) -> AllLeftOut:
    return AllLeftOut(
        frozenset((value, int(hour)) for value, hour in store.rows(MAIL, {"since": SINCE})),
        read_left_out(store),
        frozenset((value, int(hour.timestamp())) for value, hour in store.rows(NOT_EXCUSED)),
    )


def incidents(chance: random.Random) -> list[Incident]:
    """Several of the same places and hours."""
    return [
        Incident(
            id=f"incident{number}",
            dimension=chance.choice(DIMENSIONS),
            value=chance.choice(["one", "two", "*"]),
            outcome="block",
            state=chance.choice(STATES),
            hours=tuple(sorted(NOW // HOUR_S * HOUR_S - hour * HOUR_S for hour in chance.sample(range(8), 3))),
        )
        for number in range(chance.randrange(1, 12))
    ]


@pytest.mark.parametrize("seed", range(12))
def test_what_is_left_out_is_what_the_views_say(ground: Ground, seed: int) -> None:
    """Found, found anew with other hours, and decided: the last row of each counts, and what people decided."""
    chance = random.Random(seed)
    for after_ms in (0, 1_000):
        store_incidents(ground.store, incidents(chance), NOW_MS + after_ms)
        assert read_all_left_out(ground.store, SINCE) == by_the_views(ground.store)
    store_incidents(ground.store, chance.sample(incidents(chance), 1), NOW_MS + 2_000, decided=True)
    store_incidents(ground.store, incidents(chance), NOW_MS + 3_000, decided=chance.random() < 0.7)
    found = read_all_left_out(ground.store, SINCE)
    assert found == by_the_views(ground.store)


def test_where_nothing_is_stored_nothing_is_left_out(ground: Ground) -> None:
    assert read_all_left_out(ground.store, 0) == AllLeftOut(frozenset(), {}, frozenset()) == by_the_views(ground.store)
