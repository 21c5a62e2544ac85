"""Mail by LMTP: who gets which answer, and what is kept of it."""

import asyncio
import re
import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.collect import lmtp
from api.collect.body import MemoryBudget
from api.collect.deliver import NotTakenError
from api.collect.lmtp_socket import listen_lmtp, named
from api.collect.numbers import RequestOutcome
from api.collect.sources import PreparedSource
from schemas.settings import SettingsError
from tests.support.mails import report

SOURCES = [
    PreparedSource("fbl", "arf", "mail.reports", (), addresses=("fbl@esp.example", "both@esp.example")),
    PreparedSource("bounces", "dsn", "mail.bounces", (), addresses=("bounce+*@*.esp.example", "both@esp.example")),
]
COMPLAINT = report("feedback-report", "Feedback-Type: abuse\n").replace(b"\n", b"\r\n")
BOUNCE = report("delivery-status", "Final-Recipient: rfc822; a@b.example\nAction: failed\n").replace(b"\n", b"\r\n")


@dataclass
class Taker:
    """Stands in for the collector."""

    mail_sources: list[PreparedSource] = field(default_factory=lambda: SOURCES)
    most_bytes: int = 1_000_000
    budget: MemoryBudget = field(default_factory=lambda: MemoryBudget(2_000_000))
    down: set[str] = field(default_factory=set)
    kept: list[tuple[str, bytes]] = field(default_factory=list)
    counted: list[tuple[str, str]] = field(default_factory=list)

    def reserve(self) -> AbstractContextManager[Callable[[int], None]]:
        return self.budget.reserve()

    async def keep_mail(self, source: PreparedSource, mail: bytes) -> None:
        if source.name in self.down:
            raise NotTakenError("not acknowledged within 10 s")
        self.kept.append((source.name, mail))

    def count_mail(self, source: PreparedSource | None, outcome: RequestOutcome) -> None:
        self.counted.append((source.format_name if source else "unknown", outcome))


def talk(taker: Taker, client: Callable[[str, int], None]) -> None:
    """Run a client, given host and port, against a server."""

    async def both() -> None:
        listening = listen_lmtp("127.0.0.1:0")
        async with lmtp.serving(taker, listening, 5.0):
            await asyncio.to_thread(client, *listening.getsockname()[:2])

    asyncio.run(both())


def dialogue(taker: Taker, *said: bytes) -> list[str]:
    """What is answered to these bytes, line by line; the connection ends with them."""
    answers: list[bytes] = []

    def client(host: str, port: int) -> None:
        with socket.create_connection((host, port), timeout=10) as made:
            made.sendall(b"".join(said))
            made.shutdown(socket.SHUT_WR)
            while data := made.recv(65_536):
                answers.append(data)

    talk(taker, client)
    return b"".join(answers).decode().splitlines()


def envelope(*recipients: str, sender: str = "") -> bytes:
    lines = ["LHLO mx1", f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients), "DATA"]
    return "".join(f"{each}\r\n" for each in lines).encode()


def of_mail(answers: list[str]) -> list[str]:
    """The answers after the mail was asked for."""
    return answers[answers.index("354 go on") + 1 :]


def test_mail_is_answered_once_it_is_kept_with_who_it_was_for() -> None:
    taker = Taker()

    def client(host: str, port: int) -> None:
        with smtplib.LMTP(host, port, timeout=10) as server:
            assert server.sendmail("fbl@harbour.example", ["FBL@esp.example"], COMPLAINT) == {}
            assert server.sendmail("", ["bounce+acme+7@mail.esp.example"], BOUNCE) == {}

    talk(taker, client)
    assert taker.kept == [
        ("fbl", b"Return-Path: <fbl@harbour.example>\r\nX-Original-To: FBL@esp.example\r\n" + COMPLAINT),
        ("bounces", b"Return-Path: <>\r\nX-Original-To: bounce+acme+7@mail.esp.example\r\n" + BOUNCE),
    ]
    assert taker.counted == [("arf", "taken"), ("dsn", "taken")]


@pytest.mark.parametrize(
    ("mail", "name"), [(COMPLAINT, "fbl"), (BOUNCE, "bounces"), (b"Subject: x\r\n\r\n", "bounces")]
)
def test_at_an_address_of_both_the_mail_itself_tells_its_format(mail: bytes, name: str) -> None:
    taker = Taker()
    dialogue(taker, envelope("both@esp.example"), mail, b".\r\nQUIT\r\n")
    assert [each[0] for each in taker.kept] == [name]


