"""Mailjet events: one JSON object a request or, for grouped events, an array.

Format: https://dev.mailjet.com/email/guides/webhooks/ , with its table of errors.

Paths name fields of the event. Nothing in an event names the account, so the customer is looked for in the
payload that was given with the message, if that is a JSON object (`Payload.customer`); who sends without needs
the option or a default customer.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec

from schemas.event import EventType, MailEvent
from schemas.providers import Providers
from streams.adapt.base import Context
from streams.adapt.common import stable_id, text
from streams.adapt.feedback import Reporter, set_recipient
from streams.adapt.webhook import (
    FieldPaths,
    Fields,
    Text,
    json_body,
    kind_of,
    moment_ms,
    read_owned,
    reply,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("mailjet", customer=("Payload.customer",))

_TYPES: dict[str, EventType] = {
    "sent": "delivered",
    "bounce": "bounced",
    "blocked": "suppressed",
    "spam": "complained",
    "unsub": "unsubscribed",
}
#: An error that is no refusal: who is greylisted tries again, and has given up where it is the last word.
_TEMPORARY = "greylisted"
#: What the error of a `blocked` message is related to where the address is not at fault: Mailjet refused the
#: message itself.
_OURS = frozenset({"content", "mailjet", "system", "spam"})
#: The address bounced before, for this customer or another
#: (https://documentation.mailjet.com/hc/en-us/articles/360043102273).
_BOUNCED_BEFORE = ("mailjet", "preblocked")
_CLASSES = {
    "user unknown": "invalid_recipient",
    "mailbox inactive": "inactive_mailbox",
    "invalid domain": "bad_domain",
    "no mail host": "bad_domain",
    "quota exceeded": "quota",
    "sender blocked": "blocked",
    "content blocked": "spam_content",
    "policy issue": "policy",
    "connection issue": "connection",
    "protocol error": "protocol",
    "greylisted": "rate_limited",
}


class _Event(msgspec.Struct):
    event: str
    time: int | float | str | None = None
    MessageID: Text = None
    Message_GUID: str | None = None
    email: str | None = None
    customcampaign: Text = None
    mj_campaign_id: Text = None
    smtp_reply: str | None = None
    error_related_to: str | None = None
    error: str | None = None
    comment: str | None = None
    hard_bounce: Any = None
    source: Text = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record that tells a recipient's fate; opens and clicks are left out.

    Raises:
        AdaptError: not such a body; names the record of an array, counted from 1.
    """
    return read_owned(json_body(raw), partial(_read, providers=context.providers), FIELD_PATHS, context)


def _read(fields: Fields, providers: Providers) -> Iterable[MailEvent]:
    kind = _TYPES.get(kind_of(fields, "event"))
    if kind is None:
        return
    record = typed(fields, _Event)
    about, error = (record.error_related_to or "").lower(), (record.error or "").lower()
    if kind == "suppressed" and about in _OURS and (about, error) != _BOUNCED_BEFORE:
        kind = "rejected"
    time = moment_ms(record.time, "time")
    campaign = text(record.mj_campaign_id)
    event = MailEvent(
        id=stable_id(FIELD_PATHS.name, record.event, record.MessageID, record.Message_GUID, record.email, time),
        type=kind,
        time=time,
        customer="",
        message_id=text(record.MessageID) or record.Message_GUID or "",
        recipient=record.email or "",
        diagnostic=record.comment or record.smtp_reply or record.error or "",
        campaign=text(record.customcampaign) or (campaign if campaign != "0" else ""),
    )
    if kind == "complained":
        # Which feedback loop reported it, such as `JMRPP`.
        loop = text(record.source)
        set_recipient(event, event.recipient, Reporter((loop,), agent=loop), providers)
    hard = record.hard_bounce is True or text(record.hard_bounce) == "1"
    if kind == "bounced" and not hard and error == _TEMPORARY and not reply(event.diagnostic)[0]:
        event.type = "expired"
    yield with_bounce_details(event, known=_CLASSES.get(error, ""), hard=hard, permanent=hard)
