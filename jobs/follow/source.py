"""One file of a log, open and read line by line from a place on; compressed ones too."""

import bz2
import gzip
import lzma
import os
import sys
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast

from jobs.follow.place import HEAD_BYTES, LogPlace, digest
from schemas.event import MAX_EVENT_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: How compressed files begin (RFC 1952, the .xz file format 1.1.0, bzip2, RFC 8878), and what reads them; rotation on
#: SUSE makes xz, on FreeBSD bzip2, KumoMTA zstd. Of one that is being written they read what is complete.
_PACKED = ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ\0", lzma.open), (b"BZh", bz2.open), (b"\x28\xb5\x2f\xfd", zstd.open))
_DAMAGED = (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstd.ZstdError)
#: Bytes read at once.
CHUNK = 262_144


class FollowedFile:
    """A file that is being read. `offset` is behind the last whole line that was given out; `fault` says why no more of
    it can be read, where it is damaged; `whole` says that what is compressed was read to its proper end."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        raw = path.open("rb")
        begin = raw.peek(6)[:6]
        unpacked = next(
            (cast(BufferedReader, reader(raw)) for magic, reader in _PACKED if begin.startswith(magic)), None
        )
        self._file = raw if unpacked is None else unpacked
        self._raw, self.packed = raw, unpacked is not None
        self.fault = ""
        self.whole = False
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
    def place(self) -> LogPlace:
        """How far it is read."""
        status = os.fstat(self._raw.fileno())
        self._know()
        return LogPlace(status.st_dev, status.st_ino, digest(self._head), len(self._head), self.offset)

    def is_place_of(self, place: LogPlace) -> bool:
        """Whether the place is one in this file: by its content, since inodes are given again."""
        return place.head_bytes > 0 and self.begins_as(place)

    def begins_as(self, place: LogPlace) -> bool:
        """Whether it begins as the file of a place did; then it is known by that, even if it is cut off right after."""
        try:
            self._file.seek(0)
            head = self._file.read(place.head_bytes)
        except (EOFError, OSError, *_DAMAGED):
            return False
        if len(head) < place.head_bytes or digest(head) != place.head:
            return False
        if len(head) > len(self._head):
            self._head = head
        return True

    def was_replaced(self) -> bool:
        """Whether its content was cut off, or written anew, since it was opened."""
        if self.packed:
            return False
        if os.fstat(self._raw.fileno()).st_size < self.offset + len(self._rest):
            return True
        return bool(self._head) and self._read_head()[: len(self._head)] != self._head

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return os.fstat(self._raw.fileno()).st_size

    @property
    def changed_ns(self) -> int:
        """When it was last written to or cut off (ns of the file system's clock)."""
        return os.fstat(self._raw.fileno()).st_mtime_ns

    @property
    def is_read_only(self) -> bool:
        """Whether nobody may write to it: so KumoMTA says that a segment is complete."""
        return not os.fstat(self._raw.fileno()).st_mode & 0o222

    def is_same_file(self, place: LogPlace) -> bool:
        """Whether it is the file of a place and no copy."""
        mine = os.fstat(self._raw.fileno())
        return (mine.st_dev, mine.st_ino) == (place.device, place.inode)

    def is_file(self, other: "FollowedFile") -> bool:
        """Whether both are the same file, by whatever name."""
        mine, its = os.fstat(self._raw.fileno()), os.fstat(other._raw.fileno())
        return (mine.st_dev, mine.st_ino) == (its.st_dev, its.st_ino)

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
        data = self._next_chunk(at_end=at_end)
        start = 0
        try:
            while (end := data.find(b"\n", start)) >= 0:
                line, start = data[start:end], end + 1
                self.offset += len(line) + 1
                skips, self._skips = self._skips, False
                if not skips:
                    yield self.offset, line.rstrip(b"\r")
        finally:
            self._rest = data[start:]
        if len(self._rest) > MAX_EVENT_BYTES or (at_end and self._rest):
            line, self._rest = self._rest, b""
            self.offset += len(line)
            if not self._skips:
                yield self.offset, line
            self._skips = not at_end

    def _next_chunk(self, *, at_end: bool) -> bytes:
        """What was left of the last one, and as much more as has an end of line in it. Nothing of what has replaced the
        file meanwhile: that is looked for behind each reading."""
        data = self._rest
        while not self.fault:
            try:
                self._know()
                self._file.seek(self.offset + len(data))
                more = self._file.read1(
                    CHUNK
                )  # `read` would give nothing of what stands before an end that is cut off.
            except EOFError:
                if at_end and not self.fault:
                    self.fault = "is compressed and ends in the middle"
                return data  # Is being compressed just now, or was cut off.
            except (OSError, *_DAMAGED) as error:
                self._damaged(error)
                return data
            if self.was_replaced():
                return self._rest
            data += more
            self.whole = self.packed and not more
            if not more or b"\n" in more or len(data) > MAX_EVENT_BYTES:
                return data
        return data

    def _know(self) -> None:
        """See how it begins, unless it has begun anew."""
        if len(self._head) < HEAD_BYTES:
            head = self._read_head()
            if head.startswith(self._head):
                self._head = head

    def _read_head(self) -> bytes:
        try:
            self._file.seek(0)
            return self._file.read(HEAD_BYTES)
        except EOFError:
            return b""  # Is being compressed just now.
        except (OSError, *_DAMAGED) as error:
            self._damaged(error)
            return b""

    def _damaged(self, error: Exception) -> None:
        """Note that it cannot be read any further; it may not be seen again, since what was read then is used up.

        Raises:
            OSError: it is the disk's.
        """
        if not self.packed or (isinstance(error, OSError) and error.errno):
            raise error
        self.fault = f"cannot be decompressed: {error}"


def opened(path: Path) -> FollowedFile | None:
    """The file, open; None where there is none (any more).

    Raises:
        OSError: it cannot be read.
    """
    try:
        return FollowedFile(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
