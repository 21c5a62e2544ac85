"""What is wanted about a customer, by its open alerts and the ladder of the settings. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from schemas.hook import Effect, Hook, HookAction, LadderRung
from schemas.levels import Level
from schemas.scope import CUSTOMER, shared_by
from streams.alerts.lifecycle import AlertState
from streams.judge.verdict import RANK

#: What is wanted where the settings say nothing: nobody can act on it, a dry run shows whom it would mean.
UNSET = "suspend"
BUILT_IN: Mapping[str, LadderRung] = {"built-in": LadderRung(level="excessive", do=(UNSET,))}
#: What kinds do that can do one thing alone.
OF_KIND: Mapping[str, Effect] = {"mail": "notify", "kumomta-throttle": "throttle"}
#: The effects, mildest first.
EFFECTS: tuple[Effect, ...] = ("notify", "throttle", "suspend")


@dataclass(frozen=True, slots=True)
class OpenEpisode:
    """An alert as the store has it now. Times are epoch ms: `risen_ms` is when its level last rose, `judged_ms` when it
    was last judged."""

    customer: str
    scope: str
    rule: str
    level: Level
    alert_id: str
    held: bool
    risen_ms: int
    judged_ms: int


def episode_of(state: AlertState, judged_ms: int) -> OpenEpisode:
    """The same of a stored state."""
    risen = max(state.opened_ms, state.raised_ms, state.excessive_ms, *state.reopened_ms, 0)
    return OpenEpisode(
        state.customer,
        state.scope,
        state.rule,
        state.level,
        state.alert_id,
        state.held is not None,
        risen,
        judged_ms,
    )


@dataclass(frozen=True, slots=True)
class WantedMeasure:
    """An action on a part of a customer's mail, because of some alerts; `level`, `rule` and `judged_ms` are those of
    the worst one. `about` is, of a mail to the customer, what it is told of."""

    scope: str
    action: str
    effect: Effect
    level: Level
    rule: str
    alert_ids: tuple[str, ...]
    judged_ms: int
    about: Effect = "notify"

    @property
    def key(self) -> tuple[str, str]:
        """Scope, and the action by the name under which it is kept: a customer is told again of something worse."""
        return self.scope, f"{self.action}:{self.about}" if self.effect == "notify" else self.action


def effect_of(action: HookAction | None) -> Effect:
    """What an action does; one that nobody configured stands for suspending."""
    if action is None:
        return "suspend"
    return OF_KIND.get(action.kind, action.effect)


def ladder_of(hook: Hook) -> Mapping[str, LadderRung]:
    """The ladder in force."""
    return hook.ladder or BUILT_IN


def is_never(hook: Hook, customer: str) -> bool:
    """Whether a customer is never acted on."""
    return any(fnmatchcase(customer, each) for each in hook.never)


def reaches(hook: Hook, level: Level, scope: str) -> bool:
    """Whether some rung is reached by an alert of this level on this scope, for some customer."""
    return any(_reached(rung, level, scope) for rung in ladder_of(hook).values())


def wanted(
    hook: Hook, episodes: Iterable[OpenEpisode], customer: str, plan: str = "", excused_until_ms: int = 0
) -> list[WantedMeasure]:
    """What is wanted about a customer, in the order in which it is to be done: what changes its mail by scope and rung,
    then what tells it.

    `episodes` are its alerts. Those that are held want nothing, nor do those that rose before a person lifted the
    suspension (`excused_until_ms`, epoch ms).
    """
    if is_never(hook, customer):
        return []
    counted = [
        each
        for each in episodes
        if each.customer == customer and not each.held and each.level != "good" and each.risen_ms > excused_until_ms
    ]
    found: dict[tuple[str, str], list[OpenEpisode]] = {}
    for rung in ladder_of(hook).values():
        if not _means(rung, customer, plan):
            continue
        for each in counted:
            if _reached(rung, each.level, each.scope) and _is_any(each.rule, rung.rules):
                for action in rung.do:
                    found.setdefault((each.scope, action), []).append(each)
    effects = {key: effect_of(hook.actions.get(key[1])) for key in found}
    return sorted(
        (
            _wanted(scope, action, effects[scope, action], some, _about(scope, effects))
            for (scope, action), some in found.items()
        ),
        key=lambda each: each.effect == "notify",
    )


def _wanted(scope: str, action: str, effect: Effect, some: Sequence[OpenEpisode], about: Effect) -> WantedMeasure:
    worst = max(some, key=lambda each: RANK[each.level])
    ids = tuple(sorted({each.alert_id for each in some}))
    return WantedMeasure(scope, action, effect, worst.level, worst.rule, ids, worst.judged_ms, about)


def _about(scope: str, effects: Mapping[tuple[str, str], Effect]) -> Effect:
    """The strongest of what is done in a scope."""
    return max((each for (of, _), each in effects.items() if of == scope), key=EFFECTS.index)


def _reached(rung: LadderRung, level: Level, scope: str) -> bool:
    if shared_by(scope) or RANK[level] < RANK[rung.level]:
        return False
    kind = scope if scope == CUSTOMER else scope.partition(":")[0]
    return kind in rung.scopes


def _means(rung: LadderRung, customer: str, plan: str) -> bool:
    return (not rung.plans or plan in rung.plans) and _is_any(customer, rung.customers)


def _is_any(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, each) for each in patterns)
