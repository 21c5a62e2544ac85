"""What a case page is made of, read of the store: several questions at a time, none of them twice."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar, get_args

from api.explain.build import explain
from api.explain.explanation import Explanation
from api.explain.losses import Loss, read_losses
from api.http.access import Service
from api.http.breakdowns import COUNTED_BY, KNOWN_BY, RatePart, breakdowns
from api.http.listings import own_listings
from api.http.models.listings import Listings
from api.http.models.parameters import Breakdown, Metric, RatesQuery, WindowName
from api.http.models.standing import OpenAlert
from api.http.ranges import WINDOW_S, StepName, span
from api.http.rates import PointNumbers
from api.http.standing import open_alerts
from api.routes.asking import judged_with
from api.routes.rates import NOT_COUNTED, SeriesAsked, whole_series
from jobs.hooks.measure import HookSeen, Measure
from jobs.hooks.outbox import measures
from jobs.hooks.shown import read_hook
from jobs.hooks.stored import last_alerts
from jobs.operator.audit import Entry, entries
from schemas.alert import AlertEvent
from schemas.applied_policy import AppliedPolicy
from schemas.customer import Customer
from schemas.levels import LEVELS
from schemas.policy import Policy
from schemas.policy_metric import BURNS, LISTED_METRICS
from schemas.policy_rule import Rule
from schemas.scope import CUSTOMER
from schemas.times import DAY_MS, HOUR_S, SECOND_MS
from schemas.wording import masked
from streams.alerts.evidence import SAMPLES
from streams.alerts.evidence_queries import EVENTS, NUMERATORS
from streams.decisions.applied_policies import history
from streams.decisions.customers import read_customers
from streams.decisions.overrides import StoredOverride
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import Store

METRICS: tuple[Metric, ...] = get_args(Metric)
#: For how many days pictures and tables can be asked.
RANGES: Mapping[str, int] = {"24h": 1, "7d": 7, "30d": 30}
#: Rows of a table; decisions and verdicts that are read; applied policies that are looked through.
TOP, MOST_ENTRIES, MOST_POLICIES = 8, 200, 50
TIMELINE_DAYS = 30
LISTINGS_DAYS = 30
#: Questions of all pages that are put to the store at a time.
AT_ONCE = 4
#: What a time is divided by, to be read: minutes of a day.
STEPS: Mapping[str, StepName] = {"24h": "minute", "7d": "hour", "30d": "hour"}

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class CaseAsked:
    """Which customer, over which time, and the rate that tables are about; empty is that of the worst rule."""

    customer: str
    range: str = "7d"
    metric: Metric | None = None


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What is known. `series` are the points of each rate and the sliding window that they are of; `samples` typical
    answers by bounce class. `explanation` is None where nothing is stored of the customer."""

    asked: CaseAsked
    now_ms: int
    metric: Metric
    policy: Policy
    explanation: Explanation | None
    alerts: Mapping[str, Sequence[OpenAlert]]
    account: Customer
    overrides: Sequence[StoredOverride]
    series: Mapping[Metric, tuple[WindowName, Sequence[PointNumbers]]]
    parts: Mapping[Breakdown, Sequence[RatePart]]
    samples: Mapping[str, str]
    listings: Listings | None
    entries: Sequence[Entry]
    policies: Sequence[AppliedPolicy]
    measures: Sequence[Measure]
    hook: HookSeen | None
    last_alerts: Mapping[str, AlertEvent] = field(default_factory=dict)
    losses: Sequence[Loss] = ()
    delisting: Mapping[str, str] = field(default_factory=dict)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, "case")


def read_case(service: Service, asked: CaseAsked, now_ms: int) -> CaseFacts:
    """All that a page shows of a customer.

    Raises:
        StoreError: the store failed.
    """
    customer = asked.customer
    with service.stores.lend() as store:
        account = next(iter(read_customers(store, customer)), None) or Customer(customer=customer)
        decided = stored_overrides(store, now_ms, customer)
        known = {customer: account.plan} if account.plan else {}
        policy = judged_with(service.policy(store), known, decided, now_ms)
        alerts = open_alerts(store, customer)
        overrides = [each for each in decided if each.until_ms > now_ms]
    metric = asked.metric or metric_of_worst(alerts)
    start, end = _hours(asked.range, now_ms)
    loop = service.definition.feedback_loop
    explained = _ask(service, lambda store: explain(store, customer, policy, loop, now_ms, past=False))
    parts = _ask(service, lambda store: _parts(store, service, customer, metric, start, end))
    rest = _ask(service, lambda store: _rest(store, service, customer, now_ms))
    # Rates lend connections by themselves, shared with all who ask for rates.
    wanted = _drawn(metric, alerts)
    drawn = read_series(service, customer, wanted, policy, asked.range, now_ms)
    listings, entries_of, policies, measured, hook, last, losses = rest.result()
    by_part, samples = parts.result()
    return CaseFacts(
        asked=asked,
        now_ms=now_ms,
        metric=metric,
        policy=policy,
        explanation=explained.result(),
        alerts=alerts,
        account=account,
        overrides=overrides,
        series=drawn,
        parts=by_part,
        samples=samples,
        listings=listings,
        entries=entries_of,
        policies=policies,
        measures=measured,
        hook=hook,
        last_alerts=last,
        losses=losses,
        delisting=service.delisting,
    )


