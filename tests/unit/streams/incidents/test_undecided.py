"""Of whom nobody can tell whether it is the provider: too few send there, and their own mail elsewhere is good."""

import pytest

from streams.incidents.detect import Account, Seen
from streams.incidents.undecided import failing_places, given_up_everywhere, nobody_can_tell, none_is_spared

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
    "four refused that are spared elsewhere, and it is none": (
        [account(name, (100, 40), (90, 1)) for name in "abcd"],
        True,
    ),
    "four who fail elsewhere as well": ([account(name, (100, 20), (90, 9)) for name in "abcd"], False),
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
    "no history and no mail elsewhere, and two who can tell are refused": (
        [account("a", (100, 60), history=(0, 0)), account("b", (90, 30), (80, 0)), account("c", (40, 20), (80, 0))],
        True,
    ),
    "no history, and one who can tell is refused": (
        [account("a", (100, 60), history=(0, 0)), account("b", (90, 30), (80, 0))],
        False,
    ),
    "no history, two who can tell are refused, and a third one is spared": (
        [
            account("a", (100, 60), history=(0, 0)),
            *(account(name, (90, 30), (80, 0)) for name in "bc"),
            account("d", (90, 0), (80, 0)),
        ],
        False,
    ),
    "no history, fails elsewhere alike, and two who can tell are refused": (
        [account("a", (100, 60), (60, 20), (0, 0)), *(account(name, (90, 30), (80, 0)) for name in "bc")],
        False,
    ),
    "a bad history": ([account("a", (100, 90), (100, 0), (5_000, 300))], False),
    "two of a bad history, each good elsewhere": (
        [account(name, (100, 90), (100, 0), (5_000, 300)) for name in "ab"],
        True,
    ),
    "two of a bad history, and hardly any mail elsewhere": (
        [account(name, (100, 90), (15, 0), (5_000, 300)) for name in "ab"],
        False,
    ),
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


SEVERAL = {
    "clearly spared where nothing fails": ([account(name, (100, 40), (90, 1), (0, 0)) for name in "ab"], True),
    "a list of which none of a few fails there by chance": (
        [account(name, (100, 12), (20, 0), (0, 0)) for name in "ab"],
        False,
    ),
    "of good history, and by itself": ([account("a", (100, 40), (90, 1))], True),
    "of good history, and nothing elsewhere": ([account(name, (100, 40)) for name in "ab"], False),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_where_several_places_fail_mail_to_the_others_must_be_clearly_spared(name: str) -> None:
    accounts, expected = SEVERAL[name]
    assert nobody_can_tell("hard", accounts, USUAL, "a", several=True) == expected


def test_places_that_fail_are_those_at_which_another_one_is_struck_too() -> None:
    bought = [account("list", (100, 20)), account("b", (60, 0))]
    refused = [account("list", (100, 90)), account("a", (80, 70)), account("b", (60, 50))]
    alone = [account("list", (100, 90))]
    a_few = [account("list", (30, 1)), account("a", (80, 70))]
    places = {
        "gmail": (refused, USUAL),
        "yahoo": (bought, USUAL),
        "icloud": (refused[1:], USUAL),
        "outlook": (alone, USUAL),
        "gmx": (a_few, USUAL),
    }
    assert failing_places("hard", places, "list") == {"gmail"}
    assert failing_places("hard", places, "a") == {"gmail", "icloud"}


def waiting(name: str, here: tuple[int, int]) -> Account:
    return account(name, here)._replace(told=False)


GIVEN_UP = {
    "two of no history": ([account("a", (50, 45), history=(0, 0)), account("b", (9, 8), history=(90, 0))], True),
    "two of a bad history": ([account(name, (50, 20), history=(5_000, 400)) for name in "ab"], True),
    "only one, of no history": ([account("a", (50, 45), history=(0, 0))], True),
    "only one, of a good history": ([account("a", (50, 45))], True),
    "only one, of a bad history": ([account("a", (50, 45), history=(5_000, 400))], False),
    "only one, and another one is spared": ([account("a", (50, 45)), account("c", (40, 0))], False),
    "another one is spared": ([*(account(name, (50, 45)) for name in "ab"), account("c", (40, 0))], False),
    "others still wait": ([*(account(name, (50, 45)) for name in "ab"), waiting("c", (40, 0))], True),
    "it is not known of which mail it was": ([waiting("a", (50, 45)), account("b", (50, 45))], False),
    "two accounts of one owner, of a bad history": (
        [account(name, (50, 45), history=(5_000, 400))._replace(owner="one.example") for name in "ab"],
        False,
    ),
    "a fifth": ([account(name, (50, 10)) for name in "ab"], False),
}


@pytest.mark.parametrize("name", GIVEN_UP)
def test_mail_that_was_given_up_everywhere(name: str) -> None:
    accounts, expected = GIVEN_UP[name]
    assert given_up_everywhere(accounts, USUAL, "a", {"gmail": Seen(30, 28), "yahoo": Seen(20, 17)}) == expected


@pytest.mark.parametrize(
    "by_place",
    [
        {"gmail": Seen(50, 45)},
        {"gmail": Seen(90, 45), "yahoo": Seen(30, 0)},
        {"gmail": Seen(48, 43), "yahoo": Seen(2, 2)},
    ],
)
def test_of_one_alone_mail_must_have_been_given_up_at_several_places(
    by_place: dict[str, Seen],
) -> None:
    alone = [account("a", (50, 45))]
    assert not given_up_everywhere(alone, USUAL, "a", by_place)
    assert given_up_everywhere([*alone, account("b", (9, 8))], USUAL, "a", by_place)
