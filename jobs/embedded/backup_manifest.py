"""What a backup of the embedded store says of itself. Pure.

A backup is a folder: `store`, laid out as the engine lays out its own, so that it can be opened; `manifest.json`,
written last, with every file and its digest; and `hash.key`, without which recipients would have other hashes.
"""

import re
from collections.abc import Mapping

import msgspec

FORMAT = 1
MANIFEST = "manifest.json"
#: A time in the name of a folder: 20261130T060001Z.
NAME = re.compile(r"\d{8}T\d{6}Z")


class BackedUpFile(msgspec.Struct, frozen=True, array_like=True):
    """A file below `store`: its size in bytes and its BLAKE2b (32 hex digits)."""

    path: str
    size: int
    digest: str


class BackupFormat(msgspec.Struct, frozen=True, kw_only=True):
    """What every version can read of every manifest."""

    format: int
    repmon: str = "of another version"


class BackupManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One backup. `time_ms` is when its counts were taken (epoch ms, UTC); `rows` are those of each table. `seconds` is
    how long it took. `hash_key` is the digest of the file with the key, empty where there is none."""

    format: int
    repmon: str
    clickhouse: str
    database: str
    time_ms: int
    seconds: float
    rows: Mapping[str, int]
    files: tuple[BackedUpFile, ...]
    hash_key: str = ""

    @property
    def size(self) -> int:
        """All its bytes."""
        return sum(each.size for each in self.files)


def order(tables: Mapping[str, str]) -> list[str]:
    """Tables in the order in which they are taken. The counts come first: what is stored before counts then lies at
    most behind them, as it does after a kill, and a worker that continues at their offset knows what to do with it."""
    return sorted(tables, key=lambda name: (name != "counts", name))


def without_ttl(statement: str) -> str:
    """The statement of a table with no TTL, so that rows are there to be read, however old they are."""
    return re.sub(r"^TTL .*\n", "", statement, flags=re.MULTILINE)
