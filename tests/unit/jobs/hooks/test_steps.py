"""What is wanted, and the steps from what was done to that: whatever happens, in the end what is wanted is in force."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from jobs.hooks.ladder import OpenEpisode, WantedMeasure, wanted
from jobs.hooks.measure import Measure
from jobs.hooks.steps import HookStep, steps, waits_for_others
from schemas.hook import Hook, HookAction, LadderRung
from schemas.levels import LEVELS, Level

HOOK = Hook(
    actions={
        "slow": HookAction(kind="http", effect="throttle"),
        "stop": HookAction(kind="kumomta"),
        "tell": HookAction(kind="mail"),
    },
    ladder={
        "one": LadderRung(level="warning", do=("tell",)),
        "two": LadderRung(level="excessive", do=("slow", "tell"), plans=("free",)),
        "three": LadderRung(level="critical", do=("stop", "tell"), rules=("fail*",)),
        "stream": LadderRung(level="critical", do=("stop",), scopes=("stream",)),
    },
    never=("our-*",),
)


def episode(level: Level, rule: str = "failure", scope: str = "customer", *, held: bool = False) -> OpenEpisode:
    return OpenEpisode("acme", scope, rule, level, f"{scope}/{rule}", held, 1_000, 2_000)


def names(found: list[WantedMeasure]) -> list[str]:
    return [" ".join(each.key) for each in found]


def test_ladder_says_what_is_done_at_which_level_for_whom() -> None:
    assert names(wanted(HOOK, [episode("warning")], "acme")) == ["customer tell:notify"]
    assert names(wanted(HOOK, [episode("excessive")], "acme")) == ["customer tell:notify"]
    assert names(wanted(HOOK, [episode("excessive")], "acme", "free")) == ["customer slow", "customer tell:throttle"]
    assert names(wanted(HOOK, [episode("critical")], "acme", "free")) == [
        "customer slow", "customer stop", "customer tell:suspend",
    ]  # fmt: skip
    assert names(wanted(HOOK, [episode("critical", "complaint")], "acme")) == ["customer tell:notify"]
    assert names(wanted(HOOK, [episode("critical", scope="stream:news")], "acme")) == ["stream:news stop"]
    assert names(wanted(HOOK, [episode("critical", scope="pool:shared")], "acme")) == []
    assert wanted(HOOK, [episode("critical", held=True)], "acme") == []
    assert wanted(HOOK, [episode("critical")], "acme", excused_until_ms=1_000) == []
    ours = msgspec.structs.replace(HOOK, never=("ac*",))
    assert wanted(ours, [episode("critical")], "acme") == []


def done(step: HookStep, now_ms: int) -> Measure:
    """A step as it is where every target does what it is asked."""
    made: dict[str, dict[str, object]] = {
        "begin": {"state": "applied", "attempts": 1, "began_ms": now_ms},
        "retry": {"state": "applied"},
        "update": {},
    }
    return msgspec.structs.replace(step.measure, **made.get(step.kind, {"state": "lifted", "next_ms": 0}))


def failed(step: HookStep, now_ms: int) -> Measure:
    """The same where it does not."""
    if step.kind in ("begin", "retry"):
        changes: dict[str, object] = {"state": "applying", "attempts": step.measure.attempts + 1, "began_ms": now_ms}
    elif step.kind == "lift":
        changes = {"state": "lifting"}
    else:
        return done(step, now_ms)
    return msgspec.structs.replace(step.measure, next_ms=now_ms + 5, **changes)


LEVEL = st.sampled_from(LEVELS)
FAILS = st.lists(st.booleans(), min_size=9, max_size=9)


@given(
    st.lists(st.tuples(LEVEL, LEVEL, st.booleans(), FAILS), max_size=8),
    st.sampled_from(LEVELS),
)
def test_law_what_is_wanted_is_in_force_in_the_end_and_nothing_else(
    history: list[tuple[Level, Level, bool, list[bool]]], last: Level
) -> None:
    """Though targets fail at any time, whatever the levels were before."""
    known: dict[tuple[str, str, str], Measure] = {}
    now_ms = 10_000
    for first, second, held, fails in [*history, *[(last, last, False, [False] * 9)] * 9]:
        now_ms += 10
        wants = wanted(HOOK, [episode(first), episode(second, "complaint", held=held)], "acme", "free")
        for step, fail in zip(steps("acme", now_ms, list(known.values()), wants), [*fails, *[False] * 9], strict=False):
            if step.kind == "begin" and waits_for_others(step.measure, known, wants):
                continue
            known[step.measure.key] = (failed if fail else done)(step, now_ms)
    in_force = {f"{each.scope} {each.name}" for each in known.values() if each.state != "lifted"}
    assert in_force == set(names(wants))
    assert {each.state for each in known.values()} <= {"applied", "lifted"}
    assert all(each.cycle <= len(history) + 1 for each in known.values())
