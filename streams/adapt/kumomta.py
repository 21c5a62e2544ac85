"""KumoMTA log records, one JSON object a message.

Format: https://docs.kumomta.com/reference/log_record/ . The customer is the tenant of the queue name
(`campaign:tenant@domain`), or what the option `customer` says: `tenant`, `meta.FIELD` for a meta field, or a place of
`streams.adapt.places`. The stream is `default` unless the option `stream` names such a place, the pool `egress_pool`
unless the option `pool` does; the option `sub_account` names one too.

`streams.adapt.kumomta_record` has what kind of event a record is. What expired carries the last reply of a host that
the log has for that recipient, as far as records are read in their order, or the context keeps replies.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.event import MAX_EVENT_BYTES, EventType, MailEvent
from streams.adapt.base import NO_OPTIONS, AdaptError, Context, FormatOptions, Together, fill
from streams.adapt.canonical import are_plain, complete, domain_of, has_escaped_nul
from streams.adapt.common import stable_id, text, time_ms
from streams.adapt.feedback import Reporter, bare_address, feedback_type, hides_domain, set_recipient
from streams.adapt.json_parts import json_parts
from streams.adapt.kumomta_delivery import header_domain, usual_event, without_port
from streams.adapt.kumomta_names import BOUNCE_CLASSES, NAME, queue_parts
from streams.adapt.kumomta_record import (
    COUNTED,
    DECODER,
    REPORTS,
    SENDING,
    LoggedRecord,
    LoggedReport,
    LoggedResponse,
    created_ms,
    decoded,
    kind_of,
    logged_headers,
    status_of,
)
from streams.adapt.kumomta_replies import forget, keep_reply, recall, recall_kept
from streams.adapt.mime import Headers, read_part
from streams.adapt.owners import Owners
from streams.adapt.places import SHARED, SentMail, find_customer, in_words, no_header, shared_place
from streams.adapt.postfix_queue import Reply
from streams.adapt.sent_from import sent_from

#: Records of mail in the queue, in their order.
_IN_QUEUE = frozenset({"Delivery", "TransientFailure", "Bounce", "AdminBounce", "Expiration"})


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each recipient of the record; none for a record of another type.

    Raises:
        AdaptError: not a log record, or no customer can be found in it.
    """
    return LogFile().adapt(raw, context)


class LogFile:
    """Records of one log in their order: what a host last said of a recipient is remembered until its fate is known.

    `memory` has these replies by message and recipient.
    """

    def __init__(self) -> None:
        """Begin without memory."""
        self.memory: dict[str, Reply] = {}
        self._known: Context | None = None
        self._plain = False

    def adapt(self, raw: bytes, context: Context) -> list[MailEvent]:
        """As `adapt`, with what was remembered."""
        if context is not self._known:
            self._known, self._plain = context, names_no_places(context.options(NAME))
        if not self._plain or len(raw) > MAX_EVENT_BYTES or not raw.isascii() or has_escaped_nul(raw):
            return self._adapt_any(raw, context)
        try:
            record = DECODER.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return self._adapt_any(raw, context)
        kind = kind_of(record)
        if kind is None:
            return []
        memory = self.memory if context.replies is None else None
        try:
            event = usual_event(record, kind, context, whole=True) if kind in COUNTED else None
        except AdaptError:
            event = None
        if event is None:
            return _events(record, kind, raw, context, memory)
        if kind == "deferred":
            _remember(record, event, str(record.recipient), context, memory)
        elif memory:
            forget(memory, record)
        return [event]

    def _adapt_any(self, raw: bytes, context: Context) -> list[MailEvent]:
        if raw[:1] != b"{" and raw.lstrip()[:1] == b"[":
            # What a log hook posts may be an array of records.
            return [event for part in json_parts(raw) for event in self._adapt_one(part, context)]
        return self._adapt_one(raw, context)

    def _adapt_one(self, raw: bytes, context: Context) -> list[MailEvent]:
        record = decoded(raw)
        if record is None or (kind := kind_of(record)) is None:
            return []
        return _events(record, kind, raw, context, self.memory if context.replies is None else None)


def names_no_places(options: FormatOptions) -> bool:
    """Whether all is where it is by itself: the customer in the queue's name, the rest in the record's own fields."""
    if options is NO_OPTIONS:
        return True
    customer = options.customer_places
    elsewhere = options.stream or options.sub_account or options.pool or options.dkim_domain
    return not elsewhere and (not customer or customer[0] == "tenant")


