"""What the store says of a customer just before anything is done: its alerts now, its mail, what people decided."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from jobs.hooks.ladder import OpenEpisode, episode_of
from schemas.alert import AlertEvent
from schemas.times import DAY_MS, DAY_S
from streams.alerts.lifecycle import AlertState
from streams.decisions.customers import read_customers
from streams.io.store import Store, portions

#: How many days of mail say whether a customer is large.
LARGE_DAYS = 30

STATES = """
SELECT argMax(state, updated), toUnixTimestamp64Milli(toDateTime64(max(updated), 3, 'UTC'))
FROM alert_states
WHERE customer IN {customers:Array(String)}
GROUP BY customer, scope, rule
"""
#: The last transition of each alert of a customer.
LAST = """
SELECT argMax(event, (episode, transition)) FROM alerts WHERE customer = {customer:String} GROUP BY scope, rule
"""
RECIPIENTS = """
SELECT sum(delivered + hard + soft + block + expired) FROM counts
WHERE dimension = 'provider' AND customer = {customer:String} AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
"""
ACTIVE = """
SELECT uniqExact(customer) FROM counts
WHERE dimension = 'provider' AND customer != '' AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
"""
SUSPENSIONS = """
SELECT customer, who, toUnixTimestamp64Milli(since), suspended FROM suspensions FINAL
WHERE customer IN {customers:Array(String)}
"""

_state = msgspec.json.Decoder(AlertState).decode
_event = msgspec.json.Decoder(AlertEvent).decode


class Recorded(NamedTuple):
    """What is recorded of a customer: that it is suspended, or is no more, by whom and since when (epoch ms)."""

    who: str
    since_ms: int
    suspended: bool


class ListedCustomer(NamedTuple):
    """What the list of customers says of one."""

    plan: str = ""
    contact: str = ""
    language: str = ""


def episodes_of(store: Store, customers: Sequence[str]) -> list[OpenEpisode]:
    """The alerts of customers as they stand now, those that are over too.

    Raises:
        StoreError: the store failed.
    """
    return [
        episode_of(_state(state), int(judged_ms))
        for part in portions(store, customers)
        for state, judged_ms in store.rows(STATES, {"customers": part})
    ]


def last_alerts(store: Store, customer: str) -> dict[str, AlertEvent]:
    """The last transition of each alert of a customer, by the episode's id.

    Raises:
        StoreError: the store failed.
    """
    found = [_event(event) for (event,) in store.rows(LAST, {"customer": customer})]
    return {each.data.alert_id: each for each in found}


def recipients_of(store: Store, customer: str, now_ms: int) -> int:
    """To how many recipients a customer sent within 30 days.

    Raises:
        StoreError: the store failed.
    """
    asked = {"customer": customer, "since": (now_ms - LARGE_DAYS * DAY_MS) // 1000}
    return int(store.rows(RECIPIENTS, asked)[0][0])


def active_customers(store: Store, now_ms: int) -> int:
    """How many customers sent anything within 24 hours.

    Raises:
        StoreError: the store failed.
    """
    return int(store.rows(ACTIVE, {"since": now_ms // 1000 - DAY_S})[0][0])


def recorded(store: Store, customers: Sequence[str]) -> dict[str, Recorded]:
    """Who is recorded as suspended, or as suspended no more.

    Raises:
        StoreError: the store failed.
    """
    return {
        str(customer): Recorded(str(who), int(since_ms), bool(suspended))
        for part in portions(store, customers)
        for customer, who, since_ms, suspended in store.rows(SUSPENSIONS, {"customers": part})
    }


def account_of(store: Store, customer: str) -> ListedCustomer:
    """What the list of customers says; nothing where it is not on it.

    Raises:
        StoreError: the store failed.
    """
    for each in read_customers(store, customer):
        return ListedCustomer(each.plan, each.contact, each.language)
    return ListedCustomer()
