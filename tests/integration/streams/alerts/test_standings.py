"""Scores are stored with the standings, the last of each day is kept, and a customer sees its own."""

from collections.abc import Iterator

import pytest

from schemas import policy
from schemas.settings import ClickHouse
from streams.alerts.standings import SCORE_COLUMNS
from streams.io.store import Store
from streams.judge.score import SCORES, score_of
from tests.support.api_client import DAY, HOUR, NOW, Api, Row, running
from tests.support.judging import CUSTOMERS, NOW_MS, Ground, fresh, traffic

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()
STORED = f"SELECT customer, scope, {', '.join(SCORE_COLUMNS)} FROM standings FINAL"  # noqa: S608 - names of this project
DAYS = "SELECT toString(day), failures_score FROM scores FINAL WHERE scope = 'customer' ORDER BY day"


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    with running(store_settings, store) as interface:
        yield interface


def test_stored_scores_are_those_of_each_subject_by_itself(ground: Ground) -> None:
    ground.put(*traffic(7, 400))
    ground.listed("192.0.2.3", HOUR // 2, "critical")
    ground.judge().judge_customers(CUSTOMERS, NOW_MS)
    stored = {(row[0], row[1]): dict(zip(SCORES, row[2:], strict=True)) for row in ground.store.rows(STORED)}
    alone = {(each.customer, each.scope): score_of(each, POLICY) for each in fresh(ground, CUSTOMERS, NOW_MS)}
    assert stored == alone
    assert len({each["failures"] for each in stored.values()}) > 3, "a test that could not fail"


def test_last_scores_of_each_day_are_kept(ground: Ground) -> None:
    judge = ground.judge()
    ground.put(Row(NOW - 2 * DAY, delivered=9_900, hard=100))
    judge.judge_customers(["acme"], NOW_MS - 2 * DAY * 1000)
    ground.put(Row(NOW - 2 * DAY + HOUR, delivered=100, hard=900))
    judge.judge_customers(["acme"], NOW_MS - 2 * DAY * 1000 + HOUR * 1000)
    ground.put(Row(NOW, delivered=90_000))
    judge.judge_customers(["acme"], NOW_MS)
    (first, bad), (last, better) = [tuple(row) for row in ground.store.rows(DAYS)]
    assert (first, last) == ("2026-03-10", "2026-03-12")
    assert bad < 40 < better


def test_customer_who_stopped_sending_has_no_score_any_more(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=300))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    judge.judge_customers(["acme"], NOW_MS + 40 * DAY * 1000)
    assert [row[2:] for row in ground.store.rows(STORED)] == [(None,) * 5]


def scored(api: Api, days_ago: int, overall: int, scope: str = "customer") -> None:
    api.judged(scope, "good", NOW - days_ago * DAY, scores=(overall, 100, overall, 100, 100))


def test_history_is_reported_day_by_day_and_only_the_days_asked_for(api: Api) -> None:
    for days_ago, overall in ((40, 50), (20, 60), (1, 70), (0, 80)):
        scored(api, days_ago, overall)
    scored(api, 1, 10, "stream:news")

    def reported(query: str = "") -> list[tuple[str, int]]:
        return [(each["day"], each["overall"]) for each in api.get(f"/v1/scores{query}").json()["days"]]

    assert reported() == [("2026-02-20", 60), ("2026-03-11", 70), ("2026-03-12", 80)]
    assert reported("?from=2026-03-11T23:00:00Z") == [("2026-03-11", 70), ("2026-03-12", 80)]
    assert reported("?to=2026-03-11T00:00:00Z") == [("2026-02-20", 60), ("2026-03-11", 70)]
    assert reported("?scope=stream:news") == [("2026-03-11", 10)]
    scored(api, 1, 20, "class:bulk")
    assert reported("?scope=class:bulk") == [("2026-03-11", 20)]
    assert reported("?scope=class:transactional") == []
    scored(api, 1, 30, "sub_account:eu")
    assert reported("?scope=sub_account:eu") == [("2026-03-11", 30)]


def test_another_customers_scores_are_never_answered(api: Api) -> None:
    scored(api, 0, 80)
    api.store.run("INSERT INTO standings SELECT * REPLACE ('rival' AS customer, 13 AS overall_score) FROM standings")
    assert api.get("/v1/scores?customer=rival").status_code == 403
    assert [each["overall"] for each in api.get("/v1/scores").json()["days"]] == [80]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("from=2026-03-13T00:00:00Z", "from"),
        ("from=2026-03-11T00:00:00Z&to=2026-03-10T00:00:00Z", "from"),
        ("from=2024-03-11T00:00:00Z", "from"),
        ("from=yesterday", "from"),
        ("to=1e9", "to"),
        ("to=-999999999999999", "to"),
        ("scope=all", "scope"),
        ("scope=class:other", "scope"),
        ("scope=pool:shared", "scope"),
        ("days=3", "days"),
    ],
)
def test_question_that_cannot_be_asked_names_the_parameter(api: Api, query: str, parameter: str) -> None:
    answer = api.get(f"/v1/scores?{query}")
    assert answer.status_code == 422
    assert [each["parameter"] for each in answer.json()["errors"]] == [parameter]
