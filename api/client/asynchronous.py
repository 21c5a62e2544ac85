"""The client, for programs with an event loop; as `Client`, with `await` and `async for`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import httpx

from api.client import questions
from api.client.questions import Pages
from api.client.whole_answer import not_in_time
from api.client.wire import UNKNOWN, ApiProblemError, Call, Row, T, after, answer, still_so, wait_s
from api.routes.models.alerts import Alert
from schemas.alert import AlertEvent

P = ParamSpec("P")


def _asks(question: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    """A function of the client that asks this."""

    @wraps(question)
    async def ask(client: "AsyncClient", /, *args: P.args, **named: P.kwargs) -> T:
        return await client.send(question(*args, **named))

    return ask


def _lists(question: Callable[P, Pages[Row]]) -> Callable[Concatenate["AsyncClient", P], AsyncIterator[Row]]:
    """The same of what comes in pages."""

    @wraps(question)
    def ask(client: "AsyncClient", /, *args: P.args, **named: P.kwargs) -> AsyncIterator[Row]:
        return client._pages(question(*args, **named))

    return ask


class AsyncClient:
    """Asks the interface at `url` with a key. Use it in an `async with` block, or close it.

    A request that only reads is tried again after 429 and 503, when the answer says. `timeout_s` is for a whole answer.

    Raises (whatever is asked):
        ApiProblemError: it was refused.
        httpx.HTTPError: no answer came.
    """

    def __init__(
        self, url: str, key: str, *, timeout_s: float = 30.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key.strip()}", "Accept": "application/json"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, transport=transport)
        self._timeout_s = timeout_s

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def send(self, asked: Call[T]) -> T:
        """Send any request (`api.client.wire`)."""
        for tried in range(1, 100):
            response = await self._response(asked)
            if (wait := wait_s(asked, response, tried)) is None:
                break
            await asyncio.sleep(wait)
        return answer(asked, response)

    async def _response(self, asked: Call[T]) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._http.request(asked.method, asked.path, params=asked.parameters, json=asked.body)
        except TimeoutError as error:
            raise not_in_time(self._timeout_s) from error

    async def _pages(self, asked: Pages[Row]) -> AsyncIterator[Row]:
        following: Call[Any] | None = asked.first
        while following is not None:
            page = await self.send(following)
            for each in getattr(page, asked.rows):
                yield each
            following = after(following, page.next) if page.next is not None else None

    async def confirmed(self, event: AlertEvent) -> Alert | None:
        """The alert that an event tells of, as it is stored now. None where nobody is to act on it: there is none, it
        is held, resolved, or at a lower level by now."""
        try:
            return still_so(event, await self.alert(event.data.alert_id))
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
