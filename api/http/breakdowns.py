"""Of what a rate is made up: by provider, stream, address, From domain, campaign and bounce class, over one time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from string import Template
from typing import Any, NamedTuple

from api.http.models.parameters import Breakdown, Metric
from api.http.rate_counts import (
    CHOSEN,
    DIVIDED,
    EVENTS,
    OF_EVENTS,
    PART_OF,
    SLOT,
    SUMMED,
    VALUE_OF,
)
from api.http.rates import Definition
from schemas.event import COMPLAINT_FEEDBACK
from schemas.times import HOUR_S
from streams.io.store import ArrayParameter, Store
from streams.listings.exposure import EXPOSING, listed_parameters
from streams.listings.intervals import read_listings

#: The parts that are counted, and those of which only what went wrong is known.
COUNTED_BY: tuple[Breakdown, ...] = ("provider", "stream", "ip", "from_domain")
KNOWN_BY: tuple[Breakdown, ...] = ("campaign", "bounce_class")

#: One row a value, those with most of the numerator first. `COUNTED` without its buckets: the definitions are the same.
_WHOLE = Template(f"""
SELECT '$by' AS part, name, toInt64($top_of) AS above, toInt64($bottom_of) AS below
FROM
(
    SELECT $at AS slot, $value AS name, value, $summed
    FROM counts WHERE {CHOSEN}
    GROUP BY slot, name, value
)
GROUP BY name
ORDER BY above DESC, below DESC, name LIMIT {{top:UInt8}}
""")  # noqa: S608 - made of names from this project only
#: What is stored event by event is reported with buckets, which are added up.
_OF_EVENTS = (
    "SELECT '{by}' AS part, name, toInt64(sum(above)) AS above, toInt64(0) AS below FROM ({events}) GROUP BY name"
)


class RatePart(NamedTuple):
    """What a value has of a rate: its numerator and denominator, in recipients."""

    value: str
    numerator: int
    denominator: int


def breakdowns(
    store: Store,
    customer: str,
    metric: Metric,
    parts: Sequence[Breakdown],
    start: int,
    end: int,
    definition: Definition,
    top: int,
    scope: str = "customer",
) -> dict[Breakdown, list[RatePart]]:
    """The `top` values of each part with most of a customer's numerator from `start` to before `end` (epoch s, whole
    hours), the largest first, in one query. Of campaigns and bounce classes the denominator is 0: it is that of all
    mail.

    Raises:
        StoreError: the store failed.
    """
    kind, _, name = scope.partition(":")
    parameters: dict[str, Any] = {
        "customers": ArrayParameter([customer]),
        "name": name,
        "start": start,
        "end": end,
        "top": top,
        "fbl": list(definition.feedback_loop),
        "expired": definition.expired_is_failure,
        "feedback": ["", *sorted(COMPLAINT_FEEDBACK)],
    }
    if metric == "exposure":
        parameters |= listed_parameters(read_listings(store, start * 1000, EXPOSING))
    asked = [_events(by, metric, kind) if by in OF_EVENTS else _counts(by, metric, kind) for by in parts]
    found: dict[Breakdown, list[RatePart]] = defaultdict(list)
    names: Mapping[str, Breakdown] = {each: each for each in parts}
    for by, value, above, below in store.rows(" UNION ALL ".join(f"({each})" for each in asked), parameters):
        found[names[by]].append(RatePart(str(value), max(0, int(above)), max(0, int(below))))
    return {by: sorted(found[by], key=lambda each: (-each.numerator, -each.denominator, each.value)) for by in parts}


def _counts(by: Breakdown, metric: Metric, kind: str) -> str:
    dimension, value = VALUE_OF[by]
    dimension = "ip" if metric == "exposure" else dimension
    looped = "value IN {fbl:Array(String)}" if dimension == "provider" else "true"
    top_of, bottom_of = (Template(each).safe_substitute(looped=looped) for each in DIVIDED[metric])
    return _WHOLE.substitute(
        by=by,
        top_of=top_of,
        bottom_of=bottom_of,
        at=SLOT[HOUR_S],
        value=value,
        summed=SUMMED[metric],
        dimension=dimension,
        part=PART_OF[kind],
    )


def _events(by: Breakdown, metric: Metric, kind: str) -> str:
    events = EVENTS.substitute(value=OF_EVENTS[by], part=PART_OF[kind], grain=HOUR_S, metric=metric)
    return _OF_EVENTS.format(by=by, events=events)
