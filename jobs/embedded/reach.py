"""How commands find the broker and the store of a `repmon up` that runs on this machine: through its data folder."""

import os
from typing import NamedTuple, TypeVar

import msgspec

from jobs.embedded.folder import RUNNING, DataFolder, Running
from schemas.errors import ExternalError
from schemas.settings import ClickHouse, Kafka, Settings, SettingsError, names_broker, names_store

#: Fields that say where the running broker and store are and what they hold: never taken from a command's own settings.
_KAFKA_PLACE = ("bootstrap", "static_assignment", "replication")
_STORE_PLACE = (
    "url", "user", "password", "database", "path", "cluster",
    "ca_file", "certificate_file", "key_file", "verify", "server_name",
)  # fmt: skip

AGAIN = "try again in some seconds"
POINT_AT_ONE = (
    "to ask one that runs elsewhere: `repmon --data FOLDER ...`, `repmon -c FILE ...` with its settings, or "
    "REPMON_EMBEDDED__DATA"
)
#: What sets the address of a server instead, by the section of the settings.
ADDRESS = {"clickhouse": "REPMON_CLICKHOUSE__URL", "kafka": "REPMON_KAFKA__BOOTSTRAP"}

Section = TypeVar("Section", Kafka, ClickHouse)


class NotYetError(ExternalError):
    """What runs in the data folder is starting or ending; the message names the folder."""


class ReachedStack(NamedTuple):
    """What was found where a `repmon up` was looked for: one that runs, or None; and where, with why there is none."""

    running: Running | None
    said: str
    #: One holds the folder, and gives no address yet, or no more.
    starting: bool = False


def look(settings: Settings) -> ReachedStack:
    """Look in the data folder that the settings name."""
    try:
        folder = DataFolder(settings.embedded.data)
    except SettingsError as error:
        return ReachedStack(None, str(error))
    where = f"a running `repmon up` was looked for in {folder.path}"
    try:
        running = msgspec.json.decode((folder.path / RUNNING).read_bytes(), type=Running)
    except FileNotFoundError:
        if folder.is_held:
            return ReachedStack(None, f"{where}: one is starting there, or ending; {AGAIN}", starting=True)
        missing = f"nothing runs in it ({RUNNING} is missing)" if folder.path.is_dir() else "there is no such folder"
        return ReachedStack(None, f"{where}: {missing}")
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return ReachedStack(None, f"{where}: {RUNNING}: {reason}")
    try:
        os.kill(running.pid, 0)
    except OSError as error:
        reason = "has ended" if isinstance(error, ProcessLookupError) else f"is another user's: {error.strerror}"
        return ReachedStack(None, f"{where}: the one that ran in it, process {running.pid}, {reason}")
    return ReachedStack(running, f"`repmon up`, process {running.pid}, runs in {folder.path}, and gave this address")


def reached(settings: Settings) -> Settings:
    """The settings, with broker and store of what runs in the data folder, each where no other address is configured.

    Other options of the two sections stay as they are configured.

    Raises:
        SettingsError: the folder's hash key cannot be used.
        NotYetError: it is starting, and no other address is configured.
    """
    own_broker, own_store = names_broker(settings), names_store(settings)
    if own_broker and own_store:
        return settings
    running, _, starting = look(settings)
    if starting and not (own_broker or own_store):
        folder = DataFolder(settings.embedded.data).path
        raise NotYetError(f"`repmon up` is starting in {folder}, or ending, and gives no address: {AGAIN}")
    if running is None:
        return settings
    key = DataFolder(settings.embedded.data).hash_key(settings.ingest.hash_key)
    return msgspec.structs.replace(
        settings,
        kafka=settings.kafka if own_broker else _with_options(running.kafka, settings.kafka, _KAFKA_PLACE),
        clickhouse=settings.clickhouse
        if own_store
        else _with_options(running.clickhouse, settings.clickhouse, _STORE_PLACE),
        ingest=msgspec.structs.replace(settings.ingest, hash_key=key),
    )


def running_api(settings: Settings) -> str:
    """The address of the `repmon up` that runs in the data folder, where its broker or its store is that of these
    settings (such as `reached` gives); empty where none is."""
    running = look(settings).running
    if running is None:
        return ""
    same_broker = running.kafka.bootstrap == settings.kafka.bootstrap
    same_store = bool(running.clickhouse.url) and running.clickhouse.url == settings.clickhouse.url
    return running.api if same_broker or same_store else ""


def where_from(settings: Settings, section: str) -> list[str]:
    """Where the address of a server that cannot be reached is from, and how to name another: lines for a person.

    `settings` are those that were given to `reached`, `section` is `kafka` or `clickhouse`.
    """
    own = names_broker(settings) if section == "kafka" else names_store(settings)
    if own:
        return [f"this address is set in [{section}] or {ADDRESS[section]}, so no running `repmon up` was looked for"]
    found = look(settings)
    if found.running is not None:
        return [found.said]
    return [found.said, f"{POINT_AT_ONE}; a server of its own is named by {ADDRESS[section]}"]


def _with_options(found: Section, own: Section, place: tuple[str, ...]) -> Section:
    """`found`, with each option that `own` sets to something else than its default, but for those of its place."""
    default = type(own)()
    options = {name for name in own.__struct_fields__ if name not in place}
    changed = {name: getattr(own, name) for name in options if getattr(own, name) != getattr(default, name)}
    return msgspec.structs.replace(found, **changed)
