"""What operators ask and decide: by keys with the scope for it, on record, and never by a customer's key."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from api.http import keys, reads
from api.http.reads import Read, ReadLog
from jobs.operator.audit import entries
from schemas.settings import ClickHouse
from streams.decisions.suspensions import suspension
from streams.io.store import Store
from tests.support.api_client import NOW, Api
from tests.support.api_scene import ALERT, DECLARED, HOLD, INCIDENT, NOW_MS, OVERRIDE, POLICY, REQUESTS, scene
from tests.support.databases import Databases

pytestmark = pytest.mark.usefixtures("standing_clock")


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    with scene(store_settings, store) as (interface, operator):
        interface.key = operator
        yield interface


@pytest.fixture(scope="module")
def unchanged(databases: Databases) -> Iterator[Api]:
    """One for all tests that change nothing."""
    with databases.opened(lasting=True) as store, scene(store.settings, store) as (interface, operator):
        interface.key = operator
        yield interface


def test_reasons_of_dead_letters_come_in_no_pages(unchanged: Api) -> None:
    """A cursor was taken there and passed over."""
    answer = unchanged.get("/v1/dead-letters/summary", unchanged.key, cursor="garbage")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "cursor")


def test_empty_value_is_refused_wherever_one_is_asked_for(unchanged: Api) -> None:
    """It was no filter, so that a script whose variable was not set read of everybody."""
    asked = []
    for path, each in unchanged.client.get("/openapi.json").json()["paths"].items():
        known = [one["name"] for one in each.get("get", {}).get("parameters", []) if one["in"] == "query"]
        for name in known if "{" not in path else []:
            others = {each: value for each, value in {"customer": "acme", "metric": "failure"}.items() if each in known}
            answer = unchanged.get(path, unchanged.key, **{**others, name: ""})
            assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), (
                path,
                name,
            )
            assert answer.json()["errors"][0]["parameter"] == name, (path, name)
            asked.append(name)
    assert {"customer", "rule", "stream", "topic", "plan", "name", "from", "cursor"} <= set(asked)


def test_every_list_is_given_as_a_table_too(unchanged: Api) -> None:
    """Overrides and holds came as JSON, whatever was accepted."""
    paths = unchanged.client.get("/openapi.json").json()["paths"]
    lists = [path for path, each in paths.items() if each.get("get", {}).get("operationId", "").startswith("list")]
    assert {"/v1/overrides", "/v1/holds", "/v1/customers"} <= set(lists)
    asked = {"Authorization": f"Bearer {unchanged.key}"}
    for path in lists:
        table = unchanged.client.get(path, headers=asked | {"Accept": "text/csv"}, params=ABOUT.get(path, {}))
        assert (path, table.headers["content-type"]) == (path, "text/csv; header=present; charset=utf-8")
        refused = unchanged.client.get(path, headers=asked | {"Accept": "image/png"}, params=ABOUT.get(path, {}))
        assert (path, refused.status_code) == (path, 406)


def test_request_that_takes_nothing_of_what_a_route_has_is_refused(unchanged: Api) -> None:
    """Routes with JSON alone passed `Accept` over. Nothing is decided then; what needs no key is given as it is."""
    decided = "SELECT count() FROM audit WHERE action != 'read'"
    before = unchanged.store.rows(decided)
    key = {"Authorization": f"Bearer {unchanged.key}"}
    for each in REQUESTS:
        asked = unchanged.client.request(
            each.method, each.target, json=each.body, headers=key | {"Accept": "text/html, image/png;q=0.5"}
        )
        if each.path == "/healthz":
            assert asked.status_code == 200
            continue
        found = (each.method, each.target, asked.status_code, asked.headers["content-type"])
        assert found == (each.method, each.target, 406, "application/problem+json")
        if each.method == "get":
            browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
            shown = unchanged.client.get(each.target, headers=key | {"Accept": browser})
            assert shown.status_code != 406, each.target
    assert unchanged.store.rows(decided) == before


ACME = {"customer": "acme"}
ABOUT = dict.fromkeys(("/v1/failures", "/v1/complaints", "/v1/listings"), ACME)


def post(api: Api, target: str, body: object, key: str = "") -> tuple[int, dict[str, Any]]:
    answer = api.client.post(target, json=body, headers={"Authorization": f"Bearer {key or api.key}"})
    return answer.status_code, dict(answer.json())


def test_body_that_does_not_say_that_it_is_json_is_told_to(unchanged: Api) -> None:
    answer = unchanged.client.post(
        "/v1/suspensions", content='{"customer": "acme"}', headers={"Authorization": f"Bearer {unchanged.key}"}
    )
    assert answer.json()["detail"] == "body: must be a JSON object, sent as `Content-Type: application/json`"


def test_only_an_operators_key_with_the_scope_reaches_what_is_the_operators(unchanged: Api) -> None:
    api = unchanged
    customers = keys.create_key(api.store, "acme", "", NOW_MS)
    reading = keys.create_key(api.store, keys.OPERATOR, "", NOW_MS)
    document = api.client.get("/openapi.json").json()
    shared = {path for path, each in document["paths"].items() if each.get("get", {}).get("tags") == ["Your mail"]}
    decided = "SELECT count() FROM audit WHERE action != 'read'"
    before = api.store.rows(decided)
    for each in REQUESTS:
        if each.path in shared | {"/healthz"} and each.method == "get":
            continue
        for key in (customers, reading):
            answer = api.client.request(
                each.method, each.target, json=each.body, headers={"Authorization": f"Bearer {key}"}
            )
            fine = key == reading and each.method == "get" and each.path != "/v1/keys"
            assert answer.status_code == (200 if fine else 403), (each.method, each.target, answer.text)
    assert api.client.app.state.service.reads.store()  # type: ignore[attr-defined]
    assert api.store.rows(decided) == before


@pytest.mark.parametrize(
    ("target", "body", "status", "field"),
    [
        (f"/v1/alerts/{'0' * 32}/acknowledge", {"why": "x"}, 404, None),
        (f"/v1/alerts/{ALERT}/acknowledge", {}, 422, "why"),
        (f"/v1/alerts/{ALERT}/acknowledge", {"why": "  "}, 422, "why"),
        (f"/v1/alerts/{ALERT}/acknowledge", {"why": "x", "who": "me"}, 422, "who"),
        ("/v1/overrides", OVERRIDE | {"rule": "none such"}, 422, "rule"),
        ("/v1/overrides", OVERRIDE | {"until": "soon"}, 422, "until"),
        ("/v1/overrides", OVERRIDE | {"until": "2026-01-01T00:00:00Z"}, 422, "until"),
        ("/v1/overrides", OVERRIDE | {"until": "2036-01-01T00:00:00Z"}, 422, "until"),
        ("/v1/overrides", OVERRIDE | {"stream": "none such"}, 422, "stream"),
        ("/v1/overrides", OVERRIDE | {"customer": "acmee"}, 404, None),
        ("/v1/overrides", OVERRIDE | {"level": "critical"}, 422, "level"),
        ("/v1/overrides", [], 422, "body"),
        ("/v1/overrides/ffff/end", {"why": "x"}, 404, None),
        ("/v1/suspensions", {"customer": "nobody", "why": "x"}, 404, None),
        ("/v1/suspensions", {"customer": "a\x00b", "why": "x"}, 422, "customer"),
        ("/v1/suspensions/lift", {"customer": "acme", "why": "x"}, 409, None),
        ("/v1/holds/ffff/release", {"why": "x"}, 404, None),
        (f"/v1/holds/{HOLD}/release", {"why": "x", "customer": "acme"}, 409, "customer"),
        ("/v1/incidents", DECLARED | {"place": "none such"}, 422, "place"),
        ("/v1/incidents", DECLARED | {"until": "2026-03-12T08:00:00Z"}, 422, "until"),
        ("/v1/incidents", DECLARED | {"until": "2027-03-12T08:00:00Z"}, 422, "until"),
        ("/v1/incidents/ffff/dismiss", {"why": "x"}, 404, None),
        ("/v1/policy/apply", {"text": "rules = 3", "why": "x"}, 422, "text"),
        ("/v1/policy/try", {"text": "nonsense"}, 422, "text"),
        ("/v1/policy/try", {"text": POLICY, "days": 91}, 422, "days"),
    ],
)
def test_what_cannot_be_decided_names_the_field_and_changes_nothing(
    unchanged: Api, target: str, body: object, status: int, field: str | None
) -> None:
    api = unchanged
    before = api.store.rows("SELECT count() FROM audit WHERE action != 'read'")
    answered, problem = post(api, target, body)
    assert answered == status, problem
    assert problem["detail"]
    assert (problem.get("errors") or [{"parameter": None}])[0]["parameter"] == field
    assert api.store.rows("SELECT count() FROM audit WHERE action != 'read'") == before


def test_decisions_are_on_record_with_the_key_that_made_them(api: Api) -> None:
    assert post(api, "/v1/suspensions", {"customer": "rival", "why": "bought list"})[0] == 200
    assert post(api, "/v1/suspensions", {"customer": "rival", "why": "again"})[0] == 409
    assert post(api, f"/v1/incidents/{INCIDENT}/dismiss", {"why": "none"})[0] == 200
    assert post(api, f"/v1/incidents/{INCIDENT}/dismiss", {"why": "none"})[0] == 409
    found = suspension(api.store, "rival")
    assert found is not None
    assert (found.by.split(" (key ")[0], found.why) == ("Ida", "bought list")
    actions = [each["action"] for each in api.get("/v1/audit").json()["entries"]]
    assert actions[:2] == ["customer suspended", "incident dismissed"]
    by_customer = api.get("/v1/audit", customer="rival").json()["entries"]
    assert [each["why"] for each in by_customer] == ["bought list"]
    assert post(api, "/v1/policy/check", {"text": "name = 3"})[1]["mistakes"][0]["line"] == 1


def test_small_customers_are_judged_by_what_they_sent_through_one_pool(unchanged: Api) -> None:
    (pool,) = unchanged.get("/v1/pools").json()["pools"]
    assert (pool["scope"], pool["standing"]) == ("pool:shared-1", "excessive")
    complaint = next(each for each in pool["rules"] if each["rule"] == "complaint")
    assert (complaint["numerator"], complaint["denominator"]) == (3 + 4 + 3, 310 + 280 + 190)
    assert unchanged.get("/v1/pools", limit=1, kind="from").json() == {"next": None, "pools": []}


def test_pages_of_the_audit_and_of_customers_have_every_row_once(api: Api) -> None:
    def all_of(target: str, rows: str, **asked: Any) -> list[Any]:
        seen, cursor = [], None
        for _ in range(20):
            page = api.get(target, limit=1, **asked, **({"cursor": cursor} if cursor else {})).json()
            seen += page[rows]
            cursor = page["next"]
            if cursor is None:
                return seen
        raise AssertionError("the pages do not end")

    for number in range(3):
        post(api, "/v1/suspensions" + "/lift" * (number % 2), {"customer": "rival", "why": str(number)})
    whole = api.get("/v1/audit").json()["entries"]
    assert len(whole) > 3
    assert all_of("/v1/audit", "entries") == whole
    ranked = api.get("/v1/customers").json()["customers"]
    assert [each["customer"] for each in ranked] == ["rival", "acme"], "the worst first"
    assert all_of("/v1/customers", "customers") == ranked
    assert [each["scope"] for each in all_of("/v1/customers", "customers", parts=True)] == [
        "customer", "customer", "stream:news",
    ]  # fmt: skip
    assert [each["customer"] for each in all_of("/v1/customers", "customers", plan="pro")] == ["acme"]
    assert all_of("/v1/customers", "customers", name="RIV")[0]["customer"] == "rival"
    assert all_of("/v1/customers", "customers", standing="suspended")[0]["customer"] == "rival"


# What operators read is on record


def reads_of(api: Api) -> list[tuple[str, str, str, int]]:
    assert api.client.app.state.service.reads.store()  # type: ignore[attr-defined]
    times: Counter[tuple[str, str, str]] = Counter()
    for each in entries(api.store, 0, 100, verdicts=False, reads=True):
        if each.action == "read":
            times[each.who.split(" (")[0], each.customer, each.subject] += each.detail["times"]
    return sorted((*read, count) for read, count in times.items())


def test_each_read_of_a_customer_by_an_operator_is_on_record_and_none_by_itself(api: Api) -> None:
    own = keys.create_key(api.store, "acme", "", NOW_MS)
    for _ in range(3):
        assert api.get("/v1/standing", customer="acme").status_code == 200
    assert api.get(f"/v1/alerts/{ALERT}").status_code == 200
    assert api.get("/v1/customers").status_code == 200
    assert api.get("/v1/standing", own).status_code == 200
    assert reads_of(api) == [
        ("Ida", "", "/v1/customers", 1),
        ("Ida", "acme", "/v1/alerts/{alert_id}", 1),
        ("Ida", "acme", "/v1/standing", 3),
    ]
    shown = api.get("/v1/audit", customer="acme").json()["entries"]
    assert "read" not in {each["action"] for each in shown}, "only if it is asked for"
    asked = api.get("/v1/audit", customer="acme", reads=True).json()["entries"]
    assert "read" in {each["action"] for each in asked}


def test_reads_are_stored_when_the_interface_stops_and_again_when_the_store_failed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = api.client.app.state.service.stores  # type: ignore[attr-defined]
    log = ReadLog(stores, lambda: NOW * 1000, every_s=3_600)
    api.store.run("RENAME TABLE audit TO audit_away")
    assert log.note(Read("Ida", "acme", "/v1/standing"))
    assert not log.store(), "the table is away"
    api.store.run("RENAME TABLE audit_away TO audit")
    assert log.note(Read("Ida", "rival", "/v1/standing"))
    monkeypatch.setattr(reads, "MOST", 2)
    assert not log.note(Read("Ida", "third", "/v1/standing")), "what cannot be put on record is not to be shown"
    log.close()
    found = [each.customer for each in entries(api.store, 0, 10, verdicts=False, reads=True) if each.action == "read"]
    assert sorted(found) == ["acme", "rival"]