def adapt_all(raws: Sequence[bytes], context: Context) -> Together | None:
    """The events of many records and for each the place of its record, or None where any record is out of the
    ordinary and must be looked at by itself. What `adapt` refuses is never let through here.

    Of deliveries and deferrals, nearly all there is, only what is counted of them is filled in.
    """
    if not are_plain(raws):
        return None
    plain = names_no_places(context.options(NAME)) and not context.hash_all
    events: list[MailEvent] = []
    places: list[int] = []
    try:
        for place, record in enumerate(map(DECODER.decode, raws)):
            kind = kind_of(record)
            if kind is None:
                continue
            if plain and kind in COUNTED and (event := usual_event(record, kind, context, whole=False)) is not None:
                if kind == "deferred" and context.replies is not None and isinstance(record.recipient, str):
                    keep_reply(context.replies, record, record.recipient)
                events.append(event)
                places.append(place)
            else:
                found = _events(record, kind, raws[place], context)
                events += found
                places += [place] * len(found)
    except (msgspec.DecodeError, RecursionError, AdaptError):
        return None
    return events, places


def _events(
    record: LoggedRecord, kind: EventType, raw: bytes, context: Context, memory: dict[str, Reply] | None = None
) -> list[MailEvent]:
    """One event for each recipient; with a memory of earlier records, the last reply where it was given up.

    Raises:
        AdaptError: see `adapt`.
    """
    may_have_nul = has_escaped_nul(raw)
    report = record.feedback_report if record.type == "Feedback" else None
    options = context.options(NAME)
    campaign, tenant = queue_parts(record.queue or "")

    def look(place: str) -> str:
        if place == "tenant" and tenant:
            return tenant
        return _find(place, _places(record, report), lambda: _mail(record, report, raw), context.owners)

    customer = find_customer(options, look, "tenant")
    if not customer:
        # Hosts that nobody's customer runs are refused all day long; such a refusal is no error of ours.
        if record.type == "Rejection":
            return []
        raise AdaptError(_no_customer(record, options))
    base = _base(record, report, kind, customer)
    base.campaign = campaign
    fill(base, options, look)
    recipients = _recipients(record, report)
    events = [base]
    if len(recipients) > 1:
        events += [msgspec.structs.replace(base) for _ in recipients[1:]]
    for number, event in enumerate(events):
        address = event.recipient = recipients[number]
        if report is not None:
            set_recipient(event, bare_address(address), _reporter(record, report), context.providers)
        event.id = stable_id(NAME, record.id, record.type, address, number, event.time, record.num_attempts)
        if record.type in _IN_QUEUE:
            _remember(record, event, address, context, memory)
        complete(event, context, may_have_nul=may_have_nul)
    return events


def _remember(
    record: LoggedRecord, event: MailEvent, address: str, context: Context, memory: dict[str, Reply] | None
) -> None:
    """Remember what a host said of a recipient, or take it where the record has no words of one."""
    if memory is not None:
        recall(memory, record, event, address)
    elif context.replies is not None:
        recall_kept(context.replies, record, event, address)


def _base(record: LoggedRecord, report: LoggedReport | None, kind: EventType, customer: str) -> MailEvent:
    """What all recipients of the record share."""
    # A report's response is how its own mail was taken in, not the message that it is about.
    response = LoggedResponse() if report else record.response or LoggedResponse()
    when = record.event_time or record.timestamp
    if when is None:
        raise AdaptError(f"record {record.type} {record.id[:80]}: neither `event_time` nor `timestamp` is given")
    known = BOUNCE_CLASSES.get(record.bounce_classification or "", "") if kind == "bounced" else ""
    # The id of a feedback or out-of-band record is the report's own; a trace header may name the message.
    trace = (report.supplemental_trace or {}) if report else {}
    return MailEvent(
        id=record.id or record.type,
        type=kind,
        time=time_ms(when),
        customer=customer,
        message_id=text(trace.get("id")) if record.type in REPORTS else record.id,
        sending_ip=_sending_ip(record, report),
        ip_pool=record.egress_pool or "",
        from_domain=_from_domain(record, report),
        smtp_code=response.code if 0 <= response.code <= 999 else 0,
        enhanced_status=status_of(response),
        diagnostic=response.content or "",
        bounce_class=known,
        feedback_type=feedback_type(report.feedback_type or "") if report else "",
        asynchronous=record.type == "OOB",
        sent=_arrived(report) if report else _created(record),
        mx_host=(record.peer_address.name or "") if record.peer_address and record.type in SENDING else "",
    )


def _recipients(record: LoggedRecord, report: LoggedReport | None) -> list[str]:
    """Whom the record is about; one empty text where it does not say.

    The recipient of a feedback record is the mailbox that takes reports, never the one who complained.
    """
    if record.type == "Feedback":
        return _reported(report) or [""]
    if isinstance(record.recipient, list):
        return record.recipient or [""]
    return [record.recipient or ""]


