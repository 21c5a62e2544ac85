"""The likely cause of an alert, by its metric and by what mailbox providers answered. Pure."""

from collections.abc import Mapping

from jobs.mail.phrases import CauseId
from schemas.alert import AlertData
from schemas.policy_metric import Metric

BY_METRIC: Mapping[Metric, CauseId] = {
    "failure": "failures",
    "failure_burn": "sudden_failures",
    "complaint": "complaints",
    "complaint_burn": "complaints",
    "block": "blocked",
    "exposure": "shared_listing",
    "critical_listing": "own_listing",
    "listing_count": "own_listing",
    "listed_hours": "own_listing",
    "attributed_listing": "attributed_listing",
    "volume_spike": "volume",
    "unsubscribe": "unsubscribes",
    "unwanted": "refusals_ignored",
    "sms_gateway": "phones",
    "unregistered_from": "foreign_domains",
    "new_from_domain": "new_domains",
    "reported_spam": "gmail_spam",
}
#: Classes of bounces that say that there is nobody (schemas/bounce_rules.toml).
NOBODY = frozenset({"invalid_recipient", "inactive_mailbox", "bad_domain"})
#: The part of what went wrong from which on it is the cause.
MOST = 0.5


def cause_of(alert: AlertData) -> CauseId:
    """The likely cause: of failures whether there is nobody, of refusals whether senders do not prove who they are."""
    if alert.metric == "failure" and _part(alert, NOBODY) >= MOST:
        return "bad_list"
    if alert.metric == "block" and _part(alert, frozenset({"auth_failure"})) >= MOST:
        return "authentication"
    return next((cause for metric, cause in BY_METRIC.items() if metric == alert.metric), "unknown")


def _part(alert: AlertData, classes: frozenset[str]) -> float:
    """Which part of the bounces whose class is known is of these classes."""
    found = alert.evidence.bounce_classes
    every = sum(each.count for each in found)
    return sum(each.count for each in found if each.name in classes) / every if every else 0.0
