"""A provider refuses everybody for an hour: nobody who sends there is accused, and bought lists are still found."""

import random
from collections.abc import Sequence

import pytest

from api.cli.incidents import as_lines
from api.explain.build import explain
from api.text.explanation import lines
from schemas import policy
from schemas.incident import IncidentEvent
from schemas.times import utc_time
from streams.incidents.stored import read_incidents
from streams.incidents.watch import IncidentWatch
from tests.support.api_client import DAY, HOUR, MINUTE, Row
from tests.support.fleet import HOUR_11, accused, mail
from tests.support.judging import LOOP, Ground
from tests.support.left_out import hours_left_out

pytestmark = pytest.mark.usefixtures("standing_clock")

GOOD = [f"good{number:02}" for number in range(40)]
BOUGHT = [f"bought{number}" for number in range(5)]


def history(chance: random.Random) -> list[Row]:
    return [
        row
        for customer in GOOD
        for day in range(1, 8)
        for row in mail(customer, HOUR_11 - day * DAY, 600, 0.005, chance)
    ]


def minutes(first: int, last: int, chance: random.Random, failing: str = "gmail") -> list[Row]:
    """Every good customer sends 70 in every fifth minute, and the bought lists 200."""
    return [
        row
        for minute in range(first, last, 5)
        for who, count, hard in (*((each, 70, 0.005) for each in GOOD), *((each, 200, 0.12) for each in BOUGHT))
        for row in mail(who, HOUR_11 + minute * MINUTE, count, hard, chance, failing if who in GOOD else "")
    ]


def open_now(ground: Ground) -> set[str]:
    last = {(each.data.customer, each.data.scope, each.data.rule): each.data.level for each in ground.sent}
    return {customer for (customer, _, _), level in last.items() if level in ("excessive", "critical")}


@pytest.mark.parametrize("seed", [1, 2])
def test_outage_accuses_nobody_who_sends_there_and_hides_no_bought_list(ground: Ground, seed: int) -> None:
    chance = random.Random(seed)
    ground.put(*history(chance))
    judge = ground.judge()
    everybody = [*GOOD, *BOUGHT]
    judge.judge_customers(everybody, (HOUR_11 - MINUTE) * 1000)
    assert accused(ground) == set()
    for first in range(0, 50, 5):
        ground.put(*minutes(first, first + 5, chance))
        judge.judge_customers(everybody, (HOUR_11 + (first + 5) * MINUTE) * 1000)
    assert accused(ground) == set(BOUGHT)
    assert hours_left_out(ground.store) == {("gmail", HOUR_11)}
    # Days later it still is nobody's.
    for later in (2 * HOUR, DAY, 6 * DAY):
        judge.refresh_incidents((HOUR_11 + later) * 1000)
        judge.judge_customers(everybody, (HOUR_11 + later) * 1000)
    assert accused(ground) == set(BOUGHT)
    (incident,) = read_incidents(ground.store).in_force()
    assert (incident.dimension, incident.value, incident.outcome) == ("provider", "gmail", "hard")
    assert (incident.hours, incident.open, incident.state) == ((HOUR_11,), False, "detected")
    assert incident.struck > 30
    # Those who are bad anyway are told what of their mail does not count.
    *_, failure = (each.data for each in ground.sent if each.data.rule == "failure" and each.data.customer == BOUGHT[0])
    (left_out,) = failure.evidence.left_out
    assert (left_out.reason, left_out.provider, left_out.incident) == ("incident", "gmail", incident.id)
    said = f" Not counted: {left_out.count:,} of {left_out.volume:,} at gmail, where an incident hit many senders."
    assert 0 < left_out.count < left_out.volume
    assert said in failure.explanation


