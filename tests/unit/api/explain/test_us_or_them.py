"""Whose doing it is that more is put off, refused or bounced than usual."""

import pytest

from api.explain.us_or_them import OutcomeCounts, ProviderNow, Whose, told

CALM = OutcomeCounts(finished=10_000, delivered=9_900, deferred=50, block=10, hard=40)
REFUSED = OutcomeCounts(finished=10_000, delivered=8_900, deferred=50, block=1_000, hard=40)


def at(provider: str, now: OutcomeCounts = CALM, hit: int = 0, enough: int = 100, **more: object) -> ProviderNow:
    fields: dict[str, object] = {"days": (CALM,) * 14, "customers": enough}
    fields |= {"enough": {"block": enough}, "hit": {"block": hit}}
    return ProviderNow(provider=provider, now=now, **(fields | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("some", "whose", "words"),
    [
        ([at("gmail"), at("yahoo")], "usual", "As usual."),
        ([at("gmail", OutcomeCounts(finished=10, block=9)), at("yahoo")], "usual", "Too little mail to say."),
        ([at("gmail", REFUSED, 80), at("yahoo"), at("apple")], "them", "80 of 100 customers are hit"),
        ([at("gmail", REFUSED, 80), at("yahoo", REFUSED, 70), at("apple")], "us", "raised at 1 of 2 others too"),
        # What a few customers brought there says nothing about all.
        (
            [at("gmail", REFUSED, 80), at("yahoo", REFUSED, 3), at("apple", REFUSED, 3)],
            "them",
            "the others are as usual",
        ),
        ([at("gmail", REFUSED, 3), at("yahoo")], "some", "but only 3 of 100 customers are hit"),
        ([at("gmail", REFUSED, 3), at("yahoo", REFUSED, 90)], "some", "look at these customers"),
        ([at("gmail", REFUSED, 30), at("yahoo")], "unknown", "neither few nor most"),
        ([at("gmail", REFUSED, 3, enough=4), at("yahoo")], "unknown", "Fewer than 5 customers"),
        ([at("gmail", REFUSED, 80)], "unknown", "no other provider"),
        # There is nobody else's word where the others have too little mail.
        ([at("gmail", REFUSED, 80), at("yahoo", OutcomeCounts(finished=5))], "unknown", "no other provider"),
        # On a platform's first days nothing is called usual.
        ([at("gmail", days=()), at("yahoo", days=())], "usual", "Nothing stands out. What is usual here is not known"),
        # A provider where so much was refused on some day before as now.
        ([at("gmail", REFUSED, 80, days=(CALM,) * 13 + (REFUSED,)), at("yahoo")], "usual", "As usual."),
    ],
)
def test_whose_doing_it_is(some: list[ProviderNow], whose: Whose, words: str) -> None:
    gmail = next(each for each in told(some) if each.at.provider == "gmail")
    assert gmail.whose == whose
    assert words in gmail.sentence


def test_a_sentence_has_the_rate_and_what_is_usual() -> None:
    first = told([at("yahoo"), at("gmail", REFUSED, 80)])[0]
    assert first.at.provider == "gmail"
    assert first.sentence.startswith("Refusals are at 10.00 %, usual 0.10 %; 80 of 100 customers are hit")
    assert first.raised == ("block",)


def test_of_a_fleet_without_a_past_what_is_above_the_floor_is_raised() -> None:
    new = at("gmail", REFUSED, 80, days=())
    assert new.usual_mail is None
    assert new.raised("block")
    assert not at("gmail", days=()).raised("block")
    for days in ((), (CALM,) * 2, (OutcomeCounts(finished=9),) * 14):
        few = [at("gmail", REFUSED, 80, days=days), at("yahoo")]
        assert "and what is usual is not known yet; 80 of" in told(few)[0].sentence


def test_of_hours_that_are_not_over_as_much_mail_is_usual_as_belongs_to_them() -> None:
    assert at("gmail", elapsed=0.25).usual_mail == 2_500
