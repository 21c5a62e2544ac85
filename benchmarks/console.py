"""The fleet page of 10,000 customers: how soon 20 viewers have it while events come in, what a live update costs, what
goes over the wire, and what a viewer takes in memory. And how soon one viewer has each other page, after that.

    python -m benchmarks.console --viewers 20 --seconds 60 --events 20000

One store in a process of its own, with a month of hours of each customer, and `repmon console` in another. Viewers sign
in, hold their live connection and open pages of the fleet, each with its own search, each a few seconds after the one
before; a worker takes events in meanwhile, into the same store. What a live update costs is measured of the function
that makes it, in a process of its own, where all rows of a page have changed and no two viewers ask the same.
"""

import argparse
import asyncio
import gzip
import hashlib
import os
import random
import re
import shlex
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.broker import BenchmarkError, fill, kafka
from benchmarks.http_api import MONTH
from benchmarks.intake_pairs import paced
from benchmarks.measure import percentile
from benchmarks.process import ROOT, Process
from benchmarks.results import Figure
from benchmarks.store_process import PASSWORD
from benchmarks.traffic import Expected, steady
from schemas.settings import ClickHouse
from schemas.times import utc_now_ms, utc_time
from schemas.topics import MAIL_EVENTS
from streams.io.store import Store, open_store

START_S = 300.0
KEY = "rmk_" + "b" * 43
#: Which part of the fleet stands how.
STANDINGS = {"critical": 10, "excessive": 40, "warning": 150, "watch": 300, "insufficient_volume": 1_000}
QUERIES = (
    "", "?standing=excessive", "?standing=warning&page=2", "?sort=volume&order=desc", "?sort=failure&order=desc",
    "?q=customer-12", "?sort=since&order=desc", "?page=7", "?open=1", "?standing=watch&sort=complaint&order=desc",
)  # fmt: skip
#: Pages besides the fleet, below /console/, and how often each is asked.
OTHERS = {
    "incidents": "incidents", "providers": "providers?hours=6", "blocklists": "blocklists", "policy": "policy",
    "dead letters": "dead-letters", "audit": "audit", "health": "health",
}  # fmt: skip
OTHER_TURNS = 20
#: Between two pages of a viewer, in s.
PAUSE_S = 3.0
#: Connections by which the memory of one is measured.
MANY = 200
UPDATES = 20


