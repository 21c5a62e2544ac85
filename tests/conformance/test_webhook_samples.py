"""SendGrid webhook bodies read by us and by django-anymail: where the two differ, and why.

The bodies were written by others and are not part of the project; without them these tests are skipped.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.event import MailEvent, epoch_ms
from schemas.providers import load
from streams.adapt import Context, Options, adapter

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "webhooks.jsonl"
ESP = "SendGrid"

#: (event type there, field) -> what we say instead, and why. `None`: whatever we say, it must differ.
DIFFERENCES: dict[tuple[str, str], tuple[str | None, str]] = {
    ("rejected", "type"): (
        "suppressed",
        "`dropped` was never sent because the address was suppressed or invalid; `rejected` is our word for"
        " mail that the sending host itself refused to take in",
    ),
    ("opened", "type"): ("", "opens tell nothing about a recipient's fate and give no event"),
}
#: Message ids: anymail prefers `anymail_id`, a custom argument of its own. We have the Message-ID header
#: (`smtp-id`) without its angle brackets, which are no part of the id (RFC 5322 section 3.6.4).
ANYMAIL_ID = "anymail_id"


def samples() -> list[dict[str, Any]]:
    if not SAMPLES.exists():
        return []
    rows = [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["esp"] == ESP]


ROWS = samples()
needs_samples = pytest.mark.skipif(
    not ROWS, reason=f"no samples of {ESP} webhooks at {SAMPLES.name} beside the project"
)


def adapted(row: dict[str, Any]) -> list[MailEvent]:
    context = Context(b"a key", load(), {"sendgrid": Options(default_customer="nobody")})
    return adapter("sendgrid")(row["body"].encode(), context)


def ours(row: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any], MailEvent | None]]:
    """(record, what anymail made of it, what we made of it), record by record."""
    records = json.loads(row["body"])
    assert len(records) == len(row["expected"])
    found = []
    for record, expected in zip(records, row["expected"], strict=True):
        events = adapted({"body": json.dumps([record])})
        found.append((record, expected, events[0] if events else None))
    return found


def difference(expected_type: str, field: str, theirs: object, mine: object) -> str:
    """Empty if the two agree or the difference is a known one."""
    if (expected_type, field) in DIFFERENCES:
        wanted, _ = DIFFERENCES[expected_type, field]
        return "" if mine == wanted else f"{field}: {mine!r}, where {wanted!r} was explained"
    return "" if theirs == mine else f"{field}: they say {theirs!r}, we say {mine!r}"


@needs_samples
@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_sample_is_read_as_anymail_reads_it_but_for_explained_differences(row: dict[str, Any]) -> None:
    for record, expected, event in ours(row):
        kind = expected["event_type"]
        assert difference(kind, "type", kind, event.type if event else "") == ""
        if event is None:
            continue
        assert event.id == expected["event_id"]
        assert event.time_ms == epoch_ms(datetime.fromisoformat(expected["timestamp"]))
        assert event.recipient_domain == expected["recipient"].rpartition("@")[2]
        assert event.message_id == record["smtp-id"].strip("<>")
        if ANYMAIL_ID not in record:
            assert event.message_id == expected["message_id"].strip("<>")
        else:
            assert expected["message_id"] == record[ANYMAIL_ID]
        assert event.diagnostic == (expected["mta_response"] or record.get("reason", ""))


@needs_samples
def test_every_explained_difference_occurs() -> None:
    kinds = {expected["event_type"] for row in ROWS for expected in row["expected"]}
    assert {kind for kind, _ in DIFFERENCES} <= kinds
