"""Messages of which some records are bad, read record by record, so that a bad one costs itself alone. Pure.

Only what could not be read whole comes here. A message is taken apart into parts, each of which is a message of that
format by itself, with events of the same ids. What is left of it, for the dead letter, is again one message: the bad
parts alone, so that sending it again counts nothing twice, however late. Of logs the lines that gave no events stay
with it, since they may tell whose mail a bad line is about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from schemas.event import MAX_EVENT_BYTES
from streams.adapt import (
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
)
from streams.adapt.base import AdaptError, Context
from streams.adapt.json_parts import json_parts, one_message

#: So many reasons are told; of one reason so many records are named.
MOST_REASONS = 5
MOST_NAMED = 10


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
            sparkpost,
        )
    },
    dsn.adapt: Parting(dsn_parts.parts, dsn_parts.joined, lambda: dsn.adapt, "recipient"),
    kumomta.adapt: Parting(json_parts, one_message, lambda: kumomta.LogFile().adapt),
    mailgun.adapt: _json(mailgun.adapt, mailgun.parts),
    mailtrap.adapt: _json(mailtrap.adapt, mailtrap.parts),
    mandrill.adapt: _json(mandrill.adapt, mandrill.parts),
    ses.adapt: _json(ses.adapt, ses.parts),
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


def read_apart(
    adapt: AnyAdapter[E], raw: bytes, context: Context, check: Callable[[Sequence[E]], None]
) -> ReadApart[E] | None:
    """What can be read of a message that could not be read whole; None where that is nothing, or where it has but one
    record. `check` raises AdaptError for the events of a record that may not count.
    """
    found = _PARTINGS.get(adapt)
    if found is None or len(raw) > MAX_EVENT_BYTES:
        return None
    try:
        parts = found.split(raw)
    except AdaptError:
        return None
    if len(parts) < 2:
        return None
    read = found.reader()
    events: list[E] = []
    rest: list[bytes] = []
    reasons: dict[str, list[int]] = {}
    bad = telling = 0
    for number, part in enumerate(parts, start=1):
        try:
            some = read(part, context)
            check(some)
        except AdaptError as error:
            bad += 1
            reasons.setdefault(str(error), []).append(number)
            rest.append(part)
        else:
            events += some
            telling += bool(some)
            if found.keeps_silent and not some:
                rest.append(part)
    if bad == len(parts) or (bad and not telling and found.keeps_silent):
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
