"""What outside blocklist monitors tell, from the bytes of a message to the listings in the store."""

import json
import time

import msgspec

from jobs.blocklists.state import open_listings
from schemas.listing import KINDS, WEIGHTS
from schemas.providers import load_providers
from schemas.times import HOUR_MS, utc_now_ms
from streams.adapt import Context, Lists, listing_adapter
from streams.intake.batch import Batch, SourcePartition
from streams.intake.bounds import TimeBounds
from streams.intake.flush import Flushed, flush
from streams.intake.listing_readers import ListingReader, OutsideListingReader
from streams.intake.seen import SeenIds
from streams.io.store import Store
from streams.listings.intervals import read_listings

NOW = utc_now_ms()
BOUNDS = TimeBounds(HOUR_MS, 90 * 24 * HOUR_MS)
IP = "192.0.2.17"
WEIGHTS_OF = {"a.example": "major", "b.example": "minor", "zen.example": "critical"}


class Feed:
    """A topic of an outside monitor, and that of our own scan; each message is stored by a flush of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now_ms = NOW - 10 * HOUR_MS
        lists = Lists(weights=WEIGHTS_OF, unknown=None)  # type: ignore[arg-type]
        self.context = Context(b"a key", load_providers(), clock=lambda: self.now_ms, lists=lists)
        self.batches = {
            topic: Batch(SourcePartition(f"{topic}:id:0", topic, 0, SeenIds(1_000_000), time.monotonic()), 0, 0)
            for topic in ("mail.webhooks.hetrixtools", "mail.blocklistings")
        }

    def hetrix(self, *zones: str) -> Batch:
        """What HetrixTools says an hour later."""
        on = [{"rbl": zone, "delist": None} for zone in zones]
        record = {"monitor": IP, "blacklisted_now": len(on), "blacklisted_on": on or None}
        return self._taken("mail.webhooks.hetrixtools", json.dumps([record]).encode())

    def scan(self, kind: str, zone: str) -> Batch:
        """What our own scan says an hour later."""
        event = {"id": f"{self.now_ms}", "type": kind, "time": self.now_ms + HOUR_MS, "kind": "ip", "resource": IP}
        return self._taken("mail.blocklistings", json.dumps({**event, "zone": zone, "weight": "critical"}).encode())

    def _taken(self, topic: str, payload: bytes) -> Batch:
        self.now_ms += HOUR_MS
        batch = self.batches[topic]
        adapt = listing_adapter("hetrixtools")
        take = (
            ListingReader(BOUNDS)
            if topic == "mail.blocklistings"
            else OutsideListingReader(adapt, self.context, BOUNDS)
        )
        take(batch, [payload], [batch.next_offset], self.now_ms)
        self.batches[topic] = batch.next()
        return batch

    def stored(self, *batches: Batch) -> list[Flushed]:
        return flush(self.store, batches, self.now_ms)

    def open(self) -> set[tuple[str, str]]:
        return {(each.zone, each.weight) for each in read_listings(self.store, self.now_ms, WEIGHTS, KINDS)}


def test_listing_begins_and_ends_with_what_an_outside_monitor_names(store: Store) -> None:
    feed = Feed(store)
    feed.stored(feed.hetrix("a.example", "b.example"))
    assert feed.open() == {("a.example", "major"), ("b.example", "minor")}
    assert {each.monitor for each in open_listings(store)} == {"hetrixtools"}
    feed.stored(feed.hetrix("b.example"))
    assert feed.open() == {("b.example", "minor")}
    feed.stored(feed.hetrix())
    assert feed.open() == set()
    found = read_listings(store, 0, WEIGHTS)
    assert [((each.to_ms or 0) - each.from_ms) // HOUR_MS for each in found] == [1, 2]


def test_two_messages_of_one_flush_are_distinguished(store: Store) -> None:
    feed = Feed(store)
    batch = feed.hetrix("a.example", "b.example")
    feed.batches["mail.webhooks.hetrixtools"] = batch
    assert feed.hetrix("b.example") is batch
    feed.stored(batch)
    assert feed.open() == {("b.example", "minor")}


def test_flush_repeated_after_a_failure_stores_the_same(store: Store) -> None:
    feed = Feed(store)
    feed.stored(feed.hetrix("a.example", "b.example"))
    batch = feed.hetrix("b.example")
    feed.stored(batch)
    before = store.rows("SELECT id, type, zone FROM listing_events FINAL ORDER BY time, id")
    feed.stored(batch)
    assert store.rows("SELECT id, type, zone FROM listing_events FINAL ORDER BY time, id") == before


def test_own_scan_has_the_last_word_on_what_it_saw(store: Store) -> None:
    feed = Feed(store)
    feed.stored(feed.scan("listed", "zen.example"))
    feed.stored(feed.hetrix("zen.example", "a.example"))
    feed.stored(feed.hetrix())
    assert feed.open() == {("zen.example", "critical")}
    (ours,) = open_listings(store)
    assert (ours.zone, ours.weight) == ("zen.example", "critical")
    feed.stored(feed.scan("delisted", "zen.example"))
    assert feed.open() == set()


def test_list_that_is_refused_makes_a_dead_letter_of_the_whole_message(store: Store) -> None:
    feed = Feed(store)
    batch = feed.hetrix("a.example", "unheard.example")
    feed.stored(batch)
    assert feed.open() == set()
    ((reason, payload),) = store.rows("SELECT reason, payload FROM dead_letters")
    assert "the list 'unheard.example' is not in the table of zones" in reason
    assert b"unheard.example" in (payload if isinstance(payload, bytes) else payload.encode())


def test_events_of_a_file_of_an_outside_monitor_come_by_the_topic_of_listings(store: Store) -> None:
    feed = Feed(store)
    feed.stored(feed.hetrix("a.example"))
    feed.now_ms += HOUR_MS
    batch = feed.batches["mail.blocklistings"]
    for event in listing_adapter("listings")(
        json.dumps({"resource": IP, "zones": ["b.example"], "monitor": "hetrixtools"}).encode(), feed.context
    ):
        ListingReader(BOUNDS)(batch, [msgspec.json.encode(event)], [batch.next_offset], feed.now_ms)
    feed.stored(batch)
    assert feed.open() == {("b.example", "minor")}
