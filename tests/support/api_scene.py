"""A fleet of which every route has something to answer, and the requests that the reference shows.

`python -m tests.support.api_scene` writes the answers down (`make examples`).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import chain, count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from api.http.examples import FILE, RouteExample
from api.http.keys import key_id
from api.http.scopes import SCOPES
from jobs.operator.customers import set_customer
from jobs.operator.incidents import declare_incident
from jobs.poll.reading import ProviderReading
from jobs.poll.stored import store_readings
from schemas.alert import AlertEvent, Baseline, Evidence, Share
from schemas.counts import SubjectCounts, WindowCounts
from schemas.hold import Hold
from schemas.incident import incident_id
from schemas.policy import load_policy
from schemas.settings import ClickHouse, Ingest
from schemas.times import utc_time
from streams.alerts.describe import alert_event
from streams.alerts.lifecycle import step
from streams.io.store import Store, open_store
from streams.judge.verdict import judge
from tests.support.api_client import HOUR, MINUTE, NOW, Api, Row, running
from tests.support.databases import Databases
from tests.support.pools import Sent, put

NOON, NOW_MS = NOW // HOUR * HOUR, NOW * 1000
#: As policies are named; a fixed one, so that the examples stay when the built-in policy changes.
VERSION = "default@80835b0676a2"
ALERT = "99e4dd8d7f9417604d77d241ec8f8cf2"
ZONE = "bl.example"

HOLD, LETTER = "8d3f5a6b7c8d9e0f", "mail.events:4Yl1:0@7"
INCIDENT = incident_id("provider", "gmail", "declared", NOON - 4 * HOUR)
OVERRIDE_ID = "227f27e134d8"
#: Keys that are the same in each answer; the tables hold their hashes.
KEY, OPERATORS_KEY = ("rmk_" + letter * 43 for letter in "cO")
#: Keys that are made, in this order.
MADE = tuple("rmk_" + letter * 43 for letter in "abcdefgh")
POLICY = """windows = ["1h", "24h"]

[[rules]]
name = "complaint"
metric = "complaint"
windows = ["24h"]
min_volume = 100
levels = { warning = 0.001, excessive = 0.003 }
"""
OVERRIDE = {
    "customer": "acme",
    "rule": "failure",
    "level": "warning",
    "until": "2026-03-26T12:00:00Z",
    "why": "list mended",
}
DECLARED = {
    "place": "yahoo",
    "from": "2026-03-12T09:00:00Z",
    "until": "2026-03-12T10:00:00Z",
    "why": "their status page",
}


def _get(path: str, query: str = "", **names: str) -> RouteExample:
    return RouteExample(method="get", path=path, target=path.format(**names) + query)


def _post(path: str, body: object, **names: str) -> RouteExample:
    return RouteExample(method="post", path=path, target=path.format(**names), body=body)


#: What is asked, in this order: what decides something comes last.
REQUESTS: tuple[RouteExample, ...] = (
    _get("/v1/standing"),
    _get("/v1/allowances"),
    _get("/v1/scores", "?from=2026-03-11T00:00:00Z"),
    _get("/v1/cohorts", "?days=2"),
    _get("/v1/rates", "?metric=complaint&from=2026-03-12T12:00:00Z&to=2026-03-12T12:02:00Z"),
    _get("/v1/alerts", "?state=open"),
    _get("/v1/alerts/{alert_id}", alert_id=ALERT),
    _get("/v1/explain/{alert_id}", alert_id=ALERT),
    _get("/v1/failures", "?limit=1"),
    _get("/v1/complaints", "?limit=1"),
    _get("/v1/listings"),
    _get("/v1/badge.svg"),
    _get("/v1/sparkline.svg", "?metric=complaint&days=1"),
    _get("/v1/customers", "?standing=critical&standing=excessive"),
    _get("/v1/pools", "?kind=pool"),
    _get("/v1/overrides"),
    _get("/v1/holds"),
    _get("/v1/incidents"),
    _get("/v1/incidents/{name}", name=INCIDENT),
    _get("/v1/policy"),
    _get("/v1/policies"),
    _get("/v1/dead-letters"),
    _get("/v1/dead-letters/summary"),
    _get("/v1/dead-letters/{name}", name=LETTER),
    _get("/v1/zones"),
    _get("/v1/keys"),
    _get("/v1/audit", "?customer=acme"),
    _get("/healthz"),
    _post("/v1/alerts/{alert_id}/acknowledge", {"why": "called them"}, alert_id=ALERT),
    _post("/v1/overrides", OVERRIDE),
    _post("/v1/overrides/{name}/end", {"why": "list mended"}, name=OVERRIDE_ID),
    _post("/v1/suspensions", {"customer": "rival", "why": "bought list"}),
    _post("/v1/suspensions/lift", {"customer": "rival", "why": "list mended", "fresh_start": True}),
    _post("/v1/holds/{name}/release", {"why": "an outage", "customer": "rival"}, name=HOLD),
    _post("/v1/holds/{name}/confirm", {"why": "they are bad"}, name=HOLD),
    _post("/v1/incidents", DECLARED),
    _post("/v1/incidents/{name}/dismiss", {"why": "it was none"}, name=INCIDENT),
    _post("/v1/policy/check", {"text": POLICY}),
    _post("/v1/policy/try", {"text": POLICY, "days": 1}),
    _post("/v1/policy/apply", {"text": POLICY, "why": "complaints doubled since May"}),
    _post("/v1/keys", {"customer": "acme", "label": "status page", "expires": "2027-03-12T00:00:00Z", "why": "asked"}),
    _post("/v1/keys/{name}/rotate", {"why": "yearly", "grace_s": 3_600}, name=key_id(MADE[0])),
    _post("/v1/keys/{name}/revoke", {"why": "stolen"}, name=key_id(MADE[1])),
)


@contextmanager
def scene(settings: ClickHouse, store: Store) -> Iterator[tuple[Api, str]]:
    """The interface over what the examples show, and an operator's key."""
    more = (f"rmk_{number:043d}" for number in count())
    with running(settings, store) as interface, patch("api.http.keys.new_key", side_effect=chain(MADE, more)):
        store.run("TRUNCATE TABLE api_keys")
        for key, customer, label, scopes in ((KEY, "acme", "", ["read"]), (OPERATORS_KEY, "", "Ida", list(SCOPES))):
            row: dict[str, Any] = {
                "key_hash": sha256(key.encode()).hexdigest(),
                "customer": customer,
                "label": label,
                "scopes": scopes,
            }
            row |= {"created": utc_time(NOW * 1000), "updated": utc_time(NOW * 1000), "revoked": False}
            store.insert("api_keys", {name: [value] for name, value in row.items()})
        interface.key = KEY
        fill(interface)
        fill_fleet(store)
        yield interface, OPERATORS_KEY


