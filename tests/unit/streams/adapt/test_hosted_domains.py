"""Whose mailboxes a domain has that no table lists: its MX host tells, where the event names it."""

import json
from typing import Any

import pytest

from schemas.providers import load_providers
from streams.adapt import Context, adapter, canonical
from streams.adapt.base import AdaptError

CONTEXT = Context(b"a key", load_providers())


def raw(**fields: Any) -> bytes:
    event = {"id": "e", "type": "delivered", "time": 0, "customer": "acme"}
    return json.dumps(event | fields).encode()


@pytest.mark.parametrize(
    ("fields", "provider"),
    [
        ({"recipient_domain": "harbour.example", "mx_host": "ASPMX.L.google.com."}, "google_workspace"),
        ({"recipient": "a@harbour.example", "mx_host": "h-example.mail.protection.outlook.com"}, "microsoft_365"),
        ({"recipient_domain": "harbour.example", "mx_host": "mx.harbour.example"}, "other"),
        ({"recipient_domain": "harbour.example"}, "other"),
        ({"mx_host": "aspmx.l.google.com"}, "google_workspace"),
        ({"recipient_domain": "gmail.com", "mx_host": "mx1.mimecast.com"}, "gmail"),
        ({"recipient_domain": "harbour.example", "provider": "Lagoon", "mx_host": "aspmx.l.google.com"}, "lagoon"),
    ],
)
@pytest.mark.parametrize("kind", ["delivered", "bounced"])
def test_mx_host_tells_the_provider_where_neither_event_nor_domain_does(
    fields: dict[str, str], provider: str, kind: str
) -> None:
    message = raw(type=kind, **fields)
    (alone,) = adapter("canonical")(message, CONTEXT)
    together = canonical.adapt_all([message, message], CONTEXT)
    assert together is not None
    assert [alone.provider, *(each.provider for each in together[0])] == [provider] * 3


def test_mx_host_with_a_nul_is_refused() -> None:
    with pytest.raises(AdaptError, match="`mx_host`"):
        adapter("canonical")(raw(mx_host="mx\0.harbour.example"), CONTEXT)


KUMOMTA = {"id": "1", "timestamp": 0, "queue": "t@harbour.example", "recipient": "a@harbour.example"}
PEER = {"peer_address": {"name": "aspmx.l.google.com.", "addr": "192.0.2.1"}}
SOCKETLABS = {"Type": "Delivered", "DateTime": "2025-09-12T11:08:01Z", "ServerId": 7, "Address": "a@harbour.example"}


@pytest.mark.parametrize(
    ("format_name", "record", "host"),
    [
        ("kumomta", {**KUMOMTA, **PEER, "type": "Delivery"}, "aspmx.l.google.com."),
        ("kumomta", {**KUMOMTA, **PEER, "type": "TransientFailure"}, "aspmx.l.google.com."),
        ("kumomta", {**KUMOMTA, **PEER, "type": "Rejection"}, ""),
        ("kumomta", {**KUMOMTA, **PEER, "type": "OOB"}, ""),
        ("kumomta", {**KUMOMTA, "type": "Delivery", "peer_address": None}, ""),
        ("kumomta", {**KUMOMTA, "type": "Delivery", "peer_address": {"name": None}}, ""),
        ("socketlabs", {**SOCKETLABS, "RemoteMta": "aspmx.l.google.com"}, "aspmx.l.google.com"),
        ("socketlabs", {**SOCKETLABS, "RemoteMta": "aspmx.l.google.com (192.0.2.1)"}, "aspmx.l.google.com"),
        ("socketlabs", SOCKETLABS, ""),
    ],
)
def test_formats_that_know_the_receiving_host_say_it(format_name: str, record: dict[str, Any], host: str) -> None:
    (event,) = adapter(format_name)(json.dumps(record).encode(), CONTEXT)
    assert event.mx_host == host
    assert event.provider == ("google_workspace" if host else "other")
