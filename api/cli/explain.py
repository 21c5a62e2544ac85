"""`repmon explain`: why a customer stands where it stands, or stood at a moment."""

import click

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_json, print_line
from api.explain.build import explain
from api.http.ranges import RangeError, instant
from api.stack.explain_now import explain_now
from api.stack.policy import load_policy
from api.text.explanation import lines
from jobs.operator.decisions import check_known
from schemas import providers
from schemas.policy import Policy
from schemas.policy_metric import LONGEST_MS
from schemas.settings import Settings, SettingsError
from schemas.times import DAY_S, utc_now_ms
from schemas.wording import rfc3339, shared_name
from streams.decisions.applied_policies import history, named, policy_of
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import Store, open_store

#: So many applied policies are looked through for the one of a moment.
MOST_POLICIES = 100_000


@command("repmon explain acme", "repmon explain acme --at 2026-03-12T12:00:00Z", name="explain")
@click.argument("customer")
@click.option("--at", default="", help="The moment, RFC 3339 with an offset or epoch ms; now if left out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_reached
def explain_customer(settings: Settings, customer: str, at: str, as_json: bool) -> None:
    """Explain why a customer stands where it stands.

    Each rule's counts, level, alert and what is left until the next level. CUSTOMER is its name, or pool:NAME,
    from:DOMAIN or plan:NAME for the small ones that share it.

    The counts are read again for the moment. Where they differ from what was recorded, it says why: events that
    come late are counted at the time they happened. The customers of a pool, From domain or plan who are too small
    to be judged are explained together, for now only.
    """
    now_ms = utc_now_ms()
    at_ms = moment(at, now_ms)
    shared = shared_name(customer)
    if at_ms is not None and shared:
        raise SettingsError(f"--at: of {shared} only the present can be explained")
    store = open_store(settings.clickhouse)
    asked_ms = now_ms if at_ms is None else at_ms
    if at_ms is None:
        found = explain_now(settings, store, customer, now_ms)
    else:
        policy = for_plans(policy_then(settings, store, at_ms), plans(store, customer))
        merged = with_stored(policy, stored_overrides(store, asked_ms, customer), asked_ms)
        loop = providers.load_providers().with_feedback_loop()
        found = explain(store, customer, merged, loop, asked_ms, past=True)
    if found is None and not shared:
        check_known(store, customer)
    store.close()
    if found is None and shared:
        raise SettingsError(f"no two small customers with mail share {shared}")
    if found is None:
        raise SettingsError(f"nothing is stored of customer {customer!r} up to {rfc3339(asked_ms)}")
    if as_json:
        print_json(found)
        return
    for line in lines(found):
        print_line(line)


def policy_then(settings: Settings, store: Store, at_ms: int) -> Policy:
    """The policy in force at a moment (epoch ms): the one applied last before it, unless the settings name a file.

    Raises:
        PolicyError: it cannot be understood.
        StoreError: the store failed.
    """
    applied = [] if settings.policy.file else history(store, MOST_POLICIES)
    then = next((each for each in applied if each.applied_ms <= at_ms), None)
    return load_policy(settings) if then is None else policy_of(named(store, then.version))


def moment(text: str, now_ms: int) -> int | None:
    """The moment (epoch ms) that `--at` gives; None where it gives none.

    Raises:
        SettingsError: not a time, in the future, or older than counts are kept.
    """
    if not text:
        return None
    try:
        at_ms = instant("--at", text) * 1000
    except RangeError as error:
        raise SettingsError(f"--at: {text!r} {error}") from error
    if at_ms > now_ms:
        raise SettingsError(f"--at: {text} lies in the future")
    if at_ms < now_ms - LONGEST_MS:
        raise SettingsError(f"--at: {text} is longer ago than counts are kept ({LONGEST_MS // 1000 // DAY_S} days)")
    return at_ms
