"""Who may ask the HTTP interface, what it refuses, and how; over a real store."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from api.http import keys
from api.http.key_lookups import FRESH_MS
from api.http.problems import RETRY_AFTER_S
from schemas.alert import AlertEvent
from schemas.settings import ClickHouse
from streams.io.store import Store
from tests.support.api_client import DAY, NOW, Api, Row, running
from tests.support.databases import Databases
from tests.support.problems import problem

pytestmark = pytest.mark.usefixtures("standing_clock")


@pytest.fixture(scope="module")
def api(databases: Databases) -> Iterator[Api]:
    """One for all tests that write nothing but keys."""
    with databases.opened(lasting=True) as store, running(store.settings, store) as interface:
        yield interface


@pytest.fixture
def fresh(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    """One with an empty store of the test's own."""
    with running(store_settings, store) as interface:
        yield interface


# Who may ask


def test_key_shows_its_own_customer_only(fresh: Api) -> None:
    fresh.put([Row(NOW, delivered=7), Row(NOW, delivered=1_000_000, hard=99, customer="rival", stream="secret")])
    standing = fresh.get("/v1/standing")
    assert standing.json()["customer"] == "acme"
    assert standing.json()["scopes"][0]["rates"]["failure"] == {"numerator": 0, "denominator": 7, "rate": 0.0}
    assert [scope["scope"] for scope in standing.json()["scopes"]] == ["customer"]
    assert fresh.rates(metric="failure", window="1h")["points"][-1]["window"]["denominator"] == 7
    assert fresh.rates(metric="failure", scope="stream:secret")["points"][-1]["window"]["denominator"] == 0


def test_scope_that_the_policy_judges_no_more_is_not_reported(fresh: Api) -> None:
    """Not even as it stood when it was judged last."""
    fresh.put([Row(NOW, delivered=7), Row(NOW, delivered=7, stream="receipts")])
    for scope in ("customer", "class:bulk", "sub_account:eu", "stream:news"):
        fresh.judged(scope, "good", NOW)
    reported = {each["scope"]: each["standing"] for each in fresh.get("/v1/standing").json()["scopes"]}
    assert reported == {"customer": "good", "stream:news": "good", "stream:receipts": None}


def test_alert_repeated_with_another_level_is_shown_as_it_was_stored_last(fresh: Api) -> None:
    """After a crash the same transition may be stored again, with another level."""
    example = Path("schemas/examples/reputation.alerts/valid/opened-critical-failure.json").read_bytes()
    critical = msgspec.json.decode(example, type=AlertEvent)
    for event_id, level, time in (("b", "warning", "2026-03-12T12:02:00Z"), ("a", "critical", "2026-03-12T12:01:00Z")):
        data = msgspec.structs.replace(critical.data, customer="acme", level=level, transition=1)
        fresh.alert(msgspec.structs.replace(critical, id=event_id, time=time, data=data))
    (scope,) = fresh.get("/v1/standing").json()["scopes"]
    assert [each["level"] for each in scope["open_alerts"]] == ["warning"]


@pytest.mark.parametrize("path", ["/v1/standing", "/v1/rates"])
@pytest.mark.parametrize("other", ["rival", "nobody", "", "ACME", "acme ", "acme' OR '1'='1"])
def test_customer_who_names_another_is_refused_whether_that_one_exists_or_not(api: Api, path: str, other: str) -> None:
    refused = problem(api.get(path, customer=other, **({"metric": "failure"} if "rates" in path else {})), 403)
    assert refused["detail"] == "this key is for one customer only"


def test_customer_may_name_itself(api: Api) -> None:
    assert api.get("/v1/standing", customer="acme").status_code == 200


def test_operator_may_ask_about_everybody_and_must_say_whom(fresh: Api) -> None:
    fresh.put([Row(NOW, delivered=7, customer="rival")])
    operator = keys.create_key(fresh.store, keys.OPERATOR, "", NOW * 1000)
    asked = fresh.get("/v1/standing", operator, customer="rival").json()
    assert asked["scopes"][0]["rates"]["failure"]["denominator"] == 7
    for missing in ({}, {"customer": ""}):
        assert problem(fresh.get("/v1/standing", operator, **missing), 422)["errors"][0]["parameter"] == "customer"


