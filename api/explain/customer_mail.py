"""What a customer can be told of an alert: made of the alert and of what is left until its next level."""

from collections.abc import Sequence

from jobs.mail.facts import MailFacts, MailKind, kind_of
from jobs.operator.decisions import DecisionError
from schemas.alert import AlertEvent
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.wording import rfc3339_ms
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import Store
from streams.judge.allowance import Allowance, RuleAllowance, allowances
from streams.windows.current import window_counts


def mail_facts(
    event: AlertEvent, opened_ms: int | None, left: Allowance | None, kind: MailKind | None = None
) -> MailFacts:
    """What is known of an alert by its last transition, for its customer; `kind` is that of the mail, if it is not the
    alert's own.

    Raises:
        DecisionError: the customer is told nothing of it.
    """
    data = event.data
    if not data.customer:
        raise DecisionError(f"alert {data.alert_id} is on {data.scope} and of no single customer")
    if data.held is not None:
        raise DecisionError(
            f"alert {data.alert_id} is held, so the customer is told nothing; decide with `repmon holds confirm` or "
            "`repmon holds release`"
        )
    told = kind or kind_of(data)
    if told is None:
        raise DecisionError(f"alert {data.alert_id} is nothing that a customer is told")
    time_ms = rfc3339_ms(event.time)
    return MailFacts(
        kind=told,
        customer=data.customer,
        time_ms=time_ms,
        alert=data,
        opened_ms=opened_ms,
        left=left,
        scope=data.scope,
        since_ms=time_ms,
    )


def left_of(
    store: Store, policy: Policy, feedback_loop: Sequence[str], event: AlertEvent, now_ms: int
) -> RuleAllowance | None:
    """What is left of the alert's rule until its next level; `policy` is the one in force.

    Raises:
        StoreError: the store failed.
    """
    data = event.data
    of_plan = for_plans(policy, plans(store, data.customer))
    policy = with_stored(of_plan, stored_overrides(store, now_ms, data.customer), now_ms)
    lengths = {name: window_ms(name) for name in policy.windows}
    counted = window_counts(store, [data.customer], lengths, feedback_loop, now_ms, policy)
    subject = next((each for each in counted if each.scope == data.scope), None)
    found = [] if subject is None else allowances(subject, policy, now_ms, {data.rule: data.level})
    return next((each for each in found if each.rule == data.rule), None)
