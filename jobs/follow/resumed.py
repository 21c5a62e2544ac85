"""A log that goes on where it was left: what was sent before a restart is read again for the memory alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from jobs.follow.log import Log
from jobs.follow.place import LogPlace
from jobs.follow.source import FollowedFile

#: How often it looks for the files that were read before a restart.
MOST_BEGINNINGS = 3


@dataclass(slots=True)
class ResumedLog:
    """A log, and up to where events of it were sent before."""

    log: Log
    _done: tuple[LogPlace, ...] = ()
    _reached: bool = True
    #: The files that were read then, and how far; and those that were read to their end.
    _known: dict[FollowedFile, LogPlace] = field(default_factory=dict)
    _before: set[FollowedFile] = field(default_factory=set)

    @classmethod
    def at(
        cls,
        path: Path,
        sent: tuple[LogPlace, ...],
        read: tuple[LogPlace, ...] | None,
        now: float,
        *,
        again: bool,
        older: tuple[LogPlace, ...] | None = None,
    ) -> "ResumedLog":
        """The log from where it was left. Where lines tell something of later ones (`again`) it is read from `read`
        on, which is as far as the memory knows, else from the beginning of the file. `older` is as for `Log.at`."""
        if not again or not sent:
            return cls(Log.at(path, sent, now, older))
        begin = read or (msgspec.structs.replace(sent[0], offset=0),)
        resumed = cls(Log.at(path, begin, now), sent)
        for _ in range(MOST_BEGINNINGS):
            if resumed._knows_what_was_sent() and resumed.log.found:
                return resumed
            # Perhaps it was copied and cut off just now, or compressed; then the copy is found.
            resumed.log.close()
            resumed.log = Log.at(path, begin, now)
        if resumed._knows_what_was_sent():
            return resumed
        resumed.log.close()
        resumed.log = Log.at(path, sent, now)
        return resumed

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.log.path

    @property
    def damaged(self) -> list[FollowedFile]:
        """Files that were left although not all of them could be read."""
        return self.log.damaged

    @property
    def found(self) -> bool:
        """Whether the file in which it was left is there."""
        return self.log.found

    @property
    def sources(self) -> list[FollowedFile]:
        """The files, in the order in which they are read."""
        return self.log.sources

    @property
    def places(self) -> tuple[LogPlace, ...]:
        """How far each file is read, the one that grows last."""
        return self.log.places

    @property
    def sent_places(self) -> tuple[LogPlace, ...]:
        """The same, once it is as far as was sent before."""
        return self.log.places if self._reached else ()

    @property
    def older_places(self) -> tuple[LogPlace, ...] | None:
        """The parts that were there when it was first followed, until something of it is read."""
        return self.log.older_places

    @property
    def files(self) -> Iterator[tuple[Path, int]]:
        """The files that are read, and the bytes of them whose events were sent; without those that are done."""
        for source in self.log.sources:
            place = self._known.get(source)
            if place is not None or source not in self._before:
                yield source.path, max(source.offset, place.offset if place is not None else 0)

    def lines(self, now: float) -> Iterator[tuple[FollowedFile, int, bytes, bool]]:
        """What there is to read now: file, offset behind the line, line, and whether it was sent before.

        Raises:
            OSError: a file cannot be read.
        """
        for source, offset, line in self.log.lines(now):
            yield source, offset, line, not self._reached and self._was_sent(source, offset)

    def close(self) -> None:
        """Close all files."""
        self.log.close()

    def _knows_what_was_sent(self) -> bool:
        """Find the files that were read; false where the last one is not there, so that nothing is held back."""
        sources = self.log.sources
        self._known.clear()
        for source in sources:
            place = next((each for each in self._done if source.is_place_of(each)), None)
            if place is not None:
                self._known[source] = place
        last = next((each for each, place in self._known.items() if place is self._done[-1]), None)
        if last is not None:
            self._before.update(sources[: sources.index(last)])
        self._reached = last is None
        return last is not None

    def _was_sent(self, source: FollowedFile, offset: int) -> bool:
        """Whether a line was sent before the restart."""
        place = self._known.get(source)
        if place is not None and offset <= place.offset:
            return True
        if place is None and source in self._before:
            return True
        self._reached = self._reached or place is None or place is self._done[-1]
        return False
