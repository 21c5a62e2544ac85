"""What an act would do, said before it is done: what the suspension hook does now, and would do after it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from api.console.wording import standing_text
from api.explain.explanation import Explanation
from jobs.hooks.ladder import OpenEpisode, WantedMeasure, is_never, wanted
from jobs.hooks.measure import HookSeen, Measure
from schemas.hook import Hook
from schemas.levels import LEVELS, Level
from schemas.wording import rfc3339_ms, scope_name
from streams.decisions.overrides import Cap
from streams.decisions.suspensions import WELL
from streams.judge.verdict import RANK

DONE = {"suspend": "stopped", "throttle": "slowed down", "notify": "told"}
NO_HOOK = "No suspension hook is set up (hook.ladder), so repmon itself stops nobody's mail."
CAPS: tuple[Cap, ...] = get_args(Cap)


@dataclass(frozen=True, slots=True)
class Effects:
    """Sentences for each act. `hook` is what is in force or waits now, `overrides` what a rule's cap would end, by rule
    and level."""

    hook: tuple[str, ...]
    acknowledge: tuple[str, ...]
    suspend: tuple[str, ...]
    reinstate: tuple[str, ...]
    fresh_start: tuple[str, ...]
    overrides: Mapping[str, tuple[str, ...]]


def effects(
    hook: Hook,
    seen: HookSeen | None,
    explanation: Explanation,
    measures: Sequence[Measure],
    plan: str,
    now_ms: int,
) -> Effects:
    """What each act would do to a customer at a moment (epoch ms)."""
    customer = explanation.customer
    episodes = _episodes(explanation, now_ms)
    lifted = explanation.scopes[0].reinstated
    excused = rfc3339_ms(lifted.time) if lifted else 0
    now = wanted(hook, episodes, customer, plan, excused) if hook.ladder else []
    acts = _hook(hook, seen, customer, now, measures)
    return Effects(
        hook=acts,
        acknowledge=(
            "It is on record that somebody looks after the alert, until its level rises.",
            "Nothing is stopped or let go by it; the hook goes on as before." if hook.ladder else NO_HOOK,
        ),
        suspend=(
            "The standing is suspended from now on, until somebody reinstates the customer; it has no end by itself.",
            "It is put on record and sent to your systems as an event. "
            + ("repmon itself stops no mail by it: the hook acts on alerts." if hook.ladder else NO_HOOK),
            "Rules go on judging, so that you see when it could be lifted.",
        ),
        reinstate=(
            _reinstated(explanation.scopes[0].standing, hook, measures),
            "Open alerts stay open: windows still hold the mail from before.",
        ),
        fresh_start=(
            "With a fresh start all windows begin anew with the next minute: mail from before counts nowhere, and open "
            "alerts end.",
        ),
        overrides={
            rule: _overridden(hook, episodes, rule, customer, plan, excused, now)
            for rule in sorted({rule.rule for scope in explanation.scopes for rule in scope.rules})
        },
    )


def _episodes(explanation: Explanation, now_ms: int) -> list[OpenEpisode]:
    return [
        OpenEpisode(
            customer=explanation.customer,
            scope=scope.scope,
            rule=rule.rule,
            level=rule.alert.level,
            alert_id=rule.alert.alert_id,
            held=rule.alert.held is not None,
            risen_ms=rfc3339_ms(rule.alert.changed),
            judged_ms=now_ms,
        )
        for scope in explanation.scopes
        for rule in scope.rules
        if rule.alert is not None
    ]


def _hook(
    hook: Hook, seen: HookSeen | None, customer: str, now: Iterable[WantedMeasure], measures: Sequence[Measure]
) -> tuple[str, ...]:
    if not hook.ladder:
        return (NO_HOOK,)
    if is_never(hook, customer):
        return ("The settings name it in hook.never: nothing is ever done to it.",)
    said = [_measure(each) for each in measures]
    running = seen is not None and not seen.breaker
    due = {(each.scope, each.action) for each in now} - {(each.scope, each.action) for each in measures}
    for each in now:
        if (each.scope, each.action) in due:
            verb = "is about to be" if running else "would be"
            whom = "the customer" if each.effect == "notify" else scope_name(each.scope)
            said.append(f"{whom[0].upper()}{whom[1:]} {verb} {DONE[each.effect]} by {each.action}, for {each.rule}")
    if seen is not None and seen.breaker:
        said.append(f"The hook's breaker is open, so nothing is begun: {seen.breaker}")
    elif seen is None:
        said.append("No hook acts at present.")
    return tuple(said) or ("Nothing is done to its mail, and nothing is due.",)


def _measure(measure: Measure) -> str:
    whom = "The customer" if measure.effect == "notify" else scope_name(measure.scope)
    what = f"{whom} {DONE[measure.effect]} by {measure.action}"
    if measure.state == "applied":
        return f"{what}: in force"
    if measure.state == "waiting":
        return f"{what}: waits" + (f" for {measure.waits}" if measure.waits else "")
    return f"{what}: {measure.state}" + (f"; {measure.said}" if measure.failing_ms else "")


def _reinstated(judged: str, hook: Hook, measures: Sequence[Measure]) -> str:
    standing = "The standing is reinstated for 30 days, as long as the rules give no level."
    if judged not in WELL:
        standing = f"The standing is then what the rules say: {standing_text(judged)}."
    if not hook.ladder:
        return f"{standing} {NO_HOOK}"
    stopped = [each for each in measures if each.effect != "notify" and each.state in ("applied", "applying")]
    if not stopped:
        return f"{standing} The hook has stopped nothing of its mail."
    names = ", ".join(sorted({each.action for each in stopped}))
    return f"The hook lifts {names} within seconds, and acts again only when a level rises once more."


def _overridden(
    hook: Hook,
    episodes: Sequence[OpenEpisode],
    rule: str,
    customer: str,
    plan: str,
    excused_ms: int,
    now: Sequence[WantedMeasure],
) -> tuple[str, ...]:
    """What ends where a rule gives no level that the hook acts on; what it would be at each cap."""
    if not hook.ladder or not now:
        return ()
    said: list[str] = []
    before = {each.key: each for each in now}
    lifted: set[str] = set()
    for cap in reversed(CAPS):
        most: Level = "good" if cap == "none" else cap
        capped = [
            replace(each, level=min(each.level, most, key=RANK.__getitem__)) if each.rule == rule else each
            for each in episodes
        ]
        after = {each.key for each in wanted(hook, capped, customer, plan, excused_ms)}
        ended = [each for key, each in before.items() if key not in after and each.effect != "notify"]
        if names := {each.action for each in ended} - lifted:
            lifted |= names
            or_less = "" if most == "good" else " or milder"
            said.append(f"at most {LEVELS[RANK[most]]}{or_less}: the hook lifts {', '.join(sorted(names))}")
    return tuple(said)
