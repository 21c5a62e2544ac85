"""Which broker and which store a stack uses: the embedded ones, each where the settings name no other."""

import errno
import os
import secrets
from pathlib import Path

import msgspec

from jobs.embedded.broker import EmbeddedBroker
from jobs.embedded.durable import DiskSync, set_durable
from jobs.embedded.folder import DataFolder
from jobs.embedded.packages import BROKER, STORE, check_installed
from jobs.embedded.reader import READER, ReaderAccess
from jobs.embedded.restore import unfinished_restore
from jobs.embedded.store_server import StoreServer
from schemas.settings import ClickHouse, Settings, SettingsError, names_broker, names_store
from streams.io.store import open_store


def why_broker(settings: Settings) -> tuple[bool, str]:
    """Whether the broker is to be the embedded one, and why, for people."""
    if not settings.embedded.broker:
        return False, "--kafka or embedded.broker = false"
    if names_broker(settings):
        return False, "named by kafka.bootstrap"
    return True, "kafka.bootstrap names no other"


def why_store(settings: Settings) -> tuple[bool, str]:
    """Whether the store is to be the embedded one, and why, for people."""
    if not settings.embedded.store:
        return False, "--clickhouse or embedded.store = false"
    if names_store(settings):
        return False, "named by clickhouse.url"
    return True, "clickhouse.path" if settings.clickhouse.path else "clickhouse.url names no other"


class EmbeddedParts:
    """The broker and the store that a stack brings with it; each is None where it uses another.

    `why` replaces the reason that is shown, where it is not one of the settings.
    """

    def __init__(self, settings: Settings, folder: DataFolder, why: str = "") -> None:
        self._folder = folder
        self._why = why
        self.settings = settings
        self.broker: EmbeddedBroker | None = None
        self.store: StoreServer | None = None
        self._sync: DiskSync | None = None

    def start_broker(self) -> str:
        """Start the broker if it is to be embedded; afterwards `settings` say where it is. Only our own stages reach it
        before its gate is opened. Returns which it is and why.

        Raises:
            SettingsError, BrokerError: what is wrong, or missing.
        """
        embedded, why = why_broker(self.settings)
        if embedded:
            check_installed(BROKER)
            port, log_file = self.settings.embedded.broker_port, self._folder.path / "broker.log"
            broker = EmbeddedBroker(port, log_file, self.settings.kafka, closed=True)
            broker.start()
            self.broker = broker
            self.settings = msgspec.structs.replace(self.settings, kafka=broker.kafka)
        return f"{'embedded, at' if embedded else 'Kafka at'} {self.settings.kafka.bootstrap} ({self._why or why})"

    def start_store(self) -> str:
        """Serve the store to others if it is to be embedded; afterwards `settings` say where it is. Returns which it is
        and why.

        Raises:
            SettingsError: the port, an option or the reading user's password in the data folder cannot be used, or a
                restore was ended before there was a store again.
        """
        own = self.settings.clickhouse
        embedded, why = why_store(self.settings)
        if not embedded:
            return f"{f'chDB in {own.path}' if own.path else f'ClickHouse at {own.url}'} ({why})"
        if own.cluster:
            raise SettingsError(
                "clickhouse.cluster: the embedded store is no cluster, and clickhouse.url names no other"
            )
        check_installed(STORE)
        path = str(DataFolder(own.path).path) if own.path else str(self._folder.chdb)
        if fault := unfinished_restore(Path(path)):
            raise SettingsError(fault)
        port = self.settings.embedded.store_port
        reader = ReaderAccess(self._folder.reader_password())
        try:
            self.store = StoreServer(path, port, own.password or secrets.token_urlsafe(24), reader=reader)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise SettingsError(
                f"embedded.store_port: {port} cannot be used: {os.strerror(error.errno)}. If ClickHouse runs there, "
                "name it with `--clickhouse` or set embedded.store = false"
            ) from error
        self.store.start()
        self.settings = msgspec.structs.replace(self.settings, clickhouse=msgspec.structs.replace(own, path=path))
        return f"embedded, in {path}, for other programs at 127.0.0.1:{self.store.port} ({self._why or why})"

    def make_durable(self) -> None:
        """Let what is counted be on disk as `embedded.fsync` says, if the store is ours; once its tables are made.

        Raises:
            StoreError: the store failed.
        """
        if self.store is None:
            return
        how, own = self.settings.embedded.fsync, self.settings.clickhouse
        store = open_store(own)
        try:
            set_durable(store, how == "insert")
        finally:
            store.close()
        if how == "second":
            self._sync = DiskSync(own.path)
            self._sync.start()

    def stop_store(self) -> bool:
        """Close the store, if it is ours; True: no statement runs on it any more."""
        if self.store is None:
            return True
        ended = self.store.stop()
        if self._sync is not None:
            self._sync.stop()
        return ended

    @property
    def store_for_others(self) -> ClickHouse:
        """How other processes reach the store."""
        own = self.settings.clickhouse
        if self.store is None:
            return own
        url = f"http://127.0.0.1:{self.store.port}"
        return msgspec.structs.replace(own, url=url, user=ClickHouse().user, password=self.store.password, path="")

    @property
    def reader(self) -> str:
        """The user who only reads the store, if it is ours."""
        return "" if self.store is None else READER
