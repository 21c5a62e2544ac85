"""`docs/architecture.md` follows one delivered event file by file: it names those that are passed, and no other."""

import json
import math
import os
import re
import signal
import sys
import threading
from collections.abc import Callable

import pytest

from api.cli import main
from api.stack import running
from jobs.operator.customers import set_customer
from schemas.settings import ClickHouse, Kafka
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS
from streams.intake import ingest
from streams.intake.ingest import IngestWorker
from streams.io.broker import Publisher
from streams.io.pulse import Pulse
from streams.io.store import Store
from tests.support.files_met import FilesMet
from tests.support.root import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def files_named(heading: str) -> list[str]:
    """The files in the table of a section of the page, in their order."""
    section = PAGE.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| \d+ \| `([^`]+)` \|", section, re.MULTILINE)


def path_of_an_event(command: Callable[[], object]) -> list[str]:
    """The files that the first event passes which `command` takes in, until its customer is announced. Then the
    command is asked to end."""
    met = FilesMet(IngestWorker._take, Publisher.publish)
    met.armed = True
    over = threading.Event()

    def end() -> None:
        met.ended.wait(60)
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    ending = threading.Thread(target=end)
    ending.start()
    try:
        with met.recorded():
            command()
    finally:
        over.set()
        met.ended.set()
        ending.join()
        for each, handler in before.items():
            signal.signal(each, handler)
    return met.files


def test_page_names_the_files_that_one_delivered_event_passes(
    embedded_kafka: Kafka, store_settings: ClickHouse, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_customer(store, "acme", plan="", domains=(), by="Ida", why="signed", now_ms=utc_now_ms())
    address = {"dimension": "ip", "customer": "acme", "bucket": utc_now_ms() // 1_000, "value": "192.0.2.1"}
    store.insert("counts", {name: [value] for name, value in address.items()})
    publisher = Publisher(embedded_kafka)
    event = {
        "id": "e1", "type": "delivered", "time": utc_now_ms(), "customer": "acme", "message_id": "m1",
        "recipient": "jo@yahoo.com", "sending_ip": "192.0.2.1",
    }  # fmt: skip
    publisher.publish(MAIL_EVENTS, b"acme", json.dumps(event).encode())
    publisher.flush()
    for name, value in {
        "CLICKHOUSE__PATH": store_settings.path,
        "CLICKHOUSE__DATABASE": store_settings.database,
        "KAFKA__BOOTSTRAP": embedded_kafka.bootstrap,
        "KAFKA__GROUP": embedded_kafka.group,
        "KAFKA__STATIC_ASSIGNMENT": "true",
        "KAFKA__OPTIONS": json.dumps(embedded_kafka.options),
        "INGEST__HASH_KEY": "a key for this test",
        "INGEST__FLUSH_SECONDS": "0.2",
        "METRICS__PORT": "0",
    }.items():
        monkeypatch.setenv(f"REPMON_{name}", value)
    # What is asked every few seconds is no part of an event's way, however busy the machine.
    monkeypatch.setattr(ingest, "IDS_S", 3_600.0)
    monkeypatch.setattr(ingest, "FETCHED_S", math.inf)
    monkeypatch.setattr(running, "TRIM_S", 3_600.0)
    monkeypatch.setattr(Pulse, "start", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["repmon", "ingest"])
    passed = path_of_an_event(main.run)
    assert store.rows("SELECT sum(delivered) FROM counts WHERE dimension = 'provider'")[0][0] == 1
    assert passed == files_named("One event")
    assert len(passed) <= 14
