"""Every page of the console over a fleet with something of everything: it loads what it may, anybody can use it, and no
name breaks it."""

import re
from collections.abc import Iterator, Sequence
from unittest.mock import patch
from urllib.parse import quote

import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from api.console.navigation import NAVIGATION
from schemas.times import utc_time
from streams.io.store import Store, StoreBusyError, open_store
from tests.support.api_client import HOUR, NOW
from tests.support.api_scene import KEY, OPERATORS_KEY, scene
from tests.support.browser import PATIENCE_MS, Viewer
from tests.support.databases import Databases
from tests.support.pools import Sent, put
from tests.support.serving import serving

EVIL = {
    "markup": "<b onmouseover=alert(1)>&amp;</b>",
    "256 characters": "x" * 256,
    "right to left": "\u05e9\u05dc\u05d5\u05dd\u202eevil",
    "control characters": "a\x1b[2J\x07b",
    "a path": "../a%2Fb?c#d",
}
#: Health needs all stages: test_up looks at it.
PAGES = [
    *(each.path for each in NAVIGATION if each.path != "/console/health"),
    "/console/customers/acme",
    *(f"/console/customers/{quote(name, safe='')}" for name in EVIL.values()),
]
MANY = 10_000


@pytest.fixture(scope="module")
def base(chdb_path: object, databases: Databases) -> Iterator[str]:
    """Where the interface answers, over a fleet with something of everything; one for the module."""
    settings = databases.empty(lasting=True)
    store = open_store(settings)
    with scene(settings, store) as (interface, _):
        put_standings(store, [*EVIL.values(), *(f"customer-{number:05}" for number in range(MANY))])
        put_bad_streams(store, list(EVIL.values()))
        config = uvicorn.Config(interface.client.app, port=0, log_level="warning", lifespan="off")
        with serving(config) as (host, port):
            yield f"http://{host}:{port}"
    store.close()


def put_standings(store: Store, names: Sequence[str]) -> None:
    """Customers who stand well."""
    since = utc_time((NOW - HOUR) * 1000)
    row = {"scope": "customer", "updated": since, "standing": "good", "since": since, "policy_version": "default-1"}
    columns = {"customer": list(names)} | {name: [value] * len(names) for name, value in row.items()}
    store.insert("standings", columns | {"volume": list(range(len(names)))})


def put_bad_streams(store: Store, names: Sequence[str]) -> None:
    """Customers of whom a stream of a long name is critical, and whose pools have long names."""
    since = utc_time((NOW - HOUR) * 1000)
    row = {"updated": since, "standing": "critical", "since": since, "policy_version": "default-1"}
    row |= {"scope": f"stream:{'<i>春の大売り出し</i>' * 8}", "reasons": ["critical_listing"]}
    store.insert("standings", {"customer": list(names)} | {name: [value] * len(names) for name, value in row.items()})
    put(store, [Sent(name, pool=f"pool-{'y' * 80}", delivered=40) for name in names])


@pytest.fixture
def operator(window: Viewer) -> Viewer:
    """An operator who is signed in, and in whose window nothing went wrong yet."""
    window.wrong.clear()
    return window


@pytest.fixture(scope="module")
def window(base: str, browser: Browser) -> Iterator[Viewer]:
    """An operator who is signed in, in one window for the module."""
    with Viewer(browser, base) as viewer:
        viewer.page.goto("/console/")
        viewer.page.get_by_label("Key").fill(OPERATORS_KEY)
        viewer.page.get_by_role("button", name="Sign in").click()
        viewer.page.wait_for_url("**/console/")
        # Until the fleet was read its page loads itself again, and would do so while another is asked for.
        expect(viewer.page.locator("#live tbody tr").first).to_be_visible(timeout=PATIENCE_MS)
        yield viewer


@pytest.mark.parametrize("path", PAGES)
def test_page_can_be_used_by_anybody_on_any_screen(operator: Viewer, path: str) -> None:
    operator.page.goto(path)
    for width, scheme in ((1440, "light"), (390, "dark")):
        operator.looks(width, scheme)
        assert operator.hurdles() == []
    for width in (390, 740, 800, 1000, 1280, 1440, 1920):
        operator.looks(width, "light")
        assert operator.overflow() <= 0, f"the page is wider than {width} pixels"
        assert operator.cut_off() == [], f"at {width} pixels"
    assert operator.wrong == []


def test_long_names_take_a_few_lines_of_a_card(operator: Viewer) -> None:
    operator.page.goto("/console/?standing=critical")
    operator.looks(390, "light")
    names = operator.page.locator("#live tbody :is(.name, .part)")
    heights = names.evaluate_all("some => some.map(each => each.offsetHeight)")
    assert len(heights) >= 2 * len(EVIL)
    assert max(heights) < 2.5 * min(heights)


def test_ten_thousand_customers_are_paged_and_searched(operator: Viewer) -> None:
    page = operator.page
    page.goto("/console/?size=250")
    assert page.locator("#fleet-size").inner_text() == f"{MANY + len(EVIL) + 2:,}"
    assert page.locator("#live tbody tr").count() == 250
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text(re.compile("251.500"))).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("customer-07123")
    page.keyboard.press("Enter")
    expect(page.locator("#live tbody tr")).to_have_count(1)
    assert operator.overflow() <= 0
    assert operator.wrong == []


