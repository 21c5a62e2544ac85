"""A draft of a policy: its mistakes, or what it would change; and what came of trying it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import msgspec

from api.console.background import Job, JobState, Progress
from api.console.shared import TRIAL_S
from api.text.policy import described, differences
from api.text.try_policy import HEADINGS
from jobs.operator.policy_drafts import PolicyDraft, State, TrialResult, first_of_each_kind
from jobs.operator.try_policy import Trial
from schemas import policy_check
from schemas.policy import Policy
from schemas.policy_check import Mistake
from streams.what_if.compare import Difference

#: How a trial ended, where that is known.
OVER: frozenset[str] = frozenset({"done", "stopped", "late", "failed"})


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A mistake with the line that it is on."""

    line: int
    said: str
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft and what it comes to: its mistakes, or what it would change."""

    text: str
    mistakes: tuple[WrongLine, ...] = ()
    version: str = ""
    changes: tuple[str, ...] = ()
    described: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether it can be put in force."""
        return bool(self.version)


@dataclass(frozen=True, slots=True)
class TrialAsked:
    """What is tried: a draft as it is kept, and the policy that it is."""

    kept: PolicyDraft
    tried: Policy = field(repr=False)


@dataclass(frozen=True, slots=True)
class KindOfDifference:
    """Customers whom the two policies treat differently in one way: the first of them, of so many."""

    kind: str
    heading: str
    shown: tuple[Difference, ...]
    count: int


@dataclass(frozen=True, slots=True)
class TrialView:
    """How far a trial is, and what came of it."""

    progress: Progress
    version: str
    asked: PolicyDraft
    trial: Trial | None
    kinds: tuple[KindOfDifference, ...]

    bound_s = TRIAL_S


def draft_of(text: str, before: Policy | None) -> Draft:
    """What a text comes to, against the policy in force."""
    found = policy_check.checked(text)
    if found.policy is None:
        return Draft(text, mistakes=tuple(_placed(text, found.mistakes)))
    return Draft(
        text,
        version=found.policy.version,
        changes=tuple(differences(before, found.policy)) if before else (),
        described=tuple(described(found.policy)),
    )


def _placed(text: str, mistakes: Sequence[Mistake]) -> list[WrongLine]:
    lines = text.splitlines()
    return [
        WrongLine(each.line, each.said, lines[each.line - 1][:200] if 0 < each.line <= len(lines) else "")
        for each in mistakes
    ]


def kinds_of(found: TrialResult) -> tuple[KindOfDifference, ...]:
    """Whom the policies treat differently, in the order of `differences`."""
    every = found.trial.differences if found.trial else []
    return tuple(
        KindOfDifference(kind, HEADINGS[kind], shown := tuple(some), found.counts.get(kind, len(shown)))
        for kind, some in groupby(every, lambda each: each.kind)
    )


def trial_view(job: Job[TrialAsked]) -> TrialView:
    """How far a trial of this process is."""
    found = _result(job)
    asked = job.about
    return TrialView(job.progress, asked.tried.version, asked.kept, found.trial, kinds_of(found))


def kept_view(kept: PolicyDraft) -> TrialView:
    """A trial of another process, or of one before a restart, as it is in the store."""
    found = kept.result
    progress = Progress(
        state=msgspec.convert(kept.state if kept.state in OVER else "lost", JobState),
        began_ms=kept.saved_ms,
        by=kept.who,
        done=found.done,
        total=found.total,
        ended_ms=found.ended_ms,
        fault=found.fault,
    )
    return TrialView(progress, draft_of(kept.text, None).version, kept, found.trial, kinds_of(found))


def over(job: Job[TrialAsked]) -> PolicyDraft:
    """A trial of this process that is over, as it is kept."""
    now = job.progress
    result = msgspec.structs.replace(
        _result(job), done=now.done, total=now.total, ended_ms=now.ended_ms, fault=now.fault
    )
    return msgspec.structs.replace(job.about.kept, state=msgspec.convert(now.state, State), result=result)


def _result(job: Job[TrialAsked]) -> TrialResult:
    return first_of_each_kind(job.result) if isinstance(job.result, Trial) else TrialResult()
