"""A client of the HTTP interface, and a reader of alerts: for hooks and tools of operators and customers.

`Client` and `AsyncClient` have a function for each question, named as its route; `alerts` yields the alerts of
`reputation.alerts` as `AlertEvent`. The other names are the types of what they answer, and the errors that they raise.
"""

from api.client import ApiProblemError, AsyncClient, Client, alerts
from api.http.models.listings import Listings
from api.http.models.rates import Series
from api.http.models.standing import Standing
from api.routes.models.alerts import Alert, AlertSummary
from api.routes.models.allowances import Allowances
from api.routes.models.decisions import Decided, Override
from api.routes.models.explain import AlertExplained
from api.routes.models.fleet import RankedCustomer
from api.routes.models.outcomes import Complaint, Failure
from schemas.alert import AlertEvent
from schemas.errors import RepmonError
from streams.io.broker import BrokerError

__all__ = [
    "Alert",
    "AlertEvent",
    "AlertExplained",
    "AlertSummary",
    "Allowances",
    "ApiProblemError",
    "AsyncClient",
    "BrokerError",
    "Client",
    "Complaint",
    "Decided",
    "Failure",
    "Listings",
    "Override",
    "RankedCustomer",
    "RepmonError",
    "Series",
    "Standing",
    "alerts",
]
