"""`repmon suspend` and `repmon unsuspend`: what was done about a customer, by name and with a reason."""

import click

from api.cli.fresh_start import fresh_start, fresh_start_line
from api.cli.lazy import command
from api.cli.options import by, needed_why, why, with_reached
from api.cli.printing import print_line
from jobs.operator.suspensions import suspend, unsuspend
from schemas.settings import Settings
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.io.store import open_store


@command('repmon suspend acme --by Ida --why "bought list"', name="suspend")
@click.argument("customer")
@by
@needed_why
@with_reached
def suspend_customer(settings: Settings, customer: str, by: str, why: str) -> None:
    """Record that a customer is suspended.

    It stays suspended until `unsuspend`, and is judged as before. Nothing is stopped by this; that is for your mail
    servers. It is on record who decided it, when and why.
    """
    store = open_store(settings.clickhouse)
    suspend(store, customer, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    print_line(f"{customer} is suspended, by {by}: {why}")


@command('repmon unsuspend acme --fresh-start --by Ida --why "list mended"', name="unsuspend")
@click.argument("customer")
@by
@why
@fresh_start
@with_reached
def unsuspend_customer(settings: Settings, customer: str, by: str, why: str, fresh_start: bool) -> None:
    """Record that a customer is no longer suspended.

    It stands as `reinstated` for 30 days while it is judged well. Without `--fresh-start` it is judged by what it sent
    before too.
    """
    now_ms = utc_now_ms()
    store = open_store(settings.clickhouse)
    found = unsuspend(store, customer, by=by, why=why, now_ms=now_ms, fresh_start=fresh_start)
    store.close()
    since = f"was since {rfc3339(found.since_ms)}, by {found.by}: {found.why}"
    print_line(f"{customer} is no longer suspended; it {since}")
    if fresh_start:
        print_line(fresh_start_line(customer, now_ms))
    else:
        print_line("what it sent before still counts; --fresh-start begins anew")
