"""PowerMTA accounting records: CSV lines (RFC 4180) or JSON (`streams.adapt.powermta_rows`), one or many a message.

Fields and record types are those of the PowerMTA User's Guide, "Accounting". Read are deliveries (`d`), bounces (`b`),
transient failures (`t`), remote bounces (`rb`), remote statuses (`rs`) and feedback loop reports (`f`). None give
receptions (`r`), failures of whole queues (`tq`), remote statuses of success, whose delivery was recorded before, what
has an empty `orig`, which is a notification, and what stays on this host (`dlvType` is `pipe`, `file` or `discard`).
Where `header_Date` is among the columns of a report, it says when the message was sent. Without `timeLogged` the time
is `timeQueued`, and `totalSecondsQueued` later where that is there.

What was given up after retries is `expired`, with the reply that it carries, else with the last one of a `t` of the
same recipient, or a `tq` of the same queue, in the records before.

The columns are those of the header line, which begins with `type`; without one those of the option `columns`, or
PowerMTA's own for `d` and `b`. The options `customer` (default `vmta`), `stream`, `sub_account` and `pool` (default
`vmtaPool`) name a column, for example `header_X-Customer`, or a place of `streams.adapt.places`, such as `sender` for
the domain of `orig`. `time_zone` is that of times without an offset.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import lru_cache

from schemas.event import MAX_EVENT_BYTES, EventType, MailEvent
from schemas.times import SECOND_MS, epoch_ms
from streams.adapt.addresses import addresses_in
from streams.adapt.base import AdaptError, Context, FormatOptions, fill
from streams.adapt.bounded import keep
from streams.adapt.canonical import complete, domain_of
from streams.adapt.common import stable_id, time_ms
from streams.adapt.feedback import Reporter, bare_address, feedback_type, hides_domain, set_recipient
from streams.adapt.gave_up import gave_up
from streams.adapt.mime import date_ms
from streams.adapt.owners import Owners
from streams.adapt.places import SentMail, find_customer, in_words, shared_place
from streams.adapt.postfix_queue import MAX_TEXT, Reply
from streams.adapt.powermta_rows import (
    DEFAULT_COLUMNS,
    FieldRow,
    Record,
    names_of,
    record_of_json,
    record_of_row,
    rows_of,
)
from streams.adapt.replies import reply_of

NAME = "powermta"

_TYPES: dict[str, EventType] = {
    "d": "delivered",
    "b": "bounced",
    "t": "deferred",
    "rb": "bounced",
    "f": "complained",
}
#: What a remote status says that no record said before.
_REMOTE: dict[str, EventType] = {"failed": "bounced", "expired": "expired", "delayed": "deferred"}
#: Records of what came in about a message that was sent earlier.
_REPORTS = frozenset({"rb", "rs", "f"})
#: Recipients and queues whose last reply is remembered.
MAX_REPLIES = 100_000
#: Ways of delivery that reach no other host.
_STAYS_HERE = frozenset({"pipe", "file", "discard"})
#: Bounce categories that say one thing. The others (spam-, policy- and content-related, bad-configuration, other)
#: are left open: the reply they were drawn from is in the record, and our own rules read it.
_CLASSES = {
    "bad-mailbox": "invalid_recipient",
    "inactive-mailbox": "inactive_mailbox",
    "bad-domain": "bad_domain",
    "quota-issues": "quota",
    "virus-related": "virus",
    "relaying-issues": "policy",
    "invalid-sender": "policy",
    "protocol-errors": "protocol",
    "routing-errors": "routing_dns",
    "no-answer-from-host": "connection",
    "bad-connection": "connection",
    "message-expired": "expired",
}
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_TYPED = re.compile(r"\A[A-Za-z][\w-]{0,20}[ \t]*;[ \t]*")
#: What stands behind a time: a zone after a blank, one by its name, one in brackets.
_OFFSET = re.compile(r"\s*(?:(Z|UTC|GMT)|([+-]\d\d(?::?\d\d)?))?(?:\s*\([\w /+-]{1,40}\))?\Z", re.IGNORECASE)
#: The longest text of a time, in characters.
MAX_TIME = 80


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record that tells a recipient's fate.

    Raises:
        AdaptError: no such lines, a record that cannot be read, or no customer can be found; names the record.
    """
    return Accounting().adapt(raw, context)


@dataclass(slots=True)
class AccountingMemory:
    """What is remembered of a file: the columns of its last header line, and the last replies."""

    columns: tuple[str, ...] = ()
    replies: dict[str, Reply] = field(default_factory=dict)


