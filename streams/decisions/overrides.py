"""What operators decided of single customers: a rule gives them no level worse than one, until a time. Pure.

Such a decision is no part of the policy's text. It is put over the policy while it is in force, and the policy keeps
its version.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
from msgspec import UNSET

from schemas.alert import OperatorOverride
from schemas.levels import LEVELS, Level
from schemas.policy import Policy
from schemas.policy_metric import COUNTED, RATES
from schemas.policy_override import Override
from schemas.policy_rule import Levels, Rule
from schemas.times import utc_time
from streams.judge.certainty import NEVER
from streams.judge.verdict import RANK

#: The worst level that a rule may give; with `none` it gives none.
Cap = Literal["none", "watch", "warning", "excessive", "critical"]
#: Nobody has so many listings or spends an allowance so fast.
NEVER_A_NUMBER = 1e9


class StoredOverride(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: `rule` gives this customer no level worse than `at_most`, from `since_ms` until `until_ms`.

    With `stream` it is about that stream alone, else about all of the customer's mail. Times are epoch ms, UTC. `id`
    names it to the person who ends it.
    """

    id: str
    customer: str
    stream: str
    rule: str
    at_most: Cap
    until_ms: int
    by: str
    why: str
    since_ms: int


class PastOverride(NamedTuple):
    """An override, and when (epoch ms) it was ended before its time; never is infinite."""

    override: StoredOverride
    ended_ms: float

    def holds(self, at_ms: int) -> bool:
        """Whether it was in force at a moment (epoch ms)."""
        return self.override.since_ms <= at_ms < min(self.override.until_ms, self.ended_ms)


class Decided(Override, frozen=True, kw_only=True):
    """An override of the policy that stands for an operator's decision."""

    decision: StoredOverride


def operators(overrides: Sequence[Override], rule: str) -> OperatorOverride | None:
    """Of overrides that are in force, the operator's that has the last word on a rule."""
    about = [each.decision for each in overrides if isinstance(each, Decided) and each.rule == rule]
    if not about:
        return None
    last = about[-1]
    return OperatorOverride(id=last.id, by=last.by, why=last.why, until_ms=last.until_ms)


def for_plans(policy: Policy, plans: Mapping[str, str]) -> Policy:
    """The policy with its overrides of plans written out for the customers that have them: `plans` is by customer.

    Where a customer has an override of its own for a rule, for all of its mail or for that stream, it takes precedence
    over the plan's.
    """
    of_plans = [each for each in policy.overrides if each.plan]
    if not of_plans:
        return policy
    found = [each for each in policy.overrides if not each.plan]
    own = {(each.customer, each.stream, each.rule) for each in found}
    members: dict[str, list[str]] = {}
    for customer, plan in sorted(plans.items()):
        members.setdefault(plan, []).append(customer)
    for each in of_plans:
        found += [
            msgspec.structs.replace(each, plan=UNSET, customer=customer, reason=f"{each.reason} (plan {each.plan})")
            for customer in members.get(str(each.plan), ())
            if own.isdisjoint(((customer, "", each.rule), (customer, each.stream, each.rule)))
        ]
    return policy.with_overrides(tuple(found))


def with_stored(policy: Policy, stored: Sequence[StoredOverride], now_ms: int) -> Policy:
    """The policy with the decisions that are in force at `now_ms` put over its own overrides.

    One about a rule that the policy does not have is passed over. Of several about the same mail the last one counts.
    """
    now_stored = [each for each in stored if each.since_ms <= now_ms < each.until_ms]
    if not now_stored:  # of many overrides of plans, nothing is to be gone through
        return policy
    own = {(each.customer, each.stream, each.rule): each for each in policy.overrides}
    found = dict(own)
    for decision in sorted(now_stored, key=lambda each: (each.stream != "", each.since_ms)):
        rule = next((each for each in policy.rules if each.name == decision.rule), None)
        if rule is None:
            continue
        streams = {decision.stream}
        if not decision.stream:  # a stream's own override would take precedence over one of the customer
            streams |= {stream for customer, stream, name in own if (customer, name) == (decision.customer, rule.name)}
        for stream in sorted(streams):
            before = [own.get((decision.customer, each, rule.name)) for each in dict.fromkeys(("", stream))]
            found[decision.customer, stream, rule.name] = _override(decision, stream, rule, before, now_ms)
    return policy if found == own else policy.with_overrides(tuple(found.values()))


def _override(
    decision: StoredOverride, stream: str, rule: Rule, before: Sequence[Override | None], now_ms: int
) -> Override:
    """The decision as an override of the policy: the levels that hold without it, down to the worst allowed."""
    for each in before:
        if each is not None and now_ms < each.until_ms:
            rule = each.applied(rule)
    return Decided(
        decision=decision,
        customer=decision.customer,
        stream=stream,
        rule=decision.rule,
        reason=f"{decision.why} ({decision.by})",
        levels=capped(rule, decision.at_most),
        min_volume=None if rule.metric in COUNTED else rule.min_volume,
        until=utc_time(decision.until_ms),
    )


def capped(rule: Rule, at_most: Cap) -> Levels:
    """The levels of a rule that are no worse than one; where none is left, one that never opens."""
    worst = -1 if at_most == "none" else RANK[at_most]
    kept: dict[Level, float] = {rung.level: rung.threshold for rung in rule.ladder if RANK[rung.level] <= worst}
    if not kept:
        kept = {LEVELS[1]: NEVER if rule.metric in RATES else NEVER_A_NUMBER}
    return msgspec.convert(kept, Levels)
