"""What is sent when: one customer's in order, tried again and again, and given up after a day."""

import random
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.notify.lanes import FAILURES, FIRST_WAIT_MS, LONGEST_WAIT_MS, Lanes, wait_ms
from jobs.notify.notification import Notification, Outcome, Parcel
from schemas.notify import Route
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.support.told import a_route

TAKEN, LATER, NEVER = (
    Outcome(result="taken", said="204"),
    Outcome(result="later", said="500"),
    Outcome(result="never", said="404"),
)
ROUTES = {"hook": a_route(), "other": a_route("other")}


def lanes(routes: Mapping[str, Route] = ROUTES, seed: int = 1) -> Lanes:
    return Lanes(routes, DAY_MS, random.Random(seed).random)


def item(place: int, lane: str = "acme", route: str = "hook", due_ms: int = 0, batch: str = "") -> Notification:
    return Notification(
        id=f"{route}-{place}",
        route=route,
        event_id=str(place),
        lane=lane,
        reader="reputation.alerts:0",
        place=place,
        due_ms=due_ms,
        taken_ms=0,
        event="{}",
        batch=batch,
    )


def ids(parcels: list[Parcel]) -> list[list[str]]:
    return [[each.id for each in parcel.items] for parcel in parcels]


def test_one_customers_go_one_after_another_and_others_beside() -> None:
    here = lanes()
    for each in (item(1), item(2), item(3, "other-customer"), item(4, route="other")):
        here.put(each)
    first = here.take(0)
    assert ids(first) == [["hook-1"], ["hook-3"], ["other-4"]]
    assert here.take(0) == []
    here.done(first[0], TAKEN, 0)
    assert ids(here.take(0)) == [["hook-2"]]


