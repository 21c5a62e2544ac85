"""What an act would do is what the ladder of the hook says."""

from typing import Any

import msgspec
import pytest

from api.console.case.effects import NO_HOOK, Effects, effects
from jobs.hooks.measure import Measure
from schemas.hook import Hook, HookAction, LadderRung
from tests.support.explained import NOW_MS, explained

HOOK = Hook(
    actions={"kumo": HookAction(kind="kumomta", urls=("http://k",)), "tell": HookAction(kind="mail", host="m")},
    ladder={"critical": LadderRung(level="critical", do=("kumo", "tell"))},
)


def measure(**fields: Any) -> Measure:
    known: dict[str, Any] = {"customer": "acme", "scope": "customer", "name": "kumo", "action": "kumo"}
    known |= {"effect": "suspend", "state": "applied", "cycle": 1, "level": "critical", "rule": "failure"}
    return Measure(**{**known, "alert_ids": ("a1",), "why": "", "changed_ms": NOW_MS, **fields})


def said(hook: Hook = HOOK, *measures: Measure, level: str = "critical") -> Effects:
    return effects(hook, None, explained(level), measures, "", NOW_MS)


def test_without_a_hook_it_is_said_that_nothing_is_stopped() -> None:
    found = said(Hook())
    assert found.hook == (NO_HOOK,)
    assert all(any(NO_HOOK in each for each in some) for some in (found.acknowledge, found.suspend, found.reinstate))


@pytest.mark.parametrize("hook", [Hook(), HOOK])
@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("critical", "The standing is then what the rules say: critical."),
        ("good", "The standing is reinstated for 30 days, as long as the rules give no level."),
    ],
)
def test_who_is_judged_badly_is_not_promised_to_stand_as_reinstated(hook: Hook, level: str, words: str) -> None:
    assert said(hook, level=level).reinstate[0].startswith(words)


def test_what_the_ladder_wants_and_no_hook_has_done_is_said() -> None:
    assert said().hook == (
        "All mail would be stopped by kumo, for failure",
        "The customer would be told by tell, for failure",
        "No hook acts at present.",
    )


def test_what_is_in_force_is_said_and_that_reinstating_lifts_it() -> None:
    found = said(HOOK, measure())
    assert found.hook[0] == "All mail stopped by kumo: in force"
    assert found.reinstate[0].startswith("The hook lifts kumo within seconds")


@pytest.mark.parametrize(
    ("level", "expected"), [("critical", ("at most excessive or milder: the hook lifts kumo",)), ("excessive", ())]
)
def test_override_says_from_which_level_on_the_hook_lifts(level: str, expected: tuple[str, ...]) -> None:
    assert said(level=level).overrides == {"failure": expected}


def test_who_is_never_acted_on_is_told_so() -> None:
    hook = msgspec.structs.replace(HOOK, never=("ac*",))
    assert said(hook).hook == ("The settings name it in hook.never: nothing is ever done to it.",)
