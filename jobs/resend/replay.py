"""Dead letters sent to their topic again, once they can be read: checked, acknowledged, recorded in this order.

Where the process ends between acknowledgement and record, the letter counts as not replayed and is sent once more by
the next replay. That is harmless: ingest counts an event id once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, Protocol, cast

import msgspec

from jobs.resend.dead_letters import Letter, payloads
from schemas.event import MAX_EVENT_BYTES, MailEvent
from schemas.listing import BlocklistEvent
from schemas.settings import Ingest
from schemas.times import utc_time
from schemas.topics import MAIL_BLOCKLISTINGS
from streams.adapt import LISTING_FORMATS, Adapter, AdaptError, Context, ListingAdapter, adapter, listing_adapter
from streams.adapt.apart import AnyAdapter, read_apart
from streams.adapt.common import plain
from streams.adapt.mail_report import default_of, is_unnamed
from streams.adapt.validate import check_time
from streams.intake.bounds import TimeBounds, time_bounds
from streams.io.broker import BrokerError
from streams.io.store import Store, StoreError

#: What is sent before waiting for the broker: so many letters, or so many bytes.
CHUNK_LETTERS = 500
CHUNK_BYTES = 16_000_000
LISTING = msgspec.json.Decoder(BlocklistEvent)


class Sender(Protocol):
    """The part of `streams.io.broker.Publisher` that a replay needs."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; BrokerError where there is no such topic."""

    def publish(self, topic: str, key: bytes, value: bytes, *, done: Callable[[str], None]) -> None:
        """Queue a message; `done` is called with '' once it is acknowledged, or with why it was not taken."""

    def flush(self) -> None:
        """Wait until everything queued is acknowledged or refused."""


