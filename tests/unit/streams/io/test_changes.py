"""Changed customers as messages."""

from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from streams.io.changes import MOST, customers_in, messages

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)


@given(st.lists(names, max_size=50, unique=True), st.integers(1, 12))
def test_every_customer_is_in_one_message_of_its_partition(customers: list[str], partitions: int) -> None:
    sent = list(messages(customers, 1, partitions))
    assert sorted(name for each in sent for name in customers_in(each.value)) == sorted(customers)
    for each in sent:
        assert {crc32(name.encode()) % partitions for name in customers_in(each.value)} == {each.partition}
        assert customers_in(each.value)[0] == each.key.decode()


def test_many_customers_take_few_messages_and_none_too_large() -> None:
    longest = ["\x01" * 250 + f"{number:06}" for number in range(3 * MOST)]
    sent = list(messages(longest, 2**53, 1))
    assert [len(customers_in(each.value)) for each in sent] == [MOST] * 3
    largest = topics.load_topics()[topics.REPUTATION_CHANGES].max_message_bytes
    assert max(len(each.key) + len(each.value) for each in sent) < largest - 1_000


def test_message_of_one_customer_is_as_it_always_was() -> None:
    (message,) = messages(["acme"], 7, 3)
    assert msgspec.json.decode(message.value) == {"customer": "acme", "stored_ms": 7}


@pytest.mark.parametrize("value", [b"", b"[]", b'{"customer":1}', b'{"customer":"a","stored_ms":1,"others":"b"}'])
def test_what_is_not_a_change_is_distinguished_from_one(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        customers_in(value)
