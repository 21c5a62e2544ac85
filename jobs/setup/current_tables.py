"""`schemas/clickhouse/CURRENT.sql`: every table and view as it stands after all migrations.

The file is for people who want to see a table whole; nothing runs it. `make schemas` writes it.
"""

import re
import sys
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse
from streams.io.store import Store, open_store

FILE = "CURRENT.sql"
HEAD = """\
-- All tables and views as they stand after all migrations, on a single server; with a cluster their engines are the
-- replicated ones. Written by `make schemas` from a migrated store, to be read: a change is a new numbered migration.
"""
TABLES = """
SELECT formatQuery(create_table_query) FROM system.tables
WHERE database = currentDatabase() ORDER BY name
"""


def current_tables(store: Store) -> str:
    """The statements that would make what is there now, by name. The database is called `reputation` in them.

    Raises:
        StoreError: the store failed.
    """
    database = re.compile(rf"\b{re.escape(store.settings.database)}\.")
    statements = [database.sub("reputation.", str(text)) for (text,) in store.rows(TABLES)]
    return HEAD + "".join(f"\n{statement};\n" for statement in statements)


def main() -> None:
    """Write the file, from an embedded store made for it."""
    with TemporaryDirectory() as folder:
        settings = ClickHouse(path=folder)
        migrate(settings)
        store = open_store(settings)
        try:
            text = current_tables(store)
        finally:
            store.close()
    file = Path(str(resources.files("schemas").joinpath("clickhouse", FILE)))
    file.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{file.name}: written\n")


if __name__ == "__main__":
    main()
