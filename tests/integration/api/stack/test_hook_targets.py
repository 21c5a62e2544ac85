"""What each kind of target is asked, and what becomes of its answers."""

import json
import re
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from standardwebhooks import Webhook

from api.stack.hook import mail_kind, make_context
from jobs.hooks.targets.base import Order, TargetError
from jobs.hooks.targets.command import CommandTarget
from jobs.hooks.targets.http import HttpTarget
from jobs.hooks.targets.kumomta import KumoMta, seconds_of
from jobs.hooks.targets.mail import MailTarget
from jobs.operator.customers import set_customer
from schemas.hook import Hook, HookAction, LadderRung
from schemas.settings import SettingsError
from streams.io.store import Store
from tests.support.hook_targets import EVIL, TargetStandIn, order, target_stand_in
from tests.support.hooked import Hooked, Scene, kumo, one_rung
from tests.support.raw_server import drips, ends_after, raw_server
from tests.support.raw_smtp import Says, Server
from tests.support.real_kafka import free_ports


@pytest.fixture
def there(stand_in: TargetStandIn) -> TargetStandIn:
    stand_in.suspended.clear()
    stand_in.asked.clear()
    stand_in.answer, stand_in.fields = 0, {}
    return stand_in


def test_request_is_made_of_texts_and_no_name_breaks_out_of_them(there: TargetStandIn) -> None:
    action = HookAction(
        kind="http",
        urls=(f"{there.url}/tenants/{{customer}}",),
        body='{"who": "{customer}", "why": "{reason}", "not_ours": "{other}"}',
        lift_method="DELETE",
        headers={"Authorization": "Bearer secret"},
    )
    target = HttpTarget("slow", action, "")
    assert target.apply(order(customer=EVIL), {}).said == "noted"
    target.lift(order(operation="lift"), {})
    (method, path, body, headers), (lift, lift_path, _, _) = there.asked
    assert (method, lift, lift_path) == ("POST", "DELETE", "/tenants/acme")
    assert path == "/tenants/a%22%7D%2C%20%7B%22tenant%22%3A%20null%5C%20%E2%80%AE%0A%24%28reboot%29"
    assert body == {"who": EVIL, "why": "critical failure 14.20 %", "not_ours": "{other}"}
    assert headers["Authorization"] == "Bearer secret"
    assert headers["webhook-id"] == "0c44b1f09a3e-1-apply"
    assert "secret" not in target.shown(order())


def test_signed_request_is_read_with_either_key_by_standard_webhooks(there: TargetStandIn) -> None:
    keys = [f"whsec_{b64encode(bytes(range(number, number + 32))).decode()}" for number in (0, 1)]
    action = HookAction(kind="http", urls=(there.url,), signing_keys=tuple(keys))
    HttpTarget("slow", action, "").apply(order(), {})
    ((_, _, body, headers),) = there.asked
    raw = json.dumps(body, separators=(",", ":"))
    for key in keys:
        assert Webhook(key).verify(raw, {name.lower(): value for name, value in headers.items()}) == body
    assert body["customer"] == "acme"


