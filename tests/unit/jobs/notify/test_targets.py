"""What each target is told, and what its answers mean; and addresses that no target may have."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from jobs.notify.addresses import is_public
from jobs.notify.notification import Outcome
from jobs.notify.posting import TargetAnswer, outcome_of
from jobs.notify.targets.target import senders
from schemas.notify import Alertmanager, Chat, Email, NotifyError, PagerDuty, Target, Webhook
from schemas.times import HOUR_MS, utc_now_ms
from streams.io.retry_after import retry_after_s
from tests.support.certificates import Authority
from tests.support.raw_server import Speak, drips, ends_after, raw_server, says
from tests.support.told import KEY, OTHER_KEY, Receiver, a_route, parcel_of, receiver, told

#: Connects to this machine.
ANY = "0.0.0.0"  # noqa: S104 - asked for, not bound


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def received(listening: Receiver) -> Receiver:
    """A receiver that got nothing yet, and takes everything."""
    listening.requests.clear()
    listening.answers(204)
    return listening


def send(target: Target, *events: Any, **settings: Any) -> Outcome:
    settings = {"allow_private": True, "timeout_s": 5.0, **settings}
    sender = senders([a_route(target=target, **settings)])["hook"]
    return sender.send(parcel_of(*events), list(events), utc_now_ms())


def hook(received: Receiver, **settings: Any) -> Webhook:
    return Webhook(**{"url": f"{received.url}/in?a=b", "secrets": (KEY,), **settings})


def test_webhook_is_the_event_signed_with_each_key_while_keys_change(received: Receiver) -> None:
    event = told(customer="Grüße & Söhne")
    assert send(hook(received, secrets=(OTHER_KEY, KEY)), event).result == "taken"
    (request,) = received.requests
    assert (request.method, request.path) == ("POST", "/in?a=b")
    assert request.headers["content-type"] == "application/cloudevents+json; charset=UTF-8"
    assert request.headers["webhook-id"] == parcel_of(event).id
    for key in (KEY, OTHER_KEY):
        assert Verifier(key).verify(request.body, request.headers) == event.plain()


def test_digest_is_an_array_of_events_under_an_id_of_its_own(received: Receiver) -> None:
    events = told(), told(customer="other")
    assert send(hook(received), *events, digest_minutes=5).result == "taken"
    (request,) = received.requests
    assert request.headers["content-type"] == "application/cloudevents-batch+json; charset=UTF-8"
    assert Verifier(KEY).verify(request.body, request.headers) == [each.plain() for each in events]
    assert request.headers["webhook-id"] == parcel_of(*events).id != parcel_of(events[0]).id


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, "taken"), (202, "taken"), (204, "taken"),
        (301, "never"), (307, "never"), (400, "never"), (401, "never"), (404, "never"), (410, "never"), (413, "never"),
        (408, "later"), (425, "later"), (429, "later"), (500, "later"), (502, "later"), (503, "later"), (599, "later"),
    ],
)  # fmt: skip
def test_answer_is_taken_tried_again_or_given_up(status: int, result: str) -> None:
    assert outcome_of(TargetAnswer(status, b"", location="https://else.example/?token=x"), 0).result == result


def test_redirect_is_said_and_not_followed(received: Receiver) -> None:
    received.answers(302, {"Location": f"{received.url}/elsewhere?token=s3cret"})
    outcome = send(hook(received), told())
    assert outcome.result == "never"
    assert outcome.said == f"302: it points to {received.url}/elsewhere?***; redirects are not followed"
    assert len(received.requests) == 1


@pytest.mark.parametrize(
    ("written", "wait_ms"),
    [
        ("", 0),
        ("30", 30_000),
        ("soon", 0),
        ("-5", 0),
        ("Thu, 01 Jan 1970 01:00:00 GMT", HOUR_MS),
        ("9" * 30, 999_999_999_000),
    ],
)
def test_retry_after_is_seconds_or_a_date(written: str, wait_ms: int) -> None:
    assert (retry_after_s(written, 0) or 0) * 1000 == wait_ms


def test_long_answer_is_read_no_further_than_its_beginning_and_shown_in_one_line(received: Receiver) -> None:
    received.answers(400, body=b"\x1b[2Jno\n such " + b"x" * 1_000_000)
    outcome = send(hook(received), told())
    assert outcome.said.startswith("400  [2Jno such xxx")
    assert len(outcome.said) < 250


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True),
        ("127.0.0.1", False), ("::1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), (ANY, False), ("::", False), ("fe80::1%eth0", False),
        ("fd00::1", False), ("224.0.0.1", False), ("ff02::1", False), ("255.255.255.255", False),
        ("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("::ffff:8.8.8.8", True),
    ],
)  # fmt: skip
def test_private_addresses_are_known_also_within_others(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("host", ["localhost", "2130706433", "127.1", "0x7f.1"])
def test_target_of_this_machine_is_told_of_nothing_unless_the_route_allows_it(received: Receiver, host: str) -> None:
    target = hook(received, url=f"http://{host}:{received.port}/")
    outcome = send(target, told(), allow_private=False)
    assert outcome.result == "never"
    assert "not a public address; the route allows such with `allow_private = true`" in outcome.said
    assert received.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", ANY, "[::ffff:10.0.0.1]", "169.254.169.254"])
def test_address_that_is_not_public_is_refused_at_the_start(received: Receiver, host: str) -> None:
    with pytest.raises(NotifyError, match=r"target\.url: .* is not a public address; allow it with `allow_private"):
        send(hook(received, url=f"http://{host}/"), told(), allow_private=False)
    with pytest.raises(NotifyError, match=r"target\.host: 127\.0\.0\.1 is not a public address"):
        send(Email(to=("a@b.example",), sender="c@d.example"), told(), allow_private=False)


def test_connection_goes_to_the_address_that_was_checked(received: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means another address at the second look (DNS rebinding) is not looked up twice."""
    looks: list[str] = []

    def look_up(host: str, port: int, *_: object, **_named: object) -> list[Any]:
        looks.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr("jobs.notify.addresses.socket.getaddrinfo", look_up)
    monkeypatch.setattr("jobs.notify.addresses.is_public", lambda _: True)
    target = hook(received, url=f"http://rebinding.example:{received.port}/")
    assert send(target, told(), allow_private=False).result == "taken"
    assert looks == ["rebinding.example", "127.0.0.1"], "the second is the address itself"
    assert received.requests[0].headers["host"] == f"rebinding.example:{received.port}"