@pytest.mark.parametrize("path", ["/v1/standing", "/v1/rates?metric=failure"])
def test_request_without_a_key_is_unauthorized_and_answered_how_to_send_one(api: Api, path: str) -> None:
    answer = api.client.get(path)
    assert "Authorization: Bearer" in problem(answer, 401)["detail"]
    assert answer.headers["www-authenticate"] == 'Bearer realm="repmon"'


@pytest.mark.parametrize("key", ["rmk_" + "A" * 43, "x", "' OR 1=1 --", "rmk_", "A" * 10_000, "rmk_" + "A" * 43 + "B"])
def test_wrong_key_is_unauthorized(api: Api, key: str) -> None:
    answer = api.get("/v1/standing", key)
    problem(answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_hash_read_from_the_table_is_no_key(fresh: Api) -> None:
    stored = fresh.store.rows("SELECT key_hash FROM api_keys")[0][0]
    for guess in (stored, "rmk_" + stored[:43]):
        problem(fresh.get("/v1/standing", guess), 401)


def test_key_goes_in_its_own_header_too(api: Api) -> None:
    assert api.client.get("/v1/standing", headers={"X-API-Key": api.key}).status_code == 200


def test_revoked_key_is_refused_once_the_memory_of_it_has_run_out(fresh: Api) -> None:
    assert fresh.get("/v1/standing").status_code == 200
    keys.revoke(fresh.store, fresh.key, NOW * 1000)
    fresh.clock[0] += FRESH_MS
    problem(fresh.get("/v1/standing"), 401)


def test_key_that_has_expired_is_unauthorized(fresh: Api) -> None:
    key = keys.create_key(fresh.store, "acme", "", NOW * 1000, expires_ms=(NOW + 60) * 1000)
    assert fresh.get("/v1/standing", key).status_code == 200
    fresh.clock[0] += 60_000
    answer = fresh.get("/v1/standing", key)
    assert problem(answer, 401)["detail"] == "this key has expired"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_key_without_the_scope_is_refused_and_told_which(fresh: Api) -> None:
    key = keys.create_key(fresh.store, keys.OPERATOR, "", NOW * 1000, ["policy"])
    answer = fresh.get("/v1/standing", key, customer="acme")
    assert problem(answer, 403)["detail"] == "this key has not the scope `read`"
    assert answer.headers["www-authenticate"] == 'Bearer realm="repmon", error="insufficient_scope", scope="read"'


def test_key_of_an_earlier_version_can_read(fresh: Api) -> None:
    """It has a row without scopes and without an end."""
    key = "rmk_" + "k" * 43
    row = {"key_hash": hashlib.sha256(key.encode()).hexdigest(), "customer": "acme"}
    fresh.store.insert("api_keys", {name: [value] for name, value in row.items()})
    assert fresh.get("/v1/standing", key).status_code == 200


# What is refused


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({}, ["metric"]),
        ({"metric": "spam"}, ["metric"]),
        ({"metric": "failure", "window": "2h"}, ["window"]),
        ({"metric": "failure", "scope": "all"}, ["scope"]),
        ({"metric": "failure", "windw": "24h"}, ["windw"]),
        ({"metric": "spam", "since": "1"}, ["metric", "since"]),
        ({"metric": "failure", "from": "yesterday"}, ["from"]),
        ({"metric": "failure", "to": "2026-03-12 12:00"}, ["to"]),
        ({"metric": "failure", "from": "2026-03-12T12:00:00Z", "to": "2026-03-12T11:00:00Z"}, ["from"]),
        ({"metric": "failure", "from": "2026-03-13T00:00:00Z"}, ["from"]),
        ({"metric": "failure", "from": "2020-01-01T00:00:00Z"}, ["from"]),
        ({"metric": "failure", "to": "2020-01-01T00:00:00Z"}, ["to"]),
    ],
)
def test_wrong_or_unknown_parameter_is_named(api: Api, parameters: dict[str, str], named: list[str]) -> None:
    refused = problem(api.get("/v1/rates", **parameters), 422)
    assert [each["parameter"] for each in refused["errors"]] == named


