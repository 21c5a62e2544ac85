"""The thresholds that graphs draw: those of the policy, without overrides of single customers."""

from typing import NamedTuple

from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import Metric

#: (level, ratio), mildest first.
Drawn = tuple[tuple[Level, float], ...]
#: The window whose rate the graphs show.
WINDOW = "24h"


class Limits(NamedTuple):
    """What is drawn on the graph of each rate."""

    complaint: Drawn = ()
    failure: Drawn = ()
    block: Drawn = ()


def limits_of(policy: Policy) -> Limits:
    """The thresholds for the last 24 hours; none for a metric that no rule judges over them."""

    def drawn(metric: Metric) -> Drawn:
        for rule in policy.rules:
            if rule.metric == metric and WINDOW in rule.windows:
                return tuple(rule.levels.given())
        return ()

    return Limits(drawn("complaint"), drawn("failure"), drawn("block"))