def test_name_that_is_not_known_is_looked_up_again_later() -> None:
    outcome = send(Webhook(url="http://no-such-host.invalid/", secrets=(KEY,)), told())
    assert (outcome.result, "no-such-host.invalid cannot be looked up" in outcome.said) == ("later", True)


def test_target_that_does_not_listen_is_tried_again() -> None:
    with receiver() as gone:
        target = hook(gone)
    assert send(target, told()) == Outcome(result="later", said="cannot be reached: connection refused")


def test_target_that_answers_byte_by_byte_is_not_waited_for(received: Receiver) -> None:
    def slowly(_: object) -> tuple[int, dict[str, str], bytes]:
        for _n in range(40):
            time.sleep(0.05)
        return 204, {}, b""

    received.answer = slowly
    assert send(hook(received), told(), timeout_s=0.2) == Outcome(result="later", said="no whole answer in time")


@pytest.mark.parametrize(
    ("speak", "said"),
    [
        (drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "no whole answer in time"),
        (says(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\r\n"), "what it answers is no HTTP/1.1"),
        (says(b"220 mx.esp.example ESMTP\r\n"), "what it answers is no HTTP/1.1"),
        (
            ends_after(b"HTTP/1.1 200 OK\r\nServer: y\r\nX-"),
            "the connection ended before the answer did",
        ),
        (ends_after(b"HTTP/1.1 200 OK\r\n"), "the connection ended before the answer did"),
    ],
)
def test_answer_that_never_ends_or_is_of_another_protocol_is_none(speak: Speak, said: str) -> None:
    """One that had begun well was taken for a whole one when it was ended."""
    with raw_server(speak) as port:
        target = Webhook(url=f"http://127.0.0.1:{port}/", secrets=(KEY,))
        assert send(target, told(), timeout_s=0.5) == Outcome(result="later", said=said)


INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


@pytest.mark.parametrize(
    "before", [INTERIM, b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" + 2 * INTERIM]
)
def test_interim_answer_is_not_the_answer(before: bytes) -> None:
    """An edge that sends hints had each notification a dead letter that said `103`."""
    with raw_server(ends_after(before + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as port:
        target = Webhook(url=f"http://127.0.0.1:{port}/", secrets=(KEY,))
        assert send(target, told()) == Outcome(result="taken", said="200 ok")


@pytest.mark.parametrize(
    ("speak", "said"),
    [
        (ends_after(INTERIM), "the connection ended before the answer did"),
        (ends_after(INTERIM[:40]), "the connection ended before the answer did"),
        (drips(b"", INTERIM), "no whole answer in time"),
    ],
)
def test_interim_answer_alone_is_none(speak: Speak, said: str) -> None:
    with raw_server(speak) as port:
        target = Webhook(url=f"http://127.0.0.1:{port}/", secrets=(KEY,))
        assert send(target, told(), timeout_s=0.5) == Outcome(result="later", said=said)


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (b"Content-Length: 9\r\n\r\nhalf", "200 half"),
        (b"Transfer-Encoding: chunked\r\n\r\nmany\r\n", "200"),
        (b"Content-Length: many\r\n\r\nok", "200 ok"),
    ],
)
def test_status_stands_however_the_body_ends(rest: bytes, said: str) -> None:
    """Asked again, the target would tell it twice."""
    with raw_server(ends_after(b"HTTP/1.1 200 OK\r\n" + rest)) as port:
        target = Webhook(url=f"http://127.0.0.1:{port}/", secrets=(KEY,))
        assert send(target, told()) == Outcome(result="taken", said=said)


def test_page_in_place_of_a_service_took_nothing() -> None:
    """A proxy that asks to sign in answers with 200."""
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!doctype html><title>Sign in</title>"
    with raw_server(ends_after(page)) as port:
        url = f"http://127.0.0.1:{port}"
        for target in (PagerDuty(routing_key=KEY, url=url), Alertmanager(url=url)):
            outcome = send(target, told())
            assert (outcome.result, "with a page in place of an answer" in outcome.said) == ("later", True)


def test_answer_of_a_service_that_is_cut_off_is_asked_for_again() -> None:
    """It may have been a page; the same is not told twice by these."""
    with raw_server(ends_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")) as port:
        url = f"http://127.0.0.1:{port}"
        for target in (PagerDuty(routing_key=KEY, url=url), Alertmanager(url=url)):
            assert send(target, told()) == Outcome(result="later", said="the connection ended before the answer did")


def test_where_a_redirect_points_to_cannot_steer_a_terminal() -> None:
    with raw_server(says(b"HTTP/1.1 308 x\r\nLocation: /\x1b[2Jx\r\nContent-Length: 0\r\n\r\n")) as port:
        outcome = send(Webhook(url=f"http://127.0.0.1:{port}/", secrets=(KEY,)), told())
    assert outcome == Outcome(result="never", said="308: it points to / [2Jx; redirects are not followed")


def test_certificate_must_have_the_name_of_the_address_and_be_trusted(tmp_path: Path) -> None:
    """The connection goes to an address, the certificate is checked for the name."""
    authority = Authority(tmp_path)
    good, other = (authority.issue(name, hosts=(name,)) for name in ("localhost", "elsewhere.example"))
    for certificate, ca_file, said in (
        (good, str(authority.ca), "204"),
        (good, "", "its certificate is not trusted: "),
        (other, str(authority.ca), "its certificate is not trusted: "),
    ):
        with receiver(certificate) as found:
            outcome = send(hook(found, url=f"https://localhost:{found.port}/", ca_file=ca_file), told())
        assert outcome.said.startswith(said)
        assert outcome.result == ("taken" if said == "204" else "later")


def pager(received: Receiver) -> PagerDuty:
    return PagerDuty(routing_key="R0UT1NG", url=f"{received.url}/v2/enqueue")


def test_error_with_a_good_code_is_tried_again(received: Receiver) -> None:
    received.answer = lambda _: (200, {}, b'{"status": "error", "message": "no such key"}')
    assert send(pager(received), told()) == Outcome(
        result="later",
        said='200 {"status": "error", "message": "no such key"}: an error, whatever its code',
    )
    received.answer = lambda _: (202, {}, b'{"status": "success", "message": "Event processed"}')
    assert send(pager(received), told()).result == "taken"


def test_incident_of_an_alert_is_triggered_acknowledged_and_resolved_under_one_key(received: Receiver) -> None:
    for event in (
        told(),
        told("acknowledged", "critical", "critical", number=2),
        told("de-escalated", "warning", "critical", number=3),
        told("resolved", "good", "warning", number=4),
    ):
        assert send(pager(received), event, levels=("excessive", "critical")).result == "taken"
    bodies = received.bodies()
    assert [each["event_action"] for each in bodies] == ["trigger", "acknowledge", "resolve", "resolve"]
    assert {each["dedup_key"] for each in bodies} == {"acme-1"}
    payload = bodies[0]["payload"]
    assert (payload["severity"], payload["source"], payload["class"]) == ("critical", "acme", "failure")
    assert payload["summary"] == "acme is critical: Most failed at example.net."
    assert payload["timestamp"] == "1970-01-01T00:00:00.000Z"


def test_chat_is_told_by_apprise_and_private_addresses_need_leave(received: Receiver) -> None:
    received.answers(200)
    target = Chat(url=f"json://127.0.0.1:{received.port}/")
    refused = send(target, told(), allow_private=False)
    assert (refused.result, received.requests) == ("never", [])
    assert "127.0.0.1 is not a public address" in refused.said
    assert send(target, told()).result == "taken"
    (body,) = received.bodies()
    assert body["title"] == "[critical] acme: failure"
    assert "Most failed at example.net." in body["message"]


def test_chat_that_takes_nothing_is_tried_again_and_its_address_stays_secret(received: Receiver) -> None:
    received.answers(500)
    outcome = send(Chat(url=f"json://127.0.0.1:{received.port}/s3cret"), told())
    assert outcome.result == "later"
    assert "s3cret" not in outcome.said
    assert json.dumps(outcome.said)
