"""Judging by the product's own functions: windows as `streams.windows` reads them, `undated`, `screen` and `judge`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.verdicts.looks import Looks, hourly, looked
from benchmarks.verdicts.mail import BLOCK, COMPLAINED, DELIVERED, EXPIRED, HARD, LATE_HARD, LOOPED, Ints, Mail
from schemas.counts import VolumeBaseline
from schemas.levels import LEVELS, Level
from schemas.policy import Policy, load_policy
from schemas.policy_metric import SPIKE, window_ms
from schemas.policy_rule import Levels, Rule
from streams.alerts.standings import SHOWN_WINDOW
from streams.judge.screen import screen
from streams.judge.spikes import DAY_H, FIRST_H, HOURS, baseline, exceeds
from streams.judge.verdict import RANK, Verdict, judge
from streams.subjects import undated
from streams.subjects.arrays import FIELD_INDEX, FIELDS, Subjects

CUSTOMER, SCOPE = "one", "customer"
#: So many looks are screened at once.
AT_ONCE = 2_000


class Flag(NamedTuple):
    """The first look (step) at which a level was reached, and what said so."""

    step: int
    level: Level
    rule: str
    window: str
    numerator: int
    denominator: int


@dataclass(frozen=True)
class Product:
    """The policy in force: the built-in one."""

    policy: Policy

    @property
    def windows(self) -> dict[str, int]:
        """What the monitor counts, by name in ms."""
        used = {SHOWN_WINDOW, *(window for rule in self.policy.rules for window in rule.reads)}
        return {name: window_ms(name) for name in self.policy.windows if name in used}

    def looked(self, mail: Mail) -> Looks:
        """All looks at one sender, with the window that undated outcomes are spread over."""
        return looked(mail, undated.to_read(self.windows))

    def first(self, looks: Looks, level: Level, since: int = 0, until: int | None = None) -> Flag | None:
        """The first look from `since` on and before `until` (steps) at which this level or a worse one is reached."""
        policy = from_level(self.policy, level)
        steps = np.flatnonzero(self._possible(looks, policy)[since:until]) + since
        usual = _baselines(looks, policy, since, until)
        if usual:
            steps = np.union1d(steps, np.array(list(usual), np.int64))
        for begin in range(0, len(steps), AT_ONCE):
            some = steps[begin : begin + AT_ONCE]
            subjects = _subjects(looks, some, usual, self.windows)
            for row in np.flatnonzero(screen(subjects, policy).remarkable).tolist():
                verdicts = judge(subjects.one(row), policy, 0).verdicts
                worst = max(verdicts, key=lambda verdict: RANK[verdict.level])
                if worst.level != "good":
                    return _flag(int(some[row]), worst)
        return None

    def _possible(self, looks: Looks, policy: Policy) -> NDArray[np.bool_]:
        """Looks at which a rate reaches a threshold at all; spreading only lowers it."""
        found = np.zeros(looks.mail.steps, np.bool_)
        for rule in policy.rules:
            if rule.metric not in ("complaint", "failure", "block", "failure_burn"):
                continue
            metric = "failure" if rule.metric == "failure_burn" else rule.metric
            least_rate = rule.allowed if rule.metric == "failure_burn" else rule.thresholds[0]
            for window, least in rule.checks:
                n, d = looks.rate(metric, window)
                found |= (d >= least) & (n >= least_rate * d)
        return found


@cache
def default() -> Product:
    """By the built-in policy."""
    return Product(load_policy())


def _flag(step: int, verdict: Verdict) -> Flag:
    return Flag(step, verdict.level, verdict.rule, verdict.window, verdict.numerator, verdict.denominator)


_FROM: dict[tuple[str, Level], Policy] = {}


def from_level(policy: Policy, level: Level) -> Policy:
    """The policy without the levels milder than one, and the rules that have none then."""
    key = (policy.version, level)
    if key not in _FROM:
        _FROM[key] = msgspec.structs.replace(policy, rules=tuple(_rules(policy, level)))
    return _FROM[key]


def _rules(policy: Policy, level: Level) -> Iterator[Rule]:
    milder = LEVELS[1 : LEVELS.index(level)]
    for rule in policy.rules:
        kept: Mapping[str, float] = {name: at for name, at in rule.levels.given() if name not in milder}
        if kept:
            yield msgspec.structs.replace(rule, levels=Levels(**kept))


def _subjects(looks: Looks, steps: Ints, usual: Mapping[int, VolumeBaseline], windows: Mapping[str, int]) -> Subjects:
    """One subject a look, as the product reads it."""
    counts = np.zeros((len(steps), len(looks.windows), len(FIELDS)), np.int64)
    seen = looks.counts[:, :, steps].transpose(2, 1, 0)

    def put(kind: int, *fields: str) -> None:
        for field in fields:
            counts[..., FIELD_INDEX[field]] += seen[..., kind]

    put(DELIVERED, "delivered")
    put(HARD, "hard")
    put(BLOCK, "block")
    put(LOOPED, "fbl_delivered")
    put(LATE_HARD, "hard", "late_hard")
    put(EXPIRED, "expired")
    put(COMPLAINED, "complained", "fbl_complained")
    if not looks.mail.dated:
        put(LATE_HARD, "undated_hard")
        put(EXPIRED, "undated_expired")
        put(COMPLAINED, "undated_complained", "fbl_undated_complained")
    rows = len(steps)
    found = Subjects([CUSTOMER] * rows, [SCOPE] * rows, tuple(looks.windows), counts)
    lengths, kept = list(looks.windows.values()), len(windows)
    found = undated.judged(found, lengths, kept) if found.undated else found.first(kept)
    at = {step: usual[step] for step in steps.tolist() if step in usual} if usual else {}
    place = {step: row for row, step in enumerate(steps.tolist())}
    return replace(found, baselines={place[step]: each for step, each in at.items()})


def _baselines(looks: Looks, policy: Policy, since: int, until: int | None) -> dict[int, VolumeBaseline]:
    """What is usual at the looks at which an hour might be a spike."""
    rule = next((each for each in policy.rules if each.metric == SPIKE), None)
    if rule is None:
        return {}
    ((window, least),) = rule.checks
    _, volume = looks.rate("block", window)
    step_min = looks.mail.step_min
    per_hour = 60 // step_min
    by_hour = hourly(looks.mail.prompt[[DELIVERED, HARD, BLOCK]].sum(axis=0), step_min)
    found: dict[int, VolumeBaseline] = {}
    known: dict[int, VolumeBaseline | None] = {}
    for step in (np.flatnonzero(volume[since:until] >= least) + since).tolist():
        hour = (step + 1) // per_hour
        if hour not in known:
            known[hour] = _baseline(by_hour, hour)
        usual = known[hour]
        if usual is not None and exceeds(int(volume[step]), usual, rule):
            found[step] = usual
    return found


def _baseline(by_hour: Ints, hour: int) -> VolumeBaseline | None:
    first = hour - FIRST_H
    volumes = np.zeros(HOURS, np.int64)
    some = by_hour[max(0, first) : max(0, hour - DAY_H + 1)]
    if len(some):
        volumes[HOURS - len(some) :] = some
    return baseline(volumes)
