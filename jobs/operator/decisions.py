"""What operators decide of single customers: overrides of a rule, and that an alert was acknowledged.

Every decision is a row of the table `audit`, with who and why; none is ever changed. Monitors look for overrides every
few seconds (`streams.decisions.stored_overrides`).
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple, TypeVar, get_args

import msgspec

from jobs.operator.audit import Decision, record_decision
from jobs.operator.one_by_one import one_by_one
from schemas.alert import AlertData, AlertEvent
from schemas.errors import InvalidInputError
from schemas.names import BadNameError, clean_name
from schemas.policy import Policy
from schemas.policy_metric import LONGEST_MS
from schemas.times import UNIT_MS, utc_time
from schemas.wording import rfc3339
from streams.decisions.overrides import Cap, StoredOverride
from streams.decisions.stored_overrides import ACKNOWLEDGED, ADDED, ENDED, OverrideDetail, stored_overrides
from streams.io.store import Store

#: The alert ids of an episode are in the event only.
EPISODES = """
SELECT argMax(event, (episode, transition, alerts.time)), toUnixTimestamp64Milli(min(alerts.time))
FROM alerts FINAL
WHERE startsWith(JSONExtractString(event, 'data', 'alert_id'), {alert:String})
GROUP BY JSONExtractString(event, 'data', 'alert_id')
LIMIT 3
"""

KNOWN = """
SELECT 1 FROM counts WHERE dimension = 'provider' AND customer = {customer:String} LIMIT 1
UNION ALL
SELECT 1 FROM standings WHERE customer = {customer:String} LIMIT 1
UNION ALL
SELECT 1 FROM customers FINAL WHERE customer = {customer:String} AND NOT gone LIMIT 1
"""
#: The name that is nearest to one of which nothing is stored, how many letters are other ones, whether it begins so.
NEAREST = """
SELECT
    customer,
    editDistanceUTF8(lowerUTF8(customer), lowerUTF8({customer:String})) AS wrong,
    startsWith(lowerUTF8(customer), lowerUTF8({customer:String})) AS begins
