"""The fenced flush: counts and offset are stored together and once, whichever worker tries; an event id counts once."""

import time

import numpy as np
import pytest

from schemas.event import EventType
from schemas.times import DAY_MS, HOUR_MS
from streams.intake.batch import Batch
from streams.intake.count import all_known, known_as
from streams.intake.flush import LEASE_S, flush, stored_offsets
from streams.intake.known_customers import learn_names
from streams.intake.leftovers import find_leftovers, forget_of_former_topics
from streams.intake.new_names import KnownNames
from streams.intake.remembered import load_seen
from streams.intake.seen import SeenIds
from streams.io.store import Store
from tests.support.batches import NAME, NOW, batch, counted, flushed, put, source, stored, take, taken_up


def test_nothing_stored_means_no_offset(store: Store) -> None:
    assert stored(store) is None


def test_flush_stores_counts_with_their_offset(store: Store) -> None:
    mine = batch(0, 10)
    assert flushed(store, mine).ours
    assert (counted(store), stored(store)) == (10, 9)


def test_flush_repeated_after_an_unknown_outcome_adds_no_counts(store: Store) -> None:
    mine = batch(0, 10)
    assert flushed(store, mine).ours
    assert flushed(store, mine).ours
    assert counted(store) == 10


def test_zombie_flush_adds_no_counts(store: Store) -> None:
    zombie = batch(0, 10)
    successor = batch(0, 6)
    assert flushed(store, successor).ours
    following = successor.next()
    take(following, 10)
    assert flushed(store, following).ours
    outcome = flushed(store, zombie)
    assert (outcome.ours, outcome.stored) == (False, 15)
    assert counted(store) == 16


def test_worker_overtaken_by_a_zombie_learns_where_to_continue(store: Store) -> None:
    zombie, successor = batch(0, 10), batch(0, 25)
    assert flushed(store, zombie).ours
    outcome = flushed(store, successor)
    assert (outcome.ours, outcome.stored, counted(store)) == (False, 9, 10)


def test_zombie_that_slept_until_its_token_was_forgotten_adds_no_counts(store: Store) -> None:
    store.run("ALTER TABLE counts MODIFY SETTING non_replicated_deduplication_window = 3")
    zombie = batch(0, 10)
    zombie.source.verified_s = time.monotonic() - LEASE_S - 1
    awake = batch(0, 10)
    for _ in range(6):
        assert flushed(store, awake).ours
        awake = awake.next()
        take(awake, 10)
    outcome = flushed(store, zombie)
    assert (outcome.ours, outcome.stored) == (False, 59)
    assert counted(store) == 60


def test_repeat_after_the_lease_of_a_flush_that_was_taken_is_still_ours(store: Store) -> None:
    mine = batch(0, 10)
    assert flushed(store, mine).ours
    mine.source.verified_s = time.monotonic() - LEASE_S - 1
    assert flushed(store, mine).ours
    assert counted(store) == 10


@pytest.mark.parametrize("kind", ["delivered", "bounced"])
def test_events_behind_what_a_zombie_stored_still_count(store: Store, kind: EventType) -> None:
    """The successor stored the ids of 25 events, of which 10 are counted: the others must not look repeated."""
    zombie, successor = batch(0, 0), batch(0, 0)
    take(zombie, 10, type=kind)
    take(successor, 25, type=kind)
    assert flushed(store, zombie).ours
    assert not flushed(store, successor).ours
    again = taken_up(store, 10)
    take(again, 15, type=kind)
    assert flushed(store, again).ours
    assert counted(store, "delivered" if kind == "delivered" else "reported + complained") == 25


def killed() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["delivered", "complained"])
def test_worker_killed_between_evidence_and_counts_leaves_each_event_once(store: Store, kind: EventType) -> None:
    first = batch(0, 0)
    take(first, 3, type=kind)
    with pytest.raises(KeyboardInterrupt):
        flush(store, [first], NOW, killed)
    assert (counted(store), stored(store)) == (0, None)
    again = taken_up(store, 0)
    take(again, 3, type=kind)
    assert flushed(store, again).ours
    assert counted(store, kind) == 3
    assert store.rows("SELECT count() FROM events FINAL")[0][0] == (3 if kind == "complained" else 0)