def read_series(
    service: Service, customer: str, metrics: Sequence[Metric], policy: Policy, chosen: str, now_ms: int
) -> dict[Metric, tuple[WindowName, Sequence[PointNumbers]]]:
    """Rates over a time of `RANGES`, and the sliding window that each is of.

    Raises:
        StoreError: the store failed.
    """
    since = str(now_ms - RANGES[chosen] * DAY_MS)
    windows = [window_of(each, policy) for each in metrics]
    asked = []
    for metric, window in zip(metrics, windows, strict=True):
        cut = span(since, None, WINDOW_S[window], now_ms, STEPS[chosen])
        query = RatesQuery(metric=[metric], window=window)
        asked.append(SeriesAsked(customer, metric, query, cut, WINDOW_S[window]))
    found = whole_series(service, asked)
    return dict(zip(metrics, zip(windows, found, strict=True), strict=True))


def window_of(metric: Metric, policy: Policy) -> WindowName:
    """The sliding window that pictures of a rate show: a day where a rule judges that, else the rule's own."""
    rule = rule_of(metric, policy)
    windows = rule.windows if rule else ()
    names: tuple[WindowName, ...] = get_args(WindowName)
    return next((each for each in ("24h", *names) if each in windows and each in names), "24h")


def rule_of(metric: Metric, policy: Policy) -> Rule | None:
    """The rule whose levels are drawn: the first that judges this rate of all mail."""
    return next((each for each in policy.rules if each.metric == metric and not each.mail_to), None)


def metric_of_worst(alerts: Mapping[str, Sequence[OpenAlert]]) -> Metric:
    """The rate behind the worst open alert; failures where that is no rate, or nothing is open."""
    worst = sorted(
        ((LEVELS.index(each.level), scope == CUSTOMER, each.metric) for scope, some in alerts.items() for each in some),
        reverse=True,
    )
    rates = {str(each): each for each in METRICS}
    found = (rates.get(BURNS.get(metric, metric)) for _, _, metric in worst)  # type: ignore[call-overload]
    return next((each for each in found if each is not None), "failure")


def _ask(service: Service, ask: Callable[[Store], Answer]) -> Future[Answer]:
    def asked() -> Answer:
        with service.stores.lend() as store:
            return ask(store)

    return _threads().submit(asked)


def _drawn(metric: Metric, alerts: Mapping[str, Sequence[OpenAlert]]) -> list[Metric]:
    """The rates that pictures show: mail through listed addresses, which takes longest to read, where it matters."""
    listed = any(each.metric in LISTED_METRICS for some in alerts.values() for each in some)
    return [each for each in METRICS if each != "exposure" or listed or metric == "exposure"]


def _hours(chosen: str, now_ms: int) -> tuple[int, int]:
    """The whole hours of a time, epoch s."""
    end = (now_ms // 1000 // HOUR_S + 1) * HOUR_S
    return end - RANGES[chosen] * DAY_MS // SECOND_MS, end


def _parts(
    store: Store, service: Service, customer: str, metric: Metric, start: int, end: int
) -> tuple[Mapping[Breakdown, Sequence[RatePart]], Mapping[str, str]]:
    wanted = [each for each in (*COUNTED_BY, *KNOWN_BY) if (metric, each) not in NOT_COUNTED]
    found = breakdowns(store, customer, metric, wanted, start, end, service.definition, TOP)
    samples = read_samples(store, service, customer, metric, start) if found.get("bounce_class") else {}
    return found, samples


def read_samples(store: Store, service: Service, customer: str, metric: Metric, start: int) -> Mapping[str, str]:
    """A typical answer of each bounce class since a time (epoch s), as alerts have it in their evidence.

    Raises:
        StoreError: the store failed.
    """
    if metric not in NUMERATORS:
        return {}
    asked = {
        "customers": [customer],
        "scopes": [CUSTOMER],
        "numerators": [NUMERATORS.index(metric) + 1],
        "begins": [start],
        "mail_to": [[]],
        "since": start,
        "samples": SAMPLES,
        "fbl": list(service.definition.feedback_loop),
        "expired": int(service.definition.expired_is_failure),
    }
    return {
        str(name): masked(str(sample))
        for _, what, name, _, sample in store.rows(EVENTS, asked)
        if what == "class" and sample
    }


def _rest(
    store: Store, service: Service, customer: str, now_ms: int
) -> tuple[
    Listings,
    list[Entry],
    list[AppliedPolicy],
    list[Measure],
    HookSeen | None,
    dict[str, AlertEvent],
    list[Loss],
]:
    since_ms = now_ms - TIMELINE_DAYS * DAY_MS
    has_hook = bool(service.settings.hook.ladder)
    return (
        own_listings(store, customer, LISTINGS_DAYS, service.owners, now_ms, with_causes=True),
        entries(store, since_ms, MOST_ENTRIES, customer=customer),
        [each for each in history(store, MOST_POLICIES) if each.applied_ms >= since_ms],
        measures(store, "act", [customer]),
        read_hook(store, service.settings.hook.failing_after_s, now_ms) if has_hook else None,
        last_alerts(store, customer),
        read_losses(store, since_ms),
    )
