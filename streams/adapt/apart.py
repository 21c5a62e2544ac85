"""Messages of which some records are bad, read record by record, so that a bad one costs itself alone. Pure.

Only what could not be read whole comes here. A message is taken apart into parts, each of which is a message of that
format by itself, with events of the same ids. What is left of it, for the dead letter, is again one message: the bad
parts alone, so that sending it again counts nothing twice, however late. Of logs the lines that gave no events stay
with it, since they may tell whose mail a bad line is about.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from schemas.event import MAX_EVENT_BYTES
from streams.adapt import (
    arf,
    brevo,
    dsn,
    dsn_parts,
    exim,
    hetrixtools,
    kumomta,
    listings,
    mailersend,
    mailgun,
    mailjet,
    mailtrap,
    mandrill,
    postal,
    postfix,
    postmark,
    powermta,
    powermta_rows,
    resend,
    sendgrid,
    ses,
    socketlabs,
    sparkpost,
    unisender,
    xarf,
)
from streams.adapt.base import AdaptError, Context
from streams.adapt.json_parts import json_parts, one_message

#: So many reasons are told; of one reason so many records are named.
MOST_REASONS = 5
MOST_NAMED = 10
#: Where a part holds several records and is taken apart again, so many bytes are read of one message in all, which
#: takes some seconds.
MOST_BYTES = 20_000_000


#: Events of mail, or of outside blocklist monitors.
E = TypeVar("E")
AnyAdapter = Callable[[bytes, Context], list[E]]


@dataclass(frozen=True, slots=True)
class Parting:
    """How messages of a format are taken apart, and parts of one put together again. `reader` makes the adapter for the
    parts of one message in their order; with `keeps_silent` parts without events belong to what is left."""

    split: Callable[[bytes], list[bytes]]
    join: Callable[[list[bytes]], bytes]
    reader: Callable[[], AnyAdapter[Any]]
    word: str = "record"
    keeps_silent: bool = False
    #: How many records a part holds; each holds one where that is not told.
    count: Callable[[bytes], int] | None = None


@dataclass(frozen=True, slots=True)
class PartRead(Generic[E]):
    """One part that was read: the number of its first record (from 1), how many it holds, its bytes, its events, and
    why it could not be read; empty where it could."""

    first: int
    count: int
    raw: bytes
    events: list[E] = field(default_factory=list)
    error: str = ""

    @property
    def records(self) -> range:
        """The numbers of its records."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True)
class ReadApart(Generic[E]):
    """What was read of a message: the events, what is left of it and why, and the share (ratio) of bad records among
    those that are bad or have events: opens and clicks say nothing of whether the others can be read."""

    events: list[E]
    rest: bytes
    reason: str
    bad_share: float


def _lines(raw: bytes) -> list[bytes]:
    return [line for line in raw.split(b"\n") if line.strip()]


def _json(adapt: AnyAdapter[Any], split: Callable[[bytes], list[bytes]] = json_parts) -> Parting:
    return Parting(split, one_message, lambda: adapt)


_PARTINGS: Mapping[AnyAdapter[Any], Parting] = {
    **{
        module.adapt: _json(module.adapt)
        for module in (
            brevo, hetrixtools, listings, mailersend, mailjet, postal, postmark, resend, sendgrid, socketlabs,
        )
    },
    arf.adapt: Parting(xarf.xarf_parts, xarf.xarf_joined, lambda: arf.adapt),
    dsn.adapt: Parting(dsn_parts.parts, dsn_parts.joined, lambda: dsn.adapt, "recipient", count=dsn_parts.count),
    kumomta.adapt: Parting(json_parts, one_message, lambda: kumomta.LogFile().adapt),
    mailgun.adapt: _json(mailgun.adapt, mailgun.parts),
    mailtrap.adapt: _json(mailtrap.adapt, mailtrap.parts),
    mandrill.adapt: _json(mandrill.adapt, mandrill.parts),
    ses.adapt: _json(ses.adapt, ses.parts),
    sparkpost.adapt: _json(sparkpost.adapt, sparkpost.parts),
    unisender.adapt: _json(unisender.adapt, unisender.parts),
    exim.adapt: Parting(_lines, b"\n".join, lambda: exim.MainLog().adapt, "line", keeps_silent=True),
    postfix.adapt: Parting(_lines, b"\n".join, lambda: postfix.Journal().adapt, "line", keeps_silent=True),
    powermta.adapt: Parting(
        powermta_rows.parts, powermta_rows.joined, lambda: powermta.Accounting().adapt, keeps_silent=True
    ),
}  # fmt: skip


