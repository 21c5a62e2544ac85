"""PowerMTA accounting records: CSV lines (RFC 4180), one or many a message.

Fields and record types are those of the PowerMTA User's Guide, "Accounting". Read are deliveries (`d`), bounces (`b`),
transient failures (`t`), remote bounces (`rb`), remote statuses (`rs`) and feedback loop reports (`f`). Receptions
(`r`), failures of whole queues (`tq`) and remote statuses of success, whose delivery was recorded before, give none.
Where `header_Date` is among the columns of a report, it says when the message was sent.

The columns are those of the header line, which begins with `type`; without one those of the option `columns`, or
PowerMTA's own for `d` and `b`. The options `customer` (default `vmta`), `stream`, `sub_account` and `pool` (default
`vmtaPool`) name a column, for example `header_X-Customer`, or a place of `streams.adapt.places`, such as `sender` for
the domain of `orig`. `time_zone` is that of times without an offset.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from io import StringIO

from schemas.event import MAX_EVENT_BYTES, EventType, MailEvent
from schemas.times import epoch_ms
from streams.adapt.addresses import addresses_in
from streams.adapt.base import AdaptError, Context, FormatOptions, fill
from streams.adapt.canonical import complete, domain_of
from streams.adapt.common import reply_of, stable_id, time_ms
from streams.adapt.feedback import Reporter, bare_address, feedback_type, hides_domain, set_recipient
from streams.adapt.mime import date_ms
from streams.adapt.owners import Owners
from streams.adapt.places import SentMail, find_customer, in_words, shared_place

NAME = "powermta"

DEFAULT_COLUMNS = (
    "type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,srcType,srcMta,dlvType,"
    "dlvSourceIp,dlvDestinationIp,dlvEsmtpAvailable,dlvSize,vmta,jobId,envId,queue,vmtaPool"
)
_TYPES: dict[str, EventType] = {
    "d": "delivered",
    "b": "bounced",
    "t": "deferred",
    "rb": "bounced",
    "f": "complained",
}
#: What a remote status says that no record said before.
_REMOTE: dict[str, EventType] = {"failed": "bounced", "delayed": "deferred"}
#: Records of what came in about a message that was sent earlier.
_REPORTS = frozenset({"rb", "rs", "f"})
_LONG_NAMES = {
    "delivery": "d",
    "bounce": "b",
    "transient": "t",
    "remote-bounce": "rb",
    "remote-status": "rs",
    "feedback-loop": "f",
}
_LEFT_OUT = frozenset({"r", "tq", "receipt", "transient-queue"})
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
#: RFC 3463 section 3.5: delivery time expired.
_EXPIRED = re.compile(r"[45]\.4\.7")
_TYPED = re.compile(r"\A[A-Za-z][\w-]{0,20}[ \t]*;[ \t]*")

Record = Mapping[str, str]


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record that tells a recipient's fate.

    Raises:
        AdaptError: no such lines, a record that cannot be read, or no customer can be found; names the record.
    """
    return Accounting().adapt(raw, context)


class Accounting:
    """Records of one file in their order: the last header line is remembered for those after it."""

    def __init__(self) -> None:
        """Begin without a header line."""
        self.memory: tuple[str, ...] = ()

    def adapt(self, raw: bytes, context: Context) -> list[MailEvent]:
        """As `adapt`, with the columns that were remembered."""
        if len(raw) > MAX_EVENT_BYTES:
            raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
        options = context.options(NAME)
        rows = _rows(raw)
        events = []
        for number, row in enumerate(rows, start=1):
            try:
                record = self._record(row, options)
                event = _adapt_one(record, options, context) if record else None
                if event is not None:
                    events.append(complete(event, context))
            except AdaptError as error:
                place = f"record {number}: " if len(rows) > 1 else ""
                raise AdaptError(f"{place}{error}") from error
        return events

    def _record(self, row: list[str], options: FormatOptions) -> Record | None:
        """The row by lower-cased column; None for a header line."""
        if row[0].strip().lower() == "type":
            self.memory = _names(row)
            return None
        columns = self.memory or _names((options.columns or DEFAULT_COLUMNS).split(","))
        kind = row[0].strip().lower()
        if kind not in _TYPES and kind not in _LONG_NAMES and kind not in _LEFT_OUT and kind != "rs":
            raise AdaptError(f"field `type`: {kind[:40]!r} is not a record type of PowerMTA")
        if len(row) != len(columns):
            origin = "the header line has" if self.memory else "the configured columns are"
            raise AdaptError(f"the record has {len(row)} fields, {origin} {len(columns)}")
        return dict(zip(columns, map(str.strip, row), strict=True))


def _rows(raw: bytes) -> list[list[str]]:
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        rows = [row for row in csv.reader(StringIO(text, newline="")) if any(map(str.strip, row))]
    except csv.Error as error:
        raise AdaptError(f"the message is not CSV: {error}") from error
    if not rows:
        raise AdaptError("the message is empty")
    return rows


def _names(row: Iterable[str]) -> tuple[str, ...]:
    names = tuple(each.strip().lower() for each in row)
    if names[0] != "type" or "timelogged" not in names:
        raise AdaptError("the columns must begin with `type` and include `timeLogged`")
    return names


def _adapt_one(record: Record, options: FormatOptions, context: Context) -> MailEvent | None:
    name = record["type"].lower()
    name = _LONG_NAMES.get(name, name)
    kind = _REMOTE.get(record.get("dsnaction", "").lower()) if name == "rs" else _TYPES.get(name)
    if kind is None:
        return None
    status = _STATUS.match(record.get("dsnstatus", ""))
    bounce_class = _CLASSES.get(record.get("bouncecat", ""), "") if kind == "bounced" else ""
    if name == "b" and (bounce_class == "expired" or (status and _EXPIRED.fullmatch(status[0]))):
        kind, bounce_class = "expired", ""
    diagnostic = _TYPED.sub("", record.get("dsndiag", ""))
    code, said = reply_of(diagnostic)
    event = MailEvent(
        id=_id(name, record),
        type=kind,
        time=_time(record["timelogged"], options.time_zone),
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
        asynchronous=kind == "bounced" and name != "b",
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


def _time(text: str, zone: tzinfo) -> int:
    """Epoch ms, UTC, of epoch seconds or `2025-03-03 10:11:12+0100`."""
    if text.replace(".", "", 1).isdecimal():
        return time_ms(text)
    try:
        moment = datetime.fromisoformat(text)
        return epoch_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError) as error:
        raise AdaptError(f"field `timeLogged`: {text[:40]!r} is neither epoch seconds nor a date and time") from error


def _sent(name: str, record: Record, zone: tzinfo) -> int:
    """When the message came in here (epoch ms); of reports, which came in themselves, the date of what they are about.
    0 where that is not said."""
    if name in _REPORTS:
        return date_ms(record.get("header_date", "")) or 0
    try:
        return _time(record.get("timequeued", ""), zone)
    except AdaptError:
        return 0


def _id(name: str, record: Record) -> str:
    """Records have no id; these fields tell any two of one message apart."""
    identifying = (
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
    return stable_id(NAME, name, *(record.get(each, "") for each in identifying))
