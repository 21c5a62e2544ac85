"""Why an alert stands as it does."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Response

from api.explain.build import explain, explain_shared
from api.explain.explanation import Explanation, RuleExplained
from api.http.models.standing import Headroom
from api.http.problems import ApiError
from api.http.responses import REFUSALS
from api.http.tags import CUSTOMER, NOT_FOUND
from api.routes.alerts import find
from api.routes.asking import Asked, judged_by
from api.routes.models.alerts import AlertId
from api.routes.models.explain import AlertExplained, OverrideExplained, WindowExplained
from schemas.alert import AlertData
from schemas.scope import shared_by
from streams.io.store import Store

moment = datetime.fromisoformat
router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[CUSTOMER])


@router.get(
    "/explain/{alert_id}",
    summary="Why an alert stands as it does",
    operation_id="explainAlert",
    response_description="The alert's rule, counted again.",
    responses=NOT_FOUND,
)
def get_explanation(alert_id: Annotated[AlertId, Path()], asked: Asked, response: Response) -> AlertExplained:
    """The counts of each window of the alert's rule as they are now, with rate, interval and minimum volume; the window
    that decides, what is left until the next level, and why the alert differs from it."""
    response.headers["Cache-Control"] = "no-store"
    with asked.service.stores.lend() as store:
        data = find(store, asked, alert_id).event.data
        asked.on_record(data.customer)
        found = _explanation(store, asked, data)
    rule = _rule_of(found, data) if found else None
    if found is None or rule is None:
        raise ApiError(
            HTTPStatus.NOT_FOUND,
            f"rule {data.rule} of the alert is not judged any more in the scope {data.scope}",
        )
    return _explained(found, rule, data, shows_people=asked.owner.is_operator)


def _explanation(store: Store, asked: Asked, data: AlertData) -> Explanation | None:
    service, now_ms = asked.service, asked.now_ms
    loop = service.definition.feedback_loop
    if not data.customer and shared_by(data.scope):
        return explain_shared(store, data.scope, service.policy(store), loop, now_ms)
    return explain(store, data.customer, judged_by(store, service, data.customer, now_ms), loop, now_ms, past=False)


def _rule_of(found: Explanation, data: AlertData) -> RuleExplained | None:
    rules = (rule for scope in found.scopes if scope.scope == data.scope for rule in scope.rules)
    return next((rule for rule in rules if rule.rule == data.rule), None)


def _explained(found: Explanation, rule: RuleExplained, data: AlertData, *, shows_people: bool) -> AlertExplained:
    alert = rule.alert if rule.alert and rule.alert.alert_id == data.alert_id else None
    return AlertExplained(
        alert_id=data.alert_id,
        customer=data.customer,
        scope=data.scope,
        time=moment(found.time),
        policy_version=found.policy_version,
        rule=rule.rule,
        metric=rule.metric,
        level=rule.level,
        holding_level=rule.holding_level,
        alert_level=data.level,
        window=rule.window,
        threshold=rule.threshold,
        insufficient_volume=rule.insufficient_volume,
        windows=[WindowExplained.model_validate(msgspec.to_builtins(each)) for each in rule.windows],
        allowance=_headroom(rule),
        overrides=[
            OverrideExplained(
                stream=each.stream,
                until=moment(each.until) if each.until else None,
                reason=each.reason if shows_people else None,
            )
            for each in rule.overrides
        ],
        below_since=moment(alert.below_since) if alert and alert.below_since else None,
        remarks=list(rule.remarks),
        explanation=data.explanation,
    )


def _headroom(rule: RuleExplained) -> Headroom | None:
    if rule.allowance is None:
        return None
    return Headroom(rule=rule.rule, metric=rule.metric, **msgspec.to_builtins(rule.allowance))
