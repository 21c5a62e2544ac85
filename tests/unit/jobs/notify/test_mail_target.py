"""What is told by mail, and what a mail server's answers mean: nobody is left out, nor told twice who surely was."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from jobs.notify.addresses import CheckedHost
from jobs.notify.notification import Outcome
from jobs.notify.targets.target import senders
from schemas.notify import Email, Target
from schemas.times import utc_now_ms
from tests.support.certificates import Authority
from tests.support.raw_server import Speak, drips, raw_server
from tests.support.raw_smtp import Says, Server
from tests.support.real_kafka import free_ports
from tests.support.told import a_route, parcel_of, told


def send(target: Target, *events: Any, **settings: Any) -> Outcome:
    settings = {"allow_private": True, "timeout_s": 5.0, **settings}
    sender = senders([a_route(target=target, **settings)])["hook"]
    return sender.send(parcel_of(*events), list(events), utc_now_ms())


class Box:
    """Keeps the mail that it takes."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bytes]] = []
        self.refuse: dict[str, str] = {}

    async def handle_RCPT(self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: list[str]) -> str:  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.mails += [(each, envelope.original_content or b"") for each in envelope.rcpt_tos]
        return "250 OK"


@pytest.fixture(scope="module")
def mail_server() -> Iterator[tuple[Box, int]]:
    """A mail server, and its port."""
    found, (port,) = Box(), free_ports(1)
    controller = Controller(found, hostname="127.0.0.1", port=port)
    controller.start()
    yield found, port
    controller.stop()


@pytest.fixture
def box(mail_server: tuple[Box, int]) -> tuple[Box, Email]:
    """A mail server that got nothing yet, and the target that it is."""
    found, port = mail_server
    found.mails, found.refuse = [], {}
    recipients = ("ops@esp.example", "night@esp.example")
    return found, Email(to=recipients, sender="repmon@esp.example", port=port, tls="none")


def test_mail_server_that_never_ends_what_it_says_is_not_waited_for() -> None:
    with raw_server(drips(b"220-", b"y\r\n220-", first=True)) as port:
        target = Email(to=("ops@esp.example",), sender="repmon@esp.example", port=port, tls="none")
        assert send(target, told(), timeout_s=0.2) == Outcome(result="later", said="no answer in time")


