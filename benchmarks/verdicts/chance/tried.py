"""In which directions fleets are made from chance: anything at all, and where earlier trials did not look.

What is chosen in a direction is what it is about; all else is chance as ever.
"""

from collections.abc import Iterator, Sequence

from benchmarks.verdicts.chance.arrival import Arrival
from benchmarks.verdicts.chance.trial import TrialResult, Wish, run, seeded

DIRECTIONS: dict[str, Wish] = {
    "anything": Wish(customers=(7, 120)),
    "tiny: three to six customers": Wish(customers=(3, 6)),
    "a first day": Wish(customers=(5, 40), first_day=True),
    "a slow death, and an abuser at that provider": Wish(
        customers=(6, 60), mishaps=("slow death",), abusers=("one provider", "stolen account")
    ),
    "an outage that returns": Wish(customers=(6, 60), mishaps=("twice", "flapping")),
    "the own network": Wish(customers=(6, 60), mishaps=("own network",)),
    "complaints at once": Wish(customers=(6, 60), mishaps=("complaints",)),
    "no incident": Wish(customers=(20, 120), mishaps=()),
    "deliveries two hours behind": Wish(
        customers=(3, 60), mishaps=(), arrival=Arrival(what="deliveries 2 h behind", hours=2, deliveries=True)
    ),
    "nothing counted for six hours, then all at once": Wish(
        customers=(3, 60), mishaps=(), arrival=Arrival(what="all 6 h behind", hours=6)
    ),
}


def measure(seed: int, fleets: int, directions: Sequence[str] = ()) -> Iterator[tuple[str, list[TrialResult]]]:
    """So many fleets in each direction, or in those named."""
    for place, (name, wish) in enumerate(DIRECTIONS.items()):
        if not directions or name in directions:
            trials = ((number, seeded(seed, number, wish)) for number in range(1_000 * place, 1_000 * place + fleets))
            yield name, [result for _, result in run(trials)]
