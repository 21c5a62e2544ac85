"""The webhook collector on a broker: what it answers with 200 is in the topic, and nothing else is promised."""

import gzip
import json
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from api.collect.lmtp_socket import listen_lmtp
from api.collect.serve import build_collector
from api.stack.reading import batch_readers
from schemas.collect import Collect, Source
from schemas.providers import load_providers
from schemas.settings import Kafka, Settings, SettingsError
from schemas.settings_file import load_settings
from streams.adapt import Context, adapter
from streams.intake.ingest import IngestWorker
from streams.io.broker import BrokerError
from streams.io.store import Store
from tests.support import signing
from tests.support.collecting import (
    COLLECT,
    ODD,
    TOPIC,
    Running,
    messages,
    own_broker,
    problem,
    read,
    serving,
    with_topics,
)
from tests.support.signing import ARN, NOW_S, SECRET, SUBSCRIBE_URL
from tests.support.waiting import wait_for


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
    found = messages(embedded_kafka, "mail.webhooks.arf", 4)
    for (key, kept), sent in zip(found, (mail, large, head + mail, head + large), strict=True):
        dated, _, rest = kept.partition(b"\r\n")
        assert key == b"fbl"
        assert dated.startswith(b"Delivery-Date: ")
        assert rest == sent[: 1_000_000 - len(dated) - 2]


def test_report_in_json_without_a_time_is_of_when_it_was_taken(embedded_kafka: Kafka) -> None:
    """One alone or an array of them, as RFC 9477 allows; what JSON it is else is kept as it came."""
    told = {"xarf_version": "4.0.0", "category": "messaging", "type": "spam", "protocol": "smtp", "smtp_to": "i@gmx.de"}
    reports = [{**told, "report_id": str(number), "smtp_from": "b@acme.example"} for number in range(3)]
    kafka = with_topics(embedded_kafka)
    with serving(kafka) as running:
        for body in (reports[0], reports, {"some": "json"}):
            answer = running.post("arf/fbl", json.dumps(body).encode(), {"authorization": "Bearer t0ken"})
            assert answer.status_code == 200
    alone, batch, other = (value for _, value in messages(kafka, "mail.webhooks.arf", 3))
    context = Context(b"a key", load_providers())
    events = [*adapter("arf")(alone, context), *adapter("arf")(batch, context)]
    assert [event.time_ms for event in events] == [int(NOW_S) * 1000] * 4
    assert len({event.id for event in events}) == 3, "the first came twice"
    assert json.loads(other) == {"some": "json"}


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
