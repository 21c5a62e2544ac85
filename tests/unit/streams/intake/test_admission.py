"""How many new customers a topic may bring in an hour, and what becomes of those beyond."""

import logging
from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import providers
from schemas.event import MailEvent
from schemas.settings import Ingest
from schemas.times import HOUR_MS
from streams.adapt import Context, adapter
from streams.bounces.classify import load_bounce_classifier
from streams.intake.admission import Admission, KnownCustomers
from streams.intake.batch import Batch, MailReader, SourcePartition
from streams.intake.bounds import time_bounds
from streams.intake.seen import SeenIds

NOW = 1_795_000_000_000 // HOUR_MS * HOUR_MS
CLASSIFY = load_bounce_classifier()
Take = Callable[[Sequence[str], int], Batch]


def body(customer: str, number: int, now_ms: int) -> bytes:
    fields = {
        "id": f"e{number}", "type": "delivered", "time": now_ms, "customer": customer, "message_id": f"m{number}",
        "recipient": "r@yahoo.com", "sending_ip": "192.0.2.1",
    }  # fmt: skip
    return msgspec.json.encode(fields)


def taking(known: KnownCustomers, per_hour: int) -> Take:
    """Takes an event of each of these customers, at a time (epoch ms), into one batch that is returned."""
    gate = Admission("mail.events", known, per_hour)
    reader = MailReader(
        adapter("canonical"),
        Context(b"key", providers.load_providers()),
        CLASSIFY,
        time_bounds(Ingest()),
        admission=gate,
    )
    source = SourcePartition("mail.events:x:0", "mail.events", 0, SeenIds(1_000_000))
    batch = Batch(source, 0, 0)

    def take(customers: Sequence[str], now_ms: int) -> Batch:
        bodies = [body(each, number, now_ms) for number, each in enumerate(customers)]
        start = batch.next_offset
        reader(batch, bodies, range(start, start + len(bodies)), now_ms)
        return batch

    return take


def test_who_is_known_is_counted_however_many_invented_ones_come() -> None:
    take = taking(KnownCustomers({"acme"}), 5)
    batch = take([*(f"invented{n}" for n in range(300)), *["acme"] * 100], NOW)
    assert batch.customers == {"acme", *(f"invented{n}" for n in range(5))}
    assert len(batch.tally.ids) == 105
    assert batch.not_admitted == len(batch.dead) == 295


def test_those_beyond_become_dead_letters_with_the_setting_and_do_not_stop_the_topic() -> None:
    batch = taking(KnownCustomers({"acme"}), 1)(["one", "two"], NOW)
    (dead,) = batch.dead
    assert dead.reason == (
        "customer 'two' is new, and mail.events brought 1 new ones this hour already (ingest.new_customers_per_hour)"
    )
    assert msgspec.json.decode(dead.payload)["customer"] == "two"
    assert batch.unread == 0


def test_the_next_hour_has_room_again() -> None:
    take = taking(KnownCustomers({"acme"}), 2)
    assert take(["a", "b", "c"], NOW).not_admitted == 1
    assert take(["c", "d", "e"], NOW + HOUR_MS).not_admitted == 2
    assert take(["a", "b", "c", "d"], NOW + HOUR_MS).not_admitted == 2


def test_store_without_customers_takes_everybody_for_an_hour() -> None:
    take = taking(KnownCustomers(set(), open_until_ms=NOW + HOUR_MS), 1)
    assert take([f"c{n}" for n in range(100)], NOW).not_admitted == 0
    assert take(["c1", "c99", "later", "latest"], NOW + HOUR_MS).not_admitted == 1


def test_who_came_in_a_first_hour_is_known_however_their_messages_were_read() -> None:
    """Beside one that cannot be read messages are looked at one by one."""
    known = KnownCustomers(set(), open_until_ms=NOW + HOUR_MS)
    gate = Admission("mail.events", known, 1)
    gate.check([MailEvent(id="e", type="delivered", time=NOW, customer="acme")], NOW)
    assert gate.admit({"acme", "one"}, NOW + HOUR_MS)
    assert not gate.admit({"acme", "two"}, NOW + HOUR_MS)


def test_operators_are_told_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    take = taking(KnownCustomers({"acme"}), 1)
    with caplog.at_level(logging.WARNING, "repmon.ingest"):
        take(["a", "b", "c", "d"], NOW)
        take(["e", "f", "g"], NOW + HOUR_MS)
    assert [each.getMessage().split(":")[0] for each in caplog.records] == ["new customers"] * 2


@given(st.lists(st.integers(0, 30), min_size=1, max_size=120), st.integers(1, 10))
def test_each_event_is_counted_or_a_dead_letter_and_no_more_are_new_than_may_be(came: list[int], per_hour: int) -> None:
    known = {"c0", "c1"}
    batch = taking(KnownCustomers(set(known)), per_hour)([f"c{each}" for each in came], NOW)
    counted = batch.customers
    assert len(counted - known) <= per_hour
    assert len(batch.tally.ids) + len(batch.dead) == len(came)
    assert {msgspec.json.decode(each.payload)["customer"] for each in batch.dead}.isdisjoint(counted)
