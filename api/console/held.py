"""What is known of those who are held: by which figures each alert rose, and what brought most of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.alert import AlertData, AlertEvent, Share
from schemas.levels import LEVELS
from schemas.policy_metric import BURNS, COUNTED, REPORTED_SPAM, SPIKE
from schemas.scope import CUSTOMER
from schemas.wording import amount
from streams.io.store import Store, portions

#: The last transition of each alert of some customers that is in a hold.
HELD_EVENTS = """
SELECT argMax(event, (episode, transition)) AS last
FROM alerts WHERE customer IN {customers:Array(String)}
GROUP BY customer, scope, rule
HAVING JSONExtractString(last, 'data', 'held', 'id') = {hold:String}
"""
#: What brought so much of what was counted is named as what caused it, and at most so many are.
MOST_OF_IT, MOST_CAUSES = 0.5, 3

_event = msgspec.json.Decoder(AlertEvent).decode


class HeldFigures(NamedTuple):
    """The worst alert of a customer that is held, in words, since each metric has its own; `others` are so many more
    of the same customer. `causes` are what brought most of what was counted, each with how much of it."""

    scope: str
    rule: str
    rate: str
    between: str
    counted: str
    window: str
    threshold: str
    causes: tuple[str, ...]
    others: int


def held_figures(store: Store, hold: str, customers: Sequence[str]) -> dict[str, HeldFigures]:
    """The figures of customers whose alerts are in a hold, as they were recorded. Of an alert that was not announced
    yet there are none.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, list[AlertData]] = {}
    for part in portions(store, customers):
        for (event,) in store.rows(HELD_EVENTS, {"customers": part, "hold": hold}):
            data = _event(event).data
            found.setdefault(data.customer, []).append(data)
    return {customer: figures(alerts) for customer, alerts in found.items()}


def figures(alerts: Sequence[AlertData]) -> HeldFigures:
    """The worst of some alerts of a customer: of equals that of all mail, then what is furthest above its threshold.
    Pure."""
    worst = max(alerts, key=_badness)
    rate = worst.metric not in COUNTED and worst.metric not in (SPIKE, REPORTED_SPAM)
    return HeldFigures(
        scope=worst.scope,
        rule=worst.rule,
        rate=_amount(worst.metric, worst.rate),
        between=f"{_amount(worst.metric, worst.lower)} to {_amount(worst.metric, worst.upper)}" if rate else "",
        counted=_counted(worst),
        window=worst.window,
        threshold=_amount(worst.metric, worst.threshold),
        causes=tuple(_causes(worst))[:MOST_CAUSES],
        others=len(alerts) - 1,
    )


def _badness(data: AlertData) -> tuple[int, bool, float]:
    return LEVELS.index(data.level), data.scope == CUSTOMER, data.rate / data.threshold if data.threshold else 0.0


def _amount(metric: str, value: float) -> str:
    """As everywhere; of a pace, which is long in words, a number of times."""
    return f"{value:,.1f} times" if metric in BURNS else amount(metric, value)


def _counted(data: AlertData) -> str:
    if data.metric == REPORTED_SPAM:
        return ""
    if data.metric == SPIKE:
        return f"{data.numerator:,}, usually {data.denominator:,}"
    return f"{data.numerator:,}" if data.metric in COUNTED else f"{data.numerator:,} of {data.denominator:,}"


def _causes(data: AlertData) -> Iterator[str]:
    evidence = data.evidence
    yield from evidence.listings[:MOST_CAUSES]
    named: Mapping[str, Sequence[Share]] = {
        "{}": evidence.bounce_classes,
        "at {}": evidence.providers,
        "campaign {}": evidence.campaigns,
        "from {}": evidence.from_domains,
    }
    for phrase, shares in named.items():
        most = max(shares, key=lambda each: each.count, default=None)
        if most is not None and most.name and most.count >= max(1, MOST_OF_IT * data.numerator):
            yield f"{phrase.format(most.name.replace('_', ' ') if phrase == '{}' else most.name)}: {most.count:,}"