@pytest.mark.parametrize(
    ("begin", "again"),
    [(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")],
)
def test_answer_that_comes_byte_by_byte_has_its_time_and_no_longer(begin: bytes, again: bytes) -> None:
    """Its fields had any, and everybody waited: a hook does one thing after the other."""
    with raw_server(drips(begin, again)) as port:
        target = HttpTarget("slow", HookAction(kind="http", urls=(f"http://127.0.0.1:{port}",), timeout_s=0.5), "")
        with pytest.raises(TargetError, match="no whole answer in time"):
            target.apply(order(), {})


@pytest.mark.parametrize(
    "answer",
    [
        b"Content-Type: text/pl",
        b"Content-Length: 9\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\nmany\r\n",
        b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
    ],
)
def test_answer_that_is_cut_off_is_a_failed_try(answer: bytes) -> None:
    """The hook ended with an error of a library that nobody expected."""
    with raw_server(ends_after(b"HTTP/1.1 200 OK\r\n" + answer)) as port:
        target = HttpTarget("odd", HookAction(kind="http", urls=(f"http://127.0.0.1:{port}",)), "")
        with pytest.raises(TargetError, match=r"^odd: http"):
            target.apply(order(), {})


@pytest.mark.parametrize(
    "body", [b"<html>", b'["\xff"]', b'{"id": "\xff"}', b"[" * 100_000, b'{"id": 1}', b"[1]", b"null"]
)
def test_answer_of_kumomta_that_is_none_is_a_failed_try(body: bytes) -> None:
    with raw_server(ends_after(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)) as port:
        target = KumoMta("kumo", kumo(f"http://127.0.0.1:{port}"), "")
        with pytest.raises(TargetError, match=r"^kumo: "):
            target.apply(order(), {})


def test_mail_server_that_comes_to_no_end_has_its_time_and_no_longer() -> None:
    with raw_server(drips(b"220-", b"y\r\n220-", first=True)) as port:
        action = HookAction(kind="mail", host="127.0.0.1", port=port, tls="none", sender="a@esp.example", timeout_s=0.5)
        target = MailTarget("tell", action, "", lambda _order: ("b@acme.example", EmailMessage()), time.time)
        with pytest.raises(TargetError, match="no whole answer in time"):
            target.apply(order(), {})


@pytest.mark.parametrize(("asked", "waited_s"), [("600", 600), ("", 5), ("999999999", 900), ("soon", 5)])
def test_target_that_asks_to_be_left_alone_is_for_so_long_and_no_longer(
    there: TargetStandIn, store: Store, asked: str, waited_s: int
) -> None:
    scene = Scene(store)
    scene.mail(["acme"])
    hooked = Hooked(scene, one_rung(kumo(there.url)))
    there.answer, there.fields = 429, {"Retry-After": asked}
    assert hooked.hear(scene.alert("acme")) == ["failed acme"]
    there.answer, there.fields = 0, {}
    scene.later((waited_s - 1) / 60)
    assert hooked.sweep() == []
    scene.later(1 / 60)
    assert hooked.sweep() == ["applied acme"]


def test_password_of_a_netrc_takes_no_header_of_the_settings_away(
    there: TargetStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    action = HookAction(kind="http", urls=(there.url,), headers={"Authorization": "Bearer ours"})
    HttpTarget("slow", action, "").apply(order(), {})
    assert there.asked[0][3]["Authorization"] == "Bearer ours"


def test_suspension_of_everybody_is_never_asked_for(there: TargetStandIn) -> None:
    action = HookAction(kind="kumomta", urls=(there.url,), tenant="{stream}")
    with pytest.raises(TargetError, match="that would suspend everybody"):
        KumoMta("kumo", action, "").apply(order(), {})
    assert there.calls("POST") == []


def test_every_node_is_suspended_and_lifted_whatever_was_done_of_it_before(there: TargetStandIn) -> None:
    with target_stand_in() as second:
        target = KumoMta("kumo", HookAction(kind="kumomta", urls=(there.url, second.url)), "")
        target.apply(order(), {})
        second.restart()
        target.apply(order(repeated=True), {})
        assert len(there.calls("POST")) == 1
        assert len(second.calls("POST")) == 2
        there.restart()
        assert "removed" in target.lift(order(operation="lift"), {}).said
        assert not second.suspended


def test_durations_are_read_as_kumomta_writes_them() -> None:
    assert seconds_of("23h 59m 58s 12ms") == pytest.approx(86_398.012)
    assert seconds_of("1day") == 86_400
    assert seconds_of("soon") == 0


SCRIPT = """
import json, os, sys
order = json.load(sys.stdin)
with open(sys.argv[1], "a") as out:
    json.dump([order, {k: v for k, v in os.environ.items() if k.startswith(("HOOK_", "REPMON_"))}, sys.argv[2:]], out)
print("did it")
sys.exit(int(os.environ["HOOK_LEVEL"] == "excessive"))
"""


def test_command_is_told_on_standard_input_and_by_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPMON_CLICKHOUSE__PASSWORD", "secret")
    out = tmp_path / "out"
    action = HookAction(kind="command", command=(sys.executable, "-c", SCRIPT, str(out), "fixed"), timeout_s=20)
    target = CommandTarget("run", action)
    assert target.apply(order(customer=EVIL), {}).said == "did it"
    told, environment, arguments = json.loads(out.read_text())
    assert told["customer"] == environment["HOOK_CUSTOMER"] == EVIL
    assert (environment["HOOK_OPERATION"], environment["HOOK_ID"]) == ("apply", "0c44b1f09a3e-1-apply")
    assert "REPMON_CLICKHOUSE__PASSWORD" not in environment
    assert arguments == ["fixed"]
    with pytest.raises(TargetError, match="run: exit code 1: did it"):
        target.apply(order(level="excessive"), {})
    sleeps = (sys.executable, "-c", "import time; time.sleep(60)")
    slow = HookAction(kind="command", command=sleeps, timeout_s=0.5)
    with pytest.raises(TargetError, match=r"not done within 0.5 s, killed"):
        CommandTarget("slow", slow).apply(order(), {})


def test_mail_that_cannot_be_written_or_addressed_fails_and_ends_nothing() -> None:
    def fails(_order: Order) -> tuple[str, EmailMessage]:
        raise SettingsError("letter.txt: line 3: there is no `custmer`")

    action = HookAction(kind="mail", host="127.0.0.1", port=9, tls="none", sender="abuse@example.com")
    with pytest.raises(TargetError, match=r"tell: letter.txt: line 3"):
        MailTarget("tell", action, "", fails, lambda: 0.0).apply(order(), {})


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ({"hello": b"554 no mail here\r\n"}, "554 no mail here"),
        ({"hello": b"HTTP/1.1 400 Bad Request\r\n"}, "1.1 400 Bad Request"),
        ({"MAIL": b"451 later\r\n"}, "451 later"),
        ({"RCPT": b"550 nobody\r\n"}, "550 nobody"),
        ({"DATA": b"451 not now\r\n"}, "451 not now"),
        ({"dot": b"554 no\r\n"}, "554 no"),
        ({"dot": None}, "unexpectedly closed"),
    ],
)
def test_mail_that_a_server_does_not_take_was_told_to_nobody(says: Says, said: str) -> None:
    with raw_server(Server(**says)) as port:
        action = HookAction(kind="mail", host="127.0.0.1", port=port, tls="none", sender="a@esp.example", timeout_s=2.0)
        target = MailTarget("tell", action, "", lambda _order: ("b@acme.example", EmailMessage()), time.time)
        with pytest.raises(TargetError, match=re.escape(said)):
            target.apply(order(), {})


@pytest.mark.parametrize("bye", [b"421 shutting down\r\n", None])
def test_customer_is_told_though_nobody_may_have_the_copy(bye: bytes | None) -> None:
    """The customer heard of nothing while the mailbox for copies was full."""

    class NoCopy(Server):
        def answer(self, asked: str, line: bytes) -> bytes | None:
            full = asked == "RCPT" and b"<copies@" in line
            return b"452 4.2.2 full\r\n" if full else super().answer(asked, line)

    with raw_server(NoCopy(QUIT=bye)) as port:
        action = HookAction(
            kind="mail", host="127.0.0.1", port=port, tls="none", sender="a@esp.example", bcc="copies@esp.example"
        )
        target = MailTarget("tell", action, "", lambda _order: ("b@acme.example", EmailMessage()), time.time)
        said = target.apply(order(), {}).said
    assert said == "told b@acme.example: 250 taken (no copy to copies@esp.example: 452 4.2.2 full)"


class Mailbox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.refuses = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuses:
            return "451 come again"
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, HookAction]]:
    box = Mailbox()
    (port,) = free_ports(1)
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    sender, reply_to = "Abuse desk <abuse@example.com>", "help@example.com"
    yield box, HookAction(kind="mail", host="127.0.0.1", port=port, tls="none", sender=sender, reply_to=reply_to)
    controller.stop()


