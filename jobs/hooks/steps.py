"""What changes about a customer: what is wanted against what was done. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from jobs.hooks.ladder import EFFECTS, WantedMeasure
from jobs.hooks.measure import Measure, Waits
from schemas.hook import Effect

#: What begins is asked before whether it may; `withdraw` and `forget` end what was not done, or needs no undoing.
StepKind = Literal["begin", "retry", "lift", "withdraw", "forget", "update"]
#: States in which something was, or may have been, done.
DONE = ("applying", "applied", "lifting")


@dataclass(frozen=True, slots=True)
class HookStep:
    """One change. `measure` is as it is known, with what is wanted of it."""

    kind: StepKind
    measure: Measure


def steps(
    customer: str,
    now_ms: int,
    known: Iterable[Measure],
    wants: Sequence[WantedMeasure],
    lifted_by: tuple[str, int] = ("", 0),
) -> list[HookStep]:
    """The changes in their order: what is lifted first, then what is begun.

    What failed is tried again at its time. What is being lifted is lifted before it begins again. `lifted_by` is who
    lifted the suspension by hand last, and when (epoch ms).
    """
    person, lifted_ms = lifted_by
    had = {(each.scope, each.name): each for each in known}
    want = {each.key: each for each in wants}
    restrained = {each.scope: each.about for each in wants if each.about != "notify"}
    lifts = [
        step
        for key, measure in had.items()
        if measure.owed and (key not in want or measure.state == "lifting")
        for step in _lifted(
            msgspec.structs.replace(measure, by=measure.by or (person if lifted_ms > measure.began_ms else "")),
            had.values(),
            restrained,
            now_ms,
        )
    ]
    lifts.sort(key=lambda each: each.measure.effect == "notify")
    return [*lifts, *(step for each in wants for step in _begun(customer, each, had.get(each.key), now_ms))]


def waits_for_others(
    measure: Measure, known: Mapping[tuple[str, str, str], Measure], wants: Sequence[WantedMeasure]
) -> Waits:
    """A mail tells of what was done, so it waits for all of that."""
    if measure.effect != "notify":
        return ""
    others = [each for each in wants if each.scope == measure.scope and each.effect != "notify"]
    found = [known.get((measure.customer, *each.key)) for each in others]
    return "" if all(each is not None and each.state == "applied" for each in found) else "actions"


def _begun(customer: str, want: WantedMeasure, measure: Measure | None, now_ms: int) -> list[HookStep]:
    if measure is None or measure.state == "lifted":
        return [HookStep("begin", _new(customer, want, measure, now_ms))]
    if measure.state == "lifting":
        return []
    now = msgspec.structs.replace(measure, level=want.level, rule=want.rule, alert_ids=want.alert_ids)
    if measure.state == "waiting":
        return [HookStep("begin", now)]
    if measure.state == "applying":
        return [HookStep("retry", now)] if measure.next_ms <= now_ms else []
    return [HookStep("update", now)] if now != measure else []


def _new(customer: str, want: WantedMeasure, before: Measure | None, now_ms: int) -> Measure:
    scope, name = want.key
    return Measure(
        customer=customer,
        scope=scope,
        name=name,
        action=want.action,
        effect=want.effect,
        about=want.about,
        state="waiting",
        cycle=before.cycle + 1 if before else 1,
        level=want.level,
        rule=want.rule,
        alert_ids=want.alert_ids,
        why="",
        changed_ms=now_ms,
    )


def _lifted(
    measure: Measure, known: Iterable[Measure], restrained: Mapping[str, Effect], now_ms: int
) -> Iterable[HookStep]:
    if measure.state == "waiting" or (measure.state == "applying" and not measure.attempts):
        return [HookStep("withdraw", measure)]
    if measure.state == "lifting" and measure.next_ms > now_ms:
        return []
    if measure.effect != "notify":
        return [HookStep("lift", measure)]
    others = [each for each in known if each.scope == measure.scope and each.key != measure.key]
    if measure.about == "notify" or measure.scope in restrained or any(_tells_more(each, measure) for each in others):
        return [HookStep("forget", measure)]
    if any(each.effect != "notify" and each.state in DONE for each in others):
        return []  # once those are lifted
    return [HookStep("lift", measure)]


def _tells_more(other: Measure, measure: Measure) -> bool:
    """Whether another mail of the same action told of something stronger, so that its end is told by that."""
    return (
        other.effect == "notify"
        and other.action == measure.action
        and other.state in DONE
        and EFFECTS.index(other.about) > EFFECTS.index(measure.about)
    )
