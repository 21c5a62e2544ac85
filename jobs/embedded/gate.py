"""A gate in front of the embedded broker: it relays Kafka frames and can hold back what is being produced, and who asks
for topics.

The broker keeps its log in memory and gives memory back only when a topic is deleted. To do that without
losing an acknowledged message, nobody may produce between the last message counted and the deletion: the gate
holds Produce requests back for that moment, and everything else passes. To a producer it looks like a slow answer.

The broker makes an unknown topic, with as many partitions as it likes, as soon as a producer asks where it is. So
nobody may ask before the topics are made, at the start and whenever they are made again: a closed gate holds back
Metadata requests and changes of topics too. Our own stages pass, and their Metadata requests are made to say that no
topic is to be created.

Administrators' requests of others that would harm the broker, or end who asks, are answered here (`refusals`).

A request is a 4 byte length, then a 2 byte API key (0 is Produce), 2 bytes of version and a 4 byte correlation id,
which the response repeats after its own length, then the client id as a 2 byte length and text (Kafka protocol
guide, "Protocol Primitive Types" and "Headers"). Our own stages name themselves by a client id that passes always:
what they have to say about the last messages must get through while the others wait.
"""

import asyncio
import contextlib
import math
import threading
from asyncio import StreamReader, StreamWriter

from jobs.embedded.refusals import KINDS as REFUSED
from jobs.embedded.refusals import MalformedRequestError, in_place_of, refusal
from streams.io.handles import most_connections, raise_handles

PRODUCE, METADATA, CREATE_TOPICS = 0, 3, 19
#: What may make a topic.
OF_TOPICS = frozenset({METADATA, CREATE_TOPICS})
#: Bytes of a request that is refused, at most.
MOST_REFUSED = 1 << 20
#: How many bytes before the end of a Metadata request it says whether topics are to be created, by its version: what
#: follows are one or two more flags and, from version 9 on, tagged fields, of which clients send none (Kafka
#: protocol guide, "Metadata API"). Earlier versions than 4 cannot say it.
CREATES_AT = {4: 1, 5: 1, 6: 1, 7: 1, 8: 3, 9: 4, 10: 4, 11: 3, 12: 3, 13: 3}
#: Of a request: its length, kind, version and number, and the length of its client's name.
HEAD = 14
CHUNK = 1 << 18
BUFFER = 1 << 22
#: Connections of clients, at most, and of how many handles that are not reserved one connection takes its two.
MOST_CONNECTIONS, PART = 500, 8
#: How long the first request of a connection may take, in s: clients ask at once.
FIRST_S = 10.0
#: The client id of our own stages.
INSIDE = "repmon-stage"
_INSIDE = INSIDE.encode()
#: Requests that ask for no acknowledgement are never answered; they are waited for no longer than this.
SETTLE_S = 10.0


