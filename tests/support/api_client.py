"""A running HTTP interface over a real store, as in production: application, HTTP driver, store server, chDB."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from fastapi.testclient import TestClient
from httpx import Response

from api.console.app import add_console
from api.http import keys
from api.http.app import create_app
from api.http.pool import query_limits
from api.routes.all import ROUTERS
from jobs.embedded.store_server import StoreServer
from schemas.alert import AlertEvent
from schemas.applied_policy import AppliedPolicy
from schemas.console import ConsoleSettings
from schemas.policy import Policy
from schemas.settings import Api as ApiSettings
from schemas.settings import ClickHouse, Settings
from streams.alerts.standings import SCORE_COLUMNS
from streams.io.store import Store, open_store
from tests.support.databases import WITH_TTL

MINUTE, HOUR, DAY = 60, 3_600, 86_400
NOW = int(datetime(2026, 3, 12, 12, 34, 56, tzinfo=UTC).timestamp())
_sources = itertools.count()


class Row(NamedTuple):
    """Counts of one minute (epoch s), as a flush writes them for a provider and for an address."""

    at: int
    delivered: int = 0
    hard: int = 0
    soft: int = 0
    block: int = 0
    expired: int = 0
    late_hard: int = 0
    late_block: int = 0
    complained: int = 0
    provider: str = "yahoo"
    ip: str = "192.0.2.1"
    stream: str = "news"
    customer: str = "acme"


MEASURES = Row._fields[1:9]


@dataclass
class Api:
    """A running interface; `get` asks with acme's key."""

    client: TestClient
    store: Store
    server: StoreServer
    clock: list[int]
    key: str

    def get(self, path: str, key: str | None = None, **parameters: Any) -> Response:
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        answer: Response = self.client.get(path, params=parameters or None, headers=headers)
        return answer

    def rates(self, **parameters: Any) -> dict[str, Any]:
        answer = self.get("/v1/rates", **parameters)
        assert answer.status_code == 200, answer.text
        found = dict(answer.json())
        (only,) = found["series"]
        return found | {"points": only["points"]}

    def close_after_each_answer(self) -> None:
        """Make the store server keep no connection, so that stopping it is felt at once."""
        self.server._server.RequestHandlerClass.protocol_version = "HTTP/1.0"  # type: ignore[attr-defined]

    def put(self, rows: Sequence[Row]) -> None:
        columns: dict[str, list[Any]] = {
            "dimension": ["provider"] * len(rows) + ["ip"] * len(rows),
            "value": [row.provider for row in rows] + [row.ip for row in rows],
            "bucket": [datetime.fromtimestamp(row.at // MINUTE * MINUTE, UTC) for row in rows] * 2,
            "source": [f"s{next(_sources)}"] * len(rows) * 2,
        }
        columns |= {name: [getattr(row, name) for row in rows] * 2 for name in ("customer", "stream", *MEASURES)}
        self.store.insert("counts", columns)

    def listing(self, ip: str, at: int, kind: str, weight: str = "major") -> None:
        row = {"resource": ip, "kind": "ip", "zone": "bl.example", "time": datetime.fromtimestamp(at, UTC)}
        row |= {"type": kind, "weight": weight, "id": f"{ip}{at}", "confirmed": True}
        self.store.insert("listing_events", {name: [value] for name, value in row.items()})

    def complained(self, at: int, count: int, sent: int | None = None, provider: str = "yahoo", kind: str = "") -> None:
        """So many complaints at a time (epoch s) about mail sent at another, or nobody knows when."""
        rows = range(count)
        columns: dict[str, list[Any]] = {
            "customer": ["acme" for _ in rows],
            "time": [datetime.fromtimestamp(at, UTC) for _ in rows],
            "type": ["complained" for _ in rows],
            "provider": [provider for _ in rows],
            "feedback_type": [kind for _ in rows],
            "sent_day": [(sent or 0) // DAY for _ in rows],
            "source": [f"e{next(_sources)}" for _ in rows],
        }
        self.store.insert("events", columns)

    def judged(
        self,
        scope: str,
        standing: str,
        since: int,
        reasons: Sequence[str] = (),
        scores: Sequence[int] = (),
        policy_version: str = "default-1",
    ) -> None:
        time = datetime.fromtimestamp(since, UTC)
        row = {"customer": "acme", "scope": scope, "updated": time, "standing": standing, "since": time}
        row |= {"reasons": list(reasons), "policy_version": policy_version}
        row |= dict(zip(SCORE_COLUMNS, scores, strict=False))
        self.store.insert("standings", {name: [value] for name, value in row.items()})

    def alert(self, event: AlertEvent) -> None:
        data = {name: getattr(event.data, name) for name in ("customer", "scope", "rule", "episode", "transition")}
        row = data | {"kind": event.data.kind, "level": event.data.level, "id": event.id}
        row |= {"time": datetime.fromisoformat(event.time), "event": msgspec.json.encode(event).decode()}
        self.store.insert("alerts", {name: [value] for name, value in row.items()})


@contextmanager
def running(
    store_settings: ClickHouse,
    store: Store,
    *,
    expired_is_failure: bool = True,
    policy: Policy | None = None,
    settings: ApiSettings | None = None,
    console: ConsoleSettings | None = None,
) -> Iterator[Api]:
    """The interface over a migrated, empty store; it ends with the block. Its clock stands still (`standing_clock`).
    Without `settings` a key may send any number of requests, as tests do."""
    assert not store.rows(WITH_TTL), "the fixture standing_clock is missing"
    server = StoreServer(store_settings.path, 0, "secret")
    server.start()
    served = msgspec.structs.replace(
        store_settings, path="", url=f"http://127.0.0.1:{server.port}", password="secret", timeout_s=5.0
    )
    clock, published = [NOW * 1000], list[AppliedPolicy]()
    # What a test has just stored it wants to see at once.
    asked = settings or ApiSettings(
        requests_per_minute=1_000_000, operator_requests_per_minute=1_000_000, rates_age_s=0.0
    )
    app = create_app(
        lambda: open_store(served, limits=query_limits(asked)),
        ROUTERS,
        lambda: clock[0],
        expired_is_failure=expired_is_failure,
        policy=(lambda _: policy) if policy else None,
        publish=published.append,
        settings=Settings(api=asked, console=console or ConsoleSettings()),
    )
    add_console(app)
    key = keys.create_key(store, "acme", "", NOW * 1000)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Api(client, store, server, clock, key)
    server.stop()
