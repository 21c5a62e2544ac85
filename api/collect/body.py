"""Reading a request's body piece by piece, so that memory is bounded by what was agreed on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager

from schemas.errors import ExternalError, InvalidInputError, RepmonError


class TooLargeError(InvalidInputError):
    """The body is larger than the limit."""


class TooSlowError(RepmonError, TimeoutError):
    """The body did not come in time."""


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
