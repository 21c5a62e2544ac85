"""A time that is counted again while live events go on into the same minutes: nothing is lost, nothing doubled."""

import time
from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.data.fault import StoredDataError
from jobs.data.recount import Counter, Messages, RecountReport, RecountSpan, begin, discard, recount, report_lines
from schemas import providers
from schemas.settings import Ingest
from schemas.times import HOUR_MS, MINUTE_MS, utc_now_ms, utc_time
from streams.adapt import Context, adapter
from streams.bounces.classify import load_bounce_classifier
from streams.intake.batch import Batch, MailReader, SourcePartition
from streams.intake.bounds import time_bounds
from streams.intake.flush import flush
from streams.intake.seen import SeenIds
from streams.io.store import Store

NOW = utc_now_ms() // MINUTE_MS * MINUTE_MS
TOPIC, SOURCE = "mail.events", "mail.events:topic-id:0"
READER = MailReader(
    adapter("canonical"), Context(b"key", providers.load_providers()), load_bounce_classifier(), time_bounds(Ingest())
)
#: The last ten minutes but one are counted again.
SPAN = RecountSpan(NOW // 1000 - 600, NOW // 1000 - 60)
FOUND = """
SELECT dimension, customer, toUnixTimestamp(bucket), sum(delivered), sum(complained) FROM counts
WHERE dimension IN ('provider', 'ip') GROUP BY ALL HAVING sum(delivered) != 0 OR sum(complained) != 0
"""
BY_HOUR = """
SELECT customer, toStartOfHour(bucket) AS hour, sum(delivered) FROM counts WHERE dimension = 'provider'
GROUP BY ALL ORDER BY ALL
SETTINGS optimize_use_projections = %d
"""
PARTS = """
SELECT count(), sum(rows) FROM system.parts WHERE database = currentDatabase() AND table = 'counts' AND active
"""


class Event(NamedTuple):
    """One event: `minute` minutes ago."""

    id: int
    customer: str
    minute: int
    complaint: bool = False

    @property
    def payload(self) -> bytes:
        kind = {"type": "complained"} if self.complaint else {"type": "delivered"}
        named = {
            "id": f"e{self.id}",
            "customer": self.customer,
            "recipient": "ann@yahoo.com",
            "sending_ip": "192.0.2.1",
        }
        return msgspec.json.encode({"time": NOW - self.minute * MINUTE_MS, **kind, **named})


def source() -> SourcePartition:
    return SourcePartition(SOURCE, TOPIC, 0, SeenIds(1_000_000), time.monotonic())


class Live:
    """A worker, and the log that it reads."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.log: list[Event] = []
        self._batch = Batch(source(), 0, 0)

    def flush(self, events: Sequence[Event]) -> None:
        if events:
            offsets = range(len(self.log), len(self.log) + len(events))
            READER(self._batch, [each.payload for each in events], offsets, NOW)
            flush(self.store, [self._batch], NOW)
            self.log += events
            self._batch = self._batch.next()


def messages(log: Sequence[Event], counted: int) -> Iterator[Messages]:
    """What the topic has up to a last offset that is counted."""
    for start in range(0, counted + 1, 7):
        offsets = range(start, min(start + 7, counted + 1))
        yield Messages(SOURCE, [log[at].payload for at in offsets], offsets, NOW)


def of(events: Sequence[Event], *, inside: bool | None = None) -> Tally[tuple[str, str, int, bool]]:
    """What is to be counted of events, each id once: by dimension, customer and second."""
    found: Tally[tuple[str, str, int, bool]] = Tally()
    for each in {(event.id, event.customer, event.complaint): event for event in reversed(events)}.values():
        second = NOW // 1000 - each.minute * 60
        if inside is None or inside == (SPAN.since_s <= second < SPAN.until_s):
            found.update((dimension, each.customer, second, each.complaint) for dimension in ("provider", "ip"))
    return found


def stored(store: Store) -> Tally[tuple[str, str, int, bool]]:
    found: Tally[tuple[str, str, int, bool]] = Tally()
    for dimension, customer, second, delivered, complained in store.rows(FOUND):
        for number, complaint in ((delivered, False), (complained, True)):
            if number:
                found[dimension, customer, second, complaint] = int(number)
    return found


def spoil(store: Store, customer: str, minute: int, delivered: int) -> None:
    """Counts that nothing of the log accounts for."""
    at = utc_time(NOW - minute * MINUTE_MS)
    row = {"dimension": "provider", "customer": customer, "stream": "default", "class": "bulk", "bucket": at}
    row |= {"value": "yahoo", "source": SOURCE, "delivered": delivered}
    store.insert("counts", {name: [value] for name, value in row.items()})


def counter(store: Store) -> Counter:
    return Counter(store, SPAN, {TOPIC: READER}, {SOURCE: source()}, {SOURCE: 0}, SeenIds(1_000_000))


EVENTS = st.lists(
    st.builds(Event, st.integers(0, 40), st.sampled_from(["a", "b"]), st.integers(0, 12), st.booleans()), max_size=12
)
STEPS = st.lists(EVENTS, max_size=2)
SPOILT = st.lists(st.tuples(st.sampled_from(["a", "wrong"]), st.integers(1, 12), st.integers(1, 9)), max_size=3)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(before=STEPS, spoilt=SPOILT, meanwhile=STEPS, after=STEPS, merged=st.booleans())
def test_law_of_live_events_and_a_recount_in_any_order(
    store: Store,
    before: list[list[Event]],
    spoilt: list[tuple[str, int, int]],
    meanwhile: list[list[Event]],
    after: list[list[Event]],
    merged: bool,
) -> None:
    """Whatever is counted before, wrongly added, counted while the recount reads, and after it was put in place."""
    for table in ("counts", "events", "negative_ids", "remembered_ids"):
        store.run(f"TRUNCATE TABLE {table}")
    live = Live(store)
    for events in before:
        live.flush(events)
    for each in spoilt:
        spoil(store, *each)
    try:
        counted = begin(store, SPAN, [SOURCE]).get(SOURCE, -1)
        for events in meanwhile:
            live.flush(events)
        if merged:
            store.run("OPTIMIZE TABLE counts FINAL")
        recount(store, SPAN, counter(store), messages(live.log, counted), put_in_place=True)
    finally:
        discard(store)
    for events in after:
        live.flush(events)
    outside = Tally[tuple[str, str, int, bool]]()
    for customer, minute, delivered in spoilt:
        if not SPAN.since_s <= (second := NOW // 1000 - minute * 60) < SPAN.until_s:
            outside["provider", customer, second, False] += delivered
    assert stored(store) == of(live.log) + outside
    hourly = [list(store.rows(BY_HOUR % way)) for way in (0, 1)]
    assert hourly[0] == hourly[1]
    store.run("OPTIMIZE TABLE counts FINAL")
    assert stored(store) == of(live.log) + outside, "merged, no row is more than it may be"
    assert store.rows("SELECT max(delivered) < 1000 FROM counts") == [(1,)]


def test_report_says_what_changes_and_a_trial_changes_nothing(store: Store) -> None:
    live = Live(store)
    live.flush([Event(number, "acme", 3) for number in range(5)])
    spoil(store, "wrong", 3, 7)
    found: dict[int, tuple[Any, ...]] = {}
    for yes in (False, True, True):
        counted = begin(store, SPAN, [SOURCE])
        assert counted == {SOURCE: 4}
        with pytest.raises(StoredDataError, match="another recount runs"):
            begin(store, SPAN, [SOURCE])
        report, changed = recount(store, SPAN, counter(store), messages(live.log, 4), put_in_place=yes)
        discard(store)
        found[len(found)] = (report.before, report.after, changed)
    assert found[0] == found[1] == ({"delivered": 12}, {"delivered": 5}, ["wrong"])
    assert found[2] == ({"delivered": 5}, {"delivered": 5}, [])
    assert stored(store) == of(live.log)
    assert isinstance(report, RecountReport)
    assert list(report_lines(report))[-1] == "0 customers differ"


def test_id_that_came_more_than_a_day_before_counts_again_as_it_does_live(store: Store) -> None:
    """However few messages there are between: ids are known for hours, not for a number of messages."""
    begin(store, SPAN, [SOURCE])
    counting = counter(store)
    for at, ago_hours in enumerate((30, 2, 0)):
        payload = Event(1, "acme", 60 * ago_hours + 3).payload
        counting.take(Messages(SOURCE, [payload], [at], NOW - ago_hours * HOUR_MS))
    counting.store_all(NOW)
    discard(store)
    assert (counting.messages, counting.bad, counting.repeated) == (3, 0, 1)


def test_hours_of_a_source_do_not_go_back(store: Store) -> None:
    """Producers' clocks differ: of equal ids the first that was read counts, whatever time its message has."""
    begin(store, SPAN, [SOURCE])
    counting = counter(store)
    for at, (minute, ahead_ms) in enumerate(((3, 0), (4, HOUR_MS), (5, 0))):
        counting.take(Messages(SOURCE, [Event(min(at, 1), "acme", minute).payload], [at], NOW + ahead_ms))
    counting.store_all(NOW)
    counted = store.rows("SELECT toUnixTimestamp(bucket), delivered FROM recount_counted WHERE dimension = 'provider'")
    discard(store)
    assert counting.bad == 0
    assert sorted(map(tuple, counted)) == [(NOW // 1000 - 240, 1), (NOW // 1000 - 180, 1)]


def test_all_sources_are_stored_in_one_insert(store: Store) -> None:
    """Of what only some of them counted the others have none."""
    begin(store, SPAN, [SOURCE])
    names = [f"mail.events:topic-id:{number}" for number in range(3)]
    sources = {name: SourcePartition(name, TOPIC, at, SeenIds(1_000_000)) for at, name in enumerate(names)}
    counting = Counter(store, SPAN, {TOPIC: READER}, sources, dict.fromkeys(names, 0), SeenIds(1_000_000))
    for number, name in enumerate(names):
        payload = Event(number, "acme", 3, complaint=number == 1).payload
        counting.take(Messages(name, [payload], [0], NOW))
    counting.store_all(NOW)
    parts = store.rows("SELECT count() FROM system.parts WHERE table = 'recount_counted' AND active")
    found = store.rows(
        "SELECT source, delivered, complained FROM recount_counted WHERE dimension = 'provider' ORDER BY source"
    )
    discard(store)
    assert parts == [(1,)]
    assert found == [(names[0], 1, 0), (names[1], 0, 1), (names[2], 1, 0)]


def test_what_is_counted_of_one_key_in_many_portions_becomes_one_row(store: Store) -> None:
    begin(store, SPAN, [SOURCE])
    row = "SELECT 'provider', 'a', toDateTime({at:UInt32}), 'yahoo', 's', {n:UInt64}"
    for delivered in (3, 4):
        asked = {"at": SPAN.since_s, "n": delivered}
        store.run(f"INSERT INTO recount_counted (dimension, customer, bucket, value, source, delivered) {row}", asked)
    store.run("OPTIMIZE TABLE recount_counted FINAL")
    assert store.rows("SELECT count(), sum(delivered), sum(hard) FROM recount_counted") == [(1, 7, 0)]
    discard(store)


def test_difference_of_many_rows_lands_in_one_part(store: Store) -> None:
    """Whole or not at all, however many rows it has."""
    begin(store, SPAN, [SOURCE])
    store.run(
        "INSERT INTO recount_counted (dimension, customer, bucket, value, source, delivered) "
        "SELECT 'provider', toString(number), toDateTime({at:UInt32}), 'yahoo', 's', 1 FROM numbers(200000)",
        {"at": SPAN.since_s},
    )
    recount(store, SPAN, counter(store), [], put_in_place=True)
    discard(store)
    assert store.rows(PARTS) == [(1, 200_000)]
