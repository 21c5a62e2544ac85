"""A real Alertmanager on free ports of the loopback, which tells a receiver what it would tell people."""

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobs.embedded.broker import end_with_parent
from tests.support.real_kafka import free_ports
from tests.support.waiting import wait_for

CONFIG = """
route:
  receiver: told
  group_by: [alertname, customer]
  group_wait: 0s
  group_interval: 200ms
  repeat_interval: 1h
receivers:
  - name: told
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


def find_alertmanager() -> str:
    """The program. Skips the test where it is missing; fails it where `CI` is set."""
    for name in ("prometheus-alertmanager", "alertmanager"):
        if found := shutil.which(os.environ.get("ALERTMANAGER", name)):
            return found
    message = "Alertmanager is not installed (Debian: apt-get install prometheus-alertmanager)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class RealAlertmanager:
    """A running server. One that is started again has forgotten its alerts."""

    def __init__(self, folder: Path, told_url: str) -> None:
        self._program = find_alertmanager()
        self._folder = folder
        (self._port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "alertmanager.yml").write_text(CONFIG.format(url=told_url))

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._folder / 'alertmanager.yml'}",
                    f"--storage.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, no locks
            )
        wait_for(self._ready, "Alertmanager to answer")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)

    def active(self) -> list[dict[str, Any]]:
        """The alerts that are active, by their labels."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts") as answer:  # noqa: S310 - http
            return sorted((each["labels"] for each in json.load(answer)), key=str)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready") as answer:  # noqa: S310 - http
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def alertmanager(folder: Path, told_url: str) -> Iterator[RealAlertmanager]:
    """One that runs."""
    found = RealAlertmanager(folder, told_url)
    found.start()
    try:
        yield found
    finally:
        found.stop()
