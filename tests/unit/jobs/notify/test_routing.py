"""Which route takes which event, and when it goes out."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from jobs.notify.events import Event, EventError, read_event
from jobs.notify.quiet import quiet_until_ms
from jobs.notify.routing import condition, due_ms, notification_id, takes
from jobs.notify.source import TOPICS
from schemas.alert import AlertData
from schemas.incident import Incident, incident_event
from schemas.notify import Quiet
from tests.support.root import ROOT
from tests.support.told import a_route, told

CRITICAL, WARNING = told(), told(level="warning")


def the_alert(event: Event) -> AlertData:
    assert event.alert is not None
    return event.alert


@pytest.mark.parametrize(
    ("settings", "plan", "taken"),
    [
        ({}, "", True),
        ({"levels": ("critical",)}, "", True),
        ({"levels": ("warning",)}, "", False),
        ({"metrics": ("failure",)}, "", True),
        ({"metrics": ("complaint",)}, "", False),
        ({"kinds": ("opened",)}, "", True),
        ({"kinds": ("resolved",)}, "", False),
        ({"customers": ("ac*",)}, "", True),
        ({"customers": ("other", "ac")}, "", False),
        ({"plans": ("free", "pro*")}, "pro-2", True),
        ({"plans": ("free",)}, "", False),
        ({"providers": ("gmail",)}, "", True),
        ({"providers": ("yahoo",)}, "", False),
        ({"streams": ("*",)}, "", False),
        ({"events": ("alert.opened",)}, "", True),
        ({"events": ("incident.*", "hold.*")}, "", False),
    ],
)
def test_route_takes_what_all_its_lists_take(settings: dict[str, Any], plan: str, taken: bool) -> None:
    assert takes(a_route(**settings), CRITICAL, plan) is taken


def test_names_are_taken_as_they_are_but_for_the_star() -> None:
    odd = told(customer="a[b].c?")
    assert takes(a_route(customers=("a[b].*",)), odd, "")
    assert not takes(a_route(customers=("a[bc].c?",)), odd, "")


def test_alert_on_a_stream_is_taken_by_the_streams_name() -> None:
    assert takes(a_route(streams=("news*",)), told(scope="stream:newsletter"), "")
    assert not takes(a_route(streams=("receipts",)), told(scope="stream:newsletter"), "")


def test_who_heard_of_an_alert_hears_that_it_left_its_levels() -> None:
    route = a_route(levels=("excessive", "critical"))
    left = told("de-escalated", "warning", "critical")
    assert takes(route, left, "")
    assert condition(route, the_alert(left)) == "over"
    assert takes(route, told("resolved", "good", "excessive"), "")
    assert not takes(route, told("resolved", "good", "warning"), "")


def test_alert_that_is_held_is_sent_once_it_is_confirmed() -> None:
    route, operators = a_route(), a_route(held=True)
    opened, confirmed = told(held=True), told("confirmed", previous="critical")
    assert not takes(route, opened, "")
    assert takes(operators, opened, "")
    assert takes(route, confirmed, "")
    assert condition(route, the_alert(confirmed)) == "firing"


def test_alert_that_was_sent_and_is_held_from_now_on_is_over() -> None:
    held = told("held", "critical", "critical", held=True)
    assert takes(a_route(), held, "")
    assert condition(a_route(), the_alert(held)) == "over"
    assert condition(a_route(held=True), the_alert(held)) == "firing"


def test_events_that_are_no_alerts_are_not_asked_what_only_alerts_have() -> None:
    incident = Incident(id="7", dimension="provider", value="gmail", outcome="bounced", state="detected", hours=(3600,))
    event = read_event(msgspec.json.encode(incident_event(incident, "began", "2026-01-31T12:00:00Z")))
    assert takes(a_route(events=("incident.*",), levels=("critical",)), event, "")
    assert not takes(a_route(), event, "")


@pytest.mark.parametrize("topic", [*TOPICS, "reputation.alerts.customer"])
def test_every_example_of_an_event_is_one_to_tell_of(topic: str) -> None:
    files = sorted((ROOT / "schemas" / "examples" / topic / "valid").glob("*.json"))
    assert files
    for file in files:
        event = read_event(file.read_bytes())
        group = event.kind.partition(".")[0]
        assert takes(a_route(events=(f"{group}.*",), held=True), event, ""), file.name
        assert event.lane
        assert (event.alert is not None) == (group == "alert")
        assert event.customer or group in ("incident", "hold", "alert")


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{}", b"[]", b"\xff", b'{"id":1}', b'{"id":"1","type":"t","source":"/s","time":"x"}'),
        b'{"id":"1","type":"t","source":"/s","time":"9999-12-31T23:59:59-23:59"}',
        b'{"id":"1","type":"t","source":"/s","time":"0001-01-01T00:00:00+23:59"}',
    ],
)
def test_what_is_no_event_is_refused(raw: bytes) -> None:
    with pytest.raises(EventError, match="not an event"):
        read_event(raw)


def test_event_has_one_id_for_each_route_and_deployment() -> None:
    other = msgspec.structs.replace(CRITICAL, source="/elsewhere")
    ids = {notification_id(route, event) for route in ("a", "b") for event in (CRITICAL, WARNING, other)}
    assert len(ids) == 6
    assert notification_id("a", CRITICAL) in ids


def berlin(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)


NIGHT = Quiet(zone="Europe/Berlin", begin="22:00", end="07:00")
NOON = Quiet(zone="Europe/Berlin", begin="12:00", end="13:30")


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, "2026-01-15T21:59", ""),
        (NIGHT, "2026-01-15T22:00", "2026-01-16T07:00"),
        (NIGHT, "2026-01-16T03:00", "2026-01-16T07:00"),
        (NIGHT, "2026-01-16T07:00", ""),
        (NOON, "2026-01-15T12:30", "2026-01-15T13:30"),
        (NOON, "2026-01-15T11:30", ""),
        (NIGHT, "2026-03-28T23:00", "2026-03-29T07:00"),  # the night is an hour shorter
        (NIGHT, "2026-10-24T23:00", "2026-10-25T07:00"),  # and longer
    ],
)
def test_quiet_hours_are_those_of_the_clock_on_the_wall(quiet: Quiet, now: str, until: str) -> None:
    assert quiet_until_ms(quiet, berlin(now)) == (berlin(until) if until else 0)


def test_what_comes_in_quiet_hours_waits_unless_its_level_passes() -> None:
    route, now = a_route(quiet=NIGHT), berlin("2026-01-16T03:00")
    assert due_ms(route, WARNING, now) == berlin("2026-01-16T07:00")
    assert due_ms(route, CRITICAL, now) == now
    assert due_ms(route, told("resolved", "good", "critical"), now) == now


def test_digest_waits_until_it_is_collected_and_not_into_quiet_hours() -> None:
    route, late = a_route(digest_minutes=10, quiet=NIGHT), berlin("2026-01-15T21:55")
    assert due_ms(a_route(digest_minutes=10), WARNING, late) == late + 600_000
    assert due_ms(route, WARNING, late) == berlin("2026-01-16T07:00")
