"""The settings of the hook: what would stop others' mail, or cannot work, is named before anything starts."""

import re
from pathlib import Path
from typing import Any

import pytest

from schemas.hook import HookAction
from schemas.hook_check import HookError, check_files
from schemas.settings import SettingsError
from schemas.settings_file import load_settings

KUMO = 'kind = "kumomta"\nurls = ["http://kumo:8000"]\n'
SLOW = 'kind = "kumomta-throttle"\nurls = ["http://kumo:8000"]\nfile = "/etc/slow.toml"\nrate = "60/min"\n'
CASES = {
    "a rate that KumoMTA does not take": (
        f"[hook.actions.slow]\n{SLOW.replace('60/min', '60 per minute')}",
        "hook.actions.slow.rate: must be a number above 0 and a time, such as 60/min",
    ),
    "a rate of nothing": (
        f"[hook.actions.slow]\n{SLOW.replace('60', '0')}",
        "hook.actions.slow.rate: must be a number",
    ),
    "a file by half of its path": (
        f"[hook.actions.slow]\n{SLOW.replace('/etc/slow', 'slow')}",
        "hook.actions.slow.file: must be the whole path of a file that ends in .toml",
    ),
    "a rate for everybody": (
        f'[hook.actions.slow]\n{SLOW}tenant = "all"',
        "hook.actions.slow.tenant: has no {customer} in it",
    ),
    "a rate for a stream": (
        f'[hook.actions.slow]\n{SLOW}[hook.ladder.slow]\nlevel = "warning"\ndo = ["slow"]\nscopes = ["stream"]',
        "hook.actions.slow: hook.ladder.slow.scopes names stream, but KumoMTA keeps a rate for a tenant as a whole",
    ),
    "one file for two rates": (
        f"[hook.actions.slow]\n{SLOW}[hook.actions.slower]\n{SLOW}",
        "hook.actions: /etc/slow.toml is the file of two of them",
    ),
    "an action that is not there": (
        '[hook.ladder.stop]\nlevel = "critical"\ndo = ["kumo"]',
        "hook.ladder.stop.do: there is no [hook.actions.kumo]; there are none",
    ),
    "a level that nobody is at": (
        f'[hook.actions.kumo]\n{KUMO}[hook.ladder.stop]\nlevel = "good"\ndo = ["kumo"]',
        "hook.ladder.stop.level: nobody is acted on who is good",
    ),
    "all mail of everybody": (
        f'[hook.actions.kumo]\n{KUMO}tenant = ""',
        "hook.actions.kumo.tenant: neither tenant nor campaign nor domain has {customer} in it",
    ),
    "all mail of a customer for a stream": (
        f'[hook.actions.kumo]\n{KUMO}[hook.ladder.stop]\nlevel = "critical"\ndo = ["kumo"]\nscopes = ["stream"]',
        "hook.actions.kumo: hook.ladder.stop.scopes names stream, but neither tenant nor campaign nor",
    ),
    "a setting of another kind": (
        f'[hook.actions.kumo]\n{KUMO}command = ["true"]',
        "hook.actions.kumo.command: is nothing that kumomta takes",
    ),
    "a name that stands for nothing": (
        f'[hook.actions.kumo]\n{KUMO}campaign = "{{stram}}"',
        "hook.actions.kumo.campaign: {stram} stands for nothing; there are customer, stream,",
    ),
    "a body that is no JSON": (
        '[hook.actions.slow]\nkind = "http"\nurls = ["http://h/"]\nbody = \'{"who": {customer}}\'',
        "hook.actions.slow.body: is no JSON",
    ),
    "two addresses": (
        '[hook.actions.slow]\nkind = "http"\nurls = ["http://h/", "http://i/"]',
        "hook.actions.slow.urls: must be one address",
    ),
    "an address that is none": (
        '[hook.actions.slow]\nkind = "http"\nurls = ["ftp://h/"]',
        "hook.actions.slow.urls: 'ftp://h/' is not an http or https address",
    ),
    "a key that is none": (
        '[hook.actions.slow]\nkind = "http"\nurls = ["http://h/"]\nsigning_keys = ["whsec_short"]',
        "hook.actions.slow.signing_keys: a key is `whsec_` and base64 of 24 to 64 bytes",
    ),
    "a name in an argument": (
        '[hook.actions.run]\nkind = "command"\ncommand = ["stop", "{customer}"]',
        "hook.actions.run.command: nothing is put into arguments",
    ),
    "a command that may take longer than anybody waits": (
        '[hook.actions.run]\nkind = "command"\ncommand = ["stop"]\ntimeout_s = 601',
        "hook.actions.run.timeout_s",
    ),
    "SES for a stream": (
        '[hook.actions.ses]\nkind = "ses"\nregion = "eu-west-1"\n'
        '[hook.ladder.stop]\nlevel = "critical"\ndo = ["ses"]\nscopes = ["stream"]',
        "hook.actions.ses: hook.ladder.stop.scopes names stream, but a tenant of SES is stopped as a whole",
    ),
    "a name in an address that stands for nothing": (
        '[hook.actions.slow]\nkind = "http"\nurls = ["http://h/{custmer}"]',
        "hook.actions.slow.urls: {custmer} stands for nothing; there are customer,",
    ),
    "a request about all mail for a stream": (
        '[hook.actions.slow]\nkind = "http"\nurls = ["http://h/{customer}"]\nbody = \'{"stop": true}\'\n'
        '[hook.ladder.stop]\nlevel = "critical"\ndo = ["slow"]\nscopes = ["stream"]',
        "hook.actions.slow: hook.ladder.stop.scopes names stream, but neither its address nor body has {stream}",
    ),
    "a level that there is none of, on the second rung": (
        f'[hook.actions.kumo]\n{KUMO}[hook.ladder.one]\nlevel = "critical"\ndo = ["kumo"]\n'
        '[hook.ladder.two]\nlevel = "crit"\ndo = ["kumo"]',
        "hook.ladder.two.level: there is no 'crit'; there are critical, excessive, good, warning, watch",
    ),
    "a setting that there is none of": (
        f'[hook.actions.kumo]\n{KUMO}[hook.actions.slow]\nkind = "http"\nurl = "http://h/"',
        "hook.actions.slow: Object contains unknown field `url`",
    ),
    "a mail from nobody": (
        '[hook.actions.tell]\nkind = "mail"\nhost = "smtp"',
        "hook.actions.tell.sender: '' is no mail address",
    ),
}


