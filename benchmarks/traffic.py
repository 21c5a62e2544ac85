"""The mail that is measured: a simulated fleet's last hour, and what a correct count of it is.

The same mail comes in two forms: as canonical events, and as the log records KumoMTA would have written of it.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from benchmarks.kumomta import log_record
from jobs.simulate.fleet import build_fleet
from jobs.simulate.timed import SLOTS
from jobs.simulate.traffic import generate
from schemas.counts import MEASURES
from schemas.event import NEGATIVE_TYPES
from schemas.providers import load_providers
from schemas.times import HOUR_MS, MINUTE_MS
from schemas.topics import MAIL_EVENTS

CUSTOMERS = 200
SEED = 1
#: More messages are simulated than events are wanted, since some of what comes of them is left out.
SPARE = 1.02
_NEGATIVE = tuple(b'"type":"%b"' % each.encode() for each in NEGATIVE_TYPES)
_UNSUBSCRIBED, _EXPIRED = MEASURES.index("unsubscribed"), MEASURES.index("expired")
_SOFT = frozenset({MEASURES.index("soft"), MEASURES.index("late_soft")})
_TEMPORARY, _CAME_BACK = b'"smtp_code":4', b'"asynchronous":true'
#: A late bounce is counted as late, and as what it is.
_ALSO = {MEASURES.index(f"late_{kind}"): MEASURES.index(kind) for kind in ("hard", "soft", "block")}
#: What comes late and is of mail of an unknown time is counted as that too.
_UNDATED = {MEASURES.index(f"late_{kind}"): MEASURES.index(f"undated_{kind}") for kind in ("hard", "block")} | {
    MEASURES.index(kind): MEASURES.index(f"undated_{kind}") for kind in ("expired", "complained", "unsubscribed")
}
_REPORTED = frozenset(
    MEASURES.index(name) for name in ("complained", "reported", "late_hard", "late_soft", "late_block")
)

#: Customer, minute (epoch minutes, UTC), then the measures in their order: what the store must say.
Row = tuple[str, int, tuple[int, ...]]
Form = Callable[[bytes], bytes]
FORMS: dict[str, Form] = {"canonical": bytes, "kumomta": log_record}


class Message(NamedTuple):
    """One message to produce; `time_ms` (epoch ms, UTC) is when its event happened."""

    key: bytes
    value: bytes
    time_ms: int


class Expected(msgspec.Struct):
    """What a correct count of the messages is.

    `events` and `bytes` are of all messages. Of these `repeated` came before and count no second time. `negative`
    are the events kept as evidence, `addressed` those with a sending address, which a bounce mail in KumoMTA's log
    has not.
    """

    events: int = 0
    bytes: int = 0
    repeated: int = 0
    negative: int = 0
    addressed: int = 0
    rows: list[Row] = []


class _Sent(NamedTuple):
    """An event, and where it counts: the place of its measure, whether it came before, and when its mail was sent
    (epoch ms; 0 with the event, or not known)."""

    message: Message
    measure: int
    repeated: bool
    sent_ms: int


def hour(events: int, format_name: str, now_ms: int, expected: Expected, *, repeats: bool = True) -> Iterator[Message]:
    """So many events in a format, in the order of their times, of the hour before `now_ms`; `expected` is filled in
    when the last has been taken. Without `repeats` no event comes twice."""
    render = FORMS[format_name]
    sums: dict[tuple[str, int], list[int]] = {}
    for (key, value, time_ms), measure, repeated, sent_ms in itertools.islice(
        _sent(events, now_ms, format_name, repeats), events
    ):
        message = render(value)
        yield Message(key, message, time_ms)
        expected.events += 1
        expected.bytes += len(message)
        if repeated:
            expected.repeated += 1
            continue
        counts = sums.setdefault((key.decode(), (sent_ms or time_ms) // MINUTE_MS), [0] * len(MEASURES))
        counts[measure] += 1
        if not sent_ms and (undated := _UNDATED.get(measure)) is not None:
            counts[undated] += 1
        if (also := _ALSO.get(measure)) is not None:
            counts[also] += 1
        expected.negative += any(each in value for each in _NEGATIVE)
        expected.addressed += b'"sending_ip"' in value and not (format_name == "kumomta" and _CAME_BACK in value)
    expected.rows = [(customer, minute, tuple(counts)) for (customer, minute), counts in sorted(sums.items())]


def steady(customers: int, events: int, rate: int, start_ms: int, expected: Expected) -> Iterator[Message]:
    """Mail of very many customers in the order of time, so many events a second from `start_ms` (epoch ms, UTC): in one
    second hardly two events of a customer go to the same provider. One in 50 is a bounce."""
    rng = random.Random(SEED)
    domains = [each.domains[0] for each in load_providers().all if each.domains][:20]
    weights = [1 / rank for rank in range(1, len(domains) + 1)]
    chosen = rng.choices(domains, weights, k=events)
    sums: dict[tuple[str, int], list[int]] = {}
    for number, domain in enumerate(chosen):
        sender = rng.randrange(customers)
        customer, time_ms = f"customer-{sender:05d}", start_ms + number * 1000 // rate
        bounced = number % 50 == 0
        outcome = (
            '"bounced","smtp_code":550,"enhanced_status":"5.1.1","diagnostic":"550 5.1.1 no such user"'
            if bounced
            else '"delivered","smtp_code":250,"enhanced_status":"2.0.0"'
        )
        value = (
            f'{{"id":"{start_ms}-{number}","type":{outcome},"time":{time_ms},"customer":"{customer}",'
            f'"message_id":"{number}@mail.{customer}.example","recipient_domain":"{domain}",'
            f'"recipient_hash":"{number:032x}","sending_ip":"198.18.{sender % 250}.{number % 2}",'
            f'"ip_pool":"shared-{sender % 40}","from_domain":"mail.{customer}.example","campaign":"weekly"}}'
        ).encode()
        yield Message(customer.encode(), value, time_ms)
        expected.events += 1
        expected.bytes += len(value)
        expected.negative += bounced
        counts = sums.setdefault((customer, time_ms // MINUTE_MS), [0] * len(MEASURES))
        counts[MEASURES.index("hard" if bounced else "delivered")] += 1
    expected.addressed = expected.events
    expected.rows = [(customer, minute, tuple(counts)) for (customer, minute), counts in sorted(sums.items())]


def _sent(events: int, now_ms: int, format_name: str, repeats: bool) -> Iterator[_Sent]:
    messages = round(events * SPARE) + 100
    for sent in generate(build_fleet(SEED, CUSTOMERS), now_ms - HOUR_MS, now_ms, messages, SEED):
        measure, repeated = divmod(sent.slot % SLOTS, 2)
        if sent.topic != MAIL_EVENTS or (repeated and not repeats):
            continue
        # Reports and bounce mails in KumoMTA's log do not name the message.
        known_ms = 0 if format_name == "kumomta" and measure in _REPORTED else sent.sent_ms
        if format_name == "kumomta" and measure in _SOFT and _TEMPORARY in sent.value:
            # Its last word with a temporary reply is that it gave up; another host's does not say when it was sent.
            measure, known_ms = _EXPIRED, 0 if measure in _REPORTED else sent.sent_ms or sent.time_ms
        if format_name != "kumomta" or measure != _UNSUBSCRIBED:  # KumoMTA logs no unsubscriptions
            yield _Sent(Message(sent.key, sent.value, sent.time_ms), measure, bool(repeated), known_ms)
