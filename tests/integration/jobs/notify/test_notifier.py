"""Events in, notifications out, with broker and store: stored before they are sent, each told once, in order."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import msgspec
import pytest
from click.testing import CliRunner
from standardwebhooks import Webhook as Verifier

from api.cli.main import app
from jobs.notify.notifier import Notifier
from jobs.notify.outbox import Outbox
from jobs.setup.topics import remake_topics
from schemas import topics
from schemas.alert import AlertEvent
from schemas.breaker_event import BreakerChange, breaker_event
from schemas.customer_event import CustomerDecision, customer_event
from schemas.deployment import Deployment, names_no_deployment
from schemas.hold import Hold, hold_event
from schemas.incident import Incident, incident_event
from schemas.notify import Alertmanager, Notify, PagerDuty, Route, Webhook
from schemas.settings import ClickHouse, Kafka, Settings, SettingsError
from schemas.times import DAY_MS, SECOND_MS, utc_now_ms, utc_time
from schemas.topics import REPUTATION_ALERTS
from schemas.wording import rfc3339
from streams.alerts.record import store_alerts
from streams.io.broker import Publisher
from streams.io.deployment import read_deployment
from streams.io.outgoing import TOPICS, DecisionEvent, Outgoing, store_outgoing
from streams.io.store import Store, open_store
from tests.support.told import KEY, Receiver, a_route, receiver, told_alert
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


class Scene:
    """Broker, store, a route to a receiver, and runs of the stage."""

    def __init__(self, kafka: Kafka, clickhouse: ClickHouse, store: Store, received: Receiver) -> None:
        self.received = received
        self.store = store
        self.kafka = kafka
        self._clickhouse = clickhouse
        self._publisher = Publisher(kafka)
        self.routes: tuple[Route, ...] = (self.hook(),)

    def hook(self, name: str = "hook", path: str = "/", **settings: object) -> Route:
        target = Webhook(url=f"{self.received.url}{path}", secrets=(KEY,))
        return a_route(name, target=target, allow_private=True, **settings)

    @property
    def settings(self) -> Settings:
        return Settings(kafka=self.kafka, clickhouse=self._clickhouse, notify=Notify(routes=self.routes))

    @property
    def deployment(self) -> Deployment:
        return read_deployment(self.store, "")

    def publish(self, *events: AlertEvent, stored: bool = True) -> None:
        """As a monitor does; without `stored` as somebody who may only write to the topic."""
        ours = [
            msgspec.structs.replace(each, source=self.deployment.source(each.source))
            if names_no_deployment(each.source)
            else each
            for each in events
        ]
        if stored:
            store_alerts(self.store, ours, utc_now_ms())
        for each in ours:
            self._publisher.publish(REPUTATION_ALERTS, each.subject.encode(), msgspec.json.encode(each))
        self._publisher.flush()

    def send(self, *events: DecisionEvent) -> None:
        """As somebody does who may only write to the topics."""
        for each in events:
            sent = msgspec.structs.replace(each, source=self.deployment.source(each.source))
            self._publisher.publish(TOPICS[type(each)], each.subject.encode(), msgspec.json.encode(sent))
        self._publisher.flush()

    def once(self, clock: Callable[[], int] = utc_now_ms) -> Notifier:
        """All there is, then the end: as of a process that is started anew."""
        notifier = Notifier(self.settings, self.store, clock)
        notifier.run(threading.Event(), once=True)
        return notifier

    def says(self, *words: str) -> str:
        """What `repmon notify ...` prints."""
        return CliRunner().invoke(app, ["notify", *words], obj=lambda: self.settings, catch_exceptions=False).output

    def told(self) -> list[str]:
        """The ids of the events that came, in order, as a receiver has them that checks signatures."""
        for each in self.received.requests:
            Verifier(KEY).verify(each.body, each.headers)
        return [str(each["id"]) for each in self.received.bodies()]

    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.received.requests]


@pytest.fixture
def scene(embedded_kafka: Kafka, store_settings: ClickHouse, store: Store, listening: Receiver) -> Scene:
    listening.requests.clear()
    listening.answers(204)
    made = Scene(embedded_kafka, store_settings, store, listening)
    made.once()  # from now on its routes are there
    return made


def alert(customer: str = "acme", number: int = 1) -> AlertEvent:
    return told_alert("opened" if number == 1 else "escalated", customer=customer, number=number, time_ms=utc_now_ms())


def hurried() -> Callable[[], int]:
    """A clock by which what may come late has its time at once."""
    ticks = count(utc_now_ms(), SECOND_MS)
    return lambda: next(ticks)


def test_each_event_is_told_once_however_often_it_comes_and_whoever_starts_again(scene: Scene) -> None:
    first, second = alert(), alert(number=2)
    scene.publish(first, second, first)
    scene.once()
    scene.publish(second)
    scene.once()
    assert scene.told() == [first.id, second.id]


def test_what_a_target_does_not_take_waits_in_the_store_and_keeps_its_order_and_id(scene: Scene) -> None:
    events = [alert(number=number) for number in (1, 2, 3)]
    scene.publish(*events)
    scene.received.answers(503)
    now_ms = utc_now_ms()
    scene.once(lambda: now_ms)
    assert scene.told() == [events[0].id]
    (totals,) = Outbox(scene.store).totals(now_ms + 5_000, 0)
    assert (totals.waiting, totals.tries, totals.said) == (3, 1, "503")
    scene.received.answers(204)
    scene.once(lambda: now_ms + 2 * SECOND_MS)
    assert scene.told() == [events[0].id, *(each.id for each in events)]
    assert scene.ids()[0] == scene.ids()[1]


def test_dead_letters_are_listed_and_sent_again_by_the_running_stage(scene: Scene) -> None:
    event = alert("ev\x1b[2J\r\nil")
    scene.received.answers(410, body=b"gone")
    scene.publish(event)
    scene.once()
    listed = scene.says("failed")
    assert "410 gone" in listed
    assert "alert.opened" in listed
    assert r"ev\x1b[2J\r\nil" in listed
    assert len(listed.splitlines()) == 2
    assert "dead letters" not in scene.says("failed", "--route", "hook", "--json")
    for word in ("failed", "retry"):
        with pytest.raises(SettingsError, match="there is no 'hoook'; there are hook"):
            scene.says(word, "--route", "hoook")
    scene.received.answers(204)
    stop = threading.Event()
    notifier = Notifier(scene.settings, scene.store)
    running = threading.Thread(target=notifier.run, args=(stop,))
    running.start()
    try:
        assert "1 to be sent again" in scene.says("retry", "--all")
        wait_for(lambda: notifier.metrics.sent == 1, "it to be sent again")
    finally:
        stop.set()
        running.join(10)
    assert scene.ids() == [scene.ids()[0]] * 2
    assert "hook   webhook  0        0      1     0" in scene.says("routes")


def test_topic_that_was_made_again_is_read_from_its_beginning(scene: Scene) -> None:
    before = [alert(f"customer-{number}") for number in range(5)]
    scene.publish(*before)
    scene.once()
    remake_topics(scene.kafka, [topics.load_topics()[REPUTATION_ALERTS]])
    after = [alert(f"customer-{number}", 2) for number in range(8)]
    scene.publish(before[0], *after)
    scene.once()
    assert sorted(scene.told()) == sorted(each.id for each in (*before, *after))


def test_alert_that_an_embedded_broker_forgot_is_told_from_the_store(scene: Scene) -> None:
    event = alert()
    row = {
        "customer": "acme",
        "time": utc_time(utc_now_ms()),
        "id": event.id,
        "event": msgspec.json.encode(event).decode(),
    }
    scene.store.insert("alerts", {name: [value] for name, value in row.items()})
    scene.once()
    scene.once()
    assert scene.told() == [event.id]


def test_route_that_is_new_is_not_told_of_what_was_before_it(scene: Scene) -> None:
    old = told_alert(time_ms=utc_now_ms() - DAY_MS)
    scene.routes = (*scene.routes, scene.hook("later", "/later"))
    scene.publish(old, new := alert("other"))
    scene.once()
    assert {each.path for each in scene.received.requests if each.json["id"] == new.id} == {"/", "/later"}
    assert old.id not in scene.told()


def test_digest_goes_out_in_one_and_again_under_the_same_id(scene: Scene) -> None:
    scene.routes = (scene.hook("digest", digest_minutes=1),)
    scene.once()
    now_ms = utc_now_ms()
    scene.publish(alert(), alert("other"))
    scene.once(lambda: now_ms)
    assert scene.received.requests == []
    scene.received.answers(500)
    scene.once(lambda: now_ms + 61_000)
    scene.received.answers(204)
    scene.once(lambda: now_ms + 63_000)
    first, again = scene.received.bodies()
    assert first == again
    assert sorted(each["data"]["customer"] for each in first) == ["acme", "other"]
    assert len(set(scene.ids())) == 1
    scene.once(lambda: now_ms + 200_000)
    assert len(scene.received.requests) == 2


def test_what_cannot_be_read_is_passed_over(scene: Scene) -> None:
    scene._publisher.publish(REPUTATION_ALERTS, b"acme", b"\xff no event")
    scene.publish(event := alert())
    assert scene.once().metrics.unreadable == 1
    assert scene.told() == [event.id]


def test_forged_alert_is_told_to_nobody_and_operators_hear_of_it_once(scene: Scene) -> None:
    true = alert()
    worse = msgspec.structs.replace(true.data, level="excessive", explanation="Pay at evil.example.")
    forged = [msgspec.structs.replace(true, data=worse), alert("never-seen"), alert("x" * 300)]
    scene.publish(*forged, stored=False)
    scene.publish(true)
    assert scene.once(hurried()).metrics.refused == 3
    assert [each["data"]["explanation"] for each in scene.received.bodies()] == [true.data.explanation]
    rows = scene.store.rows("SELECT why FROM audit FINAL WHERE action = 'notify event refused'")
    ((why,),) = rows
    assert why in {
        "forged: not as it was sent (data.level, data.explanation)",
        "unknown: no alert never-seen-1-1-critical of 'never-seen' is stored here",
        "forged: id has 313 characters",
    }, "whichever was read first"


def test_alert_that_a_replica_does_not_have_yet_is_told_once_it_has_it(scene: Scene) -> None:
    """Until then nothing is committed, so that one who is killed reads it again."""
    late, stop = alert(), threading.Event()
    ours = msgspec.structs.replace(late, source=scene.deployment.source(late.source))
    scene.publish(late, stored=False)
    scene.publish(alert(number=2))
    for kills in (True, False):
        notifier = Notifier(scene.settings, scene.store)
        stop.clear()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(notifier.run, stop)
            wait_for(lambda: bool(notifier._doubts) and bool(scene.told()), "the second one")  # noqa: B023
            if not kills:
                store_alerts(scene.store, [ours], utc_now_ms())
                wait_for(lambda: len(scene.told()) == 2, "the late one")
            stop.set()
            running.result(30)
    assert scene.told() == [alert(number=2).id, late.id]
    assert notifier.metrics.refused == 0


def test_forged_events_that_are_no_alerts_are_told_to_nobody(scene: Scene) -> None:
    """Of what several monitors found, each as it saw it, the store has one; what is not due yet is not over."""
    now_ms = utc_now_ms()
    scene.routes = (scene.hook("all", events=("*",)),)
    scene.once()
    incident = Incident(id="5f", dimension="provider", value="gmail", outcome="block", state="detected", hours=(0,))
    found = incident_event(incident, "began", rfc3339(now_ms))
    other = msgspec.structs.replace(found, time=rfc3339(now_ms + 1), data=msgspec.structs.replace(incident, struck=7))
    hold = Hold(id="3f9c", reason="brake", began_ms=now_ms, from_ms=0, until_ms=now_ms, customers=23)
    decision = CustomerDecision(
        customer="acme", kind="suspended", by="Ida", why="a list", decided_ms=now_ms, since_ms=now_ms
    )
    later = incident_event(incident, "ended", rfc3339(now_ms))
    store_outgoing(scene.store, [Outgoing(found, now_ms), Outgoing(later, now_ms + DAY_MS)])
    change = BreakerChange(kind="opened", by="suspend-hook", why="x", time_ms=now_ms)
    forged: list[DecisionEvent] = [
        hold_event(hold, "began", rfc3339(now_ms)),
        customer_event(decision),
        breaker_event(change),
        later,
        msgspec.structs.replace(found, subject="yahoo"),
    ]
    scene.send(other, *forged)
    assert scene.once(hurried()).metrics.refused == len(forged)
    (told,) = scene.received.bodies()
    assert (told["id"], told["data"]["struck"], told["source"]) == (
        found.id,
        0,
        scene.deployment.source(found.source),
    )


def test_event_of_another_deployment_is_told_to_nobody(scene: Scene) -> None:
    ours = scene.deployment.source("/repmon/monitor")
    theirs = Deployment(id="feedfeedfeedfeed").source("/repmon/monitor")
    scene.publish(msgspec.structs.replace(alert(number=1), source=ours))
    scene.publish(msgspec.structs.replace(alert(number=2), source=theirs), stored=False)
    assert scene.once().metrics.foreign == 1
    assert [each["source"] for each in scene.received.bodies()] == [ours]


def test_nobody_is_paged_for_what_was_over_before_it_could_be_told(scene: Scene) -> None:
    pager = PagerDuty(routing_key="key", url=f"{scene.received.url}/v2/enqueue")
    scene.routes = (a_route("pager", target=pager, allow_private=True),)
    scene.once()
    scene.received.answers(503)
    scene.publish(alert())
    now_ms = utc_now_ms()
    scene.once(lambda: now_ms)
    scene.received.answers(202)
    scene.publish(told_alert("resolved", "good", "critical", number=2, time_ms=utc_now_ms()))
    scene.once(lambda: now_ms + 5 * SECOND_MS)
    assert [each["event_action"] for each in scene.received.bodies()] == ["trigger", "resolve"]
    assert {each.waiting for each in Outbox(scene.store).totals(utc_now_ms() + DAY_MS, 0)} == {0}


def test_what_is_open_at_an_alertmanager_is_posted_again_by_who_starts_anew(scene: Scene) -> None:
    """And ended with the labels that it had."""
    scene.routes = (a_route("am", target=Alertmanager(url=scene.received.url), allow_private=True),)
    scene.received.answers(200, body=b"[]")
    scene.once()
    scene.publish(alert())
    scene.once()
    scene.once()
    scene.publish(told_alert("resolved", "good", "critical", number=2, time_ms=utc_now_ms()))
    scene.once()
    posted = [each.json[0] for each in scene.received.requests if each.method == "POST"]
    assert len(posted) >= 3
    assert len({msgspec.json.encode(each["labels"]) for each in posted}) == 1
    now = rfc3339(utc_now_ms())
    assert [each["endsAt"] < now for each in posted[:2]] == [False, False]
    assert posted[-1]["endsAt"] < now


@pytest.mark.kafka
def test_several_share_the_customers_out_and_who_is_left_goes_on(
    apache_kafka: Kafka, store_settings: ClickHouse, store: Store, listening: Receiver
) -> None:
    """Over a consumer group: what one leaves waiting, the other sends."""
    kafka = msgspec.structs.replace(apache_kafka, session_timeout_ms=6_000)
    scene = Scene(kafka, store_settings, store, listening)
    listening.requests.clear()
    listening.answers(503)
    stops, threads, opened = [], [], []
    for _ in range(2):
        opened.append(open_store(store_settings))
        stops.append(threading.Event())
        notifier = Notifier(scene.settings, opened[-1])
        threads.append(threading.Thread(target=notifier.run, args=(stops[-1],)))
        threads[-1].start()
    try:
        wait_for(lambda: bool(store.rows("SELECT count() FROM notification_routes")[0][0]), "the route to be there")
        events = [alert(f"customer-{number}") for number in range(12)]
        scene.publish(*events)
        waiting = "SELECT uniqExact(event_id) FROM notifications"
        wait_for(lambda: store.rows(waiting)[0][0] == len(events), "all to be stored", 60)
        stops[0].set()
        threads[0].join(20)
        listening.answers(204)
        sent = "SELECT uniqExact(event_id) FROM notifications FINAL WHERE state = 'sent'"
        wait_for(lambda: store.rows(sent)[0][0] == len(events), "all to be told", 60)
    finally:
        for stop, thread, each in zip(stops, threads, opened, strict=True):
            stop.set()
            thread.join(20)
            each.close()
    assert set(scene.told()) == {each.id for each in events}
