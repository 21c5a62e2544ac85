"""Who newly reaches a level at which somebody may act, by what: others may yet share the cause. Pure."""

from collections.abc import Iterable

from schemas.policy_metric import BURNS, LISTED_METRICS, Metric, window_ms
from streams.alerts.outcome import SubjectOutcome, alarming
from streams.subjects.alarm import Alarm

#: What a mailbox provider may do to everybody.
OF_MAIL: frozenset[Metric] = frozenset({"complaint", "failure", "block"})


def alarmed_by_listings(outcomes: Iterable[SubjectOutcome]) -> set[str]:
    """The customers who newly reach such a level because of what is listed."""
    return {
        outcome.subject.customer
        for outcome in outcomes
        if any(verdict.metric in LISTED_METRICS for verdict in alarming(outcome))
    }


def alarmed_by_mail(outcomes: Iterable[SubjectOutcome]) -> dict[str, Alarm]:
    """The customers who newly reach such a level because of how their mail fares: what failed before the shortest
    window that says so, or of other mail than that of those scopes, is not what they alarm by."""
    return _alarmed(outcomes, OF_MAIL)


def alarmed_by_complaints(outcomes: Iterable[SubjectOutcome]) -> dict[str, int]:
    """Those who do because of complaints, with the length (ms) of the shortest window."""
    return {each: alarm.length_ms for each, alarm in _alarmed(outcomes, frozenset({"complaint"})).items()}


def _alarmed(outcomes: Iterable[SubjectOutcome], metrics: frozenset[Metric]) -> dict[str, Alarm]:
    found: dict[str, Alarm] = {}
    for outcome in outcomes:
        for verdict in alarming(outcome):
            if BURNS.get(verdict.metric, verdict.metric) in metrics:
                customer, scope = outcome.key
                alarm = Alarm(window_ms(verdict.window), frozenset({scope}))
                known = found.setdefault(customer, alarm)
                if alarm.length_ms < known.length_ms:
                    found[customer] = alarm
                elif alarm.length_ms == known.length_ms:
                    found[customer] = known._replace(scopes=known.scopes | alarm.scopes)
    return found
