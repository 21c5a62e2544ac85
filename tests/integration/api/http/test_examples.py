"""Every example of the reference is what the interface really answers to the request next to it."""

import re
import shlex
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
import pytest

from api.http import reference
from jobs.poll.reading import ProviderReading
from jobs.poll.stored import store_readings
from schemas.alert import AlertEvent, Baseline, Evidence, Share
from schemas.counts import SubjectCounts, WindowCounts
from schemas.policy import load_policy
from schemas.settings import ClickHouse, Ingest
from streams.alerts.describe import alert_event
from streams.alerts.lifecycle import step
from streams.io.store import Store
from streams.judge.verdict import judge
from tests.support.api_client import HOUR, MINUTE, NOW, Api, Row, running

pytestmark = pytest.mark.usefixtures("standing_clock")

NOON = NOW // HOUR * HOUR
#: As policies are named; a fixed one, so that the examples stay when the built-in policy changes.
VERSION = "default@80835b0676a2"
PATHS = ("/v1/standing", "/v1/rates", "/v1/scores", "/v1/cohorts", "/v1/listings")


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    """The store that the examples show."""
    with running(store_settings, store) as interface:
        interface.put(
            [
                Row(NOON - 2 * HOUR, 9_000, hard=20, block=30, complained=60),
                Row(NOON - 2 * HOUR, 12_000, hard=40, provider="gmail"),
                Row(NOON - MINUTE, 1_000, complained=3),
                Row(NOON, 1_200, hard=2, complained=4),
                Row(NOON, 800, stream="receipts"),
            ]
        )
        interface.listing("192.0.2.1", NOON, "listed")
        interface.complained(NOON, 1, NOON)
        interface.complained(NOON, 1)
        interface.judged(
            "customer", "excessive", NOON - HOUR, ["complaint"], scores=(38, 38, 90, 98, 75), policy_version=VERSION
        )
        interface.judged(
            "stream:news", "excessive", NOON - HOUR, ["complaint"], scores=(38, 38, 89, 98, 84), policy_version=VERSION
        )
        interface.judged("stream:receipts", "insufficient_volume", NOON, policy_version=VERSION)
        interface.alert(complaint_alert())
        reported = ProviderReading(
            source="postmaster", resource="news.acme.example", day=date(2026, 3, 10), measure="spam_rate", rate=0.0012
        )
        store_readings(store, [reported], Ingest(domain_owners={"acme.example": "acme"}), NOW)
        yield interface


def complaint_alert() -> AlertEvent:
    """As a monitor sends it for 60 complaints among 9,000 deliveries, at 11:00:07."""
    policy = load_policy()
    opened_ms = (NOON - HOUR + 7) * 1000
    counts = WindowCounts(fbl_complained=60, fbl_delivered=9_000, delivered=18_000)
    windows = dict.fromkeys(policy.windows, counts)
    judgement = judge(SubjectCounts(customer="acme", scope="customer", windows=windows), policy, opened_ms)
    verdict = next(each for each in judgement.verdicts if each.rule == "complaint")
    _, transition = step(None, verdict, opened_ms, 0, "acme", "customer")
    assert transition is not None
    evidence = Evidence(
        providers=(Share(name="yahoo", count=60, volume=9_000),),
        ips=(Share(name="192.0.2.1", count=60, volume=9_000),),
        sample_message_ids=("20260312.88@mta1.esp.example",),
        campaigns=(Share(name="spring", count=60),),
        began="2026-03-12T10:00:00.000Z",
        baseline=Baseline(days=30, numerator=120, denominator=200_000),
    )
    named = msgspec.structs.replace(judgement, policy_version=VERSION)
    return alert_event(transition, verdict, named, evidence, policy)


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
