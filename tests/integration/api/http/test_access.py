"""Which key gets past the door of which route: every route of the document, those of tomorrow too."""

from collections.abc import Iterator

import pytest

from api.http import keys
from api.http.key_lookups import FRESH_MS
from api.http.scopes import SCOPES
from tests.support.api_client import NOW, Api, running
from tests.support.databases import Databases
from tests.support.problems import problem

pytestmark = pytest.mark.usefixtures("standing_clock")
#: What customers may ask of themselves. Everything else is for operators.
CUSTOMERS = {
    "/v1/standing", "/v1/allowances", "/v1/scores", "/v1/cohorts", "/v1/rates", "/v1/alerts", "/v1/alerts/{alert_id}",
    "/v1/explain/{alert_id}", "/v1/failures", "/v1/complaints", "/v1/listings", "/v1/badge.svg", "/v1/sparkline.svg",
}  # fmt: skip


@pytest.fixture(scope="module")
def api(databases: Databases) -> Iterator[Api]:
    with databases.opened(lasting=True) as store, running(store.settings, store) as interface:
        yield interface


def operations(api: Api) -> Iterator[tuple[str, str, str]]:
    """Method, path as it is documented, and an address of it."""
    for path, methods in api.client.get("/openapi.json").json()["paths"].items():
        if path.startswith("/v1/"):
            for method in methods:
                yield method, path, path.replace("{alert_id}", "0" * 32).replace("{name}", "0" * 16)


def scope_of(method: str, path: str) -> str:
    if path.startswith("/v1/keys"):
        return "keys"
    if method == "get":
        return "read"
    return "policy" if path.startswith("/v1/policy") else "act"


def test_every_route_wants_a_key_with_one_scope(api: Api) -> None:
    """And customers get no further than their own."""
    single = {scope: keys.create_key(api.store, keys.OPERATOR, "", NOW * 1000, [scope]) for scope in SCOPES}
    for method, path, address in operations(api):
        problem(api.client.request(method, address), 401)
        answer = api.client.request(method, address, headers={"Authorization": f"Bearer {api.key}"})
        if path in CUSTOMERS and method == "get":
            assert answer.status_code in {200, 404, 422}, path
        else:
            assert problem(answer, 403)["detail"] == "this is for operators' keys only", path
        passed = set()
        for scope, key in single.items():
            answer = api.client.request(method, address, headers={"Authorization": f"Bearer {key}"})
            if answer.status_code == 403:
                assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
            else:
                passed.add(scope)
        assert passed == {scope_of(method, path)}, path


def test_parameter_that_no_route_has_is_refused_by_name(api: Api) -> None:
    key = keys.create_key(api.store, keys.OPERATOR, "", NOW * 1000, SCOPES)
    for method, path, address in operations(api):
        answer = api.client.request(
            method, address, params={"no_such_parameter": "1"}, headers={"Authorization": f"Bearer {key}"}
        )
        if method == "get":
            named = [each["parameter"] for each in problem(answer, 422)["errors"]]
            assert "no_such_parameter" in named, path


def test_key_that_is_revoked_is_refused_by_every_process_a_second_later(api: Api, databases: Databases) -> None:
    key = keys.create_key(api.store, "acme", "", NOW * 1000)
    with running(api.store.settings, api.store) as other:
        both = (api, other)
        assert [each.get("/v1/scores", key).status_code for each in both] == [200, 200]
        keys.revoke(api.store, key, NOW * 1000)
        for each in both:
            each.clock[0] += FRESH_MS
        assert [each.get("/v1/scores", key).status_code for each in both] == [401, 401]