def test_what_fails_keeps_those_behind_it_waiting() -> None:
    here = lanes()
    here.put(item(1))
    here.put(item(2))
    (first,) = here.take(0)
    here.done(first, LATER, 0)
    assert here.take(FIRST_WAIT_MS // 2 - 1) == []
    assert here.take(FIRST_WAIT_MS) == [first]


def test_what_another_try_does_not_mend_is_a_dead_letter_at_once() -> None:
    here = lanes()
    here.put(item(1))
    here.put(item(2))
    (first,) = here.take(0)
    here.done(first, NEVER, 0)
    assert (first.first.state, first.first.said) == ("failed", "404")
    assert ids(here.take(0)) == [["hook-2"]]


def test_waits_grow_up_to_ten_minutes_and_never_meet() -> None:
    assert [wait_ms(tries, 1.0) for tries in (1, 2, 3)] == [1000, 2000, 4000]
    assert wait_ms(5, 0.0) == wait_ms(5, 1.0) // 2
    assert wait_ms(60, 1.0) == LONGEST_WAIT_MS


def test_target_that_asks_to_be_left_alone_is_left_alone_by_all() -> None:
    here = lanes()
    here.put(item(1))
    (first,) = here.take(0)
    here.done(first, Outcome(result="later", said="429", wait_ms=30_000), 0)
    here.put(item(2, "other-customer"))
    assert here.take(29_999) == []
    assert len(here.take(30_000)) == 2


def test_target_that_asks_to_be_left_alone_for_years_is_for_an_hour() -> None:
    """It heard of nothing for a day, and what had waited was tried once."""
    here = lanes()
    here.put(item(1))
    (first,) = here.take(0)
    here.done(first, Outcome(result="later", said="429", wait_ms=999_999_999_000), 0)
    assert here.take(HOUR_MS - 1) == []
    assert here.take(HOUR_MS) == [first]


def test_target_that_fails_is_asked_by_one_at_a_time_and_all_go_once_it_takes_one() -> None:
    here = lanes()
    for place in range(8):
        here.put(item(place, f"customer-{place}"))
    for parcel in here.take(0):
        here.done(parcel, LATER, 0)
    assert here.failures("hook") >= FAILURES
    now_ms = LONGEST_WAIT_MS
    (probe,) = here.take(now_ms)
    assert here.take(now_ms) == []
    here.done(probe, TAKEN, now_ms)
    assert len(here.take(now_ms)) == 7


def test_customer_whose_notification_is_never_taken_keeps_no_other_waiting() -> None:
    here, taken, now_ms = lanes(), 0, 0
    here.put(item(0, "poison"))
    for place in range(1, 50):
        here.put(item(place, f"customer-{place}"))
    while taken < 49 and now_ms < HOUR_MS:
        for parcel in here.take(now_ms):
            here.done(parcel, LATER if parcel.lane == "poison" else TAKEN, now_ms)
            taken += parcel.lane != "poison"
        now_ms += 1000
    assert now_ms < MINUTE_MS


def test_target_that_answers_500_for_a_day_loses_nothing() -> None:
    """Virtual time: what was to be sent is sent in order once it answers, or is a dead letter after its day."""
    here, sent, failed, tries = lanes(), list[Notification](), list[Notification](), 0
    pending = [item(hour, f"customer-{hour % 5}", due_ms=hour * HOUR_MS) for hour in range(30)]
    back_ms = 26 * HOUR_MS
    for now_ms in range(0, 31 * HOUR_MS, 10_000):
        while pending and pending[0].due_ms <= now_ms:
            here.put(pending.pop(0))
        for parcel in here.take(now_ms):
            tries += 1
            here.done(parcel, TAKEN if now_ms >= back_ms else LATER, now_ms)
            (sent if parcel.first.state == "sent" else failed).extend(
                each for each in parcel.items if each.state != "waiting"
            )
    assert not list(here.waiting())
    assert sorted(each.place for each in sent + failed) == list(range(30))
    assert all(each.due_ms + DAY_MS <= back_ms and "given up after 24 h: 500" in each.said for each in failed)
    assert len(failed) == 2, "those whose day was over"
    assert tries < 26 * 6 * 2 + 60, "about one probe in ten minutes"
    in_order(sent)


def in_order(sent: list[Notification]) -> None:
    by_lane = defaultdict(list)
    for each in sent:
        by_lane[each.lane].append(each.place)
    assert all(earlier < later for places in by_lane.values() for earlier, later in pairwise(places))


@given(seed=st.integers(0, 2**32), count=st.integers(1, 12))
def test_whatever_targets_answer_nothing_is_lost_and_each_customers_order_holds(seed: int, count: int) -> None:
    drawn = random.Random(seed)
    here, ended, under_way, now_ms = lanes(seed=seed), list[Notification](), list[Parcel](), 0
    dues = sorted(drawn.randrange(5000) for _ in range(count))
    pending = [item(place, drawn.choice("abc"), drawn.choice(["hook", "other"]), due) for place, due in enumerate(dues)]
    while (pending or under_way or list(here.waiting())) and now_ms < 3 * DAY_MS:
        for _ in range(min(len(pending), drawn.randrange(4))):
            here.put(pending.pop(0))
        under_way += here.take(now_ms)
        if under_way:
            parcel = under_way.pop(drawn.randrange(len(under_way)))
            here.done(parcel, drawn.choice([TAKEN, TAKEN, LATER, NEVER]), now_ms)
            ended += [each for each in parcel.items if each.state != "waiting"]
        now_ms += drawn.choice([0, 500, 60_000, HOUR_MS])
    assert len({each.id for each in ended}) == len(ended) == count
    for route in ("hook", "other"):
        in_order([each for each in ended if each.route == route])


def test_digest_goes_out_in_one_once_it_is_collected() -> None:
    here = lanes()
    here.put(item(1, batch="b", due_ms=600_000))
    open_ = here.open_batch("hook", 1000)
    assert open_ is not None
    here.put(item(2, "other-customer", batch="b", due_ms=601_000))
    assert here.take(599_999) == []
    (parcel,) = here.take(600_000)
    assert ids([parcel]) == [["hook-1", "hook-2"]]
    assert here.open_batch("hook", 600_000) is None
    assert parcel.id != parcel.first.id
    here.done(parcel, TAKEN, 600_000)
    assert {each.state for each in parcel.items} == {"sent"}
    assert not list(here.waiting())


def test_what_passes_quiet_hours_takes_along_what_waits_of_the_same_customer() -> None:
    here = lanes()
    here.put(item(1, due_ms=HOUR_MS))
    here.put(item(2, "other-customer", due_ms=HOUR_MS))
    here.put(item(3, due_ms=5000))
    (first,) = here.take(5000)
    assert ids([first]) == [["hook-1"]]
    here.done(first, TAKEN, 5000)
    assert ids(here.take(5000)) == [["hook-3"]]


def test_page_that_is_over_before_it_could_be_sent_is_sent_as_over_alone() -> None:
    here = lanes()
    for place, alert, over in ((1, "a", False), (2, "b", False), (3, "a", False), (4, "a", True)):
        each = item(place)
        each.alert_id, each.over = alert, over
        here.put(each)
    (first,) = here.take(0)
    assert ids([first]) == [["hook-2"]]
    here.done(first, TAKEN, 0)
    assert ids(here.take(0)) == [["hook-4"]]
    assert [(each.id, each.state) for each in here.overtaken] == [("hook-1", "sent"), ("hook-3", "sent")]


def test_partition_that_is_another_readers_leaves_what_is_under_way_alone() -> None:
    here = lanes()
    for place in (1, 2):
        here.put(item(place))
    (first,) = here.take(0)
    here.drop("reputation.alerts:0")
    here.done(first, TAKEN, 0)
    assert not list(here.waiting())


def test_digest_keeps_what_came_from_partitions_that_are_still_ours() -> None:
    here = lanes()
    for place, partition in ((1, 0), (2, 1)):
        each = item(place, batch="b", due_ms=1000)
        each.reader = f"reputation.alerts:{partition}"
        here.put(each)
    here.drop("reputation.alerts:0")
    assert ids(here.take(1000)) == [["hook-2"]]


@pytest.mark.parametrize("result", [TAKEN, LATER])
def test_same_parcel_has_the_same_id_at_each_try(result: Outcome) -> None:
    here = lanes()
    here.put(item(1))
    (parcel,) = here.take(0)
    before = parcel.id
    here.done(parcel, result, 0)
    assert parcel.id == before == "hook-1"
