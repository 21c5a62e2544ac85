"""What the live table asks for: the order, and which customers."""

import pytest

from api.explain.worst import WorstFilter
from api.terminal.question import ORDERS, SAID, SHARES, TopQuestion


def test_first_question_is_for_the_worst_of_all() -> None:
    assert TopQuestion().wanted == WorstFilter()
    assert TopQuestion().said == "the worst first"


def test_orders_come_one_after_the_other_and_back() -> None:
    asked = TopQuestion()
    seen = []
    for _ in ORDERS:
        seen.append(asked.order)
        asked = asked.next_order()
    assert tuple(seen) == ORDERS
    assert asked == TopQuestion()
    assert asked.next_order(-1).order == ORDERS[-1]
    assert set(SAID) == set(ORDERS)


@pytest.mark.parametrize(
    ("heading", "orders"),
    [("mail", ["mail", "mail"]), ("for", ["newest", "longest", "newest"]), ("rule", ["worst"]), ("score", ["score"])],
)
def test_a_heading_sorts_and_one_with_two_orders_turns_round(heading: str, orders: list[str]) -> None:
    asked = TopQuestion()
    for order in orders:
        asked = asked.by_heading(heading)
        assert asked.order == order


def test_fewer_standings_at_each_step_then_all_again() -> None:
    asked = TopQuestion()
    for share in SHARES[1:]:
        asked = asked.next_share()
        assert asked.wanted.standings == share.standings
    assert asked.next_share() == TopQuestion()


def test_what_is_left_out_is_said() -> None:
    assert TopQuestion("mail", 2, "news").said == "the most mail first, excessive or critical, named like 'news'"
    assert TopQuestion().named("  news ").name == "news"
