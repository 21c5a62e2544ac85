"""How many events a second one process takes in, next to the raw client and other stream processors.

    python -m benchmarks.throughput --events 1000000

All read the same broker, one after the other. What the product stored is compared with what was produced, customer
by customer and minute by minute; the others' totals are checked as well. The loop, Bytewax and Quix Streams run twice:
as they only count, and as they do the product's work over the same store (benchmarks/same_work.py).
"""

import argparse
import shlex
import sys

from benchmarks import ingest, others, results, same_work
from benchmarks.broker import fill, kafka
from benchmarks.process import OTHERS
from benchmarks.results import Run
from benchmarks.traffic import Expected, hour
from schemas.settings import Kafka
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS

LOGS = "mail.logs"
#: The slower contenders get fewer events, the first ones of the same mail.
FEWER = {others.LOOP: 1_000_000, others.BYTEWAX: 1_000_000, others.QUIX: 300_000, others.FAUST: 30_000}
SAME = {same_work.LOOP: 1_000_000, same_work.BYTEWAX: 300_000, same_work.QUIX: 60_000}


def main(arguments: list[str]) -> None:
    """Fill the topics, measure each contender several times in turn, print and save."""
    parser = argparse.ArgumentParser(description="Throughput of one process.")
    parser.add_argument("--events", type=int, default=1_000_000, help="events in each topic")
    parser.add_argument("--repeats", type=int, default=3, help="how often each contender runs")
    parser.add_argument("--no-others", action="store_true", help="leave the loop, Bytewax, Quix Streams and Faust out")
    parser.add_argument("--same-work", action="store_true", help="only those that do the same work")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    if not chosen.no_others and not OTHERS.exists():
        parser.error("the other stream processors are not installed: `make .venv-bench/.installed`, or --no-others")
    runs: list[Run] = []
    with kafka() as broker:
        settings = broker.settings
        jobs = [filled(settings, "ours", MAIL_EVENTS, "canonical", chosen.events)]
        if not chosen.same_work:
            jobs.append(filled(settings, "ours-kumomta", LOGS, "kumomta", chosen.events))
        fewer = {} if chosen.no_others or chosen.same_work else filled_for_others(settings, chosen.events)
        same = {} if chosen.no_others else filled_for_same_work(settings, chosen.events)
        served = ingest.Job("ours-served", MAIL_EVENTS, "canonical", jobs[0].expected)
        for _ in range(chosen.repeats):
            for job in jobs:
                raw = job.contender.replace("ours", "raw")
                runs.append(shown(others.measure(settings, others.RAW, job.topic, job.expected, raw)))
                runs.append(shown(ingest.measure(settings, job)))
            for other, expected in fewer.items():
                runs.append(shown(others.measure(settings, other, _topic(other), expected)))
            if same:
                runs.append(shown(ingest.measure(settings, served, served=True)))
            for other, truth in same.items():
                runs.append(shown(same_work.measure(settings, other, _topic(other), truth)))
    results.save("throughput", _command(arguments), runs, trial=chosen.trial or chosen.same_work)


def shown(run: Run) -> Run:
    """The run, printed as well."""
    workers = f" x{run.workers}" if run.workers > 1 else ""
    store = f", store {run.store_cpu_seconds / run.events * 1e6:.2f}" if run.store_cpu_seconds else ""
    print(
        f"{run.contender + workers:15} {run.events:>9,} events in {run.seconds:6.2f} s: {run.rate:>8,.0f}/s, "
        f"{run.cpu_per_million:7.2f} CPU s a million{store}, {run.peak_bytes / 1e6:,.0f} MB",
        flush=True,
    )
    return run


def filled(settings: Kafka, contender: str, topic: str, format_name: str, events: int) -> ingest.Job:
    expected = Expected()
    seconds = fill(settings, topic, hour(events, format_name, utc_now_ms(), expected))
    each = expected.bytes / max(1, expected.events)
    print(f"{topic}: {events:,} events of {each:,.0f} bytes in {seconds:.1f} s", flush=True)
    return ingest.Job(contender, topic, format_name, expected)


def filled_for_others(settings: Kafka, events: int) -> dict[others.Other, Expected]:
    """A topic for each of them, all of the same mail; none of them is asked to leave repetitions out."""
    found = {}
    for other, most in FEWER.items():
        expected = Expected()
        messages = hour(min(events, most), "canonical", utc_now_ms(), expected, repeats=False)
        fill(settings, _topic(other), others.closing(messages) if other is others.QUIX else messages)
        found[other] = expected
    return found


def filled_for_same_work(settings: Kafka, events: int) -> dict[others.Other, same_work.Truth]:
    """A topic for each of them, all of the same mail, with its repetitions."""
    found = {}
    for other, most in SAME.items():
        truth = same_work.Truth()
        messages = same_work.noted(hour(min(events, most), "canonical", utc_now_ms(), Expected()), truth)
        fill(settings, _topic(other), others.closing(messages) if other is same_work.QUIX else messages)
        found[other] = truth
    return found


def _topic(other: others.Other) -> str:
    return f"bench.{other.name}"


def _command(arguments: list[str]) -> str:
    return shlex.join(["python", "-m", "benchmarks.throughput", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
