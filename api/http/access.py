"""Who asks, and about whom they may: the customer comes from the key alone."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Annotated, get_origin

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from starlette.datastructures import QueryParams

from api.http.accepting import kinds_of, wanted
from api.http.frame import answer_with
from api.http.gathered import Gathered
from api.http.kept_rates import KeptRates
from api.http.key_lookups import KeyLookups
from api.http.keys import KeyOwner
from api.http.pool import GATHERED, SIZE, StorePool
from api.http.problems import RETRY_AFTER_S, ApiError
from api.http.quotas import Quota, Quotas
from api.http.rate_counts import CountedRates, CountsAsked, counted
from api.http.rates import Definition
from api.http.reads import ReadLog
from api.http.scopes import Scope
from api.http.turns import TooManyError, Turns, WaitedTooLongError
from schemas.applied_policy import AppliedPolicy
from schemas.blocklists import Zone, in_force
from schemas.policy import Policy
from schemas.settings import Settings
from streams.io.health import HealthVerdict
from streams.io.store import Store

#: The operations whose requests share queries.
SHARING = frozenset({"getRates"})


@dataclass(frozen=True)
class Service:
    """What request handlers work with. `clock` gives epoch ms, `policy` what is judged by; `owners` are the
    customers of dedicated pools, `health` says what is wrong, `reads` keeps on record what operators read,
    `publish` sends a policy that was applied to its topic, `kept` has rates in memory.
    """

    stores: StorePool
    keys: KeyLookups
    clock: Callable[[], int]
    policy: Callable[[Store], Policy]
    definition: Definition
    owners: Mapping[str, str]
    health: Callable[[], HealthVerdict]
    reads: ReadLog
    settings: Settings
    publish: Callable[[AppliedPolicy], None]
    kept: KeptRates
    quotas: Quotas = field(default_factory=Quotas)
    counts: Gathered[CountsAsked, CountedRates] = field(init=False)
    turns: Turns = field(default_factory=lambda: Turns(SIZE))
    #: Of requests that share a query: the more there are at once, the less each costs the store.
    gathered_turns: Turns = field(default_factory=lambda: Turns(GATHERED))
    #: What else ends with it.
    closing: list[Callable[[], None]] = field(default_factory=list)
    _parameters: dict[str, Mapping[str, bool]] = field(default_factory=dict)
    _kinds: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", Gathered(self._count))

    def _count(self, asked: CountsAsked, customers: Sequence[str]) -> Mapping[str, CountedRates]:
        with self.stores.lend() as store:
            return counted(store, customers, asked, self.definition)

    @cached_property
    def zones(self) -> tuple[Zone, ...]:
        """The blocklists that are asked.

        Raises:
            BlocklistsError: the settings name what cannot be used.
        """
        return in_force(self.settings.blocklists)

    @cached_property
    def delisting(self) -> Mapping[str, str]:
        """The page of each list on which to ask for removal."""
        return {each.zone: each.delisting for each in self.zones if each.delisting}

    def quota(self, owner: KeyOwner) -> Quota:
        """How much the owner of a key may ask of this process."""
        api = self.settings.api
        of_all = api.operator_requests_per_minute if owner.is_operator else api.requests_per_minute
        return Quota(-(-of_all // api.processes))

    def check_parameters(self, route: APIRoute, asked: QueryParams, owner: KeyOwner) -> None:
        """Refuse a parameter where there is none, one that is given twice of which there is one, and one whose value is
        empty, as by a script whose variable is not set: it would ask about everything. Others that do not exist are
        refused by the routes themselves (`CommonQuery`).

        Raises:
            ApiError: 422, naming it.
        """
        if not asked:
            return
        if route.unique_id not in self._parameters:
            self._parameters[route.unique_id] = dict(_parameters(route.dependant))
        known, pairs = self._parameters[route.unique_id], asked.multi_items()
        if not known:
            raise ApiError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "there is no such parameter here", parameter=next(iter(asked))
            )
        for name, value in pairs:
            # A customer's key that names another is told so, whatever it names (`customer_for`).
            if not value and name in known and (owner.is_operator or name != "customer"):
                raise ApiError(
                    HTTPStatus.UNPROCESSABLE_ENTITY, "is empty: give a value, or leave it out", parameter=name
                )
        if len(pairs) == len(asked):
            return
        names = [name for name, _ in pairs]
        for name, several in known.items():
            if not several and names.count(name) > 1:
                raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "is given more than once", parameter=name)

    def check_accept(self, route: APIRoute, accept: str | None) -> None:
        """Refuse a request that takes nothing of what the route has.

        Raises:
            ApiError: 406.
        """
        if accept and accept != "*/*":
            if route.unique_id not in self._kinds:
                self._kinds[route.unique_id] = kinds_of(route)
            wanted(accept, self._kinds[route.unique_id])

    def close(self) -> None:
        """Store what waits to be on record, and give the connections back."""
        for each in self.closing:
            each()
        self.kept.close()
        self.counts.close()
        self.reads.close()
        self.keys.close()
        self.stores.close()


def _parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """The parameters of a route, each with whether it may be given several times."""
    for each in dependant.query_params:
        kind = each.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from ((of.alias or name, get_origin(of.annotation) is list) for name, of in kind.model_fields.items())
        else:
            yield each.alias, get_origin(kind) is list
    for other in dependant.dependencies:
        yield from _parameters(other)


async def service_of(request: Request) -> Service:
    """The application's service."""
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101
    return service


