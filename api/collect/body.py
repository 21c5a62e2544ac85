"""Reading a request's body piece by piece, so that memory is bounded by what was agreed on."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager

from schemas.errors import ExternalError, InvalidInputError, RepmonError

#: Bytes unpacked at once.
PIECE = 65_536


class TooLargeError(InvalidInputError):
    """The body is larger than the limit."""


class TooSlowError(RepmonError, TimeoutError):
    """The body did not come in time."""


class NotGzipError(InvalidInputError):
    """The body is not gzip, or ends too early."""


class NoRoomError(ExternalError):
    """The bodies being handled take all the memory there is for them."""


class MemoryBudget:
    """Bytes for all bodies together."""

    def __init__(self, max_inflight_bytes: int) -> None:
        self._free = max_inflight_bytes

    @contextmanager
    def reserve(self) -> Iterator[Callable[[int], None]]:
        """What takes bytes for one request; they are given back at its end.

        Raises:
            NoRoomError: by the function, where there are not so many.
        """
        held = 0

        def take(size: int) -> None:
            nonlocal held
            if size > self._free:
                raise NoRoomError
            self._free -= size
            held += size

        try:
            yield take
        finally:
            self._free += held


def check_length(headers: Mapping[str, str], limit: int) -> None:
    """Refuse a body that says itself that it is too large, before any of it is read.

    Raises:
        TooLargeError: it does.
    """
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > limit:
        raise TooLargeError


async def read_body(pieces: AsyncIterator[bytes], limit: int, within_s: float, take: Callable[[int], None]) -> bytes:
    """The whole body.

    Raises:
        TooLargeError: more than `limit` bytes; what comes after is not read.
        TooSlowError: it is not there within `within_s`.
        NoRoomError: by `take`.
    """
    found: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            async for piece in pieces:
                size += len(piece)
                if size > limit:
                    raise TooLargeError
                take(len(piece))
                found.append(piece)
    except TimeoutError as error:
        raise TooSlowError from error
    return b"".join(found)


def unpacked(body: bytes, limit: int) -> bytes:
    """The text of a body that gzip packed (RFC 1952; several members may follow one another).

    Unpacked a piece at a time: however much is in it, no more than `limit` is held.

    Raises:
        NotGzipError: it is none, or not whole.
        TooLargeError: the text has more than `limit` bytes.
    """
    found: list[bytes] = []
    size = 0
    while body:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                piece = member.decompress(body, PIECE)
            except zlib.error as error:
                raise NotGzipError(f"the body is not gzip: {error}") from error
            body = member.unconsumed_tail
            size += len(piece)
            if size > limit:
                raise TooLargeError
            if not piece and not body and not member.eof:
                raise NotGzipError("the body is gzip and ends too early")
            found.append(piece)
        body = member.unused_data
    return b"".join(found)
