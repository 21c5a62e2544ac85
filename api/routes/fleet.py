"""The fleet: customers ranked, and those who are too small to be judged by themselves."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.explain.worst import FIRST, WorstFilter, WorstLine, WorstRate, worst
from api.http.responses import REFUSALS
from api.http.tags import OPERATOR
from api.routes import cursors
from api.routes.asking_operators import Reading
from api.routes.formats import TABLES, answer
from api.routes.models.fleet import (
    Customers,
    CustomersQuery,
    Pool,
    PoolRule,
    Pools,
    PoolsQuery,
    RankedCustomer,
    RankedRate,
)
from schemas.policy import Policy
from schemas.times import utc_time
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.windows.pools import Pooled, judge_pool
from streams.windows.pools import Pools as PoolReader

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[OPERATOR])


@router.get(
    "/customers",
    summary="Customers, the worst first",
    operation_id="listCustomers",
    response_description="The customers, the worst first.",
    response_model=Customers,
    responses=TABLES,
)
def get_customers(query: Annotated[CustomersQuery, Query()], asked: Reading, request: Request) -> Response:
    """Every customer as it stands now, ranked by how badly, with its rates of the last 24 hours."""
    asked.on_record("")
    same = cursors.question("customers", **cursors.filters_of(query.model_dump()))
    wanted = WorstFilter(
        parts=query.parts,
        standings=tuple(query.standing),
        plan=query.plan or "",
        name=query.name or "",
        after=cursors.after(same, query.cursor, tuple[int, float, int, str, str], FIRST),
    )
    service, now_ms = asked.service, asked.now_ms
    with service.stores.lend() as store:
        policy = for_plans(service.policy(store), plans(store))
        policy = with_stored(policy, stored_overrides(store, now_ms), now_ms)
        found = worst(store, policy, service.definition.feedback_loop, query.limit + 1, now_ms, wanted)
    page = found[: query.limit]
    following = cursors.cursor(same, page[-1].place) if len(found) > len(page) else None
    return answer(request, Customers(customers=[_line(each) for each in page], next=following), "customers")


@router.get(
    "/pools",
    summary="Small customers together",
    operation_id="listPools",
    response_description="What they share, by name.",
    response_model=Pools,
    responses=TABLES,
)
def get_pools(query: Annotated[PoolsQuery, Query()], asked: Reading, request: Request) -> Response:
    """Customers who are too small to be judged, judged together with those who share their IP pool, From domain or
    plan."""
    asked.on_record("")
    same = cursors.question("pools", kind=query.kind)
    (last,) = cursors.after(same, query.cursor, tuple[str], ("",))
    service, now_ms = asked.service, asked.now_ms
    with service.stores.lend() as store:
        policy = service.policy(store)
        found = PoolReader(store, policy, service.definition.feedback_loop, kind=query.kind).read(now_ms)
    some = sorted((each for each in found if each.scope > last), key=lambda each: each.scope)
    page = some[: query.limit]
    following = cursors.cursor(same, (page[-1].scope,)) if len(some) > len(page) else None
    return answer(request, Pools(pools=[_pool(each, policy, now_ms) for each in page], next=following), "pools")


def _line(line: WorstLine) -> RankedCustomer:
    names = ("customer", "scope", "standing", "rule", "overridden", "held", "volume", "score")
    rates: dict[str, Any] = {name: _rate(getattr(line, name)) for name in ("complaint", "failure", "block", "exposure")}
    plain: dict[str, Any] = {name: getattr(line, name) for name in names}
    return RankedCustomer(**plain, **rates, since=utc_time(line.since_ms))


def _rate(rate: WorstRate) -> RankedRate:
    numerator, denominator = rate.counts or (None, None)
    return RankedRate(rate=rate.ratio, numerator=numerator, denominator=denominator, enough=rate.enough)


def _pool(pooled: Pooled, policy: Policy, now_ms: int) -> Pool:
    judged = judge_pool(pooled, policy, now_ms)
    names = PoolRule.model_fields
    rules = [PoolRule(**{name: getattr(each, name) for name in names}) for each in judged.verdicts]
    return Pool(scope=pooled.scope, standing=judged.standing, rules=rules)
