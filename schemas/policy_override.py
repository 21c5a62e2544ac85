"""Other numbers for one customer, one stream or one plan."""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from schemas.customer import PlanName
from schemas.names import fault_of
from schemas.policy_metric import Contradiction, MinVolume, RuleName, Text
from schemas.policy_rule import Levels, Rule


class Override(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, dict=True):
    """Other numbers for one customer, or all customers of a `plan`: for all of their mail or (with `stream`) one
    stream, for good or `until` a time.

    `levels` and `min_volume` replace those of the rule as a whole. For a stream, its own override takes precedence over
    the customer's, and that before the plan's. An override of a plan is in force where it was written out for the
    plan's customers (`streams.decisions.overrides.for_plans`).
    """

    rule: RuleName
    reason: Text
    customer: Annotated[str, Meta(max_length=256)] = ""
    # Not given it is not in the policy's version.
    plan: PlanName | UnsetType = UNSET
    stream: str = ""
    levels: Levels | None = None
    min_volume: MinVolume | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None

    def __post_init__(self) -> None:
        if self.levels is None and self.min_volume is None:
            raise ValueError("levels: neither levels nor min_volume is given, so nothing is changed")
        if not self.customer and not self.plan:
            raise ValueError("customer: neither a customer nor a plan is given")
        if self.customer and self.plan:
            raise ValueError("plan: an override is for a customer or for a plan, not for both")

    def bad_names(self) -> Iterator[Contradiction]:
        """What is wrong with the names that somebody wrote down. An override that is made of what is stored may have
        such a name, from before they were refused."""
        for field, name in (("customer", self.customer), ("stream", self.stream)):
            if fault := fault_of(name):
                yield Contradiction((field,), fault)

    @property
    def whose(self) -> str:
        """Whom it is for, in words."""
        return self.customer or f"plan {self.plan}"

    @cached_property
    def until_ms(self) -> float:
        """The first moment (epoch ms, UTC) at which it is no longer in force."""
        return float("inf") if self.until is None else self.until.timestamp() * 1000

    def applied(self, rule: Rule) -> Rule:
        """The rule with what this override changes.

        Raises:
            ValueError: the changed rule contradicts itself.
        """
        return msgspec.structs.replace(
            rule,
            levels=rule.levels if self.levels is None else self.levels,
            min_volume=rule.min_volume if self.min_volume is None else self.min_volume,
        )

    def contradictions(self, rule: Rule) -> Iterator[Contradiction]:
        """For each part that changes the rule, the first thing in which the changed rule contradicts itself."""
        parts = {"levels": self.levels, "min_volume": self.min_volume}
        for field, value in parts.items():
            if value is not None:
                try:
                    msgspec.structs.replace(rule, **{field: value})
                except ValueError as error:
                    yield Contradiction((field,), str(error))


def override_name(override: Override) -> str:
    stream = f", stream {override.stream}" if override.stream else ""
    return f"override of rule {override.rule} for {override.whose}{stream}"