def test_large_flush_lands_in_one_part(store: Store) -> None:
    made = batch(0, 0)
    for number in range(60_000):
        put(made, str(number), customer=f"c{number}")
    assert flushed(store, made).ours
    assert store.rows("SELECT uniqExact(_part), count() FROM counts")[0] == (1, 60_001)


def test_offset_survives_merges(store: Store) -> None:
    made = batch(0, 1)
    for _ in range(3):
        flush(store, [made], NOW)
        made = made.next()
        take(made, 2)
    flush(store, [made], NOW)
    store.run("OPTIMIZE TABLE counts FINAL")
    assert (stored(store), counted(store)) == (6, 7)


def test_hourly_sums_are_those_of_the_minutes_after_merges(store: Store) -> None:
    """They are merged like the rows, not made again of them."""
    others = [f"mail.events:topic-id:{number}" for number in range(3)]
    batches = [Batch(source(name), 0, 0) for name in others]
    for turn in range(6):
        for made in batches:
            for number in range(40):
                put(made, f"{turn}-{number}", customer=f"c{number % 3}", provider=("yahoo", "gmail")[number % 2])
        flush(store, batches, NOW)
        batches = [each.next() for each in batches]
    hourly = "SELECT dimension, customer, toStartOfHour(bucket) AS hour, value, sum(delivered) FROM counts "
    hourly += "WHERE dimension != 'offset' GROUP BY dimension, customer, hour, value ORDER BY ALL SETTINGS "
    store.run("OPTIMIZE TABLE counts FINAL")
    merged = store.rows(hourly + "optimize_use_projections = 1, force_optimize_projection = 1")
    assert merged == store.rows(hourly + "optimize_use_projections = 0")
    assert sum(int(row[-1]) for row in merged if row[0] == "provider") == 3 * 6 * 40


def test_batches_of_several_sources_are_stored_at_once_and_each_by_itself(store: Store) -> None:
    other = "mail.events:topic-id:1"
    assert flushed(store, batch(0, 4)).ours
    outcomes = flush(store, [batch(0, 9), batch(0, 5, other)], NOW)
    assert [each.ours for each in outcomes] == [False, True]
    assert stored_offsets(store, [NAME, other]) == {NAME: 3, other: 4}


# --- the same event again ---


@pytest.mark.parametrize("kind", ["delivered", "deferred", "complained", "unsubscribed"])
def test_repeated_event_counts_once(store: Store, kind: EventType) -> None:
    made = batch(0, 0)
    for event_id in ("a", "b", "a"):
        put(made, event_id, type=kind)
    flushed(store, made)
    again = made.next()
    for event_id in ("b", "c"):
        put(again, event_id, type=kind)
    flushed(store, again)
    assert counted(store, kind) == 3


@pytest.mark.parametrize("kind", ["delivered", "complained"])
def test_repeated_event_counts_once_across_a_restart(store: Store, kind: EventType) -> None:
    made = batch(0, 0)
    put(made, "a", type=kind)
    flushed(store, made)
    again = taken_up(store, 1)
    put(again, "a", type=kind)
    flushed(store, again)
    assert counted(store, kind) == 1


@pytest.mark.parametrize("kind", ["delivered", "complained"])
def test_repeated_event_counts_once_though_the_topic_was_recreated(store: Store, kind: EventType) -> None:
    made = batch(0, 0)
    put(made, "a", type=kind)
    flushed(store, made)
    again = taken_up(store, 0, "mail.events:new-id:0")
    put(again, "a", type=kind)
    flushed(store, again)
    assert counted(store, kind) == 1


def test_repeated_complaint_counts_once_though_it_comes_over_another_partition(store: Store) -> None:
    made = batch(0, 0)
    put(made, "a", type="complained")
    flushed(store, made)
    again = batch(0, 0, "mail.events:topic-id:1")
    put(again, "a", type="complained")
    flushed(store, again)
    assert counted(store, "complained") == 1


def test_id_left_behind_by_a_flush_that_failed_on_another_partition_counts_here(store: Store) -> None:
    failed = batch(0, 0, "mail.events:topic-id:1")
    put(failed, "a", type="complained")
    with pytest.raises(KeyboardInterrupt):
        flush(store, [failed], NOW, killed)
    made = batch(0, 0)
    put(made, "a", type="complained")
    flushed(store, made)
    assert counted(store, "complained") == 1


