"""What the policy in force calls bad, for those who ask about incidents: which customers can tell of one, and whom one
does not excuse. Pure."""

from collections.abc import Mapping

from schemas.policy import Policy
from schemas.policy_metric import Metric
from streams.incidents.detect import Outcome

#: Which rate each outcome is judged by.
JUDGED_BY: Mapping[Outcome, Metric] = {
    "hard": "failure",
    "expired": "failure",
    "block": "block",
    "complained": "complaint",
}
#: Which failing share of a history tells whether it is good: all failures together, or complaints.
TOLD_BY: Mapping[Outcome, Metric] = {**dict.fromkeys(JUDGED_BY, "failure"), "complained": "complaint"}


def excessive_rates(policy: Policy) -> dict[Outcome, float]:
    """Of each outcome the rate (a ratio) from which on it is excessive by itself: the least by which a rule for mail to
    all providers opens `excessive`, or `critical` where it has no such level. Outcomes that no rule calls excessive are
    left out: nobody is bad by them."""
    found: dict[Outcome, float] = {}
    for outcome, metric in JUDGED_BY.items():
        rates = [at for level, at in policy.levels_of(metric) if level in ("excessive", "critical")]
        if rates and (outcome != "expired" or policy.expired_is_failure):
            found[outcome] = min(rates)
    return found


def bad_history(policy: Policy) -> dict[Outcome, float]:
    """Of each outcome the failing share of somebody's mail (a ratio) from which it is not good: see `Policy.bad_from`.
    Who is good by the policy can tell of an incident."""
    return {outcome: policy.bad_from(metric) for outcome, metric in TOLD_BY.items()}