def fill_fleet(store: Store, customers: int, days: int) -> None:
    """So many days of everybody's mail, how everybody stands, and an operator's key."""
    store.run(MONTH.replace("24 * 31", f"24 * {days}"), {"customers": customers})
    store.run("OPTIMIZE TABLE counts FINAL")
    now_ms = utc_now_ms()
    kinds = [name for name, count in STANDINGS.items() for _ in range(count * customers // 10_000)]
    standings = (kinds + ["good"] * customers)[:customers]
    columns: dict[str, list[Any]] = {
        "customer": [f"customer-{number}" for number in range(customers)],
        "scope": ["customer"] * customers,
        "updated": [utc_time(now_ms)] * customers,
        "standing": standings,
        "since": [utc_time(now_ms - number * 60_000) for number in range(customers)],
        "volume": [2_000] * customers,
        "failure_rate": [0.01] * customers,
        "reasons": [["failure"] if each in ("critical", "excessive", "warning", "watch") else [] for each in standings],
        "policy_version": ["bench"] * customers,
    }
    store.insert("standings", columns)
    row = {"key_hash": hashlib.sha256(KEY.encode()).hexdigest(), "customer": "", "label": "bench"}
    times = {"created": utc_time(now_ms), "updated": utc_time(now_ms), "revoked": False}
    store.insert("api_keys", {name: [value] for name, value in (row | times).items()})


async def ask(port: int, path: str, cookie: str = "", form: str = "") -> tuple[str, bytes]:
    """One request over a connection of its own: the head of the answer, and its body as it was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{'POST' if form else 'GET'} {path} HTTP/1.1", "Host: localhost", "Accept-Encoding: gzip"]
    lines += ["Connection: close", *([f"Cookie: {cookie}"] if cookie else [])]
    if form:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"]
    writer.write(("\r\n".join(lines) + "\r\n\r\n" + form).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    found = re.search(r"content-length: (\d+)", head.lower())
    body = await reader.readexactly(int(found[1])) if found else b""
    writer.close()
    return head, body


async def sign_in(port: int) -> str:
    """The cookie of a new session."""
    head, _ = await ask(port, "/console/sign-in", form=f"key={KEY}")
    found = re.search(r"set-cookie: ([^;]+)", head, re.IGNORECASE)
    if found is None:
        raise BenchmarkError(f"cannot sign in: {head}")
    return found[1]


class RefusedPageError(BenchmarkError):
    """A page was answered with something else than itself."""


async def open_page(port: int, cookie: str, query: str) -> bytes:
    """A page of the fleet, unpacked.

    Raises:
        RefusedPageError: it is not there.
    """
    head, body = await ask(port, f"/console/{query}", cookie)
    first = head.split("\r\n", 1)[0]
    if " 200 " not in first:
        raise RefusedPageError(f"{query or 'the fleet'}: refused: {first}")
    return gzip.decompress(body) if "gzip" in head.lower() else body


async def live(port: int, cookie: str, query: str, over: asyncio.Event) -> int:
    """Hold a live connection until it is over. Returns how many updates came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path = f"/console/fleet/live{query}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
    ended, updates = asyncio.create_task(over.wait()), 0
    while not over.is_set():
        part = asyncio.create_task(reader.read(1 << 20))
        await asyncio.wait({part, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not part.done():
            part.cancel()
            break
        updates += part.result().count(b'data: {"version"')
        if not part.result():
            raise BenchmarkError("a live connection ended")
    writer.close()
    return updates


async def watched(port: int, viewers: int, seconds: float, refused: list[str]) -> tuple[list[float], int]:
    """How long each page took (s), and how many updates all viewers had. What was refused is said in `refused`."""
    cookies = [await sign_in(port) for _ in range(viewers)]
    while b'<tr id="r' not in await open_page(port, cookies[0], ""):  # each waits a while for the fleet
        pass
    over, took, chance = asyncio.Event(), list[float](), random.Random(1)
    streams = [
        asyncio.create_task(live(port, cookie, QUERIES[place % len(QUERIES)], over))
        for place, cookie in enumerate(cookies)
    ]

    async def viewer(cookie: str) -> None:
        end = time.monotonic() + seconds
        await asyncio.sleep(chance.uniform(0, PAUSE_S))
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                await open_page(port, cookie, chance.choice(QUERIES))
                took.append(time.monotonic() - began)
            except RefusedPageError as error:
                refused.append(str(error))
            await asyncio.sleep(chance.uniform(0.5, 1.5) * PAUSE_S)

    await asyncio.gather(*(viewer(each) for each in cookies))
    over.set()
    return took, sum(await asyncio.gather(*streams))


async def memory_of_viewer(port: int, pid: int) -> float:
    """Resident bytes of the server for one more live connection with its session."""
    over = asyncio.Event()
    cookies = [await sign_in(port) for _ in range(MANY)]
    await open_page(port, cookies[0], "")
    before = resident(pid)
    streams = [
        asyncio.create_task(live(port, cookie, QUERIES[place % len(QUERIES)], over))
        for place, cookie in enumerate(cookies)
    ]
    await asyncio.sleep(20.0)
    after = resident(pid)
    over.set()
    await asyncio.gather(*streams)
    return (after - before) / MANY


def resident(pid: int) -> int:
    """Resident memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def bytes_of_first_load(port: int) -> int:
    """What goes over the wire before the fleet is seen for the first time: the page and its files, packed."""
    cookie = await sign_in(port)
    page, total = await open_page(port, cookie, ""), 0
    for path in ["/console/", *sorted(set(re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page.decode())))]:
        head, body = await ask(port, path, cookie)
        total += len(head) + len(body)
    return total


async def pages_besides(port: int, customers: int, refused: list[str]) -> dict[str, list[float]]:
    """How long each other page took (s), one after the other, each customer's and each filter asked for once. What was
    refused is said in `refused`."""
    cookie = await sign_in(port)
    took: dict[str, list[float]] = {}
    for turn in range(OTHER_TURNS + 1):
        asked = {name: f"{path}{'&' if '?' in path else '?'}turn={turn}" for name, path in OTHERS.items()}
        for name, path in {**asked, "a case": f"customers/customer-{turn * 37 % customers}"}.items():
            began = time.monotonic()
            try:
                await open_page(port, cookie, path)
            except RefusedPageError as error:
                refused.append(str(error))
                continue
            if turn:  # the first is of a process that just started
                took.setdefault(name, []).append(time.monotonic() - began)
    return took


def cost_of_update(customers: int) -> float:
    """Processor time to tell a viewer what is new, in ms: all rows changed, and each viewer asks something else."""
    from api.console.fleet.drawn import DrawnRows
    from api.console.fleet.rows import FleetRow, RuleFigures
    from api.console.fleet.table import FleetQuery, FleetTable
    from api.console.fleet.watch import FleetState
    from api.console.pages.fleet import news
    from api.explain.worst import WorstLine, WorstRate

    def row(number: int, turn: int) -> FleetRow:
        rate = WorstRate(0.01 * number / customers, (number, customers))
        names = ("complaint", "failure", "block", "exposure")
        line = WorstLine(
            customer=f"customer-{number}",
            scope="customer",
            standing="watch",
            since_ms=1_000 * number,
            rule="failure",
            overridden=False,
            volume=number + turn,
            score=50,
            place=(0, 0.0, -number, "", ""),
            **dict.fromkeys(names, rate),  # type: ignore[arg-type]
        )
        figures = RuleFigures(
            metric="failure",
            window="24h",
            numerator=number,
            denominator=customers,
            rate=rate.ratio,
            lower=rate.ratio / 2,
            upper=rate.ratio * 2,
            threshold=0.03,
        )
        return FleetRow(line=line, trend=tuple(0.01 for _ in range(24)), figures=figures)

    # No two ask the same, and their pages share no row.
    queries = [
        FleetQuery(
            sort="volume", descending=bool(place % 2), page=1 + place // 2, text="customer" + "-" * (place % 3 > 1)
        )
        for place in range(20)
    ]
    drawn, used = DrawnRows(), 0.0
    for turn in range(1, UPDATES + 1):
        rows = [row(number, turn) for number in range(customers)]
        state = FleetState(FleetTable(rows, {}), turn, 1, {each.key: turn for each in rows})
        began = time.process_time()
        for query in queries:
            news(drawn, state, query, turn - 1, (), 1)
        used += time.process_time() - began
    return used / UPDATES / len(queries) * 1000


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def measure(environ: Mapping[str, str], chosen: argparse.Namespace, stack: ExitStack) -> list[Figure]:
    """What the running console says."""
    port = free_port()
    console = stack.enter_context(Process("api.cli.main", ["console", "--port", port], environ=environ))
    deadline = time.monotonic() + START_S
    while True:
        console.check()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"the console does not answer{console.said()}") from None
            time.sleep(0.1)
    sending: threading.Thread | None = None
    if chosen.events:
        broker = stack.enter_context(kafka())
        own = {**environ, "REPMON_KAFKA__BOOTSTRAP": broker.settings.bootstrap}
        own |= {"REPMON_INGEST__HASH_KEY": "a key for benchmarks"}
        stack.enter_context(Process("api.cli.main", ["ingest"], environ=own))
        count = int(chosen.events * (chosen.seconds + 15))
        messages = list(steady(chosen.customers, count, chosen.events, utc_now_ms(), Expected()))
        sending = threading.Thread(
            target=fill, args=(broker.settings, MAIL_EVENTS, paced(messages, chosen.events)), daemon=True
        )
        sending.start()
    refused: list[str] = []
    took, updates = asyncio.run(watched(port, chosen.viewers, chosen.seconds, refused))
    if sending is not None:
        sending.join()
    busy = f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"
    note = f"{len(took)} pages, {chosen.viewers} viewers, {chosen.customers:,} customers, {chosen.events:,} events/s"
    each = f"{updates / chosen.viewers / chosen.seconds:.2f} updates/s a viewer meanwhile"
    others = asyncio.run(pages_besides(port, chosen.customers, refused))
    for each_refused in refused:
        print(f"  {each_refused}", flush=True)
    slowest = {name: percentile(each, 95) * 1000 for name, each in others.items()}
    return [
        *(
            Figure(name=f"page: {name}, p95", value=each, unit="ms", note=f"{OTHER_TURNS} times, one viewer; {busy}")
            for name, each in sorted(slowest.items(), key=lambda one: -one[1])
        ),
        Figure(name="pages that were refused", value=len(refused), unit="", note="of all that were asked for"),
        Figure(name="first paint, p50", value=percentile(took, 50) * 1000, unit="ms", note=note),
        Figure(name="first paint, p95", value=percentile(took, 95) * 1000, unit="ms", note=f"{note}; {each}; {busy}"),
        Figure(name="over the wire on first load", value=asyncio.run(bytes_of_first_load(port)) / 1000, unit="KB"),
        Figure(
            name="memory of a viewer",
            value=asyncio.run(memory_of_viewer(port, console.pid)) / 1000,
            unit="KB",
            note=f"of {MANY} who are live",
        ),
    ]


def main(arguments: Sequence[str]) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=31, help="of mail in the store")
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--events", type=int, default=20_000, help="events a second meanwhile; 0: none")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="repmon-console-")))
        served = stack.enter_context(Process("benchmarks.store_process", [folder / "store"]))
        url = f"http://127.0.0.1:{served.mark('serving', START_S)['port']}"
        store = open_store(ClickHouse(url=url, password=PASSWORD, timeout_s=600))
        fill_fleet(store, chosen.customers, chosen.days)
        store.close()
        environ = {
            "REPMON_CLICKHOUSE__URL": url,
            "REPMON_CLICKHOUSE__PASSWORD": PASSWORD,
            "PYTHONPATH": str(ROOT),
            "HOME": os.environ.get("HOME", str(folder)),
        }
        found = measure(environ, chosen, stack)
    update = cost_of_update(chosen.customers)
    found.append(
        Figure(
            name="processor time of a live update a viewer",
            value=update,
            unit="ms",
            note=f"{chosen.customers:,} customers, 20 viewers of different pages, all 50 rows changed",
        )
    )
    for figure in found:
        print(f"  {figure.name}: {figure.value:,.2f} {figure.unit}  ({figure.note})", flush=True)
    results.save(
        "console", shlex.join(["python", "-m", "benchmarks.console", *arguments]), figures=found, trial=chosen.trial
    )


if __name__ == "__main__":
    main(sys.argv[1:])
