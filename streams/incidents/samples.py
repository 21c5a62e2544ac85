"""What receiving hosts typically said to those who were struck by an incident."""

from collections.abc import Iterable, Mapping

import msgspec

from schemas.incident import EVERYWHERE, Incident
from schemas.times import HOUR_S
from schemas.wording import masked
from streams.io.store import Store

#: Of each customer the answer that came most often. An outcome belongs to the hour in which its mail was sent.
SAMPLES = """
SELECT customer, topK(1)(diagnostic)[1]
FROM events
WHERE customer IN {customers:Array(String)} AND time >= toDateTime({since:UInt32}) AND diagnostic != ''
    AND ({provider:String} = '*' OR provider = {provider:String})
    AND if({outcome:String} = 'expired', type = 'expired' AND bounce_kind != 'block', bounce_kind = {outcome:String})
    AND toStartOfHour(if(sent > toDateTime(0), sent, toDateTime(time))) IN {hours:Array(DateTime('UTC'))}
GROUP BY customer
"""
#: A host that is asked to take mail says why it does not; a reader who complains says nothing.
SAID: frozenset[str] = frozenset({"hard", "block", "expired"})


def with_samples(store: Store, some: Iterable[Incident], known: Mapping[str, Incident]) -> list[Incident]:
    """The incidents; those whose examples are new have what was said to these.

    Raises:
        StoreError: the store failed.
    """
    return [_sampled(store, each) if _is_new(each, known.get(each.id)) else each for each in some]


def _is_new(incident: Incident, before: Incident | None) -> bool:
    return (
        incident.outcome in SAID
        and bool(incident.examples)
        and (before is None or before.examples != incident.examples)
    )


def _sampled(store: Store, incident: Incident) -> Incident:
    asked = {
        "customers": [each.customer for each in incident.examples],
        "provider": EVERYWHERE if incident.value == EVERYWHERE else incident.value.rpartition("@")[2],
        "outcome": incident.outcome,
        "since": incident.from_s - HOUR_S,
        "hours": list(incident.hours),
    }
    said = {str(customer): masked(str(text)) for customer, text in store.rows(SAMPLES, asked)}
    examples = tuple(msgspec.structs.replace(each, sample=said.get(each.customer, "")) for each in incident.examples)
    return msgspec.structs.replace(incident, examples=examples)
