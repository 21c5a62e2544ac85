"""The read-only user of the embedded store, asked over HTTP as Grafana's plugin asks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from jobs.embedded.reader import AT_ONCE, READER, ReaderAccess
from jobs.embedded.store_server import StoreServer
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse
from streams.io.store import open_store
from tests.support.waiting import wait_for

OWNER, PASSWORD = "owner's secret", "reader's secret"
REVISION = 54_483


class Served(NamedTuple):
    """A store over HTTP."""

    url: str
    folder: Path

    def ask(self, sql: str, password: str = PASSWORD, user: str = READER, **arguments: str) -> requests.Response:
        asked = {"database": "only_read", **arguments}
        return requests.post(self.url, sql.encode(), params=asked, auth=(user, password), timeout=60)


@pytest.fixture(scope="module")
def served(chdb_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = ClickHouse(path=str(chdb_path), database="only_read")
    migrate(settings)
    store = open_store(settings)
    now = datetime.now(UTC)
    store.insert("counts", {"dimension": ["provider"], "customer": ["acme"], "value": ["gmail"], "bucket": [now]})
    store.insert("api_keys", {"key_hash": ["hidden"], "customer": ["acme"], "created": [now], "updated": [now]})
    store.close()
    reader = ReaderAccess(PASSWORD, seconds=2, rows=50_000)
    server = StoreServer(settings.path, 0, OWNER, reader=reader)
    server.start()
    folder = tmp_path_factory.mktemp("reader")
    (folder / "secret").write_text("contents of a file")
    yield Served(f"http://127.0.0.1:{server.port}", folder)
    server.stop()


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("SELECT customer, value FROM counts", "acme\tgmail\n"),
        ("SELECT count() FROM only_read.counts AS c -- ; DROP TABLE counts", "1\n"),
        ("WITH n AS (SELECT 7 AS a) SELECT a FROM n WHERE a IN (SELECT a FROM n)", "7\n"),
        ("WITH `my own` AS (SELECT 8 AS a)\nSELECT a FROM `my own`", "8\n"),
        ("SELECT 'it\\'s; file(x) IN api_keys', 'a''b' FORMAT CSV", '"it\'s; file(x) IN api_keys","a\'b"\n'),
        ("SELECT {a:String}", "x y\n"),
        ("SELECT count() FROM scores", "0\n"),
        ("SELECT number FROM numbers(2) UNION ALL SELECT 5 AS number ORDER BY number", "0\n1\n5\n"),
        ("SELECT count() > 20 FROM system.tables WHERE database = currentDatabase()", "1\n"),
    ],
)
def test_reader_may_select_from_what_dashboards_show(served: Served, sql: str, answer: str) -> None:
    found = served.ask(sql, param_a="x y")
    assert (found.status_code, sorted(found.text.splitlines())) == (200, sorted(answer.splitlines()))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM api_keys",
        "SELECT * FROM only_read.api_keys",
        "SELECT * FROM api_keys AS counts",
        "SELECT (SELECT max(key_hash) FROM api_keys)",
        "SELECT 1 FROM counts WHERE customer IN (SELECT key_hash FROM `api_keys`)",
        "SELECT 1 WHERE 'hidden' IN api_keys",
        "SELECT 1 WHERE 'hidden' GLOBAL NOT IN only_read.api_keys",
        "SELECT count() FROM (WITH api_keys AS (SELECT 1) SELECT * FROM api_keys), api_keys",
        "SELECT 1 UNION ALL SELECT count() FROM api_keys",
        "SELECT * FROM merge('only_read', 'api_keys')",
        "SELECT * FROM view(SELECT * FROM api_keys)",
        "SELECT * FROM viewIfPermitted(SELECT * FROM api_keys ELSE null('a String'))",
        "SELECT * FROM mergeTreeIndex('only_read', 'api_keys')",
        "SELECT * FROM loop(only_read, api_keys)",
        "SELECT * FROM {t:Identifier}",
        "SELECT * FROM only_read.{t:Identifier}",
        "SELECT * FROM {t : /* a name */ Identifier}",
        "SELECT count() FROM message_senders",
        "SELECT * FROM system.processes",
        "SELECT * FROM INFORMATION_SCHEMA.TABLES",
        "SHOW TABLES",
        "SHOW CREATE TABLE counts",
        "DESCRIBE TABLE counts",
        "EXPLAIN SELECT 1",
        "SET max_result_rows = 0",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_result_rows = 0",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE counts",
        "SELECT 1) UNION ALL (SELECT key_hash FROM api_keys",
        "INSERT INTO counts (customer) VALUES ('x')",
        "INSERT INTO counts (customer) SELECT 'x'",
        "INSERT INTO FUNCTION file('{folder}/made', 'CSV', 'a String') VALUES ('x')",
        "CREATE TABLE t (a UInt8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE t (a UInt8)",
        "DROP TABLE counts",
        "ALTER TABLE counts DELETE WHERE 1",
        "OPTIMIZE TABLE counts",
        "TRUNCATE TABLE counts",
        "KILL QUERY WHERE 1",
        "SYSTEM FLUSH LOGS",
        "USE system",
        "SELECT 1 INTO OUTFILE '{folder}/made'",
        "SELECT file('{folder}/secret')",
        "SELECT `file`('{folder}/secret')",
        "SELECT * APPLY(file) FROM (SELECT '{folder}/secret' AS a)",
        "SELECT arrayMap(file, ['{folder}/secret'])",
        "SELECT arrayMap(x -> file(x), ['{folder}/secret'])",
        "SELECT * FROM file('{folder}/secret', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT * FROM executable('id', 'TSV', 'a String')",
        "SELECT * FROM remote('127.0.0.1', 'only_read', 'counts')",
        "SELECT sleep(3)",
        "SELECT dictGet('d', 'x', 1)",
        "BACKUP TABLE counts TO Disk('a', 'b')",
        "GRANT ALL ON *.* TO default",
        "EXECUTE AS default SELECT 1",
        "",
        "\x00",
        "SELECT '",
    ],
)
def test_reader_may_do_nothing_else(served: Served, sql: str) -> None:
    found = served.ask(sql.replace("{folder}", str(served.folder)), param_t="api_keys")
    assert found.status_code >= 400
    assert found.text.startswith("Code: ")
    assert "hidden" not in found.text
    assert "contents of a file" not in found.text
    assert not (served.folder / "made").exists()


def test_store_is_as_it_was_after_all_that(served: Served) -> None:
    assert served.ask("SELECT count() FROM counts").text == "1\n"


def test_answer_has_no_more_rows_than_the_limit(served: Served) -> None:
    assert served.ask("SELECT number FROM numbers(50000)").status_code == 200
    refused = served.ask("SELECT number FROM numbers(200000)")
    assert "TOO_MANY_ROWS_OR_BYTES" in refused.text
    assert "TOO_MANY_ROWS_OR_BYTES" in served.ask("SELECT number FROM numbers(200000)", max_result_rows="0").text


@pytest.mark.parametrize("asked", ["", "0", "3600", "1"])
def test_statement_takes_no_longer_than_the_limit(served: Served, asked: str) -> None:
    slow = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
    assert "TIMEOUT_EXCEEDED" in served.ask(slow, max_execution_time=asked).text


@pytest.mark.parametrize(("user", "password"), [(READER, OWNER), (READER, ""), ("default", PASSWORD), ("", PASSWORD)])
def test_neither_password_opens_the_others_user(served: Served, user: str, password: str) -> None:
    refused = served.ask("SELECT 1", password, user)
    assert (refused.status_code, "AUTHENTICATION" in refused.text or "516" in refused.text) == (403, True)


def test_reader_is_told_apart_however_it_says_who_it_is(served: Served) -> None:
    secret = {"query": "SELECT count() FROM api_keys", "database": "only_read"}
    by_header = {"X-ClickHouse-User": READER, "X-ClickHouse-Key": PASSWORD}
    by_address = {"user": READER, "password": PASSWORD}
    assert requests.get(served.url, secret, headers=by_header, timeout=60).status_code == 403
    assert requests.get(served.url, {**secret, **by_address}, timeout=60).status_code == 403
    assert served.ask(secret["query"], OWNER, "default").text == "1\n"


def test_without_a_reader_nobody_has_its_name(store_settings: ClickHouse) -> None:
    server = StoreServer(store_settings.path, 0, OWNER)
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        assert requests.get(url, {"query": "SELECT 1"}, auth=(READER, ""), timeout=60).status_code == 403
    finally:
        server.stop()


def test_statements_of_the_reader_that_wait_their_turn_do_not_hold_up_a_stop(store_settings: ClickHouse) -> None:
    """Those that run are killed, and those that wait are refused without having begun."""
    server = StoreServer(store_settings.path, 0, OWNER, reader=ReaderAccess(PASSWORD))
    server.start()
    slow = {"query": "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"}
    url = f"http://127.0.0.1:{server.port}"
    room = server._server._room
    free = room._value

    def ask() -> str:
        return requests.get(url, slow, auth=(READER, PASSWORD), timeout=60).text

    with ThreadPoolExecutor(3 * AT_ONCE) as pool:
        answers = [pool.submit(ask) for _ in range(3 * AT_ONCE)]
        wait_for(lambda: running_at(store_settings) >= AT_ONCE, "as many statements as may run")
        # One that is not connected yet would find nobody, in place of being refused.
        wait_for(lambda: free - room._value == 3 * AT_ONCE and not server._server._silent, "that all have asked")
        assert running_at(store_settings) == AT_ONCE
        assert server.stop()
        assert all(answer.result().startswith("Code: ") for answer in answers)


def running_at(settings: ClickHouse) -> int:
    store = open_store(settings)
    ((count,),) = store.rows("SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sipHash64%'")
    store.close()
    return int(count)


#: The header of a block and, from its revision on, a zero after the type of each column.
FRAMED = b"\x01\x00\x02\xff\xff\xff\xff\x00"
ONE = b"\x01" + b"\0" * 7


def test_driver_that_names_a_revision_gets_blocks_with_a_header(served: Served) -> None:
    """As clickhouse-go reads them (lib/proto/block.go); without it Grafana's plugin cannot even connect."""
    asked = {"default_format": "Native", "client_protocol_version": str(REVISION)}
    found = served.ask("SELECT toUInt8(5) AS a, 'x' AS b", **asked)
    assert found.content == FRAMED + b"\x02\x01" + b"\x01a\x05UInt8\x00\x05" + b"\x01b\x06String\x00\x01x"
    plain = served.ask("SELECT toUInt8(5) AS a", default_format="Native")
    assert plain.content == b"\x01\x01\x01a\x05UInt8\x05"


