"""A real Postfix's log against what is known of each recipient: what finally became of it, and whose mail it was.

The log was made with Postfix 3.7 and is not part of the project; without it these tests are skipped.
"""

import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions
from streams.adapt.canonical import hash_recipient
from streams.adapt.postfix import Journal
from tests.support.mta_samples import FOLDER, Recipient, truth

SAMPLE = FOLDER / "postfix-maillog"
KEY = b"a key"
NOW_MS = 1_795_950_000_000  # the day on which it was written
#: How the final fates of the table are told by a log. What is rejected at submission has no queue id.
FATES: Mapping[str, Sequence[str]] = {
    "delivered": ["delivered"],
    "delivered, then bounced": ["delivered"],
    "bounced": ["bounced"],
    "refused by the filter": ["bounced"],
    "expired": ["expired"],
    "discarded": [],
    "rejected at submission": [],
    "deleted by the operator, or expired": [],
}
#: Of what differs only in letter case Postfix keeps the first and logs nothing of the other.
NOT_LOGGED = "C03.X1.DUP@co.example"
#: Where the log names customers that neither logged in nor have a domain of their own.
PLACES = {"c06": "header.X-Customer", "c08": "instance"}

pytestmark = pytest.mark.skipif(not SAMPLE.exists(), reason="the sample is not here")


@pytest.fixture(scope="module")
def rows() -> list[Recipient]:
    return truth(SAMPLE)


@pytest.fixture(scope="module")
def read() -> dict[str, dict[str, list[MailEvent]]]:
    """The events of each recipient's hash, by the place of the customer; any line in error fails."""
    lines = gzip.decompress((SAMPLE / "maillog.log.gz").read_bytes()).splitlines()
    found: dict[str, dict[str, list[MailEvent]]] = {}
    for place in ("", *PLACES.values()):
        default = "none is found" if place else ""
        options = FormatOptions(customer=place, default_customer=default)
        context = Context(KEY, load_providers(), {"postfix": options}, clock=lambda: NOW_MS)
        journal, events = Journal(), defaultdict[str, list[MailEvent]](list)
        for line in lines:
            for event in journal.adapt(line, context):
                events[event.recipient_hash].append(event)
        found[place] = events
    return found


def of(row: Recipient, read: Mapping[str, Mapping[str, list[MailEvent]]]) -> list[MailEvent]:
    return read[PLACES.get(row.customer, "")].get(hash_recipient(row.recipient, KEY), [])


def test_type_of_every_recipient(rows: list[Recipient], read: dict[str, dict[str, list[MailEvent]]]) -> None:
    wrong = []
    for row in rows:
        events = of(row, read)
        fates = [event.type for event in events if event.type != "deferred"]
        if fates != FATES[row.final] and row.recipient != NOT_LOGGED:
            wrong.append((row, fates))
        assert len({event.id for event in events}) == len(events), row
    assert wrong == []


def test_customer_of_every_recipient(rows: list[Recipient], read: dict[str, dict[str, list[MailEvent]]]) -> None:
    """Who logged in is named as the login is, who did not by the domain or the instance."""
    for row in rows:
        named = {event.customer for event in of(row, read)}
        c = row.customer
        assert named <= {c, f"{c} team"} or named in ({f"{c}.example"}, {f"postfix-{c}"}), row


def test_expired_recipients_have_their_last_reply(
    rows: list[Recipient], read: dict[str, dict[str, list[MailEvent]]]
) -> None:
    for row in rows:
        if row.final == "expired" and row.last_reply:
            (event,) = [each for each in of(row, read) if each.type == "expired"]
            assert row.last_reply[:50] in event.diagnostic, row
            assert f"{event.smtp_code}" == row.last_reply[:3], row


def test_nobody_else_has_an_event(rows: list[Recipient], read: dict[str, dict[str, list[MailEvent]]]) -> None:
    """Notifications, and second passes, above all."""
    known = {hash_recipient(row.recipient, KEY) for row in rows}
    assert set(read[""]) <= known