def record_parts(adapt: AnyAdapter[Any], raw: bytes) -> list[bytes]:
    """The records of a message, each a message by itself; the message itself where it cannot be taken apart."""
    found = _PARTINGS.get(adapt)
    try:
        return found.split(raw) if found is not None else [raw]
    except AdaptError:
        return [raw]


def read_parts(adapt: AnyAdapter[E], raw: bytes, read: Callable[[bytes], list[E]]) -> Iterator[PartRead[E]]:
    """What `read` makes of each record of a message, in their order, where it can be taken apart; nothing where it has
    but one. `read` raises AdaptError for a bad one.

    Of a part that holds several records the bad ones are found by taking it apart again, as far as `MOST_BYTES` go;
    then it is bad with all that are in it.
    """
    parts = record_parts(adapt, raw)
    if len(parts) < 2:
        return
    found = _PARTINGS[adapt]
    waiting, first, budget = parts[::-1], 1, MOST_BYTES
    while waiting:
        part = waiting.pop()
        count = found.count(part) if found.count is not None else 1
        budget -= len(part)
        try:
            done = PartRead(first, count, part, read(part))
        except AdaptError as error:
            smaller = record_parts(adapt, part) if count > 1 and budget > 0 else [part]
            if len(smaller) > 1:
                waiting += smaller[::-1]
                continue
            done = PartRead(first, count, part, error=str(error))
        first += count
        yield done


def read_apart(
    adapt: AnyAdapter[E], raw: bytes, context: Context, check: Callable[[Sequence[E]], None]
) -> ReadApart[E] | None:
    """What can be read of a message that could not be read whole; None where that is nothing, or where it has but one
    record. `check` raises AdaptError for the events of a record that may not count.
    """
    found = _PARTINGS.get(adapt)
    if found is None or len(raw) > MAX_EVENT_BYTES:
        return None
    adapted = found.reader()

    def read(part: bytes) -> list[E]:
        events: list[E] = adapted(part, context)
        check(events)
        return events

    events: list[E] = []
    rest: list[bytes] = []
    reasons: dict[str, list[int]] = {}
    all_records = bad = telling = 0
    for part in read_parts(adapt, raw, read):
        all_records += part.count
        if part.error:
            bad += part.count
            reasons.setdefault(part.error, []).extend(part.records)
            rest.append(part.raw)
            continue
        events += part.events
        telling += part.count if part.events else 0
        if found.keeps_silent and not part.events:
            rest.append(part.raw)
    if bad == all_records or (bad and not telling and found.keeps_silent):
        return None
    share = bad / (bad + telling) if bad else 0.0
    return ReadApart(events, found.join(rest) if bad else b"", _told(found.word, reasons), share)


def _told(word: str, reasons: dict[str, list[int]]) -> str:
    """Which records are bad, and why: `record 3: no customer ...; records 5, 9: field ...`."""
    said = [f"{_named(word, places)}: {reason}" for reason, places in list(reasons.items())[:MOST_REASONS]]
    if more := sum(map(len, list(reasons.values())[MOST_REASONS:])):
        said.append(f"{more} more for other reasons")
    return "; ".join(said)


def _named(word: str, places: list[int]) -> str:
    if len(places) == 1:
        return f"{word} {places[0]}"
    named = ", ".join(map(str, places[:MOST_NAMED]))
    return f"{word}s {named}" + (f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else "")
