"""A log sent on as it grows: its events are published, and how far it was read is kept once they are acknowledged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from jobs.follow.place import LogPlace, SegmentPlaces
from jobs.follow.resumed import ResumedLog
from jobs.follow.segments import SegmentFolder
from jobs.follow.source import FollowedFile
from jobs.follow.state import FollowError, FollowStore, Places
from schemas.event import MAX_EVENT_BYTES, MailEvent
from streams.adapt import Adapter, AdaptError, Context, adapter, kumomta_names, ordered_adapter

#: How often what was sent is waited for and the place is kept, and how often the memory is.
KEEP_S = 1.0
KEEP_MEMORY_S = 30.0
#: How long it waits where nothing has come.
IDLE_S = 0.2
#: Lines that could not be read are kept up to so many bytes.
MOST_UNREAD_BYTES = 64_000_000

_ENCODER = msgspec.json.Encoder()

#: Takes the key and the value of one message.
Publish = Callable[[bytes, bytes], None]
#: Waits until all messages are acknowledged; false where some are not yet.
Acknowledged = Callable[[], bool]


class Followed(Protocol):
    """A log that goes on where it was left. `found` is false where the place was in a file that is gone; `damaged` are
    files that were left although not all of them could be read."""

    @property
    def path(self) -> Path: ...
    @property
    def damaged(self) -> list[FollowedFile]: ...
    @property
    def found(self) -> bool: ...

    @property
    def sources(self) -> Sequence[FollowedFile]:
        """The files that are open."""

    @property
    def places(self) -> Places | None:
        """How far it is read; nothing while there is nothing."""

    @property
    def sent_places(self) -> Places | None:
        """The same, once it is as far as was sent before."""

    @property
    def older_places(self) -> tuple[LogPlace, ...] | None:
        """The older parts that were there when it was first followed, until something of it is read."""

    @property
    def files(self) -> Iterator[tuple[Path, int]]:
        """The files that are read, and the bytes of them whose events were sent; without those that are done."""

    def lines(self, now: float) -> Iterator[tuple[FollowedFile, int, bytes, bool]]:
        """What there is to read now: file, offset behind the line, line, and whether it was sent before."""

    def close(self) -> None:
        """Close all files."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that could not be read, or the rest of a file: the file, the offset behind it, and why."""

    path: Path
    offset: int
    reason: str


