"""The canonical mail event: what became of one message for one recipient.

Every adapter produces it, the topic `mail.events` carries it, and everything downstream reads only it.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from schemas.times import epoch_ms

EventType = Literal[
    "delivered",
    "bounced",
    "deferred",
    "complained",
    "unsubscribed",
    "expired",
    "suppressed",
    "rejected",
]
StreamClass = Literal["transactional", "bulk"]

# RFC 5965 section 7.3 and the IANA registry of feedback report types; `opt-out` is the registry's later entry.
FeedbackType = Literal["abuse", "fraud", "virus", "other", "not-spam", "auth-failure", "opt-out", "dmarc"]

#: Feedback reports in which a recipient complains. `not-spam` and `auth-failure` are reports, not complaints.
COMPLAINT_FEEDBACK: frozenset[str] = frozenset({"abuse", "fraud", "virus", "other", "opt-out"})

#: Event types kept row by row in the store: what an alert must be able to show as evidence.
NEGATIVE_TYPES: frozenset[str] = frozenset({"bounced", "complained", "expired", "unsubscribed"})

#: The stream of mail for which no other is given.
DEFAULT_STREAM = "default"
MAX_CUSTOMER_BYTES = 256
MAX_EVENT_BYTES = 1_000_000

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CUSTOMER_BYTES)]


class MailEvent(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One outcome of one message for one recipient.

    `time` is RFC 3339 or epoch milliseconds on the wire; read it through `time_ms`, which is always UTC
    epoch milliseconds. `recipient` may be present on the way in and is replaced by `recipient_hash`
    (keyed BLAKE2b) before anything is stored. Empty text means "not known".
    """

    id: Name
    type: EventType
    time: int | datetime
    customer: Name
    stream: Annotated[str, msgspec.Meta(max_length=MAX_CUSTOMER_BYTES)] = DEFAULT_STREAM
    stream_class: StreamClass = msgspec.field(default="bulk", name="class")
    message_id: str = ""
    recipient: str = ""
    recipient_hash: str = ""
    recipient_domain: str = ""
    provider: str = ""
    sending_ip: str = ""
    ip_pool: str = ""
    from_domain: str = ""
    #: The domain that signed the message (`d=`, RFC 6376 section 3.5); it may be listed as the From domain may.
    dkim_domain: str = ""
    smtp_code: int = 0
    enhanced_status: str = ""
    diagnostic: str = ""
    bounce_class: str = ""
    feedback_type: FeedbackType | Literal[""] = ""
    #: A bounce, or an expiry at another host, that arrived after the message had been reported delivered (out of band,
    #: RFC 3464 mail).
    asynchronous: bool = False
    campaign: str = ""
    #: The host that took or refused the message, as its MX record names it; it tells whose mailboxes a domain has.
    mx_host: str = ""
    #: When the message was sent, where a report says so: a complaint belongs to the cohort of that day. Same forms as
    #: `time`; 0 is "not known".
    sent: int | datetime = 0

    @property
    def time_ms(self) -> int:
        """Epoch milliseconds, UTC. A time without an offset is read as UTC."""
        return epoch_ms(self.time)
