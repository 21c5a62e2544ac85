"""A policy, and the difference between two, as lines of text for a person."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas.policy import COUNTED, Levels, Override, Policy, Rule

#: What a rule is told by; its own fields are compared one by one.
FIELDS = ("name", "windows", "confidence", "expired_is_failure", "scopes")


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
        until = f" until {override.until:%Y-%m-%dT%H:%M:%S%z}" if override.until else ""
        yield f"override for {_whom(override)}{until}: {override.reason}"


def differences(before: Policy, after: Policy) -> Iterator[str]:
    """What changes from one policy to another, rule by rule; nothing where both say the same."""
    for field in FIELDS:
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield f"{field}: {_value(old)} -> {_value(new)}"
    yield from _parts("rule", {rule.name: rule for rule in before.rules}, {rule.name: rule for rule in after.rules})
    order = [[rule.name for rule in policy.rules] for policy in (before, after)]
    if order[0] != order[1] and sorted(order[0]) == sorted(order[1]):
        yield f"order of rules: {', '.join(order[0])} -> {', '.join(order[1])}"
    yield from _parts(
        "override", {_whom(each): each for each in before.overrides}, {_whom(each): each for each in after.overrides}
    )


def _parts(what: str, before: Mapping[str, msgspec.Struct], after: Mapping[str, msgspec.Struct]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            yield f"+ {what} {name}: {_all(new)}"
        elif new is None and old is not None:
            yield f"- {what} {name}: {_all(old)}"
        elif old is not None and new is not None and old != new:
            yield f"  {what} {name}"
            yield from (f"      {line}" for line in _changed(old, new))


def _changed(old: msgspec.Struct, new: msgspec.Struct) -> Iterator[str]:
    metric = getattr(new, "metric", "")
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


def _all(part: msgspec.Struct) -> str:
    metric = getattr(part, "metric", "")
    own = {name: getattr(part, name) for name in part.__struct_fields__}
    shown = {name: value for name, value in own.items() if name not in ("name", "customer", "stream", "rule")}
    return ", ".join(f"{name} {_value(value, metric)}" for name, value in shown.items() if value is not None)


def _row(rule: Rule) -> Sequence[str]:
    levels = ", ".join(f"{level} {_threshold(at, rule.metric)}" for level, at in rule.levels.given())
    return rule.name, rule.metric, " ".join(rule.windows), _value(rule.min_volume), levels


def _whom(override: Override) -> str:
    stream = f" [{override.stream}]" if override.stream else ""
    return f"{override.customer}{stream}, rule {override.rule}"


def _threshold(at: float | None, metric: str) -> str:
    if at is None:
        return "none"
    return f"{at:g}" if metric in COUNTED or not metric else f"{at:.6%}".rstrip("0%").rstrip(".") + " %"


def _value(value: Any, metric: str = "") -> str:
    match value:
        case None:
            said = "none"
        case Levels():
            said = ", ".join(f"{level} {_threshold(at, metric)}" for level, at in value.given())
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
