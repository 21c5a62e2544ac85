"""The ClickHouse HTTP interface over chDB, through the ordinary clickhouse-connect HTTP driver."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from jobs.embedded.store_server import StoreServer
from jobs.setup.migrate import migrate, migrations
from schemas.settings import ClickHouse
from streams.io.store import Store, StoreError, open_store
from tests.support.root import ROOT
from tests.support.waiting import wait_for


@pytest.fixture
def served(store_settings: ClickHouse) -> Iterator[ClickHouse]:
    server = StoreServer(store_settings.path, 0, "secret")
    server.start()
    yield msgspec.structs.replace(store_settings, path="", url=f"http://127.0.0.1:{server.port}", password="secret")
    server.stop()


@pytest.fixture
def remote(served: ClickHouse) -> Iterator[Store]:
    store = open_store(served)
    yield store
    store.close()


def test_bound_parameters_of_every_kind_arrive(remote: Store) -> None:
    row = remote.rows(
        "SELECT {text:String}, {number:UInt32}, {names:Array(String)}",
        {"text": "it's a\ttab\\ and 'quotes'", "number": 7, "names": ["a'b", "c,d"]},
    )[0]
    assert tuple(row) == ("it's a\ttab\\ and 'quotes'", 7, ["a'b", "c,d"])


def test_parameters_too_long_for_an_address_arrive(remote: Store) -> None:
    numbers = [2**64 - 1 - number for number in range(20_000)]
    asked = {"numbers": numbers, "text": "ünï\r\n--code\tx\\", "limit": 7}
    sql = "SELECT length({numbers:Array(UInt64)}), arraySum({numbers:Array(UInt64)}), {text:String}, {limit:UInt32}"
    assert tuple(remote.rows(sql, asked)[0]) == (20_000, sum(numbers) % 2**64, asked["text"], 7)


def test_second_insert_with_the_same_token_is_dropped(remote: Store) -> None:
    now = datetime.now(UTC)
    columns: dict[str, list[object]] = {
        "dimension": ["offset"],
        "source": ["t:x:0"],
        "bucket": [now],
        "last_offset": [41],
    }
    for _ in range(2):
        remote.insert("counts", columns, {"insert_deduplication_token": "t:x:0@0"})
    assert remote.rows("SELECT count() FROM counts")[0][0] == 1


def test_engine_keeps_nothing_of_the_files_that_inserts_go_through(remote: Store, store: Store) -> None:
    """Each has one of its own: by default it keeps 2 KB of each, of 4,096."""
    kept = "SELECT count() FROM system.schema_inference_cache"
    before = store.rows(kept)
    for number in range(2):
        remote.insert("customers", {"customer": [f"kept-{number}"]})
    assert store.rows(kept) == before


@pytest.mark.parametrize(("columns", "rows"), [(9, 10), (10, 9), (10, 10), (12, 10), (13, 32), (32, 13)])
def test_block_whose_header_looks_like_white_space_arrives_whole(remote: Store, columns: int, rows: int) -> None:
    """A Native block begins with the numbers of columns and rows; 9, 10, 13 and 32 are white space as bytes."""
    names = [f"c{number}" for number in range(columns)]
    remote.run(f"CREATE TABLE wide ({', '.join(f'{name} UInt32' for name in names)}) ENGINE = MergeTree ORDER BY c0")
    remote.insert("wide", {name: list(range(rows)) for name in names})
    assert remote.rows("SELECT count(), sum(c0) FROM wide")[0] == (rows, sum(range(rows)))


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Content-Length: 1000"])
def test_insert_whose_connection_breaks_within_it_stores_nothing(
    served: ClickHouse, remote: Store, framing: str
) -> None:
    """What came of it is a whole block, and more was announced."""
    remote.run("CREATE TABLE part (a UInt8) ENGINE = MergeTree ORDER BY a")
    body = b"INSERT INTO part FORMAT Native\n\x01\x03\x01a\x05UInt8\x01\x02\x03"
    if "chunked" in framing:
        body = f"{len(body):x}\r\n".encode() + body + b"\r\n"
    head = f"POST /?database={served.database}&password=secret HTTP/1.1\r\nHost: store\r\n{framing}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(served.url).port or 0)) as client:
        client.sendall(head.encode() + body)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"", "there is nobody left to answer"
    assert remote.rows("SELECT count() FROM part")[0][0] == 0


def test_engine_errors_keep_their_words(remote: Store) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        remote.rows("SELECT * FROM nowhere")


def test_wrong_password_is_refused(served: ClickHouse) -> None:
    with pytest.raises(StoreError, match=r"refuses the login of user `.*`: no such user, or another password"):
        open_store(msgspec.structs.replace(served, password="wrong"))


def test_migrations_run_over_http_and_are_seen_in_process(served: ClickHouse, store: Store) -> None:
    assert migrate(served) == []
    other = msgspec.structs.replace(served, database=served.database + "_http")
    assert len(migrate(other)) == len(migrations())
    assert store.rows(f"SELECT count() FROM {other.database}.schema_migrations")[0][0] == len(migrations())  # noqa: S608


def test_store_is_served_whatever_spelling_of_its_path_is_given(
    store: Store, store_settings: ClickHouse, tmp_path: Path
) -> None:
    """The stages of the same process have the real path open, and the engine takes one spelling alone."""
    link = tmp_path / "link"
    link.symlink_to(store_settings.path)
    server = StoreServer(str(link), 0, "secret")
    server.start()
    reached = msgspec.structs.replace(store_settings, path="", url=f"http://127.0.0.1:{server.port}", password="secret")
    assert open_store(reached).rows("SELECT count() FROM schema_migrations")[0][0] == len(migrations())
    server.stop()
    assert store.rows("SELECT 1")[0][0] == 1


STOPPED = """
import sys, threading
from jobs.embedded.store_server import StoreServer
from schemas.settings import ClickHouse
from streams.io.store import StoreError, open_store
from tests.support.engine import engine_runs
from tests.support.waiting import wait_for