def test_who_was_accused_before_it_was_known_is_released_at_once(ground: Ground) -> None:
    """The first of them alarms alone, before others send."""
    chance = random.Random(3)
    ground.put(*history(chance))
    judge = ground.judge()
    alone = [row for row in minutes(0, 30, chance) if row.customer == GOOD[0]]
    ground.put(*alone)
    judge.judge_customers([*GOOD, *BOUGHT], (HOUR_11 + 30 * MINUTE) * 1000)
    assert accused(ground) == {GOOD[0]}
    ground.put(*(row for row in minutes(0, 30, chance) if row.customer != GOOD[0]))
    # The others are judged, without the first; what comes of it is that the first is judged again.
    result = judge.judge_customers([*GOOD[1:], *BOUGHT], (HOUR_11 + 31 * MINUTE) * 1000)
    assert accused(ground) == {GOOD[0], *BOUGHT}
    again = [customer for customer, _ in result.again]
    assert GOOD[0] in again
    judge.judge_customers(again, (HOUR_11 + 31 * MINUTE) * 1000)
    released = [each.data for each in ground.sent if each.data.customer == GOOD[0]][-1]
    assert (released.kind, released.cause, released.level) == ("resolved", "incident", "good")
    assert ", without the mail of an incident that hit many senders; resolved from critical. Not counted: " in (
        released.explanation
    )
    assert open_now(ground) == set(BOUGHT)


def test_first_alert_is_right_however_lately_it_was_looked(ground: Ground) -> None:
    """One of them alarms, and a moment later all of them do."""
    chance = random.Random(6)
    ground.put(*history(chance))
    judge = ground.judge()
    now_ms = (HOUR_11 + 30 * MINUTE) * 1000
    judge.refresh_incidents(now_ms)
    ground.put(*minutes(0, 30, chance))
    judge.judge_customers([*GOOD, *BOUGHT], now_ms + 100)
    assert accused(ground) == set(BOUGHT)


def test_incident_has_what_the_provider_said_to_those_it_struck(ground: Ground) -> None:
    chance = random.Random(9)
    ground.put(*history(chance), *minutes(0, 50, chance))
    answer = "550 5.1.1 no such user <ann@gmail.example>"
    for customer in GOOD:
        event = {"customer": customer, "time": utc_time((HOUR_11 + 100) * 1000), "type": "bounced", "provider": "gmail"}
        event |= {"bounce_kind": "hard", "diagnostic": answer, "id": customer}
        ground.store.insert("events", {name: [value] for name, value in event.items()})
    ground.judge().refresh_incidents((HOUR_11 + 51 * MINUTE) * 1000)
    (incident,) = read_incidents(ground.store).in_force()
    assert [each.sample for each in incident.examples] == ["550 5.1.1 no such user <*@gmail.example>"] * 5
    assert list(as_lines(incident))[-1].endswith(", 550 5.1.1 no such user <*@gmail.example>")