class Reader:
    """Reads a message as the ingest stage does, by the format of its topic, and counts nothing."""

    def __init__(self, settings: Ingest, context: Context) -> None:
        """Look the adapters up.

        Raises:
            AdaptError: a format is not known.
        """
        self._adapters: dict[str, Adapter | ListingAdapter] = {
            topic: listing_adapter(format_name) if format_name in LISTING_FORMATS else adapter(format_name)
            for topic, format_name in settings.formats.items()
        }
        # As ingest does.
        self._context = replace(context, find_by_message=True)
        self._bounds = time_bounds(settings)

    def key(self, topic: str, payload: bytes, now_ms: int) -> bytes:
        """The key the message is to be sent with: its customer, or the resource of a listing. Empty where the
        message says nothing that is counted. Of a message with several records one that can be read is enough: the
        others become a dead letter again.

        Raises:
            AdaptError: it cannot be read, or its times are not plausible at `now_ms` (epoch ms).
        """
        check = partial(_check_times, self._bounds, now_ms)
        try:
            events = self._events(topic, payload)
            check(events)
        except AdaptError:
            adapt = self._adapters.get(topic)
            apart = adapt and read_apart(cast(AnyAdapter[Any], adapt), payload, self._context, check)
            if not apart or not apart.events:
                raise
            events = apart.events
        if not events:
            return b""
        first = events[0]
        if isinstance(first, BlocklistEvent):
            return first.resource.encode()
        return (default_of(first) if is_unnamed(first) else first.customer).encode()

    def _events(self, topic: str, payload: bytes) -> Sequence[MailEvent | BlocklistEvent]:
        if topic == MAIL_BLOCKLISTINGS:
            try:
                return [LISTING.decode(payload)]
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise AdaptError(plain(error)) from error
        adapt = self._adapters.get(topic)
        if adapt is None:
            raise AdaptError(f"ingest.formats names no format for {topic}")
        if len(payload) > MAX_EVENT_BYTES:
            raise AdaptError(f"the message has {len(payload):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
        return adapt(payload, self._context)


def _check_times(bounds: TimeBounds, now_ms: int, events: Sequence[MailEvent | BlocklistEvent]) -> None:
    for event in events:
        if reason := check_time(event, now_ms, bounds.ahead_ms, bounds.behind_ms):
            raise AdaptError(reason)


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """What became of one letter: sent again, passed over because it was replayed before, or refused; and why."""

    letter: Letter
    what: Literal["sent", "passed over", "refused"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A letter that may be sent, and as what."""

    letter: Letter
    key: bytes
    payload: bytes
    forced: bool


@dataclass
class Replayer:
    """Sends letters again in the name of `by`; `clock` gives epoch ms.

    `mended` are bytes to send in place of a letter's own. With `again` also what was replayed before is sent, with
    `force` also what cannot be read.
    """

    store: Store
    sender: Sender
    reader: Reader
    by: str
    clock: Callable[[], int]
    again: bool = False
    force: bool = False
    mended: bytes | None = None
    _topics: dict[str, str] = field(default_factory=dict)

    def run(self, letters: Iterable[Letter]) -> Iterator[ReplayOutcome]:
        """The outcome of each letter in turn; one is sent when the broker has it and the store has recorded it.

        Raises:
            BrokerError: some were not acknowledged in time; what became of the others was reported before.
            StoreError: the store failed; the message says if letters were sent and not recorded.
        """
        for chunk in _chunks(letters):
            yield from self._chunk(chunk)

    def _chunk(self, letters: list[Letter]) -> Iterator[ReplayOutcome]:
        kept = payloads(self.store, letters) if self.mended is None else {each.id: self.mended for each in letters}
        now_ms = self.clock()
        checked = [self._checked(each, kept.get(each.id), now_ms) for each in letters]
        ready = [each for each in checked if isinstance(each, _Ready)]
        answers: dict[str, str] = {}
        failure = self._send(ready, answers)
        self._note([each for each in ready if answers.get(each.letter.id) == ""])
        for each in checked:
            if isinstance(each, ReplayOutcome):
                yield each
            elif why := answers.get(each.letter.id, "it was not acknowledged in time"):
                yield ReplayOutcome(each.letter, "refused", why)
            else:
                yield ReplayOutcome(each.letter, "sent")
        if failure is not None:
            raise failure

    def _checked(self, letter: Letter, payload: bytes | None, now_ms: int) -> _Ready | ReplayOutcome:
        if letter.replayed_ms and not self.again:
            return ReplayOutcome(letter, "passed over", "it was replayed before")
        if payload is None:
            return ReplayOutcome(letter, "refused", "it is no longer stored")
        if missing := self._missing(letter.topic):
            return ReplayOutcome(letter, "refused", missing)
        key, forced = b"", letter.replayed_ms > 0
        try:
            key = self.reader.key(letter.topic, payload, now_ms)
        except AdaptError as error:
            if not self.force:
                return ReplayOutcome(letter, "refused", str(error))
            forced = True
        return _Ready(letter, key or letter.id.encode(), payload, forced)

    def _missing(self, topic: str) -> str:
        """What is wrong with a topic, asked once."""
        if topic not in self._topics:
            self._topics[topic] = ""
            try:
                self.sender.partitions(topic)
            except BrokerError as error:
                self._topics[topic] = str(error)
        return self._topics[topic]

    def _send(self, ready: Sequence[_Ready], answers: dict[str, str]) -> BrokerError | None:
        """Send, and wait for the answers. Returns what kept the broker from giving them all."""
        for each in ready:
            done = partial(answers.__setitem__, each.letter.id)
            try:
                self.sender.publish(each.letter.topic, each.key, each.payload, done=done)
            except BrokerError as error:
                done(str(error))
        try:
            self.sender.flush()
        except BrokerError as error:
            return error
        return None

    def _note(self, sent: Sequence[_Ready]) -> None:
        if not sent:
            return
        now = utc_time(self.clock())
        columns: dict[str, Sequence[object]] = {
            "topic": [each.letter.topic for each in sent],
            "source": [each.letter.source for each in sent],
            "position": [each.letter.position for each in sent],
            "time": [now] * len(sent),
            "replayed_by": [self.by] * len(sent),
            "mended": [self.mended is not None] * len(sent),
            "forced": [each.forced for each in sent],
        }
        try:
            self.store.insert("dead_letter_replays", columns)
        except StoreError as error:
            raise StoreError(f"{len(sent):,} dead letters were sent, but not recorded as replayed: {error}") from error


def _chunks(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    chunk: list[Letter] = []
    size = 0
    for letter in letters:
        if chunk and (len(chunk) == CHUNK_LETTERS or size + letter.size > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(letter)
        size += letter.size
    if chunk:
        yield chunk