bearer = HTTPBearer(auto_error=False, description="`Authorization: Bearer rmk_...`")
header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The key alone. The bearer form goes first.")


CHALLENGE = 'Bearer realm="repmon"'


async def good_key(
    service: Annotated[Service, Depends(service_of)],
    authorization: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    api_key: Annotated[str | None, Depends(header)],
) -> KeyOwner:
    """The owner of the key sent.

    Raises:
        ApiError: 401 without a key or with one that is not good (RFC 6750 section 3).
        StoreError: the store failed.
    """
    presented = authorization.credentials if authorization else api_key
    if not presented:
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "send your key as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
            headers={"WWW-Authenticate": CHALLENGE},
        )
    owner = await service.keys.find(presented)
    if owner is None or owner.is_over(service.clock()):
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "this key has expired" if owner else "this key is not known or was revoked",
            headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'},
        )
    return owner


def turns_of(service: Service, request: Request) -> Turns:
    """The turns that a request takes part in: rates as a whole are asked for together."""
    gathers = request.scope["route"].operation_id in SHARING and "by" not in request.query_params
    return service.gathered_turns if gathers else service.turns


async def key_owner(
    request: Request,
    service: Annotated[Service, Depends(service_of)],
    owner: Annotated[KeyOwner, Depends(good_key)],
) -> AsyncIterator[KeyOwner]:
    """The same, once it is the key's turn, and until what it asks is answered.

    Raises:
        ApiError: 406 where the answer has no type that is accepted; 422 for a parameter where there is none, or one
            given twice; 429 for more requests than the key may
            send (RFC 6585 section 4), or than may wait; 503 where its turn does not come.
    """
    service.check_accept(request.scope["route"], request.headers.get("accept"))
    service.check_parameters(request.scope["route"], request.query_params, owner)
    quota = service.quota(owner)
    left = service.quotas.take(owner.id, quota, time.monotonic())
    answer_with(request.scope, left.headers(quota))
    if left.retry_s:
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"this key may send {quota.requests} requests in {quota.window_s} s; send the next in {left.retry_s} s",
        )
    async with AsyncExitStack() as turn:
        try:
            await turn.enter_async_context(turns_of(service, request).turn(owner.id))
        except TooManyError as error:
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too many requests of this key are waiting; send fewer at once",
                headers={"Retry-After": "1"},
            ) from error
        except WaitedTooLongError as error:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too much is being asked; try again",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from error
        yield owner


def with_scope(scope: Scope, *, operator: bool = False) -> Callable[[KeyOwner], Awaitable[KeyOwner]]:
    """A dependency: the owner of a key that has `scope`, and with `operator` is an operator's.

    Raises (when it is asked):
        ApiError: 403 for another key (RFC 6750 section 3.1).
    """

    async def owner_with(owner: Annotated[KeyOwner, Depends(key_owner, scope="function")]) -> KeyOwner:
        if operator and not owner.is_operator:
            raise ApiError(HTTPStatus.FORBIDDEN, "this is for operators' keys only")
        if scope not in owner.scopes:
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                f"this key has not the scope `{scope}`",
                headers={"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'},
            )
        return owner

    return owner_with


def customer_for(owner: KeyOwner, customer: str | None) -> str:
    """The customer a request is about: the key's own, or for an operator the one named.

    Raises:
        ApiError: 403 if a customer names another, whether that one exists or not; 422 if an operator names none.
    """
    if owner.is_operator:
        if not customer:
            raise ApiError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "an operator's key must name a customer",
                parameter="customer",
            )
        return customer
    if customer is not None and customer != owner.customer:
        raise ApiError(HTTPStatus.FORBIDDEN, "this key is for one customer only")
    return owner.customer


#: Who may read: a customer of itself, an operator of everybody.
Owner = Annotated[KeyOwner, Depends(with_scope("read"))]
#: Operators alone, each by the scope that the route needs.
OperatorWhoReads = Annotated[KeyOwner, Depends(with_scope("read", operator=True))]
OperatorWhoActs = Annotated[KeyOwner, Depends(with_scope("act", operator=True))]
OperatorOfPolicy = Annotated[KeyOwner, Depends(with_scope("policy", operator=True))]
OperatorOfKeys = Annotated[KeyOwner, Depends(with_scope("keys", operator=True))]
Services = Annotated[Service, Depends(service_of)]
