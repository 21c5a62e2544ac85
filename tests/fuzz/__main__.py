"""`make fuzz`: mutated input for every adapter, for a given time or so many inputs. The seed is printed; with it a run
can be repeated, and one that was ended goes on with `--resume`.
"""

import argparse
import gc
import secrets
import time
from pathlib import Path

from tests.fuzz.portions import Progress, load, processors, read_portions
from tests.fuzz.run import ENOUGH, Found
from tests.fuzz.seeds import SEEDS

KEPT = Path("target/fuzz")
#: How often is said how far a run is, in s.
EVERY_S = 10.0


def main() -> int:
    """Run, tell, and keep what broke a law; 1 if anything did."""
    given = _given()
    seed = given.seed if given.seed is not None else secrets.randbelow(1_000_000_000)
    progress = load(KEPT, seed) if given.resume else Progress(seed)
    seconds = given.seconds or (None if given.inputs else 60.0)
    print(f"seed {seed}, {given.processes} processes", flush=True)
    # Nothing of what is loaded is garbage; looking for it again and again takes time.
    gc.freeze()
    begun = said = time.monotonic()
    already = progress.inputs

    def go_on() -> bool:
        return len(progress.broken) < ENOUGH and (seconds is None or time.monotonic() < begun + seconds)

    def say_rate() -> None:
        minutes = max(time.monotonic() - begun, 0.001) / 60
        of = f" of {given.inputs:,}" if given.inputs else ""
        print(f"{progress.inputs:,}{of} inputs, {(progress.inputs - already) / minutes:,.0f} a minute", flush=True)

    try:
        for portion, found in read_portions(seed, progress.missing(given.inputs), given.processes, go_on):
            progress.add(portion, found)
            _keep(progress, portion, found)
            progress.save(KEPT)
            if time.monotonic() >= said + EVERY_S:
                said = time.monotonic()
                say_rate()
    except KeyboardInterrupt:
        print("ended")
    if next(progress.missing(given.inputs), None) and given.inputs:
        print(f"to go on: --seed {seed} --inputs {given.inputs} --resume")
    for name in SEEDS:
        outcomes = {how: progress.counts.get(name, {}).get(how, 0) for how in ("events", "none", "refused", "broken")}
        print(f"{name:<12}" + "  ".join(f"{count:>9,} {how}" for how, count in outcomes.items()))
    for file, why in progress.broken.items():
        print(f"{file}: {why}")
    say_rate()
    print(f"{len(progress.broken)} broke a law")
    return 1 if progress.broken else 0


def _keep(progress: Progress, portion: int, found: Found) -> None:
    for number, (name, raw, why) in enumerate(found.broken, start=1):
        KEPT.mkdir(parents=True, exist_ok=True)
        file = KEPT / f"{name}-{progress.seed}-{portion}-{number}.bin"
        file.write_bytes(raw)
        progress.broken[str(file)] = why
        print(f"{file}: {why}", flush=True)


def _given() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    words.add_argument("--seconds", type=float, help="for so long; a minute where no inputs are given")
    words.add_argument("--inputs", type=int, help="so many inputs, in all portions of a seed together")
    words.add_argument("--processes", type=int, default=processors())
    words.add_argument("--seed", type=int, help="the same seed gives the same inputs")
    words.add_argument("--resume", action="store_true", help="go on with what is missing of a run with this seed")
    given = words.parse_args()
    if given.resume and given.seed is None:
        words.error("--resume needs the --seed of the run that goes on")
    if given.processes < 1 or (given.inputs is not None and given.inputs < 1):
        words.error("--processes and --inputs are at least 1")
    return given


if __name__ == "__main__":
    raise SystemExit(main())
