"""Measures `repmon ingest`, seen from outside: from its first message until the last offset is stored, then checked."""

import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import store_process
from benchmarks.broker import Committed
from benchmarks.process import Process, command, cpu_seconds, wait_until
from benchmarks.results import Run
from benchmarks.traffic import Expected
from benchmarks.verify import verify
from schemas.settings import Kafka

MODULE = "benchmarks.contenders.ingest"
START_S = 60.0
LEAST_RATE = 2_000.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Job:
    """A filled topic, its format, and what a correct count of it is."""

    contender: str
    topic: str
    format_name: str
    expected: Expected


def measure(kafka: Kafka, job: Job, workers: int = 1, *, served: bool = False) -> Run:
    """Let so many `repmon ingest` processes work off the topic into a new store, and verify what they stored.

    One process keeps the store in itself. Several reach one that is `served` by a process of its own.

    Raises:
        BenchmarkError: a process failed or did not end, or the counts are wrong.
    """
    group = f"bench-{next(_numbers)}-{int(time.time())}"
    with tempfile.TemporaryDirectory(prefix="repmon-store-") as folder:
        with _store(folder, served=served or workers > 1) as (address, store), ExitStack() as stack:
            environ = {
                "REPMON_KAFKA__BOOTSTRAP": kafka.bootstrap,
                "REPMON_KAFKA__GROUP": group,
                "REPMON_INGEST__FORMATS": json.dumps({job.topic: job.format_name}),
                "REPMON_INGEST__HASH_KEY": "a key for benchmarks",
                **address,
            }
            if store is None:
                command("migrate", environ=environ)
            started = [stack.enter_context(Process(MODULE, environ=environ)) for _ in range(workers)]
            run = timed(started, store, Committed(kafka, f"{group}-ingest", job.topic), job)
        verify(folder, job.expected)
    return run


@contextmanager
def _store(folder: str, *, served: bool) -> Iterator[tuple[dict[str, str], Process | None]]:
    """How `repmon` finds the store, and the process that serves it, if one does."""
    if not served:
        yield {"REPMON_CLICKHOUSE__PATH": folder}, None
        return
    with Process("benchmarks.store_process", [folder]) as store:
        port = store.mark("serving", START_S)["port"]
        url = f"http://127.0.0.1:{port}"
        yield {"REPMON_CLICKHOUSE__URL": url, "REPMON_CLICKHOUSE__PASSWORD": store_process.PASSWORD}, store
        store.end()


def timed(workers: list[Process], store: Process | None, committed: Committed, job: Job) -> Run:
    """Let these processes, which are ready or about to be, work off the topic.

    Raises:
        BenchmarkError: one failed or did not end.
    """
    for each in workers:
        each.mark("ready", START_S)
    began_store = cpu_seconds(store.pid) if store else 0.0
    for each in workers:
        each.go()
    firsts = [each.mark("first", START_S) for each in workers]
    return finish(workers, store, committed, job, firsts, began_store)


def finish(
    workers: list[Process],
    store: Process | None,
    committed: Committed,
    job: Job,
    firsts: list[dict[str, Any]],
    began_store: float = 0.0,
) -> Run:
    """Wait until these processes, of which each has said when it began, have worked off the topic.

    Raises:
        BenchmarkError: one failed or did not end.
    """
    running = [*workers, store] if store else workers
    patience_s = START_S + job.expected.events / LEAST_RATE
    done = wait_until(lambda: committed.left() == 0, running, job.contender, patience_s)
    used = sum(cpu_seconds(each.pid) for each in workers) - sum(each["cpu"] for each in firsts)
    used_by_store = cpu_seconds(store.pid) - began_store if store else 0.0
    run = Run(
        contender=job.contender,
        events=job.expected.events,
        bytes=job.expected.bytes,
        seconds=done - min(each["at"] for each in firsts),
        cpu_seconds=used,
        peak_bytes=sum(each.peak_bytes for each in workers),
        workers=len(workers),
        store_cpu_seconds=used_by_store,
        store_peak_bytes=store.peak_bytes if store else 0,
    )
    for each in workers:
        each.end()
    return run