@pytest.mark.parametrize(("kind", "within"), [("delivered", 23 * HOUR_MS), ("complained", 29 * DAY_MS)])
def test_id_is_known_as_long_as_promised_and_not_for_ever(store: Store, kind: EventType, within: int) -> None:
    made = batch(0, 0)
    put(made, "a", type=kind)
    flushed(store, made)
    for later, expected in ((within, 1), (within + 2 * DAY_MS, 2)):
        again = taken_up(store, made.next_offset, now_ms=NOW + later)
        put(again, "a", type=kind)
        flushed(store, again, NOW + later)
        assert counted(store, kind) == expected
        made = again


def test_same_id_of_two_customers_or_of_two_types_is_two_events(store: Store) -> None:
    made = batch(0, 0)
    put(made, "a")
    put(made, "a", customer="other")
    put(made, "a", type="deferred")
    put(made, "a", type="complained")
    put(made, "a", type="complained", customer="other")
    flushed(store, made)
    assert (counted(store), counted(store, "deferred"), counted(store, "complained")) == (2, 1, 2)


def test_repeated_event_counts_once_though_it_comes_over_a_partition_that_was_added(store: Store) -> None:
    assert flushed(store, batch(0, 10, partitions=4)).ours
    elsewhere = taken_up(store, 0, "mail.events:topic-id:5", partitions=6)
    take(elsewhere, 20)
    assert flushed(store, elsewhere).ours
    assert counted(store) == 20
    later = taken_up(store, 0, "mail.events:topic-id:3", partitions=6)
    take(later, 10)
    assert flushed(store, later).ours
    assert counted(store) == 20


def test_what_another_partition_brought_is_only_known_where_the_topic_grew(store: Store) -> None:
    assert flushed(store, batch(0, 10, partitions=6)).ours
    assert taken_up(store, 0, "mail.events:topic-id:5", partitions=6).source.earlier is None


