"""The commands `repmon poll ...`: ask mailbox providers what they report of the operator's mail, and show it."""

import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from datetime import date

import click

from api.cli.durations import seconds
from api.cli.lazy import command
from api.cli.options import as_json as json_option
from api.cli.options import only_customer, with_reached
from api.cli.printing import print_json, print_line, print_note
from api.cli.stopping import until_signalled
from api.http.metrics import StageServer
from api.text.reports import lines
from jobs.poll.announcing import announce
from jobs.poll.metrics import PollMetrics
from jobs.poll.postmaster import poll_postmaster
from jobs.poll.reading import AnswerError, Source
from jobs.poll.requesting import BadCredentialError, PollError, Requester, TryLaterError
from jobs.poll.round import Round
from jobs.poll.snds import poll_snds
from jobs.poll.stored import last_stored_ms, read_reports, store_readings
from jobs.poll.tokens import SignIn
from schemas.settings import Settings
from schemas.times import utc_now_ms, utc_time
from streams.io.broker import BrokerError
from streams.io.health import HealthVerdict
from streams.io.store import open_store

#: Exit codes of a single round; 2 is a fault that somebody has to mend, such as a wrong credential.
SOME_MISSING, LATER = 1, 3

Ask = Callable[[date, Requester], Round]
every_option = click.option("--every", default="", help="Go on, and ask again after this time, for example 6h.")


@command("repmon poll postmaster", "repmon poll postmaster --every 6h")
@every_option
@with_reached
def postmaster(settings: Settings, every: str) -> None:
    """Ask Gmail Postmaster Tools about your domains.

    Stored are the spam rate of each day, those of your feedback loops, and which of Google's requirements are met. The
    exit code is 0 where everything was answered, 1 where some domain was not, 3 where Google asks for patience, and 2
    where the credentials are not taken.
    """
    asked = settings.poll.postmaster
    _poll(settings, every, lambda today, requester: poll_postmaster(asked, today, requester), "postmaster", "domain")


@command("repmon poll snds", "repmon poll snds --every 12h")
@every_option
@click.option("--sign-in", is_flag=True, help="Sign in with a Microsoft account first, and keep the refresh token.")
@with_reached
def snds(settings: Settings, every: str, sign_in: bool) -> None:
    """Ask Microsoft SNDS about your addresses.

    Stored are filter result, complaint rate, trap hits and recipients of each address and day. The exit code is 0 where
    everything was answered, 1 where some day was not, 3 where Microsoft asks for patience, and 2 where the credentials,
    or the key of the older data access, are not taken.
    """
    if sign_in:
        signing_in = SignIn(settings.poll.snds)
        print_note("Open this address, and sign in with the account that SNDS knows:")
        print_line(signing_in.address)
        print_note("The browser ends at an address that it cannot open. Paste that:")
        signing_in.finish(sys.stdin.readline(), Requester(settings.poll.timeout_s, settings.poll.longest_wait_s))
    _poll(settings, every, lambda today, requester: poll_snds(settings.poll.snds, today, requester), "snds", "day")


@command("repmon poll list", "repmon poll list --customer acme --days 30", name="list")
@click.option("--days", type=click.IntRange(1, 400), default=14, show_default=True, help="Of so many days.")
@only_customer
@json_option
@with_reached
def list_reports(settings: Settings, days: int, customer: str, as_json: bool) -> None:
    """Show what was reported, by day.

    A day that is not there is unknown: the provider says nothing of days with too little mail, and is a day or two
    late.
    """
    with closing(open_store(settings.clickhouse)) as store:
        found = read_reports(store, utc_time(utc_now_ms()).date(), days, customer=customer)
    if as_json:
        for each in found:
            print_json(each)
        return
    for line in lines(found):
        print_line(line)


def _poll(settings: Settings, every: str, ask: Ask, source: Source, what: str) -> None:
    every_s = seconds(every, "--every")
    stop = threading.Event() if every_s is None else until_signalled()
    metrics = PollMetrics(source)
    with closing(open_store(settings.clickhouse)) as store, _served(settings, metrics, every_s):
        metrics.last_success_ms = last_stored_ms(store, source)
        while True:
            now_ms = utc_now_ms()
            requester = Requester(settings.poll.timeout_s, settings.poll.longest_wait_s, wait=stop.wait)
            try:
                found = ask(utc_time(now_ms).date(), requester)
            except BadCredentialError:
                raise
            except TryLaterError as error:
                found = Round(faults=[str(error)], later=True)
            except (PollError, AnswerError) as error:
                if every_s is None:
                    raise
                found = Round(faults=[str(error)])
            changed = store_readings(store, found.readings, settings.ingest, now_ms)
            metrics.note(found, utc_now_ms())
            _announce(settings, changed, now_ms)
            _say(found, what)
            if every_s is None:
                raise click.exceptions.Exit(LATER if found.later else SOME_MISSING if found.faults else 0)
            if stop.wait(every_s):
                return


@contextmanager
def _served(settings: Settings, metrics: PollMetrics, every_s: float | None) -> Iterator[None]:
    """Serve the metrics where `metrics.port` says, of one that goes on."""
    if every_s is None:
        yield
        return
    numbers = {"poll": metrics}
    server = StageServer(settings.metrics.host, settings.metrics.port, lambda: numbers, lambda: HealthVerdict("poll"))
    try:
        yield
    finally:
        server.close()


def _announce(settings: Settings, customers: Collection[str], now_ms: int) -> None:
    """What was reported is stored; where the broker is away the monitor looks at it later by itself."""
    try:
        announce(settings.kafka, customers, now_ms)
    except BrokerError as error:
        print_note(f"repmon: stored, but the monitor was not told: {error}")


def _say(found: Round, what: str) -> None:
    for fault in found.faults:
        print_note(f"repmon: {fault}")
    numbers = ((found.asked, what), (len(found.readings), "reading"), (len(found.faults), "fault"))
    asked, stored, faults = (f"{many:,} {name}{'' if many == 1 else 's'}" for many, name in numbers)
    print_line(f"{asked} asked about, {stored} stored, {faults}")
