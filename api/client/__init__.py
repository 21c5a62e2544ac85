"""A client of the HTTP interface, and a reader of alerts: for programs of operators and customers.

Comes in: the address of an interface, or of a broker. Goes out: what is answered, as the types of `api.http.models` and
`api.routes.models`, and alerts as they come. Programs outside import them from `repmon.client`;
nothing else in this project does.
"""

from api.client.asynchronous import AsyncClient
from api.client.client import Client
from api.client.consumer import alerts
from api.client.wire import ApiProblemError

__all__ = ["ApiProblemError", "AsyncClient", "Client", "alerts"]
