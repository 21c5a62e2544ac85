"""What is an incident on a platform's first day, and what hides behind one: the cases of `first_day.toml`."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.incidents.detect import Account, Outcome, Seen, find
from streams.incidents.first_day import find_on_first_day, with_peers

CASES = tomllib.loads(Path(__file__).with_name("first_day.toml").read_text(encoding="utf-8"))["case"]
NOTHING = Seen(0, 0)


def accounts(groups: list[dict[str, Any]]) -> list[Account]:
    return [
        Account(
            customer=f"c{place}-{number}",
            owner=group.get("owner", f"c{place}-{number}"),
            pool=group.get("pool", ""),
            here=Seen(*reversed(group["here"])),
            usual=NOTHING,
            elsewhere=Seen(*reversed(group["elsewhere"])),
            history=NOTHING,
        )
        for place, group in enumerate(groups)
        for number in range(group["count"])
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    outcome: Outcome = case.get("outcome", "hard")
    some = accounts(case["group"])
    assert find(outcome, some, NOTHING) is None, "on an old platform nobody without a history is asked"
    assert (find_on_first_day(outcome, with_peers(outcome, some), NOTHING) is not None) == case["found"]


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=80),
    st.sampled_from(["hard", "block", "expired"]),
)
def test_who_fails_elsewhere_or_sends_nowhere_else_makes_no_incident(
    cells: list[tuple[int, int]], outcome: Outcome
) -> None:
    """Whatever an abuser's accounts meet at one provider, however many there are."""
    bad = [
        Account(f"c{place}", f"c{place}", "", Seen(max(pair), min(pair)), NOTHING, elsewhere, NOTHING)
        for place, pair in enumerate(cells)
        for elsewhere in [Seen(39, 0) if place % 2 else Seen(100, 3)]
    ]
    assert find_on_first_day(outcome, with_peers(outcome, bad), NOTHING) is None


@pytest.mark.parametrize(
    ("good", "abused", "rate", "found"),
    [(17, 0, 0.9, True), (6, 0, 0.3, True), (4, 0, 0.9, False), (17, 0, 0.1, False), (5, 60, 0.9, False)],
    ids=["of everybody", "of six, a third", "of four", "too little", "an abuser of 60 accounts among five"],
)
def test_all_mail_fails_where_nobody_has_a_history(good: int, abused: int, rate: float, found: bool) -> None:
    """The platform's own network, say. Where there is an abuser, the others send unharmed."""
    fails = 0.004 if abused else rate
    some = [account(f"good{number}", fails) for number in range(good)]
    some += [account(f"bad{number}", rate) for number in range(abused)]
    asked = with_peers("hard", some, everywhere=True)
    assert (find_on_first_day("hard", asked, NOTHING, everywhere=True) is not None) == found


def account(name: str, rate: float) -> Account:
    return Account(name, name, "", Seen(200, round(200 * rate)), NOTHING, NOTHING, NOTHING)