class Gate:
    """Relays from `port` to the broker's own port, on a thread and event loop of its own. One that starts `closed` lets
    only our own stages through until `open` and `release`."""

    def __init__(self, port: int, broker_port: int, host: str = "127.0.0.1", *, closed: bool = False) -> None:
        self.host = host
        self.port = port
        self._broker_port = broker_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        #: Whether others may produce.
        self._open: asyncio.Event = asyncio.Event()
        #: Whether others may ask for topics.
        self._settled: asyncio.Event = asyncio.Event()
        if not closed:
            self._open.set()
            self._settled.set()
        self._unanswered: set[tuple[int, int]] = set()
        self._relays: set[asyncio.Task[None]] = set()
        #: Answers that take the place of the broker's, by connection and number.
        self._refusals: dict[tuple[int, int], bytes] = {}
        #: Those that have asked nothing yet, the one that has waited longest first.
        self._silent: dict[asyncio.Task[None], None] = {}
        self._most = most_connections(raise_handles(), MOST_CONNECTIONS, PART)
        self._server: asyncio.Server | None = None
        #: Bytes of Produce requests let through since the last `forget`.
        self.produced_bytes = 0
        #: Those of others than our own stages, from the beginning, and those of our own.
        self.outside_bytes = 0
        self.inside_bytes = 0
        #: So many more may be let through of others before the gate closes by itself.
        self._allowed = math.inf

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def hold(self) -> None:
        """Let no further Produce request through, and wait until those let through are answered."""
        asyncio.run_coroutine_threadsafe(self._hold(self._open), self._loop).result()

    def close(self) -> None:
        """Let nobody else produce or ask for topics, and wait until what was let through is answered: then topics may
        be made."""
        asyncio.run_coroutine_threadsafe(self._hold(self._open, self._settled), self._loop).result()

    def open(self) -> None:
        """The topics are right: others may ask for them, and after `release` produce."""
        self._loop.call_soon_threadsafe(self._settled.set)

    def release(self, allowed_bytes: float = math.inf) -> None:
        """Let Produce requests through again, until they come to so many bytes: a producer that waited has many ready,
        and they pass within no time."""
        self._loop.call_soon_threadsafe(self._release, allowed_bytes)

    def _release(self, allowed_bytes: float) -> None:
        self._allowed = allowed_bytes
        self._open.set()

    def forget(self) -> None:
        """Begin counting `produced_bytes` again from 0."""
        self.produced_bytes = 0

    def stop(self) -> None:
        """Close every connection and the port."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=BUFFER)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _hold(self, *passages: asyncio.Event) -> None:
        for each in passages:
            each.clear()
        deadline = self._loop.time() + SETTLE_S
        while self._unanswered and self._loop.time() < deadline:  # noqa: ASYNC110 - answered by many tasks
            await asyncio.sleep(0.005)
        self._unanswered.clear()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for relay in list(self._relays):
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or (len(self._relays) >= self._most and not self._made_room()):
            writer.close()
            return
        self._relays.add(task)
        self._silent[task] = None
        broker_writer = None
        try:
            async with asyncio.timeout(FIRST_S):
                head = await reader.readexactly(HEAD)
            del self._silent[task]
            broker_reader, broker_writer = await asyncio.open_connection(self.host, self._broker_port, limit=BUFFER)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(head, reader, broker_writer, id(writer)))
                both.create_task(self._responses(broker_reader, writer, id(writer)))
        except* (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, MalformedRequestError):
            pass
        finally:
            self._unanswered = {each for each in self._unanswered if each[0] != id(writer)}
            for each in [each for each in self._refusals if each[0] == id(writer)]:
                del self._refusals[each]
            self._relays.discard(task)
            self._silent.pop(task, None)
            for end in (writer, broker_writer):
                if end is not None:
                    with contextlib.suppress(OSError, RuntimeError):
                        end.close()

    def _made_room(self) -> bool:
        """Close the one that has been silent longest; False if all have asked something."""
        oldest = next(iter(self._silent), None)
        if oldest is None:
            return False
        del self._silent[oldest]
        self._relays.discard(oldest)
        oldest.cancel()
        return True

    async def _requests(self, head: bytes, source: StreamReader, target: StreamWriter, connection: int) -> None:
        while True:
            length, kind = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:6], "big")
            if kind == PRODUCE or kind in OF_TOPICS or kind in REFUSED:
                named = int.from_bytes(head[12:14], "big", signed=True)
                client = await source.readexactly(named) if named > 0 else b""
                ours = client == _INSIDE
                if kind in REFUSED and not ours:
                    await self._refuse(head + client, source, target, connection)
                    head = await source.readexactly(HEAD)
                    continue
                if not ours and kind not in REFUSED:
                    await self._passage(kind, length)
                    self._unanswered.add((connection, int.from_bytes(head[8:12], "big")))
                if kind == PRODUCE:
                    self.produced_bytes += length
                    self.inside_bytes += length if ours else 0
                head += client
                if kind == METADATA and ours:
                    head = _creating_nothing(head + await source.readexactly(length + 4 - len(head)))
            target.write(head)
            await _pass(source, target, length + 4 - len(head))
            head = await source.readexactly(HEAD)

    async def _refuse(self, begun: bytes, source: StreamReader, target: StreamWriter, connection: int) -> None:
        """Have a request answered with an error, in its turn, that the broker does not see."""
        left = int.from_bytes(begun[:4], "big") + 4 - len(begun)
        if not 0 <= left <= MOST_REFUSED:
            raise MalformedRequestError
        request = begun + await source.readexactly(left)
        self._refusals[connection, int.from_bytes(request[8:12], "big")] = refusal(request)
        target.write(in_place_of(request))
        await target.drain()

    async def _passage(self, kind: int, length: int) -> None:
        """Return once a request of another client may pass."""
        if kind != PRODUCE:
            await self._settled.wait()
            return
        while not self._open.is_set():  # others that waited too may have used up what was allowed
            await self._open.wait()
        self.outside_bytes += length
        self._allowed -= length
        if self._allowed <= 0:
            self._open.clear()

    async def _responses(self, source: StreamReader, target: StreamWriter, connection: int) -> None:
        while True:
            head = await source.readexactly(8)
            number, left = (connection, int.from_bytes(head[4:8], "big")), int.from_bytes(head[:4], "big") - 4
            self._unanswered.discard(number)
            if refused := self._refusals.pop(number, b""):
                await source.readexactly(left)
                target.write(refused)
                await target.drain()
                continue
            target.write(head)
            await _pass(source, target, left)


def _creating_nothing(request: bytes) -> bytes:
    """A Metadata request that says that topics it names are not to be created."""
    before_end = CREATES_AT.get(int.from_bytes(request[6:8], "big"))
    if before_end is None:
        return request
    at = len(request) - before_end
    return request[:at] + b"\0" + request[at + 1 :]


async def _pass(source: StreamReader, target: StreamWriter, length: int) -> None:
    while length > 0:
        part = await source.read(min(length, CHUNK))
        if not part:
            raise asyncio.IncompleteReadError(b"", length)
        target.write(part)
        length -= len(part)
        await target.drain()
    await target.drain()
