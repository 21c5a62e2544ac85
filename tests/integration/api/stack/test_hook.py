"""The hook over a real store, asking stand-ins of its targets: what makes it act, what does not, and what it undoes."""

import pytest

from jobs.hooks.outbox import Lease, LeaseLostError
from jobs.hooks.shown import read_hook, shown_measures
from jobs.operator.decisions import DecisionError
from jobs.operator.hook_decisions import approve_action, close_breaker
from jobs.operator.suspensions import unsuspend
from schemas.breaker_event import BreakerEvent
from schemas.hook import Hook, HookAction, LadderRung
from streams.io.outgoing import unsent
from streams.io.store import Store
from tests.support.hook_targets import TargetStandIn
from tests.support.hooked import NOW_MS, Hooked, Scene, hook_audit, kumo, one_rung

pytestmark = pytest.mark.usefixtures("standing_clock")

SUSPENDED = "SELECT customer FROM suspensions FINAL WHERE suspended ORDER BY customer"


def test_critical_alert_suspends_and_its_end_lifts(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    assert hooked.hear(scene.alert("acme")) == ["applied acme"]
    assert hooked.text.startswith("suspended acme by kumo: critical failure 14.20 % in 24h (threshold 10.00 %), alert ")
    assert mta.tenants() == {"acme"}
    (body,) = mta.calls("POST")
    assert body["tenant"] == "acme"
    assert body["duration"] == "86400s"
    assert "campaign" not in body
    assert [each for (each,) in scene.store.rows(SUSPENDED)] == ["acme"]
    scene.later(30)
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == ["lifted acme"]
    assert not mta.suspended
    assert not scene.store.rows(SUSPENDED)
    assert hook_audit(scene.store) == [
        ("customer suspended", "acme"),
        ("hook action applied", "acme"),
        ("customer unsuspended", "acme"),
        ("hook action lifted", "acme"),
    ]


def test_dry_run_walks_the_same_way_and_asks_nobody(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url, user="hook", password="s3cret-of-kumo")), "dry")
    assert hooked.hear(scene.alert("acme")) == ["applied acme"]
    assert hooked.text.startswith("would suspend acme by kumo: critical failure 14.20 %")
    assert f"POST {mta.url}/api/admin/suspend/v1 " in hooked.text
    assert "s3cret" not in hooked.text
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == ["lifted acme"]
    assert hooked.text.startswith("would lift the suspension of acme by kumo: ")
    assert mta.asked == []
    assert hook_audit(scene.store) == []
    assert Hooked(scene, one_rung(kumo(mta.url))).measures() == {}


def test_without_any_settings_a_dry_run_says_whom_it_would_suspend(scene: Scene) -> None:
    hooked = Hooked(scene, Hook(), "dry")
    assert hooked.hear(scene.alert("acme", "warning"), scene.alert("globex", "excessive")) == ["applied globex"]
    assert hooked.text.startswith("would suspend globex: excessive failure 14.20 %")


def test_alert_on_a_stream_suspends_nobody_unless_a_rung_says_so(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    assert hooked.hear(scene.alert("acme", scope="stream:news")) == ["stream only acme"]
    assert hooked.text.startswith("stream only, not suspending acme (stream:news): critical failure")
    assert mta.asked == []
    hook = Hook(
        actions={"kumo": kumo(mta.url, campaign="{stream}")},
        ladder={"stream": LadderRung(level="critical", do=("kumo",), scopes=("stream",))},
    )
    hooked.stop()
    hooked = Hooked(scene, hook)
    assert hooked.hear(scene.alert("acme", "critical", "escalated", scope="stream:news")) == ["applied acme"]
    assert hooked.text.startswith("suspended acme (stream:news) by kumo: ")
    assert set(mta.suspended) == {("acme", "news", None)}
    assert not scene.store.rows(SUSPENDED), "its other mail goes on"
    assert hooked.hear(scene.alert("acme", "good", "resolved", scope="stream:news")) == ["lifted acme"]
    assert not mta.suspended


def test_customers_on_the_list_of_never_are_left_alone(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url), never=("ac*",)))
    assert hooked.hear(scene.alert("acme")) == ["never acme"]
    assert mta.asked == []


