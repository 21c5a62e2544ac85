"""How long it takes from an alert to its webhook.

    python -m benchmarks.notify

Alerts of many customers are sent one after the other to the embedded broker, and a stage of notifications in the same
process tells a receiver of each; then many are sent at once. A delay is from the acknowledgement of the alert by the
broker until the whole request is with the receiver; in between the notification is stored.
"""

import argparse
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec

from benchmarks import results
from benchmarks.measure import percentile
from benchmarks.results import Figure
from jobs.embedded.broker import EmbeddedBroker
from jobs.notify.notifier import Notifier
from jobs.setup.migrate import migrate
from jobs.setup.topics import create_topics
from schemas import topics
from schemas.alert import AlertData, AlertEvent
from schemas.notify import Notify, Route, Webhook
from schemas.settings import ClickHouse, Kafka, Settings
from schemas.times import utc_now_ms
from schemas.topics import REPUTATION_ALERTS
from schemas.wording import rfc3339
from streams.alerts.record import store_alerts
from streams.io.broker import Publisher
from streams.io.store import Store, open_store

#: Alerts one after the other, how many a second, and at once.
ALERTS, PER_S, AT_ONCE = 600, 10.0, 1_000
WAIT_S = 120.0
KEY = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

#: When a thing happened (monotonic, s), by the id of the event.
Times = dict[str, float]


def delays(acknowledged: Times, came: Times) -> list[float]:
    """How long (s) each took that came."""
    return [came[event] - at for event, at in acknowledged.items() if event in came]


def figures(name: str, acknowledged: Times, came: Times) -> Iterator[Figure]:
    """The delays as figures."""
    found = delays(acknowledged, came)
    note = f"{len(found):,} of {len(acknowledged):,} came"
    for percent in (50, 99):
        yield Figure(name=f"alert to webhook {name}, p{percent}", value=percentile(found, percent), unit="s", note=note)


def measure(alerts: int, per_s: float, at_once: int) -> Iterator[Figure]:
    """Send alerts, one after the other and at once, and time their webhooks."""
    with tempfile.TemporaryDirectory() as folder, receiving() as (port, came), broker(Path(folder)) as kafka:
        clickhouse = ClickHouse(path=f"{folder}/store")
        migrate(clickhouse)
        target = Webhook(url=f"http://127.0.0.1:{port}/", secrets=(KEY,))
        route = Route(name="hook", target=target, allow_private=True)
        settings = Settings(kafka=kafka, clickhouse=clickhouse, notify=Notify(routes=(route,)))
        stop, store = threading.Event(), open_store(clickhouse)
        notifier = Notifier(settings, store)
        running = threading.Thread(target=notifier.run, args=(stop,))
        running.start()
        publisher = Publisher(kafka)
        try:
            await_all(send(publisher, store, "first", 1, 0.0), came)  # it is at work
            one_by_one = send(publisher, store, "one", alerts, 1 / per_s)
            await_all(one_by_one, came)
            yield from figures(f"at {per_s:g}/s", one_by_one, came)
            together = send(publisher, store, "many", at_once, 0.0)
            await_all(together, came)
            yield from figures(f"of {at_once:,} at once", together, came)
        finally:
            stop.set()
            running.join()
            store.close()


def send(publisher: Publisher, store: Store, name: str, count: int, pause_s: float) -> Times:
    """Alerts of a customer each; when each was acknowledged."""
    acknowledged: Times = {}
    events = [alert(f"{name}-{number}") for number in range(count)]
    store_alerts(store, events, utc_now_ms())
    for event in events:
        publisher.publish(REPUTATION_ALERTS, event.subject.encode(), msgspec.json.encode(event))
        if pause_s:
            publisher.flush()
            acknowledged[event.id] = time.monotonic()
            time.sleep(pause_s)
        else:
            acknowledged[event.id] = 0.0
    publisher.flush()
    now = time.monotonic()
    return {event: at or now for event, at in acknowledged.items()}


def await_all(sent: Times, came: Times) -> None:
    """Wait until all came, for a while."""
    deadline = time.monotonic() + WAIT_S
    while not sent.keys() <= came.keys() and time.monotonic() < deadline:
        time.sleep(0.05)


def alert(customer: str) -> AlertEvent:
    """An alert."""
    return AlertEvent(
        id=f"id-{customer}",
        type="org.repmon.alert.opened.v1",
        subject=customer,
        time=rfc3339(utc_now_ms()),
        data=AlertData(
            alert_id=customer,
            customer=customer,
            scope="customer",
            rule="failure",
            metric="failure",
            kind="opened",
            level="critical",
            previous_level="good",
            episode=1,
            transition=1,
            window="24h",
            numerator=142,
            denominator=1000,
            rate=0.142,
            lower=0.12,
            upper=0.16,
            confidence=0.95,
            threshold=0.1,
            policy_version="bench",
            explanation="Most failed.",
        ),
    )


@contextmanager
def receiving() -> Iterator[tuple[int, Times]]:
    """A receiver: its port, and when each event came first."""
    came: Times = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.setdefault(msgspec.json.decode(body)["id"], time.monotonic())
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1]), came
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def broker(folder: Path) -> Iterator[Kafka]:
    """The embedded broker with its topics."""
    started = EmbeddedBroker(0, folder / "broker.log")
    started.start()
    try:
        create_topics(started.kafka, topics.load_topics())
        yield started.kafka
    finally:
        started.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description="From an alert to its webhook.")
    parser.add_argument("--alerts", type=int, default=ALERTS)
    parser.add_argument("--per-s", type=float, default=PER_S)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--trial", action="store_true", help="keep the result apart")
    chosen = parser.parse_args(arguments)
    found = list(measure(chosen.alerts, chosen.per_s, chosen.at_once))
    for each in found:
        print(f"{each.name}: {each.value:.3f} {each.unit} ({each.note})")
    command = f"python -m benchmarks.notify {shlex.join(sys.argv[1:])}".rstrip()
    results.save("notify", command, figures=found, trial=chosen.trial)


if __name__ == "__main__":
    main()
