"""Many names are bound to few queries, each exactly once."""

from types import SimpleNamespace
from typing import Any, cast

from clickhouse_connect.driver.binding import format_bind_value
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import ClickHouse
from streams.io.store import ADDRESS_BYTES, MOST, ArrayParameter, Store, portions

EMBEDDED = cast(Store, SimpleNamespace(settings=ClickHouse(path="data")))
SERVER = cast(Store, SimpleNamespace(settings=ClickHouse()))
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(text | st.text("\\'`\t\n\0\"ab", max_size=5), max_size=20))
def test_names_are_written_as_the_driver_writes_them(names: list[str]) -> None:
    assert format_bind_value(ArrayParameter(names)) == format_bind_value(names)


def test_no_query_has_more_names_than_the_engine_reads_fast() -> None:
    names = [f"customer-{number:06}" for number in range(2 * MOST + 1)]
    assert [len(part) for part in _parts(EMBEDDED, names)] == [MOST, MOST, 1]


def test_names_fit_the_address_of_a_request_to_a_server() -> None:
    names = [f"çustomer-{number:06}" for number in range(5_000)] + ["é" * 256]
    parts = _parts(SERVER, names)
    assert [name for part in parts for name in part] == names
    assert 2 < len(parts) < 5_000
    assert max(sum(len(name.encode()) for name in part) for part in parts) < ADDRESS_BYTES


def test_name_longer_than_an_address_is_asked_for_by_itself() -> None:
    assert [len(part) for part in _parts(SERVER, ["a", "é" * ADDRESS_BYTES, "b"])] == [1, 1, 1]


def test_nobody_is_asked_for_in_no_query() -> None:
    assert _parts(EMBEDDED, []) == _parts(SERVER, []) == []


def _parts(store: Any, names: list[str]) -> list[list[str]]:
    return [str(part)[2:-2].split("', '") for part in portions(store, names)]
