"""Every example of the reference is what the interface really answers to the request next to it."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from api.http import reference
from schemas.alert import AlertData, AlertEvent, Baseline, Evidence, Share
from schemas.settings import ClickHouse
from streams.io.store import Store
from tests.support.api_client import HOUR, MINUTE, NOW, Api, Row, running

pytestmark = pytest.mark.usefixtures("standing_clock")

NOON = NOW // HOUR * HOUR
PATHS = ("/v1/standing", "/v1/rates", "/v1/scores", "/v1/cohorts", "/v1/listings")


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    """The store that the examples show."""
    with running(store_settings, store) as interface:
        interface.put(
            [
                Row(NOON - 2 * HOUR, 9_000, hard=20, block=30, complained=40),
                Row(NOON - 2 * HOUR, 12_000, hard=40, provider="gmail"),
                Row(NOON - MINUTE, 1_000, complained=3),
                Row(NOON, 1_200, hard=2, complained=4),
                Row(NOON, 800, stream="receipts"),
            ]
        )
        interface.listing("192.0.2.1", NOON, "listed")
        interface.complained(NOON, 1, NOON)
        interface.complained(NOON, 1)
        interface.judged("customer", "excessive", NOON - HOUR, ["complaint"], scores=(38, 38, 90, 98, 75))
        interface.judged("stream:news", "excessive", NOON - HOUR, ["complaint"], scores=(38, 38, 89, 98, 84))
        interface.judged("stream:receipts", "insufficient_volume", NOON)
        interface.alert(complaint_alert())
        yield interface


def complaint_alert() -> AlertEvent:
    data = AlertData(
        alert_id="5d0c8b7f3a4e4d61b0c2f7a9e1d35c48",
        customer="acme",
        scope="customer",
        rule="complaint",
        metric="complaint",
        kind="opened",
        level="excessive",
        previous_level="good",
        episode=1,
        transition=1,
        window="24h",
        numerator=40,
        denominator=9_000,
        rate=0.004444,
        lower=0.003266,
        upper=0.006046,
        confidence=0.95,
        threshold=0.003,
        policy_version="default-1",
        explanation="0.44 % of 9,000 delivered in 24h complained; excessive begins at 0.3 %.",
        evidence=Evidence(
            providers=(Share(name="yahoo", count=40, volume=9_000),),
            ips=(Share(name="192.0.2.1", count=40, volume=9_000),),
            sample_message_ids=("20260312.88@mta1.esp.example",),
            campaigns=(Share(name="spring", count=40),),
            began="2026-03-12T10:00:00.000Z",
            baseline=Baseline(days=30, numerator=120, denominator=200_000),
        ),
    )
    return AlertEvent(
        id="a1", type="org.repmon.alert.opened.v1", subject="acme", time="2026-03-12T11:00:07Z", data=data
    )


def documented(api: Api, status: str) -> dict[str, Any]:
    """The example of each path that answers with `status`."""
    paths = api.client.get("/openapi.json").json()["paths"]
    return {
        path: content["example"]
        for path, methods in paths.items()
        for content in methods["get"]["responses"].get(status, {}).get("content", {}).values()
        if "example" in content
    }


def test_every_answer_is_documented_by_what_is_answered(api: Api) -> None:
    document = api.client.get("/openapi.json").json()
    examples = documented(api, "200")
    assert examples.keys() == document["paths"].keys()
    for path, example in examples.items():
        command = shlex.split(reference.curl(path, document["paths"][path]["get"]))
        asked = command[-1].removeprefix("$REPMON_URL")
        assert asked.startswith(path)
        assert api.get(asked).json() == example


def test_every_refusal_is_documented_by_what_is_answered(api: Api) -> None:
    answers = {
        "401": api.client.get("/v1/standing"),
        "403": api.get("/v1/standing?customer=rival"),
        "422": api.get("/v1/rates?metric=spam"),
    }
    api.close_after_each_answer()
    for status, answer in answers.items():
        assert str(answer.status_code) == status
        assert documented(api, status) == dict.fromkeys(PATHS, answer.json())
    api.server.stop()
    assert documented(api, "503").keys() == {*PATHS, "/healthz"}


def test_reference_page_tells_everything_and_loads_nothing(api: Api) -> None:
    document = api.client.get("/openapi.json").json()
    answer = api.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = answer.text
    assert not re.findall(r"<(?:script|link|img|iframe)|@import|url\(|https?://", page)
    for path, operations in document["paths"].items():
        assert f"</b> {path}</code>" in page
        for parameter in operations["get"].get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in page
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets
    assert targets <= set(re.findall(r'id="([^"]+)"', page)), "every link leads somewhere"