class Accounting:
    """Records of one file in their order."""

    def __init__(self) -> None:
        """Begin without memory."""
        self.memory = AccountingMemory()

    def adapt(self, raw: bytes, context: Context) -> list[MailEvent]:
        """As `adapt`, with what was remembered."""
        if len(raw) > MAX_EVENT_BYTES:
            raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
        options = context.options(NAME)
        rows = rows_of(raw)
        events = []
        for number, row in enumerate(rows, start=1):
            try:
                record = self._record(row, options)
                event = _adapt_one(record, options, context) if record else None
                if record:
                    self._recall(record, event)
                if event is not None:
                    events.append(complete(event, context))
            except AdaptError as error:
                place = f"record {number}: " if len(rows) > 1 else ""
                raise AdaptError(f"{place}{error}") from error
        return events

    def _record(self, row: FieldRow | bytes, options: FormatOptions) -> Record | None:
        """The row by lower-cased column; None for a header line."""
        if isinstance(row, bytes):
            return record_of_json(row)
        if row.fields[0].strip().lower() == "type":
            self.memory.columns = names_of(row.fields)
            return None
        if self.memory.columns:
            return record_of_row(row, self.memory.columns, "the header line has")
        columns = names_of((options.columns or DEFAULT_COLUMNS).split(","))
        return record_of_row(row, columns, "the configured columns are")

    def _recall(self, record: Record, event: MailEvent | None) -> None:
        """Remember a temporary reply until the fate is known; where it expired without one, take the last."""
        replies = self.memory.replies
        if event is None:
            if record["type"] == "tq" and record.get("queue") and (reply := _reply(record)).code:
                keep(replies, _queue_key(record), reply, MAX_REPLIES)
            return
        if event.asynchronous or event.type == "complained" or not (replies or event.type == "deferred"):
            return
        key = " ".join(record.get(each, "") for each in _SAME_MAIL)
        if event.type == "deferred":
            if event.smtp_code or key not in replies:
                keep(replies, key, _reply(record), MAX_REPLIES)
            return
        last = replies.pop(key, None)
        if event.type == "delivered":
            replies.pop(_queue_key(record), None)
        elif event.type == "expired" and not event.smtp_code and (last := last or replies.get(_queue_key(record))):
            last.put_into(event)


def _queue_key(record: Record) -> str:
    return f"queue {record.get('queue', '')}"


#: What tells records of one recipient of one message.
_SAME_MAIL = ("orig", "rcpt", "timequeued", "jobid", "header_message-id")


def _kind(record: Record, code: int, status: str, diagnostic: str) -> EventType | None:
    """What the record tells; None where it tells no recipient's fate, or is about no mail of a customer."""
    name = record["type"]
    kind = _REMOTE.get(record.get("dsnaction", "").lower()) if name == "rs" else _TYPES.get(name)
    if name not in _REPORTS and (
        not record.get("orig", "?").strip("<>") or record.get("dlvtype", "").lower() in _STAYS_HERE
    ):
        return None
    if kind == "bounced" and (record.get("bouncecat") == "message-expired" or gave_up(code, status, diagnostic)):
        return "expired"
    return kind


def _reply(record: Record) -> Reply:
    """The reply that a record carries; its text is cut."""
    diagnostic = _TYPED.sub("", record.get("dsndiag", ""))
    code, said = reply_of(diagnostic)
    status = _STATUS.match(record.get("dsnstatus", ""))
    mx_host = record.get("dsnmta", "").partition(" ")[0]
    # What no event may hold is not for that of a later record.
    text = diagnostic[:MAX_TEXT].replace("\0", " ")
    return Reply(code, status[0] if status else said, text, mx_host.replace("\0", " "))


def _adapt_one(record: Record, options: FormatOptions, context: Context) -> MailEvent | None:
    name = record["type"]
    status = _STATUS.match(record.get("dsnstatus", ""))
    diagnostic = _TYPED.sub("", record.get("dsndiag", ""))
    code, said = reply_of(diagnostic)
    kind = _kind(record, code, status[0] if status else said, diagnostic)
    if kind is None:
        return None
    bounce_class = _CLASSES.get(record.get("bouncecat", ""), "") if kind == "bounced" else ""
    event = MailEvent(
        id=_id(name, record),
        type=kind,
        time=_logged(record, options.time_zone),
        customer=_customer(record, options, context.owners),
        message_id=record.get("header_message-id", "").strip("<>"),
        recipient=_recipient(name, record),
        sending_ip=_sending_ip(record),
        ip_pool=record.get("vmtapool", ""),
        from_domain=_from_domain(record),
        smtp_code=code,
        enhanced_status=status[0] if status else said,
        diagnostic=diagnostic,
        bounce_class=bounce_class,
        asynchronous=kind in {"bounced", "expired"} and name != "b",
        campaign=record.get("jobid", "") or record.get("header_x-job", ""),
        mx_host=record.get("dsnmta", "").partition(" ")[0],
        sent=_sent(name, record, options.time_zone),
    )
    fill(event, options, lambda place: _find(place, record, context.owners))
    if kind == "complained":
        _report(event, record, context)
    return event


def _recipient(name: str, record: Record) -> str:
    """Who was sent to. What comes back later is about the address to which the mail was forwarded, if it was."""
    original = record.get("orcpt", "").rpartition(";")[2]
    sent_to = bare_address(record.get("rcpt", "")) if name == "f" else record.get("rcpt", "")
    if "@" in original and (name in ("rb", "rs", "f") or not sent_to):
        return original
    return sent_to if name != "f" or "@" in sent_to else _complainant(record)


