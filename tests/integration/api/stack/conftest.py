"""Who is asked by a suspension hook, and the customers that it acts on."""

from collections.abc import Iterator

import pytest

from streams.io.store import Store
from tests.support.hook_targets import TargetStandIn, target_stand_in
from tests.support.hooked import Scene


@pytest.fixture(scope="module")
def stand_in() -> Iterator[TargetStandIn]:
    with target_stand_in() as seen:
        yield seen


@pytest.fixture
def mta(stand_in: TargetStandIn) -> TargetStandIn:
    """A target that was never asked."""
    stand_in.suspended.clear()
    stand_in.statuses.clear()
    stand_in.asked.clear()
    stand_in.answer = 0
    return stand_in


@pytest.fixture
def scene(store: Store) -> Scene:
    made = Scene(store)
    made.mail(["acme", "globex", "initech"])
    return made
