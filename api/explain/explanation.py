"""Why a customer stands where it stands: the shapes of the answer.

Rates, bounds and thresholds are ratios (or numbers of listings), times RFC 3339 in UTC.
"""

import msgspec

from schemas.alert import Cause, Held, OperatorOverride, Share, TransitionKind
from schemas.counts import Observed, VolumeBaseline
from schemas.levels import Level
from schemas.policy_metric import COUNTED, SPIKE, Metric, MinVolume
from schemas.policy_rule import Levels
from streams.incidents.of_customer import LeftOutMail
from streams.judge.allowance import Allowance
from streams.listings.causes import CausedListing


def numbers_of(metric: str, numerator: int, denominator: int) -> str:
    """`38 of 10,000`; a number of listings or hours alone; of a spike, what is usual."""
    if metric == SPIKE:
        return f"{numerator:,}, usually {denominator:,}"
    return f"{numerator:,}" if metric in COUNTED else f"{numerator:,} of {denominator:,}"


class WindowNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """One window of a rule: what was counted, and the level that it opens by itself. `enough`: it has `min_volume`.
    `confidence` (a ratio) is how sure the bounds are over all looks, which differs by the window's length."""

    window: str
    numerator: int
    denominator: int
    min_volume: int
    enough: bool
    rate: float
    lower: float
    upper: float
    confidence: float
    level: Level


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an alert, with the numbers it was recorded with; `said` is what a person decided, and who."""

    time: str
    kind: TransitionKind
    cause: Cause | None
    said: str
    previous_level: Level
    level: Level
    window: str
    numerator: int
    denominator: int
    policy_version: str


class DecisionNote(msgspec.Struct, frozen=True, kw_only=True):
    """Who acknowledged an alert, or suspended a customer, when and why."""

    by: str
    time: str
    why: str


class FreshStartNote(DecisionNote, frozen=True, kw_only=True):
    """Who gave a customer a fresh start, when and why, and since when its mail counts."""

    since: str


class AlertLife(msgspec.Struct, frozen=True, kw_only=True):
    """An open alert: since when it is open, and since when at its level (`changed`). An override may hold it at good.

    `held`: nobody is to act on it until an operator has decided. `below_since`: since when the level does not hold
    any more, so that only the hold time keeps it. `acknowledged`: who acknowledged it last, unless it rose after
    that. `override`: the operator's that is in force for it.
    """

    alert_id: str
    level: Level
    opened: str
    changed: str
    below_since: str | None
    acknowledged: DecisionNote | None
    override: OperatorOverride | None
    history: tuple[Step, ...]
    held: Held | None = None


class OverrideInForce(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An override that was in force; `until` is null where it has no end."""

    reason: str
    stream: str = ""
    levels: Levels | None = None
    min_volume: MinVolume | None = None
    until: str | None = None


class RuleExplained(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says, recomputed from the store; `window` decides.

    `observed` says how much of the mail the rate is seen of, `unobservable` that it is too little to call anybody good.
    `allowance` is what is left until the next level opens, `baseline` what a spike is measured against. `remarks` say
    why the alert's level differs from the verdict's, and what differs from what was recorded. `customers` are, of a
    pool, the small customers with most of the numerator, `listings` what is listed of it.
    """

    rule: str
    metric: Metric
    level: Level
    holding_level: Level
    window: str
    insufficient_volume: bool
    confidence: float
    threshold: float
    windows: tuple[WindowNumbers, ...]
    allowance: Allowance | None
    overrides: tuple[OverrideInForce, ...]
    alert: AlertLife | None
    remarks: tuple[str, ...]
    baseline: VolumeBaseline | None = None
    observed: Observed | None = None
    unobservable: bool = False
    customers: tuple[Share, ...] = ()
    listings: tuple[str, ...] = ()


class ScopeExplained(msgspec.Struct, frozen=True, kw_only=True):
    """One scope.

    `standing` follows from the counts and the open alerts. `suspended`: who suspended the customer, whatever is judged;
    `reinstated`: who lifted that in the last 30 days. `inactive_since`: the last mail, where there was none since for
    the policy's `inactive_after`.
    `scores` follow from the counts (docs/score.md); null where there is too little mail. `recorded` and `since` are
    what the table of standings says; null where the standing of the moment asked about is no longer in it.
    """

    scope: str
    standing: str
    suspended: DecisionNote | None
    reinstated: DecisionNote | None
    scores: dict[str, int | None]
    recorded: str | None
    since: str | None
    rules: tuple[RuleExplained, ...]
    remarks: tuple[str, ...]
    inactive_since: str | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Where `customer` stood at `time`, by which policy, and why.

    `listings` are those of what it sent through that were in force in a window that a rule judges, latest first.
    `left_out` is its mail in the longest window that no rule judges, since an incident hit many senders; `fresh_start`
    the one that lies in that window: mail from before it counts nowhere.
    """

    customer: str
    time: str
    policy_version: str
    scopes: tuple[ScopeExplained, ...]
    listings: tuple[CausedListing, ...] = ()
    left_out: tuple[LeftOutMail, ...] = ()
    fresh_start: FreshStartNote | None = None
