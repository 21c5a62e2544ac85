"""A real Exim's main log against what is known of each recipient: what finally became of it, and whose mail it was.

The log was made with Exim 4.96 and is not part of the project; without it these tests are skipped.
"""

import gzip
from collections import defaultdict
from collections.abc import Mapping

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions
from streams.adapt.canonical import hash_recipient
from streams.adapt.exim import MainLog
from tests.support.mta_samples import FOLDER, Recipient, truth

SAMPLE = FOLDER / "exim"
KEY = b"a key"
#: The log has this many deferrals, so many of them without an attempt.
DEFERRALS, NOT_TRIED = 221, 117

pytestmark = pytest.mark.skipif(not SAMPLE.exists(), reason="the sample is not here")

Events = Mapping[str, list[MailEvent]]


@pytest.fixture(scope="module")
def rows() -> list[Recipient]:
    return truth(SAMPLE)


@pytest.fixture(scope="module")
def events() -> Events:
    """Those of each recipient's hash; any line in error fails."""
    context = Context(KEY, load_providers(), {"exim": FormatOptions(default_customer="nobody")}, hash_all=True)
    log, found = MainLog(), defaultdict[str, list[MailEvent]](list)
    for line in gzip.decompress((SAMPLE / "mainlog.gz").read_bytes()).splitlines():
        for event in log.adapt(line, context):
            found[event.recipient_hash].append(event)
    return found


def of(row: Recipient, events: Events) -> list[MailEvent]:
    return events.get(hash_recipient(row.recipient, KEY), [])


def test_type_of_every_recipient(rows: list[Recipient], events: Events) -> None:
    for row in rows:
        assert [each.type for each in of(row, events) if each.type != "deferred"] == [row.final], row
    ids = [event.id for found in events.values() for event in found]
    assert len(set(ids)) == len(ids)


def test_customer_of_every_recipient(rows: list[Recipient], events: Events) -> None:
    """Who logged in is named as the login is, who did not by the domain."""
    for row in rows:
        assert {event.customer for event in of(row, events)} in ({row.customer}, {f"{row.customer}.example"}), row


def test_every_deferral_is_an_attempt(rows: list[Recipient], events: Events) -> None:
    for row in rows:
        if row.case != "refused":  # No connection: no server refused anything.
            assert sum(event.type == "deferred" for event in of(row, events)) == int(row.refusals), row
    deferred = sum(event.type == "deferred" for found in events.values() for event in found)
    assert deferred == DEFERRALS - NOT_TRIED


def test_failures_have_their_last_reply(rows: list[Recipient], events: Events) -> None:
    for row in rows:
        if row.last_reply:
            (event,) = [each for each in of(row, events) if each.type != "deferred"]
            assert f"{event.smtp_code}" == row.last_reply[:3], row
            # A reply of several lines has a dash there.
            assert row.last_reply[4:50] in event.diagnostic, row


def test_nobody_else_has_an_event(rows: list[Recipient], events: Events) -> None:
    """Notifications, above all."""
    assert set(events) == {hash_recipient(row.recipient, KEY) for row in rows}