@pytest.mark.parametrize(
    ("value", "kind", "data"),
    [
        ("toNullable(toUInt16(3))", "Nullable(UInt16)", b"\0\x03\0"),
        ("[toUInt8(1), 2]", "Array(UInt8)", b"\x02" + b"\0" * 7 + b"\x01\x02"),
        ("map('k', [toUInt8(9)])", "Map(String, Array(UInt8))", ONE + b"\x01k" + ONE + b"\x09"),
        ("CAST((1, 'q'), 'Tuple(a UInt8, b String)')", "Tuple(a UInt8, b String)", b"\x01\x01q"),
        ("toFixedString('ab', 3)", "FixedString(3)", b"ab\0"),
        ("toDecimal32(1.5, 2)", "Decimal(9, 2)", b"\x96\0\0\0"),
        ("toDateTime64(1, 3, 'UTC')", "DateTime64(3, 'UTC')", b"\xe8\x03" + b"\0" * 6),
        ("CAST('b', 'Enum8(\\'a, (\\' = 1, \\'b\\' = 2)')", "Enum8('a, (' = 1, 'b' = 2)", b"\x02"),
        ("CAST([] AS Array(LowCardinality(String)))", "Array(LowCardinality(String))", b"\x01" + b"\0" * 15),
    ],
)  # fmt: skip
def test_column_of_each_type_is_framed_whole(served: Served, value: str, kind: str, data: bytes) -> None:
    """A second column after it shows that its end was found."""
    asked = {"default_format": "Native", "client_protocol_version": str(REVISION)}
    found = served.ask(f"SELECT {value} AS a, toUInt8(77) AS z", **asked).content
    head = FRAMED + b"\x02\x01\x01a" + bytes([len(kind)]) + kind.encode() + b"\0"
    assert found == head + data + b"\x01z\x05UInt8\x00\x4d"


@pytest.mark.parametrize("value", ["toLowCardinality(toString(number % 3))", "toLowCardinality(toNullable('x'))"])
def test_dictionary_of_a_column_is_passed_over(served: Served, value: str) -> None:
    sql = f"SELECT {value} AS a, toUInt8(77) AS z FROM numbers(1000)"  # noqa: S608 - of this test
    plain = served.ask(sql, default_format="Native").content
    found = served.ask(sql, default_format="Native", client_protocol_version=str(REVISION)).content
    assert len(found) == len(plain) + len(FRAMED) + 2
    assert found.endswith(b"\x01z\x05UInt8\x00" + b"\x4d" * 1000)


def test_type_that_cannot_be_framed_is_named(served: Served) -> None:
    asked = {"default_format": "Native", "client_protocol_version": str(REVISION)}
    found = served.ask("SELECT CAST('1', 'Variant(UInt8, String)') AS a", **asked)
    assert found.status_code == 500
    assert "Variant(String, UInt8)" in found.text
