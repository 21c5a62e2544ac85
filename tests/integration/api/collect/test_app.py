"""The webhook collector on a broker: what it answers with 200 is in the topic, and nothing else is promised."""

import gzip
import json
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition

from api.collect.app import Collector, create_app
from api.collect.certificates import Certificates, FetchError
from api.collect.deliver import Deliverer
from api.collect.lmtp_socket import listen_lmtp
from api.collect.serve import build_collector
from api.collect.sources import prepare
from api.stack.reading import batch_readers
from jobs.embedded.broker import EmbeddedBroker
from jobs.setup.topics import create_topics, remake_topics
from schemas import topics
from schemas.collect import Collect, Source
from schemas.settings import Kafka, Settings, SettingsError
from schemas.settings_file import load_settings
from streams.intake.ingest import IngestWorker
from streams.io.broker import BrokerError, consumer
from streams.io.store import Store
from tests.support import signing
from tests.support.signing import ARN, NOW_S, SECRET, SUBSCRIBE_URL
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


@pytest.fixture
def collecting(kafka: Kafka) -> Kafka:
    """Settings of either broker; the topics of webhooks are new and empty."""
    return with_topics(kafka)


@pytest.fixture
def running(embedded_kafka: Kafka) -> Iterator[Running]:
    with serving(with_topics(embedded_kafka)) as made:
        yield made


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


def test_what_is_answered_with_200_is_in_the_topic_byte_by_byte(collecting: Kafka) -> None:
    bodies = [ODD, b"", b"x", b'{"n":1}' * 1_000, b"z" * 1_000_000]
    with serving(collecting) as running:
        for body in bodies:
            answer = running.signed(body)
            assert (answer.status_code, answer.content) == (200, b"")
        assert running.metric('repmon_collect_requests_total{format="mailtrap",outcome="taken"}') == len(bodies)
        assert running.metric('repmon_collect_bytes_total{format="mailtrap"}') == sum(map(len, bodies))
        assert running.metric("repmon_collect_acknowledge_seconds_count") == len(bodies)
    found = messages(collecting, TOPIC, len(bodies))
    assert sorted(value for _, value in found) == sorted(bodies)
    assert {key for key, _ in found} == {b"shop"}


def test_signature_that_was_used_is_refused_with_another_body(running: Running, embedded_kafka: Kafka) -> None:
    """It does not cover the event: one replayed token brought a thousand posts that nobody could read. The very same
    request is a provider that did not hear our answer."""
    first, other = (json.dumps({"signature": signing.mailgun(), "event-data": each}).encode() for each in ("a", "b"))
    assert running.post("mailgun/gun", first).status_code == 200
    for source in ("gun", "gun2"):
        answer = running.post(f"mailgun/{source}", other)
        assert (answer.status_code, problem(answer)) == (403, "the signature was used before")
    assert running.post("mailgun/gun", first).status_code == 200
    fresh = json.dumps({"signature": signing.mailgun(token="ab" * 25), "event-data": "b"}).encode()
    assert running.post("mailgun/gun", fresh).status_code == 200
    assert [value for _, value in messages(embedded_kafka, "mail.webhooks.mailgun", 2)] == [first, fresh]


def test_firehose_is_answered_with_the_id_of_its_request(running: Running, embedded_kafka: Kafka) -> None:
    body = json.dumps({"requestId": "r-1", "timestamp": 1, "records": [{"data": "e30="}]}).encode()
    headers = {"X-Amz-Firehose-Request-Id": "r-1", "X-Amz-Firehose-Access-Key": "an access key"}
    answer = running.post("ses/firehose", body, headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"requestId": "r-1", "timestamp": int(NOW_S * 1000)}
    assert running.post("ses/firehose", body, {**headers, "X-Amz-Firehose-Access-Key": "other"}).status_code == 401
    assert messages(embedded_kafka, "mail.webhooks.ses", 1) == [(b"firehose", body)]


