"""A log that is written and rotated while who follows it is killed again and again.

`python -m tests.faults.follow_killed --kills 100 --seed 1` prints one line: how many outcomes the log told, and how
many were sent, sent twice, missing, or attributed to the wrong customer. Sent twice is what a kill between sending and
keeping the place costs; ingest leaves it out by its id.
"""

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from jobs.follow import follower as following
from jobs.follow import log as logs
from jobs.follow.follower import Follower
from jobs.follow.state import FollowStore
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions

CONTEXT = Context(
    b"a key",
    load_providers(),
    {"postfix": FormatOptions(default_customer="nobody")},
    hash_all=True,
    clock=lambda: 1_741_003_200_000,
)
#: So many messages are under way at once: their first lines are often in a file before that of their last.
UNDER_WAY = 30


@dataclass(frozen=True)
class Outcome:
    """What was written against what was sent."""

    written: int
    sent: int
    twice: int
    missing: int
    wrong: int
    rotations: int


class Writer:
    """Writes messages line by line, each by a customer who logged in, and rotates now and then."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._path, self._chance = path, chance
        self._file = path.open("ab", buffering=0)
        self._open: list[int] = []
        self.done: dict[str, str] = {}
        self._next = self._second = 0
        self.rotations = 0

    def write(self) -> None:
        """The next line or lines, in one or two pieces."""
        self._second += 1
        head = f"2025-03-03T{self._second // 3600:02}:{self._second // 60 % 60:02}:{self._second % 60:02}Z mx1 postfix/"
        if len(self._open) < UNDER_WAY:
            number, self._next = self._next, self._next + 1
            self._open.append(number)
            queue_id, login = queue_id_of(number), f"customer-{number % 7}"
            text = (
                f"{head}smtpd[1]: {queue_id}: client=a[192.0.2.9], sasl_method=PLAIN, sasl_username={login}\n"
                f"{head}qmgr[1]: {queue_id}: from=<b@acme.example>, size=9, nrcpt=1 (queue active)\n"
            )
        else:
            number = self._open.pop(self._chance.randrange(len(self._open)))
            queue_id = queue_id_of(number)
            message = f"r{number}@gmail.com"
            text = (
                f"{head}smtp[1]: {queue_id}: to=<{message}>, relay=mx.google.com[192.0.2.26]:25, delay=1, "
                f"dsn=2.0.0, status=sent (250 OK)\n{head}qmgr[1]: {queue_id}: removed\n"
            )
            self.done[queue_id] = f"customer-{number % 7}"
        cut = self._chance.randrange(len(text)) if self._chance.random() < 0.2 else len(text)
        self._file.write(text[:cut].encode())
        if cut < len(text):
            time.sleep(self._chance.random() * 0.01)
            self._file.write(text[cut:].encode())

    def rotate(self) -> None:
        """As logrotate does it: renamed, with the writer told at once or late, copied and cut off, or compressed."""
        self.rotations += 1
        kind = self._chance.choice(("renamed", "late", "copied", "compressed"))
        older = self._path.with_name(f"{self._path.name}.{self.rotations:05}")
        if kind == "copied":
            shutil.copyfile(self._path, older)
            os.truncate(self._path, 0)
            return
        self._path.rename(older)
        if kind == "late":
            for _ in range(5):
                self.write()
        self._file.close()
        self._file = self._path.open("ab", buffering=0)
        if kind == "compressed":
            packed = older.with_name(older.name + ".gz")
            packed.write_bytes(gzip.compress(older.read_bytes()))
            older.unlink()


def queue_id_of(number: int) -> str:
    """A long queue id."""
    letters = "BCDFGHJKLMNPQRSTVWXZbcdfghjklmnpqrstvwxz"
    digits = ""
    for _ in range(10):
        number, digit = divmod(number, len(letters))
        digits = letters[digit] + digits
    return f"4X{digits}"


def follow(path: Path, state: Path, out: Path) -> None:
    """Follow until killed. What was sent is on the disk once it is acknowledged, which takes its time."""
    logs.SETTLE_S, logs.LINGER_S = 0.05, 0.5
    following.KEEP_S, following.KEEP_MEMORY_S, following.IDLE_S = 0.01, 0.1, 0.002
    sent: list[bytes] = []
    file = out.open("ab", buffering=0)
    if file.tell() and not out.read_bytes().endswith(b"\n"):
        os.truncate(out, out.read_bytes().rfind(b"\n") + 1)  # Killed while it wrote: that was not acknowledged.

    def acknowledged() -> bool:
        batch, sent[:] = b"".join(sent), []
        file.write(batch)
        return True

    each = Follower.begin(
        path,
        "postfix",
        FollowStore(state, path, "postfix"),
        CONTEXT,
        lambda _key, value: sent.append(value + b"\n"),
        acknowledged,
        lambda unread: sent.append(json.dumps({"unread": unread.reason}).encode() + b"\n"),
        time.monotonic(),
    )
    following.until_stopped([each], time.monotonic, _waited)


def _waited(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def torture(folder: Path, kills: int, seed: int) -> Outcome:
    """Write and rotate while who follows is killed so many times; then compare."""
    chance = random.Random(seed)
    path, state, out = folder / "mail.log", folder / "state", folder / "sent"
    writer = Writer(path, chance)
    for _ in range(kills):
        child = started(path, state, out)
        ends = time.monotonic() + chance.uniform(0.005, 0.12)
        while time.monotonic() < ends:
            writer.write()
            # What was rotated before it ever looked is not read, by what it promises.
            if chance.random() < 0.01 and any(state.glob("*.place")):
                writer.rotate()
            time.sleep(0.0005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    child = started(path, state, out)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(read(out)) < len(writer.done):
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = Counter(out.read_bytes().splitlines())
    events = read(out)
    return Outcome(
        written=len(writer.done),
        sent=sum(found.values()),
        twice=sum(found.values()) - len(found),
        missing=len(writer.done.keys() - events.keys()),
        wrong=sum(writer.done.get(each) != customer for each, customer in events.items()),
        rotations=writer.rotations,
    )


def started(path: Path, state: Path, out: Path) -> int:
    """The process that follows."""
    child = os.fork()
    if not child:
        try:
            follow(path, state, out)
        finally:
            os._exit(1)
    return child


def read(out: Path) -> dict[str, str]:
    """The customer by queue id; what is cut off at the end was not acknowledged."""
    found = {}
    for line in out.read_bytes().splitlines(keepends=True) if out.exists() else ():
        if line.endswith(b"\n"):
            event = json.loads(line)
            found[event.get("message_id", event.get("unread"))] = event.get("customer", "unread")
    return found


def main() -> None:
    """Print how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(torture(Path(folder), arguments.kills, arguments.seed))


if __name__ == "__main__":
    main()
