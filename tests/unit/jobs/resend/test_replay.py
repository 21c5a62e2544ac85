"""Whether a dead letter can be read now, and the key it is sent with."""

import msgspec
import pytest

from jobs.resend.replay import Reader
from schemas import providers, topics
from schemas.settings import Ingest
from schemas.times import DAY_MS
from streams.adapt import AdaptError, Context, FormatOptions

NOW = 1_795_000_000_000
EVENT = {"id": "e1", "type": "delivered", "time": NOW, "customer": "acme"}
LISTING = {
    "id": "l1", "type": "listed", "time": NOW, "kind": "ip", "resource": "192.0.2.1", "zone": "bl.example",
    "weight": "major",
}  # fmt: skip


def reader(default_customer: str = "", **formats: str) -> Reader:
    mapping = {"sendgrid": FormatOptions(default_customer=default_customer)}
    settings = Ingest(formats={topics.MAIL_EVENTS: "canonical", **formats})
    return Reader(settings, Context(b"key", providers.load_providers(), mapping))


def refusal(payload: bytes, topic: str = topics.MAIL_EVENTS) -> str:
    with pytest.raises(AdaptError) as caught:
        reader().key(topic, payload, NOW)
    return str(caught.value)


def test_key_is_the_customer() -> None:
    assert reader().key(topics.MAIL_EVENTS, msgspec.json.encode(EVENT), NOW) == b"acme"


def test_key_of_a_listing_is_its_resource() -> None:
    assert reader().key(topics.MAIL_BLOCKLISTINGS, msgspec.json.encode(LISTING), NOW) == b"192.0.2.1"


def test_message_of_several_events_goes_by_the_first_customer() -> None:
    events = [
        {
            "event": "delivered",
            "email": "a@example.com",
            "timestamp": NOW // 1000,
            "customer": name,
            "sg_event_id": name,
        }
        for name in ("first", "second")
    ]
    found = reader(**{"hooks": "sendgrid"}).key("hooks", msgspec.json.encode(events), NOW)
    assert found == b"first"


def test_message_that_says_nothing_that_is_counted_has_no_key() -> None:
    opened = {"event": "open", "email": "a@example.com", "timestamp": NOW // 1000}
    assert reader(**{"hooks": "sendgrid"}).key("hooks", msgspec.json.encode([opened]), NOW) == b""


def test_configured_default_customer_makes_a_message_readable() -> None:
    event = [{"event": "delivered", "email": "a@example.com", "timestamp": NOW // 1000, "sg_event_id": "x"}]
    payload = msgspec.json.encode(event)
    with pytest.raises(AdaptError, match="no default customer"):
        reader(**{"hooks": "sendgrid"}).key("hooks", payload, NOW)
    assert reader("acme", **{"hooks": "sendgrid"}).key("hooks", payload, NOW) == b"acme"


def test_what_ingest_refuses_is_refused_with_the_same_words() -> None:
    assert refusal(b"\xff\x00") == "the message is not UTF-8 text (byte 0)"
    assert refusal(msgspec.json.encode({**EVENT, "customer": ""})) == "field `customer`: must not be empty"
    assert "in the future" in refusal(msgspec.json.encode({**EVENT, "time": NOW + 2 * DAY_MS}))
    assert "90 days are allowed" in refusal(msgspec.json.encode({**EVENT, "time": NOW - 91 * DAY_MS}))
    assert "the limit is 1,000,000" in refusal(msgspec.json.encode({**EVENT, "diagnostic": "x" * 1_000_000}))


@pytest.mark.parametrize("payload", [b"{", b"\xff", b'{"id": "\xff"}', b'{"id": "l1"}', b"[" * 100_000])
def test_listing_that_cannot_be_read_is_refused(payload: bytes) -> None:
    assert refusal(payload, topics.MAIL_BLOCKLISTINGS)


def test_listing_of_long_ago_is_refused() -> None:
    assert "in the past" in refusal(
        msgspec.json.encode({**LISTING, "time": NOW - 91 * DAY_MS}), topics.MAIL_BLOCKLISTINGS
    )


def test_topic_without_a_format_is_refused_and_named() -> None:
    assert refusal(msgspec.json.encode(EVENT), "old.events") == "ingest.formats names no format for old.events"


def test_unknown_format_is_refused_at_once() -> None:
    with pytest.raises(AdaptError, match="unknown format `xml`"):
        reader(**{"hooks": "xml"})
