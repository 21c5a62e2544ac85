"""Who newly reaches a level at which somebody may act, by what: others may yet share the cause. Pure."""

from collections.abc import Iterable

from schemas.policy_metric import BURNS, LISTED_METRICS, Metric, window_ms
from streams.alerts.outcome import SubjectOutcome, alarming

#: What a mailbox provider may do to everybody.
OF_MAIL: frozenset[Metric] = frozenset({"complaint", "failure", "block"})


def alarmed_by_listings(outcomes: Iterable[SubjectOutcome]) -> set[str]:
    """The customers who newly reach such a level because of what is listed."""
    return {
        outcome.subject.customer
        for outcome in outcomes
        if any(verdict.metric in LISTED_METRICS for verdict in alarming(outcome))
    }


def alarmed_by_mail(outcomes: Iterable[SubjectOutcome]) -> dict[str, int]:
    """The customers who newly reach such a level because of how their mail fares, with the length (ms) of the shortest
    window that says so: what failed before is not what they alarm by."""
    return _alarmed(outcomes, OF_MAIL)


def alarmed_by_complaints(outcomes: Iterable[SubjectOutcome]) -> dict[str, int]:
    """The same of those who do because of complaints."""
    return _alarmed(outcomes, frozenset({"complaint"}))


def _alarmed(outcomes: Iterable[SubjectOutcome], metrics: frozenset[Metric]) -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome in outcomes:
        for verdict in alarming(outcome):
            if BURNS.get(verdict.metric, verdict.metric) in metrics:
                customer, length = outcome.subject.customer, window_ms(verdict.window)
                found[customer] = min(length, found.get(customer, length))
    return found
