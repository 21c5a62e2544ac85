"""A store whose clock stands still, judges over it, and mail to be judged."""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas import policy, providers
from schemas.alert import AlertEvent
from schemas.counts import SubjectCounts
from schemas.hold import HoldEvent
from schemas.policy_metric import window_ms
from schemas.policy_rule import Levels
from schemas.settings import MonitorSettings
from schemas.topics import REPUTATION_ALERTS, REPUTATION_HOLDS
from streams.io.store import Store, StoreError
from streams.monitor.batch import BatchJudge
from streams.monitor.half_counted import LateTopic
from streams.windows.current import window_counts
from tests.support.api_client import DAY, MINUTE, NOW, Row

NOW_MS = NOW * 1000
LOOP = providers.load_providers().with_feedback_loop()
WINDOWS = {name: window_ms(name) for name in ("1h", "24h", "7d", "30d")}
SETTINGS = MonitorSettings(judge_every_s=5, long_windows_every_s=60, standings_every_s=15, alone_wait_s=0)
SHOWN = "SELECT customer, standing, volume, toUnixTimestamp64Milli(since) FROM standings FINAL WHERE scope = 'customer'"
_sources = itertools.count()


@dataclass
class Ground:
    """A store whose clock stands still, and judges over it."""

    store: Store
    sent: list[AlertEvent] = field(default_factory=list)
    holds: list[HoldEvent] = field(default_factory=list)

    def put(self, *rows: Row, back: int = 0, source: str = "") -> None:
        """Count these, `back` seconds before now, as of a source of their own unless one is named."""
        columns: dict[str, list[Any]] = {
            "dimension": ["provider"] * len(rows) + ["ip"] * len(rows),
            "value": [row.provider for row in rows] + [row.ip for row in rows],
            "bucket": [datetime.fromtimestamp((row.at - back) // MINUTE * MINUTE, UTC) for row in rows] * 2,
            "source": [source or f"judging{next(_sources)}"] * len(rows) * 2,
        }
        names = ("customer", "stream", *Row._fields[1:9])
        columns |= {name: [getattr(row, name) for row in rows] * 2 for name in names}
        self.store.insert("counts", columns)

    def listed(self, ip: str, back: int, weight: str = "major") -> None:
        row = {"resource": ip, "kind": "ip", "zone": "bl.example", "time": datetime.fromtimestamp(NOW - back, UTC)}
        row |= {"type": "listed", "weight": weight, "id": f"{ip}{back}"}
        self.store.insert("listing_events", {name: [value] for name, value in row.items()})

    def scored(self, customer: str, days_ago: int) -> None:
        """A customer was judged then."""
        at = datetime.fromtimestamp(NOW - days_ago * DAY, UTC)
        row = {"customer": customer, "scope": "customer", "day": at.date(), "updated": at, "standing": "good"}
        self.store.insert("scores", {name: [value] for name, value in row.items()})

    def judge(
        self,
        store: Store | None = None,
        is_behind: Callable[[int], bool] | None = None,
        late_topics: Callable[[int], Sequence[LateTopic]] | None = None,
        **settings: Any,
    ) -> BatchJudge:
        if is_behind is not None:
            late_topics = lambda now_ms: [LateTopic("mail.events")] * is_behind(now_ms)  # noqa: E731

        def publish(topic: str, _key: bytes, value: bytes) -> None:
            if topic == REPUTATION_HOLDS:
                self.holds.append(msgspec.json.decode(value, type=HoldEvent))
            if topic == REPUTATION_ALERTS:
                self.sent.append(msgspec.json.decode(value, type=AlertEvent))

        changed = msgspec.structs.replace(SETTINGS, **settings)
        return BatchJudge(
            store or self.store,
            policy.load_policy(),
            providers.load_providers(),
            publish,
            lambda: None,
            changed,
            late_topics=late_topics,
        )

    def shown(self) -> dict[str, tuple[str, int, int]]:
        """Standing, volume, and since when (ms after now) of each customer."""
        rows = self.store.rows(SHOWN)
        return {customer: (standing, int(volume), since - NOW_MS) for customer, standing, volume, since in rows}


def mild_policy() -> policy.Policy:
    """The built-in one, whose rules on failures give their mildest level at 8 %, and on complaints at 0.4 %."""
    found = policy.load_policy()
    changed = {"failure": Levels(warning=0.08, critical=0.2), "complaint": Levels(warning=0.004, excessive=0.01)}
    rules = [
        msgspec.structs.replace(each, levels=changed[each.metric]) if each.metric in changed else each
        for each in found.rules
    ]
    return msgspec.structs.replace(found, rules=tuple(rules))


class Counting(Store):
    """Counts what is asked of a store, and can fail."""

    def __init__(self, store: Store) -> None:
        super().__init__(store._client, store.settings, store.where)
        self.asked: list[str] = []
        self.failing = ""

    def _note(self, sql: str) -> None:
        self.asked.append(sql)
        if self.failing and self.failing in sql:
            raise StoreError("switched off")

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        self._note(sql)
        return super().rows(sql, parameters)

    def blocks(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[list[Any]]:
        self._note(sql)
        return super().blocks(sql, parameters)

    def insert(self, table: str, columns: Any, settings: Mapping[str, Any] | None = None) -> None:
        self._note(f"INSERT INTO {table}")
        super().insert(table, columns, settings)

    def insert_table(self, table: str, rows: Any, settings: Mapping[str, Any] | None = None) -> None:
        self._note(f"INSERT INTO {table}")
        super().insert_table(table, rows, settings)


def traffic(seed: int, count: int, back: int = 31 * DAY) -> list[Row]:
    """Rows of several customers at random times."""
    chance = random.Random(seed)
    return [
        Row(
            NOW - int(back * chance.random() ** 3),
            delivered=chance.randrange(200),
            hard=chance.randrange(9),
            block=chance.randrange(5),
            expired=chance.randrange(3),
            late_hard=chance.randrange(3),
            complained=chance.randrange(2),
            provider=chance.choice(["yahoo", "gmail", "other"]),
            ip=f"192.0.2.{chance.randrange(8)}",
            stream=chance.choice(["news", "receipts"]),
            customer=f"customer{chance.randrange(12)}",
        )
        for _ in range(count)
    ]


def fresh(ground: Ground, customers: Sequence[str], now_ms: int) -> list[SubjectCounts]:
    found = window_counts(ground.store, customers, WINDOWS, LOOP, now_ms)
    return sorted(found, key=lambda each: (each.customer, each.scope))


CUSTOMERS = [f"customer{number}" for number in range(12)]
