"""KumoMTA's log records as they are decoded, and what kind of event each is.

Fields: `JsonLogRecord` of KumoMTA's crates/kumo-log-types/src/lib.rs, and
https://docs.kumomta.com/reference/log_record/ .
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from schemas.event import EventType
from streams.adapt.base import AdaptError
from streams.adapt.common import decode, time_ms
from streams.adapt.gave_up import gave_up
from streams.adapt.lenient import convert
from streams.adapt.replies import reply_of
from streams.adapt.syslog_json import record_of

#: An administrator's bounce takes the message out of the queue: no host refused the recipient, so it is a
#: suppression, not a failure. Records of other types say nothing about a recipient's fate.
TYPES: dict[str, EventType] = {
    "Delivery": "delivered",
    "Bounce": "bounced",
    "AdminBounce": "suppressed",
    "TransientFailure": "deferred",
    "Expiration": "expired",
    "OOB": "bounced",
    "Feedback": "complained",
    "Rejection": "rejected",
}


#: Of which nothing but counts is kept.
COUNTED: frozenset[EventType] = frozenset({"delivered", "deferred"})
#: Records of mail that came in about a message sent earlier.
REPORTS = frozenset({"OOB", "Feedback"})
#: Records in which the peer is the host that the message was for; in others it is the one who sent mail to us.
SENDING = frozenset({"Delivery", "Bounce", "TransientFailure"})


# Nothing in a record can refer back to it, so the collector need not look through those that are decoded: looking took
# as long as decoding.


class LoggedCode(msgspec.Struct, gc=False):
    class_: int = msgspec.field(name="class")
    subject: int
    detail: int


class LoggedResponse(msgspec.Struct, gc=False):
    code: int = 0
    enhanced_code: LoggedCode | None = None
    content: str | None = None


class LoggedSource(msgspec.Struct, gc=False):
    address: str | None = None


class LoggedReport(msgspec.Struct, gc=False):
    feedback_type: str | None = None
    source_ip: str | None = None
    original_mail_from: str | None = None
    #: KumoMTA's own spelling (`ARFReport` in its crates/kumo-log-types/src/rfc5965.rs, until 3ebc1e85 at least), and
    #: that of the field of a report, should it be corrected: a complaint would lose its recipient without a word.
    original_rcpto_to: list[str] | None = None
    original_rcpt_to: list[str] | None = None
    reporting_mta: dict[str, Any] | None = None
    user_agent: Any = None
    reported_domain: Any = None
    original_message: Any = None
    arrival_date: str | None = None
    extensions: dict[str, Any] | None = None
    supplemental_trace: dict[str, Any] | None = None


class FromHeader(msgspec.Struct, gc=False):
    """Of the headers that are logged only this one is read; others cost nothing."""

    from_: Any = msgspec.field(name="From", default=None)


class LoggedPeer(msgspec.Struct, gc=False):
    name: str | None = None


class LoggedRecord(msgspec.Struct, gc=False):
    type: str
    id: str = ""
    sender: str | None = None
    recipient: str | list[str] | None = None
    queue: str | None = None
    response: LoggedResponse | None = None
    timestamp: int | float | None = None
    event_time: datetime | None = None
    created: int | float | str | None = None
    num_attempts: int | None = None
    bounce_classification: str | None = None
    egress_pool: str | None = None
    source_address: LoggedSource | None = None
    peer_address: LoggedPeer | None = None
    feedback_report: LoggedReport | None = None
    meta: dict[str, Any] | None = None
    headers: FromHeader | None = None
    delivery_protocol: str | None = None
    reception_protocol: str | None = None


class RecordType(msgspec.Struct, gc=False):
    type: str


class _WithHeaders(msgspec.Struct, gc=False):
    headers: dict[str, Any] | None = None


DECODER = msgspec.json.Decoder(LoggedRecord)
TYPE_DECODER = msgspec.json.Decoder(RecordType)
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)
_HEADERS_DECODER = msgspec.json.Decoder(_WithHeaders)

#: What a log hook sends about a record is a message of its own, to the recipient of that record. KumoMTA does not count
#: it as mail either (`is_accounted_protocol` in its crates/kumod/src/accounting.rs).
_HOOK = "LogRecord"
#: How the queues are named that its `policy-extras.log_hooks` makes for them.
_HOOK_QUEUES = ".log_hook"
#: Ways of delivery that reach no other host: into a mailbox here, and a request that is to become messages.
_STAYS_HERE = frozenset({"Maildir", "HttpInjectionGenerator"})
_WITHOUT_SENDER = REPORTS | {"Rejection"}
#: A message that was taken in before KumoMTA's own rules had looked at it.
_TAKING_IN = "DeferredSmtpInjection"


def kind_of(record: LoggedRecord) -> EventType | None:
    """What the record tells; None where it tells no recipient's fate, or is about no mail of a customer.

    That is a log hook's post, a notification or anything else without an envelope sender, and what stays on this host.
    """
    kind = TYPES.get(record.type)
    if record.delivery_protocol == "ESMTP" and record.reception_protocol != _HOOK and record.sender and kind in COUNTED:
        return kind  # Nearly all there is.
    if kind is None or record.reception_protocol == _HOOK or record.delivery_protocol in _STAYS_HERE:
        return None
    if kind in COUNTED:
        if record.delivery_protocol == _TAKING_IN:
            return None
    elif kind == "bounced":
        kind = _failed(record)
    elif kind == "rejected" and _is_temporary(record):
        return None
    # Reports have no sender of ours, and mail can be refused before it tells one.
    if record.sender == "" and record.type not in _WITHOUT_SENDER:
        return None
    return None if record.queue and record.queue.endswith(_HOOK_QUEUES) else kind


def _failed(record: LoggedRecord) -> EventType:
    """A bounce with a temporary reply was given up after retries, whoever did (RFC 3464 section 2.3.3)."""
    if record.delivery_protocol == _TAKING_IN:
        return "rejected"
    response = record.response or LoggedResponse()
    said = response.content or ""
    # Where a notification has no reply, KumoMTA writes 550.
    code = response.code if said or record.type != "OOB" else 0
    return "expired" if gave_up(code, status_of(response), said) else "bounced"


def _is_temporary(record: LoggedRecord) -> bool:
    """Whether the sender was told to come again."""
    return record.response is not None and 400 <= record.response.code < 500


def status_of(response: LoggedResponse) -> str:
    """The enhanced status code, from its field or the text; empty where there is none."""
    code = response.enhanced_code
    return _written(code.class_, code.subject, code.detail) if code else reply_of(response.content or "")[1]


@lru_cache(maxsize=1_024)
def _written(class_: int, subject: int, detail: int) -> str:
    return f"{class_}.{subject}.{detail}"


def decoded(raw: bytes) -> LoggedRecord | None:
    """One record; None for one of a type that we do not read, whatever else is in it.

    Raises:
        AdaptError: it is no log record.
    """
    record: LoggedRecord | None
    try:
        record = decode(DECODER, raw)
    except AdaptError as error:
        record = _otherwise(raw, error)
    return record if record is not None and record.type in TYPES else None


def _otherwise(raw: bytes, error: AdaptError) -> LoggedRecord | None:
    """A record that went through the hands of log shippers: numbers as texts, or as the text of a record of theirs."""
    try:
        kind = decode(TYPE_DECODER, raw).type
    except AdaptError:
        shipped = record_of(raw.decode("utf-8", "replace"))
        if shipped is None or not shipped.text.startswith("{"):
            raise
        return decode(DECODER, shipped.text.encode())
    if kind not in TYPES:
        return None
    try:
        return convert(decode(_ANY, raw), LoggedRecord)
    except (msgspec.ValidationError, RecursionError):
        raise error from None


def logged_headers(raw: bytes) -> Callable[[str], Sequence[str]]:
    """The header fields of the message that KumoMTA logged with a record: all values of one, in any letter case."""

    def values(name: str) -> Sequence[str]:
        logged = decode(_HEADERS_DECODER, raw).headers or {}
        found = next((value for key, value in logged.items() if key.lower() == name.lower()), None)
        return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, str)]

    return values


def created_ms(record: LoggedRecord) -> int:
    """When the message came in (epoch ms, UTC); 0 where the record does not tell it. Log shippers write times anew."""
    created = record.created
    if not created:
        return 0
    try:
        return time_ms(created)
    except AdaptError:
        return 0
