"""A stage on a thread of its own: however that ends, somebody is told."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.stack import stages
from api.stack.stages import IngestThread, MonitorStage, StageEndedError
from schemas.mail import MailSettings
from schemas.settings import Settings, SettingsError
from streams.io.broker import BrokerError


def ended_by(monkeypatch: pytest.MonkeyPatch, run: Callable[[threading.Event], None]) -> list[BaseException]:
    """What is reported of a worker that does this."""
    monkeypatch.setattr(
        stages, "ingest_worker", lambda _: (SimpleNamespace(run=run), SimpleNamespace(close=lambda: None))
    )
    reported: list[BaseException] = []
    thread = IngestThread(Settings(), reported.append)
    thread.start()
    thread._thread.join(30)
    return reported


def raising(error: object) -> Callable[[threading.Event], None]:
    def run(_stop: threading.Event) -> None:
        raise error  # type: ignore[misc]

    return run


def test_error_that_says_why_is_reported_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    error = BrokerError("the log was cut off")
    assert ended_by(monkeypatch, raising(error)) == [error]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("now")], ids=repr)
def test_end_that_is_no_exception_is_reported_with_its_name(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    (reported,) = ended_by(monkeypatch, raising(error))
    assert isinstance(reported, StageEndedError)
    assert str(reported) == f"ingest: ended by {type(error).__name__}: {error}"


def test_end_without_any_error_is_reported_unless_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    (reported,) = ended_by(monkeypatch, lambda _: None)
    assert str(reported) == "ingest: ended though nobody asked it to"
    assert ended_by(monkeypatch, threading.Event.set) == []


def test_template_of_mail_that_fails_ends_a_monitor_before_it_connects(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("{{ letter.costumer }}")
    with pytest.raises(SettingsError, match=r"mail\.folder: .*letter\.txt:1: .* has no attribute 'costumer'"):
        MonitorStage(Settings(mail=MailSettings(folder=str(tmp_path))), tmp_path)
