"""A customer's 30-day series over HTTP, of 10,000 customers: what one costs next to an earlier commit, and how long it
takes at 200 requests a second while 20,000 events a second come in.

    python -m benchmarks.http_api 1006786 --rate 200 --seconds 60 --events 20000

One store in a process of its own, with a month of hours of each customer. First both builds answer the same requests,
one right after the other: processor time of interface and store for each request. Then the present one alone is asked
at the rate, whether it has answered or not, and each answer is timed from when it was due; a worker takes events in
meanwhile, from a broker, into the same store. What an interface reads ahead after its first requests, it has read
before: that is a figure of its own.
"""

import argparse
import asyncio
import hashlib
import os
import random
import shlex
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import results
from benchmarks.broker import BenchmarkError, fill, kafka
from benchmarks.intake_pairs import COMMIT, paced
from benchmarks.judged import checked_out
from benchmarks.measure import percentile
from benchmarks.process import ROOT, Process, cpu_seconds
from benchmarks.results import Figure
from benchmarks.store_process import PASSWORD
from benchmarks.traffic import Expected, steady
from schemas.settings import ClickHouse
from schemas.times import DAY_MS, utc_now_ms, utc_time
from schemas.topics import MAIL_EVENTS
from streams.io.store import Store, open_store

START_S = 120.0
#: An interface has read ahead once it and the store took less than so much of a core for so many seconds.
QUIET, QUIET_S, AHEAD_S = 0.1, 5, 300.0
#: Connections that ask: to compare what a request costs, and at a rate.
FEW, MANY = 6, 32
HEAD = "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
#: A row of each hour of 31 days, as a flush writes it.
MONTH = """
INSERT INTO counts (dimension, customer, stream, bucket, value, source, delivered, hard, block, complained)
SELECT 'provider', concat('customer-', toString(number % {customers:UInt32})), 'news',
    toDateTime(toStartOfHour(now()) - intDiv(number, {customers:UInt32}) * 3600), 'yahoo', 'bench',
    50 + rand(2) % 100, rand(3) % 3, rand(4) % 3, rand(5) % 2
FROM numbers({customers:UInt32} * 24 * 31)
"""
RUN = "import sys; sys.argv[1:] = ['api']; from {module} import main; main()"


def fill_store(store: Store, customers: int) -> list[str]:
    """A month of everybody's mail, and a key for each customer. Returns the keys."""
    store.run(MONTH, {"customers": customers})
    store.run("OPTIMIZE TABLE counts FINAL")  # else merges, which are no request's, would be measured with them
    keys = [f"rmk_{number:043d}" for number in range(customers)]
    now = utc_time(utc_now_ms())
    columns: dict[str, list[Any]] = {
        "key_hash": [hashlib.sha256(each.encode()).hexdigest() for each in keys],
        "customer": [f"customer-{number}" for number in range(customers)],
        "label": [""] * customers,
        "created": [now] * customers,
        "revoked": [False] * customers,
        "updated": [now] * customers,
    }
    store.insert("api_keys", columns)
    return keys