@pytest.mark.parametrize(("text", "said"), CASES.values(), ids=CASES)
def test_what_cannot_be_meant_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "repmon.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(file, {})
    assert said in str(refused.value)


def test_settings_of_the_page_are_taken(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "suspending.md").read_text(encoding="utf-8")
    text = page.split("```toml\n")[1].split("```")[0]
    file = tmp_path / "repmon.toml"
    file.write_text(text, encoding="utf-8")
    hook = load_settings(file, {}).hook
    assert set(hook.actions) == {"slow", "panel", "kumo", "kumo-stream", "tell"}
    assert [each.level for each in hook.ladder.values()] == ["excessive", "critical", "critical"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"kind": "command", "command": ("no-such-program", "x")},
            "command: no-such-program: there is no such program",
        ),
        ({"kind": "command", "command": ("true",)}, ""),
        ({"kind": "mail", "ca_file": "gone.pem"}, "ca_file: gone.pem: No such file or directory"),
        ({"kind": "mail", "ca_file": __file__}, f"ca_file: {__file__}: no certificates as PEM"),
    ],
)
def test_what_an_action_needs_of_this_machine_is_looked_for_at_the_start(settings: dict[str, Any], said: str) -> None:
    action = HookAction(**settings)
    if not said:
        check_files("run", action)
        return
    with pytest.raises(HookError, match=re.escape(f"hook.actions.run.{said}")):
        check_files("run", action)
