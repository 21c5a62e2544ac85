"""What every route asks for: whom a request is about, from when to when, by which policy."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from api.http.access import Owner, Service, Services, customer_for
from api.http.keys import KeyOwner
from api.http.problems import ApiError
from api.http.ranges import RangeError, between
from api.http.reads import Read
from schemas.policy import Policy
from streams.decisions.customers import plans
from streams.decisions.overrides import StoredOverride, for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import Store


class Asking:
    """Who asks, over which service; whom they may ask about, and that they did is on record."""

    def __init__(self, request: Request, owner: KeyOwner, service: Service) -> None:
        self.owner = owner
        self.service = service
        self.now_ms = service.clock()
        self._request = request

    @property
    def who(self) -> str:
        """The key by its label and id, as it is put on record."""
        return who(self.owner)

    def about(self, customer: str | None) -> str:
        """The customer the request is about; an operator's key must name one.

        Raises:
            ApiError: 403, 422 as `customer_for`; 503 where the read cannot be put on record.
        """
        whose = customer_for(self.owner, customer)
        self.on_record(whose)
        return whose

    def about_any(self, customer: str | None) -> str:
        """The same, but an operator may ask about all: then it is ''."""
        if self.owner.is_operator and not customer:
            self.on_record("")
            return ""
        return self.about(customer)

    def on_record(self, customer: str) -> None:
        """Note an operator's read of a customer's data ('' of several).

        Raises:
            ApiError: 503, it cannot be put on record.
        """
        if self.owner.is_operator and not self.service.reads.note(Read(self.who, customer, self._route())):
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "what operators read cannot be put on record; try again once the store answers",
                headers={"Retry-After": "5"},
            )

    def times(self, start: str | None, end: str | None, usual_ms: int, longest_ms: int) -> tuple[int, int]:
        """From when to when is asked, epoch ms: by default the last `usual_ms` until `end`.

        Raises:
            ApiError: 422, naming `from` or `to`.
        """
        try:
            return between(start, end, usual_ms, longest_ms, self.now_ms)
        except RangeError as error:
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), parameter=error.parameter) from error

    def _route(self) -> str:
        return str(getattr(self._request.scope.get("route"), "path", self._request.url.path))


def who(owner: KeyOwner) -> str:
    """A key's owner, as decisions name it."""
    return f"{owner.label} (key {owner.id})" if owner.label else f"key {owner.id}"


def judged_by(store: Store, service: Service, customer: str, now_ms: int) -> Policy:
    """The policy in force for a customer: with its plan, and with what operators decided.

    Raises:
        StoreError: the store failed.
    """
    return judged_with(service.policy(store), plans(store, customer), stored_overrides(store, now_ms, customer), now_ms)


def judged_with(policy: Policy, plans_of: Mapping[str, str], decided: Sequence[StoredOverride], now_ms: int) -> Policy:
    """The same of what was read: plans by customer, and what operators decided. Pure."""
    return with_stored(for_plans(policy, plans_of), decided, now_ms)


async def asking(request: Request, owner: Owner, service: Services) -> Asking:
    """Who asks. What is not a coroutine is called on another thread, which takes longer than this."""
    return Asking(request, owner, service)


Asked = Annotated[Asking, Depends(asking)]
