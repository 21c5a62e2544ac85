"""Drafts of policies that operators checked in the console, and what came of those that were tried (`policy_drafts`).

They outlive a restart of the process that tried them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

import msgspec

from jobs.operator.try_policy import Trial
from schemas.levels import Level
from schemas.times import utc_time
from streams.io.store import Store

#: Of a trial so many customers whom the policies treat differently in one way are kept.
MOST_KEPT = 200
#: A draft that was checked, one that is put away, and how a trial is: `begun` where nobody said how it ended.
State = Literal["checked", "discarded", "begun", "done", "stopped", "late", "failed"]

_COLUMNS = """toUnixTimestamp64Milli(policy_drafts.saved), who, text, days, level, instead_of, state, result
FROM policy_drafts FINAL"""
LAST_DRAFT = f"SELECT {_COLUMNS} WHERE who = {{who:String}} ORDER BY policy_drafts.saved DESC LIMIT 1"
LAST_TRIAL = f"SELECT {_COLUMNS} WHERE days > 0 ORDER BY policy_drafts.saved DESC LIMIT 1"


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial: `done` of `total` customers, over at `ended_ms` (epoch ms; None: nobody said so). Of each
    kind `trial` has the first differences, `counts` how many there are."""

    done: int = 0
    total: int = 0
    ended_ms: int | None = None
    fault: str = ""
    trial: Trial | None = None
    counts: Mapping[str, int] = {}


class PolicyDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A draft of `who`, saved at `saved_ms` (epoch ms). Over `days` it was tried (0: not), when the policy that was
    applied at `instead_of` (epoch ms) was in force, and flagged was who stood at `level`."""

    who: str
    saved_ms: int
    text: str
    state: State = "checked"
    days: int = 0
    level: Level = "excessive"
    instead_of: int = 0
    result: TrialResult = TrialResult()


def first_of_each_kind(trial: Trial) -> TrialResult:
    """A trial as it is kept."""
    kept = [each for _, some in groupby(trial.differences, lambda one: one.kind) for each in list(some)[:MOST_KEPT]]
    counts = Counter(str(each.kind) for each in trial.differences)
    return TrialResult(trial=msgspec.structs.replace(trial, differences=kept), counts=counts)


def save(store: Store, draft: PolicyDraft, now_ms: int) -> None:
    """Keep a draft as it is at a moment (epoch ms), in place of what was kept of the same one.

    Raises:
        StoreError: the store failed.
    """
    row: dict[str, Any] = {
        "saved": utc_time(draft.saved_ms),
        "who": draft.who,
        "updated": utc_time(now_ms),
        "text": draft.text,
        "days": draft.days,
        "level": draft.level,
        "instead_of": draft.instead_of,
        "state": draft.state,
        "result": msgspec.json.encode(draft.result).decode(),
    }
    store.insert("policy_drafts", {name: [value] for name, value in row.items()})


def last_draft(store: Store, who: str) -> PolicyDraft | None:
    """The draft that somebody worked on last; None where there is none, or it was put away.

    Raises:
        StoreError: the store failed.
    """
    found = _first(store.rows(LAST_DRAFT, {"who": who}))
    return None if found is None or found.state == "discarded" else found


def last_trial(store: Store) -> PolicyDraft | None:
    """The trial that was begun last, of all operators.

    Raises:
        StoreError: the store failed.
    """
    return _first(store.rows(LAST_TRIAL))


def _first(rows: Sequence[Sequence[Any]]) -> PolicyDraft | None:
    for saved_ms, who, text, days, level, instead_of, state, result in rows:
        return PolicyDraft(
            who=str(who),
            saved_ms=int(saved_ms),
            text=str(text),
            days=int(days),
            level=msgspec.convert(level, Level),
            instead_of=int(instead_of),
            state=msgspec.convert(state, State),
            result=msgspec.json.decode(result, type=TrialResult),
        )
    return None
