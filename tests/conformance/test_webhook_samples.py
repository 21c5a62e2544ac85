"""Webhook bodies of all vendors read by us and by django-anymail: where the two differ, and why.

The bodies were written by others and are not part of the project; without them these tests are skipped.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from schemas.times import epoch_ms
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from tests.support.root import ROOT

SAMPLES = ROOT.parent / "shared" / "samples" / "webhooks.jsonl"
FORMATS = {
    "Amazon SES": "ses",
    "Brevo": "brevo",
    "MailerSend": "mailersend",
    "Mailgun": "mailgun",
    "Mailjet": "mailjet",
    "Mailtrap": "mailtrap",
    "Mandrill": "mandrill",
    "Postal": "postal",
    "Postmark": "postmark",
    "Resend": "resend",
    "SendGrid": "sendgrid",
    "SparkPost": "sparkpost",
    "Unisender Go": "unisender",
}
#: What anymail reports and no recipient's fate is: they give no event.
NO_FATE = frozenset({"sent", "queued", "opened", "clicked", "unknown"})
SUPPRESSED = (
    "nothing was sent, because of the address: `suppressed`. `rejected` is our word for mail that the sending host"
    " itself refused to take in"
)


@dataclass(frozen=True)
class Difference:
    """A field of one vendor's events, what anymail says, what we say (`*`: whatever differs), and why."""

    vendor: str
    field: str
    theirs: str
    ours: str
    why: str

    def covers(self, vendor: str, field: str, theirs: str, ours: str) -> bool:
        """Whether this is that difference."""
        return (
            (self.vendor, self.field) == (vendor, field) and self.theirs in ("*", theirs) and self.ours in ("*", ours)
        )


DIFFERENCES = (
    Difference("Amazon SES", "time", "*", "*", "the event's own time, not the time at which SNS passed it on"),
    Difference("Brevo", "type", "rejected", "suppressed", SUPPRESSED),
    Difference("Brevo", "time", "", "*", "without `ts_epoch` we take `ts_event`"),
    Difference("Mailgun", "type", "rejected", "suppressed", SUPPRESSED),
    Difference("Mailgun", "type", "rejected", "expired", "reason `old`: the message was tried until it was too old"),
    Difference("Mailjet", "type", "rejected", "suppressed", SUPPRESSED),
    Difference(
        "Mailjet",
        "type",
        "deferred",
        "expired",
        "a soft bounce is Mailjet's last word on a message, so one with a temporary reply was given up after retries;"
        " what it will try again is its state `deferred`, for which there is no webhook",
    ),
    Difference(
        "Postal",
        "time",
        "*",
        "*",
        "the time of the attempt in the payload, to the millisecond; theirs is that of the request, in whole seconds",
    ),
    Difference("Postal", "message id", "*", "*", "the Message-ID header: `id` is unique within one mail server only"),
    Difference("Postal", "type", "queued", "suppressed", "held since the recipient is on the suppression list"),
    Difference("SendGrid", "type", "rejected", "suppressed", SUPPRESSED),
    Difference(
        "SendGrid",
        "message id",
        "*",
        "*",
        "anymail prefers a custom argument of its own, `anymail_id`; we have the Message-ID header",
    ),
    Difference(
        "SparkPost",
        "message id",
        "*",
        "*",
        "`message_id` is one recipient's; `transmission_id`, which anymail takes, is shared by a whole batch",
    ),
    Difference("SparkPost", "type", "failed", "rejected", "SparkPost could not make the message from its template"),
    Difference("SparkPost", "time", "", "*", "the time is RFC 3339 text, which anymail does not expect there"),
)
#: Bodies that are errors to us: anymail makes events of them, without a time or without anything.
ERRORS = {
    ("Brevo", "unknown"): "an empty body says nothing, which an operator should see",
    ("Mailgun", "delivered"): "an event without a time cannot be counted",
    ("Unisender Go", "unsubscribed"): "an event without a time cannot be counted",
}


#: Vendors whose event id is unique by itself and so is ours. The others have none in the body, or one that repeats:
#: Postmark numbers bounces and complaints apart, Mailgun's `id` is unique within a day and its token is that of the
#: request, SNS ids are those of the envelope.
OWN_IDS = frozenset({"MailerSend", "Mailtrap", "Postal", "SendGrid", "SparkPost"})


def samples() -> list[dict[str, Any]]:
    if not SAMPLES.exists():
        return []
    return [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]


