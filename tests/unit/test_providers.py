"""Which mailbox provider reads the mail of a domain, and who reports complaints."""

from pathlib import Path

import pytest

from schemas import providers
from schemas.providers import OTHER, ProvidersError, load

TABLE = load()


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        ("gmail.com", "gmail"),
        ("googlemail.com", "gmail"),
        ("aol.com", "yahoo"),
        ("yahoo.co.uk", "yahoo"),
        ("yahoo.co.jp", "yahoo_japan"),
        ("hotmail.com", "microsoft"),
        ("comcast.net", "comcast"),
        ("harbour.example", OTHER),
        ("", OTHER),
    ],
)
def test_domain_belongs_to_its_provider(domain: str, provider: str) -> None:
    assert TABLE.of(domain) == provider


def test_letter_case_of_a_domain_does_not_matter() -> None:
    assert TABLE.of("GMail.Com") == "gmail"


def test_a_subdomain_is_not_its_parent() -> None:
    assert TABLE.of("mail.gmail.com") == OTHER


def test_google_reports_no_single_complaints_and_unknown_domains_neither() -> None:
    reporting = TABLE.with_feedback_loop()
    assert {"yahoo", "microsoft", "comcast"} <= set(reporting)
    assert "gmail" not in reporting
    assert OTHER not in reporting
    assert list(reporting) == sorted(reporting)


def test_table_covers_at_least_twenty_providers() -> None:
    assert len(TABLE.all) >= 20


GOOD = '[[provider]]\nname = "a"\nfeedback_loop = true\ndomains = ["a.example"]\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + GOOD, "provider `a` is defined twice"),
        (GOOD + GOOD.replace('"a"', '"b"'), "domain a.example is given to both `a` and `b`"),
        (GOOD.replace('"a"', '"other"'), "reserved"),
        (GOOD.replace("true", '"yes"'), "Expected `bool`, got `str` - at `$.provider[0].feedback_loop`"),
        (GOOD.replace("a.example", "A.example"), "$.provider[0].domains[0]"),
        (GOOD + "fbl = true\n", "unknown field `fbl`"),
        ("provider = 3 =", "not valid TOML"),
    ],
)
def test_broken_table_is_refused_with_file_and_place(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ProvidersError) as caught:
        load(file)
    assert str(file) in str(caught.value)
    assert complaint in str(caught.value)


def test_missing_table_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ProvidersError, match=r"none\.toml: cannot be read: No such file"):
        providers.load(tmp_path / "none.toml")
