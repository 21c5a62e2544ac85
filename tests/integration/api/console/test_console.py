"""The console over a store: who comes in, what they may do, and what every answer holds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from api.console.rendering import POLICY
from api.console.sessions import TERMINAL
from schemas.mail import MailSettings
from schemas.settings import ClickHouse
from streams.io.store import open_store
from tests.support.api_client import NOW, Api
from tests.support.api_scene import KEY, OPERATORS_KEY, scene
from tests.support.console_client import ConsoleVisitor, visitor
from tests.support.databases import Databases

NAMES = ("<script>alert(1)</script>", "x" * 256, "\u202egnp.exe", "bell\x07\x1b[31m", "quotes\"&'", "شركة")


@pytest.fixture(scope="module")
def shown(databases: Databases) -> Iterator[Api]:
    """The interface over a fleet with something of everything, and customers of odd names."""
    settings: ClickHouse = databases.empty(lasting=True)
    store = open_store(settings)
    time = datetime.fromtimestamp(NOW, UTC)
    with scene(settings, store) as (interface, _):
        row = {"scope": "customer", "standing": "critical", "since": time, "updated": time, "reasons": ["failure"]}
        store.insert("standings", {name: [value] * len(NAMES) for name, value in row.items()} | {"customer": NAMES})
        yield interface
    store.close()


@pytest.fixture(scope="module")
def operator(shown: Api) -> ConsoleVisitor:
    """An operator who is signed in."""
    found = visitor(shown.client)
    assert found.sign_in(OPERATORS_KEY).headers["location"] == "/console/"
    return found


def test_fleet_shows_customers_and_how_they_stand(operator: ConsoleVisitor) -> None:
    text = operator.get("/console/").text
    assert 'href="/console/customers/acme"' in text
    assert '<span class="standing s-excessive">excessive</span>' in text


def test_names_are_text_whatever_is_in_them(operator: ConsoleVisitor) -> None:
    text = operator.get("/console/?standing=critical").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not {"\u202e", "\x07", "\x1b"} & set(text)
    assert "\\u202egnp.exe" in text
    assert "شركة" in text
    assert 'href="/console/customers/%3Cscript%3Ealert%281%29%3C%2Fscript%3E"' in text


@pytest.mark.parametrize("query", ["sort=speed", "order=up", "page=0", "page=x", "size=7", "standing=awful"])
def test_what_cannot_be_asked_is_named(operator: ConsoleVisitor, query: str) -> None:
    answer = operator.get(f"/console/?{query}")
    assert answer.status_code == 422
    assert query.split("=", maxsplit=1)[0] in answer.text


def test_search_finds_nobody_and_says_so(operator: ConsoleVisitor) -> None:
    text = operator.get("/console/?q=%22%3E%3Cb%3Enobody").text
    assert "Nobody fits" in text
    assert "<b>nobody" not in text


def test_every_page_has_the_policy_and_is_kept_by_nobody(operator: ConsoleVisitor, shown: Api) -> None:
    stranger = visitor(shown.client)
    for answer in (operator.get("/console/"), operator.get("/console/none"), stranger.get("/console/sign-in")):
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "private, no-store"
        assert "<style" not in answer.text
        assert " style=" not in answer.text


def test_files_are_kept_and_have_another_address_when_they_change(operator: ConsoleVisitor) -> None:
    text = operator.get("/console/").text
    address = text.split('stylesheet" href="')[1].split('"')[0]
    answer = operator.get(address)
    assert "?v=" in address
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert operator.get("/console/static/../app.py").status_code == 404


def test_browsers_find_the_console_at_the_root_and_programs_do_not(operator: ConsoleVisitor) -> None:
    assert operator.get("/", accept="text/html,*/*").headers["location"] == "/console/"
    assert operator.get("/console").headers["location"] == "/console/"
    assert operator.get("/", accept="*/*").status_code == 404


def test_page_that_there_is_not_says_so(operator: ConsoleVisitor) -> None:
    answer = operator.get("/console/nowhere")
    assert answer.status_code == 404
    assert "no such page" in answer.text


def test_stranger_is_asked_to_sign_in_and_led_back(shown: Api) -> None:
    stranger = visitor(shown.client)
    answer = stranger.get("/console/?q=acme")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/sign-in?next=%2Fconsole%2F%3Fq%3Dacme"
    # A form of a session that ended: nothing was done, and one goes on where it was written.
    written = {"origin": "http://testserver", "referer": "http://testserver/console/customers/acme?range=24h"}
    answer = stranger.client.post(
        "/console/case/suspend", data={"customer": "acme"}, headers=written, follow_redirects=False
    )
    assert answer.headers["location"].endswith("ended=1&next=%2Fconsole%2Fcustomers%2Facme%3Frange%3D24h")
    signing = stranger.get(answer.headers["location"]).text
    assert "so nothing was done" in signing
    assert 'name="next" value="/console/customers/acme?range=24h"' in signing
    elsewhere = stranger.client.post(
        "/console/case/suspend", headers={"referer": "http://evil.example/console/x"}, follow_redirects=False
    )
    assert elsewhere.headers["location"] == "/console/sign-in?ended=1"
    assert stranger.sign_in(OPERATORS_KEY, "/console/?q=acme").headers["location"] == "/console/?q=acme"


@pytest.mark.parametrize("place", ["//evil.example", "/console//evil.example", "https://evil.example", "/console/\\e"])
def test_nobody_is_led_elsewhere(shown: Api, place: str) -> None:
    assert visitor(shown.client).sign_in(OPERATORS_KEY, place).headers["location"] == "/console/"


def test_what_a_page_asks_for_is_refused_without_a_session(shown: Api) -> None:
    answer = visitor(shown.client).get("/console/fleet/live", **{"sec-fetch-mode": "cors"})
    assert answer.status_code == 401


def test_who_comes_from_another_site_is_asked_again_by_a_page_of_ours(shown: Api) -> None:
    answer = visitor(shown.client).get("/console/?q=a%22b", **{"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert 'content="0; url=/console/?q=a%22b&amp;arrived=1"' in answer.text


@pytest.mark.parametrize("key", ["", "rmk_" + "x" * 43, "' OR 1=1"])
def test_wrong_key_signs_nobody_in(shown: Api, key: str) -> None:
    stranger = visitor(shown.client)
    answer = stranger.sign_in(key)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert stranger.get("/console/").status_code == 303


def test_who_signs_in_reads_the_language_of_the_address_then_of_the_browser(shown: Api) -> None:
    stranger = visitor(shown.client)
    german = stranger.get("/console/sign-in?next=%2Fconsole%2Fmine&lang=de")

    assert german.headers["content-language"] == "de"
    assert '<html lang="de" dir="ltr"' in german.text and "<h1>Anmelden</h1>" in german.text
    assert 'action="/console/sign-in?lang=de"' in german.text
    assert 'href="?next=%2Fconsole%2Fmine&amp;lang=en" lang="en"' in german.text
    assert "<h1>Anmelden" in stranger.get("/console/sign-in", **{"accept-language": "de-AT, en;q=0.5"}).text
    assert "<h1>Sign in" in stranger.get("/console/sign-in", **{"accept-language": "fr"}).text

    wrong = stranger.client.post("/console/sign-in?lang=de", data={"key": "x"})
    assert "Dieser Schlüssel ist nicht bekannt" in wrong.text and 'class="languages"' not in wrong.text
    used = stranger.get("/console/enter?token=x", **{"accept-language": "de"})
    assert "Dieser Link wurde schon benutzt" in used.text
    assert "lang=de" in stranger.get("/console/mine?lang=de").headers["location"]
    signed = stranger.client.post("/console/sign-in?lang=de", data={"key": KEY}, follow_redirects=False)
    assert signed.headers["location"] == "/console/mine?lang=de"


def test_who_signs_in_reads_the_language_of_the_settings_if_no_other_is_asked_for(shown: Api) -> None:
    state = shown.client.app.state  # type: ignore[attr-defined]

    def page(mail: MailSettings) -> str:
        before = state.service
        state.service = replace(before, settings=msgspec.structs.replace(before.settings, mail=mail))
        try:
            return visitor(shown.client).get("/console/sign-in").text
        finally:
            state.service = before

    assert "<h1>Anmelden" in page(MailSettings(language="de"))
    # What is wrong with the files of languages keeps nobody from signing in.
    assert "<h1>Sign in" in page(MailSettings(folder="/nowhere"))


def test_operators_read_english_whatever_their_browser_asks_for(operator: ConsoleVisitor) -> None:
    answer = operator.get("/console/nowhere", **{"accept-language": "de"})
    assert '<html lang="en"' in answer.text and "There is no such page" in answer.text
    assert '<a href="/console/">To the fleet</a>' in answer.text


def test_cookie_is_for_this_console_alone(shown: Api) -> None:
    cookie = visitor(shown.client).sign_in(OPERATORS_KEY).headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/console"} <= {part.strip() for part in cookie.split(";")}
    assert "secure" not in cookie


def test_customer_is_led_to_their_own_page_and_sees_no_other(shown: Api) -> None:
    customer = visitor(shown.client)
    assert customer.sign_in(KEY, "/console/").headers["location"] == "/console/mine"
    answer = customer.get("/console/")
    assert answer.status_code == 403
    assert "rival" not in answer.text


def test_sign_out_ends_the_session(shown: Api) -> None:
    leaving = visitor(shown.client)
    leaving.sign_in(OPERATORS_KEY)
    assert leaving.post("/console/sign-out").headers["location"] == "/console/sign-in"
    assert leaving.get("/console/").status_code == 303


def test_form_without_the_token_of_the_session_is_refused(shown: Api) -> None:
    operator = visitor(shown.client)
    operator.sign_in(OPERATORS_KEY)
    for token in ("", "x" * 43, "é"):
        assert operator.post("/console/sign-out", token).status_code == 403
    assert operator.get("/console/").status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://testserver.evil.example"])
def test_form_of_another_site_is_refused(shown: Api, origin: str) -> None:
    operator = visitor(shown.client)
    operator.sign_in(OPERATORS_KEY)
    data, headers = {"csrf": operator.csrf()}, {"origin": origin}
    assert operator.client.post("/console/sign-out", data=data, headers=headers).status_code == 403
    signing = {"key": OPERATORS_KEY}
    assert operator.client.post("/console/sign-in", data=signing, headers=headers).status_code == 403


def test_form_of_this_site_is_taken(shown: Api) -> None:
    operator = visitor(shown.client)
    operator.sign_in(OPERATORS_KEY)
    data, headers = {"csrf": operator.csrf()}, {"origin": "http://testserver"}
    answer = operator.client.post("/console/sign-out", data=data, headers=headers, follow_redirects=False)
    assert answer.status_code == 303


def test_link_signs_in_once(shown: Api) -> None:
    link = shown.client.app.state.console.sessions.link()  # type: ignore[attr-defined]
    first, second = visitor(shown.client), visitor(shown.client)
    assert first.get(f"/console/enter?token={link}").headers["location"] == "/console/"
    assert TERMINAL.label in first.get("/console/").text
    assert second.get(f"/console/enter?token={link}").status_code == 401
    assert second.get("/console/").status_code == 303
