"""Whether counts that came late open an alert again: they belong to a time before its resolution."""

from collections.abc import Sequence

from schemas.policy import RATES, Policy, Rule, window_ms
from streams.cause import LATE_MS
from streams.judge import NOTHING, Verdict, measured, opened
from streams.lifecycle import AlertState
from streams.past_windows import counts_at
from streams.store import Store


def may_be_late(state: AlertState, verdict: Verdict, rule: Rule, now_ms: int) -> bool:
    """Whether it is worth asking: the verdict opens a resolved alert whose cool-down is over, in a window that begins
    before the resolution."""
    if state.is_open or state.over or state.episode == 0 or verdict.level == "good":
        return False
    ago = now_ms - state.changed_ms
    return rule.metric in RATES and rule.cool_down_ms <= ago < window_ms(verdict.window) - LATE_MS


def reopened_late(
    store: Store,
    state: AlertState,
    verdict: Verdict,
    rule: Rule,
    policy: Policy,
    feedback_loop: Sequence[str],
    now_ms: int,
) -> bool:
    """Whether the verdict would be good without what came for the time before the resolution, after it.

    That is what is counted now for the part of the window that lies before the resolution, less all that was counted
    then (`state.basis`). The quarter of an hour before the resolution is left out, so what is found is surely late.

    Raises:
        StoreError: the store failed.
    """
    if state.basis is None or verdict.window not in state.basis.counts:
        return False
    until_ms = state.changed_ms - LATE_MS
    length = window_ms(verdict.window) - (now_ms - until_ms)
    found = counts_at(store, state.customer, {verdict.window: length}, feedback_loop, until_ms, so_far=False)
    windows = next((each.windows for each in found if each.scope == state.scope), {})
    now = measured(rule.metric, windows.get(verdict.window, NOTHING), policy.expired_is_failure)
    then = state.basis.counts[verdict.window]
    late, late_of = (max(0, after - before) for after, before in zip(now, then, strict=True))
    if not late:
        return False
    without = verdict.numerator - late, max(0, verdict.denominator - late_of)
    _, _, _, level = opened(rule, verdict.window, *without, policy.confidence)
    return level in ("good", "too_small")