def listed(scene: Scene) -> None:
    """The list of customers has acme's address."""
    to = "ops@acme.example"
    set_customer(scene.store, "acme", plan="", domains=(), contact=to, by="Ida", why="", now_ms=scene.now_ms)


@pytest.mark.usefixtures("standing_clock")
def test_customer_is_told_what_was_done_after_it_was_and_when_it_is_over(
    store: Store, there: TargetStandIn, mailbox: tuple[Mailbox, HookAction]
) -> None:
    box, tell = mailbox
    scene = Scene(store)
    scene.mail(["acme", "globex"])
    listed(scene)
    hook = Hook(
        actions={"kumo": kumo(there.url), "tell": tell},
        ladder={"stop": LadderRung(level="excessive", do=("tell", "kumo"))},
    )
    hooked = Hooked(scene, hook)
    there.answer = 503
    assert hooked.hear(scene.alert("acme")) == ["failed acme"]
    assert box.mails == [], "nothing is told that was not done"
    there.answer = 0
    scene.later(1)
    assert hooked.sweep() == ["applied acme", "applied acme"]
    (mail,) = box.mails
    assert (mail["To"], mail["From"], mail["Reply-To"]) == ("ops@acme.example", tell.sender, "help@example.com")
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_payload(0).get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "stopped" in text
    scene.later(60)
    box.refuses = True
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == ["lifted acme", "failed acme"]
    assert "451 come again" in hooked.text
    box.refuses = False
    scene.later(1)
    assert hooked.sweep() == ["lifted acme"]
    ids = [each["Message-ID"].partition("-")[2] for each in box.mails]
    assert ids == ["1-apply@example.com>", "1-lift@example.com>"]
    assert hooked.hear(scene.alert("globex")) == ["applied globex", "applied globex"]
    assert "nobody was told: the list of customers has no address" in hooked.text


