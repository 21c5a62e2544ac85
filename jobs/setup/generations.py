"""Tables of another version than this one: whether workers of both may count in them side by side.

A migration whose name ends in `_beside` changes nothing for workers of earlier versions: it adds what they neither
write nor read. While any other is made they must be stopped, and afterwards they must not be started again, since they
would count wrongly. What was applied is recorded by name, so that an older version can tell too.
"""

from jobs.setup.migrate import BESIDE, migrations
from schemas.version import VERSION
from streams.io.store import Store, StoreError

NAMES = """
SELECT number, name FROM schema_migrations FINAL WHERE number > {known:UInt32} ORDER BY number
"""


def unknown_migrations(store: Store) -> list[str]:
    """What a newer version applied, in order: migrations that this one does not have.

    Raises:
        StoreError: the store failed, or has no tables.
    """
    known = migrations()[-1].number
    return [f"{int(number):04}_{name}" for number, name in store.rows(NAMES, {"known": known})]


def check_generation(store: Store) -> list[str]:
    """What operators should know of tables that are newer than this version; nothing where they are not.

    Raises:
        StoreError: this version must not work with them; or the store failed.
    """
    if not (newer := unknown_migrations(store)):
        return []
    known = migrations()[-1]
    said = (
        f"{store.where}: its tables are newer than this version: {', '.join(newer)} "
        f"{'was' if len(newer) == 1 else 'were'} applied, and "
        f"repmon {VERSION} knows up to {known.number:04}_{known.name}"
    )
    if all(each.endswith(BESIDE) for each in newer):
        return [f"{said}. It may go on beside the newer one; upgrade it soon"]
    raise StoreError(f"{said}. It would count wrongly in them: install the newer version here too")