def test_what_is_given_up_days_later_is_no_alarm_either(ground: Ground) -> None:
    """A provider took nothing for an hour; 72 h later all of it expires, and is counted where it was sent."""
    chance = random.Random(8)
    ground.put(*history(chance))
    sent_at = HOUR_11 - 3 * DAY - 2 * HOUR
    ground.put(*(Row(sent_at, delivered=80, customer=each, provider="yahoo", stream="news") for each in GOOD))
    judge = ground.judge()
    now_ms = HOUR_11 * 1000
    judge.refresh_incidents(now_ms)
    judge.judge_customers(GOOD, now_ms)
    ground.put(*(Row(sent_at, expired=400, customer=each, provider="gmail", stream="news") for each in GOOD))
    # Long windows were read a minute ago.
    judge.judge_customers(GOOD, now_ms + 61_000)
    assert accused(ground) == set()
    assert hours_left_out(ground.store) == {("gmail", sent_at // HOUR * HOUR)}


def test_other_monitor_reads_what_the_first_one_found(ground: Ground) -> None:
    chance = random.Random(4)
    ground.put(*history(chance), *minutes(0, 50, chance))
    now_ms = (HOUR_11 + 51 * MINUTE) * 1000
    ground.judge().refresh_incidents(now_ms)
    first = read_incidents(ground.store).found
    ground.judge().refresh_incidents(now_ms + 5_000)
    assert read_incidents(ground.store).found == first


def _sent(ground: Ground, customers: Sequence[str]) -> set[str]:
    return {each.data.customer for each in ground.sent} & set(customers)


def test_mail_after_the_outage_counts_again(ground: Ground) -> None:
    chance = random.Random(5)
    ground.put(*history(chance), *minutes(0, 50, chance))
    judge = ground.judge()
    judge.judge_customers(GOOD, (HOUR_11 + 51 * MINUTE) * 1000)
    assert hours_left_out(ground.store) == {("gmail", HOUR_11)}
    judge.refresh_incidents((HOUR_11 + 61 * MINUTE) * 1000)
    assert hours_left_out(ground.store) == {("gmail", HOUR_11), ("gmail", HOUR_11 + HOUR)}, "it may go on"
    ground.put(*minutes(60, 75, chance, failing=""))
    judge.refresh_incidents((HOUR_11 + 76 * MINUTE) * 1000)
    assert hours_left_out(ground.store) == {("gmail", HOUR_11)}, "those who send now are spared"
    assert not {(each.data.rule, each.data.explanation) for each in ground.sent}
    (incident,) = read_incidents(ground.store).in_force()
    assert incident.closed_ms == (HOUR_11 + 76 * MINUTE) * 1000


def test_explanation_says_what_is_left_out(ground: Ground) -> None:
    chance = random.Random(6)
    ground.put(*history(chance), *minutes(0, 50, chance))
    judge = ground.judge()
    now_ms = (HOUR_11 + 51 * MINUTE) * 1000
    judge.judge_customers([*GOOD, *BOUGHT], now_ms)
    (incident,) = read_incidents(ground.store).in_force()
    found = explain(ground.store, GOOD[0], policy.load_policy(), LOOP, now_ms, past=False)
    assert found is not None
    said = list(lines(found))
    assert said[1] == (
        "left out: 320 of 320 failed at gmail from 2026-03-12T11:00:00.000Z to 2026-03-12T12:00:00.000Z, "
        f"incident {incident.id}"
    )
    assert found.scopes[0].standing == "good"
    before = explain(ground.store, GOOD[0], policy.load_policy(), LOOP, (HOUR_11 - HOUR) * 1000, past=True)
    assert before is not None
    assert before.left_out == ()


def test_operators_are_told_once_when_it_begins_and_once_when_it_is_over(ground: Ground) -> None:
    told: list[IncidentEvent] = []
    chance = random.Random(7)
    ground.put(*history(chance), *minutes(0, 50, chance))
    watch = IncidentWatch(ground.store, told.extend)
    for minute in (51, 55, 61, 130, 140):
        watch.refresh((HOUR_11 + minute * MINUTE) * 1000)
    assert [(each.type, each.subject, each.data.open) for each in told] == [
        ("org.repmon.incident.began.v1", "gmail", True),
        ("org.repmon.incident.ended.v1", "gmail", False),
    ]
    assert len({each.id for each in told}) == 2
    assert told[0].data.examples[0].failed > 0


def test_hour_after_an_outage_in_which_two_send_is_of_it(ground: Ground) -> None:
    chance = random.Random(8)
    ground.put(*history(chance))
    judge = ground.judge()
    for each in GOOD[:6]:
        ground.put(*mail(each, HOUR_11 + 20 * MINUTE, 300, 0.6, chance))
    judge.judge_customers(GOOD, (HOUR_11 + 30 * MINUTE) * 1000)
    for each in GOOD[:2]:
        ground.put(*mail(each, HOUR_11 + 65 * MINUTE, 500, 0.6, chance))
    for minute in (70, 130):
        judge.judge_customers(GOOD, (HOUR_11 + minute * MINUTE) * 1000)
    assert accused(ground) == set()
    assert hours_left_out(ground.store) >= {("*", HOUR_11), ("*", HOUR_11 + HOUR)}
