"""LMTP (RFC 2033): mail for feedback addresses, each answered once the broker has it.

Every recipient has an answer of its own. What the broker does not take is to be sent again (4yz), so it stays in the
queue of the mail server. Nothing is passed on: recipients are those of the sources alone. Whoever reaches the socket is
believed, so it is one of this host.
"""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from api.collect.body import NoRoomError
from api.collect.deliver import NotTakenError
from api.collect.mailboxes import source_for, sources_of, traced
from api.collect.numbers import RequestOutcome
from api.collect.sources import PreparedSource

#: How long a client may say nothing, in s (RFC 5321 section 4.5.3.2.7).
IDLE_S = 300.0
#: Limits of connections, of recipients of one mail (RFC 5321 section 4.5.3.1.8), of a mail and of a command (bytes).
MOST_CONNECTIONS = 100
MOST_RECIPIENTS = 100
MOST_BYTES = 100_000_000
MOST_COMMAND = 4_096
PIECE = 65_536
#: So many commands that are none end a connection.
MOST_MISTAKES = 10

_PATH = re.compile(r"(?:FROM|TO):[ ]?<([^<>\x00-\x20\x7f]{0,1000})>(?: (.*))?", re.IGNORECASE)
_SIZE = re.compile(r"(?:^| )SIZE=(\d{1,20})(?: |$)", re.IGNORECASE)

_OFFERED = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
#: Commands whose answer is always the same.
_ANSWERS = {
    "LHLO": "\r\n".join(["250-repmon", *(f"250-{each}" for each in _OFFERED), f"250 SIZE {MOST_BYTES}"]),
    "RSET": "250 2.0.0 forgotten",
    "NOOP": "250 2.0.0 here",
    "VRFY": "252 2.5.0 try it",
    "QUIT": "221 2.0.0 bye",
    "HELO": "500 5.5.1 this is LMTP: LHLO",
    "EHLO": "500 5.5.1 this is LMTP: LHLO",
}

log = logging.getLogger("repmon.collect")


class MailTaker(Protocol):
    """What mail is given to."""

    @property
    def mail_sources(self) -> Sequence[PreparedSource]:
        """The sources that have addresses."""

    @property
    def most_bytes(self) -> int:
        """What is kept of a mail, in bytes."""

    def reserve(self) -> AbstractContextManager[Callable[[int], None]]:
        """Memory for one mail: by a function, which raises NoRoomError."""

    async def keep_mail(self, source: PreparedSource, mail: bytes) -> None:
        """Hand a mail to the broker; NotTakenError where it was not acknowledged."""

    def count_mail(self, source: PreparedSource | None, outcome: RequestOutcome) -> None:
        """Count what became of a mail for one recipient."""


