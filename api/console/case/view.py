"""The view of a case page, made of what was read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.console.case.effects import Effects, effects
from api.console.case.headline import Headline, headline
from api.console.case.letters import MailDraft
from api.console.case.pool_mates import PoolMates, pool_mates
from api.console.case.reading import METRICS, RANGES, CaseAsked, CaseFacts, rule_of
from api.console.case.tables import Bounds, PartTable, part_tables
from api.console.case.timeline import TimelineRow, timeline
from api.console.charts import Chart, LevelLine, RatePoint, TimeMark, TimeSpan, chart
from api.console.fleet.rows import FleetRow
from api.console.page_words import PageWords, operators
from api.explain.explanation import RuleExplained, ScopeExplained
from api.http.models.listings import Listing
from api.http.models.parameters import Metric
from api.http.models.standing import OpenAlert
from api.http.rates import PointNumbers
from api.text.explanation import left
from schemas.hook import Hook
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import BURNS, COUNTED, REPORTED_SPAM, SPIKE
from schemas.scope import CUSTOMER
from schemas.times import SECOND_MS, epoch_ms
from schemas.wording import amount, rfc3339_ms
from streams.decisions.overrides import StoredOverride
from streams.judge.certainty import bar_of, confidence_of, lower_bound, upper_bound
from streams.judge.verdict import RANK

NAMES: Mapping[Metric, str] = {
    "complaint": "Complaints",
    "failure": "Failures",
    "block": "Refusals",
    "exposure": "Mail through listed addresses",
}
#: A good rule is shown by itself only in full.
INTERESTING = ("watch", "warning", "excessive", "critical")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule of a scope as it is now. `counted`, `rate` and `between` are in words, since each metric has its own;
    `since_ms` is epoch ms, 0 without an alert."""

    scope: str
    rule: str
    level: str
    said: str
    window: str
    counted: str
    rate: str
    between: str
    threshold: str
    left: str
    since_ms: int = 0
    alert_id: str = ""
    acknowledged: str = ""
    held: str = ""
    overrides: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertAct:
    """An open alert that can be acknowledged or overridden."""

    alert_id: str
    scope: str
    stream: str
    rule: str
    level: Level
    acknowledged: str


@dataclass(frozen=True, slots=True)
class CaseView:
    """All of the page. `fault` is what was wrong with what was sent, `done` what was done just now; `stale_ms` is how
    old what is shown is, where the store does not answer (0: it does)."""

    customer: str
    asked: CaseAsked
    metric: Metric
    now_ms: int
    head: Headline
    policy_version: str
    plan: str
    contact: str
    domains: tuple[str, ...]
    fresh_start_ms: int
    remarks: tuple[str, ...]
    rules: tuple[RuleRow, ...]
    good: tuple[RuleRow, ...]
    charts: tuple[Chart, ...]
    tables: tuple[PartTable, ...]
    listings: tuple[Listing, ...]
    timeline: tuple[TimelineRow, ...]
    mates: PoolMates
    effects: Effects
    acts: tuple[AlertAct, ...]
    overrides: tuple[StoredOverride, ...]
    is_suspended: bool
    streams: tuple[str, ...] = ()
    mail: MailDraft | None = None
    edited: bool = False
    mail_chosen: bool = False
    ranges: tuple[str, ...] = tuple(RANGES)
    metrics: tuple[tuple[Metric, str], ...] = tuple(NAMES.items())
    stale_ms: int = 0
    fault: str = ""
    done: str = ""

    @property
    def holds(self) -> tuple[str, ...]:
        """The holds that keep alerts of it from being acted on."""
        return tuple(sorted({each.held for each in self.rules if each.held}))


