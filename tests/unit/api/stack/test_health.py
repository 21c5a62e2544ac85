"""`repmon health` says what the stage on this machine answers, and which way it looked."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from click.testing import CliRunner

from api.cli.main import app
from api.http.metrics import StageServer
from api.stack.health import Health, addresses, ask
from api.stack.status import ask_stage
from schemas.collect import Collect
from schemas.settings import Api, Settings
from schemas.watch_settings import MetricsSettings
from streams.io.health import HealthVerdict, PartFault
from tests.support.raw_server import drips, raw_server


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else may take meanwhile."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def trouble() -> list[str]:
    return [""]


def said(trouble: str) -> HealthVerdict:
    """Of a stage whose store is in this trouble, if in any."""
    faults = (PartFault(part="store", what="no answer", mend="Look at it.", said=trouble),)
    return HealthVerdict("ingest", faults if trouble else ())


@pytest.fixture
def stage(trouble: list[str]) -> Iterator[int]:
    """The port of a stage whose trouble is the first of the list."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
    server = StageServer("127.0.0.1", port, dict, lambda: said(trouble[0]))
    yield server.port
    server.close()


def settings(metrics: int = 0, api: int = 0, collect: int = 0, host: str = "127.0.0.1") -> Settings:
    return Settings(
        metrics=MetricsSettings(port=metrics, host=host), api=Api(port=api, host=host), collect=Collect(port=collect)
    )


def test_stage_that_is_well(stage: int) -> None:
    assert ask(settings(metrics=stage)) == Health(True, f"http://127.0.0.1:{stage}/healthz answers 200")


def test_stage_in_trouble_is_quoted(stage: int, trouble: list[str]) -> None:
    trouble[0] = "the store does not answer"
    said = f"http://127.0.0.1:{stage}/healthz answers 503: store: no answer (the store does not answer)"
    assert ask(settings(metrics=stage)) == Health(False, said)


def test_whichever_interface_answers_is_the_stage(stage: int, silent_port: int) -> None:
    assert ask(settings(metrics=silent_port, api=stage)).well
    assert ask(settings(metrics=silent_port, collect=stage)).well


def test_where_none_answers_all_are_named(silent_port: int) -> None:
    said = f"no stage answers at 127.0.0.1:{silent_port}"
    assert ask(settings(api=silent_port)) == Health(False, said)
    assert ask(settings()) == Health(False, "no stage answers: metrics.port, api.port and collect.port are all 0")


def test_one_that_takes_the_question_and_says_nothing_is_not_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        said = f"http://127.0.0.1:{port}/healthz does not answer within 0.1 s"
        assert ask(settings(api=port), timeout_s=0.1) == Health(False, said)


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n"]
)
def test_one_whose_answer_never_ends_is_left_when_the_time_is_over(begin: bytes) -> None:
    """A byte now and then was enough to be waited for without end."""
    with raw_server(drips(begin, b"X")) as port:
        said = f"http://127.0.0.1:{port}/healthz does not answer within 0.2 s"
        assert ask(settings(api=port), timeout_s=0.2) == Health(False, said)
        seen = ask_stage(f"http://127.0.0.1:{port}", timeout_s=0.2)
        assert (seen.name, seen.said) == ("", "no whole answer within 0.2 s")


def test_one_that_listens_everywhere_is_asked_at_the_loopback() -> None:
    assert list(addresses(settings(metrics=1, host="0.0.0.0"))) == [("127.0.0.1", 1)]  # noqa: S104 - asked, not bound
    assert list(addresses(settings(api=2, host="::"))) == [("::1", 2)]


def test_command_ends_with_one_where_it_is_not_well(stage: int, trouble: list[str]) -> None:
    run = CliRunner()
    environment = {"REPMON_METRICS__PORT": str(stage)}
    assert run.invoke(app, ["health"], env=environment).exit_code == 0
    trouble[0] = "behind"
    answer = run.invoke(app, ["health"], env=environment)
    assert (answer.exit_code, answer.stdout) == (
        1,
        f"http://127.0.0.1:{stage}/healthz answers 503: store: no answer (behind)\n",
    )