@dataclass(slots=True)
class Follower:
    """One log. `sent` and `unread` count since it was begun; `tell` hears of what cannot be read."""

    store: FollowStore
    log: Followed
    context: Context
    publish: Publish
    acknowledged: Acknowledged
    tell: Callable[[Unread], None]
    adapt: Adapter
    sent: int = 0
    unread: int = 0
    _remember: Callable[[], object] | None = None
    _kept_at: float = 0.0
    _memory_at: float = 0.0
    _changed: bool = False
    _faults: set[FollowedFile] = field(default_factory=set)

    @classmethod
    def begin(
        cls,
        path: Path,
        format_name: str,
        store: FollowStore,
        context: Context,
        publish: Publish,
        acknowledged: Acknowledged,
        tell: Callable[[Unread], None],
        now: float,
    ) -> "Follower":
        """Go on where it was left; else from the beginning of the file, or of all segments where it is a folder.

        Raises:
            AdaptError: there is no such format.
            FollowError: what was kept cannot be read.
        """
        ordered = ordered_adapter(format_name)
        kept = store.memory() if ordered is not None else None
        again = ordered is not None
        log: Followed
        if is_folder_of_segments(path, format_name):
            before = store.segments()
            knows = kept is not None and isinstance(kept[0], SegmentPlaces) and before is not None
            log = SegmentFolder.at(path, before, kept[0] if kept is not None and knows else None, again=again)
        else:
            places = store.places()
            knows = kept is not None and isinstance(kept[0], tuple) and bool(places)
            read, older = kept[0] if kept is not None and knows else None, store.older()
            log = ResumedLog.at(path, places, read, now, again=again, older=older)
        adapt = adapter(format_name) if ordered is None else ordered.adapt
        follower = cls(store, log, context, publish, acknowledged, tell, adapt)
        if ordered is not None:
            if kept is not None and knows:
                ordered.memory = kept[1]
            follower._remember = lambda: ordered.memory
        follower._kept_at = now
        follower._changed = log.older_places is not None
        # Without any it is kept at once.
        follower._memory_at = now if ordered is None or kept is not None else now - KEEP_MEMORY_S
        return follower

    def step(self, now: float) -> bool:
        """Read what there is, and send it; whether there was anything. `now` is in s, of a clock that only rises.

        A file that cannot be read is told of and tried again at the next step, and so is a place that cannot be kept:
        in the middle of a rotation rights may be missing for a moment, and a disk that is full is emptied again.

        Raises:
            FollowError: a line that cannot be read cannot be put aside.
            BrokerError: by `publish` and `acknowledged`.
        """
        any_line = False
        try:
            any_line = self._read(now)
        except OSError as error:
            self.tell(Unread(Path(error.filename or self.log.path), 0, f"waiting: {error.strerror or error}"))
        self._tell_faults()
        self._changed = self._changed or any_line
        if self._changed and now - self._kept_at >= KEEP_S:
            self.keep(now)
        return any_line

    def _read(self, now: float) -> bool:
        any_line = False
        for source, offset, line, was_sent in self.log.lines(now):
            any_line = True
            if line and not line.isspace():
                self._send(source, offset, line, quiet=was_sent)
        return any_line

    def _tell_faults(self) -> None:
        for source in (*self.log.sources, *self.log.damaged):
            if source.fault and source not in self._faults:
                self._faults.add(source)
                self.unread += 1
                self.tell(Unread(source.path, source.offset, source.fault))
        self.log.damaged.clear()

    def keep(self, now: float, *, memory: bool = False) -> bool:
        """Wait for what was sent and keep how far the log was read; false where something is not acknowledged yet, or
        the place cannot be kept."""
        if not self.acknowledged():
            return False
        try:
            self._keep(now, memory=memory)
        except OSError as error:
            path = Path(error.filename or self.store.place)
            self.tell(Unread(path, 0, f"the place cannot be kept: {error.strerror or error}"))
            self._kept_at = now
            return False
        return True

    def _keep(self, now: float, *, memory: bool) -> None:
        if sent := self.log.sent_places:
            self.store.keep_places(sent)
        elif (older := self.log.older_places) is not None:
            self.store.keep_older(older)
        self._kept_at, self._changed = now, False
        places = self.log.places
        if self._remember is not None and places and (memory or now - self._memory_at >= KEEP_MEMORY_S):
            self.store.keep_memory(places, self._remember())
            self._memory_at = now

    def close(self) -> None:
        """Close its files."""
        self.log.close()
        self.store.close()

    def _send(self, source: FollowedFile, offset: int, line: bytes, *, quiet: bool) -> None:
        try:
            events = self._events(line)
        except AdaptError as error:
            if not quiet:
                self._put_aside(Unread(source.path, offset, str(error)), line)
            return
        if not quiet:
            for event in events:
                self.publish(event.customer.encode(), _ENCODER.encode(event))
            self.sent += len(events)

    def _events(self, line: bytes) -> list[MailEvent]:
        if len(line) > MAX_EVENT_BYTES:
            raise AdaptError(f"the line is longer than {MAX_EVENT_BYTES:,} bytes")
        return self.adapt(line, self.context)

    def _put_aside(self, unread: Unread, line: bytes) -> None:
        self.unread += 1
        try:
            with self.store.unread.open("ab") as file:
                full = file.tell() >= MOST_UNREAD_BYTES
                if not full:
                    file.write(line + b"\n")
        except OSError as error:
            raise FollowError(f"{self.store.unread}: a line cannot be put aside: {error.strerror}") from error
        if full:
            self.tell(Unread(self.store.unread, MOST_UNREAD_BYTES, "is full: further lines are not kept"))
        self.tell(unread)


def is_folder_of_segments(path: Path, format_name: str) -> bool:
    """Whether a path is a folder of segments, or will be: KumoMTA makes it with its first record."""
    return format_name == kumomta_names.NAME and (path.is_dir() or not (path.exists() or path.suffix))


def until_stopped(followers: Sequence[Follower], now: Callable[[], float], wait: Callable[[float], bool]) -> bool:
    """Follow logs until `wait`, which waits so many seconds, says that it is over; then keep what was read. False where
    some of it could not be kept.

    Raises:
        FollowError, BrokerError: as `Follower.step`.
    """
    while not wait(0.0):
        # Each of them, not until one has something.
        any_line = [each.step(now()) for each in followers]
        if not any(any_line) and wait(IDLE_S):
            break
    kept = [each.keep(now(), memory=True) for each in followers]
    return all(kept)


def files_of(followers: Sequence[Follower]) -> Iterator[tuple[Path, int]]:
    """The files that are read, and the bytes of them that are done; what is read again for the memory alone is done."""
    for each in followers:
        yield from each.log.files
