"""Cursors: where a page ended, as text that says nothing to others.

A cursor holds the sort key of the last row, so rows that are added meanwhile neither repeat nor hide any. It is good
for the question that it was made for, with the same filters.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from api.http.problems import ApiError

T = TypeVar("T")


def question(route: str, **filters: Any) -> str:
    """What tells questions apart: the route and its filters."""
    return blake2b(msgspec.json.encode((route, sorted(filters.items()))), digest_size=6).hexdigest()


def cursor(asked: str, key: tuple[Any, ...]) -> str:
    """The cursor after the row with this sort key."""
    return urlsafe_b64encode(msgspec.json.encode((asked, key))).decode().rstrip("=")


def after(asked: str, text: str | None, kind: type[T], first: T) -> T:
    """The sort key of the last row of the page before; `first` for the first page.

    Raises:
        ApiError: 422, the text is no cursor of this question.
    """
    if text is None:
        return first
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        whose, key = msgspec.json.decode(raw, type=tuple[str, kind])  # type: ignore[valid-type]
    except (ValueError, UnicodeError) as error:
        raise _refused("is none that was given out; send `next` of the page before as it is") from error
    if whose != asked:
        raise _refused("is of another question; send it with the same filters, or leave it out to begin again")
    found: T = key
    return found


def _refused(detail: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, parameter="cursor")


def filters_of(query: Mapping[str, Any]) -> dict[str, Any]:
    """The filters of a request, without what only says which page."""
    return {name: value for name, value in query.items() if name not in {"cursor", "limit"} and value is not None}
