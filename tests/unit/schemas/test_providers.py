"""Which mailbox provider reads the mail of a domain, and who reports complaints."""

from pathlib import Path

import pytest

from schemas import providers
from schemas.providers import OTHER, ProvidersError, load_providers

TABLE = load_providers()


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
        ("web.de", "united_internet"),
        ("o2.pl", "wp"),
        ("ezweb.ne.jp", "au"),
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


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("gmail-smtp-in.l.google.com", "gmail"),
        ("alt2.gmail-smtp-in.l.google.com", "gmail"),
        ("ALT1.ASPMX.L.GOOGLE.COM.", "google_workspace"),
        ("hotmail-com.olc.protection.outlook.com", "microsoft"),
        ("harbour-example.mail.protection.outlook.com", "microsoft_365"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("us-smtp-inbound-1.mimecast.com", "mimecast"),
        ("mx.notmimecast.com", OTHER),
        ("mx.harbour.example", OTHER),
        ("com", OTHER),
        ("", OTHER),
        ("a." * 200 + "mimecast.com", "mimecast"),
    ],
)
def test_mx_host_belongs_to_who_has_the_longest_end_of_its_name(host: str, provider: str) -> None:
    assert TABLE.of_mx(host) == provider


def test_every_name_in_the_table_is_found_again() -> None:
    for each in TABLE.all:
        assert {TABLE.of(domain) for domain in each.domains} <= {each.name}
        assert {TABLE.of_mx(f"mx1.{end}") for end in each.mx} <= {each.name}


def test_table_covers_mailboxes_worldwide() -> None:
    assert len([each for each in TABLE.all if each.domains]) >= 40


def test_a_feedback_loop_has_a_source() -> None:
    assert [each.name for each in TABLE.all if each.feedback_loop and not each.source] == []


#: Counts are stored and policies written under these names.
NAMES_IN_USE = {
    "apple", "att", "charter", "comcast", "fastmail", "free", "gmail", "italiaonline", "laposte", "mailru", "microsoft",
    "naver", "netease", "orange", "proton", "sfr", "swisscom", "telecom_italia", "telekom", "telstra", "tencent",
    "united_internet", "uol", "yahoo", "yahoo_japan", "yandex", "ziggo", "zoho",
}  # fmt: skip


def test_names_in_use_stay() -> None:
    assert {each.name for each in TABLE.all} >= NAMES_IN_USE


GOOD = '[[provider]]\nname = "a"\nfeedback_loop = true\ndomains = ["a.example"]\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + GOOD, "provider `a` is defined twice"),
        (GOOD + GOOD.replace('"a"', '"b"'), "domain a.example is given to both `a` and `b`"),
        (GOOD.replace('["a.example"]', '["a.example", "a.example"]'), "domain a.example is given twice to `a`"),
        (GOOD + 'mx = ["m.example", "m.example"]\n', "MX host m.example is given twice to `a`"),
        (GOOD.replace('domains = ["a.example"]', ""), "provider `a` has neither `domains` nor `mx`"),
        (GOOD.replace('"a"', '"other"'), "reserved"),
        (GOOD.replace('"a"', '"Acme"'), "provider[0].name"),
        (GOOD.replace("true", '"yes"'), "provider[0].feedback_loop: must be true or false, not text"),
        (GOOD.replace("a.example", "A.example"), "provider[0].domains[0]"),
        (GOOD.replace("a.example", "a example"), "provider[0].domains[0]"),
        (GOOD + 'mx = ["MX.example"]\n', "provider[0].mx[0]"),
        (GOOD + "fbl = true\n", "unknown field `fbl`"),
        ("provider = 3 =", "not valid TOML"),
    ],
)
def test_broken_table_is_refused_with_file_and_place(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ProvidersError) as caught:
        load_providers(file)
    assert str(file) in str(caught.value)
    assert complaint in str(caught.value)


def test_missing_table_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ProvidersError, match=r"none\.toml: cannot be read: No such file"):
        providers.load_providers(tmp_path / "none.toml")
