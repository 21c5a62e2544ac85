"""What the fleet page shows, read from the store: all of it now and then, and what changed or is looked at often."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from api.console.fleet.rows import RuleFigures
from api.console.going_on import going_on
from api.explain.worst import WorstFilter, WorstLine, changed_since, worst
from api.http.access import Service
from api.http.models.parameters import Metric
from api.http.rate_counts import CountsAsked, counted
from api.http.rates import METRICS, RateBucket
from schemas.incident import Incident
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.scope import CUSTOMER
from schemas.times import DAY_S, HOUR_S
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.incidents.stored import read_incidents
from streams.io.store import Store
from streams.judge.verdict import Verdict, judge
from streams.windows.current import window_counts

#: More subjects are not shown.
MOST = 100_000
#: The hours of a trend.
HOURS = 24
#: Figures of so many customers are read at a time.
AT_ONCE = 200

POOLS = """
SELECT customer, arraySort(groupUniqArray(16)(value)) FROM counts
WHERE dimension = 'pool' AND bucket >= toDateTime({since:UInt32}) AND value != ''
GROUP BY customer
"""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FleetRead:
    """Everything at once, the policy that it is judged by, and the incidents that go on."""

    lines: Sequence[WorstLine]
    plans: Mapping[str, str]
    pools: Mapping[str, tuple[str, ...]]
    metrics: Mapping[str, str]
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True)
class Details:
    """Of some subjects: the figures of their deciding rule, and of some customers the trend of a metric."""

    figures: Mapping[Key, RuleFigures]
    trends: Mapping[Key, tuple[float | None, ...]]


class FleetReader:
    """Reads over connections of the interface; each call may raise a StoreError. One thread at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def everything(self, now_ms: int) -> FleetRead:
        """All customers, and those parts of their mail that are not well, the worst first."""
        with self._service.stores.lend() as store:
            of_plans = plans(store)
            policy = self._policy(store, of_plans, now_ms)
            lines = worst(store, policy, self._loop, MOST, now_ms, WorstFilter())
            since = now_ms // 1000 - HOURS * HOUR_S
            incidents = going_on(read_incidents(store, now_ms // 1000 - DAY_S).in_force(), now_ms)
            pools = {str(name): tuple(map(str, found)) for name, found in store.rows(POOLS, {"since": since})}
        return FleetRead(lines, of_plans, pools, {rule.name: rule.metric for rule in policy.rules}, incidents)

    def changed(self, since_ms: int) -> list[str]:
        """The customers who changed since a time."""
        with self._service.stores.lend() as store:
            return changed_since(store, since_ms)

    def lines(self, names: Collection[str], now_ms: int) -> list[WorstLine]:
        """What is to be said of some customers now, the worst first."""
        with self._service.stores.lend() as store:
            policy = self._policy(store, plans(store), now_ms)
            return worst(store, policy, self._loop, MOST, now_ms, WorstFilter(only=tuple(sorted(names))))

    def details(self, lines: Sequence[WorstLine], trends: Collection[tuple[str, Metric]], now_ms: int) -> Details:
        """The figures of the deciding rules of these, and trends of some customers, each of a metric."""
        with self._service.stores.lend() as store:
            figures = self._figures(store, lines, now_ms) if lines else {}
            return Details(figures, self._trends(store, trends, now_ms))

    @property
    def _loop(self) -> Sequence[str]:
        return self._service.definition.feedback_loop

    def _policy(self, store: Store, of_plans: Mapping[str, str], now_ms: int) -> Policy:
        policy = for_plans(self._service.policy(store), of_plans)
        return with_stored(policy, stored_overrides(store, now_ms), now_ms)

    def _figures(self, store: Store, lines: Sequence[WorstLine], now_ms: int) -> dict[Key, RuleFigures]:
        names = sorted({line.customer for line in lines if line.customer})
        policy = self._policy(store, plans(store), now_ms)
        lengths = {name: window_ms(name) for name in policy.windows}
        rules = {(line.customer, line.scope): line.rule for line in lines}
        found = {}
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            for subject in window_counts(store, some, lengths, self._loop, now_ms, policy):
                key = (subject.customer, subject.scope)
                if key in rules:
                    verdicts = judge(subject, policy, now_ms).verdicts
                    of_rule = next((each for each in verdicts if each.rule == rules[key]), None)
                    if of_rule is not None and of_rule.window:
                        found[key] = _figures(of_rule)
        return found

    def _trends(
        self, store: Store, wanted: Collection[tuple[str, Metric]], now_ms: int
    ) -> dict[Key, tuple[float | None, ...]]:
        end = now_ms // 1000 // HOUR_S * HOUR_S + HOUR_S
        start = end - HOURS * HOUR_S
        by_metric: dict[Metric, list[str]] = defaultdict(list)
        for name, metric in wanted:
            by_metric[metric].append(name)
        found: dict[Key, tuple[float | None, ...]] = {}
        for metric, names in by_metric.items():
            asked = CountsAsked(metric, CUSTOMER, HOUR_S, start, end)
            rates = counted(store, sorted(names), asked, self._service.definition)
            for name in names:
                buckets = rates[name].buckets.get("", []) if name in rates else []
                found[name, metric] = _hours(buckets, start)
        return found


def trend_metric(rule_metric: str) -> Metric:
    """The metric whose trend is shown of who is judged by one: its rate, if that is counted by hours."""
    return next((metric for metric in METRICS if rule_metric.startswith(metric)), "failure")


def _hours(buckets: Sequence[RateBucket], start: int) -> tuple[float | None, ...]:
    rates: list[float | None] = [None] * HOURS
    for at, numerator, denominator in buckets:
        place = (at - start) // HOUR_S
        if 0 <= place < HOURS and denominator > 0:
            rates[place] = min(1.0, numerator / denominator)
    return tuple(rates)


def _figures(verdict: Verdict) -> RuleFigures:
    names = ("metric", "window", "numerator", "denominator", "rate", "lower", "upper", "threshold")
    return RuleFigures(**{name: getattr(verdict, name) for name in names})
