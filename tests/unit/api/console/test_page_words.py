"""In which language a customer's own page is, and how it writes."""

from pathlib import Path

import pytest

from api.console.page_words import PageWords, operators, wanted_language
from jobs.mail.languages import BUILT_IN
from jobs.mail.mail import MailWriter
from schemas.mail import MailSettings
from streams.judge.allowance import Allowance

KNOWN = ("de", "en", "pt-BR")


@pytest.mark.parametrize(
    ("chosen", "accepted", "account", "found"),
    [
        ("", "", "", ""),
        ("", "", "de", "de"),
        ("", "en-GB,en;q=0.9", "de", "en"),
        ("de", "en", "en", "de"),
        ("DE-at", "en", "", "de"),
        ("xx", "pt-br", "", "pt-BR"),
        ("", "fr, de;q=0.3, en;q=0.7", "", "en"),
        ("", "de;q=0, *", "en", "en"),
        ("", "fr;q=x,;;,de;q=0.1", "", "de"),
        ("", "de;q=nan, en;q=9", "", ""),
        ("\u202e<b>" * 100, "d" * 9_000, "", ""),
    ],
)
def test_language_of_the_address_then_of_the_browser_then_of_the_account(
    chosen: str, accepted: str, account: str, found: str
) -> None:
    assert wanted_language(chosen, accepted, account, KNOWN) == found


def test_each_language_writes_numbers_and_levels_in_its_own_way() -> None:
    writer = MailWriter(MailSettings())
    german, english = (PageWords(*writer.page(tag)) for tag in ("de", "en"))
    room = Allowance(remaining=1_700, level="excessive", window="24h")

    assert german.percent(0.1234) == "12,34 %"
    assert german.share(3, 1_000) == "3 von 1.000"
    assert german.left("complaint", room) == "1.700 weitere Beschwerden bis zur Stufe „zu hoch“ (24h)"
    assert english.left("complaint", room) == "1,700 more complaints until excessive (24h)"
    assert (german.level("warning", 0.001), operators().level("warning", 0.001)) == ("Warnung 0,1 %", "warning 0.1 %")
    assert german.part("stream:news") == "Mailstrom news"


def test_own_language_that_says_nothing_of_the_page_has_the_headings_of_the_settings(tmp_path: Path) -> None:
    whole = (BUILT_IN / "en.toml").read_text(encoding="utf-8")
    (tmp_path / "fr.toml").write_text(whole[: whole.index("[page]")], encoding="utf-8")
    (tmp_path / "en.toml").write_text('[page]\ntitle = "Your mail with us"\n', encoding="utf-8")

    tag, _, page = MailWriter(MailSettings(folder=str(tmp_path), language="de")).page("fr")
    assert (tag, page.title) == ("fr", "Ihr Versand")
    assert MailWriter(MailSettings(folder=str(tmp_path))).page("fr")[2].title == "Your mail with us"
