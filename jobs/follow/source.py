"""One file of a log, open and read line by line from a place on; compressed ones too."""

import gzip
import os
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast

from jobs.follow.place import HEAD_BYTES, Place, begins_alike, digest
from schemas.event import MAX_EVENT_BYTES

GZIP = b"\x1f\x8b"
#: Bytes read at once.
CHUNK = 262_144


class Source:
    """A file that is being read. `offset` is behind the last whole line that was given out."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        raw = path.open("rb")
        packed = raw.peek(2)[:2] == GZIP
        self._file = cast(BufferedReader, gzip.GzipFile(fileobj=raw)) if packed else raw
        self._raw, self.packed = raw, packed
        self.path = path
        self.offset = offset
        self._rest = b""
        self._skips = False
        self._head = b""

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self._raw.close()

    @property
    def place(self) -> Place:
        """How far it is read."""
        status = os.fstat(self._raw.fileno())
        self._know()
        return Place(status.st_dev, status.st_ino, digest(self._head), len(self._head), self.offset)

    def is_place_of(self, place: Place) -> bool:
        """Whether the place is one in this file: by its content, since inodes are given again."""
        return place.head_bytes > 0 and self.begins_as(place)

    def begins_as(self, place: Place) -> bool:
        """Whether it begins as the file of a place did."""
        try:
            return begins_alike(place, self._file)
        except (EOFError, OSError, zlib.error):
            return False

    def was_replaced(self) -> bool:
        """Whether its content was cut off, or written anew, since it was opened."""
        if self.packed:
            return False
        if os.fstat(self._raw.fileno()).st_size < self.offset + len(self._rest):
            return True
        return bool(self._head) and self._read_head()[: len(self._head)] != self._head

    def is_file_at(self, path: Path) -> bool:
        """Whether the file at a path is this one."""
        mine = os.fstat(self._raw.fileno())
        try:
            other = path.stat()
        except OSError:
            return False
        return (mine.st_dev, mine.st_ino) == (other.st_dev, other.st_ino)

    def lines(self, *, at_end: bool = False) -> Iterator[tuple[int, bytes]]:
        """The lines of the next chunk, each with the offset behind it; `at_end` gives out what has no end of line.

        A line that is too long comes as its beginning, once.

        Raises:
            OSError: it cannot be read.
        """
        data = self._next_chunk()
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line, start = data[start:end], end + 1
            self.offset += len(line) + 1
            if not self._skips:
                yield self.offset, line.rstrip(b"\r")
            self._skips = False
        self._rest = data[start:]
        if len(self._rest) > MAX_EVENT_BYTES or (at_end and self._rest):
            line, self._rest = self._rest, b""
            self.offset += len(line)
            if not self._skips:
                yield self.offset, line
            self._skips = not at_end

    def _next_chunk(self) -> bytes:
        """What was left of the last one, and as much more as has an end of line in it. Nothing of what has replaced the
        file meanwhile: that is looked for behind each reading."""
        data = self._rest
        while True:
            self._know()
            self._file.seek(self.offset + len(data))
            try:
                more = self._file.read(CHUNK)
            except EOFError:
                return data  # Is being compressed just now, or was cut off.
            except (gzip.BadGzipFile, zlib.error) as error:
                raise OSError(f"{self.path}: cannot be decompressed: {error}") from error
            if self.was_replaced():
                return self._rest
            data += more
            if not more or b"\n" in more or len(data) > MAX_EVENT_BYTES:
                return data

    def _know(self) -> None:
        """See how it begins, unless it has begun anew."""
        if len(self._head) < HEAD_BYTES:
            head = self._read_head()
            if head.startswith(self._head):
                self._head = head

    def _read_head(self) -> bytes:
        self._file.seek(0)
        return self._file.read(HEAD_BYTES)


def opened(path: Path, offset: int = 0) -> Source | None:
    """The file, open; None where there is none (any more), or it cannot be read."""
    try:
        return Source(path, offset)
    except OSError:
        return None
