"""Taking messages: whole runs at once, with the very outcome of one by one."""

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import providers
from schemas.counts import MEASURES, WindowCounts
from schemas.times import DAY_MS
from streams.adapt import Context, FormatOptions, canonical, kumomta, sendgrid
from streams.bounces.classify import load_bounce_classifier
from streams.intake.batch import SHORT_RUN, Batch, BatchReader, MailReader, SourcePartition
from streams.intake.bounds import TimeBounds
from streams.intake.count import counts_table, identities
from streams.intake.listing_readers import ListingReader
from streams.intake.outcomes import counted_one_by_one
from streams.intake.seen import SeenIds

NOW = 1_795_000_000_000
CONTEXT = Context(b"key", providers.load_providers())
BOUNDS = TimeBounds(DAY_MS, 90 * DAY_MS)
CLASSIFY = load_bounce_classifier()

AT_ONCE = MailReader(canonical.adapt, CONTEXT, CLASSIFY, BOUNDS)
#: Another callable than the canonical adapter: of such a format nothing is read at once.
ONE_BY_ONE = MailReader(partial(canonical.adapt), CONTEXT, CLASSIFY, BOUNDS)
#: Of KumoMTA's records both ways, without options and with.
PLACED = replace(CONTEXT, mapping={"kumomta": FormatOptions(customer="meta.who", stream="meta.stream")})
RECORDS_AT_ONCE = [MailReader(kumomta.adapt, each, CLASSIFY, BOUNDS) for each in (CONTEXT, PLACED)]
RECORDS_ONE_BY_ONE = [MailReader(partial(kumomta.adapt), each, CLASSIFY, BOUNDS) for each in (CONTEXT, PLACED)]


def event(**changes: object) -> bytes:
    plain = {"id": "e1", "type": "delivered", "time": NOW, "customer": "acme", "recipient_domain": "yahoo.com"}
    return msgspec.json.encode({**plain, **changes})


def record(**changes: object) -> bytes:
    plain = {
        "type": "Delivery", "id": "m1", "sender": "bounce@mail.acme.example", "recipient": "iris@gmail.com",
        "queue": "weekly:acme@gmail.com", "response": {"code": 250, "enhanced_code": None, "content": "OK"},
        "timestamp": NOW // 1000, "event_time": "2026-11-18T10:00:00.440526026Z", "created": NOW // 1000 - 60,
        "num_attempts": 0, "bounce_classification": "Uncategorized", "egress_pool": "pool0",
        "source_address": {"address": "192.0.2.10:53210"}, "peer_address": {"name": "mx.gmail.com."},
        "feedback_report": None, "meta": {"who": "brightleaf"}, "headers": {"From": "Acme <news@acme.example>"},
    }  # fmt: skip
    return msgspec.json.encode({**plain, **changes})


REPORT = {
    "feedback_type": "abuse", "source_ip": "192.0.2.9", "original_mail_from": "<b@acme.example>",
    "supplemental_trace": {"recipient": "iris@yahoo.com", "tenant": "acme", "who": "acme"},
}  # fmt: skip
GOOD_RECORDS = [
    record(),
    record(id="m2", recipient=" Iris@Yahoo.COM. ", event_time=None),
    record(id="m3", recipient=["a@gmail.com", "b@gmx.de"]),
    record(id="m4", recipient=None, peer_address=None, source_address=None, headers=None, created=None),
    record(id="m5", type="TransientFailure", num_attempts=3, source_address={"address": "[2001:db8::1]:25"}),
    record(id="m6", queue="acme@gmail.com", egress_pool=" p ", headers={"From": ["x"]}),
    record(id="m7", queue="gmail.com", meta={"tenant": " other ", "stream": "receipts", "who": 7}),
    record(id="m8", recipient="x@hosted.example", peer_address={"name": "alt1.aspmx.l.google.com."}),
    record(id="m9", type="Bounce", response={"code": 550, "content": "5.1.1 no such user"}),
    record(id="m10", type="Reception"),
    record(id="m11", type="AdminBounce", response=None),
    record(id="m12", type="OOB", response={"code": 550, "content": "5.1.1 unknown"}),
    record(id="m13", type="Feedback", feedback_report=REPORT),
    record(id="m14", type="Expiration", queue="a:b:c@gmail.com"),
    record(id="m15", type="Rejection", queue="gmail.com", meta={}),
    record(id="m1"),
]
BAD_RECORDS = [
    b"",
    record()[:-1],
    record().replace(b"acme", b"ac\xffme"),
    record(type="Other", response=5),
    record(type=5),
    record(response={"code": "x"}),
    record(num_attempts="many"),
    record(meta=None, queue="gmail.com"),
    record(event_time=None, timestamp=None),
    record(event_time="2020-01-01T00:00:00Z"),
    record(event_time=None, timestamp=1e300),
    record(event_time="never"),
    record(queue="w:a\u001b[31m@gmail.com", meta={"who": "a\nb"}),
    record(queue="w:a\0@gmail.com"),
    record(egress_pool="a\u0007b"),
    record(queue=f"w:{'é' * 129}@gmail.com", meta={"who": "é" * 129}),
    record(queue="w: @gmail.com", meta={}),
    record(response={"code": 250, "content": "x" * 1_000_001}),
]
GOOD = [
    event(),
    event(id="e2", recipient="someone@GMAIL.com"),
    event(id="e3", recipient="someone@yahoo.com", recipient_domain="gmail.com"),
    event(id="e4", provider="Yahoo", sending_ip="192.0.2.1", ip_pool="p"),
    event(id="e5", time="2026-11-18T10:00:00+02:00"),
    event(id="e6", customer="señor ☃", stream="é"),
    event(id="e7", type="bounced", smtp_code=550, enhanced_status="5.1.1", recipient="x@yahoo.com"),
    event(id="e8", type="bounced", asynchronous=True, diagnostic="mailbox full", recipient_domain="Yahoo.COM."),
    event(id="e9", type="complained", feedback_type="not-spam"),
    event(id="e10", type="deferred", recipient_domain="OUTLOOK.com."),
    event(id="e11", type="unsubscribed", recipient="A@B.example"),
    b' {"id":"e12",\n"type":"expired","time":1795000000000,"customer":"acme"} ',
    event(id="e13", type="suppressed", sending_ip="2001:db8::1"),
]
BAD = [
    b"",
    b"{",
    b"\xff\xfe",
    event()[:-1],
    event() + b"," + event(),
    b"[" + event() + b"]",
    event(customer=""),
    event(customer=" \t"),
    event(customer="é" * 129),
    event(customer="a\0b"),
    event(campaign="a\0b"),
    event(smtp_code=1000),
    event(smtp_code=-1),
    event(time=NOW + DAY_MS + 1),
    event(time=NOW - 90 * DAY_MS - 1),
    event(time=2**64),
    event(time=1.5),
    event(type="opened"),
    event(diagnostic="x" * 1_000_001),
    event().replace(b"acme", b"ac\xffme"),
]


