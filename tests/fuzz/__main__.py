"""`make fuzz`: mutated input for every adapter for a given time. The seed is printed; with it a run can be repeated."""

import argparse
import secrets
from pathlib import Path

from tests.fuzz.run import bound_memory, run, until
from tests.fuzz.seeds import SEEDS

KEPT = Path("target/fuzz")


def main() -> int:
    """Run, tell, and keep what broke a law; 1 if anything did."""
    words = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    words.add_argument("--seconds", type=float, default=60.0)
    words.add_argument("--seed", type=int, default=None)
    given = words.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbelow(1_000_000_000)
    print(f"seed {seed}", flush=True)
    bound_memory()
    found = run(seed, until(given.seconds))
    for name in SEEDS:
        outcomes = {how: found.counts[name, how] for how in ("events", "none", "refused", "broken")}
        print(f"{name:<12}" + "  ".join(f"{count:>8,} {how}" for how, count in outcomes.items()))
    for number, (name, raw, why) in enumerate(found.broken, start=1):
        KEPT.mkdir(parents=True, exist_ok=True)
        file = KEPT / f"{name}-{seed}-{number}.bin"
        file.write_bytes(raw)
        print(f"{file}: {why}")
    print(f"{found.counts.total():,} inputs, {len(found.broken)} broke a law")
    return 1 if found.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