def test_firehose_may_pack_its_bodies(running: Running, embedded_kafka: Kafka) -> None:
    headers = {
        "X-Amz-Firehose-Access-Key": "an access key",
        "X-Amz-Firehose-Request-Id": "7",
        "Content-Encoding": "gzip",
    }
    body = b'{"requestId": "7", "timestamp": 1, "records": []}'
    assert running.post("ses/firehose", gzip.compress(body), headers).json()["requestId"] == "7"
    assert messages(embedded_kafka, "mail.webhooks.ses", 1) == [(b"firehose", body)]
    bomb = gzip.compress(bytes(50_000_000), 1)
    refused = [
        (bomb, headers, 413, "bytes, unpacked"),
        (b"no gzip", headers, 400, "the body is not gzip"),
        (bomb, {**headers, "X-Amz-Firehose-Access-Key": "other"}, 401, "credentials"),
        (bomb, {**headers, "X-Amz-Firehose-Request-Id": ""}, 415, "the body is compressed"),
        (bomb, {**headers, "Content-Encoding": "br"}, 415, "the body is compressed"),
    ]
    for sent, with_headers, status, said in refused:
        answer = running.post("ses/firehose", sent, with_headers)
        assert answer.status_code == status
        assert said in problem(answer)


def test_webhooks_of_one_source_share_a_partition(running: Running, embedded_kafka: Kafka) -> None:
    """There ingest sees that one came before."""
    for number in range(20):
        assert running.signed(b"%d" % number).status_code == 200
    assert len({each.partition() for each in read(embedded_kafka, TOPIC, 20)}) == 1


def test_a_body_that_nobody_can_read_is_kept_too(running: Running, embedded_kafka: Kafka) -> None:
    """The signature is right; ingest makes a dead letter of it, which can be mended and sent again."""
    assert running.signed(b"\xff no JSON").status_code == 200
    assert messages(embedded_kafka, TOPIC, 1) == [(b"shop", b"\xff no JSON")]


def test_report_by_mail_is_taken_over_http_and_lmtp_and_cut_where_it_is_large(embedded_kafka: Kafka) -> None:
    mail = b"Subject: a report\r\n\r\n"
    large = mail + b"x\r\n" * 500_000
    listening = listen_lmtp("127.0.0.1:0")
    port = listening.getsockname()[1]
    with serving(with_topics(embedded_kafka), lmtp=listening) as running:
        for body in (mail, large):
            answer = running.post("arf/fbl", body, {"authorization": "Bearer t0ken", "content-type": "message/rfc822"})
            assert answer.status_code == 200
        with smtplib.LMTP("127.0.0.1", port, timeout=20) as server:
            for body in (mail, large):
                assert server.sendmail("a@b.example", ["fbl@esp.example"], body) == {}
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                server.sendmail("a@b.example", ["ida@gmail.com"], mail)
        assert running.metric('repmon_collect_requests_total{format="arf",outcome="taken"}') == 4
    head = b"Return-Path: <a@b.example>\r\nX-Original-To: fbl@esp.example\r\n"
    expected = [(b"fbl", each) for each in (mail, large[:1_000_000], head + mail, (head + large)[:1_000_000])]
    assert messages(embedded_kafka, "mail.webhooks.arf", 4) == expected


def test_mail_that_no_broker_acknowledges_stays_with_its_server() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    kafka = Kafka(bootstrap=f"127.0.0.1:{silent.getsockname()[1]}")
    listening = listen_lmtp("127.0.0.1:0")
    port = listening.getsockname()[1]
    settings = msgspec.structs.replace(COLLECT, acknowledge_s=0.2)
    with silent, serving(kafka, settings, listening) as running, smtplib.LMTP("127.0.0.1", port, timeout=20) as server:
        with pytest.raises(smtplib.SMTPDataError) as error:
            server.sendmail("", ["fbl@esp.example"], b"Subject: x\r\n\r\n")
        assert error.value.smtp_code == 451
        assert running.metric('repmon_collect_requests_total{format="arf",outcome="unavailable"}') == 1


