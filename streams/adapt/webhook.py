"""What the webhook formats share: their records one by one, whose they are, and the fields they all have."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from schemas.event import MAX_EVENT_BYTES, MailEvent
from streams.adapt.base import AdaptError, Context, FormatOptions, fill
from streams.adapt.canonical import complete
from streams.adapt.common import decode, plain, text, time_ms
from streams.adapt.field_paths import find_field
from streams.adapt.gave_up import gave_up, is_expiry, last_reply
from streams.adapt.json_parts import json_parts
from streams.adapt.lenient import convert
from streams.adapt.replies import reply_of

T = TypeVar("T")

Fields = dict[str, Any]
#: A field that vendors write as text in one event and as a number in the next.
Text = str | int | float | None
#: The events of one record; none for a record that says nothing about a recipient's fate.
Read = Callable[[Fields], Iterable[MailEvent]]

#: The path of the customer where a format gives no better one: the domain of the sender.
FROM_DOMAIN = "from_domain"

_BODY: msgspec.json.Decoder[list[Fields] | Fields] = msgspec.json.Decoder(list[Fields] | Fields)
_OBJECT: msgspec.json.Decoder[Fields] = msgspec.json.Decoder(Fields)


@dataclass(frozen=True, slots=True)
class FieldPaths:
    """Where records of the format `name` keep what is ours, as `streams.adapt.field_paths` reads it; the first path
    that has a value counts. An option for the customer replaces them all.
    """

    name: str
    customer: tuple[str, ...]
    stream: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """The records of one body. Where they are `many`, errors tell which is bad. Without `may_have_nul` no text in
    them can hold a NUL.
    """

    records: list[Fields]
    many: bool
    may_have_nul: bool = True

    def each(self, inner: Callable[[Fields], Fields]) -> "Body":
        """The body of what is inside each record."""
        return Body([inner(record) for record in self.records], self.many, self.may_have_nul)

    def unfolded(self, inner: Callable[[Fields], Iterable[object]]) -> "Body":
        """The body of the records that are inside each record.

        Raises:
            AdaptError: one of them is no object.
        """
        found: list[Fields] = []
        for event in (event for record in self.records for event in inner(record)):
            if not isinstance(event, dict):
                raise AdaptError(f"record {len(found) + 1}: expected an object")
            found.append(event)
        return Body(found, many=True, may_have_nul=self.may_have_nul)


def json_body(raw: bytes) -> Body:
    """The records of a body: one JSON object, an array of them, one a line, or joined without line ends.

    Raises:
        AdaptError: too large, not JSON, or not of that shape.
    """
    # To write a NUL, or any of the characters of which its escape is made, takes an escape that begins like this,
    # and so it does in JSON text inside JSON text.
    may_have_nul = b"\\u00" in raw
    try:
        found = decode(_BODY, raw)
        return Body(found if isinstance(found, list) else [found], isinstance(found, list), may_have_nul)
    except AdaptError:
        if len(raw) > MAX_EVENT_BYTES or len(parts := json_parts(raw)) < 2:
            raise
    return records_body(parts, may_have_nul=may_have_nul)


def records_body(parts: list[bytes], *, may_have_nul: bool = True) -> Body:
    """The records in these JSON texts.

    Raises:
        AdaptError: one of them is no object; it names which.
    """
    records = []
    for number, part in enumerate(parts, start=1):
        try:
            records.append(decode(_OBJECT, part))
        except AdaptError as error:
            raise AdaptError(f"record {number}: {error}" if len(parts) > 1 else str(error)) from error
    return Body(records, many=len(parts) > 1, may_have_nul=may_have_nul)


def inner_parts(raw: bytes, inner: Callable[[Fields], Iterable[object]]) -> list[bytes]:
    """The records inside those of a body, each as a body by itself; one that has no such inside stays as it is."""
    found: list[bytes] = []
    for part in json_parts(raw):
        try:
            found += map(msgspec.json.encode, inner(decode(_OBJECT, part)))
        except AdaptError:
            found.append(part)
    return found


def read_records(body: Body, read: Read, context: Context) -> list[MailEvent]:
    """The events of all records, checked and complete.

    Raises:
        AdaptError: a record is bad; of several records it names the position, counted from 1.
    """
    events = []
    for number, record in enumerate(body.records, start=1):
        try:
            events += [complete(event, context, may_have_nul=body.may_have_nul) for event in read(record)]
        except AdaptError as error:
            place = f"record {number}: " if body.many else ""
            raise AdaptError(f"{place}{error}") from error
    return events


def read_owned(body: Body, read: Read, paths: FieldPaths, context: Context) -> list[MailEvent]:
    """As `read_records`, where `read` leaves the customer open: it is looked for in the record.

    Raises:
        AdaptError: as there, or no customer can be found.
    """
    options = context.options(paths.name)

    def read_one(record: Fields) -> Iterable[MailEvent]:
        events = list(read(record))
        if events:
            assign_customer(events, record, paths, options)
        return events

    return read_records(body, read_one, context)


def assign_customer(events: list[MailEvent], record: Fields, paths: FieldPaths, options: FormatOptions) -> None:
    """Fill in customer, stream, sub-account and pool. Looked for once: all events of a record are of one message."""
    first = events[0]
    customer = options.customer_places or paths.customer
    first.customer = options.customer_or_default(_first(customer, first, record))
    if not first.customer:
        looked = " or ".join(f"`{path}`" for path in customer)
        raise AdaptError(f"no customer at {looked}, and no default customer is configured")
    first.stream = _first(paths.stream, first, record) or first.stream
    fill(first, options, lambda path: _first((path,), first, record))
    for event in events[1:]:
        event.customer, event.stream = first.customer, first.stream
        event.ip_pool, event.dkim_domain = first.ip_pool, first.dkim_domain


def _first(paths: Iterable[str], event: MailEvent, record: Fields) -> str:
    for path in paths:
        if found := event.from_domain if path == FROM_DOMAIN else find_field(path, record):
            return found
    return ""


def typed(record: object, shape: type[T]) -> T:
    """The record's fields as `shape`; fields that it does not name are left out.

    Raises:
        AdaptError: a field is missing, or of another type than can be made the one that is wanted.
    """
    try:
        return convert(record, shape)
    except (msgspec.ValidationError, RecursionError) as error:
        raise AdaptError(plain(error)) from error


def kind_of(record: Fields, field: str) -> str:
    """The name of the event; a name that is no text is none that we know.

    Raises:
        AdaptError: there is none.
    """
    name = record.get(field)
    if name is None:
        raise AdaptError(f"field `{field}` is missing")
    return name if isinstance(name, str) else ""


def moment_ms(value: float | str | None, field: str) -> int:
    """Epoch ms, UTC, of a time as vendors write it: a number since 1970, as such or as text, or RFC 3339 text; without
    an offset it is UTC.

    Raises:
        AdaptError: `field` is missing, cannot be read or is out of range.
    """
    if value is None or value == "":
        raise AdaptError(f"field `{field}` is missing")
    return time_ms(value)


def sent_ms(value: float | str | None) -> int:
    """When the message was sent, for `MailEvent.sent`; 0 where that is not given or cannot be read, so that it is found
    by the message id.
    """
    try:
        return moment_ms(value, "sent")
    except AdaptError:
        return 0


def reply(diagnostic: str, code: Text = None, status: Text = None) -> tuple[int, str]:
    """(reply code, enhanced status): as the vendor gives them, else as they stand in the diagnostic text.

    A vendor's own numbers (Mailgun's 605) are no reply codes and are dropped.
    """
    code_inside, status_inside = reply_of(diagnostic)
    code_given, _ = reply_of(text(code))
    _, status_given = reply_of(text(status) or text(code))
    return code_given or code_inside, status_given or status_inside


def with_bounce_details(
    event: MailEvent,
    *,
    code: Text = None,
    status: Text = None,
    known: str = "",
    hard: bool = False,
    permanent: bool = False,
) -> MailEvent:
    """The event with what its diagnostic and its vendor say of its type: reply code and enhanced status (see `reply`),
    of a bounce its class (see `bounce_class`), of a complaint `abuse` where no other type is given.

    A bounce is the vendor's last word, so one with a temporary status is `expired`, unless the vendor says that it is
    `permanent`: then it was not tried again.
    """
    event.smtp_code, event.enhanced_status = reply(event.diagnostic, code, status)
    if event.type == "bounced" and not (permanent and not is_expiry(event.enhanced_status)):
        expired_if_given_up(event)
    if event.type == "expired":
        event.bounce_class = known
        with_last_reply(event)
    elif event.type == "bounced":
        event.bounce_class = bounce_class(known, hard=hard, code=event.smtp_code, status=event.enhanced_status)
    elif event.type == "complained":
        event.feedback_type = event.feedback_type or "abuse"
    return event


def expired_if_given_up(event: MailEvent) -> None:
    """Make a bounce `expired` that came after retries (see `streams.adapt.gave_up`)."""
    if gave_up(event.smtp_code, event.enhanced_status, event.diagnostic):
        event.type = "expired"


def with_last_reply(event: MailEvent) -> None:
    """Of what expired, the last reply where the vendor quotes it: it tells whether the sender was refused."""
    last = last_reply(event.diagnostic)
    if last.code:
        event.smtp_code, event.enhanced_status, event.diagnostic = last.code, last.status, last.text


def bounce_class(known: str, *, hard: bool, code: int, status: str) -> str:
    """The class that the sender of the event tells, in our names; empty where our rules must find it.

    `known` is its verdict where that says one thing. Its bare word that the bounce is `hard` counts where no
    reply was passed on: most such addresses do not exist.
    """
    return known or ("invalid_recipient" if hard and not code and not status else "")


def bare_id(message_id: str | None) -> str:
    """A message id without the angle brackets, which are no part of it (RFC 5322 section 3.6.4)."""
    return (message_id or "").strip(" \t\r\n<>")


def first_text(value: object) -> str:
    """A tag: the value itself or, of several, the first."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        value = value[0]
    return find_field("", value)
