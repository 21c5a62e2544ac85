"""Of whom nobody can tell whether it is the provider: too few send there, and their own mail elsewhere is good."""

import pytest

from streams.incidents.detect import Account, Seen
from streams.incidents.undecided import nobody_can_tell, none_is_spared

USUAL = Seen(10_000, 50)


def account(
    name: str, here: tuple[int, int], elsewhere: tuple[int, int] = (0, 0), history: tuple[int, int] = (5_000, 30)
) -> Account:
    """Recipients and failed ones at the place, at all others in that hour, and in the weeks before."""
    return Account(name, name, "", Seen(*here), Seen(2_000, 10), Seen(*elsewhere), Seen(*history))


CASES = {
    "refused here, and elsewhere spared": ([account("a", (100, 90), (100, 0))], True),
    "a bad list, of which by chance none of a few fails elsewhere": ([account("a", (100, 10), (22, 0))], False),
    "a tenth here, and clearly spared elsewhere": ([account("a", (200, 20), (80, 0))], True),
    "a bad list": ([account("a", (100, 20), (100, 20))], False),
    "refused, with no mail elsewhere": ([account("a", (100, 90))], False),
    "two refused, with no mail elsewhere": ([account("a", (100, 90)), account("b", (50, 45))], True),
    "three refused: an incident, or none": ([account(name, (100, 90)) for name in "abc"], False),
    "another one was spared": ([account("a", (100, 90), (100, 0)), account("b", (50, 0))], False),
    "a third refused, and one mail of another one tells too little": (
        [account("a", (100, 35), (100, 0)), account("b", (1, 0))],
        True,
    ),
    "no history": ([account("a", (100, 90), (100, 0), (10, 0))], False),
    "two without history, each good elsewhere": (
        [account("a", (30, 22), (16, 0), (0, 0)), account("b", (40, 30), (49, 0), (0, 0))],
        True,
    ),
    "four without history, each good elsewhere": ([account(name, (30, 22), (20, 0), (0, 0)) for name in "abcd"], True),
    "one without history, and one of good history": (
        [account("a", (30, 22), (16, 0), (0, 0)), account("b", (40, 30))],
        True,
    ),
    "two without history, and hardly any mail elsewhere": (
        [account("a", (30, 22), (9, 0), (0, 0)), account("b", (40, 30), (49, 0), (0, 0))],
        False,
    ),
    "two without history that fail elsewhere too": (
        [account("a", (30, 22), (20, 3), (0, 0)), account("b", (40, 30), (49, 6), (0, 0))],
        False,
    ),
    "two without history, and a third one is spared": (
        [account(name, (30, 22), (20, 0), (0, 0)) for name in "ab"] + [account("c", (40, 0), (20, 0), (0, 0))],
        False,
    ),
    "two accounts of one owner without history": (
        [account(name, (30, 22), (20, 0), (0, 0))._replace(owner="one.example") for name in "ab"],
        False,
    ),
    "a bad history": ([account("a", (100, 90), (100, 0), (5_000, 300))], False),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    accounts, expected = CASES[name]
    assert nobody_can_tell("block", accounts, USUAL, "a") == expected


def test_beside_an_incident_nobody_can_tell_of_one_without_mail_elsewhere() -> None:
    refused, spared = account("a", (100, 90)), account("b", (50, 0))
    assert nobody_can_tell("block", [refused], USUAL, "a", beside=True)
    assert not nobody_can_tell("block", [refused, spared], USUAL, "a", beside=True)
    assert not nobody_can_tell("block", [account("a", (100, 90), history=(10, 0))], USUAL, "a", beside=True)


NONE_SPARED = {
    "alone": ([account("a", (43, 18))], True),
    "another one was struck less": ([account("a", (43, 18)), account("b", (101, 8))], True),
    "another one was spared": ([account("a", (43, 18)), account("b", (100, 0))], False),
    "one mail of another one tells nothing": ([account("a", (43, 18)), account("b", (1, 0))], True),
    "it did not fail there": ([account("a", (43, 0))], False),
    "no history": ([account("a", (43, 18), history=(10, 0))], False),
    "nobody of that name": ([account("b", (43, 18))], False),
}


@pytest.mark.parametrize("name", NONE_SPARED)
def test_whether_none_is_spared(name: str) -> None:
    accounts, expected = NONE_SPARED[name]
    assert none_is_spared("block", accounts, USUAL, "a") == expected
