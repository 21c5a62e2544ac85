"""Whom listings are attributed to, as it is shown: over HTTP, in an alert's evidence, by explain, on the console."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from api.cli import listings as listings_cli
from api.explain.build import explain
from api.http import keys
from api.text.explanation import lines as explained
from api.text.listings import line, lines
from jobs.operator.incidents import declare_incident, dismiss_incident
from schemas import policy
from schemas.blocklist_settings import Blocklists
from schemas.settings import ClickHouse, Settings
from streams.io.store import Store
from streams.listings.causes import ListingCauses, current_causes, stored_causes
from tests.support.api_client import DAY, HOUR, NOW, Api, Row, running
from tests.support.evidence import collect
from tests.support.judging import LOOP, NOW_MS, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

SHARED, OWN = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    """acme and rival share an address that is listed since two hours, by rival's fault; acme's own was yesterday."""
    with running(store_settings, store) as interface:
        interface.put(
            [
                Row(NOW - 3 * HOUR, delivered=9_000, complained=9, hard=90, ip=SHARED),
                Row(NOW - 3 * HOUR, delivered=890, complained=18, hard=90, block=20, ip=SHARED, customer="rival"),
                Row(NOW - HOUR, delivered=500, ip=SHARED),
                Row(NOW - 30 * HOUR, delivered=70, ip=OWN),
                Row(NOW - 3 * HOUR, delivered=70, ip="192.0.2.9", customer="stranger"),
            ]
        )
        interface.listing(SHARED, NOW - 2 * HOUR, "listed", "critical")
        interface.listing(OWN, NOW - 28 * HOUR, "listed")
        interface.listing(OWN, NOW - 20 * HOUR, "delisted")
        yield interface


def listings(api: Api, key: str | None = None, **asked: Any) -> list[dict[str, Any]]:
    answer = api.get("/v1/listings", key, **asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["listings"])


def test_customer_sees_what_its_own_mail_went_through_and_nobody_else(api: Api) -> None:
    (found,) = listings(api)
    assert (found["resource"], found["weight"], found["until"], found["causes"]) == (SHARED, "critical", None, None)
    assert (found["sent_before"], found["exposed"]) == (9_090, 500)
    answer = api.get("/v1/listings", ended_days=2)
    assert [each["resource"] for each in answer.json()["listings"]] == [SHARED, OWN]
    assert "rival" not in answer.text
    assert api.get("/v1/listings", customer="rival").status_code == 403


def test_listing_of_an_incident_names_it(api: Api) -> None:
    (before,) = listings(api)
    declared = declare_incident(
        api.store,
        before["zone"],
        NOW_MS - 3 * HOUR * 1000,
        NOW_MS - HOUR * 1000,
        providers=(),
        by="Ida",
        why="they err",
        now_ms=NOW_MS,
    )
    own, shared = before, listings(api, keys.create_key(api.store, keys.OPERATOR, "", NOW_MS))[0]
    assert own["incident"] is None
    assert {listings(api)[0]["incident"], shared["incident"]} == {declared.id}
    dismiss_incident(api.store, declared.id, by="Ida", why="they do not", now_ms=NOW_MS + 1)
    assert listings(api) == [before]


def test_customer_that_used_nothing_listed_sees_nothing(api: Api) -> None:
    key = keys.create_key(api.store, "stranger", "", NOW_MS)
    assert listings(api, key, ended_days=400) == []


def test_operator_sees_every_listing_with_its_ranking_and_of_a_customer_its_part(api: Api) -> None:
    key = keys.create_key(api.store, keys.OPERATOR, "", NOW_MS)
    shared, own = listings(api, key, ended_days=2)
    assert own["causes"]["attributed"] == "dedicated"
    assert (shared["causes"]["attributed"], shared["causes"]["customers"], shared["exposed"]) == ("shared", 2, None)
    assert [(each["customer"], each["complaints"], each["share"]) for each in shared["causes"]["ranking"]] == [
        ("rival", 18, 1.0),
        ("acme", 9, 0.0),
    ]
    (of_rival,) = listings(api, key, customer="rival", ended_days=2)
    assert (of_rival["sent_before"], of_rival["exposed"], len(of_rival["causes"]["ranking"])) == (1_000, 0, 2)


def test_listing_is_shown_with_its_causes_before_any_monitor_looked_at_it(api: Api) -> None:
    assert stored_causes(api.store, 0) == []
    before = current_causes(api.store, NOW_MS - DAY * 1000, {})
    ListingCauses(api.store, {}).refresh(NOW_MS)
    assert before == stored_causes(api.store, NOW_MS - DAY * 1000)
    assert len(before) == 2


def test_lines_name_the_causes_and_their_numbers(api: Api) -> None:
    shared, own = current_causes(api.store, NOW_MS - 2 * DAY * 1000, {})
    assert line(shared) == (
        "2026-03-12T10:34:56.000Z  critical       192.0.2.1 on bl.example  in force  shared by 2: rival 1.00"
    )
    assert line(own).endswith("192.0.2.2 on bl.example  ended 2026-03-11T16:34:56.000Z  used by acme")
    assert list(lines(shared)) == [
        "192.0.2.1 (ip) on bl.example: critical",
        "began   2026-03-12T10:34:56.000Z, confirmed",
        "ended   in force",
        "causes  shared by 2: rival 1.00",
        "",
        "customer   mail  complaints  invalid  blocked  excess  share",
        "rival     1,000          18       90       20    19.9   1.00",
        "acme      9,090           9       90        0     0.0   0.00",
    ]


def test_evidence_has_the_customers_own_part_and_nobody_elses_name(api: Api) -> None:
    asked = [("acme", "customer"), ("rival", "customer")]
    found = collect(api.store, asked, "exposure", DAY * 1000, LOOP, NOW_MS)
    assert found["acme", "customer"].listings == (
        "192.0.2.1 on bl.example (critical): shared by 2, this customer's share of the causes 0.00 (9 complaints, "
        "90 invalid recipients, 0 refusals of 9,090 mails in 48 h)",
    )
    caused = collect(api.store, asked, "attributed_listing", DAY * 1000, LOOP, NOW_MS)
    assert [len(caused[each].listings) for each in asked] == [1, 1], "acme's own address, and rival's doing"
    assert "rival" not in str(found["acme", "customer"]) + str(caused["acme", "customer"])


def test_explanation_has_the_listings_of_what_the_customer_used(api: Api, store: Store) -> None:
    ListingCauses(store, {}).refresh(NOW_MS)
    Ground(store).judge().judge_customers(["acme", "rival"], NOW_MS)
    found = explain(store, "acme", policy.load_policy(), LOOP, NOW_MS, past=False)
    assert found is not None
    assert [each.resource for each in found.listings] == [SHARED, OWN]
    text = "\n".join(explained(found))
    assert "on blocklists:" in text and "shared by 2: rival 1.00" in text
    earlier = explain(store, "acme", policy.load_policy(), LOOP, NOW_MS - 4 * HOUR * 1000, past=True)
    assert earlier is not None
    assert [each.resource for each in earlier.listings] == [OWN]


def command(store_settings: ClickHouse, *words: str) -> Any:
    settings = Settings(clickhouse=store_settings, blocklists=Blocklists())
    return CliRunner().invoke(listings_cli.list_listings, list(words), obj=lambda: settings)


def test_command_lists_and_shows(api: Api, store_settings: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings_cli, "utc_now_ms", lambda: NOW_MS)
    found = command(store_settings)
    assert [each.split("  ")[-3].strip() for each in found.stdout.splitlines()] == [
        "192.0.2.1 on bl.example",
        "192.0.2.2 on bl.example",
    ], found.output
    assert len(command(store_settings, "--open").stdout.splitlines()) == 1
    assert len(command(store_settings, "--customer", "rival").stdout.splitlines()) == 1
    (shown,) = map(
        msgspec.json.decode, command(store_settings, "show", SHARED, "bl.example", "--json").stdout.splitlines()
    )
    assert [each["customer"] for each in shown["causes"]] == ["rival", "acme"]
    assert "rival     1,000" in command(store_settings, "show", SHARED, "bl.example").stdout
    unknown = command(store_settings, "show", SHARED, "other.example")
    assert "192.0.2.1 was never seen on other.example" in str(unknown.exception)
