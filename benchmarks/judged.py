"""How many customers one monitor judges a second, next to earlier commits in the same rounds.

    python -m benchmarks.judged 1006786 a2c9aff

Each commit is checked out into a temporary folder and judges in a process of its own, over a store that is
filled alike: 10,000 customers, 30 days. A round is one batch by each of them, one after the other, so a machine with
other work disturbs all alike; what counts is processor time, the embedded store's with it, and the median of the
rounds.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks import results
from benchmarks.results import Figure

ROOT = Path(__file__).parents[1]
CUSTOMERS = 10_000
#: Rows of the last day, and of the 29 before, as in `benchmarks.size`.
ROWS = (1_000_000, 1_500_000)
#: Batches: what changes within a moment in a busy fleet, and everybody.
BATCHES = (2_000, 10_000)
ROUNDS = 15

#: Runs in the folder of a commit: what it uses has had these names since before the first that is compared.
WORKER = """
import random, sys, time
from benchmarks import size
customers, (day, month), folder = {customers}, {rows}, {folder!r}
settings = size.settings_in(folder, "judged")
size.migrate(settings)
store = size.open_store(settings)
end_s = int(time.time())
size.fill(store, customers, range(0, 1), day, end_s)
size.fill(store, customers, range(1, 30), month, end_s)
size.settle(store)
judge = size.judge_of(store)
names = size.names(customers)
chosen = {{n: random.Random(n).sample(names, min(n, customers)) for n in {batches}}}
at = end_s * 1000
for some in chosen.values():
    judge.judge_customers(some, at)
print("ready", flush=True)
for line in sys.stdin:
    at += 5_000
    began = time.process_time()
    judge.judge_customers(chosen[int(line)], at)
    print(time.process_time() - began, flush=True)
store.close()
"""


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """A commit's files in a folder of their own; the present ones as they are."""
    if not commit:
        yield ROOT
        return
    tree = folder / commit
    subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(tree), commit], cwd=ROOT, check=True)
    try:
        yield tree
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


class Worker:
    """A judge of one commit, in a process of its own."""

    def __init__(self, tree: Path, store: Path, customers: int, rows: tuple[int, int], sizes: Sequence[int]) -> None:
        code = WORKER.format(customers=customers, rows=rows, folder=str(store), batches=list(sizes))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._line() != "ready":
            raise SystemExit(f"the judge of {tree} did not start")

    def judge(self, size: int) -> float:
        """Judge a batch again; the processor seconds it took."""
        assert self.process.stdin is not None  # noqa: S101 - for the type checker
        self.process.stdin.write(f"{size}\n")
        self.process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()

    def _line(self) -> str:
        assert self.process.stdout is not None  # noqa: S101 - for the type checker
        return self.process.stdout.readline().strip()


def measure(
    commits: Sequence[str], rounds: int, customers: int = CUSTOMERS, rows: tuple[int, int] = ROWS
) -> dict[tuple[str, int], list[float]]:
    """Processor seconds of each round, by commit (empty: the present files) and batch size."""
    sizes = [size for size in BATCHES if size <= customers] or [customers]
    took: dict[tuple[str, int], list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="repmon-judged-")))
        workers = {}
        for place, commit in enumerate(("", *commits)):
            tree = stack.enter_context(checked_out(commit, folder))
            workers[commit] = Worker(tree, folder / f"store{place}", customers, rows, sizes)
            stack.callback(workers[commit].close)
        for _ in range(rounds):
            for size in sizes:
                for commit, worker in workers.items():
                    took.setdefault((commit, size), []).append(worker.judge(size))
    return took


def figures(took: dict[tuple[str, int], list[float]]) -> Iterator[Figure]:
    """Customers a processor second, and how the present commit compares in the same rounds."""
    for (commit, size), seconds in took.items():
        compared = median(earlier / now for earlier, now in zip(seconds, took["", size], strict=True))
        yield Figure(
            name=f"{size:,} judged again by {commit or 'the present commit'}",
            value=size / median(seconds),
            unit="customers/CPU s",
            note=f"the present one judges {compared:.2f} times as many (median of {len(seconds)} rounds)"
            if commit
            else "",
        )


def main() -> None:
    """Measure, print and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("commits", nargs="*", help="earlier commits, in the same rounds")
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--trial", action="store_true", help="leave no file among the results")
    given = options.parse_args()
    found = list(figures(measure(given.commits, given.rounds)))
    for each in found:
        print(f"  {each.name}: {each.value:,.0f} {each.unit}  {each.note}")
    command = " ".join(["python -m benchmarks.judged", *given.commits])
    results.save("judged", command, figures=found, trial=given.trial)


if __name__ == "__main__":
    main()
