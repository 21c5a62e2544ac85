"""The edge to ClickHouse: a server over HTTP or chDB in process, behind one small client.

All SQL lives next to the code that runs it; parameters are always bound, many names in few queries (`portions`).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.errors import ExternalError
from schemas.secrets import without_user
from schemas.settings import ClickHouse
from streams.io.engine import INSERTS, OPTIONS
from streams.io.handles import raise_handles
from streams.io.store_tls import said_of_tls, tls_options, why_gone

if TYPE_CHECKING:
    import pyarrow as pa  # takes a quarter of a second, and most commands have no use for it

#: Names bound to one query. The engine reads a bound array of 50,000 for minutes, one of 10,000 in milliseconds.
MOST = 10_000
#: Over HTTP parameters are part of the address; the strictest server on the way takes 64 KiB of it.
ADDRESS_BYTES = 48_000
#: Quotes and comma around a name in an address: %27 %27 %2C.
AROUND = 9

#: An INSERT is taken, as one block, when it is acknowledged. Since ClickHouse 26.2 servers gather INSERTs of several
#: clients by default, and then a block has the rows of several, and its token is not what keeps a second one out.
AT_ONCE: Mapping[str, int] = {"async_insert": 0}

#: What is escaped in a bound text: as the driver does.
_ESCAPED = ("\\", "'", "`", "\t", "\n")
#: Between names while they are escaped all at once, unless one contains it: intake takes no such text, but somebody
#: may ask for it.
_APART = "\0"


class StoreError(ExternalError):
    """The store could not be reached, or refused; the message says which and why."""


class StoreBusyError(StoreError):
    """The store could not do a query in the time that it may take, or had no memory or thread for it: because of what
    it does besides, or because too much was asked."""


class QueryLimitError(StoreError):
    """A query reads, holds or gives back more than it may (`QueryLimits`), however long it takes."""


class QueryValueError(StoreError):
    """A bound value is not one of its type, or out of its range."""


class QueryLimits(NamedTuple):
    """What one query may take: seconds, rows and bytes read, bytes of memory, rows and bytes of its result."""

    seconds: float
    rows: int
    bytes: int
    memory: int
    result_rows: int
    result_bytes: int

    def settings(self) -> dict[str, Any]:
        """As ClickHouse's settings (documentation, "Restrictions on query complexity")."""
        return {
            "max_execution_time": self.seconds,
            "max_rows_to_read": self.rows,
            "max_bytes_to_read": self.bytes,
            "max_memory_usage": self.memory,
            "max_result_rows": self.result_rows,
            "max_result_bytes": self.result_bytes,
        }


#: ClickHouse's errors: TOO_MANY_ROWS, TOO_MANY_BYTES, MEMORY_LIMIT_EXCEEDED, TOO_MANY_ROWS_OR_BYTES;
#: BAD_QUERY_PARAMETER, DECIMAL_OVERFLOW, VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE; TIMEOUT_EXCEEDED,
#: TOO_MANY_SIMULTANEOUS_QUERIES, CANNOT_SCHEDULE_TASK.
_MEMORY = 241
_KINDS: Mapping[int, type[StoreError]] = {
    **dict.fromkeys((158, 307, _MEMORY, 396), QueryLimitError),
    **dict.fromkeys((457, 407, 321), QueryValueError),
    **dict.fromkeys((159, 202, 439), StoreBusyError),
}
#: Whose memory is at its limit, as the error says it: all that the server has, or a user's, and not the query's.
_OF_ALL = re.compile(r"(?i)\((?:total|for user)\)|\b(?:total|user) memory limit")


def _kind(error: BaseException) -> type[StoreError]:
    code = getattr(error, "code", None) or 0
    return StoreBusyError if code == _MEMORY and _OF_ALL.search(str(error)) else _KINDS.get(code, StoreError)


