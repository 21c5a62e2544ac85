"""Policies: what is in force, and checking, trying and applying another."""

import threading
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.http.problems import ApiError
from api.http.responses import BUSY, REFUSALS
from api.http.tags import POLICY
from api.routes import cursors
from api.routes.asking_operators import Governing, Reading, refusing
from api.routes.formats import TABLES, answer
from api.routes.models.fleet import FleetQuery
from api.routes.models.policies import (
    Application,
    AppliedPolicies,
    AppliedPolicy,
    ApplyBody,
    CheckedPolicy,
    Mistake,
    PolicyBody,
    PolicyInForce,
    Treated,
    Trial,
    TriedSide,
    TriedSpan,
    TryBody,
)
from api.text.policy import described, differences
from jobs.operator.policy_store import apply
from jobs.operator.try_policy import Side, try_policy
from schemas import policy_check
from schemas.policy import Policy
from schemas.times import DAY_MS, utc_time
from streams.decisions.applied_policies import history, newest
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans
from streams.io.broker import BrokerError
from streams.what_if.compare import LevelSpan

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[POLICY])
#: Differences that are shown, and policies that are listed.
MOST_DIFFERENCES, MOST_POLICIES = 1_000, 10_000
#: To try a policy goes through all that is stored, so one is tried at a time.
TRYING = threading.Lock()
TRY_AGAIN_S = 10
SOURCE = "the request"


@router.get(
    "/policy",
    summary="The policy in force",
    operation_id="getPolicy",
    response_description="The policy.",
)
def get_policy(asked: Reading) -> PolicyInForce:
    """What customers are judged by now, and where it is from."""
    service = asked.service
    with service.stores.lend() as store:
        policy, applied = service.policy(store), newest(store)
    file = service.settings.policy.file
    if file or applied is None or applied.version != policy.version:
        applied = None
    return PolicyInForce(
        version=policy.version,
        source=f"the file {file}" if file else "applied" if applied else "built in",
        applied=utc_time(applied.applied_ms) if applied else None,
        applied_by=applied.applied_by if applied else None,
        why=applied.why if applied else None,
        described=list(described(policy)),
        text=applied.text if applied else None,
    )


@router.get(
    "/policies",
    summary="Which policies were applied",
    operation_id="listPolicies",
    response_description="The policies, the latest first.",
    response_model=AppliedPolicies,
    responses=TABLES,
)
def get_policies(query: Annotated[FleetQuery, Query()], asked: Reading, request: Request) -> Response:
    """When, by whom and why."""
    same = cursors.question("policies")
    (before,) = cursors.after(same, query.cursor, tuple[int], (2**62,))
    with asked.service.stores.lend() as store:
        some = [each for each in history(store, MOST_POLICIES) if each.applied_ms < before]
    page = some[: query.limit]
    following = cursors.cursor(same, (page[-1].applied_ms,)) if len(some) > len(page) else None
    rows = [
        AppliedPolicy(version=each.version, applied=utc_time(each.applied_ms), applied_by=each.applied_by, why=each.why)
        for each in page
    ]
    return answer(request, AppliedPolicies(policies=rows, next=following), "policies")


@router.post(
    "/policy/check",
    summary="Check a policy",
    operation_id="checkPolicy",
    response_description="What it comes to.",
)
def post_check(body: PolicyBody, asked: Governing) -> CheckedPolicy:
    """Every mistake with its line, or what it would change. Nothing is changed."""
    found = policy_check.checked(body.text)
    changes: list[str] = []
    if found.policy is not None:
        with asked.service.stores.lend() as store:
            changes = list(differences(asked.service.policy(store), found.policy))
    return CheckedPolicy(
        usable=found.policy is not None,
        version=found.policy.version if found.policy else None,
        mistakes=[Mistake(line=each.line, said=each.said) for each in found.mistakes],
        differences=changes,
    )


@router.post(
    "/policy/try",
    summary="Try a policy over the past",
    operation_id="tryPolicy",
    response_description="Whom the two policies treat differently.",
    responses=BUSY,
)
def post_try(body: TryBody, asked: Governing) -> Trial:
    """Whom a policy would have flagged or freed, hour by hour over what is stored. Nothing is changed. One is tried
    at a time."""
    asked.on_record("")
    tried = _usable(body.text)
    if not TRYING.acquire(blocking=False):
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "another policy is being tried; try again when that is done",
            headers={"Retry-After": str(TRY_AGAIN_S)},
        )
    service, now_ms = asked.service, asked.now_ms
    try:
        with service.stores.lend() as store:
            known = plans(store)
            both = for_plans(tried, known), for_plans(service.policy(store), known)
            since_ms = now_ms - body.days * DAY_MS
            found = try_policy(store, *both, service.definition.feedback_loop, since_ms, now_ms, body.level)
    finally:
        TRYING.release()
    return Trial(
        **{"from": utc_time(found.from_ms), "to": utc_time(found.to_ms)},
        level=found.level,
        customers=found.customers,
        tried=_side(found.tried),
        in_force=_side(found.in_force),
        differences=[
            Treated(
                customer=each.customer,
                scope=each.scope,
                tried=[_span(span) for span in each.tried],
                in_force=[_span(span) for span in each.in_force],
            )
            for each in found.differences[:MOST_DIFFERENCES]
        ],
        more=max(0, len(found.differences) - MOST_DIFFERENCES),
        not_replayed=list(found.not_replayed),
    )


@router.post(
    "/policy/apply",
    summary="Put a policy in force",
    operation_id="applyPolicy",
    response_description="What came of it.",
)
def post_apply(body: ApplyBody, asked: Governing) -> Application:
    """It is kept with who, when and why. Running monitors judge by it within seconds. Nothing is changed by a policy
    with mistakes, nor by the very text that is in force already."""
    _usable(body.text)
    service = asked.service
    with refusing(), service.stores.lend() as store:
        done = apply(store, body.text, SOURCE, asked.who, body.why, asked.now_ms)
    notes, published = [], True
    if file := service.settings.policy.file:
        notes.append(f"policy.file names {file}, which takes precedence: this policy is not used")
    try:
        service.publish(done.policy)
    except BrokerError:
        published = False
        notes.append("it is in force, but was not sent to reputation.policy: apply it again to send it")
    return Application(
        version=done.policy.version,
        before=done.before,
        changed=done.status == "applied",
        published=published,
        notes=notes,
    )


def _usable(text: str) -> Policy:
    """The policy in a text.

    Raises:
        ApiError: 422, with all mistakes.
    """
    found = policy_check.checked(text)
    if found.policy is None:
        said = "; ".join(f"line {each.line}: {each.said}" for each in found.mistakes)
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, said, parameter="text")
    return found.policy


def _side(side: Side) -> TriedSide:
    return TriedSide(policy_version=side.policy_version, flagged=side.flagged, flagged_at_end=side.flagged_at_end)


def _span(span: LevelSpan) -> TriedSpan:
    plain = {"rule": span.rule, "level": span.level, "from": utc_time(span.from_ms)}
    return TriedSpan.model_validate(plain | {"to": None if span.to_ms is None else utc_time(span.to_ms)})