def test_every_recipient_has_an_answer_of_its_own() -> None:
    taker = Taker(down={"bounces"})
    names = [
        "fbl@esp.example",
        "ida@esp.example",
        "bounce+a@m.esp.example",
        "fbl@esp.example",
        "bounce+b@m.esp.example",
    ]
    answers = dialogue(taker, envelope(*names), COMPLAINT, b".\r\nQUIT\r\n")
    assert "550 5.1.1 no source has this address" in answers
    assert of_mail(answers) == [
        "250 2.0.0 <fbl@esp.example> kept for fbl",
        "451 4.3.0 <bounce+a@m.esp.example> could not be kept; send it again",
        "250 2.0.0 <fbl@esp.example> kept for fbl",
        "451 4.3.0 <bounce+b@m.esp.example> could not be kept; send it again",
        "221 2.0.0 bye",
    ]
    assert [each[0] for each in taker.kept] == ["fbl"], "once, though two recipients are of one source"
    assert taker.counted == [
        ("unknown", "not_found"), ("arf", "taken"), ("dsn", "unavailable"), ("arf", "taken"), ("dsn", "unavailable"),
    ]  # fmt: skip


def test_of_a_large_mail_the_beginning_is_kept() -> None:
    taker = Taker(most_bytes=1_000)
    answers = dialogue(
        taker, envelope("fbl@esp.example"), b"a: b\r\n\r\n", b"x" * 200_000, b"\r\n" * 9, b".\r\nQUIT\r\n"
    )
    assert of_mail(answers)[0].startswith("250 ")
    assert [len(each) for _, each in taker.kept] == [1_000]


def test_mail_beyond_the_limit_is_refused_for_every_recipient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp, "MOST_BYTES", 100)
    taker = Taker()
    answers = dialogue(taker, envelope("fbl@esp.example", "both@esp.example"), b"x" * 200, b"\r\n.\r\nQUIT\r\n")
    assert [each[:9] for each in of_mail(answers)] == ["552 5.3.4", "552 5.3.4", "221 2.0.0"]
    assert taker.kept == []
    said = dialogue(taker, b"LHLO mx1\r\nMAIL FROM:<> SIZE=101\r\nMAIL FROM:<> BODY=8BITMIME SIZE=100\r\n")
    assert [each[:3] for each in said[-2:]] == ["552", "250"]


def test_without_memory_the_mail_is_not_even_asked_for() -> None:
    taker = Taker(budget=MemoryBudget(999_999))
    answers = dialogue(taker, envelope("fbl@esp.example"), b"QUIT\r\n")
    assert answers[-2:] == ["451 4.3.1 too much mail at once", "221 2.0.0 bye"]


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r"])
def test_only_a_dot_between_whole_ends_of_lines_ends_a_mail(end: bytes) -> None:
    """Otherwise a mail could hold a second one with an envelope of its own (SMTP smuggling)."""
    taker = Taker()
    inner = envelope("fbl@esp.example") + b"smuggled"
    answers = dialogue(taker, envelope("fbl@esp.example"), b"a: b" + end + inner, b"\r\n.\r\nQUIT\r\n")
    assert len(taker.kept) == 1
    assert [each[:3] for each in of_mail(answers)] == ["250", "221"]


def test_dots_that_were_doubled_are_single_again_also_behind_a_long_line() -> None:
    taker = Taker()
    text = b"." + b"x" * 65_533 + b"\r\n.y\r\n..z\r\n"
    stuffed = b"." + text.replace(b"\r\n.", b"\r\n..")
    dialogue(taker, envelope("fbl@esp.example"), stuffed, b".\r\n")
    assert taker.kept[0][1].endswith(text)


