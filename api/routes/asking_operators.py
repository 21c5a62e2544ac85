"""Who asks of the fleet, or decides something: operators, each by the scope that the route needs."""

import contextlib
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from api.http.access import OperatorOfKeys, OperatorOfPolicy, OperatorWhoActs, OperatorWhoReads, Services
from api.http.problems import ApiError
from api.routes.asking import Asking
from jobs.operator.decisions import DecidedError, NoSuchError
from jobs.resend.dead_letters import NoSuchLetterError
from schemas.errors import InvalidInputError

#: What a message of the command line begins with.
_NAMED = re.compile(r"(?:--([a-z-]+)|(CUSTOMER|PLACE|ID)): (.+)", re.DOTALL)


async def _reading(request: Request, owner: OperatorWhoReads, service: Services) -> Asking:
    return Asking(request, owner, service)


async def _acting(request: Request, owner: OperatorWhoActs, service: Services) -> Asking:
    return Asking(request, owner, service)


async def _governing(request: Request, owner: OperatorOfPolicy, service: Services) -> Asking:
    return Asking(request, owner, service)


async def _keeping_keys(request: Request, owner: OperatorOfKeys, service: Services) -> Asking:
    return Asking(request, owner, service)


Reading = Annotated[Asking, Depends(_reading)]
Acting = Annotated[Asking, Depends(_acting)]
Governing = Annotated[Asking, Depends(_governing)]
KeepingKeys = Annotated[Asking, Depends(_keeping_keys)]


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Make what cannot be decided a problem: 404 where it is not there, 409 where it does not fit how things stand,
    422 for the rest, with the field that the message names.

    Raises:
        ApiError: instead of an InvalidInputError.
    """
    try:
        yield
    except InvalidInputError as error:
        said, field = str(error), ""
        if found := _NAMED.fullmatch(said):
            field, said = (found[1] or found[2]).lower().replace("-", "_"), found[3]
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if isinstance(error, NoSuchError | NoSuchLetterError):
            status = HTTPStatus.NOT_FOUND
        elif isinstance(error, DecidedError):
            status = HTTPStatus.CONFLICT
        raise ApiError(status, said, parameter=field) from error
