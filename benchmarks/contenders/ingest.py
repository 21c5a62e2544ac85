"""`repmon ingest`, as it is, with a clock on its consumer. It ends when it is asked to (SIGTERM)."""

import sys

from benchmarks.contenders.marks import clock_consumers, wait_for_go

clock_consumers()

from api.cli import main as cli  # noqa: E402

if __name__ == "__main__":
    wait_for_go()
    sys.argv = ["repmon", "ingest"]
    cli.main()
