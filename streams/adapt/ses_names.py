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
#: The address stood on a suppression list: nothing was sent, although it is reported as a bounce or complaint.
SUPPRESSED = frozenset({"Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient"})
