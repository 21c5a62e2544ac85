"""An alert is a hint to the suspension hook: what is not as it was sent, or holds no more, never acts."""

import threading

import msgspec
import pytest

from jobs.hooks.suspend_hook import HookProcess
from schemas.alert import Held
from tests.support.hook_targets import TargetStandIn
from tests.support.hooked import Hooked, Scene, hook_audit, kumo, one_rung

pytestmark = pytest.mark.usefixtures("standing_clock")

HELD = Held(id="3f9c", reason="brake", since_ms=1_764_579_600_000, customers=23)


COLUMNS = (
    "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'alert_states' ORDER BY position"
)
CHANGES: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "of 2019": ({"time": "2019-03-01T00:00:00.000Z"}, {}, "too old to begin anything: of 2019-03-01"),
    "in the future": ({"time": "2199-03-01T00:00:00.000Z"}, {}, "forged: its time is 2199-03-01"),
    "of no time": ({"time": "yesterday"}, {}, "forged: its time is 'yesterday'"),
    "of another deployment": (
        {"source": "/repmon/feedfeedfeedfeed/monitor"},
        {},
        "of another deployment: its source is",
    ),
    "0 of 0": ({}, {"numerator": 0, "denominator": 0}, "counts nothing: 0 of 0"),
    "with another id": ({"id": "never-sent"}, {}, "unknown: no alert never-sent of 'acme' is stored here"),
    "of another customer": ({}, {"customer": "globex"}, "unknown: no alert "),
    "of a customer never seen": ({}, {"customer": "nobody-knows"}, "of 'nobody-knows' is stored here"),
    "with other numbers": ({}, {"numerator": 9_999}, "forged: not as it was sent (data.numerator)"),
    "not held any more": ({}, {"level": "critical"}, "forged: not as it was sent (data.level)"),
    "of another type": (
        {"type": "org.repmon.alert.resolved.v1"},
        {},
        "forged: its type is 'org.repmon.alert.resolved.v1'",
    ),
}


@pytest.mark.parametrize(("event", "data", "said"), CHANGES.values(), ids=CHANGES)
def test_alert_that_is_not_as_it_was_sent_never_acts(
    scene: Scene, mta: TargetStandIn, event: dict[str, object], data: dict[str, object], said: str
) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    sent = scene.alert("acme", "excessive")
    changed = msgspec.structs.replace(sent, **event, data=msgspec.structs.replace(sent.data, **data))
    assert (hooked.hear(changed) or hooked.ask_again()) == [f"refused {changed.data.customer}"]
    assert said in hooked.text
    assert mta.asked == []
    assert hooked.measures() == {}
    hooked.engine.record_refused()
    assert hook_audit(scene.store) == [("hook alert refused", changed.data.customer)]


def test_forged_alert_with_the_id_of_a_true_one_does_not_hide_it(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    sent = scene.alert("acme")
    forged = msgspec.structs.replace(sent, data=msgspec.structs.replace(sent.data, customer="globex"))
    unseen = msgspec.structs.replace(sent, data=msgspec.structs.replace(sent.data, level="watch"))
    assert hooked.hear(unseen) == []
    assert hooked.hear(forged, sent, forged) == ["applied acme"]
    assert hooked.ask_again() == ["refused globex"]
    assert hooked.hear(forged, sent) == []
    assert mta.tenants() == {"acme"}


@pytest.mark.parametrize("field", ["id", "customer", "explanation"])
def test_of_a_huge_alert_the_store_is_not_asked_and_little_is_kept(
    scene: Scene, mta: TargetStandIn, field: str
) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    sent, huge = scene.alert("acme"), "x" * 500_000
    if field == "id":
        sent = msgspec.structs.replace(sent, id=huge)
    else:
        sent = msgspec.structs.replace(sent, data=msgspec.structs.replace(sent.data, **{field: huge}))
    hooked.hear(sent)
    assert [each.what for each in hooked.said] == ["refused"]
    assert ("forged: " + field + " has 500,000 characters" in hooked.text) == (field != "explanation")
    assert len(msgspec.json.encode(hooked.said[-1])) < 10_000
    hooked.engine.record_refused()
    ((length,),) = scene.store.rows("SELECT sum(length(customer) + length(subject) + length(why)) FROM audit FINAL")
    assert int(length) < 10_000
    assert mta.asked == []


def test_alert_that_a_replica_does_not_know_yet_is_followed_once_it_does(scene: Scene, mta: TargetStandIn) -> None:
    """It was stored before it was sent, on another replica. It was called refused, and nothing followed from it."""
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    sent = scene.alert("acme", unsent=True)
    rows = scene.store.rows("SELECT * FROM alert_states")
    scene.store.run("TRUNCATE TABLE alert_states")
    assert hooked.hear(sent, sent) == []
    assert hooked.ask_again(0.15) == []
    assert hooked.engine.doubts
    columns = [str(name) for (name,) in scene.store.rows(COLUMNS)]
    scene.store.insert("alert_states", {name: [row[no] for row in rows] for no, name in enumerate(columns)})
    assert hooked.ask_again(0.01) == ["applied acme"]
    assert not hooked.engine.doubts
    assert hooked.hear(sent) == []
    assert mta.tenants() == {"acme"}


def test_position_is_not_stored_past_an_alert_that_is_in_doubt(
    scene: Scene, mta: TargetStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook that is killed meanwhile leaves it to the next one."""
    monkeypatch.setattr(HookProcess, "_topic_id", "topic")
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    process = HookProcess(hooked.settings.kafka, hooked.context, threading.Event())
    process._engine, process._offsets = hooked.engine, {0: 7}
    hooked.hear(scene.alert("acme", stored=False))
    process._save()
    assert hooked.context.outbox.positions("topic") == {}
    assert hooked.ask_again() == ["refused acme"]
    process._save()
    assert hooked.context.outbox.positions("topic") == {0: 7}


def test_flood_of_a_thousand_forged_alerts_suspends_nobody(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    sent = scene.alert("acme", stored=False)
    datas = [
        msgspec.structs.replace(sent.data, customer=["acme", f"one{number}"][number % 2]) for number in range(1_000)
    ]
    hooked.hear(*(msgspec.structs.replace(sent, id=f"forged{no}", data=data) for no, data in enumerate(datas)))
    hooked.ask_again()
    assert len(hooked.said) == 1_000
    assert {each.what for each in hooked.said} == {"refused"}
    hooked.engine.record_refused()
    assert hook_audit(scene.store).count(("hook alert refused", "acme")) == 500
    assert mta.asked == []
    assert hooked.measures() == {}


def test_alert_that_is_true_and_whose_level_is_lower_by_now_does_nothing(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    opened = scene.alert("acme")
    ended = scene.alert("acme", "good", "resolved")
    assert hooked.hear(opened, ended) == []
    assert mta.asked == []


def test_alert_about_to_be_stored_as_sent_is_known(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    assert hooked.hear(scene.alert("acme", unsent=True)) == ["applied acme"]


def test_held_alert_waits_for_people_and_what_was_done_before_is_undone(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    assert hooked.hear(scene.alert("globex", held=HELD)) == ["held globex"]
    assert hooked.text.startswith(
        "held, not suspending globex (hold 3f9c, because 23 customers rose at once): critical"
    )
    assert hooked.hear(scene.alert("acme")) == ["applied acme"]
    assert hooked.hear(scene.alert("acme", "critical", "held", held=HELD)) == ["held acme", "lifted acme"]
    assert hooked.hear(scene.alert("acme", "critical", "confirmed")) == ["applied acme"]
    assert mta.tenants() == {"acme"}
