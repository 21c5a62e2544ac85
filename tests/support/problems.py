"""What a refusal of the HTTP interface must be."""

from typing import Any

from httpx import Response

from api.http.problems import MEDIA_TYPE


def problem(answer: Response, status: int) -> dict[str, Any]:
    """The body of a refusal, which must be a problem detail (RFC 9457)."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE), answer.text
    body = dict(answer.json())
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert body["title"] and body["detail"]
    return body
