"""The case page over a store: what it shows, names of every kind, and what is decided on it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import msgspec
import pytest
from fastapi.responses import PlainTextResponse

from api.console.case.letters import EditedMail, check_mail
from api.console.pages.case_acts import hours
from api.console.templating import customer_url
from jobs.hooks.targets.base import Done, Order
from jobs.hooks.targets.mail import MailTarget
from jobs.operator.audit import entries
from jobs.operator.decisions import DecisionError
from schemas.hook import Hook, HookAction
from schemas.settings import ClickHouse
from schemas.times import utc_time
from streams.io.store import Store, StoreError, open_store
from tests.support.api_client import HOUR, NOW, Api, Row
from tests.support.api_scene import ALERT, NOON, OPERATORS_KEY, scene
from tests.support.console_client import ConsoleVisitor, visitor
from tests.support.databases import Databases

#: As intake takes them: a slash, a percent sign, blanks, markup, right to left, a formula, as long as can be.
NAMES = ("a/b", "100%", "two words", "<b>&\"'", "שלום/עולם", "=1+1", "x" * 256, ".", "..", "a?b#c", "a/acknowledge")

ROWS = Store.rows


@pytest.fixture(scope="module")
def shown(databases: Databases) -> Iterator[Api]:
    """The interface over a fleet with something of everything; one for the module."""
    settings: ClickHouse = databases.empty(lasting=True)
    store = open_store(settings)
    with scene(settings, store) as (interface, _):
        interface.put([Row(NOON - HOUR, 500, hard=2, customer=each) for each in NAMES])
        yield interface
    store.close()


@pytest.fixture
def operator(shown: Api) -> ConsoleVisitor:
    """An operator who is signed in."""
    found = visitor(shown.client)
    assert found.sign_in(OPERATORS_KEY).status_code == 303
    return found


def test_case_says_who_since_when_why_and_how_sure(operator: ConsoleVisitor) -> None:
    page = operator.get("/console/customers/acme").text

    assert "60 complaints of 9,000 messages" in page or "60 of 9,000" in page
    assert "s-excessive" in page
    assert "surely between" in page.lower()
    assert "What happens next" in page
    assert 'id="chart-complaint"' in page and 'id="chart-failure"' in page


def test_typical_answer_of_each_bounce_class_is_shown(shown: Api, operator: ConsoleVisitor) -> None:
    row: dict[str, Any] = {
        "customer": "answers",
        "stream": "news",
        "provider": "yahoo",
        "time": utc_time((NOON - HOUR) * 1000),
    }
    row |= {"type": "bounced", "bounce_kind": "hard", "bounce_class": "invalid_recipient"}
    row |= {"diagnostic": "550 no such user <ann@example.com>"}
    shown.store.insert("events", {name: [value] for name, value in row.items()})
    shown.put([Row(NOON - HOUR, 500, hard=20, customer="answers")])
    assert "550 no such user &lt;*@example.com&gt;" in operator.get("/console/customers/answers?metric=failure").text


@pytest.mark.parametrize("table", ["fresh_starts", "customers"])
def test_page_asks_a_table_once(operator: ConsoleVisitor, table: str) -> None:
    """Its customer has open alerts, for each of which is counted what was there when it changed."""
    asked: list[str] = []

    def rows(store: Store, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        if (parameters or {}).get("customer") == "acme":  # what is read for all pages is not of this one
            asked.append(sql)
        return ROWS(store, sql, parameters)

    with patch.object(Store, "rows", rows):
        assert operator.get("/console/customers/acme").status_code == 200
    assert sum(re.search(rf"\bFROM {table}\b", each) is not None for each in asked) == 1


def test_messages_that_were_lost_are_marked_in_pictures_and_in_what_happened(
    shown: Api, operator: ConsoleVisitor
) -> None:
    row = {
        "time": utc_time((NOON - HOUR) * 1000),
        "kind": "gap",
        "source": "mail.events/3",
        "lost": 1_204,
        "detail": "x",
    }
    shown.store.insert("incidents", {name: [value] for name, value in row.items()})

    page = operator.get("/console/customers/acme").text

    said = "1,204 messages of mail.events/3 were lost: no rate has them"
    assert re.search(rf'class="c-mark c-lost"><title>{said}</title>', page)
    assert re.search(rf'<span class="mark held">lost</span>\s*<strong>{said}</strong>', page)


@pytest.mark.parametrize("name", NAMES)
def test_customers_of_any_name_have_an_address(operator: ConsoleVisitor, name: str) -> None:
    with patch("api.console.pages.case.show", side_effect=lambda _, __, customer: PlainTextResponse(customer)):
        assert operator.get(customer_url(name)).text == name


@pytest.mark.parametrize("name", ["<b>&\"'", "שלום/עולם", "x" * 256])
def test_names_are_text_on_the_page(operator: ConsoleVisitor, name: str) -> None:
    answer = operator.get(customer_url(name))

    assert answer.status_code == 200
    assert "<b>" not in answer.text


def test_nobody_of_this_name_is_not_there_and_a_near_one_is_named(operator: ConsoleVisitor) -> None:
    answer = operator.get("/console/customers/acne")

    assert answer.status_code == 404
    assert "did you mean &#39;acme&#39;?" in answer.text


@pytest.mark.parametrize(
    ("range", "metric"), [("24h", "complaint"), ("7d", "failure"), ("30d", "exposure"), ("wrong", "wrong")]
)
def test_each_time_and_rate_can_be_chosen(operator: ConsoleVisitor, range: str, metric: str) -> None:
    page = operator.get(f"/console/customers/acme?range={range}&metric={metric}").text

    assert 'aria-current="true"' in page
    assert "Where it comes from" in page


def test_looks_at_a_customer_are_on_record(shown: Api, operator: ConsoleVisitor) -> None:
    operator.get("/console/customers/acme")
    shown.client.app.state.service.reads.store()  # type: ignore[attr-defined]

    found = entries(shown.store, 0, 50, customer="acme", verdicts=False, reads=True)
    assert any(each.action == "read" and each.subject.startswith("/console/customers/") for each in found)


class TestActs:
    """Each is on record with the reason, and the page shows it at once."""

    def test_acknowledgement(self, shown: Api, operator: ConsoleVisitor) -> None:
        shown.clock[0] = NOW * 1000
        answer = operator.post("/console/case/acknowledge", customer="acme", alert=ALERT, why="called them")

        assert answer.status_code == 303
        page = operator.get(answer.headers["location"]).text
        assert "Acknowledged. It is on record." in page
        assert "called them" in page

    def test_override_and_its_end(self, shown: Api, operator: ConsoleVisitor) -> None:
        fields = {"customer": "acme", "rule": "complaint", "level": "warning", "hours": "24", "why": "a bad hour"}
        answer = operator.post("/console/case/override", **fields)
        assert answer.status_code == 303
        page = operator.get(answer.headers["location"]).text
        assert "The override is in force" in page and "a bad hour" in page

        name = page.split('name="override" value="')[1].split('"')[0]
        shown.clock[0] += 1_000
        answer = operator.post("/console/case/end-override", customer="acme", override=name, why="over")
        assert "The override has ended" in operator.get(answer.headers["location"]).text

    def test_suspension_and_reinstatement_with_a_fresh_start(self, shown: Api, operator: ConsoleVisitor) -> None:
        answer = operator.post("/console/case/suspend", customer="a/b", why="bought list")
        page = operator.get(answer.headers["location"]).text
        assert "s-edge-suspended" in page and "bought list" in page

        shown.clock[0] += 1_000
        again = operator.post("/console/case/suspend", customer="a/b", why="bought list")
        assert again.status_code == 409
        assert "is suspended already" in again.text

        answer = operator.post("/console/case/reinstate", customer="a/b", why="list mended", fresh_start="1")
        assert "its windows begin anew" in operator.get(answer.headers["location"]).text
        actions = [each.action for each in entries(shown.store, 0, 50, customer="a/b", verdicts=False)]
        assert {"customer suspended", "customer unsuspended", "fresh start given"} <= set(actions)

    @pytest.mark.parametrize("why", ["  ", "x" * 257])
    def test_reason_is_needed(self, operator: ConsoleVisitor, why: str) -> None:
        answer = operator.post("/console/case/suspend", customer="100%", why=why)

        assert answer.status_code == 422
        assert "reason" in answer.text
        assert "s-edge-suspended" not in answer.text

    @pytest.mark.parametrize("text", ["", "0", "-1", "1e9", "٣", "99999999"])
    def test_override_needs_a_number_of_hours(self, text: str) -> None:
        with pytest.raises(DecisionError, match="is not a number of hours"):
            hours(text)

    def test_alert_of_somebody_else_is_not_acknowledged(self, operator: ConsoleVisitor) -> None:
        answer = operator.post("/console/case/acknowledge", customer="a/b", alert=ALERT, why="w")
        assert answer.status_code == 404
        assert operator.post("/console/case/acknowledge", customer="a/b", why="w").status_code == 422

    def test_form_of_another_session_does_nothing(self, operator: ConsoleVisitor) -> None:
        answer = operator.post("/console/case/suspend", token="wrong", customer="100%", why="w")
        assert answer.status_code == 403
        assert "s-edge-suspended" not in operator.get(f"/console/customers/{quote('100%', safe='')}").text


def test_last_known_case_is_shown_while_the_store_is_down(shown: Api, operator: ConsoleVisitor) -> None:
    assert operator.get("/console/customers/acme").status_code == 200
    shown.clock[0] += 40_000
    with patch("api.console.pages.case.read_case", side_effect=StoreError("gone")):
        known = operator.get("/console/customers/acme")
        unknown = operator.get("/console/customers/rival")
        refused = operator.post("/console/case/acknowledge", customer="acme", why="w")

    assert "The store does not answer. This is what was known 40\u00a0s ago" in known.text
    assert "disabled" in known.text
    assert unknown.status_code == 503
    assert refused.status_code == 422, "what was refused is not taken for done"
    assert "Choose one alert at least" in refused.text


class TestMail:
    """What would be sent is shown, edited and sent; and what was sent is on record."""

    @pytest.fixture
    def sent(self) -> Iterator[list[EditedMail]]:
        """What was given to the server."""
        given: list[EditedMail] = []

        def take(target: MailTarget, order: Order, _: object) -> Done:
            to, message = target._build(order)
            given.append(EditedMail(order.id, "", "", "", to, str(message["Subject"]), message.get_content()))
            return Done(said="told")

        with patch.object(MailTarget, "apply", take):
            yield given

    def fields(self, operator: ConsoleVisitor) -> dict[str, str]:
        page = operator.get("/console/customers/acme").text
        found = re.findall(
            r'<input type="hidden" name="(draft|alert|kind)" value="([^"]*)"', page.split('id="mail"')[1]
        )
        return dict(found) | {
            "customer": "acme",
            "to": "ann@acme.example",
            "subject": "Hello",
            "text": "Line 1\r\nLine 2",
        }

    def test_without_a_server_it_is_said_how_to_set_one_up(self, operator: ConsoleVisitor) -> None:
        page = operator.get("/console/customers/acme").text
        assert "No mail server is set up for mail to customers" in page
        answer = operator.post("/console/case/mail", **self.fields(operator))
        assert answer.status_code == 422
        assert "hook.actions" in answer.text and "Line 2" in answer.text

    def test_edited_mail_is_sent_once_and_on_record(
        self, shown: Api, operator: ConsoleVisitor, sent: list[EditedMail]
    ) -> None:
        service = shown.client.app.state.service  # type: ignore[attr-defined]
        action = HookAction(kind="mail", host="mx.esp.example", sender="abuse@esp.example")
        settings = msgspec.structs.replace(service.settings, hook=Hook(actions={"tell": action}))
        shown.client.app.state.service = replace(service, settings=settings)  # type: ignore[attr-defined]
        fields = self.fields(operator)
        assert "mx.esp.example:587" in operator.get("/console/customers/acme").text

        answer = operator.post("/console/case/mail", **fields)
        again = operator.post("/console/case/mail", **fields)
        shown.client.app.state.service = service  # type: ignore[attr-defined]

        assert answer.headers["location"] == "/console/customers/acme?done=sent"
        assert again.status_code == 409
        assert [(each.to, each.subject, each.text) for each in sent] == [
            ("ann@acme.example", "Hello", "Line 1\nLine 2\n")
        ]
        (entry,) = (each for each in entries(shown.store, 0, 50, customer="acme") if each.action == "customer mailed")
        assert (entry.detail["to"], entry.detail["text"]) == ("ann@acme.example", "Line 1\r\nLine 2")

    @pytest.mark.parametrize(
        ("field", "value"),
        [("to", ""), ("to", "a@b\r\nBcc: c@d"), ("subject", " "), ("text", ""), ("draft", "x"), ("text", "x" * 20_001)],
    )
    def test_mail_that_cannot_be_sent_is_refused(self, field: str, value: str) -> None:
        good = EditedMail("0" * 24, "acme", "", "warning", "ann@acme.example", "Hello", "Text")
        name = "id" if field == "draft" else field
        with pytest.raises(DecisionError):
            check_mail(replace(good, **{name: value}))
