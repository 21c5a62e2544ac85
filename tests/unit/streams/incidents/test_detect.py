"""What is an incident, and what hides behind one: the cases of `detect.toml`."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.incidents.detect import LEAST_STRUCK, Account, Seen, find, is_over, is_spared_meanwhile

CASES = tomllib.loads(Path(__file__).with_name("detect.toml").read_text(encoding="utf-8"))["case"]
USUAL = {"complained": Seen(100_000, 30)}
FAILING = Seen(100_000, 700)


def seen(pair: list[int] | None) -> Seen:
    failed, total = pair or (0, 0)
    return Seen(total, failed)


def accounts(groups: list[dict[str, Any]]) -> list[Account]:
    return [
        Account(
            customer=f"c{place}-{number}",
            owner=group.get("owner", f"c{place}-{number}"),
            pool=group.get("pool", ""),
            here=seen(group["here"]),
            usual=seen(group.get("usual", group["history"])),
            elsewhere=seen(group.get("elsewhere")),
            history=seen(group["history"]),
            address=group.get("address", ""),
            beside=group.get("beside", 0),
        )
        for place, group in enumerate(groups)
        for number in range(group["count"])
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    outcome = case.get("outcome", "hard")
    found = find(outcome, accounts(case["group"]), USUAL.get(outcome, FAILING))
    said = "nothing" if found is None else "pool" if found.pool else "everybody"
    assert said == case["found"], found


def test_failures_of_many_small_senders_that_come_by_chance_are_no_incident() -> None:
    """200 customers who send a mail or two an hour to one provider: in any hour a few of them have a failure."""
    chance = np.random.default_rng(1)
    rates = np.minimum(0.007 * np.exp(chance.normal(0, 0.5, 200)), 0.02)
    for _ in range(100):
        totals = chance.poisson(1.6 * np.exp(chance.normal(0, 1, 200)))
        failed = chance.binomial(totals, rates)
        groups = [
            {"count": 1, "here": [int(failed[place]), int(totals[place])], "history": [int(3_000 * rate), 3_000]}
            for place, rate in enumerate(rates)
            if totals[place]
        ]
        assert find("hard", accounts(groups), FAILING) is None


def test_hour_beside_an_incident_needs_less() -> None:
    few = accounts([{"count": 4, "here": [1, 3], "history": [10, 2000]}])
    assert find("hard", few, FAILING, enough=20) is None
    assert find("hard", few, FAILING, enough=3) is not None


def test_it_is_over_when_those_who_send_are_spared_and_not_while_nobody_sends() -> None:
    spared = accounts([{"count": 10, "here": [0, 30], "history": [10, 2000]}])
    struck = accounts([{"count": 10, "here": [20, 30], "history": [10, 2000]}])
    assert is_over("hard", spared, FAILING, 0.9)
    assert not is_over("hard", struck, FAILING, 0.9)
    assert not is_over("hard", [], FAILING, 0.9)


@pytest.mark.parametrize(("outcome", "spared", "over"), [("hard", 3, True), ("block", 3, True), ("hard", 2, False)])
def test_it_is_over_when_it_is_seen_to_be_of_one_pool_however_many_send_through_that(
    outcome: Any, spared: int, over: bool
) -> None:
    """60 accounts of one abuser began before the others did: their weight would hold the incident up."""
    abuser = {"count": 60, "pool": "theirs", "here": [20, 60], "history": [10, 2000]}
    others = {"count": spared, "pool": "shared", "here": [0, 60], "history": [10, 2000]}
    assert is_over(outcome, accounts([abuser, others]), FAILING, 0.35) == over


def test_it_is_over_when_those_who_send_to_this_place_alone_are_struck_alone() -> None:
    alone = {"count": 60, "here": [20, 60], "history": [10, 2000]}
    good = {"here": [0, 30], "elsewhere": [0, 40], "history": [10, 2000]}
    assert is_over("hard", accounts([alone, {"count": 5, **good}]), FAILING, 0.35)
    assert not is_over("hard", accounts([alone, {"count": 2, **good}]), FAILING, 0.35)


def test_of_all_mail_the_struck_must_still_have_the_share_that_is_asked_for() -> None:
    some = accounts(
        [{"count": 5, "here": [20, 60], "history": [10, 2000]}, {"count": 6, "here": [0, 60], "history": [10, 2000]}]
    )
    assert not is_over("hard", some, FAILING, 0.35)
    assert is_over("hard", some, FAILING, 0.35, share=1 / 2)


def test_who_fails_everywhere_and_more_at_one_place_by_chance_tells_nothing() -> None:
    """160 aged accounts of one abuser fail 12 % at all providers; in the first minute each has two recipients at a
    small one, so a fifth fails there at a half or more."""
    chance = np.random.default_rng(3)
    for _ in range(20):
        here, there = chance.binomial(2, 0.12, 160), chance.binomial(24, 0.12, 160)
        groups = [
            {"count": 1, "here": [int(one), 2], "elsewhere": [int(other), 24], "history": [10, 2000]}
            for one, other in zip(here, there, strict=True)
        ]
        good = {"count": 40, "here": [0, 3], "elsewhere": [0, 20], "history": [10, 2000]}
        assert find("hard", accounts([*groups, good]), FAILING) is None


STRUCK = {"count": 60, "here": [24, 200], "history": [10, 2000]}


@pytest.mark.parametrize(
    ("spared", "at", "theirs"),
    [(6, range(20), True), (2, range(20), False), (6, range(20, 40), False)],
    ids=["in the very minutes", "two are too few", "before and after"],
)
def test_several_who_are_unharmed_in_the_very_minutes_say_that_it_is_the_others(
    spared: int, at: range, theirs: bool
) -> None:
    some = accounts([STRUCK, {"count": spared, "here": [0, 100], "history": [10, 2000]}])
    minutes = {
        each.customer: {minute: Seen(5, 0) for minute in at}
        if not each.here.failed
        else {minute: Seen(10, minute % 2 + 1) for minute in range(20)}
        for each in some
    }
    assert is_spared_meanwhile("hard", some, FAILING, 0.12, minutes) == theirs


@pytest.mark.parametrize(("spared", "theirs"), [(6, True), (0, False)])
def test_those_who_were_struck_may_have_failed_in_full(spared: int, theirs: bool) -> None:
    some = accounts(
        [
            {"count": 8, "here": [200, 200], "history": [10, 2000]},
            {"count": spared, "here": [0, 100], "history": [10, 2000]},
        ]
    )
    minutes = {
        each.customer: dict.fromkeys(range(20), Seen(10, 10) if each.here.failed else Seen(5, 0)) for each in some
    }
    assert is_spared_meanwhile("hard", some, FAILING, 1.0, minutes) == theirs
    assert is_over("hard", some, FAILING, 1.0) is False


@given(st.sampled_from(["hard", "block", "expired", "complained"]), st.floats(0, 1), st.floats(0, 1))
def test_no_rate_is_too_high_or_too_low_to_be_asked_of(outcome: Any, raised: float, usual: float) -> None:
    some = accounts(
        [
            {"count": 4, "here": [failed, total], "usual": [failed, total], "history": [10, 2000]}
            for failed, total in ((0, 1), (1, 1), (50, 50), (0, 50), (25, 50))
        ]
    )
    minutes = {each.customer: {0: each.here} for each in some}
    seen = Seen(1_000, round(1_000 * usual))
    assert is_spared_meanwhile(outcome, some, seen, raised, minutes) in (True, False)
    assert is_over(outcome, some, seen, raised) in (True, False)


def test_a_few_small_ones_are_unharmed_by_chance_where_a_fifth_is_refused() -> None:
    chance = np.random.default_rng(5)
    some = accounts([{"count": 60, "here": [4, 20], "history": [10, 2000]}])
    for _ in range(50):
        minutes = {
            each.customer: {minute: Seen(1, int(chance.random() < 0.2)) for minute in range(20)} for each in some
        }
        seen = [
            each._replace(here=Seen(20, sum(one.failed for one in minutes[each.customer].values()))) for each in some
        ]
        assert not is_spared_meanwhile("hard", seen, FAILING, 0.2, minutes)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 150), st.integers(0, 40)), max_size=12)
)
def test_customers_without_history_never_make_an_incident_and_never_hide_one(
    others: list[tuple[int, int, int, int]],
) -> None:
    new = [
        Account(f"n{place}", f"n{place}", "", Seen(failed + more, failed), Seen(0, 0), Seen(0, 0), Seen(total, bad))
        for place, (failed, more, total, bad) in enumerate(others)
    ]
    good = accounts([{"count": LEAST_STRUCK, "here": [20, 20], "history": [10, 2000]}])
    assert find("hard", new, FAILING) is None
    assert find("hard", [*good, *new], FAILING) == find("hard", good, FAILING) is not None
