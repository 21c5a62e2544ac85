"""How old what is known of a listing is, and how `repmon listings` says so."""

from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner

from api.cli import listings as listings_cli
from jobs.blocklists.last_looks import LastLook, last_looks
from schemas.listing import BlocklistEvent
from schemas.settings import ClickHouse, Settings
from schemas.wording import age
from streams.io.store import Store
from tests.support.scans import MINUTE, NOW, keep

pytestmark = pytest.mark.usefixtures("standing_clock")

LISTED = BlocklistEvent(
    id="1", type="listed", time=NOW, kind="ip", resource="192.0.2.1", zone="bl.example", weight="major"
)
KEY = ("192.0.2.1", "bl.example")
change = msgspec.structs.replace


@pytest.fixture(autouse=True)
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings_cli, "utc_now_ms", lambda: NOW + 60 * MINUTE)


def looked(store: Store, resource: str, zone: str, at_ms: int) -> None:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    store.insert("blocklist_looks", {"resource": [resource], "zone": [zone], "looked": [at], "updated": [at]})


def test_listing_is_as_old_as_the_last_answer_about_it(store: Store) -> None:
    keep(store, [LISTED])
    assert last_looks(store) == {KEY: LastLook(NOW)}
    looked(store, *KEY, NOW + 20 * MINUTE)
    looked(store, "192.0.2.1", "other.example", NOW + 50 * MINUTE)
    assert last_looks(store) == {KEY: LastLook(NOW + 20 * MINUTE)}


def test_look_without_an_answer_makes_no_listing_younger_and_says_why(store: Store) -> None:
    lost = change(LISTED, id="2", type="check_failed", time=NOW + 30 * MINUTE, reason="SERVFAIL")
    keep(store, [LISTED, lost])
    assert last_looks(store) == {KEY: LastLook(NOW, "SERVFAIL")}
    looked(store, *KEY, NOW + 40 * MINUTE)
    assert last_looks(store) == {KEY: LastLook(NOW + 40 * MINUTE)}


def test_listing_that_ended_or_never_began_has_no_age(store: Store) -> None:
    ended = change(LISTED, id="2", type="delisted", time=NOW + MINUTE)
    keep(store, [LISTED, ended, change(LISTED, id="3", type="check_failed", resource="192.0.2.2")])
    assert last_looks(store) == {}
    keep(store, [change(LISTED, id="4", time=NOW + 2 * MINUTE)])
    assert last_looks(store) == {KEY: LastLook(NOW + 2 * MINUTE)}


def repmon(store_settings: ClickHouse, *words: str) -> list[str]:
    found = CliRunner().invoke(listings_cli.list_listings, list(words), obj=lambda: Settings(clickhouse=store_settings))
    assert found.exit_code == 0, found.output
    return found.stdout.splitlines()


def test_command_says_how_old_each_listing_in_force_is(store: Store, store_settings: ClickHouse) -> None:
    other = change(LISTED, id="2", resource="192.0.2.2")
    keep(store, [LISTED, other, change(other, id="3", type="delisted", time=NOW + MINUTE)])
    looked(store, *KEY, NOW + 48 * MINUTE)
    keep(store, [change(LISTED, id="4", type="check_failed", time=NOW + 58 * MINUTE, reason="SERVFAIL")])
    here, over = sorted(repmon(store_settings), key=lambda each: "ended" in each)
    assert "in force, looked at 12 min ago, no answer since: SERVFAIL  " in here
    assert "looked at" not in over
    assert "known   looked at 12 min ago, no answer since: SERVFAIL" in repmon(store_settings, "show", *KEY)
    (line,) = repmon(store_settings, "show", *KEY, "--json")
    found = msgspec.json.decode(line)
    assert (found["looked_ms"], found["no_answer"], found["ended_ms"]) == (NOW + 48 * MINUTE, "SERVFAIL", None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (172_800, "2.0 d"),
        (864_000, "10.0 d"),
    ],
)
def test_age_is_reported_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert age(seconds) == text
