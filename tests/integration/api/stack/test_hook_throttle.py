"""KumoMTA slows tenants down: what stands in the file, and what nodes have read of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.stack.hook import make_target, no_mail
from jobs.hooks.targets.base import TargetError
from jobs.hooks.targets.kumomta_throttle import HEADER, KumoMtaThrottle
from schemas.hook import Hook, HookAction, LadderRung
from schemas.hook_check import HookError
from streams.io.store import Store
from tests.support.hook_targets import EVIL, TargetStandIn, order, target_stand_in
from tests.support.hooked import Hooked, Scene, kumo


@pytest.fixture
def node(tmp_path: Path) -> Iterator[TargetStandIn]:
    """A node with a file of the operator's own, and after it ours."""
    own, ours = tmp_path / "queues.toml", tmp_path / "repmon.toml"
    own.write_text("[tenant.acme]\negress_pool = 'a'\noverall_max_message_rate = '9/s'\n")
    ours.write_text("")
    with target_stand_in() as seen:
        seen.files = [own, ours]
        seen.read_files()
        yield seen


def action(node: TargetStandIn, **more: Any) -> HookAction:
    found = {"urls": (node.url,), "file": str(node.files[-1]), "rate": "60/min", "timeout_s": 5.0}
    return HookAction(kind="kumomta-throttle", **{**found, **more})


@pytest.fixture
def slow(node: TargetStandIn) -> KumoMtaThrottle:
    return KumoMtaThrottle("slow", action(node), "")


def test_tenant_has_the_rate_at_once_and_then_its_own_again(node: TargetStandIn, slow: KumoMtaThrottle) -> None:
    assert slow.apply(order(), {}).said == f"at most 60/min, in {node.files[-1]}"
    assert node.rate("acme") == "60/min"
    assert node.tenants_read["acme"]["egress_pool"] == "a", "its other settings stay"
    slow.apply(order(customer="globex", tag="1f"), {})
    assert slow.apply(order(), {}).said == "has 60/min already"
    assert slow.lift(order(operation="lift"), {}).said == f"at its own rate again, in {node.files[-1]}"
    assert (node.rate("acme"), node.rate("globex")) == ("9/s", "60/min")
    assert slow.lift(order(operation="lift"), {}).said == "has none any more"


@pytest.mark.parametrize("name", [EVIL, 'a"]\n[queue.default]\nx = "1', "\x7f\x00\t\\u0041", "é.ü\u2028\x85", "", "#"])
def test_no_name_breaks_out_of_the_file(node: TargetStandIn, slow: KumoMtaThrottle, name: str) -> None:
    asked = order(customer=name, reason=f"says {name}")
    if not name:
        with pytest.raises(TargetError, match="that would slow everybody down"):
            slow.apply(asked, {})
        return
    slow.apply(asked, {})
    assert set(node.tenants_read) == {"acme", name}
    assert node.rate(name) == "60/min"
    assert slow.renew(asked, {}) is None, "it is read back as it was written"
    slow.lift(asked, {})
    assert set(node.tenants_read) == {"acme"}


def test_node_that_did_not_answer_is_asked_again_though_the_file_has_the_rate(
    node: TargetStandIn, slow: KumoMtaThrottle
) -> None:
    for operation, rate in (("apply", "60/min"), ("lift", "9/s")):
        node.answer = 503
        do = slow.apply if operation == "apply" else slow.lift
        with pytest.raises(TargetError, match="answer 503"):
            do(order(operation=operation), {})
        node.answer = 0
        do(order(operation=operation, repeated=True), {})
        assert node.rate("acme") == rate


def test_what_the_file_lost_or_has_otherwise_is_set_again(node: TargetStandIn, slow: KumoMtaThrottle) -> None:
    slow.apply(order(), {})
    node.files[-1].unlink()
    done = slow.renew(order(), {})
    assert done is not None
    assert done.said.startswith("had lost it: at most 60/min again")
    assert node.rate("acme") == "60/min"
    stricter = KumoMtaThrottle("slow", action(node, rate="10/min"), "")
    assert stricter.renew(order(), {}) is not None
    assert node.rate("acme") == "10/min"


