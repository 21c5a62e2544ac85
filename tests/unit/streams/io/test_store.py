"""A store that cannot be used: one line that says which and why."""

import socket
from pathlib import Path
from unittest.mock import Mock

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.settings import ClickHouse
from streams.io.store import QueryLimitError, Store, StoreBusyError, StoreError, first_line, open_store


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_unreachable_server_is_named_in_one_short_line() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(StoreError) as raised:
        open_store(ClickHouse(url=url))
    assert str(raised.value) == f"ClickHouse at {url}: cannot be reached: connection refused"


@pytest.mark.parametrize(("password", "is_perhaps_another"), [("", "clickhouse"), ("mine", "")])
def test_refused_login_names_the_user(monkeypatch: pytest.MonkeyPatch, password: str, is_perhaps_another: str) -> None:
    said = "Received ClickHouse exception, code: 516, server response: Code: 516. DB::Exception: Authentication failed"
    monkeypatch.setattr("clickhouse_connect.get_client", Mock(side_effect=DatabaseError(said)))
    with pytest.raises(StoreError) as raised:
        open_store(ClickHouse(url="http://127.0.0.1:8123", password=password))
    assert "127.0.0.1:8123: refuses the login of user `default`" in str(raised.value)
    assert raised.value.unreachable == is_perhaps_another


def test_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(StoreError) as raised:
            open_store(ClickHouse(url=url, timeout_s=1))
    assert str(raised.value) == f"ClickHouse at {url}: cannot be reached: no answer in time"


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"chDB in .*file/below"):
        open_store(ClickHouse(path=str(tmp_path / "file" / "below")))


def test_missing_database_says_what_makes_it() -> None:
    error = RuntimeError("Code: 81. DB::Exception: Database x does not exist. (UNKNOWN_DATABASE)\n stack trace")
    assert first_line(error).endswith("(UNKNOWN_DATABASE); `repmon migrate` makes it")


def test_store_without_handles_says_how_it_gets_more() -> None:
    error = DatabaseError("Code: 76. DB::Exception: Cannot open file x, errno: 24, strerror: Too many open files")
    assert first_line(error).endswith("Too many open files; allow the store's process more (LimitNOFILE=, ulimit -n)")


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (159, "Timeout exceeded: elapsed 10012 ms, maximum: 10000 ms. (TIMEOUT_EXCEEDED)", StoreBusyError),
        (202, "Too many simultaneous queries. Maximum: 100. (TOO_MANY_SIMULTANEOUS_QUERIES)", StoreBusyError),
        (439, "Cannot schedule a task: no free thread (CANNOT_SCHEDULE_TASK)", StoreBusyError),
        (241, "(total) memory limit exceeded: would use 20.1 GiB (MEMORY_LIMIT_EXCEEDED)", StoreBusyError),
        (241, "User memory limit exceeded: would use 9.3 GiB (MEMORY_LIMIT_EXCEEDED)", StoreBusyError),
        (241, "Memory limit (total) exceeded: would use 20.1 GiB (MEMORY_LIMIT_EXCEEDED)", StoreBusyError),
        (241, "Query memory limit exceeded: would use 1.5 GB (MEMORY_LIMIT_EXCEEDED)", QueryLimitError),
        (158, "Limit for rows exceeded, max rows: 200 (TOO_MANY_ROWS)", QueryLimitError),
        (60, "Table reputation.total does not exist (UNKNOWN_TABLE)", StoreError),
    ],
)
def test_who_asked_too_much_is_told_from_a_store_that_has_too_much_to_do(
    code: int, said: str, kind: type[StoreError]
) -> None:
    error = DatabaseError(f"Code: {code}. DB::Exception: {said}")
    error.code = code
    with pytest.raises(StoreError) as raised:
        Store(Mock(query=Mock(side_effect=error)), ClickHouse(), "here").rows("SELECT 1")
    assert type(raised.value) is kind


def test_every_insert_is_taken_at_once_whatever_the_server_does_by_default() -> None:
    client = Mock()
    store = Store(client, ClickHouse(), "here")
    store.insert("events", {"id": ["a"]})
    store.insert_table("counts", pa.table({"n": [1]}), {"insert_deduplication_token": "t:x:0@0"})
    assert client.create_insert_context.call_args.kwargs["settings"] == {"async_insert": 0}
    assert client.insert_arrow.call_args.kwargs["settings"] == {
        "async_insert": 0,
        "insert_deduplication_token": "t:x:0@0",
    }


@pytest.mark.parametrize(
    "said",
    [
        "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
        "('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
        "Connection broken: IncompleteRead(10 bytes read, 90 more expected)",
    ],
)
def test_connection_that_was_cut_is_said_in_plain_words(said: str) -> None:
    assert first_line(OSError(said)) == "cannot be reached: the connection ended before it answered"