def test_mail_that_is_cut_off_is_not_kept() -> None:
    taker = Taker()
    answers = dialogue(taker, envelope("fbl@esp.example"), COMPLAINT)
    assert (of_mail(answers), taker.kept) == ([], [])


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"EHLO mx1\r\n", "500 5.5.1 this is LMTP: LHLO"),
        (b"MAIL FROM:<>\r\n", "503 5.5.1 LHLO first"),
        (b"LHLO a\r\nRCPT TO:<fbl@esp.example>\r\n", "503 5.5.1 MAIL first"),
        (b"LHLO a\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n", "503 5.5.1 one sender"),
        (b"LHLO a\r\nMAIL FROM:<>\r\nDATA\r\n", "503 5.5.1 RCPT first"),
        (b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<f\x07@esp.example>\r\n", "501 5.5.4 RCPT TO:<address>"),
        (b"LHLO a\r\nMAIL TO:<>\r\n", "501 5.5.4 MAIL FROM:<address>"),
        (b"LHLO a\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n", "250 2.1.0 ok"),
        (b"x" * 5_000, "500 5.5.6 the command is too long"),
        (b"\xff\r\n" * 10, "421 4.7.0 too many mistakes"),
        (b"VRFY ida\r\n", "252 2.5.0 try it"),
        (b"noop\r\n", "250 2.0.0 here"),
    ],
)
def test_what_is_out_of_order_is_said(said: bytes, answer: str) -> None:
    assert dialogue(Taker(), said)[-1] == answer


def test_recipients_of_one_mail_are_bounded() -> None:
    answers = dialogue(Taker(), envelope(*["fbl@esp.example"] * 101))
    assert answers[-2:] == ["452 4.5.3 no more recipients of one mail", "354 go on"]


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp, "MOST_CONNECTIONS", 0)
    assert dialogue(Taker()) == ["421 4.3.2 too many connections"]


def test_stop_waits_for_the_mail_under_way_and_for_no_silent_client() -> None:
    taker = Taker()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def keep(source: PreparedSource, mail: bytes) -> None:
        begun.set()
        await go_on.wait()
        taker.kept.append((source.name, mail))

    async def both() -> tuple[bytes, bytes]:
        listening = listen_lmtp("127.0.0.1:0")
        where = listening.getsockname()[:2]
        async with lmtp.serving(taker, listening, 30.0):
            silent, _ = await asyncio.open_connection(*where)
            await silent.readline()
            reader, writer = await asyncio.open_connection(*where)
            writer.write(envelope("fbl@esp.example") + b"a: b\r\n\r\n.\r\n")
            await begun.wait()
            asyncio.get_running_loop().call_later(0.05, go_on.set)
        return await silent.read(), (await reader.read())[-100:]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taker, "keep_mail", keep)
        quiet, said = asyncio.run(both())
    assert quiet == b""
    assert b"250 2.0.0 <fbl@esp.example> kept for fbl\r\n" in said
    assert len(taker.kept) == 1


LINES = st.sampled_from(
    [b"LHLO a\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<fbl@esp.example>\r\n", b"DATA\r\n", b".\r\n", b"\n", b"RSET\r\n"]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(LINES | st.binary(max_size=40), max_size=30))
def test_any_bytes_are_answered_in_order(said: list[bytes]) -> None:
    taker = Taker()
    answers = dialogue(taker, *said)
    assert all(re.match(r"[2345]\d\d[ -]", each) for each in answers)
    assert len(taker.kept) == sum(each.startswith("250 2.0.0 <") for each in answers)


@contextmanager
def listening_at(where: str) -> Iterator[socket.socket]:
    made = listen_lmtp(where)
    with made:
        yield made


def test_unix_socket_is_for_its_group_and_one_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    for _ in range(2):
        with listening_at(str(path)) as made:
            assert path.stat().st_mode & 0o777 == 0o660
            assert named(made) == f"unix:{path}"
            with pytest.raises(SettingsError, match="another process listens there"):
                listen_lmtp(f"unix:{path}")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("0.0.0.0:8024", "0.0.0.0 is not of this host alone"),
        ("mx1.esp.example:24", "mx1.esp.example is not of this host alone"),
        ("8024", "neither the path of a unix socket nor an address"),
        ("127.0.0.1:99999", "neither the path of a unix socket nor an address"),
        ("/nowhere/at/all", "/nowhere/at/all cannot be used: No such file or directory"),
    ],
)
def test_socket_that_cannot_be_is_refused(where: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        listen_lmtp(where)
    assert said in str(error.value)


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x")
    with pytest.raises(SettingsError, match="a file that is no socket"):
        listen_lmtp(str(tmp_path / "log"))
    assert (tmp_path / "log").read_bytes() == b"x"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_ports_of_this_host_are_taken(host: str) -> None:
    with listening_at(f"{host}:0") as made:
        assert named(made).startswith(("inet:127.0.0.1:", "inet:[::1]:"))
