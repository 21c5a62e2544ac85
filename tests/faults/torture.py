"""A long run under load with every fault there is, mixed at random, and every count compared at its end.

`python -m tests.faults.torture --faults 200 --seed 7`. One to four ingest workers and a monitor run on Apache Kafka and
a store process. The seed is printed first and decides all faults. Ends with 1 where anything is not exact.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.times import utc_now_ms
from streams.io.store import StoreError
from tests.faults.checks import unknown_levels
from tests.faults.deployment import STORE_TIMEOUT_S, Deployment
from tests.faults.letters import dead_letters
from tests.faults.odd_times import accepted, refused
from tests.faults.plan import FIRST_WORKERS, MOST_WORKERS, Fault, plan
from tests.faults.proxy import (
    ALERT_STATES,
    COUNTS,
    INSERTS,
    OVERLOADED,
    READ_BACK,
    TOO_MANY_PARTS,
    Act,
    Exchange,
    after,
    answered_late,
    before,
    cut,
    instead,
    late,
    lost_answer,
)
from tests.support.databases import Databases
from tests.support.real_kafka import JVM, KafkaUnavailableError, RealKafka
from tests.support.store_process import StoreProcess
from tests.support.truth import Traffic, differences, shown

RATE = 800.0
#: How long a fault waits for the statement at which it is to happen.
MET_S = 6.0
#: What a worker may take to stop in order while other faults go on.
STOPPED_S = 60.0
#: How long everything may take to be counted and judged once the faults are over.
RECOVERY_S = 180.0
MONITOR = "monitor"
#: Where a process is killed or frozen: the statement, and what becomes of it.
POINTS: dict[str, tuple[str, Callable[[Callable[[Exchange], None]], Act]]] = {
    "before it stores": (INSERTS, instead),
    "between evidence and counts": (COUNTS, instead),
    "with its counts on their way": (COUNTS, before),
    "between counts and read-back": (COUNTS, after),
    "after the read-back": (READ_BACK, after),
    "before its counts": (COUNTS, instead),
    "when what is to be sent is stored": (ALERT_STATES, after),
}
#: What happens to the statements of one worker.
DISTURBANCES: dict[str, tuple[str, Act]] = {
    "lose answers": (r"\w", lost_answer),
    "answer late": (COUNTS, answered_late(STORE_TIMEOUT_S + 0.5)),
    "deliver late": (COUNTS, late(STORE_TIMEOUT_S + 0.5)),
    "refuse for want of memory": (COUNTS, OVERLOADED),
    "refuse for too many parts": (INSERTS, TOO_MANY_PARTS),
    "cut within a request": (INSERTS, cut),
}


class Torture:
    """One run. Faults overlap: what is away comes back while the next ones happen."""

    def __init__(
        self, deployment: Deployment, broker: RealKafka, say: Callable[[str], None], wanted: set[str] | None = None
    ) -> None:
        """`wanted` are the processes that shall run, where they are not the usual ones."""
        self._deployment = deployment
        self._broker = broker
        self._say = say
        self._began = time.monotonic()
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._wanted = wanted or names(FIRST_WORKERS)
        self._away: set[str] = set()
        self.ended: Counter[str] = Counter()

    def run(self, faults: list[Fault], minutes: float) -> int:
        """Make the faults, at most for so many minutes; returns how many were made."""
        for name in sorted(self._wanted - self._deployment.workers.keys()):
            self._start(name)
        self._deployment.await_counting()
        until = self._began + minutes * 60
        for done, fault in enumerate(faults):
            if time.monotonic() > until:
                return done
            self._pass(fault.gap_s)
            self._tell(str(fault))
            self._make(fault)
        return len(faults)

    def recover(self) -> None:
        """Undo what is still disturbed, and start what is not running."""
        while self._due:
            self._pass(0.1)
        for proxy in self._deployment.proxies.values():
            proxy.calm()
        self._pass(0.1)

    def _make(self, fault: Fault) -> None:
        name = f"w{fault.target + 1}"
        kind = fault.kind
        if kind in DISTURBANCES:
            self._deployment.proxy(name).when(*DISTURBANCES[kind], fault.times)
        elif kind == "refuse connections":
            proxy = self._deployment.proxy(name)
            proxy.refuse()
            self._later(fault.away_s, proxy.accept)
        elif kind == "kill store":
            self._deployment.store_process.kill()
            self._pass(fault.away_s)
            self._deployment.store_process.start()
        elif kind in ("stop broker", "kill broker"):
            self._broker.stop() if kind == "stop broker" else self._broker.kill()
            self._pass(fault.away_s)
            self._broker.start()
        elif kind == "odd times":
            # A name, and so a seed, of its own: what is sent does not depend on when.
            chance, now, name = random.Random(fault.number), utc_now_ms(), f"f{fault.number}"
            self._deployment.hand.send_mixed(chance, accepted(chance, name, now, 300), refused(name, now))
        elif kind.endswith("workers"):
            self._resize(fault.workers)
        else:
            self._strike(MONITOR if "monitor" in kind else name, fault)

    def _strike(self, name: str, fault: Fault) -> None:
        """Kill, stop or freeze a process, at once or at a statement; it comes back later."""
        verb, _, whom = fault.kind.partition(" ")
        point = whom.partition(" ")[2]
        self._await(lambda: name not in self._away)
        worker = self._deployment.workers[name]
        self._away.add(name)
        done = worker.pause if verb == "freeze" else worker.kill
        if point:
            statement, act = POINTS[point]
            rule = self._deployment.proxy(name).when(statement, act(lambda _: done()))
            if not self._await(rule.met.is_set):
                self._deployment.proxy(name).calm()
                self._tell(f"  {name} came to no such statement; done at no particular moment")
                done()
        elif verb == "stop":
            worker.terminate()
            if not self._await(lambda: not worker.running, STOPPED_S):
                self._tell(f"  {name} does not stop; it is killed")
                worker.kill()
        else:
            done()
        self._later(fault.away_s, lambda: self._back(name))

    def _back(self, name: str) -> None:
        self._away.discard(name)
        worker = self._deployment.workers[name]
        worker.resume()
        if not worker.running and name in self._wanted:
            worker.start()

    def _resize(self, workers: int) -> None:
        former, self._wanted = self._wanted, names(workers)
        for name in sorted(former - self._wanted):
            self._deployment.workers[name].terminate()
        for name in sorted(self._wanted - former):
            if name in self._deployment.workers:
                self._back(name)
            else:
                self._start(name)

    def _start(self, name: str) -> None:
        make = self._deployment.monitor if name == MONITOR else self._deployment.worker
        make(name)

    def _await(self, condition: Callable[[], bool], seconds: float = MET_S) -> bool:
        """Let time pass until a condition holds; False if it does not soon."""
        until = time.monotonic() + seconds
        while not condition() and time.monotonic() < until:
            self._pass(0.05)
        return condition()

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + seconds, what))

    def _pass(self, seconds: float) -> None:
        """Let time pass; what is due comes back, and what ended by itself is started again as a supervisor does."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            due = [each for each in self._due if each[0] <= now]
            self._due = [each for each in self._due if each[0] > now]
            for _, what in due:
                what()
            for name in sorted(self._wanted - self._away):
                worker = self._deployment.workers.get(name)
                if worker is not None and not worker.running:
                    self.ended[name] += 1
                    last = worker.said.strip().rpartition("\n")[2]
                    self._tell(f"  {name} ended by itself with {worker.code}, and is started again: {last}")
                    worker.start()
            if now >= until:
                return
            time.sleep(min(0.05, until - now))

    def _tell(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:7.1f} s  {text}")