def test_id_of_a_flush_that_failed_before_the_topic_grew_still_counts(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        flush(store, [batch(0, 10, partitions=4)], NOW, killed)
    elsewhere = taken_up(store, 0, "mail.events:topic-id:5", partitions=6)
    take(elsewhere, 10)
    assert flushed(store, elsewhere).ours
    assert counted(store) == 10


def test_id_that_an_earlier_version_remembered_is_known(store: Store) -> None:
    mine = batch(0, 10)
    assert flushed(store, mine).ours
    store.run(
        "INSERT INTO seen_ids SELECT topic, partition, came, arrayJoin(hashes), source, last_offset FROM remembered_ids"
    )
    store.run("TRUNCATE TABLE remembered_ids")
    again = taken_up(store, 10)
    for number in range(12):
        put(again, f"e{number}")
    assert flushed(store, again).ours
    assert counted(store) == 12


def test_many_ids_are_read_back_whole(store: Store) -> None:
    """Of many flushes, in hours of which some are over."""
    mine = source()
    for part in range(40):
        made = Batch(mine, part * 500, part * 500)
        take(made, 500)
        assert flushed(store, made, NOW - (30 - part) * HOUR_MS if part < 30 else NOW).ours
    again = taken_up(store, 20_000)
    assert again.source.seen.known == 500 * (40 - 6)
    assert again.source.seen.forgotten == 0


def test_where_there_are_more_ids_than_room_the_latest_are_read_back(store: Store) -> None:
    """A repetition comes soon most often, also where a worker was restarted in between."""
    mine = source()
    for part in range(30):
        made = Batch(mine, part * 500, part * 500)
        take(made, 500)
        assert flushed(store, made).ours
    small = source()
    small.seen = SeenIds(64 * 512)
    load_seen(store, small, NOW)
    assert small.seen.room < 30 * 500
    rows = store.rows("SELECT hashes FROM remembered_ids ORDER BY last_offset")
    hour = NOW // HOUR_MS
    known = [small.seen.knows(np.array(hashes, np.uint64), hour).mean() for (hashes,) in rows]
    latest = small.seen.room // 500
    assert min(known[-latest:]) > 0.99
    assert max(known[: -latest - 1]) == 0.0, "but for what fits of the one before"


def test_of_a_flush_that_is_larger_than_the_room_the_latest_are_read_back(store: Store) -> None:
    """After a backlog; the small one that follows is not all that is known then."""
    mine, small = source(), source()
    small.seen = SeenIds(65 * 512)
    large = 2 * small.seen.room
    for first, count in ((0, large), (large, 10)):
        made = Batch(mine, first, first)
        take(made, count)
        assert flushed(store, made).ours
    load_seen(store, small, NOW)
    rows = store.rows("SELECT hashes FROM remembered_ids ORDER BY last_offset")
    hashes = np.concatenate([np.array(each, np.uint64) for (each,) in rows])
    assert small.seen.knows(hashes[-small.seen.lasting :], NOW // HOUR_MS).all()


# --- evidence of flushes that never counted ---


def evidence_of(store: Store) -> list[tuple[str, int]]:
    rows = store.rows("SELECT source, position FROM events FINAL ORDER BY source, position")
    return [(str(source), int(position)) for source, position in rows]


def killed_before_counts(store: Store, made: Batch) -> None:
    with pytest.raises(KeyboardInterrupt):
        flush(store, [made], NOW, killed)


def test_evidence_goes_where_what_it_stands_for_was_counted_elsewhere(store: Store) -> None:
    """A worker was killed before its counts. Until its partition is read again, the event came over another one."""
    other = "mail.events:topic-id:1"
    failed = batch(0, 0, other)
    put(failed, "a", type="complained")
    put(failed, "b", type="complained")
    killed_before_counts(store, failed)
    made = batch(0, 0)
    put(made, "a", type="complained")
    flushed(store, made)
    assert evidence_of(store) == [(NAME, 0), (other, 0), (other, 1)]
    again = batch(0, 0, other)
    again.source.leftovers = find_leftovers(store, {other: -1})[other]
    put(again, "a", type="complained")
    put(again, "b", type="complained")
    flushed(store, again)
    assert counted(store, "complained") == 2
    assert evidence_of(store) == [(NAME, 0), (other, 1)]
    assert not again.source.leftovers


def test_evidence_of_another_worker_that_counted_first_stays(store: Store) -> None:
    other = batch(0, 0)
    for event_id in ("a", "b"):
        put(other, event_id, type="complained")
    late = batch(0, 1)
    late.source.leftovers = {0, 1}
    flushed(store, other)
    assert not flushed(store, late).ours
    assert evidence_of(store) == [(NAME, 0), (NAME, 1)]


def test_evidence_of_a_former_topic_goes_as_far_as_it_never_counted(store: Store) -> None:
    """The embedded broker's messages go with it when it is killed: nobody counts them any more."""
    former, now = "mail.events:former:0", "mail.events:now:0"
    made = batch(0, 0, former)
    put(made, "a", type="complained")
    flushed(store, made)
    failed = made.next()
    put(failed, "b", type="complained")
    killed_before_counts(store, failed)
    present = batch(0, 0, now)
    put(present, "c", type="complained")
    killed_before_counts(store, present)
    ids = {"mail.events": "now"}
    assert forget_of_former_topics(store, ids, stored_offsets) == [former]
    assert evidence_of(store) == [(former, 0), (now, 0)]
    assert forget_of_former_topics(store, ids, stored_offsets) == [], "once is enough"


def test_names_that_are_stored_are_known_to_a_worker_that_starts(store: Store) -> None:
    known = KnownNames()
    learn_names(known, store, NOW)
    assert known.open_until_ms == NOW + HOUR_MS
    mine = batch(0, 0)
    put(
        mine, "e", customer="a'cme", stream="one/news", provider="gmail", ip_pool="p", sending_ip="192.0.2.1",
        from_domain="From.example", dkim_domain="signer.example",
    )  # fmt: skip
    assert flushed(store, mine).ours
    learn_names(known, store, NOW)
    assert known.open_until_ms == 0
    assert all_known(known.stored, known_as("a'cme", "one/news", "192.0.2.1", "p", "from.example", "signer.example"))
    assert [known_as(each, "one/news", "", "", "", "")[1] in known for each in ("a'cme", "other")] == [True, False]