def test_unknown_parameter_of_standing_is_named(api: Api) -> None:
    assert problem(api.get("/v1/standing", window="1h"), 422)["errors"][0]["parameter"] == "window"


HOSTILE = [
    "' OR 1=1 --", "\\'; DROP TABLE counts; --", "{x:String}", "NaN", "inf", "-1", "1e309", "9" * 15, "9" * 400,
    "-" + "9" * 15, "\0", "\x01\x1b\t\r\n", "\N{RIGHT-TO-LEFT OVERRIDE}\N{PILE OF POO}", "A" * 5_000, "", " ", "[]",
    "null", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z", "2026-03-12T24:00:00Z",
    "2026-03-12T12:00:00+99:99", "2026-03-12T12:00:60Z", "\N{ARABIC-INDIC DIGIT ONE}" * 13, "%00", "%ff",
]  # fmt: skip


@pytest.mark.parametrize("name", ["metric", "window", "scope", "from", "to", "customer", "unknown"])
def test_hostile_value_is_refused_by_name(api: Api, name: str) -> None:
    for value in HOSTILE:
        # As `to`, a far future means now.
        fine = name == "to" and value in {"9" * 15, "9999-12-31T23:59:59-23:59"}
        answer = api.get("/v1/rates", **{"metric": "failure", name: value})
        if fine:
            assert answer.status_code == 200
        else:
            too_long = name == "customer" and len(value) > 256
            refused = problem(answer, 403 if name == "customer" and not too_long else 422)
            assert refused.get("errors", [{"parameter": "customer"}])[0]["parameter"] == name, value
    assert api.store.rows("SELECT count() FROM counts")[0][0] == 0, "the table is still there"


def test_hostile_name_of_a_stream_or_customer_is_only_a_name(fresh: Api) -> None:
    operator = keys.create_key(fresh.store, keys.OPERATOR, "", NOW * 1000)
    names = [value for value in HOSTILE if value and len(value) < 250]
    fresh.put([Row(NOW, delivered=place, stream=name, customer=name) for place, name in enumerate(names, 1)])
    for delivered, name in enumerate(names, 1):
        asked = {"metric": ["failure", "exposure"], "window": "1h", "customer": name, "scope": f"stream:{name}"}
        answer = fresh.get("/v1/rates", operator, **asked)
        assert answer.status_code == 200, (name, answer.text)
        series = answer.json()["series"]
        assert [each["points"][-1]["window"]["denominator"] for each in series] == [delivered] * 2, name
        standing = fresh.get("/v1/standing", operator, customer=name).json()
        assert standing["customer"] == name
        assert standing["scopes"][0]["rates"]["failure"]["denominator"] == delivered, name


def test_query_that_is_not_utf_8_is_no_error_of_ours(api: Api) -> None:
    for query in ("metric=%ff%fe", "metric=failure&scope=stream:%ed%a0%80", "%00=1", "metric=failure&&&=&a[]=1"):
        answer = api.client.get(f"/v1/rates?{query}", headers={"Authorization": f"Bearer {api.key}"})
        assert answer.status_code in {200, 422}, query


def test_key_that_is_not_ascii_is_unauthorized(api: Api) -> None:
    problem(api.client.get("/v1/standing", headers={"Authorization": b"Bearer \xff\xfe\x80"}), 401)


def test_body_that_is_no_text_is_refused_like_one_that_is_no_json(fresh: Api) -> None:
    """It was 400, which no route is documented to answer."""
    operator = keys.create_key(fresh.store, keys.OPERATOR, "", NOW * 1000, ["act"])
    for body in (b"\xd7\x1d\\", b"{", b""):
        answer = fresh.client.post(
            "/v1/suspensions",
            content=body,
            headers={"Authorization": f"Bearer {operator}", "Content-Type": "application/json"},
        )
        assert [each["parameter"] for each in problem(answer, 422)["errors"]] == ["body"]


def test_longest_range_has_few_points(api: Api) -> None:
    series = api.rates(metric="failure", window="30d", **{"from": str((NOW - 369 * DAY) * 1000)})
    assert (series["step_s"], len(series["points"])) == (DAY, 370)


