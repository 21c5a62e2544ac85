"""What people hear from a real Alertmanager of the alerts that are posted to it."""

from collections.abc import Iterator
from itertools import count

import pytest

from jobs.notify.events import Event
from jobs.notify.notification import Outcome
from jobs.notify.posting import Poster
from jobs.notify.targets.alertmanager import AlertmanagerSender
from schemas.notify import Alertmanager
from schemas.times import utc_now_ms
from tests.support.alertmanager import RealAlertmanager, alertmanager
from tests.support.told import Receiver, a_route, parcel_of, receiver, told
from tests.support.waiting import wait_for

customers = count(1)


@pytest.fixture(scope="module")
def people() -> Iterator[Receiver]:
    """Who is told."""
    with receiver() as found:
        found.answers(200)
        yield found


@pytest.fixture(scope="module")
def server(people: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAlertmanager]:
    with alertmanager(tmp_path_factory.mktemp("alertmanager"), people.url) as found:
        yield found


class Told:
    """The alerts of one customer, and what is heard of them."""

    def __init__(self, server: RealAlertmanager, people: Receiver) -> None:
        self.customer = f"customer-{next(customers)}"
        self._people = people
        target = Alertmanager(url=server.url, labels={"team": "abuse"})
        self.route = a_route(target=target, levels=("warning", "excessive", "critical"))
        self._poster = Poster(allow_private=True, timeout_s=5.0)
        self.sender = AlertmanagerSender(target, self.route, self._poster)

    def say(self, *args: object, **named: object) -> Outcome:
        event: Event = told(*args, customer=self.customer, time_ms=utc_now_ms() - 5_000, **named)
        return self.sender.send(parcel_of(event), [event], utc_now_ms())

    def restarted(self) -> None:
        """A process that knows what is stored alone."""
        stored = dict(self.sender.changes())
        target = self.route.target
        assert isinstance(target, Alertmanager)
        self.sender = AlertmanagerSender(target, self.route, self._poster)
        self.sender.restore({alert: text for alert, text in stored.items() if text}, None)

    def heard(self) -> list[tuple[str, str]]:
        """Level and state of each alert in what was told, in order and each once."""
        found = [
            (each["labels"]["severity"] + "/" + each["labels"]["occurrence"], each["status"])
            for body in self._people.bodies()
            for each in body["alerts"]
            if each["labels"]["customer"] == self.customer
        ]
        return list(dict.fromkeys(found))


@pytest.fixture
def heard(server: RealAlertmanager, people: Receiver) -> Told:
    return Told(server, people)


def active(server: RealAlertmanager, customer: str) -> list[str]:
    return [each["severity"] for each in server.active() if each["customer"] == customer]


def test_alert_fires_changes_its_level_and_is_resolved(server: RealAlertmanager, heard: Told) -> None:
    assert heard.say("opened", "warning").result == "taken"
    assert active(server, heard.customer) == ["warning"]
    assert heard.say("escalated", "critical", "warning", number=2).result == "taken"
    assert active(server, heard.customer) == ["critical"]
    wait_for(lambda: ("critical/1", "firing") in heard.heard(), "the level to be told")
    heard.restarted()
    assert heard.say("acknowledged", "critical", "critical", number=3).result == "taken"
    assert heard.say("resolved", "good", "critical", number=4).result == "taken"
    assert active(server, heard.customer) == []
    wait_for(lambda: ("critical/1", "resolved") in heard.heard(), "the resolution to be told")


def test_alert_that_ends_and_opens_again_at_once_is_told_again(heard: Told) -> None:
    heard.say("opened", "critical")
    wait_for(lambda: ("critical/1", "firing") in heard.heard(), "the alert to be told")
    heard.say("resolved", "good", "critical", number=2)
    heard.say("reopened", "critical", "good", number=3)
    wait_for(lambda: ("critical/3", "firing") in heard.heard(), "the second to be told")


def test_level_below_those_of_the_route_is_the_end_of_it(server: RealAlertmanager, heard: Told) -> None:
    heard.say("opened", "warning")
    heard.say("de-escalated", "watch", "warning", number=2)
    assert active(server, heard.customer) == []


def test_server_that_forgot_all_is_told_again_of_what_is_open(server: RealAlertmanager, heard: Told) -> None:
    heard.say("opened", "critical")
    server.stop()
    server.start()
    assert active(server, heard.customer) == []
    assert heard.sender.repost(utc_now_ms()) == ""
    assert active(server, heard.customer) == ["critical"]


def test_end_that_is_ahead_of_the_servers_clock_is_tried_again_until_it_is_taken(
    server: RealAlertmanager, heard: Told
) -> None:
    """Ours is ahead by a minute: an end that was given before, later still, would be kept."""
    heard.say("opened", "critical")
    event = told("resolved", "good", "critical", customer=heard.customer, number=2, time_ms=utc_now_ms())
    ahead = heard.sender.send(parcel_of(event), [event], utc_now_ms() + 60_000)
    assert (ahead.result, "still active" in ahead.said) == ("later", True)
    assert heard.sender.send(parcel_of(event), [event], utc_now_ms()).result == "taken"
    assert active(server, heard.customer) == []


def test_hostile_names_are_labels_like_others(server: RealAlertmanager, people: Receiver) -> None:
    heard = Told(server, people)
    heard.customer = 'a"b\\c{}=~,\U0001f600'
    assert heard.say("opened", "critical").result == "taken"
    assert heard.say("resolved", "good", "critical", number=2).result == "taken"
    assert active(server, heard.customer) == []


def test_what_came_from_anothers_partition_is_not_posted_again(server: RealAlertmanager, heard: Told) -> None:
    """Who does not read its changes would not know that it is over."""
    heard.say("opened", "critical")
    stored = dict(heard.sender.changes())
    heard.sender.forget("")
    assert heard.sender.open == 0
    heard.sender.restore(stored, ["reputation.alerts:1"])
    assert heard.sender.open == 0
    heard.sender.restore(stored, [""])
    assert heard.sender.open == 1
