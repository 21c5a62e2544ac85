"""Half an hour at half of what it can do, with faults and rolling restarts: does anything grow, lag or miscount?

`python -m tests.faults.soak --minutes 30 --seed 7`. Two ingest workers and two monitors run on Apache Kafka and a store
process. First it is measured how much they count when more is offered than they can take; then so large a part of
that is offered for the whole time. The second worker and the second monitor are stopped and started again in turn,
killed, frozen, and cut off from the store; the broker is restarted. The first ones and the store live all along: their
memory, files and threads are looked at, and what waits. At the end every count is compared with the truth. Ends
with 1 where something grew, lagged or is not exact.
"""

import argparse
import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from benchmarks import results
from benchmarks.results import Figure
from schemas.topics import MAIL_BLOCKLISTINGS, MAIL_EVENTS, load_topics
from streams.intake.seen import SeenIds
from streams.io.store import StoreError
from tests.faults.deployment import Deployment
from tests.faults.plan import Fault
from tests.faults.steady import WARM_UP, Sample, growth, lagging, look, unsteady, warm
from tests.faults.torture import Torture, chosen_seed, deployed, outcome
from tests.support.real_kafka import KafkaUnavailableError, RealKafka

#: More than can be counted, and for how long that is offered.
FLOOD, FLOOD_S = 60_000.0, 20.0
LOOK_S = 5.0
#: Between two faults, s.
GAP_S = (15.0, 30.0)
AWAY_S = (1.0, 8.0)
#: Room for the ids of a minute or two, so that the memory of them is full before the warm-up is over.
MEMORY_MB = 40
#: An event is sent again before so many others were sent: what a full memory of ids still knows, even where all of them
#: come over one partition (docs/delivery-guarantees.md).
REPEATED_WITHIN = 100_000
CUSTOMERS = 300
#: The faults, and how often each is chosen; restarts in order most often. All are of the second worker and monitor.
KINDS: dict[str, int] = {
    "stop worker": 8,
    "stop monitor": 8,
    "kill worker": 3,
    "kill worker between counts and read-back": 3,
    "kill monitor": 3,
    "freeze worker": 2,
    "freeze monitor": 2,
    "lose answers": 3,
    "refuse for want of memory": 2,
    "cut within a request": 2,
    "refuse connections": 3,
    "stop broker": 1,
    "kill broker": 1,
}
#: Those that live all along.
STEADY = ("w1", "monitor", "store")
#: A shorter run is a trial of the tool: it is too short to say whether anything grows.
LEAST_MINUTES = 20.0
TOO_SHORT = f"less than {LEAST_MINUTES:g} minutes do not say whether anything grows"


def soak_plan(seed: int, minutes: float) -> list[Fault]:
    """The faults of a run; all of them follow from the seed."""
    chance = random.Random(seed)
    number = int(minutes * 60 / GAP_S[0]) + 1
    kinds, weights = list(KINDS), list(KINDS.values())
    return [
        Fault(at, kind, 2, 1, chance.uniform(*GAP_S), chance.uniform(*AWAY_S), chance.randint(1, 5))
        for at, kind in enumerate(chance.choices(kinds, weights, k=number))
    ]


class Soaked(Torture):
    """Faults strike the second monitor; the first lives all along."""

    def _strike(self, name: str, fault: Fault) -> None:
        super()._strike("monitor-2" if name == "monitor" else name, fault)


class Watch:
    """Looks at the processes that live all along, and at what waits, while the `with` block runs."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.samples: dict[str, list[Sample]] = defaultdict(list)
        #: When, and how many events waited.
        self.lags: list[tuple[float, float]] = []

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    @property
    def elapsed_s(self) -> float:
        """How long it has been looking."""
        return time.monotonic() - self._began

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            for name in STEADY:
                pid = self._pid(name)
                if pid is not None and (sample := look(pid, self.elapsed_s)) is not None:
                    self.samples[name].append(sample)
            try:
                waiting = self._deployment.sent.events - self._deployment.counted_messages()
            except StoreError:
                continue
            self.lags.append((self.elapsed_s, waiting))

    def _pid(self, name: str) -> int | None:
        return self._deployment.store_process.pid if name == "store" else self._deployment.workers[name].pid


def capacity(deployment: Deployment, within: int, say: Callable[[str], None]) -> float:
    """Events/s that are counted while more is offered than can be."""
    load = deployment.live(FLOOD, seed=2, customers=CUSTOMERS, repeated_within=within)
    deployment.await_counting(1_000)
    began, before = time.monotonic(), deployment.counted_messages()
    time.sleep(FLOOD_S)
    counted, took = deployment.counted_messages() - before, time.monotonic() - began
    load.end()
    deployment.await_counted(600.0)
    say(f"{counted / took:,.0f} events/s are counted when more is offered")
    return counted / took


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for. `rate` (events/s) is offered; where it is 0 it is measured how much can be counted, and
    `share` of that is offered. `memory_mb` is for the ids of events; each that is sent again is so `within` so many
    others."""

    seed: int
    minutes: float = 30.0
    share: float = 0.5
    rate: float = 0.0
    memory_mb: int = MEMORY_MB
    within: int = REPEATED_WITHIN

    @property
    def trial(self) -> bool:
        """Whether it only tries the tool."""
        return self.minutes < LEAST_MINUTES or self.rate > 0


