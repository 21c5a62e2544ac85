"""The pages besides the fleet: each is shown, decides what it says, and leaves it on record."""

from collections.abc import Iterator
from unittest.mock import patch
from urllib.parse import quote

import msgspec
import pytest
from httpx import Response

from schemas.alert import Held
from streams.alerts.record import store_alerts
from streams.io.store import StoreBusyError
from tests.support.api_client import Api
from tests.support.api_scene import HOLD, INCIDENT, NOW_MS, OPERATORS_KEY, scene
from tests.support.console_client import ConsoleVisitor, visitor
from tests.support.databases import Databases
from tests.support.told import told_alert


@pytest.fixture(scope="module")
def shown(databases: Databases) -> Iterator[Api]:
    with databases.opened(lasting=True) as store, scene(store.settings, store) as (interface, _):
        yield interface


@pytest.fixture
def operator(shown: Api) -> ConsoleVisitor:
    found = visitor(shown.client)
    assert found.sign_in(OPERATORS_KEY).status_code == 303
    return found


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("incidents", "declared by an operator"),
        (f"incidents/{INCIDENT}", "declared by an operator"),
        ("incidents/declare", "Show whom it concerns"),
        (
            "incidents/declare?place=yahoo&from=2026-03-12T10:00&until=2026-03-12T13:00",
            "left out of what customers are judged by",
        ),
        (f"holds/{HOLD}", "who are held"),
        ("providers", "is it us or them?"),
        ("providers/yahoo?hours=24", "no such user"),
        ("blocklists", "192.0.2.1"),
        ("policy", "built in"),
        ("policy/trial", "None was tried"),
        ("dead-letters", "field `type`: missing"),
        ("dead-letters/replay", "None since this process began"),
        ("audit", "their status page"),
        ("audit?who=ida&action=incident+declared&reads=1", "their status page"),
    ],
)
def test_page_is_shown(operator: ConsoleVisitor, path: str, words: str) -> None:
    answer = operator.get(f"/console/{path}")
    assert answer.status_code == 200, answer.text
    assert words in answer.text


def test_hold_says_by_what_each_customer_rose_and_leads_to_the_evidence(shown: Api, operator: ConsoleVisitor) -> None:
    alert = told_alert("opened", "critical", customer="rival", time_ms=NOW_MS, held=True)
    held = msgspec.structs.replace(alert.data, held=Held(id=HOLD, reason="brake", since_ms=NOW_MS, customers=40))
    store_alerts(shown.store, [msgspec.structs.replace(alert, data=held)], NOW_MS)
    shown.clock[0] += 60_000  # what was read is shown for a moment
    page = operator.get(f"/console/holds/{HOLD}").text
    shown.clock[0] -= 60_000

    for said in ("14.20\u00a0%", "12.00\u00a0% to 16.00\u00a0%", "142 of 1,000", "10.00\u00a0%", "at gmail: 100"):
        assert said in page
    assert 'href="/console/customers/rival#evidence"' in page
    assert 'href="/console/customers/stranger#evidence"' in page  # of whom nothing was announced yet


def test_page_of_a_busy_store_is_no_bad_question_and_is_asked_for_again(operator: ConsoleVisitor) -> None:
    with patch("api.console.pages.providers.read_providers", side_effect=StoreBusyError("timeout exceeded")):
        answer = operator.get("/console/providers?hours=6")

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "Try again in a moment" in answer.text
    assert "data-again" in answer.text


def release_from(operator: ConsoleVisitor, came_from: str, why: str) -> Response:
    """The form of a hold, as it was sent from one of our pages."""
    answer: Response = operator.client.post(
        f"/console/holds/{HOLD}",
        data={"csrf": operator.csrf(), "decision": "release", "of": "all", "why": why},
        headers={"referer": f"http://testserver{came_from}"},
    )
    return answer


def test_form_that_was_refused_leads_back_to_where_it_was_written(operator: ConsoleVisitor) -> None:
    came_from = f"/console/holds/{HOLD}?skip=0"
    answer = release_from(operator, came_from, why="")
    assert answer.status_code == 422
    assert f'href="{came_from}">Try again' in answer.text


def test_filter_that_cannot_be_used_leads_back_to_where_it_was_chosen(operator: ConsoleVisitor) -> None:
    came_from = {"referer": "http://testserver/console/audit?days=3"}
    answer = operator.client.get("/console/audit?from=soon", headers=came_from)
    assert answer.status_code == 422
    assert 'href="/console/audit?days=3">Try again' in answer.text
    elsewhere = operator.client.get("/console/audit?from=soon", headers={"referer": "http://example.com/console/audit"})
    assert "Try again" not in elsewhere.text


def test_form_that_could_not_be_taken_leads_back_to_where_it_was_written(operator: ConsoleVisitor) -> None:
    came_from = f"/console/holds/{HOLD}?skip=0"
    with patch("api.console.pages.holds.decide_hold", side_effect=StoreBusyError("timeout exceeded")):
        answer = release_from(operator, came_from, why="x")
    assert answer.status_code == 503
    assert f'href="{came_from}"' in answer.text
    assert "data-again" not in answer.text


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("gmial", "did you mean gmail?"),
        ("gmail.com", "Its provider is called gmail"),
        ("zen.spamhause.org", "is no blocklist"),
        ("192.0.2.0/25@zen.spamhaus.org", "is not an IPv4 network of length /24"),
    ],
)
def test_place_that_is_none_is_said_before_an_incident_is_declared(
    operator: ConsoleVisitor, place: str, said: str
) -> None:
    page = operator.get(
        f"/console/incidents/declare?place={quote(place)}&from=2026-03-12T10:00&until=2026-03-12T13:00"
    ).text
    assert said in page
    assert "What will happen" not in page


@pytest.mark.parametrize("path", ["holds/zzzz!", "incidents/..%2Fx", "incidents/" + "0" * 65])
def test_what_can_be_no_id_is_not_there(operator: ConsoleVisitor, path: str) -> None:
    answer = operator.get(f"/console/{path}")
    assert answer.status_code == 404
    assert "pattern" not in answer.text
