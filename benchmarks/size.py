"""How the monitor fares with the number of customers and with what is stored.

    python -m benchmarks.size
    python -m benchmarks.size --flow

Stores are filled with made-up counts of 1,000 to 100,000 customers over 1, 30 and 365 days, and batches of customers
are judged in each. Then, in the largest, 20,000 customers a second change, and their counts with them: how many are
judged, and how long does a change wait? In addition: what judging costs without the store, how fast changed customers
are read from the topic, and what is kept in memory.

Processor seconds are those of all threads, the embedded store's among them. They say more than the clock where the
machine has other work. With `--flow` only the steady flow is measured, in a file of its own.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from api.stack.running import tune_memory
from benchmarks import results, svg
from benchmarks.changes import changes_read
from benchmarks.measure import cores, percentile
from benchmarks.results import Figure
from benchmarks.stored import Stored, add_next, fill, settings_in, settle
from jobs.setup.migrate import migrate
from schemas import policy, providers
from schemas.policy import load_policy
from schemas.settings import MonitorSettings
from schemas.times import utc_now_ms
from streams.alerts.standings import COLUMNS, Rows, Standings
from streams.io.store import Store, open_store, portions
from streams.monitor.agent import MOST_REST_S
from streams.monitor.ahead import ReadAhead
from streams.monitor.batch import BatchJudge
from streams.monitor.queue import JudgeQueue
from streams.subjects.arrays import FIELDS, Totals
from streams.subjects.totals import LongWindows

#: Days stored, and rows added to get there, for each number of customers. Recent days are denser than old ones.
DAYS = (range(0, 1), range(1, 30), range(30, 365))
FLEETS: dict[int, tuple[int, int, int]] = {
    1_000: (400_000, 600_000, 1_000_000),
    10_000: (1_000_000, 1_500_000, 2_000_000),
    100_000: (2_000_000, 3_000_000, 7_000_000),
}
#: Batch sizes; the last is everybody where there are fewer.
BATCHES = (100, 2_000, 20_000)
OFFERED_S = 20_000
#: Long enough for every long window to be read again once.
SUSTAINED_S = 75.0
#: `monitor.judge_every_s` of a second flow. In the first each customer changes as often as it may be judged, every
#: 5 s, and waits for a batch besides: that alone keeps the rate below what is offered. Here the rest limits nothing.
SHORTER_REST_S = 4.0
SHORTER_S = 40.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What judging some customers took, in seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Sustained:
    """What came of a steady flow of changes; `waits` (s) are from a customer's first change to its judgement."""

    judged: int
    seconds: float
    cpu: float
    waits: list[float]


