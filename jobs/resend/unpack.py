"""Packed files as the text that is in them, by what they begin with and not by their names.

Unpacked as they are read, a piece at a time, so a file that grows a thousandfold costs no memory. Several packed parts
may follow one another (RFC 1952 section 2.2, RFC 8878 section 3.1): KumoMTA's segments of its log are such, and the one
that it is writing to has no end yet.
"""

import bz2
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from typing import IO, Protocol

from jobs.resend.line_ends import LineEnds
from streams.adapt import AdaptError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: How much is read, and unpacked, at once, in bytes.
PIECE = 65_536
#: A reader of xz may ask for so many bytes (`xz -9` needs 65 MiB).
XZ_MEMORY = 100_000_000
_LONGEST_MAGIC = 6
_SKIPPABLE = range(0x50, 0x60)
_ERRORS = (zlib.error, OSError, EOFError, lzma.LZMAError, zstd.ZstdError, ValueError)


class _Decompressor(Protocol):
    """What the decompressors of the standard library have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the interface that the others have."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        text = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        # Where as much came as was asked for, zlib may hold more that it has read already.
        self.needs_input = not self._stream.unconsumed_tail and len(text) < max_length
        return text


def _xz() -> _Decompressor:
    return lzma.LZMADecompressor(memlimit=XZ_MEMORY)


_Kind = tuple[str, Callable[[], _Decompressor]]


def _kind(head: bytes) -> _Kind | None:
    if head.startswith(b"\x1f\x8b"):
        return "gzip", _Gzip
    if head.startswith(b"\x28\xb5\x2f\xfd") or (
        len(head) > 3 and head[0] in _SKIPPABLE and head[1:4] == b"\x2a\x4d\x18"
    ):
        return "zstd", zstd.ZstdDecompressor
    if head.startswith(b"BZh"):
        return "bzip2", bz2.BZ2Decompressor
    return ("xz", _xz) if head.startswith(b"\xfd7zXZ\x00") else None


class Unpacked(io.RawIOBase):
    """The text of a file, whether it is packed or not.

    What is amiss with the packing is in `problem` once that place was reached: what came before it was read.
    """

    def __init__(self, stream: IO[bytes], name: str = "") -> None:
        """`name` is for the message of an error.

        Raises:
            AdaptError: the first part cannot be unpacked at all.
        """
        self._stream = stream
        self._held = stream.read(_LONGEST_MAGIC)
        self._kind = _kind(self._held)
        self._part: _Decompressor | None = None
        self._ended = self._whole = False
        self._text = b""
        self.problem = ""
        if self._kind is not None:
            self._text = self._unpacked()
            if self.problem and not self._text and not self._whole:
                raise AdaptError(f"{name or 'the file'}: {self.problem}")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """The next bytes of the text; 0 at the end."""
        text = self._text or (self._plain(len(buffer)) if self._kind is None else self._unpacked())
        taken = min(len(buffer), len(text))
        buffer[:taken] = text[:taken]
        self._text = text[taken:]
        return taken

    def _plain(self, size: int) -> bytes:
        held, self._held = self._held, b""
        return held + self._stream.read(max(size - len(held), 0))

    def _unpacked(self) -> bytes:
        """Some text; empty at the end, and where what follows cannot be unpacked."""
        while not self._ended:
            try:
                if text := self._next():
                    return text
            except _ERRORS as error:
                self._end(f"is damaged: {self._name} cannot unpack it any further ({error})")
        return b""

    @property
    def _name(self) -> str:
        return self._kind[0] if self._kind else ""

    def _next(self) -> bytes:
        """Some text, or nothing yet."""
        part = self._part
        if part is None:
            return self._begin()
        data = b""
        if part.needs_input:
            data, self._held = self._held or self._stream.read(PIECE), b""
            if not data:
                self._end(f"ends within a part that {self._name} packed: what came before was read")
                return b""
        text = part.decompress(data, PIECE)
        if part.eof:
            self._held, self._part, self._whole = part.unused_data, None, True
        return text

    def _begin(self) -> bytes:
        """Begin the next part, if there is one; zeros between them are padding (RFC 1952, xz's file format 2.2)."""
        self._held = self._held.lstrip(b"\0")
        while len(self._held) < _LONGEST_MAGIC and (more := self._stream.read(PIECE)):
            self._held = (self._held + more).lstrip(b"\0")
        if not self._held:
            self._ended = True
        elif (kind := _kind(self._held)) is None:
            self._end(f"holds something behind what {self._name} packed, which was not read")
        else:
            self._kind = kind
            self._part = kind[1]()
        return b""

    def _end(self, problem: str) -> None:
        self._ended, self.problem = True, problem


def unpacked(stream: IO[bytes], name: str = "") -> tuple[io.BufferedReader, Unpacked]:
    """A file to read the text of `stream` from, whose lines end with a line feed, and what knows of problems with its
    packing.

    Raises:
        AdaptError: it is packed, and no text can be had of it.
    """
    raw = Unpacked(stream, name)
    return io.BufferedReader(LineEnds(raw), PIECE), raw


class _Continued(io.RawIOBase):
    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        text = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(text)] = text
        return len(text)


def continued(head: bytes, rest: IO[bytes]) -> io.BufferedReader:
    """A file of which `head` was read already, from its beginning."""
    return io.BufferedReader(_Continued(head, rest), PIECE)