def _reported(report: LoggedReport | None) -> list[str]:
    """Who complained: from the trace header, else from the report (RFC 5965 section 3.2)."""
    if report is None:
        return []
    traced = (report.supplemental_trace or {}).get("recipient")
    removal = (report.extensions or {}).get("removal-recipient")
    for found in (traced, report.original_rcpto_to, report.original_rcpt_to, removal):
        addresses = found if isinstance(found, list) else [found]
        named = [each for each in addresses if isinstance(each, str) and "@" in each]
        if named:
            return named
    return []


def _created(record: LoggedRecord) -> int:
    """When the message came in here (epoch ms); 0 where it does not say. A bounce mail itself came in later."""
    return created_ms(record) if record.type not in REPORTS else 0


def _arrived(report: LoggedReport) -> int:
    """When the message that the report is about came in at the provider (epoch ms); 0 where it does not say."""
    try:
        return time_ms(report.arrival_date) if report.arrival_date else 0
    except AdaptError:
        return 0


def _reporter(record: LoggedRecord, report: LoggedReport) -> Reporter:
    """Who complains for a recipient whom the report hides: the report's maker and its sender."""
    mta = text((report.reporting_mta or {}).get("name"))
    source = {name.lower(): value for name, value in (report.extensions or {}).items()}.get("source")
    names = [each for each in (source if isinstance(source, list) else [source]) if isinstance(each, str)]
    hosts = (mta, _from_domain(record, None), domain_of(record.sender or ""))
    return Reporter(names, hosts, text(report.user_agent))


def _sending_ip(record: LoggedRecord, report: LoggedReport | None) -> str:
    if report is not None:
        return report.source_ip or ""
    if record.type == "OOB" or record.source_address is None:
        return ""
    return without_port(record.source_address.address or "")


def _from_domain(record: LoggedRecord, report: LoggedReport | None) -> str:
    """The domain of the From header where it is logged, else of the envelope sender.

    A bounce mail's own From is the bouncing host, and its envelope recipient, logged as sender, is the
    sender of the original message.
    """
    if report is not None:
        domain = domain_of(bare_address(report.original_mail_from or ""))
        return "" if hides_domain(domain) else domain
    header = "" if record.type == "OOB" or record.headers is None else text(record.headers.from_)
    return header_domain(header) or domain_of(record.sender or "")


def _places(record: LoggedRecord, report: LoggedReport | None) -> Mapping[str, Any]:
    """Meta fields; those that came back in a report's trace header win."""
    trace = report.supplemental_trace if report else None
    return {**(record.meta or {}), **(trace or {})}


def _find(place: str, places: Mapping[str, Any], mail: Callable[[], SentMail], owners: Owners) -> str:
    if place == "tenant":
        return text(places.get("tenant"))
    if place.startswith("meta."):
        return text(places.get(place.removeprefix("meta.")))
    found = shared_place(place, mail(), owners)
    if found is None:
        known = f"`tenant`, `meta.FIELD`, {SHARED}"
        raise AdaptError(f"the option `{place}` is not a place in KumoMTA records; use {known}")
    return found


def _mail(record: LoggedRecord, report: LoggedReport | None, raw: bytes) -> SentMail:
    """The mail that the record is about: of a report, the one that was reported."""
    if report is None:
        # The header fields of an out-of-band record are the bounce mail's own.
        header = no_header if record.type == "OOB" else logged_headers(raw)
        return SentMail([record.sender or ""], header, _sending_ip(record, None), [_from_domain(record, None)])
    original = _original(report)
    senders = [bare_address(each) for each in (report.original_mail_from or "", *original.all("return-path"))]
    reported = report.reported_domain if isinstance(report.reported_domain, list) else [report.reported_domain]
    domains = [_from_domain(record, report), *(each.lower() for each in reported if isinstance(each, str))]
    kept = [each for each in senders if not hides_domain(domain_of(each))]
    return SentMail(kept, original.all, report.source_ip or sent_from(Headers(), original, Headers()), domains)


def _original(report: LoggedReport) -> Headers:
    """The header fields of the reported mail, which is logged as text or as a list of bytes."""
    message = report.original_message
    if isinstance(message, list) and all(isinstance(each, int) and 0 <= each < 256 for each in message):
        return read_part(bytes(message)).headers
    return read_part(message.encode()).headers if isinstance(message, str) else Headers()


def _no_customer(record: LoggedRecord, options: FormatOptions) -> str:
    where = options.customer_places or ("tenant",)
    queue = (record.queue or "")[:80]
    # The queue of what comes back is that of the address it comes back to.
    hint = " (name `verp:PATTERN` or another place as `customer`)" if record.type in REPORTS else ""
    looked = f"no tenant in queue `{queue}`{hint}" if where == ("tenant",) else f"no value at {in_words(where)}"
    return f"record {record.type} {record.id[:80]}: {looked}, and no default customer is configured"
