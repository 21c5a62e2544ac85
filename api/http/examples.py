"""Requests and what the interface answers to them, as the reference shows them.

`examples.json` is written by `make examples` from what is really answered, and a test holds it against that.
"""

from pathlib import Path
from typing import Any

import msgspec

FILE = Path(__file__).with_name("examples.json")


class RouteExample(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a route, and its answer: JSON, or text."""

    method: str
    #: The route, as in `/v1/alerts/{alert_id}`.
    path: str
    #: Path and query as they are sent.
    target: str
    body: Any = None
    status: int = 200
    answer: Any = None

    @property
    def curl(self) -> str:
        """The request as it can be pasted into a shell."""
        key = "" if self.path == "/healthz" else '-H "Authorization: Bearer $REPMON_KEY" \\\n  '
        method = "" if self.method == "get" else f"-X {self.method.upper()} "
        body = "" if self.body is None else f"--json '{msgspec.json.encode(self.body).decode()}' \\\n  "
        return f'curl {method}{key}{body}"$REPMON_URL{self.target}"'


def read() -> dict[tuple[str, str], RouteExample]:
    """The examples by method (in small letters) and route."""
    some = msgspec.json.decode(FILE.read_bytes(), type=list[RouteExample])
    return {(each.method, each.path): each for each in some}


#: What `/healthz` answers with 503.
UNWELL = {
    "status": "unwell",
    "stage": "api",
    "failing": [
        {
            "part": "store",
            "what": "no answer",
            "mend": "See that ClickHouse runs and can be reached from here (clickhouse.url). Nothing is lost: what is "
            "not stored is taken from Kafka again, for as long as its topics keep it.",
        }
    ],
}
#: By status.
REFUSALS: dict[str, dict[str, Any]] = {
    "401": {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "send your key as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
    },
    "403": {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "this key is for one customer only",
    },
    "422": {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "metric: Input should be 'complaint', 'failure', 'block' or 'exposure'",
        "errors": [{"parameter": "metric", "detail": "Input should be 'complaint', 'failure', 'block' or 'exposure'"}],
    },
    "413": {
        "type": "about:blank",
        "title": "Request Entity Too Large",
        "status": 413,
        "detail": "a body has at most 256,000 bytes",
        "errors": [{"parameter": "body", "detail": "a body has at most 256,000 bytes"}],
    },
    "429": {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "too many requests of this key are waiting; send fewer at once",
    },
    "503": {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the store does not answer; try again",
    },
}