class _Session:
    """One connection."""

    def __init__(self, taker: MailTaker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._taker = taker
        self._reader = reader
        self._writer = writer
        self._held = bytearray()
        self._greeted = False
        self._sender: str | None = None
        self._recipients: list[tuple[str, list[PreparedSource]]] = []
        #: Whether a mail is under way, whose answer should be waited for.
        self.busy = False
        #: Whether to end after that.
        self.ending = False

    async def run(self) -> None:
        """Answer until the client ends."""
        mistakes = 0
        await self._say("220 repmon LMTP")
        while mistakes < MOST_MISTAKES:
            line = await self._piece(MOST_COMMAND)
            word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if not line.endswith(b"\n"):
                await self._say("500 5.5.6 the command is too long")
                return
            answer = await self._answer(word.upper(), rest.strip())
            await self._say(answer)
            if answer.startswith("221"):
                return
            if self.ending:
                await self._say("421 4.3.2 stopping")
                return
            mistakes += answer.startswith("50")
        await self._say("421 4.7.0 too many mistakes")

    async def _answer(self, word: str, rest: str) -> str:
        if word in ("LHLO", "RSET"):
            self._greeted = self._greeted or word == "LHLO"
            self._reset()
        if word == "MAIL":
            return self._mail(rest)
        if word == "RCPT":
            return self._recipient(rest)
        return await self._data(rest) if word == "DATA" else _ANSWERS.get(word, "500 5.5.2 no such command")

    def _mail(self, rest: str) -> str:
        found = _PATH.fullmatch(rest)
        if not self._greeted or self._sender is not None:
            return "503 5.5.1 LHLO first" if not self._greeted else "503 5.5.1 one sender"
        if found is None or not rest.upper().startswith("FROM"):
            return "501 5.5.4 MAIL FROM:<address>"
        size = _SIZE.search(found[2] or "")
        if size and int(size[1]) > MOST_BYTES:
            return f"552 5.3.4 at most {MOST_BYTES} bytes"
        self._sender = found[1]
        return "250 2.1.0 ok"

    def _recipient(self, rest: str) -> str:
        found = _PATH.fullmatch(rest)
        if self._sender is None:
            return "503 5.5.1 MAIL first"
        if found is None or not rest.upper().startswith("TO"):
            return "501 5.5.4 RCPT TO:<address>"
        if len(self._recipients) == MOST_RECIPIENTS:
            return "452 4.5.3 no more recipients of one mail"
        candidates = sources_of(found[1], self._taker.mail_sources)
        if not candidates:
            self._taker.count_mail(None, "not_found")
            return "550 5.1.1 no source has this address"
        self._recipients.append((found[1], candidates))
        return "250 2.1.5 ok"

    async def _data(self, rest: str) -> str:
        if rest or not self._recipients:
            return "501 5.5.4 DATA" if rest else "503 5.5.1 RCPT first"
        try:
            with self._taker.reserve() as reserve:
                reserve(self._taker.most_bytes)
                await self._say("354 go on")
                self.busy = True
                mail, whole = await self._text()
                answers = await self._kept(mail) if whole else self._refused()
        except NoRoomError:
            answers = [self._later("4.3.1 too much mail at once")]
        finally:
            self.busy = False
            self._reset()
        return "\r\n".join(answers)

    def _later(self, why: str) -> str:
        for _, candidates in self._recipients:
            self._taker.count_mail(candidates[0], "unavailable")
        return f"451 {why}"

    def _refused(self) -> list[str]:
        for _, candidates in self._recipients:
            self._taker.count_mail(candidates[0], "too_large")
        return [f"552 5.3.4 <{address}> at most {MOST_BYTES} bytes" for address, _ in self._recipients]

    async def _text(self) -> tuple[bytes, bool]:
        """The beginning of the mail, and whether it was not too large. It ends with a dot on a line by itself, both of
        whose ends are CR LF: other ends of lines may stand in it (RFC 5321 section 2.3.8)."""
        kept = bytearray()
        size = 0
        end = b"\r\n"
        while True:
            piece = await self._piece(PIECE)
            begins = end == b"\r\n"
            if begins and piece == b".\r\n":
                return bytes(kept), size <= MOST_BYTES
            end = (end + piece)[-2:]
            size += len(piece)
            text = piece[1:] if begins and piece.startswith(b".") else piece
            kept += text[: self._taker.most_bytes - len(kept)]

    async def _kept(self, mail: bytes) -> list[str]:
        """An answer for each recipient. What goes to one source more than once is handed on once."""
        chosen = [(address, source_for(mail, candidates)) for address, candidates in self._recipients]
        first = {source.name: (address, source) for address, source in reversed(chosen)}
        said = await asyncio.gather(*(self._delivered(mail, *each) for each in first.values()))
        outcomes = dict(zip(first, said, strict=True))
        answers = []
        for address, source in chosen:
            taken = not outcomes[source.name]
            self._taker.count_mail(source, "taken" if taken else "unavailable")
            answers.append(
                f"250 2.0.0 <{address}> kept for {source.name}"
                if taken
                else f"451 4.3.0 <{address}> could not be kept; send it again"
            )
        return answers

    async def _delivered(self, mail: bytes, address: str, source: PreparedSource) -> str:
        """Why it was not taken; empty where it was."""
        try:
            body = traced(mail, self._sender or "", address, self._taker.most_bytes)
            await self._taker.keep_mail(source, body)
        except NotTakenError as error:
            log.warning("%s: a mail: %s", source.name, error)
            return str(error) or "not taken"
        return ""

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    async def _piece(self, most: int) -> bytes:
        """A line, or so many bytes of it.

        Raises:
            ConnectionError: there is no more.
            TimeoutError: the client is silent.
        """
        while (end := self._held.find(b"\n", 0, most)) < 0 and len(self._held) < most:
            async with asyncio.timeout(IDLE_S):
                data = await self._reader.read(PIECE)
            if not data:
                raise ConnectionResetError
            self._held += data
        size = end + 1 if end >= 0 else most
        piece = bytes(self._held[:size])
        del self._held[:size]
        return piece

    async def _say(self, answer: str) -> None:
        self._writer.write(answer.encode() + b"\r\n")
        async with asyncio.timeout(IDLE_S):
            await self._writer.drain()


@asynccontextmanager
async def serving(taker: MailTaker, listening: socket.socket | None, within_s: float) -> AsyncIterator[None]:
    """Take mail from the socket, if there is one. At the end what is under way is answered, for at most `within_s`."""
    if listening is None:
        yield
        return
    server = LmtpServer(taker)
    name = listening.getsockname()
    start = asyncio.start_unix_server if listening.family == socket.AF_UNIX else asyncio.start_server
    taking = await start(server.connected, sock=listening)
    try:
        yield
    finally:
        taking.close()
        await server.stop(within_s)
        if listening.family == socket.AF_UNIX:
            await asyncio.to_thread(Path(name).unlink, missing_ok=True)


class LmtpServer:
    """Takes connections of mail servers of this host."""

    def __init__(self, taker: MailTaker) -> None:
        """`taker` is given the mail."""
        self._taker = taker
        self._sessions: dict[asyncio.Task[None], _Session] = {}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        task = asyncio.current_task()
        session = _Session(self._taker, reader, writer)
        try:
            if len(self._sessions) >= MOST_CONNECTIONS or task is None:
                writer.write(b"421 4.3.2 too many connections\r\n")
                return
            self._sessions[task] = session
            await session.run()
        except (TimeoutError, ConnectionError):
            pass
        finally:
            if task is not None:
                self._sessions.pop(task, None)
            writer.close()

    async def stop(self, within_s: float) -> None:
        """End connections: those without a mail under way at once, the others once it is answered."""
        for task, session in list(self._sessions.items()):
            session.ending = True
            if not session.busy:
                task.cancel()
        if self._sessions:
            await asyncio.wait(list(self._sessions), timeout=within_s)
        for task in list(self._sessions):
            task.cancel()
