"""Measures verdicts: see `benchmarks.verdicts`.

python -m benchmarks.verdicts [--customers 20000] [--seed 1] [--jitter 0.3] [--only incidents] [--trial]
python -m benchmarks.verdicts --seed 1 --scenario "by night" --scenario abuser
python -m benchmarks.verdicts --only random --fleets 40 [--direction tiny] [--trial]
"""

import argparse
import time
from collections.abc import Collection, Iterator, Sequence
from secrets import randbelow

from benchmarks import results
from benchmarks.results import Figure
from benchmarks.verdicts import bad, good, incidents, parameters, product, steady
from benchmarks.verdicts.chance import tried
from benchmarks.verdicts.figures import of_bad, of_good, of_incidents, of_random, of_steady
from benchmarks.verdicts.scenarios import SCENARIOS

CELLS = len(parameters.SIZES) * len(parameters.SENDINGS)
#: What can be measured by itself, in this order.
PARTS = ("senders", "steady", "incidents", "random")
#: How figures of the run itself begin.
RUN = "the run: "


def measured(
    customers: int,
    bad_each: int,
    steady_each: int,
    seed: int,
    jitter: float,
    *,
    parts: Collection[str] = PARTS,
    scenarios: Sequence[str] = (),
    fleets: int = 0,
    directions: Sequence[str] = (),
    fleet_seed: int | None = None,
) -> Iterator[Figure]:
    """All figures, as they are found. Equal arguments give equal figures, whatever the parts. With `scenarios` of what
    hits many together those alone whose names contain any of these."""
    ours = product.default()
    if "senders" in parts:
        each = max(1, customers // CELLS)
        found = good.measure(ours, each, seed, jitter, rivals_of=max(1, each // 10))
        yield from of_good(found)
        limits = good.cusum_limits(found)
        for metric, limit in limits.items():
            yield Figure(
                name=f"CUSUM, tuned to as few false alarms: {metric}", value=limit, unit="log likelihood ratio"
            )
        yield from of_bad(bad.measure(ours, bad.kinds(), bad_each, seed, limits), bad.snowshoe(ours, bad_each, seed))
    if "steady" in parts:
        below = steady.shares(ours, steady_each, seed)
        yield from of_steady(below, steady.volumes(ours, max(1, steady_each // 2), seed))
    if "incidents" in parts:
        chosen = [name for name in SCENARIOS if any(each in name for each in scenarios or ("",))]
        flakes, named = ((), ()) if scenarios else ((True, False), ((30, 100), (4, 10)))
        yield from of_incidents(
            incidents.measure(ours, seed, chosen),
            (incidents.mass_listing(seed, listed, good) for listed, good in named),
            (incidents.snowshoe(seed, one_domain=one_domain) for one_domain in flakes),
        )
    if "random" in parts:
        some = tried.measure(seed if fleet_seed is None else fleet_seed, fleets, directions)
        yield from of_random(some, whole=not directions)


def part_of(figure: Figure) -> str:
    """Which part it is of, by the table that it is in."""
    table = figure.name.partition(": ")[0]
    if table == "incidents":
        return table
    if table.startswith("random fleets"):
        return "random"
    return "steady" if table.startswith("steady senders") else "senders"


def together(
    kept: Sequence[Figure], found: Sequence[Figure], parts: Collection[str], *, some: bool = False
) -> list[Figure]:
    """Those found, next to what was found of other parts before; and where only `some` of a part were measured, of
    the others of it."""
    new = {each.name for each in found}
    old = [each for each in kept if not each.name.startswith(RUN) and each.name not in new]
    old = [each for each in old if some or part_of(each) not in parts]
    every = [*old, *found]
    return [each for part in PARTS for each in every if part_of(each) == part]


def main() -> None:
    """Measure, print and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--customers", type=int, default=20_000, help="clearly good ones, of all sizes and kinds")
    options.add_argument("--bad", type=int, default=40, help="of each kind of bad sender")
    options.add_argument("--steady", type=int, default=100, help="of each kind of steady sender")
    options.add_argument("--seed", type=int, default=None, help="the last one printed repeats a run")
    options.add_argument("--jitter", type=float, default=parameters.JITTER, help="noise between mailings")
    options.add_argument(
        "--only",
        choices=PARTS,
        action="append",
        help="measure this alone; the results of other parts, by that seed, stay",
    )
    options.add_argument(
        "--scenario", action="append", default=[], help="of what hits many together only what has this in its name"
    )
    options.add_argument("--fleets", type=int, default=6, help="made from chance alone, in each direction")
    options.add_argument("--fleet-seed", type=int, default=None, help="of those fleets; that of the others by default")
    options.add_argument(
        "--direction", choices=tuple(tried.DIRECTIONS), action="append", default=[], help="of these directions alone"
    )
    options.add_argument("--trial", action="store_true", help="leave no file among the results")
    given = options.parse_args()
    parts = ["incidents"] if given.scenario else ["random"] if given.direction else given.only or PARTS
    some = bool(given.scenario or given.direction)
    before = results.load(results.FOLDER).get("verdicts") if given.only or some else None
    kept = before.figures if before else []
    seed = next((int(each.value) for each in kept if each.name == f"{RUN}seed"), None)
    if given.seed is not None and seed not in (None, given.seed):
        options.error(f"what was measured of other parts is by seed {seed}, not {given.seed}")
    if seed is None:
        seed = randbelow(2**31) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    found = []
    began = time.process_time()
    for each in measured(
        given.customers,
        given.bad,
        given.steady,
        seed,
        given.jitter,
        parts=parts,
        scenarios=given.scenario,
        fleets=given.fleets,
        directions=given.direction,
        fleet_seed=given.fleet_seed,
    ):
        print(f"  {each.name}: {each.value:,.1f} {each.unit}  {each.note}", flush=True)
        found.append(each)
    every = together(kept, found, parts, some=some)
    spent = time.process_time() - began
    every.append(Figure(name=f"{RUN}processor time", value=spent, unit="s", note=", ".join(parts)))
    every.append(Figure(name=f"{RUN}seed", value=seed, unit=""))
    if before and (others := [each for each in PARTS if each not in parts]):
        note = f"{', '.join(others)}: as measured on {before.date}, commit {before.commit}"
        every.append(Figure(name=f"{RUN}not measured again", value=len(others), unit="parts", note=note))
    command = f"python -m benchmarks.verdicts --customers {given.customers} --seed {seed}"
    command += f" --bad {given.bad} --steady {given.steady} --fleets {given.fleets}"
    command += "" if given.fleet_seed is None else f" --fleet-seed {given.fleet_seed}"
    results.save("verdicts", command, figures=every, trial=given.trial)


if __name__ == "__main__":
    main()
