"""What the page on webhooks says is what the collector does."""

import re
from pathlib import Path

import pytest

from api.collect.certificates import Certificates
from api.collect.pieces import BATCHED
from api.collect.schemes import DAY_S, SCHEMES, TRY_S
from api.collect.sources import prepare
from schemas.collect import Collect
from schemas.settings_file import load_settings
from tests.support.root import ROOT

PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
AGES = {None: "", TRY_S: "5 min", DAY_S: "24 h"}


def test_example_can_be_started(tmp_path: Path) -> None:
    file = tmp_path / "repmon.toml"
    file.write_text(PAGE.split("```toml\n")[1].split("```")[0])
    settings = load_settings(file, {})
    sources = prepare(settings.collect.sources, Certificates())
    addresses = [
        f"http://127.0.0.1:8090/collect/{each.format_name}/{name} -> {each.topic}" for name, each in sources.items()
    ]
    assert "\n".join(addresses) in PAGE
    assert settings.collect.port == 8090


@pytest.mark.parametrize("format_name", SCHEMES)
def test_every_format_that_signs_is_there_with_what_it_needs_and_for_how_long(format_name: str) -> None:
    ((needs, age),) = re.findall(rf"^\| `{format_name}` \| (.*?) \|.*\|([^|]*)\|$", PAGE, re.MULTILINE)
    assert needs.startswith(f"`{SCHEMES[format_name].needs}`")
    assert age.strip() == AGES[SCHEMES[format_name].oldest_s]


def test_limits_are_those_of_the_settings() -> None:
    collect = Collect()
    assert f"`body_s` ({collect.body_s:g} s)" in PAGE
    assert f"`max_bytes` ({collect.max_bytes:,}," in PAGE
    assert f"`batch_bytes` ({collect.batch_bytes:,})" in PAGE
    words = {name.lower() for name in re.findall(r"[A-Z]\w+", PAGE.partition("as Brevo")[2].partition(" send them")[0])}
    assert words | {"brevo"} == BATCHED
    assert f"`acknowledge_s` ({collect.acknowledge_s:g} s)" in PAGE
    assert f"`max_inflight_bytes` ({collect.max_inflight_bytes // 1_000_000} MB)" in PAGE
