"""Half an outage, a fleet of six, an abuser with more accounts than there are good customers: judged from the store."""

import random
from collections.abc import Collection
from typing import NamedTuple

import pytest

from streams.incidents.cells import Cells
from streams.incidents.detect import Finding
from streams.incidents.finder import Finder
from tests.support.api_client import DAY, HOUR, MINUTE, Row
from tests.support.fleet import HOUR_11, accused, mail
from tests.support.judging import Ground
from tests.support.left_out import hours_left_out

pytestmark = pytest.mark.usefixtures("standing_clock")


class Group(NamedTuple):
    """So many customers; the failing share at gmail in the hour, and elsewhere (-1: nothing is sent there); whether
    they sent before; and at which other places they fail as at gmail."""

    name: str
    many: int
    gmail: float
    elsewhere: float
    old: bool
    also: tuple[str, ...] = ()


ALSO = ("outlook", "yahoo")
CASES = {
    "half an outage": ([Group("good", 20, 0.5, 0.005, old=True), Group("bought", 3, 0.12, 0.12, old=False)], True),
    "every eighth is refused": ([Group("good", 30, 0.13, 0.005, old=True)], True),
    "a fleet of six": ([Group("good", 6, 1.0, 0.005, old=True)], True),
    "half of the mail to three providers at once": (
        [Group("good", 20, 0.5, 0.005, old=True, also=ALSO), Group("bought", 3, 0.12, 0.12, old=False)],
        True,
    ),
    "all mail to three providers at once, in a fleet of six": (
        [Group("good", 6, 1.0, 0.005, old=True, also=ALSO), Group("bought", 2, 0.12, 0.12, old=False)],
        True,
    ),
    "lists of three providers' addresses, bought by a fifth of the good ones": (
        [
            Group("good", 20, 0.005, 0.005, old=True),
            Group("bought", 5, 0.2, 0.005, old=True, also=ALSO),
        ],
        False,
    ),
    "an abuser with more accounts than there are good customers": (
        [Group("good", 10, 0.005, 0.005, old=True), Group("bought", 60, 0.2, 0.2, old=False)],
        False,
    ),
    "an abuser with more accounts of long standing than there are good customers, each with a domain of its own": (
        [Group("good", 12, 0.005, 0.005, old=True), Group("bought", 40, 0.25, 0.25, old=True)],
        False,
    ),
    "the same, to one provider alone": (
        [Group("good", 12, 0.005, 0.005, old=True), Group("bought", 40, 0.25, -1, old=True)],
        False,
    ),
    "bought lists of good customers of long standing": (
        [Group("good", 20, 0.005, 0.005, old=True), Group("bought", 6, 0.15, 0.15, old=True)],
        False,
    ),
    "an outage on a platform's first day": (
        [Group("good", 20, 1.0, 0.005, old=False), Group("bought", 5, 0.12, 0.12, old=False)],
        True,
    ),
    "an abuser on a platform's first day": (
        [Group("good", 10, 0.005, 0.005, old=False), Group("bought", 40, 0.2, 0.2, old=False)],
        False,
    ),
}


def sent(
    who: str,
    at: int,
    count: int,
    gmail: float,
    elsewhere: float,
    chance: random.Random,
    also: Collection[str] = (),
) -> list[Row]:
    rows = []
    for row in mail(who, at, count, 0, chance):
        if elsewhere < 0 and row.provider != "gmail":
            continue
        share = gmail if row.provider in ("gmail", *also) else elsewhere
        bad = sum(chance.random() < share for _ in range(row.delivered))
        rows.append(row._replace(delivered=row.delivered - bad, hard=bad))
    return rows


@pytest.mark.parametrize("name", CASES)
def test_good_ones_are_spared_and_bad_ones_found(ground: Ground, name: str) -> None:
    groups, is_incident = CASES[name]
    chance = random.Random(name)
    who = {f"{group.name}{number:02}": group for group in groups for number in range(group.many)}
    ground.put(
        *(
            row
            for customer, group in who.items()
            if group.old
            for day in range(1, 6)
            for row in sent(customer, HOUR_11 - day * DAY, 500, 0.005, 0.005, chance)
        )
    )
    judge = ground.judge()
    for minute in range(0, 50, 10):
        ground.put(
            *(
                row
                for customer, group in who.items()
                for row in sent(
                    customer, HOUR_11 + minute * MINUTE, 200, group.gmail, group.elsewhere, chance, group.also
                )
            )
        )
        judge.judge_customers(who, (HOUR_11 + (minute + 10) * MINUTE) * 1000)
    judge.refresh_incidents((HOUR_11 + 2 * HOUR + MINUTE) * 1000)
    assert accused(ground) == {customer for customer in who if customer.startswith("bought")}
    struck = {"gmail", *(place for group in groups for place in group.also)}
    assert hours_left_out(ground.store) == ({(place, HOUR_11) for place in struck} if is_incident else set())


@pytest.mark.parametrize(
    ("place", "pool", "of"),
    [("*", "", ("all", "*")), ("*", "theirs", ("pool", "theirs@*")), ("gmail", "theirs", ("pool", "theirs@gmail"))],
)
def test_what_is_of_one_pool_alone_is_no_incident_of_all_mail(
    ground: Ground, place: str, pool: str, of: tuple[str, str]
) -> None:
    """60 accounts of one abuser whose mail was refused everywhere: all mail of the hour was left out, theirs too."""
    finding = Finding(pool, 0.04, ("a",), (), 9.0)
    assert Finder(Cells(ground.store)).found_hour(place, HOUR_11, "block", [], finding).place == of