@pytest.mark.usefixtures("standing_clock")
def test_customer_is_told_once_more_of_something_worse_and_once_that_all_is_over(
    store: Store, there: TargetStandIn, mailbox: tuple[Mailbox, HookAction]
) -> None:
    box, tell = mailbox
    scene = Scene(store)
    scene.mail(["acme"])
    listed(scene)
    hook = Hook(
        actions={"kumo": kumo(there.url), "tell": tell},
        ladder={
            "warn": LadderRung(level="warning", do=("tell",)),
            "stop": LadderRung(level="critical", do=("kumo", "tell")),
        },
    )
    hooked = Hooked(scene, hook)
    assert hooked.hear(scene.alert("acme", "warning")) == ["applied acme"]
    assert hooked.hear(scene.alert("acme", "critical", "escalated")) == ["applied acme", "applied acme"]
    assert len(box.mails) == 2
    assert hooked.hear(scene.alert("acme", "good", "resolved")) == ["lifted acme", "lifted acme"]
    assert len(box.mails) == 3
    dry = make_context(hooked.settings, store, hooked.said.append, "dry")
    assert dry.targets["tell"].shown(order()).startswith("mail to ops@acme.example: ")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "suspended"),
        ({"operation": "lift"}, "lifted"),
        ({"about": "throttle", "level": "warning"}, "slowed"),
        ({"about": "throttle", "operation": "lift"}, "unslowed"),
        ({"about": "notify", "level": "warning"}, "warning"),
        ({"about": "notify", "operation": "lift"}, "resolved"),
    ],
)
def test_customer_is_told_what_was_done_or_else_what_the_alert_says(changes: dict[str, Any], kind: str) -> None:
    assert mail_kind(order(**changes)) == kind
