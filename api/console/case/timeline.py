"""What happened to a customer and what people decided, as one list, the latest first."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from api.console.case.reading import CaseFacts
from jobs.operator.audit import Entry
from schemas.applied_policy import AppliedPolicy
from schemas.scope import CUSTOMER
from schemas.times import SECOND_MS
from schemas.wording import scope_name
from streams.incidents.of_customer import LeftOutMail

MOST = 60
VERDICT = "verdict "


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One line: when (epoch ms), what kind of thing, what happened, what was said, and by whom; `level` gives the mark
    of a verdict. `times` says how often the same happened in a row."""

    time_ms: int
    kind: str
    what: str
    said: str = ""
    who: str = ""
    level: str = ""
    scope: str = ""
    subject: str = ""
    times: int = 1


def timeline(facts: CaseFacts, most: int = MOST) -> tuple[TimelineRow, ...]:
    """The last `most` lines."""
    left_out = facts.explanation.left_out if facts.explanation else ()
    rows = [*_entries(facts.entries), *_policies(facts.policies), *_incidents(left_out)]
    rows += [TimelineRow(each.time_ms, "lost", each.said) for each in facts.losses]
    rows.sort(key=lambda each: -each.time_ms)
    return tuple(_gathered(rows))[:most]


def _gathered(rows: Iterable[TimelineRow]) -> Iterator[TimelineRow]:
    """What repeats itself, word by word, is one line with the latest time."""
    for _, some in groupby(rows, key=lambda each: (each.kind, each.what, each.said, each.who, each.level, each.scope)):
        same = list(some)
        first = same[0]
        yield TimelineRow(
            first.time_ms,
            first.kind,
            first.what,
            first.said,
            first.who,
            first.level,
            first.scope,
            first.subject,
            len(same),
        )


def _entries(some: Sequence[Entry]) -> Iterator[TimelineRow]:
    for each in some:
        detail = each.detail
        if each.action.startswith(VERDICT):
            scope = str(detail.get("scope", CUSTOMER))
            level, before = str(detail.get("level", "")), str(detail.get("previous_level", ""))
            kind = each.action.removeprefix(VERDICT)
            change = f"{detail.get('rule', '')} {kind}" + (f", {before} to {level}" if level != before else "")
            whose = "" if scope == CUSTOMER else scope_name(scope)
            yield TimelineRow(each.time_ms, "verdict", change, each.why, "", level, whose, each.subject)
        else:
            yield TimelineRow(each.time_ms, "decision", _decided(each), each.why, each.who, "", "", each.subject)


def _decided(entry: Entry) -> str:
    """The action, and what of its detail says more."""
    detail = entry.detail
    rule, level = detail.get("rule", ""), detail.get("at_most") or detail.get("level") or ""
    more = " ".join(str(each) for each in (rule, f"at most {level}" if "at_most" in detail else level) if each)
    if subject := detail.get("subject", ""):
        more = f"{subject} (to {detail.get('to', '')})"
    return f"{entry.action}: {more}" if more else entry.action


def _policies(some: Sequence[AppliedPolicy]) -> Iterator[TimelineRow]:
    for each in some:
        yield TimelineRow(each.applied_ms, "policy", f"policy {each.version} applied", each.why, each.applied_by)


def _incidents(some: Sequence[LeftOutMail]) -> Iterator[TimelineRow]:
    for each in some:
        what = f"{each.failed:,} of {each.total:,} at {each.provider} are left out of what is judged"
        yield TimelineRow(each.from_s * SECOND_MS, "incident", what, "", "", "", "", each.incident)
