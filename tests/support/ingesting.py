"""An ingest worker on a thread of its own, events for it, and what became of them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from schemas import providers, topics
from schemas.dead_letter import DeadLetter
from schemas.settings import Ingest, Kafka
from streams.adapt import Context, adapter
from streams.bounces.classify import load_bounce_classifier
from streams.intake.batch import MailReader
from streams.intake.bounds import time_bounds
from streams.intake.ingest import IngestWorker
from streams.io.broker import consumer
from streams.io.store import Store
from tests.support.waiting import wait_for

NOW = 1_795_000_000_000
SETTINGS = Ingest(flush_seconds=0.2)


def event(number: int, **changes: object) -> bytes:
    fields = {
        "id": f"e{number}", "type": "delivered", "time": NOW - number, "customer": f"c{number % 7}",
        "message_id": f"m{number}", "recipient": f"r{number}@yahoo.com", "sending_ip": "192.0.2.1", **changes,
    }  # fmt: skip
    return msgspec.json.encode(fields)


@contextmanager
def running(
    kafka: Kafka, store: Store, settings: Ingest = SETTINGS, sources: Sequence[str] = (topics.MAIL_EVENTS,)
) -> Iterator[IngestWorker]:
    context = Context(b"key", providers.load_providers())
    reader = MailReader(adapter("canonical"), context, load_bounce_classifier(), time_bounds(settings))
    worker = IngestWorker(kafka, settings, store, dict.fromkeys(sources, reader), clock=lambda: NOW)
    stop, errors = threading.Event(), []

    def run() -> None:
        try:
            worker.run(stop)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join(30)
        assert not errors, errors


def delivered(store: Store) -> int:
    return int(store.rows("SELECT sum(delivered) FROM counts WHERE dimension = 'provider'")[0][0])


def dead_letters(kafka: Kafka, expected: int) -> list[DeadLetter]:
    source = consumer(kafka, "dead")
    source.subscribe([topics.DEAD_LETTERS])
    found: list[DeadLetter] = []

    def all_there() -> bool:
        messages = [m for m in source.consume(100, 0.2) if m.error() is None]
        found.extend(msgspec.json.decode(m.value() or b"", type=DeadLetter) for m in messages)
        return len(found) >= expected

    wait_for(all_there, f"{expected} dead letters")
    source.close()
    return found
