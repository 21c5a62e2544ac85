"""A server that would not drop a second INSERT with the same token is refused, with what is in the way."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from schemas.settings import ClickHouse
from streams.intake.server import COUNTS, SETTINGS, TESTED, VERSION, check_server
from streams.io.store import Store, StoreError

TESTED_VERSION = f"{TESTED[0]}.{TESTED[1]}.2.1"
SINGLE = (
    "AggregatingMergeTree",
    "AggregatingMergeTree ORDER BY x SETTINGS non_replicated_deduplication_window = 10000",
)
REPLICATED = (
    "ReplicatedAggregatingMergeTree",
    "ReplicatedAggregatingMergeTree('/a', '{replica}') ORDER BY x SETTINGS replicated_deduplication_window = 10000, "
    "replicated_deduplication_window_seconds = 604800",
)
FREE = {"async_insert": ("1", 0), "insert_deduplicate": ("1", 0), "insert_deduplication_token": ("", 0)}


class Server:
    """Answers what it is asked of itself."""

    where = "ClickHouse at http://here:8123"
    settings = ClickHouse()

    def __init__(
        self,
        version: str = TESTED_VERSION,
        settings: dict[str, tuple[str, int]] = FREE,
        counts: tuple[str, str] = SINGLE,
    ) -> None:
        rows = [(name, *each) for name, each in settings.items()]
        self._answers: dict[str, Sequence[Any]] = {VERSION: [(version,)], SETTINGS: rows, COUNTS: [counts]}

    def rows(self, sql: str) -> Sequence[Any]:
        return self._answers[sql]


def checked(server: Server) -> list[str]:
    return check_server(cast(Store, server), 30.0)


@pytest.mark.parametrize("counts", [SINGLE, REPLICATED])
def test_server_that_the_tests_run_with_is_taken_without_a_word(counts: tuple[str, str]) -> None:
    assert checked(Server(counts=counts)) == []


@pytest.mark.parametrize("version", ["24.8.1.1", "25.3.2.39", "27.1.1.1"])
def test_other_version_is_taken_and_named(version: str) -> None:
    (said,) = checked(Server(version))
    assert said.startswith(f"ClickHouse at http://here:8123 is version {version}; tested is ")


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (Server("24.3.1.1"), "version 24.3.1.1 is older than 24.8"),
        (Server("unknown"), "version unknown is older than 24.8"),
        (Server(settings={}), "it does not know insert_deduplication_token"),
        (Server(settings=FREE | {"async_insert": ("1", 1)}), "the user's profile fixes async_insert = 1; it must be 0"),
        (Server(settings=FREE | {"insert_deduplicate": ("0", 1)}), "fixes insert_deduplicate = 0; it must be 1"),
        (Server(settings=FREE | {"deduplicate_insert": ("disable", 0)}), "deduplicate_insert = disable"),
        (Server(counts=("Distributed", "Distributed(a, b, c)")), "the table counts has the engine Distributed"),
        (
            Server(counts=("AggregatingMergeTree", "AggregatingMergeTree ORDER BY x")),
            "the table counts has non_replicated_deduplication_window = 0",
        ),
        (
            Server(counts=(REPLICATED[0], REPLICATED[1].replace("10000", "0"))),
            "the table counts has replicated_deduplication_window = 0",
        ),
        (
            Server(counts=(REPLICATED[0], REPLICATED[1].replace("604800", "60"))),
            "replicated_deduplication_window_seconds = 60, less than ten times ingest.lease_s (30)",
        ),
    ],
)
def test_server_that_would_count_twice_is_refused_with_what_is_in_the_way(server: Server, said: str) -> None:
    with pytest.raises(StoreError) as caught:
        checked(server)
    assert said in str(caught.value)
    assert str(caught.value).endswith(", so that counts would not be exact")


def test_setting_that_each_insert_says_may_have_any_value_before() -> None:
    assert checked(Server(settings=FREE | {"insert_deduplicate": ("0", 0)})) == []
