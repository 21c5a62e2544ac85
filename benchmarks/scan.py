"""How long a scan of 10,000 addresses at 30 blocklists takes, and how much memory.

    python -m benchmarks.scan

The lists are served by rbldnsd on the loopback, the store by a process of its own; the scan runs in this process, on
one core. Measured at the pace that lists are asked at by default, and without holding back: then it is the scan that
takes the time. Every look is counted, and every listing compared with what was served.
"""

import argparse
import os
import resource
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import results, store_process
from benchmarks.broker import BenchmarkError
from benchmarks.measure import cores
from benchmarks.process import Process
from benchmarks.results import Figure
from jobs.blocklists.result import ScanResult
from jobs.blocklists.scan import Scanner
from schemas.blocklist_settings import Blocklists
from schemas.settings import ClickHouse
from schemas.times import MINUTE_S, utc_now_ms
from streams.io.store import Store, open_store
from tests.support.rbldnsd import running

ADDRESSES = 10_000
ZONES = 30
#: One address in so many is listed.
LISTED = 100
UNHELD = 1e6
START_S = 60.0


def addresses(count: int) -> list[str]:
    """Addresses of 198.18.0.0/15 (RFC 2544)."""
    return [f"198.{18 + number // 65_536}.{number // 256 % 256}.{number % 256}" for number in range(count)]


def table(zones: int) -> str:
    """The table of zones."""
    return "".join(
        f'[[zone]]\nzone = "bl{number}.example"\nkind = "ip"\nfamilies = ["ipv4"]\nweight = "minor"\nany_code = true\n'
        for number in range(zones)
    )


def fill(store: Store, sent_from: list[str], now_s: int) -> None:
    """Count a message from each address, a moment ago."""
    many = len(sent_from)
    store.insert(
        "counts",
        {
            "dimension": ["ip"] * many,
            "customer": [f"customer-{number % 1_000}" for number in range(many)],
            "stream": ["default"] * many,
            "class": ["bulk"] * many,
            "bucket": [datetime.fromtimestamp(now_s // MINUTE_S * MINUTE_S, UTC)] * many,
            "value": sent_from,
            "source": ["benchmark/0"] * many,
            "delivered": [1] * many,
        },
    )


def measured(count: int, zones: int, rates: tuple[float, ...]) -> Iterator[Figure]:
    """Seconds, processor seconds and memory at each rate (questions a second to one list).

    Raises:
        BenchmarkError: a look failed, or a listing was not found.
    """
    sent_from = addresses(count)
    listed = sent_from[::LISTED]
    served = {f"bl{number}.example": ("ip4set", ["127.0.0.2", *listed]) for number in range(zones)}
    with (
        tempfile.TemporaryDirectory(prefix="repmon-scan-") as folder,
        running(served) as server,
        Process("benchmarks.store_process", [folder]) as served_store,
    ):
        port = served_store.mark("serving", START_S)["port"]
        store_settings = ClickHouse(url=f"http://127.0.0.1:{port}", password=store_process.PASSWORD)
        # After the servers have started, which run on any core.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        zones_file = Path(folder) / "zones.toml"
        zones_file.write_text(table(zones))
        store = open_store(store_settings)
        now_ms = utc_now_ms()
        fill(store, sent_from, now_ms // 1000)
        for each, rate in enumerate(rates):
            asked = Blocklists(
                resolvers=["127.0.0.1"], port=server.port, zones_file=str(zones_file), queries_per_s=rate
            )
            began, used = time.monotonic(), time.process_time()
            result = Scanner(store, asked, lambda _key, _value: None).everything(now_ms + each)
            seconds, cpu_seconds = time.monotonic() - began, time.process_time() - used
            check(result, count * zones, len(listed) * zones)
            pace = "without holding back" if rate == UNHELD else f"at {rate:g} questions/s to a list"
            note = f"{count:,} addresses, {zones} lists, one core"
            yield Figure(name=f"a scan {pace}", value=seconds, unit="s", note=note)
            yield Figure(name=f"processor time {pace}", value=cpu_seconds, unit="s")
        yield Figure(
            name="memory of the process",
            value=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
            unit="MB",
            note="at the most, all scans; the store is not in it",
        )
        store.close()
        served_store.end()


def check(result: ScanResult, looked: int, listed: int) -> None:
    """Everything was asked, answered, and found.

    Raises:
        BenchmarkError: it was not.
    """
    found = (result.looked, result.listed, result.failed)
    if found != (looked, listed, 0):
        raise BenchmarkError(f"looks, listed, failed: {found} and not {(looked, listed, 0)}")


def main(arguments: list[str]) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description="How long a scan of blocklists takes.")
    parser.add_argument("--addresses", type=int, default=ADDRESSES, help="how many addresses")
    parser.add_argument("--zones", type=int, default=ZONES, help="at how many lists")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    found = list(measured(chosen.addresses, chosen.zones, (UNHELD, Blocklists().queries_per_s)))
    command = shlex.join(["python", "-m", "benchmarks.scan", *arguments])
    results.save("scan", command, figures=found, trial=chosen.trial)
    print(f"a scan of blocklists, {cores()}")
    for each in found:
        print(f"  {each.name:<48} {each.value:>10,.1f} {each.unit}  {each.note}")


if __name__ == "__main__":
    main(sys.argv[1:])