def test_verdict_of_a_monitor_that_is_down_is_waited_for(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    sent = scene.alert("acme")
    scene.later(20, judge=False)
    assert hooked.hear(sent) == ["waiting acme"]
    assert "its last verdict is 20 min old" in hooked.text
    assert hooked.sweep() == []
    scene.later(1)
    assert hooked.sweep() == ["applied acme"]


def test_customer_of_whom_no_mail_is_counted_waits(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    assert hooked.hear(scene.alert("silent")) == ["waiting silent"]
    assert "no mail of it is counted within 30 days" in hooked.text


def test_ladder_is_climbed_and_left_step_by_step(scene: Scene, mta: TargetStandIn) -> None:
    slow = HookAction(kind="http", effect="throttle", urls=(f"{mta.url}/slow",), body='{"tenant": "{customer}"}')
    hook = Hook(
        actions={"slow": slow, "kumo": kumo(mta.url)},
        ladder={
            "first": LadderRung(level="excessive", do=("slow",)),
            "then": LadderRung(level="critical", do=("kumo",)),
        },
    )
    hooked = Hooked(scene, hook)
    assert hooked.hear(scene.alert("acme", "excessive")) == ["applied acme"]
    assert hooked.text.startswith("slowed down acme by slow: excessive failure")
    assert not scene.store.rows(SUSPENDED)
    assert hooked.hear(scene.alert("acme", "critical", "escalated")) == ["applied acme"]
    assert mta.tenants() == {"acme"}
    assert hooked.hear(scene.alert("acme", "excessive", "de-escalated")) == ["lifted acme"]
    assert not mta.suspended
    assert {name: each.state for name, each in hooked.measures().items()} == {
        "acme slow": "applied",
        "acme kumo": "lifted",
    }
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == ["lifted acme"]
    slowed = [body for method, path, body, _ in mta.asked if path == "/slow"]
    assert slowed == [{"tenant": "acme"}, {"tenant": "acme"}]


def test_two_alerts_hold_a_suspension_until_both_are_over(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    assert hooked.hear(scene.alert("acme"), scene.alert("acme", rule="complaint")) == ["applied acme"]
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == []
    assert mta.tenants() == {"acme"}
    assert hooked.hear(scene.alert("acme", "good", "resolved", rule="complaint")) == ["lifted acme"]
    assert len(mta.calls("POST")) == len(mta.calls("DELETE")) == 1


def test_repeated_and_escalated_alerts_do_not_suspend_twice(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    first = scene.alert("acme", "excessive")
    assert hooked.hear(first, first) == ["applied acme"]
    assert hooked.hear(scene.alert("acme", "critical", "escalated")) == ["already acme"]
    hooked.stop()
    assert Hooked(scene, one_rung(kumo(mta.url))).hear(first) == []
    assert len(mta.calls("POST")) == 1


def test_breaker_opens_at_its_limit_and_goes_on_once_it_is_closed(
    scene: Scene, mta: TargetStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    scene.mail([f"bad{number}" for number in range(5)])
    hooked = Hooked(scene, one_rung(kumo(mta.url), max_per_hour=2, share_from=100))
    said = hooked.hear(*(scene.alert(f"bad{number}") for number in range(5)))
    assert said[:2] == ["applied bad0", "applied bad1"]
    assert said[2:] == ["breaker opened", "waiting bad2", "waiting bad3", "waiting bad4"]
    assert "3 customers within an hour (hook.max_per_hour is 2)" in caplog.text
    assert mta.tenants() == {"bad0", "bad1"}
    seen = read_hook(scene.store, 300, scene.now_ms)
    assert seen is not None
    assert (seen.in_force, seen.waiting, seen.breaker) == (2, 3, "3 customers within an hour (hook.max_per_hour is 2)")
    assert hooked.hear(scene.alert("bad1", "good", "resolved")) == ["lifted bad1"], (
        "what is over is lifted all the same"
    )
    scene.later(90)
    assert hooked.sweep() == [], "time does not close it"
    hooked.stop()
    hooked = Hooked(scene, one_rung(kumo(mta.url), max_per_hour=2, share_from=100))
    assert hooked.sweep() == [], "nor does a restart"
    close_breaker(scene.store, "act", by="Ida", why="looked at each", now_ms=scene.now_ms)
    events = [each.event for each in unsent(scene.store, scene.now_ms)]
    changes = [each.data for each in events if isinstance(each, BreakerEvent)]
    assert [(each.kind, each.by) for each in changes] == [("opened", "suspend-hook"), ("closed", "Ida")]
    scene.later(0.1)
    assert hooked.sweep() == ["applied bad2", "applied bad3", "breaker opened"]


def test_share_of_active_customers_opens_the_breaker_too(scene: Scene, mta: TargetStandIn) -> None:
    scene.mail([f"bad{number}" for number in range(27)])
    hooked = Hooked(scene, one_rung(kumo(mta.url), max_share=0.1, share_from=1))
    said = hooked.hear(*(scene.alert(f"bad{number}") for number in range(4)))
    assert said == ["applied bad0", "applied bad1", "applied bad2", "breaker opened", "waiting bad3"]
    assert "4 of 30 active customers would be acted on (hook.max_share is 10.00 %, hook.share_from 1)" in hooked.text


def test_large_customer_waits_for_two_people(scene: Scene, mta: TargetStandIn) -> None:
    scene.mail(["acme"], recipients=2_000_000)
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    assert hooked.hear(scene.alert("acme")) == ["waiting acme"]
    assert "it sent to 2,001,000 recipients within 30 days, so 2 people must approve it" in hooked.text
    (shown,) = shown_measures(scene.store, "act", hooked.context.deployment.id)
    assert shown.id in hooked.text

    def approve(by: str) -> list[str]:
        scene.later(0.1)
        return approve_action(scene.store, "acme", shown.id, by=by, why="called them", now_ms=scene.now_ms)

    assert approve("Ida") == ["Ida"]
    with pytest.raises(DecisionError, match="has approved"):
        approve(" ida ")
    assert hooked.sweep() == []
    assert mta.asked == []
    assert approve("Ben") == ["Ida", "Ben"]
    assert hooked.sweep() == ["applied acme"]
    assert mta.tenants() == {"acme"}
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == ["lifted acme"]
    assert hooked.hear(scene.alert("acme", "critical", "reopened")) == ["waiting acme"], "approved is one suspension"


def test_person_who_lifts_a_suspension_is_right_until_it_gets_worse(scene: Scene, mta: TargetStandIn) -> None:
    ses = HookAction(kind="ses", urls=(mta.url,), region="eu-west-1", access_key_id="AKID", password="secret")
    hook = Hook(actions={"ses": ses}, ladder={"stop": LadderRung(level="excessive", do=("ses",))})
    hooked = Hooked(scene, hook)
    assert hooked.hear(scene.alert("acme", "excessive")) == ["applied acme"]
    assert list(mta.statuses.values()) == ["DISABLED"]
    scene.later(10)
    unsuspend(scene.store, "acme", by="Ida", why="list mended", now_ms=scene.now_ms)
    scene.later(1)
    assert hooked.sweep() == ["lifted acme"]
    assert hooked.text.startswith("lifted the suspension of acme by ses, as Ida wanted: ")
    assert list(mta.statuses.values()) == ["REINSTATED"]
    assert hooked.sweep() == []
    scene.later(10)
    assert hooked.hear(scene.alert("acme", "critical", "escalated")) == ["applied acme"]
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == ["lifted acme"]
    assert list(mta.statuses.values()) == ["ENABLED"]


def test_target_that_fails_is_asked_again_later_and_status_says_so(scene: Scene, mta: TargetStandIn) -> None:
    mta.answer = 503
    hooked = Hooked(scene, one_rung(kumo(mta.url), retry_s=10, max_retry_s=60))
    assert hooked.hear(scene.alert("acme"), scene.alert("globex")) == ["failed acme", "failed globex"]
    assert "answer 503: switched off" in hooked.said[0].text
    assert len(mta.asked) == 1, "who does not answer is not asked for everybody"
    for _ in range(20):
        scene.later(0.5)
        assert hooked.sweep() == []
    assert len(mta.asked) <= 14
    seen = read_hook(scene.store, 300, scene.now_ms)
    assert seen is not None
    assert len(seen.failing) == 1
    assert "answer 503: switched off" in seen.failing[0]
    mta.answer = 0
    scene.later(2)
    assert sorted(hooked.sweep()) == ["applied acme", "applied globex"]
    assert mta.tenants() == {"acme", "globex"}
    seen = read_hook(scene.store, 300, scene.now_ms)
    assert seen is not None
    assert (seen.failing, seen.in_force) == ((), 2)


def test_what_kumomta_forgets_is_given_again_and_what_others_gave_is_left_alone(
    scene: Scene, mta: TargetStandIn
) -> None:
    mta.suspended["globex", None, None] = {
        "id": "by-hand",
        "reason": "Ben said so",
        "tenant": "globex",
        "duration": "4m",
    }
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    assert hooked.hear(scene.alert("acme"), scene.alert("globex")) == ["applied acme", "applied globex"]
    assert "has one of somebody else, which is left alone: Ben said so" in hooked.text
    assert hooked.renew() == []
    mta.restart()
    assert sorted(hooked.renew()) == ["renewed acme", "renewed globex"]
    assert mta.tenants() == {"acme", "globex"}
    mta.suspended["acme", None, None]["duration"] = "11h 59m 3s"
    assert hooked.renew() == ["renewed acme"]
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == ["lifted acme"]
    late = mta.calls("POST")[0]
    mta.suspended["acme", None, None] = {"id": "late", "campaign": None, "domain": None, **late}
    assert hooked.renew() == ["cleared acme"], "a hook that was frozen had asked for it"
    assert mta.tenants() == {"globex"}


def test_only_one_of_two_hooks_acts(scene: Scene, mta: TargetStandIn) -> None:
    first, second = (Hooked(scene, one_rung(kumo(mta.url))) for _ in range(2))
    assert (first.holder, second.holder) == ("", first.context.lease.owner)
    sent = scene.alert("acme")
    with pytest.raises(LeaseLostError):
        second.hear(sent)
    assert mta.asked == []
    scene.later(1)
    assert second.context.lease.take() == "", "the first was silent for longer than its lease"
    assert second.hear(sent) == ["applied acme"]
    with pytest.raises(LeaseLostError):  # it was frozen, and wakes up
        first.engine.look("globex")
        first.hear(scene.alert("globex"))
    assert first.context.lease.take() == second.context.lease.owner
    assert [body["tenant"] for body in mta.calls("POST")] == ["acme"]


def test_hook_that_was_killed_is_followed_though_the_clock_was_set_back(store: Store) -> None:
    wall_ms, steady_s = [NOW_MS], [0.0]
    first, second = (Lease(store, "act", 30, lambda: wall_ms[0], lambda: steady_s[0]) for _ in range(2))
    assert first.take() == ""
    wall_ms[0] -= 3_600_000
    steady_s[0] = 100.0
    assert second.take() == first.owner
    steady_s[0] += 20.0
    assert second.take() == first.owner
    steady_s[0] += 11.0
    assert second.take() == "", "not in an hour"
    with pytest.raises(LeaseLostError):
        first.check()
    steady_s[0] += 11.0
    wall_ms[0] += 11_000
    assert second.take() == ""
    assert first.take() == second.owner


def test_ladder_of_a_restarted_hook_holds_for_what_was_done_before(scene: Scene, mta: TargetStandIn) -> None:
    hooked = Hooked(scene, one_rung(kumo(mta.url)))
    assert hooked.hear(scene.alert("acme", "excessive")) == ["applied acme"]
    hooked.stop()
    other = Hook(actions={"other": kumo(mta.url)}, ladder={"stop": LadderRung(level="critical", do=("other",))})
    hooked = Hooked(scene, other)
    assert hooked.sweep() == ["failed acme"]
    assert "there is no [hook.actions.kumo] any more: put it back" in hooked.text
    assert mta.tenants() == {"acme"}
    hooked.stop()
    scene.later(30)
    hooked = Hooked(scene, one_rung(kumo(mta.url), "critical"))
    assert hooked.sweep() == ["lifted acme"]
    assert not mta.suspended
