"""Amazon SES's sub-types of bounces in our names; Resend sends through SES and passes them on.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-bounce-types
"""

#: Sub-types that say one thing. `General`, `NoEmail` and `Undetermined` are left to our rules.
BOUNCE_CLASSES: dict[str, str] = {
    "MailboxFull": "quota",
    "MessageTooLarge": "message_too_large",
    "ContentRejected": "spam_content",
    "AttachmentRejected": "policy",
}
#: Nothing was sent, although it is reported as a bounce or complaint: the address stood on a suppression list (of SES,
#: the account or, since May 2026, the tenant), had unsubscribed, or did not pass the account's own validation (since
#: January 2026, https://docs.aws.amazon.com/ses/latest/dg/email-validation.html).
_SUPPRESSED = frozenset(
    {
        "suppressed",
        "onaccountsuppressionlist",
        "ontenantsuppressionlist",
        "unsubscribedrecipient",
        "emailvalidationsuppressed",
    }
)
#: The time that the sender had set for it was over.
_EXPIRED = frozenset({"customtimeoutexceeded", "messageexpired", "expired"})


def is_suppressed(sub_type: str | None) -> bool:
    """Whether nothing was sent, by a name that is known or says it."""
    name = (sub_type or "").strip().lower()
    return name in _SUPPRESSED or "suppress" in name


def is_expired(sub_type: str | None) -> bool:
    """Whether the time of the message was over, whatever its status says."""
    return (sub_type or "").strip().lower() in _EXPIRED
