"""A real blocklist server, rbldnsd, on a free port of the loopback."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.waiting import wait_for

#: Zones may change in the same second; rbldnsd reads a file again only if its time differs.
_FILE_TIMES = itertools.count(1_000_000_000)


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def find_rbldnsd() -> str:
    """The program. Skips the test where it is missing; fails it where `CI` is set."""
    path = shutil.which("rbldnsd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        message = "rbldnsd is not installed (Debian: apt-get install rbldnsd)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


class Rbldnsd:
    """A running server and the folder with its zones."""

    def __init__(self, port: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self._folder = folder
        self._process = process

    def stop(self) -> None:
        """End it, as a list's server may end."""
        self._process.terminate()
        self._process.wait(10)

    def write(self, zone: str, lines: Iterable[str]) -> None:
        """Give a zone other entries; the server is notified, and takes them in a moment later."""
        write_zone(self._folder, zone, lines)
        self._process.send_signal(signal.SIGHUP)


def write_zone(folder: Path, zone: str, lines: Iterable[str]) -> None:
    """Entries in the dataset's own syntax, one a line."""
    file = folder / zone
    file.write_text("".join(f"{line}\n" for line in lines))
    time = next(_FILE_TIMES)
    os.utime(file, (time, time))


@contextmanager
def running(
    zones: Mapping[str, tuple[str, Iterable[str]]], address: str = "127.0.0.1", port: int = 0
) -> Iterator[Rbldnsd]:
    """Serve `zones`: dataset type (`ip4set`, `ip6trie`, `dnset`, `generic`) and entries by zone name."""
    program, port = find_rbldnsd(), port or free_port()
    # rbldnsd refuses to run as root and then becomes the user rbldns, who must be able to read the folder.
    with tempfile.TemporaryDirectory(prefix="rbldnsd-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for zone, (_, lines) in zones.items():
            write_zone(folder, zone, lines)
        log = folder / "log"
        specs = [f"{zone}:{kind}:{zone}" for zone, (kind, _) in zones.items()]
        command = [program, "-n", "-c", "0", "-b", f"{address}/{port}", "-w", str(folder), *specs]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:

            def ready() -> bool:
                if process.poll() is not None:
                    pytest.fail(f"rbldnsd ended: {log.read_text()}")
                return " started " in log.read_text()

            wait_for(ready, "rbldnsd to start")
            yield Rbldnsd(port, folder, process)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
