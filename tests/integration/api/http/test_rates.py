"""The numbers the HTTP interface answers, against sums made here from the same rows and against what is judged."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import providers
from schemas.settings import ClickHouse
from streams.io.store import Store
from streams.judge.verdict import measured
from streams.windows.current import window_counts
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Api, Row, running

pytestmark = pytest.mark.usefixtures("standing_clock")

METRICS = ("complaint", "failure", "block", "exposure")
WINDOWS = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "15d": 15 * DAY, "30d": 30 * DAY}
LOOP = providers.load_providers().with_feedback_loop()
RUNNING_ENDS = NOW // MINUTE * MINUTE + MINUTE
#: One more than the most of each measure of a random row.
MOST = dict(delivered=500, hard=20, soft=9, block=9, expired=9, late_hard=5, late_block=5, complained=6)  # noqa: C408
LISTED_IP = "192.0.2.9"


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    with running(store_settings, store) as interface:
        yield interface


def seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def wire(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def direct(rows: Sequence[Row], metric: str, start: int, end: int, exposed: tuple[int, int] = (0, 0)) -> Any:
    """Numerator and denominator of the rows' minutes in [start, end), as plain sums."""
    chosen = [row for row in rows if start <= row.at // MINUTE * MINUTE < end]

    def finished(row: Row) -> int:
        return row.delivered + row.hard + row.soft + row.block + row.expired - row.late_hard - row.late_block

    if metric == "complaint":
        looped = [row for row in chosen if row.provider in LOOP]
        return sum(row.complained for row in looped), sum(row.delivered for row in looped)
    if metric == "exposure":
        listed = [row for row in chosen if row.ip == LISTED_IP and exposed[0] <= row.at // MINUTE * MINUTE < exposed[1]]
        return sum(map(finished, listed)), sum(map(finished, chosen))
    failed = sum(row.hard + row.expired if metric == "failure" else row.block for row in chosen)
    return failed, sum(map(finished, chosen))


def numbers(rate: dict[str, Any]) -> tuple[int, int]:
    found = (rate["numerator"], rate["denominator"])
    assert rate["rate"] == (found[0] / found[1] if found[1] > 0 else None)
    return found


def traffic(back: int, seed: int, count: int = 400) -> list[Row]:
    """Rows of every kind at random seconds of the last `back` seconds."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        measures: dict[str, Any] = {name: chance.randrange(high) for name, high in MOST.items()}
        provider, ip = chance.choice(["yahoo", "gmail", "microsoft", "other"]), chance.choice(["192.0.2.1", LISTED_IP])
        at, stream = NOW - chance.randrange(back), chance.choice(["news", "receipts"])
        rows.append(Row(at, provider=provider, ip=ip, stream=stream, **measures))
    return rows


@pytest.mark.parametrize(
    ("length", "step"), [(2 * HOUR, MINUTE), (6 * HOUR, MINUTE), (3 * DAY, HOUR), (31 * DAY, HOUR), (60 * DAY, DAY)]
)
@pytest.mark.parametrize("metric", METRICS)
def test_buckets_and_their_windows_are_the_sums_of_their_minutes(api: Api, metric: str, length: int, step: int) -> None:
    rows = traffic(length + 2 * DAY, length)
    api.put(rows)
    exposed = (NOW - length // 2) // MINUTE * MINUTE, (NOW - length // 4) // MINUTE * MINUTE
    api.listing(LISTED_IP, exposed[0] + 59, "listed")
    api.listing(LISTED_IP, exposed[1], "delisted")
    asked = {"from": wire(NOW - length - HOUR), "to": wire(NOW - HOUR)}
    for scope in ("customer", "stream:news"):
        series = api.rates(metric=metric, window="24h", scope=scope, **asked)
        mine = [row for row in rows if scope in {"customer", f"stream:{row.stream}"}]
        assert series["step_s"] == step
        assert seconds(series["from"]) <= NOW - length - HOUR < seconds(series["from"]) + step
        assert [seconds(point["time"]) for point in series["points"]] == list(
            range(seconds(series["from"]), seconds(series["to"]), step)
        )
        for point in series["points"]:
            start, end = seconds(point["time"]), seconds(point["end"])
            assert end == min(start + step, RUNNING_ENDS)
            assert numbers(point) == direct(mine, metric, start, end, exposed)
            if end < RUNNING_ENDS:
                assert numbers(point["window"]) == direct(mine, metric, end - DAY, end, exposed)


@pytest.mark.parametrize("window", WINDOWS)
def test_running_window_is_the_one_that_is_judged(api: Api, window: str) -> None:
    rows = traffic(WINDOWS[window] + 2 * HOUR, 5, 3_000)
    # What lies on the edges: the minutes and hours around the window's begin, and events from clocks ahead of ours.
    edges = [NOW - WINDOWS[window] + shift for shift in (-HOUR, -2 * MINUTE, -MINUTE, 0, MINUTE, HOUR)]
    rows += [Row(at, delivered=1_000_000 * 3**place) for place, at in enumerate((*edges, NOW + 2 * MINUTE))]
    api.put(rows)
    api.listing(LISTED_IP, NOW - WINDOWS[window] // 2, "listed", "critical")
    judged = window_counts(api.store, ["acme"], {window: WINDOWS[window] * 1000}, LOOP, NOW * 1000)
    assert {each.scope for each in judged} == {"customer", "stream:news", "stream:receipts"}
    for subject in judged:
        for metric in METRICS:
            series = api.rates(metric=metric, window=window, scope=subject.scope)
            expected = measured(metric, subject.windows[window], True)  # type: ignore[arg-type]
            assert numbers(series["points"][-1]["window"]) == expected, (subject.scope, metric)
            assert expected[1] > 0


def test_standing_has_the_rates_of_the_judged_day(api: Api) -> None:
    api.put(traffic(DAY + 2 * HOUR, 6))
    api.listing(LISTED_IP, NOW - HOUR, "listed")
    judged = window_counts(api.store, ["acme"], {"24h": DAY * 1000}, LOOP, NOW * 1000)
    shown = {each["scope"]: each["rates"] for each in api.get("/v1/standing").json()["scopes"]}
    assert shown.keys() == {"customer", "stream:news", "stream:receipts"}
    for subject in judged:
        for metric in METRICS:
            expected = measured(metric, subject.windows["24h"], True)  # type: ignore[arg-type]
            assert numbers(shown[subject.scope][metric]) == expected


def test_flood_to_a_provider_without_loop_does_not_dilute_the_complaint_rate(api: Api) -> None:
    """A provider that runs no feedback loop reports no complaints, so its mail is left out."""
    api.put([Row(NOW, delivered=1_000, complained=5), Row(NOW, delivered=10_000_000, provider="gmail")])
    rate = {"numerator": 5, "denominator": 1_000, "rate": 0.005}
    assert api.rates(metric="complaint")["points"][-1]["window"] == rate
    assert api.get("/v1/standing").json()["scopes"][0]["rates"]["complaint"] == rate


def test_complaint_from_provider_without_feedback_loop_enters_no_rate(api: Api) -> None:
    api.put([Row(NOW, delivered=100, complained=9, provider="gmail")])
    assert numbers(api.rates(metric="complaint")["points"][-1]["window"]) == (0, 0)


def test_complaint_that_enters_no_rate_is_reported_with_the_standing(api: Api) -> None:
    api.put([Row(NOW, delivered=100, complained=9, provider="gmail"), Row(NOW, delivered=100, complained=2)])
    api.put([Row(NOW, complained=1, provider="other")])
    scopes = {each["scope"]: each for each in api.get("/v1/standing").json()["scopes"]}
    assert numbers(scopes["customer"]["rates"]["complaint"]) == (2, 100)
    assert scopes["customer"]["uncounted_complaints"] == 10


def test_recipient_who_bounces_after_delivery_counts_once_as_failed(api: Api) -> None:
    api.put([Row(NOW - 10 * MINUTE, delivered=100), Row(NOW, hard=4, late_hard=4, block=1, late_block=1)])
    assert numbers(api.rates(metric="failure", window="1h")["points"][-1]["window"]) == (4, 100)
    assert numbers(api.rates(metric="block", window="1h")["points"][-1]["window"]) == (1, 100)
    assert numbers(api.rates(metric="exposure", window="1h")["points"][-1]["window"]) == (0, 100)


def test_late_bounce_without_its_delivery_in_the_bucket_has_no_rate(api: Api) -> None:
    api.put([Row(NOW, hard=4, late_hard=4)])
    assert api.rates(metric="failure", window="1h")["points"][-1] | {"window": None, "time": "", "end": ""} == {
        **{"time": "", "end": "", "window": None},
        **{"numerator": 4, "denominator": 0, "rate": None},
    }


def test_mail_is_exposed_while_its_address_is_listed_and_only_then(api: Api) -> None:
    minutes = [NOW // MINUTE * MINUTE - back * MINUTE for back in (30, 20, 10)]
    api.put([Row(at, delivered=10**place, ip=LISTED_IP) for place, at in enumerate(minutes)])
    api.put([Row(at, delivered=1_000) for at in minutes])
    api.listing(LISTED_IP, minutes[1] + 30, "listed")
    api.listing(LISTED_IP, minutes[2], "delisted")
    api.listing("192.0.2.1", minutes[0], "listed", "informational")
    points = api.rates(metric="exposure", window="1h")["points"]
    assert numbers(points[-1]["window"]) == (10, 3_111)
    assert {seconds(point["time"]): numbers(point) for point in points if point["numerator"]} == {
        minutes[1]: (10, 1_010)
    }


def test_exposure_of_mail_that_was_never_listed_is_zero_not_unknown(api: Api) -> None:
    api.put([Row(NOW, delivered=9), Row(NOW, delivered=1, stream="receipts")])
    scopes = api.get("/v1/standing").json()["scopes"]
    assert [numbers(scope["rates"]["exposure"]) for scope in scopes] == [(0, 10), (0, 9), (0, 1)]
    assert numbers(api.rates(metric="exposure")["points"][-1]["window"]) == (0, 10)


def test_customer_without_mail_has_a_standing_without_rates(api: Api) -> None:
    scopes = api.get("/v1/standing").json()["scopes"]
    assert [scope["scope"] for scope in scopes] == ["customer"]
    assert scopes[0]["standing"] is None
    assert all(numbers(rate) == (0, 0) for rate in scopes[0]["rates"].values())


def test_standing_of_every_level_is_answered_as_it_was_stored_last(api: Api) -> None:
    for minutes, level in enumerate(("good", "watch", "warning", "excessive", "critical", "insufficient_volume")):
        api.judged("customer", level, NOW - HOUR + minutes * MINUTE, ["failure"])
        scope = api.get("/v1/standing").json()["scopes"][0]
        assert (scope["standing"], scope["since"]) == (level, f"2026-03-12T11:{34 + minutes}:56Z")
        assert (scope["reasons"], scope["policy_version"]) == (["failure"], "default-1")


def test_expired_mail_is_no_failure_where_the_policy_says_so(store_settings: ClickHouse, store: Store) -> None:
    with running(store_settings, store, expired_is_failure=False) as api:
        api.put([Row(NOW, delivered=97, hard=1, expired=2)])
        assert numbers(api.rates(metric="failure")["points"][-1]["window"]) == (1, 100)
        assert numbers(api.get("/v1/standing").json()["scopes"][0]["rates"]["failure"]) == (1, 100)


def test_counts_are_the_same_before_and_after_merges(api: Api) -> None:
    for seed in range(3):
        api.put(traffic(3 * DAY, seed))
    asked = {"metric": "failure", "from": wire(NOW - 3 * DAY)}
    before = api.rates(**asked)
    api.store.run("OPTIMIZE TABLE counts FINAL")
    assert api.rates(**asked) == before
