"""What a customer asks: alerts, failures, complaints, rates by part; as pages, in other formats, and of nobody else."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from api.http import keys
from schemas.alert import Acknowledgement
from tests.support.api_client import DAY, HOUR, NOW, Api, Row, running
from tests.support.api_scene import ALERT, NOON, complaint_alert, fill
from tests.support.databases import Databases

pytestmark = pytest.mark.usefixtures("standing_clock")

PATHS = (
    "/v1/standing", "/v1/allowances", "/v1/scores", "/v1/cohorts", "/v1/rates?metric=failure", "/v1/alerts",
    "/v1/failures", "/v1/complaints", "/v1/listings",
)  # fmt: skip


@pytest.fixture(scope="module")
def api(databases: Databases) -> Iterator[Api]:
    """One for all of these tests, which write nothing but what they look for themselves."""
    with databases.opened(lasting=True) as store, running(store.settings, store) as interface:
        fill(interface)
        for number in range(5):
            negative(interface, number)
        yield interface


def negative(api: Api, number: int, customer: str = "acme", **fields: Any) -> None:
    row: dict[str, Any] = {
        "customer": customer,
        "type": "bounced",
        "bounce_kind": "hard",
        "stream": "paged",
        "source": "pages",
    }
    row |= {"time": datetime.fromtimestamp(NOW - 600 + number // 2, UTC), "position": number, "id": f"p{number}"}
    row |= {"message_id": f"m{number}", "diagnostic": "=HYPERLINK(1)", "sent": NOW - HOUR, **fields}
    api.store.insert("events", {name: [value] for name, value in row.items()})


def ok(api: Api, target: str, key: str | None = None, **parameters: Any) -> dict[str, Any]:
    answer = api.get(target, key, **parameters)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_pages_have_every_row_once_though_more_come_meanwhile(api: Api) -> None:
    seen: list[str] = []
    asked: dict[str, Any] = {"stream": "paged", "limit": 2}
    for number in range(9):
        page = ok(api, "/v1/failures", **asked)
        seen += [each["message_id"] for each in page["failures"]]
        negative(api, 100 + number)  # later than all pages
        negative(api, 1)  # stored a second time
        if page["next"] is None:
            break
        asked["cursor"] = page["next"]
    assert seen == ["m4", "m3", "m2", "m1", "m0"]


def test_cursor_of_another_question_is_refused_by_name(api: Api) -> None:
    cursor = ok(api, "/v1/failures", stream="paged", limit=1)["next"]
    for target, asked in (
        ("/v1/failures", {"stream": "news"}),
        ("/v1/complaints", {"stream": "paged"}),
        ("/v1/failures", {"stream": "paged", "kind": "all"}),
    ):
        refused = api.get(target, cursor=cursor, **asked)
        assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (422, "cursor")
    for broken in ("", "x", "WyJh", "\N{PILE OF POO}", "A" * 1_000, cursor[:-3]):
        assert api.get("/v1/failures", stream="paged", cursor=broken).status_code == 422, broken


def test_failures_are_hard_ones_if_nothing_else_is_asked(api: Api) -> None:
    negative(api, 50, stream="kinds", bounce_kind="block")
    negative(api, 51, stream="kinds", type="expired", bounce_kind="")
    negative(api, 52, stream="kinds")
    negative(api, 53, stream="kinds", type="complained", bounce_kind="", feedback_type="not-spam")
    negative(api, 54, stream="kinds", type="unsubscribed", bounce_kind="")

    def kinds(**asked: Any) -> list[str]:
        return [each["kind"] for each in ok(api, "/v1/failures", stream="kinds", **asked)["failures"]]

    assert kinds() == ["hard"]
    assert kinds(kind="all") == ["hard", "expired", "block"]
    assert kinds(kind="block") == ["block"]
    assert ok(api, "/v1/complaints", stream="kinds")["complaints"] == [], "what is no complaint is none here"
    (left,) = ok(api, "/v1/complaints", stream="kinds", unsubscribed=True)["complaints"]
    assert left["type"] == "unsubscribed"


def test_csv_and_arrow_have_the_rows_of_json(api: Api) -> None:
    found = ok(api, "/v1/failures", stream="paged", limit=3)
    asked = {"Authorization": f"Bearer {api.key}"}
    target = "/v1/failures?stream=paged&limit=3"
    text = api.client.get(target, headers={**asked, "Accept": "text/csv"})
    assert text.headers["content-type"] == "text/csv; header=present; charset=utf-8"
    assert 'rel="next"' in text.headers["link"]
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert [each["message_id"] for each in rows] == [each["message_id"] for each in found["failures"]]
    assert rows[0].keys() == found["failures"][0].keys()
    assert rows[0]["diagnostic"] == "'=HYPERLINK(1)", "no formula for a spreadsheet"
    accept = "application/vnd.apache.arrow.stream, text/csv;q=0.5"
    arrow = pa.ipc.open_stream(api.client.get(target, headers={**asked, "Accept": accept}).content).read_all()
    assert [each["message_id"] for each in arrow.to_pylist()] == [each["message_id"] for each in rows]
    assert arrow.schema.field("time").type == pa.timestamp("us", "UTC")
    refused = api.client.get(target, headers={**asked, "Accept": "image/png"})
    assert (refused.status_code, refused.headers["content-type"]) == (406, "application/problem+json")


@pytest.mark.parametrize("path", [each for each in PATHS if "standing" not in each])
def test_every_list_is_given_as_a_table_with_the_same_columns_when_it_is_empty(api: Api, path: str) -> None:
    empty = keys.create_key(api.store, "nobody", "", NOW * 1000)
    heads = []
    for key in (api.key, empty):
        answer = api.client.get(path, headers={"Authorization": f"Bearer {key}", "Accept": "text/csv"})
        assert answer.status_code == 200, answer.text
        heads.append(answer.text.splitlines()[0])
    assert heads[0] == heads[1]


def test_alert_is_shown_to_its_customer_with_its_history_and_to_no_other(api: Api) -> None:
    opened = complaint_alert()
    acknowledged = msgspec.structs.replace(
        opened,
        id="later",
        time="2026-03-12T11:30:00.000Z",
        data=msgspec.structs.replace(
            opened.data,
            kind="acknowledged",
            cause=None,
            previous_level="excessive",
            transition=opened.data.transition + 1,
            acknowledged=Acknowledgement(by="Ida", why="called them", time_ms=NOW * 1000),
        ),
    )
    api.alert(acknowledged)
    alert = ok(api, f"/v1/alerts/{ALERT}")
    assert [each["kind"] for each in alert["history"]] == ["opened", "acknowledged"]
    assert alert["evidence"]["providers"][0]["name"] == "yahoo"
    assert "Ida" not in str(alert)
    stranger = keys.create_key(api.store, "rival", "", NOW * 1000)
    for path in (f"/v1/alerts/{ALERT}", f"/v1/explain/{ALERT}"):
        unknown = api.get(path.replace(ALERT, "0" * 32), stranger)
        foreign = api.get(path, stranger)
        assert (foreign.status_code, unknown.status_code) == (404, 404)
        assert foreign.json()["detail"].replace(ALERT, "") == unknown.json()["detail"].replace("0" * 32, "")
    assert ok(api, "/v1/alerts", stranger)["alerts"] == []
    assert api.get("/v1/alerts/99e4").status_code == 422, "no prefix: it would tell what others have"


def test_alerts_are_filtered(api: Api) -> None:
    def ids(**asked: Any) -> list[str]:
        return [each["alert_id"] for each in ok(api, "/v1/alerts", **asked)["alerts"]]

    assert ids() == ids(state="open") == ids(level="warning") == ids(rule="complaint", scope="customer") == [ALERT]
    assert ids(state="resolved") == ids(level="critical") == ids(rule="failure") == []
    assert ids(to=str((NOON - 2 * HOUR) * 1000)) == []


def test_explanation_counts_the_rule_again(api: Api) -> None:
    found = ok(api, f"/v1/explain/{ALERT}")
    day = next(each for each in found["windows"] if each["window"] == "24h")
    assert (day["numerator"], day["denominator"]) == (67, 12_000)
    assert (found["level"], found["alert_level"], found["window"]) == ("excessive", "excessive", "24h")
    assert found["allowance"] is None or found["allowance"]["level"] == "critical"


def test_no_key_of_a_customer_asks_about_another(api: Api) -> None:
    for path in PATHS:
        separator = "&" if "?" in path else "?"
        assert api.get(f"{path}{separator}customer=rival").status_code == 403, path
        assert api.get(f"{path}{separator}customer=acme").status_code == 200, path


# Rates, broken down


def series(api: Api, **asked: Any) -> dict[tuple[str, str | None], dict[str, Any]]:
    found = ok(api, "/v1/rates", **{"window": "24h", **asked})
    return {(each["metric"], each["value"]): each["points"][-1]["window"] for each in found["series"]}


@pytest.fixture(scope="module")
def parts(databases: Databases) -> Iterator[Api]:
    """Mail of two providers, addresses and sub-accounts."""
    with databases.opened(lasting=True) as store, running(store.settings, store) as interface:
        at = NOW - 5 * HOUR
        interface.put(
            [
                Row(at, 1_000, hard=10, complained=3, stream="eu/news"),
                Row(at, 500, hard=50, provider="gmail", ip="192.0.2.2", stream="us/news"),
                Row(at, 100, complained=9, provider="gmail", ip="192.0.2.2", stream="receipts"),
                Row(at - 40 * DAY, 100, hard=25, stream="receipts"),
            ]
        )
        event: dict[str, Any] = {"stream": "eu/news", "time": datetime.fromtimestamp(NOW - HOUR, UTC), "sent": at}
        for place, name in enumerate(("spring", "spring", "autumn")):
            negative(interface, place, campaign=name, bounce_class="invalid_recipient", **event)
        yield interface


def counted(numbers: dict[str, Any]) -> tuple[int, int]:
    return numbers["numerator"], numbers["denominator"]


def test_several_metrics_come_in_one_answer(parts: Api) -> None:
    found = series(parts, metric=["failure", "complaint"])
    assert list(found) == [("failure", None), ("complaint", None)]
    assert counted(found["failure", None]) == (60, 1_660)
    assert counted(found["complaint", None]) == (3, 1_000), "of providers that send complaints back"


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("provider", {"yahoo": (10, 1_010), "gmail": (50, 650)}),
        ("ip", {"192.0.2.1": (10, 1_010), "192.0.2.2": (50, 650)}),
        ("stream", {"eu/news": (10, 1_010), "us/news": (50, 550), "receipts": (0, 100)}),
        ("sub_account", {"eu": (10, 1_010), "us": (50, 550), "": (0, 100)}),
        ("class", {"transactional": (60, 1_660)}),
        ("campaign", {"spring": (2, 1_660), "autumn": (1, 1_660)}),
        ("bounce_class", {"invalid_recipient": (3, 1_660)}),
    ],
)
def test_rate_is_broken_down_and_the_parts_make_the_whole(
    parts: Api, by: str, expected: dict[str, tuple[int, int]]
) -> None:
    found = series(parts, metric="failure", by=by)
    assert {value: counted(each) for (_, value), each in found.items()} == expected


def test_complaints_by_address_are_of_all_deliveries(parts: Api) -> None:
    found = series(parts, metric="complaint", by="ip")
    assert {value: counted(each) for (_, value), each in found.items()} == {
        "192.0.2.1": (3, 1_000),
        "192.0.2.2": (9, 600),
    }


def test_only_the_values_with_most_mail_come(parts: Api) -> None:
    assert [value for _, value in series(parts, metric="failure", by="stream", top=2)] == ["eu/news", "us/news"]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("sub_account:eu", (10, 1_010)), ("class:bulk", (0, 0)), ("class:transactional", (60, 1_660))],
)
def test_rate_is_of_a_part_of_the_mail(parts: Api, scope: str, expected: tuple[int, int]) -> None:
    assert counted(series(parts, metric="failure", scope=scope)["failure", None]) == expected


def test_months_are_those_of_the_calendar(parts: Api) -> None:
    found = ok(parts, "/v1/rates", metric="failure", step="month", **{"from": "2026-01-15T00:00:00Z"})
    (only,) = found["series"]
    assert (found["step"], found["step_s"]) == ("month", None)
    assert [(each["time"][:10], counted(each)) for each in only["points"]] == [
        ("2026-01-01", (25, 125)),
        ("2026-02-01", (0, 0)),
        ("2026-03-01", (60, 1_660)),
    ]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"step": "minute", "from": str((NOW - 300 * DAY) * 1000)}, "step"),
        ({"by": "stream", "top": 50, "step": "hour", "from": str((NOW - 60 * DAY) * 1000)}, "top"),
        ({"by": "stream", "top": 51}, "top"),
        ({"by": "planet"}, "by"),
        ({"metric": "exposure", "by": "provider"}, "by"),
        ({"metric": "complaint", "by": "bounce_class"}, "by"),
        ({"step": "decade"}, "step"),
    ],
)
def test_what_cannot_be_broken_down_or_makes_too_many_points_is_refused(
    parts: Api, asked: dict[str, Any], named: str
) -> None:
    refused = parts.get("/v1/rates", **{"metric": "failure", **asked})
    assert refused.status_code == 422, refused.text
    assert [each["parameter"] for each in refused.json()["errors"]] == [named]
