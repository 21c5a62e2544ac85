"""`repmon follow`: logs as they grow."""

import os
import sys
import time
from pathlib import Path

import click

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_line, print_note
from api.cli.publishing import open_publisher
from api.cli.reading import default_customer, format_of
from api.cli.stopping import until_signalled
from api.stack.adapting import adapt_context
from jobs.follow.follower import Follower, Unread, files_of, is_folder_of_segments, until_stopped
from jobs.follow.segments import folders_within
from jobs.follow.state import FollowError, FollowStore
from jobs.resend.bad_records import VARYING
from jobs.resend.ingest_file import LOGS
from schemas.settings import Settings
from schemas.topics import MAIL_EVENTS
from streams.io.broker import UnacknowledgedError

#: Reasons that are told of, once each.
MOST_REASONS = 100
#: Files that are named at the start.
MOST_NAMED = 20


@command("repmon follow --format postfix /var/log/mail.log")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@format_of(sorted(LOGS))
@default_customer
@click.option("--state", type=click.Path(path_type=Path), help="Where it remembers its place; DATA/follow.")
@with_reached
def follow(settings: Settings, paths: tuple[Path, ...], format_name: str, customer: str, state: Path | None) -> None:
    """Send logs to the broker as they grow, until stopped.

    Begins with what is in FILE, goes on through rotation, and remembers its place: after a restart nothing is missing
    and nothing counts twice. With KumoMTA, FILE is the folder of its segments (log_dir). Events go to the topic
    mail.events. What cannot be read is kept beside the place, and told of once a reason.
    """
    if format_name not in LOGS:
        raise FollowError(f"`{format_name}` is no format of logs; those are {', '.join(sorted(LOGS))}")
    # Symbolic links stay: what they point to may change.
    logs = list(dict.fromkeys(Path(os.path.normpath(each.absolute())) for each in paths))
    for path in logs:
        _check(path, format_name)
    folder = state if state is not None else Path(settings.embedded.data) / "follow"
    context = adapt_context(settings, customer)
    # However long the broker is away, it is waited for (0: without end, librdkafka's CONFIGURATION.md).
    publisher = open_publisher(settings, **{"message.timeout.ms": 0})
    stop = until_signalled()
    told: set[str] = set()

    def tell(unread: Unread) -> None:
        reason = VARYING.sub("N", unread.reason)
        if reason not in told and len(told) < MOST_REASONS:
            told.add(reason)
            where = f", byte {unread.offset:,}" if unread.offset else ""
            print_note(f"{unread.path}{where}: {unread.reason}")

    def acknowledged() -> bool:
        try:
            publisher.flush(hurry=stop.is_set)
        except UnacknowledgedError as error:
            print_note(f"waiting: {error}")
            return False
        return True

    followers = []
    for path in logs:
        store = FollowStore(folder, path, format_name)
        followers.append(
            Follower.begin(
                path,
                format_name,
                store,
                context,
                lambda key, value: publisher.publish(MAIL_EVENTS, key, value),
                acknowledged,
                tell,
                time.monotonic(),
            )
        )
        if not path.exists():
            print_note(f"{path}: is not there yet")
        for within in folders_within(path) if is_folder_of_segments(path, format_name) else ():
            print_note(f"{within}: is a folder within, which is not followed unless it is named too")
        if not followers[-1].log.found:
            print_note(f"{path}: the file that was read last is gone; begins at the beginning")
    begins = list(files_of(followers))
    for file, offset in begins[:MOST_NAMED]:
        print_line(f"follows {file} from byte {offset:,}")
    if len(begins) > MOST_NAMED:
        print_line(f"follows {len(begins) - MOST_NAMED:,} more files, the last is {begins[-1][0]}")
    kept = until_stopped(followers, time.monotonic, stop.wait)
    sent, unread = sum(each.sent for each in followers), sum(each.unread for each in followers)
    print_line(f"sent {sent:,} events; {unread:,} lines could not be read")
    if unread:
        print_note(f"lines that could not be read are kept in {folder}")
    for each in followers:
        each.close()
    if not kept:
        print_note("not all of it was acknowledged, or its place not kept; the next start sends that again")
        sys.exit(1)


def _check(path: Path, format_name: str) -> None:
    """Before anything is written.

    Raises:
        FollowError: it cannot be followed.
    """
    if is_folder_of_segments(path, format_name):
        return
    if path.is_dir():
        raise FollowError(f"{path}: is a folder; name its files")
    if path.exists() and not path.is_file():
        raise FollowError(f"{path}: is not a regular file; `repmon ingest-file` reads standard input")
