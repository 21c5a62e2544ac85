"""Rows that say `too_small`, as standings did before, are read as `insufficient_volume` wherever they are read."""

from collections.abc import Iterator

import numpy as np
import pytest

from api.explain.worst import worst
from schemas import policy
from schemas.settings import ClickHouse
from streams.alerts.standings import COLUMNS, Rows, Standings
from streams.io.store import Store
from streams.monitor.batch import NOT_GOOD
from tests.support.api_client import HOUR, NOW, Api, Row, running

pytestmark = pytest.mark.usefixtures("standing_clock")

WRITTEN = "SELECT scope, standing, toUnixTimestamp(since) FROM standings FINAL ORDER BY scope"


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    with running(store_settings, store) as interface:
        interface.put([Row(NOW - HOUR, 3)])
        interface.judged("customer", "too_small", NOW - HOUR)
        interface.judged("stream:news", "too_small", NOW - HOUR)
        yield interface


def test_old_standing_is_answered_by_its_new_name(api: Api) -> None:
    scopes = api.get("/v1/standing").json()["scopes"]
    assert {(each["standing"], each["judged"]) for each in scopes} == {("insufficient_volume", "insufficient_volume")}
    assert [each["standing"] for each in api.get("/v1/scores").json()["days"]] == ["insufficient_volume"]


def test_old_standing_is_printed_by_its_new_name_and_its_streams_are_no_bad_ones(api: Api) -> None:
    lines = worst(api.store, policy.load_policy(), (), 10, NOW * 1000)
    assert [(line.scope, line.standing) for line in lines] == [("customer", "insufficient_volume")]
    assert api.store.rows(NOT_GOOD) == []


def test_old_standing_goes_on_where_nothing_changes(api: Api) -> None:
    """Neither a change of standing nor another `since`: only a row with the new name."""
    subject = ("acme", "customer")
    rows = Rows([subject], ["insufficient_volume"], [()], np.zeros((1, len(COLUMNS))))
    Standings(api.store, policy.load_policy(), 15_000, 10).show(rows, NOW * 1000)
    assert api.store.rows(WRITTEN)[0] == ("customer", "insufficient_volume", NOW - HOUR)
