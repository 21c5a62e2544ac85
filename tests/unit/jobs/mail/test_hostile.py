"""What comes from outside (names, answers of hosts, listings) stays harmless text wherever it stands in a mail."""

from collections import Counter
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mail.examples import NOW_MS, example
from jobs.mail.facts import KINDS
from jobs.mail.mail import CustomerMail, MailWriter, message
from jobs.mail.phrases import METRICS
from jobs.mail.writing import END, ISOLATE, clean, clean_answer
from schemas.alert import Evidence, Share
from schemas.mail import MailSettings
from schemas.policy_metric import LISTED_METRICS

WRITER = MailWriter(MailSettings())
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "{{ letter.customer }} {% raw %} {customer}",
    "acme\r\nBcc: everybody@example.com",
    "acme\n\n# You won",
    "http://evil.example/login",
    "www.evil.example",
    "\u202eemca\u202c",
    "\u2066x\u2069",
    "חברה",
    "شركة",
    "a\u200bb\u00adc",
    "\x1b[2J\x00\x7f",
    "x" * 256,
    "ä" * 256,
    "a " * 128,
    "&lt;b&gt;",
    "\ud800",
]


class Tags(HTMLParser):
    """Which tags there are, and with which attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def evil(name: str, metric: Any = "failure", kind: Any = "warning") -> CustomerMail:
    share = Share(name=name, count=400, volume=10_000, sample=name)
    listing = f"{name} on {name} (critical): {name}"
    evidence = Evidence(
        providers=(share,),
        ips=(share,),
        from_domains=(share,),
        campaigns=(share,),
        bounce_classes=(share,),
        listings=(listing,),
        sample_message_ids=(name,),
        began=name,
    )
    facts = example(kind, metric, customer=name, scope=f"stream:{name}", evidence=evidence, policy_version=name)
    return WRITER.mail(facts._replace(reason=name))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_leave_a_mail_in_its_shape(name: str) -> None:
    for metric in ("failure", "critical_listing"):
        harmless, mail = Tags(evil("x", metric).html), evil(name, metric)
        assert "\n" not in mail.subject
        assert len(mail.subject) < 250
        found = Tags(mail.html)
        assert not Counter(found.tags) - Counter(harmless.tags)
        assert found.attributes <= harmless.attributes
        assert found.links == []
        for text in (mail.subject, mail.text, mail.html):
            assert not [each for each in text if not each.isprintable() and each not in f"\n{ISOLATE}{END}"]


def test_mail_is_never_broken_by_what_is_in_it() -> None:
    for kind in KINDS:
        for metric in METRICS:
            assert evil("<b>\r\n", metric, kind).subject.endswith("(<b>)")


@given(st.text(max_size=300))
def test_law_what_comes_from_outside_is_one_harmless_line(text: str) -> None:
    line = clean(text)
    assert len(line.strip(ISOLATE + END)) <= 256
    assert "://" not in line
    inner = line.removeprefix(ISOLATE).removesuffix(END)
    assert inner == inner.strip()
    assert all(each.isprintable() for each in inner)


def test_name_written_from_right_to_left_does_not_turn_what_stands_around_it() -> None:
    assert clean("חברה") == f"{ISOLATE}חברה{END}"
    assert f"{ISOLATE}חברה{END}" in evil("חברה").subject
    assert clean("acme") == "acme"


def test_answers_of_hosts_are_no_links_in_any_client() -> None:
    said = "550 5.7.1 see http://evil.example/pay or www.evil.example or evil.example"
    assert clean_answer(said) == "550 5.7.1 see http[://]evil[.]example/pay or www[.]evil[.]example or evil[.]example"


def test_page_of_a_blocklist_is_a_link_only_if_it_is_one_of_the_web() -> None:
    for page, links in (("https://check.example/", ["https://check.example/"]), ("javascript:alert(1)", [])):
        writer = MailWriter(MailSettings(), {"zen.spamhaus.org": page})
        mail = writer.mail(example("critical", "critical_listing"))
        assert Tags(mail.html).links == links
        assert page in mail.text


def test_nothing_is_loaded_from_elsewhere() -> None:
    for metric in METRICS:
        mail = WRITER.mail(example("critical", metric))
        assert not {"img", "link", "script", "iframe", "object"} & set(Tags(mail.html).tags)
        assert "url(" not in mail.html
        assert metric in LISTED_METRICS or not Tags(mail.html).links


def whole(mail: CustomerMail, **changes: str) -> EmailMessage:
    fields: dict[str, Any] = {"sender": "abuse@esp.example", "recipient": "ann@acme.example", "now_ms": NOW_MS}
    sent = message(mail, **(fields | changes)).as_bytes()
    return message_from_bytes(sent, policy=SMTP)


@pytest.mark.parametrize("name", HOSTILE)
def test_message_has_its_headers_and_no_more_whatever_the_names(name: str) -> None:
    found = whole(evil(name), sender_name=name)
    assert sorted(found.keys()) == sorted(
        ["Subject", "From", "To", "Date", "Content-Language", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )
    assert found["From"].addresses[0].addr_spec == "abuse@esp.example"


def test_message_has_a_text_and_the_same_as_html() -> None:
    mail = WRITER.mail(example("suspended", "critical_listing"), "de")
    found = whole(mail, message_id="<1@esp.example>")
    assert found.get_content_type() == "multipart/alternative"
    text, html = found.iter_parts()
    assert [text.get_content_type(), html.get_content_type()] == ["text/plain", "text/html"]
    assert text.get_content().replace("\r\n", "\n") == mail.text
    assert html.get_content().replace("\r\n", "\n") == mail.html
    assert found["Content-Language"] == "de"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Date"] == "Thu, 12 Mar 2026 12:00:00 +0000"
    assert found["Subject"] == mail.subject
