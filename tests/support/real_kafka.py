"""A real Apache Kafka, one KRaft broker on free ports of 127.0.0.1, which can be stopped, killed and started again."""

import fcntl
import hashlib
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from jobs.embedded.broker import end_with_parent
from schemas.settings import Kafka
from streams.io.broker import client_log
from tests.support.kafka_security import PROTOCOLS, SCRAM_USERS, Certificates, listeners
from tests.support.root import ROOT
from tests.support.waiting import wait_for

POM = Path(__file__).with_name("kafka") / "pom.xml"
#: Ignored by git. The jars are kept here under the digest of the pom, so that another version is another folder.
CACHE = ROOT / "target" / "kafka"
COPY_S = 240.0
FORMAT_S = 60.0
START_S = 60.0
STOP_S = 30.0
SESSION_TIMEOUT_MS = 6000
#: Memory and processor time of a broker that has few clients and little to keep.
JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
#: And one that lives for minutes: code is compiled once and quickly. It takes half the processor time to start, and a
#: third of it to delete and make all topics (OpenJDK 17, Kafka 4), since compiling well pays only later.
BRIEF = (*JVM, "-XX:TieredStopAtLevel=1")
CLUSTER_ID = "cmVwbW9uLXRlc3RzLTEtMQ"
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{more}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
log.dirs={log}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A killed broker may register again only when its former session is over.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
log.segment.delete.delay.ms=1000
connection.failed.authentication.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
{secured}
"""


class KafkaUnavailableError(RuntimeError):
    """This machine cannot run Kafka; the message says what is missing."""


class RealKafka:
    """One broker. Its ports and its log stay the same from one start to the next. `options` are those of the JVM.

    Where it is started on a thread of its own, it ends with that thread.
    """

    def __init__(self, folder: Path, options: Sequence[str] = BRIEF) -> None:
        self._folder = folder
        self._options = options
        self._port, self._controller_port, *others = free_ports(2 + len(PROTOCOLS))
        self._ports = dict(zip(PROTOCOLS, others, strict=True))
        self.certificates = Certificates(folder / "certificates")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self._port}"

    def listener(self, name: str) -> str:
        """Where clients connect that speak as the listener does (tests/support/kafka_security.py)."""
        return f"127.0.0.1:{self._ports[name]}"

    @property
    def settings(self) -> Kafka:
        """Settings with which the stages reach it, as a consumer group."""
        return Kafka(bootstrap=self.bootstrap, session_timeout_ms=SESSION_TIMEOUT_MS)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def log_file(self) -> Path:
        """What the broker prints: its warnings and errors."""
        return self._folder / "kafka.log"

    def start(self) -> None:
        """Start, with the log of the last time if there was one, and wait until every partition has its leader.

        Raises:
            KafkaUnavailableError: Java or the jars are missing.
            RuntimeError: it does not start.
        """
        command = [_java(), *self._options, "-cp", f"{kafka_jars()}/*"]
        properties = self._folder / "server.properties"
        if not properties.exists():
            self._format(command, properties)
        with self.log_file.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "kafka.Kafka", str(properties)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, no locks
            )
        try:
            self._await_leaders()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in order, as an operator does."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Start again on the same ports with the same log; stops it in order first if it runs."""
        self.stop()
        self.start()

    def _format(self, command: list[str], properties: Path) -> None:
        """Write the properties and make the log folder, once."""
        more, protocols, secured = listeners(self._ports, self.certificates)
        text = PROPERTIES.format(
            port=self._port,
            controller_port=self._controller_port,
            log=self._folder / "log",
            more=more,
            protocols=protocols,
            secured=secured,
        )
        draft = properties.with_suffix(".part")
        draft.write_text(text)
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c", str(draft), *SCRAM_USERS]
        done = subprocess.run([*command, *tool], capture_output=True, text=True, timeout=FORMAT_S, check=False)
        if "UnsupportedClassVersionError" in done.stderr:
            raise KafkaUnavailableError(f"Kafka needs Java 17 or newer; {command[0]} is older")
        if done.returncode:
            raise RuntimeError(f"Kafka's log folder could not be made: {done.stdout}{done.stderr}")
        draft.rename(properties)

    def _await_leaders(self) -> None:
        client = AdminClient({"bootstrap.servers": self.bootstrap}, logger=client_log)

        def ready() -> bool:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"Kafka ended: {self.log_file.read_text()[-2000:]}")
            try:
                found = client.list_topics(timeout=0.5)
            except KafkaException:
                return False
            partitions = [each for topic in found.topics.values() for each in topic.partitions.values()]
            return bool(found.brokers) and all(each.leader >= 0 for each in partitions)

        wait_for(ready, f"Kafka to start; see {self.log_file}", START_S)


def kafka_jars() -> Path:
    """The folder with Kafka and what it needs; copied by Maven where it is missing, by one process at a time.

    Raises:
        KafkaUnavailableError: Maven is missing or cannot have them.
    """
    jars = CACHE / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    if jars.exists():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError("Maven, which brings Kafka, is not installed (Debian: maven)")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.exists():
            _copy(maven, jars)
    return jars


def _copy(maven: str, jars: Path) -> None:
    """Copy the jars; the folder appears with all of them or not at all."""
    draft = jars.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={draft}"]
    command = [maven, "-B", "-q", "-ntp", "-f", str(POM), *goal]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COPY_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise KafkaUnavailableError(f"Maven did not bring Kafka's jars within {COPY_S:g} s") from error
    if done.returncode:
        said = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stderr.strip())
        raise KafkaUnavailableError(f"Maven could not bring Kafka's jars: {said}")
    draft.rename(jars)


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        raise KafkaUnavailableError("Java 17, which runs Kafka, is not installed (Debian: openjdk-17-jre-headless)")
    return java


#: The ports that were given to somebody in this process, who may not listen on them yet.
_GIVEN: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on, below those the system gives to outgoing connections: while the broker
    is down, no client that tries to reach it can come to hold its port. Those of another process of the tests are
    others, which may not listen on them yet, and those that this process was given before are not given again; and
    what a test does to `random` does not matter."""
    found: list[int] = []
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
    while len(found) < count:
        port = 10_000 + 2_750 * worker + random.SystemRandom().randrange(2_750)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _GIVEN:
            _GIVEN.add(port)
            found.append(port)
    return found