def known_of_a_partition(memory_mb: int) -> int:
    """How many of the latest ids of one partition are known where the memory of a worker that has them all is full."""
    partitions = sum(load_topics()[each].partitions for each in (MAIL_EVENTS, MAIL_BLOCKLISTINGS))
    return SeenIds(memory_mb * 1_000_000 // partitions).lasting


def soak(options: Options, say: Callable[[str], None]) -> tuple[list[str], list[Figure]]:
    """One run: what is not as it should be, and the figures."""
    with deployed("soak") as (deployment, broker):
        return _run(deployment, broker, options, say)


def _run(
    deployment: Deployment, broker: RealKafka, options: Options, say: Callable[[str], None]
) -> tuple[list[str], list[Figure]]:
    minutes = options.minutes
    # As in production: large flushes once a second, and queries that may take their time.
    settings = {
        "REPMON_INGEST__FLUSH_SECONDS": "1",
        "REPMON_INGEST__BATCH_EVENTS": "400000",
        "REPMON_INGEST__DEDUP_MEMORY_MB": str(options.memory_mb),
        "REPMON_CLICKHOUSE__TIMEOUT_S": "15",
    }
    for name in ("w1", "w2"):
        deployment.worker(name, **settings)
    for name in ("monitor", "monitor-2"):
        deployment.monitor(name, **settings)
    deployment.await_members(2)
    rate = options.rate or options.share * capacity(deployment, options.within, say)
    say(f"{rate:,.0f} events/s for {minutes:g} minutes")
    load = deployment.live(rate, seed=1, customers=CUSTOMERS, repeated_within=options.within)
    run = Soaked(deployment, broker, say, {"w1", "w2", "monitor", "monitor-2"})
    with Watch(deployment) as watch:
        made = run.run(soak_plan(options.seed, minutes), minutes)
        took = watch.elapsed_s
    say(f"{made} faults made; no more from here on")
    run.recover()
    load.end()
    wrong = outcome(deployment)
    steady = {name: warm(watch.samples[name], took) for name in STEADY}
    lags = [waiting for at, waiting in watch.lags if at >= WARM_UP * took]
    if minutes >= LEAST_MINUTES:
        wrong += [line for name, samples in steady.items() for line in unsteady(name, samples)]
        wrong += lagging(lags, rate)
    wrong += [f"{name} ended by itself {times} times" for name, times in run.ended.items()]
    return wrong, figures(steady, lags, deployment.sent.events, rate, made, long=minutes >= LEAST_MINUTES)


def figures(
    steady: dict[str, list[Sample]], lags: Sequence[float], events: int, rate: float, faults: int, *, long: bool
) -> list[Figure]:
    """What was found, for the report. Only a `long` run says whether memory grows: in a short one caches fill."""
    found = [
        Figure(name="events sent", value=events, unit="", note=f"{rate:,.0f} a second offered; each counted once"),
        Figure(name="faults and restarts", value=faults, unit=""),
    ]
    for name, samples in steady.items():
        if samples:
            slope, last = growth(samples), samples[-1]
            judged = slope.judged if long else "too short to judge"
            note = (
                f"{judged}: with 95 % from {slope.low:.1%} to {slope.high:.1%}. At the end "
                f"{last.memory / 1e6:,.0f} MB that no file holds, {last.mapped / 1e6:,.0f} MB of files, "
                f"{last.files} files open, {last.threads} threads"
            )
            found.append(Figure(name=f"memory of {name} grows", value=100 * slope.middle, unit="% an hour", note=note))
    if lags:
        found.append(Figure(name="events that wait, median", value=sorted(lags)[len(lags) // 2], unit=""))
        found.append(Figure(name="events that wait, at most", value=max(lags), unit="", note="while a worker was away"))
    return found


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--seed", type=int, default=None, help="decides the faults; chosen and printed where not given")
    parser.add_argument("--share", type=float, default=0.5, help="of what it can count, offered (0.5)")
    parser.add_argument("--rate", type=float, default=0.0, help="events/s that are offered instead; a trial")
    parser.add_argument("--memory", type=int, default=MEMORY_MB, metavar="MB", help=f"for ids of events ({MEMORY_MB})")
    parser.add_argument(
        "--within", type=int, default=REPEATED_WITHIN, metavar="N", help="an event is sent again before N others are"
    )
    given = parser.parse_args()
    options = Options(chosen_seed(given.seed), given.minutes, given.share, given.rate, given.memory, given.within)
    if options.within > (most := known_of_a_partition(options.memory_mb)):
        parser.error(f"--within {options.within}: with {options.memory_mb} MB no more than {most} are promised")
    print(f"seed {options.seed}", flush=True)
    try:
        wrong, found = soak(options, lambda text: print(text, flush=True))
    except KafkaUnavailableError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    for each in found:
        print(f"{each.name}: {each.value:,.1f} {each.unit}  {each.note}".rstrip())
    command = f"python -m tests.faults.soak --minutes {given.minutes:g} --seed {options.seed}"
    # What is wrong is no result.
    results.save("soak", command, figures=found, trial=bool(wrong) or options.trial)
    if wrong:
        print("\n".join(["NOT AS IT SHOULD BE:", *wrong]))
        return 1
    long = given.minutes >= LEAST_MINUTES
    print("every count is exact; " + ("nothing is shown to grow, nothing fell behind" if long else TOO_SHORT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
