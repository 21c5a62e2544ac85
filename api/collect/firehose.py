"""Amazon Data Firehose as an HTTP client: its access key, and the answer it wants. Pure.

https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html : it signs nothing, shows the key
that was set for the stream, and takes a request for delivered only if its id comes back as JSON.
"""

from collections.abc import Mapping

from api.collect.credentials import CredentialsError, verify_bearer
from api.collect.signature import Headers, same

ACCESS_KEY = "X-Amz-Firehose-Access-Key"
REQUEST_ID = "X-Amz-Firehose-Request-Id"
#: A request's id is a GUID; what is longer is not given back.
MAX_ID = 128


def is_packed(headers: Mapping[str, str]) -> bool:
    """Whether it is a request of Firehose whose body gzip packed: an operator may choose that content encoding."""
    return bool(headers.get(REQUEST_ID.lower())) and headers.get("content-encoding", "").strip().lower() == "gzip"


def verify_token(headers: Headers, token: str) -> None:
    """The token, as Firehose's access key or as a bearer token.

    Raises:
        CredentialsError: missing or wrong.
    """
    given = headers.get(ACCESS_KEY.lower())
    if given is None:
        verify_bearer(headers, token)
    elif not same(given, token):
        raise CredentialsError("Bearer", "the access key does not match")


def answer(headers: Mapping[str, str], now_s: float) -> dict[str, object] | None:
    """What a taken request of Firehose is answered with, at the time now (epoch seconds); None for other requests."""
    request_id = headers.get(REQUEST_ID.lower(), "")
    return {"requestId": request_id[:MAX_ID], "timestamp": int(now_s * 1000)} if request_id else None