def test_ten_thousand_rows_are_walked_with_the_keyboard_and_scrolled(operator: Viewer) -> None:
    page, size = operator.page, 250
    page.goto(f"/console/?size={size}")
    rows, pager = page.locator("#live tbody tr"), page.locator(".pager")
    found = re.search(r"of ([\d,]+) rows", pager.inner_text())
    assert found is not None
    total = int(found[1].replace(",", ""))
    assert total >= MANY
    # From row to row: the last one of a page is in sight once it has the focus, and there it ends.
    for _ in range(size + 5):
        page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == size
    expect(rows.nth(size - 1)).to_be_in_viewport()
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == size - 1
    # With the wheel to the top and to the end.
    page.mouse.move(600, 500)
    page.mouse.wheel(0, -100_000)
    expect(rows.first).to_be_in_viewport()
    page.mouse.wheel(0, 100_000)
    expect(page.get_by_role("link", name="Next")).to_be_in_viewport()
    # From page to page: none twice and none left out, to the last one, where it ends.
    seen = set(rows.evaluate_all("some => some.map(each => each.id)"))
    for turn in (1, 2, 3):
        page.keyboard.press("n")
        expect(pager).to_contain_text(re.compile(f"^\\s*{turn * size + 1:,}.{(turn + 1) * size:,} of"))
        seen |= set(rows.evaluate_all("some => some.map(each => each.id)"))
    assert len(seen) == 4 * size
    page.goto(f"/console/?size={size}&page={-(-total // size)}")
    assert rows.count() == total % size
    page.keyboard.press("n")
    page.keyboard.press("p")
    expect(pager).to_contain_text(f"of {total:,}")
    assert operator.wrong == []


def test_times_that_are_chosen_are_in_the_viewers_zone(operator: Viewer) -> None:
    page = operator.page
    page.goto("/console/audit?from=2026-03-11T18:40")
    chosen = page.get_by_label("From")
    assert chosen.input_value() == "2026-03-12T00:10"
    expect(page.get_by_text("your time zone")).to_be_visible()
    chosen.fill("2026-03-12T05:30")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/audit?*from=2026-03-12T00%3A00*")
    assert page.get_by_label("From").input_value() == "2026-03-12T05:30"
    page.go_back()
    assert page.get_by_label("From").input_value() == "2026-03-12T00:10"
    assert operator.wrong == []


def test_page_of_a_busy_store_is_asked_for_again_by_itself(operator: Viewer) -> None:
    page = operator.page
    with patch("api.console.pages.providers.read_providers", side_effect=StoreBusyError("timeout exceeded")):
        page.goto("/console/providers?hours=24")
        expect(page.get_by_role("heading", level=1)).to_have_text("Too much at once")
    expect(page.get_by_role("heading", level=1)).to_have_text("Providers: is it us or them?", timeout=PATIENCE_MS)


def test_what_was_typed_as_the_session_ended_is_there_for_who_signs_in_again(base: str, browser: Browser) -> None:
    with Viewer(browser, base) as writer:
        page = writer.page
        page.goto("/console/policy")
        page.get_by_label("Key").fill(OPERATORS_KEY)
        page.get_by_role("button", name="Sign in").click()
        draft = page.get_by_label("The policy, in TOML")
        draft.fill('name = "mine"')
        writer.context.clear_cookies()
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_text("Your session had ended")).to_be_visible()
        page.get_by_label("Key").fill(OPERATORS_KEY)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/console/policy")
        expect(draft).to_have_value('name = "mine"')
        page.reload()
        expect(draft).not_to_have_value('name = "mine"')


def test_key_of_a_customer_shows_its_own_page_alone(base: str, browser: Browser) -> None:
    with Viewer(browser, base) as customer:
        page = customer.page
        page.goto("/console/")
        page.get_by_label("Key").fill(KEY)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/console/mine")
        assert page.get_by_role("heading", level=1).inner_text()
        for width, scheme in ((1440, "light"), (390, "dark")):
            customer.looks(width, scheme)
            assert customer.hurdles() == []
            assert customer.overflow() <= 0
        page.get_by_role("link", name="Deutsch").click()
        page.wait_for_url("**/mine?lang=de")
        assert page.get_by_role("button", name="Abmelden").is_visible()
        page.evaluate("document.documentElement.dir = 'rtl'")
        assert customer.overflow() <= 0
        assert "rival" not in page.content()
        for path in ("/console/", "/console/customers/rival", "/console/audit", "/console/customers/acme"):
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 403
            assert "rival" not in page.locator("main").inner_text()


def test_sign_in_can_be_used_by_anybody(base: str, browser: Browser) -> None:
    with Viewer(browser, base, 390, "dark") as stranger:
        stranger.page.goto("/console/")
        assert stranger.hurdles() == []
        stranger.looks(1440, "light")
        assert stranger.hurdles() == []
        assert stranger.overflow() <= 0
