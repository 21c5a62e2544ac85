"""How long it takes to try a policy over 30 days of 10,000 customers.

    python -m benchmarks.try_policy

A store is filled with made-up counts of 60 days, since the first of the 30 days looks back over a window of 30. Then
the default policy and one with stricter complaint and failure thresholds go through it hour by hour. Filling is not
timed.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from benchmarks import results
from benchmarks.measure import Peak, cores
from benchmarks.results import Figure
from benchmarks.stored import Stored, fill, settings_in, settle
from jobs.operator.try_policy import Trial, try_policy
from jobs.setup.migrate import migrate
from schemas import policy, providers
from schemas.policy import Policy
from schemas.policy_rule import Levels
from streams.io.store import open_store

DAYS = 30
CUSTOMERS = 10_000
ROWS = 4_000_000
#: So strict that a good part of the fleet, of which one mail in 900 fails, is flagged: who is flagged takes the time.
STRICTER = {"failure": Levels(warning=0.001, excessive=0.04, critical=0.08)}


@dataclass(frozen=True, slots=True)
class Took:
    """One trial. `cpu_seconds` are of all threads, the embedded store's among them.

    `peak_bytes` is the process's, with the store in it that was filled just before.
    """

    trial: Trial
    stored: Stored
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(customers: int, rows: int, days: int) -> Took:
    """Fill a store, and try the stricter policy over its last days."""
    in_force = policy.load_policy()
    with tempfile.TemporaryDirectory(prefix="repmon-try-") as folder:
        settings = settings_in(folder, "tried")
        migrate(settings)
        store = open_store(settings)
        now_s = int(time.time())
        fill(store, customers, range(2 * days), rows, now_s)
        stored = settle(store)
        with Peak() as peak:
            began, used = time.monotonic(), time.process_time()
            trial = try_policy(
                store,
                stricter(in_force),
                in_force,
                providers.load_providers().with_feedback_loop(),
                (now_s - days * 86_400) * 1000,
                now_s * 1000,
            )
            seconds, cpu_seconds = time.monotonic() - began, time.process_time() - used
        store.close()
    return Took(trial, stored, seconds, cpu_seconds, peak.bytes)


def stricter(in_force: Policy) -> Policy:
    """The policy with other thresholds in one of its rules."""
    rules = tuple(msgspec.structs.replace(each, levels=STRICTER.get(each.name, each.levels)) for each in in_force.rules)
    return msgspec.structs.replace(in_force, name="stricter", rules=rules)


def figures(took: Took, days: int) -> Iterator[Figure]:
    """What is kept of it."""
    trial = took.trial
    note = f"{trial.customers:,} customers, {trial.subjects:,} subjects, {days} days, {took.stored.rows:,} rows"
    yield Figure(name="a policy tried", value=took.seconds, unit="s", note=note)
    yield Figure(name="processor time", value=took.cpu_seconds, unit="s", note="all threads, with the store's")
    yield Figure(name="peak memory", value=took.peak_bytes / 1e6, unit="MB", note="the process, with the store in it")
    yield Figure(name="flagged by the policy in force", value=trial.in_force.flagged, unit="subjects")
    yield Figure(name="flagged by the tried one", value=trial.tried.flagged, unit="subjects")
    yield Figure(name="judged otherwise", value=len(trial.differences), unit="subjects")


def main() -> None:
    """Measure, print and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--customers", type=int, default=CUSTOMERS)
    options.add_argument("--rows", type=int, default=ROWS)
    options.add_argument("--days", type=int, default=DAYS)
    options.add_argument("--trial", action="store_true", help="leave no file among the results")
    given = options.parse_args()
    found = list(figures(measure(given.customers, given.rows, given.days), given.days))
    results.save("try_policy", "python -m benchmarks.try_policy", figures=found, trial=given.trial)
    print(f"a policy tried, {cores()}")
    for each in found:
        print(f"  {each.name:<32} {each.value:>12,.1f} {each.unit}  {each.note}")


if __name__ == "__main__":
    main()