def taken(take: BatchReader, payloads: list[bytes]) -> dict[str, Any]:
    """Everything that taking these messages came to."""
    batch = Batch(SourcePartition("t:id:0", "t", 0, SeenIds(100_000)), 7, 7)
    if payloads:
        take(batch, payloads, list(range(7, 7 + len(payloads))), NOW)
    tally = batch.tally
    late = ((each.event, each.time_ms // 60_000, each.classified) for each in batch.negatives)
    ids = sorted(identities(tally).tolist())
    counted = tally.counted().and_these(counted_one_by_one(tally.senders, late))
    rows = counts_table(tally.senders, counted, "t:id:0", 7, batch.next_offset).to_pylist()
    return {
        "rows": Counter(tuple(sorted(row.items())) for row in rows),
        "ids": ids,
        "negatives": [(each.position, each.time_ms, each.event, each.classified) for each in batch.negatives],
        "dead": [(letter.offset, letter.payload, letter.reason) for letter in batch.dead],
        "next": batch.next_offset,
        "messages": batch.messages,
        "unread": batch.unread,
    }


def test_records_of_kumomta_in_one_message_count_each_by_itself() -> None:
    """As a log hook with a batch size posts them: an array, or one a line."""
    some = [record(), record(id="m2"), record(meta=None, queue="gmail.com")]
    for body in (b"[" + b",".join(some) + b"]", b"\n".join(some)):
        found = taken(RECORDS_AT_ONCE[0], [body])
        assert len(found["ids"]) == 2
        ((_, payload, reason),) = found["dead"]
        assert payload == some[2]
        assert reason.startswith("record 3: ")


def test_bad_record_of_a_body_costs_itself_alone() -> None:
    """Bad by itself, or by the time at which it is read."""
    now_s = NOW // 1000
    records = [
        {"event": kind, "email": "i@yahoo.com", "timestamp": time, "sg_event_id": name, "customer": customer}
        for kind, name, time, customer in (
            ("spamreport", "a", now_s, "acme"),
            ("delivered", "b", now_s, ""),
            ("delivered", "c", now_s + 90_000, "acme"),
            ("delivered", "d", now_s, "acme"),
        )
    ]
    take = MailReader(sendgrid.adapt, CONTEXT, CLASSIFY, BOUNDS)
    found = taken(take, [msgspec.json.encode(records), msgspec.json.encode(records[:1])])
    assert [each.id for _, _, each, _ in found["negatives"]] == ["a", "a"]
    assert len(found["ids"]) == 1
    ((offset, payload, reason),) = found["dead"]
    assert offset == 7
    assert [msgspec.json.decode(line) for line in payload.splitlines()] == records[1:3]
    assert reason.startswith("record 2: no custom argument `customer`")
    assert "; record 3: field `time`: lies 25.0 hours in the future" in reason
    assert (found["messages"], found["unread"]) == (2, 0.5)


@given(st.lists(st.sampled_from([*GOOD, *GOOD, *BAD]), max_size=3 * SHORT_RUN))
@settings(max_examples=60)
def test_run_at_once_comes_to_the_same_as_one_by_one(payloads: list[bytes]) -> None:
    assert taken(AT_ONCE, payloads) == taken(ONE_BY_ONE, payloads)


@pytest.mark.parametrize("at", [0, 1], ids=["plain", "with options"])
@given(st.lists(st.sampled_from([*GOOD_RECORDS, *GOOD_RECORDS, *BAD_RECORDS]), max_size=2 * SHORT_RUN))
@settings(max_examples=40)
def test_records_at_once_come_to_the_same_as_one_by_one(at: int, payloads: list[bytes]) -> None:
    assert taken(RECORDS_AT_ONCE[at], payloads) == taken(RECORDS_ONE_BY_ONE[at], payloads)


@pytest.mark.parametrize(
    ("format_name", "good", "bad"),
    [("canonical", GOOD, BAD[1]), ("kumomta", GOOD_RECORDS, BAD_RECORDS[1])],
    ids=["canonical", "kumomta"],
)
def test_good_run_is_read_at_once(
    monkeypatch: pytest.MonkeyPatch, format_name: str, good: list[bytes], bad: bytes
) -> None:
    """Else the tests above would hold because nothing ever is."""
    reads = Counter[str]()
    module = {"canonical": canonical, "kumomta": kumomta}[format_name]
    read = module.adapt_all

    def counted(raws: Any, context: Context) -> Any:
        found = read(raws, context)
        reads["none" if found is None else "at once"] += 1
        return found

    monkeypatch.setattr(module, "adapt_all", counted)
    reader = MailReader(module.adapt, CONTEXT, CLASSIFY, BOUNDS)
    taken(reader, good * 20)
    assert reads == {"at once": 1}
    reads.clear()
    taken(reader, [*good * 20, bad])
    assert reads["at once"] == len(good) * 20 // SHORT_RUN


@pytest.mark.parametrize("payload", BAD, ids=range(len(BAD)))
def test_bad_message_is_set_aside_and_its_neighbours_count(payload: bytes) -> None:
    found = taken(AT_ONCE, [GOOD[0], payload, GOOD[9]])
    assert [(offset, kept) for offset, kept, _ in found["dead"]] == [(8, payload)]
    assert len(found["ids"]) == 2
    assert found["next"] == 10


def test_counts_are_of_what_was_sent() -> None:
    rows = [dict(row) for row in taken(AT_ONCE, GOOD)["rows"]]
    totals = {name: sum(row.get(name, 0) for row in rows if row["dimension"] == "provider") for name in MEASURES}
    assert {name: total for name, total in totals.items() if total} == {
        "delivered": 6, "hard": 1, "soft": 1, "late_soft": 1, "reported": 1, "deferred": 1, "unsubscribed": 1,
        "expired": 1, "suppressed": 1, "undated_expired": 1, "undated_unsubscribed": 1,
    }  # fmt: skip
    assert {(row["value"], row["customer"]) for row in rows if row["dimension"] == "provider"} >= {
        ("gmail", "acme"),
        ("yahoo", "acme"),
        ("yahoo", "señor ☃"),
        ("microsoft", "acme"),
    }


@pytest.mark.parametrize(
    ("fields", "measures"),
    [
        ({}, {"expired", "undated_expired"}),
        ({"smtp_code": 450, "diagnostic": "450 4.2.1 mailbox busy"}, {"expired", "undated_expired"}),
        ({"diagnostic": "421 4.7.28 unusual rate of unsolicited mail"}, {"block", "undated_block", "late_block"}),
        ({"diagnostic": "421 4.7.28 unusual rate of unsolicited mail", "sent": NOW}, {"block"}),
    ],
)
def test_what_expired_after_refusals_of_its_sender_was_blocked(fields: dict[str, Any], measures: set[str]) -> None:
    """Undated, neither is its own denominator."""
    rows = [dict(row) for row in taken(AT_ONCE, [event(type="expired", **fields)])["rows"]]
    totals = {name: sum(row.get(name, 0) for row in rows if row["dimension"] == "provider") for name in MEASURES}
    assert {name for name, total in totals.items() if total} == measures
    assert WindowCounts(**totals).finished == (1 if "sent" in fields else 0)


#: The error repeats the value.
STEERING = b'{"id": "l", "type": "\\u001b[2J"}'


@pytest.mark.parametrize("payload", [b"", b"{", b'{"id":"\xff"}', b"[" * 100_000, b'"text"', STEERING], ids=range(6))
def test_bad_listing_is_set_aside(payload: bytes) -> None:
    batch = Batch(SourcePartition("l:id:0", "l", 0, SeenIds(100_000)), 0, 0)
    ListingReader(BOUNDS)(batch, [payload], [0], NOW)
    assert (len(batch.dead), batch.listings, batch.next_offset) == (1, [], 1)
    assert batch.dead[0].reason.isprintable()
