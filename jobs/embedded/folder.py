"""The data folder of the embedded default: its lock, its secrets, and how other commands reach what runs in it."""

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

import msgspec

from schemas.settings import ClickHouse, Kafka, Settings, SettingsError

RUNNING = "running.json"
LOCK = "lock"
HASH_KEY = "hash.key"
#: The value of `ingest.hash_key` that stands for "not set".
UNSET_KEY = "change-me"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Where the stages that run on a data folder can be reached, for commands on the same machine."""

    pid: int
    kafka: Kafka
    clickhouse: ClickHouse
    api: str


class DataFolder:
    """One data folder, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def chdb(self) -> Path:
        """The store's own folder."""
        return self.path / "store"

    def take(self) -> None:
        """Make and lock the folder.

        Raises:
            SettingsError: it cannot be written, or another process holds it.
        """
        lock = None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if lock is not None:
                os.close(lock)
            held = isinstance(error, BlockingIOError)
            reason = "another repmon is running in it" if held else f"cannot be written: {error.strerror}"
            raise SettingsError(f"data folder {self.path}: {reason}") from error
        self._lock = lock

    def give_back(self) -> None:
        """Unlock, and say that nothing runs here. Without the lock nothing is done: another process runs it."""
        if self._lock is None:
            return
        with suppress(FileNotFoundError):
            (self.path / RUNNING).unlink()
        os.close(self._lock)
        self._lock = None

    def hash_key(self, configured: str) -> str:
        """The configured key of recipient hashes, or one made for this folder once and kept in it."""
        if configured != UNSET_KEY:
            return configured
        file = self.path / HASH_KEY
        if not file.exists():
            _write_private(file, secrets.token_hex(32))
        return file.read_text().strip()

    def announce(self, running: Running) -> None:
        """Let other commands of this user find us."""
        _write_private(self.path / RUNNING, msgspec.json.encode(running).decode())


def reached(settings: Settings) -> Settings:
    """The settings, with broker and store of what runs in the data folder where neither is configured."""
    untouched = Settings()
    if settings.kafka != untouched.kafka or settings.clickhouse != untouched.clickhouse:
        return settings
    try:
        running = msgspec.json.decode((Path(settings.embedded.data) / RUNNING).read_bytes(), type=Running)
        os.kill(running.pid, 0)
    except (OSError, msgspec.DecodeError):
        return settings
    folder = DataFolder(Path(settings.embedded.data))
    key = folder.hash_key(settings.ingest.hash_key)
    return msgspec.structs.replace(
        settings,
        kafka=running.kafka,
        clickhouse=running.clickhouse,
        ingest=msgspec.structs.replace(settings.ingest, hash_key=key),
    )


def _write_private(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(file)
