"""A customer's own page: where it stands, its rates, what to do, and what is left.

Nothing of anybody else, and no word of operators: what is said to customers is what mail to them says (`jobs.mail`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from api.console.case.reading import METRICS, read_series, rule_of
from api.console.case.view import rate_chart
from api.console.charts import Chart
from api.console.page_words import PageWords, Rate
from api.explain.customer_mail import mail_facts
from api.explain.worst import least_judged
from api.http.access import Service
from api.http.listings import own_listings
from api.http.models.listings import Listing
from api.http.models.parameters import Metric
from api.http.models.standing import ScopeStanding, Standing
from api.http.rates import PointNumbers
from api.http.standing import standing
from api.routes.asking import judged_by
from jobs.hooks.stored import last_alerts
from jobs.mail.facts import MailFacts
from jobs.mail.letter import CustomerLetter
from jobs.mail.mail import MailWriter
from jobs.operator.decisions import DecisionError
from schemas.alert import AlertEvent
from schemas.customer import Customer
from schemas.levels import LEVELS
from schemas.policy import Policy
from schemas.scope import CUSTOMER
from schemas.times import epoch_ms
from streams.decisions.customers import read_customers
from streams.judge.allowance import Allowance

RANGE = "30d"
#: Listings that ended in so many days are shown too.
ENDED_DAYS = 7
MOST_LETTERS = 6
#: Rates that a customer is shown; exposure where there is any.
ALWAYS: tuple[Metric, ...] = ("complaint", "failure", "block")


class OwnFacts(NamedTuple):
    """What is known. `alerts` are the last transitions of alerts, by id."""

    standing: Standing
    policy: Policy
    account: Customer
    alerts: Mapping[str, AlertEvent]
    listings: Sequence[Listing]
    series: Mapping[Metric, tuple[str, Sequence[PointNumbers]]]


class OwnRate(NamedTuple):
    """A rate over 24 h, and the mildest level's threshold (ratios); None where there is none. Without `enough` it is
    of too little to be judged by."""

    name: Rate
    numerator: int
    denominator: int
    rate: float | None
    threshold: float | None
    enough: bool = True


class OwnPart(NamedTuple):
    """A stream or class of the mail, and how it stands."""

    scope: str
    standing: str
    since_ms: int
    rates: tuple[OwnRate, ...]


@dataclass(frozen=True, slots=True)
class OwnView:
    """The page at `now_ms` (epoch ms); `framed` within another site. `stale_ms` is how old it is, where the store does
    not answer (0: it does)."""

    customer: str
    standing: str
    since_ms: int
    fresh_start_ms: int
    letters: tuple[CustomerLetter, ...]
    rates: tuple[OwnRate, ...]
    left: tuple[str, ...]
    charts: tuple[Chart, ...]
    listings: tuple[Listing, ...]
    parts: tuple[OwnPart, ...]
    words: PageWords
    framed: bool = False
    #: Languages to choose from: tag, what it calls itself, address.
    choices: tuple[tuple[str, str, str], ...] = ()
    now_ms: int = 0
    stale_ms: int = 0


def read_own(service: Service, customer: str, now_ms: int) -> OwnFacts:
    """What is known of a customer, as it may know it itself.

    Raises:
        StoreError: the store failed.
    """
    with service.stores.lend() as store:
        policy = judged_by(store, service, customer, now_ms)
        found = standing(store, customer, service.definition, service.policy(store), now_ms)
        listed = own_listings(store, customer, ENDED_DAYS, service.owners, now_ms, with_causes=False)
        account = next(iter(read_customers(store, customer)), None) or Customer(customer=customer)
        alerts = last_alerts(store, customer) if any(each.open_alerts for each in found.scopes) else {}
    wanted = [each for each in METRICS if each in ALWAYS or found.scopes[0].rates.exposure.numerator]
    drawn = read_series(service, customer, wanted, policy, RANGE, now_ms)
    pages = service.delisting
    rows = [each.model_copy(update={"delisting": pages.get(each.zone)}) for each in listed.listings]
    return OwnFacts(found, policy, account, alerts, rows, drawn)


def own_view(facts: OwnFacts, writer: MailWriter, now_ms: int, language: str = "", *, framed: bool = False) -> OwnView:
    """The page of what is known at a moment (epoch ms), in a language of the writer, else in that of the account. Pure
    but for the templates of mail.

    Raises:
        SettingsError: a template of mail fails with these facts.
    """
    whole, *others = facts.standing.scopes
    tag = language or facts.account.language
    words = PageWords(*writer.page(tag))
    letters = [writer.letter(each, tag) for each in _told(facts, now_ms)]
    return OwnView(
        customer=facts.standing.customer,
        standing=whole.standing or "insufficient_volume",
        since_ms=epoch_ms(whole.since) if whole.since else 0,
        fresh_start_ms=epoch_ms(whole.fresh_start) if whole.fresh_start else 0,
        letters=tuple(letters[:MOST_LETTERS]),
        rates=tuple(_rates(facts, whole, now_ms)),
        left=tuple(_left(whole, words)),
        charts=tuple(
            rate_chart(metric, window, points, facts.policy, words=words)
            for metric, (window, points) in facts.series.items()
        ),
        listings=tuple(facts.listings),
        parts=tuple(
            OwnPart(
                each.scope,
                each.standing or "insufficient_volume",
                epoch_ms(each.since) if each.since else 0,
                tuple(_rates(facts, each, now_ms)),
            )
            for each in others
        ),
        words=words,
        framed=framed,
        now_ms=now_ms,
    )


def _told(facts: OwnFacts, now_ms: int) -> Iterator[MailFacts]:
    """What the customer would be told by mail, the worst first; of what is held nothing."""
    whole = facts.standing.scopes[0]
    customer = facts.standing.customer
    if whole.standing == "suspended":
        since = epoch_ms(whole.since) if whole.since else now_ms
        yield MailFacts(kind="suspended", customer=customer, time_ms=now_ms, since_ms=since)
    some = [(scope, each) for scope in facts.standing.scopes for each in scope.open_alerts]
    for scope, each in sorted(some, key=lambda pair: (-LEVELS.index(pair[1].level), pair[0].scope != CUSTOMER)):
        event = facts.alerts.get(each.alert_id)
        if event is None:
            continue
        room = next((one for one in scope.allowances if one.rule == each.rule), None)
        spare = Allowance(remaining=room.remaining, level=room.level, window=room.window) if room else None
        try:
            yield mail_facts(event, epoch_ms(each.opened), spare)
        except DecisionError:
            continue


def _rates(facts: OwnFacts, scope: ScopeStanding, now_ms: int) -> Iterator[OwnRate]:
    rules = facts.policy.rules_for(facts.standing.customer, scope.scope, now_ms)
    for metric in METRICS:
        rate = getattr(scope.rates, metric)
        if metric not in ALWAYS and not rate.numerator:
            continue
        rule = rule_of(metric, facts.policy)
        mildest = next((at for _, at in rule.levels.given() if at < 1.0), None) if rule else None
        enough = rate.denominator >= least_judged(metric, rules)
        yield OwnRate(metric, rate.numerator, rate.denominator, rate.rate, mildest, enough)


def _left(scope: ScopeStanding, words: PageWords) -> Iterator[str]:
    for each in sorted(scope.allowances, key=lambda one: one.remaining):
        room = Allowance(remaining=each.remaining, level=each.level, window=each.window)
        yield words.left(each.metric, room)  # type: ignore[arg-type]
