"""The demo as its user runs it, held against what the simulator really sent."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import msgspec

from tests.support.waiting import wait_for

DEADLINE_S = 240.0
# Events that may wait for their flush while live traffic goes on.
LIVE = 3_000
ALERT = re.compile(r"ALERT \S+ [0-9a-f]{12} \w+: (?P<customer>\S+) (?:\(.*?\) )?\S+ (?:\w+ to )?(?P<level>\w+)\. ")
PROGRESS = re.compile(r"--- (?P<events>[\d,]+) events taken in after \d+ s, (?P<waiting>[\d,]+) waiting")
SUSPENDING = {"excessive", "critical"}


class CustomerTruth(msgspec.Struct):
    name: str
    verdict: str


class Truth(msgspec.Struct):
    events: int
    customers: list[CustomerTruth]


def test_demo_flags_its_bad_customers_and_none_of_the_good_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    truth_file = tmp_path / "truth.json"
    # Half the fleet and half its mail: each customer sends what it sends by default, and what becomes of it is its own
    # doing, so that the truth of the simulator says who is bad.
    half = ["--no-trouble", "--customers", "100", "--messages", "250000"]
    command = [str(Path(sys.executable).with_name("repmon")), "demo", "--for", "10m", *half, "--truth", str(truth_file)]
    levels: dict[str, set[str]] = defaultdict(set)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "NO_COLOR": "1", "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as demo:
        assert demo.stdout is not None
        until, alerts, steady = time.monotonic() + DEADLINE_S, -1, False
        while not steady and time.monotonic() < until and (line := demo.stdout.readline()):
            if found := ALERT.match(line):
                levels[found["customer"]].add(found["level"])
            elif (found := PROGRESS.match(line)) and int(found["events"].replace(",", "")) > 250_000:
                # The day is played back and nobody new was found since the last line. What waits is counted until it
                # is stored: of live traffic, some 500 events a second, a flush or two always do.
                waiting = int(found["waiting"].replace(",", ""))
                steady, alerts = len(levels) == alerts and waiting < LIVE, len(levels)
        broker = _children(demo.pid)
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(60) == 0
    assert list(temporary.iterdir()) == []
    assert steady, "the demo did not settle before the deadline"
    assert broker, "the embedded broker is a child process"
    assert not any(Path(f"/proc/{pid}").exists() for pid in broker)

    truth = msgspec.json.decode(truth_file.read_bytes(), type=Truth)
    suspended = {name for name, seen in levels.items() if seen & SUSPENDING}
    wanted = {each.name for each in truth.customers if each.verdict == "flag"}
    assert wanted
    assert wanted - suspended == set(), "bad customers that were missed"
    assert suspended & {each.name for each in truth.customers if each.verdict == "clean"} == set()


def _children(pid: int) -> list[int]:
    """The processes that any of its threads started; threads come and go meanwhile."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, (task / "children").read_text().split())
    return found


def test_demo_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("repmon")), "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}) as demo:
        wait_for(lambda: bool(list(tmp_path.glob("repmon-demo-*/store/store"))), "the store", 60)
        demo.kill()
    wait_for(lambda: list(tmp_path.glob("repmon-demo-*")) == [], "the demo's folder to be gone")
