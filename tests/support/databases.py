"""Migrated databases that tests use one after the other. To migrate one takes a second, to make the same tables at once
a fifth of that, to empty one some milliseconds."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse
from streams.io.store import Store, StoreError, open_store

#: In the order in which they can be made: a view comes after what it reads.
MADE = """
SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY engine LIKE '%View', name
"""
#: What tables there are, with all that makes them: columns, keys, projections, settings, TTLs.
TABLES = "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name"
WITH_TTL = """
SELECT name FROM system.tables WHERE database = currentDatabase() AND position(create_table_query, ' TTL ') > 0
"""
#: Inactive parts count too: a table without rows may still remember the tokens of its INSERTs, which TRUNCATE makes it
#: forget.
WRITTEN = """
SELECT table, arraySort(groupArrayIf(name, active)) FROM system.parts WHERE database = currentDatabase() GROUP BY table
"""
#: The record of migrations stays.
MIGRATIONS = "schema_migrations"
#: Asked of the parts: to ask the tables for their rows takes twice as long.
ROWS = """
SELECT sum(rows) FROM system.parts WHERE database = currentDatabase() AND active AND table != 'schema_migrations'
"""
HERE = "SELECT currentDatabase()"
RECORD = "SELECT * FROM schema_migrations"


#: Of each table its name, and which file it is written in and when that was (epoch ns).
Written = frozenset[tuple[str, int, int]]


@dataclass(frozen=True)
class Plan:
    """How to make a database like a migrated one of that name: the statements in their order, what tables there are
    then, and its record of migrations (Native)."""

    database: str
    statements: Sequence[str]
    tables: Sequence[tuple[str, str]]
    record: bytes

    @classmethod
    def of(cls, settings: ClickHouse) -> "Plan":
        """The one of a migrated database."""
        with open_store(settings) as store:
            statements = [text for _, text in store.rows(MADE)]
            tables = [(name, text) for name, text in store.rows(TABLES)]
            return cls(settings.database, statements, tables, store.native(RECORD))

    def make(self, settings: ClickHouse) -> None:
        """Make that database, which does not exist yet."""
        ours, theirs = f"{self.database}.", f"{settings.database}."
        with open_store(settings, database="default") as store:
            store.run(f"CREATE DATABASE {settings.database}")
            for statement in self.statements:
                store.run(statement.replace(ours, theirs))
        with open_store(settings) as store:
            store.insert_native(MIGRATIONS, self.record)
            assert list(store.rows(TABLES)) == [(name, text.replace(ours, theirs)) for name, text in self.tables]


@dataclass(frozen=True)
class Kept:
    """A database, a connection to it and one for tests, its tables as they were made, and the parts that hold its
    record of migrations: a test that writes there leaves others."""

    settings: ClickHouse
    store: Store
    lent: Store
    tables: Written
    migrations: tuple[str, ...]


class Databases:
    """The databases of one store: one of each kind at a time, and those that tests make themselves. A first
    one is migrated, and all are made like it. It is not kept, nor is any other longer than it is needed: each that is
    there takes half a percent of a core."""

    def __init__(self, store: ClickHouse, prefix: str = "test") -> None:
        self._settings = store
        self._prefix = prefix
        self._made = 0
        self._plans: dict[bool, Plan] = {}
        self._kept: dict[bool, Kept] = {}

    def unused(self) -> ClickHouse:
        """Settings of a database that does not exist yet."""
        self._made += 1
        return msgspec.structs.replace(self._settings, database=f"{self._prefix}_{self._made}")

    def empty(self, *, lasting: bool) -> ClickHouse:
        """Settings of a migrated database with nothing in it: the one of last time, or a new one if a test changed
        its tables or what it says of migrations.

        `lasting`: its tables keep rows of any age, for tests whose clock stands still.
        """
        if kept := self._kept.get(lasting):
            if _emptied(kept):
                return kept.settings
            self._close(lasting)
        settings = self.new(lasting=lasting)
        store = open_store(settings)
        lent = open_store(settings)
        self._kept[lasting] = Kept(settings, store, lent, _written(settings), _parts(store)[MIGRATIONS])
        return settings

    def connection(self, settings: ClickHouse) -> Store:
        """A connection to one that `empty` gave: the one of last time, or a new one if a test closed it or left it in
        another state. The driver asks for all settings of the engine each time one is opened, which takes as long as
        ten questions."""
        ((lasting, kept),) = ((lasting, each) for lasting, each in self._kept.items() if each.settings == settings)
        if not _answers(kept):
            kept.lent.close()
            kept = self._kept[lasting] = replace(kept, lent=open_store(settings))
        return kept.lent

    def new(self, *, lasting: bool) -> ClickHouse:
        """Settings of a database made now, which nobody else is given."""
        if plan := self._plans.get(lasting):
            settings = self.unused()
            plan.make(settings)
        elif lasting:
            settings = self.new(lasting=False)
            with open_store(settings) as store:
                for (table,) in store.rows(WITH_TTL):
                    store.run(f"ALTER TABLE {table} REMOVE TTL")
            self._plans[lasting] = Plan.of(settings)
        else:
            first = self.unused()
            migrate(first)
            self._plans[lasting] = Plan.of(first)
            self.drop(first)
            settings = self.new(lasting=lasting)
        return settings

    @contextmanager
    def opened(self, *, lasting: bool) -> Iterator[Store]:
        """A connection to a database made now, which is removed at the end."""
        settings = self.new(lasting=lasting)
        store = open_store(settings)
        try:
            yield store
        finally:
            store.close()
            self.drop(settings)

    def drop(self, settings: ClickHouse) -> None:
        """Remove a database with all that is in it, if it exists."""
        store = open_store(settings, database="default")
        store.run("DROP DATABASE IF EXISTS {database:Identifier} SYNC", {"database": settings.database})
        store.close()

    def close(self) -> None:
        """Remove those that are kept."""
        for lasting in list(self._kept):
            self._close(lasting)

    def _close(self, lasting: bool) -> None:
        kept = self._kept.pop(lasting)
        kept.lent.close()
        kept.store.close()
        self.drop(kept.settings)


def _written(settings: ClickHouse) -> Written:
    """The tables of a database. The engine writes what makes a table into a file of its own, which each change of it
    replaces; to ask the engine takes fifty times as long."""
    files = (Path(settings.path) / "metadata" / settings.database).iterdir()
    return frozenset((each.name, (stat := each.stat()).st_ino, stat.st_mtime_ns) for each in files)


def _parts(store: Store) -> dict[str, tuple[str, ...]]:
    """Of each table that was written to, the names of its active parts."""
    return {str(table): tuple(names) for table, names in store.rows(WRITTEN)}


def _answers(kept: Kept) -> bool:
    """Whether the connection for tests gives what is asked, and nothing of what a test asked that failed."""
    try:
        return list(kept.lent.rows(HERE)) == [(kept.settings.database,)]
    except StoreError:
        return False


def _emptied(kept: Kept) -> bool:
    """Empty it; False where its tables or its record of migrations are not those it was made with, or where it does
    not get empty."""
    store = kept.store
    if _written(kept.settings) != kept.tables:
        return False
    written = _parts(store)
    if written.pop(MIGRATIONS, ()) != kept.migrations:
        return False
    for table in written:
        store.run(f"TRUNCATE TABLE {table}")
    return not written or not store.rows(ROWS)[0][0]