@pytest.mark.parametrize(
    ("path", "headers", "status", "detail"),
    [
        ("mailtrap/shop", {}, 403, "the signature is missing, wrong or too old"),
        ("mailtrap/shop", {"mailtrap-signature": "00" * 32}, 403, "the signature is missing, wrong or too old"),
        ("postmark/plain", {}, 401, "credentials are missing or wrong"),
        ("ses/amazon", {}, 403, "the signature is missing, wrong or too old"),
        ("mailtrap/nobody", {}, 404, "there is no such source; see collect.sources"),
        ("sendgrid/shop", {}, 404, "there is no such source; see collect.sources"),
        ("mailtrap", {}, 404, "Not Found"),
        ("mailtrap/shop", {"content-encoding": "gzip"}, 415, "the body is compressed; send it as it is"),
    ],
)
def test_what_is_not_the_providers_is_refused_and_not_kept(
    running: Running, path: str, headers: dict[str, str], status: int, detail: str
) -> None:
    answer = running.post(path, ODD, headers)
    assert (answer.status_code, problem(answer)) == (status, detail)
    assert (status == 401) == ("www-authenticate" in answer.headers)
    assert running.metric('repmon_collect_requests_total{format="mailtrap",outcome="taken"}') == 0


def test_basic_authentication_in_the_address_is_enough_for_who_signs_nothing(running: Running) -> None:
    url = running.url.replace("http://", "http://me:pw@")
    assert running.client.post(f"{url}/collect/postmark/plain", content=b"{}").status_code == 200


def test_senders_choose_no_label(running: Running) -> None:
    assert running.post("evil/evil", b"").status_code == 404
    text = running.client.get(f"{running.url}/metrics").text
    assert "evil" not in text
    assert 'repmon_collect_requests_total{format="unknown",outcome="not_found"} 1.0' in text


