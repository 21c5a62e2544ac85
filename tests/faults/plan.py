"""Which faults a torture run makes, in which order: all of it follows from a seed."""

import random
from dataclasses import dataclass

#: Every kind of fault, and how often it is chosen. Restarts of the broker take seconds, so they are rarer.
KINDS: dict[str, int] = {
    "kill worker": 14,
    "kill worker before it stores": 5,
    "kill worker between evidence and counts": 8,
    "kill worker with its counts on their way": 6,
    "kill worker between counts and read-back": 8,
    "kill worker after the read-back": 4,
    "stop worker": 4,
    "freeze worker": 6,
    "freeze worker before its counts": 8,
    "more workers": 6,
    "fewer workers": 6,
    "lose answers": 6,
    "answer late": 4,
    "deliver late": 4,
    "refuse for want of memory": 4,
    "refuse for too many parts": 4,
    "cut within a request": 6,
    "refuse connections": 5,
    "kill store": 6,
    "stop broker": 3,
    "kill broker": 3,
    "kill monitor": 5,
    "kill monitor when what is to be sent is stored": 5,
    "freeze monitor": 3,
    "odd times": 6,
}
FIRST_WORKERS, MOST_WORKERS = 3, 4
#: Between two faults, s.
GAP_S = (0.1, 1.5)
#: How long something stays away, stopped or frozen, s: around the session timeout and the store's.
AWAY_S = (0.0, 4.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `workers` is how many ingest workers there are when it is made, `target` one of them from 0,
    `times` how many statements it concerns."""

    number: int
    kind: str
    workers: int
    target: int
    gap_s: float
    away_s: float
    times: int

    def __str__(self) -> str:
        """What is done to whom, in a line."""
        if self.kind.endswith(" workers"):
            return f"#{self.number} {self.kind}: {self.workers}"
        whom = f" (w{self.target + 1} of {self.workers})" if self.concerns_worker else ""
        return f"#{self.number} {self.kind}{whom}, {self.away_s:.1f} s or {self.times} times"

    @property
    def concerns_worker(self) -> bool:
        """Whether one worker is meant."""
        return not self.kind.endswith((" broker", " store", " workers", " times")) and " monitor" not in self.kind


def plan(seed: int, faults: int) -> list[Fault]:
    """The faults of a run. The same seed gives the same faults; every kind occurs before any is repeated much."""
    chance = random.Random(f"torture {seed}")
    made: list[Fault] = []
    workers = FIRST_WORKERS
    bag: list[str] = []
    for number in range(1, faults + 1):
        if not bag:
            bag = [kind for kind, weight in KINDS.items() for _ in range(weight)]
            chance.shuffle(bag)
        kind = bag.pop()
        if kind == "more workers":
            workers = min(workers + 1, MOST_WORKERS)
        elif kind == "fewer workers":
            workers = max(workers - 1, 1)
        made.append(
            Fault(
                number,
                kind,
                workers,
                chance.randrange(workers),
                chance.uniform(*GAP_S),
                chance.uniform(*AWAY_S),
                chance.randint(1, 4),
            )
        )
    return made