def _complainant(record: Record) -> str:
    """Who complained, where the report does not say so itself: Microsoft's header, else the one addressee."""
    addressees = addresses_in(record.get("header_to", ""))
    named = bare_address(record.get("header_x-hmxmroriginalrecipient", ""))
    return named if "@" in named else (addressees[0] if len(addressees) == 1 else "")


def _report(event: MailEvent, record: Record, context: Context) -> None:
    """What only a feedback loop record has. Of a recipient that is not named the reporter tells the provider."""
    event.feedback_type = feedback_type(record.get("feedbacktype", ""))
    mta = record.get("reportingmta", "").rpartition(";")[2].strip()
    # Microsoft's old reports have the format `jmrp` and name nobody.
    reporter = Reporter((record.get("source", ""),), (mta,), record.get("useragent", "") or record.get("format", ""))
    set_recipient(event, event.recipient, reporter, context.providers)
    returned = domain_of(bare_address(record.get("header_return-path", "")))
    domains = (event.from_domain, domain_of(record.get("orig", "")), returned, record.get("reporteddomain", "").lower())
    event.from_domain = next((each for each in domains if not hides_domain(each)), "")


def _from_domain(record: Record) -> str:
    written = addresses_in(record.get("header_from", ""))
    return domain_of(written[0]) if written else domain_of(record.get("orig", ""))


def _customer(record: Record, options: FormatOptions, owners: Owners) -> str:
    customer = find_customer(options, lambda place: _find(place, record, owners), "vmta")
    if not customer:
        places = options.customer_places or ("vmta",)
        raise AdaptError(f"no value at {in_words(places)}, and no default customer is configured")
    return customer


def _find(place: str, record: Record, owners: Owners) -> str:
    """The value of a column; of no column, what stands at a place that all formats share."""
    column = record.get(place.lower())
    if column is not None:
        return column
    return shared_place(place, _mail(record), owners) or ""


def _mail(record: Record) -> SentMail:
    senders = (record.get("orig", ""), record.get("header_return-path", ""))
    return SentMail(
        senders=[each for each in senders if each],
        header=lambda name: list(filter(None, [record.get(f"header_{name.lower()}", "")])),
        address=_sending_ip(record),
        domains=[each for each in (_from_domain(record), record.get("reporteddomain", "").lower()) if each],
    )


def _sending_ip(record: Record) -> str:
    return record.get("dlvsourceip", "") or record.get("repsourceip", "")


def _logged(record: Record, zone: tzinfo) -> int:
    """When it was logged (epoch ms, UTC); what comes next to it where that is not among the fields."""
    if logged := record.get("timelogged", ""):
        return _time("timeLogged", logged, zone)
    if queued := record.get("timequeued", ""):
        waited = record.get("totalsecondsqueued", "")
        known = len(waited) <= MAX_TIME and waited.replace(".", "", 1).isdecimal()
        later = round(float(waited) * SECOND_MS) if known else 0
        return _time("timeQueued", queued, zone) + later
    if tried := record.get("timefirstattempt", ""):
        return _time("timeFirstAttempt", tried, zone)
    written = date_ms(record.get("header_date", ""))
    if written is None:
        raise AdaptError("neither `timeLogged` nor `timeQueued` is given")
    return written


def _time(name: str, text: str, zone: tzinfo) -> int:
    """See `_read_time`, which remembers: many records of a file have the same times."""
    if len(text) > MAX_TIME:
        raise AdaptError(f"field `{name}`: {text[:40]!r} is neither epoch seconds nor a date and time")
    return _read_time(name, text, zone)


@lru_cache(maxsize=4_096)
def _read_time(name: str, text: str, zone: tzinfo) -> int:
    """Epoch ms, UTC, of epoch seconds or milliseconds, or `2025-03-03 10:11:12+0100`, also with a blank before the
    offset, or `UTC`."""
    if text.replace(".", "", 1).isdecimal():
        return time_ms(text)
    try:
        moment = datetime.fromisoformat(_OFFSET.sub(lambda found: "+00:00" if found[1] else found[2] or "", text))
        return epoch_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError) as error:
        raise AdaptError(f"field `{name}`: {text[:40]!r} is neither epoch seconds nor a date and time") from error


def _sent(name: str, record: Record, zone: tzinfo) -> int:
    """When the message came in here (epoch ms); of reports, which came in themselves, the date of what they are about.
    0 where that is not said."""
    if name in _REPORTS:
        return date_ms(record.get("header_date", "")) or 0
    try:
        return _time("timeQueued", record.get("timequeued", ""), zone)
    except AdaptError:
        return 0


def _id(name: str, record: Record) -> str:
    """Records have no id; these fields tell any two of one message apart."""
    identifying: tuple[str, ...] = (
        "timelogged",
        "timequeued",
        "orig",
        "rcpt",
        "orcpt",
        "dsnstatus",
        "jobid",
        "envid",
        "header_message-id",
    )
    if name in _REPORTS:
        # Of these most fields may be missing, each in another layout.
        identifying = tuple(sorted(record))
    return stable_id(NAME, name, *(record.get(each, "") for each in identifying))
