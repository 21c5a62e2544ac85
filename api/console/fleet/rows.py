"""A line of the fleet page: where one stands, and the figures that decide it. Plain data."""

import msgspec

from api.explain.worst import WorstLine, WorstRate
from api.http.models.parameters import Metric
from schemas.policy_metric import COUNTED
from schemas.policy_metric import Metric as JudgedMetric


class RuleFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the deciding rule found in the window that decided: its counts; `rate`, `threshold` and the bounds of the
    rate's interval as the metric has them (ratios, but of listings numbers)."""

    metric: JudgedMetric
    window: str
    numerator: int
    denominator: int
    rate: float
    lower: float
    upper: float
    threshold: float

    @property
    def is_number(self) -> bool:
        """Whether what was found is a number of something, and a rate of nothing."""
        return self.metric in COUNTED


class FleetRow(msgspec.Struct, frozen=True, kw_only=True):
    """One subject, with its plan (empty without one), the pools that it sent through lately, the figures of the
    deciding rule once they were read, and the trend: a rate (ratio) for each of the last hours, None where nothing
    was sent, of `trend_of`."""

    line: WorstLine
    plan: str = ""
    pools: tuple[str, ...] = ()
    figures: RuleFigures | None = None
    trend: tuple[float | None, ...] = ()
    trend_of: Metric = "failure"

    @property
    def key(self) -> tuple[str, str]:
        """Customer and scope."""
        return self.line.customer, self.line.scope

    @property
    def is_unobservable(self) -> bool:
        """Whether too little of its mail is seen to say anything of complaints."""
        return self.line.complaint.unseen is not None

    @property
    def rates(self) -> tuple[tuple[Metric, WorstRate], ...]:
        """The rates over 24 h, by metric."""
        line = self.line
        return (
            ("complaint", line.complaint),
            ("failure", line.failure),
            ("block", line.block),
            ("exposure", line.exposure),
        )
