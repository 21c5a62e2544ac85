"""Rates that are kept in memory are those that the store says, whatever comes, is merged or taken out meanwhile."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.http import kept_rates
from api.http.access import Service
from api.http.app import create_app
from api.http.models.parameters import RatesQuery, WindowName
from api.http.part_sums import OF_METRIC
from api.http.ranges import WINDOW_S, span
from api.http.rate_counts import counted_arrays
from api.routes.rates import SeriesAsked, kept_series, series, stored_series
from schemas.settings import Api as ApiSettings
from schemas.settings import ClickHouse, Settings
from streams.io.store import QueryLimitError, Store, open_store
from tests.support.api_client import DAY, HOUR, MINUTE, NOW

pytestmark = pytest.mark.usefixtures("standing_clock")

CUSTOMERS = ("acme", "umbrella", "نور")
FORGET = "ALTER TABLE counts DELETE WHERE customer = 'acme' SETTINGS mutations_sync = 2"
_sources = itertools.count()


class Kept(NamedTuple):
    """The interface's service with a clock, and the store that it asks."""

    service: Service
    store: Store
    clock: list[int]

    def put(self, rows: list[tuple[str, int, str, int, int]]) -> None:
        """Customer, seconds before now, provider, delivered, and what else is counted."""
        columns: dict[str, list[Any]] = {
            "dimension": ["provider" for _ in rows],
            "customer": [row[0] for row in rows],
            "stream": ["news" for _ in rows],
            "bucket": [
                datetime.fromtimestamp((self.clock[0] // 1000 - row[1]) // MINUTE * MINUTE, UTC) for row in rows
            ],
            "value": [row[2] for row in rows],
            "source": [f"s{next(_sources)}" for _ in rows],
            "delivered": [row[3] for row in rows],
        }
        columns |= {name: [row[4] for row in rows] for name in ("hard", "late_soft", "block", "expired", "complained")}
        self.store.insert("counts", columns)

    def both(self, metric: Any, customer: str, window: WindowName, days: int, until: int = 0) -> tuple[Any, Any]:
        """The points that are kept, and those that the store says."""
        now = self.clock[0]
        start, end = str(now - days * DAY * 1000), str(now - until * 1000) if until else None
        cut = span(start, end, WINDOW_S[window], now, "hour")
        asked = SeriesAsked(customer, metric, RatesQuery(metric=[metric], window=window), cut, WINDOW_S[window])
        kept = asyncio.run(kept_series(self.service, asked))
        ((_, stored),) = stored_series(self.service, asked)
        assert series(self.service, asked) == [("", stored if kept is None else kept)]
        return kept, stored


def service_of(store_settings: ClickHouse, clock: list[int], age_s: float = 0.0, memory_mb: int = 2) -> Service:
    api = ApiSettings(rates_age_s=age_s, rates_memory_mb=memory_mb)
    app = create_app(lambda: open_store(store_settings), (), lambda: clock[0], settings=Settings(api=api))
    found = app.state.service
    assert isinstance(found, Service)
    return found


@pytest.fixture
def kept(store_settings: ClickHouse, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(kept_rates, "SOON_S", 0.0)
    clock = [NOW * 1000]
    service = service_of(store_settings, clock)
    yield Kept(service, store, clock)
    service.close()


rows = st.lists(
    st.tuples(
        st.sampled_from(CUSTOMERS),
        st.sampled_from([0, MINUTE, HOUR, DAY - HOUR, DAY, DAY + MINUTE, DAY + HOUR, 9 * DAY, -HOUR])
        | st.integers(0, 5 * DAY),
        st.sampled_from(["yahoo", "gmail"]),
        st.integers(0, 1000),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=6,
)
happenings = st.one_of(
    st.tuples(st.just("put"), rows),
    st.tuples(st.just("put"), rows),
    st.tuples(st.just("run"), st.sampled_from(["OPTIMIZE TABLE counts", "OPTIMIZE TABLE counts FINAL"])),
    st.tuples(st.just("run"), st.sampled_from(["TRUNCATE TABLE counts", FORGET])),
    st.tuples(st.just("wait"), st.sampled_from([1, 59, 600, 26 * 60])),
)
asked = st.tuples(
    st.sampled_from(sorted(OF_METRIC)),
    st.sampled_from(CUSTOMERS),
    st.sampled_from(["24h", "7d", "15d", "30d"]),
    st.integers(4, 30),
    st.sampled_from([0, 0, HOUR, 3 * DAY]),
)


@settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.lists(happenings, max_size=3), asked), min_size=2, max_size=5))
def test_what_is_kept_is_what_is_stored_at_every_moment(kept: Kept, moments: list[tuple[Any, Any]]) -> None:
    for happened, (metric, customer, window, days, until) in moments:
        for name, argument in happened:
            if name == "put":
                kept.put(argument)
            elif name == "run":
                kept.store.run(argument)
            else:
                kept.clock[0] += argument * MINUTE * 1000
        found, stored = kept.both(metric, customer, window, days, until)
        if found is not None:  # counts from hours ahead are not kept
            assert found == stored


@pytest.mark.parametrize("window", ["24h", "7d", "15d", "30d"])
@pytest.mark.parametrize("metric", sorted(OF_METRIC))
def test_a_month_is_kept_and_late_outcomes_and_the_next_hours_with_it(
    kept: Kept, metric: str, window: WindowName
) -> None:
    kept.put([(customer, at * 1_777, "yahoo", 90, 2) for customer in CUSTOMERS for at in range(0, 2_900, 7)])
    first, stored = kept.both(metric, "acme", window, 30)
    assert first == stored
    kept.put([("acme", 20 * DAY, "yahoo", 0, 5), ("acme", DAY - MINUTE, "yahoo", 0, 5), ("acme", 0, "gmail", 50, 5)])
    kept.clock[0] += HOUR * 1000
    later, stored = kept.both(metric, "acme", window, 30)
    assert later == stored
    assert later != first
    for customer in CUSTOMERS:
        found, stored = kept.both(metric, customer, window, 30)
        assert found == stored


def test_a_kept_rate_is_as_old_as_the_settings_allow_and_no_older(store_settings: ClickHouse, store: Store) -> None:
    clock = [NOW * 1000]
    service = service_of(store_settings, clock, age_s=3600.0)
    kept = Kept(service, store, clock)
    kept.put([("acme", 0, "yahoo", 100, 1)])
    before, stored = kept.both("failure", "acme", "24h", 1)
    assert before == stored
    kept.put([("acme", 0, "yahoo", 100, 1)])
    again, stored = kept.both("failure", "acme", "24h", 1)
    assert before == again != stored
    now = time.monotonic()
    # A request that comes in an hour is not answered with it.
    assert service.kept.get("failure", "acme", NOW // MINUTE * MINUTE + MINUTE, now) is not None
    assert service.kept.get("failure", "acme", NOW // MINUTE * MINUTE + MINUTE, now + 3601) is None
    service.close()


def test_a_customer_who_takes_more_than_a_query_may_is_asked_for_alone(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = counted_arrays

    def too_much(store: Store, customers: Sequence[str], *rest: Any) -> Any:
        if "acme" in customers:
            raise QueryLimitError("too many rows")
        return read(store, customers, *rest)

    kept.put([("acme", 0, "yahoo", 100, 1), ("umbrella", 0, "yahoo", 100, 1)])
    monkeypatch.setattr(kept_rates, "counted_arrays", too_much)
    assert kept.both("failure", "acme", "24h", 4)[0] is None
    assert kept.service.kept.want("failure", "acme", time.monotonic()) is None
    found, stored = kept.both("failure", "umbrella", "24h", 4)
    assert found == stored


def test_whoever_was_asked_for_longest_ago_makes_room(store_settings: ClickHouse, store: Store) -> None:
    clock = [NOW * 1000]
    service = service_of(store_settings, clock, memory_mb=1)
    kept = Kept(service, store, clock)
    names = [f"customer-{number}" for number in range(100)]
    kept.put([(each, 0, "yahoo", number, 1) for number, each in enumerate(names)])
    for number, each in enumerate(names):
        found, _ = kept.both("failure", each, "24h", 1) if number % 25 == 0 else (kept_only(kept, each), None)
        assert found[-1].denominator == number + 2
    there = service.kept.hourly("failure", names, 24)
    assert 50 < len(there) < 100
    assert names[0] not in there
    assert there[names[-1]].shape == (2, 24)
    assert there[names[-1]][:, -1].tolist() == [2, 101]
    service.close()


def kept_only(kept: Kept, customer: str) -> Any:
    cut = span(None, None, DAY, kept.clock[0], "hour")
    asked = SeriesAsked(customer, "failure", RatesQuery(metric=["failure"]), cut, DAY)
    return asyncio.run(kept_series(kept.service, asked))
