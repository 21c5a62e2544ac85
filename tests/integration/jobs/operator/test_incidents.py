"""What operators decide of incidents: what is left out, and what is on record."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from jobs.operator.decisions import DecisionError
from jobs.operator.incidents import declare_incident, dimension_of, dismiss_incident, find_incident
from schemas.incident import Incident
from schemas.providers import load_providers
from streams.incidents.stored import read_incidents, store_incidents
from streams.io.store import Store
from streams.listings.left_out import read_judged
from streams.subjects.totals import read_totals
from tests.support.api_client import HOUR, NOW, Row
from tests.support.judging import NOW_MS, Ground
from tests.support.left_out import hours_left_out

pytestmark = pytest.mark.usefixtures("standing_clock")

HOUR_10 = NOW // HOUR * HOUR - 2 * HOUR
FOUND = Incident(
    id="3f9c",
    dimension="provider",
    value="gmail",
    outcome="hard",
    state="detected",
    hours=(HOUR_10,),
    confirmed=(HOUR_10,),
)


def declared(store: Store, provider: str = "gmail", hours: float = 2, by: str = "Ida") -> Incident:
    until_ms = HOUR_10 * 1000 + int(hours * HOUR * 1000)
    return declare_incident(
        store, provider, HOUR_10 * 1000, until_ms, providers={"gmail"}, by=by, why="outage", now_ms=NOW_MS
    )


def audit(store: Store) -> list[tuple[str, ...]]:
    return [tuple(row) for row in store.rows("SELECT action, who, subject, why FROM audit ORDER BY time, action")]


@pytest.mark.parametrize(
    ("provider", "hours", "mail"),
    [("gmail", 2, 40), ("gmail", 1.5, 40), ("gmail", 1, 140), ("*", 2, 30), ("*", 1, 130)],
)
def test_mail_of_a_declared_incident_is_left_out_hour_by_hour(
    ground: Ground, provider: str, hours: float, mail: int
) -> None:
    """The hours that it begins and ends in belong to it."""
    ground.put(
        Row(HOUR_10 + 100, delivered=60, provider="gmail"),
        Row(HOUR_10 + HOUR + 100, delivered=100, provider="gmail"),
        Row(HOUR_10 + 100, delivered=10, provider="yahoo"),
        Row(HOUR_10 + 2 * HOUR + 100, delivered=30, provider="gmail"),
    )
    found = declared(ground.store, provider, hours)
    for windows in ([24 * HOUR * 1000], [30 * 24 * HOUR * 1000]):
        totals = read_totals(ground.store, ["acme"], windows, [], NOW_MS)
        assert totals.counts[0, 0, 0] == mail
        everything = read_totals(ground.store, ["acme"], windows, [], NOW_MS, left_out=())
        assert everything.counts[0, 0, 0] == 200
    assert audit(ground.store) == [("incident declared", "Ida", found.id, "outage")]


def test_dismissed_incident_counts_again_and_stays_so(store: Store) -> None:
    """Although monitors find more hours of it."""
    store_incidents(store, [FOUND], NOW_MS)
    assert hours_left_out(store) == {("gmail", HOUR_10)}
    dismiss_incident(store, "3f", by="Ida", why="shared list", now_ms=NOW_MS)
    assert hours_left_out(store) == set()
    store_incidents(store, [replace(FOUND, hours=(HOUR_10, HOUR_10 + HOUR))], NOW_MS + 1)
    assert hours_left_out(store) == set()
    found = find_incident(store, "3f9c")
    assert (found.state, found.by, found.why, len(found.hours)) == ("dismissed", "Ida", "shared list", 2)
    assert audit(store) == [("incident dismissed", "Ida", "3f9c", "shared list")]


def test_declared_incident_can_be_dismissed(store: Store) -> None:
    found = declared(store)
    dismiss_incident(store, found.id, by="Bo", why="it was another day", now_ms=NOW_MS + 1)
    assert hours_left_out(store) == set()
    (after,) = read_incidents(store).in_force()
    assert (after.id, after.state, after.by) == (found.id, "dismissed", "Bo")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda store: declared(store, "gmial"), "PLACE: 'gmial' is not one of gmail, '*' for all, or a blocklist"),
        (
            lambda store: declared(store, hours=-1),
            "--until: 2026-03-12T09:00:00.000Z is not after 2026-03-12T10:00:00.000Z",
        ),
        (lambda store: declared(store, hours=24 * 14 + 1), "--until: an incident lasts at most 14 days"),
        (lambda store: declared(store, by=" "), "--by: is empty"),
        (lambda store: dismiss_incident(store, "ab", by="Ida", why="x", now_ms=1), "no incident with the id 'ab'"),
        (lambda store: dismiss_incident(store, "", by="Ida", why="x", now_ms=1), "no incident with the id ''"),
    ],
)
def test_what_cannot_be_decided_is_refused(store: Store, wrong: Callable[[Store], object], message: str) -> None:
    with pytest.raises(DecisionError, match=message.replace("*", r"\*")):
        wrong(store)
    assert audit(store) == []


def test_of_many_providers_those_are_named_that_may_be_meant(store: Store) -> None:
    providers = [each.name for each in load_providers().all]
    with pytest.raises(DecisionError) as refused:
        dimension_of(store, "gmial", providers, [])
    assert str(refused.value).endswith("; did you mean gmail?")
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize("place", ["bl.example", "192.0.2.0/24@bl.example"])
def test_listings_of_a_declared_incident_are_held_against_nobody(ground: Ground, place: str) -> None:
    ground.listed("192.0.2.1", HOUR + 100)
    ground.listed("198.51.100.1", 3 * HOUR)
    declared(ground.store, place)
    assert {each.resource for each in read_judged(ground.store, 0, ["major"])} == {"198.51.100.1"}
    assert hours_left_out(ground.store) == frozenset(), "no mail is left out"


@pytest.mark.parametrize("place", ["gmial", "never.example", "192.0.2.0/25@bl.example", "192.0.2.7/24@bl.example"])
def test_place_that_is_none_is_named(ground: Ground, place: str) -> None:
    ground.listed("192.0.2.1", HOUR + 100)
    with pytest.raises(DecisionError, match=r"^PLACE: "):
        declared(ground.store, place)
