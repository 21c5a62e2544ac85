"""Who sends bad mail while all mail fails, and never again: found as soon as that shows by what the incident does not
explain."""

import random

import pytest

from api.cli.incidents import as_lines
from jobs.operator.incidents import dismiss_incident
from streams.incidents.stored import read_incidents
from tests.support.api_client import DAY, HOUR, MINUTE, Row
from tests.support.fleet import HOUR_11, SHARES, accused, mail, suspended
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

GOOD = [f"good{number:02}" for number in range(10)]
NOW_MS = (HOUR_11 + 40 * MINUTE) * 1000


def week(customer: str, chance: random.Random) -> list[Row]:
    return [row for day in range(1, 8) for row in mail(customer, HOUR_11 - day * DAY, 700, 0.005, chance)]


def blocked(customer: str, count: int, rate: float, hard: float, chance: random.Random) -> list[Row]:
    """Mail of one minute to all providers, of which a share is refused, and of the rest a share is unknown."""
    rows = []
    for provider, share in SHARES.items():
        sent = round(count * share)
        refused = sum(chance.random() < rate for _ in range(sent))
        unknown = sum(chance.random() < hard for _ in range(sent - refused))
        left = sent - refused - unknown
        at = HOUR_11 + 20 * MINUTE
        row = Row(at, delivered=left, hard=unknown, block=refused, provider=provider, customer=customer, stream="news")
        rows.append(row)
    return rows


def struck(ground: Ground, chance: random.Random, hard: float) -> None:
    for each in (*GOOD, "stolen"):
        ground.put(*week(each, chance))
    for each in GOOD:
        ground.put(*blocked(each, 400, 0.6, 0.01, chance))
    ground.put(*blocked("stolen", 2_000, 0.6, hard, chance))


def test_bad_list_among_what_an_incident_of_all_mail_let_through_is_found(ground: Ground) -> None:
    chance = random.Random(1)
    struck(ground, chance, 0.15)
    judge = ground.judge()
    again = judge.judge_customers([*GOOD, "stolen"], NOW_MS).again
    judge.judge_customers({customer for customer, _ in again}, NOW_MS + 1_000)
    assert accused(ground) == {"stolen"}
    everything, theirs = sorted(read_incidents(ground.store).in_force(), key=lambda each: each.dimension)
    assert (everything.dimension, everything.outcome, everything.leaves_out) == ("all", "block", True)
    assert (theirs.dimension, theirs.value, theirs.state, theirs.leaves_out) == (
        "customer",
        "stolen",
        "not_excused",
        False,
    )
    assert "not excused by an incident" in next(as_lines(theirs))
    # Later it is as it was, and a person who knows better takes it back.
    judge.refresh_incidents((HOUR_11 + 2 * HOUR) * 1000)
    assert [each.state for each in read_incidents(ground.store).in_force() if each.id == theirs.id] == ["not_excused"]
    now_ms = (HOUR_11 + 3 * HOUR) * 1000
    dismiss_incident(ground.store, theirs.id, by="Ida", why="a test list of ours", now_ms=now_ms)
    changed = judge.refresh_incidents(now_ms + 20_000)
    assert "stolen" in changed
    judge.judge_customers(changed, now_ms + 20_000)
    last = {
        (each.data.scope, each.data.rule): each.data.level for each in ground.sent if each.data.customer == "stolen"
    }
    assert set(last.values()) == {"good"}


def test_who_is_only_struck_is_excused(ground: Ground) -> None:
    struck(ground, random.Random(2), 0.01)
    ground.judge().judge_customers([*GOOD, "stolen"], NOW_MS)
    assert accused(ground) == set()
    assert [each.dimension for each in read_incidents(ground.store).in_force()] == ["all"]


def test_complaints_about_mail_that_an_incident_struck_count(ground: Ground) -> None:
    """They come days later, when it is long over; nobody else is complained of."""
    chance = random.Random(3)
    struck(ground, chance, 0.01)
    judge = ground.judge()
    judge.judge_customers([*GOOD, "stolen"], NOW_MS)
    assert accused(ground) == set()
    at = HOUR_11 + 20 * MINUTE
    ground.put(Row(at, complained=30, provider="yahoo", customer="stolen", stream="news"))
    later = (HOUR_11 + DAY) * 1000
    changed = judge.refresh_incidents(later)
    for step in range(1, 8):
        changed |= judge.refresh_incidents(later + step * 60_000)
    assert "stolen" in changed


def test_refusals_that_seemed_many_do_not_hide_a_bad_list_of_that_hour(ground: Ground) -> None:
    """Nine tenths of the mail to one provider wait in an hour, and are given up a day later. Until then what is refused
    at once is one in nine of what is known, for everybody; then it is one in ninety."""
    chance, at, waits = random.Random(7), HOUR_11 - DAY, 0.9
    sent = {**dict.fromkeys(GOOD, 200), "bought": 1_500}
    for each, count in sent.items():
        hard = round(count * (0.15 if each == "bought" else 0.01))
        known = Row(at, round((count - hard) * (1 - waits)), hard, provider="gmail", customer=each, stream="news")
        ground.put(known)
        if each in GOOD:
            days = range(2, 8)
            ground.put(*(row for day in days for row in mail(each, HOUR_11 - day * DAY, 700, 0.005, chance)))
            ground.put(Row(at, delivered=300, provider="yahoo", customer=each, stream="news"))
    judge = ground.judge()
    judge.refresh_incidents((at + 50 * MINUTE) * 1000)
    judge.judge_customers([*GOOD, "bought"], (at + 50 * MINUTE) * 1000)
    assert accused(ground) == set()
    assert [each.outcome for each in read_incidents(ground.store).in_force()] == ["hard"]
    for each, count in sent.items():
        ground.put(Row(at, expired=round(count * waits * 0.9), provider="gmail", customer=each, stream="news"))
    for later_s in (0, 10):
        judge.refresh_incidents(NOW_MS + later_s * 1000)
        again = judge.judge_customers([*GOOD, "bought"], NOW_MS + later_s * 1000).again
        judge.judge_customers({customer for customer, _ in again}, NOW_MS + later_s * 1000 + 1)
    assert accused(ground) == suspended(ground) == {"bought"}
    everybody, theirs = sorted(read_incidents(ground.store).in_force(), key=lambda each: each.state)
    assert (everybody.value, everybody.outcome, everybody.struck) == ("gmail", "expired", len(GOOD))
    assert (theirs.value, theirs.outcome, theirs.state) == ("bought", "hard", "not_excused")
