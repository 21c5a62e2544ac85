"""The tools of the fault tests themselves: a comparison that finds every difference, faults that follow from a seed."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast
from unittest.mock import Mock

import pytest

from jobs.simulate.timed import TimedMessage
from schemas.counts import MEASURES
from schemas.event import MailEvent
from streams.io.store import Store
from tests.faults.plan import KINDS, MOST_WORKERS, plan
from tests.faults.soak import KINDS as SOAK_KINDS
from tests.faults.soak import MEMORY_MB, REPEATED_WITHIN, figures, known_of_a_partition, soak_plan
from tests.faults.steady import Sample, Slope, growth, lagging, parsed, unsteady
from tests.support.truth import COUNTED, DEAD_LETTERS, EVIDENCE, INDEX, LISTINGS, REPEATED, Repeater, Sent, differences

AT_MS = 1_795_000_000_000
MINUTE = AT_MS // 60_000 * 60


class Answers:
    """A store that gives prepared rows."""

    def __init__(self) -> None:
        self.by_query: dict[str, list[tuple[Any, ...]]] = {COUNTED: [], EVIDENCE: [], LISTINGS: [], DEAD_LETTERS: []}

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        return self.by_query[sql]

    def count(self, dimension: str, value: str, minute: int = MINUTE, **numbers: int) -> None:
        sums = [numbers.get(name, 0) for name in MEASURES]
        self.by_query[COUNTED].append((dimension, "acme", "default", "bulk", minute, value, *sums))


@pytest.fixture
def sent() -> Sent:
    """Two deliveries and a late bounce, which was sent twice."""
    made = Sent()
    for number in range(2):
        event = MailEvent(id=f"d{number}", type="delivered", time=AT_MS, customer="acme", sending_ip="192.0.2.1")
        made.add(event, INDEX["delivered"], repeat=False)
    bounced = MailEvent(id="b", type="bounced", time=AT_MS, customer="acme", sending_ip="192.0.2.1")
    made.add(bounced, INDEX["late_hard"], repeat=False)
    made.add(bounced, INDEX["late_hard"], repeat=True)
    made.listings.add("l")
    made.bad[b"bad"] += 1
    return made


@pytest.fixture
def exact() -> Answers:
    """A store that says just that."""
    made = Answers()
    made.count("provider", "", delivered=2, hard=1, late_hard=1, undated_hard=1)
    made.count("ip", "192.0.2.1", delivered=2, hard=1, late_hard=1, undated_hard=1)
    made.by_query |= {EVIDENCE: [("b", 1)], LISTINGS: [("l", 1)], DEAD_LETTERS: [("bad", 1)]}
    return made


def wrong(sent: Sent, answers: Answers) -> list[str]:
    return differences(sent, cast("Store", answers))


def test_exact_counts_do_not_differ(sent: Sent, exact: Answers) -> None:
    assert wrong(sent, exact) == []


@pytest.mark.parametrize("dimension", [0, 1])
@pytest.mark.parametrize(
    "change", [{"delivered": 1}, {"delivered": 3}, {"hard": 2}, {"late_hard": 0}, {"soft": 1}, {"minute": MINUTE + 60}]
)
def test_every_other_number_is_found(sent: Sent, exact: Answers, dimension: int, change: dict[str, int]) -> None:
    name, value = (("provider", ""), ("ip", "192.0.2.1"))[dimension]
    rest = exact.by_query[COUNTED]
    del rest[dimension]
    exact.count(name, value, **({"delivered": 2, "hard": 1, "late_hard": 1} | change))
    assert any(name in line for line in wrong(sent, exact))


def test_counts_at_another_address_are_found(sent: Sent, exact: Answers) -> None:
    exact.by_query[COUNTED].pop()
    exact.count("ip", "192.0.2.2", delivered=2, hard=1, late_hard=1, undated_hard=1)
    assert len(wrong(sent, exact)) == 3, "the two addresses, and a line that says how many"


@pytest.mark.parametrize("query", [EVIDENCE, LISTINGS, DEAD_LETTERS])
@pytest.mark.parametrize("rows", [[], [("b", 2), ("l", 2), ("bad", 2)], [("b", 1), ("l", 1), ("bad", 1), ("more", 1)]])
def test_rows_missing_doubled_or_too_many_are_found(
    sent: Sent, exact: Answers, query: str, rows: list[tuple[str, int]]
) -> None:
    exact.by_query[query] = [*rows]
    assert wrong(sent, exact)


def test_same_seed_gives_the_same_faults_and_another_seed_others() -> None:
    assert plan(7, 300) == plan(7, 300)
    assert plan(7, 300) != plan(8, 300)


def test_two_hundred_faults_have_every_kind_and_one_to_four_workers() -> None:
    for seed in range(20):
        faults = plan(seed, 200)
        assert Counter(fault.kind for fault in faults).keys() == KINDS.keys()
        assert {fault.workers for fault in faults} <= set(range(1, MOST_WORKERS + 1))
        assert all(fault.target < fault.workers for fault in faults)


def samples(memory: Callable[[int], float], files: int = 20, later_files: int = 20) -> list[Sample]:
    """An hour of looks, one a minute."""
    return [Sample(60.0 * at, int(memory(at)), files if at < 30 else later_files, 12) for at in range(60)]


def test_memory_that_goes_up_and_down_does_not_grow() -> None:
    chance = random.Random(1)
    assert unsteady("w1", samples(lambda _: 300e6 + chance.uniform(-20e6, 20e6))) == []
    assert growth(samples(lambda at: 300e6 + 50e6 * (at == 59))) == Slope(0.0, 0.0, 0.0)


def test_memory_that_grows_is_told_by_how_much_an_hour() -> None:
    assert unsteady("w1", samples(lambda at: 300e6 + 0.1e6 * at)) == [
        "w1: memory grows by 2.0% an hour (surely 2.0% to 2.0%)"
    ]


def test_noise_of_a_short_run_is_called_no_slope() -> None:
    """The bounds hold the truth in 19 of 20 runs, and say so where they are too wide."""
    chance, held, within = random.Random(2), 0, 0
    for _ in range(200):
        slope = growth(samples(lambda at: 300e6 + 0.5e6 * at + chance.gauss(0, 20e6)))
        held += slope.low <= 0.1 <= slope.high
        within += slope.judged == "too uncertain to say"
    assert held >= 180
    assert within > 20
    assert growth(samples(lambda at: 300e6 + chance.gauss(0, 0.2e6))).judged == "steady"
    assert growth(samples(lambda _: 300e6)[:3]).judged == "too uncertain to say"


def test_memory_is_told_apart_from_pages_of_files() -> None:
    status = "VmRSS:\t  300 kB\nRssAnon:\t  200 kB\nRssFile:\t   90 kB\nRssShmem:\t   10 kB\n"
    assert parsed(status) == (210 * 1024, 90 * 1024)


def test_files_that_are_left_open_are_told() -> None:
    assert unsteady("w1", samples(lambda _: 300e6, 20, 60)) == ["w1: 20 files became 60"]


def test_what_waits_longer_and_longer_is_told() -> None:
    assert lagging([100.0] * 20 + [5_000.0] * 10, rate=1_000) == ["lag: 100 events waited, then 5,000"]
    assert lagging([900.0, 1_100.0] * 15, rate=1_000) == []


def test_a_soak_strikes_only_what_may_come_and_go() -> None:
    faults = soak_plan(7, minutes=30)
    assert {each.target for each in faults} == {1}
    assert {each.kind for each in faults} <= {*KINDS, *SOAK_KINDS}
    assert sum(each.gap_s for each in faults) > 30 * 60
    assert soak_plan(7, minutes=30) == faults


def test_a_soak_repeats_within_what_a_full_memory_of_ids_promises() -> None:
    assert known_of_a_partition(MEMORY_MB) >= REPEATED_WITHIN
    sent, sender = Sent(), Mock()
    repeater = Repeater(REPEATED, 1, sender, sent, within=500)
    first: dict[bytes, int] = {}
    for number in range(20_000):
        event = MailEvent(id=str(number), type="delivered", time=AT_MS, customer="acme", sending_ip="192.0.2.1")
        first[b"%d" % number] = number
        before = len(sender.send.mock_calls)
        repeater.sent(TimedMessage(AT_MS, b"acme", b"%d" % number, "mail.events", 0), event, INDEX["delivered"])
        for call in sender.send.mock_calls[before:]:
            assert number - first[call.args[2]] <= 500
    assert 300 < sent.repeats < 500


def test_a_short_soak_is_not_judged() -> None:
    steady = {"w1": samples(lambda at: 300e6 + 1e6 * at)}
    notes = [figures(steady, [], 1, 1.0, 0, long=long)[-1].note.partition(":")[0] for long in (True, False)]
    assert notes == ["grows", "too short to judge"]