FROM (SELECT DISTINCT customer FROM standings WHERE customer != '')
ORDER BY wrong > {most_wrong:UInt32}, begins DESC, wrong, customer LIMIT 1
"""
#: Letters of a reason, or of a name, that somebody gives.
LONGEST_WHY = 256
#: One letter in so many may be wrong of a name that was meant.
LETTERS_A_MISTAKE = 3
#: So many letters of its beginning are enough for a name that was not written to its end.
LETTERS_OF_BEGINNING = 4
STREAMS = (
    "SELECT DISTINCT stream FROM counts WHERE dimension = 'provider' AND customer = {customer:String} ORDER BY stream"
)
#: So many streams are named to somebody who named one that is not there.
STREAMS_TOLD = 20

T = TypeVar("T")


class DecisionError(InvalidInputError):
    """A decision that cannot be made; the message names what is wrong."""


class NoSuchError(DecisionError):
    """What a decision is about is not there."""


class DecidedError(DecisionError):
    """It does not fit how things stand: it was decided already, or is over."""


def add_override(
    store: Store,
    policy: Policy,
    customer: str,
    rule: str,
    at_most: str,
    until_ms: int,
    *,
    stream: str,
    by: str,
    why: str,
    now_ms: int,
) -> StoredOverride:
    """From now on `rule` gives the customer (or one stream of it) no level worse than `at_most`, until a time.

    Times are epoch ms, UTC.

    Raises:
        DecisionError: naming what cannot be used.
        StoreError: the store failed.
    """
    customer, stream = named("CUSTOMER", customer), clean("--stream", stream)
    given("--by", by)
    given("--why", why)
    if rule not in (names := [each.name for each in policy.rules]):
        raise DecisionError(f"--rule: policy {policy.version} has no rule {rule!r}; it has {', '.join(names)}")
    if at_most not in get_args(Cap):
        raise DecisionError(f"--level: {at_most!r} is not one of {', '.join(get_args(Cap))}")
    if until_ms <= now_ms:
        raise DecisionError(f"--until: {rfc3339(until_ms)} is over")
    if until_ms > now_ms + LONGEST_MS:
        raise DecisionError(f"--until: {rfc3339(until_ms)} is more than {LONGEST_MS // UNIT_MS['d']} days ahead")
    detail = OverrideDetail(rule=rule, stream=stream, at_most=msgspec.convert(at_most, Cap), until_ms=until_ms)
    name = blake2b(msgspec.json.encode((customer, by, why, now_ms, detail)), digest_size=6).hexdigest()
    record_decision(store, Decision(utc_time(now_ms), by, ADDED, customer, name, why, msgspec.to_builtins(detail)))
    return StoredOverride(id=name, customer=customer, by=by, why=why, since_ms=now_ms, **msgspec.structs.asdict(detail))


@one_by_one
def end_override(store: Store, name: str, *, by: str, why: str, now_ms: int) -> StoredOverride:
    """End an override before its time. `name` is its id or a unique prefix of it.

    Raises:
        DecisionError: there is no such override in force, or several.
        StoreError: the store failed.
    """
    given("--by", by)
    in_force = [each for each in stored_overrides(store, now_ms) if now_ms < each.until_ms]
    found = _one(name, [(each.id, each) for each in in_force], "override in force")
    record_decision(store, Decision(utc_time(now_ms), by, ENDED, found.customer, found.id, why, {"rule": found.rule}))
    return found


class FoundAlert(NamedTuple):
    """An alert: its last transition, and when (epoch ms) the first that is stored was."""

    last: AlertEvent
    opened_ms: int


def find_alert(store: Store, name: str) -> FoundAlert:
    """The alert that an id, or a unique prefix of one, names.

    Raises:
        DecisionError: there is no such alert, or several.
        StoreError: the store failed.
    """
    rows = store.rows(EPISODES, {"alert": name}) if name else []
    alerts = [FoundAlert(msgspec.json.decode(event, type=AlertEvent), int(opened_ms)) for event, opened_ms in rows]
    return _one(name, [(each.last.data.alert_id, each) for each in alerts], "alert")


def acknowledge(store: Store, name: str, *, by: str, why: str, now_ms: int) -> AlertData:
    """Record that somebody acknowledged an alert. `name` is the episode's id or a unique prefix of it.

    Raises:
        DecisionError: there is no such alert, several, or it is resolved.
        StoreError: the store failed.
    """
    given("--by", by)
    found = find_alert(store, name).last.data
    if found.kind == "resolved":
        raise DecidedError(f"alert {found.alert_id} of {found.customer} ({found.rule}) is resolved")
    detail = {"rule": found.rule, "scope": found.scope, "level": found.level}
    record_decision(store, Decision(utc_time(now_ms), by, ACKNOWLEDGED, found.customer, found.alert_id, why, detail))
    return found


def _one(name: str, known: Sequence[tuple[str, T]], what: str) -> T:
    found = [each for key, each in known if name and key.startswith(name)]
    if not found:
        raise NoSuchError(f"there is no {what} with the id {name!r}")
    if len(found) > 1:
        raise DecisionError(f"more than one {what} has an id that starts with {name!r}")
    return found[0]


def check_known(store: Store, customer: str, stream: str = "") -> None:
    """Check that something is known of a customer, and of a stream of it: a mistyped name decides nothing.

    Raises:
        DecisionError: nothing is, or it is no name.
        StoreError: the store failed.
    """
    customer, stream = named("CUSTOMER", customer), clean("--stream", stream)
    if not store.rows(KNOWN, {"customer": customer}):
        raise NoSuchError(f"nothing is stored of customer {customer!r}{_meant(store, customer)}")
    if not stream:
        return
    streams = [str(name) for (name,) in store.rows(STREAMS, {"customer": customer})]
    if stream not in streams:
        some = ", ".join(filter(None, streams[:STREAMS_TOLD])) or "none"
        raise DecisionError(f"--stream: customer {customer!r} has sent nothing in a stream {stream!r}; it has {some}")


def _meant(store: Store, customer: str) -> str:
    most_wrong = max(1, len(customer) // LETTERS_A_MISTAKE)
    for near, wrong, begins in store.rows(NEAREST, {"customer": customer, "most_wrong": most_wrong}):
        if int(wrong) <= most_wrong or (begins and len(customer) >= LETTERS_OF_BEGINNING):
            return f"; did you mean {str(near)!r}?"
    return ""


def named(option: str, name: str) -> str:
    """The customer's name as it is stored.

    Raises:
        DecisionError: it is blank, too long, or holds a control character.
    """
    given(option, name)
    return clean(option, name)


def clean(option: str, name: str) -> str:
    """A name without blanks at either end.

    Raises:
        DecisionError: it holds a control character.
    """
    try:
        return clean_name(name)
    except BadNameError as error:
        raise DecisionError(f"{option}: {error}") from error


def given(option: str, text: str) -> None:
    """Check that an option says something.

    Raises:
        DecisionError: it is empty, or longer than 256 characters.
    """
    if not text.strip():
        raise DecisionError(f"{option}: is empty")
    if len(text) > LONGEST_WHY:
        raise DecisionError(f"{option}: is longer than {LONGEST_WHY} characters")
