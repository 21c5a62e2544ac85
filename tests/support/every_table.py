"""Rows in every table, whatever its columns are: random, and the same for the same seed."""

from streams.io.store import Store

TABLES = """
SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name
"""
COLUMNS = """
SELECT name, type FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} AND default_kind NOT IN ('MATERIALIZED', 'ALIAS')
ORDER BY position
"""
ROWS = 70
#: Some rows are older than any table keeps them, a third are of the last day.
OLDEST_DAYS = 1_000
#: Times as the engine has them; random ones would be of any century.
AGO = (
    "now() - toIntervalSecond(toUInt32("
    f"pow(cityHash64(rowNumberInAllBlocks(), {{seed}}) % 1000000 / 1000000, 6) * {OLDEST_DAYS * 86_400}))"
)
#: What stands around the type of a column that merges add up.
SIMPLE = "SimpleAggregateFunction("


def fill_every_table(store: Store, seed: int) -> set[str]:
    """Put rows into each table; returns their names. Half of the rows have a key that another one has."""
    tables = {str(name) for (name,) in store.rows(TABLES)}
    for table in sorted(tables - {"schema_migrations"}):
        columns = [(str(name), _plain(str(kind))) for name, kind in store.rows(COLUMNS, {"table": table})]
        values = ", ".join(_value(name, kind, seed + place) for place, (name, kind) in enumerate(columns))
        names = ", ".join(f"`{name}`" for name, _ in columns)
        structure = ", ".join(f"`{name}` {kind}" for name, kind in columns)
        quoted = structure.replace("'", "\\'")
        random_rows = f"generateRandom('{quoted}', {seed}, 12, 3)"
        for _ in range(2):
            store.run(f"INSERT INTO {table} ({names}) SELECT {values} FROM {random_rows} LIMIT {ROWS}")  # noqa: S608
    return tables


def _plain(kind: str) -> str:
    """The type of the values."""
    return kind.removeprefix(SIMPLE)[:-1].partition(", ")[2] if kind.startswith(SIMPLE) else kind


def _value(name: str, kind: str, seed: int) -> str:
    ago = AGO.replace("{seed}", str(seed))
    if kind.startswith("DateTime64"):
        return f"toDateTime64({ago}, 3, 'UTC')"
    if kind.startswith("DateTime"):
        return ago
    return f"toDate({ago})" if kind == "Date" else f"`{name}`"
