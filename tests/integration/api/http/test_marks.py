"""Who is silent, and whose mail is hardly seen, is shown so wherever a standing is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from api.explain.build import explain
from api.explain.worst import worst
from api.text.explanation import lines
from api.text.top import plain
from schemas import policy
from schemas.settings import ClickHouse
from streams.io.store import Store
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Api, Row, running
from tests.support.judging import LOOP, NOW_MS, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()
#: 12:34 of the day before.
YESTERDAY = NOW - 26 * HOUR


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    with running(store_settings, store) as interface:
        yield interface


def test_silent_customer_is_shown_as_inactive_since_the_last_mail(api: Api) -> None:
    ground = Ground(api.store)
    ground.put(Row(YESTERDAY, delivered=9_000))
    ground.judge().judge_customers(["acme"], NOW_MS)
    (scope,) = api.get("/v1/standing").json()["scopes"]
    assert (scope["standing"], scope["judged"]) == ("inactive", "good")
    assert scope["since"] == scope["inactive_since"] == "2026-03-11T10:34:00Z"
    assert scope["observable"] == {"complaint": None, "failure": None, "block": None, "exposure": None}
    (line,) = worst(api.store, POLICY, LOOP, 10, NOW_MS)
    assert (line.standing, line.since_ms) == ("inactive", YESTERDAY // MINUTE * MINUTE * 1000)
    explained = explain(api.store, "acme", POLICY, LOOP, NOW_MS, past=False)
    assert explained is not None
    said = "\n".join(lines(explained))
    assert "all mail: inactive, no mail since 2026-03-11T10:34:00.000Z; judged good since 2026-03-12T12:34:56" in said
    before = explain(api.store, "acme", POLICY, LOOP, NOW_MS - 4 * HOUR * 1000, past=True)
    assert before is not None
    assert "all mail: good" in "\n".join(lines(before))


def test_suspended_and_reinstated_customers_are_shown_as_such_also_when_silent(api: Api) -> None:
    ground = Ground(api.store)
    ground.put(Row(YESTERDAY, delivered=9_000))
    ground.judge().judge_customers(["acme"], NOW_MS)
    for suspended, shown in ((True, "suspended"), (False, "reinstated")):
        at = datetime.fromtimestamp(NOW, UTC)
        row = {"customer": "acme", "suspended": suspended, "since": at, "who": "Ida", "why": ""}
        row |= {"updated": at + timedelta(seconds=not suspended)}
        ground.store.insert("suspensions", {name: [value] for name, value in row.items()})
        (scope,) = api.get("/v1/standing").json()["scopes"]
        (line,) = worst(api.store, POLICY, LOOP, 10, NOW_MS)
        assert (scope["standing"], line.standing) == (shown, shown)
        assert scope["inactive_since"] == "2026-03-11T10:34:00Z"


def test_level_counts_for_more_than_silence(api: Api) -> None:
    ground = Ground(api.store)
    ground.put(Row(NOW - 3 * DAY, delivered=900, hard=300))
    ground.judge().judge_customers(["acme"], NOW_MS)
    (scope,) = api.get("/v1/standing").json()["scopes"]
    assert (scope["standing"], scope["inactive_since"]) == ("critical", "2026-03-09T12:34:00Z")


def test_mail_that_is_hardly_seen_is_shown_as_not_observable(api: Api) -> None:
    ground = Ground(api.store)
    ground.put(Row(NOW, delivered=59_000, hard=1_000, provider="gmail"))
    ground.judge().judge_customers(["acme"], NOW_MS)
    (scope,) = api.get("/v1/standing").json()["scopes"]
    assert (scope["standing"], scope["inactive_since"]) == ("good", None)
    assert scope["unobservable"] == [
        {"rule": "complaint", "metric": "complaint", "window": "24h", "observable": 0, "mail": 59_000}
    ]
    assert scope["observable"] == {"complaint": 0.0, "failure": 1.0, "block": 1.0, "exposure": 1.0}
    assert (scope["scores"]["complaints"], scope["scores"]["overall"]) == (None, 71)
    (line,) = worst(api.store, POLICY, LOOP, 10, NOW_MS)
    assert line.complaint.unseen == (0, 59_000)
    assert "complaints not observable (0 of 59,000)" in plain(line, NOW_MS)
    explained = explain(api.store, "acme", POLICY, LOOP, NOW_MS, past=False)
    assert explained is not None
    said = "\n".join(lines(explained))
    assert "; complaint not observable: 0 of 59,000 in 24h\n" in said
    assert "complaint: not observable: 0 of 59,000 deliveries in 24h went to providers with feedback loops" in said
