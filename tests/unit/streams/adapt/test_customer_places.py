"""Places of the customer that all formats share, and owners of domains and addresses."""

from collections.abc import Sequence

import pytest

from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.mime import Headers
from streams.adapt.owners import Owners
from streams.adapt.places import AmbiguousError, SentMail, find_customer, in_words, shared_place

OWNERS = Owners(
    {"acme.example": "acme", "news.acme.example": "acme-news", "shop.example": "shop", "Capital.Example.": "capital"},
    {"192.0.2.10": "acme", "192.0.2.16/28": "shop", "192.0.2.24/29": "shop-eu", "2001:db8::/48": "six"},
)


def mail(**fields: str | Sequence[str]) -> SentMail:
    known = {
        name.replace("_", "-"): [value] if isinstance(value, str) else list(value) for name, value in fields.items()
    }
    senders = ["bounce+acme+iris=shop.example@out.example"]
    return SentMail(senders, Headers(known).all, "192.0.2.10", ["www.shop.example"])


def signed(*domains: str) -> list[str]:
    return [f"v=1; a=rsa-sha256; bh=d=x; d={each}; s=k; b=y" for each in domains]


@pytest.mark.parametrize(
    ("place", "about", "found"),
    [
        ("sender", mail(), "out.example"),
        ("sender", SentMail(["<redacted>", "<b@acme.example>"]), "acme.example"),
        ("sender", SentMail(), ""),
        ("verp:bounce+{}+*@*", mail(), "acme"),
        ("verp:return-{}@*", mail(), ""),
        ("header.X-Customer-ID", mail(x_customer_id="acme"), "acme"),
        ("header.x-customer-id", mail(x_customer_id="=?utf-8?q?caf=C3=A9?="), "café"),
        ("header.X-Customer-ID", mail(), ""),
        ("feedback-id.1", mail(feedback_id="camp7:acme:bulk:esp1"), "camp7"),
        ("feedback-id.2", mail(feedback_id="camp7: acme :bulk:esp1"), "acme"),
        ("feedback-id.4", mail(feedback_id="camp7:acme:bulk:esp1"), "esp1"),
        ("feedback-id.4", mail(feedback_id="acme:esp1"), ""),
        ("feedback-id.2", mail(feedback_id="::bulk:esp1"), ""),
        ("feedback-id.2", mail(), ""),
        ("dkim", mail(dkim_signature=signed("mail.ACME.example")), "acme"),
        ("dkim", mail(dkim_signature=signed("news.acme.example")), "acme-news"),
        ("dkim", mail(dkim_signature=signed("platform.example", "acme.example")), "acme"),
        ("dkim", mail(dkim_signature="v=1; a=rsa-sha256;d = acme.example ;s=k"), "acme"),
        ("dkim", mail(dkim_signature=signed("notacme.example")), ""),
        ("dkim", mail(dkim_signature="v=1; d=; s=k"), ""),
        ("dkim", mail(), ""),
        ("domain", mail(), "shop"),
        ("domain", SentMail(["<b@bounces.capital.example>"]), "capital"),
        ("domain", SentMail(["redacted"]), ""),
        ("ip", mail(), "acme"),
        ("ip", SentMail(address="192.0.2.17"), "shop"),
        ("ip", SentMail(address="192.0.2.25"), "shop-eu"),
        ("ip", SentMail(address="::ffff:192.0.2.10"), "acme"),
        ("ip", SentMail(address="2001:0DB8:0:0::1"), "six"),
        ("ip", SentMail(address="[2001:db8::1]"), "six"),
        ("ip", SentMail(address="198.51.100.1"), ""),
        ("ip", SentMail(address="unknown"), ""),
        ("ip", SentMail(), ""),
        ("feedback-id.2", mail(feedback_id=["a:acme:b:c", "d:acme:e:f"]), "acme"),
        ("feedback-id.3", mail(feedback_id=["a:acme", "d:acme:e:f"]), "e"),
        ("tenant", mail(), None),
        ("header.", mail(), None),
    ],
)
def test_what_stands_at_a_place(place: str, about: SentMail, found: str | None) -> None:
    assert shared_place(place, about, OWNERS) == found


@pytest.mark.parametrize(
    ("place", "about", "message"),
    [
        ("header.X-Customer", mail(x_customer=["acme", "mallory"]), "`X-Customer` is there more than once"),
        ("feedback-id.2", mail(feedback_id=["a:acme:b:c", "a:mallory:b:c"]), "`Feedback-ID` is there more than once"),
        ("dkim", mail(dkim_signature=signed("acme.example", "shop.example")), "`dkim` names both `acme` and `shop`"),
        ("domain", SentMail(["b@acme.example"], domains=["shop.example"]), "`domain` names both `acme` and `shop`"),
    ],
)
def test_place_that_names_two_customers_names_none(place: str, about: SentMail, message: str) -> None:
    with pytest.raises(AmbiguousError, match=message):
        shared_place(place, about, OWNERS)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("feedback-id.0", "`feedback-id.0` is not a part of a Feedback-ID; they are 1 to 4"),
        ("feedback-id.two", "`feedback-id.two` is not a part"),
        ("verp:bounce@*", r"needs exactly one `\{\}`"),
    ],
)
def test_place_that_cannot_be_one_is_an_error(place: str, message: str) -> None:
    with pytest.raises(AdaptError, match=message):
        shared_place(place, mail(), OWNERS)


@pytest.mark.parametrize("text", ["192.0.2", "192.0.2.0/33", "", "acme.example"])
def test_owner_of_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Owners({}, {text: "acme"})


