"""The contenders that do the product's work: they count right, and a check of their own finds it where they do not."""

from collections.abc import Iterator
from typing import Any

from benchmarks.contenders.same_work import Event, Key, Unseen, checked, key_of, rows_of
from benchmarks.same_work import BY_MINUTE, BY_VALUE, Truth, differences, noted
from benchmarks.traffic import Expected, Message, hour
from schemas.times import utc_now_ms

NOW_MS = utc_now_ms()
EVENT = Event(
    id="1",
    type="delivered",
    time=NOW_MS,
    customer="acme",
    recipient_domain="gmail.com",
    from_domain="Mail.Acme.example",
    sending_ip="198.18.0.1",
)


def mail() -> tuple[list[Message], Truth]:
    truth = Truth()
    return list(noted(hour(5_000, "canonical", NOW_MS, Expected()), truth)), truth


class Counted:
    """In the store's place: what a contender that counts these messages stores."""

    def __init__(self, messages: list[Message]) -> None:
        unseen, counts = Unseen(), dict[Key, int]()
        for message in messages:
            event = checked(message.value)
            assert event is not None
            if unseen(event):
                key = key_of(event)
                counts[key] = counts.get(key, 0) + 1
        self.sums = rows_of(counts.items())

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        found: dict[tuple[Any, ...], int] = {}
        for row, count in self.sums.items():
            if row.dimension == "provider" and sql == BY_MINUTE:
                key: tuple[Any, ...] = (row.customer, row.bucket // 60, row.type)
            elif row.dimension != "provider" and sql == BY_VALUE:
                key = (row.dimension, row.value)
            else:
                continue
            found[key] = found.get(key, 0) + count
        yield from ((*key, count) for key, count in found.items())


def test_what_is_counted_right_has_no_differences() -> None:
    messages, truth = mail()
    assert truth.events == 5_000
    assert 0 < truth.repeated < 50
    assert list(differences(Counted(messages), truth)) == []


def test_a_repetition_that_is_counted_is_found() -> None:
    messages, truth = mail()
    counted = Counted(messages)
    row = next(each for each in counted.sums if each.dimension == "ip")
    counted.sums[row] += 1
    (found,) = differences(counted, truth)
    assert found.startswith(f"('ip', '{row.value}'): stored ")


def test_one_event_has_a_row_in_each_dimension_it_is_known_in() -> None:
    rows = rows_of([(key_of(EVENT), 2)])
    assert {(row.dimension, row.value): count for row, count in rows.items()} == {
        ("provider", "gmail"): 2,
        ("ip", "198.18.0.1"): 2,
        ("from", "mail.acme.example"): 2,
    }


def test_who_signs_counts_only_where_it_is_not_the_sender() -> None:
    def signed(domain: str) -> str:
        return key_of(
            Event(id="1", type="delivered", time=NOW_MS, customer="a", from_domain="m.acme.example", dkim_domain=domain)
        ).signer

    assert signed("acme.example") == ""
    assert signed("Esp.example") == "esp.example"


def test_bad_input_is_left_out() -> None:
    assert checked(b"nonsense") is None
    assert checked(b'{"id":"1","type":"sent","time":%d,"customer":"a"}' % NOW_MS) is None
    assert checked(b'{"id":"1","type":"delivered","time":1,"customer":"a"}') is None
    assert checked(b'{"id":"1","type":"delivered","time":%d,"customer":"a"}' % NOW_MS) is not None


def test_ids_are_remembered_for_two_generations() -> None:
    unseen = Unseen(remembered=2)
    events = [Event(id=str(n), type="delivered", time=NOW_MS, customer="a") for n in range(5)]
    assert [unseen(each) for each in (*events[:3], events[0])] == [True, True, True, False]
    assert [unseen(each) for each in (events[3], events[4], events[0])] == [True, True, True]
