"""Fields of forms and addresses, and what is said of those that cannot be used."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from api.http.problems import ApiError
from jobs.operator.decisions import DecidedError, NoSuchError
from jobs.resend.dead_letters import NoSuchLetterError
from schemas.errors import InvalidInputError
from schemas.wording import said_of

#: What a message of the command line begins with, and what the field is called here.
_NAMED = re.compile(r"(?:--([a-z-]+)|(CUSTOMER|PLACE|ID)): (.+)", re.DOTALL)
LABELS = {
    "why": "The reason",
    "by": "The name of who decides",
    "from": "From",
    "until": "Until",
    "place": "Where",
    "customer": "The customer",
    "id": "The id",
    "rule": "The rule",
    "level": "The level",
    "stream": "The stream",
}
#: Characters of a field that only looks something up.
LONGEST = 256
#: As browsers send a field of the type `datetime-local`.
LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?")


@contextlib.contextmanager
def deciding() -> Iterator[None]:
    """Say in words of a page what cannot be decided: 404 where it is not there, 409 where it does not fit how things
    stand, 422 for the rest.

    Raises:
        ApiError: instead of an InvalidInputError.
    """
    try:
        yield
    except InvalidInputError as error:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if isinstance(error, NoSuchError | NoSuchLetterError):
            status = HTTPStatus.NOT_FOUND
        elif isinstance(error, DecidedError):
            status = HTTPStatus.CONFLICT
        raise ApiError(status, in_words(str(error))) from error


def in_words(said: str) -> str:
    """A message of the command line as a sentence of a page, where a field has another name. Pure."""
    if found := _NAMED.fullmatch(said):
        field = (found[1] or found[2]).lower()
        said = said_of(LABELS.get(field, field.capitalize()), found[3])
    return said[:1].upper() + said[1:]


def reason(form: Mapping[str, str]) -> str:
    """The field `why`, without blanks at either end."""
    return form.get("why", "").strip()


def utc_ms(form: Mapping[str, str], name: str, label: str) -> int:
    """A time in UTC that somebody chose, as epoch ms.

    Raises:
        ApiError: 422, it is none.
    """
    text = form.get(name, "").strip().removesuffix("Z")
    wrong = ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, said_of(label, "is no time, such as 2026-03-12T10:00"))
    if not LOCAL.fullmatch(text):
        raise wrong
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise wrong from error


def optional_utc_ms(query: Mapping[str, str], name: str, label: str) -> int | None:
    """The same, or None where nothing was chosen.

    Raises:
        ApiError: 422, it is no time.
    """
    return utc_ms(query, name, label) if query.get(name, "").strip() else None


def field_value(epoch_ms: int) -> str:
    """A time as the value of a field of the type `datetime-local`, UTC."""
    return datetime.fromtimestamp(epoch_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M")


def text(query: Mapping[str, str], name: str) -> str:
    """What was looked for; too much is cut off."""
    return query.get(name, "").strip()[:LONGEST]


def whole(query: Mapping[str, str], name: str, usual: int, least: int = 0, most: int = 1_000_000) -> int:
    """A number in an address, within bounds; what is none is the usual one."""
    given = query.get(name, "")
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        return usual
    return max(least, min(most, int(given)))


def one_of(query: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """One of some words, the first of them where it is another one."""
    given = query.get(name, "")
    return given if given in known else known[0]
