"""The console over a store of its own: what is on record, when a session ends, what is shown without a store, and who a
proxy may name."""

from fastapi.testclient import TestClient

from api.http import keys
from jobs.operator.audit import READ, entries
from schemas.console import ConsoleSettings
from schemas.settings import ClickHouse
from streams.io.store import Store
from tests.support.api_client import NOW, running
from tests.support.console_client import ConsoleVisitor, visitor
from tests.support.waiting import wait_for


def test_look_at_the_fleet_is_on_record(store: Store, store_settings: ClickHouse, standing_clock: None) -> None:
    with running(store_settings, store) as interface:
        key = keys.create_key(store, keys.OPERATOR, "Ida", NOW * 1000)
        operator = visitor(interface.client)
        operator.sign_in(key)
        assert operator.get("/console/").status_code == 200
        assert interface.client.app.state.service.reads.store()  # type: ignore[attr-defined]
        (found,) = [each for each in entries(store, 0, 10, reads=True) if each.action == READ]
    assert found.who == f"Ida (key {keys.key_id(key)})"
    assert found.subject == "/console/"


def test_session_ends_with_its_key(store: Store, store_settings: ClickHouse, standing_clock: None) -> None:
    with running(store_settings, store) as interface:
        key = keys.create_key(store, keys.OPERATOR, "Ida", NOW * 1000)
        operator = visitor(interface.client)
        operator.sign_in(key)
        assert operator.get("/console/").status_code == 200
        keys.revoke(store, key, NOW * 1000)
        interface.clock[0] += 1_000
        # At once, where the store answers at once.
        wait_for(lambda: operator.get("/console/").status_code == 303, "the end of the session")


def test_store_that_fails_leaves_the_last_state_with_its_age(
    store: Store, store_settings: ClickHouse, standing_clock: None
) -> None:
    with running(store_settings, store, console=ConsoleSettings(refresh_s=0.1)) as interface:
        key = keys.create_key(store, keys.OPERATOR, "Ida", NOW * 1000)
        interface.judged("customer", "critical", NOW - 60, ["failure"])
        operator = visitor(interface.client)
        operator.sign_in(key)
        assert "acme" in operator.get("/console/").text
        interface.close_after_each_answer()
        interface.server.stop()
        down = '<div class="banner down" role="alert" id="down">'
        wait_for(lambda: down in operator.get("/console/").text, "the banner")
        answer = operator.get("/console/")
        assert answer.status_code == 200
        assert "acme" in answer.text
        assert "This is how things stood" in answer.text


def test_proxy_says_who_it_is_and_nobody_else_does(
    store: Store, store_settings: ClickHouse, standing_clock: None
) -> None:
    console = ConsoleSettings(
        user_header="X-User", trusted_proxies=("10.0.0.0/8",), user_scopes=("read",), url="https://console.example"
    )
    with running(store_settings, store, console=console) as interface:
        app = interface.client.app
        proxied = ConsoleVisitor(TestClient(app, client=("10.1.2.3", 1), headers={"X-User": "ida@example.com"}))
        forged = ConsoleVisitor(TestClient(app, client=("192.0.2.1", 1), headers={"X-User": "ida@example.com"}))
        text = proxied.get("/console/").text
        assert "ida@example.com (single sign-on)" in text
        assert "may look only" in text
        assert forged.get("/console/").status_code == 403
        nobody = ConsoleVisitor(TestClient(app, client=("10.1.2.3", 1), headers={"X-User": " "}))
        assert nobody.get("/console/").status_code == 303
        key = keys.create_key(store, keys.OPERATOR, "", NOW * 1000)
        cookie = ConsoleVisitor(TestClient(app, client=("10.1.2.3", 1))).sign_in(key).headers["set-cookie"]
        assert "secure" in cookie.lower()
