"""`repmon alerts text`: an alert as a text that can be sent to the customer."""

from api.cli.lazy import command
from api.cli.options import an_id, with_reached
from api.cli.printing import print_line
from api.stack.policy import policy_in_force
from api.text.alert import AlertFacts, load_template
from jobs.operator.decisions import DecisionError, find_alert
from schemas import providers
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.settings import Settings
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import Store, open_store
from streams.judge.allowance import RuleAllowance, allowances
from streams.windows.current import window_counts


@command("repmon alerts text 4ad262bb > mail.md", name="text")
@an_id
@with_reached
def alert_text(settings: Settings, which: str) -> None:
    """Print an alert in Markdown, for the customer.

    ID is the alert's id as `repmon alerts` shows it, or a unique prefix of it. It says what was counted, since when,
    what is usual and who brought it; not who acknowledged the alert, nor who overrode it and why. `alerts.text_file`
    names a template of your own.
    """
    template = load_template(settings.alerts.text_file)
    store = open_store(settings.clickhouse)
    found = find_alert(store, which)
    data = found.last.data
    if not data.customer:
        raise DecisionError(f"alert {data.alert_id} is on {data.scope} and of no single customer")
    left = _left(store, policy_in_force(settings, store).policy, data.customer, data.scope, data.rule, data.level)
    store.close()
    facts = AlertFacts(data, rfc3339(found.opened_ms), found.last.time, left)
    for line in template.filled(facts).splitlines():
        print_line(line)


def _left(store: Store, policy: Policy, customer: str, scope: str, rule: str, level: Level) -> list[RuleAllowance]:
    now_ms = utc_now_ms()
    of_plan = for_plans(policy, plans(store, customer))
    policy = with_stored(of_plan, stored_overrides(store, now_ms, customer), now_ms)
    lengths = {name: window_ms(name) for name in policy.windows}
    counted = window_counts(store, [customer], lengths, providers.load_providers().with_feedback_loop(), now_ms, policy)
    subject = next((each for each in counted if each.scope == scope), None)
    return [] if subject is None else allowances(subject, policy, now_ms, {rule: level})
