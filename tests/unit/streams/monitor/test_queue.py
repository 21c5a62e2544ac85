"""When a changed customer is judged: soon, in turn, and not too often."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.monitor.queue import JudgeQueue

EVERY_MS = 5_000
SOON_MS = 2_000
ALL = 1_000_000


def taken(work: JudgeQueue, now_ms: int) -> list[str]:
    return work.take(now_ms, ALL, 0)


def test_customer_not_judged_lately_is_due_at_once() -> None:
    work = JudgeQueue(EVERY_MS)
    work.changed(["acme"])
    assert work.wait_ms(0) == 0
    assert taken(work, 0) == ["acme"]
    assert taken(work, 1) == []


def test_customer_that_goes_on_changing_is_due_once_when_its_time_is_over() -> None:
    work = JudgeQueue(EVERY_MS)
    work.changed(["acme"])
    taken(work, 1_000)
    for now_ms in (1_001, 2_000, 5_999):
        work.changed(["acme"])
        assert taken(work, now_ms) == []
    assert work.wait_ms(5_999) == 1
    assert taken(work, 6_000) == ["acme"]
    assert taken(work, 11_000) == [], "it did not change since"


def test_those_due_longest_go_first_however_often_others_change() -> None:
    work = JudgeQueue(EVERY_MS)
    work.changed(["first", "second"])
    work.changed(["busy"] * 10)
    work.changed(["first"])
    assert work.take(0, 2, 0) == ["first", "second"]
    work.changed(["later"])
    assert work.take(1, 2, 0) == ["busy", "later"]


def test_spare_customers_are_taken_a_few_at_a_time_next_to_all_that_are_due() -> None:
    work = JudgeQueue(EVERY_MS)
    work.enqueue_low_priority(["a", "b", "c"])
    work.changed(["acme"])
    assert work.take(0, ALL, 2) == ["acme", "a", "b"]
    assert work.wait_ms(1) == 0
    assert work.take(1, ALL, 2) == ["c"]


def test_spare_customer_that_was_judged_since_is_not_judged_twice() -> None:
    work = JudgeQueue(EVERY_MS)
    work.enqueue_low_priority(["acme"])
    work.changed(["acme"])
    assert work.take(0, ALL, 5) == ["acme"]
    assert work.take(EVERY_MS, ALL, 5) == []


def test_spare_customer_judged_just_before_waits_like_any_other() -> None:
    work = JudgeQueue(EVERY_MS)
    work.changed(["acme"])
    taken(work, 0)
    work.enqueue_low_priority(["acme"])
    assert work.take(1, ALL, 5) == []
    assert work.take(EVERY_MS, ALL, 5) == ["acme"]


def test_customer_is_looked_at_again_although_it_did_not_change() -> None:
    work = JudgeQueue(EVERY_MS)
    work.changed(["acme"])
    taken(work, 0)
    work.schedule([("acme", 60_000)])
    assert taken(work, 59_999) == []
    assert work.wait_ms(59_999) == 1
    assert taken(work, 60_000) == ["acme"]
    assert taken(work, 120_000) == []


def test_a_judgement_before_makes_looking_again_needless() -> None:
    work = JudgeQueue(EVERY_MS)
    work.schedule([("acme", 60_000)])
    work.changed(["acme"])
    assert taken(work, 30_000) == ["acme"]
    assert taken(work, 60_000) == []


def test_the_earliest_of_several_times_to_look_again_counts() -> None:
    work = JudgeQueue(EVERY_MS)
    work.schedule([("acme", 60_000), ("acme", 15_000), ("acme", 40_000)])
    assert taken(work, 15_000) == ["acme"]
    assert taken(work, 60_000) == []


def test_customers_of_others_are_forgotten() -> None:
    work = JudgeQueue(EVERY_MS)
    work.changed(["ours", "theirs"])
    work.enqueue_low_priority(["their-spare"])
    work.schedule([("their-later", 1_000)])
    work.keep(lambda customer: customer == "ours")
    assert work.take(2_000, ALL, ALL) == ["ours"]


def test_customer_among_few_rests_only_shortly() -> None:
    work = JudgeQueue(EVERY_MS, soon_ms=2_000, few=2)
    work.changed(["acme", "other"])
    taken(work, 0)
    work.changed(["acme"])
    assert work.wait_ms(0) == 2_000
    assert taken(work, 1_999) == []
    assert taken(work, 2_000) == ["acme"]


def test_while_many_rest_each_of_them_rests_long() -> None:
    work = JudgeQueue(EVERY_MS, soon_ms=2_000, few=2)
    work.changed(["acme", "other"])
    taken(work, 0)
    work.changed(["third"])
    taken(work, 1_000)
    work.changed(["acme", "third"])
    assert taken(work, 4_999) == []
    assert work.wait_ms(4_999) == 1
    assert taken(work, 5_000) == ["acme", "third"], "with the first two gone, few rest"


steps = st.lists(
    st.tuples(
        st.integers(0, 3_000),  # ms since the step before
        st.lists(st.sampled_from("abcdefgh"), max_size=5),  # who changed
        st.integers(0, 4_000),  # ms the batch takes, if one is begun
    ),
    max_size=60,
)


@given(steps, st.integers(1, 4), st.integers(0, 8))
def test_every_change_is_followed_by_a_judgement_in_time(
    given_steps: list[tuple[int, list[str], int]], most: int, few: int
) -> None:
    """A monitor that is always judging a batch when somebody is due. Eight customers, `most` at once: a customer waits
    for its own time, for the present batch, and for the batches of those before it. Nobody is judged too often."""
    work, now, free_at = JudgeQueue(EVERY_MS, SOON_MS, few), 0, 0
    judged: dict[str, int] = {}
    waiting: dict[str, int] = {}
    longest = max((took for _, _, took in given_steps), default=0)
    in_turn = -(-8 // most) * longest
    end: tuple[int, list[str], int] = (EVERY_MS + in_turn + 1, [], 0)
    least = SOON_MS if few else EVERY_MS

    def judge(until: int, took: int) -> None:
        nonlocal free_at
        while True:
            at = max(free_at, now)
            wait = work.wait_ms(at)
            if wait == inf or at + wait > until:
                return
            at += int(wait)
            batch = work.take(at, most, 0)
            for customer in batch:
                assert at - judged.get(customer, -EVERY_MS) >= least
                judged[customer] = at
                if customer in waiting:
                    assert at - waiting.pop(customer) <= EVERY_MS + longest + in_turn
            free_at = at + (took if batch else 0)

    for pause, changed, took in [*given_steps, end, end]:
        judge(now + pause, took)
        now += pause
        work.changed(changed)
        for customer in changed:
            waiting.setdefault(customer, now)
    judge(now, 0)
    assert waiting == {}


@given(st.lists(st.tuples(st.sampled_from([f"c{n}" for n in range(50)]), st.integers(0, 200)), max_size=400))
def test_memory_is_bounded_by_the_customers_lately_active(changes: list[tuple[str, int]]) -> None:
    work, now = JudgeQueue(EVERY_MS), 0
    for customer, pause in changes:
        now += pause
        work.changed([customer])
        for each in taken(work, now):
            work.schedule([(each, now + 60_000)])
        assert work.held <= 6 * 50
    taken(work, now + EVERY_MS)
    taken(work, now + 70_000)
    taken(work, now + 80_000)
    assert work.held == len(work) == 0


@pytest.mark.parametrize("every_ms", [0, EVERY_MS])
def test_nobody_waits_for_ever(every_ms: int) -> None:
    work = JudgeQueue(every_ms)
    assert work.wait_ms(0) == inf
    work.changed(["acme"])
    taken(work, 0)
    assert work.wait_ms(0) == every_ms
    taken(work, every_ms)
    assert work.wait_ms(every_ms) == inf
