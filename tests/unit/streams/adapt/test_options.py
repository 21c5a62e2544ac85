"""What options say of a format in addition to the customer: sub-accounts, and domains of signatures."""

import pytest

from schemas import providers
from schemas.event import MailEvent
from streams.adapt import adapter
from streams.adapt.base import Context, FormatOptions
from streams.subjects.scopes import sub_account
from tests.support.adapt_bodies import bodies

#: A place that is filled in what `bodies` has of the format; one format for each way of looking.
PLACES = {
    "kumomta": "tenant",
    "sendgrid": "event",
    "socketlabs": "Type",
    "mailgun": "recipient",
    "ses": "mail.sendingAccountId",
    "powermta": "type",
    "postfix": "host",
    "arf": "sender",
    "dsn": "sender",
}


def read(name: str, options: FormatOptions) -> list[MailEvent]:
    context = Context(hash_key=b"key", providers=providers.load_providers(), mapping={name: options})
    return [event for body in bodies(name) for event in adapter(name)(body, context)]


@pytest.mark.parametrize("name", PLACES)
def test_stream_is_named_after_the_sub_account(name: str) -> None:
    place = PLACES[name]
    plain = read(name, FormatOptions(default_customer="acme"))
    named = read(name, FormatOptions(default_customer="acme", stream=place))
    found = read(name, FormatOptions(default_customer="acme", sub_account=place))
    assert len(found) > 0
    for event, before, other in zip(found, plain, named, strict=True):
        assert event.stream == f"{other.stream}/{before.stream}"
        assert sub_account(event.stream) == other.stream


def test_sub_account_and_stream_may_both_be_given() -> None:
    (event, *_) = read("sendgrid", FormatOptions(default_customer="acme", stream="email", sub_account="event"))
    account, _, stream = event.stream.partition("/")
    assert (account, stream) == tuple(
        read("sendgrid", FormatOptions(default_customer="acme", stream=place))[0].stream for place in ("event", "email")
    )


def test_slash_in_the_name_of_a_sub_account_does_not_make_it_another() -> None:
    context = Context(
        hash_key=b"key", providers=providers.load_providers(), mapping={"sendgrid": FormatOptions(sub_account="team")}
    )
    body = b'[{"event":"delivered","timestamp":1741000000,"email":"a@b.example","customer":"acme","team":"a/b"}]'
    (event,) = adapter("sendgrid")(body, context)
    assert event.stream == "a_b/default"


def test_domain_of_the_signature_is_where_the_option_says() -> None:
    context = Context(
        hash_key=b"key",
        providers=providers.load_providers(),
        mapping={"sendgrid": FormatOptions(dkim_domain="signed_by")},
    )
    body = b'[{"event":"delivered","timestamp":1741000000,"email":"a@b.ex","customer":"acme","signed_by":"e.example"}]'
    (event,) = adapter("sendgrid")(body, context)
    assert isinstance(event, MailEvent)
    assert event.dkim_domain == "e.example"


def test_record_without_a_sub_account_keeps_its_stream() -> None:
    (plain, *_) = read("sendgrid", FormatOptions(default_customer="acme"))
    (event, *_) = read("sendgrid", FormatOptions(default_customer="acme", sub_account="nowhere"))
    assert event.stream == plain.stream
