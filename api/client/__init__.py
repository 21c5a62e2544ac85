"""A client of the HTTP interface, and a reader of alerts: for programs of operators and customers.

    from api.client import Client, alerts

`Client` and `AsyncClient` ask the same and give the same types; `alerts` yields the alerts of `reputation.alerts` as
they come. Nothing else in this project imports it.
"""

from api.client.asynchronous import AsyncClient
from api.client.client import Client
from api.client.consumer import alerts
from api.client.wire import ApiProblemError

__all__ = ["ApiProblemError", "AsyncClient", "Client", "alerts"]
