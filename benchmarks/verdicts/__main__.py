"""Measures verdicts: see `benchmarks.verdicts`.

python -m benchmarks.verdicts [--customers 20000] [--seed 1] [--jitter 0.3] [--trial]
"""

import argparse
import time
from collections.abc import Iterator
from secrets import randbelow

from benchmarks import results
from benchmarks.results import Figure
from benchmarks.verdicts import bad, good, incidents, parameters, product, steady
from benchmarks.verdicts.figures import of_bad, of_good, of_incidents, of_steady

CELLS = len(parameters.SIZES) * len(parameters.SENDINGS)


def measured(
    customers: int, bad_each: int, steady_each: int, seed: int, jitter: float, *, through_store: bool = True
) -> Iterator[Figure]:
    """All figures, as they are found. Equal arguments give equal figures."""
    ours = product.default()
    each = max(1, customers // CELLS)
    found = good.measure(ours, each, seed, jitter, rivals_of=max(1, each // 10))
    yield from of_good(found)
    limits = good.cusum_limits(found)
    for metric, limit in limits.items():
        yield Figure(name=f"CUSUM, tuned to as few false alarms: {metric}", value=limit, unit="log likelihood ratio")
    yield from of_bad(bad.measure(ours, bad.kinds(), bad_each, seed, limits), bad.snowshoe(ours, bad_each, seed))
    yield from of_steady(steady.shares(ours, steady_each, seed), steady.volumes(ours, max(1, steady_each // 2), seed))
    if not through_store:
        return
    snowshoes = (incidents.snowshoe(seed, one_domain=one_domain) for one_domain in (True, False))
    listings = (incidents.mass_listing(seed, listed, good) for listed, good in ((30, 100), (4, 10)))
    yield from of_incidents(incidents.measure(ours, seed), listings, snowshoes)


def main() -> None:
    """Measure, print and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--customers", type=int, default=20_000, help="clearly good ones, of all sizes and kinds")
    options.add_argument("--bad", type=int, default=40, help="of each kind of bad sender")
    options.add_argument("--steady", type=int, default=100, help="of each kind of steady sender")
    options.add_argument("--seed", type=int, default=None, help="the last one printed repeats a run")
    options.add_argument("--jitter", type=float, default=parameters.JITTER, help="noise between mailings")
    options.add_argument("--trial", action="store_true", help="leave no file among the results")
    given = options.parse_args()
    seed = randbelow(2**31) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    found = []
    began = time.process_time()
    for each in measured(given.customers, given.bad, given.steady, seed, given.jitter):
        print(f"  {each.name}: {each.value:,.1f} {each.unit}  {each.note}", flush=True)
        found.append(each)
    found.append(Figure(name="the run: processor time", value=time.process_time() - began, unit="s"))
    found.append(Figure(name="the run: seed", value=seed, unit=""))
    command = f"python -m benchmarks.verdicts --customers {given.customers} --seed {seed}"
    results.save("verdicts", command, figures=found, trial=given.trial)


if __name__ == "__main__":
    main()
