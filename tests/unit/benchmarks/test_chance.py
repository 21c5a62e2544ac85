"""Fleets made from chance alone: seeds repeat them, all that was sent has one fate, good ones are good."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.verdicts import parameters as p
from benchmarks.verdicts.chance.arrival import Arrival, held_up
from benchmarks.verdicts.chance.mishaps import KINDS, OF_AN_ABUSER, mishaps_at
from benchmarks.verdicts.chance.outcomes import AT, MEASURES, Mailbag
from benchmarks.verdicts.chance.people import AFTER_DAYS, HISTORY_DAYS, company, good_ones
from benchmarks.verdicts.chance.trial import ADDRESSES, BadOne, TrialResult, Wish, address, result_of, seeded
from benchmarks.verdicts.chance.tried import DIRECTIONS
from benchmarks.verdicts.figures import clopper_pearson, of_random
from benchmarks.verdicts.fleet import DAY, HOUR, Judged
from tests.support.told import told_alert

TINY = Wish(customers=(3, 6))


def test_seed_repeats_a_fleet() -> None:
    first, again, other = seeded(3, 1, TINY), seeded(3, 1, TINY), seeded(3, 2, TINY)
    assert (first.title, first.looks, int(first.rows.n.sum())) == (again.title, again.looks, int(again.rows.n.sum()))
    assert int(first.rows.n.sum()) != int(other.rows.n.sum())


@pytest.mark.parametrize("dated", [True, False])
def test_each_recipient_has_one_fate(dated: bool) -> None:
    """A late bounce was delivered before, so `late_hard` is taken off; what is not dated counts when it comes."""
    rng = np.random.default_rng(5)
    person = next(each for each in good_ones(rng, company(rng), 40) if each.dated == dated)
    bag = Mailbag(rng, mishaps_at(rng, 0, "own network", ("shared-0",)))
    sent = np.full(20, 1_000)
    bag.post(0, person, 0, np.arange(20) * 600, sent, np.full(20, 1.0))
    rows = bag.rows()
    total = dict(zip(MEASURES, np.bincount(rows.measure, rows.n, len(MEASURES)).astype(int).tolist(), strict=True))
    fates = sum(total[name] for name in ("delivered", "hard", "block", "expired")) - total["late_hard"]
    assert fates == sent.sum()
    assert (rows.known >= rows.sent).all()
    assert (total["undated_hard"] + total["undated_expired"] > 0) == (not dated)


def test_good_ones_are_good() -> None:
    rng = np.random.default_rng(6)
    for each in good_ones(rng, company(rng), 300):
        assert each.hard + each.expired <= p.MOST_FAILING
        assert each.complained <= p.MOST_COMPLAINING
        assert each.block <= p.MOST_BLOCKED
        assert -HISTORY_DAYS * DAY <= each.since <= 0


def test_old_segment_fails_more_and_is_not_refused_more() -> None:
    """Of a customer whose mail hardly ever fails an old segment is thirty times as bad, and none of it is blocked."""
    rng = np.random.default_rng(12)
    person = next(each for each in good_ones(rng, company(rng), 40) if each.dated)
    person = replace(person, hard=0.0005, expired=0.0005, block=0.01)
    bag = Mailbag(rng, ())
    bag.post(0, person, 0, np.zeros(1, np.int64), np.array([100_000]), np.full(1, 1.0), np.full(1, 30.0))
    rows = bag.rows()
    total = np.bincount(rows.measure, rows.n, len(MEASURES)) / 100_000
    assert total[AT["hard"]] + total[AT["expired"]] == pytest.approx(0.03, rel=0.1)
    assert total[AT["block"]] == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_what_strikes_is_nothing_before_and_after(kind: str) -> None:
    rng = np.random.default_rng(7)
    person = good_ones(rng, company(rng), 1)[0]
    for each in mishaps_at(rng, 10 * HOUR, kind, ("shared-0",)):
        assert each.begins < each.ends <= AFTER_DAYS * DAY
        rates = each.rate(np.linspace(0, 1, 50, endpoint=False))
        assert ((rates >= 0) & (rates <= 1)).all()
        assert rates.max() > 0 or each.listed > 0
    assert person.good


def test_what_is_given_up_together_is_known_at_one_moment_and_has_one_fate() -> None:
    rng = np.random.default_rng(7)
    person = next(each for each in good_ones(rng, company(rng), 40) if each.dated and each.mix.min() > 0.02)
    (mishap,) = mishaps_at(rng, 2 * HOUR, "given up together", ("shared-0",))
    bag = Mailbag(rng, [mishap])
    at, sent = np.array([2 * HOUR + 60, DAY * 5]), np.array([2_000, 2_000])
    bag.post(0, person, 0, at, sent, np.full(2, 1.0))
    rows = bag.rows()
    expired = (rows.measure == AT["expired"]) & (rows.known == mishap.known)
    assert rows.n[expired].sum() > 10
    assert set(rows.sent[expired].tolist()) == {2 * HOUR + 60}
    total = dict(zip(MEASURES, np.bincount(rows.measure, rows.n, len(MEASURES)).astype(int).tolist(), strict=True))
    fates = sum(total[name] for name in ("delivered", "hard", "block", "expired")) - total["late_hard"]
    assert fates == sent.sum()


def test_pool_that_is_listed_has_an_abuser_and_its_addresses_are_named() -> None:
    trial = seeded(4, 1, Wish(customers=(8, 20), mishaps=(OF_AN_ABUSER,), abusers=()))
    (listing,) = (each for each in trial.mishaps if each.listed)
    (bad,) = trial.sprees
    assert bad.person.pool == listing.pool
    assert bad.begins <= listing.begins
    assert len({address(listing.pool, hour) for hour in range(24)}) == ADDRESSES


def test_outage_again_is_the_same_one_a_day_or_more_later() -> None:
    for seed in range(5):
        first, *later = mishaps_at(np.random.default_rng(seed), 3 * HOUR, "again", ("shared-0",))
        assert later
        assert all((each.places, each.outcome) == (first.places, first.outcome) for each in later)
        assert all(each.begins - first.begins >= 20 * HOUR and each.ends < AFTER_DAYS * DAY for each in later)


def test_deliveries_that_are_held_up_come_after_their_bounces() -> None:
    rng = np.random.default_rng(8)
    person = good_ones(rng, company(rng), 1)[0]
    bag = Mailbag(rng, ())
    bag.post(0, person, 0, np.arange(60) * 60, np.full(60, 500), np.full(60, 1.0))
    rows, looks = held_up(bag.rows(), {1, 4_000}, 0, Arrival(what="late", hours=2, deliveries=True))
    delivered = rows.measure == AT["delivered"]
    assert rows.known[delivered].min() >= 2 * HOUR
    assert rows.known[~delivered].min() < HOUR
    assert {1, 4_000} <= looks


@pytest.mark.parametrize(("held", "milder"), [(True, True), (True, False), (False, True)])
def test_bad_one_whose_alert_is_held_is_held_whatever_milder_is_told(held: bool, milder: bool) -> None:
    trial = seeded(4, 2, Wish(customers=(3, 6), mishaps=(), abusers=("bought list",)))
    (spree,) = trial.sprees
    name, at = spree.person.name, spree.begins + 600
    alerts = [(at, told_alert(customer=name, held=held).data)]
    alerts += [(at, told_alert(customer=name, level="warning").data)] if milder else []
    (bad,) = result_of(trial, Judged(alerts)).bad
    assert (bad.seconds, bad.held, bad.acted) == (600, held, None if held else 600)


def test_bad_one_is_acted_on_once_its_alert_is_held_no_more() -> None:
    trial = seeded(4, 2, Wish(customers=(3, 6), mishaps=(), abusers=("bought list",)))
    (spree,) = trial.sprees
    name, at = spree.person.name, spree.begins + 600
    alerts = [(at, told_alert(customer=name, held=True).data), (at + 300, told_alert(customer=name).data)]
    (bad,) = result_of(trial, Judged(alerts)).bad
    assert (bad.seconds, bad.held, bad.acted) == (600, True, 900)


def test_good_one_who_is_accused_before_anything_struck_is_marked() -> None:
    trial = seeded(4, 3, Wish(customers=(3, 6), mishaps=("outage",), abusers=()))
    (begins,) = (each.begins for each in trial.mishaps)
    name = trial.good[0].name
    said = [
        result_of(trial, Judged([(at, told_alert(customer=name).data)])).suspended[name]
        for at in (begins - 60, begins + 60)
    ]
    assert ["before anything struck" in each for each in said] == [True, False]


def test_directions_are_fleets() -> None:
    for name, wish in DIRECTIONS.items():
        assert wish.customers[0] <= wish.customers[1], name


@pytest.mark.parametrize(
    ("seen", "of", "least", "most"),
    [(0, 100, 0.0, 0.0362), (5, 100, 0.0164, 0.1128), (1, 10, 0.0025, 0.4450), (10, 10, 0.6915, 1.0)],
)
def test_interval_of_clopper_and_pearson(seen: int, of: int, least: float, most: float) -> None:
    """Against the published table of 95 % intervals."""
    assert clopper_pearson(seen, of) == pytest.approx((least, most), abs=1e-4)


def test_figures_say_who_was_accused_and_when_the_bad_were_found() -> None:
    bad = [BadOne("bought list", "b0", 120, 300, True), BadOne("bought list", "b1", None, 900, False)]
    one = TrialResult("one", 20, {"g1": "x"}, {"g2": "x"}, {"g3": "x", "g4": "x"}, bad)
    every = list(of_random([("anything", [one, TrialResult("two", 30)]), ("tiny", [TrialResult("three", 4)])]))
    assert [(each.name, each.value, each.unit) for each in every] == [
        ("random fleets: anything", 1, "of 50 good ones suspended"),
        ("random fleets: tiny", 0, "of 4 good ones suspended"),
        ("random fleets: all", 1, "of 54 good ones suspended"),
        ("random fleets, bad ones: bought list", 300, "recipients until"),
    ]
    assert "1 held, 2 told anything milder; of 2 bad ones 1 found" in every[0].note
    assert every[3].note == "1 of 2 found (0 held), 1 within the hour, median 2 min, longest 2"
    assert len(list(of_random([("tiny", [one])], whole=False))) == 1
    held = [replace(bad[0], name=f"h{acted}", held=True, acted=acted) for acted in (None, 900, 9_000)]
    *_, last = of_random([("anything", [replace(one, bad=held)])])
    assert last.note.startswith("3 of 3 found (3 held, 1 of these not any more within the hour), 3 within the hour")
