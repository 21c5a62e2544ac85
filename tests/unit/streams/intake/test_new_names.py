"""How many new names a topic may bring in an hour, and how what comes beyond is counted."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from schemas.event import MailEvent
from schemas.settings import Ingest
from schemas.times import HOUR_MS
from streams.intake import new_names
from streams.intake.count import NAME_KINDS, EventTally, all_known, count_direct, counts_table, known_as
from streams.intake.new_names import LAST, KnownNames, NameGate

NOW = 1_795_000_000_000 // HOUR_MS * HOUR_MS
MANY = dict.fromkeys(NAME_KINDS, 1_000)
#: In which dimension a name of each kind is counted.
PLACES = {"addresses": ("ip", "sending_ip"), "pools": ("pool", "ip_pool"), "domains": ("from", "from_domain")}


def gate(known: KnownNames | None = None, **per_hour: int) -> NameGate:
    return NameGate("mail.events", known or KnownNames(), {**MANY, **per_hour}, NOW)


def delivered(customer: str = "acme", **fields: Any) -> MailEvent:
    return MailEvent(id="e", type="delivered", time=NOW, customer=customer, provider="gmail", **fields)


def counted(events: Sequence[MailEvent], at: NameGate, tally: EventTally | None = None) -> list[dict[str, Any]]:
    tally = tally or EventTally()
    tally.senders.gate = at
    count_direct(tally, events, [NOW] * len(events))
    return [
        row
        for row in counts_table(tally.senders, tally.counted(), "s", 0, 1).to_pylist()
        if row["dimension"] != "offset"
    ]


@pytest.mark.parametrize("kind", PLACES)
def test_what_comes_beyond_is_counted_without_its_name(kind: str) -> None:
    dimension, name = PLACES[kind]
    at = NameGate("mail.events", KnownNames(), MANY | {kind: 3}, NOW)
    rows = counted([delivered(**{name: f"n{number}"}) for number in range(50)], at)
    assert {row["value"] for row in rows if row["dimension"] == dimension} == {"n0", "n1", "n2"}
    assert sum(row["delivered"] for row in rows if row["dimension"] == "provider") == 50
    assert (at.take_refused(), at.take_refused()) == (47, 0)


def test_streams_beyond_are_the_default_stream_of_their_own_customer() -> None:
    at = gate(streams=2)
    events = [delivered(stream=f"s{number}") for number in range(10)] + [delivered("other", stream="news")]
    rows = [(row["customer"], row["stream"], row["delivered"]) for row in counted(events, at)]
    assert sorted(rows) == [("acme", "default", 8), ("acme", "s0", 1), ("acme", "s1", 1), ("other", "default", 1)]


def test_sub_accounts_have_a_limit_of_their_own() -> None:
    at = gate(sub_accounts=1)
    rows = counted([delivered(stream=each) for each in ("a/x", "a/y", "b/x", "plain")], at)
    assert {row["stream"]: row["delivered"] for row in rows} == {"a/x": 1, "a/y": 1, "plain": 1, "default": 1}


def test_domain_that_signs_takes_room_unless_the_from_domain_is_meant_by_it() -> None:
    at = gate(domains=2)
    rows = counted(
        [
            delivered(from_domain="Mail.One.example", dkim_domain="one.example"),
            delivered(from_domain="mail.one.example", dkim_domain="esp.example"),
            delivered(from_domain="two.example", dkim_domain="ESP.example"),
        ],
        at,
    )
    found = {(row["dimension"], row["value"]) for row in rows if row["dimension"] in ("from", "dkim")}
    assert found == {("from", "mail.one.example"), ("dkim", "esp.example")}


def test_known_names_and_the_default_stream_take_no_room() -> None:
    names = known_as("acme", "news", "192.0.2.1", "", "", "")
    known = KnownNames(np.sort(np.array([xxh3_64_intdigest(each.encode()) for each in names if each] + [*LAST], "u8")))
    assert all_known(known.stored, names)
    at = gate(known, streams=0, addresses=0)
    events = [delivered(stream="news", sending_ip="192.0.2.1"), delivered(), delivered("other", stream="news")]
    assert [row["stream"] for row in counted(events, at) if row["dimension"] == "ip"] == ["news"]
    assert at.take_refused() == 1


def test_the_next_hour_has_room_also_for_whom_there_was_none() -> None:
    at, tally = gate(streams=1), EventTally()
    counted([delivered(stream="a"), delivered(stream="b")], at, tally)
    at.now_ms += HOUR_MS
    rows = counted([delivered(stream="b"), delivered(stream="c")], at, tally)
    assert {row["stream"]: row["delivered"] for row in rows} == {"a": 1, "b": 1, "default": 2}


def test_store_without_counts_takes_every_name_for_an_hour() -> None:
    at = gate(KnownNames(open_until_ms=NOW + 1), streams=0)
    assert len(counted([delivered(stream=f"s{number}") for number in range(100)], at)) == 100


def test_names_are_known_still_when_they_are_put_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_names, "MOST_IN_SET", 3)
    known = KnownNames()
    for number in range(10):
        known.add(f"n{number}")
    assert (len(known.stored), len(known.since)) == (9 + len(LAST), 1)
    assert [f"n{number}" in known for number in range(11)] == [True] * 10 + [False]


def test_operators_are_told_of_each_kind_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    at = gate(streams=0, pools=0)
    with caplog.at_level(logging.WARNING, "repmon.ingest"):
        for _ in range(2):
            counted([delivered(stream=f"s{number}", ip_pool=f"p{number}") for number in range(5)], at)
            at.now_ms += HOUR_MS
    assert [each.getMessage() for each in caplog.records][:2] == [
        "new streams: mail.events brought 0 new ones this hour already (ingest.new_streams_per_hour); further ones, "
        "such as 's0 of acme', are counted without their names",
        "new pools: mail.events brought 0 new ones this hour already (ingest.new_pools_per_hour); further ones, "
        "such as 'p0', are counted without their names",
    ]
    assert len(caplog.records) == 4


def test_each_kind_has_its_setting() -> None:
    found = new_names.new_names_per_hour(Ingest())
    assert found.keys() == MANY.keys()
    assert all(getattr(Ingest(), f"new_{kind}_per_hour") == limit for kind, limit in found.items())


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 4), min_size=1, max_size=60), st.integers(0, 3))
def test_every_event_counts_once_and_no_more_names_are_new_than_may_be(came: list[tuple[int, ...]], most: int) -> None:
    at = gate(streams=most, addresses=most, domains=most)
    events = [
        delivered(f"c{who}", stream=f"s{stream}", sending_ip=f"i{ip}", from_domain=f"d{domain}")
        for who, stream, ip, domain in came
    ]
    rows = counted(events, at)
    for who in {each.customer for each in events}:
        sent = sum(each.customer == who for each in events)
        assert sum(row["delivered"] for row in rows if (row["dimension"], row["customer"]) == ("provider", who)) == sent
    assert len({(row["customer"], row["stream"]) for row in rows if row["stream"] != "default"}) <= most
    for dimension in ("ip", "from"):
        assert len({row["value"] for row in rows if row["dimension"] == dimension}) <= most