@contextmanager
def interface(tree: Path, environ: Mapping[str, str], folder: Path) -> Iterator[tuple[Process, int]]:
    """The interface of the build in `tree`, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    module = "api.cli.main" if (tree / "api" / "cli").is_dir() else "api.cli"
    program = folder / f"run-{port}.py"
    program.write_text(RUN.format(module=module))
    own = {**environ, "PYTHONPATH": str(tree), "REPMON_API__PORT": str(port)}
    with Process(program, environ=own) as running:
        deadline = time.monotonic() + START_S
        while True:
            running.check()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise BenchmarkError(f"{tree.name}: does not answer{running.said()}") from None
                time.sleep(0.1)
        yield running, port


def requests(keys: Sequence[str], count: int, seed: int) -> list[bytes]:
    """So many requests of random customers for the same 30 days, as they are sent."""
    chance = random.Random(seed)
    start = utc_now_ms() - 30 * DAY_MS
    path = f"/v1/rates?metric=complaint&window=24h&from={start}"
    return [HEAD.format(path=path, key=chance.choice(keys)).encode() for _ in range(count)]


async def ask(port: int, asked: Sequence[bytes], rate: float = 0.0) -> list[float]:
    """Send them, each when it is due at a rate (a second), or without one as fast as they are answered. Returns how
    long each took from when it was due (s).

    Raises:
        BenchmarkError: one was refused.
    """
    took: list[float] = []
    waiting: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (each := await waiting.get()) is not None:
            due, request = each
            began = due or time.monotonic()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            body = await reader.readexactly(int(length.partition(b":")[2]))
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise BenchmarkError(f"refused: {head.decode()}{body.decode()}")
            took.append(time.monotonic() - began)
        writer.close()

    connections = [asyncio.create_task(connection()) for _ in range(MANY if rate else FEW)]
    began = time.monotonic()
    for number, request in enumerate(asked):
        due = began + number / rate if rate else 0.0
        if due and (early := due - time.monotonic()) > 0:
            await asyncio.sleep(early)
        waiting.put_nowait((due, request))
    for _ in connections:
        waiting.put_nowait(None)
    await asyncio.gather(*connections)
    return took


def read_ahead(pids: Sequence[int]) -> float:
    """Wait until these processes are quiet. Returns the processor time that they took (s)."""
    began = before = sum(map(cpu_seconds, pids))
    quiet, deadline = 0, time.monotonic() + AHEAD_S
    while quiet < QUIET_S and time.monotonic() < deadline:
        time.sleep(1)
        now = sum(map(cpu_seconds, pids))
        quiet = quiet + 1 if now - before < QUIET else 0
        before = now
    return before - began


def cost(tree: Path, environ: Mapping[str, str], folder: Path, asked: Sequence[bytes], store_pid: int) -> float:
    """Processor time of interface and store for one request, in ms."""
    with interface(tree, environ, folder) as (running, port):
        asyncio.run(ask(port, asked[:20]))  # connections are opened, code is compiled
        read_ahead([running.pid, store_pid])
        used = cpu_seconds(running.pid) + cpu_seconds(store_pid)
        asyncio.run(ask(port, asked))
        used = cpu_seconds(running.pid) + cpu_seconds(store_pid) - used
        running.end()
    return used / len(asked) * 1000


def under_load(
    environ: Mapping[str, str],
    folder: Path,
    keys: Sequence[str],
    rate: int,
    seconds: int,
    events: int,
    store_pid: int,
) -> tuple[float, list[float]]:
    """How long each answer took (s) at a rate, while so many events a second come in (none: 0); before it the processor
    time of what was read ahead (s)."""
    with ExitStack() as stack:
        running, port = stack.enter_context(interface(ROOT, environ, folder))
        asyncio.run(ask(port, requests(keys, 50, 7)))
        ahead = read_ahead([running.pid, store_pid])
        sending: threading.Thread | None = None
        if events:
            broker = stack.enter_context(kafka())
            own = {**environ, "REPMON_KAFKA__BOOTSTRAP": broker.settings.bootstrap}
            own |= {"REPMON_INGEST__HASH_KEY": "a key for benchmarks", "PYTHONPATH": str(ROOT)}
            worker = stack.enter_context(Process("api.cli.main", ["ingest"], environ=own))
            messages = list(steady(10_000, events * seconds, events, utc_now_ms(), Expected()))
            sending = threading.Thread(
                target=fill, args=(broker.settings, MAIL_EVENTS, paced(messages, events)), daemon=True
            )
            sending.start()
        took = asyncio.run(ask(port, requests(keys, rate * seconds, 8), rate))
        if sending is not None:
            sending.join()
            worker.check()
        running.check()
    return ahead, took


def main(arguments: list[str]) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default=COMMIT, help="the earlier commit")
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=400, help="whose cost is compared, in each pair")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--rate", type=int, default=200, help="requests a second; 0: only what one costs")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--events", type=int, default=20_000, help="events a second meanwhile; 0: none")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    found: list[Figure] = []

    def tell(figure: Figure) -> None:
        print(f"  {figure.name}: {figure.value:,.2f} {figure.unit}  ({figure.note})", flush=True)
        found.append(figure)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="repmon-http-")))
        earlier = stack.enter_context(checked_out(chosen.commit, folder)) if chosen.pairs else ROOT
        served = stack.enter_context(Process("benchmarks.store_process", [folder / "store"]))
        url = f"http://127.0.0.1:{served.mark('serving', START_S)['port']}"
        settings = ClickHouse(url=url, password=PASSWORD, timeout_s=600)
        store = open_store(settings)
        keys = fill_store(store, chosen.customers)
        store.close()
        environ = {
            "REPMON_CLICKHOUSE__URL": url,
            "REPMON_CLICKHOUSE__PASSWORD": PASSWORD,
            "HOME": os.environ.get("HOME", str(folder)),
        }
        pairs = []
        for number in range(chosen.pairs):
            asked = requests(keys, chosen.requests, number)
            before, now = (cost(tree, environ, folder, asked, served.pid) for tree in (earlier, ROOT))
            pairs.append((before, now))
            print(f"  {before:.1f} ms at {chosen.commit}, {now:.1f} ms now", flush=True)
        if pairs:
            ratios = [now / before for before, now in pairs]
            note = f"median of {len(pairs)} pairs, {min(ratios):.2f} to {max(ratios):.2f}"
            tell(Figure(name="CPU of a request", value=median(ratios), unit=f"times {chosen.commit}", note=note))
            used = median(now for _, now in pairs)
            tell(Figure(name="CPU of a request, absolute", value=used, unit="ms", note="interface and store"))
        took: list[float] = []
        if chosen.rate:
            ahead, took = under_load(environ, folder, keys, chosen.rate, chosen.seconds, chosen.events, served.pid)
            value = ahead / chosen.customers * 1000
            tell(
                Figure(name="CPU of reading ahead", value=value, unit="ms a customer", note="once, interface and store")
            )
        note = f"{chosen.rate} requests/s, {chosen.events:,} events/s, {chosen.customers:,} customers"
        for part in (50, 99) if took else ():
            value = percentile(took, part) * 1000
            tell(Figure(name=f"time to answer, p{part}", value=value, unit="ms", note=note))
        served.end()
    command = shlex.join(["python", "-m", "benchmarks.http_api", *arguments])
    results.save("http_api", command, figures=found, trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
