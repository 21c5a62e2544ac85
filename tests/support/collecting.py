"""A webhook collector that answers in this process, the sources that it knows, and what it put into their topics."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition

from api.collect.app import Collector, create_app
from api.collect.certificates import Certificates, FetchError
from api.collect.deliver import Deliverer
from api.collect.sources import prepare
from jobs.embedded.broker import EmbeddedBroker
from jobs.setup.topics import create_topics, remake_topics
from schemas import topics
from schemas.collect import Collect, Source
from schemas.settings import Kafka
from streams.io.broker import consumer
from tests.support import signing
from tests.support.signing import ARN, NOW_S, SECRET
from tests.support.waiting import wait_for

TOPIC = "mail.webhooks.mailtrap"
SOURCES = {
    "shop": Source(format="mailtrap", secret=SECRET),
    "plain": Source(format="postmark", user="me", password="pw"),
    "amazon": Source(format="ses", topic_arn=ARN),
    "firehose": Source(format="ses", token="an access key"),
    "labs": Source(format="socketlabs", secret=SECRET),
    "batches": Source(format="mailjet", token="t0ken"),
    "fbl": Source(format="arf", token="t0ken", addresses=("fbl@esp.example",)),
    "gun": Source(format="mailgun", secret=SECRET),
    "gun2": Source(format="mailgun", secret=SECRET),
}
COLLECT = Collect(sources=SOURCES, port=0, acknowledge_s=3.0, body_s=1.0)
#: Bytes that no reader of JSON or text would leave as they are.
ODD = b'{"a" : 1}\r\n\x00\xff\xfe {"b":\t2}\n'


@dataclass
class Amazon:
    """Stands in for SNS."""

    asked: list[str]
    down: bool = False

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if self.down:
            raise FetchError(f"{url}: down")
        return signing.certificate() if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"


@dataclass
class Running:
    """A collector that answers, and what to ask it with."""

    url: str
    port: int
    collector: Collector
    amazon: Amazon
    client: httpx.Client

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.client.post(f"{self.url}/collect/{path}", content=body, headers=headers)

    def signed(self, body: bytes) -> httpx.Response:
        return self.post("mailtrap/shop", body, signing.body_hmac(body, "mailtrap-signature"))

    def metric(self, line: str) -> float:
        found = [text for text in self.client.get(f"{self.url}/metrics").text.splitlines() if text.startswith(line)]
        return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


@contextmanager
def serving(kafka: Kafka, settings: Collect = COLLECT, lmtp: socket.socket | None = None) -> Iterator[Running]:
    amazon = Amazon([])
    certificates = Certificates(amazon.fetch, lambda: NOW_S)
    deliverer = Deliverer(kafka, settings.acknowledge_s, settings.max_inflight_bytes)
    collector = Collector(settings, prepare(settings.sources, certificates), deliverer, amazon.fetch, lambda: NOW_S)
    server = uvicorn.Server(uvicorn.Config(create_app(collector, lmtp), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "the collector")
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(timeout=20) as client:
            yield Running(f"http://127.0.0.1:{port}", port, collector, amazon, client)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def with_topics(kafka: Kafka) -> Kafka:
    names = sorted({source.into for source in SOURCES.values()})
    made = topics.with_sources(names)
    remake_topics(kafka, [made[name] for name in names])
    return kafka


def read(kafka: Kafka, topic: str, expected: int) -> list[Message]:
    """What is in the topic, once so much is."""
    source = consumer(kafka, f"read-{topic}")
    partitions = source.list_topics(topic, timeout=10).topics[topic].partitions
    source.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in partitions])
    found: list[Message] = []

    def all_there() -> bool:
        found.extend(each for each in source.consume(1_000, 0.2) if each.error() is None)
        return len(found) >= expected

    wait_for(all_there, f"{expected} messages in {topic}")
    source.close()
    return found


def messages(kafka: Kafka, topic: str, expected: int) -> list[tuple[bytes, bytes]]:
    """Key and value of what is in the topic."""
    return [(each.key() or b"", each.value() or b"") for each in read(kafka, topic, expected)]


def problem(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return str(body["detail"])


@contextmanager
def own_broker(folder: Path, port: int = 0) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(port, folder / "broker.log")
    broker.start()
    create_topics(broker.kafka, topics.with_sources([source.into for source in SOURCES.values()]))
    try:
        yield broker
    finally:
        broker.stop()
