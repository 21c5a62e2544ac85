"""A run in several processes: portions of the input, each with a generator of its own, and what is known of them.

The input of a portion depends on the seed and its number alone, so a run that was ended goes on with the portions that
are missing, in as many processes as there may be then.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import msgspec

from tests.fuzz.run import Found, bound_memory, inputs, run

#: Inputs of a portion: about a second.
PORTION = 5_000
_FORK = multiprocessing.get_context("fork")


class Progress(msgspec.Struct):
    """What is known of a run: the numbers of the portions that are done, their inputs by format and outcome, and which
    files hold those that broke a law, with how."""

    seed: int
    portion: int = PORTION
    done: list[int] = []
    counts: dict[str, dict[str, int]] = {}
    broken: dict[str, str] = {}

    @property
    def inputs(self) -> int:
        """How many were read."""
        return sum(sum(outcomes.values()) for outcomes in self.counts.values())

    def add(self, number: int, found: Found) -> None:
        """A portion is done."""
        self.done.append(number)
        for (name, how), times in found.counts.items():
            outcomes = self.counts.setdefault(name, {})
            outcomes[how] = outcomes.get(how, 0) + times

    def missing(self, most: int | None) -> Iterator[tuple[int, int]]:
        """The portions that are to be read, with how many inputs each; without end where `most` is None."""
        done = set(self.done)
        for number in count() if most is None else range(-(-most // PORTION)):
            if number not in done:
                yield number, PORTION if most is None else min(PORTION, most - number * PORTION)

    def save(self, folder: Path) -> None:
        """Keep it, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        file = _file(folder, self.seed)
        new = file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self))
        new.replace(file)


def load(folder: Path, seed: int) -> Progress:
    """What was kept of a run with this seed; a new one where there is none, or one of portions of another size."""
    file = _file(folder, seed)
    kept = msgspec.json.decode(file.read_bytes(), type=Progress) if file.exists() else Progress(seed)
    return kept if kept.portion == PORTION else Progress(seed)


def _file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.json"


@dataclass(frozen=True, slots=True)
class _Worker:
    """A process that reads a portion, and the number of the input at which it is."""

    portion: int
    process: ForkProcess
    pipe: Connection
    at: Any


def read_portions(
    seed: int,
    portions: Iterator[tuple[int, int]],
    processes: int,
    go_on: Callable[[], bool],
    reader: Callable[..., Found] = run,
) -> Iterator[tuple[int, Found]]:
    """What was found in each portion, in the order in which they are done, while `go_on` says so.

    Each is read by a process of its own: an input that ends the process broke a law like others.
    """
    workers: list[_Worker] = []
    try:
        while go_on():
            while len(workers) < processes and (given := next(portions, None)):
                workers.append(_begin(reader, seed, *given))
            if not workers:
                return
            ready = wait([each.pipe for each in workers], timeout=1.0)
            for worker in [each for each in workers if each.pipe in ready]:
                workers.remove(worker)
                yield worker.portion, _end(seed, worker)
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()


def _begin(reader: Callable[..., Found], seed: int, portion: int, most: int) -> _Worker:
    ours, theirs = _FORK.Pipe(duplex=False)
    at = _FORK.Value("q", -1, lock=False)
    process = _FORK.Process(target=_read, args=(reader, seed, portion, most, at, theirs))
    process.start()
    theirs.close()
    return _Worker(portion, process, ours, at)


def _read(reader: Callable[..., Found], seed: int, portion: int, most: int, at: Any, pipe: Connection) -> None:
    bound_memory()

    def note(number: int) -> None:
        at.value = number

    pipe.send(reader(seed, most, portion=portion, note=note))
    pipe.close()


def _end(seed: int, worker: _Worker) -> Found:
    try:
        found: Found = worker.pipe.recv()
        worker.process.join()
    except EOFError:
        worker.process.join()
        found = Found()
        name, raw = next(islice(inputs(seed, worker.portion), max(0, worker.at.value), None))
        found.counts[name, "broken"] += 1
        found.broken.append((name, raw, f"the process ended with {worker.process.exitcode}"))
    return found


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
