"""`repmon status`: a page or one JSON object, and an exit code; where stages are asked."""

import json
import socket
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from api.cli import status
from api.cli.main import app
from api.stack.status import ask_stage
from api.text.status import StatusSeen
from schemas.settings import Settings, SettingsError
from tests.support.status_seen import NO_BROKER, NO_STORE, SEEN


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[StatusSeen]:
    """What is seen is the first of the list."""
    found = [SEEN]

    def read_status(_settings: Settings, _running: str, named: Any, *, watch_s: float) -> StatusSeen:
        assert (list(named), watch_s) == (["http://ingest:9100"], 0.5)
        return found[0]

    monkeypatch.setattr(status, "read_status", read_status)
    return found


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["status", "--stage", "http://ingest:9100", "--watch", "0.5", *words])
    return done.exit_code, done.stdout


def test_page_and_exit_code(seen: list[StatusSeen]) -> None:
    code, text = run()
    assert (code, text.splitlines()[0]) == (0, "repmon at 2026-11-18T11:06:40.000Z: well")
    seen[0] = msgspec.structs.replace(SEEN, **NO_STORE)
    assert run()[0] == 1
    seen[0] = msgspec.structs.replace(SEEN, **{**NO_STORE, **NO_BROKER, "stages": ()})
    assert run()[0] == 2


def test_the_same_as_one_object(seen: list[StatusSeen]) -> None:
    seen[0] = msgspec.structs.replace(SEEN, missing_topics=("mail.events",))
    code, text = run("--json")
    found = json.loads(text)
    assert (code, found["exit_code"]) == (1, 1)
    states = {each["part"]: each["state"] for each in found["parts"]}
    assert (states["topics"], states["broker"]) == ("unwell", "well")
    assert found["seen"]["missing_topics"] == ["mail.events"]


def test_stage_that_does_not_answer_is_not_well() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        found = ask_stage(f"http://127.0.0.1:{held.getsockname()[1]}")
    assert (found.name, found.well) == ("", None)
    assert found.said.startswith("no answer: ")


@pytest.mark.parametrize("url", ["ftp://ingest", "http://", "http://ingest:port"])
def test_address_that_cannot_be_used_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match="--stage: "):
        ask_stage(url)
