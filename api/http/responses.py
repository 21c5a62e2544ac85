"""What every route under `/v1` may answer besides its own."""

from typing import Any

from api.http.models.problems import Problem

STORE_DOWN: dict[str, Any] = {
    "model": Problem,
    "description": "The store does not answer. Try again after `Retry-After` seconds.",
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No key, or one that is not known or was revoked."},
    403: {"model": Problem, "description": "The key is for another customer."},
    406: {"model": Problem, "description": "The answer has none of the types that `Accept` takes."},
    413: {"model": Problem, "description": "The body is too large."},
    422: {"model": Problem, "description": "A parameter is missing or wrong; `errors` names it."},
    429: {"model": Problem, "description": "The key sends too many requests. Try again after `Retry-After` seconds."},
    503: STORE_DOWN,
}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "It does not fit how things stand: it was decided already, or is over."}
}
BUSY: dict[int | str, dict[str, Any]] = {
    429: {"model": Problem, "description": "Too much at once. Try again after `Retry-After` seconds."}
}
