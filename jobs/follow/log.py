"""A log that is followed: its lines as they come, through rotation, and where it goes on after a restart."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jobs.follow.parts import OlderParts, parts_from
from jobs.follow.place import LogPlace
from jobs.follow.source import FollowedFile

#: How long a rotated file must not have grown before the next one is read: its writer may not know yet.
SETTLE_S = 2.0
#: How long a file before the current one is still looked at.
LINGER_S = 60.0


@dataclass(slots=True)
class _Former:
    """A file before the current one: who still writes to it has not noticed the rotation."""

    source: FollowedFile
    until: float


@dataclass(slots=True)
class Log:
    """The files of one log. `found` is false where the place was in a file that is gone."""

    path: Path
    found: bool = True
    _parts: list[FollowedFile] = field(default_factory=list)
    _former: list[_Former] = field(default_factory=list)
    _grew: float = 0.0
    #: Former files that were left although not all of them could be read.
    damaged: list[FollowedFile] = field(default_factory=list)
    #: How far the file before the current one was read, and the one that was seen to come behind it.
    _left: LogPlace | None = None
    _behind: FollowedFile | None = None
    #: What was there when it was first followed, until something of it is read.
    _older: OlderParts | None = None

    @classmethod
    def at(
        cls, path: Path, places: tuple[LogPlace, ...], now: float, older: tuple[LogPlace, ...] | None = None
    ) -> "Log":
        """The log from some places on, the last of them in the file that grew; from its beginning without any. `older`
        are the parts that were there when it was first followed, where nothing was read since."""
        parts, found = parts_from(path, places[-1] if places else None)
        log = cls(path, found, parts, _grew=now)
        if not places and (older is not None or not any(each.size for each in parts)):
            log._older = OlderParts(path, older)
        for place in places[:-1]:
            sources, there = parts_from(path, place)
            if there and sources:
                log._former.append(_Former(sources[0], now + LINGER_S))
            for each in sources[1 if there else 0 :]:
                each.close()
        return log

    @property
    def places(self) -> tuple[LogPlace, ...]:
        """How far each file is read, the one that grows last. A file of which nothing is read is no place yet where
        there was one before: others may come in between."""
        former = tuple(each.source.place for each in self._former)
        before = former or ((self._left,) if self._left is not None else ())
        current = self._parts[0].place if self._parts else None
        if current is None or not current.head_bytes or (before and not current.offset):
            return before
        return (*former, current)

    @property
    def older_places(self) -> tuple[LogPlace, ...] | None:
        """The parts that were there when it was first followed, until something of it is read; none where it was not
        empty then."""
        return None if self._older is None else self._older.places

    @property
    def sources(self) -> list[FollowedFile]:
        """The files, in the order in which they are read."""
        return [*(each.source for each in self._former), *self._parts]

    def lines(self, now: float) -> Iterator[tuple[FollowedFile, int, bytes]]:
        """What there is to read now: file, offset behind the line, line. `now` is in s, of any clock that only rises.

        Raises:
            OSError: a file cannot be read.
        """
        for former in list(self._former):
            for offset, line in former.source.lines():
                former.until = now + LINGER_S
                yield former.source, offset, line
            if now >= former.until:
                yield from _last_lines(former.source)
                if former is self._former[-1]:
                    self._left = former.source.place
                if former.source.fault:
                    self.damaged.append(former.source)
                former.source.close()
                self._former.remove(former)
        if not self._parts:
            self._parts, _ = parts_from(self.path, None)
            self._grew = now
        while self._parts:
            if self._missed_some():
                self._grew = now
            current, any_line = self._parts[0], False
            for offset, line in current.lines():
                any_line = True
                yield current, offset, line
            if any_line:
                self._grew = now
                return
            if not self._goes_on(now):
                return

    def _missed_some(self) -> bool:
        """Whether others were written and rotated since the file before the current one was left, as where a log is
        copied and cut off twice while nobody looks. The current one was empty then, so nothing tells that it was cut
        off; now that it has begun it is looked what comes behind the last that was read."""
        current, left = self._parts[0], self._left
        if left is None and self._older is not None:
            return self._missed_the_first(self._older)
        if left is None or current is self._behind or not current.place.head_bytes:
            return False
        self._behind = current
        parts, found = parts_from(self.path, left)
        missed = found and not parts[1].is_file(current) if len(parts) > 1 else False
        for each in [current, parts[0]] if missed else parts:
            each.close()
        if missed:
            self._parts = parts[1:]
        return missed

    def _missed_the_first(self, older: OlderParts) -> bool:
        """The same where the log was empty, or not there, when it was first followed."""
        current = self._parts[0]
        if current.offset:
            self._older = None
            return False
        new = older.new(current)
        self._parts = [*new, current]
        return bool(new)

    def _goes_on(self, now: float) -> bool:
        """At the end of a file: whether there is another to be read now."""
        current = self._parts[0]
        if current.was_replaced():
            # Wherever it is by now: it may have been renamed since, before anybody looked.
            return self._was_cut(now)
        if len(self._parts) > 1:
            # Written to the end long ago, but for the last before the one that grows.
            self._leave(now)
            return True
        if current.is_file_at(self.path):
            return False
        return now - self._grew >= SETTLE_S and self._was_rotated(now)

    def _was_rotated(self, now: float) -> bool:
        current = self._parts[0]
        parts, found = parts_from(self.path, current.place)
        if found and len(parts) == 1 and parts[0].is_file_at(self.path):
            # The path has a copy of it that goes on, as rsync makes one and then renames it.
            current.close()
            self._parts, self._grew = parts, now
            return True
        if found and len(parts) < 2:
            for each in parts:
                each.close()
            return False  # Nothing is at the path yet.
        if found:
            parts[0].close()
            self._parts = [current, *parts[1:]]
        elif parts:
            # It is gone from the folder; what is still written to it is read all the same.
            self._former.append(_Former(current, now + LINGER_S))
            self._parts = parts
        return bool(parts)

    def _was_cut(self, now: float) -> bool:
        """Copied and cut off: the copy has what was not read yet."""
        current = self._parts[0]
        place = current.place
        current.close()
        parts, _ = parts_from(self.path, place)
        self._parts, self._grew = parts, now
        return bool(parts)

    def _leave(self, now: float) -> None:
        left = self._parts.pop(0)
        self._left = left.place
        self._former.append(_Former(left, now + LINGER_S))
        self._grew = now

    def close(self) -> None:
        """Close all files."""
        for each in [*self._parts, *(former.source for former in self._former)]:
            each.close()


def _last_lines(source: FollowedFile) -> Iterator[tuple[FollowedFile, int, bytes]]:
    for offset, line in source.lines(at_end=True):
        yield source, offset, line