def talk(running: Running, text: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    connection.sendall(b"POST /collect/mailtrap/shop HTTP/1.1\r\nHost: x\r\n" + text)
    return connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    return b"".join(iter(lambda: connection.recv(10_000), b""))


def pieces(count: int, taken: list[int]) -> Iterator[bytes]:
    for number in range(count):
        taken.append(number)
        yield b"x" * 50_000


def test_body_over_the_limit_is_refused_before_it_is_read(running: Running) -> None:
    with talk(running, b"Content-Length: 50000000\r\n\r\n") as connection:
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"the body has more than 1,000,000 bytes" in answer
    assert running.metric('repmon_collect_requests_total{format="mailtrap",outcome="too_large"}') == 1
    assert problem(running.post("mailtrap/shop", b"x" * 1_000_001)) == "the body has more than 1,000,000 bytes"


def test_body_over_the_limit_that_does_not_say_so_is_not_read_to_its_end(running: Running) -> None:
    """50 MB in pieces: it ends soon after the limit."""
    taken: list[int] = []
    try:
        answer = running.post("mailtrap/shop", pieces(1_000, taken))
        assert answer.status_code == 413
    except httpx.WriteError:
        pass  # the connection is closed under a sender that does not look at the answer
    assert len(taken) < 1_000
    assert running.metric('repmon_collect_requests_total{format="mailtrap",outcome="too_large"}') == 1


def test_batch_larger_than_a_message_is_taken_in_several(running: Running, embedded_kafka: Kafka) -> None:
    events = [{"event": "sent", "number": number, "padding": "x" * 1_000} for number in range(2_500)]
    bearer = {"authorization": "Bearer t0ken"}
    body = json.dumps(events).encode()
    assert running.post("mailjet/batches", body, bearer).status_code == 200
    found = messages(embedded_kafka, "mail.webhooks.mailjet", 3)
    assert [each for _, value in found for each in json.loads(value)] == events
    assert {key for key, _ in found} == {b"batches"}
    assert running.metric('repmon_collect_bytes_total{format="mailjet"}') == len(body)
    detail = "the body has more than 1,000,000 bytes and is no batch of smaller events"
    assert problem(running.post("mailjet/batches", b"x" * 1_000_001, bearer)) == detail
    assert (
        problem(running.post("mailjet/batches", b" " * 8_000_001, bearer)) == "the body has more than 8,000,000 bytes"
    )
    assert running.metric('repmon_collect_requests_total{format="mailjet",outcome="too_large"}') == 2


def test_body_that_does_not_come_is_not_waited_for_without_end(running: Running) -> None:
    with talk(running, b"Content-Length: 100\r\n\r\nhalf") as connection:
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not come within 1 s" in answer


def test_body_that_is_cut_off_is_not_kept(running: Running) -> None:
    body = b"whole"
    ((name, value),) = signing.body_hmac(body[:3], "mailtrap-signature").items()
    head = f"Content-Length: 5\r\n{name}: {value}\r\n\r\n".encode()
    talk(running, head + body[:3]).close()
    cut_off = 'repmon_collect_requests_total{format="mailtrap",outcome="cut_off"}'
    wait_for(lambda: running.metric(cut_off) == 1, "the cut")
    assert running.metric('repmon_collect_requests_total{format="mailtrap",outcome="taken"}') == 0


def test_bodies_being_handled_have_a_limit_together(embedded_kafka: Kafka) -> None:
    settings = msgspec.structs.replace(COLLECT, max_inflight_bytes=1_000_000, body_s=20.0)
    with serving(with_topics(embedded_kafka), settings) as running:
        with talk(running, b"Content-Length: 900000\r\n\r\n" + b"x" * 800_000):
            wait_for(lambda: running.collector._budget._free < 300_000, "the first body")
            answer = running.signed(b"y" * 500_000)
            assert (answer.status_code, problem(answer)) == (503, "too many webhooks at once")
            assert answer.headers["retry-after"] == "5"
        wait_for(lambda: running.collector._budget._free == 1_000_000, "the first body's room")
        assert running.signed(b"y" * 500_000).status_code == 200


def test_address_is_there_before_its_webhook(running: Running) -> None:
    """Mandrill asks with HEAD."""
    assert running.client.head(f"{running.url}/collect/mailtrap/shop").status_code == 200
    assert running.client.head(f"{running.url}/collect/mailtrap/nobody").status_code == 404
    assert running.client.get(f"{running.url}/collect/mailtrap/shop").status_code == 405


def test_subscription_of_sns_is_confirmed_and_not_kept(running: Running, embedded_kafka: Kafka) -> None:
    assert running.post("ses/amazon", signing.sns_body(Type="SubscriptionConfirmation")).status_code == 200
    assert running.amazon.asked == [signing.CERTIFICATE_URL, SUBSCRIBE_URL]
    assert running.post("ses/amazon", signing.sns_body(Type="UnsubscribeConfirmation")).status_code == 200
    body = signing.sns_body()
    assert running.post("ses/amazon", body).status_code == 200
    assert messages(embedded_kafka, "mail.webhooks.ses", 1) == [(b"amazon", body)]
    assert running.amazon.asked == [signing.CERTIFICATE_URL, SUBSCRIBE_URL]


def test_subscription_of_another_topic_is_not_confirmed(running: Running) -> None:
    theirs = "arn:aws:sns:eu-central-1:999999999999:theirs"
    url = SUBSCRIBE_URL.replace(ARN, theirs)
    body = signing.sns_body(Type="SubscriptionConfirmation", TopicArn=theirs, SubscribeURL=url)
    assert running.post("ses/amazon", body).status_code == 403
    assert running.amazon.asked == []


def test_message_that_cannot_be_checked_now_is_to_be_sent_again(running: Running) -> None:
    running.amazon.down = True
    answer = running.post("ses/amazon", signing.sns_body())
    assert (answer.status_code, problem(answer)) == (503, "the signature cannot be checked now")
    assert answer.headers["retry-after"] == "5"
    running.amazon.down = False
    assert running.post("ses/amazon", signing.sns_body()).status_code == 200


def test_socketlabs_gets_its_key_back(running: Running) -> None:
    assert running.post("socketlabs/labs", json.dumps({"SecretKey": SECRET}).encode()).text == SECRET


def test_health_asks_the_broker(running: Running) -> None:
    answer = running.client.get(f"{running.url}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "stage": "collect", "failing": []})
    assert running.metric('repmon_health_failing{part="broker",stage="collect"}') == 0


@contextmanager
def own_broker(folder: Path, port: int = 0) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(port, folder / "broker.log")
    broker.start()
    create_topics(broker.kafka, topics.with_sources([source.into for source in SOURCES.values()]))
    try:
        yield broker
    finally:
        broker.stop()


def test_without_broker_the_sender_is_asked_to_come_again(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(COLLECT, acknowledge_s=1.0)
    with own_broker(tmp_path) as broker:
        port = broker.gate.port
        kafka = broker.kafka
        with serving(kafka, settings) as running:
            assert running.signed(b"before").status_code == 200
            broker.stop()
            answer = running.signed(b"meanwhile")
            assert (answer.status_code, problem(answer)) == (503, "the webhook could not be kept; send it again")
            assert answer.headers["retry-after"] == "5"
            ill = running.client.get(f"{running.url}/healthz")
            assert (ill.status_code, [each["part"] for each in ill.json()["failing"]]) == (503, ["broker"])
            assert str(port) not in ill.text
            assert running.metric('repmon_collect_requests_total{format="mailtrap",outcome="unavailable"}') == 1
            with own_broker(tmp_path, port):
                wait_for(lambda: running.signed(b"after").status_code == 200, "the broker to be used again")
                assert running.client.get(f"{running.url}/healthz").status_code == 200
                assert (b"shop", b"after") in messages(kafka, TOPIC, 1)


@pytest.mark.kafka
def test_nothing_that_was_answered_with_200_is_lost_over_a_restart_of_kafka(
    apache_kafka: Kafka, real_kafka: Any
) -> None:
    settings = msgspec.structs.replace(COLLECT, acknowledge_s=1.0)
    taken: list[bytes] = []
    with serving(with_topics(apache_kafka), settings) as running:

        def sent(number: int) -> int:
            body = b"webhook %d" % number
            status = running.signed(body).status_code
            if status == 200:
                taken.append(body)
            return status

        assert [sent(number) for number in range(20)] == [200] * 20
        real_kafka.stop()
        assert sent(20) == 503
        real_kafka.start()
        wait_for(lambda: sent(21) == 200, "the broker to be used again")
    kept = [value for _, value in messages(apache_kafka, TOPIC, len(taken))]
    assert set(taken) <= set(kept)


def test_held_back_by_the_broker_is_not_acknowledged(tmp_path: Path) -> None:
    """The embedded broker makes producers wait while too much is uncounted."""
    settings = msgspec.structs.replace(COLLECT, acknowledge_s=1.0)
    with own_broker(tmp_path) as broker:
        outside = msgspec.structs.replace(broker.kafka, options={})
        with serving(outside, settings) as running:
            assert running.signed(b"before").status_code == 200
            broker.gate.hold()
            assert running.signed(b"meanwhile").status_code == 503
            broker.gate.release()
            wait_for(lambda: running.signed(b"after").status_code == 200, "the gate to be open")


def test_collector_needs_sources_and_their_topics(embedded_kafka: Kafka) -> None:
    with pytest.raises(SettingsError, match=r"collect\.sources: there is none"):
        build_collector(Settings(kafka=embedded_kafka))
    missing = Collect(sources={"a": Source(format="postal", topic="mail.nowhere", unsigned=True)})
    with pytest.raises(BrokerError, match=r"there is no topic mail\.nowhere; `repmon topics create` makes it"):
        build_collector(Settings(kafka=embedded_kafka, collect=missing))
    with pytest.raises(SettingsError, match=r"collect\.sources\.a: secret is missing"):
        build_collector(Settings(kafka=embedded_kafka, collect=Collect(sources={"a": Source(format="resend")})))


CONFIG = """
[collect.sources.shop]
format = "mailtrap"
secret = "s3cret-key"
"""
EVENT = {
    "event": "bounce", "event_id": "e-1", "message_id": "m-1", "email": "ann@yahoo.com", "timestamp": int(NOW_S) - 60,
    "sending_domain_name": "shop.example", "response": "550 5.1.1 user unknown", "response_code": 550,
}  # fmt: skip


def test_webhook_is_counted_once_however_often_it_comes(tmp_path: Path, embedded_kafka: Kafka, store: Store) -> None:
    """The whole path: webhook, collector, topic, ingest, counts."""
    file = tmp_path / "repmon.toml"
    file.write_text(CONFIG)
    settings = load_settings(file, {})
    kafka = with_topics(embedded_kafka)
    worker = IngestWorker(kafka, settings.ingest, store, batch_readers(settings), clock=lambda: int(NOW_S * 1000))
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        with serving(kafka, msgspec.structs.replace(COLLECT, sources=settings.collect.sources)) as running:
            delivered = EVENT | {"event": "delivery", "event_id": "e-2", "email": "bob@yahoo.com"}
            for body in (json.dumps({"events": [EVENT, delivered]}).encode(), b"not to be read"):
                assert running.signed(body).status_code == 200
                assert running.signed(body).status_code == 200
        total = (
            "SELECT sum(delivered), sum(hard) FROM counts WHERE dimension = 'provider' AND customer = 'shop.example'"
        )
        wait_for(lambda: worker.metrics.stored == 4, "four messages")
        assert store.rows(total)[0] == (1, 1)
        assert store.rows("SELECT count() FROM dead_letters WHERE topic = {topic:String}", {"topic": TOPIC})[0][0] == 2
    finally:
        stop.set()
        thread.join(30)


def test_command_answers_what_is_under_way_when_asked_to_stop(embedded_kafka: Kafka, tmp_path: Path) -> None:
    kafka = with_topics(embedded_kafka)
    file = tmp_path / "repmon.toml"
    file.write_text(f'[kafka]\nbootstrap = "{kafka.bootstrap}"\n[collect]\nport = 0\n{CONFIG}')
    command = [sys.executable, "-m", "api.cli.main", "-c", str(file), "collect"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.endswith(f"/collect/mailtrap/shop -> {TOPIC}\n")
        port = int(line.split("/")[2].rsplit(":", 1)[1])
        body = b"half and half"
        ((name, value),) = signing.body_hmac(body, "mailtrap-signature").items()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            head = (
                f"POST /collect/mailtrap/shop HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\nContent-Length: {len(body)}\r\n"
            )
            connection.sendall(head.encode() + b"\r\n" + body[:4])
            wait_for(under_way(port), "the request to be under way")
            process.send_signal(signal.SIGTERM)
            wait_for(closed(port), "the port to be closed")
            connection.sendall(body[4:])
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200 ")
        assert process.wait(20) == 0
    assert messages(kafka, TOPIC, 1) == [(b"shop", body)]


def under_way(port: int) -> Callable[[], bool]:
    """Answers after the bytes sent before it on another connection were read: one loop serves both."""
    return lambda: httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200


def closed(port: int) -> Callable[[], bool]:
    def look() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return True
        return False

    return look
