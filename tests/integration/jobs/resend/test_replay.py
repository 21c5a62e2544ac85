"""From a bad message to its count: refused by a running ingest worker, mended, replayed, counted exactly once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from api.cli.main import app
from api.stack.reading import ingest_worker
from jobs.resend.dead_letters import Chosen, newest
from schemas import topics
from schemas.settings import ClickHouse, FormatMapping, Ingest, Kafka, Settings
from schemas.times import utc_now_ms
from streams.intake.ingest import IngestWorker
from streams.io.broker import Publisher, consumer
from streams.io.store import Store
from tests.support.waiting import wait_for

MISSING = "field `customer` is missing"
DELIVERED = "SELECT sum(delivered) FROM counts WHERE dimension = 'provider'"


@pytest.fixture
def settings(kafka: Kafka, store_settings: ClickHouse) -> Settings:
    return Settings(
        kafka=kafka, clickhouse=store_settings, ingest=Ingest(flush_seconds=0.2, hash_key="a key for this test")
    )


@contextmanager
def ingesting(settings: Settings) -> Iterator[IngestWorker]:
    """An ingest worker as `repmon ingest` runs it; what it took is stored when this ends."""
    worker, store = ingest_worker(settings)
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
        store.close()
        assert not errors


def repmon(settings: Settings, *words: str, exit_code: int = 0) -> bytes:
    """What `repmon dead-letters ...` writes to standard output."""
    result = CliRunner().invoke(app, ["dead-letters", *words], obj=lambda: settings)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.stdout_bytes


def send(settings: Settings, key: bytes, *payloads: bytes) -> None:
    publisher = Publisher(settings.kafka)
    for payload in payloads:
        publisher.publish(topics.MAIL_EVENTS, key, payload)
    publisher.flush()


def event(name: str, **changes: object) -> dict[str, object]:
    return {"id": name, "type": "delivered", "time": utc_now_ms(), "recipient": f"{name}@yahoo.com", **changes}


def delivered(store: Store) -> int:
    return int(store.rows(DELIVERED)[0][0])


def refused(store: Store, count: int) -> Callable[[], bool]:
    return lambda: len(newest(store, Chosen(), count + 1)) == count


def test_mended_message_counts_exactly_once(settings: Settings, store: Store, tmp_path: Path) -> None:
    bad = msgspec.json.encode(event("bad"))
    send(settings, b"acme", msgspec.json.encode(event("good", customer="acme")), bad)
    file = tmp_path / "mended.json"
    with ingesting(settings) as worker:
        wait_for(refused(store, 1), "the bad message to be refused")
        wait_for(lambda: delivered(store) == 1, "the good event")
        listed = msgspec.json.decode(repmon(settings, "list", "--json"))
        assert (listed["reason"], listed["replayed"]) == (MISSING, None)
        short = listed["short"]

        assert MISSING.encode() in repmon(settings, "replay", short, exit_code=1)
        original = repmon(settings, "show", short, "--payload")
        assert original == bad
        file.write_bytes(msgspec.json.encode({**msgspec.json.decode(original), "customer": "acme"}) + b"\n")
        assert b"1 sent, 0 not" in repmon(settings, "replay", short, "--with", str(file))
        wait_for(lambda: delivered(store) == 2, "the mended event")

        assert b"0 sent, 0 not, 1 replayed before" in repmon(settings, "replay", short, "--with", str(file))
        assert b"1 sent" in repmon(settings, "replay", short, "--with", str(file), "--force")
        wait_for(lambda: worker.metrics.messages == 4, "the event that is sent once more")
    assert delivered(store) == 2
    assert refused(store, 1)()
    assert msgspec.json.decode(repmon(settings, "list", "--json"))["replayed_by"]


def test_once_the_settings_are_mended_all_letters_are_replayed_as_they_are(settings: Settings, store: Store) -> None:
    hooks = [
        msgspec.json.encode(
            [
                {"event": "delivered", "email": f"{name}{n}@yahoo.com", "timestamp": utc_now_ms() // 1000,
                 "sg_event_id": f"{name}{n}"}
                for n in range(2)
            ]
        )
        for name in "abc"
    ]  # fmt: skip
    send(settings, b"", *hooks)
    with ingesting(settings):
        wait_for(refused(store, 3), "three bodies of another format to be refused")
    assert b"0 sent, 3 not" in repmon(settings, "replay", "--all", exit_code=1)

    ingest = msgspec.structs.replace(
        settings.ingest,
        formats={topics.MAIL_EVENTS: "sendgrid"},
        mapping={"sendgrid": FormatMapping(default_customer="acme")},
    )
    mended = msgspec.structs.replace(settings, ingest=ingest)
    assert b"3 sent, 0 not" in repmon(mended, "replay", "--all")
    assert b"0 sent, 0 not" in repmon(mended, "replay", "--all"), "each once"
    with ingesting(mended):
        wait_for(lambda: delivered(store) == 6, "two events of each body")
    assert delivered(store) == 6


def test_good_records_do_not_wait_for_a_bad_one_that_counts_once_mended(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    ingest = msgspec.structs.replace(
        settings.ingest,
        formats={topics.MAIL_EVENTS: "sendgrid"},
        mapping={"sendgrid": FormatMapping(default_customer="acme")},
    )
    settings = msgspec.structs.replace(settings, ingest=ingest)
    records: list[dict[str, object]] = [
        {"event": "delivered", "email": "a@yahoo.com", "timestamp": utc_now_ms() // 1000, "sg_event_id": "a"},
        {"event": "delivered", "email": "b@yahoo.com", "sg_event_id": "b"},
    ]
    send(settings, b"", msgspec.json.encode(records))
    file = tmp_path / "mended.json"
    with ingesting(settings):
        wait_for(refused(store, 1), "the bad record to be refused")
        wait_for(lambda: delivered(store) == 1, "the good record, which does not wait for it")
        letter = newest(store, Chosen(), 1)[0]
        assert letter.reason == "record 2: field `timestamp` is missing"
        kept = msgspec.json.decode(repmon(settings, "show", letter.id, "--payload"))
        assert kept == records[1], "the bad record alone: sent again it counts nothing twice, however late"
        file.write_bytes(msgspec.json.encode({**kept, "timestamp": records[0]["timestamp"]}))
        repmon(settings, "replay", letter.id, "--with", str(file))
        wait_for(lambda: delivered(store) == 2, "both events")
    assert delivered(store) == 2


def test_letter_reaches_its_topic_with_its_own_bytes_under_its_customer(settings: Settings, store: Store) -> None:
    """Whatever the bytes are: the driver's text columns, the shell and the broker must leave them as they are."""
    good, odd = msgspec.json.encode(event("a", customer="acme")), bytes(range(256)) * 2
    source = f"{topics.MAIL_EVENTS}:x:0"
    row = {"topic": topics.MAIL_EVENTS, "source": source, "reason": "some", "time": datetime.now(UTC)}
    for position, payload in enumerate((good, odd)):
        store.insert(
            "dead_letters",
            {**{name: [value] for name, value in row.items()}, "position": [position], "payload": [payload]},
        )
    assert b"1 sent, 1 not" in repmon(settings, "replay", "--all", exit_code=1)
    assert b"1 sent, 0 not" in repmon(settings, "replay", f"{source}@1", "--force")
    taken: dict[bytes, bytes] = {}
    source_of_all = consumer(settings.kafka, "replayed")
    source_of_all.subscribe([topics.MAIL_EVENTS])

    def both() -> bool:
        for message in source_of_all.consume(10, 0.2):
            if message.error() is None:
                taken[message.key() or b""] = message.value() or b""
        return len(taken) == 2

    wait_for(both, "two messages")
    source_of_all.close()
    assert taken == {b"acme": good, f"{source}@1".encode(): odd}
