"""An upgrade with an old worker's real code: it counts, is killed, the tables are migrated, a worker of today goes on,
and every count is compared with what was produced.

    python -m tests.upgrade [--from COMMIT] [--events N]

With at least 20,000 events what it found is kept for benchmarks/RESULTS.md.

The old code is taken out of the repository and runs with the packages of today, which it has to be able to. While it
still counts, a migration that it could not count with must be refused.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import results
from benchmarks.results import Figure
from jobs.embedded.broker import EmbeddedBroker
from schemas.settings import ClickHouse
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS
from streams.io.broker import Publisher
from streams.io.store import open_store
from tests.support.root import ROOT
from tests.support.store_process import StoreProcess
from tests.support.waiting import wait_for

#: The first commit whose tables may be upgraded; migrations 1 to 22.
OLDEST = "1006786"
CUSTOMERS = 50
#: From here on it is more than a trial.
LEAST_EVENTS = 20_000
IN_TIME_S = 180.0
TOTALS = "SELECT customer, sum(delivered) FROM counts WHERE dimension = 'provider' GROUP BY customer"
OLD_ENTRY = "import sys; sys.argv[0] = 'repmon'; from api.cli import {main}; {main}()"


class UpgradeError(Exception):
    """What was not as it should be."""


class UpgradeOutcome(NamedTuple):
    """What a run found: migrations of both versions, events `sent`, and how many of them were sent and `counted` when
    the old worker was killed."""

    old_migrations: int
    new_migrations: int
    sent: int
    sent_before: int
    counted_before: int

    def figures(self) -> list[Figure]:
        """As they are reported."""
        counted = f"of {self.sent_before:,} sent until then"
        return [
            Figure(name="migrations of the old version", value=self.old_migrations, unit=""),
            Figure(name="migrations that were made since", value=self.new_migrations, unit=""),
            Figure(
                name="counted when the old worker was killed", value=self.counted_before, unit="events", note=counted
            ),
            Figure(name="sent in all", value=self.sent, unit="events", note="each fiftieth twice"),
            Figure(name="customers counted otherwise than sent", value=0, unit=f"of {CUSTOMERS}"),
        ]


def check_out(commit: str, folder: Path) -> dict[str, str]:
    """The sources of a commit in a folder; the environment in which Python finds them first.

    Raises:
        subprocess.CalledProcessError: there is no such commit.
    """
    packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


class Installation:
    """A broker and a store, and commands of two versions on them."""

    def __init__(self, folder: Path, commit: str) -> None:
        self._folder = folder
        (folder / "old").mkdir()
        old = check_out(commit, folder / "old")
        self._old_main = "main" if "def main" in (folder / "old" / "api" / "cli.py").read_text() else "app"
        self.broker = EmbeddedBroker(0, folder / "broker.log")
        self.broker.start()
        self._store = StoreProcess(folder)
        self._store.start()
        kafka = self.broker.kafka
        self._environment = {
            **os.environ,
            "REPMON_KAFKA__BOOTSTRAP": kafka.bootstrap,
            "REPMON_KAFKA__STATIC_ASSIGNMENT": "true",
            "REPMON_CLICKHOUSE__URL": self.store.url,
            "REPMON_CLICKHOUSE__PASSWORD": self.store.password,
            "REPMON_INGEST__HASH_KEY": "0123456789abcdef",
            "REPMON_INGEST__FLUSH_SECONDS": "0.2",
        }
        self._old = self._environment | old

    @property
    def store(self) -> ClickHouse:
        """How the store is reached."""
        return self._store.settings

    def close(self) -> None:
        """End broker and store."""
        self.broker.stop()
        self._store.kill()

    def old(self, *words: str) -> "subprocess.Popen[str]":
        """A command of the old version, begun."""
        code = OLD_ENTRY.format(main=self._old_main)
        return self._begun([sys.executable, "-c", code, *words], self._old)

    def new(self, *words: str) -> "subprocess.Popen[str]":
        """A command of this version, begun."""
        return self._begun([str(Path(sys.executable).with_name("repmon")), *words], self._environment)

    def _begun(self, command: list[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command, cwd=self._folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def totals(self) -> Counter[str]:
        """What is counted as delivered, by customer."""
        with closing(open_store(self.store)) as store:
            return Counter({str(customer): int(number) for customer, number in store.rows(TOTALS)})

    def produce(self, first: int, count: int) -> Counter[str]:
        """Send delivered events of ids from `first` on, each twice in a hundred times; how many each customer has."""
        publisher, now_ms = Publisher(self.broker.kafka), utc_now_ms()
        sent: Counter[str] = Counter()
        for number in range(first, first + count):
            customer = f"c{number % CUSTOMERS}"
            body = {
                "id": f"e{number}", "type": "delivered", "time": now_ms - number % 60_000, "customer": customer,
                "message_id": f"m{number}", "recipient": f"r{number}@yahoo.com", "sending_ip": "192.0.2.1",
            }  # fmt: skip
            for _ in range(2 if number % 50 == 0 else 1):
                publisher.publish(MAIL_EVENTS, customer.encode(), msgspec.json.encode(body))
            sent[customer] += 1
        publisher.flush()
        return sent


def finished(process: "subprocess.Popen[str]", code: int = 0) -> str:
    """What a command said that ended as it should.

    Raises:
        UpgradeError: it did not.
    """
    said, _ = process.communicate(timeout=IN_TIME_S)
    if process.returncode != code:
        raise UpgradeError(f"{process.args!r} ended with {process.returncode}: {said}")
    return said


def upgrade(at: Installation, events: int) -> UpgradeOutcome:
    """Go through the upgrade, and say each step.

    Raises:
        UpgradeError: a step was not as it should be.
    """
    finished(at.old("topics", "create"))
    old = len(finished(at.old("migrate")).splitlines())
    print(f"old: {old} migrations")
    sent = at.produce(0, events)
    with at.old("ingest") as worker:
        wait_for(lambda: at.totals().total() > events // 4, "the old worker to have counted something", IN_TIME_S)
        refused = at.new("migrate")
        sent += at.produce(events, events)  # so that it is seen to count
        feeding = events * 2
        while refused.poll() is None:
            sent += at.produce(feeding, 500)
            feeding += 500
        print("new, beside the old worker:", finished(refused, 2).strip())
        worker.kill()
        worker.communicate()
    counted_before, sent_before = at.totals().total(), sent.total()
    print(f"old worker killed with {counted_before:,} of {sent_before:,} events counted")
    applied = finished(at.new("migrate")).splitlines()
    print(f"new: {len(applied)} migrations")
    finished(at.new("topics", "create"))
    sent += at.produce(feeding, events)
    with at.new("ingest") as worker:
        wait_for(lambda: at.totals().total() >= sent.total(), "the new worker to have counted the rest", IN_TIME_S)
        worker.send_signal(signal.SIGTERM)
        finished(worker)
    if (counted := at.totals()) != sent:
        raise UpgradeError(f"counted otherwise than sent: {(counted - sent) + (sent - counted)}")
    print(f"counts of {len(sent)} customers are exact: {sent.total():,} events")
    return UpgradeOutcome(old, len(applied), sent.total(), sent_before, counted_before)


def main() -> int:
    """Run it; the exit code."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--from", dest="commit", default=OLDEST)
    given.add_argument("--events", type=int, default=20_000)
    arguments = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="repmon-upgrade-") as name:
        at = Installation(Path(name), arguments.commit)
        try:
            outcome = upgrade(at, arguments.events)
        except UpgradeError as failure:
            print(f"failed: {failure}")
            return 1
        finally:
            at.close()
    command = shlex.join(["python", "-m", "tests.upgrade", *sys.argv[1:]])
    results.save("upgrade", command, figures=outcome.figures(), trial=arguments.events < LEAST_EVENTS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
