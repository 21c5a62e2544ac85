"""What came of trying a policy, as plain text for a person."""

from collections.abc import Iterator
from itertools import groupby

from jobs.try_policy import Side, Trial
from schemas.policy import STREAM_PREFIX
from streams.compare_policies import Difference, Kind, Span, worst
from streams.describe import rfc3339

HEADINGS: dict[Kind, str] = {
    "flagged": "newly flagged",
    "freed": "freed",
    "worse": "at a worse level",
    "milder": "at a milder level",
    "moved": "at other times",
}
#: Spans of one side that a line shows; --json has all.
SHOWN = 3


def lines(trial: Trial) -> Iterator[str]:
    """The answer for a person, line by line."""
    who = f"{trial.customers:,} customers ({trial.subjects:,} with their streams)"
    yield f"{rfc3339(trial.from_ms)} to {rfc3339(trial.to_ms)}, {who}"
    yield "judged at each full hour: what rose and fell between two is not seen"
    yield f"flagged is who stood at {trial.level} or worse"
    yield f"in force  {_side(trial.in_force)}"
    yield f"tried     {_side(trial.tried)}"
    for kind, some in groupby(trial.differences, lambda each: each.kind):
        found = list(some)
        yield ""
        yield f"{HEADINGS[kind]}: {len(found):,}"
        for each in found:
            yield f"  {_difference(each, trial)}"
    if not trial.differences:
        yield "nobody is judged otherwise"


def _side(side: Side) -> str:
    return f"{side.policy_version}: {side.flagged:,} flagged, {side.flagged_at_end:,} of them at the end"


def _difference(found: Difference, trial: Trial) -> str:
    stream = f" [{found.scope.removeprefix(STREAM_PREFIX)}]" if found.scope.startswith(STREAM_PREFIX) else ""
    sides = [each for each in (found.in_force, found.tried) if each]
    return f"{found.customer}{stream}: " + "; now ".join(f"{worst(each)}, {_spans(each, trial)}" for each in sides)


def _spans(found: tuple[Span, ...], trial: Trial) -> str:
    shown = [
        f"{each.rule} {'before ' if each.from_ms == trial.from_ms else ''}{rfc3339(each.from_ms)} "
        f"{'and still' if each.to_ms is None else f'to {rfc3339(each.to_ms)}'}"
        for each in found[:SHOWN]
    ]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
