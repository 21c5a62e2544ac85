"""Are the tests of the core any good? The code is changed in one place at a time, and some test must fail each time.

    make mutants

mutmut makes the changes and finds for each the tests that run the changed function; which files are changed and which
tests are asked stands in pyproject.toml. What no test notices is listed, and `mutmut show NAME` (in `.venv-mutants`)
shows the change. Ends with 1 where too few are noticed. It takes a quarter of an hour on two cores.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec

#: Of all changes so many (a ratio) must be noticed.
WANTED = 0.85
#: How mutmut notes that all tests passed, and that there was none.
PASSED, NO_TEST = 0, 33


class Outcomes(msgspec.Struct):
    """What mutmut keeps of one file: how the tests ended, by the name of the change."""

    exit_code_by_key: dict[str, int | None]


def main() -> int:
    """Run it and say how many were noticed."""
    run = subprocess.run(
        [sys.executable, "-m", "mutmut", "run", *sys.argv[1:]],
        env={**os.environ, "HYPOTHESIS_PROFILE": "quick"},
        check=False,
    )
    ended: dict[str, int | None] = {}
    for file in sorted(Path("mutants").rglob("*.meta")):
        ended |= msgspec.json.decode(file.read_bytes(), type=Outcomes).exit_code_by_key
    if run.returncode or not ended or None in ended.values():
        print("mutmut did not run to its end", file=sys.stderr)
        return run.returncode or 2
    missed = {name: code for name, code in ended.items() if code in (PASSED, NO_TEST)}
    for name, code in sorted(missed.items()):
        print(f"{'no test' if code == NO_TEST else 'unnoticed'}: {name}")
    by_file = Counter(name.partition(".x")[0] for name in ended)
    for name, count in sorted(by_file.items()):
        noticed = count - sum(each.partition(".x")[0] == name for each in missed)
        print(f"{name}: {noticed} of {count} changes noticed, {noticed / count:.1%}")
    share = 1 - len(missed) / len(ended)
    print(f"all: {len(ended) - len(missed)} of {len(ended)}, {share:.1%}; {WANTED:.0%} are wanted")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
