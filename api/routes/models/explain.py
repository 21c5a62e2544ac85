"""An explanation of an alert, in answers."""

from datetime import datetime

from pydantic import BaseModel, Field

from api.http.models.standing import Headroom
from schemas.levels import Level


class WindowExplained(BaseModel):
    """One sliding window of the rule, and what it says by itself."""

    window: str = Field(description="How long it is.")
    numerator: int = Field(description="What counts against the customer in it.")
    denominator: int = Field(description="Of how many recipients.")
    min_volume: int = Field(description="So many there must be for it to be judged.")
    enough: bool = Field(description="Whether there are so many.")
    rate: float = Field(description="The rate, a ratio.")
    lower: float = Field(description="Lower bound of the rate's confidence interval, a ratio.")
    upper: float = Field(description="Upper bound of the rate's confidence interval, a ratio.")
    confidence: float = Field(description="How sure the bounds are, a ratio.")
    level: Level = Field(description="The level that it opens by itself.")


class OverrideExplained(BaseModel):
    """An override of the rule that is in force."""

    stream: str = Field(description="The stream that it holds for; empty for all mail.")
    until: datetime | None = Field(description="When it ends; null where it has no end.")
    reason: str | None = Field(description="Why there is one; shown to operators only.")


class AlertExplained(BaseModel):
    """Why an alert stands as it does: its rule, counted again now."""

    alert_id: str = Field(description="The alert.")
    customer: str = Field(description="Whom it is about; empty where it is about small customers together.")
    scope: str = Field(description="`customer` for all mail, `stream:NAME` for one stream, and so on.")
    time: datetime = Field(description="The moment that is counted for: now.")
    policy_version: str = Field(description="The policy that is judged by.")
    rule: str = Field(description="The rule of the policy.")
    metric: str = Field(description="What the rule judges.")
    level: Level = Field(description="The level that the counts reach now; the alert's may be worse for a while.")
    holding_level: Level = Field(description="The level that the counts hold, if it is open already.")
    alert_level: Level = Field(description="The level at which the alert stands; `good` once it is resolved.")
    window: str = Field(description="The window that decides.")
    threshold: float = Field(description="The threshold that is decisive, a ratio.")
    insufficient_volume: bool = Field(description="Whether there is too little mail to judge by.")
    windows: list[WindowExplained] = Field(description="Every window of the rule.")
    allowance: Headroom | None = Field(description="What is left until the next level; null where there is none.")
    overrides: list[OverrideExplained] = Field(description="Overrides of the rule that are in force.")
    below_since: datetime | None = Field(
        description="Since when the alert's level does not hold any more, so that only the hold time keeps it."
    )
    remarks: list[str] = Field(description="Why the alert's level differs from what is counted now, in sentences.")
    explanation: str = Field(description="What the alert said last, in a sentence.")