def fill_fleet(store: Store) -> None:
    """What of it operators alone see."""
    set_customer(store, "acme", plan="pro", domains=["acme.example"], by="Ida", why="new", now_ms=NOW_MS - 60_000)
    # Each sends too little to be judged by; what they send through one pool is enough.
    small = (("minnow", 310, 3), ("sprat", 280, 4), ("smelt", 190, 3))
    put(store, [Sent(name, pool="shared-1", delivered=taken, complained=of) for name, taken, of in small])
    row = {"customer": "rival", "scope": "customer", "updated": utc_time(NOW_MS), "standing": "critical"}
    row |= {"since": utc_time(NOW_MS - HOUR * 1000), "reasons": ["failure"], "volume": 4_000, "failure_rate": 0.2}
    row |= {"policy_version": VERSION, "overall_score": 12}
    store.insert("standings", {name: [value] for name, value in row.items()})
    hold = Hold(
        id=HOLD,
        reason="brake",
        began_ms=NOW_MS - 120_000,
        from_ms=NOW_MS - 600_000,
        until_ms=NOW_MS,
        customers=40,
        limit=20,
        minutes=10.0,
    )
    detail = msgspec.json.encode(hold).decode()
    row = {"id": HOLD, "reason": hold.reason, "until": utc_time(NOW_MS), "detail": detail, "updated": utc_time(NOW_MS)}
    store.insert("holds", {name: [value] for name, value in row.items()})
    for customer in ("rival", "stranger"):
        row = {"customer": customer, "scope": "customer", "rule": "failure", "level": "critical"}
        row |= {"updated": utc_time(NOW_MS), "state": f'{{"held":{{"id":"{HOLD}","reason":"brake"}}}}'}
        store.insert("alert_states", {name: [value] for name, value in row.items()})
    declare_incident(
        store,
        "gmail",
        NOW_MS - 4 * HOUR * 1000,
        NOW_MS - 3 * HOUR * 1000,
        providers={"gmail"},
        by="Ida",
        why="their status page",
        now_ms=NOW_MS - 30_000,
    )
    row = {"topic": "mail.events", "source": LETTER.partition("@")[0], "position": 7, "time": utc_time(NOW_MS - 5_000)}
    row |= {"reason": "field `type`: missing", "payload": '{"id": "e7"}'}
    store.insert("dead_letters", {name: [value] for name, value in row.items()})


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


def answers(api: Api, operator: str) -> list[RouteExample]:
    """What is answered to each request now."""
    found = []
    for each in REQUESTS:
        customers = each.method == "get" and each.path in OF_CUSTOMERS
        key = api.key if customers else operator
        headers = {"Authorization": f"Bearer {key}"}
        answer = api.client.request(each.method, each.target, json=each.body, headers=headers)
        assert answer.status_code < 300, (each.target, answer.text)
        body: Any = answer.json() if "json" in answer.headers["content-type"] else answer.text
        found.append(msgspec.structs.replace(each, status=answer.status_code, answer=body))
    return found


#: Routes that are shown as a customer asks them.
OF_CUSTOMERS = frozenset(each.path for each in REQUESTS[:13])


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
