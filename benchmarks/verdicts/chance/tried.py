"""In which directions fleets are made from chance: anything at all, and where earlier trials did not look.

What is chosen in a direction is what it is about; all else is chance as ever.
"""

from collections.abc import Iterator, Sequence

from benchmarks.verdicts.chance.arrival import Arrival
from benchmarks.verdicts.chance.mishaps import KINDS, OF_AN_ABUSER
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
    "anything, of more kinds": Wish(customers=(5, 80), among=KINDS),
    "again a day or two later": Wish(customers=(6, 60), mishaps=("again",)),
    "a mass listing": Wish(customers=(6, 60), mishaps=("mass listing",)),
    "a pool that an abuser brought on a list": Wish(customers=(6, 60), mishaps=(OF_AN_ABUSER,)),
    "given up together": Wish(customers=(6, 60), mishaps=("given up together",)),
    "hosts that the table does not know": Wish(customers=(6, 60), mishaps=("others",)),
    "three at once in a small fleet": Wish(customers=(5, 20), among=KINDS, number=(3, 3)),
    "three at once on a first day": Wish(customers=(5, 40), first_day=True, among=KINDS, number=(3, 3)),
    "bad mail while all mail fails": Wish(
        customers=(6, 40), mishaps=("own network",), abusers=("bought list", "stolen account")
    ),
    "more bad accounts than good customers": Wish(customers=(6, 40), abusers=("many accounts",)),
    "a fleet of six": Wish(customers=(6, 6), among=KINDS),
}


def measure(seed: int, fleets: int, directions: Sequence[str] = ()) -> Iterator[tuple[str, list[TrialResult]]]:
    """So many fleets in each direction, or in those named."""
    for place, (name, wish) in enumerate(DIRECTIONS.items()):
        if not directions or name in directions:
            trials = ((number, seeded(seed, number, wish)) for number in range(1_000 * place, 1_000 * place + fleets))
            yield name, [result for _, result in run(trials)]
