"""A fleet of which every route has something to answer, and the requests that the reference shows.

`python -m tests.support.api_scene` writes the answers down (`make examples`).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from api.http import keys
from api.http.examples import FILE, Example
from jobs.poll.reading import ProviderReading
from jobs.poll.stored import store_readings
from schemas.alert import AlertEvent, Baseline, Evidence, Share
from schemas.counts import SubjectCounts, WindowCounts
from schemas.policy import load_policy
from schemas.settings import ClickHouse, Ingest
from streams.alerts.describe import alert_event
from streams.alerts.lifecycle import step
from streams.io.store import Store, open_store
from streams.judge.verdict import judge
from tests.support.api_client import HOUR, MINUTE, NOW, Api, Row, running
from tests.support.databases import Databases

NOON = NOW // HOUR * HOUR
#: As policies are named; a fixed one, so that the examples stay when the built-in policy changes.
VERSION = "default@80835b0676a2"
ALERT = "99e4dd8d7f9417604d77d241ec8f8cf2"
ZONE = "bl.example"

#: Method, route, what is put in its place and asked, and the body. Routes of operators are asked with their key.
REQUESTS: tuple[Example, ...] = (
    Example(method="get", path="/v1/standing", target="/v1/standing"),
    Example(method="get", path="/v1/allowances", target="/v1/allowances"),
    Example(method="get", path="/v1/scores", target="/v1/scores?from=2026-03-11T00:00:00Z"),
    Example(method="get", path="/v1/cohorts", target="/v1/cohorts?days=2"),
    Example(
        method="get",
        path="/v1/rates",
        target="/v1/rates?metric=complaint&from=2026-03-12T12:00:00Z&to=2026-03-12T12:02:00Z",
    ),
    Example(method="get", path="/v1/alerts", target="/v1/alerts?state=open"),
    Example(method="get", path="/v1/alerts/{alert_id}", target=f"/v1/alerts/{ALERT}"),
    Example(method="get", path="/v1/explain/{alert_id}", target=f"/v1/explain/{ALERT}"),
    Example(method="get", path="/v1/failures", target="/v1/failures?limit=1"),
    Example(method="get", path="/v1/complaints", target="/v1/complaints?limit=1"),
    Example(method="get", path="/v1/listings", target="/v1/listings"),
    Example(method="get", path="/healthz", target="/healthz"),
)


@contextmanager
def scene(settings: ClickHouse, store: Store) -> Iterator[tuple[Api, str]]:
    """The interface over what the examples show, and an operator's key."""
    with running(settings, store) as interface:
        fill(interface)
        yield (
            interface,
            keys.create_key(store, keys.OPERATOR, "Ida", NOW * 1000, scopes=("read", "act", "policy", "keys")),
        )


def fill(api: Api) -> None:
    """What the examples show."""
    api.put(
        [
            Row(NOON - 2 * HOUR, 9_000, hard=20, block=30, complained=60),
            Row(NOON - 2 * HOUR, 12_000, hard=40, provider="gmail"),
            Row(NOON - MINUTE, 1_000, complained=3),
            Row(NOON, 1_200, hard=2, complained=4),
            Row(NOON, 800, stream="receipts"),
        ]
    )
    api.listing("192.0.2.1", NOON, "listed")
    api.complained(NOON, 1, NOON)
    api.complained(NOON, 1)
    api.store.insert("events", _events())
    api.judged("customer", "excessive", NOON - HOUR, ["complaint"], scores=(38, 38, 90, 98, 75), policy_version=VERSION)
    api.judged(
        "stream:news", "excessive", NOON - HOUR, ["complaint"], scores=(38, 38, 89, 98, 84), policy_version=VERSION
    )
    api.judged("stream:receipts", "insufficient_volume", NOON, policy_version=VERSION)
    api.alert(complaint_alert())
    reported = ProviderReading(
        source="postmaster", resource="news.acme.example", day=date(2026, 3, 10), measure="spam_rate", rate=0.0012
    )
    store_readings(api.store, [reported], Ingest(domain_owners={"acme.example": "acme"}), NOW)


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


def answers(api: Api, operator: str) -> list[Example]:
    """What is answered to each request now."""
    found = []
    for each in REQUESTS:
        key = operator if each.path in OF_OPERATORS else api.key
        answer = api.client.request(
            each.method, each.target, json=each.body, headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code < 300, (each.target, answer.text)
        body: Any = answer.json() if "json" in answer.headers["content-type"] else answer.text
        found.append(msgspec.structs.replace(each, status=answer.status_code, answer=body))
    return found


#: Routes that a customer's key may not ask.
OF_OPERATORS: frozenset[str] = frozenset()


def _events() -> dict[str, list[Any]]:
    """A failure and a complaint with all that is known of them."""
    common = {
        "customer": "acme",
        "stream": "news",
        "message_id": "20260312.88@mta1.esp.example",
        "recipient_hash": "9f3c1d6a52b7e8d04b1f7a6c2e95d380",
        "provider": "yahoo",
        "recipient_domain": "yahoo.example",
        "sending_ip": "192.0.2.1",
        "from_domain": "news.acme.example",
        "campaign": "spring",
        "sent": NOON - 2 * HOUR,
        "sent_day": NOON // 86_400,
        "source": "scene",
    }
    failed = {"type": "bounced", "bounce_kind": "hard", "bounce_class": "invalid_recipient", "smtp_code": 550}
    failed |= {"enhanced_status": "5.1.1", "diagnostic": "550 5.1.1 no such user", "feedback_type": ""}
    complained = {"type": "complained", "bounce_kind": "", "bounce_class": "", "smtp_code": 0}
    complained |= {"enhanced_status": "", "diagnostic": "", "feedback_type": "abuse"}
    rows = [
        {**common, **each, "position": place, "id": f"e{place}", "time": datetime.fromtimestamp(NOON + 60 * place, UTC)}
        for place, each in enumerate((failed, complained))
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def main() -> None:
    """Write the answers down."""
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(ClickHouse(path=folder))
        settings = databases.new(lasting=True)
        store = open_store(settings)
        with scene(settings, store) as (api, operator):
            found = answers(api, operator)
        store.close()
        databases.close()
    encoded = msgspec.json.format(msgspec.json.encode(found), indent=1)
    if FILE.read_bytes() != encoded + b"\n":
        FILE.write_bytes(encoded + b"\n")
        print(f"wrote {FILE.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