def case_view(facts: CaseFacts, hook: Hook, fleet: Sequence[FleetRow] = ()) -> CaseView | None:
    """The page of what is known, and of the whole fleet; None where nothing is stored of the customer."""
    found = facts.explanation
    if found is None:
        return None
    whole = found.scopes[0]
    rows = [row for scope in found.scopes for row in _rules(scope)]
    return CaseView(
        customer=found.customer,
        asked=facts.asked,
        metric=facts.metric,
        now_ms=facts.now_ms,
        head=headline(found, facts.alerts, facts.policy, facts.now_ms),
        policy_version=found.policy_version,
        plan=facts.account.plan,
        contact=facts.account.contact,
        domains=facts.account.domains,
        fresh_start_ms=rfc3339_ms(found.fresh_start.since) if found.fresh_start else 0,
        remarks=whole.remarks,
        rules=tuple(sorted((each for each in rows if is_notable(each)), key=_order)),
        good=tuple(each for each in rows if not is_notable(each)),
        charts=tuple(case_charts(facts)),
        tables=part_tables(facts.parts, facts.samples, bounds_of(facts.asked.range, facts.policy)),
        listings=tuple(
            each.model_copy(update={"delisting": facts.delisting.get(each.zone)})
            for each in (facts.listings.listings if facts.listings else ())
        ),
        timeline=timeline(facts),
        mates=pool_mates(fleet, found.customer, {each.rule for each in facts.alerts.get(CUSTOMER, ())}),
        effects=effects(hook, facts.hook, found, facts.measures, facts.account.plan, facts.now_ms),
        acts=tuple(sorted(_acts(facts.alerts, found.scopes), key=_first)),
        overrides=tuple(facts.overrides),
        is_suspended=whole.suspended is not None,
        streams=tuple(each.scope.removeprefix("stream:") for each in found.scopes if each.scope.startswith("stream:")),
    )


def bounds_of(window: str, policy: Policy) -> Bounds:
    """The bounds of rates over a window, as the policy has them."""
    bar = bar_of({"24h": "24h", "7d": "7d", "30d": "30d"}.get(window, window), policy.confidence)
    return lambda numerator, denominator: (
        lower_bound(numerator, denominator, bar),
        upper_bound(numerator, denominator, bar),
    )


def is_notable(row: RuleRow) -> bool:
    """Whether a rule is shown at once: it has a level or an alert, or something is to be said of it."""
    return bool(row.level in INTERESTING or row.alert_id or row.overrides or row.remarks)


def case_charts(facts: CaseFacts) -> Iterator[Chart]:
    """A picture for each rate, that of the tables first; one without any of its numerator or level is left out."""
    spans = [TimeSpan(each.from_s, each.until_s, f"incident at {each.provider}: left out of what is judged")
             for each in (facts.explanation.left_out if facts.explanation else ())]  # fmt: skip
    for metric in sorted(facts.series, key=lambda each: (each != facts.metric, METRICS.index(each))):
        window, points = facts.series[metric]
        marks = list(_marks(facts, metric))
        yield rate_chart(metric, window, points, facts.policy, spans, marks)


def rate_chart(
    metric: Metric,
    window: str,
    points: Sequence[PointNumbers],
    policy: Policy,
    spans: Sequence[TimeSpan] = (),
    marks: Sequence[TimeMark] = (),
    words: PageWords | None = None,
) -> Chart:
    """The picture of one rate, with the levels of the policy, in the words of a language (else those of operators)."""
    words = words or operators()
    rule = rule_of(metric, policy)
    levels = [LevelLine(level, at) for level, at in rule.levels.given() if at < 1.0] if rule else []
    sure = confidence_of(bar_of(window, policy.confidence))
    return chart(
        metric,
        words.name(metric),
        [rate_point(each) for each in points],
        levels,
        bounds_of(window, policy),
        window=window,
        enough=dict(rule.checks).get(window, 1) if rule else 1,
        caption=words.caption(metric, window, sure),
        spans=spans,
        marks=marks,
        words=words,
    )


def rate_point(point: PointNumbers) -> RatePoint:
    """A point of a series as it is drawn: the window that ends with the bucket."""
    window = point.window
    at = epoch_ms(datetime.fromisoformat(point.end)) // SECOND_MS
    rate = None if window.rate is None or window.denominator <= 0 else max(0.0, min(1.0, window.rate))
    return RatePoint(at, max(0, window.numerator), max(0, window.denominator), rate)