class Store:
    """One connection. Not for use by two threads at once: each stage opens its own with `open_store`."""

    def __init__(
        self, client: Client, settings: ClickHouse, where: str, connect: Callable[[], Client] | None = None
    ) -> None:
        """`connect` makes another client in place of one that is not to be used after a query failed."""
        self._client = client
        self.settings = settings
        self.where = where
        self._connect = connect
        self._spoilt = False
        self._refusing = False
        self._inserts: Mapping[str, int] = {**AT_ONCE, **INSERTS} if settings.path else AT_ONCE

    def refuse(self) -> None:
        """Refuse whatever is asked from now on: who asks is to end. Any thread may say so."""
        self._refusing = True

    def _failed(self, error: BaseException) -> StoreError:
        self._spoilt = self._connect is not None
        return _kind(error)(f"{self.where}: {first_line(error)}")

    def _usable(self) -> Client:
        if self._refusing:
            raise StoreError(f"{self.where}: the stage is ending")
        if self._spoilt and self._connect is not None:
            # The new one first: the engine ends with its last handle.
            spoilt, self._client = self._client, self._connect()
            self._spoilt = False
            spoilt.close()
        return self._client

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """The result rows of a query with `{name:Type}` parameters.

        Raises:
            StoreError: the store failed.
        """
        try:
            return self._usable().query(sql, parameters=dict(parameters or {})).result_rows
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from error

    def records(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result as one mapping a row, by column name.

        Raises:
            StoreError: the store failed.
        """
        try:
            return list(self._usable().query(sql, parameters=dict(parameters or {})).named_results())
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from error

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns nothing.

        Raises:
            StoreError: the store failed.
        """
        try:
            self._usable().command(sql, parameters=dict(parameters or {}))
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from error

    def insert(
        self,
        table: str,
        columns: Mapping[str, Sequence[Any]],
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Insert columns (all of one length) as one block.

        Raises:
            StoreError: the store failed; whether the rows were taken is then unknown.
        """
        try:
            client = self._usable()
            context = client.create_insert_context(
                table,
                list(columns),
                data=list(columns.values()),
                column_oriented=True,
                settings={**self._inserts, **(settings or {})},
            )
            try:
                client.data_insert(context)
            finally:
                # It holds one of its own methods, and so itself and all rows, until the collector looks
                # (clickhouse-connect 1.12.0).
                vars(context).clear()
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from error

    def insert_table(self, table: str, rows: "pa.Table", settings: Mapping[str, Any] | None = None) -> None:
        """Insert an Arrow table as one block. Much faster than `insert` where there are many rows.

        Raises:
            StoreError: the store failed; whether the rows were taken is then unknown.
        """
        try:
            self._usable().insert_arrow(table, rows, settings={**self._inserts, **(settings or {})})
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from error

    def blocks(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[list[Any]]:
        """The result in blocks, each a list of NumPy columns: for results too large to hold at once.

        Raises:
            StoreError: the store failed.
        """
        try:
            with self._usable().query_arrow_stream(sql, parameters=dict(parameters or {})) as stream:
                for block in stream:
                    yield [column.to_numpy(zero_copy_only=False) for column in block.columns]
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from error

    def native(self, sql: str, parameters: Mapping[str, Any] | None = None) -> bytes:
        """The result in ClickHouse's format Native, for `insert_native` of another store.

        Raises:
            StoreError: the store failed.
        """
        try:
            return bytes(self._usable().raw_query(sql, parameters=dict(parameters or {}), fmt="Native"))
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from error

    def insert_native(self, table: str, rows: bytes, settings: Mapping[str, Any] | None = None) -> None:
        """Insert what `native` gave.

        Raises:
            StoreError: the store failed; whether the rows were taken is then unknown.
        """
        try:
            self._usable().raw_insert(
                table, insert_block=rows, settings={**self._inserts, **(settings or {})}, fmt="Native"
            )
        except (ClickHouseError, OSError) as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(settings: ClickHouse, *, database: str | None = None, limits: QueryLimits | None = None) -> Store:
    """Connect to the configured store.

    `database` replaces the configured one (migrations connect before it exists); `limits` hold for each query.

    Raises:
        SettingsError: a file for encryption cannot be used.
        StoreError: unreachable, not trusted, refused, or the data folder cannot be written.
    """
    name = settings.database if database is None else database
    bounds = limits.settings() if limits else {}
    where = f"chDB in {settings.path}" if settings.path else f"ClickHouse at {without_user(settings.url)}"

    def embedded() -> Client:
        return clickhouse_connect.get_client(
            interface="chdb", path=settings.path, chdb_options=dict(OPTIONS), database=name, settings=bounds
        )

    try:
        if settings.path:
            Path(settings.path).mkdir(mode=0o700, parents=True, exist_ok=True)
            raise_handles()  # a merge of many parts alone has thousands of files open
            client = embedded()
        else:
            client = clickhouse_connect.get_client(
                dsn=settings.url,
                username=settings.user,
                password=settings.password,
                database=name,
                connect_timeout=min(10, int(settings.timeout_s) or 1),
                send_receive_timeout=max(1, int(settings.timeout_s)),
                autogenerate_session_id=False,
                settings=bounds,
                **tls_options(settings),
            )
    except (ClickHouseError, OSError, ImportError) as error:
        said = why_gone(settings, str(error)) or first_line(error)
        refused = _REFUSED in said
        if refused:
            said = f"refuses the login of user `{settings.user}`: no such user, or another password"
        # Without a password of its own it is perhaps the store of a `repmon up` in another folder.
        gone = said.startswith(UNREACHABLE) or (refused and not settings.password)
        unreachable = "clickhouse" if gone else ""
        raise StoreError(f"{where}: {said}", unreachable=unreachable) from error
    # A handle of chDB keeps what a query gave before it failed, and gives it as the first rows of the next result (chdb
    # 4.4.0: a query ended by max_execution_time, then `SELECT 1`).
    return Store(client, settings, where, embedded if settings.path else None)


_ERRNO = re.compile(r"\[Errno -?\d+\] ([^')\"\]]+)")
#: What to do, by words of the error.
_HINTS = {
    ("(UNKNOWN_DATABASE)", "(UNKNOWN_TABLE)", "(NO_SUCH_COLUMN_IN_TABLE)"): "; `repmon migrate` makes it",
    ("Too many open files",): "; allow the store's process more (LimitNOFILE=, ulimit -n)",
}
UNREACHABLE = "cannot be reached"
#: How the client's libraries say that a server or a proxy took the connection and closed it.
_CUT = ("RemoteDisconnected", "Connection aborted", "IncompleteRead", "Connection broken")
#: ClickHouse's error AUTHENTICATION_FAILED.
_REFUSED = "Code: 516."


def first_line(error: BaseException) -> str:
    """The part of an error that a person needs: one line, without a stack trace or the client's own retries."""
    said = str(error).strip().split("\n", 1)[0] or type(error).__name__
    if any(each in said for each in _CUT):
        return f"{UNREACHABLE}: the connection ended before it answered"
    if "Max retries exceeded" not in said and "HTTPConnection" not in said:
        hints = (hint for names, hint in _HINTS.items() if any(each in said for each in names))
        return said[:500] + next(hints, "")
    if why := said_of_tls(said):
        return why
    if cause := _ERRNO.search(said):
        return f"{UNREACHABLE}: {cause[1].lower()}"
    return f"{UNREACHABLE}: no answer in time" if "time" in said else said[:500]


class ArrayParameter:
    """Names to be bound as `Array(String)`.

    The driver escapes a list character by character, which takes longer than the query where there are thousands of
    names. An object it does not know it binds as that writes itself, and this one writes what the driver would.
    """

    def __init__(self, names: Sequence[str]) -> None:
        text = _APART.join(names)
        if text.count(_APART) < len(names):
            text = _escaped(text).replace(_APART, "', '")
        else:
            text = "', '".join(map(_escaped, names))
        self._text = f"['{text}']" if names else "[]"

    def __str__(self) -> str:
        return self._text


class NumberParameter:
    """Whole numbers to be bound as an array of them, for the same reason."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._text = f"[{','.join(map(str, numbers))}]"

    def __str__(self) -> str:
        return self._text


def _escaped(text: str) -> str:
    for each in _ESCAPED:
        text = text.replace(each, "\\" + each)
    return text


def portions(store: Store, names: Sequence[str]) -> Iterator[ArrayParameter]:
    """The names in order, in runs of as many as one query of the store can be given.

    Sorted names make runs that lie together in a table sorted by name, so that all runs together read it once.
    """
    start = 0
    while start < len(names):
        end = start + (MOST if store.settings.path else _that_fit(names[start : start + MOST]))
        yield ArrayParameter(names[start:end])
        start = end


def _that_fit(names: Sequence[str]) -> int:
    """How many of the first fit an address, at least one."""
    room = ADDRESS_BYTES
    for place, name in enumerate(names):
        room -= len(quote_plus(name)) + AROUND
        if room < 0:
            return max(1, place)
    return len(names)
