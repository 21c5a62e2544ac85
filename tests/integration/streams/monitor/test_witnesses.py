"""Of whom others tell that it is they is not held: who sent to the same providers in the same minutes was well."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence

import pytest

from streams.incidents.stored import read_incidents
from streams.incidents.witnessed import Witnessed
from streams.incidents.witnesses import WitnessReader
from streams.monitor.half_counted import LateTopic
from streams.monitor.holds import MOST_TOLD
from tests.support.alert_follower import HookMemory, decide
from tests.support.api_client import DAY, MINUTE, Row
from tests.support.fleet import HOUR_11, held, mail, suspended
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

AT = HOUR_11 + 20 * MINUTE
NOW_MS = (HOUR_11 + 30 * MINUTE) * 1000
GOOD = [f"good{number:02}" for number in range(8)]
BAD = [f"bad{number:02}" for number in range(24)]


def weeks(customers: Sequence[str], chance: random.Random, count: int = 600) -> Iterator[Row]:
    """A good history."""
    for each in customers:
        for day in range(1, 8):
            yield from mail(each, HOUR_11 - day * DAY, count, 0.005, chance)


def bad_lists(chance: random.Random, customers: Sequence[str] = BAD) -> list[Row]:
    return [row for each in customers for row in mail(each, AT, 400, 0.2, chance)]


def well(chance: random.Random, at: int = AT) -> list[Row]:
    return [row for each in GOOD for row in mail(each, at, 60, 0.005, chance)]


def test_accounts_of_an_abuser_are_not_held_where_others_are_well(ground: Ground) -> None:
    """The brake counts them all the same, and operators are told."""
    chance = random.Random(1)
    ground.put(*weeks(GOOD, chance), *well(chance), *bad_lists(chance))
    ground.judge().judge_customers([*GOOD, *BAD], NOW_MS)
    assert (held(ground), suspended(ground)) == (set(), set(BAD))
    assert [each.data.customers for each in ground.holds] == [len(BAD)]
    alert = next(each.data for each in ground.sent if each.data.customer == BAD[0])
    assert re.search(
        r"Not held, since mail of others to gmail, yahoo and \w+ in the same minutes did not fail", alert.explanation
    )
    tells = alert.evidence.witnesses
    assert tells is not None
    assert (set(tells.providers) >= {"gmail", "yahoo"}, tells.customers, tells.count <= 3) == (True, len(GOOD), True)


def test_whoever_else_rises_with_them_stays_held(ground: Ground) -> None:
    """Others are well at two providers, but refusals are of an address or a pool."""
    chance = random.Random(2)
    ground.put(*weeks([*GOOD, "blocked"], chance), *well(chance), *bad_lists(chance))
    ground.put(*(Row(AT, delivered=60, block=60, provider=at, customer="blocked") for at in ("gmail", "yahoo")))
    ground.judge().judge_customers([*GOOD, *BAD, "blocked"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({"blocked"}, set(BAD))


@pytest.mark.parametrize("where", ["nobody", "earlier", "first day"])
def test_where_nobody_tells_they_are_held(ground: Ground, where: str) -> None:
    chance = random.Random(3)
    if where != "first day":
        ground.put(*weeks(GOOD, chance))
    if where != "nobody":
        ground.put(*well(chance, AT if where == "first day" else AT - 15 * MINUTE))
    ground.put(*bad_lists(chance))
    ground.judge().judge_customers([*GOOD, *BAD], NOW_MS)
    assert (held(ground), suspended(ground)) == (set(BAD), set())


def test_what_is_held_is_confirmed_once_others_tell(ground: Ground) -> None:
    """Their mail of the same minutes is counted a little later; a hook acts then, and the brake holds nobody again."""
    chance, hook = random.Random(4), HookMemory()
    ground.put(*weeks(GOOD, chance), *bad_lists(chance))
    judge = ground.judge()
    judge.judge_customers(BAD, NOW_MS)
    assert held(ground) == set(BAD)
    ground.put(*well(chance))
    judge.judge_customers(BAD, NOW_MS + 30_000)
    assert {each.data.kind for each in ground.sent} == {"opened"}, "it was asked a moment ago"
    judge.refresh_incidents(NOW_MS + 80_000)
    judge.judge_customers(BAD, NOW_MS + 90_000)
    confirmed = [each.data for each in ground.sent if each.data.kind == "confirmed"]
    assert {each.customer for each in confirmed} == set(BAD)
    assert {(each.cause, each.held, each.decided) for each in confirmed} == {("witnesses", None, None)}
    assert confirmed[0].explanation.startswith("Confirmed. Not held, since mail of others to gmail, yahoo and ")
    said = [decide(each, hook) for each in ground.sent]
    assert sum(each is not None and each.action == "suspend" for each in said) == len(BAD)
    ground.sent.clear()
    for minutes in (3, 5):
        judge.holds.refresh(NOW_MS + minutes * MINUTE * 1000)
        judge.judge_customers(BAD, NOW_MS + minutes * MINUTE * 1000)
    assert not [each for each in ground.sent if each.data.held]


def test_two_providers_that_refuse_in_part_make_nobody_told_of(ground: Ground) -> None:
    """New customers among them: others fail there as they do."""
    chance = random.Random(5)
    ground.put(*weeks(GOOD, chance))
    for each in (*GOOD, *BAD):
        for row in mail(each, AT, 400 if each in BAD else 100, 0.004, chance):
            sent = row.delivered + row.hard
            failing = row.provider in ("gmail", "yahoo")
            hard = sum(chance.random() < 0.3 for _ in range(sent)) if failing else row.hard
            ground.put(row._replace(delivered=sent - hard, hard=hard))
    ground.judge().judge_customers([*GOOD, *BAD], NOW_MS)
    assert suspended(ground) == set()


def test_old_accounts_of_an_abuser_at_an_hour_in_which_few_others_send(ground: Ground) -> None:
    """All mail seems to fail, and those who were struck sent more than ever: it is suspected, and not of them."""
    chance = random.Random(6)
    ground.put(*weeks(GOOD, chance), *weeks(BAD, chance, 100), *bad_lists(chance))
    ground.put(*(row for each in GOOD[:4] for row in mail(each, AT, 24, 0.0, chance)))
    ground.judge().judge_customers([*GOOD, *BAD], NOW_MS)
    assert (held(ground), suspended(ground)) == (set(), set(BAD))


def put_by(ground: Ground, topic: str, rows: Sequence[Row], place: int) -> None:
    ground.put(*rows, source=f"{topic}:0:{place}")


@pytest.mark.parametrize(("topic", "expected"), [("postfix.log", "suspended"), ("other.log", "held")])
def test_others_tell_whose_mail_is_counted_by_the_same_topic(ground: Ground, topic: str, expected: str) -> None:
    """Where a topic is misread, or lacks deliveries, all of its customers look bad."""
    chance = random.Random(7)
    put_by(ground, topic, [*weeks(GOOD, chance), *well(chance)], 1)
    put_by(ground, "postfix.log", bad_lists(chance), 2)
    ground.judge().judge_customers([*GOOD, *BAD], NOW_MS)
    found = {"held": held(ground), "suspended": suspended(ground)}
    assert found == {"held": set(), "suspended": set()} | {expected: set(BAD)}


def test_of_whom_not_all_is_counted_nobody_tells(ground: Ground) -> None:
    chance = random.Random(8)
    put_by(ground, "postfix.log", [*weeks(GOOD, chance), *well(chance), *bad_lists(chance)], 1)
    stopped = LateTopic("postfix.log", 10**9)
    judge = ground.judge(late_topics=lambda _: [stopped])
    judge.judge_customers([*GOOD, *BAD], NOW_MS)
    assert (held(ground), suspended(ground)) == (set(BAD), set())


def test_none_of_the_good_ones_is_told_of_in_an_incident_beside_an_abuser(ground: Ground) -> None:
    """One provider refuses everybody, the abuser's list fails everywhere."""
    chance = random.Random(9)
    ground.put(*weeks(GOOD, chance), *bad_lists(chance))
    ground.put(*(row for each in GOOD for row in mail(each, AT, 120, 0.005, chance, "gmail")))
    ground.judge().judge_customers([*GOOD, *BAD], NOW_MS)
    assert (held(ground), suspended(ground)) == (set(), set(BAD))
    assert [each.value for each in read_incidents(ground.store).in_force() if each.leaves_out] == ["gmail"]


def test_it_is_asked_of_some_at_a_time_and_at_growing_distances(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []

    def nobody(_self: WitnessReader, alarmed: Mapping[str, int], _now_ms: int) -> dict[str, Witnessed]:
        asked.append(set(alarmed))
        return {}

    monkeypatch.setattr(WitnessReader, "of", nobody)
    many = [f"bad{number:03}" for number in range(MOST_TOLD + 30)]
    ground.put(*(Row(AT, delivered=700, hard=300, customer=each) for each in many))
    judge = ground.judge()
    for minute in range(12):
        judge.judge_customers(many, NOW_MS + minute * MINUTE * 1000)
    assert asked[0] | asked[1] == set(many)
    assert max(map(len, asked)) == MOST_TOLD
    times = [sum(each in some for some in asked) for each in many]
    assert (max(times), min(times) >= 3) == (5, True), "at 0, 1, 2, 4 and 8 minutes, or a little later"
