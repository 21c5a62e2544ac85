"""`repmon up` is killed and started again: its broker comes back empty, its counts stay, and nothing counts twice."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Message

from jobs import simulate
from jobs.embedded.reach import reached
from schemas import topics
from schemas.settings import Embedded, Settings
from schemas.topics import MAIL_BLOCKLISTINGS, MAIL_EVENTS
from streams.io.broker import admin, topic_ids
from streams.io.store import Store, open_store
from tests.faults.workers import Worker
from tests.support.truth import EVENT, LISTING, OFFSETS, Sender, Sent, Traffic, differences, shown, uncounted
from tests.support.waiting import wait_for

UP_S = 60.0
COUNTED_S = 60.0
ENDLESS = 1_000_000


class Up:
    """One running `repmon up`, and what its user knows of it."""

    def __init__(self, folder: Path) -> None:
        self._settings = reached(Settings(embedded=Embedded(data=str(folder / "data"))))
        self.store: Store = open_store(self._settings.clickhouse)
        self.ids = topic_ids(admin(self._settings.kafka), list(topics.load_topics()))
        # One request at a time, so that messages without an answer stand where they were sent.
        one_by_one = {"enable.idempotence": False, "max.in.flight.requests.per.connection": 1, "retries": 0}
        self.sender = Sender(self._settings.kafka, **one_by_one)
        self.log: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        self.sender.settled = self._note

    def _note(self, message: Message) -> None:
        topic, partition = message.topic(), message.partition()
        if topic is not None and partition is not None and partition >= 0:
            self.log[topic, partition].append(message.value() or b"")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], tuple[Up, Worker]]]:
    """Starts `repmon up` on one data folder, again and again."""
    environment = {
        "REPMON_EMBEDDED__DATA": str(tmp_path / "data"),
        "REPMON_EMBEDDED__BROKER_PORT": "0",
        "REPMON_EMBEDDED__STORE_PORT": "0",
        "REPMON_API__PORT": "0",
        "REPMON_INGEST__FLUSH_SECONDS": "0.3",
    }
    process = Worker("up", "up", environment, tmp_path)

    def started() -> tuple[Up, Worker]:
        running = tmp_path / "data" / "running.json"
        running.unlink(missing_ok=True)
        process.start()
        wait_for(running.exists, f"repmon to be up: {process.said}", UP_S)
        return Up(tmp_path), process

    yield started
    process.kill()


def options(seed: int, messages: int, rate: float = 0.0) -> simulate.SimulationOptions:
    return simulate.SimulationOptions(seed=seed, customers=20, messages=messages, span_hours=6, rate=rate)


def test_killed_up_keeps_its_counts_and_counts_what_comes_later(start: Callable[[], tuple[Up, Worker]]) -> None:
    up, process = start()
    measures: dict[str, int] = {}
    sent, expected = Sent(measures=measures), Sent()
    load = Traffic(up.sender, sent, options(1, ENDLESS, 1_500))
    load.start()
    wait_for(lambda: counted(up) > 2_000, "events to be counted", COUNTED_S)
    process.kill()
    load.abandon()
    up.sender.give_up()
    up.store.close()
    again, process = start()
    add_counted(expected, measures, up, again.store)
    assert_exact(expected, again.store)
    more = Traffic(again.sender, expected, options(2, 2_000))
    more.start()
    more.finish()
    wait_for(lambda: not uncounted(again.sender, again.ids, again.store), "the rest", COUNTED_S)
    assert_exact(expected, again.store)
    again.store.close()


def counted(up: Up) -> int:
    return sum(int(offset) + 1 for source, offset in up.store.rows(OFFSETS) if MAIL_EVENTS in source)


def add_counted(expected: Sent, measures: dict[str, int], up: Up, store: Store) -> None:
    """Of what was sent, add the messages up to the last offset that is stored: those must have been counted."""
    stored = {str(source): int(offset) for source, offset in store.rows(OFFSETS)}
    seen: set[str] = set()
    for (topic, partition), messages in up.log.items():
        for payload in messages[: stored.get(f"{topic}:{up.ids[topic]}:{partition}", -1) + 1]:
            if topic == MAIL_BLOCKLISTINGS:
                expected.listings.add(LISTING.decode(payload).id)
                continue
            event = EVENT.decode(payload)
            expected.add(event, measures[event.id], repeat=event.id in seen)
            seen.add(event.id)


def assert_exact(expected: Sent, store: Store) -> None:
    assert not (wrong := differences(expected, store)), f"{len(wrong):,} differences:\n{shown(wrong)}"