server = StoreServer(sys.argv[1], 0, "secret")
server.start()
served = ClickHouse(url=f"http://127.0.0.1:{server.port}", password="secret", database="default")
asking, watching = open_store(served), open_store(served)
watching.run("CREATE TABLE merged (a UInt8) ENGINE = MergeTree ORDER BY a")

def ask():
    try:
        asking.rows("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1")
    except StoreError as error:
        print("asked:", error)

asked = threading.Thread(target=ask)
asked.start()
wait_for(lambda: watching.rows("SELECT count() FROM system.processes WHERE query LIKE '%numbers(1000%'")[0][0] == 2, "")
print("runs:", engine_runs())
stopped = server.stop(0.1)
asked.join()
print("stopped:", stopped)
try:
    watching.rows("SELECT 1")
except StoreError as error:
    print("later:", error)
print("runs:", engine_runs())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are found by their names in /proc")
def test_stop_kills_what_runs_too_long_refuses_more_and_ends_the_engine(tmp_path: Path) -> None:
    """An engine that goes on merges in a folder that may just be removed."""
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    said = done.stdout.splitlines()
    assert (said[0], said[-1]) == ("runs: True", "runs: False")
    assert "stopped: True" in said
    assert any(line.startswith("asked:") and "QUERY_WAS_CANCELLED" in line for line in said)
    assert any(line.startswith("later:") for line in said)


def test_where_connections_are_too_many_the_one_that_was_silent_longest_is_closed(
    store_settings: ClickHouse, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("jobs.embedded.store_server.MOST_CONNECTIONS", 3)
    server = StoreServer(store_settings.path, 0, "secret")
    server.start()
    silent = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(3)]
    silent[0].sendall(b"GET / HT")
    silent.append(socket.create_connection(("127.0.0.1", server.port)))
    while silent[0].recv(1_000):
        pass  # what is said of half a head
    wait_for(lambda: _answers(server.port), "an answer while the others say nothing")
    for each in silent:
        each.close()
    server.stop()
    assert capfd.readouterr() == ("", "")


def test_connection_that_has_asked_something_is_not_closed_for_others(
    store_settings: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.embedded.store_server.MOST_CONNECTIONS", 1)
    server = StoreServer(store_settings.path, 0, "secret")
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), 20) as asking, asking.makefile("rb") as answers:
        for _ in range(2):
            asking.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            while answers.readline() != b"Ok.\n":
                pass
            with socket.create_connection(("127.0.0.1", server.port)) as other:
                other.settimeout(20)
                assert other.recv(1) == b"", "one too many"
    server.stop()


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port)) as asking:
        asking.settimeout(20)
        asking.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            return asking.recv(100).startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False
