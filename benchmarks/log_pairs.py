"""How fast the records of a log file are read, compared with an earlier commit: both in turn over the same files.

    python -m benchmarks.log_pairs 1006786 --pairs 5

The commit is checked out into a temporary folder. What is timed is what `repmon ingest-file` does but for the broker:
a file read line by line, adapted with the memory of its lines, and each event encoded. Compared are the processor
seconds, pair by pair, so that other work on the machine disturbs both alike. Records are lines for Postfix, of which
five tell of one mail, and objects for KumoMTA.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median

from benchmarks import results
from benchmarks.broker import BenchmarkError
from benchmarks.intake_pairs import COMMIT, spread
from benchmarks.judged import checked_out
from benchmarks.process import ROOT
from benchmarks.results import Figure
from benchmarks.traffic import Expected, hour
from schemas.times import SECOND_MS, utc_now_ms

KINDS = ("postfix", "kumomta")
#: Prints how many events there were, and the processor seconds. Names changed since the earlier commit; its own are
#: tried first, since what it has not may be found among the present files, which are installed.
READ = """
import sys, time
from pathlib import Path
import schemas.providers
from streams.adapt import Context
try:
    from jobs.ingest_file import read_events, send_file
except ModuleNotFoundError:
    from jobs.resend.ingest_file import read_events, send_file
load = getattr(schemas.providers, "load_providers", None) or schemas.providers.load
context = Context(b"a key", load(), hash_all=False, clock=lambda: int(sys.argv[3]))
sent = []
with Path(sys.argv[2]).open("rb") as file:
    began = time.process_time()
    send_file(read_events(file, sys.argv[1], context), lambda key, value: sent.append(len(value)))
    print(len(sent), time.process_time() - began)
"""


def postfix_log(mails: int, now_ms: int) -> Iterator[str]:
    """The lines of so many mails of 200 customers that left in the hour before, each to one recipient; one in 20 comes
    back."""
    random = Random(7)
    for number in range(mails):
        customer, domain = f"c{random.randrange(200)}", random.choice(("gmail.com", "yahoo.com", "web.de", "a.example"))
        moment = datetime.fromtimestamp((now_ms - 3_600_000 + number * 3_600_000 // mails) / SECOND_MS, UTC)
        head, queue_id = f"{moment:%b} {moment.day:2} {moment:%H:%M:%S} mx1 postfix/", f"{0xA00000000 + number:010X}"
        pid, size, ip = random.randrange(1000, 9999), random.randrange(1000, 50_000), f"192.0.2.{random.randrange(254)}"
        login = f"sasl_method=PLAIN, sasl_username={customer}"
        yield f"{head}submission/smtpd[{pid}]: {queue_id}: client=unknown[{ip}], {login}\n"
        yield f"{head}cleanup[777]: {queue_id}: message-id=<{number}@{customer}.example>\n"
        yield f"{head}qmgr[888]: {queue_id}: from=<news@{customer}.example>, size={size}, nrcpt=1 (queue active)\n"
        to = f"to=<u{number}@{domain}>, relay=mx.{domain}[198.51.100.9]:25, delay=1.2, delays=0.1/0/0.5/0.6"
        if number % 20:
            said = f"dsn=2.0.0, status=sent (250 2.0.0 OK {number:x} - gsmtp)"
        else:
            reply = f"550 5.1.1 <u{number}@{domain}>: User unknown (in reply to RCPT TO command)"
            said = f"dsn=5.1.1, status=bounced (host mx.{domain}[198.51.100.9] said: {reply})"
        yield f"{head}smtp[{pid}]: {queue_id}: {to}, {said}\n"
        yield f"{head}qmgr[888]: {queue_id}: removed\n"


def write_log(kind: str, file: Path, mails: int, now_ms: int) -> int:
    """Write the log of so many mails, and say how many records it has."""
    with file.open("wb") as out:
        if kind == "postfix":
            return sum(bool(out.write(line.encode())) for line in postfix_log(mails, now_ms))
        messages = hour(mails, kind, now_ms, Expected(), repeats=False)
        return sum(bool(out.write(message.value + b"\n")) for message in messages)


def seconds(tree: Path, kind: str, file: Path, mails: int, now_ms: int) -> float:
    """The processor seconds that a commit needs for a file.

    Raises:
        BenchmarkError: it failed, or found another number of events.
    """
    command = [sys.executable, "-c", READ, kind, str(file), str(now_ms)]
    done = subprocess.run(command, cwd=tree, env={"PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False)
    found = done.stdout.split()
    if done.returncode or int(found[0]) != mails:
        raise BenchmarkError(f"{tree.name} found {done.stdout.strip()} of {mails}\n{done.stderr}")
    return float(found[1])


def figures(kind: str, commit: str, records: int, pairs: list[tuple[float, float]]) -> Iterator[Figure]:
    """What came of one kind of log: of each pair the earlier commit's time first."""
    note = f"median of {len(pairs)} pairs"
    ratios = [before / now for before, now in pairs]
    yield Figure(
        name=f"{kind}: records a CPU second", value=median(ratios), unit=f"times {commit}", note=spread(ratios, note)
    )
    rate = median(records / now for _, now in pairs)
    yield Figure(name=f"{kind}: absolute", value=rate, unit="records a CPU second", note=note)


def main(arguments: list[str]) -> None:
    """Measure each kind of log, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default=COMMIT, help="the earlier commit")
    parser.add_argument("--mails", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS)
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    found: list[Figure] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="repmon-logs-")))
        earlier = stack.enter_context(checked_out(chosen.commit, folder))
        for kind in chosen.kinds:
            file, now_ms = folder / f"{kind}.log", utc_now_ms()
            records = write_log(kind, file, chosen.mails, now_ms)
            trees = (earlier, ROOT)
            pairs = []
            for _ in range(chosen.pairs):
                before, now = (seconds(tree, kind, file, chosen.mails, now_ms) for tree in trees)
                pairs.append((before, now))
            for each in figures(kind, chosen.commit, records, pairs):
                print(f"  {each.name}: {each.value:,.2f} {each.unit}  ({each.note})", flush=True)
                found.append(each)
    command = shlex.join(["python", "-m", "benchmarks.log_pairs", *arguments])
    results.save("log_pairs", command, figures=found, trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
