"""The client, for programs without an event loop."""

import time
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx

from api.client.wire import ApiProblemError, Call, Row, T, Time, after, answer, call, decision, still_so, wait_s
from api.http.models.listings import Listings
from api.http.models.parameters import Breakdown, Metric, WindowName
from api.http.models.rates import Series
from api.http.models.standing import Standing
from api.http.ranges import StepName
from api.routes.models.alerts import Alert, Alerts, AlertSummary
from api.routes.models.allowances import Allowances
from api.routes.models.decisions import Decided, Override
from api.routes.models.explain import AlertExplained
from api.routes.models.fleet import Customers, RankedCustomer
from api.routes.models.outcomes import Complaint, Complaints, Failure, Failures
from schemas.alert import AlertEvent


class Client:
    """Asks the interface at `url` with a key. Use it in a `with` block, or close it. Not for several threads at once.

    A request that only reads is tried again after 429 and 503, when the answer says.

    Raises (whatever is asked):
        ApiProblemError: it was refused.
        httpx.HTTPError: no answer came.
    """

    def __init__(
        self, url: str, key: str, *, timeout_s: float = 30.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key.strip()}", "Accept": "application/json"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)

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
            response = self._http.request(asked.method, asked.path, params=asked.parameters, json=asked.body)
            if (wait := wait_s(asked, response, tried)) is None:
                break
            time.sleep(wait)
        return answer(asked, response)

    def _pages(self, _: type[Row], asked: Call[Any], rows: str) -> Iterator[Row]:
        while True:
            page = self.send(asked)
            yield from getattr(page, rows)
            if page.next is None:
                return
            asked = after(asked, page.next)

    def standing(self, customer: str | None = None) -> Standing:
        """Where a customer stands."""
        return self.send(call(Standing, "/v1/standing", customer=customer))

    def allowances(self, customer: str | None = None) -> Allowances:
        """What is left of each rule until its next level."""
        return self.send(call(Allowances, "/v1/allowances", customer=customer))

    def rates(
        self,
        *metric: Metric,
        window: WindowName = "24h",
        scope: str = "customer",
        by: Breakdown | None = None,
        step: StepName = "auto",
        start: Time = None,
        end: Time = None,
        customer: str | None = None,
    ) -> Series:
        """Rates over time, broken down if asked for."""
        return self.send(
            call(
                Series,
                "/v1/rates",
                metric=list(metric),
                window=window,
                scope=scope,
                by=by,
                step=step,
                start=start,
                end=end,
                customer=customer,
            )
        )

    def listings(self, customer: str | None = None, *, ended_days: int = 0) -> Listings:
        """What is on blocklists."""
        return self.send(call(Listings, "/v1/listings", customer=customer, ended_days=ended_days))

    def alert(self, alert_id: str) -> Alert:
        """One alert with its history."""
        return self.send(call(Alert, f"/v1/alerts/{alert_id}"))

    def confirmed(self, event: AlertEvent) -> Alert | None:
        """The alert that an event tells of, as it is stored now. None where nobody is to act on it: there is none, it
        is held, resolved, or at a lower level by now."""
        try:
            return still_so(event, self.alert(event.data.alert_id))
        except ApiProblemError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def explain(self, alert_id: str) -> AlertExplained:
        """Why an alert stands as it does."""
        return self.send(call(AlertExplained, f"/v1/explain/{alert_id}"))

    def alerts(
        self,
        customer: str | None = None,
        *,
        state: str = "all",
        level: str | None = None,
        start: Time = None,
        end: Time = None,
    ) -> Iterator[AlertSummary]:
        """Every alert, those that began last first."""
        return self._pages(
            AlertSummary,
            call(Alerts, "/v1/alerts", customer=customer, state=state, level=level, start=start, end=end),
            "alerts",
        )

    def failures(
        self, customer: str | None = None, *, kind: str = "hard", start: Time = None, end: Time = None
    ) -> Iterator[Failure]:
        """Every failure, the latest first."""
        return self._pages(
            Failure, call(Failures, "/v1/failures", customer=customer, kind=kind, start=start, end=end), "failures"
        )

    def complaints(self, customer: str | None = None, *, start: Time = None, end: Time = None) -> Iterator[Complaint]:
        """Every complaint, the latest first."""
        return self._pages(
            Complaint, call(Complaints, "/v1/complaints", customer=customer, start=start, end=end), "complaints"
        )

    def customers(self, *standing: str, plan: str | None = None, name: str | None = None) -> Iterator[RankedCustomer]:
        """Customers, the worst first. For operators."""
        return self._pages(
            RankedCustomer,
            call(Customers, "/v1/customers", standing=list(standing) or None, plan=plan, name=name),
            "customers",
        )

    def acknowledge(self, alert_id: str, why: str) -> Decided:
        """Acknowledge an alert. For operators, as all that follows."""
        return self.send(decision(Decided, f"/v1/alerts/{alert_id}/acknowledge", why=why))

    def suspend(self, customer: str, why: str) -> Decided:
        """Put on record that a customer is suspended."""
        return self.send(decision(Decided, "/v1/suspensions", customer=customer, why=why))

    def reinstate(self, customer: str, why: str, *, fresh_start: bool = False) -> Decided:
        """Lift a suspension."""
        return self.send(decision(Decided, "/v1/suspensions/lift", customer=customer, why=why, fresh_start=fresh_start))

    def release(self, hold_id: str, why: str, *, customer: str = "") -> Decided:
        """Resolve alerts that are held."""
        return self.send(decision(Decided, f"/v1/holds/{hold_id}/release", why=why, customer=customer))

    def override(
        self, customer: str, rule: str, level: str, until: datetime | str, why: str, *, stream: str = ""
    ) -> Override:
        """Let a rule give a customer no level worse than one, until a time."""
        return self.send(
            decision(
                Override,
                "/v1/overrides",
                customer=customer,
                rule=rule,
                level=level,
                until=until,
                why=why,
                stream=stream,
            )
        )
