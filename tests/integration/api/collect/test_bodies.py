"""Bodies that are too large, too slow, cut off or too many: none costs more than its limit."""

import json
import socket
from collections.abc import Iterator

import httpx
import msgspec

from schemas.settings import Kafka
from tests.support import signing
from tests.support.collecting import COLLECT, Running, messages, problem, serving, with_topics
from tests.support.waiting import wait_for


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