def test_mail_goes_to_another_address_of_a_server_where_one_does_not_answer(
    box: tuple[Box, Email], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `localhost` has two."""
    addresses = CheckedHost("localhost", ("127.0.0.2", "127.0.0.1"))
    monkeypatch.setattr("jobs.notify.targets.mail.look_up", lambda *_args, **_options: addresses)
    found, target = box
    assert (send(target, told()).result, len(found.mails)) == ("taken", 2)


def test_mail_goes_to_each_recipient_under_a_message_id_that_stays(box: tuple[Box, Email]) -> None:
    found, target = box
    assert send(target, told()).result == send(target, told()).result == "taken"
    assert [each for each, _ in found.mails] == ["ops@esp.example", "night@esp.example"] * 2
    first, second, again, _ = (content.decode() for _, content in found.mails)
    ids = [
        next(line for line in each.splitlines() if line.startswith("Message-ID:")) for each in (first, second, again)
    ]
    assert ids[0] == ids[2] != ids[1]
    assert "Subject: [critical] acme: failure" in first
    assert "Most failed at example.net." in first
    assert "Counted:   142 of 1,000" in first


def test_recipient_who_is_refused_for_now_is_tried_again_and_no_other(box: tuple[Box, Email]) -> None:
    found, target = box
    found.refuse = {"night@esp.example": "450 later"}
    outcome = send(target, told())
    assert (outcome.result, outcome.done) == ("later", ("ops@esp.example",))
    assert outcome.said == "night@esp.example: 450 later"
    event = told()
    parcel = parcel_of(event)
    parcel.first.done = outcome.done
    found.refuse, found.mails = {}, []
    sender = senders([a_route(target=target, allow_private=True)])["hook"]
    assert sender.send(parcel, [event], utc_now_ms()).result == "taken"
    assert [each for each, _ in found.mails] == ["night@esp.example"]


def test_recipient_who_is_refused_for_good_is_a_dead_letter_that_names_them(box: tuple[Box, Email]) -> None:
    found, target = box
    found.refuse = {"night@esp.example": "550 no such user"}
    outcome = send(target, told())
    assert (outcome.result, outcome.said) == ("never", "night@esp.example: 550 no such user")


def test_server_without_starttls_gets_no_mail(box: tuple[Box, Email]) -> None:
    found, target = box
    outcome = send(msgspec.structs.replace(target, tls="starttls"), told())
    assert (outcome.result, found.mails) == ("never", [])
    assert "STARTTLS" in outcome.said


def test_mail_goes_encrypted_after_a_login_to_the_server_that_was_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("localhost", hosts=("localhost",)))
    found, (port,), (password,) = Box(), free_ports(1), ("s3cret",)
    secret = tmp_path / "password"
    secret.write_text(f"{password}\n")

    def login(_s: SMTP, _session: Session, _e: Envelope, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == password.encode(), handled=False)

    controller = Controller(
        found, hostname="127.0.0.1", port=port, tls_context=tls, require_starttls=True, authenticator=login,
        auth_required=True,
    )  # fmt: skip
    controller.start()
    try:
        target = Email(
            to=("ops@esp.example",),
            sender="repmon@esp.example",
            host="localhost",
            port=port,
            user="repmon",
            password_file=str(secret),
            ca_file=str(authority.ca),
        )
        assert send(target, told()).result == "taken"
        assert send(msgspec.structs.replace(target, ca_file=""), told()).result == "later"
        secret.write_text("other")
        wrong = send(target, told())
    finally:
        controller.stop()
    assert (wrong.result, wrong.said.startswith("535")) == ("later", True)
    assert [each for each, _ in found.mails] == ["ops@esp.example"]


TWO = ("a@esp.example", "b@esp.example")


def mailed(server: Speak, to: tuple[str, ...] = ("ops@esp.example",), **settings: Any) -> Outcome:
    with raw_server(server) as port:
        return send(Email(to=to, sender="repmon@esp.example", port=port, tls="none"), told(), **settings)


@pytest.mark.parametrize("bye", [b"421 shutting down\r\n", b"500 what?\r\n", b"250 OK\r\n", b"rubbish\r\n", None])
def test_what_was_taken_is_taken_whatever_the_server_says_to_quit(bye: bytes | None) -> None:
    """421 is allowed there (RFC 5321 section 4.2.2). It was a failure, and with 500 a dead letter at once."""
    server = Server(QUIT=bye)
    assert mailed(server).result == "taken"
    assert server.taken == ["ops@esp.example"]


def test_server_that_never_ends_its_farewell_is_left() -> None:
    class Slow(Server):
        def __call__(self, connection: socket.socket, over: threading.Event) -> None:
            super().__call__(connection, over)
            while not over.wait(0.02):
                connection.sendall(b"221-y\r\n")

    assert mailed(Slow(QUIT=b"221-bye\r\n"), timeout_s=0.3).result == "taken"


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ({"hello": b"22"}, ""),
        ({"hello": None}, ""),
        ({"hello": b"HTTP/1.1 400 Bad Request\r\n"}, ""),
        ({"hello": b"554 not now\r\n"}, "554 not now"),
        ({"hello": b"999 what\r\n"}, "999 what"),
        ({"hello": b"220-" + b"x" * 10_000 + b"\r\n"}, "Line too long"),
        ({"EHLO": None}, ""),
        ({"EHLO": b"550 no\r\n", "HELO": b"550 no\r\n"}, ""),
        ({"MAIL": b"450 later\r\n"}, "450 later"),
        ({"MAIL": b"421 too many\r\n"}, "421 too many"),
        ({"MAIL": b"777 rubbish\r\n"}, "777 rubbish"),
        ({"RCPT": b"421 too many\r\n"}, "421 too many"),
        ({"RCPT": None}, ""),
        ({"DATA": b"451 not now\r\n"}, "451 not now"),
        ({"DATA": None}, ""),
        ({"dot": b"451 greylisted\r\n"}, "451 greylisted"),
        ({"dot": b"rubbish\r\n"}, "ish"),
        ({"dot": b"250-half\r\n"}, "no answer in time"),
        ({"dot": None}, ""),
    ],
)
def test_what_says_nothing_for_good_of_this_mail_is_tried_again(says: Says, said: str) -> None:
    """Where the answer to the mail itself is lost nobody knows whether it was taken: it goes out again, under the same
    Message-ID (RFC 5321 section 4.5.3.2.6)."""
    outcome = mailed(Server(**says), timeout_s=1.0)
    assert (outcome.result, outcome.done) == ("later", ())
    assert said in outcome.said


@pytest.mark.parametrize("says", [{"MAIL": b"550 no\r\n"}, {"DATA": b"554 no\r\n"}, {"dot": b"554 no\r\n"}])
def test_what_is_refused_for_good_is_a_dead_letter_that_says_so(says: Says) -> None:
    outcome = mailed(Server(**says))
    assert outcome.result == "never"
    assert outcome.said.endswith("no")


@pytest.mark.parametrize(
    ("reply", "result", "done"),
    [(b"554 not for me\r\n", "never", TWO), (b"451 later\r\n", "later", ("b@esp.example",))],
)
@pytest.mark.parametrize("command", ["RCPT", "."])
def test_a_mail_that_one_recipient_is_refused_reaches_the_other(
    command: str, reply: bytes, result: str, done: tuple[str, ...]
) -> None:
    """A refusal of the mail itself kept it from all who came behind, for a day or for good."""

    class ForOne(Server):
        def answer(self, asked: str, line: bytes) -> bytes | None:
            return reply if asked == command and b"a@" in line else super().answer(asked, line)

    server = ForOne()
    outcome = mailed(server, TWO)
    assert (outcome.result, outcome.done, server.taken) == (result, done, ["b@esp.example"])
    assert outcome.said.startswith(f"a@esp.example: {reply.decode().strip()}")


def test_after_a_421_the_reply_is_told_and_not_that_the_connection_is_over() -> None:
    outcome = mailed(Server(RCPT=b"421 4.7.0 too many\r\n"), TWO)
    assert (outcome.result, outcome.said) == ("later", "a@esp.example: 421 4.7.0 too many")


@pytest.mark.parametrize("fault", [OSError(101, "Network is unreachable"), TimeoutError(), ConnectionRefusedError()])
def test_address_that_cannot_be_reached_from_here_costs_no_mail(
    box: tuple[Box, Email], monkeypatch: pytest.MonkeyPatch, fault: OSError
) -> None:
    """A host without IPv6 never told anybody of a server that has both."""
    addresses = CheckedHost("localhost", ("2001:db8::1", "127.0.0.1"))
    monkeypatch.setattr("jobs.notify.targets.mail.look_up", lambda *_args, **_options: addresses)
    connect: Callable[..., Any] = smtplib.SMTP.connect

    def reached(self: smtplib.SMTP, host: str, *rest: Any) -> Any:
        if ":" in host:
            raise fault
        return connect(self, host, *rest)

    monkeypatch.setattr(smtplib.SMTP, "connect", reached)
    found, target = box
    assert (send(target, told()).result, len(found.mails)) == ("taken", 2)
