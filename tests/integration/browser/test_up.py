"""What an operator does in the console of a running installation: an alert appears, is explained and overridden; forty
customers who were struck together are released; and a customer sees its own page alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from api.http.keys import OPERATOR, create_key
from api.http.scopes import SCOPES
from jobs.embedded.broker import free_port
from schemas.settings import Kafka
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS
from streams.io.broker import Publisher
from streams.io.store import open_store
from tests.support.browser import PATIENCE_MS, ZONE, Viewer
from tests.support.up_process import up

STRUCK = [f"newcomer-{number:02}" for number in range(40)]
#: Marks a page, to see later that it is still the same and was not loaded again.
MARK = "window.opened = 'once'"

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Installation:
    """A running `repmon up`: where its console is, how events get in, and an operator's and a customer's key."""

    base: str
    kafka: Kafka
    operator: str
    customer: str


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder, port = tmp_path_factory.mktemp("up") / "data", free_port()
    folder.mkdir()
    with up(folder, API__PORT=str(port)) as (settings, _):
        store = open_store(settings.clickhouse)
        operator = create_key(store, OPERATOR, "Ida", utc_now_ms(), scopes=SCOPES)
        customer = create_key(store, "larkspur", "", utc_now_ms())
        store.close()
        yield Installation(f"http://127.0.0.1:{port}", settings.kafka, operator, customer)


@pytest.fixture(scope="module")
def viewer(installed: Installation, browser: Browser) -> Iterator[Viewer]:
    """An operator who is signed in, in one window for the module."""
    with Viewer(browser, installed.base) as found:
        sign_in(found.page, installed.operator)
        found.wrong.clear()  # that nobody was signed in is an answer of 401
        yield found


def sign_in(page: Page, key: str) -> None:
    page.goto("/console/")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def mail(kafka: Kafka, customers: Sequence[str], domain: str, delivered: int, unknown: int) -> None:
    """So many delivered and so many to recipients that do not exist, of each customer, sent in the last minutes."""
    publisher, now_ms = Publisher(kafka), utc_now_ms()
    for customer in customers:
        for number in range(delivered + unknown):
            fields: dict[str, object] = {
                "id": f"{customer}-{number}",
                "type": "delivered",
                "time": now_ms - 60_000 + number,
                "customer": customer,
                "message_id": f"{customer}-{number}@mx.example",
                "recipient": f"r{number}@{domain}",
                "sending_ip": "192.0.2.7",
            }
            if number < unknown:
                fields |= {"type": "bounced", "smtp_code": 550, "enhanced_status": "5.1.1"}
                fields |= {"diagnostic": "550 5.1.1 user unknown"}
            publisher.publish(MAIL_EVENTS, customer.encode(), msgspec.json.encode(fields))
    publisher.flush(60)


def test_alert_appears_by_itself_and_is_explained_and_overridden(installed: Installation, viewer: Viewer) -> None:
    page = viewer.page
    page.goto("/console/")
    mail(installed.kafka, ["acme"], "shop.example", delivered=5_000, unknown=0)
    row = page.get_by_role("row").filter(has_text="acme").first
    expect(row).to_contain_text("good")
    page.evaluate(MARK)
    mail(installed.kafka, ["larkspur"], "shop.example", delivered=1_600, unknown=400)
    row = page.get_by_role("row").filter(has_text="larkspur").first
    expect(row).to_contain_text("critical")
    assert page.evaluate("window.opened") == "once", "it appeared without loading the page again"

    row.get_by_role("link", name="larkspur").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("larkspur")
    expect(page.locator(".lead")).to_contain_text("400 of 2,000 recipients failed")

    page.get_by_text("Override a rule").click()
    expect(page.get_by_label("Rule", exact=True)).to_have_value("failure")  # whose alert is the worst
    page.get_by_label("No worse than").select_option("warning")
    form = page.locator("form", has=page.get_by_role("button", name="Override"))
    form.get_by_label("Reason").fill("they know and clean the list")
    form.get_by_role("button", name="Override").click()
    expect(page.get_by_role("status")).to_contain_text("overrid", ignore_case=True)

    page.goto("/console/audit?customer=larkspur")
    expect(page.get_by_role("row").filter(has_text="they know and clean the list").first).to_contain_text("Ida")
    page.goto("/console/")
    row = page.get_by_role("row").filter(has_text="larkspur").first
    expect(row).to_contain_text("override")
    # What the same mail says by the rule of short windows was not overridden.
    expect(row.locator("[data-label=Standing]")).to_have_text("excessive")
    assert viewer.wrong == []


def test_declared_incident_releases_forty_customers_at_once(installed: Installation, viewer: Viewer) -> None:
    page = viewer.page
    mail(installed.kafka, STRUCK, "gmail.com", delivered=60, unknown=60)
    page.goto("/console/?q=newcomer&standing=critical")
    expect(page.locator("#live tbody tr")).to_have_count(len(STRUCK))

    page.goto("/console/incidents")
    page.get_by_role("link", name="Declare an incident").click()
    page.get_by_label("Where").fill("gmail")
    now = datetime.now(ZoneInfo(ZONE))
    page.get_by_label("From (your time zone").fill((now - timedelta(hours=2)).strftime("%Y-%m-%dT%H:00"))
    page.get_by_label("Until (your time zone").fill((now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:00"))
    page.get_by_role("button", name="Show whom it concerns").click()
    expect(page.get_by_text("recipients of 40 customers")).to_be_visible()
    page.get_by_label("Reason").fill("gmail refuses everybody")
    page.get_by_role("button", name="Declare").click()
    expect(page.get_by_role("status").first).to_contain_text("Done")

    page.goto("/console/?q=newcomer")
    page.evaluate(MARK)
    expect(page.locator("#live tbody tr").filter(has_text="critical")).to_have_count(0)
    assert page.evaluate("window.opened") == "once", "they were released without loading the page again"
    assert viewer.wrong == []


def test_health_of_all_stages_is_shown_to_anybody_on_any_screen(viewer: Viewer) -> None:
    page = viewer.page
    page.goto("/console/health")
    expect(page.get_by_text("ClickHouse").or_(page.get_by_text("store")).first).to_be_visible()
    for width, scheme in ((1440, "light"), (390, "dark")):
        viewer.looks(width, scheme)
        assert viewer.hurdles() == []
        assert viewer.overflow() <= 0
    viewer.looks(1440, "light")
    assert viewer.wrong == []