ROWS = samples()
needs_samples = pytest.mark.skipif(not ROWS, reason=f"no samples at {SAMPLES.name} next to the project")


def adapted(row: dict[str, Any]) -> list[MailEvent]:
    name = FORMATS[row["esp"]]
    context = Context(b"a key", load_providers(), {name: FormatOptions(default_customer="nobody")})
    return adapter(name)(row["body"].encode(), context)


def theirs(expected: dict[str, Any]) -> dict[str, str]:
    """anymail's reading as text: ids without angle brackets (RFC 5322 section 3.6.4), times in epoch ms."""
    time = expected["timestamp"]
    return {
        "type": expected["event_type"],
        "time": str(epoch_ms(datetime.fromisoformat(time))) if time else "",
        "recipient": (expected["recipient"] or "").rpartition("@")[2],
        "message id": (expected["message_id"] or "").strip("<>"),
    }


def ours(event: MailEvent) -> dict[str, str]:
    return {
        "type": event.type,
        "time": str(event.time_ms),
        "recipient": event.recipient_domain,
        "message id": event.message_id,
    }


def pairs(row: dict[str, Any]) -> Iterator[tuple[dict[str, str], dict[str, str] | None]]:
    """(anymail's event, ours), in order; None where we have none."""
    found = iter(adapted(row))
    count = len(adapted(row))
    reported = [each for each in row["expected"] if each["event_type"] not in NO_FATE]
    # Where all events of a body are ours too, they are the same ones, whatever anymail calls them.
    every = count == len(row["expected"])
    assert every or count == len(reported)
    for expected in row["expected"]:
        event = next(found) if every or expected["event_type"] not in NO_FATE else None
        yield theirs(expected), ours(event) if event else None


def differences(row: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(vendor, field, theirs, ours) wherever the two readings differ."""
    for expected, event in pairs(row):
        if event is not None:
            for field, value in expected.items():
                if value != event[field]:
                    yield row["esp"], field, value, event[field]


def is_error(row: dict[str, Any]) -> bool:
    try:
        adapted(row)
    except AdaptError:
        return True
    return False


@needs_samples
@pytest.mark.parametrize("row", ROWS, ids=[f"{at}-{row['esp']}" for at, row in enumerate(ROWS)])
def test_sample_is_read_as_anymail_reads_it_but_for_explained_differences(row: dict[str, Any]) -> None:
    if is_error(row):
        assert [expected["timestamp"] for expected in row["expected"]] == [None]
        assert (row["esp"], row["expected"][0]["event_type"]) in ERRORS
        return
    unexplained = [each for each in differences(row) if not any(known.covers(*each) for known in DIFFERENCES)]
    assert unexplained == []


@needs_samples
def test_every_explained_difference_occurs() -> None:
    good = [row for row in ROWS if not is_error(row)]
    found = [each for row in good for each in differences(row)]
    assert [known for known in DIFFERENCES if not any(known.covers(*each) for each in found)] == []
    wrong = {(row["esp"], row["expected"][0]["event_type"]) for row in ROWS if is_error(row)}
    assert wrong == set(ERRORS)


@needs_samples
def test_every_vendor_with_samples_is_read_and_ids_are_of_one_event() -> None:
    assert {row["esp"] for row in ROWS} == set(FORMATS)
    for row in ROWS:
        if not is_error(row):
            first, again = adapted(row), adapted(row)
            assert [event.id for event in first] == [event.id for event in again]
            assert max(Counter(event.id for event in first).values(), default=1) == 1
            if row["esp"] in OWN_IDS and first:
                assert [event.id for event in first] == [expected["event_id"] for expected in row["expected"]]


@needs_samples
def test_diagnostics_are_those_that_anymail_passes_on() -> None:
    for row in ROWS:
        if is_error(row):
            continue
        events = adapted(row)
        if len(events) == len(row["expected"]):
            for expected, event in zip(row["expected"], events, strict=True):
                reply = (expected["mta_response"] or "").strip()
                assert not reply or event.diagnostic.strip() == reply


def test_a_difference_covers_only_its_own() -> None:
    known = Difference("Postal", "type", "queued", "suppressed", "")
    assert known.covers("Postal", "type", "queued", "suppressed")
    assert not known.covers("Postal", "type", "queued", "delivered")
    assert not known.covers("Brevo", "type", "queued", "suppressed")
    assert not known.covers("Postal", "time", "queued", "suppressed")
