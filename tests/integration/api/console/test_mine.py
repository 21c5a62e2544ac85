"""A customer's own page, signed in and in a frame: its own, and nobody else's."""

from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from unittest.mock import patch

import pytest

from api.console.case.own_pages import OwnPages
from api.http.keys import create_key
from api.http.problems import ApiError
from schemas.console import ConsoleSettings
from schemas.settings import ClickHouse
from streams.io.store import StoreError, open_store
from tests.support.api_client import Api
from tests.support.api_scene import KEY, NOW_MS, OPERATORS_KEY, scene
from tests.support.console_client import ConsoleVisitor, visitor
from tests.support.databases import Databases
from tests.support.pools import Sent, put

SITE = "https://portal.example"


@pytest.fixture(scope="module")
def shown(databases: Databases) -> Iterator[Api]:
    """The interface over a fleet with something of everything, which may be shown by a site."""
    settings: ClickHouse = databases.empty(lasting=True)
    store = open_store(settings)
    with scene(settings, store) as (interface, _):
        set_up(interface, ConsoleSettings(embed_origins=(SITE,), embed_minutes=10))
        yield interface
    store.close()


def set_up(api: Api, settings: ConsoleSettings) -> None:
    """Have the console's settings be these."""
    state = api.client.app.state  # type: ignore[attr-defined]
    state.console = replace(state.console, settings=settings)


@pytest.fixture
def customer(shown: Api) -> ConsoleVisitor:
    """Somebody who is signed in with acme's key."""
    found = visitor(shown.client)
    assert found.sign_in(KEY).headers["location"] == "/console/mine"
    return found


def token(shown: Api, key: str = KEY, **query: str) -> dict[str, str]:
    answer = shown.client.post("/console/embed", params=query, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_own_page_says_how_one_stands_and_what_to_do(customer: ConsoleVisitor) -> None:
    page = customer.get("/console/mine").text

    assert "s-edge-excessive" in page
    assert "What is left" in page
    assert 'id="chart-complaint"' in page
    assert 'class="card letter"' in page


def test_own_page_is_in_the_language_that_its_address_or_the_browser_asks_for(customer: ConsoleVisitor) -> None:
    german = customer.get("/console/mine", **{"accept-language": "de-AT,de;q=0.9,en;q=0.5"})

    assert german.headers["content-language"] == "de"
    assert '<html lang="de" dir="ltr"' in german.text
    for said in ("Was noch bleibt", "Ihre Anteile, 30 Tage", "Sperrlisten", "Abmelden", "seit <time", "zu hoch"):
        assert said in german.text
    for english in (
        "What is left",
        "Your rates",
        "Blocklists",
        "As a table",
        "complaints of",
        "Sign out",
        "excessive</",
    ):
        assert english not in german.text
    assert '<html lang="en"' in customer.get("/console/mine?lang=en", **{"accept-language": "de"}).text
    assert '<html lang="de"' in customer.get("/console/mine?lang=de").text


def test_rate_of_too_few_to_be_judged_by_is_not_shown_as_a_rate(shown: Api) -> None:
    """It was shown in large, next to the limit."""
    put(shown.store, [Sent("sprout", delivered=11, hard=1)])
    newcomer = visitor(shown.client)
    newcomer.sign_in(create_key(shown.store, "sprout", "", NOW_MS))

    page = newcomer.get("/console/mine").text
    assert '<strong class="few">too few</strong> <span class="dim small">1 of 12' in page
    assert "8.33%" not in page.partition("</header>")[0]
    assert '<strong class="few">zu wenig E-Mails</strong>' in newcomer.get("/console/mine?lang=de").text


def test_own_page_has_nothing_of_others_nor_of_operators(shown: Api, customer: ConsoleVisitor) -> None:
    page = customer.get("/console/mine").text

    assert "rival" not in page and "stranger" not in page
    assert "/console/customers/" not in page
    assert "Ida" not in page


def test_last_known_page_is_shown_while_the_store_is_down(shown: Api, customer: ConsoleVisitor) -> None:
    assert customer.get("/console/mine").status_code == 200
    shown.clock[0] += 40_000
    with patch("api.console.pages.mine.read_own", side_effect=StoreError("gone")):
        answer = customer.get("/console/mine")
    shown.clock[0] -= 40_000

    assert answer.status_code == 200
    assert "This is what was known 40\u00a0s ago" in answer.text


def test_last_known_page_is_shown_while_too_much_is_asked(shown: Api, customer: ConsoleVisitor) -> None:
    assert customer.get("/console/mine").status_code == 200
    refusing = patch("api.console.pages.mine.own_turn", side_effect=ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "busy"))
    with refusing:
        assert customer.get("/console/mine").status_code == 200
        shown.clock[0] += 40_000
        late = customer.get("/console/mine")
        shown.clock[0] -= 40_000
        with patch("api.console.pages.mine._pages", return_value=OwnPages()):
            nothing_known = customer.get("/console/mine")

    assert late.status_code == 200
    assert "This is what was known 40\u00a0s ago" in late.text
    assert nothing_known.status_code == 503


