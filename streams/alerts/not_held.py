"""Alerts that would be held, and are not since others tell that it is the customer: what their evidence says. Pure."""

from collections.abc import Mapping

import msgspec

from schemas.alert import Evidence, Witnesses
from streams.alerts.lifecycle import SubjectRule

#: So many providers are named in a sentence.
NAMED = 3


def not_held(witnesses: Witnesses) -> str:
    """The sentence, for the customer too: how many others there are is not theirs to know."""
    *most, last = witnesses.providers[:NAMED]
    where = f"{', '.join(most)} and {last}" if most else last
    return f"Not held, since mail of others to {where} in the same minutes did not fail."


def with_witnesses(
    evidence: dict[SubjectRule, Evidence], told: Mapping[SubjectRule, Witnesses]
) -> dict[SubjectRule, Evidence]:
    """The evidence of alerts, with those who tell of the customer."""
    return {
        key: msgspec.structs.replace(each, witnesses=told[key]) if key in told else each
        for key, each in evidence.items()
    }
