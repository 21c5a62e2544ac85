"""Whether expiries of an unknown time may be of an incident: they are few hours apart, in the days after it, and what
else failed is good."""

from collections.abc import Mapping

import pytest

from schemas.incident import Incident, State
from schemas.times import DAY_S, HOUR_S
from streams.incidents.alone import Place
from streams.incidents.given_up_later import FailedMail, may_be_of

BEGAN = 500 * DAY_S


def incident(
    value: str = "*", hours: int = 3, outcome: str = "expired", state: State = "detected", name: str = "one"
) -> Incident:
    return Incident(
        id=name,
        dimension="all" if value == "*" else "provider",
        value=value,
        outcome=outcome,
        state=state,
        hours=tuple(BEGAN + hour * HOUR_S for hour in range(hours)),
    )


def undated(came: Mapping[int, int], other: int = 40, total: int = 3_000, provider: str = "gmail") -> FailedMail:
    """So many expiries by the hours after the incident's beginning, among `other` failures."""
    places = {Place(provider, BEGAN + hour * HOUR_S): n for hour, n in came.items()}
    return FailedMail(other + sum(came.values()), total, places)


BUNCHED = {24: 20, 25: 40, 26: 35, 28: 10}

CASES = {
    "a day later, and close together": (undated(BUNCHED), incident(), True),
    "while it is only suspected": (undated(BUNCHED), incident(state="suspected"), True),
    "that a person declared": (undated(BUNCHED), incident(outcome="declared", state="declared"), True),
    "that a person dismissed": (undated(BUNCHED), incident(state="dismissed"), False),
    "five days later": (undated({120: 60, 123: 40}), incident(), True),
    "six days later": (undated({144: 60, 146: 40}), incident(), False),
    "before it": (undated({-4: 60, -2: 40}), incident(), False),
    "all the time, as of a list with dead domains": (undated(dict.fromkeys(range(2, 122), 2)), incident(), False),
    "of the provider that it is of": (undated(BUNCHED), incident("gmail"), True),
    "of another provider": (undated(BUNCHED), incident("yahoo"), False),
    "of unknown recipients": (undated(BUNCHED), incident(outcome="hard"), False),
    "a small part of what failed": (undated(BUNCHED, other=250, total=9_000), incident(), False),
    "what else failed is bad": (undated(BUNCHED, other=120), incident(), False),
    "no expiry at all": (undated({}), incident(), False),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    failed, known, expected = CASES[name]
    assert (may_be_of(failed, 0.03, [known]) is not None) == expected


def test_of_several_it_is_that_of_which_most_may_be() -> None:
    some = [incident("yahoo", name="a"), incident("gmail", name="b"), incident("*", hours=1, name="c")]
    found = may_be_of(undated({24: 20, 25: 40, 32: 35}), 0.03, some)
    assert found is not None
    assert found.id == "b"
    assert may_be_of(undated(BUNCHED), 0.03, []) is None
