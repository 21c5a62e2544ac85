"""Senders as numbers: what is kept from flush to flush changes no row."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from schemas.event import MailEvent
from streams.intake.count import SENDER, EventTally, Senders, count_direct, counts_table
from streams.intake.outcomes import counted_one_by_one
from tests.support.counted import NOW, event

#: Senders and providers that differ in one thing each, some only by letter case.
EVENTS = st.builds(
    lambda kind, fields, minutes: event(kind, time=NOW + minutes * 60_000, **fields),
    st.sampled_from(["delivered", "deferred", "suppressed"]),
    st.fixed_dictionaries(
        {},
        optional={
            "customer": st.sampled_from(["acme", "birch", "élan", "Ω"]),
            "stream": st.sampled_from(["default", "news"]),
            "stream_class": st.sampled_from(["bulk", "transactional"]),
            "provider": st.sampled_from(["", "other", "gmail"]),
            "sending_ip": st.sampled_from(["", "192.0.2.2"]),
            "ip_pool": st.sampled_from(["", "own"]),
            "from_domain": st.sampled_from(["", "A.example", "a.example"]),
            "dkim_domain": st.sampled_from(["", "a.example", "esp.example"]),
        },
    ),
    st.integers(-2, 2),
)


def rows(senders: Senders, events: list[MailEvent]) -> list[tuple[tuple[str, object], ...]]:
    """The rows of a flush of these events, in their order."""
    tally = EventTally(senders)
    count_direct(tally, events, [each.time_ms for each in events])
    table = counts_table(senders, tally.counted(), "t:x:0", 0, 9).to_pylist()
    return [tuple(row.items()) for row in table]


@given(st.lists(EVENTS, max_size=20), st.lists(EVENTS, max_size=20))
def test_rows_are_the_same_whoever_was_counted_before(earlier: list[MailEvent], events: list[MailEvent]) -> None:
    senders = Senders()
    rows(senders, earlier)
    assert rows(senders, events) == rows(Senders(), events)


@given(st.lists(EVENTS, max_size=30))
def test_rows_are_sums_by_dimension_in_the_order_of_the_table(events: list[MailEvent]) -> None:
    table = [dict(row) for row in rows(Senders(), events)]
    found = {
        (row["dimension"], row["customer"], row["stream"], row["class"], row["bucket"], row["value"]): row
        for row in table
    }
    assert len(found) == len(table)
    places = {"provider": 1, "ip": 2, "pool": 3, "offset": 4, "from": 5, "dkim": 6}
    kinds = {"transactional": 1, "bulk": 2}
    ordered = sorted(
        found,
        key=lambda key: (places[str(key[0])], str(key[1]), str(key[2]), kinds[str(key[3])], str(key[4]), str(key[5])),
    )
    assert list(found) == ordered
    wanted: Counter[tuple[object, ...]] = Counter()
    for each in events:
        domain = each.from_domain.lower()
        signer = each.dkim_domain if each.dkim_domain and each.dkim_domain != domain else ""
        values = {"ip": each.sending_ip, "pool": each.ip_pool, "from": domain, "dkim": signer}
        owner = each.customer, each.stream, each.stream_class, each.time_ms // 60_000 * 60
        for dimension, value in {"provider": each.provider or "other", **values}.items():
            if value:
                wanted[(dimension, *owner, value, each.type)] += 1
    kinds_counted = ("delivered", "deferred", "suppressed")
    counts = {
        (*key, kind): row[kind]
        for key, row in found.items()
        if key[0] != "offset"
        for kind in kinds_counted
        if row.get(kind)
    }
    assert counts == wanted


def test_threads_that_meet_the_same_senders_give_them_the_same_numbers() -> None:
    senders = Senders()
    keys = [(f"c{each}", "default", "bulk", f"192.0.2.{each % 9}", "", "", "") for each in range(3_000)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: [senders[key] for key in keys], range(4)))
    assert found == [found[0]] * 4
    assert sorted(found[0]) == [each * SENDER for each in range(len(keys))]
    assert senders.customers(counted_one_by_one(senders, []).senders) == set()
