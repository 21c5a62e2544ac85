"""In a tiny fleet, or by night, nobody can tell whether it is the provider: then a person looks first."""

import random

import pytest

from streams.incidents.stored import read_incidents
from tests.support.api_client import DAY, HOUR, MINUTE, Row
from tests.support.fleet import HOUR_11, SHARES, held, mail, suspended
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

NOW_MS = (HOUR_11 + 30 * MINUTE) * 1000


def week(customer: str, chance: random.Random) -> list[Row]:
    return [row for day in range(1, 8) for row in mail(customer, HOUR_11 - day * DAY, 600, 0.005, chance)]


@pytest.mark.parametrize("refused", [1, 2])
def test_who_is_refused_at_one_provider_where_nobody_is_spared_is_held(ground: Ground, refused: int) -> None:
    chance, fleet = random.Random(1), ["a", "b", "c"]
    ground.put(*(row for each in fleet for row in week(each, chance)))
    struck = fleet[:refused]
    ground.put(*(row for each in struck for row in mail(each, HOUR_11 + 20 * MINUTE, 700, 0.005, chance, "gmail")))
    ground.judge().judge_customers(fleet, NOW_MS)
    assert (held(ground), suspended(ground)) == (set(struck), set())
    (incident,) = read_incidents(ground.store, 0).in_force()
    assert (incident.value, incident.state, incident.leaves_out) == ("gmail", "suspected", False)


