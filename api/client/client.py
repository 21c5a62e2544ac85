"""The client, for programs without an event loop."""

import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import httpx

from api.client import questions
from api.client.questions import Pages
from api.client.whole_answer import Connections
from api.client.wire import UNKNOWN, ApiProblemError, Call, Row, T, after, answer, still_so, wait_s
from api.routes.models.alerts import Alert
from schemas.alert import AlertEvent

P = ParamSpec("P")


def _asks(question: Callable[P, Call[T]]) -> Callable[Concatenate["Client", P], T]:
    """A function of the client that asks this."""

    @wraps(question)
    def ask(client: "Client", /, *args: P.args, **named: P.kwargs) -> T:
        return client.send(question(*args, **named))

    return ask


def _lists(question: Callable[P, Pages[Row]]) -> Callable[Concatenate["Client", P], Iterator[Row]]:
    """The same of what comes in pages."""

    @wraps(question)
    def ask(client: "Client", /, *args: P.args, **named: P.kwargs) -> Iterator[Row]:
        return client._pages(question(*args, **named))

    return ask


class Client:
    """Asks the interface at `url` with a key. Use it in a `with` block, or close it. Not for several threads at once.

    A request that only reads is tried again after 429 and 503, when the answer says. `timeout_s` is for a whole answer.

    Raises (whatever is asked):
        ApiProblemError: it was refused.
        httpx.HTTPError: no answer came.
    """

    def __init__(
        self, url: str, key: str, *, timeout_s: float = 30.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key.strip()}", "Accept": "application/json"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)
        self._timeout_s = timeout_s
        self._connections = Connections()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def send(self, asked: Call[T]) -> T:
        """Send any request (`api.client.wire`)."""
        for tried in range(1, 100):
            with self._connections.within(self._timeout_s):
                response = self._http.request(
                    asked.method,
                    asked.path,
                    params=asked.parameters,
                    json=asked.body,
                    extensions={"trace": self._connections.note},
                )
            if (wait := wait_s(asked, response, tried)) is None:
                break
            time.sleep(wait)
        return answer(asked, response)

    def _pages(self, asked: Pages[Row]) -> Iterator[Row]:
        following: Call[Any] | None = asked.first
        while following is not None:
            page = self.send(following)
            yield from getattr(page, asked.rows)
            following = after(following, page.next) if page.next is not None else None

    def confirmed(self, event: AlertEvent) -> Alert | None:
        """The alert that an event tells of, as it is stored now. None where nobody is to act on it: there is none, it
        is held, resolved, or at a lower level by now."""
        try:
            return still_so(event, self.alert(event.data.alert_id))
        except ApiProblemError as error:
            if error.status not in UNKNOWN:
                raise
            return None

    standing = _asks(questions.standing)
    allowances = _asks(questions.allowances)
    rates = _asks(questions.rates)
    listings = _asks(questions.listings)
    alert = _asks(questions.alert)
    explain = _asks(questions.explain)
    alerts = _lists(questions.alerts)
    failures = _lists(questions.failures)
    complaints = _lists(questions.complaints)
    customers = _lists(questions.customers)
    acknowledge = _asks(questions.acknowledge)
    suspend = _asks(questions.suspend)
    reinstate = _asks(questions.reinstate)
    release = _asks(questions.release)
    override = _asks(questions.override)