def names(workers: int) -> set[str]:
    """The processes that run where there are so many ingest workers."""
    return {MONITOR, *(f"w{number + 1}" for number in range(workers))}


def outcome(deployment: Deployment) -> list[str]:
    """Wait until everything is counted and judged, then everything that is not as it must be."""
    try:
        deployment.await_counted(RECOVERY_S)
    except (AssertionError, StoreError) as error:
        return [str(error)]
    with deployment.opened() as store:
        wrong = differences(deployment.sent, store)
    if (letters := dead_letters(deployment.kafka)) != deployment.sent.bad:
        missing, more = deployment.sent.bad - letters, letters - deployment.sent.bad
        wrong.append(f"topic of dead letters: {missing.total()} are missing, {more.total()} should not be there")
    until = time.monotonic() + RECOVERY_S / 6
    while (levels := unknown_levels(deployment)) and time.monotonic() < until:
        time.sleep(1)  # what was counted last may still be judged
    return wrong + levels


def torture(seed: int, faults: int, minutes: float, say: Callable[[str], None]) -> int:
    """One run; the exit code."""
    with deployed("torture") as (deployment, broker):
        return _run(deployment, broker, plan(seed, faults), minutes, say)


@contextmanager
def deployed(name: str) -> Iterator[tuple[Deployment, RealKafka]]:
    """A deployment on a broker and a store of its own, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as made:
        folders = [Path(made) / each for each in ("kafka", "store", "workers")]
        for folder in folders:
            folder.mkdir()
        broker, store = RealKafka(folders[0], JVM), StoreProcess(folders[1])
        deployment = None
        try:
            broker.start()
            store.start()
            deployment = Deployment(
                broker.settings, store, Databases(store.settings, name).new(lasting=False), folders[2]
            )
            yield deployment, broker
        finally:
            if deployment is not None:
                deployment.close()
            store.kill()
            broker.stop()


def chosen_seed(given: int | None) -> int:
    """The seed that was given, else any."""
    return random.SystemRandom().randrange(1_000_000) if given is None else given


def _run(
    deployment: Deployment, broker: RealKafka, faults: list[Fault], minutes: float, say: Callable[[str], None]
) -> int:
    load: Traffic = deployment.live(RATE, seed=1)
    run = Torture(deployment, broker, say)
    made = run.run(faults, minutes)
    say(f"{made} faults made; no more from here on")
    run.recover()
    load.end()
    wrong = outcome(deployment)
    sent = deployment.sent
    say(
        f"{sent.events:,} events sent, {sent.repeats:,} of them repeats, and {len(sent.listings):,} listings; "
        f"processes that ended by themselves: {run.ended.total()}"
    )
    if wrong:
        say(f"NOT EXACT, {len(wrong):,} differences:\n{shown(wrong)}")
        return 1
    say("every count, all evidence and every alert's level is exact")
    return 0


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.torture", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how many faults are made (200)")
    parser.add_argument("--seed", type=int, default=None, help="decides the faults; chosen and printed where not given")
    parser.add_argument("--minutes", type=float, default=60.0, help="make no faults after so long (60)")
    given = parser.parse_args()
    seed = chosen_seed(given.seed)
    print(f"seed {seed}, {given.faults} faults, 1 to {MOST_WORKERS} workers", flush=True)
    try:
        return torture(seed, given.faults, given.minutes, lambda text: print(text, flush=True))
    except KafkaUnavailableError as error:
        print(f"torture: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