def _marks(facts: CaseFacts, metric: Metric) -> Iterator[TimeMark]:
    """When alerts about a rate changed, when the customer was suspended or reinstated, and when messages were lost."""
    of_metric = {each.name for each in facts.policy.rules if each.metric == metric}
    for each in facts.entries:
        at, detail = each.time_ms // SECOND_MS, each.detail
        if each.action.startswith("verdict ") and detail.get("rule") in of_metric and detail.get("scope") == CUSTOMER:
            if detail.get("level") != detail.get("previous_level"):
                yield TimeMark(at, str(detail.get("level")), f"{detail.get('rule')}: {detail.get('level')}")
        elif each.action in ("customer suspended", "customer unsuspended"):
            yield TimeMark(at, "suspended", f"{each.action} by {each.who}")
    for loss in facts.losses:
        yield TimeMark(loss.time_ms // SECOND_MS, "lost", loss.said)


def _rules(scope: ScopeExplained) -> Iterator[RuleRow]:
    for rule in scope.rules:
        yield _rule(scope, rule)


def _rule(scope: ScopeExplained, rule: RuleExplained) -> RuleRow:
    window = next((each for each in rule.windows if each.window == rule.window), None)
    life = rule.alert
    level = life.level if life and RANK[life.level] >= RANK[rule.level] else rule.level
    said = "too few to judge" if rule.insufficient_volume else ""
    if rule.unobservable and rule.observed:
        said = f"not observable: {rule.observed.seen:,} of {rule.observed.mail:,} could be seen"
    if life and life.level != rule.level:
        said = f"the counts say {rule.level}"
    number = rule.metric in COUNTED or rule.metric == REPORTED_SPAM
    between = ""
    if window and not number and window.enough:
        between = "" if rule.metric == SPIKE else f"{_amount(rule, window.lower)} to {_amount(rule, window.upper)}"
    ack = life.acknowledged if life else None
    return RuleRow(
        scope=scope.scope,
        rule=rule.rule,
        level=level,
        said=said,
        window=rule.window,
        counted="" if window is None else _counted(rule, window.numerator, window.denominator),
        rate="" if window is None else _amount(rule, window.rate),
        between=between,
        threshold=_amount(rule, rule.threshold),
        left=left(rule.metric, rule.allowance) if rule.allowance else "",
        since_ms=rfc3339_ms(life.changed) if life else 0,
        alert_id=life.alert_id if life else "",
        acknowledged=f"{ack.by}: {ack.why}" if ack else "",
        held=life.held.id if life and life.held else "",
        overrides=tuple(
            f"override until {each.until}: {each.reason}" if each.until else f"override: {each.reason}"
            for each in rule.overrides
        ),
        remarks=rule.remarks,
    )


def _amount(rule: RuleExplained, value: float) -> str:
    """As everywhere; of a pace, which is long in words, a number of times."""
    return f"{value:,.1f} times" if rule.metric in BURNS else amount(rule.metric, value)


def _counted(rule: RuleExplained, numerator: int, denominator: int) -> str:
    if rule.metric == REPORTED_SPAM:
        return ""
    if rule.metric == SPIKE:
        return f"{numerator:,}, usually {denominator:,}"
    return f"{numerator:,}" if rule.metric in COUNTED else f"{numerator:,} of {denominator:,}"


def _order(row: RuleRow) -> tuple[int, bool]:
    worst = INTERESTING[::-1].index(row.level) if row.level in INTERESTING else len(INTERESTING)
    return worst, row.scope != CUSTOMER


def _first(act: AlertAct) -> tuple[bool, int, bool]:
    """Those that nobody looks after first, then the worst, then those of all mail."""
    return bool(act.acknowledged), -RANK[act.level], act.scope != CUSTOMER


def _acts(alerts: Mapping[str, Sequence[OpenAlert]], scopes: Iterable[ScopeExplained]) -> Iterator[AlertAct]:
    known = {rule.alert.alert_id: rule.alert.acknowledged for scope in scopes for rule in scope.rules if rule.alert}
    for scope, some in alerts.items():
        for each in some:
            note = known.get(each.alert_id)
            stream = scope.removeprefix("stream:") if scope.startswith("stream:") else ""
            said = f"{note.by}: {note.why}" if note else ""
            yield AlertAct(each.alert_id, scope, stream, each.rule, each.level, said)
