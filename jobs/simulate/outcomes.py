"""Everything that can become of a message, and how likely each outcome is for a customer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from jobs.simulate.fleet import OutcomeRates
from jobs.simulate.profiles import ServerAnswer
from jobs.simulate.wire import EventTemplate, answered, outcome, weighted


@dataclass(slots=True)
class Complaints:
    """Complaints a customer has earned and not yet got; at 1 one is due.

    Complaints come at even distances and not by a throw of dice, so that chance alone never gives a small
    well-behaved customer a rate that a monitor must act on.
    """

    owed: float


@dataclass(frozen=True, slots=True)
class OutcomeChances:
    """Rates made ready for drawing: ratios, cumulated chances, and what stands behind each chance.

    `afterwards` are the chances of report, unsubscription and late bounce of a delivery at a domain with a
    feedback loop, `afterwards_plain` at any other.
    """

    delivered: float
    deferral: float
    chances: list[float]
    outcomes: list[EventTemplate]
    complaint: float
    complaints: Complaints
    afterwards: list[float]
    afterwards_plain: list[float]


class Outcomes:
    """Every outcome there is, rendered once."""

    def __init__(self, answers: Sequence[ServerAnswer]) -> None:
        def bounces(kind: str, measure: str, tag: str, **fields: object) -> list[tuple[EventTemplate, float]]:
            found, weights = weighted(answers, kind)
            share = 1 / sum(weights)
            made = (answered(each, measure, "bounced", tag, **fields) for each in found)
            return [(each, weight * share) for each, weight in zip(made, weights, strict=True)]

        kinds = ("hard", "soft", "block")
        self.delivered = outcome("delivered", "delivered", "ok", smtp_code=250, enhanced_status="2.0.0")
        self.suppressed = outcome("suppressed", "suppressed", "s")
        self.rejected = outcome("rejected", "rejected", "r")
        self.expired = answered(weighted(answers, "expired")[0][0], "expired", "expired", "x")
        self.bounced = {kind: bounces(kind, kind, "b") for kind in kinds}
        self.late = {kind: bounces(kind, f"late_{kind}", "ab", asynchronous=True) for kind in kinds}
        self.deferred = [
            [answered(each, "deferred", "deferred", f"d{time}") for each in weighted(answers, "deferred")[0]]
            for time in (1, 2)
        ]
        self.complained = [
            outcome("complained", "complained", "c", feedback_type=type_)
            for type_ in (*["abuse"] * 30, "fraud", "opt-out")
        ]
        self.reported = [
            outcome("reported", "complained", "f", feedback_type=type_) for type_ in ("not-spam", "auth-failure")
        ]
        self.unsubscribed = outcome("unsubscribed", "unsubscribed", "u")

    def behaviour(self, rates: OutcomeRates, complaints: Complaints, *, bulk: bool) -> OutcomeChances:
        """How a stream behaves. `complaints` are those of its customer."""
        shares = [
            (each, rate * share)
            for kind, rate in (("hard", rates.hard), ("soft", rates.soft), ("block", rates.block))
            for each, share in self.bounced[kind]
        ]
        shares += [
            (self.expired, rates.expired),
            (self.suppressed, rates.suppressed),
            (self.rejected, rates.rejected),
        ]
        delivered = 1 - sum(share for _, share in shares)
        common = (rates.unsubscribe if bulk else 0.0, rates.late_bounce)
        return OutcomeChances(
            delivered=delivered,
            deferral=rates.deferral,
            chances=list(accumulate((share for _, share in shares), initial=delivered))[1:],
            outcomes=[each for each, _ in shares],
            complaint=rates.complaint,
            complaints=complaints,
            afterwards=list(accumulate((rates.report, *common))),
            afterwards_plain=list(accumulate((0.0, *common))),
        )
