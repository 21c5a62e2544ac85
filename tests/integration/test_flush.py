"""The fenced flush: counts and offset are stored together, once, whoever else tries."""

import pytest

from schemas.event import MailEvent
from streams.count import tally
from streams.flush import flush, stored_offset
from streams.intake import Batch, Detail
from streams.store import Store

NOW = 1_795_000_000_000
SOURCE = "mail.events:topic-id:0"


def batch(position: int, messages: int) -> Batch:
    made = Batch(SOURCE, "mail.events", 0, position, position)
    take(made, messages)
    return made


def take(into: Batch, messages: int) -> None:
    for _ in range(messages):
        event = MailEvent(id=f"e{into.next_offset}", type="delivered", time=NOW, customer="acme", provider="yahoo")
        tally(into.tallies, event, NOW, None)
        into.messages += 1
        into.next_offset += 1


def delivered(store: Store) -> int:
    return int(store.rows("SELECT sum(delivered) FROM counts WHERE dimension = 'provider'")[0][0])


def test_nothing_stored_means_no_offset(store: Store) -> None:
    assert stored_offset(store, SOURCE) is None


def test_flush_stores_counts_with_their_offset(store: Store) -> None:
    mine = batch(0, 10)
    assert flush(store, mine, NOW)
    assert (delivered(store), stored_offset(store, SOURCE)) == (10, 9)
    assert (mine.position, mine.messages, mine.tallies) == (10, 0, {})


def test_flush_repeated_after_an_unknown_outcome_adds_no_counts(store: Store) -> None:
    first, again = batch(0, 10), batch(0, 10)
    assert flush(store, first, NOW)
    assert flush(store, again, NOW)
    assert delivered(store) == 10


def test_zombie_flush_adds_no_counts(store: Store) -> None:
    zombie = batch(0, 10)
    successor = batch(0, 6)
    assert flush(store, successor, NOW)
    take(successor, 10)
    assert flush(store, successor, NOW)
    assert not flush(store, zombie, NOW)
    assert delivered(store) == 16
    assert zombie.position == 16, "it goes on behind what the other stored"


def test_worker_overtaken_by_a_zombie_drops_its_batch(store: Store) -> None:
    zombie, successor = batch(0, 10), batch(0, 25)
    assert flush(store, zombie, NOW)
    assert not flush(store, successor, NOW)
    assert (delivered(store), successor.position) == (10, 10)


def test_worker_killed_between_evidence_and_counts_leaves_each_event_once(store: Store) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    def with_detail() -> Batch:
        made = batch(0, 3)
        bounced = MailEvent(id="b1", type="bounced", time=NOW, customer="acme")
        made.details.append(Detail(2, NOW, bounced, None))
        return made

    with pytest.raises(KeyboardInterrupt):
        flush(store, with_detail(), NOW, killed)
    assert (delivered(store), stored_offset(store, SOURCE)) == (0, None)
    assert flush(store, with_detail(), NOW)
    assert delivered(store) == 3
    assert store.rows("SELECT count() FROM events FINAL")[0][0] == 1


def test_large_flush_lands_in_one_part(store: Store) -> None:
    made = Batch(SOURCE, "mail.events", 0, 0, 0)
    for number in range(60_000):
        event = MailEvent(id=str(number), type="delivered", time=NOW, customer=f"c{number}", provider="yahoo")
        tally(made.tallies, event, NOW, None)
    made.messages, made.next_offset = 60_000, 60_000
    assert flush(store, made, NOW)
    assert store.rows("SELECT uniqExact(_part), count() FROM counts")[0] == (1, 60_001)


def test_offset_survives_merges(store: Store) -> None:
    made = batch(0, 1)
    for _ in range(3):
        flush(store, made, NOW)
        take(made, 2)
    flush(store, made, NOW)
    store.run("OPTIMIZE TABLE counts FINAL")
    assert (stored_offset(store, SOURCE), delivered(store)) == (6, 7)
