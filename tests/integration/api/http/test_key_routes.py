"""Keys made, rotated and revoked over HTTP: never with more than the key that does it may, and on record."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.http import keys
from api.http.key_lookups import FRESH_MS
from jobs.operator.audit import entries
from schemas.settings import ClickHouse
from streams.io.store import Store
from tests.support.api_client import NOW, Api, running
from tests.support.problems import problem

pytestmark = pytest.mark.usefixtures("standing_clock")
WHY = {"why": "asked"}


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    """Asked with the key of an operator who may keep keys and read."""
    with running(store_settings, store) as interface:
        interface.key = keys.create_key(store, keys.OPERATOR, "Ida", NOW * 1000, ["keys", "read"])
        yield interface


def post(api: Api, path: str, body: dict[str, Any]) -> Any:
    return api.client.post(path, json=body, headers={"Authorization": f"Bearer {api.key}"})


def test_key_that_is_made_works_at_once_for_its_customer_alone_and_is_on_record(api: Api) -> None:
    made = post(api, "/v1/keys", {"customer": "calm", "label": "page", "expires": str((NOW + 60) * 1000), **WHY})
    assert made.headers["cache-control"] == "no-store"
    new = made.json()
    assert api.get("/v1/standing", new["key"]).json()["customer"] == "calm"
    assert api.get("/v1/standing", new["key"], customer="acme").status_code == 403
    (entry,) = entries(api.store, 0, 10, verdicts=False)
    assert (entry.action, entry.customer, entry.subject, entry.why) == ("key made", "calm", new["id"], "asked")
    assert entry.who.startswith("Ida (key ")
    assert new["key"] not in str(entry)
    api.clock[0] += 60_000
    problem(api.get("/v1/standing", new["key"]), 401)


def test_nobody_gets_a_key_that_may_more_than_their_own(api: Api) -> None:
    refused = problem(post(api, "/v1/keys", {"scopes": ["read", "act"], **WHY}), 422)
    assert refused["errors"] == [{"parameter": "scopes", "detail": "your own key has not the scope act"}]
    strong = keys.create_key(api.store, keys.OPERATOR, "", NOW * 1000, ["act", "policy"])
    refused = problem(post(api, f"/v1/keys/{keys.key_id(strong)}/rotate", WHY), 422)
    assert refused["detail"] == "this key may do more than you may: act, policy"
    assert len(keys.list_keys(api.store)) == 3


def test_rotated_key_leaves_the_old_one_good_for_a_while(api: Api) -> None:
    old = keys.create_key(api.store, "calm", "", NOW * 1000)
    new = post(api, f"/v1/keys/{keys.key_id(old)}/rotate", {"grace_s": 60, **WHY}).json()
    assert new["replaces"] == keys.key_id(old)
    assert [api.get("/v1/scores", key).status_code for key in (old, new["key"])] == [200, 200]
    api.clock[0] += 60_000
    assert [api.get("/v1/scores", key).status_code for key in (old, new["key"])] == [401, 200]


def test_key_that_is_revoked_is_refused(api: Api) -> None:
    key = keys.create_key(api.store, "calm", "", NOW * 1000)
    assert api.get("/v1/scores", key).status_code == 200
    done = post(api, f"/v1/keys/{keys.key_id(key)}/revoke", WHY).json()
    assert (done["action"], done["customers"]) == ("key revoked", ["calm"])
    api.clock[0] += FRESH_MS
    problem(api.get("/v1/scores", key), 401)


def test_what_is_no_key_is_told_so(api: Api) -> None:
    for verb in ("rotate", "revoke"):
        problem(post(api, f"/v1/keys/{'0' * 16}/{verb}", WHY), 404)
        problem(post(api, f"/v1/keys/{api.key}/{verb}", WHY), 422)
    problem(post(api, "/v1/keys", {"customer": "calm", "scopes": ["keys"], **WHY}), 422)
    for value in (False, "60", 1.5, None):
        refused = problem(post(api, f"/v1/keys/{keys.key_id(api.key)}/rotate", {"grace_s": value, **WHY}), 422)
        assert refused["errors"][0]["parameter"] == "grace_s"
    problem(post(api, "/v1/keys", {"expires": "yesterday", **WHY}), 422)
    for past in ("1", "", "2026-01-01T00:00:00Z"):
        problem(post(api, "/v1/keys", {"expires": past, **WHY}), 422)
