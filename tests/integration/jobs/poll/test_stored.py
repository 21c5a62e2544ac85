"""Readings in the store: a day that is asked about again replaces what was known; whose a domain is."""

from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.operator.customers import store_list
from jobs.poll.reading import ProviderReading
from jobs.poll.stored import owners_of, read_reports, store_readings
from schemas.customer import Customer
from schemas.settings import Ingest
from streams.io.store import Store
from tests.support.scans import DAY, MINUTE, NOW, sent_from

pytestmark = pytest.mark.usefixtures("standing_clock")

TODAY = datetime.fromtimestamp(NOW / 1000, UTC).date()
YESTERDAY, BEFORE = TODAY - timedelta(days=1), TODAY - timedelta(days=2)


def spam(rate: float, day: date = YESTERDAY, domain: str = "acme.com") -> ProviderReading:
    return ProviderReading(source="postmaster", resource=domain, day=day, measure="spam_rate", rate=rate)


def known(store: Store, **only: str) -> dict[tuple[str, date], float | None]:
    return {(each.resource, each.day): each.rate for each in read_reports(store, TODAY, 14, **only)}


def test_day_that_is_corrected_replaces_what_was_known_and_others_stay(store: Store) -> None:
    store_readings(store, [spam(0.001), spam(0.002, BEFORE)], Ingest(), NOW)
    store_readings(store, [spam(0.004)], Ingest(), NOW + MINUTE)
    assert known(store) == {("acme.com", YESTERDAY): 0.004, ("acme.com", BEFORE): 0.002}


def test_readings_come_back_as_they_were_stored(store: Store) -> None:
    several = [
        spam(0.001),
        ProviderReading(
            source="postmaster", resource="acme.com", day=TODAY, measure="compliance", about="SPF", said="COMPLIANT"
        ),
        ProviderReading(
            source="snds", resource="192.0.2.1", day=BEFORE, measure="complaint_rate", rate=0.001, below=True
        ),
        ProviderReading(source="snds", resource="192.0.2.1", day=BEFORE, measure="trap_hits", number=3),
    ]
    store_readings(store, several, Ingest(), NOW)
    found = read_reports(store, TODAY, 14)
    assert {each.measure: (each.rate, each.below, each.number, each.said, each.about) for each in found} == {
        each.measure: (each.rate, each.below, each.number, each.said, each.about) for each in several
    }
    assert len(read_reports(store, TODAY, 14, source="snds")) == 2
    assert [each.measure for each in read_reports(store, TODAY, 1)] == ["compliance", "spam_rate"]


def test_domain_is_whose_the_operator_says_else_who_alone_sent_with_it(store: Store) -> None:
    said = Customer(customer="said", domains=("said.com",))
    store_list(store, [said], whole=False, by="me", why="", now_ms=NOW)
    for customer, domain in (("alone", "news.alone.com"), ("one", "both.com"), ("two", "mail.both.com")):
        store.insert(
            "counts",
            {
                "dimension": ["from"],
                "customer": [customer],
                "stream": ["default"],
                "class": ["bulk"],
                "bucket": [datetime.fromtimestamp((NOW - DAY) // MINUTE * 60, UTC)],
                "value": [domain],
                "source": ["mail.events/1/0"],
                "delivered": [9],
            },
        )
    sent_from(store, "192.0.2.1", customer="alone")
    ingest = Ingest(domain_owners={"set.com": "set"}, address_owners={"192.0.2.16/28": "set"})
    asked = ["x.said.com", "alone.com", "both.com", "nobody.com", "set.com", "192.0.2.1", "192.0.2.17"]
    assert owners_of(store, asked, ingest, NOW) == {
        "x.said.com": "said",
        "alone.com": "alone",
        "set.com": "set",
        "192.0.2.1": "alone",
        "192.0.2.17": "set",
    }


def test_reports_of_one_customer_are_shown_alone(store: Store) -> None:
    store_readings(store, [spam(0.001), spam(0.002, domain="bob.com")], Ingest(domain_owners={"bob.com": "bob"}), NOW)
    assert known(store, customer="bob") == {("bob.com", YESTERDAY): 0.002}