def test_what_came_late_is_taken_away_and_what_is_in_force_stays(node: TargetStandIn, slow: KumoMtaThrottle) -> None:
    slow.apply(order(), {})
    slow.apply(order(customer="globex", tag="1f"), {})
    assert slow.clear(["1f"]) == [f"repmon 1f: critical failure 14.20 %: removed, in {node.files[-1]}"]
    assert set(node.tenants_read) == {"acme"}
    assert slow.clear(["1f"]) == []


def test_tenant_of_another_customer_and_a_file_of_others_are_left_alone(
    node: TargetStandIn, slow: KumoMtaThrottle
) -> None:
    slow.apply(order(), {})
    assert "left alone" in slow.apply(order(tag="1f"), {}).said
    assert "left alone" in slow.lift(order(tag="1f", operation="lift"), {}).said
    assert node.rate("acme") == "60/min"
    for text in ("[tenant.acme]\nmax_age = '1h'\n", f"{node.files[-1].read_text()}[tenant.mine]\n", f"{HEADER}\n"):
        node.files[-1].write_text(text)
        with pytest.raises(TargetError, match="has more in it than repmon wrote there, and is left alone"):
            slow.apply(order(customer="globex"), {})
        assert node.files[-1].read_text() == text


def test_file_that_cannot_be_written_is_named(node: TargetStandIn, tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(TargetError, match=r"slow: .*folder\.toml: Is a directory"):
        KumoMtaThrottle("slow", action(node, file=str(tmp_path / "folder.toml")), "").apply(order(), {})
    with pytest.raises(HookError, match=r"hook\.actions\.slow\.file: .*: there is no such folder"):
        make_target("slow", action(node, file=str(tmp_path / "none" / "a.toml")), no_mail)


def test_ladder_slows_down_then_stops_and_steps_back(node: TargetStandIn, store: Store) -> None:
    scene = Scene(store)
    scene.mail(["acme"])
    hook = Hook(
        actions={"slow": action(node), "kumo": kumo(node.url)},
        ladder={
            "slow": LadderRung(level="warning", do=("slow",)),
            "stop": LadderRung(level="critical", do=("kumo",)),
        },
    )
    dry = Hooked(scene, hook, "dry")
    assert dry.hear(scene.alert("acme", "warning")) == ["applied acme"]
    assert "would slow down acme by slow: warning failure" in dry.text
    assert node.rate("acme") == "9/s"
    hooked = Hooked(scene, hook)
    assert hooked.hear(scene.alert("acme", "warning", "escalated")) == ["applied acme"]
    assert (node.rate("acme"), node.tenants()) == ("60/min", set())
    assert hooked.hear(scene.alert("acme", "critical", "escalated")) == ["applied acme"]
    assert (node.rate("acme"), node.tenants()) == ("60/min", {"acme"})
    assert hooked.hear(scene.alert("acme", "warning", "de-escalated")) == ["lifted acme"]
    assert (node.rate("acme"), node.tenants()) == ("60/min", set())
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == ["lifted acme"]
    assert node.rate("acme") == "9/s"


def test_slow_down_ends_where_an_operator_allows_no_such_level(node: TargetStandIn, store: Store) -> None:
    scene = Scene(store)
    scene.mail(["acme"])
    hooked = Hooked(
        scene, Hook(actions={"slow": action(node)}, ladder={"slow": LadderRung(level="warning", do=("slow",))})
    )
    assert hooked.hear(scene.alert("acme", "warning")) == ["applied acme"]
    assert hooked.hear(scene.alert("acme", "watch", "overridden")) == ["lifted acme"]
    assert node.rate("acme") == "9/s"
