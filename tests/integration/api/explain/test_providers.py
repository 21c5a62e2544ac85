"""How the fleet fares at each provider, as the store has it."""

from datetime import UTC, datetime

import pytest

from api.explain.providers import HourSpan, fleet_by_provider, hit_most, typical_answers, usual_by_provider
from streams.io.store import Store
from tests.support.api_client import DAY, HOUR, NOW
from tests.support.provider_counts import put_counts

NOON = NOW // HOUR * HOUR
NOBODY = {"deferred": 0, "block": 0, "hard": 0}
pytestmark = pytest.mark.usefixtures("standing_clock")


def scene(store: Store) -> None:
    """Ten customers who send to two providers each day; now one of these refuses nine of them."""
    rows = []
    for number in range(10):
        customer = f"customer {number}"
        for provider in ("gmail", "yahoo"):
            past = {"customer": customer, "provider": provider, "delivered": 100}
            rows += [past | {"at": NOON - days * DAY} for days in range(1, 4)]
            rows.append(past | {"at": NOON - 5 * HOUR, "delivered": 7_000, "block": 7_000})
            now = {"customer": customer, "provider": provider, "at": NOON, "delivered": 100}
            refused = provider == "gmail" and number
            rows.append(now | ({"delivered": 50, "block": 50} if refused else {}) | {"deferred": 1})
    put_counts(store, rows)


def test_most_customers_refused_by_one_provider_is_its_doing(store: Store) -> None:
    scene(store)
    span = HourSpan.last(1, NOW * 1000)
    gmail, yahoo = fleet_by_provider(store, span, usual_by_provider(store, span))
    assert (gmail.at.provider, gmail.whose, gmail.kind) == ("gmail", "them", "block")
    assert (gmail.at.customers, gmail.at.enough, gmail.at.hit) == (10, NOBODY | {"block": 10}, NOBODY | {"block": 9})
    assert (gmail.at.now.finished, gmail.at.now.block, gmail.at.now.deferred) == (1_000, 450, 10)
    assert [each.finished for each in gmail.at.days] == [1_000, 1_000, 1_000]
    assert (yahoo.whose, yahoo.at.enough, yahoo.at.hit) == ("usual", NOBODY, NOBODY)
    worst = hit_most(store, "gmail", span)
    assert [(each.customer, each.block) for each in worst[:2]] == [("customer 1", 50), ("customer 2", 50)]
    assert worst[-1].customer == "customer 0"


def test_nothing_is_said_of_a_fleet_without_mail(store: Store) -> None:
    span = HourSpan.last(24, NOW * 1000)
    assert fleet_by_provider(store, span, usual_by_provider(store, span)) == []


def test_answers_that_differ_by_an_address_alone_are_one(store: Store) -> None:
    said = ["550 5.7.1 <ida@a.example> refused", "550 5.7.1 <bob@a.example> refused", "450 later"]
    store.insert(
        "events",
        {
            "customer": ["acme", "acme", "rival"],
            "time": [datetime.fromtimestamp(NOW - 60, UTC)] * 3,
            "type": ["bounced"] * 3,
            "id": ["1", "2", "3"],
            "source": ["s"] * 3,
            "provider": ["gmail"] * 3,
            "bounce_kind": ["block", "block", "soft"],
            "diagnostic": said,
        },
    )
    first, second = typical_answers(store, "gmail", HourSpan.last(1, NOW * 1000))
    assert (first.text, first.times, first.kind) == ("550 5.7.1 <*@a.example> refused", 2, "block")
    assert (second.text, second.customers) == ("450 later", 1)
    assert typical_answers(store, "yahoo", HourSpan.last(1, NOW * 1000)) == []


def test_one_bounce_of_a_small_customer_says_nothing(store: Store) -> None:
    """Of who sent little it is not asked, and by chance nobody is hit."""
    bad = {"customer": "bad", "provider": "gmail", "at": NOON, "delivered": 500, "hard": 500}
    small = [
        {"customer": f"c{place}", "provider": "gmail", "at": NOON, "delivered": 29, "hard": 1} for place in range(30)
    ]
    fair = [
        {"customer": f"d{place}", "provider": "gmail", "at": NOON, "delivered": 590, "hard": 10} for place in range(8)
    ]
    put_counts(store, [bad, *small, *fair])
    span = HourSpan.last(1, NOW * 1000)
    (gmail,) = fleet_by_provider(store, span, {})
    assert (gmail.at.enough["hard"], gmail.at.hit["hard"], gmail.whose) == (9, 1, "some")
