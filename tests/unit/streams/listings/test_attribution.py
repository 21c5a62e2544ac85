"""Whom a listing is attributed to: worked cases, and the laws of the formula."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.listings.attribution import LEAST, Attribution, CustomerUse, attribute

number = st.integers(0, 5) | st.integers(0, 2_000)
use_lists = st.lists(
    st.builds(CustomerUse, st.sampled_from("abcdefgh"), number, number, number, number),
    unique_by=lambda use: use.customer,
)


def named(found: Attribution) -> list[str]:
    return [cause.customer for cause in found.causes]


def shares(found: Attribution) -> dict[str, float]:
    return {cause.customer: round(cause.share, 3) for cause in found.causes}


def test_only_customer_is_the_cause_however_well_it_fared() -> None:
    found = attribute([CustomerUse("acme", 10)])
    assert (found.attributed, shares(found)) == ("dedicated", {"acme": 1.0})


def test_resource_that_nobody_used_has_no_cause() -> None:
    assert attribute([]) == attribute([CustomerUse("acme", 0, complaints=9)]) == Attribution(attributed="unused")


def test_owner_is_the_cause_though_somebody_else_fared_worse() -> None:
    uses = [CustomerUse("acme", 1_000), CustomerUse("stray", 10, complaints=10)]
    found = attribute(uses, "acme")
    assert (found.attributed, shares(found)) == ("dedicated", {"acme": 1.0, "stray": 0.0})
    assert attribute(uses, "absent").attributed == "shared", "who sent nothing is no cause, owner or not"


def test_who_has_more_complaints_than_its_mail_explains_comes_first() -> None:
    found = attribute([CustomerUse("large", 90_000, complaints=45), CustomerUse("small", 10_000, complaints=55)])
    # 100 complaints of 100,000 mails: 90 and 10 are to be expected.
    assert found.attributed == "shared"
    assert [(cause.customer, cause.excess, cause.share) for cause in found.causes] == [
        ("small", 45.0, 1.0),
        ("large", 0.0, 0.0),
    ]


def test_share_is_that_of_all_excess() -> None:
    """A complaint weighs as much as 17 invalid recipients."""
    found = attribute(
        [
            CustomerUse("listwasher", 1_000, invalid=300),
            CustomerUse("spammer", 1_000, complaints=27),
            CustomerUse("good", 8_000),
        ]
    )
    # Of 10,000: 300 - 30 invalid recipients are worth 16.2 complaints; 27 - 2.7 complaints are 24.3.
    assert named(found)[:2] == ["spammer", "listwasher"]
    assert [cause.excess for cause in found.causes[:2]] == pytest.approx([24.3, 16.2])
    assert shares(found) == {"spammer": 0.6, "listwasher": 0.4, "good": 0.0}


def test_refusals_as_spam_count_least() -> None:
    found = attribute([CustomerUse("blocked", 5_000, blocked=1_000), CustomerUse("other", 5_000)])
    assert named(found) == ["blocked", "other"]
    assert found.causes[0].excess == pytest.approx(6.0)


def test_too_little_bad_news_convicts_nobody_and_still_ranks() -> None:
    found = attribute([CustomerUse("large", 100_000), CustomerUse("small", 1_000, complaints=LEAST)])
    assert (named(found), set(shares(found).values())) == (["small", "large"], {0.0})
    more = attribute([CustomerUse("large", 100_000), CustomerUse("small", 1_000, complaints=LEAST + 1)])
    assert shares(more) == {"small": 1.0, "large": 0.0}


def test_all_alike_are_distinguished_by_nothing() -> None:
    found = attribute([CustomerUse(name, 1_000, complaints=10, invalid=20, blocked=5) for name in "cab"])
    assert shares(found) == {"a": 0.0, "b": 0.0, "c": 0.0}
    assert named(found) == ["a", "b", "c"]


@given(use_lists, st.randoms(use_true_random=False))
def test_law_order_does_not_matter(uses: list[CustomerUse], chance: random.Random) -> None:
    assert attribute(chance.sample(uses, len(uses))) == attribute(uses)


@given(use_lists, st.sampled_from([None, "a", "b"]))
def test_law_shares_sum_to_1_or_all_are_0(uses: list[CustomerUse], owner: str | None) -> None:
    found = [cause.share for cause in attribute(uses, owner).causes]
    assert not any(found) or sum(found) == pytest.approx(1)
    assert all(0 <= share <= 1 for share in found)
    assert found == sorted(found, reverse=True)


@given(use_lists, st.sampled_from([None, "a", "b"]))
def test_law_exactly_those_who_sent_are_named(uses: list[CustomerUse], owner: str | None) -> None:
    assert sorted(named(attribute(uses, owner))) == sorted(use.customer for use in uses if use.volume)


@given(use_lists.filter(lambda uses: any(use.volume for use in uses)), st.data(), st.integers(1, 50))
def test_law_more_complaints_never_lower_a_customer_in_rank(
    uses: list[CustomerUse], data: st.DataObject, more: int
) -> None:
    place = data.draw(st.sampled_from([place for place, use in enumerate(uses) if use.volume]))
    customer = uses[place].customer
    before = attribute(uses)
    uses[place] = uses[place]._replace(complaints=uses[place].complaints + more)
    after = attribute(uses)
    assert named(after).index(customer) <= named(before).index(customer)
    assert next(each.excess for each in after.causes if each.customer == customer) >= next(
        each.excess for each in before.causes if each.customer == customer
    )
