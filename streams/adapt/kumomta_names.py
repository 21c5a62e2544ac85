"""KumoMTA's names in ours: queue names and bounce classes."""

NAME = "kumomta"

#: KumoMTA's bounce classes (https://docs.kumomta.com/rustapi/bounce_classify/enum.PreDefinedBounceClass.html)
#: that say one thing. The others (TransientFailure, BadConfiguration, ContentRelated, and also
#: AuthenticationFailed and PolicyRelated, to which its IANA rules send nearly every 5.7.x) are left open: the
#: reply that they were drawn from is in the record, and our own rules read it.
BOUNCE_CLASSES: dict[str, str] = {
    "InvalidRecipient": "invalid_recipient",
    "InactiveMailbox": "inactive_mailbox",
    "BadDomain": "bad_domain",
    "QuotaIssues": "quota",
    "SpamBlock": "blocked",
    "SpamContent": "spam_content",
    "SpamRelated": "spam_content",
    "ProhibitedAttachment": "policy",
    "RelayDenied": "policy",
    "RelayingIssues": "policy",
    "InvalidSender": "policy",
    "VirusRelated": "virus",
    "TooManyRecipients": "rate_limited",
    "DNSFailure": "routing_dns",
    "RoutingErrors": "routing_dns",
    "BadConnection": "connection",
    "NoAnswerFromHost": "connection",
    "MessageExpired": "expired",
}


def queue_parts(queue: str) -> tuple[str, str]:
    """(campaign, tenant) of a queue name `campaign:tenant@domain`; empty where it has none."""
    left, at, _ = queue.partition("@")
    if not at:
        return "", ""
    campaign, colon, tenant = left.partition(":")
    return (campaign, tenant) if colon else ("", left)
