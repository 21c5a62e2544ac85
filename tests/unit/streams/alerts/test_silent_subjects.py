"""Which subjects are judged, besides those that have mail in a window."""

from typing import Literal

import pytest

from schemas.counts import SubjectCounts, WindowCounts
from streams.alerts.lifecycle import AlertState
from streams.alerts.outcome import with_open_alerts


def state(customer: str, scope: str, level: Literal["good", "excessive"]) -> AlertState:
    return AlertState(
        customer=customer,
        scope=scope,
        rule="complaint",
        level=level,
        episode=1,
        transition=1,
        opened_ms=1,
        changed_ms=1,
    )


def test_customer_who_stopped_sending_is_judged_with_no_mail_while_an_alert_is_open() -> None:
    states = {("acme", "stream:news", "complaint"): state("acme", "stream:news", "excessive")}
    assert with_open_alerts([], states) == [SubjectCounts(customer="acme", scope="stream:news", windows={})]


@pytest.mark.parametrize("level", ["good", "excessive"])
def test_subject_with_mail_is_judged_once_by_its_counts(level: Literal["good", "excessive"]) -> None:
    subject = SubjectCounts(customer="acme", scope="customer", windows={"24h": WindowCounts(delivered=5)})
    states = {("acme", "customer", "complaint"): state("acme", "customer", level)}
    assert with_open_alerts([subject], states) == [subject]


def test_resolved_alert_without_mail_is_not_judged() -> None:
    assert with_open_alerts([], {("acme", "customer", "complaint"): state("acme", "customer", "good")}) == []
