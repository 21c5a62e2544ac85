"""Routes in the settings: what is wrong is said at the start, with its name and what mends it; secrets stay hidden."""

from pathlib import Path

import pytest

from jobs.notify.events import read_event
from jobs.notify.targets.target import senders
from jobs.notify.templates import Words
from schemas.notify import Chat, Email, NotifyError, Webhook
from schemas.secrets import shown
from schemas.settings import Settings, SettingsError
from schemas.settings_file import load_settings
from tests.support.root import ROOT
from tests.support.told import HOOK, KEY, a_route, told

HOOK_TARGET = (
    f'[notify.routes.target]\nkind = "webhook"\nurl = "https://hooks.example/x?token=s3cret"\nsecrets = ["{KEY}"]\n'
)
PAGER_TARGET = '[notify.routes.target]\nkind = "pagerduty"\nrouting_key = "s3cret"\n'
MAIL_TARGET = '[notify.routes.target]\nkind = "email"\nto = ["ops@esp.example"]\nsender = "repmon@esp.example"\n'
CHAT_TARGET = '[notify.routes.target]\nkind = "chat"\nurl = "slack://s3cret"\n'


def read(folder: Path, text: str) -> Settings:
    file = folder / "repmon.toml"
    file.write_text(f'[[notify.routes]]\nname = "a"\n{text}')
    return load_settings(file, {})


@pytest.mark.parametrize("target", [HOOK_TARGET, PAGER_TARGET, MAIL_TARGET, CHAT_TARGET])
def test_no_secret_of_a_route_is_shown(tmp_path: Path, target: str) -> None:
    settings = read(tmp_path, target)
    for text in (repr(settings), str(shown(settings.notify))):
        assert "s3cret" not in text
        assert KEY not in text
    assert shown(settings.notify)["routes"][0]["target"]["kind"] in target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("levels = ['bad']\n" + HOOK_TARGET, "levels"),
        ("metrics = ['failures']\n" + HOOK_TARGET, "metrics"),
        ("colour = 1\n" + HOOK_TARGET, "colour"),
        ("", "target"),
        ("[notify.routes.target]\nkind = 'sms'\n", "target.kind: there is no 'sms'; there are webhook, alertmanager"),
        (
            "events = ['alert.*', 'alert.opend']\n" + HOOK_TARGET,
            "events: there is no type 'alert.opend'; there are alert.",
        ),
        ("digest_minutes = 5\n" + PAGER_TARGET, "digest_minutes: pagerduty groups by itself; leave it out"),
        ("kinds = ['opened']\n" + PAGER_TARGET, "kinds: pagerduty must hear of every change"),
        ("events = ['incident.*']\n" + PAGER_TARGET, "events: pagerduty takes alerts alone"),
        (PAGER_TARGET + "routing_key_file = 'k'\n", "give `routing_key` or `routing_key_file`, not both"),
        ("[notify.routes.target]\nkind = 'chat'\n", "target.url: is missing; give `url` or `url_file`"),
        (MAIL_TARGET + "user = 'x'\n", "target.user: a user needs a password"),
        (MAIL_TARGET + "user = 'x'\npassword = 'y'\ntls = 'none'\n", "target.tls: a password is sent encrypted alone"),
        (MAIL_TARGET.replace("ops@esp.example", "ops\\r\\nBcc: x@y"), "target.to: 'ops"),
        ("quiet = { zone = 'Europe/Berlim', begin = '22:00', end = '07:00' }\n" + HOOK_TARGET, "no time zone"),
        ("quiet = { begin = '10 pm', end = '07:00' }\n" + HOOK_TARGET, "quiet.begin: '10 pm' is not a time of day"),
        ("quiet = { begin = '07:00', end = '07:00' }\n" + HOOK_TARGET, "quiet.end: is the same as `begin`"),
        (HOOK_TARGET.replace("https", "ftp"), "target.url: 'ftp://hooks.example/x?***' is not an http or https"),
        (HOOK_TARGET.replace("//hooks", "//me:s3cret@hooks"), "target.url: must not hold a user or password"),
        (HOOK_TARGET + f'[[notify.routes]]\nname = "a"\n{HOOK_TARGET}', "'a': two routes have this name"),
    ],
)
def test_what_is_wrong_of_a_route_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, text)
    assert message in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert "notify.routes" in str(raised.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Webhook(url=HOOK.url, secrets=("whsec_short",)), "target.secrets: a key is not base64"),
        (Webhook(url=HOOK.url, secrets=("whsec_c2hvcnQ=",)), "a key has 5 bytes, and must have 24 to 64"),
        (Webhook(url=HOOK.url, secret_files=("/no/such",)), "target.secret_files: /no/such: cannot be read"),
        (Webhook(url=HOOK.url, secrets=(KEY,), ca_file="/no/such"), "target.ca_file: cannot be used"),
        (Chat(url="nosuch://x"), "Apprise does not know such an address (nosuch://...)"),
        (
            Email(to=("a@b.example",), sender="c@d.example", subject="$lvel of $customer"),
            "target.subject: line 1: there is no name `$lvel`; there are kind, subject,",
        ),
        (
            Email(to=("a@b.example",), sender="c@d.example", subject="$ 5"),
            "target.subject: line 1, col 1: a `$` without",
        ),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(target: Webhook | Chat | Email, message: str) -> None:
    with pytest.raises(NotifyError) as raised:
        senders([a_route(target=target, allow_private=True)])
    assert str(raised.value).startswith("notify.routes, 'hook': target.")
    assert message in str(raised.value)


def test_template_that_fails_is_named_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("Dear all,\n\n$costumer is bad.\n")
    with pytest.raises(NotifyError, match=r"text\.txt: line 3: there is no name `\$costumer`"):
        Words("$level", str(file))


def test_hostile_names_stay_text_in_one_line() -> None:
    words = Words("[$level] $customer")
    line = words.subject([told(customer="a\r\nBcc: everybody@esp.example\u202e$level")])
    assert line == "[critical] a  Bcc: everybody@esp.example $level"
    assert "$explanation" not in words.text([told()])


def test_what_is_no_alert_is_told_by_its_fields() -> None:
    example = ROOT / "schemas" / "examples" / "reputation.alerts.customer" / "valid" / "suspended.json"
    event = read_event(example.read_bytes())
    words = Words("[$level] $customer")
    assert words.subject([event]) == f"customer.suspended: {event.subject}"
    lines = words.text([event]).splitlines()
    assert f"customer: {event.customer}" in lines
    assert "kind: suspended" in lines
    assert any(line.startswith("decided: 20") and line.endswith("Z") for line in lines)
