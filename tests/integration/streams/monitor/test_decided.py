"""Who waits is left out of what was decided of a batch, which is then what deciding of the others gives."""

from dataclasses import asdict

import pytest

from streams.monitor.decided import DecidedBatch
from tests.support.api_client import DAY, NOW, Row
from tests.support.judging import NOW_MS, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

BATCH = ["acme", "bolt", "corp", "dune"]


def plain(found: DecidedBatch) -> tuple[object, ...]:
    """What can be compared; `shown` may know of more."""
    subjects = {**asdict(found.subjects), "counts": found.subjects.counts.tolist(), "by_provider": {}}
    rows = [each.tolist() for each in found.screened[:2]]
    unseen = {rule: each.tolist() for rule, each in found.screened.unobservable.items() if each.any()}
    return subjects, rows, unseen, found.closely, found.outcomes, found.lives, found.again


@pytest.mark.parametrize("waiting", [{"acme"}, {"bolt", "dune"}, set(BATCH), set[str]()])
def test_batch_without_those_who_wait_is_that_of_the_others(ground: Ground, waiting: set[str]) -> None:
    ground.put(*(Row(NOW - 5 * DAY, delivered=900, customer=each, stream=stream) for each in BATCH for stream in "ab"))
    judge = ground.judge()
    ground.put(Row(NOW, delivered=900, hard=300, customer="bolt"))
    judge.judge_customers(BATCH, NOW_MS - 30_000)
    ground.put(*(Row(NOW, delivered=900, hard=300, customer=each) for each in ("acme", "corp")))
    others = [each for each in BATCH if each not in waiting]
    assert plain(judge._decided(BATCH, NOW_MS).without(waiting)) == plain(judge._decided(others, NOW_MS))
