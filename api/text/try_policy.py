"""What came of trying a policy, as plain text for a person."""

from collections.abc import Iterator
from itertools import groupby

from jobs.operator.try_policy import Side, Trial
from schemas.scope import CUSTOMER
from schemas.times import utc_time
from schemas.wording import shared_name
from streams.what_if.brake import HeldThen
from streams.what_if.compare import Difference, Kind, LevelSpan

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
    who = f"customers: {trial.customers:,} ({trial.subjects:,} with their streams)"
    yield f"{_hour(trial.from_ms)} to {_hour(trial.to_ms)}, {who}"
    yield "judged at each full hour: what rose and fell between two is not seen"
    yield from trial.not_replayed
    yield f"flagged is who stood at {trial.level} or worse"
    yield f"in force  {_side(trial.in_force)}"
    yield f"tried     {_side(trial.tried)}"
    for name, side in (("in force", trial.in_force), ("tried", trial.tried)):
        yield from (f"{name}: {_held(each)}" for each in side.held)
    if trial.confirmed or trial.released:
        yield (
            f"of held customers operators confirmed {trial.confirmed:,} and released {trial.released:,}; what they "
            "released is judged by mail sent since, by both policies"
        )
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


def _held(held: HeldThen) -> str:
    """`the brake may have held 23 customers at 2026-11-29T11:00Z, more than 20: acme, ...`."""
    named = ", ".join(held.customers[:SHOWN]) + (", ..." if len(held.customers) > SHOWN else "")
    number = f"{len(held.customers):,} customers"
    return (
        f"the brake may have held {number} in the hour before {_hour(held.time_ms)}, more than {held.limit:,}: {named}"
    )


def _difference(found: Difference, trial: Trial) -> str:
    stream = f" [{found.scope.partition(':')[2]}]" if found.customer and found.scope != CUSTOMER else ""
    sides = [("in force", found.in_force), ("tried", found.tried)]
    said = [(name, _spans(spans, trial)) for name, spans in sides if spans]
    text = said[0][1] if len(said) == 1 else "; ".join(f"{name} {spans}" for name, spans in said)
    return f"{found.customer or shared_name(found.scope)}{stream}: {text}"


def _spans(found: tuple[LevelSpan, ...], trial: Trial) -> str:
    shown = [
        f"{each.rule} {each.level} {'before ' if each.from_ms == trial.from_ms else ''}{_hour(each.from_ms)} "
        f"{'and still' if each.to_ms is None else f'to {_hour(each.to_ms)}'}"
        for each in found[:SHOWN]
    ]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _hour(epoch_ms: int) -> str:
    return f"{utc_time(epoch_ms):%Y-%m-%dT%H:%MZ}"