def test_two_of_a_tiny_fleet_whose_mail_fails_everywhere_in_one_hour_are_held(ground: Ground) -> None:
    chance = random.Random(2)
    for each in ("a", "b"):
        ground.put(*week(each, chance), *mail(each, HOUR_11 + 20 * MINUTE, 700, 0.5, chance))
    ground.judge().judge_customers(["a", "b"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({"a", "b"}, set())


def test_who_alone_fails_everywhere_is_not_held(ground: Ground) -> None:
    chance = random.Random(3)
    ground.put(*week("stolen", chance), *mail("stolen", HOUR_11 + 20 * MINUTE, 700, 0.2, chance))
    ground.judge().judge_customers(["stolen"], NOW_MS)
    assert suspended(ground) == {"stolen"}


def test_who_is_long_known_as_good_is_held_where_the_only_other_mail_failed_too(ground: Ground) -> None:
    """By night a second one hardly sends: that its only mail fails by chance is rarer than that all mail fails."""
    chance = random.Random(16)
    ground.put(*(row for each in ("a", "b") for row in week(each, chance)))
    ground.put(*mail("a", HOUR_11 + 20 * MINUTE, 300, 0.3, chance))
    ground.put(Row(HOUR_11 + 20 * MINUTE, 1, 1, provider="yahoo", customer="b"))
    ground.judge().judge_customers(["a", "b"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({"a"}, set())


def test_who_has_no_history_is_not_held(ground: Ground) -> None:
    chance = random.Random(4)
    ground.put(*week("old", chance), *mail("new", HOUR_11 + 20 * MINUTE, 700, 0.005, chance, "gmail"))
    ground.judge().judge_customers(["new"], NOW_MS)
    assert suspended(ground) == {"new"}


def test_one_who_is_spared_there_is_enough_to_tell(ground: Ground) -> None:
    chance = random.Random(5)
    ground.put(*week("a", chance), *week("spared", chance))
    ground.put(*mail("a", HOUR_11 + 20 * MINUTE, 700, 0.005, chance, "gmail"))
    ground.put(*mail("spared", HOUR_11 + 20 * MINUTE, 200, 0.0, chance))
    ground.judge().judge_customers(["a", "spared"], NOW_MS)
    assert suspended(ground) == {"a"}


def test_third_who_is_struck_makes_an_incident_of_it_and_releases_who_was_held(ground: Ground) -> None:
    chance, fleet = random.Random(6), ["a", "b", "c"]
    ground.put(*(row for each in fleet for row in week(each, chance)))
    judge = ground.judge()
    for minute, each in enumerate(fleet):
        ground.put(*mail(each, HOUR_11 + 20 * MINUTE, 700, 0.005, chance, "gmail"))
        now_ms = NOW_MS + minute * MINUTE * 1000
        again = judge.judge_customers(fleet, now_ms).again
        judge.judge_customers({customer for customer, _ in again} | {each}, now_ms + 1_000)
    assert suspended(ground) == set()
    assert {each.data.customer for each in ground.sent if each.data.level == "good"} >= {"a", "b"}
    (incident,) = read_incidents(ground.store, 0).in_force()
    assert (incident.state, incident.leaves_out) == ("detected", True)


def test_first_day_on_which_one_provider_refuses_is_not_taken_for_all_mail(ground: Ground) -> None:
    """Half of everybody's mail fails then, and a bought list of the hour must still be seen by the rest."""
    chance, fleet = random.Random(7), [f"good{number}" for number in range(8)]
    ground.put(*(row for each in fleet for row in mail(each, HOUR_11 + 20 * MINUTE, 60, 0.005, chance, "gmail")))
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 1_000, 0.2, chance, "gmail"))
    ground.judge().judge_customers([*fleet, "bought"], NOW_MS)
    assert not any(each.dimension == "all" for each in read_incidents(ground.store, 0).in_force())
    assert {each.data.customer for each in ground.sent} >= {"bought"}


def test_first_day_on_which_all_mail_fails_is_an_incident_of_all_mail(ground: Ground) -> None:
    chance, fleet = random.Random(8), [f"good{number}" for number in range(8)]
    ground.put(*(row for each in fleet for row in mail(each, HOUR_11 + 20 * MINUTE, 300, 0.9, chance)))
    ground.judge().judge_customers(fleet, NOW_MS)
    assert suspended(ground) == set()
    assert [each.dimension for each in read_incidents(ground.store, 0).in_force()] == ["all"]


def test_who_failed_a_little_elsewhere_on_other_days_is_held_by_its_worst_hour(ground: Ground) -> None:
    chance = random.Random(9)
    ground.put(*(row for day in range(1, 8) for row in mail("a", HOUR_11 - day * DAY, 3_000, 0.008, chance)))
    ground.put(*mail("a", HOUR_11 + 20 * MINUTE, 120, 0.005, chance, "gmail"))
    ground.judge().judge_customers(["a"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({"a"}, set())


def test_worst_hour_of_who_alarms_by_one_window_is_one_of_that_window(ground: Ground) -> None:
    """In numbers more failed yesterday, of a large mailing that was good."""
    chance = random.Random(10)
    ground.put(*(row for day in range(2, 8) for row in mail("a", HOUR_11 - day * DAY, 3_000, 0.005, chance)))
    ground.put(*mail("a", HOUR_11 - DAY - 2 * HOUR, 30_000, 0.012, chance))
    ground.put(*mail("a", HOUR_11 + 20 * MINUTE, 120, 0.005, chance, "gmail"))
    ground.judge().judge_customers(["a"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({"a"}, set())


@pytest.mark.parametrize(("minute", "expected"), [(-8, "held"), (-40, "suspended")], ids=["its minutes", "before it"])
def test_who_fails_in_the_first_minutes_of_what_then_hits_everybody_is_held(
    ground: Ground, minute: int, expected: str
) -> None:
    """Others sent there earlier in that hour, and were well; nobody but that one in its last ten minutes."""
    chance, others = random.Random(11), ["b", "c", "d", "e"]
    ground.put(*(row for each in ["a", *others] for row in week(each, chance)))
    for each in others:
        ground.put(*mail(each, HOUR_11 - 40 * MINUTE, 400, 0.005, chance))
        ground.put(*mail(each, HOUR_11 + 5 * MINUTE, 400, 0.005, chance, "gmail"))
    ground.put(*mail("a", HOUR_11 + minute * MINUTE, 700, 0.005, chance, "gmail"))
    judge = ground.judge()
    judge.refresh_incidents((HOUR_11 + 10 * MINUTE) * 1000)
    judge.judge_customers(["a", *others], (HOUR_11 + 11 * MINUTE) * 1000)
    assert {"held": held(ground), "suspended": suspended(ground)} == {
        "held": set(),
        "suspended": set(),
        expected: {"a"},
    }


def test_four_who_are_refused_on_a_first_day_are_held_though_it_is_no_incident(ground: Ground) -> None:
    """An incident of a first day needs five; of the accounts of a bought list all mail fails."""
    chance = random.Random(13)
    for each in "abcd":
        rows = mail(each, HOUR_11 + 20 * MINUTE, 900, 0.004, chance)
        ground.put(*(row if row.provider != "yahoo" else row._replace(delivered=44, hard=100) for row in rows))
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 900, 0.2, chance))
    ground.judge().judge_customers([*"abcd", "bought"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({*"abcd"}, {"bought"})


@pytest.mark.parametrize("spoilt", [False, True], ids=["on a first day", "their history is bad"])
def test_two_providers_that_refuse_at_once_are_not_taken_for_bad_lists(ground: Ground, *, spoilt: bool) -> None:
    """To each of two customers mail elsewhere looks bad as well; and of a bought list of the hour all mail is."""
    chance, two = random.Random(12), ("gmail", "icloud")
    if spoilt:
        ground.put(
            *(row for each in "ab" for day in (1, 2) for row in mail(each, HOUR_11 - day * DAY, 600, 0.05, chance))
        )
    for each, count in (("a", 900), ("b", 500)):
        ground.put(*(row for row in mail(each, HOUR_11 + 20 * MINUTE, count, 0.01, chance) if row.provider not in two))
        for provider in two:
            sent = round(count * SHARES[provider])
            hard = sum(chance.random() < 0.6 for _ in range(sent))
            ground.put(Row(HOUR_11 + 20 * MINUTE, sent - hard, hard, provider=provider, customer=each))
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 900, 0.2, chance))
    ground.judge().judge_customers(["a", "b", "bought"], NOW_MS)
    assert held(ground) == {"a", "b"}
    assert suspended(ground) == {"bought"}
    assert {each.why for each in read_incidents(ground.store).in_force() if each.state == "suspected"} == {
        "too few sent to tell whether it is the places: several failed at once, and mail to the others did not"
    }


def test_two_providers_of_like_size_that_refuse_are_not_taken_for_bad_lists(ground: Ground) -> None:
    """Of nobody's mail most failed at one of them, so that it seems to fail everywhere."""
    chance = random.Random(14)
    for each in "abcd":
        ground.put(*mail(each, HOUR_11 + 20 * MINUTE, 900, 0.004, chance))
        refused = [Row(HOUR_11 + 20 * MINUTE, 15, 90, provider=at, customer=each) for at in ("yahoo", "microsoft")]
        ground.put(*refused)
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 900, 0.2, chance))
    ground.judge().judge_customers([*"abcd", "bought"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({*"abcd"}, {"bought"})


def test_single_failure_of_another_one_is_no_witness_that_all_mail_fails(ground: Ground) -> None:
    """On a first day, in an hour in which the other one sends three."""
    chance = random.Random(15)
    ground.put(*mail("bad", HOUR_11 + 20 * MINUTE, 600, 0.26, chance))
    ground.put(Row(HOUR_11 + 20 * MINUTE, 2, 1, provider="yahoo", customer="good"))
    ground.judge().judge_customers(["bad", "good"], NOW_MS)
    assert (held(ground), suspended(ground)) == (set(), {"bad"})


def test_worst_hour_of_a_stream_that_alarms_is_one_of_that_stream(ground: Ground) -> None:
    """In numbers more failed of another stream within the same day, whose mail is good."""
    chance = random.Random(16)
    offers = [row._replace(stream="offers") for row in mail("a", HOUR_11 - 2 * HOUR, 200, 0.005, chance, "gmail")]
    ground.put(*(row for day in range(2, 8) for row in mail("a", HOUR_11 - day * DAY, 3_000, 0.005, chance)))
    ground.put(*mail("a", HOUR_11 - 4 * HOUR, 30_000, 0.012, chance), *offers)
    ground.judge().judge_customers(["a"], NOW_MS)
    assert {each.data.scope for each in ground.sent if each.data.level == "critical"} == {"stream:offers"}
    assert (held(ground), suspended(ground)) == ({"a"}, set())


@pytest.mark.parametrize(("elsewhere", "expected"), [(0, "held"), (3, "suspended")], ids=["good", "bad"])
def test_small_one_that_two_providers_refuse_for_hours_is_held(ground: Ground, elsewhere: int, expected: str) -> None:
    """On a first day; a few mails in each hour, of which no single one tells. Of a bad list, others fail as well."""
    for hour in range(4):
        at = HOUR_11 - hour * HOUR
        for provider in ("yahoo", "microsoft"):
            ground.put(Row(at, 0, 4, provider=provider, customer="small"))
            ground.put(Row(at, 1, 9, provider=provider, customer="second"))
        ground.put(Row(at, 7, provider="gmail", customer="small"), Row(at, 1, 1, provider="gmail", customer="second"))
        ground.put(*(Row(at, 45, provider=provider, customer="third") for provider in ("gmail", "icloud")))
    ground.put(Row(HOUR_11 - 9 * HOUR, 60 - 4 * elsewhere, 4 * elsewhere, provider="gmail", customer="small"))
    ground.judge().judge_customers(["small"], NOW_MS)
    assert {"held": held(ground), "suspended": suspended(ground)} == {
        "held": set(),
        "suspended": set(),
        expected: {"small"},
    }
