"""KumoMTA's own logs: a folder of segments, each a zstd stream by itself, named by the time at which it was begun.

A segment grows a block of 128 KB at a time. When KumoMTA ends it, by size or by time, it takes the right to write from
it; when KumoMTA was killed, it does so as it starts again, and the last block is not there (KumoMTA,
crates/kumo-server-common/src/log.rs and crates/kumod/src/logging/files.rs, 2026-08). Several grow at once where records
of some types have files of their own (`per_record`, `suffix`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from math import inf
from os import scandir
from pathlib import Path

from jobs.follow.place import SegmentPlaces
from jobs.follow.source import FollowedFile, opened

#: How often the folder is looked at for new segments.
LOOK_S = 1.0
#: A segment that did not grow for so long is closed until it grows.
LINGER_S = 60.0
#: So many names of segments that are done are kept; all before them are done.
MOST_DONE_NAMES = 200
#: What zstd writes at once is never less.
_LEAST_BYTES = 4


@dataclass(slots=True)
class _Segment:
    """One that may still grow. `sent` is up to which byte of its content events were sent before a restart. `size` is
    in bytes on the disk, as it was when its file was closed."""

    path: Path
    offset: int = 0
    sent: float = 0
    source: FollowedFile | None = None
    size: int = -1
    grew: float | None = None

    @property
    def at(self) -> int:
        """Bytes of its content that are read."""
        return self.source.offset if self.source is not None else self.offset


@dataclass(slots=True)
class SegmentFolder:
    """The segments of one log, in the order of their names; another is read on only where the one before it has no more
    at the moment, so that what an earlier record tells is known."""

    path: Path
    damaged: list[FollowedFile] = field(default_factory=list)
    found: bool = True
    #: How far it was read and sent before a restart.
    _read: SegmentPlaces | None = None
    _sent: SegmentPlaces | None = None
    _open: dict[str, _Segment] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _looked: float | None = None

    @classmethod
    def at(cls, path: Path, sent: SegmentPlaces | None, read: SegmentPlaces | None, *, again: bool) -> "SegmentFolder":
        """The folder from where it was left; from all its segments at first. Where records tell something of later ones
        (`again`) it is read from `read` on, which is as far as the memory knows, else open segments from their
        beginnings."""
        begin = sent
        if again and sent is not None:
            begin = read or SegmentPlaces(dict.fromkeys(sent.open, 0), sent.done, sent.through)
        folder = cls(path, _read=begin, _sent=sent)
        folder._look()
        return folder

    @property
    def sources(self) -> list[FollowedFile]:
        """The files that are open."""
        return [each.source for each in self._open.values() if each.source is not None]

    @property
    def places(self) -> SegmentPlaces | None:
        """How far it is read; None while there is nothing."""
        if not self._open and not self._done:
            return self._read
        last = nlargest(MOST_DONE_NAMES + 1, self._done)
        older = last[MOST_DONE_NAMES] if len(last) > MOST_DONE_NAMES else ""
        # One that is not begun yet is named too, so that it is not taken for done.
        places = {name: each.at for name, each in self._open.items() if each.at or name <= older}
        return SegmentPlaces(places, frozenset(last[:MOST_DONE_NAMES]), older)

    @property
    def sent_places(self) -> SegmentPlaces | None:
        """The same, once it is as far as was sent before."""
        if any(each.at < each.sent for each in self._open.values()):
            return None
        return self.places

    @property
    def older_places(self) -> None:
        """None: segments are known by their names."""
        return None

    @property
    def files(self) -> Iterator[tuple[Path, int]]:
        """The segments that may still grow, and the bytes of them whose events were sent."""
        for each in self._open.values():
            if each.sent < inf:
                yield each.path, max(each.at, int(each.sent))

    def lines(self, now: float) -> Iterator[tuple[FollowedFile, int, bytes, bool]]:
        """What there is to read now: file, offset behind the line, line, and whether it was sent before. `now` is in s,
        of any clock that only rises.

        Raises:
            OSError: a file or the folder cannot be read.
        """
        if self._looked is None or now - self._looked >= LOOK_S:
            self._look()
            self._looked = now
        for name, segment in list(self._open.items()):
            any_line = False
            for source, offset, line in self._more(name, segment, now):
                any_line = True
                yield source, offset, line, offset <= segment.sent
            if any_line:
                return

    def close(self) -> None:
        """Close all files."""
        for source in self.sources:
            source.close()

    def _look(self) -> None:
        """Find segments that are new, and forget those that are gone."""
        try:
            with scandir(self.path) as entries:
                names = {each.name for each in entries if not each.name.startswith(".") and each.is_file()}
        except FileNotFoundError:
            names = set()
        if not names:
            return  # Perhaps it is not mounted.
        read, sent = self._read, self._sent
        new: dict[str, _Segment] = {}
        for name in names - self._done - self._open.keys():
            if read is not None and read.is_done(name):
                self._done.add(name)
                continue
            new[name] = each = _Segment(self.path / name)
            if read is not None and sent is not None:
                each.offset = read.open.get(name, 0)
                each.sent = inf if sent.is_done(name) else sent.open.get(name, 0)
        # Whatever comes from now on is new, whatever its name.
        self._read = self._sent = None
        self._done &= names
        if new:
            self._open = dict(sorted((self._open | new).items()))
        for name in [each for each, segment in self._open.items() if segment.source is None and each not in names]:
            del self._open[name]

    def _more(self, name: str, segment: _Segment, now: float) -> Iterator[tuple[FollowedFile, int, bytes]]:
        """The next lines of a segment; at its end it is left."""
        if segment.grew is None:
            segment.grew = now
        source = segment.source = segment.source or _opened(segment)
        if source is None:
            if segment.size == 0:
                self._leave(name)
            return
        # Asked before it is read: the right to write is taken away after the last was written.
        over, any_line = source.is_read_only, False
        for offset, line in source.lines():
            any_line, segment.grew = True, now
            yield source, offset, line
        if any_line:
            return
        idle = now - segment.grew >= LINGER_S
        if over or source.fault or (idle and source.whole):
            for offset, line in source.lines(at_end=True):
                yield source, offset, line
            if source.fault:
                self.damaged.append(source)
            self._leave(name)
        elif idle:
            segment.offset, segment.size = source.offset, source.size
            source.close()
            segment.source = None

    def _leave(self, name: str) -> None:
        source = self._open.pop(name).source
        self._done.add(name)
        if source is not None:
            source.close()


def _opened(segment: _Segment) -> FollowedFile | None:
    """Its file, once there is something new in it; `size` is 0 where it is complete and empty."""
    try:
        status = segment.path.stat()
    except FileNotFoundError:
        return None
    if status.st_size < _LEAST_BYTES:
        # What it is compressed with is known by its first bytes.
        segment.size = 0 if not status.st_mode & 0o222 else -1
        return None
    if status.st_size == segment.size and status.st_mode & 0o222:
        return None
    source = opened(segment.path)
    if source is not None:
        source.offset = segment.offset
    return source


def folders_within(path: Path) -> list[Path]:
    """Folders in the folder, in which nothing is read; those that are hidden are left out."""
    if not path.is_dir():
        return []
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
