"""Of whom others tell that it is they: whom nothing that strikes others explains."""

import pytest

from streams.incidents.detect import Account, Seen
from streams.incidents.witnessed import AtPlace, Witnessed, witnessed

USUAL = Seen(10_000, 50)
EXCESSIVE = 0.05
NOTHING = Seen(0, 0)


def at(mine: tuple[int, int], *others: Account, owner: str = "bad") -> AtPlace:
    """What a customer had at a provider, recipients and failed ones, and who else sent there in these minutes."""
    return AtPlace(Account("bad", owner, "", Seen(*mine), NOTHING, NOTHING, NOTHING), others, USUAL)


def other(
    name: str, here: tuple[int, int], elsewhere: tuple[int, int] = (100, 0), history: tuple[int, int] = (5_000, 30)
) -> Account:
    return Account(name, name, "", Seen(*here), Seen(2_000, 10), Seen(*elsewhere), Seen(*history))


#: Three who sent a few each, and were well.
WELL = [other(name, (8, 0)) for name in "abc"]
STRUCK = [other(name, (30, 9)) for name in "def"]
HALF = [other(name, (8, 0)) for name in "abcghi"] + STRUCK

CASES = {
    "a list that fails at two providers, and others are well": (
        {"gmail": at((90, 20), *WELL), "yahoo": at((60, 12), *WELL)},
        True,
    ),
    "at one provider alone": ({"gmail": at((90, 20), *WELL), "yahoo": at((60, 0), *WELL)}, False),
    "others are well at one of two": ({"gmail": at((90, 20), *WELL), "yahoo": at((60, 12))}, False),
    "nobody else sends": ({"gmail": at((90, 20)), "yahoo": at((60, 12))}, False),
    "two others are too few": ({"gmail": at((90, 20), *WELL[:2]), "yahoo": at((60, 12), *WELL[:2])}, False),
    "others sent one or two each": (
        {place: at((90, 20), *(other(name, (2, 0)) for name in "abc")) for place in ("gmail", "yahoo")},
        False,
    ),
    "a giant, and two of one mail each": (
        {
            place: at((90, 20), other("a", (900, 4)), other("b", (1, 0)), other("c", (1, 0)))
            for place in ("gmail", "yahoo")
        },
        False,
    ),
    "a giant, and two of some": (
        {
            place: at((90, 20), other("a", (900, 4)), other("b", (5, 0)), other("c", (4, 0)))
            for place in ("gmail", "yahoo")
        },
        True,
    ),
    "one refuses everybody in part, and half of them at the other": (
        {"gmail": at((90, 20), *STRUCK), "yahoo": at((60, 12), *HALF)},
        False,
    ),
    "half of the customers are refused at both": (
        {place: at((90, 27), *HALF) for place in ("gmail", "yahoo")},
        False,
    ),
    "others have no history": (
        {
            place: at((90, 20), *(other(name, (30, 0), history=(10, 0)) for name in "abc"))
            for place in ("gmail", "yahoo")
        },
        False,
    ),
    "others have a bad history": (
        {
            place: at((90, 20), *(other(name, (30, 0), history=(5_000, 300)) for name in "abc"))
            for place in ("gmail", "yahoo")
        },
        False,
    ),
    "others are its own accounts": (
        {place: at((90, 20), *(each._replace(owner="bad") for each in WELL)) for place in ("gmail", "yahoo")},
        False,
    ),
    "hosts that the table does not know are no provider": (
        {"gmail": at((90, 20), *WELL), "other": at((60, 12), *WELL)},
        False,
    ),
    "more than half fails: the place answers so": (
        {place: at((90, 60), *WELL) for place in ("gmail", "yahoo")},
        False,
    ),
    "little above what is excessive": ({place: at((90, 7), *WELL) for place in ("gmail", "yahoo")}, False),
    "most of what failed is where nobody tells": (
        {"gmail": at((90, 20), *WELL), "yahoo": at((60, 12), *WELL), "apple": at((200, 90))},
        False,
    ),
    "accounts that send to one place alone are no others that were struck": (
        {
            place: at((90, 20), *WELL, *(other(name, (90, 20), elsewhere=(0, 0)) for name in "xyz"))
            for place in ("gmail", "yahoo")
        },
        True,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    places, expected = CASES[name]
    assert (witnessed(places, EXCESSIVE) is not None) == expected


def test_what_is_said_of_it() -> None:
    places = {"yahoo": at((60, 12), *WELL), "gmail": at((90, 20), *WELL), "apple": at((30, 0), *WELL)}
    assert witnessed(places, EXCESSIVE) == Witnessed(("gmail", "yahoo"), Seen(150, 32), 3, Seen(48, 0))
