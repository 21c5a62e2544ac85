"""How much memory one `repmon ingest` takes when nearly every event is counted under a key of its own.

    python -m benchmarks.memory --customers 100000

Every customer sends to 20 mailbox providers, in an order in which no two neighbours share a key. Measured twice:
with the store in the process, and with the store served by a process of its own, which leaves the worker alone.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator

from benchmarks import ingest, results
from benchmarks.broker import fill, kafka
from benchmarks.results import Run
from benchmarks.throughput import shown
from benchmarks.traffic import Expected, Message
from schemas import providers
from schemas.counts import MEASURES
from schemas.times import HOUR_MS, MINUTE_MS, utc_now_ms
from schemas.topics import MAIL_EVENTS

PROVIDERS = 20
#: Events of each customer at each provider.
ROUNDS = 2
_DELIVERED = tuple(int(name == "delivered") for name in MEASURES)


def wide(customers: int, now_ms: int, expected: Expected) -> Iterator[Message]:
    """Deliveries to each provider for each customer in turn, so that a key comes again as late as it can. Each round
    lies within one minute, so that the store has one row for each key and round."""
    domains = [each.domains[0] for each in providers.load_providers().all[:PROVIDERS]]
    rows: dict[tuple[str, int], int] = {}
    for turn in range(ROUNDS):
        time_ms = now_ms - HOUR_MS + turn * MINUTE_MS
        for place, domain in enumerate(domains):
            for number in range(customers):
                customer = f"customer-{number:06d}"
                value = (
                    f'{{"id":"{turn}-{place}-{number}","type":"delivered","time":{time_ms},"customer":"{customer}",'
                    f'"recipient":"reader-{number}@{domain}","sending_ip":"198.18.{number % 250}.{place}",'
                    f'"ip_pool":"shared-{number % 40}","smtp_code":250}}'
                ).encode()
                yield Message(customer.encode(), value, time_ms)
                expected.events += 1
                expected.bytes += len(value)
                key = customer, time_ms // MINUTE_MS
                rows[key] = rows.get(key, 0) + 1
    expected.addressed = expected.events
    expected.rows = [(*key, tuple(count * each for each in _DELIVERED)) for key, count in sorted(rows.items())]


def main(arguments: list[str]) -> None:
    """Fill the topic, measure both ways, print and save."""
    parser = argparse.ArgumentParser(description="Memory of one ingest process with very many customers.")
    parser.add_argument("--customers", type=int, default=100_000, help="how many customers")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    runs: list[Run] = []
    with kafka() as broker:
        expected = Expected()
        seconds = fill(broker.settings, MAIL_EVENTS, wide(chosen.customers, utc_now_ms(), expected))
        print(f"{MAIL_EVENTS}: {expected.events:,} events in {seconds:.1f} s", flush=True)
        for name, served in (("store inside", False), ("store outside", True)):
            job = ingest.Job(name, MAIL_EVENTS, "canonical", expected)
            runs.append(shown(ingest.measure(broker.settings, job, served=served)))
    results.save("memory", shlex.join(["python", "-m", "benchmarks.memory", *arguments]), runs, trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
