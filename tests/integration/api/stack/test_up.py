"""`repmon up` as its user runs it: what was acknowledged is counted, whenever it is asked to stop."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from jobs import simulate
from jobs.embedded.folder import reached
from schemas.settings import Embedded, Settings
from schemas.times import utc_now_ms
from streams.io.broker import Publisher
from streams.io.store import open_store
from tests.support.waiting import wait_for

REPMON = str(Path(sys.executable).with_name("repmon"))
#: Small enough that the broker's topics are made again several times.
ROLL_BYTES = 3_000_000
COUNTED = "SELECT sum(delivered + deferred), sum(complained + reported) FROM counts WHERE dimension = 'provider'"


@contextmanager
def up(folder: Path) -> Iterator[tuple[Settings, "subprocess.Popen[bytes]"]]:
    """The command, running on any free ports."""
    environment = {
        **os.environ,
        "REPMON_EMBEDDED__DATA": str(folder),
        "REPMON_EMBEDDED__BROKER_PORT": "0",
        "REPMON_EMBEDDED__STORE_PORT": "0",
        "REPMON_EMBEDDED__ROLL_BYTES": str(ROLL_BYTES),
        "REPMON_API__PORT": "0",
    }
    with subprocess.Popen(
        [REPMON, "up"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            wait_for((folder / "running.json").exists, "repmon to be up", 60)
            yield reached(Settings(embedded=Embedded(data=str(folder)))), process
        finally:
            process.kill()


def counted(settings: Settings) -> tuple[int, int]:
    store = open_store(settings.clickhouse)
    ((sent, complaints),) = store.rows(COUNTED)
    store.close()
    return int(sent), int(complaints)


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_all_that_was_acknowledged_is_counted_when_asked_to_stop_in_full_flow(tmp_path: Path, signal_: int) -> None:
    with up(tmp_path) as (settings, process):
        publisher = Publisher(settings.kafka)
        truth = simulate.run(
            simulate.SimulationOptions(messages=60_000, rate=0),
            publisher.publish,
            now_ms=utc_now_ms,
            stop=threading.Event(),
            sleep=time.sleep,
        )
        publisher.flush(60)
        process.send_signal(signal_)
        assert process.wait(60) == 0
    wanted = [stream.counts for each in truth.customers for stream in each.streams]
    with up(tmp_path) as (settings, _):
        assert counted(settings) == (
            sum(each.delivered + each.deferred for each in wanted),
            sum(each.complained + each.reported for each in wanted),
        )


def test_broker_that_ends_by_itself_ends_the_command_with_one_clear_line(tmp_path: Path) -> None:
    with up(tmp_path) as (_, process):
        for broker in children(process.pid):
            os.kill(broker, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 2
        assert [line for line in said.decode().splitlines() if "broker" in line] == [
            f"repmon: embedded broker: ended by itself (-9); see {tmp_path / 'broker.log'}"
        ]
        assert "Traceback" not in said.decode()


def children(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that ended meanwhile
            found += [int(each) for each in (thread / "children").read_text().split()]
    return found
