"""What pages do that needs more than the store: what starts the interface gives it."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import Depends, Request

from api.http.problems import ApiError
from api.text.status import StatusSeen
from jobs.resend.replay import Replayer
from streams.io.store import Store


class MakesReplayer(Protocol):
    """Makes what sends dead letters again."""

    def __call__(self, store: Store, by: str, *, mended: bytes | None = None, again: bool = False) -> Replayer:
        """In the name of `by`; `mended` in place of a letter's own bytes."""


@dataclass(frozen=True)
class Operations:
    """`status` asks everything that `repmon status` asks, which takes seconds; `replayer` sends dead letters again."""

    status: Callable[[], StatusSeen]
    replayer: MakesReplayer


async def operations_of(request: Request) -> Operations:
    """What the interface was given.

    Raises:
        ApiError: 503, nothing was.
    """
    found = getattr(request.app.state, "operations", None)
    if not isinstance(found, Operations):
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "this cannot be done from here: no broker is known")
    return found


Operating = Annotated[Operations, Depends(operations_of)]
