"""A policy, and the difference between two, as lines of text for a person."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET

from schemas.policy import Brake, Policy
from schemas.policy_metric import RATES, Metric
from schemas.policy_override import Override
from schemas.policy_rule import Levels, Rule

#: What holds where a field is not given.
IN_FORCE = {"brake": "braking", "min_observable": "least_observable", "inactive_after": "inactive_window"}
#: What a policy says in addition to its rules and overrides.
FIELDS = tuple(name for name in Policy.__struct_fields__ if name not in ("rules", "overrides"))


def described(policy: Policy) -> Iterator[str]:
    """Its name, version and a table of its rules."""
    yield f"name     {policy.name or '(none)'}"
    yield f"version  {policy.version}"
    yield ""
    head = ("rule", "metric", "windows", "min volume", "levels")
    table = [head, *(_row(rule) for rule in policy.rules)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for override in policy.overrides:
        until = f" until {_value(override.until)}" if override.until else ""
        yield f"override for {_whom(override)}{until}: {override.reason}"


def differences(before: Policy, after: Policy) -> Iterator[str]:
    """What changes from one policy to another, rule by rule; nothing where both say the same."""
    for field in FIELDS:
        old, new = (getattr(policy, IN_FORCE.get(field, field)) for policy in (before, after))
        if old != new:
            yield f"{field}: {_value(old)} -> {_value(new)}"
    metrics = {rule.name: rule.metric for rule in (*before.rules, *after.rules)}
    by_name = [{rule.name: rule for rule in policy.rules} for policy in (before, after)]
    yield from _parts("rule", by_name[0], by_name[1], lambda name: metrics[name])
    by_whom = [{_whom(each): each for each in policy.overrides} for policy in (before, after)]
    rule_of = {whom: each.rule for found in by_whom for whom, each in found.items()}
    yield from _parts("override", by_whom[0], by_whom[1], lambda whom: metrics[rule_of[whom]])
    for what, old, new in (("rules", *map(list, by_name)), ("overrides", *map(list, by_whom))):
        if old != new and sorted(old) == sorted(new):
            yield f"order of {what}: {'; '.join(old)} -> {'; '.join(new)}"


def _parts(
    what: str,
    before: Mapping[str, msgspec.Struct],
    after: Mapping[str, msgspec.Struct],
    metric_of: Callable[[str], Metric],
) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            yield f"+ {what} {name}: {_all(new, metric_of(name))}"
        elif new is None and old is not None:
            yield f"- {what} {name}: {_all(old, metric_of(name))}"
        elif old is not None and new is not None and old != new:
            yield f"  {what} {name}"
            yield from (f"      {line}" for line in _changed(old, new, metric_of(name)))


def _changed(old: msgspec.Struct, new: msgspec.Struct, metric: Metric) -> Iterator[str]:
    for field in old.__struct_fields__:
        before, after = getattr(old, field), getattr(new, field)
        if before == after:
            continue
        if isinstance(before, Levels) and isinstance(after, Levels):
            for level in before.__struct_fields__:
                if getattr(before, level) != getattr(after, level):
                    low, high = (_threshold(getattr(each, level), metric) for each in (before, after))
                    yield f"levels.{level}: {low} -> {high}"
        else:
            yield f"{field}: {_value(before, metric)} -> {_value(after, metric)}"


def _all(part: msgspec.Struct, metric: Metric) -> str:
    own = {name: getattr(part, name) for name in part.__struct_fields__}
    shown = {name: value for name, value in own.items() if name not in ("name", "customer", "stream", "rule")}
    return ", ".join(f"{name} {_value(value, metric)}" for name, value in shown.items() if value not in (None, UNSET))


def _row(rule: Rule) -> Sequence[str]:
    levels = ", ".join(f"{level} {_threshold(at, rule.metric)}" for level, at in rule.levels.given())
    return rule.name, rule.metric, " ".join(rule.windows), _value(rule.min_volume), levels


def _whom(override: Override) -> str:
    stream = f" [{override.stream}]" if override.stream else ""
    return f"{override.whose}{stream}, rule {override.rule}"


def _threshold(at: float | None, metric: Metric) -> str:
    if at is None:
        return "none"
    return f"{at:g}" if metric not in RATES else f"{at:.6%}".rstrip("0%").rstrip(".") + " %"


def _value(value: Any, metric: Metric = "failure") -> str:
    """`metric` is what levels are of."""
    match value:
        case None | msgspec.UNSET:
            said = "none"
        case Levels():
            said = ", ".join(f"{level} {_threshold(at, metric)}" for level, at in value.given())
        case Brake():
            said = f"{value.customers:,} customers or {value.share * 100:g} % within {value.minutes:g} minutes"
        case datetime():
            said = f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        case dict():
            said = ", ".join(f"{key} {each:,}" for key, each in value.items())
        case tuple():
            said = " ".join(map(str, value))
        case bool():
            said = "yes" if value else "no"
        case int():
            said = f"{value:,}"
        case float():
            said = f"{value:g}"
        case _:
            said = str(value)
    return said or "(none)"
