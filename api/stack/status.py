"""What `repmon status` shows, asked of the broker, of the store, and of the stages that can be reached from here."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import msgspec

from api.http.health import ANSWER_S, StoreQuestion
from api.http.metrics import HealthBody
from api.stack.behind import places_of, stored_next
from api.stack.health import addresses, failing
from api.text.status import StageSeen, StatusSeen
from jobs.hooks.shown import read_hook
from jobs.notify.outbox import Outbox
from jobs.setup.migrate import migrations
from jobs.setup.retention import changes, kept_days
from schemas import topics
from schemas.errors import ExternalError
from schemas.settings import Settings, SettingsError
from schemas.times import DAY_MS, DAY_S, utc_now_ms
from streams.decisions.holds import held_alerts
from streams.incidents.stored import read_incidents
from streams.io.broker import admin, begins, ends, topic_states
from streams.io.deployment import known_deployment
from streams.io.outgoing import count_unsent
from streams.io.store import Store, open_store
from streams.io.whole_time import within

#: How long messages are watched to say how many come and are stored in a second, in s.
WATCH_S = 3.0
READ_BYTES = 2_000_000
LAST_STORED, WAITING = (
    re.compile(rf"^repmon_{name}(?:\{{\}})? (\S+)$", re.MULTILINE)
    for name in ("ingest_last_stored_ms", "monitor_waiting_customers")
)

VERSION = "SELECT version()"
APPLIED = "SELECT count(DISTINCT number) FROM schema_migrations"
LAST_JUDGED = "SELECT toUnixTimestamp64Milli(toDateTime64(max(updated), 3, 'UTC')) FROM standings"
DEAD_LETTERS = """
SELECT count() FROM dead_letters WHERE time >= fromUnixTimestamp64Milli({since:Int64})
"""
#: What nobody can read or count any more.
LOST = """
SELECT kind, source, lost FROM incidents FINAL
WHERE kind IN ('gap', 'deleted', 'missing') AND time >= fromUnixTimestamp64Milli({since:Int64}) ORDER BY time, source
"""
ZONES = "SELECT count(DISTINCT zone) FROM blocklist_turns"
DISTRUSTED = "SELECT DISTINCT zone FROM blocklist_trust FINAL WHERE NOT trusted ORDER BY zone"


class _Faults(dict[str, str]):
    """Why something could not be asked, by its name."""

    @contextmanager
    def noted(self, name: str) -> Iterator[None]:
        """An error of what is asked within is noted, not raised."""
        try:
            yield
        except ExternalError as error:
            self.setdefault(name, str(error))


def read_status(
    settings: Settings,
    running: str = "",
    named: Sequence[str] = (),
    *,
    watch_s: float = WATCH_S,
    clock: Callable[[], int] = utc_now_ms,
) -> StatusSeen:
    """Ask everything; what fails is said in what is returned.

    `settings` are those of the installation, `running` is the address of a `repmon up` that was found, and `named` are
    addresses of stages: these must answer. Others by the settings are shown where they do.
    """
    faults, found = _Faults(), dict[str, Any]()
    store: Store | None = None
    with faults.noted("store"):
        store = open_store(_patient(settings).clickhouse)
    try:
        if store is not None:
            with faults.noted("store"):
                found |= _of_store(store, settings, clock())
        with faults.noted("broker"):
            found |= _of_broker(settings, store, faults, watch_s)
    finally:
        if store is not None:
            store.close()
    return StatusSeen(
        now_ms=clock(),
        broker=f"Kafka at {settings.kafka.bootstrap}",
        broker_fault=faults.get("broker", ""),
        store=f"chDB in {settings.clickhouse.path}" if settings.clickhouse.path else settings.clickhouse.url,
        store_fault=faults.get("store", ""),
        least_free_bytes=settings.metrics.least_free_mb * 1_000_000,
        stages=tuple(_stages(settings, running, named)),
        **found,
    )


def _patient(settings: Settings) -> Settings:
    """The settings, with a store that is waited for as long as a person waits."""
    patient = min(settings.clickhouse.timeout_s, ANSWER_S)
    return msgspec.structs.replace(settings, clickhouse=msgspec.structs.replace(settings.clickhouse, timeout_s=patient))


def _of_store(store: Store, settings: Settings, now_ms: int) -> dict[str, Any]:
    found: dict[str, Any] = {"store_version": str(store.rows(VERSION)[0][0])}
    applied = int(store.rows(APPLIED)[0][0])
    found["migrations_missing"] = max(0, len(migrations()) - applied)
    if (disk := StoreQuestion(settings.clickhouse).disk_of(store)) is not None:
        found |= {"disk_free_bytes": disk.free_bytes, "disk_total_bytes": disk.total_bytes}
    found["kept_days"] = msgspec.structs.asdict(settings.retention)
    found["kept_otherwise"] = tuple(each.line() for each in changes(kept_days(store), settings.retention))
    found["last_judged_ms"] = int(store.rows(LAST_JUDGED)[0][0])
    since = {"since": now_ms - DAY_MS}
    found["dead_letters"] = int(store.rows(DEAD_LETTERS, since)[0][0])
    lost = store.rows(LOST, since)
    found["losses"] = tuple(f"{kind} at {source} ({int(number):,} messages)" for kind, source, number in lost)
    found["zones"] = int(store.rows(ZONES)[0][0])
    found["distrusted_zones"] = tuple(str(zone) for (zone,) in store.rows(DISTRUSTED))
    going_on = [each for each in read_incidents(store, now_ms // 1000 - DAY_S).in_force() if each.open]
    found["incidents"] = tuple(f"{each.id[:8]} ({each.value}, {each.state})" for each in going_on)
    found["hook"] = read_hook(store, settings.hook.failing_after_s, now_ms)
    found["held_customers"] = len({each.customer for each in held_alerts(store)})
    found["deployment"] = known_deployment(store, settings.deployment.name).label
    found["unsent_decisions"], found["unsent_since_ms"] = count_unsent(store, now_ms)
    found["routes"] = tuple(Outbox(store).totals(now_ms, now_ms - DAY_MS))
    found["route_names"] = tuple(each.name for each in settings.notify.routes)
    return found


def _of_broker(settings: Settings, store: Store | None, faults: _Faults, watch_s: float) -> dict[str, Any]:
    client = admin(settings.kafka, ANSWER_S)
    wanted = tuple(topics.with_sources(settings.ingest.formats))
    states = topic_states(client, wanted, ANSWER_S)
    found: dict[str, Any] = {
        "topics": len(wanted),
        "missing_topics": tuple(name for name in wanted if name not in states),
    }
    read = {name: states[name] for name in (*settings.ingest.formats, topics.MAIL_BLOCKLISTINGS) if name in states}
    if store is None or "store" in faults:
        return found
    with faults.noted("store"):
        began = time.monotonic()
        stored, at_end = stored_next(store, read), ends(client, places_of(read))
        time.sleep(watch_s)
        later_stored, later_end, took_s = (
            stored_next(store, read),
            ends(client, places_of(read)),
            time.monotonic() - began,
        )
        first = begins(client, [place for place in places_of(read) if not later_stored[place]])
        lag = dict.fromkeys(read, 0)
        for place, end in later_end.items():
            lag[place[0]] += max(0, end - max(later_stored[place], first.get(place, 0)))
        found["lag"] = lag
        found["coming_per_s"] = sum(later_end[place] - at_end[place] for place in at_end) / took_s
        found["counted_per_s"] = sum(later_stored[place] - stored[place] for place in stored) / took_s
    return found


def _stages(settings: Settings, running: str, named: Sequence[str]) -> Iterator[StageSeen]:
    must = dict.fromkeys([*([running] if running else []), *(each.rstrip("/") for each in named)])
    for url in must:
        yield ask_stage(url)
    for host, port in addresses(settings):
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        if url not in must and (found := ask_stage(url)).name:
            yield found


def ask_stage(url: str, timeout_s: float = ANSWER_S) -> StageSeen:
    """A stage as it answers. Without a `name` it is no stage of ours, or none answers.

    Raises:
        SettingsError: the address cannot be used.
    """
    try:
        _, body = _get(url, "/healthz", timeout_s)
        health = msgspec.json.decode(body, type=HealthBody)
        _, numbers = _get(url, "/metrics", timeout_s)
    except TimeoutError:
        return StageSeen(url=url, said=f"no whole answer within {timeout_s:g} s")
    except (OSError, HTTPException) as error:
        return StageSeen(url=url, said=f"no answer: {str(error) or type(error).__name__}")
    except msgspec.DecodeError:
        return StageSeen(url=url, said="what answers there is no stage")
    last, waiting = LAST_STORED.search(numbers), WAITING.search(numbers)
    return StageSeen(
        url=url,
        name=health.stage,
        well=health.status == "ok",
        said=failing(body),
        last_stored_ms=int(float(last[1])) if last else 0,
        waiting=int(float(waiting[1])) if waiting else 0,
    )


def _get(url: str, path: str, timeout_s: float) -> tuple[int, str]:
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise SettingsError(f"--stage: {url}: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise SettingsError(f"--stage: {url}: an address begins with http:// or https://, and names a host")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with within(timeout_s) as whole, closing(kind(host, port, timeout=timeout_s)) as connection:
        whole.watch(connection)
        connection.request("GET", f"{parts.path.rstrip('/')}{path}")
        answer = connection.getresponse()
        return answer.status, answer.read(READ_BYTES).decode("utf-8", "replace")
