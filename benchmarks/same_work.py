"""Measures the loop, Bytewax and Quix Streams while they do the product's work, over a store in a process of its own.

They decode and check each event, leave out those whose id came before, count by customer, stream, class, minute and
type in five dimensions, and insert the sums. What the product does besides, they do not: say why a bounce bounced and
keep it as evidence, count late outcomes with their mail, announce who changed, and count exactly once through crashes.

What is stored is then compared with a count of the produced messages that none of them has a part in.
"""

import itertools
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from benchmarks import store_process
from benchmarks.broker import BenchmarkError
from benchmarks.contenders.same_work import PASSWORD, TABLE, URL, Sums
from benchmarks.others import START_S, Other
from benchmarks.process import OTHERS, Process, cpu_seconds
from benchmarks.results import Run
from benchmarks.traffic import Message
from schemas.settings import Kafka
from schemas.times import MINUTE_MS

LOOP = Other("loop-same", "benchmarks.contenders.loop_same", least_rate=2_000.0)
BYTEWAX = Other("bytewax-same", "benchmarks.contenders.bytewax_same", OTHERS)
QUIX = Other("quix-same", "benchmarks.contenders.quix_same", OTHERS)
#: The field that each dimension is of. In this mail no domain signs for another.
FIELDS = {"ip": "sending_ip", "pool": "ip_pool", "from": "from_domain"}
BY_MINUTE = f"""
SELECT customer, intDiv(toUnixTimestamp(bucket), 60), type, sum(events) FROM {TABLE}
WHERE dimension = 'provider' GROUP BY ALL
"""  # noqa: S608 - names of ours
BY_VALUE = f"""
SELECT dimension, value, sum(events) FROM {TABLE} WHERE dimension != 'provider' GROUP BY ALL
"""  # noqa: S608 - names of ours
_numbers = itertools.count(1)


class Truth(msgspec.Struct):
    """What a correct count of the messages is: of `events`, `bytes` long, those that are not `repeated`, by customer,
    minute (epoch minutes, UTC) and type, and by dimension and value."""

    events: int = 0
    bytes: int = 0
    repeated: int = 0
    by_minute: Counter[tuple[str, int, str]] = msgspec.field(default_factory=Counter)
    by_value: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)


def noted(messages: Iterable[Message], truth: Truth) -> Iterator[Message]:
    """The messages; the truth is added up as they are taken."""
    ids: set[tuple[str, str, str]] = set()
    for message in messages:
        yield message
        event = json.loads(message.value)
        truth.events += 1
        truth.bytes += len(message.value)
        identity = event["customer"], event["type"], event["id"]
        if identity in ids:
            truth.repeated += 1
            continue
        ids.add(identity)
        truth.by_minute[event["customer"], event["time"] // MINUTE_MS, event["type"]] += 1
        for dimension, field in FIELDS.items():
            if value := event.get(field):
                truth.by_value[dimension, value.lower()] += 1


def differences(store: Any, truth: Truth) -> Iterator[str]:
    """Each way in which the store differs from the truth. `store` answers `rows(sql)`."""
    for sql, wanted in ((BY_MINUTE, truth.by_minute), (BY_VALUE, truth.by_value)):
        found = {tuple(key): count for *key, count in store.rows(sql)}
        for key in sorted(found.keys() | wanted.keys()):
            if found.get(key, 0) != wanted[key]:
                yield f"{key}: stored {found.get(key, 0)}, produced {wanted[key]}"


def measure(kafka: Kafka, other: Other, topic: str, truth: Truth) -> Run:
    """Let it work off the topic into a new store.

    Raises:
        BenchmarkError: it failed or did not end, or its counts are wrong.
    """
    group = f"bench-{other.name}-{next(_numbers)}-{int(time.time())}"
    # Quix Streams is told what it must count: its windows close only when later messages come.
    events = truth.events - truth.repeated if other is QUIX else truth.events
    with (
        tempfile.TemporaryDirectory(prefix="repmon-store-") as folder,
        Process("benchmarks.store_process", [folder]) as store,
    ):
        port = store.mark("serving", START_S)["port"]
        environ = {URL: f"http://127.0.0.1:{port}/default", PASSWORD: store_process.PASSWORD}
        sums = Sums(environ)
        sums.create()
        with Process(
            other.module, [kafka.bootstrap, group, topic, events], python=other.python, environ=environ
        ) as worker:
            first = worker.mark("first", START_S)
            began_store = cpu_seconds(store.pid)
            done = worker.mark("done", START_S + truth.events / other.least_rate)
            run = Run(
                contender=other.name,
                events=truth.events,
                bytes=truth.bytes,
                seconds=done["at"] - first["at"],
                cpu_seconds=done["cpu"] - first["cpu"],
                peak_bytes=worker.peak_bytes,
                store_cpu_seconds=cpu_seconds(store.pid) - began_store,
                store_peak_bytes=store.peak_bytes,
            )
            worker.end()
        wrong = list(itertools.islice(differences(sums, truth), 5))
        sums.close()
        store.end()
    if wrong:
        raise BenchmarkError(f"{other.name}: the counts are wrong:\n" + "\n".join(wrong))
    return run