@pytest.mark.parametrize("path", ["/console/", "/console/customers/acme", "/console/customers/rival"])
def test_pages_of_operators_are_not_for_customers(customer: ConsoleVisitor, path: str) -> None:
    answer = customer.get(path)
    assert answer.status_code == 403
    assert "rival" not in answer.text


def test_frame_is_shown_for_a_token_to_the_site_that_may(shown: Api) -> None:
    said = token(shown)
    assert KEY not in str(said)

    answer = visitor(shown.client).get(said["url"].removeprefix("http://testserver"))
    assert answer.status_code == 200
    assert f"frame-ancestors {SITE}" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "acme" in answer.text and "/console/sign-out" not in answer.text
    other = visitor(shown.client).get(f"/console/embed?token={said['token']}&lang=de")
    assert "Ihre Anteile" in other.text
    assert f"?token={said['token']}&amp;lang=en" in other.text


def test_token_ends_by_itself(shown: Api) -> None:
    said = token(shown)
    shown.clock[0] += 11 * 60_000
    assert visitor(shown.client).get(f"/console/embed?token={said['token']}").status_code == 401
    shown.clock[0] -= 11 * 60_000


def test_frame_that_is_over_says_so_in_the_frame_and_in_its_language(shown: Api) -> None:
    german = visitor(shown.client).get("/console/embed?token=x.y&lang=de")

    assert german.status_code == 401
    assert german.headers["content-language"] == "de"
    # Without it a browser shows its own page of a frame that is refused.
    assert f"frame-ancestors {SITE}" in german.headers["content-security-policy"]
    assert '<html lang="de" dir="ltr"' in german.text and 'class="framed"' in german.text
    assert "Diese Ansicht ist abgelaufen" in german.text and "href=" not in german.text.partition("<body")[2]
    english = visitor(shown.client).get("/console/embed?token=x.y", **{"accept-language": "en-GB"})
    assert "This view has ended" in english.text


def test_customer_is_refused_in_its_language_and_led_to_its_own_page(customer: ConsoleVisitor) -> None:
    german = customer.get("/console/", **{"accept-language": "de"})

    assert german.status_code == 403
    for said in ("<h1>Nicht erlaubt</h1>", '<a href="/console/mine">Zu Ihrer Seite</a>', "Abmelden", "Zum Inhalt"):
        assert said in german.text
    assert '<p class="dim" lang="en" dir="ltr">This page is for operators</p>' in german.text
    assert '<a class="brand" href="/console/mine">' in german.text
    english = customer.get("/console/", **{"accept-language": "en"}).text
    assert '<p class="lead">This page is for operators</p>' in english


def test_store_that_fails_is_said_in_the_customers_language(customer: ConsoleVisitor) -> None:
    fails = patch("api.console.pages.mine.read_own", side_effect=StoreError("db-1:8123: SELECT"))
    with fails, patch("api.console.pages.mine._pages", return_value=OwnPages()):
        answer = customer.get("/console/mine?lang=de")

    assert (answer.status_code, answer.headers["content-language"]) == (503, "de")
    assert "Nichts ist verloren" in answer.text and "Noch einmal versuchen" in answer.text
    assert "db-1" not in answer.text


@pytest.mark.parametrize("wrong", ["", "x.y", "e30.e30"])
def test_what_is_no_token_shows_nothing(shown: Api, wrong: str) -> None:
    assert visitor(shown.client).get(f"/console/embed?token={wrong}").status_code == 401


def test_operators_key_must_name_a_customer(shown: Api) -> None:
    def asked(key: str, **query: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        answer = shown.client.post("/console/embed", params=query, headers=headers)
        if answer.status_code != 200:
            # A server asks: it is told as by the HTTP interface, not by a page.
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]
        return int(answer.status_code)

    assert asked(OPERATORS_KEY) == 422
    assert asked(OPERATORS_KEY, customer="acme") == 200
    assert asked(KEY, customer="rival") == 403
    assert asked("rmk_" + "z" * 43) == 401


def test_no_frame_where_no_site_may_show_it(shown: Api) -> None:
    said = token(shown)
    set_up(shown, ConsoleSettings())
    assert visitor(shown.client).get(f"/console/embed?token={said['token']}").status_code == 404
