"""The product at the load it claims: 10,000 customers, in the order of time, 20,000 events a second for a minute.

    python -m benchmarks.steady --customers 10000 --rate 20000 --seconds 60

`repmon up` runs as its user starts it, with its store inside, on real Kafka; another process sends. Once a second it is
asked how many messages are not stored yet and how many customers it judged. In the end what it stored is compared with
what was sent. The lag of the second half is set against that of the first: what grows does not keep up.
"""

import argparse
import re
import shlex
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import msgspec

from benchmarks import results
from benchmarks.broker import BenchmarkError, fill, kafka
from benchmarks.intake_pairs import paced
from benchmarks.measure import cores, percentile
from benchmarks.process import Process, cpu_seconds
from benchmarks.results import Figure
from benchmarks.traffic import Expected, steady
from benchmarks.verify import verify
from jobs.embedded.folder import Running
from schemas.settings import Kafka
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS

START_S, DRAIN_S = 120.0, 120.0
LOOK_S = 1.0
#: Left out at the begin of each run: everybody is judged for the first time.
WARM_S = 10.0
METRICS = ("repmon_ingest_lag", "repmon_ingest_stored_total", "repmon_monitor_judged_total")


class Sample(NamedTuple):
    """What the product said at a time (monotonic, s)."""

    at: float
    lag: float
    stored: float
    judged: float


class Steady(NamedTuple):
    """What came of a run. `cpu` (s) was used in so many `seconds`, `peak_bytes` is resident memory."""

    samples: list[Sample]
    sent: int
    seconds: float
    drained_s: float
    cpu: float
    peak_bytes: int


def measure(kafka_settings: Kafka, customers: int, rate: int, seconds: int) -> Steady:
    """Send at the rate, look once a second, compare what is stored.

    Raises:
        BenchmarkError: it ended, did not keep up at all, or its counts are wrong.
    """
    expected = Expected()
    with tempfile.TemporaryDirectory(prefix="repmon-steady-") as folder:
        environ = {
            "REPMON_KAFKA__BOOTSTRAP": kafka_settings.bootstrap,
            "REPMON_EMBEDDED__DATA": folder,
            "REPMON_EMBEDDED__STORE_PORT": "0",
            "REPMON_API__PORT": "0",
            "REPMON_INGEST__HASH_KEY": "a key for benchmarks",
        }
        with Process("api.cli.main", ["up"], environ=environ) as up:
            url = _metrics_url(Path(folder), up)
            samples: list[Sample] = []
            over = threading.Event()
            watch = threading.Thread(target=_watch, args=(url, samples, over), name="samples", daemon=True)
            watch.start()
            began, used = time.monotonic(), cpu_seconds(up.pid)
            messages = steady(customers, rate * seconds, rate, utc_now_ms(), expected)
            fill(kafka_settings, MAIL_EVENTS, paced(messages, rate))
            took, used = time.monotonic() - began, cpu_seconds(up.pid) - used
            sent_at = time.monotonic()
            while sample(url).stored < expected.events:
                up.check()
                if time.monotonic() - sent_at > DRAIN_S:
                    raise BenchmarkError(f"not all was stored {DRAIN_S:g} s after it was sent{up.said()}")
                time.sleep(0.1)
            drained = time.monotonic() - sent_at
            over.set()
            watch.join()
            peak = up.peak_bytes
            up.end()
        verify(str(Path(folder) / "store"), expected)
    return Steady([each for each in samples if each.at <= sent_at], expected.events, took, drained, used, peak)


def _metrics_url(folder: Path, up: Process) -> str:
    """Where its numbers are, once it runs."""
    deadline = time.monotonic() + START_S
    while not (file := folder / "running.json").exists():
        up.check()
        if time.monotonic() > deadline:
            raise BenchmarkError(f"`repmon up` does not run after {START_S:g} s{up.said()}")
        time.sleep(0.1)
    return f"{msgspec.json.decode(file.read_bytes(), type=Running).api}/metrics"


def _watch(url: str, samples: list[Sample], over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        samples.append(sample(url))


def sample(url: str) -> Sample:
    """What it says now."""
    with urllib.request.urlopen(url, timeout=30.0) as answer:  # noqa: S310 - an address of ours
        return parsed(answer.read().decode(), time.monotonic())


def parsed(text: str, at: float) -> Sample:
    """The numbers in Prometheus' text; what is not said yet is 0."""
    found = dict(re.findall(r"^(\w+)(?:\{[^}]*\})? (\S+)$", text, re.MULTILINE))
    lag, stored, judged = (float(found.get(name, 0)) for name in METRICS)
    return Sample(at, lag, stored, judged)


def figures(run: Steady, customers: int, rate: int) -> Iterator[Figure]:
    """What came of it."""
    some = settled(run.samples)
    lags = [each.lag for each in some if each.lag == each.lag]  # not a number while the broker does not say
    half = len(lags) // 2
    early, late = mean(lags[:half]), mean(lags[half:])
    judged = (some[-1].judged - some[0].judged) / (some[-1].at - some[0].at)
    note = f"{customers:,} customers in the order of time, {rate:,} events/s meant, {run.seconds:.0f} s"
    yield Figure(name="sent", value=run.sent / run.seconds, unit="events/s", note=note)
    yield Figure(name="lag, mean", value=mean(lags), unit="events", note=f"first half {early:,.0f}, second {late:,.0f}")
    yield Figure(name="lag, p99", value=percentile(lags, 99), unit="events", note=f"worst {max(lags):,.0f}")
    yield Figure(name="all stored after the last", value=run.drained_s, unit="s", note="then compared, count by count")
    yield Figure(name="judged", value=judged, unit="customers/s", note="of those whose counts changed")
    yield Figure(name="processor", value=run.cpu / run.seconds, unit="cores", note="ingest, store, monitor, interface")
    yield Figure(name="peak memory", value=run.peak_bytes / 1e6, unit="MB", note="of the one process")


def settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Those after the begin.

    Raises:
        BenchmarkError: there are too few.
    """
    some = [each for each in samples if each.at >= samples[0].at + WARM_S]
    if len(some) < 4:
        raise BenchmarkError(f"too short: {len(some)} samples after the first {WARM_S:g} s")
    return some


def main(arguments: list[str]) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000, help="whose mail it is")
    parser.add_argument("--rate", type=int, default=20_000, help="events a second")
    parser.add_argument("--seconds", type=int, default=60, help="for how long")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    with kafka() as broker:
        run = measure(broker.settings, chosen.customers, chosen.rate, chosen.seconds)
    found = list(figures(run, chosen.customers, chosen.rate))
    print(f"a steady flow, {cores()}")
    for each in found:
        print(f"  {each.name:<28}{each.value:>12,.2f} {each.unit:<14}{each.note}")
    command = shlex.join(["python", "-m", "benchmarks.steady", *arguments])
    results.save("steady", command, figures=found, trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
