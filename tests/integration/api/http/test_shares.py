"""One key keeps nobody from being answered, and no query takes more than it may."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from fastapi.testclient import TestClient

from api.http import keys
from api.http.app import create_app
from api.http.pool import StorePool
from api.routes.all import ROUTERS
from schemas.settings import Api as ApiSettings
from schemas.settings import ClickHouse, Settings
from streams.io.store import QueryLimitError, QueryLimits, Store, StoreBusyError, StoreError, open_store
from tests.support.api_client import NOW, Row, running
from tests.support.problems import problem
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("standing_clock")
MANY = QueryLimits(seconds=20, rows=10**9, bytes=10**12, memory=10**9, result_rows=10**6, result_bytes=10**9)


class SlowFor(Store):
    """A store whose queries about one customer wait until `go`."""

    go = threading.Event()

    def records(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        if (parameters or {}).get("customer") == "acme":
            self.go.wait(60)
        return super().records(sql, parameters)


@contextmanager
def interface(settings: ClickHouse, requests_per_minute: int = 1_000, processes: int = 1) -> Iterator[TestClient]:
    def slow() -> Store:
        opened = open_store(settings)
        return SlowFor(opened._client, opened.settings, opened.where)

    SlowFor.go.clear()
    asked = ApiSettings(requests_per_minute=requests_per_minute, processes=processes)
    app = create_app(slow, ROUTERS, lambda: NOW * 1000, settings=Settings(api=asked))
    try:
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client
    finally:
        SlowFor.go.set()


def test_100_requests_of_one_key_at_once_keep_nobody_waiting(store_settings: ClickHouse, store: Store) -> None:
    """They took all connections to the store: 66 of them got 503, and another customer waited for 5 s."""
    loud, calm = (
        {"Authorization": f"Bearer {keys.create_key(store, customer, '', NOW * 1000)}"} for customer in ("acme", "calm")
    )
    statuses: list[int] = []
    with interface(store_settings) as client, ThreadPoolExecutor(100) as threads:

        def ask() -> None:
            answer = client.get("/v1/scores", headers=loud)
            assert answer.status_code == 200 or answer.headers["retry-after"] == "1"
            statuses.append(answer.status_code)

        asked = [threads.submit(ask) for _ in range(100)]
        wait_for(lambda: len(statuses) == 77, "those that are too many to be refused")
        assert client.get("/v1/scores", headers=calm).status_code == 200, "while all that the other asks is stuck"
        SlowFor.go.set()
        for each in asked:
            each.result(60)
    assert Counter(statuses) == {429: 77, 200: 23}


@pytest.mark.parametrize(("of_all", "processes"), [(3, 1), (5, 2)], ids=["alone", "one of two"])
def test_key_that_asks_too_often_is_told_when_it_may_again(
    store_settings: ClickHouse, store: Store, of_all: int, processes: int
) -> None:
    key = keys.create_key(store, "calm", "", NOW * 1000)
    other = keys.create_key(store, "calm", "", NOW * 1000)
    with interface(store_settings, of_all, processes) as client:

        def ask(key: str) -> Any:
            return client.get("/v1/scores", headers={"Authorization": f"Bearer {key}"})

        answers = [ask(key) for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"requests";q=3;w=60'
        assert [each.headers["ratelimit"].split(";")[1] for each in answers] == ["r=2", "r=1", "r=0", "r=0"]
        assert 1 <= int(answers[3].headers["retry-after"]) <= 20
        assert problem(answers[3], 429)["detail"].startswith("this key may send 3 requests in 60 s; send the next in")
        assert ask(other).status_code == 200, "each key has its own"


@pytest.mark.parametrize("path", ["/v1/standing", "/v1/rates?metric=failure", "/v1/cohorts"])
def test_query_that_reads_too_much_is_ended_and_said_so(store_settings: ClickHouse, store: Store, path: str) -> None:
    limits = ApiSettings(query_rows=1)
    with running(store_settings, store, settings=limits) as api:
        api.put([Row(NOW - 60 * minute, delivered=1) for minute in range(20)])
        api.complained(NOW, 20)
        assert "ask for less" in problem(api.get(path), 422)["detail"]


@pytest.mark.parametrize(
    ("sql", "limits"),
    [
        ("SELECT count() FROM numbers(1000)", {"rows": 100}),
        ("SELECT count() FROM numbers(1000)", {"bytes": 100}),
        ("SELECT groupArray(number) FROM numbers(10000000)", {"memory": 1_000_000}),
        ("SELECT number FROM numbers(1000)", {"result_rows": 100}),
        ("SELECT number FROM numbers(1000)", {"result_bytes": 100}),
    ],
)
def test_query_has_limits_of_each_kind(store_settings: ClickHouse, sql: str, limits: dict[str, Any]) -> None:
    store = open_store(store_settings, limits=MANY._replace(**limits))
    with pytest.raises(QueryLimitError):
        store.rows(sql)
    assert rows_of(store, "SELECT 1") == [(1,)]
    store.close()


def test_query_that_is_not_done_in_time_finds_a_busy_store(store_settings: ClickHouse) -> None:
    store = open_store(store_settings, limits=MANY._replace(seconds=0.2))
    with pytest.raises(StoreBusyError):
        store.rows("SELECT sleepEachRow(0.1) FROM numbers(600) SETTINGS max_block_size = 1")
    assert rows_of(store, "SELECT 1") == [(1,)]
    store.close()


@pytest.mark.parametrize("path", ["/v1/standing", "/v1/cohorts"])
def test_request_of_a_busy_store_is_to_be_repeated(store_settings: ClickHouse, store: Store, path: str) -> None:
    """It was answered as a mistake of who asks (422), though the same is answered a moment later."""
    with running(store_settings, store) as api:
        with patch.object(StorePool, "lend", side_effect=StoreBusyError("timeout exceeded")):
            answer = api.get(path)
        assert "in time" in problem(answer, 503)["detail"]
        assert int(answer.headers["retry-after"]) > 0


def test_rows_of_a_query_that_failed_are_in_no_later_answer(store_settings: ClickHouse) -> None:
    """They were the first rows of whatever was asked next, and so perhaps of another customer's answer."""
    store = open_store(store_settings)
    for ended in ("SETTINGS max_execution_time = 0.2, max_block_size = 1", "SETTINGS max_block_size = 1"):
        with pytest.raises(StoreError):
            store.rows("SELECT number + 100, sleepEachRow(0.05), throwIf(number = 20) FROM numbers(600) " + ended)  # noqa: S608
        assert rows_of(store, "SELECT 1") == [(1,)]
        assert store.records("SELECT 2 AS two") == [{"two": 2}]
    store.close()


def test_other_errors_are_none_of_a_limit(store_settings: ClickHouse) -> None:
    store = open_store(store_settings, limits=MANY)
    with pytest.raises(StoreError) as error:
        store.rows("SELECT no_such_column")
    assert not isinstance(error.value, QueryLimitError)
    store.close()


def rows_of(store: Store, sql: str) -> Sequence[Any]:
    return [tuple(row) for row in store.rows(sql)]