def ask(options: FormatOptions, answers: dict[str, str]) -> str:
    def look(place: str) -> str:
        if answers.get(place) == "two":
            raise AmbiguousError(f"{place} names two")
        return answers.get(place, "")

    return find_customer(options, look, "first", "second")


@pytest.mark.parametrize(
    ("options", "answers", "found"),
    [
        (FormatOptions(), {"first": "a", "second": "b"}, "a"),
        (FormatOptions(), {"second": "b"}, "b"),
        (FormatOptions(customer="third"), {"first": "a", "third": "c"}, "c"),
        (FormatOptions(customer=("third", "second")), {"second": "b", "third": " "}, "b"),
        (FormatOptions(customer=("third", "second")), {"second": "b", "third": "two"}, "b"),
        (FormatOptions(customer=("third", "second")), {"second": "b", "third": "c"}, "c"),
        (FormatOptions(customer=("third",), default_customer="house"), {"first": "a"}, "house"),
        (FormatOptions(customer=("third",), default_customer="house"), {"third": "two"}, "house"),
        (FormatOptions(customer=()), {}, ""),
    ],
)
def test_first_place_that_answers_is_taken(options: FormatOptions, answers: dict[str, str], found: str) -> None:
    assert ask(options, answers) == found


def test_why_no_place_answers_is_said_where_one_names_two() -> None:
    with pytest.raises(AmbiguousError, match="third names two"):
        ask(FormatOptions(customer=("third", "second")), {"third": "two"})


def test_places_are_listed_as_in_a_sentence() -> None:
    assert [in_words(each) for each in (("a",), ("a", "b"), ("a", "b", "c"))] == [
        "`a`",
        "`a` or `b`",
        "`a`, `b` or `c`",
    ]


KUMOMTA_BOUNCE = (
    b'{"type":"OOB","id":"c1","sender":"bounce+acme+iris=shop.example@out.acme.example","recipient":"iris@shop.example",'
    b'"queue":"out.acme.example","timestamp":1795932060}'
)
KUMOMTA_COMPLAINT = (
    b'{"type":"Feedback","id":"c2","sender":"fbl@feedback.example","recipient":"fbl@platform.example",'
    b'"queue":"platform.example","timestamp":1795932060,"feedback_report":{"feedback_type":"abuse",'
    b'"source_ip":"192.0.2.10","original_mail_from":"bounce+acme+iris=shop.example@out.acme.example"}}'
)
POSTFIX = b"""\
Nov 28 10:00:01 mx postfix/qmgr[2]: 4Dk1XY2zWPz1: from=<bounce+acme+iris=shop.example@out.acme.example>, size=1, nrcpt=1
Nov 28 10:00:02 mx postfix/cleanup[2]: 4Dk1XY2zWPz1: info: header Feedback-ID: c:acme:b:e from local; from=<a@b.example>
Nov 28 10:00:03 mx postfix/smtp[2]: 4Dk1XY2zWPz1: to=<iris@shop.example>, relay=mx.test[192.0.2.9]:25, status=sent (250)
"""
POWERMTA = (
    b"type,timeLogged,orig,rcpt,vmta,dlvSourceIp,header_Feedback-ID\n"
    b"d,2026-11-28 10:00:00+0000,bounce+acme+iris=shop.example@out.acme.example,iris@shop.example,,192.0.2.10,"
    b"c:acme:b:e\n"
)


@pytest.mark.parametrize(
    ("name", "raw", "places"),
    [
        ("kumomta", KUMOMTA_BOUNCE, ("verp:bounce+{}+*@*", "domain")),
        ("kumomta", KUMOMTA_COMPLAINT, ("verp:bounce+{}+*@*", "domain", "ip")),
        ("postfix", POSTFIX, ("verp:bounce+{}+*@*", "domain", "feedback-id.2", "header.X-No, sender")),
        ("powermta", POWERMTA, ("verp:bounce+{}+*@*", "domain", "feedback-id.2", "ip")),
    ],
)
def test_logs_know_the_shared_places(name: str, raw: bytes, places: Sequence[str]) -> None:
    for place in places:
        options = FormatOptions(customer=("header.X-No", *place.split(", ")))
        context = Context(b"a key", load_providers(), {name: options}, owners=OWNERS, clock=lambda: 1795932060000)
        (event,) = adapter(name)(raw, context)
        assert event.customer == ("out.acme.example" if "sender" in place else "acme"), place


def test_registered_domains_are_known_too_and_one_of_two_customers_is_nobodys() -> None:
    pairs = [("harbour.example", "harbour"), ("Acme.example.", "mallory"), ("both.example", "a"), ("both.example", "b")]
    owners = OWNERS.with_registered(pairs)
    asked = ("mail.harbour.example", "acme.example", "both.example", "shop.example", "nobody.example")
    assert [owners.of_domain(each) for each in asked] == ["harbour", "acme", "", "shop", ""]
    assert owners.of_address("192.0.2.10") == "acme"
    assert OWNERS.of_domain("harbour.example") == ""


@pytest.mark.parametrize("registered", ["bücher.example", "xn--bcher-kva.example", "BÜCHER.example."])
@pytest.mark.parametrize("named", ["bücher.example", "xn--bcher-kva.example", "news.Bücher.example"])
def test_internationalized_domain_is_its_owners_in_either_form(registered: str, named: str) -> None:
    assert Owners({registered: "acme"}).of_domain(named) == "acme"
    assert Owners().with_registered([(registered, "acme")]).of_domain(named) == "acme"


def test_domain_that_idna_does_not_know_is_known_as_it_is_written() -> None:
    assert Owners({"a\u2028b.example": "acme"}).of_domain("a\u2028b.example") == "acme"
