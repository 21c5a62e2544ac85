"""The stage that tells: events in, notifications out, each stored before it is sent.

One thread reads, stores and decides; others send. What is stored as waiting is sent at the next start where a process
ends before it knew what came of it; a receiver knows the repeat by its id.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeVar

from jobs.notify.doubts import Doubts
from jobs.notify.events import Event, EventError, read_event, with_source
from jobs.notify.genuine import Genuine, KnownEvents
from jobs.notify.lanes import FAILURES, Lanes
from jobs.notify.metrics import NotifyMetrics
from jobs.notify.notification import Notification, Outcome, Parcel
from jobs.notify.outbox import Outbox
from jobs.notify.routing import condition, due_ms, notification_id, takes
from jobs.notify.source import EventMessage, EventSource, reader
from jobs.notify.targets.alertmanager import AlertmanagerSender
from jobs.notify.targets.sending import TargetSender
from jobs.notify.targets.target import senders
from schemas.deployment import Deployment, names_no_deployment
from schemas.notify import Alertmanager, PagerDuty, Route
from schemas.settings import Settings
from schemas.times import HOUR_MS, MINUTE_MS, SECOND_MS, utc_now_ms
from streams.decisions.customers import plans
from streams.io.deployment import read_deployment
from streams.io.store import Store, StoreError

log = logging.getLogger("repmon.notify")

#: How long the reader waits for messages where nothing is under way, and else for what comes of a try, in s.
READ_S, BUSY_S = 0.05, 0.02
#: What came of tries is stored so often, in ms: a process that is killed in between sends it again, under the same id.
SAVE_MS = 100
#: How often it is looked what was given back to be sent, and how often the plans of customers are read, in ms.
LOOK_MS, PLANS_MS = 2 * SECOND_MS, 30 * SECOND_MS
#: What another process stored with a clock so far behind is found, in ms.
CLOCKS_MS = 10 * SECOND_MS
#: An event is a new route's though its time is before the route's beginning by so much: clocks differ.
SLACK_MS = MINUTE_MS
#: How long the store is left alone after it failed, in s.
STORE_S = 1.0
#: How long what is under way may take when the stage ends, in s.
LAST_S = 5.0
MOST_THREADS = 200
T = TypeVar("T")


class _Done(NamedTuple):
    """What came of a try."""

    parcel: Parcel
    outcome: Outcome


class Notifier:
    """Tells of events from `run` until it is stopped. `clock` is epoch ms.

    Raises:
        NotifyError: a route cannot be used.
        BrokerError: the broker cannot be reached, or a topic is missing.
    """

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], int] = utc_now_ms) -> None:
        self._routes: Mapping[str, Route] = {each.name: each for each in settings.notify.routes}
        self._senders: Mapping[str, TargetSender] = senders(settings.notify.routes)
        self._settings = settings
        self._store = store
        self._outbox = Outbox(store)
        self._clock = clock
        self._lanes = Lanes(self._routes, round(settings.notify.retry_hours * HOUR_MS), random.random)
        # Those of one target that answers late are not to keep others waiting.
        threads = sum(each.concurrency + 1 for each in settings.notify.routes)
        self._pool = ThreadPoolExecutor(max(1, min(MOST_THREADS, threads)), "notify")
        self._results: SimpleQueue[_Done] = SimpleQueue()
        self._stop = threading.Event()
        self._ids: set[str] = set()
        self._unsaved: list[Notification] = []
        self._since: Mapping[str, int] = {}
        self._place = 0
        self._plans: Mapping[str, str] = {}
        self._plans_ms = self._looked_ms = self._saved_ms = 0
        self._readers: set[str] = set()
        #: Partitions given since they were looked at last.
        self._new: list[str] = []
        self._reposted_ms: dict[str, int] = {}
        self._reposting: dict[str, bool] = {}
        self._here: Deployment | None = None
        self.metrics = NotifyMetrics()
        self._genuine = Genuine(store, self.metrics, clock)
        self._doubts = Doubts()

    def run(self, stop: threading.Event, *, once: bool = False) -> None:
        """Tell until `stop`; with `once` until all there is was read and tried.

        Raises:
            BrokerError: the broker refuses.
            StoreError: the store failed, and it is to stop.
        """
        self._stop = stop
        names = list(self._routes)
        self._since = self._patiently(lambda: self._outbox.routes_since(names, self._clock()))
        self._place = self._patiently(self._outbox.last_place)
        source = EventSource(self._settings.kafka, self._given, self._taken, stop.is_set)
        try:
            if self._settings.kafka.static_assignment:
                self._catch_up()
            while not stop.is_set():
                self.turn(source)
                if once and source.at_end and not self._doubts and self._lanes.idle(self._clock()):
                    break
        finally:
            self._end()
            source.close()

    def turn(self, source: EventSource) -> None:
        """Read, store, send, and store what came of it; once."""
        busy = self._lanes.busy
        if busy:
            self._note_results(BUSY_S)
        came = self._doubts.before(source.read(0.0 if busy else READ_S), self._clock())
        if self._new:
            self._load()
        self._take(came)
        source.held = bool(self._doubts)
        source.commit()
        now_ms = self._clock()
        for parcel in self._lanes.take(now_ms):
            self._pool.submit(self._send, parcel)
        overtaken, self._lanes.overtaken = self._lanes.overtaken, []
        self._unsaved += overtaken
        self._ids.difference_update(each.id for each in overtaken)
        self._note_results()
        if self._unsaved and not 0 <= now_ms - self._saved_ms < SAVE_MS:
            self._save(now_ms)
        if now_ms - self._looked_ms >= LOOK_MS:
            self._save(now_ms)  # what is stored as waiting is looked for
            self._look(now_ms)
        self._repost(now_ms)

    def _given(self, readers: list[str]) -> None:
        self._readers |= {*readers}
        self._new += readers

    def _taken(self, readers: list[str]) -> None:
        for each in readers:
            self._readers.discard(each)
            self._lanes.drop(each)
            self._doubts.forget([each])
            for sender in self._senders.values():
                if isinstance(sender, AlertmanagerSender):
                    sender.forget(each)
        self._ids = {each.id for each in self._lanes.waiting()}

    def _load(self) -> None:
        """What waits of the partitions that are ours now."""
        readers, self._new = self._new, []
        wanted = None if self._settings.kafka.static_assignment else readers
        for name, sender in self._senders.items():
            if isinstance(sender, AlertmanagerSender):
                sender.restore(self._patiently(partial(self._outbox.posted, name)), wanted)
        self._put_stored(self._patiently(lambda: self._outbox.waiting(wanted)))

    def _put_stored(self, items: Sequence[Notification]) -> None:
        for item in items:
            if item.id in self._ids:
                continue
            if item.route not in self._routes:
                continue  # `repmon status` says that it waits
            self._ids.add(item.id)
            self._lanes.put(self._with_state(item))

    def _with_state(self, item: Notification) -> Notification:
        """The same with what a target that is told of states goes by."""
        route = self._routes[item.route]
        if isinstance(route.target, Alertmanager | PagerDuty):
            data = read_event(item.event).alert
            if data is not None:
                item.alert_id, item.over = data.alert_id, condition(route, data) == "over"
        return item

    def _catch_up(self) -> None:
        """What an embedded broker forgot when it ended, and nobody had read yet."""
        latest = self._patiently(self._outbox.latest)
        here = self._patiently(lambda: read_deployment(self._store, self._settings.deployment.name))
        self._load()
        came = [EventMessage(reader(topic, 0), with_source(event, here).encode()) for topic, event in latest]
        self._take(came, again=True)

    def _take(self, came: Sequence[EventMessage], *, again: bool = False) -> None:
        """Store what routes take of these, and put it on its way."""
        taken: list[tuple[Route, Event, EventMessage]] = []
        for each in came:
            try:
                event = read_event(each.value)
            except EventError as error:
                self.metrics.unreadable += 1
                log.warning("%s: skipped a message: %s", each.reader, error)
                continue
            self.metrics.events += not again and each not in self._doubts
            if not self._is_ours(event):
                continue
            taken += ((route, event, each) for route in self._routes.values() if self._wants(route, event))
        # What comes from the store is not asked of it.
        known = {event.text: event for _, event, _ in taken} if again else self._known(taken)
        wanted: dict[str, tuple[Route, Event, str]] = {}
        for route, read, message in taken:
            told = known.get(read.text)
            if told is not None and self._wants(route, told):
                wanted.setdefault(notification_id(route.name, told), (route, told, message.reader))
        if not wanted:
            return
        before = self._patiently(lambda: self._outbox.known((each[0].name for each in wanted.values()), wanted))
        new = [self._notification(id_, *found) for id_, found in wanted.items() if id_ not in before]
        self._patiently(lambda: self._outbox.save(new, self._clock()))
        self.metrics.taken += len(new)

    def _known(self, taken: Sequence[tuple[Route, Event, EventMessage]]) -> dict[str, Event]:
        """By their texts those that were sent, and what is to be told; what may only be late stays in doubt."""
        asked = {message: event for _, event, message in taken}
        known = self._patiently(lambda: self._genuine.known([*asked.values()])) if asked else KnownEvents({}, {})
        late = [message for message, event in asked.items() if known.may_come(event.text)]
        kept = self._doubts.have_time(late, self._clock()) if asked else set()
        refused = [event for each, event in asked.items() if event.text in known.faults and each not in kept]
        self._patiently(lambda: self._genuine.refuse(refused, known.faults))
        return known.found

    def _wants(self, route: Route, event: Event) -> bool:
        """Whether it happened since the route is there, and the route takes it."""
        return event.time_ms >= self._since[route.name] - SLACK_MS and takes(route, event, self._plan(event))

    def _is_ours(self, event: Event) -> bool:
        """Whether it is of this deployment, as far as it says of which."""
        if names_no_deployment(event.source):
            return True
        if self._here is None:
            self._here = self._patiently(lambda: read_deployment(self._store, self._settings.deployment.name))
        if self._here.sent(event.source):
            return True
        self.metrics.foreign += 1
        log.warning("an event of another deployment is told to nobody: its source is %.200r", event.source)
        return False

    def _notification(self, id_: str, route: Route, event: Event, source: str) -> Notification:
        now_ms = self._clock()
        self._place = max(self._place + 1, now_ms * 1000)
        batch = ""
        if route.digest_minutes:
            collecting = self._lanes.open_batch(route.name, now_ms)
            batch = collecting.first.batch if collecting else str(self._place)
        item = Notification(
            id=id_,
            route=route.name,
            event_id=event.id,
            lane=event.lane,
            reader=source,
            place=self._place,
            due_ms=due_ms(route, event, now_ms),
            taken_ms=now_ms,
            event=event.text,
            batch=batch,
        )
        self._ids.add(id_)
        self._lanes.put(
            self._with_state(item)
        )  # nothing is sent before the next turn of this thread, and until then it is stored
        return item

    def _send(self, parcel: Parcel) -> None:
        try:
            events = [read_event(each.event) for each in parcel.items]
            outcome = self._senders[parcel.route].send(parcel, events, self._clock())
        except Exception as error:  # a defect of ours: said, and nothing lost
            log.exception("route %s", parcel.route)
            outcome = Outcome(result="later", said=f"repmon failed: {type(error).__name__}: {error}")
        self._results.put(_Done(parcel, outcome))

    def _note_results(self, timeout_s: float = 0.0) -> None:
        """Take in what came of tries; waits for the first for so long."""
        try:
            done = self._results.get(timeout=timeout_s) if timeout_s else self._results.get_nowait()
            while True:
                self._note(done.parcel, done.outcome)
                done = self._results.get_nowait()
        except Empty:
            pass

    def _save(self, now_ms: int) -> None:
        """Store what came of tries."""
        self._saved_ms = now_ms
        posted = [
            (name, alert, text)
            for name, sender in self._senders.items()
            if isinstance(sender, AlertmanagerSender)
            for alert, text in sender.changes()
        ]
        if posted:
            self._patiently(lambda: self._outbox.save_posted(posted, self._clock()))
        if self._unsaved:
            self._patiently(lambda: self._outbox.save(self._unsaved, self._clock()))
            self._unsaved = []

    def _note(self, parcel: Parcel, outcome: Outcome) -> None:
        before = self._lanes.failures(parcel.route)
        self._lanes.done(parcel, outcome, self._clock())
        failures = self._lanes.failures(parcel.route)
        state, count = parcel.first.state, len(parcel.items)
        if state == "sent":
            self.metrics.sent += count
            if before >= FAILURES:
                log.warning("route %s: the target takes notifications again", parcel.route)
        else:
            self.metrics.failed_tries += 1
        if state == "failed":
            self.metrics.failed += count
            of, about = parcel.lane or "a digest", {"alert": parcel.first.event_id}
            log.warning("route %s: not sent, of %s: %s", parcel.route, of, parcel.first.said, extra=about)
        elif failures == FAILURES:
            log.warning("route %s: fails, is tried again: %s", parcel.route, outcome.said)
        if state != "waiting":
            self._ids.difference_update(each.id for each in parcel.items)
        self._unsaved += parcel.items

    def _look(self, now_ms: int) -> None:
        """What somebody gave back to be sent; and the numbers."""
        since_us = max(0, self._looked_ms - CLOCKS_MS) * 1000 if self._looked_ms else now_ms * 1000
        self._looked_ms = now_ms
        wanted = None if self._settings.kafka.static_assignment else sorted(self._readers)
        self._put_stored(self._patiently(lambda: self._outbox.given_back(wanted, since_us, self._ids)))
        waiting = list(self._lanes.waiting())
        self.metrics.waiting = len(waiting)
        oldest_ms = min((each.due_ms for each in waiting), default=now_ms)
        self.metrics.oldest_due_seconds = max(0, now_ms - oldest_ms) / 1000
        self.metrics.failing_routes = sum(self._lanes.failures(name) > 0 for name in self._routes)

    def _repost(self, now_ms: int) -> None:
        """Post again what is open at an Alertmanager."""
        for name, sender in self._senders.items():
            target = self._routes[name].target
            if not isinstance(sender, AlertmanagerSender) or not isinstance(target, Alertmanager):
                continue
            due = self._reposted_ms.get(name, 0) + round(target.repost_minutes * MINUTE_MS)
            if due <= now_ms and not self._reposting.get(name):
                self._reposted_ms[name], self._reposting[name] = now_ms, True
                self._pool.submit(self._repost_to, name, sender, now_ms)

    def _repost_to(self, name: str, sender: AlertmanagerSender, now_ms: int) -> None:
        try:
            if fault := sender.repost(now_ms):
                log.warning("route %s: what is open could not be posted again: %s", name, fault)
        except Exception:
            log.exception("route %s", name)
        finally:
            self._reposting[name] = False

    def _plan(self, event: Event) -> str:
        if not any(route.plans for route in self._routes.values()):
            return ""
        now_ms = self._clock()
        if now_ms - self._plans_ms >= PLANS_MS:
            self._plans = self._patiently(lambda: plans(self._store))
            self._plans_ms = now_ms
        return self._plans.get(event.customer, "")

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask the store until it answers, or until it is to stop."""
        while True:
            try:
                return ask()
            except StoreError as error:
                if self._stop.is_set():
                    raise
                log.warning("%s; trying again", error)
                self._stop.wait(STORE_S)

    def _end(self) -> None:
        """Let what is under way end, for a while, and store what came of it."""
        self._stop = threading.Event()
        self._stop.set()  # the store is asked once
        deadline = time.monotonic() + LAST_S
        self._pool.shutdown(wait=False, cancel_futures=True)
        threads = list(self._pool._threads)
        for each in threads:
            each.join(max(0.0, deadline - time.monotonic()))
        try:
            self._note_results()
            self._save(self._clock())
        except StoreError as error:
            log.warning("%s: what was sent last is sent again at the next start", error)
