"""Canonical events as the records that KumoMTA would have logged of them.

Format: https://docs.kumomta.com/reference/log_record/ . Bounces are left `Uncategorized`, as they are without a
classifier file, so that the reply itself has to be read.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.event import MailEvent
from schemas.times import epoch_ms

_TYPES = {
    "delivered": "Delivery",
    "bounced": "Bounce",
    "deferred": "TransientFailure",
    "expired": "Expiration",
    "suppressed": "AdminBounce",
    "rejected": "Rejection",
    "complained": "Feedback",
}
_NODE = "6f9a2c1e-5b7d-4a3e-9c80-1d2e3f405162"
_SUPPRESSED = {"code": 551, "enhanced_code": None, "content": "Operator: recipient suppressed", "command": "RCPT TO"}
_REFUSED = {
    "code": 550,
    "enhanced_code": {"class": 5, "subject": 7, "detail": 1},
    "content": "KumoMTA: sender is not allowed",
    "command": "MAIL FROM",
}
_decode = msgspec.json.Decoder(MailEvent).decode
_encode = msgspec.json.Encoder().encode


def log_record(raw: bytes) -> bytes:
    """The record of one canonical event.

    Raises:
        KeyError: an unsubscription, which KumoMTA does not log.
    """
    event = _decode(raw)
    if event.type == "complained":
        return _encode(_feedback(event))
    came_back = event.asynchronous
    record = _record(event, "OOB" if came_back else _TYPES[event.type])
    if came_back or not event.sending_ip:
        record |= {"egress_pool": None, "egress_source": None, "source_address": None, "site": ""}
    return _encode(record)


def _record(event: MailEvent, kind: str) -> dict[str, Any]:
    domain, ip = event.recipient_domain, event.sending_ip
    seconds, millis = divmod(event.time_ms, 1000)
    number = int(event.recipient_hash, 16)
    return {
        "type": kind,
        "id": _id(event),
        "sender": f"bounce@{event.from_domain}",
        "recipient": f"reader.{event.recipient_hash}@{domain}",
        "queue": f"{event.campaign or 'mail'}:{event.customer}@{domain}",
        "site": f"{ip}->mx.{domain}",
        "size": 6_000 + number % 40_000,
        "response": _response(event),
        "peer_address": {"name": f"mx.{domain}.", "addr": "198.51.100.25"},
        "timestamp": seconds,
        "event_time": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}{number % 500_000:06d}Z",
        "created": (epoch_ms(event.sent) or event.time_ms) // 1000,
        "num_attempts": int(event.type == "deferred"),
        "bounce_classification": "Uncategorized",
        "egress_pool": event.ip_pool,
        "egress_source": "source-1",
        "source_address": {"address": f"{ip}:{1024 + number % 60_000}"},
        "feedback_report": None,
        "meta": {"tenant": event.customer},
        "headers": {"From": f"News <news@{event.from_domain}>", "Subject": "What is new this week"},
        "delivery_protocol": "ESMTP",
        "nodeid": _NODE,
    }


def _feedback(event: MailEvent) -> dict[str, Any]:
    record = _record(event, "Feedback")
    report = {
        "feedback_type": event.feedback_type or "abuse",
        "user_agent": "Example-FBL/1.0",
        "version": 1,
        "arrival_date": None,
        "original_mail_from": f"<bounce@{event.from_domain}>",
        "reporting_mta": {"mta_type": "dns", "name": f"fbl.{event.recipient_domain}"},
        "source_ip": event.sending_ip or None,
        "authentication_results": [],
        "original_rcpto_to": [f"<{record['recipient']}>"],
        "reported_domain": [event.from_domain],
        "reported_uri": [],
        "extensions": {},
        "original_message": None,
        "supplemental_trace": {"recipient": record["recipient"], "tenant": event.customer},
    }
    nothing = dict.fromkeys(("egress_pool", "egress_source", "source_address", "delivery_protocol"))
    return record | nothing | {
        "sender": f"feedback@fbl.{event.recipient_domain}",
        "recipient": "fbl@reports.example",
        "queue": "reports.example",
        "site": "",
        "response": {"code": 250, "enhanced_code": None, "content": "", "command": "."},
        "feedback_report": report,
        "meta": {},
        "headers": {},
    }  # fmt: skip


def _id(event: MailEvent) -> str:
    """Retries of a message have the message's id; bounce mails and reports have one of their own."""
    number = event.recipient_hash
    return number[::-1] + number if event.asynchronous or event.type == "complained" else number + number[::-1]


def _response(event: MailEvent) -> dict[str, Any]:
    if event.type == "suppressed":
        return _SUPPRESSED
    if event.type == "rejected":
        return _REFUSED
    parts = [int(part) for part in event.enhanced_status.split(".")] if event.enhanced_status else None
    said = event.diagnostic.removeprefix(f"{event.smtp_code} ").removeprefix(f"{event.enhanced_status} ")
    return {
        "code": event.smtp_code,
        "enhanced_code": dict(zip(("class", "subject", "detail"), parts, strict=True)) if parts else None,
        "content": said or "2.0.0 OK: queued for delivery",
        "command": "." if event.type == "delivered" else "RCPT TO",
    }
