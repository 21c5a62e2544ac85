"""Who asks, and about whom they may: the customer comes from the key alone."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from api.http.keys import KeyCache, KeyOwner
from api.http.pool import StorePool
from api.http.problems import ApiError
from api.http.rates import Definition
from api.http.reads import ReadLog
from api.http.scopes import Scope
from schemas.applied_policy import AppliedPolicy
from schemas.blocklists import Zone, in_force
from schemas.policy import Policy
from schemas.settings import Settings
from streams.io.health import HealthVerdict
from streams.io.store import Store


@dataclass(frozen=True)
class Service:
    """What request handlers work with. `clock` gives epoch ms, `policy` what is judged by; `owners` are the
    customers of dedicated pools, `health` says what is wrong, `reads` keeps on record what operators read,
    `publish` sends a policy that was applied to its topic.
    """

    stores: StorePool
    keys: KeyCache
    clock: Callable[[], int]
    policy: Callable[[Store], Policy]
    definition: Definition
    owners: Mapping[str, str]
    health: Callable[[], HealthVerdict]
    reads: ReadLog
    settings: Settings
    publish: Callable[[AppliedPolicy], None]

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

    def close(self) -> None:
        """Store what waits to be on record, and give the connections back."""
        self.reads.close()
        self.stores.close()


def service_of(request: Request) -> Service:
    """The application's service."""
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101
    return service


bearer = HTTPBearer(auto_error=False, description="`Authorization: Bearer rmk_...`")
header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The key alone. The bearer form goes first.")


CHALLENGE = 'Bearer realm="repmon"'


def key_owner(
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
    owner = service.keys.find(presented)
    if owner is None or owner.is_over(service.clock()):
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "this key has expired" if owner else "this key is not known or was revoked",
            headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'},
        )
    return owner


def with_scope(scope: Scope, *, operator: bool = False) -> Callable[[KeyOwner], Awaitable[KeyOwner]]:
    """A dependency: the owner of a key that has `scope`, and with `operator` is an operator's.

    Raises (when it is asked):
        ApiError: 403 for another key (RFC 6750 section 3.1).
    """

    async def owner_with(owner: Annotated[KeyOwner, Depends(key_owner)]) -> KeyOwner:
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
