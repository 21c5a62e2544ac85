"""What was read ahead is what would be read, and is read again where that is no longer so."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from schemas import policy, providers
from streams.monitor.batch import BatchJudge
from tests.support.api_client import DAY, NOW
from tests.support.judging import CUSTOMERS, NOW_MS, SETTINGS, Counting, Ground, traffic

pytestmark = pytest.mark.usefixtures("standing_clock")


@pytest.fixture
def reader(ground: Ground) -> Counting:
    ground.put(*traffic(1, 400))
    return Counting(ground.store)


@pytest.fixture
def judge(ground: Ground, reader: Counting) -> BatchJudge:
    made = BatchJudge(
        ground.store,
        policy.load_policy(),
        providers.load_providers(),
        lambda *_: None,
        lambda: None,
        SETTINGS,
        reader=reader,
    )
    made.refresh_incidents(NOW_MS)
    return made


def test_what_was_read_ahead_is_judged_as_what_is_read_then(
    ground: Ground, reader: Counting, judge: BatchJudge
) -> None:
    ground.judge().judge_customers(CUSTOMERS, NOW_MS)
    wanted = ground.shown()
    assert len(wanted) == len(CUSTOMERS)
    ahead = judge.read_ahead(CUSTOMERS, NOW_MS)
    reader.asked.clear()
    judge.judge_customers(CUSTOMERS, NOW_MS, ahead)
    assert reader.asked == [], "nothing is read again"
    assert ground.shown() == wanted


def fresh_start(ground: Ground, _judge: BatchJudge) -> None:
    at = datetime.fromtimestamp(NOW - DAY, UTC)
    row = {"customer": CUSTOMERS[0], "since": at, "decided": at, "who": "alice", "why": "sold"}
    ground.store.insert("fresh_starts", {name: [value] for name, value in row.items()})


def incident(_ground: Ground, judge: BatchJudge) -> None:
    judge._incidents = SimpleNamespace(  # type: ignore[assignment]
        refresh=lambda *_: {"one"},
        affected=lambda *_: set(),
        known=None,
        listings={},
        excluded=(),
        name=judge._incidents.name,
    )
    judge.refresh_incidents(NOW_MS)


CHANGES: dict[str, Callable[[Ground, BatchJudge], None]] = {
    "another policy": lambda _, judge: judge.set_policy(policy.load_policy()),
    "another monitor": lambda _, judge: judge.forget(),
    "a fresh start": fresh_start,
    "an incident": incident,
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_read_before_a_change_is_read_again(
    ground: Ground, reader: Counting, judge: BatchJudge, what: str
) -> None:
    ahead = judge.read_ahead(CUSTOMERS, NOW_MS)
    CHANGES[what](ground, judge)
    reader.asked.clear()
    judge.judge_customers(CUSTOMERS, NOW_MS, ahead)
    assert any("FROM counts" in sql for sql in reader.asked)


def test_what_was_read_of_others_or_at_another_time_is_not_used(reader: Counting, judge: BatchJudge) -> None:
    ahead = judge.read_ahead(CUSTOMERS, NOW_MS)
    for customers, now_ms in ((CUSTOMERS[1:], NOW_MS), (CUSTOMERS, NOW_MS + 1)):
        reader.asked.clear()
        judge.judge_customers(customers, now_ms, ahead)
        assert any("FROM counts" in sql for sql in reader.asked)
