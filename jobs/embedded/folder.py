"""The data folder of the embedded default: its lock, its secrets, and where what runs in it can be reached."""

import fcntl
import logging
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from schemas.settings import ClickHouse, Kafka, SettingsError

log = logging.getLogger("repmon.folder")
RUNNING = "running.json"
LOCK = "lock"
HASH_KEY = "hash.key"
#: The password of the user who only reads the embedded store, the same at every start.
READER_KEY = "grafana.key"
#: What keys hashes of recipients (streams/adapt/base.py).
MAX_HASH_KEY_BYTES = blake2b.MAX_KEY_SIZE
LEAST_PASSWORD = 16
#: How often a lock is tried, and how long it is left alone in between, in s.
LOCK_TRIES, LOCK_PAUSE_S = 5, 0.02
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
OTHERS = stat.S_IRWXG | stat.S_IRWXO
READER_KEY_LOST = "remove it to start with a new one, and run `repmon dashboards deploy` again"
KEY_LOST = "it keys the hashes of recipients: bring it back, or remove it to start with a new one"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Where the stages that run on a data folder can be reached, for commands on the same machine."""

    pid: int
    kafka: Kafka
    clickhouse: ClickHouse
    api: str
    #: The user who only reads the store, if it is the embedded one; its password is in the data folder.
    reader: str = ""


def real_path(path: str) -> Path:
    """The one spelling of a data folder, without links, `..` and `~`: to the engine each spelling is another folder.

    Raises:
        SettingsError: it has none, as where the working folder was removed.
    """
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"data folder {path}: {reason}") from error


class DataFolder:
    """One data folder, held by one process at a time. `path` is its real path, however it was spelled.

    Raises:
        SettingsError: it has no real path.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = real_path(str(path))
        self._lock: int | None = None

    @property
    def chdb(self) -> Path:
        """The store's own folder."""
        return self.path / "store"

    def make(self) -> None:
        """Make the folder if it is missing, without locking it. One that was open to others is closed to them.

        Raises:
            SettingsError: it cannot be made.
        """
        try:
            self.path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            self._close_to_others()
        except OSError as error:
            raise SettingsError(f"data folder {self.path}: cannot be written: {error.strerror}") from error

    def _close_to_others(self) -> None:
        """Events, keys and passwords lie here. A folder that may hold other things too is left as it is."""
        mode = stat.S_IMODE(self.path.stat().st_mode)
        if not mode & OTHERS:
            return
        names = {each.name for each in self.path.iterdir()}
        if names and not names & {LOCK, HASH_KEY}:
            log.warning("data folder %s: others may enter it (mode %o); it should be 700", self.path, mode)
            return
        try:
            self.path.chmod(PRIVATE_FOLDER)
        except PermissionError:
            log.warning("data folder %s: others may enter it (mode %o), and it is not ours to close", self.path, mode)
        else:
            log.info("data folder %s: closed to others (mode %o before, 700 now)", self.path, mode)

    def take(self) -> None:
        """Make and lock the folder.

        Raises:
            SettingsError: it cannot be written, or another process holds it.
        """
        self.make()
        lock = None
        try:
            lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            _lock_soon(lock)
        except OSError as error:
            if lock is not None:
                os.close(lock)
            held = isinstance(error, BlockingIOError)
            reason = "another repmon is running in it" if held else f"cannot be written: {error.strerror}"
            raise SettingsError(f"data folder {self.path}: {reason}") from error
        self._lock = lock

    @property
    def is_held(self) -> bool:
        """Whether a process holds it, whatever can be reached of it already."""
        try:
            lock = os.open(self.path / LOCK, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def give_back(self, *, unlock: bool = True) -> None:
        """Say that nothing can be reached here any more, and unlock; without `unlock` the folder stays locked until
        this process ends. Without the lock nothing is done: another process runs it."""
        if self._lock is None:
            return
        with suppress(FileNotFoundError):
            (self.path / RUNNING).unlink()
        if not unlock:
            return
        os.close(self._lock)
        self._lock = None

    def hash_key(self, configured: str) -> str:
        """The configured key of recipient hashes, or one made for this folder once and kept in it.

        Raises:
            SettingsError: the kept one cannot be used; the file is named.
        """
        if configured:
            return configured
        file = self.path / HASH_KEY
        key = _kept(file, lambda: secrets.token_hex(32), KEY_LOST)
        if not 1 <= len(key.encode()) <= MAX_HASH_KEY_BYTES:
            found = f"holds {len(key.encode())} bytes in place of 1 to {MAX_HASH_KEY_BYTES}" if key else "is empty"
            raise SettingsError(f"{file}: {found}; {KEY_LOST}")
        return key

    def reader_password(self) -> str:
        """The password of the user who only reads the embedded store, made for this folder once and kept in it.

        Raises:
            SettingsError: the kept one cannot be used; the file is named.
        """
        self.make()
        file = self.path / READER_KEY
        password = _kept(file, lambda: secrets.token_urlsafe(24), READER_KEY_LOST)
        if len(password) < LEAST_PASSWORD:
            raise SettingsError(
                f"{file}: holds {len(password)} characters in place of {LEAST_PASSWORD} or more; {READER_KEY_LOST}"
            )
        return password

    def announce(self, running: Running) -> None:
        """Let other commands of this user find us."""
        _write_private(self.path / RUNNING, msgspec.json.encode(running).decode())


def _lock_soon(lock: int) -> None:
    """Lock it. Whoever looks whether it is held (`DataFolder.is_held`) holds it for a moment."""
    for _ in range(LOCK_TRIES - 1):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(LOCK_PAUSE_S)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _kept(file: Path, make: Callable[[], str], lost: str) -> str:
    """A secret that is kept in a file of its own, made if there is none. One that others may read is closed to them.

    Raises:
        SettingsError: it cannot be read or written; `lost` says what then.
    """
    try:
        if not file.exists():
            _write_private(file, make())
        elif stat.S_IMODE(file.stat().st_mode) & OTHERS:
            with suppress(PermissionError):  # of another user, who let us read it
                file.chmod(PRIVATE_FILE)
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise SettingsError(f"{file}: {reason}; {lost}") from error


def _write_private(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)  # of a process that was killed, and perhaps with wider rights
    try:
        with open(
            part, "x", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, PRIVATE_FILE)
        ) as written:
            written.write(text)
        part.replace(file)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