class Nothing(Store):
    """A store that repeats what it answered before and takes nothing: what is left is our own work."""

    def __init__(self, store: Store) -> None:
        super().__init__(store._client, store.settings, store.where)
        self._answers: dict[str, Any] = {}

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        found: Sequence[Sequence[Any]] = self._answered(
            sql, parameters, lambda: super(Nothing, self).rows(sql, parameters)
        )
        return found

    def blocks(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[list[Any]]:
        yield from self._answered(sql, parameters, lambda: list(super(Nothing, self).blocks(sql, parameters)))

    def insert(self, *_: Any, **__: Any) -> None:
        """Take nothing."""

    def insert_table(self, *_: Any, **__: Any) -> None:
        """Take nothing."""

    def _answered(self, sql: str, parameters: Mapping[str, Any] | None, ask: Callable[[], Any]) -> Any:
        names = str((parameters or {}).get("customers", ""))
        key = sql + names
        if key not in self._answers:
            self._answers[key] = ask()
        return self._answers[key]


class Silent(Store):
    """A store without rows that takes nothing and keeps nothing."""

    def __init__(self, store: Store) -> None:
        super().__init__(store._client, store.settings, store.where)

    def rows(self, *_: Any) -> Sequence[Sequence[Any]]:
        return ()

    def insert_table(self, *_: Any, **__: Any) -> None:
        """Take nothing."""


def judge_of(store: Store, reader: Store | None = None) -> BatchJudge:
    """A judge with the default policy whose alerts go nowhere."""
    return BatchJudge(
        store, policy.load_policy(), providers.load_providers(), lambda *_: None, lambda: None, reader=reader
    )


def timed(action: Callable[[], Any]) -> Cost:
    """What an action takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def batches(store: Store, customers: int) -> dict[int, tuple[Cost, Cost]]:
    """For batches of some sizes: judged for the first time, and again 5 s later."""
    found = {}
    judge = judge_of(store)
    judge.judge_customers(["nobody"], utc_now_ms())
    for size in sorted({min(size, customers) for size in BATCHES}):
        chosen = random.Random(size).sample(names(customers), size)
        judge.forget()
        first, *again = [_judged(judge, chosen, utc_now_ms() + 5_000 * n) for n in range(4)]
        found[size] = first, Cost(min(each.wall for each in again), min(each.cpu for each in again))
    return found


def _judged(judge: BatchJudge, customers: list[str], at_ms: int) -> Cost:
    return timed(lambda: judge.judge_customers(customers, at_ms))


def sustained(
    store: Store, customers: int, seconds: float, rate: int, every_s: float = MonitorSettings().judge_every_s
) -> tuple[Cost, Sustained]:
    """What everybody's first judgement takes, in the order in which a monitor takes them, then a flow of changes, each
    customer's turn after all others'. Where a full batch waits it is read while the one before is judged, as the
    monitor does."""
    most, reader = MonitorSettings().batch, open_store(store.settings)
    judge, work = judge_of(store, reader), JudgeQueue(int(every_s * 1000))
    order = sorted(names(customers))
    first = timed(
        lambda: [judge.judge_customers(order[n : n + 20_000], utc_now_ms()) for n in range(0, customers, 20_000)]
    )
    random.Random(1).shuffle(order)
    thread = ThreadPoolExecutor(1)
    ahead: tuple[Future[ReadAhead], list[float]] | None = None
    counting, stop = threading.Event(), threading.Event()
    changed: list[list[str]] = []
    writer = threading.Thread(target=_write, args=(store, changed, stop), name="counts", daemon=True)
    writer.start()
    began, cpu = time.monotonic(), time.process_time()
    offered = judged = 0
    since: dict[str, float] = {}
    waits: list[float] = []
    while (now := time.monotonic()) < began + seconds:
        due = int((now - began) * rate)
        new = [order[n % customers] for n in range(offered, due)]
        offered = due
        work.changed(new)
        changed.append(new)
        for name in new:
            since.setdefault(name, now)
        read: ReadAhead | None = None
        if ahead is not None:
            came, firsts = ahead[0].result(), ahead[1]
            read, batch, at_ms, now = came, list(came.customers), came.now_ms, time.monotonic()
        else:
            batch, at_ms = work.take(int(now * 1000), most, 0), utc_now_ms()
            firsts = [since.pop(name) for name in batch if name in since]
        if not batch:
            counting.wait(min(0.02, work.wait_ms(int(now * 1000)) / 1000))
            continue
        ahead = None
        if work.due(int(now * 1000)) >= most:
            taken = work.take(int(now * 1000), most, 0)
            early = [since.pop(name) for name in taken if name in since]
            ahead = thread.submit(judge.read_ahead, taken, utc_now_ms()), early
        waits += [now - first for first in firsts]
        apart = int(now * 1000) - utc_now_ms()
        found = judge.judge_customers(batch, at_ms, read)
        work.schedule((name, at + apart) for name, at in found.again)
        judged += len(batch)
        spent = time.monotonic() - now
        counting.wait(
            max(
                MonitorSettings().min_batch_interval_s - spent,
                min(spent / 2, MOST_REST_S) if len(batch) < most else 0.0,
            )
        )
    took, used = time.monotonic() - began, time.process_time() - cpu
    stop.set()
    writer.join()
    thread.shutdown()
    reader.close()
    return first, Sustained(judged, took, used, waits)


def _write(store: Store, changed: list[list[str]], stop: threading.Event) -> None:
    """Count, once a second, what the changed customers changed by."""
    own = open_store(store.settings)
    while not stop.wait(1.0):
        new = sorted({name for part in changed for name in part})
        changed.clear()
        for part in portions(own, new):
            add_next(own, part, int(time.time()))
    own.close()


def python_alone(store: Store, customers: int) -> tuple[int, Cost]:
    """Subjects judged, and what that takes with a store that costs nothing."""
    judge = judge_of(Nothing(store))
    chosen = random.Random(7).sample(names(customers), min(customers, 20_000))
    at = utc_now_ms()
    for _ in range(2):
        judge.judge_customers(chosen, at)
    costs = [timed(lambda: judge.judge_customers(chosen, at)) for _ in range(3)]
    subjects, _ = judge._windows.read(chosen, at)
    return len(subjects), Cost(min(each.wall for each in costs), min(each.cpu for each in costs))


def kept_bytes(store: Store, customers: int) -> dict[str, float]:
    """Bytes a customer with one stream of two long windows, of what is kept between judgements."""
    who = names(customers)
    keys = [(name, "receipts") for name in sorted(who)]
    subjects = [(name, "customer") for name, _ in keys]
    found = {}

    def windows() -> object:
        kept = LongWindows(2, 60_000, customers)
        kept.put(who, Totals(keys, np.ones((customers, 2, len(FIELDS)), np.int64)), 1)
        return kept

    def standings() -> object:
        shown = Standings(Silent(store), load_policy(), 15_000, customers)
        numbers = np.arange(customers * len(COLUMNS), dtype=np.float64).reshape(customers, -1)
        shown.show(Rows(subjects, ["good"] * customers, [()] * customers, numbers), 1)
        return shown

    def work() -> object:
        waiting = JudgeQueue(5_000)
        waiting.changed(who)
        waiting.take(1, customers, 0)
        waiting.changed(who)
        waiting.schedule((name, 60_000) for name in who)
        return waiting

    for label, make in (("long windows", windows), ("standings", standings), ("work list", work)):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        kept = make()
        found[label] = (tracemalloc.get_traced_memory()[0] - before) / customers
        tracemalloc.stop()
        del kept
    return found


def names(customers: int) -> list[str]:
    """Everybody in a filled store."""
    return [f"customer-{number}" for number in range(1, customers + 1)]


def run(
    fleets: Mapping[int, tuple[int, int, int]], seconds: float, rate: int, folder: str, *, flow: bool = False
) -> Iterator[Figure]:
    """Fill and measure; each figure as it is found. With `flow` nothing but the steady flow."""
    for customers, rows in fleets.items():
        settings = settings_in(folder, f"fleet_{customers}")
        migrate(settings)
        store = open_store(settings)
        end_s = int(time.time())
        for days, more in zip(DAYS, rows, strict=True):
            fill(store, customers, days, more, end_s)
            held = settle(store)
            if not flow:
                yield from _batch_figures(customers, days.stop, held, batches(store, customers))
        if customers == max(fleets):
            yield from _flow_figures(customers, rate, *sustained(store, customers, seconds, rate))
            _, shorter = sustained(store, customers, min(seconds, SHORTER_S), rate, SHORTER_REST_S)
            yield _judged_in(shorter, customers, rate, f"judged in a steady flow, rest {SHORTER_REST_S:g} s")
        if customers == max(fleets) and not flow:
            subjects, cost = python_alone(store, customers)
            yield Figure(
                name="judging without the store",
                value=subjects / cost.cpu,
                unit="subjects/s",
                note=f"one core; {subjects:,} customers and streams, of whom hardly any is remarkable",
            )
            for label, size in kept_bytes(store, customers).items():
                yield Figure(name=f"kept: {label}", value=size, unit="bytes a customer", note="of one stream")
        store.close()


def _batch_figures(customers: int, days: int, held: Stored, costs: Mapping[int, tuple[Cost, Cost]]) -> Iterator[Figure]:
    where = f"{customers:,} customers, {days} day{'s' * (days > 1)}"
    for size, (first, again) in costs.items():
        for label, cost in (("first", first), ("again", again)):
            yield Figure(
                name=f"{where}: {size:,} judged {label}",
                value=cost.wall,
                unit="s",
                note=f"{cost.cpu:.2f} CPU s, {size / cost.wall:,.0f} customers/s; {held.rows:,} rows stored, "
                f"{held.bytes / 1e6:,.0f} MB",
            )


def _flow_figures(customers: int, rate: int, first: Cost, flow: Sustained) -> Iterator[Figure]:
    yield Figure(
        name="everybody's first judgement",
        value=first.wall,
        unit="s",
        note=f"{first.cpu:.1f} CPU s; {customers:,} customers, what a monitor does when it starts",
    )
    yield _judged_in(flow, customers, rate, "judged in a steady flow")
    for label, percent in (("p50", 50), ("p99", 99), ("longest", 100)):
        yield Figure(
            name=f"wait of a change, {label}",
            value=percentile(flow.waits, percent),
            unit="s",
            note=f"to the begin of its judgement; up to {MonitorSettings().judge_every_s:g} s are meant",
        )


def _judged_in(flow: Sustained, customers: int, rate: int, name: str) -> Figure:
    return Figure(
        name=name,
        value=flow.judged / flow.seconds,
        unit="customers/s",
        note=f"{rate:,} changed customers/s offered for {flow.seconds:.0f} s, of {customers:,}, their counts written "
        f"meanwhile: each of them every {customers * flow.seconds / flow.judged:.1f} s; "
        f"{flow.cpu / flow.seconds:.2f} cores",
    )


def chart(figures: Sequence[Figure]) -> str:
    """Customers judged a second, again, in the largest batch of each store."""
    largest: dict[str, tuple[int, float]] = {}
    for each in figures:
        where, _, what = each.name.partition(": ")
        if what.endswith(" judged again"):
            size = int(what.split()[0].replace(",", ""))
            largest[where] = max(largest.get(where, (0, 0.0)), (size, size / each.value))
    return svg.bars([(where, rate, True) for where, (_, rate) in largest.items()])


def main(arguments: list[str]) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="The monitor by number of customers and days stored.")
    parser.add_argument("--trial", action="store_true", help="small, and kept apart")
    parser.add_argument("--flow", action="store_true", help="the steady flow alone")
    chosen = parser.parse_args(arguments)
    trial, flow = chosen.trial, chosen.flow
    fleets = {1_000: (50_000, 50_000, 50_000), 5_000: (50_000, 50_000, 50_000)} if trial else FLEETS
    if flow:
        fleets = {max(fleets): fleets[max(fleets)]}
    tune_memory()  # as `repmon monitor` and `repmon up` do
    print(f"monitor by size, {cores()}")
    figures = []
    with tempfile.TemporaryDirectory(prefix="repmon-size-") as folder:
        found = run(fleets, 10.0 if trial else SUSTAINED_S, 2_000 if trial else OFFERED_S, folder, flow=flow)
        for figure in found if flow else chain(changes_read(20_000 if trial else 60_000), found):
            figures.append(figure)
            print(f"  {figure.name:<46}{figure.value:>12,.2f} {figure.unit:<18}{figure.note}", flush=True)
    if flow:
        results.save("flow", "python -m benchmarks.size --flow", figures=figures, trial=trial)
        return
    file = results.save("size", "python -m benchmarks.size", figures=figures, trial=trial)
    file.with_suffix(".svg").write_text(chart(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
