"""Counting: what one event adds, and in which rows it is stored."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.counts import WindowCounts
from schemas.event import EventType, MailEvent
from tests.support.counted import NOW, counted, event, rows


@pytest.mark.parametrize(
    ("signer", "counted_as"),
    [
        ("", []),
        ("news.acme.example", []),
        ("ACME.example", []),
        ("mail.news.acme.example", ["mail.news.acme.example"]),
        ("ESP.example", ["esp.example"]),
        ("cme.example", ["cme.example"]),
    ],
)
def test_signature_counts_where_the_from_domain_does_not_stand_for_it(signer: str, counted_as: list[str]) -> None:
    columns = rows(event("delivered", dkim_domain=signer), event("delivered", dkim_domain=signer))
    found = zip(columns["dimension"], columns["value"], columns["delivered"], strict=True)
    assert [(value, number) for dimension, value, number in found if dimension == "dkim"] == [
        (value, 2) for value in counted_as
    ]
    assert counted(event("delivered", dkim_domain=signer)) == {"delivered": 1}


@pytest.mark.parametrize("kind", ["delivered", "deferred", "unsubscribed", "expired", "suppressed", "rejected"])
def test_event_counts_under_its_own_name(kind: EventType) -> None:
    assert counted(event(kind, sent=NOW)) == {kind: 1}


@pytest.mark.parametrize(
    ("late", "measures"),
    [
        (event("unsubscribed"), ("unsubscribed", "undated_unsubscribed")),
        (event("expired"), ("expired", "undated_expired")),
        (event("complained"), ("complained", "undated_complained")),
        (event("complained", feedback_type="not-spam"), ("reported",)),
        (event("bounced", asynchronous=True), ("hard", "late_hard", "undated_hard")),
        (event("bounced"), ("hard",)),
        (event("deferred"), ("deferred",)),
    ],
    ids=lambda each: each.type if isinstance(each, MailEvent) else "",
)
def test_late_outcome_of_mail_of_an_unknown_time_counts_as_undated_too(
    late: MailEvent, measures: tuple[str, ...]
) -> None:
    assert counted(late) == dict.fromkeys(measures, 1)


def test_undated_expiry_is_not_its_own_denominator() -> None:
    assert WindowCounts(**counted(event("expired"))).finished == 0
    assert WindowCounts(**counted(event("expired", sent=NOW))).finished == 1


def test_bounce_counts_by_kind() -> None:
    assert counted(event("bounced")) == {"hard": 1}


def test_late_bounce_is_marked_so_that_the_recipient_finishes_once() -> None:
    totals = counted(event("delivered"), event("bounced", asynchronous=True, sent=NOW))
    assert totals == {"delivered": 1, "hard": 1, "late_hard": 1}
    assert WindowCounts(**totals).finished == 1


def test_recipient_finishes_once_where_another_host_gave_up() -> None:
    totals = counted(event("delivered", sent=NOW), event("expired", asynchronous=True, sent=NOW))
    assert totals == {"delivered": 1, "expired": 1, "late_soft": 1}
    assert WindowCounts(**totals).finished == 1
    assert counted(event("expired", asynchronous=True)) == {"expired": 1, "undated_expired": 1}


@pytest.mark.parametrize("feedback", ["abuse", "fraud", "virus", "other", "opt-out", ""])
def test_abuse_report_is_a_complaint(feedback: str) -> None:
    assert counted(event("complained", feedback_type=feedback, sent=NOW)) == {"complained": 1}


@pytest.mark.parametrize("feedback", ["not-spam", "auth-failure", "dmarc"])
def test_report_that_is_no_complaint_is_only_reported(feedback: str) -> None:
    assert counted(event("complained", feedback_type=feedback)) == {"reported": 1}


@pytest.mark.parametrize("kind", ["deferred", "suppressed", "rejected"])
def test_what_never_reached_a_mailbox_provider_finishes_nobody(kind: EventType) -> None:
    assert WindowCounts(**counted(event(kind))).finished == 0


def test_every_dimension_counts_each_event_once() -> None:
    pairs = (("yahoo", "192.0.2.1"), ("yahoo", "192.0.2.2"), ("gmail", "192.0.2.1"))
    columns = rows(*(event("delivered", provider=provider, sending_ip=ip) for provider, ip in pairs))
    found = Counter(
        (dimension, value)
        for dimension, value, delivered in zip(
            columns["dimension"], columns["value"], columns["delivered"], strict=True
        )
        for _ in range(int(str(delivered)))
    )
    assert found == {
        ("provider", "yahoo"): 2,
        ("provider", "gmail"): 1,
        ("ip", "192.0.2.1"): 2,
        ("ip", "192.0.2.2"): 1,
        ("pool", "shared"): 3,
        ("from", "news.acme.example"): 3,
    }


def test_from_domain_is_the_same_in_any_case() -> None:
    columns = rows(event("delivered", from_domain="News.ACME.example"), event("delivered"))
    domains = [
        (value, delivered)
        for dimension, value, delivered in zip(
            columns["dimension"], columns["value"], columns["delivered"], strict=True
        )
        if dimension == "from"
    ]
    assert domains == [("news.acme.example", 2)]


def test_what_is_unknown_has_no_row_but_the_provider_which_is_other() -> None:
    columns = rows(event("delivered", sending_ip="", ip_pool="", provider="", from_domain=""))
    assert list(zip(columns["dimension"], columns["value"], strict=True)) == [("provider", "other"), ("offset", "")]


def test_flush_without_counts_still_moves_the_offset() -> None:
    columns = rows(last_offset=41)
    assert columns["dimension"] == ["offset"]
    assert columns["last_offset"] == [41]


@given(st.lists(st.sampled_from(["delivered", "bounced", "deferred", "complained"]), max_size=40), st.integers(0, 40))
def test_split_in_two_flushes_counts_the_same(kinds: list[EventType], cut: int) -> None:
    events = [event(kind, time=NOW + place * 7_000) for place, kind in enumerate(kinds)]
    apart = Counter(counted(*events[:cut])) + Counter(counted(*events[cut:]))
    assert apart == counted(*events)