@pytest.mark.parametrize(("path", "method", "status"), [("/nope", "GET", 404), ("/v1/standing", "POST", 405)])
def test_unknown_path_or_method_is_a_problem(api: Api, path: str, method: str, status: int) -> None:
    problem(api.client.request(method, path), status)


@pytest.mark.parametrize("path", ["/v1/standing", "/v1/rates?metric=failure"])
def test_store_that_is_down_gives_503_and_says_when_to_try_again(fresh: Api, path: str) -> None:
    """Nothing is said of its address."""
    fresh.close_after_each_answer()
    assert fresh.get("/v1/standing").status_code == 200
    fresh.server.stop()
    for _ in range(2):
        answer = fresh.get(path)
        assert problem(answer, 503)["detail"] == "the store does not answer; try again"
        assert answer.headers["retry-after"] == str(RETRY_AFTER_S)
        assert str(fresh.server.port) not in answer.text


def test_health_names_the_store_that_is_down_and_nothing_of_its_address(fresh: Api) -> None:
    fresh.close_after_each_answer()
    assert fresh.client.get("/healthz").json() == {"status": "ok", "stage": "api", "failing": []}
    fresh.server.stop()
    answer = fresh.client.get("/healthz")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, str(RETRY_AFTER_S))
    assert [each["part"] for each in answer.json()["failing"]] == ["store"]
    assert str(fresh.server.port) not in answer.text
    assert 'repmon_health_failing{part="store",stage="api"} 1.0' in fresh.client.get("/metrics").text
    assert fresh.client.get("/livez").status_code == 200, "to be restarted would not help"


def test_answer_about_a_customer_is_kept_by_nobody_but_who_asked(api: Api) -> None:
    """And asked for again each time; a refusal is not kept at all."""
    for path in ("/v1/standing", "/v1/rates?metric=failure"):
        assert api.get(path).headers["cache-control"] == "private, no-cache"
    for path in ("/v1/rates", "/v1/standing?customer=rival"):
        assert api.get(path).headers["cache-control"] == "no-store"


# Keys in the store


def test_key_is_stored_as_its_hash_alone(fresh: Api) -> None:
    key = keys.create_key(fresh.store, "acme", "for the dashboard", NOW * 1000)
    found = fresh.store.rows("SELECT * FROM api_keys WHERE label = 'for the dashboard'")
    assert len(found) == 1
    assert hashlib.sha256(key.encode()).hexdigest() in found[0]
    text = " ".join(str(value) for value in found[0])
    assert key not in text
    assert key.removeprefix("rmk_") not in text


def test_keys_are_listed_with_what_became_of_them(fresh: Api) -> None:
    key = keys.create_key(fresh.store, "rival", "old", NOW * 1000 + 5)
    before = {each.label: (each.customer, each.revoked) for each in keys.list_keys(fresh.store)}
    owner = keys.revoke(fresh.store, key, 0)
    assert before == {"": ("acme", False), "old": ("rival", False)}
    assert {each.label: each.revoked for each in keys.list_keys(fresh.store)} == {"": False, "old": True}
    assert keys.list_keys(fresh.store)[1].created == datetime.fromtimestamp(NOW + 0.005, UTC)
    assert keys.revoke(fresh.store, owner.id, NOW * 1000) == owner, "by its id, and a second time"
    assert keys.find(fresh.store, key) is None
    assert keys.find(fresh.store, fresh.key) is not None


def test_revoking_names_what_it_cannot_find(fresh: Api) -> None:
    for which, words in (("rmk_" + "A" * 43, "no such key"), ("0" * 16, "no such key"), ("", "16 digits")):
        with pytest.raises(keys.ApiKeyError, match=words):
            keys.revoke(fresh.store, which, NOW * 1000)
    assert fresh.get("/v1/standing").status_code == 200


def test_customer_of_a_key_has_the_length_an_event_allows(fresh: Api) -> None:
    with pytest.raises(keys.ApiKeyError, match="256 bytes"):
        keys.create_key(fresh.store, "\N{PILE OF POO}" * 65, "", NOW * 1000)
