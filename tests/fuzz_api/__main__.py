"""`make fuzz-api`: requests of every kind to every route for a given time, by an operator's key and by a customer's."""

import argparse
import secrets
import tempfile
from pathlib import Path

from schemas.settings import ClickHouse
from streams.io.store import open_store
from tests.fuzz_api.run import fuzz
from tests.support.databases import Databases

KEPT = Path("target/fuzz-api")


def main() -> int:
    """Run; 1 if anything was found."""
    words = argparse.ArgumentParser(prog="make fuzz-api", description=__doc__)
    words.add_argument("--seconds", type=int, default=120, help="for each of the two keys")
    words.add_argument("--seed", type=int, default=None)
    given = words.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbelow(1_000_000_000)
    KEPT.mkdir(parents=True, exist_ok=True)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(ClickHouse(path=folder))
        for operator in (True, False):
            settings = databases.new(lasting=True)
            store = open_store(settings)
            arguments = ("--phases", "examples,coverage,fuzzing", "--seed", str(seed), "--max-time", str(given.seconds))
            failed |= fuzz(settings, store, arguments, KEPT, operator=operator) != 0
            store.close()
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
