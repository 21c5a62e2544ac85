"""In which type an answer is given: what a route has, and which of it a request takes."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from fastapi.routing import APIRoute

from api.http.problems import ApiError

JSON = "application/json"


def kinds_of(route: APIRoute) -> tuple[str, ...]:
    """The media types of what a route answers when all is well, the first one where all are as good; none where it
    answers without a body."""
    status = route.status_code or HTTPStatus.OK
    if status == HTTPStatus.NO_CONTENT:
        return ()
    others = tuple(route.responses.get(int(status), {}).get("content", ()))
    return (JSON, *others) if route.response_model is not None else others or (JSON,)


def wanted(accept: str | None, kinds: Sequence[str]) -> str:
    """Which of these media types an `Accept` header prefers (RFC 9110 section 12.5.1), the first one if there is none.

    Raises:
        ApiError: 406, it takes none of them.
    """
    if not accept or not kinds:
        return kinds[0] if kinds else ""
    ranges = dict(_ranges(accept))
    best, most = "", 0.0
    for kind in kinds:
        group = kind.partition("/")[0] + "/*"
        quality = next((ranges[each] for each in (kind, group, "*/*") if each in ranges), 0.0)
        if quality > most:
            best, most = kind, quality
    if not best:
        raise ApiError(HTTPStatus.NOT_ACCEPTABLE, f"`Accept` takes none of {', '.join(kinds)}")
    return best


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            yield name, min(1.0, max(0.0, float(quality)))
        except ValueError:
            continue  # a weight that cannot be read is as if the type were not named
