"""Stages that run by themselves, in a folder in which nothing ran before."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.embedded.store_server import StoreServer
from schemas.settings import ClickHouse, Kafka
from tests.support.waiting import wait_for

REPMON = str(Path(sys.executable).with_name("repmon"))


@pytest.fixture
def environment(embedded_kafka: Kafka, store_settings: ClickHouse) -> Iterator[dict[str, str]]:
    """With broker and store named, as for any stage that runs by itself."""
    server = StoreServer(store_settings.path, 0, "secret")
    server.start()
    yield {
        **os.environ,
        "REPMON_KAFKA__BOOTSTRAP": embedded_kafka.bootstrap,
        "REPMON_KAFKA__GROUP": embedded_kafka.group,
        "REPMON_KAFKA__SESSION_TIMEOUT_MS": str(embedded_kafka.session_timeout_ms),
        "REPMON_CLICKHOUSE__URL": f"http://127.0.0.1:{server.port}",
        "REPMON_CLICKHOUSE__PASSWORD": "secret",
        "REPMON_CLICKHOUSE__DATABASE": store_settings.database,
    }
    server.stop()


def test_monitor_makes_the_data_folder_that_it_needs(environment: dict[str, str], tmp_path: Path) -> None:
    environment["REPMON_EMBEDDED__DATA"] = "new/data"
    with subprocess.Popen([REPMON, "monitor"], env=environment, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        wait_for(lambda: bool(list((tmp_path / "new" / "data" / "faust").glob("*"))), "the monitor to be up", 60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"")


def test_monitor_names_the_data_folder_that_cannot_be_made(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    done = subprocess.run(
        [REPMON, "monitor"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr == f"repmon: data folder {tmp_path / 'data'}: cannot be written: File exists\n"


def test_monitor_that_waits_for_a_silent_store_ends_when_asked_to(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        environment["REPMON_CLICKHOUSE__URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment["REPMON_CLICKHOUSE__TIMEOUT_S"] = "600"
        with subprocess.Popen([REPMON, "monitor"], env=environment, cwd=tmp_path, stderr=subprocess.PIPE) as process:
            try:
                connection, _ = silent.accept()
                process.send_signal(signal.SIGTERM)
                _, said = process.communicate(timeout=60)
                connection.close()
            finally:
                process.kill()
    assert (process.returncode, said.strip()) == (130, b"")
